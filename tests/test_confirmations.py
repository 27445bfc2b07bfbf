"""A confirmation holds for the very action that was shown, while it is staged, armed and young."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from console.confirmations import (
    chosen,
    confirm,
    first_word,
    not_older_than,
    still_confirmed,
    unconfirmed_needs,
    with_radii,
    without,
)
from sync.errors import GuardError
from sync.model import Action, ActionKind, Reversibility
from sync.radius import Affected, Effect, ObjectKind, Owner, Radius

NOON = datetime(2026, 7, 28, 12, tzinfo=UTC)
DOMAIN = Action(
    ActionKind.CREATE_DOMAIN,
    "dune",
    "ROOT/ci/dune",
    None,
    {"name": "dune"},
    {"exists": "no"},
    "It is missing.",
    Reversibility.UNDOABLE,
)
ACCOUNT = replace(DOMAIN, kind=ActionKind.CREATE_ACCOUNT, target="ROOT/ci/dune:dune", needs=(DOMAIN.id,))
STAGED = (DOMAIN, ACCOUNT)
RADII = {action.id: Radius(action.id, "stops nothing, destroys nothing") for action in STAGED}


def test_only_what_is_staged_as_it_was_shown_is_confirmed() -> None:
    other = replace(DOMAIN, parameters={"name": "Dune"})
    assert confirm({}, [other], staged=STAGED, radii=RADII, at=NOON) == {}
    assert confirm({}, [DOMAIN], staged=(ACCOUNT,), radii=RADII, at=NOON) == {}
    assert set(confirm({}, STAGED, staged=STAGED, radii=RADII, at=NOON)) == {DOMAIN.id, ACCOUNT.id}


def test_any_change_of_the_action_ends_it() -> None:
    confirmed = confirm({}, STAGED, staged=STAGED, radii=RADII, at=NOON)
    assert still_confirmed(confirmed, tuple(reversed(STAGED))) == confirmed
    assert set(still_confirmed(confirmed, (DOMAIN,))) == {DOMAIN.id}
    for change in (
        {"precondition": {}},
        {"reason": "x"},
        {"undo": "x"},
        {"target_id": "7"},
        {"parameters": {}},
    ):
        assert set(still_confirmed(confirmed, (replace(DOMAIN, **change), ACCOUNT))) == {ACCOUNT.id}


def test_taken_back_is_gone() -> None:
    confirmed = confirm({}, STAGED, staged=STAGED, radii=RADII, at=NOON)
    assert set(without(confirmed, {DOMAIN.id})) == {ACCOUNT.id}


def test_it_ends_by_age_and_the_first_word_counts() -> None:
    early = confirm({}, [DOMAIN], staged=STAGED, radii=RADII, at=NOON)
    both = confirm(early, [ACCOUNT], staged=STAGED, radii=RADII, at=NOON + timedelta(minutes=5))
    assert first_word(both) == NOON
    assert first_word({}) is None
    hour = timedelta(hours=1)
    assert set(not_older_than(both, hour, NOON + hour)) == {DOMAIN.id, ACCOUNT.id}
    assert set(not_older_than(both, hour, NOON + hour + timedelta(seconds=1))) == {ACCOUNT.id}


def test_what_runs_is_in_the_staged_order_and_names_what_it_lacks() -> None:
    account = confirm({}, [ACCOUNT], staged=STAGED, radii=RADII, at=NOON)
    assert chosen(account, STAGED) == (ACCOUNT,)
    assert unconfirmed_needs(account, STAGED) == (DOMAIN,)
    both = confirm(account, [DOMAIN], staged=STAGED, radii=RADII, at=NOON)
    assert chosen(both, STAGED) == STAGED
    assert unconfirmed_needs(both, STAGED) == ()


def affected(name: str, *, size: int = 1) -> Affected:
    owner = Owner("ROOT/ci/dune", "dune")
    return Affected(ObjectKind.VM, Effect.STOPPED, f"vm-{name}", name, "ROOT/ci/dune", owner, size=size)


def test_without_a_blast_radius_nothing_is_confirmed() -> None:
    for radii in ({}, {DOMAIN.id: GuardError("It cannot be computed.")}):
        assert confirm({}, [DOMAIN], staged=STAGED, radii=radii, at=NOON) == {}


def test_it_ends_when_it_would_stop_something_else_than_was_shown() -> None:
    shown = RADII | {DOMAIN.id: Radius(DOMAIN.id, "stops 1 VM", (affected("web"),))}
    confirmed = confirm({}, STAGED, staged=STAGED, radii=shown, at=NOON)
    same = shown | {DOMAIN.id: Radius(DOMAIN.id, "stops 1 VM", (affected("web", size=9),), NOON)}
    assert with_radii(confirmed, same) == confirmed, "sizes and times change all the time"
    for other in (
        Radius(DOMAIN.id, "stops 2 VMs", (affected("web"), affected("db"))),
        Radius(DOMAIN.id, "stops nothing"),
        GuardError("CloudStack was not read completely."),
    ):
        assert set(with_radii(confirmed, shown | {DOMAIN.id: other})) == {ACCOUNT.id}
    assert with_radii(confirmed, {}) == {}
