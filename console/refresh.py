"""Reads both sides in parallel in threads and compares them; drops what was superseded.

Threads only post messages; every message carries the generation it belongs to, because a superseded thread
still runs to its end and posts (Textual cannot stop it). A side is never read faster than it can be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol

from textual.message import Message

from console.faults import as_error
from console.messages import (
    ActualRead,
    ComparisonBroke,
    DesiredRead,
    DriftCompared,
    ReadingBroke,
    SourceProgressed,
)
from console.telling import Telling
from sync.model import Action, CoverageState, DriftKind, Side

if TYPE_CHECKING:
    from console.session_protocol import ConsoleSession, Progress
    from sync.deletions import Situation
    from sync.model import ActualInventory, DesiredInventory, Drift

_LONGEST_PAUSE = 30.0
"""Seconds: a reading that took minutes waited for something that may answer at once by now."""
_PROGRESS_SECONDS = 0.1
"""A reading reports its progress at most this often."""


class Background(Protocol):
    """What a refresher needs of the App."""

    def run_in_background(self, work: Callable[[], object], *, name: str) -> object: ...

    def post_message(self, message: Message) -> bool: ...


@dataclass
class Cadence:
    """When one side was read and when it is due again."""

    period_seconds: float
    generation: int = 0
    started_at: datetime | None = None
    """None while no reading is under way."""
    due_at: datetime | None = None
    """None means at once."""

    def begin(self, now: datetime) -> int:
        self.generation += 1
        self.started_at = now
        return self.generation

    def accept(self, generation: int, now: datetime) -> bool:
        """Whether a reading of that generation counts; if so, plan the next one."""
        if generation != self.generation or self.started_at is None:
            return False
        took = max(0.0, (now - self.started_at).total_seconds())
        pause = self.period_seconds - took if took < self.period_seconds else min(took, _LONGEST_PAUSE)
        self.started_at = None
        self.due_at = now + timedelta(seconds=max(pause, 0.0))
        return True

    def is_due(self, now: datetime) -> bool:
        return self.started_at is None and (self.due_at is None or now >= self.due_at)


class Refresher:
    """Owned by the App, which calls `tick` every second and hands back the messages."""

    def __init__(self, app: Background, session: ConsoleSession, *, clock: Callable[[], datetime]) -> None:
        rates = session.environment.refresh
        self._app = app
        self._session = session
        self._clock = clock
        self._cadences = {
            Side.DESIRED: Cadence(rates.ci_database_seconds),
            Side.ACTUAL: Cadence(rates.inventory_seconds),
        }
        self._users_seconds = rates.users_seconds
        self._limits_every = max(1, rates.limits_every)
        self._desired: DesiredInventory | None = None
        self._actual: ActualInventory | None = None
        self._previous: ActualInventory | None = None
        """The last usable reading of CloudStack: where users and limits come from between their readings."""
        self._readings = 0
        self._comparison = 0
        self._paused = False
        self._telling: Telling | None = None
        """The reading of deletions under way: never two at once, however slow events and jobs are."""
        self._superseded = 0
        """Readings of deletions up to this generation began before something changed, and are dropped."""

    # --- asking for readings ------------------------------------------------------------------------------

    def tick(self) -> None:
        """Start what is due."""
        if self._paused:
            return
        now = self._clock()
        for side, cadence in self._cadences.items():
            if cadence.is_due(now):
                self._start(side, now)

    def read_now(self) -> bool:
        """Read both sides now, in full; what is being read already is left to end. False if both are."""
        started = False
        for side, cadence in self._cadences.items():
            if cadence.started_at is None:
                self._readings = 0 if side is Side.ACTUAL else self._readings
                self._start(side, self._clock(), full=True)
                started = True
        return started

    def supersede(self) -> None:
        """Read both sides anew; readings and comparisons under way began before something changed and are
        dropped.

        Nothing is taken over from earlier readings, also where the first attempt fails: the new reading of
        one side is not compared with the old one of the other.
        """
        self._previous = self._desired = self._actual = None
        self._comparison += 1
        self._superseded = self._cadences[Side.ACTUAL].generation
        for side in self._cadences:
            self._start(side, self._clock(), full=True)

    def pause(self) -> None:
        """Start no further readings (a wrong configuration does not get better by asking again)."""
        self._paused = True

    def is_reading(self, side: Side) -> bool:
        return self._cadences[side].started_at is not None

    def _start(self, side: Side, now: datetime, *, full: bool = False) -> None:
        generation = self._cadences[side].begin(now)
        work = self._desired_work(generation) if side is Side.DESIRED else self._actual_work(generation, full)
        self._app.run_in_background(work, name=f"read {side.value} {generation}")

    def _desired_work(self, generation: int) -> Callable[[], None]:
        def read() -> Message:
            return DesiredRead(
                generation, self._session.read_desired(self._progress(generation, Side.DESIRED))
            )

        return lambda: self._guarded(read, generation, Side.DESIRED)

    def _actual_work(self, generation: int, full: bool) -> Callable[[], None]:
        previous = self._previous
        limits = full or previous is None or self._readings % self._limits_every == 0
        users = full or previous is None or self._users_are_due(previous)
        self._readings += 1

        def read(*, is_told: bool = False) -> ActualInventory:
            return self._session.read_actual(
                limits=limits,
                users=users,
                previous=previous,
                progress=self._progress(generation, Side.ACTUAL),
                is_told=is_told,
            )

        if self._telling is not None:
            return lambda: self._guarded(lambda: ActualRead(generation, read()), generation, Side.ACTUAL)
        self._telling = telling = Telling(self._app, self._session, generation)
        self._app.run_in_background(telling.tell, name=f"read deletions {generation}")
        beside = partial(read, is_told=True)
        return lambda: self._guarded(lambda: self._read_beside(beside, telling), generation, Side.ACTUAL)

    def _read_beside(self, read: Callable[[], ActualInventory], telling: Telling) -> Message:
        """The reading, of which also the one of the deletions is told; or that it broke."""
        inventory = None
        try:
            inventory = read()
        finally:
            telling.take(inventory)
        return ActualRead(telling.generation, inventory)

    def _users_are_due(self, previous: ActualInventory) -> bool:
        taken = previous.users_taken_at or previous.taken_at
        return (self._clock() - taken).total_seconds() >= self._users_seconds

    def _guarded(self, read: Callable[[], Message], generation: int, side: Side) -> None:
        try:
            message = read()
        except Exception as error:  # noqa: BLE001 - the thread's edge: whatever it is has to reach the screen
            message = ReadingBroke(generation, side, as_error(error, doing=f"reading {side.value}"))
        self._app.post_message(message)

    def _progress(self, generation: int, side: Side) -> Progress:
        last = [0.0]

        def report(what: str, rows: int) -> None:
            if time.monotonic() - last[0] >= _PROGRESS_SECONDS:
                last[0] = time.monotonic()
                self._app.post_message(SourceProgressed(generation, side, f"{what} {rows:,}"))

        return report

    # --- what came back -----------------------------------------------------------------------------------

    def is_current(self, side: Side, generation: int) -> bool:
        """Whether a message of that generation is about the reading under way."""
        cadence = self._cadences[side]
        return generation == cadence.generation and cadence.started_at is not None

    def ended(self, side: Side, generation: int) -> bool:
        """A reading ended; False when it was superseded and must be dropped."""
        return self._cadences[side].accept(generation, self._clock())

    def deletions_ended(self, generation: int) -> bool:
        """The reading of deletions ended; False when it was superseded and must be dropped."""
        self._telling = None
        return generation > self._superseded

    def keep_desired(self, inventory: DesiredInventory) -> None:
        self._desired = inventory

    def keep_actual(self, inventory: ActualInventory) -> None:
        self._actual = inventory
        if inventory.coverage.state is not CoverageState.FAILED:
            self._previous = inventory

    # --- comparing ----------------------------------------------------------------------------------------

    def compare(self, staged: Sequence[Action], situation: Situation | None) -> bool:
        """Compare the latest readings in a thread; False while one of the sides was not read yet, or not
        since something changed.

        `situation` is what is known of deletions, for the headline.
        """
        if self._desired is None or self._actual is None:
            return False
        self._comparison += 1
        generation, desired, actual, kept = self._comparison, self._desired, self._actual, tuple(staged)

        def work() -> None:
            message: Message
            try:
                drift = self._session.compare(desired, actual)
                headline = self._session.headline(drift, situation)
                still, dropped = still_proposed(kept, drift, self._session)
                message = DriftCompared(generation, drift, headline, still, dropped, situation)
            except Exception as error:  # noqa: BLE001 - as above
                message = ComparisonBroke(generation, as_error(error, doing="comparing the two sides"))
            self._app.post_message(message)

        self._app.run_in_background(work, name=f"compare {generation}")
        return True

    def is_latest_comparison(self, generation: int) -> bool:
        return generation == self._comparison


def still_proposed(
    staged: Sequence[Action], drift: Drift, session: ConsoleSession
) -> tuple[tuple[Action, ...], tuple[str, ...]]:
    """What of the staged actions the new comparison still proposes, as it proposes it now, and the ids of the
    others. Rows that could not be read keep what is staged: not seen is not repaired. Where the parent is
    probably the wrong one nothing stays: it would be made in the wrong place."""
    if drift.misplaced:
        return (), tuple(action.id for action in staged)
    rows = {row.key: row for row in drift.rows}
    is_sound = drift.desired.is_complete and drift.actual.is_complete
    offered: dict[str, dict[str, Action]] = {}
    kept, dropped = [], []
    for action in staged:
        row = rows.get(action.project)
        if not is_sound or (row is not None and row.kind is DriftKind.UNKNOWN):
            kept.append(action)
            continue
        if action.project not in offered:
            proposals = session.repairs(row) if row is not None else ()
            offered[action.project] = {proposal.id: proposal for proposal in proposals}
        now = offered[action.project].get(action.id)
        if now is None:
            dropped.append(action.id)
        else:
            kept.append(now)
    return tuple(kept), tuple(dropped)
