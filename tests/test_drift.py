"""What `compare` says of every kind of difference, and what it does not say when a side was not seen."""

from __future__ import annotations

import gc
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.cli.reading import verdict
from sync.corpses import Ancestry, corpse_name
from sync.drift import compare, headline, losses
from sync.model import (
    ActualInventory,
    Agent,
    Coverage,
    CoverageState,
    Drift,
    DriftKind,
    DriftRow,
    NetworkRule,
    Part,
    Scope,
    Subject,
)
from sync.parts import is_blocked
from sync.plan import PlanRules, repairs
from tests import examples as ex
from tests import strategies as worlds

RULE = NetworkRule("DefaultOffering", "Zone 1")


def only(drift: Drift) -> DriftRow:
    assert len(drift.rows) == 1, [(row.key, row.kind) for row in drift.rows]
    return drift.rows[0]


def part(row: DriftRow, subject: Subject, name: str = "", field: str = "") -> Part:
    found = [part for part in row.parts if (part.subject, part.name, part.field) == (subject, name, field)]
    assert len(found) == 1, row.parts
    return found[0]


def kinds(drift: Drift) -> dict[str, DriftKind]:
    return {row.key: row.kind for row in drift.rows}


def dune(*members: str, **changes: object) -> Drift:
    """The project dune against a domain dune; `changes` go to the project."""
    domain = ex.domain("dune", limits={"vm": 10})
    project = ex.project("dune", *(members or ("anna",)))
    return compare(
        ex.desired(replace(project, **changes)), ex.actual(domain, accounts=[ex.account(domain, "anna")])
    )


# --- one kind each ----------------------------------------------------------------------------------------


def test_equal_sides_are_in_sync_whatever_the_case() -> None:
    domain = ex.domain("DUNE", limits={"vm": 10}, network_domain="CI.example.org")
    project = ex.project(
        "Dune", "Anna", quotas={"vm": 10}, network_domain="ci.example.org", domain_id=domain.id.upper()
    )
    account = ex.account(domain, ex.user("anna", "dune", domain), name="dune")
    same = replace(account, users=(replace(account.users[0], email="Anna@example.org"),))
    row = only(compare(ex.desired(project), ex.actual(domain, accounts=[same])))
    assert (row.key, row.kind, row.differences) == ("dune", DriftKind.IN_SYNC, ())
    assert row.view is not None and row.view.accounts == (same,)


def test_a_project_without_domain_is_missing_with_all_that_it_lacks() -> None:
    project = ex.project("cirrus", "anna", "bob", quotas={"vm": 3}, network_domain="c.example.org")
    row = only(compare(ex.desired(project), ex.actual(), network_rule=RULE))
    assert row.kind is DriftKind.MISSING
    assert "ROOT/ci/cirrus" in row.reason
    assert {(one.subject, one.name) for one in row.differences} == {
        (Subject.DOMAIN, ""),
        (Subject.NETWORK_DOMAIN, ""),
        (Subject.LIMIT, "vm"),
        (Subject.ACCOUNT, "cirrus"),
        (Subject.USER, "anna"),
        (Subject.USER, "bob"),
        (Subject.NETWORK, "cirrus-net"),
    }
    assert {one.kind for one in row.differences} == {DriftKind.MISSING}


def test_a_missing_parent_is_a_part_of_every_missing_row() -> None:
    drift = compare(ex.desired(ex.project("aurora"), ex.project("dune")), ex.actual(has_parent=False))
    assert set(kinds(drift).values()) == {DriftKind.MISSING}
    for row in drift.rows:
        assert part(row, Subject.DOMAIN, "ROOT/ci").kind is DriftKind.MISSING


def test_a_domain_without_project_is_unexpected_and_keeps_what_it_owns() -> None:
    domain = ex.domain("zephyr")
    below = ex.domain("sub", parent=domain.path)
    vms = [ex.vm("b", below), ex.vm("a", domain)]
    row = only(compare(ex.desired(), ex.actual(below, domain, vms=vms)))
    assert (row.key, row.kind, row.project) == ("zephyr", DriftKind.UNEXPECTED, None)
    assert row.view is not None
    assert [vm.name for vm in row.view.vms] == ["a", "b"]
    assert row.view.subdomains == (below,)


