"""Contain: what is being deleted, by whom, what goes next, what is still alive, and the ladder against it.

The screen shows and asks; looks, rungs and brakes are the App's and go on when it is left.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands
from console.containing_state import ContainState, must_choose
from console.containing_text import (
    default_choice,
    deletion_texts,
    fence_facts,
    laid_out,
    rung_texts,
    rung_views,
)
from console.screens.base import ConsoleScreen
from console.screens.confirm import ConfirmScreen
from console.screens.contain_parts import Closer, ContainTitle, ResultLine
from console.screens.contain_questions import CallersScreen, FormScreen
from widgets.cells import counted
from widgets.deletion_list import DeletionList
from widgets.ladder import Ladder
from widgets.pager import Pager
from widgets.rule import Rule
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from textual.widget import AwaitMount

    from sync.containment import CallerView, Look

_FIRST = ("fence", "brake", "release-brake", "shield", "evidence", "stop")
"""The commands whose keys are shown first."""


_IDLE = {
    "release-brake": "No brake is held by this console.",
    "stop": "Nothing is being sent.",
    "lift-fence": "No fence of abreast stands.",
    "lift-shields": "No shield of abreast stands.",
}
"""What there is to say where a command has nothing to act on."""


def _empty_text(state: ContainState) -> str:
    """Why no deletion is listed."""
    if state.look is not None and state.look.situation.is_unread:
        return "Not known: CloudStack could not be read."
    if state.is_past:
        return "Nothing, when CloudStack was last read."
    return "Nothing: no event, no job and no VM without its domain."


class CloserScreen(ConsoleScreen):
    """All there is on one rung or deletion."""

    SCOPE = "help"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("help")]

    def __init__(self, texts: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self._texts = texts

    def body(self) -> ComposeResult:
        yield Pager(lambda width: laid_out(self._texts, width), id="page")


class ContainScreen(ConsoleScreen):
    """One screen to look at, and to act from."""

    SCOPE = "contain"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("contain")]
    AUTO_FOCUS = "#ladder"

    def __init__(self) -> None:
        super().__init__()
        self._wanted: tuple[Look | None, Callable[[], Awaitable[None]]] | None = None
        """The rung asked for while CloudStack was being looked at, and the look that was there then."""

    def body(self) -> ComposeResult:
        yield ContainTitle()
        yield Rule("what is deleted", id="deletions-rule")
        yield DeletionList()
        yield Rule("what can be done, in this order", id="ladder-rule")
        yield Ladder()
        yield Closer()
        yield ResultLine()

    def on_mount(self) -> None:
        self.ladder = self.query_one(Ladder)
        self.deletions = self.query_one(DeletionList)
        self.console.rungs.look()
        self.follow("containing", lambda _: self.show())
        self.follow("console_mode", lambda _: self.show())
        self.follow("now", self._tick)

    def _tick(self, now: datetime) -> None:
        if self.is_current:
            self.console.rungs.tick(now)
        self._show_title(now)

    # --- what is shown ------------------------------------------------------------------------------------

    @property
    def state(self) -> ContainState:
        """What the App knows of containment."""
        return self.console.containing or ContainState()

    @property
    def look(self) -> Look | None:
        return self.state.look

    def show(self) -> None:
        """Show everything as the App has it now."""
        state, app = self.state, self.console
        self._show_title(app.now)
        may_take = app.console_mode.may_contain
        self.ladder.show(rung_views(state, may_take=may_take, read_only=self._read_only(), key=self.key_of))
        if state.look is not None:
            found = state.look.situation.deletions
            self.deletions.empty_text = _empty_text(state)
            self.deletions.show(found, past=state.is_past)
            elsewhere = state.look.situation.elsewhere
            more = f", and {elsewhere} outside of {app.session.environment.parent}" if elsewhere else ""
            verb = "was" if state.is_past else "is"
            self.query_one("#deletions-rule", Rule).show(f"what {verb} deleted: {len(found)}{more}")
        self.query_one(ResultLine).show(state)
        self.show_closer()
        self.refresh_bindings()
        self.show_keys()
        self._take_up()

    def _take_up(self) -> None:
        """What was asked for before the answer was there."""
        wanted = self._wanted
        if wanted is not None and self.look is not wanted[0] and not self.console.rungs.is_looking:
            self._wanted = None
            if self.is_current:
                self.call_later(wanted[1])

    def _show_title(self, now: datetime) -> None:
        self.query_one(ContainTitle).show(self.state, now=now, hint=self._hint())

    def _hint(self) -> str:
        read_only = self._read_only()
        return f"{read_only}. It shows everything, changes nothing" if read_only else "each step asks first"

    def _read_only(self) -> str:
        """Why no rung is taken; empty where they may be."""
        app = self.console
        if app.console_mode.may_contain:
            return ""
        if app.console_mode.watching:
            return "the wall only shows"
        if app.session.can_arm:
            return f"read-only: {self.key_of('arm')} arms"
        return "read-only: no key for writing is configured"

    @on(VirtualList.CursorMoved)
    def show_closer(self) -> None:
        """All that there is room for of what is under the cursor of the list that has the focus."""
        self.query_one(Closer).show(self._closer_texts())

    def on_descendant_focus(self) -> None:
        self.show_closer()

    def _closer_texts(self) -> list[tuple[str, str]]:
        if self.look is None:
            return []
        if self.focused is self.deletions:
            one = self.deletions.current
            return deletion_texts(one, past=self.state.is_past) if one is not None else []
        return rung_texts(self.state, min(self.ladder.cursor, len(self.look.ladder) - 1))

    # --- keys ---------------------------------------------------------------------------------------------

    def hint_rank(self, command: commands.Command) -> int:
        """What can be done comes before where one can go."""
        if command.id in _FIRST or (command.id == "arm" and not self.console.console_mode.may_contain):
            return 0
        return super().hint_rank(command) + 1

    def offers(self, command: commands.Command) -> bool:
        state, look = self.state, self.look
        if command.id == "release-brake":
            return state.is_braking
        if command.id == "brake":
            return not state.is_braking and not self._drill_has_no_brake()
        if command.id == "stop":
            return bool(state.doing) and self.console.rungs.is_taking
        if command.id == "lift-fence":
            return look is not None and bool(look.fences_standing)
        if command.id == "lift-shields":
            return look is not None and bool(look.shields_standing)
        return True

    def _drill_has_no_brake(self) -> bool:
        """Where nobody could mend it, the key is not shown; pressed it says why all the same."""
        look, is_looking = self.look, self.console.rungs.is_looking
        is_drill = self.console.session.environment.name == "drill"
        return is_drill and look is not None and bool(look.ladder[2].why_not) and not is_looking

    def why_not(self, command: commands.Command) -> str:
        if command.id == "brake" and self.look is not None and self._drill_has_no_brake():
            return f"Not possible here: {self.look.ladder[2].why_not}"
        return _IDLE.get(command.id, "") or super().why_not(command)

    async def action_recover(self) -> None:
        await self.console.open("recovery")

    async def action_history(self) -> None:
        await self.console.open("history")

    async def action_read_closer(self) -> None:
        texts = self._closer_texts()
        if texts:
            await self.app.push_screen(CloserScreen(texts))

    def action_stop(self) -> None:
        self.console.rungs.stop()

    def _possible(self, index: int, again: Callable[[], Awaitable[None]]) -> Look | None:
        """The last look, if the rung can be taken here and now; else it is said why not.

        While CloudStack is being asked, right after arming, the key is remembered until the answer is there.
        """
        look = self.look
        if look is None or (look.ladder[index].why_not and self.console.rungs.is_looking):
            self._wanted = (look, again)
            self.notify("Asking CloudStack first what it offers; this goes on by itself.")
            return None
        if look.ladder[index].why_not:
            self.notify(f"Not possible here: {look.ladder[index].why_not}", severity="warning", timeout=10)
            return None
        return look

    def _confirm(self, title: str, texts: Sequence[str], verb: str, act: Callable[[], bool]) -> AwaitMount:
        """Ask for the environment's own name; then do it, unless something else is being done."""
        name = self.console.identity.name
        question = ConfirmScreen(title, texts, name, verb)
        return self.app.push_screen(question, lambda yes: self._act_if(yes, act))

    def _act_if(self, confirmed: bool | None, act: Callable[[], bool]) -> None:
        if not confirmed:
            return
        if not self.console.console_mode.may_contain:
            self.notify("The console is read-only again: nothing was done.", severity="warning")
        elif not act():
            self.notify("Something else is being done: nothing was sent.", severity="warning")

    def _begin(self, started: bool, doing: str, total: int = 0) -> bool:
        if started:
            self.console.change_containing(doing=doing, done=0, total=total, steps=(), problem="")
        return started

    # --- fencing ------------------------------------------------------------------------------------------

    async def action_fence(self) -> None:
        """Ask who, where that is not certain; then ask for the environment's name."""
        look = self._possible(1, self.action_fence)
        if look is None:
            return
        if must_choose(look.callers):
            question = CallersScreen(look.callers, default_choice(look))
            await self.app.push_screen(question, lambda ids: self._fence_chosen(look, ids or frozenset()))
        else:
            await self._ask_to_fence(look, [look.callers[0]])

    def _fence_chosen(self, look: Look, ids: frozenset[str]) -> None:
        chosen = [view for view in look.callers if view.caller.user_id in ids and view.may_be_fenced]
        if chosen:
            self._ask_to_fence(look, chosen)

    def _ask_to_fence(self, look: Look, chosen: Sequence[CallerView]) -> AwaitMount:
        title = f"Fence {counted(len(chosen), 'user')} in {self.console.identity.title}?"
        return self._confirm(title, fence_facts(look, chosen), "Fence", lambda: self._fence(chosen))

    def _fence(self, chosen: Sequence[CallerView]) -> bool:
        doing = f"fencing {', '.join(view.caller.label for view in chosen)}"
        return self._begin(self.console.rungs.fence(chosen), doing)

    def action_lift_fence(self) -> None:
        """Both sides are read first: a sync whose stored ids are gone deletes what was rebuilt."""
        self._begin(self.console.rungs.read_fence_gate(), "reading both sides, before a fence is lifted")

    def ask_to_lift(self, why_keep: str) -> None:
        """Both sides were read: ask for the reason, and for a second name where one has to agree."""
        look = self.look
        if look is None or not look.fences_standing:
            return
        texts = [
            f"{one.action}, {one.at:%Y-%m-%d %H:%M} UTC by {one.operator}" for one in look.fences_standing
        ]
        fields = {"reason": "why it may be lifted; it is recorded"}
        if why_keep:
            texts = [
                why_keep,
                "So the sync would delete again: a second person has to agree.",
                *texts,
            ]
            fields["second"] = "name of the second person"

        def refuse(id: str, value: str) -> str:
            return self._why_not_second(why_keep, value) if id == "second" and value else ""

        form = FormScreen("Lift what was fenced?", texts, fields, "Go on", refuse=refuse)
        self.app.push_screen(form, lambda values: self._lift_fences(look, values or {}, why_keep))

    def _why_not_second(self, why_keep: str, second: str) -> str:
        from sync.errors import GuardError
        from sync.lifting import refuse_alone

        try:
            refuse_alone(why_keep, self.console.session.operator, second)
        except GuardError as error:
            return error.what
        return ""

    def _lift_fences(self, look: Look, values: Mapping[str, str], why_keep: str) -> None:
        if not values:
            return
        reason, second = values["reason"], values.get("second", "")
        because = reason + (f" (with {second})" if second else "")
        actions = frozenset(one.action for one in look.fences_standing)
        texts = [f"{one.action} is lifted, because {because}" for one in look.fences_standing]
        title = f"Lift {counted(len(actions), 'fence')} in {self.console.identity.title}?"
        self._confirm(
            title,
            texts,
            "Lift",
            lambda: self._begin(
                self.console.rungs.lift_fences(actions, reason=reason, why_keep=why_keep, second=second),
                "lifting the fence",
            ),
        )

    # --- the brake ----------------------------------------------------------------------------------------

    async def action_brake(self) -> None:
        look = self._possible(2, self.action_brake)
        if look is None:
            return
        rung = look.ladder[2]
        texts = [
            f"{rung.what[0].upper()}{rung.what[1:]}.",
            f"Does not stop: {rung.does_not_stop}.",
            f"Held until {self.key_of('release-brake')} gives it back, or this console ends.",
        ]
        title = f"Hold the brake in {self.console.identity.title}?"
        await self._confirm(
            title, texts, "Brake", lambda: self._begin(self.console.rungs.brake(look.release), "braking")
        )

    def action_release_brake(self) -> None:
        """At once: asking would only keep somebody waiting who wants CloudStack to go on."""
        self.console.rungs.release()

    # --- shields ------------------------------------------------------------------------------------------

    async def action_shield(self) -> None:
        look = self._possible(3, self.action_shield)
        if look is None:
            return
        candidates = look.shields.candidates
        if not candidates:
            self.notify("No domain is left that can have a shield and has none.")
            return
        rung = look.ladder[3]
        texts = [
            f"Delete protection on one VM in each of {counted(len(candidates), 'domain')}, largest first.",
            f"{len(look.shields.unshielded)} domains cannot have one: they stay without.",
            f"Does not stop: {rung.does_not_stop}.",
            f"Undo: {self.key_of('lift-shields')}, or {rung.undo}.",
        ]
        title = f"Shield {counted(len(candidates), 'domain')} in {self.console.identity.title}?"
        await self._confirm(
            title,
            texts,
            "Shield",
            lambda: self._begin(self.console.rungs.shield(candidates), "shielding", len(candidates)),
        )

    async def action_lift_shields(self) -> None:
        look = self.look
        if look is None or not look.shields_standing:
            return
        actions = frozenset(one.action for one in look.shields_standing)
        texts = [
            f"{one.target}, set {one.at:%Y-%m-%d %H:%M} UTC by {one.operator}"
            for one in look.shields_standing
        ]
        title = f"Lift {counted(len(actions), 'shield')} in {self.console.identity.title}?"
        await self._confirm(
            title,
            texts,
            "Lift",
            lambda: self._begin(
                self.console.rungs.lift_shields(actions), "lifting the shields", len(actions)
            ),
        )

    # --- evidence -----------------------------------------------------------------------------------------

    def action_evidence(self) -> None:
        """Beside the file of new passwords, under a name that no other file has."""
        from sync.evidence import file_for

        environment = self.console.session.environment
        path = file_for(environment.credential_file.parent, environment.name, self.console.utc_clock())
        if not self._begin(self.console.rungs.save_evidence(path), f"saving the evidence to {path}"):
            self.notify("Something else is being done: try again when it has ended.", severity="warning")
