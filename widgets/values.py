"""The values that widgets are given: how the sources stand, the rows to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from sync.agents import AgentFinding
from sync.model import CoverageState, DriftKind, DriftRow, Side
from widgets.cells import age

if TYPE_CHECKING:
    from sync.deletions import Deletion


def stale_after(period_seconds: float) -> float:
    """Seconds after which what is read in that period is older than it should be."""
    return max(3 * period_seconds, 15.0)


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How one side stands: its last reading, and what went wrong since."""

    side: Side
    label: str
    """`CI database`, `CloudStack 4.23`."""
    noun: str
    """What is counted: `projects`, `domains`."""
    count: int | None = None
    """Of the last usable reading; None before the first one."""
    coverage: CoverageState | None = None
    """Of the last attempt; None before the first one has ended."""
    taken_at: datetime | None = None
    """When the last usable reading was taken: the age on screen counts from here."""
    why: str = ""
    """Of a partial or failed last attempt: what happened and what to do next."""
    failed_at: datetime | None = None
    """When the first of the failed attempts in a row ended; None while readings succeed."""
    reading: str = ""
    """Progress of the reading under way: `listDomains 500`; empty while none runs."""
    is_foreign: bool = False
    """Whether it is of another server than the pinned one; `why` has both."""
    unrecognised: str = ""
    """Why it cannot be told whether it is the pinned server; empty where it can."""
    shrunk: str = ""
    """What it has clearly less of than before; empty when it has not shrunk."""
    period_seconds: float = 10.0
    """How often it is read: an age of more than three periods is stale."""

    def age_seconds(self, now: datetime) -> float | None:
        """Seconds since the last usable reading; None before the first one."""
        return None if self.taken_at is None else max(0.0, (now - self.taken_at).total_seconds())

    def is_stale(self, now: datetime) -> bool:
        """Whether the last usable reading is older than it should be."""
        seconds = self.age_seconds(now)
        return seconds is not None and seconds > stale_after(self.period_seconds)

    def is_silent(self, now: datetime) -> bool:
        """Whether it did not answer when it was asked last, or should have answered by now."""
        if self.coverage is None or self.is_foreign:
            return False
        return self.coverage is CoverageState.FAILED or self.is_stale(now)

    @property
    def is_sound(self) -> bool:
        return self.coverage is CoverageState.COMPLETE


@dataclass(frozen=True, slots=True)
class Freshness:
    """When each part of a row was read, and how long each may be shown before it is too old to act upon."""

    times: Mapping[str, datetime]
    """`CloudStack`, `users`, … → when it was read."""
    patience: Mapping[str, float]
    """The same → seconds."""

    def oldest(self, now: datetime) -> tuple[str, float]:
        """The part that was read longest ago, and its age in seconds."""
        name = min(self.times, key=lambda name: self.times[name])
        return name, self._age(name, now)

    def stale(self, now: datetime) -> dict[str, float]:
        """The parts that are too old, with their ages."""
        ages = {name: self._age(name, now) for name in self.times}
        return {name: seconds for name, seconds in ages.items() if seconds > self.patience[name]}

    @property
    def is_mixed(self) -> bool:
        """Whether its parts were read at different times."""
        return len(set(self.times.values())) > 1

    def _age(self, name: str, now: datetime) -> float:
        return max(0.0, (now - self.times[name]).total_seconds())


@dataclass(frozen=True)
class RowView:
    """One line of the overview: a row of drift, and what it was when it was last known."""

    row: DriftRow
    was: DriftRow | None = None
    """The row of the last drift between two complete readings, where this one is unknown."""
    agents: tuple[AgentFinding, ...] = ()
    """What the project's Jenkins says of each agent; empty where it was not asked."""
    was_at: datetime | None = None
    """When that was read: the older one of its two readings."""
    deletion: Deletion | None = None
    """Its deletion that goes on or is submitted: that comes before all else there is to say of it."""

    @property
    def key(self) -> str:
        return self.row.key

    @property
    def kind(self) -> DriftKind:
        return self.row.kind if self.deletion is None else DriftKind.DELETING

    @property
    def is_dim(self) -> bool:
        """Whether what is shown is not what was just read."""
        return self.kind is DriftKind.UNKNOWN

    @property
    def shown(self) -> DriftRow:
        """The row that fills the columns: the last known one where this one is unknown."""
        return self.was if self.was is not None else self.row

    def last_known_words(self, now: datetime) -> str:
        """`the last known state, 12 min old`; empty where what is shown was just read."""
        if self.was is None or self.was_at is None:
            return ""
        return f"the last known state, {age((now - self.was_at).total_seconds())} old"

    @property
    def rank(self) -> tuple[int, int, str]:
        """Worst first; among the unknown the ones that were worst; then by key."""
        was = self.was.kind.rank if self.was is not None else len(DriftKind)
        return (self.kind.rank, was, self.row.key)

    @cached_property
    def haystack(self) -> str:
        """What the filter searches: name, path, members, machines, agents."""
        row = self.shown
        words = [row.name, row.key]
        if row.project is not None:
            words += [member.username for member in row.project.members]
            words += [agent.name for agent in row.project.agents]
        for view in (row.view, row.dying):
            if view is not None:
                words.append(view.path)
                words += [machine.name for machine in view.vms]
        return "\n".join(words).casefold()