def test_outside_of_the_parent_nothing_is_seen() -> None:
    elsewhere = ex.domain("finance", parent="ROOT")
    lookalike = ex.domain("x", parent="ROOT/ci-old")
    gone = ex.domain("gone", parent="ROOT/other")
    parent = ex.domain("ci", parent="ROOT")
    inventory = ex.actual(parent, elsewhere, lookalike, vms=[ex.vm("v", gone), ex.vm("w", parent)])
    assert compare(ex.desired(), inventory).rows == ()


def test_a_domain_without_any_account_is_hollow_where_members_are_known() -> None:
    inventory = ex.actual(ex.domain("boreal"), ex.domain("empty"))
    drift = compare(ex.desired(ex.project("boreal", "anna"), ex.project("empty")), inventory)
    assert kinds(drift) == {"boreal": DriftKind.HOLLOW, "empty": DriftKind.IN_SYNC}
    assert "1 member." in drift.rows[0].reason


def test_hollow_is_worse_than_what_else_differs() -> None:
    project = ex.project("boreal", "anna", domain_id="old", quotas={"vm": 1})
    row = only(compare(ex.desired(project), ex.actual(ex.domain("boreal", limits=None))))
    assert row.kind is DriftKind.HOLLOW
    assert part(row, Subject.LIMIT, "vm", "max").kind is DriftKind.UNKNOWN


@pytest.mark.parametrize(
    ("jobs", "kind"),
    [
        ([ex.delete_job()], DriftKind.DELETING),
        (None, DriftKind.DELETING),
        ([], DriftKind.ORPHANED),
        ([replace(ex.delete_job(), command="org.apache.DeployVMCmd")], DriftKind.ORPHANED),
    ],
)
def test_vms_of_an_unlisted_domain_tell_of_its_deletion(jobs: list[object] | None, kind: DriftKind) -> None:
    gone = ex.domain("aurora")
    vms = [ex.vm("b", gone), ex.vm("a", gone, state="Stopped")]
    drift = compare(
        ex.desired(ex.project("aurora", "anna")),
        replace(ex.actual(vms=vms), jobs=None if jobs is None else tuple(jobs)),
    )
    row = only(drift)
    assert (row.kind, row.view) == (kind, None)
    assert row.project is not None and row.dying is not None
    assert (row.dying.domain_id, row.dying.path) == (gone.id, gone.path)
    assert [vm.name for vm in row.dying.vms] == ["a", "b"]
    assert "2 VMs are still there (1 running)" in row.reason


@pytest.mark.parametrize(
    ("states", "reason", "head"),
    [
        (["Running", "Destroyed"], "1 VM is still there (1 running)", "1 VM is left of a deleted domain"),
        (["Stopped", "Stopped"], "2 VMs are still there (0 running)", "2 VMs are left of a deleted domain"),
        (
            ["Destroyed", "Expunging"],
            "2 destroyed VMs are still there (0 running)",
            "2 destroyed VMs are left of a deleted domain",
        ),
    ],
)
def test_a_destroyed_vm_counts_for_none_that_is_left(states: list[str], reason: str, head: str) -> None:
    gone = ex.domain("aurora")
    vms = [ex.vm(f"vm-{number}", gone, state=state) for number, state in enumerate(states)]
    drift = compare(ex.desired(ex.project("aurora", "anna")), ex.actual(vms=vms))
    assert reason in only(drift).reason
    assert head in headline(drift).text


def test_a_renamed_corpse_is_a_row_of_its_own() -> None:
    corpse = ex.domain("aurora-deleted-0728-0312", id="id:old")
    new = ex.domain("aurora", id="id:new")
    drift = compare(
        ex.desired(ex.project("aurora", "anna")),
        ex.actual(new, accounts=[ex.account(new, "anna")], vms=[ex.vm("v", corpse)], jobs=[ex.delete_job()]),
    )
    assert kinds(drift) == {
        "aurora-deleted-0728-0312": DriftKind.DELETING,
        "aurora": DriftKind.IN_SYNC,
    }
    assert drift.rows[0].project is None


def test_a_corpse_that_still_has_the_old_path_beside_the_new_domain_is_a_row_of_its_own() -> None:
    corpse, new = ex.domain("aurora", id="id:old"), ex.domain("aurora", id="id:new")
    drift = compare(
        ex.desired(ex.project("aurora", "anna")),
        ex.actual(new, accounts=[ex.account(new, "anna")], vms=[ex.vm("v", corpse)]),
    )
    assert kinds(drift) == {"aurora (id:old)": DriftKind.ORPHANED, "aurora": DriftKind.IN_SYNC}


