"""What takes long and changes things: planning, executing, resuming. Owned by the App, never by a screen,
and never exclusive: a screen that is popped, or a refresh that comes in, does not touch it.

Threads post the messages of `console.messages`; the App hands them back to the methods named `take_…`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from console.approvals import plan_to_run
from console.confirmations import Confirmations, first_word, without
from console.faults import as_error
from console.messages import (
    LedgerAsked,
    LedgerUnread,
    PlanBroke,
    PlanMade,
    RebuildNotRecalled,
    RebuildProven,
    RebuildRecalled,
    RunBroke,
    RunFinished,
    RunNotPlanned,
    RunPlanned,
    RunProgressed,
)
from console.state import RunPhase, RunState
from sync.errors import AbreastError, GuardError, LeaseHeldError, StaleError
from sync.model import Action, ActionResult, Drift, Outcome, Plan
from sync.pace import Pace
from widgets.action_details import describe

if TYPE_CHECKING:
    from datetime import datetime

    from console.running import RunningApp
    from sync.approval_rules import Approved
    from sync.execution import OnEvent
    from sync.executor import Confirmation, ExecutionEvent, RunReport
    from sync.prediction import Prediction


def _ended_later(one: RunState, other: RunState) -> bool:
    return one.ended_at is not None and other.ended_at is not None and one.ended_at > other.ended_at


class Operations:
    """The executions of this console: at most one at a time."""

    def __init__(self, app: RunningApp) -> None:
        self._app = app
        self._stop, self._pause = threading.Event(), threading.Event()
        self._planning = 0
        """Generation of the plan asked for last; an older one is dropped."""
        self._starting: Confirmations = {}
        """What is to run, while its plan is being made."""
        self._proven: tuple[object, object] = (None, None)
        """The rebuild that is being proven or has been, and the run after which."""
        self._pace = Pace({})
        """Of the run that goes on."""
        self._asking = 0
        """Generation of the question to the ledger asked last; an older answer is dropped."""
        self._after_answer: list[Callable[[], None]] = []

    @property
    def is_going_on(self) -> bool:
        """Whether an execution, or a step of a retirement, is going on or about to begin."""
        run = self._app.run_state
        return bool(self._starting or self._app.busy_word()) or (run is not None and run.is_going_on)

    @property
    def word(self) -> str:
        """For the header: `running 12/40`; empty when nothing runs."""
        run, busy = self._app.run_state, self._app.busy_word()
        if self._starting or busy:
            return busy or "starting"
        if run is None or not run.is_going_on:
            return ""
        return f"{run.phase.value} {len(run.results)}/{run.total}"

    # --- planning -----------------------------------------------------------------------------------------

    def make_plan(self, actions: Sequence[Action]) -> int:
        """Bind actions to this server in a thread; PlanMade or PlanBroke comes back with this number."""
        self._planning += 1
        generation, wanted = self._planning, tuple(actions)

        def work() -> None:
            try:
                plan = self._app.session.plan(wanted)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                problem = as_error(error, doing="making the plan")
                self._app.post_message(PlanBroke(generation, problem))
            else:
                self._app.post_message(PlanMade(generation, plan))

        self._app.run_in_background(work, name="plan")
        return generation

    def is_latest_plan(self, generation: int) -> bool:
        """Whether no other plan was asked for since."""
        return generation == self._planning

    # --- executing ----------------------------------------------------------------------------------------

    def run_confirmed(self, actions: Sequence[Action]) -> bool:
        """Make a plan of these confirmed actions alone, and execute it if it is of nothing else; where it
        needs approval, the plan is the one that was signed.

        False when an execution is going on. RunPlanned or RunNotPlanned comes back.
        """
        wanted = tuple(actions)
        known = self._app.confirmed
        if self.is_going_on or not wanted or any(action.id not in known for action in wanted):
            return False
        self._starting = {action.id: known[action.id] for action in wanted}
        self._app.plan_fault = ""
        submitted = self._app.submitted

        def work() -> None:
            try:
                plan, approved = plan_to_run(self._app.session, wanted, submitted)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                self._app.post_message(RunNotPlanned(as_error(error, doing="making the plan")))
            else:
                self._app.post_message(RunPlanned(plan, approved))

        self._app.run_in_background(work, name="plan")
        return True

    def take_run_plan(self, plan: Plan, approved: Approved | None = None) -> None:
        """Execute the plan of what was confirmed. Raises GuardError when it is not of exactly that, or when
        a confirmation has ended since."""
        wanted, self._starting = self._starting, {}
        planned = {action.id: action for action in plan.actions}
        if planned != {id: one.action for id, one in wanted.items()}:
            raise GuardError(
                "The plan that came back is not of exactly what was confirmed: nothing was sent.",
                next_step="Confirm it again.",
            )
        ended = [one.action for id, one in wanted.items() if self._app.confirmed.get(id) != one]
        if ended:
            raise StaleError(
                f"Nothing was sent: meanwhile the confirmation of “{describe(ended[0].id)}” ended.",
                next_step="Look at it again, then confirm it.",
            )
        self.execute(plan, confirmed_at=first_word(wanted), approved=approved)

    def take_run_not_planned(self, error: AbreastError) -> None:
        """There is no plan of what was confirmed: nothing runs, the confirmations stay."""
        self._starting = {}
        self._app.plan_fault = str(error)
        self._app.show_error(error)

    def execute(
        self,
        plan: Plan,
        *,
        rebuild: bool = False,
        sets_aside: bool = False,
        confirmed_at: datetime | None = None,
        approved: Approved | None = None,
        predicted: Prediction | None = None,
    ) -> bool:
        """Start the execution of a plan that the operator confirmed, just now where it is not said when;
        False when one is going on. `approved` has the signatures, where it needs any; what fails is set aside
        in a rebuild, and where it is said, instead of stopping the rest of its kind. `predicted` is what a
        rehearsal of it came to."""
        confirmation = self._confirmation(plan, confirmed_at)

        def run(on_event: OnEvent, stop: threading.Event, pause: threading.Event) -> RunReport:
            executor = self._app.session.executor(rebuild=rebuild or sets_aside)
            report: RunReport = executor.run(
                plan,
                confirmed=confirmation,
                on_event=on_event,
                stop=stop,
                pause=pause,
                approved=approved,
                predicted=predicted,
            )
            return report

        return self._start(plan, run, rebuild=rebuild)

    def resume(self, run_id: str, plan: Plan, results: Mapping[str, ActionResult]) -> bool:
        """Go on with an interrupted run that the operator has just confirmed; False when one is going on.

        `results` are those of its actions that stand.
        """
        from console.restores import is_restore

        confirmation, of_restore = self._confirmation(plan), is_restore(plan)

        def run(on_event: OnEvent, stop: threading.Event, pause: threading.Event) -> RunReport:
            with self._app.restores.serving() if of_restore else nullcontext() as archive:
                executor = self._app.session.executor(rebuild=True, archive=archive)
                report: RunReport = executor.resume(
                    run_id, confirmed=confirmation, on_event=on_event, stop=stop, pause=pause
                )
            return report

        return self._start(plan, run, rebuild=not of_restore, restore=of_restore, results=results)

    def restore(
        self, plan: Plan, run: Callable[[OnEvent, threading.Event, threading.Event], RunReport]
    ) -> bool:
        """Execute the stages of a restore that the operator has just confirmed; `run` does, and answers with
        the report of all of `plan`. False when an execution is going on."""
        return self._start(plan, run, rebuild=False, restore=True)

    def _confirmation(self, plan: Plan, at: datetime | None = None) -> Confirmation:
        from sync.executor import Confirmation

        return Confirmation(plan.digest, self._app.session.operator, at or self._app.utc_clock())

    def _start(
        self,
        plan: Plan,
        run: Callable[[OnEvent, threading.Event, threading.Event], RunReport],
        *,
        rebuild: bool,
        restore: bool = False,
        results: Mapping[str, ActionResult] = MappingProxyType({}),
    ) -> bool:
        if self.is_going_on:
            return False
        stop, pause = self._stop, self._pause = threading.Event(), threading.Event()
        self._pace = Pace({one.id: one.kind for one in plan.actions if one.id not in results})
        if rebuild:
            self._app.aftermath = None
        self._app.ledger_run = None
        self._app.run_state = RunState(
            plan,
            RunPhase.RUNNING,
            self._app.utc_clock(),
            results=results,
            earlier=frozenset(results),
            is_rebuild=rebuild,
            is_restore=restore,
            drift_before=self._app.last_known or self._app.drift,
        )

        def work() -> None:
            try:
                report = run(lambda event: self._tell(RunProgressed(event)), stop, pause)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                self._tell(RunBroke(as_error(error, doing="executing the plan", changes=True)))
            else:
                self._tell(RunFinished(report))

        self._thread(work, "execution")
        return True

    def _tell(self, message: RunProgressed | RunBroke | RunFinished) -> None:
        self._app.post_message(message)

    def seconds_left(self) -> float | None:
        """How long the run that goes on still takes; None where none does, or too little is known to tell."""
        run = self._app.run_state
        if run is None or not run.is_going_on or run.is_held:
            return None
        return self._pace.seconds_left((self._app.utc_clock() - run.started_at).total_seconds())

    def stop(self) -> None:
        """Send nothing more: what is running in CloudStack is followed to its end."""
        self._stop.set()
        self._app.stop_busy()
        run = self._app.run_state
        if run is not None and run.is_going_on:
            self._app.run_state = replace(run, phase=RunPhase.STOPPING)

    def pause(self) -> None:
        """Send nothing more for now, and keep the lease; or, when that was asked for, go on."""
        run = self._app.run_state
        if run is not None and run.phase is RunPhase.RUNNING:
            self._pause.set()
            self._app.run_state = replace(run, phase=RunPhase.PAUSING)
        elif run is not None and run.is_held:
            self._pause.clear()
            self._app.run_state = replace(run, phase=RunPhase.RUNNING)

    # --- what came back -----------------------------------------------------------------------------------

    def take_progress(self, event: ExecutionEvent) -> None:
        """An action entered a phase or ended, or the run as a whole did."""
        run = self._app.run_state
        if run is None:
            return
        run = replace(run, run_id=event.run_id, at_once=event.at_once, note=event.note)
        if event.action_id is None and event.phase in ("waiting", "answered"):
            run = replace(run, is_waiting=event.phase == "waiting")
        if event.phase == "paused" and run.phase is RunPhase.PAUSING:
            run = replace(run, phase=RunPhase.PAUSED)
        if event.action_id is not None:
            at = (event.at - run.started_at).total_seconds()
            active = {id: phase for id, phase in run.active.items() if id != event.action_id}
            results = run.results
            if event.result is not None:
                results = {**results, event.action_id: event.result}
                self._pace.take(event.action_id, at=at, seconds=event.result.seconds)
            else:
                active[event.action_id] = event.phase
                self._pace.begin(event.action_id, at=at)
            run = replace(run, active=active, results=results)
        self._app.run_state = run
        if event.result is not None and event.result.outcome is Outcome.SUCCEEDED:
            self._app.staged = tuple(one for one in self._app.staged if one.id != event.action_id)

    def take_report(self, report: RunReport) -> None:
        """The run ended by itself: its report is the truth, and both sides are read anew."""
        run = self._app.run_state
        if run is None:
            return
        self._app.run_state = replace(
            run,
            phase=RunPhase.FINISHED,
            run_id=report.run_id,
            results={result.action_id: result for result in report.results},
            active={},
            ended_at=report.ended_at,
            problem=report.why,
            report=report,
        )
        self._settle({action.id for action in run.plan.actions})

    def take_breakage(self, error: AbreastError) -> None:
        """The run could not go on: the error stays on its screen, the ledger has what was done."""
        run = self._app.run_state
        if run is None:
            return
        self._app.run_state = replace(
            run,
            phase=RunPhase.FAILED,
            active={},
            ended_at=self._app.utc_clock(),
            problem=str(error),
            is_refused_by_lease=not run.run_id and isinstance(error, LeaseHeldError),
        )
        self._app.show_error(error)
        self._settle({*run.results, *run.active})

    def _settle(self, touched: Collection[str]) -> None:
        """What was done is no longer staged, what was tried is no longer confirmed; read both sides anew."""
        app, run = self._app, self._app.run_state
        results = run.results if run is not None else {}
        done = {id for id, result in results.items() if result.outcome is Outcome.SUCCEEDED}
        app.confirmed = without(app.confirmed, touched)
        app.staged = tuple(action for action in app.staged if action.id not in done)
        app.refresher.supersede()

    # --- the newest run in the ledger ---------------------------------------------------------------------

    def ask_ledger(self, then: Callable[[], None] | None = None) -> None:
        """Ask the ledger, in a thread, how its newest run stands; LedgerAsked or LedgerUnread tells of it.

        `then` is called when the answer, or a later one, was taken; not when the ledger could not be asked.
        """
        self._asking += 1
        generation, known = self._asking, self._app.ledger_run
        if then is not None:
            self._after_answer.append(then)

        def work() -> None:
            from console.ledger_run import ask

            try:
                self._app.post_message(LedgerAsked(generation, ask(self._app.session.ledger, known)))
            except Exception as error:  # noqa: BLE001 - the thread's edge
                problem = as_error(error, doing="reading the ledger")
                self._app.post_message(LedgerUnread(generation, problem))

        self._app.run_in_background(work, name="ledger")

    def is_latest_answer(self, generation: int) -> bool:
        """Whether the ledger was not asked again since."""
        return generation == self._asking

    def taken_waiting(self) -> list[Callable[[], None]]:
        """What waits for an answer; nothing does afterwards."""
        waiting, self._after_answer = self._after_answer, []
        return waiting

    def let_go(self) -> None:
        """Forget a rebuild that was refused because something else was executed, when that is over: what the
        ledger has is the path again, the interrupted run or the newest rebuild."""
        run, found = self._app.run_state, self._app.ledger_run
        if run is None or not run.is_rebuild or not run.is_refused_by_lease:
            return
        if found is None or found.latest.holder is not None:
            return
        self._app.run_state = self._app.rebuild_run = None
        if found.is_over:
            self.recall()

    def recall(self) -> None:
        """Ask the ledger, in a thread, for the newest rebuild that is over, whatever was tried to be deleted
        since; RebuildRecalled or RebuildNotRecalled tells of it."""
        from console.past_rebuild import LOOKED_BACK, recall

        after = self._app.utc_clock() - LOOKED_BACK

        def work() -> None:
            try:
                self._app.post_message(RebuildRecalled(recall(self._app.session.ledger, after=after)))
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                problem = as_error(error, doing="asking the ledger for the last rebuild")
                self._app.post_message(RebuildNotRecalled(problem))

        self._app.run_in_background(work, name="ledger")

    # --- after a rebuild ----------------------------------------------------------------------------------

    def prove(self, drift: Drift) -> bool:
        """Compare what both sides say after a rebuild with before, and save its map, in a thread; once more
        after what ran behind it.

        RebuildProven tells of it. False when there is nothing to prove, or not by this drift.
        """
        run, latest, desired = self._app.rebuild_run, self._app.run_state, self._app.desired
        if run is None or run.report is None or (latest is not None and latest.is_going_on):
            return False
        latest = run if latest is None or _ended_later(run, latest) else latest
        from console.recovering import conclude, is_read_after

        is_proven = run is self._proven[0] and latest is self._proven[1]
        if is_proven or desired is None or not is_read_after(latest, drift):
            return False
        self._proven = run, latest

        now, situation = self._app.whole, self._app.situation

        def work() -> None:
            found = conclude(self._app.session, run, drift, desired, now=now, situation=situation)
            self._app.post_message(RebuildProven(found))

        self._thread(work, "proof")
        return True

    def relink(self, drift: Drift) -> bool:
        """Tell anew, in a thread, which ids are to be stored, where a newer reading has others than the proof
        of the rebuild: the owner has stored them, or domains went again and their ids with them.

        RebuildProven tells of it. False when there is nothing new.
        """
        after = self._app.aftermath
        if after is None or after.proof is None or after.proof.unproven or self.is_going_on:
            return False
        from console.recovering import relinked
        from sync.recovery import stale_ids

        stale = stale_ids(drift)
        if not (drift.desired.is_complete and drift.actual.is_complete) or stale == after.proof.stale_ids:
            return False

        def work() -> None:
            self._app.post_message(RebuildProven(relinked(self._app.session, after, stale)))

        self._thread(work, "relink")
        return True

    def _thread(self, work: Callable[[], None], group: str) -> None:
        """What changes or writes something: the end of the process waits for it."""
        self._app.run_worker(work, name=group, group=group, thread=True, exclusive=False, exit_on_error=False)
