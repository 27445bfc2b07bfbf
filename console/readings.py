"""The values of the App, and the messages by which they change: threads post, `console.intake` decides.

Nothing of the domain is imported here when the module is: the first frame does without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING

from textual import on
from textual.reactive import var

from console.announcing import AnnouncingApp
from console.commands import Mode
from console.messages import (
    ActualRead,
    AgentsBroke,
    AgentsRead,
    CaptureEnded,
    ComparisonBroke,
    DeletionsRead,
    DesiredRead,
    DriftCompared,
    LedgerWatched,
    ReadingBroke,
    SourceProgressed,
)
from console.threads import in_daemon_thread

if TYPE_CHECKING:
    from textual.message import Message
    from textual.worker import Worker

    from console.agent_watch import AgentWatch
    from console.capture_watch import CaptureWatch
    from console.ledger_watch import LedgerWatch
    from console.refresh import Refresher
    from console.session_protocol import ConsoleSession, HeadlineText
    from console.state import RunState
    from sync.agents import JenkinsReading
    from sync.capture_store import CaptureEntry
    from sync.deletions import Situation
    from sync.freezes import Freeze
    from sync.model import Action, ActualInventory, DesiredInventory, Drift
    from widgets.values import Freshness, RowView, SourceStatus


def utc_now() -> datetime:
    return datetime.now(UTC)


class ReadingApp(AnnouncingApp):
    """Holds what is known of one environment, and keeps it fresh."""

    now: var[datetime] = var(utc_now)
    desired: var[DesiredInventory | None] = var(None, always_update=True)
    actual: var[ActualInventory | None] = var(None, always_update=True)
    whole: var[ActualInventory | None] = var(None)
    """The latest complete reading of CloudStack with nothing taken over from earlier ones; None while the
    latest reading is not complete. What is destroyed is told from it."""
    drift: var[Drift | None] = var(None, always_update=True)
    agents: var[Mapping[str, JenkinsReading]] = var(dict, always_update=True)
    """What each project's Jenkins said last, by key; empty where it is not asked, or not yet."""
    last_capture: var[CaptureEntry | None] = var(None)
    """The newest one that this console took."""
    capture_problem: var[str] = var("")
    """Why the last capture failed; empty when it did not."""
    last_known: var[Drift | None] = var(None, always_update=True)
    """The last comparison of two complete readings."""
    situation: var[Situation | None] = var(None, always_update=True)
    """What is being deleted, as of the last reading that could tell; None before the first one."""
    views: var[tuple[RowView, ...]] = var((), always_update=True)
    headline: var[HeadlineText | None] = var(None)
    """None until the first comparison."""
    fault: var[str] = var("")
    """Why the last comparison failed; empty when it did not."""
    sources: var[tuple[SourceStatus, ...]] = var(())
    staged: var[tuple[Action, ...]] = var((), always_update=True)
    run_state: var[RunState | None] = var(None, always_update=True)
    console_mode: var[Mode] = var(Mode)
    tampering: var[str] = var("")
    """How the ledger was altered, by the last verification that could read it; empty where it was not."""
    frozen: var[tuple[Freeze, ...]] = var(())
    """Zones that a restore has left closed, by the last reading of the ledger and of CloudStack."""

    def __init__(self, session: ConsoleSession, *, clock: Callable[[], datetime], is_watching: bool) -> None:
        super().__init__(clock=clock, keys=session.environment.keys)
        self.session = session
        self.set_reactive(ReadingApp.now, clock())
        self.set_reactive(
            ReadingApp.console_mode,
            Mode(session.is_armed and not is_watching, is_watching, session.is_replay),
        )

    def run_in_background(self, work: Callable[[], object], *, name: str) -> Worker[None]:
        """Run `work` in a thread that quitting does not wait for; it reads, and posts what it found."""
        # Not a coroutine: one that quitting overtakes would complain that nobody awaited it.
        thread = partial(in_daemon_thread, work, name=name)
        return self.run_worker(thread, name=name, group="background")

    def start_reading(self) -> None:
        """Read both sides for the first time, and from then on whenever they are due."""
        self.refresher.tick()
        self.ledger_watch.tick()
        self.set_interval(1.0, self._tick)

    def know_sources(self) -> None:
        """Say that there are two sides, not read yet."""
        from console.intake import first_sources

        self.sources = first_sources(self.session.environment.refresh)

    def _tick(self) -> None:
        self.now = self.utc_clock()
        self.refresher.tick()
        self.agent_watch.tick(self.desired)
        self.ledger_watch.tick()

    @property
    def can_tell_deletions(self) -> bool:
        """Whether `situation` is of now: the reading of CloudStack compared last could tell of deletions."""
        if self.drift is None:
            return True
        from sync.deletions import can_tell

        return can_tell(self.drift.actual)

    # --- how old what is shown is ---------------------------------------------------------------------------

    def freshness_of(self, view: RowView | None) -> Freshness | None:
        """When the parts of a row were read; None before anything was compared."""
        drift = self.last_known if view is not None and view.was is not None else self.drift
        if view is None or drift is None:
            return None
        from console.freshness import freshness

        return freshness(view.shown, drift, self.session.environment.refresh)

    def age_of(self, view: RowView | None) -> tuple[str, str]:
        """How old the oldest part of a row is, in words with their tone, where that is worth saying."""
        found = self.freshness_of(view)
        if found is None:
            return ("", "")
        from console.freshness import age_words

        return age_words(found, self.now)

    def why_stale(self, view: RowView | None) -> str:
        """Why nothing of a row may be staged: what it shows is too old. Empty when it may."""
        found = self.freshness_of(view)
        if found is None:
            return ""
        from console.freshness import why_stale

        return why_stale(found, self.now)

    # --- readings -----------------------------------------------------------------------------------------

    @cached_property
    def refresher(self) -> Refresher:
        """Reads and compares; made after the first frame."""
        from console.refresh import Refresher

        return Refresher(self, self.session, clock=self.utc_clock)

    @cached_property
    def agent_watch(self) -> AgentWatch:
        """Asks Jenkins; made after the first frame."""
        from console.agent_watch import AgentWatch

        return AgentWatch(self, self.session, clock=self.utc_clock)

    @cached_property
    def ledger_watch(self) -> LedgerWatch:
        """Verifies the ledger; made after the first frame."""
        from console.ledger_watch import LedgerWatch

        return LedgerWatch(self, self.session, clock=self.utc_clock)

    @on(LedgerWatched)
    def _take_verification(self, message: LedgerWatched) -> None:
        if not self.ledger_watch.ended(message.generation):
            return
        if message.error is not None:
            self.show_error(message.error)
        elif message.words is not None:
            self.tampering = message.words
            self.frozen = message.frozen

    @cached_property
    def capture_watch(self) -> CaptureWatch:
        """Has readings captured; made after the first frame."""
        from console.capture_watch import CaptureWatch

        return CaptureWatch(self, self.session)

    @on(SourceProgressed)
    @on(DesiredRead)
    @on(ActualRead)
    @on(AgentsRead)
    @on(AgentsBroke)
    @on(CaptureEnded)
    @on(ReadingBroke)
    @on(DeletionsRead)
    @on(DriftCompared)
    @on(ComparisonBroke)
    def _take(self, message: Message) -> None:
        from console import intake

        if isinstance(message, SourceProgressed):
            intake.take_progress(self, message)
        elif isinstance(message, DesiredRead):
            intake.take_desired(self, message)
        elif isinstance(message, ActualRead):
            intake.take_actual(self, message)
        elif isinstance(message, AgentsRead | AgentsBroke):
            intake.take_agents(self, message)
        elif isinstance(message, CaptureEnded):
            intake.take_capture(self, message)
        elif isinstance(message, ReadingBroke):
            intake.take_breakage(self, message)
        elif isinstance(message, DeletionsRead):
            intake.take_deletions(self, message)
        elif isinstance(message, DriftCompared):
            intake.take_drift(self, message)
        elif isinstance(message, ComparisonBroke):
            intake.take_broken_comparison(self, message)
