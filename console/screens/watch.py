"""Watch: what a wall needs. The overview without a write client and without its keys; rings by itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands, desktop
from console.alarms import (
    Alarm,
    AlarmLog,
    fence_alarms,
    freeze_alarms,
    known_kinds,
    ledger_alarms,
    row_alarms,
    situation_alarms,
    source_alarms,
    unrecorded_alarms,
)
from console.screens.table import TableScreen
from console.state import counts_of
from sync.fence_check import NO_FENCES
from sync.model import Drift, DriftKind
from widgets.alarm_list import AlarmLine, AlarmList
from widgets.banner import Banner
from widgets.big_counts import BigCounts
from widgets.cells import counted
from widgets.confirm import Paragraphs
from widgets.drift_table import DriftHeading, DriftTable
from widgets.summary import CountsBar, HeadlineBar
from widgets.trend import Sample, Trend, TrendLine
from widgets.values import SourceStatus

if TYPE_CHECKING:
    from sync.deletions import Situation
    from sync.freezes import Freeze


class WatchScreen(TableScreen):
    """Refreshes by itself for weeks: everything that it remembers is bounded."""

    SCOPE = "watch"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("watch")]

    def __init__(self) -> None:
        super().__init__()
        self.trend = Trend()
        self.log_of_alarms = AlarmLog()
        self._kinds: dict[str, DriftKind] = {}
        self._sources: tuple[SourceStatus, ...] = ()
        self._has_compared = False
        self._deletions: frozenset[str] = frozenset()
        self._has_counted_deletions = False
        self._situation: Situation | None = None
        self._tampering = ""
        self._frozen: tuple[Freeze, ...] = ()
        self._fences = NO_FENCES

    def body(self) -> ComposeResult:
        yield Banner()
        yield HeadlineBar()
        yield BigCounts()
        yield TrendLine()
        yield CountsBar()
        yield DriftHeading(id="heading")
        yield DriftTable(id="table")
        yield Paragraphs([" Alarms"], tone="tone--strong", id="alarms-title")
        yield AlarmList()

    def on_mount(self) -> None:
        self._sources = self.console.sources
        self.begin()
        self.follow("drift", lambda _: self.take_drift())
        self.follow("situation", self.take_situation)
        self.follow("sources", self.take_sources)
        self.follow("tampering", self.take_tampering)
        self.follow("frozen", self.take_frozen)
        self.follow("now", lambda now: self.query_one(TrendLine).show(self.trend, now))

    # --- what was read ------------------------------------------------------------------------------------

    def take_drift(self) -> None:
        """A comparison came in: add to the trend, ring for what is new."""
        drift, views, now = self.console.drift, self.console.views, self.console.utc_clock()
        if drift is None:
            return
        counts = counts_of(views)
        critical = sum(number for kind, number in counts.items() if kind.is_critical)
        quiet = counts[DriftKind.IN_SYNC] + counts[DriftKind.UNKNOWN]
        is_known = drift.desired.is_complete and drift.actual.is_complete
        self.trend.add(Sample(now, critical, len(views) - quiet, is_known))
        self.query_one(TrendLine).show(self.trend, now)
        self.show_counts()
        self._ring_for_deletions(drift)
        self._ring_for_fences(drift)
        if is_known or self._has_compared:
            alarms = row_alarms(self._kinds, views, at=now, is_first=not self._has_compared)
            self._kinds = known_kinds(self._kinds, views)
            self._has_compared = True
            self.raise_alarms(alarms)

    def _ring_for_deletions(self, drift: Drift) -> None:
        """They are proven by their events: that a side is not read whole keeps none of them quiet."""
        told = drift.deletions
        alarms = unrecorded_alarms(
            self._deletions, told.found, at=self.console.utc_clock(), is_first=not self._has_counted_deletions
        )
        self._has_counted_deletions = True
        if not told.problem:
            self._deletions = frozenset()
        self._deletions |= {one.id for one in told.found}
        self.raise_alarms(alarms)

    def _ring_for_fences(self, drift: Drift) -> None:
        alarms = fence_alarms(self._fences, drift.fences, at=self.console.utc_clock())
        self._fences = drift.fences
        self.raise_alarms(alarms)

    def take_situation(self, situation: Situation | None) -> None:
        """What is being deleted was read: ring for what is new."""
        if situation is None:
            return
        alarms = situation_alarms(self._situation, situation, at=self.console.utc_clock())
        self._situation = situation
        self.raise_alarms(alarms)

    def take_sources(self, sources: tuple[SourceStatus, ...]) -> None:
        """The state of the sources changed: ring when one falls silent."""
        alarms = source_alarms(self._sources, sources, at=self.console.utc_clock())
        self._sources = sources
        self.raise_alarms(alarms)

    def take_tampering(self, words: str) -> None:
        """The ledger was verified: ring when it was altered."""
        alarms = ledger_alarms(self._tampering, words, at=self.console.utc_clock())
        self._tampering = words
        self.raise_alarms(alarms)

    def take_frozen(self, found: tuple[Freeze, ...]) -> None:
        """The zones that a restore closed were read: ring for what is closed and was not known of."""
        alarms = freeze_alarms(self._frozen, found, at=self.console.utc_clock())
        self._frozen = found
        self.raise_alarms(alarms)

    def raise_alarms(self, alarms: Sequence[Alarm]) -> None:
        """List them; ring, and tell the desktop, once for all of them."""
        if not alarms:
            return
        self.log_of_alarms.add(alarms)
        self.query_one(AlarmList).show(
            [
                AlarmLine(alarm.at, alarm.text, alarm.kind, is_good=not alarm.rings)
                for alarm in self.log_of_alarms.alarms
            ]
        )
        ringing = [alarm for alarm in alarms if alarm.rings]
        if ringing:
            self.app.bell()
            self._tell_desktop(ringing)

    def _tell_desktop(self, ringing: Sequence[Alarm]) -> None:
        title = f"{self.console.identity.title}: {counted(len(ringing), 'alarm')}"
        body = "\n".join(alarm.text for alarm in ringing[:5])
        self.console.run_in_background(lambda: desktop.notify(title, body), name="tell the desktop")

    # --- showing ------------------------------------------------------------------------------------------

    def show_counts(self) -> None:
        self.query_one(CountsBar).show({}, filter=self.filter_words(), is_stale=False, notes=self.notes())
        drift = self.console.drift
        self.query_one(BigCounts).show(
            counts_of(self.console.views),
            is_stale=self.table.is_dimmed,
            is_known=drift is not None and drift.desired.is_complete and drift.actual.is_complete,
        )
