"""When what is read: never faster than it can be, users and limits less often, everything after a change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from console.refresh import Cadence, Refresher, still_proposed
from sync.model import CoverageState, Side
from tests.screens.world import COMPLETE, NOW, ROWS, Clock, FakeSession, drift_of, dune, in_sync


@pytest.mark.parametrize(
    ("took", "pause"),
    [(0.0, 10.0), (3.0, 7.0), (9.5, 0.5), (10.0, 10.0), (25.0, 25.0), (300.0, 30.0)],
    ids=["at once", "quick", "almost the period", "the period", "slow", "waited for what hung"],
)
def test_a_slow_side_gets_as_long_a_rest_as_its_reading_took(took: float, pause: float) -> None:
    cadence = Cadence(10.0)
    generation = cadence.begin(NOW)
    ended = NOW + timedelta(seconds=took)
    assert not cadence.is_due(ended), "one reading at a time"
    assert cadence.accept(generation, ended)
    assert not cadence.is_due(ended + timedelta(seconds=pause - 0.1))
    assert cadence.is_due(ended + timedelta(seconds=pause))


def test_only_the_latest_generation_is_accepted_and_only_once() -> None:
    cadence = Cadence(10.0)
    first, second = cadence.begin(NOW), cadence.begin(NOW)
    assert not cadence.accept(first, NOW)
    assert cadence.accept(second, NOW)
    assert not cadence.accept(second, NOW)


class SynchronousApp:
    """Runs a worker at once and keeps what it posted."""

    def __init__(self) -> None:
        self.posted: list[Any] = []

    def run_in_background(self, work: Callable[[], None], *, name: str) -> None:
        work()

    def post_message(self, message: Any) -> bool:
        self.posted.append(message)
        return True


class RecordingSession(FakeSession):
    """Remembers what was asked of CloudStack."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock=clock)
        self.asked: list[tuple[bool, bool]] = []

    def read_actual(self, *, limits=True, users=True, previous=None, progress=None, is_told=False):
        self.asked.append((limits, users))
        inventory = super().read_actual(limits=limits, users=users, previous=previous, progress=progress)
        if previous is not None and not users:
            object.__setattr__(inventory, "users_taken_at", previous.users_taken_at)
        return inventory


def drive(session: RecordingSession, seconds: int) -> Refresher:
    app = SynchronousApp()
    refresher = Refresher(app, session, clock=session.clock)  # type: ignore[arg-type]
    for _ in range(seconds):
        refresher.tick()
        for message in app.posted:
            if type(message).__name__ == "ActualRead" and refresher.ended(Side.ACTUAL, message.generation):
                refresher.keep_actual(message.inventory)
            elif type(message).__name__ == "DesiredRead":
                refresher.ended(Side.DESIRED, message.generation)
        app.posted.clear()
        session.clock.advance(1)
    return refresher


def test_limits_at_every_tenth_reading_and_users_every_minute() -> None:
    session = RecordingSession(Clock())
    drive(session, 201)
    assert len(session.asked) == 21
    assert [number for number, (limits, _) in enumerate(session.asked) if limits] == [0, 10, 20]
    assert [number for number, (_, users) in enumerate(session.asked) if users] == [0, 6, 12, 18]


def test_asking_for_it_reads_everything() -> None:
    session = RecordingSession(Clock())
    refresher = drive(session, 15)
    session.asked.clear()
    assert refresher.read_now()
    assert session.asked == [(True, True)]
    assert not refresher.read_now(), "both are being read already"


def test_after_a_change_everything_is_read_even_while_a_reading_is_under_way() -> None:
    session = RecordingSession(Clock())
    refresher = drive(session, 1)
    refresher.read_now()
    session.asked.clear()
    refresher.supersede()
    assert session.asked == [(True, True)]


def test_after_a_change_nothing_of_before_is_compared_with_what_is_read_now() -> None:
    """A new reading of one side beside an old one of the other proves nothing of the change."""
    session, app = RecordingSession(Clock()), SynchronousApp()
    refresher = Refresher(app, session, clock=session.clock)
    refresher.keep_desired(session.read_desired())
    refresher.keep_actual(session.read_actual())
    assert refresher.compare((), None)
    before = app.posted[-1].generation
    assert refresher.is_latest_comparison(before)
    refresher.supersede()
    assert not refresher.is_latest_comparison(before), "what was compared before the change comes too late"
    refresher.keep_desired(session.read_desired())
    assert not refresher.compare((), None)
    refresher.keep_actual(session.read_actual())
    assert refresher.compare((), None)


def test_a_failed_reading_is_no_source_for_users_and_limits() -> None:
    session = RecordingSession(Clock())
    refresher = drive(session, 1)
    good = refresher._previous
    session.actual_coverage = type(COMPLETE)(CoverageState.FAILED, why="refused")
    refresher.keep_actual(session.read_actual())
    assert refresher._previous is good


def test_what_is_no_longer_proposed_is_dropped_and_the_rest_is_renewed() -> None:
    session = FakeSession()
    staged = session.repairs(dune())
    kept, dropped = still_proposed(staged, drift_of(), session)
    assert kept == staged
    assert dropped == ()
    kept, dropped = still_proposed(staged, drift_of((in_sync("dune"),)), session)
    assert kept == ()
    assert dropped == tuple(action.id for action in staged)


def test_nothing_is_dropped_from_what_could_not_be_read() -> None:
    session = FakeSession()
    staged = session.repairs(dune())
    unread = drift_of(ROWS[:1], actual=type(COMPLETE)(CoverageState.FAILED, why="refused"))
    assert still_proposed(staged, unread, session) == (staged, ())
