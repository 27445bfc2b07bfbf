"""Which action may be sent next, and when no more may be: the rules of an execution, without any I/O.

Actions run one at a time until one has succeeded; then up to N at once, as soon as what each needs is there.
Staged plans: in the plan's order, and the first failure closes its kind. Rebuilds: one project after another,
so that the first are whole early and quick calls fill the time of slow ones; a failure is set aside and tried
once more at the end, so that one bad project does not hold up the others. In both, the failure budget stops
all.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import Enum

from sync.model import Action, ActionKind, ActionResult, Outcome


class ExecutionPolicy(Enum):
    STAGED = "staged"
    REBUILD = "rebuild"


def is_in_place(result: ActionResult) -> bool:
    """Whether what the action was to bring about is there: by it, or already before it."""
    return has_come_about(result.outcome, result.object_id)


def has_come_about(outcome: Outcome, object_id: str | None) -> bool:
    """As `is_in_place`, of what is known of a result."""
    return outcome is Outcome.SUCCEEDED or (outcome is Outcome.SKIPPED and bool(object_id))


def is_left_open(why: str, outcomes: Collection[Outcome]) -> bool:
    """Whether resuming a run that ended with these outcomes may achieve something; `why` says why not
    everything was sent, and is empty when it was."""
    return Outcome.UNKNOWN in outcomes or (bool(why) and Outcome.NOT_RUN in outcomes)


def is_failure(result: ActionResult) -> bool:
    return result.outcome in (Outcome.FAILED, Outcome.UNKNOWN)


def failure_budget(total: int, *, failures: int, fraction: float) -> int:
    """How many failures among `total` actions stop everything."""
    return max(failures, int(total * fraction))


class Schedule:
    """The state of one execution. One thread owns it."""

    def __init__(
        self,
        actions: Sequence[Action],
        *,
        policy: ExecutionPolicy,
        concurrency: int,
        budget: int,
        known: Mapping[str, ActionResult] | None = None,
    ) -> None:
        """`known` are results of an earlier part of the run. What succeeded or was skipped stays so; what
        failed does in a staged plan, and in a rebuild is tried once more after everything else.
        """
        self.actions = tuple(actions)
        self.results: dict[str, ActionResult] = {}
        """Results by action id; of an action that is set aside not before its second try."""
        self.stopped_because = ""
        self._policy = policy
        self.concurrency = max(1, concurrency)
        """How many may run at once by now; whoever owns the schedule may change it."""
        self._budget = budget
        self._order = {action.id: index for index, action in enumerate(self.actions)}
        """Place of each action in the plan."""
        self._ranks = _ranks(self.actions, policy)
        self._unmet = {action.id: set(action.needs) for action in self.actions}
        self._dependents: dict[str, list[str]] = {}
        for action in self.actions:
            for need in action.needs:
                self._dependents.setdefault(need, []).append(action.id)
        self._ready: list[tuple[int, int]] = []
        """Rank and place of what may be sent."""
        self._running: set[str] = set()
        self._failed: set[str] = set()
        self._aside: dict[str, ActionResult] = {}
        self._is_second_round = False
        self._closed_kinds: dict[ActionKind, str] = {}
        self._has_proven_itself = False
        self._take_over(known or {})

    def _take_over(self, known: Mapping[str, ActionResult]) -> None:
        for action in self.actions:
            result = known.get(action.id)
            if result is None or result.outcome in (Outcome.UNKNOWN, Outcome.NOT_RUN):
                continue
            if result.outcome is Outcome.FAILED and self._policy is ExecutionPolicy.REBUILD:
                self._aside[action.id] = result
                continue
            self.results[action.id] = result
            if result.outcome is Outcome.FAILED:
                self._closed_kinds.setdefault(action.kind, action.id)
        for action in self.actions:
            unmet = self._unmet[action.id]
            unmet -= {need for need in unmet if need in self.results and is_in_place(self.results[need])}
            if not unmet and action.id not in self.results and action.id not in self._aside:
                self._make_ready(action.id)

    def _make_ready(self, action_id: str) -> None:
        place = self._order[action_id]
        heapq.heappush(self._ready, (self._ranks[place], place))

    @property
    def running(self) -> int:
        """How many actions are under way."""
        return len(self._running)

    @property
    def has_more(self) -> bool:
        """Whether something could be sent now or once what runs has ended, as far as can be told."""
        waits = bool(self._ready) or (bool(self._aside) and not self._is_second_round)
        return waits and not self.stopped_because

    def next(self) -> Action | None:
        """The next action to send now; None when there is none or it has to wait for a running one."""
        limit = self.concurrency if self._has_proven_itself else 1
        if self.stopped_because or len(self._running) >= limit:
            return None
        if not self._ready and not self._running:
            self._start_second_round()
        while self._ready:
            action = self.actions[heapq.heappop(self._ready)[1]]
            if action.kind not in self._closed_kinds:
                self._running.add(action.id)
                return action
        return None

    def _start_second_round(self) -> None:
        if self._is_second_round:
            return
        self._is_second_round = True
        for action_id in self._aside:
            self._make_ready(action_id)

    def finish(self, result: ActionResult) -> None:
        """Take the result of a running action and draw its consequences."""
        action = self.actions[self._order[result.action_id]]
        self._running.discard(action.id)
        if result.outcome is Outcome.SUCCEEDED:
            self._has_proven_itself = True
        if is_failure(result):
            self._fail(action, result)
            return
        self._aside.pop(action.id, None)
        self._failed.discard(action.id)
        self.results[action.id] = result
        if is_in_place(result):
            self._release(action.id)

    def _fail(self, action: Action, result: ActionResult) -> None:
        self._failed.add(action.id)
        if self._policy is ExecutionPolicy.REBUILD and not self._is_second_round:
            self._aside[action.id] = result
        else:
            self._aside.pop(action.id, None)
            self.results[action.id] = result
        if self._policy is ExecutionPolicy.STAGED:
            self._closed_kinds.setdefault(action.kind, action.id)
        if len(self._failed) >= self._budget:
            self.stop(f"{len(self._failed)} actions failed, and the failure budget is {self._budget}")

    def _release(self, action_id: str) -> None:
        for dependent in self._dependents.get(action_id, ()):
            self._unmet[dependent].discard(action_id)
            if not self._unmet[dependent] and dependent not in self.results:
                self._make_ready(dependent)

    def stop(self, why: str) -> None:
        """Send nothing more. The first reason stands."""
        self.stopped_because = self.stopped_because or why

    @property
    def done(self) -> int:
        """Actions that have a result; those that failed and are tried once more at the end are among them."""
        return len(self.results) + len(self._aside)

    def close(self) -> tuple[ActionResult, ...]:
        """Results of all actions in the plan's order; what did not run is NOT_RUN with its reason."""
        self.results.update(self._aside)
        for result in self._not_run():
            self.results[result.action_id] = result
        return tuple(self.results[action.id] for action in self.actions)

    def _not_run(self) -> Iterator[ActionResult]:
        for action in self.actions:
            if action.id not in self.results:
                yield ActionResult(action.id, Outcome.NOT_RUN, self._why_not(action))

    def _why_not(self, action: Action) -> str:
        for need in action.needs:
            result = self.results.get(need)
            if result is not None and not is_in_place(result) and need in self._unmet[action.id]:
                return f"Needs “{need}”, which is {result.outcome.value}."
        if action.kind in self._closed_kinds:
            return (
                f"No further “{action.kind.value}” was sent after “{self._closed_kinds[action.kind]}” failed."
            )
        return f"Not sent: {self.stopped_because or 'what it needs is not in place'}."


def _ranks(actions: Sequence[Action], policy: ExecutionPolicy) -> list[int]:
    """By place: what goes first among what may be sent."""
    if policy is ExecutionPolicy.STAGED:
        return list(range(len(actions)))
    first: dict[str, int] = {}
    return [first.setdefault(action.project, place) for place, action in enumerate(actions)]
