"""The App: owns the current values in reactives, starts readings, and routes between screens.

How a screen plugs in: subclass `console.screens.base.ConsoleScreen`, set `SCOPE` to a scope of
`console.commands`, compose `body()`, and call `self.follow("drift", handler)` in `on_mount` for each value
it shows. The values are `desired`, `actual`, `drift`, `last_known`, `views`, `headline`, `sources`, `staged`
(tuple of Action), `plan`, `run_state` (RunState | None), `console_mode`, `now`; all are immutable, set only
here, in message handlers and in `console.operations`. Add the screen's commands to `console.commands` and
its import to `_SCREENS`; `app.open("review")` pushes it. What takes long lives in `console.operations` on
the App (`app.operations`), runs in thread workers that are never exclusive, and posts the messages of
`console.messages`. `app.notify` never reads markup.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from textual import on
from textual.app import App
from textual.binding import BindingType
from textual.reactive import var

from console import commands, themes
from console.commands import Command, Mode
from console.messages import (
    ActualRead,
    ComparisonBroke,
    DesiredRead,
    DriftCompared,
    ReadingBroke,
    SourceProgressed,
)
from console.operations import Operations
from console.refresh import Refresher
from console.state import (
    RunState,
    actual_status,
    after_reading,
    desired_status,
    first_status,
    identity_of,
    row_views,
)
from sync.model import Action, Coverage, CoverageState, Drift, Side
from widgets.values import RowView, SourceStatus

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.screen import Screen

    from console.session_protocol import ConsoleSession
    from sync.errors import AbreastError
    from sync.model import ActualInventory, DesiredInventory, Plan

_SCREENS = {
    "overview": "console.screens.overview:OverviewScreen",
    "project": "console.screens.project:ProjectScreen",
    "watch": "console.screens.watch:WatchScreen",
    "help": "console.screens.help:HelpScreen",
    "confirm": "console.screens.confirm:ConfirmScreen",
    "sources": "console.screens.error:SourcesScreen",
    "review": "console.screens.review:ReviewScreen",
    "execution": "console.screens.execution:ExecutionScreen",
    "recovery": "console.screens.recovery:RecoveryScreen",
    "history": "console.screens.history:HistoryScreen",
}
"""Name → module and class; imported when first opened, so that the first frame does not wait for them."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def _palette() -> type[Provider]:
    from console.palette import CommandTable

    return CommandTable


