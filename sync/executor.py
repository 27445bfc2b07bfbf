"""Executes a confirmed plan: guards, lease, canary, waves, stop, and going on after any interruption.

`schedule` decides what may be sent next, `attempt` brings one action to its outcome, `ledger` has the truth.
A run needs nothing but the ledger to be resumed.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sync import plan as plans
from sync.approval_rules import ApprovalRules, Approved, refuse_unapproved
from sync.attempt import Performer, Phase
from sync.credentials import CredentialFile
from sync.errors import GuardError, LedgerError, StaleError
from sync.journal import Intent, Journal, plan_of, results_of, started_with, unresolved
from sync.ledger import Clock, Ledger, RunState, utc_now
from sync.lookup import ReaderLike, WriterLike
from sync.model import Action, ActionKind, ActionResult, Outcome, Plan
from sync.operations import OPERATIONS, missing_parameters, target_of, unknown_fields
from sync.pins import Server
from sync.retirement_journal import open_projects
from sync.schedule import ExecutionPolicy, Schedule, failure_budget

__all__ = [
    "Confirmation",
    "ExecutionEvent",
    "ExecutionPolicy",
    "Executor",
    "LimitsLike",
    "RunReport",
]

CONFIRMATION_AGE = timedelta(minutes=60)
"""How long a person's word for a plan counts."""

STOPPED_BY_OPERATOR = "the operator stopped the execution"

_ENABLING = frozenset({ActionKind.ENABLE_ACCOUNT, ActionKind.ENABLE_USER})

_TICK_SECONDS = 0.05


