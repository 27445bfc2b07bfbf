"""Execution: one line an action, live; stop; and at the end what came of each. It shows the App's run, whose
truth is in the ledger: leaving the screen changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands
from console.recovering import done_count, done_here, is_unfinished
from console.screens.base import ConsoleScreen
from console.state import RunPhase, RunState
from sync.model import Outcome
from widgets.action_details import ActionDetails
from widgets.cells import counted
from widgets.kinds import OUTCOME_CLASSES, outcome_text
from widgets.lines import Line, Lines, spread, wrap
from widgets.progress import ProgressLine
from widgets.run_list import RunList
from widgets.virtual_list import VirtualList

_PROBLEM_LINES = 4


class RunTitle(Lines):
    """Which run, how it stands in words, counts by outcome."""

    def __init__(self) -> None:
        super().__init__(id="run-title")
        self._run: RunState | None = None
        self._words = ""

    def show(self, run: RunState, words: str) -> None:
        """Show this run, and in words how it stands."""
        self._run, self._words = run, words
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        run = self._run
        if run is None:
            return [[(" Nothing runs.", "tone--muted")]]
        counts = Counter(result.outcome for result in run.results.values())
        outcomes: Line = [(" ", "")]
        for outcome in Outcome:
            if counts[outcome]:
                outcomes.append((f"{counts[outcome]} {outcome_text(outcome)}  ", OUTCOME_CLASSES[outcome]))
        words: list[Line] = [[(f" {line}", "tone--strong")] for line in wrap(self._words, width - 2)]
        wrapped = wrap(run.problem, width - 2)[:_PROBLEM_LINES] if run.problem else []
        problem: list[Line] = [[(f" {line}", "tone--bad")] for line in wrapped]
        name: Line = [(f"run {run.run_id} ", "tone--muted")] if run.run_id else []
        return [*words, *problem, spread(outcomes, name, width)]


def headline(run: RunState, key_of: Callable[[str], str]) -> str:
    """How the run stands, in words, with what happens next; `key_of` names the key of a command."""
    if run.phase is RunPhase.RUNNING:
        return f"{counted(run.total, 'action')} in order. {key_of('stop')} stops after the calls under way."
    if run.is_held:
        sent = "Pausing: what is under way ends" if run.phase is RunPhase.PAUSING else "Paused"
        return f"{sent}, nothing more is sent. {key_of('pause')} goes on, {key_of('stop')} ends it here."
    if run.phase is RunPhase.STOPPING:
        return "Stopping: nothing more is sent, what is under way is followed to its end."
    if run.has_not_begun:
        return "It did not begin. Nothing was sent; what was confirmed stays confirmed."
    if run.phase is RunPhase.FAILED:
        return (
            f"It could not go on; the ledger has every step. {key_of('recover')} finishes it in the recovery."
        )
    if is_unfinished(run):
        return f"Ended before its end. {key_of('recover')} finishes it in the recovery."
    undone = sum(result.outcome is not Outcome.SUCCEEDED for result in run.results.values())
    if undone:
        return (
            f"Finished, {undone} of {run.total} not done. {key_of('next-failure')} finds what stays staged."
        )
    return f"Finished. Both sides are read anew; {key_of('back')} goes back."


class ExecutionScreen(ConsoleScreen):
    """The App's run."""

    SCOPE = "execution"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("execution")]
    AUTO_FOCUS = "#run"

    def body(self) -> ComposeResult:
        yield RunTitle()
        yield ProgressLine()
        yield RunList(id="run")
        yield ActionDetails()

    def on_mount(self) -> None:
        self.list = self.query_one(RunList)
        self.follow("run_state", self._take_run)
        self.follow("now", lambda _: self.show_progress())

    def _take_run(self, run: RunState | None) -> None:
        if run is None:
            return
        self.query_one(RunTitle).show(run, headline(run, self.key_of))
        self.list.show(run.plan.actions, results=run.results, active=run.active)
        self.show_progress()
        self.show_action()

    def show_progress(self) -> None:
        """The bar, the rate and what is left."""
        run = self.console.run_state
        if run is None:
            return
        end = run.ended_at or self.console.utc_clock()
        failed = sum(result.outcome in (Outcome.FAILED, Outcome.UNKNOWN) for result in run.results.values())
        self.query_one(ProgressLine).show(
            done_count(run),
            run.total,
            elapsed=max(0.0, (end - run.started_at).total_seconds()),
            failed=failed,
            done_here=done_here(run),
            words=run.words,
            note=run.note if run.is_going_on else "",
            left=self.console.operations.seconds_left(),
        )

    @on(VirtualList.CursorMoved)
    def show_action(self) -> None:
        """The action under the cursor in full, with what came of it."""
        run, action = self.console.run_state, self.list.current
        result = run.results.get(action.id) if run is not None and action is not None else None
        self.query_one(ActionDetails).show(action, result)
        self.refresh_bindings()

    # --- keys ---------------------------------------------------------------------------------------------

    def offers(self, command: commands.Command) -> bool:
        run = self.console.run_state
        if run is None:
            return command.id == "history"
        if command.id == "open":
            return self.list.current is not None
        if command.id in ("stop", "pause"):
            return self.offers_to_hold(command)
        if command.id == "recover":
            return is_unfinished(run) and not run.has_not_begun
        if command.id == "next-failure":
            return any(result.outcome is not Outcome.SUCCEEDED for result in run.results.values())
        return True

    def go_back(self) -> bool:
        """Past a review in which nothing is left: one step back from it is where it was opened."""
        below = self.app.screen_stack[-2] if len(self.app.screen_stack) > 1 else None
        if getattr(below, "SCOPE", "") != "review" or self.console.staged or len(self.app.screen_stack) < 3:
            return False
        self.app.pop_screen()
        self.app.pop_screen()
        return True

    def action_next_failure(self) -> None:
        """The next action that did not succeed."""
        run = self.console.run_state
        if run is None:
            return
        bad = [
            index
            for index, action in enumerate(run.plan.actions)
            if action.id in run.results and run.results[action.id].outcome is not Outcome.SUCCEEDED
        ]
        if bad:
            self.list.cursor = next((index for index in bad if index > self.list.cursor), bad[0])

    @on(VirtualList.Chosen)
    async def action_open(self) -> None:
        """The whole of what came of the action under the cursor."""
        await self.console.open_result(self.console.run_state, self.list.current)

    async def action_recover(self) -> None:
        await self.console.open("recovery")

    async def action_history(self) -> None:
        await self.console.open("history")