def test_of_two_corpses_of_one_name_the_younger_holds_it() -> None:
    first, second = ex.domain("aurora", id="id:1"), ex.domain("aurora", id="id:2")
    vms = [ex.vm("v", first, created="2017-07-28"), ex.vm("w", second, created="2017-01-01")]
    drift = compare(ex.desired(ex.project("aurora")), ex.actual(vms=vms, jobs=[ex.delete_job()]))
    assert set(kinds(drift)) == {"aurora", "aurora (id:2)"}
    row = drift.row("aurora")
    assert row is not None and row.dying is not None and row.dying.domain_id == "id:1"


def test_a_listed_sub_domain_of_an_unlisted_domain_gives_the_id_of_the_dying_one() -> None:
    below = ex.domain("sub", parent="ROOT/ci/aurora")
    row = only(compare(ex.desired(ex.project("aurora")), ex.actual(below, vms=[ex.vm("v", below)])))
    assert row.kind is DriftKind.DELETING
    assert row.dying is not None
    assert (row.dying.domain_id, row.dying.subdomains) == ("id:ROOT/ci/aurora", (below,))


def test_the_deletion_of_a_sub_domain_is_seen_in_the_living_project() -> None:
    domain = ex.domain("dune")
    below = ex.domain("sub", parent=domain.path)
    inventory = ex.actual(
        domain, accounts=[ex.account(domain, "anna")], vms=[ex.vm("v", below)], jobs=[ex.delete_job()]
    )
    row = only(compare(ex.desired(ex.project("dune", "anna")), inventory))
    assert row.kind is DriftKind.DELETING
    assert row.view is not None and row.view.domain == domain
    assert row.dying is not None and row.dying.domain_id == ""


# --- what differs -----------------------------------------------------------------------------------------


def test_another_stored_id_differs_with_the_way_to_mend_it() -> None:
    row = only(dune(domain_id="id:before"))
    assert row.kind is DriftKind.DIFFERS
    found = part(row, Subject.STORED_ID)
    assert (found.desired, found.actual) == ("id:before", "id:ROOT/ci/dune")
    assert "identity map" in found.note


def test_limits_that_were_not_read_are_unknown_and_nothing_worse() -> None:
    domain = ex.domain("dune", limits=None)
    project = ex.project("dune", "anna", quotas={"vm": 10})
    row = only(compare(ex.desired(project), ex.actual(domain, accounts=[ex.account(domain, "anna")])))
    assert row.kind is DriftKind.UNKNOWN
    assert part(row, Subject.LIMIT, "vm", "max").kind is DriftKind.UNKNOWN
    worse = replace(project, domain_id="before")
    assert (
        only(compare(ex.desired(worse), ex.actual(domain, accounts=[ex.account(domain, "anna")]))).kind
        is DriftKind.DIFFERS
    )


def test_a_limit_that_the_server_does_not_tell_is_unknown_and_not_equal() -> None:
    found = part(only(dune(quotas={"cpu": 4})), Subject.LIMIT, "cpu", "max")
    assert (found.kind, found.actual) == (DriftKind.UNKNOWN, None)
    assert "did not tell" in found.note


def test_another_limit_differs_in_words() -> None:
    row = only(dune(quotas={"vm": -1}))
    found = part(row, Subject.LIMIT, "vm", "max")
    assert (row.kind, found.desired, found.actual) == (DriftKind.DIFFERS, "unlimited", "10")
    assert row.reason == "1 difference: limit vm."


def test_users_that_are_missing_unexpected_or_different() -> None:
    domain = ex.domain("dune")
    users = [
        ex.user("anna", "dune", domain, state="disabled", email="old@example.org"),
        ex.user("mallory", "dune", domain),
    ]
    drift = compare(
        ex.desired(ex.project("dune", "anna", "bob")),
        ex.actual(domain, accounts=[ex.account(domain, *users)]),
    )
    row = only(drift)
    assert row.kind is DriftKind.DIFFERS
    assert part(row, Subject.USER, "anna", "state").actual == "disabled"
    assert part(row, Subject.USER, "anna", "email").actual == "old@example.org"
    assert part(row, Subject.USER, "bob").kind is DriftKind.MISSING
    assert part(row, Subject.USER, "mallory").kind is DriftKind.UNEXPECTED
    assert "left alone" in part(row, Subject.USER, "mallory").note


