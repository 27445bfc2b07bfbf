"""Recovery: from containing to handing over. A guided path whose steps are always in sight.

The screen keeps what is chosen and which step is looked at; the run, its proof and the files are the App's.
"""

from __future__ import annotations

import time
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message

from console import commands
from console.faults import as_error
from console.half_made import HalfMade
from console.ledger_run import LedgerRun
from console.rebuild_plan import plan_for
from console.recovering import (
    Choice,
    chosen,
    done_count,
    done_here,
    failures,
    groups,
    is_unfinished,
    left_open,
    noteworthy,
    questions,
    waves,
)
from console.recovery_steps import Step, current, steps
from console.screens.confirm import ConfirmScreen
from console.screens.recovery_path import PathScreen
from console.state import RunPhase, RunState
from sync.errors import AbreastError
from sync.loss_basis import basis_in_short
from sync.loss_ledger import fate_totals
from sync.model import Drift, Plan
from sync.recoverable import left_words
from sync.recovery import Assessment, Finding, assess
from widgets.cells import counted
from widgets.findings import FindingList, FindingNote
from widgets.loss_bar import LossBar
from widgets.pager import Pager
from widgets.progress import ProgressLine
from widgets.recovery_title import RecoveryTitle
from widgets.result_note import ResultNote
from widgets.run_list import RunList
from widgets.steps import Steps
from widgets.virtual_list import VirtualList
from widgets.waves import Waves

_PAUSE_SECONDS = 0.2
"""A run's progress is drawn at most this often, and less often where drawing a large one takes its time."""


