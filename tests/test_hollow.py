"""A domain that is there with its accounts and was emptied: known from what captures remember."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sync.drift import compare
from sync.headline import headline
from sync.model import Account, ActualInventory, Contents, DesiredInventory, DriftKind, OwnedResource
from sync.plan import PlanRules, is_repairable
from tests import examples as ex

DUNE = ex.domain("dune", limits={})
ANNAS = ex.account(DUNE, "anna")
HAD = {
    DUNE.id: Contents(vms=3, templates=1, at=ex.NOON - timedelta(minutes=10), accounts=frozenset({ANNAS.id}))
}


def sides(
    *, vms: tuple[str, ...] = (), templates: tuple[OwnedResource, ...] = ()
) -> tuple[DesiredInventory, ActualInventory]:
    found = ex.actual(
        DUNE,
        accounts=[ANNAS],
        vms=[ex.vm(f"dune-{number}", DUNE, state=state) for number, state in enumerate(vms)],
    )
    return ex.desired(ex.project("dune", "anna")), replace(found, templates=templates)


def test_what_captures_remember_and_is_gone_makes_a_domain_hollow() -> None:
    drift = compare(*sides(), before=HAD)
    (row,) = drift.rows
    assert row.kind is DriftKind.HOLLOW
    assert row.reason == (
        "The domain ROOT/ci/dune is empty; the capture of 2017-07-28 11:50 UTC "
        "had 3 VMs and 1 template in it."
    )
    head = headline(drift)
    assert head.text == "One domain is hollow: its VMs and templates are gone."
    assert [str(key) for key in head.next_keys] == ["R shows what is lost", "enter opens"]


def test_an_emptied_domain_has_nothing_to_repair_but_what_differs() -> None:
    desired, actual = sides()
    (row,) = compare(desired, actual, before=HAD).rows
    assert not is_repairable(row, PlanRules()), "its VMs come back from no CI database"
    more = replace(desired, projects={"dune": ex.project("dune", "anna", "bob")})
    (row,) = compare(more, actual, before=HAD).rows
    assert row.kind is DriftKind.HOLLOW and is_repairable(row, PlanRules())
    assert "R recovers" in headline(compare(more, actual, before=HAD)).sentence


def with_accounts(*accounts: Account) -> ActualInventory:
    return replace(sides()[1], accounts=accounts)


def test_what_an_account_had_that_was_made_anew_is_a_loss_and_no_drift() -> None:
    desired, _ = sides()
    drift = compare(desired, with_accounts(replace(ANNAS, id="new")), before=HAD)
    (row,) = drift.rows
    assert row.kind is DriftKind.IN_SYNC
    assert row.reason == (
        "The account was made anew; 3 VMs and 1 template that the capture of 2017-07-28 11:50 UTC "
        "had in ROOT/ci/dune are lost."
    )
    assert headline(drift).text == "The only project is in sync."
    more = replace(desired, projects={"dune": ex.project("dune", "anna", "bob")})
    (row,) = compare(more, with_accounts(replace(ANNAS, id="new")), before=HAD).rows
    assert row.kind is DriftKind.DIFFERS
    assert row.reason.startswith("1 difference: user bob. The account was made anew; 3 VMs")


def test_the_projects_own_account_decides_and_where_there_is_none_any_other() -> None:
    desired, _ = sides()
    other = replace(ANNAS, id="others", name="others", users=())
    had = {DUNE.id: replace(HAD[DUNE.id], accounts=frozenset({ANNAS.id, other.id}))}
    anew = replace(ANNAS, id="new")
    (row,) = compare(desired, with_accounts(anew, other), before=had).rows
    assert row.kind is not DriftKind.HOLLOW
    (row,) = compare(desired, with_accounts(other), before=had).rows
    assert row.kind is DriftKind.HOLLOW


@pytest.mark.parametrize(
    ("created", "kind"),
    [
        ("2017-07-28T11:55:00+0000", DriftKind.IN_SYNC),
        ("2017-07-28T13:55:00+0200", DriftKind.IN_SYNC),
        ("2017-07-28T11:45:00+0000", DriftKind.HOLLOW),
        ("", DriftKind.HOLLOW),
        ("yesterday", DriftKind.HOLLOW),
    ],
)
def test_where_captures_saw_no_account_its_age_tells_whether_it_was_made_anew(
    created: str, kind: DriftKind
) -> None:
    """While CloudStack deletes a domain it hides the accounts, and lists the VMs."""
    had = {DUNE.id: replace(HAD[DUNE.id], accounts=frozenset())}
    desired, _ = sides()
    (row,) = compare(desired, with_accounts(replace(ANNAS, created=created)), before=had).rows
    assert row.kind is kind


def test_without_captures_nothing_is_said() -> None:
    assert [row.kind for row in compare(*sides()).rows] == [DriftKind.IN_SYNC]


@pytest.mark.parametrize(
    "world",
    [
        sides(vms=("Running",)),
        sides(vms=("Stopped", "Destroyed")),
        sides(templates=(ex.resource("golden", DUNE),)),
    ],
)
def test_as_long_as_anything_is_left_it_is_not_hollow(
    world: tuple[DesiredInventory, ActualInventory],
) -> None:
    assert [row.kind for row in compare(*world, before=HAD).rows] == [DriftKind.IN_SYNC]


def test_destroyed_vms_are_nobodys_and_named() -> None:
    (row,) = compare(*sides(vms=("Destroyed", "Destroyed", "Expunging")), before=HAD).rows
    assert row.kind is DriftKind.HOLLOW
    assert "2 destroyed ones are still listed and may be recoverable." in row.reason
    (row,) = compare(*sides(vms=("Expunging", "Expunged", "Error")), before=HAD).rows
    assert row.kind is DriftKind.HOLLOW
    assert "recoverable" not in row.reason, "none of them comes back"


def test_a_domain_made_anew_lost_nothing() -> None:
    other = {"id:of-before": HAD[DUNE.id]}
    assert [row.kind for row in compare(*sides(), before=other).rows] == [DriftKind.IN_SYNC]


def test_what_sub_domains_had_counts_and_what_they_have_too() -> None:
    below = ex.domain("sub", parent=DUNE.path)
    desired, actual = sides()
    actual = replace(actual, domains=(DUNE, below))
    had = {below.id: Contents(vms=1, templates=0, at=ex.NOON)}
    (row,) = compare(desired, actual, before=had).rows
    assert row.kind is DriftKind.HOLLOW and "had 1 VM in it" in row.reason
    (row,) = compare(desired, replace(actual, vms=(ex.vm("x", below),)), before=had).rows
    assert row.kind is DriftKind.IN_SYNC


def test_nothing_is_hollow_by_a_reading_in_part() -> None:
    desired, actual = sides()
    (row,) = compare(desired, replace(actual, coverage=ex.partial()), before=HAD).rows
    assert row.kind is DriftKind.UNKNOWN
