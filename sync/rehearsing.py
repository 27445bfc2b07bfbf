"""A plan run in the stand-in first: the same executor, against what both sides were when they were last read.

What it is given are values: no address, key or ledger of the real server gets in here, so that nothing can be
sent there. The record is one of the temporary folder, and so are the passwords. The stand-in answers at once;
what each call takes on a real server comes from its access log, and `forecast` makes the run's length of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sync import plan as plans
from sync.capture import Capture
from sync.cloudstack import Reader, Writer
from sync.credentials import CredentialFile
from sync.errors import AbreastError, GuardError
from sync.executor import Confirmation, ExecutionEvent, ExecutionPolicy, Executor, LimitsLike
from sync.forecast import Length, On, Step, Try, play
from sync.ledger import Ledger
from sync.model import ActionResult, Outcome, Plan
from sync.named import Named
from sync.prediction import PredictedAction, Prediction, subject_of
from sync.rehearsal import HASHING_AT_ONCE, Rehearsal, rehearse
from sync.rehearsal_gaps import gaps
from sync.schedule import failure_budget

REHEARSER = "rehearsal"
"""Who confirms in the stand-in; only its own ledger says so."""

OnProgress = Callable[[int, int], None]
"""Called with how many actions are done, and of how many."""


def rehearse_plan(
    plan: Plan,
    capture: Capture,
    *,
    named: Named,
    limits: LimitsLike,
    policy: ExecutionPolicy = ExecutionPolicy.REBUILD,
    speed: float = 1.0,
    release: str | None = None,
    on_step: Callable[[str], None] = lambda _: None,
    on_progress: OnProgress = lambda _, __: None,
    stop: threading.Event | None = None,
) -> Prediction:
    """Run the plan in a stand-in that is as `capture`, and say what came of it.

    `named` is what the server was asked for by name; `speed` is how many times as fast as a real server the
    one lives that the plan is for: a practice cloud does. A rehearsal that breaks off says so in its result.
    Raises UnreachableError when there is no stand-in at all.
    """
    at = datetime.now(UTC)
    with rehearse(
        capture, release=release, speed=1.0, service_times=False, named=named, on_step=on_step
    ) as stand_in:
        run = _Run(stand_in, plan, limits=limits, policy=policy, on_progress=on_progress)
        why = run.perform(stop or threading.Event())
    length = run.length(speed)
    actions = tuple(_predicted(id, run.tries.get(id, []), why) for id in run.ids)
    return Prediction(
        at=at,
        subject=subject_of(plan.actions),
        plan_digest=plan.digest,
        release=stand_in.ready.release,
        actions=actions,
        calls=sum(one.calls for one in actions),
        seconds=length.seconds,
        timing=run.timing(speed, length.most_at_once),
        why=why,
        left_out=stand_in.notes,
        differs=tuple(
            gaps(
                plan,
                capture.actual,
                release=stand_in.ready.release,
                named=named,
                at_once=length.most_at_once,
            )
        ),
    )


def _predicted(action_id: str, tries: Sequence[Try], why: str) -> PredictedAction:
    """What the last try of an action came to, at the cost of all of them."""
    if not tries:
        return PredictedAction(action_id, Outcome.NOT_RUN, f"Not rehearsed: {why}" if why else "", 0, 0.0)
    calls = sum(step.on in (On.SERVER, On.HASHING) for one in tries for step in one.steps)
    seconds = sum(one.seconds(On.SERVER, On.HASHING, On.NOBODY) for one in tries)
    last = tries[-1].result
    return PredictedAction(action_id, last.outcome, last.detail, calls, seconds)


def translated(plan: Plan, *, environment: str, root_id: str, endpoint: str, now: datetime) -> Plan:
    """The same actions, bound to the stand-in. Raises GuardError where that is the plan's own server."""
    if endpoint == plan.endpoint or root_id == plan.root_id:
        raise GuardError(
            f"A rehearsal is not run on {plan.endpoint}: the plan is for it.",
            next_step="Report this: the stand-in must never be the server itself.",
        )
    return plans.build(
        plan.actions,
        environment=environment,
        root_id=root_id,
        endpoint=endpoint,
        author=REHEARSER,
        now=now,
        notes=(f"rehearsal of the plan {plan.digest}",),
    )


@dataclass(frozen=True, slots=True)
class _OneAtATime:
    """The limits of the real run, without its concurrency: so each call is known to be of one action."""

    given: LimitsLike
    concurrency: int = 1
    ceiling: int = 1
    patience_seconds: float = 10.0
    """A stand-in that does not answer for so long is gone."""

    @property
    def budget_failures(self) -> int:
        return self.given.budget_failures

    @property
    def budget_fraction(self) -> float:
        return self.given.budget_fraction