def test_a_user_name_held_by_another_account_is_said_and_not_missing() -> None:
    domain = ex.domain("dune")
    guests = ex.account(domain, "anna", name="guests")
    row = only(compare(ex.desired(ex.project("dune", "anna", "bob")), ex.actual(domain, accounts=[guests])))
    assert row.kind is DriftKind.DIFFERS
    assert part(row, Subject.USER, "anna", "account").actual == "guests"
    assert part(row, Subject.USER, "bob").kind is DriftKind.MISSING
    assert part(row, Subject.ACCOUNT, "dune").kind is DriftKind.MISSING
    assert part(row, Subject.ACCOUNT, "guests").kind is DriftKind.UNEXPECTED


def test_the_same_member_twice_counts_once_and_is_said() -> None:
    row = only(dune("anna", "ANNA"))
    found = part(row, Subject.USER, "ANNA", "member")
    assert row.kind is DriftKind.DIFFERS
    assert "once more" in found.note


def test_a_member_that_cloudstack_would_refuse_is_no_unexpected_user() -> None:
    domain = ex.domain("dune")
    refused = replace(ex.member("bob"), problem="email is NULL")
    project = replace(ex.project("dune", "anna"), unusable=(refused,))
    row = only(compare(ex.desired(project), ex.actual(domain, accounts=[ex.account(domain, "anna", "bob")])))
    assert [(one.name, one.field) for one in row.differences] == [("bob", "member")]
    assert "email is NULL" in row.differences[0].note


@pytest.mark.parametrize(("state", "noted"), [("enabled", True), ("disabled", None)])
def test_a_disabled_project_is_compared_with_its_account(state: str, noted: bool | None) -> None:
    domain = ex.domain("dune")
    inventory = ex.actual(domain, accounts=[ex.account(domain, "anna", state=state)])
    row = only(compare(ex.desired(ex.project("dune", "anna", enabled=False)), inventory))
    found = part(row, Subject.ACCOUNT, "dune", "state")
    assert found.kind is (DriftKind.DIFFERS if noted else DriftKind.IN_SYNC)
    assert ("stop its VMs" in found.note) is bool(noted)


def test_a_network_is_asked_for_only_by_the_rule_and_only_of_projects_with_members() -> None:
    domain, bare = ex.domain("dune"), ex.domain("bare")
    inventory = ex.actual(domain, bare, accounts=[ex.account(domain, "anna")])
    wanted = ex.desired(ex.project("dune", "anna"), ex.project("bare"))
    assert set(kinds(compare(wanted, inventory)).values()) == {DriftKind.IN_SYNC}
    drift = compare(wanted, inventory, network_rule=RULE)
    assert kinds(drift) == {"dune": DriftKind.DIFFERS, "bare": DriftKind.IN_SYNC}
    with_network = replace(inventory, networks=(ex.resource("Dune-Net", domain),))
    assert only_in_sync(compare(wanted, with_network, network_rule=RULE))


def only_in_sync(drift: Drift) -> bool:
    return all(row.kind is DriftKind.IN_SYNC for row in drift.rows)


# --- losses -----------------------------------------------------------------------------------------------


def test_a_machine_whose_vm_is_gone_is_a_loss_and_no_drift() -> None:
    domain = ex.domain("dune")
    agents = [Agent("a", "web", "10.0.0.1"), Agent("b", "build"), Agent("c", "wiped"), Agent("d", None)]
    inventory = ex.actual(
        domain,
        accounts=[ex.account(domain, "anna")],
        vms=[ex.vm("build", domain), ex.vm("wiped", domain, state="Destroyed")],
    )
    drift = compare(ex.desired(ex.project("dune", "anna", agents=agents)), inventory)
    row = only(drift)
    assert (row.kind, row.differences) == (DriftKind.IN_SYNC, ())
    assert [(loss.project, loss.agent, loss.vm, loss.address) for loss in losses(drift)] == [
        ("dune", "a", "web", "10.0.0.1"),
        ("dune", "c", "wiped", None),
    ]
    assert part(row, Subject.MACHINE, "build").kind is DriftKind.IN_SYNC
    assert "recoverVirtualMachine" in part(row, Subject.MACHINE, "wiped").note
    assert "2 machines" in row.reason


def test_a_machine_in_a_dying_domain_is_not_lost_yet() -> None:
    gone = ex.domain("aurora")
    agents = [Agent("a", "web"), Agent("b", "build")]
    drift = compare(
        ex.desired(ex.project("aurora", agents=agents)),
        ex.actual(vms=[ex.vm("web", gone)], jobs=[ex.delete_job()]),
    )
    assert [loss.vm for loss in losses(drift)] == ["build"]


