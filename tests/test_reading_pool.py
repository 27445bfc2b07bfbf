"""Threads for readings: as any executor, and nobody waits for them at the end of the process."""

from __future__ import annotations

import gc
import threading
from concurrent.futures import CancelledError

import pytest

from sync.reading_pool import ReadingPool

PATIENCE = 60.0


def test_what_is_found_and_what_is_raised_comes_back() -> None:
    with ReadingPool(2, name="test") as pool:
        assert list(pool.map(lambda number: number * 2, range(50))) == [number * 2 for number in range(50)]
        broken = pool.submit(int, "no number")
        with pytest.raises(ValueError, match="no number"):
            broken.result(PATIENCE)
        assert pool.submit(int, "ff", base=16).result(PATIENCE) == 255


def test_so_many_work_at_once_and_no_more() -> None:
    meeting, together, seen = threading.Barrier(3), threading.Lock(), set()

    def work() -> None:
        with together:
            seen.add(threading.current_thread())
        meeting.wait(PATIENCE)

    with ReadingPool(3, name="test") as pool:
        for future in [pool.submit(work) for _ in range(9)]:
            future.result(PATIENCE)
    assert (len(seen), {thread.daemon for thread in seen}) == (3, {True})
    assert not any(thread.is_alive() for thread in seen), "leaving the block waits for them"


def test_closed_it_waits_for_nobody_and_what_has_not_begun_never_does() -> None:
    begun, go_on = threading.Event(), threading.Event()
    pool = ReadingPool(1, name="test")

    def hang() -> str:
        begun.set()
        go_on.wait(PATIENCE)
        return "done"

    hanging, waiting = pool.submit(hang), pool.submit(hang)
    assert begun.wait(PATIENCE)
    pool.shutdown(wait=False, cancel_futures=True)
    assert not hanging.done()
    with pytest.raises(CancelledError):
        waiting.result(PATIENCE)
    with pytest.raises(RuntimeError, match="is closed"):
        pool.submit(hang)
    go_on.set()
    assert hanging.result(PATIENCE) == "done"


def test_the_threads_of_a_pool_that_nobody_holds_end() -> None:
    pool = ReadingPool(2, name="test")
    threads = {pool.submit(threading.current_thread).result(PATIENCE) for _ in range(2)}
    del pool
    gc.collect()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads)
