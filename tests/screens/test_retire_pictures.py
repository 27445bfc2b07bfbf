"""Pictures of the Retire screen, and its texts. Each docstring says what a person should see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from textual.pilot import Pilot

from console.retirement_lines import ceiling_words, list_lines, note_texts, waits
from console.retirement_state import Listing, Recorded, candidates_of, why_no_step
from console.retirement_words import next_words
from sync.model import Coverage, CoverageState
from sync.retirement import Campaign, Done, Retirement, Stage, Step
from sync.retirement_approval import Standing
from sync.retirement_history import History
from sync.retirement_proposal import propose
from tests.examples import NOON
from tests.retirement_examples import (
    LIMITS,
    actual_side,
    desired_side,
    empty_side,
    history,
    record,
    view,
    wish,
)
from tests.screens.driving import console, settle
from tests.screens.runs import until
from tests.screens.world import NOW, FakeSession

Compare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
UNDONE = Done(Step.UNDO, NOON, "jmartin@console-1", {}, NOON)
PEOPLE = ("alice@example.org", "bob@example.org")


def quarantined(*, begun: datetime, days: int = 14) -> Retirement:
    """zephyr, proposed, signed, and in quarantine since."""
    proposal = propose(wish(), view(), history(), LIMITS)
    until_when = (begun + timedelta(days=days)).isoformat()
    done = Done(Step.QUARANTINE, begun, "jmartin@console-1", {"until": until_when}, begun)
    return Retirement(proposal, steps=(done,))


def destroyed(name: str, at: datetime) -> Retirement:
    """Another project of which the VMs were destroyed then."""
    one = quarantined(begun=at - timedelta(days=20))
    target = replace(one.proposal.targets[0], project=name, path=f"ROOT/ci/{name}")
    proposal = replace(one.proposal, id=f"retire-{name}", targets=(target,))
    until_when = (at + timedelta(days=1)).isoformat()
    steps = (
        *one.steps,
        Done(Step.ARCHIVE, at, "rita@console-2", {}, at),
        Done(Step.DESTROY, at, "rita@console-2", {"until": until_when}, at),
    )
    return Retirement(proposal, steps=steps)


def listing(now: datetime) -> Listing:
    """zephyr in quarantine, aurora destroyed and to be deleted, boreal a candidate, dune not one."""
    desired = replace(desired_side(), retired=(record("dune"), record()))
    candidates = candidates_of(view(desired=desired), History(), wish(), LIMITS).candidates
    going = (quarantined(begun=now - timedelta(days=4)), destroyed("aurora", now - timedelta(days=3)))
    campaign = Campaign(
        "campaign-1", "production", "jmartin@console-1", now, now, now + timedelta(days=30), ("zephyr",),
        "the data centre closes",
    )  # fmt: skip
    standing = Standing(2, PEOPLE, (), ("carol@example.org",))
    return Listing(
        now,
        History(going, campaigns=(campaign,)),
        LIMITS,
        {one.id: standing for one in going},
        candidates=candidates,
        without_record=2,
    )


class LedgerSession(FakeSession):
    """Where the ledger says what the listing has."""

    retiring = None


@pytest.fixture(autouse=True)
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.retirements.listing_of", lambda *_: listing(NOW))


async def opened(pilot: Pilot[Any]) -> None:
    await settle(pilot)
    await pilot.press("T")
    await until(pilot, lambda: getattr(pilot.app, "retire_state", None) is not None)
    await settle(pilot)


@SIZES
def test_retire(snap_compare: Compare, size: tuple[int, int]) -> None:
    """What waits until when, who may be proposed and why not; above the ceiling, below the signatures."""
    app = console(LedgerSession(armed=True))
    assert snap_compare(app, terminal_size=size, run_before=opened)


@SIZES
def test_one_retirement(snap_compare: Compare, size: tuple[int, int]) -> None:
    """Ticks at what was seen, the wait with its end, what is next, how it is undone, signatures, ceiling."""

    async def details(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press("j", "enter")
        await settle(pilot)

    app = console(LedgerSession(armed=True))
    assert snap_compare(app, terminal_size=size, run_before=details)


def test_the_question_before_something_is_destroyed(snap_compare: Compare) -> None:
    """Name and number to type, Cancel with the focus, what is lost and who signed."""

    async def ask(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press("x")
        await settle(pilot)

    app = console(LedgerSession(armed=True))
    assert snap_compare(app, terminal_size=(80, 24), run_before=ask)


# --- texts --------------------------------------------------------------------------------------------------


def test_every_wait_has_its_end() -> None:
    found = listing(NOW)
    zephyr, aurora = found.history.retirements
    in_ten = NOW + timedelta(days=10)
    assert waits(zephyr, found, NOW)[0] == f"until {in_ten:%Y-%m-%d %H:%M} UTC (10 days left)"
    assert waits(aurora, found, NOW)[0] == "ready: delete accounts"
    unsigned = replace(found, standings={zephyr.id: Standing(2, (), (), PEOPLE)})
    fresh = Retirement(zephyr.proposal)
    assert waits(fresh, unsigned, NOON)[0] == (
        f"2 signatures missing, until {zephyr.proposal.expires_at:%Y-%m-%d}"
    )
    stopped = replace(zephyr, stopped="the VM z-1 is Running, not at rest")
    assert waits(stopped, found, NOW) == ("stopped: the VM z-1 is Running, not at rest", "tone--bad")


def test_the_last_moment_to_begin_is_no_end_of_a_quarantine_and_what_is_undone_lost_nothing() -> None:
    found = listing(NOW)
    fresh = Retirement(found.history.retirements[0].proposal)
    ends = f"{fresh.proposal.expires_at:%Y-%m-%d %H:%M} UTC"
    assert next_words(fresh, NOON) == f"next: quarantine, to begin by {ends}"
    undone = replace(quarantined(begun=NOON), steps=(*quarantined(begun=NOON).steps, UNDONE))
    assert undone.stage is Stage.UNDONE
    assert note_texts(undone, found, NOW)[0][0] == "zephyr: undone"


def test_above_the_ceiling_the_next_step_says_so() -> None:
    later = NOON + timedelta(days=20)
    others = tuple(destroyed(name, later - timedelta(days=2)) for name in ("aurora", "boreal", "cirrus"))
    archived = destroyed("dorado", later)
    archived = replace(archived, steps=archived.steps[:2])
    found = Listing(
        later,
        History((*others, archived)),
        LIMITS,
        {archived.id: Standing(2, PEOPLE, (), ())},
    )
    assert "3 of 3 projects destroyed in 30 days (aurora, boreal, cirrus)" in ceiling_words(found, later)[0]
    assert "the ceiling is 3" in why_no_step(found, archived, later)


def test_a_step_that_destroys_says_that_it_waits_for_the_containment() -> None:
    found = replace(listing(NOW), held=("the fence on ops/sync in ROOT stands",))
    zephyr, aurora = found.history.retirements
    said = waits(aurora, found, NOW)
    assert said == ("It waits for the containment: the fence on ops/sync in ROOT stands.", "tone--warning")
    assert "until" in waits(zephyr, found, NOW)[0], "a quarantine waits by itself"


def test_candidates_are_judged_by_the_rules_of_proposals() -> None:
    desired = replace(desired_side(), retired=(record("dune"), record("gone"), record()))
    found = candidates_of(view(desired=desired), History(), wish(), LIMITS)
    by_key = {one.key: one for one in found.candidates}
    assert set(by_key) == {"dune", "zephyr"}, "nothing is left of what has no domain"
    assert "still has the project dune" in by_key["dune"].why_not and by_key["dune"].proposal is None
    assert "first of two readings" in by_key["zephyr"].note and not by_key["zephyr"].is_empty
    assert (found.without_record, found.gone) == (0, ("gone",))
    (seen,) = candidates_of(view(), history(), wish(), LIMITS).candidates
    assert seen.note == "" and seen.proposal is not None and seen.proposal.lost > 0
    (empty,) = candidates_of(view(actual=empty_side()), history(), wish(), LIMITS).candidates
    assert empty.is_empty
    none = candidates_of(view(desired=desired_side(retired=())), history(), wish(), LIMITS)
    assert none == Recorded((), 1, ()), "absence is no evidence"


def test_who_is_recorded_and_gone_is_named_where_both_sides_were_read_whole() -> None:
    desired = replace(desired_side(), retired=(record("tramontane"), record()))
    found = candidates_of(view(desired=desired), History(), wish(), LIMITS)
    lines = list_lines(Listing(NOON, History(), LIMITS, gone=found.gone), NOON)
    assert lines[-1].name == "Recorded, and gone from both sides: 1 (tramontane)"
    half = replace(actual_side(), coverage=Coverage(CoverageState.PARTIAL, "listDomains: cut off."))
    assert candidates_of(view(desired=desired, actual=half), History(), wish(), LIMITS).gone == ()
    one = quarantined(begun=NOON)
    target = replace(one.proposal.targets[0], project="tramontane", path="ROOT/ci/tramontane")
    retired = replace(one, proposal=replace(one.proposal, targets=(target,)))
    assert candidates_of(view(desired=desired), History((retired,)), wish(), LIMITS).gone == ()


def test_from_an_old_reading_nobody_may_be_proposed() -> None:
    old = view(actual=actual_side(at=NOON - timedelta(hours=1)))
    (one,) = candidates_of(old, history(), wish(), LIMITS).candidates
    assert "it was taken at" in one.why_not and one.proposal is None


def test_what_is_in_retirement_is_no_candidate() -> None:
    one = quarantined(begun=NOON)
    assert candidates_of(view(), History((one,)), wish(), LIMITS).candidates == ()
    keys = [line.key for line in list_lines(Listing(NOON, History((one,)), LIMITS), NOON)]
    assert keys == ["title in", one.id, "title candidates"]