@pytest.mark.parametrize(
    ("corpse_name", "stored", "is_own"),
    [
        ("aurora-deleted-0728-idol", None, True),
        ("AURORA-deleted-0728-IDOL", None, True),
        ("aurora-deleted-0728-ffff", None, False),
        ("aurora-deleted-0728-ffff", "ID:OLD", True),
        ("boreal-deleted-0728-idol", None, False),
        ("aurora", None, True),
    ],
)
def test_a_machine_in_the_old_domain_is_not_lost_when_the_domain_is_rebuilt(
    corpse_name: str, stored: str | None, is_own: bool
) -> None:
    """Renamed out of the way or not: what stands in it is on its way out, and no drift of the new domain."""
    old, new = ex.domain(corpse_name, id="id:old"), ex.domain("aurora", id="id:new")
    moved = replace(ex.vm("moved", old), addresses=("10.1.1.9",))
    agents = [Agent("a", "web"), Agent("b", "build"), Agent("c", "wiped"), Agent("d", "other", "10.1.1.9")]
    drift = compare(
        ex.desired(ex.project("aurora", "anna", agents=agents, domain_id=stored)),
        ex.actual(
            new,
            accounts=[ex.account(new, "anna")],
            vms=[ex.vm("web", old), moved, ex.vm("wiped", old, state="Destroyed")],
            jobs=[ex.delete_job()],
        ),
    )
    lost = ["build", "wiped"] if is_own else ["build", "other", "web", "wiped"]
    assert [loss.vm for loss in losses(drift)] == lost
    [row, corpse] = sorted(drift.rows, key=lambda row: row.project is None)
    assert row.kind is (DriftKind.DIFFERS if stored else DriftKind.IN_SYNC)
    assert [part.name for part in row.leaving] == (["web", "other"] if is_own else [])
    assert (corpse.kind, corpse.old_domain_of) == (DriftKind.DELETING, "aurora" if is_own else "")


def test_a_destroyed_machine_of_the_living_domain_is_the_one_that_can_be_recovered() -> None:
    old, new = ex.domain("aurora-deleted-0728-idol", id="id:old"), ex.domain("aurora", id="id:new")
    drift = compare(
        ex.desired(ex.project("aurora", "anna", agents=[Agent("a", "web")])),
        ex.actual(
            new,
            accounts=[ex.account(new, "anna")],
            vms=[ex.vm("web", old, state="Expunging"), ex.vm("web", new, state="Destroyed")],
        ),
    )
    row = drift.row("aurora")
    assert row is not None
    [lost] = row.losses
    assert "recoverVirtualMachine" in lost.note


def test_the_old_domain_is_known_although_its_name_was_cut() -> None:
    name = "a" * 250
    cut = corpse_name(name, "id:old", ex.NOON)
    assert len(cut) == 255
    projects = {name: ex.project(name)}
    assert Ancestry(projects).project_of(cut, "id:old") == name
    assert Ancestry({"b": ex.project("b")}).project_of(cut, "id:old") == ""


def test_what_was_not_seen_is_not_lost() -> None:
    agents = [Agent("a", "web")]
    wanted = ex.desired(ex.project("dune", agents=agents))
    assert losses(compare(wanted, ex.actual(coverage=ex.partial()))) == ()


# --- what was not seen is not absent ----------------------------------------------------------------------


@given(world=worlds.incomplete.flatmap(lambda coverage: worlds.worlds(actual=coverage)))
def test_an_unproven_cloudstack_makes_every_row_unknown(world: object) -> None:
    drift = compare(*world)
    assert {row.kind for row in drift.rows} <= {DriftKind.UNKNOWN}
    assert losses(drift) == ()


@given(world=worlds.incomplete.flatmap(lambda coverage: worlds.worlds(desired=coverage)))
def test_an_unproven_ci_database_leaves_only_what_cloudstack_alone_tells(world: object) -> None:
    drift = compare(*world)
    assert {row.kind for row in drift.rows} <= {DriftKind.UNKNOWN, DriftKind.DELETING, DriftKind.ORPHANED}


def test_the_reason_of_an_unknown_row_is_that_of_the_side() -> None:
    drift = compare(ex.desired(ex.project("dune")), ex.actual(coverage=ex.failed("no route to host")))
    assert only(drift).reason == "CloudStack could not be read: no route to host."
    drift = compare(ex.desired(coverage=ex.partial("members timed out.")), ex.actual(ex.domain("dune")))
    assert only(drift).reason == "The CI database was read in part only: members timed out."


