"""Work that takes virtual time: generators stepped by the world's clock, their locks, and asynchronous jobs.

A step that is due late runs at the moment it was due: a jump of the clock and many small steps end alike.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sync.sandbox.errors import ApiError
from sync.sandbox.records import World

LOCK_RETRY = 0.25
"""Virtual seconds between two tries for a lock that somebody else holds."""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """The three events of an asynchronous command."""

    type: str
    """`DOMAIN.DELETE`."""
    scheduled: str
    """Description of the Scheduled event."""
    working: str
    """Description of the Started event, also after "Successfully completed " and "Error while "."""
    owner_id: str
    """Account id shown in the Scheduled event; Started and Completed show the caller's."""
    resource: Any = None
    resource_type: str | None = None


@dataclass(frozen=True, slots=True)
class Queued:
    """First yield of an asynchronous command: what is before it ran with the request, the rest is the job."""

    entity_id: str | None = None
    """Shown as `id` beside the jobid (deployVirtualMachine and other creating commands)."""
    instance_id: str | None = None
    """Shown as `jobinstanceid`."""
    with_instance: bool = True
    """False: not even `jobinstancetype` is shown."""
    event: JobEvent | None = None
    delay: float | None = None
    """Virtual seconds until the job starts; None: as long as jobs usually take to start."""


@dataclass(frozen=True, slots=True)
class Lock:
    """Yielded to take a named lock; answers True, or False when the time-out (virtual seconds) has passed."""

    name: str
    timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class Unlock:
    """Yielded to give a named lock back; a finished task gives back all it holds."""

    name: str


Work = Generator[float | Queued | Lock | Unlock, Any, dict[str, Any] | None]
"""What asynchronous commands and background tasks are: yields virtual seconds or the objects above."""


class LockTable(Protocol):
    """Named locks, each held by one holder: in memory, or those of a real database."""

    def acquire(self, name: str, holder: int) -> bool:
        """Take the lock if it is free or already held by the holder."""

    def release(self, name: str, holder: int) -> None:
        """Give it back; nothing happens if the holder does not have it."""

    def release_all(self, holder: int) -> None:
        """Give back everything that a holder has."""


class MemoryLocks:
    """A lock table in memory."""

    def __init__(self) -> None:
        self.holders: dict[str, int] = {}

    def acquire(self, name: str, holder: int) -> bool:
        """Take the lock if it is free or already held by the holder."""
        return self.holders.setdefault(name, holder) == holder

    def release(self, name: str, holder: int) -> None:
        """Give it back; nothing happens if the holder does not have it."""
        if self.holders.get(name) == holder:
            del self.holders[name]

    def release_all(self, holder: int) -> None:
        """Give back everything that a holder has."""
        for name in [name for name, by in self.holders.items() if by == holder]:
            del self.holders[name]


Finished = Callable[[dict[str, Any] | None, ApiError | None], None]


class _Task:
    """A generator under way."""

    def __init__(
        self, number: int, work: Work, started: Callable[[], None] | None, done: Finished | None
    ) -> None:
        self.number = number
        self.work = work
        self.started = started
        self.done = done
        self.answer: bool | None = None
        self.wanted: Lock | None = None
        self.give_up: datetime | None = None


class Tasks:
    """Every generator that waits for its time."""

    def __init__(self, world: World, locks: LockTable | None = None) -> None:
        self.world = world
        self.locks: LockTable = locks or MemoryLocks()
        self._heap: list[tuple[datetime, int, _Task]] = []
        self._sequence = 0
        self._queues: dict[str, deque[int]] = {}

    def spawn(
        self,
        work: Work,
        *,
        delay: float = 0.0,
        started: Callable[[], None] | None = None,
        done: Finished | None = None,
    ) -> None:
        """Run a generator from `delay` virtual seconds on."""
        self._sequence += 1
        task = _Task(self._sequence, work, started, done)
        self._push(task, self.world.now() + timedelta(seconds=delay))

    def next_due(self) -> datetime | None:
        """When the next step is due."""
        return self._heap[0][0] if self._heap else None

    def run_due(self) -> None:
        """Run every step that is due by now, in the order of their times."""
        now = self.world.clock.now()
        while self._heap and self._heap[0][0] <= now:
            due, _, task = heapq.heappop(self._heap)
            self.world.moment = due
            try:
                self._step(task, due)
            finally:
                self.world.moment = None

    def _push(self, task: _Task, due: datetime) -> None:
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, task))

    def _step(self, task: _Task, now: datetime) -> None:
        if task.wanted is not None:
            self._try_lock(task, task.wanted, now)
            if task.wanted is not None:
                return
        if task.started is not None:
            task.started()
            task.started = None
        try:
            asked = task.work.send(task.answer)
            while isinstance(asked, Unlock):
                self.locks.release(asked.name, task.number)
                asked = task.work.send(None)
        except StopIteration as end:
            self._finish(task, end.value, None)
        except ApiError as error:
            self._finish(task, None, error)
        else:
            self._continue(task, asked, now)

    def _continue(self, task: _Task, asked: float | Queued | Lock | Unlock, now: datetime) -> None:
        task.answer = None
        if isinstance(asked, Lock):
            task.wanted, task.give_up = asked, now + timedelta(seconds=asked.timeout)
            self._queues.setdefault(asked.name, deque()).append(task.number)
            self._push(task, now)
        elif isinstance(asked, (int, float)):
            self._push(task, now + timedelta(seconds=asked))
        else:
            raise TypeError(f"{asked!r} may only be the first thing that a command yields")

    def _try_lock(self, task: _Task, wanted: Lock, now: datetime) -> None:
        queue = self._queues[wanted.name]
        got = queue[0] == task.number and self.locks.acquire(wanted.name, task.number)
        assert task.give_up is not None
        if got or now >= task.give_up:
            queue.remove(task.number)
            task.wanted, task.answer = None, got
        else:
            self._push(task, min(now + timedelta(seconds=LOCK_RETRY), task.give_up))

    def _finish(self, task: _Task, result: dict[str, Any] | None, error: ApiError | None) -> None:
        self.locks.release_all(task.number)
        if task.done is not None:
            task.done(result, error)
        elif error is not None:
            raise error
