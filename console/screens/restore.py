"""Restore: what a rebuild does not make, from a capture and archives. What it goes by, what it would make and
what not, the run, what came of it. All of it is the App's: leaving the screen changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from console import commands
from console.recovering import done_count, done_here, failures, noteworthy, questions, waves
from console.restore_pages import Scene, page
from console.restore_state import Restoring, Wish
from console.screens.confirm import ConfirmScreen
from console.screens.contain_questions import FormScreen
from console.screens.resuming import ResumingScreen
from console.state import RunState
from widgets.cells import counted
from widgets.lines import Line
from widgets.pager import Pager
from widgets.progress import ProgressLine
from widgets.recovery_title import RecoveryTitle
from widgets.result_note import ResultNote
from widgets.run_list import RunList
from widgets.virtual_list import VirtualList
from widgets.waves import Waves

_FIELDS = {
    "capture": "Capture: a file, or when one was taken (12h). Empty: by itself",
    "archive": "Folder of the archives. Empty: the environment's",
    "serve": "Given to CloudStack from HOST[:PORT]. Empty: the environment's",
    "zone": "Zone that is closed to others meanwhile. Empty: none",
    "projects": "Projects, between spaces. Empty: all",
}


class RestoreScreen(ResumingScreen):
    """The restore of this console."""

    SCOPE = "restore"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("restore")]
    AUTO_FOCUS = "#restore-page"

    def __init__(self) -> None:
        super().__init__()
        self._is_run_viewed = False
        self._question: tuple[ConfirmScreen, Restoring] | None = None

    def body(self) -> ComposeResult:
        yield RecoveryTitle("RESTORE", "what a rebuild does not make, from a capture")
        yield Pager(self.page, id="restore-page")
        with Vertical(id="restore-run", classes="step-panel"):
            yield ProgressLine()
            yield Waves()
            yield RunList(id="troubles")
            yield ResultNote()

    def on_mount(self) -> None:
        self.troubles = self.query_one(RunList)
        state, run = self.console.restoring, self.console.run_state
        self._is_run_viewed = run is not None and run.is_restore and run.is_going_on
        if state is None or state.problem:
            self.console.restores.begin(state.wish if state is not None else None)
        for name in ("restoring", "ledger_run", "console_mode"):
            self.follow(name, lambda _: self.show())
        self.follow("run_state", self._take_run)
        self.follow("ledger_fault", self.take_ledger_fault)
        self.follow("now", lambda _: self.show_progress())
        if self.console.session.can_arm:
            self.console.operations.ask_ledger()

    @property
    def run(self) -> RunState | None:
        """The App's run, if it is a restore."""
        run = self.console.run_state
        return run if run is not None and run.is_restore else None

    def _take_run(self, run: RunState | None) -> None:
        """What begins is looked at; what ends gives way to what comes of it."""
        if run is not None and run.is_restore and not run.is_going_on:
            self._is_run_viewed = False
        self.show()

    # --- what is shown ------------------------------------------------------------------------------------

    def scene(self) -> Scene:
        """All that the page depends on, as the App has it now."""
        app = self.console
        return Scene(
            state=app.restoring or Restoring(0, Wish()),
            key=self.key_of,
            is_armed=app.console_mode.armed,
            can_arm=app.session.can_arm,
            run=app.run_state,
            ledger_run=app.ledger_run,
            environment=app.session.environment.name,
        )

    def page(self, width: int) -> list[Line]:
        return page(self.scene(), width)

    def show(self) -> None:
        """Show the plan or the run, whichever is looked at."""
        if not self.is_attached:
            return
        is_run = self._is_run_viewed and self.run is not None
        self.query_one("#restore-run").display = is_run
        self.query_one(Pager).display = not is_run
        focus: VirtualList = self.troubles if is_run else self.query_one(Pager)
        if self.focused is not focus:
            self.set_focus(focus)
        if is_run:
            self._show_run()
        else:
            self.query_one(Pager).refill()
        self.refresh_bindings()
        self.show_keys()

    def _show_run(self) -> None:
        run = self.run
        if run is not None:
            self.troubles.empty_text = "No failure, nothing under way."
            self.query_one(Waves).show(waves(run.plan.actions, run.results, run.active))
            self.troubles.show(noteworthy(run), results=run.results, active=run.active)
            self.show_progress()
            self.show_result()

    def show_progress(self) -> None:
        """The bar, the rate and what is left."""
        run = self.run
        if run is None or not self._is_run_viewed:
            return
        end = run.ended_at or self.console.utc_clock()
        self.query_one(ProgressLine).show(
            done_count(run),
            run.total,
            elapsed=max(0.0, (end - run.started_at).total_seconds()),
            failed=failures(run),
            done_here=done_here(run),
            words=run.words,
            note=run.note if run.is_going_on else "",
            left=self.console.operations.seconds_left(),
        )

    @on(VirtualList.CursorMoved, "#troubles")
    def show_result(self) -> None:
        """What came of the action under the cursor."""
        run, action = self.run, self.troubles.current
        result = run.results.get(action.id) if run is not None and action is not None else None
        self.query_one(ResultNote).show(result)

    # --- keys ---------------------------------------------------------------------------------------------

    def offers(self, command: commands.Command) -> bool:
        state, is_going_on = self.console.restoring, self.console.operations.is_going_on
        if command.id == "run-restore":
            found = self.console.ledger_run
            is_free = not is_going_on and (found is None or found.is_over)
            return state is not None and state.is_ready and is_free
        if command.id == "restore-by":
            return not is_going_on
        if command.id == "restore-view":
            return self.run is not None
        if command.id == "open":
            return self._is_run_viewed and self.troubles.current is not None
        if command.id in ("resume", "break-lease"):
            return self.offers_to_finish(command)
        if command.id in ("stop", "pause"):
            return self.offers_to_hold(command)
        return True

    def key_label(self, command: commands.Command) -> str:
        state = self.console.restoring
        if command.id == "run-restore" and state is not None and state.plan is not None:
            return f"restore {len(state.plan.actions)}"
        if command.id == "restore-view":
            return "plan" if self._is_run_viewed else "run"
        return super().key_label(command)

    def read_own(self) -> None:
        """Plan anew, by what is read now; what came of a restore is waited for first."""
        state = self.console.restoring
        is_awaited = state is not None and state.is_run and state.ended is None and not state.problem
        if not self.console.operations.is_going_on and not is_awaited:
            self.console.restores.begin(state.wish if state is not None else None)

    @on(VirtualList.Chosen, "#troubles")
    async def action_open(self) -> None:
        """The whole of what came of the action under the cursor."""
        await self.console.open_result(self.run, self.troubles.current)

    def action_other_view(self) -> None:
        self._is_run_viewed = not self._is_run_viewed
        self.show()

    async def action_run_restore(self) -> None:
        """Ask about exactly what is shown."""
        state = self.console.restoring
        if state is None or state.plan is None or not state.is_ready:
            return
        actions = state.plan.actions
        texts = questions(actions)
        if state.zone is not None:
            texts.append(f"Zone {state.zone.name} is closed to others first, and opened again at the end.")
        title = f"Make {counted(len(actions), 'action')} of a restore in {self.console.identity.title}?"
        question = ConfirmScreen(title, texts, str(len(actions)), "Restore")
        self._question = question, state
        await self.console.ask(question, self._run_if)

    def _run_if(self, confirmed: bool | None) -> None:
        asked, self._question = self._question, None
        if not confirmed or asked is None:
            return
        self._is_run_viewed = True
        if not self.console.restores.execute(asked[1]):
            self._is_run_viewed = False
            self.notify(
                "Something else is going on, or planned by now: nothing was sent.", severity="warning"
            )
        self.show()

    def action_choose_wish(self) -> None:
        """Ask what it is to go by; then it is planned anew."""
        state = self.console.restoring
        values = asdict(state.wish if state is not None else Wish())
        form = FormScreen(
            "What is the restore to go by?", (), _FIELDS, "Plan", refuse=_why_not, values=values
        )
        self.app.push_screen(form, self._take_wish)

    def _take_wish(self, values: Mapping[str, str] | None) -> None:
        if values:
            self.console.restores.begin(Wish(**values))


def _why_not(id: str, value: str) -> str:
    if id == "archive" and value and not Path(value).expanduser().is_dir():
        return f"There is no folder {value}."
    return ""