@dataclass
class _Run:
    """One execution in the stand-in, with what every call of it costs."""

    stand_in: Rehearsal
    plan: Plan
    limits: LimitsLike
    policy: ExecutionPolicy
    on_progress: OnProgress
    tries: dict[str, list[Try]] = field(default_factory=dict)
    """By action id, in the order in which they ended."""

    def __post_init__(self) -> None:
        cloudstack = self.stand_in.environment.cloudstack
        assert cloudstack.write is not None, "a stand-in can always be written to"
        self.reader, self.writer = Reader(cloudstack.read), Writer(cloudstack.write)
        self.ids = [action.id for action in self.plan.actions]
        self._waited = 0.0
        self._seen_calls = 0
        self._mark = 0.0

    def perform(self, stop: threading.Event) -> str:
        """Execute it; why that did not get to its end, empty when it did."""
        environment = self.stand_in.environment
        with Ledger(environment.ledger.reveal(), environment=environment.name, operator=REHEARSER) as ledger:
            try:
                found = self.reader.capabilities()
                plan = translated(
                    self.plan,
                    environment=environment.name,
                    root_id=found.root_id,
                    endpoint=found.endpoint,
                    now=datetime.now(UTC),
                )
                executor = Executor(
                    reader=self.reader,
                    writer=self.writer,
                    ledger=ledger,
                    vault=CredentialFile(environment.credential_file),
                    limits=_OneAtATime(self.limits),
                    policy=self.policy,
                    sleep=self._sleep,
                )
                confirmation = Confirmation(plan.digest, REHEARSER, datetime.now(UTC))
                report = executor.run(plan, confirmed=confirmation, on_event=self._take, stop=stop)
            except AbreastError as error:
                return str(error)
        return report.why

    def _sleep(self, seconds: float) -> None:
        """Waiting costs the run its time and the rehearsal none: the stand-in's clock is put forward."""
        began = time.process_time()
        self.stand_in.advance(seconds)
        self._waited += seconds
        self._mark += time.process_time() - began

    def _take(self, event: ExecutionEvent) -> None:
        """Events come one at a time, and only one action runs: what was called since the last is its own."""
        if event.phase == "reading":
            self._seen_calls, self._waited = self._calls(), 0.0
            self._mark = time.process_time()
        elif event.result is not None:
            self._keep(event.result, time.process_time() - self._mark)
            self.on_progress(event.done, event.total)

    def _keep(self, result: ActionResult, own: float) -> None:
        calls = self._calls() - self._seen_calls
        entries = self.stand_in.asked(calls)
        here = Step(On.HERE, own / max(1, len(entries)))
        steps = [Step(On.HERE, own)] if not entries else []
        for entry in entries:
            steps += [here, Step(On.HASHING if entry["hashing"] else On.SERVER, float(entry["seconds"]))]
        if self._waited:
            steps.append(Step(On.NOBODY, self._waited))
        self.tries.setdefault(result.action_id, []).append(Try(tuple(steps), result))

    def _calls(self) -> int:
        return self.reader.calls + self.writer.calls

    # --- what it takes ------------------------------------------------------------------------------------

    def length(self, speed: float) -> Length:
        """Of the whole run, with as many actions at once as the real one comes to have."""
        limits = self.limits
        budget = failure_budget(
            len(self.ids), failures=limits.budget_failures, fraction=limits.budget_fraction
        )
        return play(
            self.plan.actions,
            {id: [_at_speed(one, speed) for one in tries] for id, tries in self.tries.items()},
            policy=self.policy,
            concurrency=limits.concurrency,
            ceiling=limits.ceiling,
            budget=budget,
            hashing_at_once=HASHING_AT_ONCE,
        )

    def timing(self, speed: float, most_at_once: int) -> str:
        """How the length was computed."""
        tries = [one for some in self.tries.values() for one in some]
        serving = sum(one.seconds(On.SERVER, On.HASHING) for one in tries)
        waiting = sum(one.seconds(On.NOBODY) for one in tries)
        here = sum(one.seconds(On.HERE) for one in tries)
        server = f"{serving:.1f} s of a server's measured service times"
        if speed != 1.0:
            server += f" ({serving / speed:.1f} s where it lives {speed:g} times as fast)"
        return (
            f"{server}, {waiting:.1f} s of waiting for jobs and {here:.1f} s of this machine's own work, "
            f"played through with {most_at_once} at once at most and {HASHING_AT_ONCE} passwords hashed at a "
            "time."
        )


def _at_speed(one: Try, speed: float) -> Try:
    steps = tuple(
        Step(step.on, step.seconds / speed) if step.on in (On.SERVER, On.HASHING) else step
        for step in one.steps
    )
    return Try(steps, one.result)
