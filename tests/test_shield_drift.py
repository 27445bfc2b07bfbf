"""Drift of shields: what was put up and is gone, what is asked for and not there, when nothing is counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from console.cli.reading import verdict
from console.shields import Shields
from sync.containment_journal import ContainmentJournal
from sync.drift import compare
from sync.model import Domain, Drift, DriftKind, Outcome, Subject, VirtualMachine
from sync.plan import PlanRules, repairs
from sync.shield_check import NO_SHIELDS, honours
from sync.shield_drift import Shield, marked
from tests.examples import NOON, account, actual, desired, domain, partial, project, vm
from tests.test_merging import shield
from widgets.comparison import comparison
from widgets.labels import part_label

if TYPE_CHECKING:
    from tests.stores import Store

pytest_plugins = ["tests.stores"]

AURORA, BOREAL = domain("aurora"), domain("boreal")
SUB = domain("sub", parent="ROOT/ci/aurora")


def machine(name: str, of: Domain, *, protected: bool | None, state: str = "Running") -> VirtualMachine:
    return replace(vm(name, of, state=state), delete_protected=protected)


def of(one: VirtualMachine) -> Shield:
    return Shield(one.domain_path, one.id, one.name)


def drift(*vms: VirtualMachine, domains: Iterable[Domain] = (AURORA, BOREAL, SUB)) -> Drift:
    listed = tuple(domains)
    tops = [one for one in listed if one is not SUB]
    world = actual(*listed, accounts=[account(one, "alice") for one in tops], vms=vms)
    return compare(desired(*(project(name, "alice") for name in ("aurora", "boreal"))), world)


def test_one_that_stands_is_no_drift() -> None:
    held = machine("a-1", AURORA, protected=True)
    found = marked(drift(held), [of(held)], release="4.23.0", is_wanted=False)
    assert [row.kind for row in found.rows] == [DriftKind.IN_SYNC] * 2
    assert (found.shields.standing, found.shields.lost, found.shields.words) == (1, (), "1 put up")


@pytest.mark.parametrize("protected", [False, None])
def test_one_that_somebody_lifted_is_drift_with_what_to_do(protected: bool | None) -> None:
    held = machine("a-1", AURORA, protected=protected)
    found = marked(drift(held), [of(held)], release="4.23.0", is_wanted=False)
    row = found.rows[0]
    assert (row.key, row.kind, row.reason) == ("aurora", DriftKind.DIFFERS, "Its shield is gone.")
    (part,) = row.differences
    assert (part.subject, part.name, part.kind, part.actual) == (
        Subject.SHIELD, "a-1", DriftKind.DIFFERS, "none"
    )  # fmt: skip
    assert part.note == (
        "Somebody lifted the delete protection of a-1. Find out who it was, and put it up again: "
        "`abreast shield aurora`."
    )
    assert part_label(part) == "shield a-1"
    assert any("abreast shield aurora" in line.note for line in comparison(row))
    assert found.shields.lost == (AURORA.path,)
    assert verdict(found) == (1, "drift")
    assert repairs(row, rules=PlanRules(), now=NOON) == (), "a shield is not among the plan's repairs"


def test_of_one_that_was_never_answered_nobody_is_said_to_have_lifted_it() -> None:
    held = machine("a-1", AURORA, protected=False)
    found = marked(drift(held), [replace(of(held), is_answered=False)], release="4.23", is_wanted=False)
    row = found.row("aurora")
    assert row is not None
    assert "was never answered, and none shows" in row.differences[0].note


def test_a_vm_that_is_gone_took_its_shield_along() -> None:
    gone, other = machine("a-1", AURORA, protected=True), machine("a-2", AURORA, protected=True)
    (row, _) = marked(drift(other), [of(gone)], release="4.23.0", is_wanted=False).rows
    (part,) = row.differences
    assert part.actual is None
    assert part.note.startswith(
        "Its VM a-1 is gone, and another VM of the domain is protected still. Find out"
    )


def test_shields_of_sub_domains_belong_to_the_project() -> None:
    held = machine("s-1", SUB, protected=False)
    found = marked(drift(held), [of(held)], release="4.23", is_wanted=False)
    assert found.row("aurora").kind is DriftKind.DIFFERS  # type: ignore[union-attr]
    assert found.shields.lost == (SUB.path,)


def test_a_project_that_differs_otherwise_says_both() -> None:
    held = machine("a-1", AURORA, protected=False)
    world = actual(AURORA, accounts=[account(AURORA, "bob")], vms=[held])
    both = compare(desired(project("aurora", "alice")), world)
    (row,) = marked(both, [of(held)], release="4.23", is_wanted=False).rows
    assert row.kind is DriftKind.DIFFERS
    assert row.reason.endswith("user bob. Its shield is gone.")


def test_a_domain_that_is_gone_has_worse_troubles_than_its_shield() -> None:
    held = machine("a-1", AURORA, protected=False)
    for vms in ((), (held,)):
        missing = drift(*vms, domains=(BOREAL,))
        found = marked(missing, [of(held)], release="4.23", is_wanted=True)
        assert found.rows == missing.rows
        assert found.shields == NO_SHIELDS


# --- standing shields ---------------------------------------------------------------------------------------


def test_every_domain_that_can_have_one_is_asked_for_it() -> None:
    vms = [
        machine("a-1", AURORA, protected=False),
        machine("a-2", AURORA, protected=True),
        machine("b-1", BOREAL, protected=False),
        machine("s-1", SUB, protected=None, state="Destroyed"),
    ]
    found = marked(drift(*vms), [], release="4.23", is_wanted=True)
    assert found.shields.lacking == (BOREAL.path,)
    row = found.row("boreal")
    assert row is not None
    assert (row.kind, row.reason) == (DriftKind.DIFFERS, "It has no shield.")
    assert row.differences[0].note.startswith("No VM of ROOT/ci/boreal has delete protection, and standing")
    assert marked(drift(*vms), [], release="4.23", is_wanted=False) == drift(*vms)


def test_a_lost_one_is_not_told_twice_and_what_is_unexpected_is_not_asked() -> None:
    held = machine("a-1", AURORA, protected=False)
    found = marked(drift(held), [of(held)], release="4.23", is_wanted=True)
    assert (found.shields.lost, found.shields.lacking) == ((AURORA.path,), ())
    zephyr = domain("zephyr")
    alone = compare(desired(), actual(zephyr, vms=[machine("z-1", zephyr, protected=False)]))
    assert marked(alone, [], release="4.23", is_wanted=True).rows == alone.rows


# --- where nothing is counted -------------------------------------------------------------------------------


@pytest.mark.parametrize("release", ["4.18.0.0", "4.22.1", "", "unknown"])
def test_where_shields_do_not_hold_nothing_is_counted_and_it_is_said(release: str) -> None:
    assert not honours(release)
    held = machine("a-1", AURORA, protected=None)
    found = marked(drift(held), [of(held)], release=release, is_wanted=True)
    assert [row.kind for row in found.rows] == [DriftKind.IN_SYNC] * 2
    assert (found.shields.standing, found.shields.lost, found.shields.lacking) == (0, (), ())
    assert found.shields.words.startswith("nothing is counted: CloudStack ")
    assert "is not known to heed delete protection" in found.shields.words
    assert marked(drift(held), [], release=release, is_wanted=False).shields == NO_SHIELDS


def test_from_a_partial_reading_nothing_is_lost() -> None:
    held = machine("a-1", AURORA, protected=False)
    unread = replace(drift(), actual=partial())
    found = marked(unread, [of(held)], release="4.23", is_wanted=True)
    assert found.rows == unread.rows
    assert found.shields.words == "not counted: CloudStack was not read completely"


# --- from the ledger ----------------------------------------------------------------------------------------


def test_what_stands_is_told_by_the_ledger(store: Store) -> None:
    with store.open() as ledger:
        shields = Shields(is_wanted=False, ledger=lambda: ledger)
        there = drift(machine("vm-1", AURORA, protected=False))
        assert shields.marked(there, release="4.23").shields == NO_SHIELDS
        journal = ContainmentJournal(ledger, is_local=False)
        shield(journal, "aurora")
        assert shields.marked(there, release="4.23").shields.lost == (AURORA.path,)
        shield(journal, "aurora", lifts=True)
        assert shields.marked(there, release="4.23").shields == NO_SHIELDS
        shield(journal, "boreal")
        journal.outcome("shield ROOT/ci/boreal by vm-1 v-boreal", Outcome.SUCCEEDED)
        assert shields.marked(there, release="4.23").shields.lost == (BOREAL.path,)
    store.tamper("DROP TABLE entries")
    found = Shields(is_wanted=False, ledger=lambda: ledger).marked(there, release="4.23")
    assert found.shields.note.startswith("not counted: The ledger ")
