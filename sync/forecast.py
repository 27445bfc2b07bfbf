"""How long a run takes, from what each call of it costs: played through by the rules of `schedule`. Pure.

The server answers any number of calls at once, but hashes only so many passwords at a time; this machine
works on one call at a time. With that, and N actions at once, the run's length follows from the calls alone.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from sync.model import Action, ActionResult
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


def play(
    actions: Sequence[Action],
    tries: Mapping[str, Iterable[Try]],
    *,
    policy: ExecutionPolicy,
    concurrency: int,
    budget: int,
    hashing_at_once: int,
) -> float:
    """Seconds from the first call to the last. `tries` by action id, in order; what has none any more ends
    the run there, as it did in the rehearsal."""
    schedule = Schedule(actions, policy=policy, concurrency=concurrency, budget=budget)
    left = {id: deque(some) for id, some in tries.items()}
    free = {On.HASHING: [0.0] * hashing_at_once, On.HERE: [0.0]}
    events: list[tuple[float, int, Try, int]] = []
    """When the next step of a running try begins; a number that keeps ties in order; the try; which step."""
    order = 0
    now = 0.0
    while True:
        while (action := schedule.next()) is not None:
            if not left.get(action.id):
                schedule.stop("not rehearsed any further")
                break
            heapq.heappush(events, (now, order, left[action.id].popleft(), 0))
            order += 1
        if not events:
            return now
        now, number, running, step = heapq.heappop(events)
        if step == len(running.steps):
            schedule.finish(running.result)
            continue
        wanted = running.steps[step]
        begins = now
        if wanted.on in free:
            begins = max(now, heapq.heappop(free[wanted.on]))
            heapq.heappush(free[wanted.on], begins + wanted.seconds)
        heapq.heappush(events, (begins + wanted.seconds, number, running, step + 1))
