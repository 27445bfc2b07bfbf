"""The values of the App, and the handlers that replace them when a reading or a comparison has ended.

Worker threads only post; every value changes here, on the event loop, and superseded messages are dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from textual import on
from textual.app import App
from textual.reactive import var

from console.commands import Mode
from console.messages import (
    ActualRead,
    ComparisonBroke,
    DesiredRead,
    DriftCompared,
    ReadingBroke,
    SourceProgressed,
)
from console.refresh import Refresher
from console.state import (
    RunState,
    actual_status,
    after_reading,
    desired_status,
    first_status,
    row_views,
)
from console.threads import in_daemon_thread
from sync.model import Action, Coverage, CoverageState, Drift, Side
from widgets.values import RowView, SourceStatus

if TYPE_CHECKING:
    from textual.worker import Worker

    from console.session_protocol import ConsoleSession, HeadlineText
    from sync.errors import AbreastError
    from sync.model import ActualInventory, DesiredInventory


def utc_now() -> datetime:
    return datetime.now(UTC)


class ReadingApp(App[int]):
    """Holds what is known of one environment, and keeps it fresh."""

    now: var[datetime] = var(utc_now)
    desired: var[DesiredInventory | None] = var(None, always_update=True)
    actual: var[ActualInventory | None] = var(None, always_update=True)
    drift: var[Drift | None] = var(None, always_update=True)
    last_known: var[Drift | None] = var(None, always_update=True)
    """The last comparison of two complete readings."""
    views: var[tuple[RowView, ...]] = var((), always_update=True)
    headline: var[HeadlineText | None] = var(None)
    """None until the first comparison."""
    fault: var[str] = var("")
    """Why the last comparison failed; empty when it did not."""
    sources: var[tuple[SourceStatus, ...]] = var(())
    staged: var[tuple[Action, ...]] = var((), always_update=True)
    run_state: var[RunState | None] = var(None, always_update=True)
    console_mode: var[Mode] = var(Mode)

    def __init__(self, session: ConsoleSession, *, clock: Callable[[], datetime], is_watching: bool) -> None:
        super().__init__()
        self.session = session
        self.utc_clock = clock
        self.refresher = Refresher(self, session, clock=clock)
        rates = session.environment.refresh
        self.set_reactive(ReadingApp.now, clock())
        self.set_reactive(ReadingApp.console_mode, Mode(session.is_armed and not is_watching, is_watching))
        self.set_reactive(
            ReadingApp.sources,
            (
                first_status(Side.DESIRED, period_seconds=rates.ci_database_seconds),
                first_status(Side.ACTUAL, period_seconds=rates.inventory_seconds),
            ),
        )

    def run_in_background(self, work: Callable[[], object], *, name: str) -> Worker[None]:
        """Run `work` in a thread that quitting does not wait for; it reads, and posts what it found."""
        return self.run_worker(in_daemon_thread(work, name=name), name=name, group="background")

    def start_reading(self) -> None:
        """Read both sides for the first time, and from then on whenever they are due."""
        self.refresher.tick()
        self.set_interval(1.0, self._tick)

    def _tick(self) -> None:
        self.now = self.utc_clock()
        self.refresher.tick()

    def notify(self, message: str, **options: Any) -> None:
        """As Textual's, but text is never markup."""
        super().notify(message, **{**options, "markup": False})

    def show_error(self, error: AbreastError) -> None:
        """Announce an error. It must have a lasting place elsewhere: a source's status, a row, the ledger."""
        self.notify(str(error), severity="error", timeout=10)

    # --- readings -----------------------------------------------------------------------------------------

    def status(self, side: Side) -> SourceStatus:
        """How one side stands."""
        return self.sources[0] if side is Side.DESIRED else self.sources[1]

    def _set_status(self, status: SourceStatus) -> None:
        first, second = self.sources
        self.sources = (status, second) if status.side is Side.DESIRED else (first, status)

    @on(SourceProgressed)
    def _show_progress(self, message: SourceProgressed) -> None:
        if self.refresher.is_current(message.side, message.generation):
            self._set_status(replace(self.status(message.side), reading=message.text))

    @on(DesiredRead)
    def _take_desired(self, message: DesiredRead) -> None:
        if not self.refresher.ended(Side.DESIRED, message.generation):
            return
        self._set_status(desired_status(self.status(Side.DESIRED), message.inventory))
        self.refresher.keep_desired(message.inventory)
        self.desired = message.inventory
        self.refresher.compare(self.staged)

    @on(ActualRead)
    def _take_actual(self, message: ActualRead) -> None:
        if not self.refresher.ended(Side.ACTUAL, message.generation):
            return
        self._set_status(actual_status(self.status(Side.ACTUAL), message.inventory))
        self.refresher.keep_actual(message.inventory)
        self.actual = message.inventory
        self.refresher.compare(self.staged)

    @on(ReadingBroke)
    def _take_breakage(self, message: ReadingBroke) -> None:
        if not self.refresher.ended(message.side, message.generation):
            return
        coverage = Coverage(CoverageState.FAILED, why=str(message.error))
        status = self.status(message.side)
        self._set_status(after_reading(status, coverage, taken_at=self.utc_clock(), count=0))
        self.show_error(message.error)

    @on(DriftCompared)
    def _take_drift(self, message: DriftCompared) -> None:
        if not self.refresher.is_latest_comparison(message.generation):
            return
        drift = message.drift
        if drift.desired.is_complete and drift.actual.is_complete:
            self.last_known = drift
        self.views = row_views(drift, self.last_known)
        self._keep_staged(message.kept, message.dropped)
        self.drift = drift
        self.fault = ""
        self.headline = message.headline

    def _keep_staged(self, kept: Sequence[Action], dropped: Sequence[str]) -> None:
        """What was staged or taken out since the comparison began stays as the operator left it."""
        fresh = {action.id: action for action in kept}
        gone = set(dropped)
        staged = tuple(fresh.get(action.id, action) for action in self.staged if action.id not in gone)
        if len(staged) < len(self.staged):
            self.notify(f"No longer needed, taken out of the staged actions: {', '.join(sorted(gone))}")
        if staged != self.staged:
            self.staged = staged

    @on(ComparisonBroke)
    def _take_broken_comparison(self, message: ComparisonBroke) -> None:
        if self.refresher.is_latest_comparison(message.generation):
            self.fault = str(message.error)
            self.show_error(message.error)
