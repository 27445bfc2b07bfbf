"""What every screen shares: header, footer, commands of its scope, and how it hears of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.screen import Screen

from console import commands, keymap
from console.state import RunPhase
from widgets.cells import counted
from widgets.header import ConsoleHeader
from widgets.key_bar import KeyBar, KeyHint

if TYPE_CHECKING:
    from console.app import ConsoleApp
    from sync.freezes import Freeze

ScreenResult = Any

_LOW = 16
"""Lines of a screen below which each thing in the header has one."""


class ConsoleScreen(Screen[ScreenResult]):
    """A screen of one scope of the table of commands. Subclasses name `SCOPE` and compose `body`.

    `follow(reactive, handler)` in `on_mount` calls `handler(value)` now and at every change of one of the
    App's values, also while the screen is covered by another one.
    """

    SCOPE: ClassVar[str] = "app"

    DEFAULT_CSS = "ConsoleScreen { layout: vertical; }"

    @property
    def console(self) -> ConsoleApp:
        """The App, typed."""
        return cast("ConsoleApp", self.app)

    # --- composing ----------------------------------------------------------------------------------------

    def body(self) -> ComposeResult:
        """The widgets between header and footer."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        app = self.console
        yield ConsoleHeader(app.identity, mode=app.console_mode.word, now=app.now)
        yield from self.body()
        yield KeyBar()

    def _on_mount(self, event: Any) -> None:
        super()._on_mount(event)
        header = self.query_one(ConsoleHeader)
        header.show(sources=self.console.sources)
        self.follow("now", lambda now: header.show(now=now))
        self.follow("sources", lambda sources: header.show(sources=sources))
        self.follow("console_mode", lambda mode: header.show(mode=mode.word))
        self.follow("tampering", lambda words: header.show(tampering=words))
        self.follow("frozen", lambda found: header.show(frozen=self._frozen_words(found)))
        self.follow("capture_problem", lambda problem: header.show(capture_problem=problem))
        self.follow("containing", lambda state: header.show(brake=state.brake_mark if state else ("", False)))
        for name in ("run_state", "retire_state"):
            self.follow(name, lambda _: header.show(running=self.console.operations.word))
        self.follow("staged", lambda _: self.show_keys())
        self.bindings_updated_signal.subscribe(self, lambda _: self.show_keys())

    def on_screen_resume(self) -> None:
        """What waited for the answer to a question is announced, unless another question follows at once."""
        self.call_after_refresh(self.console.announce_waiting)

    def _frozen_words(self, found: Sequence[Freeze]) -> tuple[str, ...]:
        """The first zone that a restore left closed and what opens it, and how many more there are."""
        if not found:
            return ()
        more = (f"{counted(len(found) - 1, 'more zone')} closed: `abreast check` names all.",)
        lift = found[0].lift(self.console.session.environment.name)
        return (found[0].in_short, lift, *(more if len(found) > 1 else ()))

    def on_resize(self, event: events.Resize) -> None:
        is_cramped = event.size.width < 80 or event.size.height < 24
        self.query_one(ConsoleHeader).show(is_cramped=is_cramped, is_low=event.size.height < _LOW)

    def follow(self, name: str, handler: Callable[[Any], None]) -> None:
        """Call `handler` with the App's reactive of that name, now and at every change."""
        self.watch(self.app, name, handler)

    # --- keys ---------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Commands that the mode does not have do not exist: no key, no footer."""
        del parameters
        found = commands.by_action(self.SCOPE, action)
        if found is None:
            return not commands.is_command(action) or commands.by_action("app", action) is not None
        return self.console.console_mode.allows(found) and self.offers(found)

    def offers(self, command: commands.Command) -> bool:
        """Whether the screen has something that this command would act on; subclasses narrow it."""
        del command
        return True

    def tell_idle(self, key: str) -> None:
        """A key whose command is not there now says why, where it is known."""
        keys = self.console.session.environment.keys
        own = keymap.by_mapped_key(self.SCOPE, key, keys)
        found = own or keymap.by_mapped_key("app", key, keys)
        asked = self if own is not None else self.console
        if found is None or asked.check_action(found.action_name, ()):
            return
        if why := self.why_not(found):
            self.console.notify(why, severity="warning")

    def why_not(self, command: commands.Command) -> str:
        """Why a command is not there now; empty where there is nothing to say."""
        mode = self.console.console_mode
        if mode.replaying and not mode.allows(command):
            return "This is a replay: what was cannot be changed, and no server is asked."
        return "Nothing is being sent." if command.id in ("stop", "pause") else ""

    def offers_to_hold(self, command: commands.Command) -> bool:
        """Whether the App's run can be stopped, or paused."""
        run = self.console.run_state
        if run is None or run.phase is RunPhase.STOPPING:
            return False
        return run.is_going_on if command.id == "stop" else run.is_held or run.phase is RunPhase.RUNNING

    def action_stop(self) -> None:
        self.console.operations.stop()

    def action_pause(self) -> None:
        self.console.operations.pause()

    def key_label(self, command: commands.Command) -> str:
        """The footer's words for a command; subclasses add counts."""
        if command.id == "arm" and self.console.console_mode.armed:
            return "disarm"
        run = self.console.run_state
        if command.id == "pause" and run is not None and run.is_held:
            return "go on"
        return command.label

    def key_of(self, id: str) -> str:
        """The first key of the command of that id, as it is mapped now."""
        found = commands.command(id)
        assert found is not None, id
        return keymap.shown_keys(found, self.console.session.environment.keys).partition(" ")[0]

    def hint_rank(self, command: commands.Command) -> int:
        """Which hints give way where there is no room: the highest first; help is always kept. Containing is
        among the first while there is something to contain."""
        situation = self.console.situation
        if command.id == "help":
            return 2
        if command.id == "contain" and (situation is None or not situation.is_happening):
            return 1
        return 0 if command.footer or command.id == "back" else 1

    def has_hint(self, command: commands.Command) -> bool:
        """Whether the footer may name it where there is room."""
        return command.id != "drill" or self.console.stage is not None

    async def action_contain(self) -> None:
        """On every screen whose scope has the command."""
        await self.console.open("contain")

    def show_keys(self) -> None:
        """Fill the footer from the bindings that are active now, in the order of the table."""
        if not self.is_attached:
            return
        active: dict[str, str] = {}
        for bound in self.active_bindings.values():
            id = bound.binding.id
            if bound.enabled and id is not None and id not in active:
                active[id] = keymap.KEY_NAMES.get(bound.binding.key, self.app.get_key_display(bound.binding))
        hinted = (one for one in commands.COMMANDS if one.id in active and self.has_hint(one))
        found = sorted(hinted, key=self.hint_rank)
        if len(self.app.screen_stack) == 1 and not self.has_step_back():
            found = [command for command in found if command.id != "back"]
        hints = tuple(KeyHint(active[one.id], self.key_label(one), one.id) for one in found)
        for bar in self.query(KeyBar):
            bar.show(hints)

    @on(KeyBar.Clicked)
    async def _run_clicked(self, event: KeyBar.Clicked) -> None:
        found = commands.command(event.command)
        if found is not None:
            await self.console.run_command(found)

    # --- going back ---------------------------------------------------------------------------------------

    def has_step_back(self) -> bool:
        """Whether `go_back` has something to do within the screen."""
        return False

    def go_back(self) -> bool:
        """One step back within the screen; False when there is none, and the screen itself is left."""
        return False
