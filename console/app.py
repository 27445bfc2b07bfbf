"""The App: owns the current values in reactives, starts readings, and routes between screens.

How a screen plugs in: subclass `console.screens.base.ConsoleScreen`, set `SCOPE` to a scope of
`console.commands`, compose `body()`, and call `self.follow("drift", handler)` in `on_mount` for each value
it shows. The values are `desired`, `actual`, `drift`, `last_known`, `views`, `headline`, `sources`, `staged`
(tuple of Action), `plan`, `run_state` (RunState | None), `console_mode`, `now`; all are immutable. They are
set in message handlers and in `console.operations`; what is staged, confirmed and planned also by the screen
where that is chosen. Add the screen's commands to `console.commands` and its import to `_SCREENS`;
`app.open("review")` pushes it. What takes long lives in `console.operations` on the App (`app.operations`),
runs in thread workers that are never exclusive, and posts the messages of `console.messages`. `app.notify`
never reads markup.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import BindingType

from console import commands, keymap, themes
from console.commands import Command, Mode
from console.faults import as_error
from console.messages import ArmingEnded
from console.practising import PractisingApp
from console.readings import utc_now
from sync.errors import EXIT_STOPPED
from widgets.identity import identity_of

if TYPE_CHECKING:
    from textual.command import Provider
    from textual.screen import Screen
    from textual.widget import AwaitMount

    from console.session_protocol import ConsoleSession
    from console.state import RunState
    from sync.drill_stage import Stage
    from sync.errors import AbreastError
    from sync.model import Action

_SCREENS = {
    "opening": "console.screens.opening:OpeningScreen",
    "overview": "console.screens.overview:OverviewScreen",
    "project": "console.screens.project:ProjectScreen",
    "watch": "console.screens.watch:WatchScreen",
    "help": "console.screens.help:HelpScreen",
    "page": "console.screens.page:PageScreen",
    "confirm": "console.screens.confirm:ConfirmScreen",
    "sources": "console.screens.sources:SourcesScreen",
    "radius": "console.screens.radius:RadiusScreen",
    "approvals": "console.screens.approvals:ApprovalsScreen",
    "hidden": "console.screens.hidden:HiddenScreen",
    "review": "console.screens.review:ReviewScreen",
    "execution": "console.screens.execution:ExecutionScreen",
    "recovery": "console.screens.recovery:RecoveryScreen",
    "restore": "console.screens.restore:RestoreScreen",
    "history": "console.screens.history:HistoryScreen",
    "captures": "console.screens.captures:CapturesScreen",
    "contain": "console.screens.contain:ContainScreen",
    "retire": "console.screens.retire:RetireScreen",
}
"""Name → module and class; imported when first opened, so that the first frame does not wait for them."""


def _palette() -> type[Provider]:
    from console.palette import CommandTable

    return CommandTable


class ConsoleApp(PractisingApp):
    """The console on one environment."""

    TITLE = "abreast"
    CSS_PATH = "console.tcss"
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_palette}
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("app")]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (16, "-short"), (32, "-tall")]

    def __init__(
        self,
        session: ConsoleSession,
        *,
        start: str = "overview",
        clock: Callable[[], datetime] = utc_now,
        stage: Stage | None = None,
    ) -> None:
        """`stage` is of a drill, which whoever made it ends."""
        super().__init__(session, clock=clock, is_watching=start == "watch")
        self.stage = stage
        self._start_screen = start
        self._is_told_to_end = False
        self._running_loop: asyncio.AbstractEventLoop | None = None
        environment = session.environment
        self.identity = identity_of(environment.name, environment.title or environment.name.upper())
        for theme in themes.THEMES:
            self.register_theme(theme)
        self._start_with(themes.named(environment.theme))
        self.set_keymap(keymap.checked_keymap(environment.keys))

    def _start_with(self, theme: str) -> None:
        """Choose the theme before any style sheet is parsed: assigning it parses all of them once more."""
        self.set_reactive(ConsoleApp.theme, theme)
        self.stylesheet.set_variables(self.get_css_variables())
        self.set_class(self.current_theme.dark, "-dark-mode", update=False)
        self.set_class(not self.current_theme.dark, "-light-mode", update=False)

    # --- starting -----------------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[Any]:
        """The first frame: who and what this is. All that the real screens need is imported behind it."""
        return self.make_screen("opening", self.identity, self.console_mode.word)

    def on_mount(self) -> None:
        self._running_loop = asyncio.get_running_loop()
        if self._is_told_to_end:
            self._end()
        self.call_after_refresh(self._begin)

    def end_from_outside(self) -> None:
        """End in order, without asking: for a signal's handler, at whatever moment that comes."""
        self._is_told_to_end = True
        if self._running_loop is not None:
            self._running_loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self.operations.is_going_on:
            self.operations.stop()
        self.exit(EXIT_STOPPED)

    async def _begin(self) -> None:
        """Behind the first frame: import and show the real screen, then read."""
        self.know_sources()
        name = "watch" if self._start_screen == "watch" else "overview"
        self.add_mode(name, lambda: self.make_screen(name))
        await self.switch_mode(name)
        self.start_reading()
        if self.session.can_arm and not self.console_mode.watching and self._start_screen != "recovery":
            self.operations.ask_ledger()
        if self._start_screen not in ("overview", "watch"):
            self.open(self._start_screen)
        self.begin_practice()
        if not gc.isenabled():
            # Who started the App holds collecting back until now: see `console.cli.screens`.
            gc.enable()
            gc.freeze()

    # --- screens ------------------------------------------------------------------------------------------

    def make_screen(self, name: str, *arguments: Any, **named: Any) -> Screen[Any]:
        """The screen of that name, imported now."""
        module, _, cls = _SCREENS[name].partition(":")
        made: Screen[Any] = getattr(import_module(module), cls)(*arguments, **named)
        return made

    def open(self, name: str, *arguments: Any) -> AwaitMount:
        """Push the screen of that name; who awaits it has keys that are typed behind this one reach it."""
        return self.push_screen(self.make_screen(name, *arguments))

    # --- commands -----------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        del parameters
        if action == "follow_run" and not self.has_run_elsewhere():
            return False
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
        read_own = getattr(self.screen, "read_own", None)
        if read_own is not None:
            read_own()
        if not self.refresher.read_now():
            self.notify("Both sides are being read already.")

    def action_next_theme(self) -> None:
        self.theme = themes.following(self.theme)

    async def action_help(self) -> None:
        await self.open("help", getattr(self.screen, "SCOPE", "app"))

    async def action_messages(self) -> None:
        """All that was announced lately, in full."""
        from console.screens.page import announcement_lines

        await self.open("page", lambda width: announcement_lines(self.announced, width))

    async def open_result(self, run: RunState | None, action: Action | None) -> None:
        """The whole of what came of an action of that run."""
        from widgets.action_details import result_lines

        if run is not None and action is not None:
            result = run.results.get(action.id)
            await self.open("page", lambda width: result_lines(action, result, width))

    def action_help_quit(self) -> None:
        """ctrl+c: Textual's own answer is markup and names a key that is not in the table of commands."""
        self.notify("q quits; it asks while a run is going on.")

    async def action_leave(self) -> None:
        """Quit; ask first while an execution is going on, or a brake is held."""
        lines = self.what_quitting_ends()
        if not lines:
            self.exit(0)
            return
        what = "a run is going on" if self.operations.is_going_on else "something is held or under way"
        question = self.make_screen("confirm", f"Quit while {what}?", lines, "quit")
        await self.ask(question, self._leave_if)

    def _leave_if(self, confirmed: bool | None) -> None:
        if confirmed:
            self.operations.stop()
            self.exit(0)

    async def action_quit(self) -> None:
        await self.action_leave()

    async def action_arm(self) -> None:
        """Arm after the environment's name was typed; disarm at once."""
        if self.console_mode.may_contain:
            self.session.disarm()
            self.console_mode = Mode(False, self.console_mode.watching)
        elif foreign := next((one for one in self.sources if one.is_foreign), None):
            self.notify(f"Not armed: {foreign.why}", severity="warning", timeout=10)
        elif self.session.can_arm:
            lines = (
                f"Confirmed actions will change {self.identity.title}.",
                "Nothing is sent before each action, or each kind of action, is confirmed.",
            )
            question = self.make_screen("confirm", "Arm the console?", lines, self.identity.name)
            await self.ask(question, self._arm_if)
        elif self.session.is_replay:
            self.notify("This is a replay: what was cannot be changed.", severity="warning")
        else:
            self.notify(
                f"{self.identity.title} is read-only: its configuration names no section as `write`.",
                severity="warning",
            )

    def _arm_if(self, confirmed: bool | None) -> None:
        if confirmed:
            is_to_contain = getattr(self.screen, "SCOPE", "") == "contain"
            self.run_in_background(lambda: self._arm(is_to_contain=is_to_contain), name="arm")

    def _arm(self, *, is_to_contain: bool) -> None:
        """In a thread: making the write client imports what the first frame did without."""
        error: AbreastError | None = None
        may_contain = False
        try:
            self.session.arm()
        except Exception as problem:  # noqa: BLE001 - the thread's edge
            error = as_error(problem, doing="arming")
            may_contain = is_to_contain and self.may_contain_without(error)
        self.post_message(ArmingEnded(error, may_contain=may_contain))

    @on(ArmingEnded)
    def _take_arming(self, message: ArmingEnded) -> None:
        if message.error is not None:
            self.show_error(message.error)
        self.console_mode = Mode(
            self.session.is_armed, self.console_mode.watching, containing=message.may_contain
        )
