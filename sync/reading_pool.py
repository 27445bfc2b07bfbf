"""Threads for readings, which the end of the process does not wait for.

A `ThreadPoolExecutor` is joined when the process ends, also by way of a daemon thread: with a server that
accepts and never answers, quitting would wait for every call's time-out. What changes something belongs into
such an executor all the same: its calls are ended and recorded first.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

Given = ParamSpec("Given")
Found = TypeVar("Found")

_Task = tuple["Future[Any]", Callable[[], Any]]
_Tasks = SimpleQueue["_Task | None"]


class ReadingPool(Executor):
    """At most so many daemon threads. In a `with` block its tasks are waited for, as of any executor."""

    def __init__(self, at_most: int, *, name: str) -> None:
        self._at_most = at_most
        self._name = name
        self._tasks: _Tasks = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._is_closed = False
        # Threads of a pool that nobody holds any more would wait for its next task for ever.
        weakref.finalize(self, self._tasks.put, None).atexit = False

    def submit(
        self, work: Callable[Given, Found], /, *arguments: Given.args, **named: Given.kwargs
    ) -> Future[Found]:
        """Raises RuntimeError when it is closed."""
        future: Future[Found] = Future()
        with self._lock:
            if self._is_closed:
                raise RuntimeError(f"The pool {self._name} is closed: nothing more is read in it.")
            self._tasks.put((future, lambda: work(*arguments, **named)))
            if len(self._threads) < self._at_most:
                name = f"{self._name}_{len(self._threads)}"
                thread = threading.Thread(target=_work, args=(self._tasks,), name=name, daemon=True)
                self._threads.append(thread)
                thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Takes no more tasks; with `cancel_futures` those that have not begun never will."""
        with self._lock:
            self._is_closed = True
            waiting = _taken(self._tasks) if cancel_futures else []
            self._tasks.put(None)
        for future, _ in waiting:
            future.cancel()
        if wait:
            for thread in self._threads:
                thread.join()


def _work(tasks: _Tasks) -> None:
    while (task := tasks.get()) is not None:
        _run(*task)
        # Not held while waiting for the next one: what it found may be a whole inventory.
        del task
    tasks.put(None)


def _run(future: Future[Any], work: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        found = work()
    except BaseException as error:  # noqa: BLE001 - whoever asks for the result gets it
        future.set_exception(error)
    else:
        future.set_result(found)


def _taken(tasks: _Tasks) -> list[_Task]:
    """What has not begun, taken out of it."""
    found = []
    with suppress(Empty):
        while True:
            task = tasks.get_nowait()
            if task is not None:
                found.append(task)
    return found
