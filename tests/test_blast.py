"""The blast radius: nothing is left out, nothing is guessed, and less than complete lists are refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from sync import blast
from sync.errors import GuardError, IncompleteError
from sync.model import (
    Action,
    ActionKind,
    ActualInventory,
    DesiredInventory,
    ListProof,
    OwnedResource,
    Reversibility,
    Scope,
)
from sync.radius import NO_CAPTURE, Effect, ObjectKind, Offering, loss_lines, size_words, with_captures
from tests import examples
from tests.examples import NOON, PARENT, account, actual, desired, domain, member, project, resource, vm
from tests.signing import disabling, plan_of

GIB = 1024**3
DUNE, EAST, OTHER = domain("dune"), domain("east", parent=f"{PARENT}/dune"), domain("dunes")
PROOFS = tuple(ListProof(name, rows=1) for name in blast.LISTS)
PROVEN = replace(examples.COMPLETE, lists=PROOFS)


def sized(name: str, *, size: int | None = 10 * GIB, of: str = "", **more: object) -> OwnedResource:
    return replace(resource(name, EAST if of == "east" else DUNE), size=size, **more)


def world(**changes: object) -> ActualInventory:
    """dune with a sub-domain, a CloudStack Project, and a neighbour whose name begins alike."""
    base = actual(
        DUNE,
        EAST,
        OTHER,
        accounts=[account(DUNE, "rita", "omar"), account(EAST, "eva"), account(OTHER, "otto")],
        vms=[
            vm("dune-1", DUNE),
            vm("gone-but-recoverable", DUNE, state="Destroyed"),
            vm("east-1", EAST, state="Stopped"),
            replace(vm("web-1", DUNE), account=None, project="web"),
            vm("dunes-1", OTHER),
        ],
        networks=[resource("dune-net", DUNE), resource("dunes-net", OTHER)],
        coverage=PROVEN,
    )
    full = replace(
        base,
        volumes=(sized("ROOT-1"), sized("DATA-2", size=None), sized("ROOT-3", of="east")),
        snapshots=(sized("snap", size=3 * GIB, created="2017-07-01"),),
        templates=(sized("jenkins"), sized("jenkins", size=12 * GIB), sized("old", size=1)),
        isos=(sized("tools", size=GIB),),
        projects=(resource("web", DUNE),),
    )
    return replace(full, **changes)


def known() -> DesiredInventory:
    return desired(project("dune", member("rita", role="owner"), "omar"), project("dunes", "otto"))


def named(found: blast.Radius, kind: ObjectKind) -> list[str]:
    return [row.name for row in found.objects if row.kind is kind]


# --- of a domain --------------------------------------------------------------------------------------------


def test_a_domain_with_everything_in_it_and_nothing_of_its_neighbour() -> None:
    found = blast.of_domain(world(), "ROOT/ci/dune", desired=known())
    assert {kind: named(found, kind) for kind in ObjectKind} == {
        ObjectKind.DOMAIN: ["dune"],
        ObjectKind.SUBDOMAIN: ["east"],
        ObjectKind.PROJECT: ["web"],
        ObjectKind.ACCOUNT: ["dune", "east"],
        ObjectKind.USER: ["rita", "omar", "eva"],
        ObjectKind.VM: ["dune-1", "gone-but-recoverable", "east-1", "web-1"],
        ObjectKind.VOLUME: ["ROOT-1", "DATA-2", "ROOT-3"],
        ObjectKind.SNAPSHOT: ["snap"],
        ObjectKind.TEMPLATE: ["jenkins", "old"],
        ObjectKind.ISO: ["tools"],
        ObjectKind.NETWORK: ["dune-net"],
    }
    assert {row.effect for row in found.objects} == {Effect.DESTROYED}
    assert found.taken_at == NOON
    assert found.statement == (
        "destroyed: 1 domain, 1 sub-domain, 1 CloudStack Project, 2 accounts, 3 users, 4 VMs, "
        "3 volumes (20.0 GiB, 1 of unknown size), 1 snapshot (3.0 GiB), 2 templates (12.0 GiB), "
        "1 ISO (1.0 GiB), 1 network"
    )
    assert found.notes == blast.NOT_READ


def test_deeper_sub_domains_and_other_case_are_found() -> None:
    deep = domain("deep", parent=f"{PARENT}/dune/east")
    inside = blast.of_domain(world(domains=(deep, OTHER, EAST, DUNE)), "root/CI/Dune")
    assert named(inside, ObjectKind.SUBDOMAIN) == ["east", "deep"]
    assert named(inside, ObjectKind.VM)[:1] == ["dune-1"]


def test_a_sub_domain_is_one_by_its_path_or_by_its_parent() -> None:
    by_path, by_parent = replace(EAST, parent_id=None), replace(EAST, path="ROOT/ci/renamed-meanwhile")
    for east in (by_path, by_parent):
        inside = blast.of_domain(world(domains=(DUNE, east, OTHER)), "ROOT/ci/dune")
        assert named(inside, ObjectKind.SUBDOMAIN) == ["east"]
        assert "east-1" in named(inside, ObjectKind.VM)


def test_an_object_in_two_places_is_one_with_the_larger_size() -> None:
    found = blast.of_domain(world(), "ROOT/ci/dune")
    (jenkins, old) = [row for row in found.objects if row.kind is ObjectKind.TEMPLATE]
    assert (jenkins.copies, jenkins.size, old.copies) == (2, 12 * GIB, 1)


def test_owners_are_the_members_of_the_ci_database() -> None:
    found = blast.of_domain(world(), "ROOT/ci/dune", desired=known())
    owners = found.by_owner()
    labels = [owner.label for owner in owners]
    assert "ROOT/ci/dune CloudStack Project web" in labels
    assert "ROOT/ci/dune:dune" in labels
    for owner in owners:
        assert [(person.username, person.role) for person in owner.people] == [
            ("rita", "owner"),
            ("omar", ""),
        ]
    web = next(rows for owner, rows in owners.items() if owner.is_project)
    assert [row.name for row in web] == ["web-1"]


def test_without_the_ci_database_owners_are_the_users_of_the_account() -> None:
    found = blast.of_domain(world(), "ROOT/ci/dune")
    people = {owner.label: [person.username for person in owner.people] for owner in found.by_owner()}
    assert people["ROOT/ci/dune:dune"] == ["rita", "omar"]
    assert people["ROOT/ci/dune/east:east"] == ["eva"]
    assert people["ROOT/ci/dune CloudStack Project web"] == ["rita", "omar"]
    assert "the CI database was not asked" in found.notes[0]


def test_what_exists_elsewhere_is_only_said_where_it_is_known() -> None:
    found = blast.of_domain(world(), "ROOT/ci/dune", desired=known())
    assert {row.name for row in found.objects if row.elsewhere != NO_CAPTURE} == {"dune", "rita", "omar"}
    assert {row.kind for row in found.objects if row.elsewhere != NO_CAPTURE} == {
        ObjectKind.DOMAIN,
        ObjectKind.USER,
    }
    half = replace(known(), coverage=examples.partial())
    found = blast.of_domain(world(), "ROOT/ci/dune", desired=half)
    assert {row.elsewhere for row in found.objects} == {NO_CAPTURE}
    assert "members may be missing" in found.notes[0]


def test_what_captures_know_is_said_of_what_is_known_nowhere_else() -> None:
    found = blast.of_domain(world(), "ROOT/ci/dune", desired=known())
    vm = next(row for row in found.objects if row.kind is ObjectKind.VM)
    domain_row = next(row for row in found.objects if row.kind is ObjectKind.DOMAIN)
    assert vm.id is not None and domain_row.id is not None
    told = with_captures(found, {vm.id: examples.NOON, domain_row.id: examples.NOON, "other": examples.NOON})
    words = "described by the capture of 2017-07-28 12:00 UTC"
    assert [row.id for row in told.objects if row.elsewhere == words] == [vm.id]
    assert any(f"elsewhere: {words}" in line for line in loss_lines(told))
    assert with_captures(found, {}) == found


def test_remains_of_an_earlier_domain_of_the_same_path_are_named_but_not_counted() -> None:
    corpse = domain("dune", id="id:corpse")
    found = blast.of_domain(world(vms=(vm("dune-1", DUNE), vm("ghost", corpse))), "ROOT/ci/dune")
    assert named(found, ObjectKind.VM) == ["dune-1"]
    assert any("1 object names this path" in note for note in found.notes)


def test_the_parent_is_everything() -> None:
    found = blast.of_domain(world(domains=(domain("ci", parent="ROOT"), DUNE, EAST, OTHER)), "ROOT/ci")
    assert len(named(found, ObjectKind.VM)) == 5


def test_the_loss_list_is_one_line_an_object_with_ids() -> None:
    found = blast.of_domain(world(), "ROOT/ci/dune", desired=known())
    lines = loss_lines(found)
    assert len(lines) == len(found.objects)
    assert (
        "snapshot snap (id:resource:ROOT/ci/dune:snap): destroyed, irreversible, Ready, created 2017-07-01, "
        "3.0 GiB, of ROOT/ci/dune:dune, elsewhere: no capture knows it"
    ) in lines
    assert any(line.startswith("volume DATA-2 ") and "size unknown" in line for line in lines)
    assert any(line.startswith("template jenkins ") and "2 copies" in line for line in lines)


# --- refusing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["ROOT/ci/gone", "ROOT/other", "ROOT", "ROOT/ci2/dune"])
def test_a_domain_that_is_not_listed_or_not_in_scope_is_refused(path: str) -> None:
    with pytest.raises(GuardError, match="cannot be computed"):
        blast.of_domain(world(), path)


def test_a_reading_of_some_projects_covers_no_other() -> None:
    some = world(scope=Scope(PARENT, frozenset({"dunes"})))
    assert blast.of_domain(some, "ROOT/ci/dunes").objects
    for path in ("ROOT/ci/dune", "ROOT/ci"):
        with pytest.raises(GuardError, match="not within what was read"):
            blast.of_domain(some, path)


@pytest.mark.parametrize("coverage", [examples.partial(), examples.failed()])
def test_less_than_complete_is_refused(coverage: examples.Coverage) -> None:
    less = world(coverage=replace(coverage, lists=PROOFS))
    with pytest.raises(GuardError, match="was not read completely"):
        blast.of_domain(less, "ROOT/ci/dune")
    with pytest.raises(GuardError, match="was not read completely"):
        blast.of_action(disabling(), less)


@pytest.mark.parametrize("name", blast.LISTS)
@pytest.mark.parametrize("how", ["missing", "problem"])
def test_every_single_list_needs_its_proof(name: str, how: str) -> None:
    proofs = [proof for proof in PROOFS if proof.name != name]
    if how == "problem":
        # One variant of the list is proven, another is not.
        proofs += [ListProof(name, 1), ListProof(f"{name} displayvm=false", 1, problem="cut off")]
    less = world(coverage=replace(PROVEN, lists=tuple(proofs)))
    with pytest.raises(GuardError, match=f"no proof that it has all rows of {name}"):
        blast.of_domain(less, "ROOT/ci/dune")


# --- of actions and plans -----------------------------------------------------------------------------------


def of_kind(kind: ActionKind) -> Action:
    return Action(kind, "dune", "ROOT/ci/dune:dune:rita", "id", {}, {}, "", Reversibility.UNDOABLE)


@pytest.mark.parametrize("kind", [kind for kind in ActionKind if kind is not ActionKind.DISABLE_USER])
def test_what_creates_or_updates_stops_nothing(kind: ActionKind) -> None:
    for found in (blast.of_action(of_kind(kind), world()), blast.stated(of_kind(kind))):
        assert found.objects == ()
        assert found.statement.startswith("stops nothing, destroys nothing")


@pytest.mark.parametrize(
    "compute",
    [lambda action: blast.of_action(action, world()), blast.stated],
    ids=["read", "stated"],
)
def test_a_kind_whose_effects_nobody_wrote_down_is_refused(compute: Callable[[Action], blast.Radius]) -> None:
    unheard = replace(of_kind(ActionKind.UPDATE_USER), kind=Reversibility.IRREVERSIBLE)  # type: ignore[arg-type]
    with pytest.raises(GuardError, match="what “irreversible” destroys is not known"):
        compute(unheard)


def disable(username: str, of: str = "dune") -> Action:
    return replace(disabling(username), target_id=f"id:ROOT/ci/{of}:{username}")


def test_disabling_a_user_names_who_loses_access_and_whose_they_are() -> None:
    found = blast.of_action(disable("rita"), world(), desired=known())
    (row,) = found.objects
    assert (row.kind, row.effect, row.name, row.state) == (
        ObjectKind.USER, Effect.NO_ACCESS, "rita", "enabled"
    )  # fmt: skip
    assert [person.username for person in row.owner.people] == ["rita", "omar"]
    assert "ROOT/ci/dune:dune:rita loses access" in found.statement
    assert "nothing is stopped or destroyed" in found.statement
    assert found.notes == ()


def test_disabling_the_last_enabled_user_of_an_account_is_said() -> None:
    found = blast.of_action(disable("otto", of="dunes"), world())
    assert found.notes == ("otto is the last enabled user of ROOT/ci/dunes:dunes",)


def test_disabling_a_user_who_is_not_listed_is_refused() -> None:
    with pytest.raises(GuardError, match="does not list the user"):
        blast.of_action(disable("nobody"), world())


def test_disabling_a_user_that_the_plan_makes_first() -> None:
    created = replace(disabling("new"), target_id=None)
    for found in (blast.of_action(created, world()), blast.stated(created)):
        assert "the plan makes that user itself" in found.statement
        assert [row.id for row in found.objects] == [None]


def test_a_plan_as_a_whole() -> None:
    plan = plan_of(disable("rita"), disable("omar"), of_kind(ActionKind.UPDATE_USER))
    radii = blast.of_plan(plan, world(), desired=known())
    assert [radius.of for radius in radii] == [action.id for action in plan.actions]
    whole = blast.merged([*radii, *radii], of=plan.digest)
    assert whole.statement == "loses access: 2 users"
    assert whole.taken_at == NOON
    assert blast.merged([], of="nothing").statement == "stops nothing, destroys nothing"
    assert blast.merged([*radii, blast.stated(disable("x"))], of="").taken_at is None


def test_of_two_effects_on_one_object_the_worse_one_counts() -> None:
    lost = blast.of_domain(world(), "ROOT/ci/dune")
    locked = blast.of_action(disable("rita"), world())
    for order in ((lost, locked), (locked, lost)):
        whole = blast.merged(order, of="both")
        assert len(whole.objects) == len(lost.objects)
        assert {row.effect for row in whole.objects} == {Effect.DESTROYED}


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (5 * GIB, "5.0 GiB"),
        (3 * 1024 * GIB, "3.0 TiB"),
        (5000 * 1024 * GIB, "5000.0 TiB"),
    ],
)
def test_sizes(size: int, words: str) -> None:
    assert size_words(size) == words


# --- offerings ----------------------------------------------------------------------------------------------

GOLD = Offering("o-1", "gold", frozenset({"id:dune", "id:other"}))
SILVER = Offering("o-2", "silver", frozenset({"id:other"}))


@pytest.mark.parametrize("kind", sorted(blast.ABOUT_A_DOMAIN, key=lambda kind: kind.value))
def test_offerings_that_list_the_domain_are_named(kind: ActionKind) -> None:
    action = replace(of_kind(kind), target="ROOT/ci/dune", target_id="id:dune")
    found = blast.of_each([action], world(), offerings=(GOLD, SILVER))[action.id]
    assert isinstance(found, blast.Radius)
    assert found.notes == ("offerings that list ROOT/ci/dune: gold (o-1)",)
    (same,) = blast.of_plan(plan_of(action), world(), offerings=(GOLD, SILVER))
    assert same == found
    (none,) = blast.of_plan(plan_of(action), world(), offerings=(SILVER,))
    assert none.notes == ()


def test_offerings_that_cannot_be_read_refuse_what_is_about_a_domain_and_nothing_else() -> None:
    problem = IncompleteError("listDiskOfferings: 3 of 5 rows came.")
    about, other = of_kind(ActionKind.UPDATE_DOMAIN), of_kind(ActionKind.CREATE_ACCOUNT)
    found = blast.of_each([about, other], world(), offerings=problem)
    assert "the offerings that list the domain cannot be read: listDiskOfferings: 3" in str(found[about.id])
    assert isinstance(found[other.id], blast.Radius)
    with pytest.raises(GuardError, match="cannot be read"):
        blast.of_plan(plan_of(about), world(), offerings=problem)
