"""Recovery: what is found, what a rebuild would do, the proof at the end, and the map of ids."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

import sync.atomic_file
from sync.credentials import CredentialFile
from sync.drift import compare
from sync.errors import GuardError, StorageError, UsageError
from sync.executor import RunReport
from sync.identities import Identity, by_capture
from sync.identity_map import changed_earlier, identity_map, new_credentials, summary, write
from sync.ledger import RunState
from sync.model import (
    ActionKind,
    ActionResult,
    ActualInventory,
    Agent,
    DesiredInventory,
    Drift,
    DriftKind,
    Outcome,
    Plan,
)
from sync.plan import PlanRules
from sync.recovery import Assessment, StaleId, assess, plan_rebuild, verify
from tests.examples import (
    ENDPOINT,
    NOON,
    PARENT,
    ROOT_ID,
    account,
    actual,
    delete_job,
    desired,
    domain,
    partial,
    project,
    vm,
)

RULES = PlanRules()

CORPSE = domain("aurora", id="id:corpse")


def wanted() -> DesiredInventory:
    return desired(
        project("aurora", "anna", domain_id="id:corpse"),
        project("boreal", "ben"),
        project("cirrus", "carl", "cora", domain_id="id:old", agents=[Agent("c1", "cirrus-vm", "192.0.2.1")]),
        project("dune", "dora"),
        project("ember", "eva"),
    )


def after_the_incident() -> ActualInventory:
    """aurora dies, boreal is hollow, cirrus missing, dune differs, ember is fine, zephyr unexpected."""
    boreal, dune, ember, zephyr = (domain(name) for name in ("boreal", "dune", "ember", "zephyr"))
    return actual(
        boreal,
        dune,
        ember,
        zephyr,
        accounts=[
            account(dune, "dora", state="disabled"),
            account(ember, "eva"),
            account(zephyr, "zoe"),
        ],
        vms=[vm("aurora-0", CORPSE), vm("aurora-1", CORPSE)],
        jobs=[delete_job()],
    )


def drift() -> Drift:
    return compare(wanted(), after_the_incident())


def assessed(found: Drift | None = None) -> Assessment:
    return assess(found or drift(), RULES, now=NOON)


def rebuild_plan(*keys: str, found: Drift | None = None) -> Plan:
    return plan_rebuild(
        found or drift(),
        keys or None,
        rules=RULES,
        environment="drill",
        root_id=ROOT_ID,
        endpoint=ENDPOINT,
        author="ops",
        now=NOON,
    )


# --- assess -------------------------------------------------------------------------------------------------


def test_every_row_is_in_one_group() -> None:
    found = assessed()
    assert [one.key for one in found.dying] == ["aurora"]
    assert [one.key for one in found.hollow] == ["boreal"]
    assert [one.key for one in found.missing] == ["cirrus"]
    assert [one.key for one in found.differing] == ["dune"]
    assert [one.key for one in found.for_people] == ["zephyr"]
    assert found.in_sync == 1
    assert found.projects == len(drift().rows) == 6
    assert found.unproven == ""


def test_a_destroyed_vm_is_not_alive() -> None:
    found = drift()
    (row,) = [one for one in found.rows if one.kind is DriftKind.DELETING]
    assert row.dying is not None
    first, *others = row.dying.vms
    dying = replace(row.dying, vms=(replace(first, state="Destroyed"), *others))
    rows = tuple(replace(one, dying=dying) if one is row else one for one in found.rows)
    (finding,) = assess(replace(found, rows=rows), RULES, now=NOON).dying
    assert finding.machines_alive == len(others)


def test_a_finding_says_what_is_alive_what_is_lost_and_what_will_be_done() -> None:
    found = assessed()
    dying, missing = found.dying[0], found.missing[0]
    assert (dying.machines_alive, dying.machines_lost) == (2, 0)
    assert [one.kind for one in dying.actions] == [
        ActionKind.RENAME_DOMAIN,
        ActionKind.CREATE_DOMAIN,
        ActionKind.CREATE_ACCOUNT,
    ]
    assert (missing.machines_alive, missing.machines_lost) == (0, 1)
    assert [loss.vm for loss in found.losses] == ["cirrus-vm"]


def test_what_a_rebuild_takes_up_comes_worst_first() -> None:
    assert [one.key for one in assessed().to_rebuild] == ["aurora", "boreal", "cirrus"]


def test_nothing_is_to_be_rebuilt_from_a_partial_reading() -> None:
    found = assessed(compare(wanted(), replace(after_the_incident(), coverage=partial("2 of 3 pages"))))
    assert found.to_rebuild == ()
    assert "2 of 3 pages" in found.unproven


# --- plan ---------------------------------------------------------------------------------------------------


def test_a_rebuild_of_everything_leaves_what_exists_alone() -> None:
    made = rebuild_plan()
    assert {action.project for action in made.actions} == {"aurora", "boreal", "cirrus"}
    notes = " ".join(made.notes)
    assert "dune is left alone" in notes
    assert "zephyr is left alone" in notes
    assert (
        "1 of the 1 machines of the CI database that have no VM any more are of projects in this plan"
        in notes
    )


def test_what_differs_is_touched_when_it_is_named() -> None:
    made = rebuild_plan("dune")
    assert [(action.kind, action.project) for action in made.actions] == [(ActionKind.ENABLE_ACCOUNT, "dune")]


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(UsageError, match="nowhere"):
        rebuild_plan("nowhere")


@pytest.mark.parametrize("side", ["desired", "actual"])
def test_no_plan_comes_from_a_partial_reading(side: str) -> None:
    want, have = wanted(), after_the_incident()
    if side == "desired":
        want = replace(want, coverage=partial())
    else:
        have = replace(have, coverage=partial())
    with pytest.raises(GuardError, match="not complete"):
        rebuild_plan(found=compare(want, have))


# --- verify -------------------------------------------------------------------------------------------------


def rebuilt(*, without: str = "", extra: str = "zephyr") -> ActualInventory:
    domains = {
        name: domain(name) for name in ("aurora", "boreal", "cirrus", "dune", "ember") if name != without
    }
    people: Mapping[str, tuple[str, ...]] = {
        "aurora": ("anna",),
        "boreal": ("ben",),
        "cirrus": ("carl", "cora"),
        "dune": ("dora",),
        "ember": ("eva",),
    }
    others = [domain(extra)] if extra else []
    return actual(
        *domains.values(),
        *others,
        accounts=[account(one, *people[name]) for name, one in domains.items()],
    )


def test_a_rebuild_is_done_when_nothing_repairable_is_left() -> None:
    found = verify(drift(), compare(wanted(), rebuilt()), rules=RULES)
    assert (found.unproven, found.repairable) == ("", ())
    assert found.untouched == ("zephyr",)
    assert found.disappeared == ()
    assert [loss.vm for loss in found.losses] == ["cirrus-vm"]
    assert {row.key for row in found.for_people} == {"aurora", "cirrus", "zephyr"}
    assert found.stale_ids == (
        StaleId("aurora", "aurora", "id:corpse", f"id:{PARENT}/aurora"),
        StaleId("cirrus", "cirrus", "id:old", f"id:{PARENT}/cirrus"),
    )


def test_a_rebuild_with_something_left_is_not_done() -> None:
    found = verify(drift(), compare(wanted(), rebuilt(without="cirrus")), rules=RULES)
    assert [row.key for row in found.repairable] == ["cirrus"]


def test_a_rebuild_that_cannot_be_read_is_not_proven() -> None:
    after = compare(wanted(), replace(rebuilt(), coverage=partial("no answer")))
    found = verify(drift(), after, rules=RULES)
    assert "no answer" in found.unproven


def test_an_unexpected_domain_that_is_gone_is_said() -> None:
    found = verify(drift(), compare(wanted(), rebuilt(extra="")), rules=RULES)
    assert found.disappeared == ("zephyr",)


# --- the map of ids -----------------------------------------------------------------------------------------


def report_of(made: Plan, outcomes: Mapping[str, Outcome] | None = None) -> RunReport:
    """Everything succeeded but for what is named."""
    results = tuple(
        ActionResult(
            action.id, (outcomes or {}).get(action.id, Outcome.SUCCEEDED), object_id=f"new:{action.target}"
        )
        for action in made.actions
    )
    return RunReport("run", made.digest, RunState.FINISHED, "", results, NOON, NOON + timedelta(seconds=1), 1)


def test_old_ids_are_mapped_to_new_ones() -> None:
    made = rebuild_plan()
    rows = {(row.what, row.name): row for row in identity_map(made, report_of(made), wanted())}
    assert rows["domain", f"{PARENT}/aurora"].old_id == "id:corpse"
    assert rows["domain", f"{PARENT}/cirrus"].old_id == "id:old"
    assert rows["domain", f"{PARENT}/cirrus"].new_id == f"new:{PARENT}/cirrus"
    assert rows["user", f"{PARENT}/cirrus:cirrus:cora"].new_id == f"new:{PARENT}/cirrus:cirrus:cora"
    assert summary(rows.values()) == {"domain": 2, "account": 3, "user": 1}


def test_the_id_of_a_renamed_corpse_is_known_without_the_ci_database() -> None:
    made = rebuild_plan()
    nobody = desired()
    rows = {row.name: row for row in identity_map(made, report_of(made), nobody) if row.what == "domain"}
    assert rows[f"{PARENT}/aurora"].old_id == "id:corpse"
    assert rows[f"{PARENT}/cirrus"].old_id == ""


def test_what_failed_is_not_in_the_map() -> None:
    made = rebuild_plan()
    failed = {f"create-domain {PARENT}/cirrus": Outcome.FAILED}
    rows = identity_map(made, report_of(made, failed), wanted())
    assert f"{PARENT}/cirrus" not in {row.name for row in rows}


def test_a_capture_knows_the_old_ids_of_all_that_a_run_made() -> None:
    made, cirrus = rebuild_plan("cirrus"), domain("cirrus", id="id:first")
    old = account(cirrus, "carl", "cora")
    users = tuple(replace(one, id=f"first:{one.username}") for one in old.users)
    before, now = actual(cirrus, accounts=[replace(old, id="id:account", users=users)]), rebuilt()
    rows = identity_map(made, report_of(made), wanted(), before=before, now=now)
    name = f"{PARENT}/cirrus"
    carl = next(user for one in now.accounts for user in one.users if user.username == "carl")
    assert set(rows) == {
        Identity("domain", "cirrus", name, "id:old", f"new:{name}"),
        Identity("domain", "cirrus", name, "id:first", f"new:{name}"),
        Identity("account", "cirrus", f"{name}:cirrus", "id:account", f"new:{name}:cirrus"),
        Identity("user", "cirrus", f"{name}:cirrus:carl", "first:carl", carl.id),
        Identity("user", "cirrus", f"{name}:cirrus:cora", "first:cora", f"new:{name}:cirrus:cora"),
    }
    assert summary(rows) == {"domain": 1, "account": 1, "user": 2}, "two old ids of one domain are one new"


def test_an_old_id_in_capitals_is_the_same_old_id() -> None:
    """Two spellings are one row, and of a domain that still has its id no new one is told."""
    made, before = rebuild_plan("cirrus"), actual(domain("cirrus", id="id:old"))
    capitals = desired(replace(wanted().projects["cirrus"], domain_id="ID:OLD"))
    rows = identity_map(made, report_of(made), capitals, before=before)
    assert [row.old_id for row in rows if row.what == "domain"] == ["ID:OLD"]
    rows = identity_map(made, report_of(made), capitals, now=before)
    assert [row.old_id for row in rows if row.what == "domain"] == [""]


def test_what_is_left_in_the_old_domain_has_given_its_name_to_what_was_made() -> None:
    dune = domain("dune")
    gone = replace(dune, id="id:first")
    old = replace(vm("v", gone), id="old", domain_path=f"{PARENT}/dune-deleted-0728-d0ae")
    before = actual(gone, vms=[replace(old, domain_path=gone.path)])
    now = actual(dune, vms=[old, replace(vm("v", dune), id="new")])
    assert ("VM", "old", "new") in {(row.what, row.old_id, row.new_id) for row in by_capture(before, now)}
    kept = replace(old, domain_id=dune.id)
    assert "VM" not in {row.what for row in by_capture(before, replace(now, vms=(kept, *now.vms[1:])))}


def test_what_another_run_made_and_what_is_there_as_it_was_are_not_in_the_map() -> None:
    made, after = rebuild_plan("boreal"), compare(wanted(), rebuilt())
    assert {row.project for row in identity_map(made, report_of(made), wanted(), now=rebuilt())} == {"boreal"}
    assert {row.project for row in changed_earlier(after)} == {"aurora", "cirrus"}
    boreal = domain("boreal")
    before = actual(boreal, accounts=[replace(account(boreal, "ben"), id=f"new:{PARENT}/boreal:boreal")])
    found = dict.fromkeys((action.id for action in made.actions), Outcome.SKIPPED)
    assert identity_map(made, report_of(made, found), wanted(), before=before) == ()


def test_only_passwords_of_users_that_were_made_are_handed_over(tmp_path: Path) -> None:
    vault = CredentialFile(tmp_path / "passwords.jsonl")
    for name, user in (("cirrus", "carl"), ("cirrus", "cora"), ("boreal", "ben"), ("ember", "eva")):
        vault.password_for(f"{PARENT}/{name}", name, user)
    made = rebuild_plan("cirrus", "boreal")
    skipped = {f"create-account {PARENT}/boreal:boreal": Outcome.SKIPPED}
    handed_over = new_credentials(made, report_of(made, skipped), vault)
    assert [one.username for one in handed_over] == ["carl", "cora"]


AWKWARD = (
    Identity("domain", "dune", 'ROOT/ci/a, "b" é [/x]', "old", "new"),
    Identity("user", "dune", "ROOT/ci/dune:dune:anna", "", "new-2"),
)


def test_the_map_is_written_as_csv_and_json(tmp_path: Path) -> None:
    as_csv, as_json = write(AWKWARD, tmp_path / "deep")
    with as_csv.open(encoding="utf-8", newline="") as file:
        read = [Identity(**row) for row in csv.DictReader(file)]
    assert tuple(read) == AWKWARD
    assert tuple(Identity(**row) for row in json.loads(as_json.read_text("utf-8"))) == AWKWARD
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == [as_csv.name, as_json.name]


def test_a_map_that_cannot_be_written_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(AWKWARD, tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sync.atomic_file.os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write((), tmp_path)
    assert len(json.loads((tmp_path / "identity-map.json").read_text())) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_kinds_that_a_rebuild_takes_up_are_the_critical_ones() -> None:
    from sync.recovery import REBUILT

    assert set(REBUILT) == {kind for kind in DriftKind if kind.is_critical}
