"""Review: the staged actions in their order. Each is confirmed on its own, or many of one kind by their
count; only what is confirmed runs."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands
from console.screens.base import ConsoleScreen
from console.screens.confirm import ConfirmScreen, QuestionScreen
from console.state import without_dependents
from sync.model import Action, Plan, Reversibility
from widgets.action_details import ActionDetails, changes
from widgets.cells import counted, fit
from widgets.lines import Line, Lines, spread
from widgets.run_list import PlanList
from widgets.virtual_list import VirtualList

SAMPLES = 5


class PlanTitle(Lines):
    """How many are staged and confirmed, the digest, when it expires, what to do next."""

    def __init__(self) -> None:
        super().__init__(id="plan-title")
        self._facts = ""
        self._seal = ""
        self._next = ""

    def show(self, facts: str, seal: str, next_step: str) -> None:
        """Show these."""
        self._facts, self._seal, self._next = facts, seal, next_step
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        head = spread([(f" {self._facts}", "tone--strong")], [(f"{self._seal} ", "tone--muted")], width)
        return [head, [(fit(f" {self._next}", width), "tone--key")]]


class ReviewScreen(ConsoleScreen):
    """The staged plan."""

    SCOPE = "review"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("review")]
    AUTO_FOCUS = "#plan"

    def __init__(self) -> None:
        super().__init__()
        self.confirmed: frozenset[str] = frozenset()
        self._running_plan = 0
        """Number of the plan that was asked for in order to run it; 0 while none was."""

    def body(self) -> ComposeResult:
        yield PlanTitle()
        yield PlanList(id="plan")
        yield ActionDetails()

    def on_mount(self) -> None:
        self.list = self.query_one(PlanList)
        self.follow("staged", self._take_staged)
        self.follow("plan", self._take_plan)
        self.follow("plan_fault", lambda _: self.show_title())
        self.follow("console_mode", lambda _: self.show_title())
        self.follow("now", lambda _: self.show_title())

    # --- what is shown ------------------------------------------------------------------------------------

    def _take_staged(self, staged: tuple[Action, ...]) -> None:
        """What was staged changed: a confirmation only holds for the very action that was confirmed."""
        before = {action.id: action for action in getattr(self, "_shown", ())}
        still = {action.id for action in staged if before.get(action.id, action) == action}
        self.confirmed &= still
        self._shown = staged
        self.list.show(staged, confirmed=self.confirmed)
        if staged:
            self.console.operations.make_plan(staged)
        self.show_title()

    def _take_plan(self, plan: Plan | None) -> None:
        """The plan puts the actions into an order that can be executed: show it in that order."""
        if plan is None:
            return
        if self._running_plan and self.console.operations.is_latest_plan(self._running_plan):
            self._running_plan = 0
            if self.console.operations.execute(plan):
                self.console.open("execution")
            return
        ids = {action.id for action in plan.actions}
        if ids == {action.id for action in self._shown} and plan.actions != self._shown:
            self._shown = plan.actions
            self.console.set_reactive(type(self.console).staged, plan.actions)
            self.list.show(plan.actions, confirmed=self.confirmed)
        self.show_title()

    def show_title(self) -> None:
        """Counts, seal, and what to do next."""
        staged = self.console.staged
        facts = f"{counted(len(staged), 'action')} staged, {len(self.confirmed)} confirmed"
        self.query_one(PlanTitle).show(facts, self._seal(), self._next_step())
        self.refresh_bindings()

    def _seal(self) -> str:
        plan = self.console.plan
        if plan is None or not self.console.staged:
            return ""
        minutes = max(0, int((plan.expires_at - self.console.now).total_seconds() // 60))
        return f"digest {plan.digest[:12]}, expires in {minutes} min"

    def _next_step(self) -> str:
        if self.console.plan_fault:
            return self.console.plan_fault
        if not self.console.staged:
            return "Nothing is staged. esc goes back; space stages the row under the cursor."
        if not self.console.console_mode.armed:
            return "Read-only: A arms the console, then every action is confirmed by itself."
        if not self.confirmed:
            return "enter confirms the action under the cursor, K all of its kind. Nothing is deleted."
        chosen = counted(len(self.confirmed), "confirmed action")
        return f"x runs the {chosen}; what is not confirmed stays staged."

    @on(VirtualList.CursorMoved)
    def show_action(self) -> None:
        """The action under the cursor in full."""
        self.query_one(ActionDetails).show(self.list.current)
        self.refresh_bindings()

    # --- keys ---------------------------------------------------------------------------------------------

    def offers(self, command: commands.Command) -> bool:
        if not self.is_mounted or self.list.current is None:
            return False
        if command.id == "run":
            return bool(self.confirmed) and not self.console.operations.is_going_on
        return True

    def action_confirm_one(self) -> None:
        """Ask about the action under the cursor; a second time takes the confirmation back."""
        action = self.list.current
        if action is None:
            return
        if action.id in self.confirmed:
            self._unconfirm(action)
            return
        question = QuestionScreen(
            f"{action.kind.value} {action.target}?", _facts(action, self._needed(action)), "Confirm"
        )
        self.app.push_screen(question, lambda yes: self._confirm((action,)) if yes else None)

    def action_confirm_kind(self) -> None:
        """Ask about all actions of this kind at once: totals, five samples, and their count typed."""
        action = self.list.current
        if action is None:
            return
        same = tuple(
            one
            for one in self.console.staged
            if one.kind is action.kind and one.reversibility is not Reversibility.IRREVERSIBLE
        )
        total = len(same)
        lines = [
            f"{total} × {action.kind.value} in {self.console.identity.title}:",
            *(f"  {one.target}" for one in same[:SAMPLES]),
        ]
        if total > SAMPLES:
            lines.append(f"  … and {total - SAMPLES} more")
        question = ConfirmScreen(f"Confirm {counted(total, 'action')} of one kind?", lines, str(total))
        self.app.push_screen(question, lambda yes: self._confirm(same) if yes else None)

    def _needed(self, action: Action) -> list[str]:
        return [id for id in action.needs if id not in self.confirmed]

    def _confirm(self, actions: tuple[Action, ...]) -> None:
        present = {action.id: action for action in self.console.staged}
        self.confirmed |= {action.id for action in actions if present.get(action.id) == action}
        self.list.show(self.console.staged, confirmed=self.confirmed)
        self.list.action_cursor(1)
        self.show_title()

    def _unconfirm(self, action: Action) -> None:
        self.confirmed -= {action.id}
        self.list.show(self.console.staged, confirmed=self.confirmed)
        self.show_title()

    def action_take_out(self) -> None:
        """Take the action under the cursor out of the plan, and what needs it."""
        action = self.list.current
        if action is None:
            return
        rest = without_dependents(self.console.staged, action.id)
        gone = len(self.console.staged) - len(rest)
        self.console.staged = rest
        if gone > 1:
            self.notify(f"Taken out, with {counted(gone - 1, 'action')} that needed it.")

    def action_move(self, by: int) -> None:
        """Move the action under the cursor by one, where the order permits."""
        from sync.errors import AbreastError
        from sync.plan import move

        action, plan = self.list.current, self.console.plan
        if action is None or plan is None:
            return
        try:
            moved = move(plan, action.id, by)
        except AbreastError as error:
            self.notify(str(error), severity="warning")
            return
        self.console.plan = moved

    def action_run(self) -> None:
        """Run what is confirmed, and nothing else."""
        confirmed = tuple(action for action in self.console.staged if action.id in self.confirmed)
        ids = {action.id for action in self.console.staged}
        missing = Counter(id for one in confirmed for id in one.needs if id in ids - self.confirmed)
        if missing:
            self.notify(f"Confirm first what they need: {', '.join(missing)}.", severity="warning")
            return
        self._running_plan = self.console.operations.make_plan(confirmed)


def _facts(action: Action, needs: list[str]) -> list[str]:
    """What a person has to know before saying yes to one action."""
    lines = [f"{name}: {old} → {new}" for name, old, new in changes(action)]
    lines += ["", f"Why: {action.reason}", f"To undo ({action.reversibility.value}): {action.undo or '–'}"]
    if needs:
        lines.append(f"Needs, not confirmed yet: {', '.join(needs)}")
    return lines
