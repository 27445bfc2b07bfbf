"""How long a run takes, from what each call of it costs: played through by the rules of `schedule`. Pure.

The server answers any number of calls at once, but hashes only so many passwords at a time; this machine
works on one call at a time. With that, and the rule by which `concurrency` adapts how many actions run at
once, the run's length follows from the calls alone.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from sync.concurrency import Concurrency
from sync.model import Action, ActionResult, Outcome
from sync.schedule import ExecutionPolicy, Schedule


class On(Enum):
    """Who is busy with a step, and so what it may have to wait for."""

    SERVER = "server"
    HASHING = "hashing"
    """One of the server's cores, for a password."""
    HERE = "here"
    """This machine: the program, the ledger."""
    NOBODY = "nobody"
    """Waiting, as between two questions after a job."""


@dataclass(frozen=True, slots=True)
class Step:
    on: On
    seconds: float


@dataclass(frozen=True, slots=True)
class Try:
    """One time that an action was performed, and what came of it."""

    steps: tuple[Step, ...]
    result: ActionResult

    def seconds(self, *of: On) -> float:
        return sum(step.seconds for step in self.steps if step.on in of)


@dataclass(frozen=True, slots=True)
class Length:
    """How long a run takes."""

    seconds: float
    """From the first call to the last."""
    most_at_once: int
    """How many actions it comes to have under way, at most."""


def play(
    actions: Sequence[Action],
    tries: Mapping[str, Iterable[Try]],
    *,
    policy: ExecutionPolicy,
    concurrency: int,
    ceiling: int,
    budget: int,
    hashing_at_once: int,
) -> Length:
    """How long it takes. `tries` by action id, in order; what has none any more ends the run there, as it did
    in the rehearsal."""
    adapted = Concurrency(start=concurrency, ceiling=ceiling, is_fixed=policy is ExecutionPolicy.STAGED)
    schedule = Schedule(actions, policy=policy, concurrency=adapted.limit, budget=budget)
    kinds = {action.id: action.kind for action in actions}
    left = {id: deque(some) for id, some in tries.items()}
    free = {On.HASHING: [0.0] * hashing_at_once, On.HERE: [0.0]}
    events: list[tuple[float, int, int, Try]] = []
    """When a running try's next step begins; a number that keeps ties in order; which step; the try."""
    begun: dict[str, float] = {}
    order = 0
    now = 0.0
    while True:
        while (action := schedule.next()) is not None:
            if not left.get(action.id):
                schedule.stop("not rehearsed any further")
                break
            heapq.heappush(events, (now, order, 0, left[action.id].popleft()))
            begun[action.id] = now
            order += 1
        if not events:
            return Length(now, adapted.most)
        now, number, step, running = heapq.heappop(events)
        if step == len(running.steps):
            id, at_once = running.result.action_id, schedule.running
            schedule.finish(running.result)
            if running.result.outcome is Outcome.SUCCEEDED:
                adapted.take(kinds[id], now - begun[id], running=at_once)
                schedule.concurrency = adapted.limit
            continue
        wanted = running.steps[step]
        begins = now
        if wanted.on in free:
            begins = max(now, heapq.heappop(free[wanted.on]))
            heapq.heappush(free[wanted.on], begins + wanted.seconds)
        heapq.heappush(events, (begins + wanted.seconds, number, step + 1, running))