def test_a_row_with_a_problem_is_unknown_and_one_in_deletion_still_says_so() -> None:
    problem = "the name has 300 characters, CloudStack takes 255"
    wanted = ex.desired(ex.project("dune", problem=problem), ex.project("aurora", problem=problem))
    gone = ex.domain("aurora")
    drift = compare(wanted, ex.actual(ex.domain("dune"), vms=[ex.vm("v", gone)], jobs=None))
    assert kinds(drift) == {"aurora": DriftKind.DELETING, "dune": DriftKind.UNKNOWN}
    row = drift.row("dune")
    assert (
        row is not None and row.reason == f"{problem}. Mend it in the CI database." and row.view is not None
    )


@pytest.mark.parametrize("name", ["dune/sub", "", "  "])
def test_a_name_that_is_no_domains_is_compared_with_nothing(name: str) -> None:
    row = only(compare(ex.desired(ex.project(name, "anna")), ex.actual()))
    assert row.kind is DriftKind.UNKNOWN
    assert "cannot be the name of a domain" in row.reason


def test_two_domains_of_one_key_cannot_be_told_apart() -> None:
    inventory = ex.actual(ex.domain("dune"), ex.domain("Dune "))
    row = only(compare(ex.desired(ex.project("dune", "anna")), inventory))
    assert row.kind is DriftKind.UNKNOWN
    assert "more than one domain" in row.reason


@pytest.mark.parametrize("side", ["desired", "actual", "both"])
def test_outside_of_a_scope_nothing_is_missing_and_nothing_unexpected(side: str) -> None:
    """The incident: one project was read, and everything else taken for unbound."""
    wanted = ex.desired(
        ex.project("dune"),
        *([ex.project("cirrus")] if side == "actual" else []),
        only=["dune"] if side != "actual" else None,
    )
    inventory = ex.actual(
        ex.domain("dune"),
        ex.domain("zephyr"),
        only=["dune"] if side != "desired" else None,
        vms=[ex.vm("v", ex.domain("gone"))],
    )
    drift = compare(wanted, inventory)
    assert kinds(drift) == {"dune": DriftKind.IN_SYNC}
    assert drift.scope == Scope("ROOT/ci", frozenset({"dune"}))


def test_readings_of_different_parents_prove_nothing() -> None:
    drift = compare(ex.desired(ex.project("dune"), parent="ROOT/lab"), ex.actual(ex.domain("zephyr")))
    assert set(kinds(drift).values()) == {DriftKind.UNKNOWN}
    assert "different parents" in drift.rows[0].reason


# --- order and cost ---------------------------------------------------------------------------------------


@given(world=worlds.worlds(), data=st.data())
def test_the_order_of_what_was_read_does_not_matter(world: object, data: st.DataObject) -> None:
    wanted, found = world
    again = data.draw(worlds.shuffled(world))
    assert compare(*again, network_rule=RULE) == compare(wanted, found, network_rule=RULE)


@given(world=worlds.worlds())
def test_every_key_has_one_row_worst_first_then_by_key(world: object) -> None:
    drift = compare(*world)
    order = [(row.kind.rank, row.key) for row in drift.rows]
    assert order == sorted(order)
    assert len({row.key for row in drift.rows}) == len(drift.rows)
    assert set(world[0].projects) <= {row.key for row in drift.rows}


@given(world=worlds.worlds())
def test_every_row_says_why(world: object) -> None:
    for row in compare(*world).rows:
        assert row.reason or row.kind is DriftKind.IN_SYNC
        for one in row.differences:
            if one.kind is DriftKind.UNEXPECTED:
                assert one.note


def test_cost_grows_with_the_rows_and_not_with_their_square() -> None:
    small, large = _seconds(500), _seconds(5000)
    assert large < 10 * small * 3, f"{small * 1000:.0f} ms for 500 rows, {large * 1000:.0f} ms for 5,000"