class ConsoleApp(App[int]):
    """The console on one environment."""

    TITLE = "abreast"
    CSS_PATH = "console.tcss"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_palette}
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("app")]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (32, "-tall")]

    now: var[datetime] = var(utc_now)
    desired: var[DesiredInventory | None] = var(None, always_update=True)
    actual: var[ActualInventory | None] = var(None, always_update=True)
    drift: var[Drift | None] = var(None, always_update=True)
    last_known: var[Drift | None] = var(None, always_update=True)
    """The last comparison of two complete readings."""
    views: var[tuple[RowView, ...]] = var((), always_update=True)
    headline: var[str] = var("Reading both sides…")
    sources: var[tuple[SourceStatus, ...]] = var(())
    staged: var[tuple[Action, ...]] = var((), always_update=True)
    plan: var[Plan | None] = var(None)
    run_state: var[RunState | None] = var(None, always_update=True)
    console_mode: var[Mode] = var(Mode)

    def __init__(
        self,
        session: ConsoleSession,
        *,
        start: Literal["overview", "watch", "recovery"] = "overview",
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        super().__init__()
        self.session = session
        self.utc_clock = clock
        self._start_screen = start
        self.identity = identity_of(session.environment.name, session.environment.title)
        rates = session.environment.refresh
        self.set_reactive(ConsoleApp.now, clock())
        self.set_reactive(ConsoleApp.console_mode, Mode(session.is_armed, start == "watch"))
        self.set_reactive(
            ConsoleApp.sources,
            (
                first_status(Side.DESIRED, period_seconds=rates.ci_database_seconds),
                first_status(Side.ACTUAL, period_seconds=rates.inventory_seconds),
            ),
        )
        self.operations = Operations(self)
        self.refresher = Refresher(self, session, clock=clock)
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = session.environment.theme or themes.DEFAULT_THEME
        self.set_keymap(commands.checked_keymap(session.environment.keys))

    # --- starting -----------------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[Any]:
        return self.make_screen("watch" if self._start_screen == "watch" else "overview")

    def on_mount(self) -> None:
        self.set_interval(1.0, self._tick)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        self.refresher.tick()
        if self._start_screen == "recovery":
            self.open("recovery")

    def _tick(self) -> None:
        self.now = self.utc_clock()
        self.refresher.tick()

    # --- readings -----------------------------------------------------------------------------------------

    def status(self, side: Side) -> SourceStatus:
        """How one side stands."""
        return self.sources[0] if side is Side.DESIRED else self.sources[1]

    def _set_status(self, status: SourceStatus) -> None:
        first, second = self.sources
        self.sources = (status, second) if status.side is Side.DESIRED else (first, status)

    @on(SourceProgressed)
    def _show_progress(self, message: SourceProgressed) -> None:
        from dataclasses import replace

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
        self.headline = message.headline
        self._keep_staged(message.kept, message.dropped)
        self.drift = drift

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
            self.headline = str(message.error)
            self.show_error(message.error)

    # --- screens ------------------------------------------------------------------------------------------

    def make_screen(self, name: str, *arguments: Any, **named: Any) -> Screen[Any]:
        """The screen of that name, imported now."""
        module, _, cls = _SCREENS[name].partition(":")
        made: Screen[Any] = getattr(import_module(module), cls)(*arguments, **named)
        return made

    def open(self, name: str, *arguments: Any, then: Callable[[Any], None] | None = None) -> None:
        """Push the screen of that name; `then` is called with what it is dismissed with."""
        self.push_screen(self.make_screen(name, *arguments), callback=then)

    def show_error(self, error: AbreastError) -> None:
        """Announce an error. It must have a lasting place elsewhere: a source's status, a row, the ledger."""
        self.notify(str(error), severity="error", timeout=10)

    def notify(self, message: str, **options: Any) -> None:
        """As Textual's, but text is never markup."""
        super().notify(message, **{**options, "markup": False})

    # --- commands -----------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        found = commands.by_action("app", action)
        return True if found is None else self.console_mode.allows(found)

    async def run_command(self, command: Command) -> None:
        """Run a command from the palette or the footer, or say where it works."""
        scope = getattr(self.screen, "SCOPE", "app")
        if not self.console_mode.allows(command):
            why = (
                "It does not exist while watching."
                if self.console_mode.watching
                else "Arm the console first."
            )
            self.notify(f"{command.label}: {why}", severity="warning")
        elif "app" in command.scopes:
            await self.run_action(command.action, self)
        elif scope in command.scopes:
            await self.run_action(command.action, self.screen)
        else:
            where = " and ".join(commands.SCOPES[name] for name in command.scopes)
            self.notify(f"{command.label}: works on {where}.")

    def action_go_back(self) -> None:
        go_back = getattr(self.screen, "go_back", None)
        if (go_back is None or not go_back()) and len(self.screen_stack) > 1:
            self.pop_screen()

    def action_refresh_now(self) -> None:
        if not self.refresher.read_now():
            self.notify("Both sides are being read already.")

    def action_next_theme(self) -> None:
        self.theme = themes.following(self.theme)

    def action_help(self) -> None:
        self.open("help", getattr(self.screen, "SCOPE", "app"))

    def action_leave(self) -> None:
        """Quit; ask first while an execution is going on."""
        if not self.operations.is_going_on:
            self.exit(0)
            return
        lines = (
            f"A run is going on: {self.operations.word}.",
            "Quitting stops following it: what was sent ends in CloudStack, the rest does not run.",
            "The ledger has every step; the next start resolves what is open and can resume the run.",
        )
        self.open("confirm", "Quit while a run is going on?", lines, "quit", then=self._leave_if)

    def _leave_if(self, confirmed: bool | None) -> None:
        if confirmed:
            self.exit(0)

    async def action_quit(self) -> None:
        self.action_leave()

    def action_arm(self) -> None:
        """Arm after the environment's name was typed; disarm at once."""
        if self.session.is_armed:
            self.session.disarm()
            self.console_mode = Mode(False, self.console_mode.watching)
        elif self.session.can_arm:
            lines = (
                f"Confirmed actions will change {self.identity.title}.",
                "Nothing is sent before each action, or each kind of action, is confirmed.",
            )
            self.open("confirm", "Arm the console?", lines, self.identity.name, then=self._arm_if)
        else:
            self.notify(
                f"{self.identity.title} is read-only: its configuration names no section as `write`.",
                severity="warning",
            )

    def _arm_if(self, confirmed: bool | None) -> None:
        from sync.errors import AbreastError

        if not confirmed:
            return
        try:
            self.session.arm()
        except AbreastError as error:
            self.show_error(error)
            return
        self.console_mode = Mode(self.session.is_armed, False)
