"""Review: the staged actions in their order. Each is confirmed on its own, or many of one kind by their
count; only what is confirmed runs."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands
from console.confirmations import chosen, confirm, unconfirmed_needs, without
from console.screens.base import ConsoleScreen
from console.screens.confirm import ConfirmScreen, QuestionScreen
from console.state import RunState
from sync.model import Action, Plan, Reversibility
from sync.plan import without_dependents
from widgets.action_details import ActionDetails, change_texts, describe, is_creation, undo_text
from widgets.action_list import object_of
from widgets.approval_lines import approval_words
from widgets.cells import clean, counted, fit
from widgets.lines import Line, Lines, spread, wrap
from widgets.radius_lines import effect_texts, effects_of, effects_of_all
from widgets.run_list import PlanList
from widgets.virtual_list import Piece, VirtualList

SAMPLES = 5
"""How many of many are shown before they are confirmed together."""

_FAULT_LINES = 3


class PlanTitle(Lines):
    """How many are staged and confirmed, the digest, when it expires, what to do next or what went wrong."""

    def __init__(self) -> None:
        super().__init__(id="plan-title")
        self._facts = ""
        self._seal = ""
        self._next = ""
        self._fault = ""
        self._notes: tuple[Piece, ...] = ()

    def show(
        self,
        facts: str,
        seal: str,
        *,
        next_step: str,
        effects: Piece = ("", ""),
        approval: Piece = ("", ""),
        fault: str = "",
    ) -> None:
        """Show these; `effects` is what all of it would stop or destroy, `approval` who signed it."""
        self._facts, self._seal, self._next, self._fault = facts, seal, next_step, fault
        self._notes = (effects, approval)
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        head = spread([(f" {self._facts}", "tone--strong")], [(f"{self._seal} ", "tone--muted")], width)
        fault: list[Line] = (
            [[(f" {line}", "tone--bad")] for line in wrap(self._fault, width - 2)[:_FAULT_LINES]]
            if self._fault
            else []
        )
        notes: list[Line] = [[(fit(f" {text}", width), tone)] for text, tone in self._notes if text]
        return [head, *notes, *fault, [(fit(f" {self._next}", width), "tone--key")]]


class ReviewScreen(ConsoleScreen):
    """The staged plan. What is confirmed of it is the App's, so that leaving the screen changes nothing."""

    SCOPE = "review"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("review")]
    AUTO_FOCUS = "#plan"

    def __init__(self) -> None:
        super().__init__()
        self._has_asked_to_run = False
        self._asked: tuple[Action, ...] = ()
        """What the plan was asked for last of."""
        self._generation = 0

    def body(self) -> ComposeResult:
        yield PlanTitle()
        yield PlanList(id="plan")
        yield ActionDetails()

    def on_mount(self) -> None:
        self.list = self.query_one(PlanList)
        self.follow("staged", self._take_staged)
        self.follow("confirmed", lambda _: self.show_actions())
        self.follow("radii", lambda _: self.show_actions())
        self.follow("actual", lambda _: self._compute_radii())
        self.follow("plan", self._take_plan)
        self.follow("run_state", self._take_run)
        for name in ("plan_fault", "console_mode", "submitted"):
            self.follow(name, lambda _: self.show_title())
        self.follow("now", lambda _: self._take_time())

    def on_screen_resume(self) -> None:
        self._plan_staged()
        self._compute_radii()

    # --- what is shown ------------------------------------------------------------------------------------

    def _take_staged(self, staged: tuple[Action, ...]) -> None:
        del staged
        self.show_actions()
        if self.is_in_front:
            self._plan_staged()
        self._compute_radii()

    def _compute_radii(self) -> None:
        """What would be stopped or destroyed is told anew for every other plan, and after every reading."""
        if self.is_in_front:
            self.console.radius_keeper.compute()

    @property
    def is_in_front(self) -> bool:
        """Whether no other screen is above (Textual's `is_current` is also true of the one just below)."""
        return self.app.screen is self

    def _plan_staged(self) -> None:
        """Have a plan made of what is staged, unless there is one, or something needed has just been done:
        the reading after a run proposes what is left of it anew."""
        staged = self.console.staged
        ids = {action.id for action in staged}
        is_whole = all(need in ids for action in staged for need in action.needs)
        operations = self.console.operations
        is_asked = self._asked == staged and operations.is_latest_plan(self._generation)
        if staged and is_whole and self.current_plan() is None and not is_asked:
            self._asked, self._generation = staged, operations.make_plan(staged)

    def current_plan(self) -> Plan | None:
        """The plan of exactly what is staged; None while there is none, or it is of something else."""
        plan, app = self.console.plan, self.console
        return (
            plan
            if plan is not None and plan.actions == app.staged and app.utc_clock() < plan.expires_at
            else None
        )

    def _take_plan(self, plan: Plan | None) -> None:
        """The plan puts the actions into an order that can be executed: show it in that order."""
        staged = self.console.staged
        if plan is not None and plan.actions != staged and _by_id(plan.actions) == _by_id(staged):
            self.console.set_reactive(type(self.console).staged, plan.actions)
            self.show_actions()
        self.show_title()

    def _take_time(self) -> None:
        """A plan that has expired is made anew; signatures beside it are looked at again."""
        app = self.console
        if app.plan is not None and app.utc_clock() >= app.plan.expires_at:
            self._asked = ()
        if self.is_in_front:
            self._plan_staged()
            app.approval_desk.look(now=app.utc_clock())
        self.show_title()

    def _take_run(self, run: RunState | None) -> None:
        """What was asked for here has begun: follow it."""
        if self._has_asked_to_run and run is not None and run.is_going_on:
            self._has_asked_to_run = False
            if self.is_in_front:
                self.console.open("execution")
        self.show_title()

    def show_actions(self) -> None:
        """Show what is staged and what of it is confirmed."""
        self.list.show(self.console.staged, confirmed=self.console.confirmed.keys())
        self.show_action()
        self.show_title()

    def show_title(self) -> None:
        """Counts, seal, and what to do next."""
        app = self.console
        if app.plan_fault and not app.operations.is_going_on:
            self._has_asked_to_run = False
        facts = f"{counted(len(app.staged), 'action')} staged, {len(app.confirmed)} confirmed"
        self.query_one(PlanTitle).show(
            facts,
            self._seal(),
            next_step=self._next_step(),
            effects=effects_of_all(app.staged, app.radii),
            approval=self._approval(),
            fault=app.plan_fault,
        )
        self.refresh_bindings()

    def _seal(self) -> str:
        plan = self.current_plan()
        if plan is None or not plan.actions:
            return ""
        minutes = max(0, int((plan.expires_at - self.console.now).total_seconds() // 60))
        return f"digest {plan.digest[:12]}, expires in {minutes} min"

    def _approval(self) -> Piece:
        """How the approval of the plan stands, in one line; nothing where it needs none."""
        plan, desk = self.current_plan(), self.console.approval_desk
        if plan is None or not desk.needed(plan):
            return ("", "")
        return approval_words(desk.needed(plan), desk.of(plan), key=self.key_of("approvals"))

    async def action_approvals(self) -> None:
        """Who has approved the plan, who is missing, what to send them."""
        await self.console.open("approvals")

    def _next_step(self) -> str:
        app = self.console
        key = self.key_of
        if app.operations.is_going_on:
            return (
                f"A run is going on; the next one can start when it has ended. {key('follow-run')} shows it."
            )
        if not app.staged:
            return f"{key('back')} goes back; {key('stage')} there stages the row under the cursor."
        if not app.console_mode.armed and not app.session.can_arm:
            return "Read-only: the configuration names no section as `write`, so nothing can be run."
        if not app.console_mode.armed:
            return f"Read-only: {key('arm')} arms the console, then every action is confirmed by itself."
        if not app.confirmed:
            one, many = key("confirm-one"), key("confirm-kind")
            return f"{one} confirms the action under the cursor, {many} all of its kind."
        rest = len(app.staged) - len(app.confirmed)
        others = "the other one stays staged" if rest == 1 else f"the other {rest} stay staged"
        left = f"; {others}" if rest else ""
        return f"{key('run')} runs {counted(len(app.confirmed), 'confirmed action')}{left}."

    @on(VirtualList.CursorMoved)
    def show_action(self) -> None:
        """The action under the cursor in full."""
        app = self.console
        unmet = [action.id for action in app.staged if action.id not in app.confirmed]
        action = self.list.current
        effects = effects_of(action, app.radii) if action is not None else ("", "")
        self.query_one(ActionDetails).show(action, unmet=unmet, effects=effects)
        self.refresh_bindings()

    # --- keys ---------------------------------------------------------------------------------------------

    def offers(self, command: commands.Command) -> bool:
        if not self.is_mounted or self.list.current is None:
            return False
        if command.id == "run":
            return bool(self.console.confirmed) and not self.console.operations.is_going_on
        return True

    def key_label(self, command: commands.Command) -> str:
        if command.id == "confirm-one" and self.list.cursor_key in self.console.confirmed:
            return "take back"
        if command.id == "run":
            return f"run {len(self.console.confirmed)}"
        return super().key_label(command)

    async def action_confirm_one(self) -> None:
        """Ask about the action under the cursor; a second time takes the confirmation back."""
        app, action = self.console, self.list.current
        if action is None:
            return
        if action.id in app.confirmed:
            app.confirmed = without(app.confirmed, {action.id})
            return
        if self._refuses(action):
            return
        texts = [
            *_facts(action, tuple(id for id in action.needs if id not in app.confirmed)),
            *effect_texts((action,), app.radii),
        ]
        title = f"{action.kind.value.capitalize()} {fit(object_of(action), 50).strip()}?"
        question: ConfirmScreen | QuestionScreen = QuestionScreen(title, texts, "Confirm")
        if action.reversibility is Reversibility.IRREVERSIBLE:
            question = ConfirmScreen(title, texts, object_of(action), is_destructive=True)
        await self.console.ask(question, lambda yes: self._confirm_one(action) if yes else None)

    def _confirm_one(self, action: Action) -> None:
        self._confirm((action,))
        self.list.action_cursor(1)

    async def action_confirm_kind(self) -> None:
        """Ask about all actions of this kind at once: totals, five samples, and their count typed."""
        action = self.list.current
        if action is None:
            return
        same = tuple(
            one
            for one in self.console.staged
            if one.kind is action.kind and one.reversibility is not Reversibility.IRREVERSIBLE
        )
        if not same:
            self.notify(f"“{action.kind.value}” cannot be undone: each is confirmed by itself.")
            return
        if self._refuses(*same):
            return
        total = len(same)
        title = f"Confirm {total} × {action.kind.value}?"
        texts = [*_totals(same, self.console.identity.title), *effect_texts(same, self.console.radii)]
        question = ConfirmScreen(title, texts, str(total))
        await self.console.ask(question, lambda yes: self._confirm(same) if yes else None)

    def _refuses(self, *actions: Action) -> bool:
        """Whether one of these cannot be confirmed or run, because nobody knows what it destroys; says so."""
        refusals = self.console.radius_keeper.refusals(actions)
        if refusals:
            action, why = refusals[0]
            self.notify(f"{describe(action.id)} cannot be confirmed. {why}", severity="error")
        return bool(refusals)

    async def action_blast_radius(self) -> None:
        """Every object that the actions would stop or destroy, beginning with the one under the cursor."""
        await self.console.open("radius", self.list.cursor_key)

    def _confirm(self, actions: tuple[Action, ...]) -> None:
        """Take the operator's word for these, as far as they are still what was shown."""
        app = self.console
        if not app.console_mode.armed:
            return
        app.confirmed = confirm(
            app.confirmed, actions, staged=app.staged, radii=app.radii, at=app.utc_clock()
        )
        changed = [action for action in actions if action.id not in app.confirmed]
        if changed:
            self.notify(
                f"{counted(len(changed), 'action')} changed while you were asked, and not confirmed: "
                f"{describe(changed[0].id)}{' …' if len(changed) > 1 else ''}",
                severity="warning",
            )

    def action_take_out(self) -> None:
        """Take the action under the cursor out of the plan, and what needs it."""
        action = self.list.current
        if action is None:
            return
        rest = without_dependents(self.console.staged, [action.id])
        gone = len(self.console.staged) - len(rest)
        self.console.staged = rest
        if gone > 1:
            self.notify(f"Taken out, with {counted(gone - 1, 'action')} that needed it.")

    def action_move(self, by: int) -> None:
        """Move the action under the cursor by one, where the order permits."""
        from sync.errors import AbreastError
        from sync.plan import move

        action, plan = self.list.current, self.current_plan()
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
        app = self.console
        lacking = unconfirmed_needs(app.confirmed, app.staged)
        if lacking:
            first = describe(lacking[0].id)
            more = f", and {len(lacking) - 1} more" if len(lacking) > 1 else ""
            self.notify(
                f"What is confirmed needs what is not: confirm “{first}”{more} first, or take it out.",
                severity="warning",
            )
            return
        if self._refuses(*chosen(app.confirmed, app.staged)):
            return
        self._has_asked_to_run = app.operations.run_confirmed(chosen(app.confirmed, app.staged))
        self.show_title()


def _by_id(actions: tuple[Action, ...]) -> dict[str, Action]:
    return {action.id: action for action in actions}


def _facts(action: Action, unmet: tuple[str, ...]) -> list[str]:
    """What a person has to know before saying yes to one action."""
    lines = [clean(action.target), *change_texts(action)]
    lines += ["", f"Why: {action.reason}", f"Undo: {undo_text(action)}"]
    if unmet:
        lines.append(f"Needs, not confirmed yet: {', '.join(describe(id) for id in unmet)}.")
    return lines


def _totals(actions: tuple[Action, ...], title: str) -> list[str]:
    """What a person has to know before saying yes to many actions of one kind."""
    total = len(actions)
    undoing = sorted({action.reversibility.value for action in actions})
    lines = [
        f"{total} × {actions[0].kind.value} in {title}, {', '.join(undoing)}:",
        *(f"  {_sample(one)}" for one in actions[:SAMPLES]),
    ]
    if total > SAMPLES:
        lines.append(f"  … and {total - SAMPLES} more")
    return lines


def _sample(action: Action) -> str:
    """One of many in a line: of a creation, the target says already what is created."""
    texts = change_texts(action)[is_creation(action) :]
    return f"{action.target}: {'; '.join(texts)}" if texts else action.target