def _seconds(rows: int) -> float:
    """Processor time of the fastest of several comparisons, without the collector's share."""
    domains = [ex.domain(f"project-{number:05}", limits={"vm": 10}) for number in range(rows)]
    wanted = ex.desired(
        *(
            ex.project(domain.name, *(f"u{number}-{domain.name}" for number in range(4)), quotas={"vm": 10})
            for domain in domains
        )
    )
    found = ex.actual(
        *domains,
        accounts=[
            ex.account(domain, *(f"u{number}-{domain.name}" for number in range(4))) for domain in domains
        ],
        vms=[ex.vm(f"vm{number}", domain) for domain in domains for number in range(2)],
    )
    gc.disable()
    try:
        fastest = float("inf")
        for _ in range(3):
            started = time.process_time()
            drift = compare(wanted, found)
            fastest = min(fastest, time.process_time() - started)
    finally:
        gc.enable()
    assert len(drift.rows) == rows and only_in_sync(drift)
    return fastest


# --- headline ---------------------------------------------------------------------------------------------


def incident() -> Drift:
    """The state of 28 July: 37 of 40 gone, one going, one hollow, one untouched, one unexpected."""
    projects = [ex.project(f"p{number:02}", "anna") for number in range(40)]
    dying = ex.domain("p37")
    hollow, alive, extra = ex.domain("p38"), ex.domain("p39"), ex.domain("zephyr")
    return compare(
        ex.desired(*projects),
        ex.actual(
            hollow,
            alive,
            extra,
            accounts=[ex.account(alive, "anna")],
            vms=[ex.vm(name, dying) for name in "abc"],
            jobs=[ex.delete_job()],
        ),
    )


def test_the_headline_of_the_incident() -> None:
    head = headline(incident())
    assert head.text == (
        "37 of 40 projects have no domain. One is being deleted now (3 VMs still run). "
        "One domain is hollow: its account is gone. One domain is unexpected."
    )
    assert [str(key) for key in head.next_keys] == ["R recovers", "enter opens"]
    assert head.sentence.endswith("unexpected. R recovers, enter opens.")


def test_the_headline_when_in_sync() -> None:
    head = headline(dune())
    assert (head.text, head.next_keys) == ("The only project is in sync.", ())
    lost = headline(dune(agents=(Agent("a", "web"),)))
    assert lost.text == ("The only project is in sync. 1 machine of the CI database has no VM any more.")
    nothing = headline(compare(ex.desired(), ex.actual()))
    assert nothing.text == "The CI database has no projects and CloudStack no domains below ROOT/ci."


def test_the_headline_of_a_side_that_was_not_read_promises_no_recovery() -> None:
    drift = compare(
        ex.desired(ex.project("dune"), coverage=ex.failed("the password was refused")),
        ex.actual(vms=[ex.vm("v", ex.domain("aurora"))], jobs=[ex.delete_job()]),
    )
    head = headline(drift)
    assert head.text.startswith("The CI database could not be read: the password was refused.")
    assert "One domain is being deleted now (1 VM still runs)." in head.text
    assert "Whether 1 row is in sync is not known." in head.text
    assert [key.key for key in head.next_keys] == ["enter"]


def test_the_headline_names_the_missing_parent_and_the_orphans() -> None:
    orphans = compare(ex.desired(ex.project("dune")), ex.actual(vms=[ex.vm("v", ex.domain("dune"))]))
    assert headline(orphans).text == "1 VM is left of a deleted domain, and no deletion runs."
    drift = compare(ex.desired(ex.project("dune")), ex.actual(has_parent=False))
    assert headline(drift).text == ("The parent domain ROOT/ci does not exist. 1 of 1 project has no domain.")


def test_the_headline_tells_unread_limits_from_rows_that_cannot_be_compared() -> None:
    domain = ex.domain("dune")
    wanted = ex.desired(ex.project("dune", "anna", quotas={"vm": 1}), ex.project("x", problem="bad"))
    head = headline(compare(wanted, ex.actual(domain, accounts=[ex.account(domain, "anna")])))
    assert head.text == "The limits of 1 project are not known. One cannot be compared."


@given(world=worlds.worlds(), desired=worlds.coverages, actual=worlds.coverages)
def test_there_is_always_a_headline(world: object, desired: object, actual: object) -> None:
    wanted, found = world
    drift = compare(replace(wanted, coverage=desired), replace(found, coverage=actual))
    head = headline(drift)
    assert head.text.endswith(".")
    complete = desired.state is actual.state is CoverageState.COMPLETE
    assert complete or "R" not in [key.key for key in head.next_keys]
    assert "!" not in [key.key for key in head.next_keys]


# --- a deletion seen in part --------------------------------------------------------------------------------


