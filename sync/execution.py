"""One execution under way: sends what may be sent, as much at once as the server takes; heeds stop and pause.

`schedule` decides what is next, `concurrency` how many at once, `patience` how long a server is waited for,
`attempt` brings one action to its outcome.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from sync.attempt import Performer, Phase
from sync.concurrency import Concurrency
from sync.credentials import CredentialFile
from sync.errors import LedgerError
from sync.journal import Intent, Journal, unresolved
from sync.ledger import Clock, Ledger, RunState
from sync.lookup import ArchiveLike, ReaderLike, WriterLike
from sync.model import Action, ActionResult, Outcome, Plan
from sync.patience import THROTTLED, Patience
from sync.schedule import ExecutionPolicy, Schedule, failure_budget, is_left_open

STOPPED_BY_OPERATOR = "the operator stopped the execution"

_TICK_SECONDS = 0.05

RunPhase = Literal["paused", "going on", "adapted", "waiting", "answered", "stopping", "finished"]
"""Of a run as a whole: `adapted` when it is another number at once, `waiting` for a server that is silent."""


class LimitsLike(Protocol):
    """How much at once, how long a server is waited for, and how many failures before everything stops."""

    @property
    def concurrency(self) -> int: ...
    @property
    def ceiling(self) -> int: ...
    @property
    def patience_seconds(self) -> float: ...
    @property
    def budget_failures(self) -> int: ...
    @property
    def budget_fraction(self) -> float: ...


@dataclass(frozen=True, slots=True)
class ExecutionEvent:
    """Something that happened in a run; comes from any thread, one at a time."""

    at: datetime
    run_id: str
    action_id: str | None
    """None when it is about the whole run."""
    phase: Phase | RunPhase
    result: ActionResult | None
    done: int
    """Actions that have their final result."""
    total: int
    at_once: int = 0
    """How many actions may be under way by now."""
    note: str = ""
    """Why it goes slower than it might, or not at all; empty when it does not."""


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
    most_at_once: int = 0
    """How many actions were allowed at once, at most."""
    back_offs: Mapping[str, int] = field(default_factory=dict)
    """How often less was asked of the server, by the reason."""

    @property
    def counts(self) -> dict[Outcome, int]:
        totals = dict.fromkeys(Outcome, 0)
        for result in self.results:
            totals[result.outcome] += 1
        return totals


OnEvent = Callable[[ExecutionEvent], None]


class Run:
    """One execution. The thread that calls `execute` owns the schedule; actions run in threads of a pool."""

    def __init__(
        self,
        plan: Plan,
        run_id: str,
        *,
        policy: ExecutionPolicy,
        known: Mapping[str, ActionResult],
        reader: ReaderLike,
        writer: WriterLike,
        ledger: Ledger,
        vault: CredentialFile,
        limits: LimitsLike,
        on_event: OnEvent,
        stop: threading.Event,
        pause: threading.Event,
        clock: Clock,
        sleep: Callable[[float], None],
        archive: ArchiveLike | None = None,
    ) -> None:
        self._plan = plan
        self._run_id = run_id
        self._reader = reader
        self._counters = (reader, writer)
        self._ledger = ledger
        self._on_event = on_event
        self._stop = stop
        self._pause = pause
        self._clock = clock
        self._sleep = sleep
        self._started_at = clock()
        self._event_lock = threading.Lock()
        self._intents = dict(unresolved(ledger))
        self._is_paused = False
        self._paused_at = self._started_at
        self._paused_seconds = 0.0
        """How long nothing was sent because the operator wanted it so: it says nothing of the server."""
        self._throttled = reader.throttled
        self._adapted = Concurrency(
            start=limits.concurrency, ceiling=limits.ceiling, is_fixed=policy is ExecutionPolicy.STAGED
        )
        self._schedule = Schedule(
            plan.actions,
            policy=policy,
            concurrency=self._adapted.limit,
            budget=failure_budget(
                len(plan.actions), failures=limits.budget_failures, fraction=limits.budget_fraction
            ),
            known=known,
        )
        self._patience = Patience(
            limits.patience_seconds,
            stop=stop,
            sleep=sleep,
            clock=clock,
            on_change=lambda is_waiting: self._emit("waiting" if is_waiting else "answered"),
        )
        self._performer = Performer(
            reader=reader,
            writer=writer,
            journal=Journal(ledger, run_id),
            vault=vault,
            stop=stop,
            patience=self._patience,
            report=lambda phase, action: self._emit(phase, action_id=action.id),
            clock=clock,
            sleep=sleep,
            archive=archive,
        )

    def execute(self) -> RunReport:
        """Send what may be sent until nothing is left; the report is in the ledger when this returns."""
        calls = self._calls()
        failure = self._send_all()
        if failure is not None:
            raise failure
        results = self._schedule.close()
        why = self._schedule.stopped_because
        is_open = is_left_open(why, {one.outcome for one in results})
        report = RunReport(
            run_id=self._run_id,
            digest=self._plan.digest,
            state=RunState.STOPPED if is_open else RunState.FINISHED,
            why=why,
            results=results,
            started_at=self._started_at,
            ended_at=self._clock(),
            calls=self._calls() - calls,
            most_at_once=self._adapted.most,
            back_offs=dict(self._adapted.back_offs),
        )
        said = {
            "why": report.why,
            "calls": report.calls,
            "most_at_once": report.most_at_once,
            "back_offs": dict(report.back_offs),
            "paused_seconds": round(self._paused_seconds, 3),
        }
        self._ledger.end_run(self._run_id, said, state=report.state, counts=report.counts)
        self._emit("finished")
        return report

    def _send_all(self) -> BaseException | None:
        """What made it impossible to go on, if anything did: running actions are followed even then."""
        failure: BaseException | None = None
        running: dict[Future[ActionResult], Action] = {}
        with ThreadPoolExecutor(self._adapted.ceiling, thread_name_prefix="action") as pool:
            while True:
                self._heed_stop()
                self._heed_server()
                self._heed_pause(is_idle=not running)
                is_held = self._is_held()
                while not is_held and (action := self._schedule.next()) is not None:
                    intent = self._intents.get(action.id)
                    running[pool.submit(self._performer.perform, action, intent=intent)] = action
                if not running:
                    if not (is_held and self._schedule.has_more):
                        return failure
                    self._idle()
                    continue
                done, _ = wait(running, timeout=_TICK_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    action = running.pop(future)
                    error = future.exception()
                    if error is None:
                        self._take(action, future.result(), running=len(running) + 1)
                    else:
                        failure = _graver(failure, error)
                        self._schedule.stop("the execution itself failed")

    # --- what holds it up -----------------------------------------------------------------------------------

    def _heed_stop(self) -> None:
        if self._stop.is_set() and not self._schedule.stopped_because:
            self._schedule.stop(STOPPED_BY_OPERATOR)
            self._emit("stopping")

    def _heed_pause(self, *, is_idle: bool) -> None:
        """Say when what was under way at a pause has ended, and when it goes on."""
        is_wanted = self._pause.is_set() and not self._schedule.stopped_because
        if is_wanted and not self._is_paused and is_idle and self._schedule.has_more:
            self._is_paused, self._paused_at = True, self._clock()
            self._adapted.interrupt()
            self._emit("paused")
        elif self._is_paused and not is_wanted:
            self._is_paused = False
            self._paused_seconds += (self._clock() - self._paused_at).total_seconds()
            self._emit("going on")

    def _heed_server(self) -> None:
        """Ask less of a server that refuses or is silent; give up on one that stays so."""
        if self._patience.ended_because:
            self._schedule.stop(self._patience.ended_because)
        throttled = self._reader.throttled
        if throttled > self._throttled:
            self._throttled = throttled
            self._back_off(THROTTLED, 0.0)
        for refusal in self._patience.refusals():
            self._back_off(refusal.why, refusal.retry_after_seconds)

    def _back_off(self, why: str, seconds: float) -> None:
        if self._adapted.back_off(why, at=self._elapsed(), retry_after=seconds):
            self._adapt()

    def _adapt(self) -> None:
        self._schedule.concurrency = self._adapted.limit
        self._emit("adapted")

    def _is_held(self) -> bool:
        """Whether nothing is to be sent now, although something might be."""
        if self._schedule.stopped_because:
            return False
        is_early = self._elapsed() < self._adapted.not_before
        return self._pause.is_set() or bool(self._patience.waits_for) or is_early

    def _idle(self) -> None:
        """Wait for what holds it up."""
        left = self._adapted.not_before - self._elapsed()
        if self._pause.is_set() or left <= 0:
            self._stop.wait(_TICK_SECONDS)
        else:
            self._sleep(min(left, 1.0))

    # --- results --------------------------------------------------------------------------------------------

    def _take(self, action: Action, result: ActionResult, *, running: int) -> None:
        if result.outcome is Outcome.UNKNOWN:
            self._intents[action.id] = Intent(action.id, self._clock(), result.job_id)
        else:
            self._intents.pop(action.id, None)
        self._schedule.finish(result)
        self._emit("done", action_id=action.id, result=result)
        is_measure = result.outcome is Outcome.SUCCEEDED and not self._pause.is_set()
        if is_measure and self._adapted.take(action.kind, result.seconds, running=running):
            self._adapt()

    def _note(self) -> str:
        """Why it goes slower than it might."""
        waits_for = self._patience.waits_for
        if waits_for:
            return f"waiting for the server: {waits_for}"
        return self._adapted.backed_off_because

    def _emit(
        self, phase: Phase | RunPhase, *, action_id: str | None = None, result: ActionResult | None = None
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
                    at_once=self._adapted.limit,
                    note=self._note(),
                )
            )

    def _elapsed(self) -> float:
        return (self._clock() - self._started_at).total_seconds()

    def _calls(self) -> int:
        return sum(counter.calls for counter in self._counters)


def _graver(first: BaseException | None, second: BaseException) -> BaseException:
    """A ledger that cannot be written outweighs what came of it."""
    return second if first is None or isinstance(second, LedgerError) else first