class LimitsLike(Protocol):
    """How much at once, and how many failures before everything stops."""

    @property
    def concurrency(self) -> int: ...
    @property
    def budget_failures(self) -> int: ...
    @property
    def budget_fraction(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A named person's word for exactly one plan."""

    digest: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ExecutionEvent:
    """Something that happened in a run; comes from any thread, one at a time."""

    at: datetime
    run_id: str
    action_id: str | None
    """None when it is about the whole run."""
    phase: Phase
    result: ActionResult | None
    done: int
    """Actions that have their final result."""
    total: int


@dataclass(frozen=True, slots=True)
class RunReport:
    run_id: str
    digest: str
    state: RunState
    """STOPPED when resuming it may still achieve something."""
    why: str
    """Why not everything was sent; empty when it was."""
    results: tuple[ActionResult, ...]
    """One an action, in the plan's order."""
    started_at: datetime
    ended_at: datetime
    calls: int
    """API calls made, reading and writing."""

    @property
    def counts(self) -> dict[Outcome, int]:
        totals = dict.fromkeys(Outcome, 0)
        for result in self.results:
            totals[result.outcome] += 1
        return totals


OnEvent = Callable[[ExecutionEvent], None]


class Executor:
    """Runs plans of one environment, one at a time."""

    def __init__(
        self,
        *,
        reader: ReaderLike,
        writer: WriterLike,
        ledger: Ledger,
        vault: CredentialFile,
        limits: LimitsLike,
        policy: ExecutionPolicy = ExecutionPolicy.STAGED,
        approvals: ApprovalRules | None = None,
        clock: Clock = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`policy` holds for `run`; a resumed run keeps its own."""
        self._reader = reader
        self._writer = writer
        self._ledger = ledger
        self._vault = vault
        self._limits = limits
        self._policy = policy
        self._approvals = approvals if approvals is not None else ApprovalRules()
        self._clock = clock
        self._sleep = sleep

    def run(
        self,
        plan: Plan,
        *,
        confirmed: Confirmation,
        on_event: OnEvent,
        stop: threading.Event,
        approved: Approved | None = None,
    ) -> RunReport:
        """Execute a plan. Raises GuardError before anything is sent, LedgerError when the record fails.

        `approved` has the verified signatures, where the environment asks for any.

        Intents of earlier runs for the same actions that were left unresolved are resolved by reading.
        """
        self._vault.open()
        with self._ledger.lease(self._ledger.operator):
            self._guard_approved(plan, approved)
            self._guard(plan, confirmed)
            plans.refuse_expired(plan, self._clock())
            run_id = f"{self._clock():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
            payload = {
                "plan": plans.to_json(plan),
                "policy": self._policy.value,
                "confirmed": _confirmation_json(confirmed),
                **_approval_json(approved),
            }
            self._ledger.begin_run(run_id, payload, digest=plan.digest, total=len(plan.actions))
            run = self._new_run(plan, run_id, self._policy, known={}, on_event=on_event, stop=stop)
            return run.execute()

    def resume(
        self, run_id: str, *, confirmed: Confirmation, on_event: OnEvent, stop: threading.Event
    ) -> RunReport:
        """Go on with a stopped or killed run: resolve what is unknown by reading, then send what was not.

        The plan comes from the ledger and needs a fresh confirmation; its age does not matter, because every
        precondition is read again. In a rebuild, what failed is tried again as well.
        """
        self._vault.open()
        with self._ledger.lease(self._ledger.operator):
            plan = plan_of(self._ledger, run_id)
            self._guard_approved(plan, _approval_of(started_with(self._ledger, run_id)))
            self._guard(plan, confirmed)
            self._refuse_superseded(run_id)
            policy = ExecutionPolicy(started_with(self._ledger, run_id)["policy"])
            known = results_of(self._ledger, run_id)
            self._ledger.resume_run(run_id, {"confirmed": _confirmation_json(confirmed)})
            run = self._new_run(plan, run_id, policy, known=known, on_event=on_event, stop=stop)
            return run.execute()

    def _new_run(
        self,
        plan: Plan,
        run_id: str,
        policy: ExecutionPolicy,
        *,
        known: Mapping[str, ActionResult],
        on_event: OnEvent,
        stop: threading.Event,
    ) -> _Run:
        budget = failure_budget(
            len(plan.actions),
            failures=self._limits.budget_failures,
            fraction=self._limits.budget_fraction,
        )
        schedule = Schedule(
            plan.actions, policy=policy, concurrency=self._limits.concurrency, budget=budget, known=known
        )
        return _Run(self, plan, run_id, schedule=schedule, on_event=on_event, stop=stop)

    def _guard(self, plan: Plan, confirmed: Confirmation) -> None:
        """Refuse whatever is not proven to be the confirmed plan for this environment and server."""
        plans.from_json(plans.to_json(plan))
        if not confirmed.by or confirmed.digest != plan.digest:
            raise GuardError(
                "What was confirmed is not this plan.", next_step="Review it and confirm it by its digest."
            )
        if abs(self._clock() - confirmed.at) > CONFIRMATION_AGE:
            raise StaleError(
                f"The confirmation by {confirmed.by} is older than {CONFIRMATION_AGE.seconds // 60} minutes.",
                next_step="Review the plan and confirm it again.",
            )
        if plan.environment != self._ledger.environment:
            raise GuardError(
                f"The plan is for {plan.environment}, this is {self._ledger.environment}.",
                next_step="Name its environment with --environment.",
            )
        found = self._reader.capabilities()
        is_same = (plan.endpoint, plan.root_id) == (found.endpoint, found.root_id)
        if not is_same or self._reader.domain_by_id(plan.root_id) is None:
            raise GuardError(
                f"The plan was made for {plan.endpoint} with ROOT domain {plan.root_id}; "
                f"this is {found.endpoint} with {found.root_id}.",
                next_step="Make a new plan here.",
            )
        for action in plan.actions:
            _guard_action(action)
        self._refuse_lifting(plan)
        self._ledger.pins.recognise(Server(found.endpoint, found.root_id))

    def _refuse_lifting(self, plan: Plan) -> None:
        """Enabling anything of a project that is being retired would lift its quarantine."""
        enabling = [action for action in plan.actions if action.kind in _ENABLING]
        retiring = open_projects(self._ledger, self._clock()) if enabling else frozenset()
        for action in enabling:
            if action.project in retiring:
                raise GuardError(
                    f"“{action.id}” is not done: the retirement of {action.project} is open.",
                    next_step=f"`abreast retire {action.project} --undo` takes that back, and enables it.",
                )

    def _guard_approved(self, plan: Plan, approved: Approved | None) -> None:
        """Whoever asks for the run: nothing that needs approvals runs without them."""
        digest, people = (approved.digest, approved.people) if approved is not None else (None, ())
        refuse_unapproved(plan, self._approvals, digest=digest, people=people)

    def _refuse_superseded(self, run_id: str) -> None:
        newest = self._ledger.interrupted_run()
        if newest is None or newest.run_id != run_id:
            raise GuardError(
                f"The run {run_id} is finished, or another was started after it.",
                next_step="Read both sides again and make a new plan.",
            )


class _Run:
    """One execution under way. `execute` owns the schedule; actions run in threads of a pool."""

    def __init__(
        self,
        executor: Executor,
        plan: Plan,
        run_id: str,
        *,
        schedule: Schedule,
        on_event: OnEvent,
        stop: threading.Event,
    ) -> None:
        self._ledger = executor._ledger
        self._clock = executor._clock
        self._limits = executor._limits
        self._counters = (executor._reader, executor._writer)
        self._plan = plan
        self._run_id = run_id
        self._schedule = schedule
        self._on_event = on_event
        self._stop = stop
        self._event_lock = threading.Lock()
        self._intents = dict(unresolved(self._ledger))
        self._performer = Performer(
            reader=executor._reader,
            writer=executor._writer,
            journal=Journal(self._ledger, run_id),
            vault=executor._vault,
            stop=stop,
            report=lambda phase, action: self._emit(phase, action_id=action.id),
            clock=executor._clock,
            sleep=executor._sleep,
        )

    def execute(self) -> RunReport:
        """Send what may be sent until nothing is left; the report is in the ledger when this returns."""
        started_at, calls = self._clock(), self._calls()
        failure = self._send_all()
        if failure is not None:
            raise failure
        results = self._schedule.close()
        state = _state_after(self._schedule.stopped_because, results)
        report = RunReport(
            run_id=self._run_id,
            digest=self._plan.digest,
            state=state,
            why=self._schedule.stopped_because,
            results=results,
            started_at=started_at,
            ended_at=self._clock(),
            calls=self._calls() - calls,
        )
        self._ledger.end_run(self._run_id, {"why": report.why}, state=state, counts=report.counts)
        self._emit("finished")
        return report

    def _send_all(self) -> BaseException | None:
        """What made it impossible to go on, if anything did: running actions are followed even then."""
        failure: BaseException | None = None
        running: dict[Future[ActionResult], Action] = {}
        with ThreadPoolExecutor(max(1, self._limits.concurrency), thread_name_prefix="action") as pool:
            while True:
                self._heed_stop()
                while (action := self._schedule.next()) is not None:
                    intent = self._intents.get(action.id)
                    running[pool.submit(self._performer.perform, action, intent=intent)] = action
                if not running:
                    return failure
                done, _ = wait(running, timeout=_TICK_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    action = running.pop(future)
                    error = future.exception()
                    if error is None:
                        self._take(action, future.result())
                    else:
                        failure = _graver(failure, error)
                        self._schedule.stop("the execution itself failed")

    def _heed_stop(self) -> None:
        if self._stop.is_set() and not self._schedule.stopped_because:
            self._schedule.stop(STOPPED_BY_OPERATOR)
            self._emit("stopping")

    def _take(self, action: Action, result: ActionResult) -> None:
        if result.outcome is Outcome.UNKNOWN:
            self._intents[action.id] = Intent(action.id, self._clock(), result.job_id)
        else:
            self._intents.pop(action.id, None)
        self._schedule.finish(result)
        self._emit("done", action_id=action.id, result=result)

    def _emit(
        self, phase: Phase, *, action_id: str | None = None, result: ActionResult | None = None
    ) -> None:
        with self._event_lock:
            self._on_event(
                ExecutionEvent(
                    at=self._clock(),
                    run_id=self._run_id,
                    action_id=action_id,
                    phase=phase,
                    result=result,
                    done=self._schedule.done,
                    total=len(self._plan.actions),
                )
            )

    def _calls(self) -> int:
        return sum(counter.calls for counter in self._counters)


def _guard_action(action: Action) -> None:
    if action.kind not in OPERATIONS:
        raise GuardError(f"“{action.kind.value}” cannot be executed.", next_step="Make a new plan.")
    target_of(action)
    if not action.precondition and not action.needs:
        raise GuardError(f"“{action.id}” has no precondition.", next_step="Make a new plan.")
    missing = missing_parameters(action)
    if missing:
        raise GuardError(
            f"“{action.id}” lacks {', '.join(missing)}, without which it cannot be sent.",
            next_step="Make a new plan.",
        )
    unknown = unknown_fields(action)
    if unknown:
        raise GuardError(
            f"The precondition of “{action.id}” names {', '.join(unknown)}, which cannot be checked.",
            next_step="Make a new plan with this version of abreast.",
        )


def _state_after(why: str, results: tuple[ActionResult, ...]) -> RunState:
    outcomes = {result.outcome for result in results}
    if Outcome.UNKNOWN in outcomes or (why and Outcome.NOT_RUN in outcomes):
        return RunState.STOPPED
    return RunState.FINISHED


def _graver(first: BaseException | None, second: BaseException) -> BaseException:
    """A ledger that cannot be written outweighs what came of it."""
    return second if first is None or isinstance(second, LedgerError) else first


def _confirmation_json(confirmed: Confirmation) -> dict[str, str]:
    return {"digest": confirmed.digest, "by": confirmed.by, "at": confirmed.at.isoformat()}


def _approval_json(approved: Approved | None) -> dict[str, dict[str, object]]:
    """Who approved, for the record; nothing where nobody had to and nobody did."""
    if approved is None or not approved.people:
        return {}
    people, keys = list(approved.people), list(approved.keys)
    return {"approved": {"digest": approved.digest, "people": people, "keys": keys}}


def _approval_of(started: Mapping[str, object]) -> Approved | None:
    """The approval that a run was started with, as it was recorded."""
    recorded = started.get("approved")
    if not isinstance(recorded, dict):
        return None
    return Approved(str(recorded["digest"]), tuple(recorded["people"]), tuple(recorded["keys"]))