def seen_in_part(*, has_all_domains: bool = True, **changed: object) -> ActualInventory:
    """Aurora is dying, dune lives; the list of VMs did not add up."""
    inventory = ex.actual(
        ex.domain("dune"),
        accounts=[ex.account(ex.domain("dune"), "anna")],
        vms=[ex.vm("a", ex.domain("aurora")), ex.vm("d", ex.domain("dune"))],
        jobs=[ex.delete_job()],
        coverage=ex.partial("listVirtualMachines: it lost rows all the time"),
    )
    return replace(inventory, has_all_domains=has_all_domains, **changed)  # type: ignore[arg-type]


THREE = ex.desired(ex.project("aurora", "anna"), ex.project("dune", "anna"), ex.project("zephyr", "anna"))


def test_a_partial_reading_that_has_all_domains_shows_a_deletion_and_nothing_else() -> None:
    drift = compare(THREE, seen_in_part())
    assert kinds(drift) == {
        "aurora": DriftKind.DELETING,
        "dune": DriftKind.UNKNOWN,
        "zephyr": DriftKind.UNKNOWN,
    }
    assert headline(drift).text == (
        "CloudStack was read in part only: listVirtualMachines: it lost rows all the time. One domain is "
        "being deleted now (1 VM still runs). Whether 2 rows are in sync is not known."
    )
    assert all(repairs(row, rules=PlanRules(), now=ex.NOON) == () for row in drift.rows)
    assert verdict(drift) == (2, "critical")


def test_a_partial_reading_shows_what_a_deletion_left_behind() -> None:
    drift = compare(THREE, seen_in_part(jobs=()))
    assert kinds(drift)["aurora"] is DriftKind.ORPHANED
    assert "1 VM is left of a deleted domain, and no deletion runs." in headline(drift).text
    assert verdict(drift) == (2, "critical")


@pytest.mark.parametrize(
    "actual",
    [
        seen_in_part(has_all_domains=False, jobs=()),
        seen_in_part(coverage=replace(ex.partial("another server"), is_foreign=True)),
    ],
    ids=["not all domains", "another server"],
)
def test_a_domain_that_may_just_not_be_shown_is_not_being_deleted(actual: ActualInventory) -> None:
    drift = compare(THREE, actual)
    assert set(kinds(drift).values()) == {DriftKind.UNKNOWN}
    assert verdict(drift) == (3, "unknown")


@pytest.mark.parametrize("state", [CoverageState.PARTIAL, CoverageState.FAILED])
def test_a_job_alone_tells_of_a_deletion_where_nothing_else_was_read(state: CoverageState) -> None:
    job = replace(ex.actual(jobs=[ex.delete_job()]), coverage=Coverage(state, "the rest did not answer"))
    drift = compare(THREE, job)
    assert set(kinds(drift).values()) == {DriftKind.UNKNOWN}
    assert (
        "CloudStack deletes now: 1 job of it deletes a domain, which, it does not say."
        in headline(drift).text
    )
    assert verdict(drift) == (2, "critical")


def test_a_job_beside_a_complete_reading_is_no_alarm() -> None:
    """It may be refused, or concern another tenant: what it takes would have been seen."""
    domain = ex.domain("dune")
    actual = ex.actual(domain, accounts=[ex.account(domain, "anna")], jobs=[ex.delete_job()])
    assert verdict(compare(ex.desired(ex.project("dune", "anna")), actual)) == (0, "in sync")


def test_a_dying_sub_domain_is_seen_although_the_ci_database_is_not() -> None:
    domain, below = ex.domain("dune"), ex.domain("gone", parent="ROOT/ci/dune")
    actual = ex.actual(
        domain, accounts=[ex.account(domain, "anna")], vms=[ex.vm("v", below)], jobs=[ex.delete_job()]
    )
    row = only(compare(ex.desired(ex.project("dune", "anna"), coverage=ex.failed()), actual))
    assert row.kind is DriftKind.DELETING
    assert "ROOT/ci/dune/gone is gone from the list" in row.reason
    assert is_blocked(row)
    assert repairs(row, rules=PlanRules(), now=ex.NOON) == ()


def test_what_is_certain_is_critical_beside_a_row_that_cannot_be_compared() -> None:
    drift = compare(ex.desired(ex.project("x", problem="bad"), ex.project("dune")), ex.actual())
    assert kinds(drift) == {"dune": DriftKind.MISSING, "x": DriftKind.UNKNOWN}
    assert verdict(drift) == (2, "critical")