class RecoveryScreen(PathScreen):
    """The guided path."""

    SCOPE = "recovery"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("recovery")]
    AUTO_FOCUS = "#findings"

    class Assessed(Message):
        """A comparison was assessed."""

        def __init__(self, generation: int, drift: Drift, assessment: Assessment) -> None:
            super().__init__()
            self.generation = generation
            self.drift = drift
            self.assessment = assessment

    class Planned(Message):
        """The plan of what was chosen was made."""

        def __init__(self, generation: int, plan: Plan) -> None:
            super().__init__()
            self.generation = generation
            self.plan = plan

    class NotAssessed(Message):
        """A comparison could not be assessed."""

        def __init__(self, generation: int, error: AbreastError) -> None:
            super().__init__()
            self.generation = generation
            self.error = error

    class Refused(Message):
        """The plan could not be made; the question that waits for it says so."""

        def __init__(self, generation: int, error: AbreastError) -> None:
            super().__init__()
            self.generation = generation
            self.error = error

    def __init__(self) -> None:
        super().__init__()
        self._assessing = 0
        self._planning = 0
        """Generations of what was asked for last; what is older is dropped."""
        self._question: ConfirmScreen | None = None
        """What is asked about the plan, or will be when it is made."""
        self._planned: Plan | None = None
        """The plan that the question is about."""
        self._phase: RunPhase | None = None
        """Of the run that goes on; None while none does."""
        self._is_show_due = False
        self._pause = _PAUSE_SECONDS
        self._half_made = HalfMade(lambda: self.console.session.ledger)
        self._recalled = ""
        """The newest run of the ledger when it was asked for the last rebuild."""

    def body(self) -> ComposeResult:
        yield RecoveryTitle()
        yield Steps()
        with Vertical(id="assess", classes="step-panel"):
            yield LossBar()
            yield FindingList(id="findings")
            yield FindingNote()
        with Vertical(id="rebuild", classes="step-panel"):
            yield ProgressLine()
            yield Waves()
            yield RunList(id="troubles")
            yield ResultNote()
        yield Pager(self.page, id="after")

    def on_mount(self) -> None:
        self.findings = self.query_one(FindingList)
        self.troubles = self.query_one(RunList)
        self.follow("drift", self._assess)
        self.follow("run_state", self._take_run)
        self.follow("ledger_run", self._recall)
        for name in (
            "situation",
            "rebuild_run",
            "ledger_run",
            "aftermath",
            "console_mode",
            "rehearsal",
            "restoring",
            "reporting",
        ):
            self.follow(name, lambda _: self.show())
        self.follow("ledger_fault", self.take_ledger_fault)
        self.follow("now", lambda _: self._show_time())
        if self.console.session.can_arm:
            self.console.operations.ask_ledger()

    # --- in threads ---------------------------------------------------------------------------------------

    def _assess(self, drift: Drift | None) -> None:
        """Group the rows by what happened to them; the newest comparison counts."""
        if drift is None:
            return
        self.tell()
        self._assessing += 1
        generation, now = self._assessing, self.console.utc_clock()
        is_of_run = self.console.operations.is_going_on

        def work() -> None:
            try:
                # While a run makes them, they are half-made on their way.
                left = frozenset() if is_of_run else self._half_made.keys()
                found = assess(drift, self.console.session.rules, now=now, left=left)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                self.post_message(self.NotAssessed(generation, as_error(error, doing="assessing the damage")))
            else:
                self.post_message(self.Assessed(generation, drift, found))

        self.console.run_in_background(work, name="assess")

    def _plan(self, drift: Drift, keys: frozenset[str]) -> None:
        self._planning += 1
        generation, now = self._planning, self.console.utc_clock()
        from sync.approval import refuse_unsigned

        def work() -> None:
            try:
                plan = plan_for(self.console.session, drift, keys, now=now, situation=self.console.situation)
                refuse_unsigned(plan, self.console.session.environment.approvals, now=now)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                self.post_message(self.Refused(generation, as_error(error, doing="planning the rebuild")))
            else:
                self.post_message(self.Planned(generation, plan))

        self.console.run_in_background(work, name="plan the rebuild")

    @on(Assessed)
    def _take_assessment(self, message: Assessed) -> None:
        if message.generation == self._assessing:
            self._drift, self.assessment, self._problem = message.drift, message.assessment, ""
            self.show()

    @on(NotAssessed)
    def _take_breakage(self, message: NotAssessed) -> None:
        if message.generation == self._assessing:
            self._say(message.error)

    def _say(self, error: AbreastError) -> None:
        self._problem = str(error)
        self.console.show_error(error)
        self.show()

    @on(Refused)
    def _take_refusal(self, message: Refused) -> None:
        if message.generation != self._planning:
            return
        self._say(message.error)
        if self._planned is None and self._question is not None and self._question.is_current:
            self._question.put("There is no plan.", [self._problem], None)

    @on(Planned)
    def _take_plan(self, message: Planned) -> None:
        """Ask about the very plan that would run: totals, samples, and its number typed."""
        question = self._question
        if message.generation != self._planning or question is None or not question.is_current:
            return
        plan = self._planned = message.plan
        projects = len({action.project for action in plan.actions})
        title = f"Rebuild {counted(projects, 'project')} in {self.console.identity.title}?"
        texts = [*self.console.rehearsals.said_of(plan), *questions(plan.actions)]
        question.put(title, texts, str(len(plan.actions)))

    def _run_if(self, confirmed: bool | None) -> None:
        plan, self._planned, self._question = self._planned, None, None
        if confirmed and plan is not None:
            self.run_rebuild(plan)

    def _take_run(self, run: RunState | None) -> None:
        """Show a new phase at once, and what happens within it as often as drawing it is worth."""
        phase = run.phase if run is not None and run.is_going_on else None
        if phase is None or phase is not self._phase:
            self._phase = phase
            self.show()
        elif not self._is_show_due:
            self._is_show_due = True
            self.set_timer(self._pause, self._show_late)

    def _recall(self, found: LedgerRun | None) -> None:
        """Once for each run that ends elsewhere, or ended before this console: what was rebuilt is shown."""
        if found is not None and found.is_over and found.run_id != self._recalled:
            self._recalled = found.run_id
            self.console.operations.recall()

    def _show_late(self) -> None:
        started = time.monotonic()
        self._is_show_due = False
        self.show()
        self._pause = max(_PAUSE_SECONDS, 10 * (time.monotonic() - started))

    # --- what is shown ------------------------------------------------------------------------------------

    @property
    def chosen(self) -> tuple[Finding, ...]:
        """What is to be rebuilt."""
        return chosen(self.assessment, self.choice) if self.assessment is not None else ()

    @property
    def shown_run(self) -> RunState | None:
        """The rebuild whose progress is shown: this console's, or what is known of an interrupted run."""
        found = self.console.ledger_run
        left = found if found is not None and found.run_id != self.left_run else None
        return self.rebuild_run or left_open(left)

    def show(self) -> None:
        """Show the steps and the panel of the one that is looked at; a new step is looked at by itself."""
        if not self.is_attached:
            return
        situation = self.situation()
        now = current(situation)
        if now is not self._current:
            self._current = self._viewed = now
        self.query_one(Steps).show(steps(situation, viewed=self._viewed))
        self._show_panel()
        if self._viewed is Step.ASSESS:
            self._show_findings()
        elif self._viewed is Step.REBUILD:
            self._show_run()
        else:
            self.query_one(Pager).refill()
        self.refresh_bindings()
        self.show_keys()

    def _show_panel(self) -> None:
        panels = {"assess": Step.ASSESS, "rebuild": Step.REBUILD}
        for id, step in panels.items():
            self.query_one(f"#{id}").display = self._viewed is step
        self.query_one("#after").display = self._viewed not in panels.values()
        focus: VirtualList = self.query_one(Pager)
        if self._viewed is Step.ASSESS:
            focus = self.findings
        elif self._viewed is Step.REBUILD:
            focus = self.troubles
        if self.focused is not focus:
            self.set_focus(focus)

    def _show_findings(self) -> None:
        assessment = self.assessment
        if assessment is None:
            return
        self.findings.empty_text = "Nothing is missing, hollow or dying."
        self.findings.show(
            groups(assessment, self.returnable),
            chosen={finding.key for finding in self.chosen},
            losses=self.fates(),
            has_boxes=not self._has_no_choice(),
        )
        self._show_losses()

    def _show_losses(self) -> None:
        """Against what they are told, their sum, and what can still be brought back, second by second."""
        found = self.losses
        basis = "what was lost is being told…"
        if found is not None:
            basis = basis_in_short(found.basis, self.console.utc_clock())
        totals = fate_totals(found.ledger) if found is not None else {}
        self.query_one(LossBar).show(
            basis,
            totals,
            is_poor=found is not None and found.basis.taken_at is None,
            recovery=self.recovery_words(),
        )

    def _show_time(self) -> None:
        self.show_progress()
        if self._viewed is Step.ASSESS and self.returnable:
            self._show_losses()
            self.show_finding()

    def keys_under_cursor(self) -> list[str]:
        return [finding.key for finding in self.findings.current] if self.is_mounted else []

    def _show_run(self) -> None:
        run = self.shown_run
        self.troubles.empty_text = (
            "Nothing has been sent." if run is None else "No failure, nothing under way."
        )
        self.query_one(Waves).show(waves(run.plan.actions, run.results, run.active) if run else ())
        if run is not None:
            self.troubles.show(noteworthy(run), results=run.results, active=run.active)
        self.query_one(ProgressLine).display = run is not None
        self.show_progress()
        self.show_result()

    def show_progress(self) -> None:
        """The bar, the rate and what is left."""
        run = self.shown_run
        if run is None or self._viewed is not Step.REBUILD:
            return
        now = self.console.utc_clock()
        self.query_one(ProgressLine).show(
            done_count(run),
            run.total,
            elapsed=max(0.0, ((run.ended_at or now) - run.started_at).total_seconds()),
            failed=failures(run),
            done_here=done_here(run),
            words="not finished" if is_unfinished(run) else run.words,
            note=run.note if run.is_going_on else "",
            left=self.console.operations.seconds_left(),
        )

    @on(VirtualList.CursorMoved, "#findings")
    def show_finding(self) -> None:
        """What is under the cursor: why, and what is done about it."""
        here, more = self.returnable_here(), ""
        if here and isinstance(self.findings.item, Finding):
            left = left_words(here[0].until, self.console.utc_clock())
            more = f"{counted(len(here), 'destroyed VM')} can be brought back, the first: {left}"
        self.query_one(FindingNote).show(self.findings.item, more)
        self.refresh_bindings()

    @on(VirtualList.CursorMoved, "#troubles")
    def show_result(self) -> None:
        """What came of the action under the cursor."""
        run, action = self.shown_run, self.troubles.current
        result = run.results.get(action.id) if run is not None and action is not None else None
        self.query_one(ResultNote).show(result)

    # --- keys ---------------------------------------------------------------------------------------------

    def offers(self, command: commands.Command) -> bool:
        is_going_on = self.console.operations.is_going_on
        if command.id == "open" and self._viewed is Step.REBUILD:
            return self.troubles.current is not None
        if command.id in ("choose", "choose-all", "open"):
            return self._viewed is Step.ASSESS and self.assessment is not None
        if command.id in ("losses", "other-capture"):
            return self._viewed is Step.ASSESS and self.losses is not None
        if command.id in ("recover-vms", "recover-all-vms"):
            vms = self.returnable_here() if command.id == "recover-vms" else self.returnable
            return self._viewed is Step.ASSESS and bool(vms) and not is_going_on
        if command.id in ("rebuild", "rehearse"):
            is_proven = self.assessment is not None and not self.assessment.unproven
            is_free = not is_going_on and not self._has_no_choice()
            return self._viewed is Step.ASSESS and is_proven and bool(self.chosen) and is_free
        if command.id == "write-report":
            state = self.console.reporting
            return state is None or not state.is_going_on
        if command.id in ("resume", "leave-run", "break-lease"):
            return self.offers_to_finish(command)
        if command.id in ("stop", "pause"):
            return self.offers_to_hold(command)
        if command.id == "next-failure":
            return (
                self._viewed is Step.REBUILD and self.shown_run is not None and failures(self.shown_run) > 0
            )
        return True

    def _has_no_choice(self) -> bool:
        """Whether a run goes on elsewhere, or an interrupted one comes first, unless rows are chosen here; or
        this is a replay."""
        if self.console.console_mode.replaying:
            return True
        found = self.console.ledger_run
        if found is None or found.is_held:
            return found is not None
        return found.can_be_finished and self.choice == Choice() and found.run_id != self.left_run

    def key_label(self, command: commands.Command) -> str:
        if command.id == "recover-all-vms":
            return f"all {counted(len(self.returnable), 'VM')}"
        return f"rebuild {len(self.chosen)}" if command.id == "rebuild" else super().key_label(command)

    def action_choose(self) -> None:
        self.choice = self.choice.toggled(self.findings.current)
        is_one = isinstance(self.findings.item, Finding)
        self.show()
        if is_one:
            self.findings.action_cursor(1)

    def action_choose_all(self) -> None:
        if self.assessment is not None:
            self.choice = self.choice.toggled(self.assessment.to_rebuild)
            self.show()

    def to_rebuild(self) -> tuple[Drift | None, frozenset[str]]:
        return self._drift, frozenset(finding.key for finding in self.chosen)

    async def action_rebuild(self) -> None:
        """Ask at once, so that a number typed behind the key finds its box; the plan is shown when made."""
        drift, keys = self.to_rebuild()
        if drift is None or not keys:
            return
        self._problem, self._planned = "", None
        title = f"Rebuild {counted(len(keys), 'project')} in {self.console.identity.title}?"
        self._question = ConfirmScreen(title, ["What has to be done is being worked out."], None, "Rebuild")
        await self.console.ask(self._question, self._run_if)
        self._plan(drift, keys)

    def action_next_failure(self) -> None:
        """The failures stand first: the next one of them."""
        run = self.shown_run
        if run is not None and (bad := failures(run)):
            self.troubles.cursor = (self.troubles.cursor + 1) % bad

    @on(VirtualList.Chosen, "#findings")
    @on(VirtualList.Chosen, "#troubles")
    async def action_open(self) -> None:
        if self._viewed is Step.REBUILD:
            await self.console.open_result(self.shown_run, self.troubles.current)
            return
        item = self.findings.item
        if isinstance(item, Finding):
            await self.console.open("project", item.key)
