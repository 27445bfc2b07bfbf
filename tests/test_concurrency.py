"""How many at once, decided without a server: against one that is simulated, with so many workers."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.concurrency import Concurrency
from sync.model import ActionKind

SECONDS = {ActionKind.CREATE_DOMAIN: 0.1, ActionKind.CREATE_ACCOUNT: 2.3, ActionKind.CREATE_USER: 0.35}
"""What one action of a kind takes when nothing is in its way."""
MIXTURE = [ActionKind.CREATE_DOMAIN, ActionKind.CREATE_ACCOUNT, *[ActionKind.CREATE_USER] * 3]


class Server:
    """So many workers; what they have no hand for waits. It may throttle: too many at once are refused."""

    def __init__(self, workers: int, *, seed: int = 1) -> None:
        self.workers = workers
        self.throttles_above = 10**9
        self.now = 0.0
        self.done = 0
        self.limits: list[int] = []
        self._random = random.Random(seed)
        self._free = [0.0] * workers
        self._running: list[tuple[float, int, ActionKind, float]] = []
        self._number = 0

    def _send(self) -> None:
        kind = MIXTURE[self._number % len(MIXTURE)]
        self._number += 1
        seconds = SECONDS[kind] * self._random.uniform(0.9, 1.1)
        began = max(self.now, heapq.heappop(self._free))
        heapq.heappush(self._free, began + seconds)
        heapq.heappush(self._running, (began + seconds, self._number, kind, self.now))

    def lose_workers(self, number: int) -> None:
        for _ in range(number):
            heapq.heappop(self._free)

    def drive(self, adapted: Concurrency, actions: int) -> float:
        """Let so many actions end; how many did a second."""
        began, wanted = self.now, self.done + actions
        while self.done < wanted:
            while len(self._running) < adapted.limit and self.now >= adapted.not_before:
                if len(self._running) >= self.throttles_above:
                    adapted.back_off("429", at=self.now, retry_after=0.2)
                    break
                self._send()
            self.limits.append(adapted.limit)
            if not self._running:
                self.now = adapted.not_before
                continue
            running = len(self._running)
            self.now, _, kind, sent = heapq.heappop(self._running)
            self.done += 1
            adapted.take(kind, self.now - sent, running=running)
        return actions / (self.now - began)


def settled(server: Server, adapted: Concurrency) -> int:
    """What it stays at most of the time, after 600 actions."""
    server.drive(adapted, 600)
    server.limits.clear()
    server.drive(adapted, 600)
    return sorted(server.limits)[len(server.limits) // 2]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("workers", [5, 8, 12, 20])
def test_it_grows_to_where_more_does_not_pay(workers: int, seed: int) -> None:
    adapted = Concurrency(start=4, ceiling=64)
    assert 1.3 * workers <= settled(Server(workers, seed=seed), adapted) <= 2.5 * workers
    assert adapted.most <= 3 * workers


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_on_a_small_server_it_goes_no_further_than_thrice_the_start(workers: int) -> None:
    """What one takes alone is not seen there: four of them have waited for each other from the beginning."""
    assert 4 <= settled(Server(workers), Concurrency(start=4, ceiling=32)) <= 12


def test_it_shrinks_where_the_server_has_become_slower() -> None:
    server, adapted = Server(12), Concurrency(start=4, ceiling=32)
    server.drive(adapted, 600)
    assert adapted.limit >= 16
    server.lose_workers(9)
    server.drive(adapted, 600)
    assert adapted.limit <= 9


@pytest.mark.parametrize("workers", [3, 6, 12, 24])
def test_once_settled_it_is_as_fast_as_the_best_fixed_number(workers: int) -> None:
    def speed(adapted: Concurrency) -> float:
        server = Server(workers)
        server.drive(adapted, 1000)
        return server.drive(adapted, 2000)

    best = max(speed(Concurrency(start=fixed, ceiling=fixed)) for fixed in (1, 2, 4, 8, 16, 32))
    assert speed(Concurrency(start=4, ceiling=32)) > 0.97 * best


def test_it_never_exceeds_the_ceiling() -> None:
    server, adapted = Server(100), Concurrency(start=4, ceiling=16)
    server.drive(adapted, 1000)
    assert adapted.limit == adapted.most == 16


def test_with_a_ceiling_at_the_start_it_stays_fixed() -> None:
    server, adapted = Server(100), Concurrency(start=4, ceiling=4)
    server.drive(adapted, 300)
    assert set(server.limits) == {4}


def test_a_refusal_halves_it_and_nothing_is_sent_before_it_was_asked_to() -> None:
    adapted = Concurrency(start=8, ceiling=16)
    assert adapted.back_off("429", at=10.0, retry_after=3.0)
    assert (adapted.limit, adapted.not_before) == (4, 13.0)
    assert adapted.back_offs == {"429": 1}


def test_what_was_under_way_then_does_not_halve_it_again() -> None:
    adapted = Concurrency(start=8, ceiling=16)
    adapted.back_off("429", at=10.0, retry_after=3.0)
    assert not adapted.back_off("429", at=13.5, retry_after=3.0)
    assert (adapted.limit, adapted.not_before) == (4, 16.5)
    assert adapted.back_off("time-outs", at=20.0)
    assert adapted.limit == 2


@pytest.mark.parametrize("allowed", [2, 5, 9])
def test_it_keeps_below_what_a_throttling_server_lets_through(allowed: int) -> None:
    server, adapted = Server(24), Concurrency(start=4, ceiling=32)
    server.throttles_above = allowed
    server.drive(adapted, 600)
    began = adapted.back_offs["429"]
    fast = server.drive(adapted, 600)
    plain = Server(24).drive(Concurrency(start=allowed, ceiling=allowed), 600)
    assert fast > 0.6 * plain
    assert adapted.back_offs["429"] - began < 600 / 10


def test_it_recovers_when_throttling_has_ended() -> None:
    server, adapted = Server(12), Concurrency(start=4, ceiling=32)
    server.throttles_above = 2
    server.drive(adapted, 200)
    assert adapted.limit <= 4
    server.throttles_above = 10**9
    server.drive(adapted, 800)
    assert adapted.limit >= 11


def test_where_there_is_not_enough_to_do_nothing_is_concluded() -> None:
    adapted = Concurrency(start=4, ceiling=16)
    for _ in range(500):
        adapted.take(ActionKind.CREATE_USER, 1.0, running=1)
    assert adapted.limit == 4


def test_what_a_pause_makes_longer_is_no_measure() -> None:
    """Whatever ends first after it had begun before it."""
    adapted = Concurrency(start=4, ceiling=16)
    for _ in range(4):
        adapted.take(ActionKind.CREATE_USER, 1.0, running=4)
    adapted.interrupt()
    for seconds in [100.0] * 4 + [1.0] * 12:
        adapted.take(ActionKind.CREATE_USER, seconds, running=4)
    assert adapted.limit == 6


Step = Callable[[Concurrency, float], object]


def taking(kind: ActionKind, seconds: float, running: int) -> Step:
    return lambda adapted, at: adapted.take(kind, seconds, running=running)


def refusing(why: str, retry_after: float) -> Step:
    return lambda adapted, at: adapted.back_off(why, at=at, retry_after=retry_after)


STEPS = st.one_of(
    st.builds(taking, st.sampled_from(ActionKind), st.floats(0, 900), st.integers(1, 40)),
    st.builds(refusing, st.sampled_from(["429", "503"]), st.floats(0, 100)),
    st.just(lambda adapted, at: adapted.interrupt()),
)


@given(
    start=st.integers(1, 32),
    ceiling=st.integers(1, 64),
    steps=st.lists(st.tuples(STEPS, st.floats(0, 10)), max_size=300),
)
def test_whatever_happens_it_is_from_one_to_the_ceiling(
    start: int, ceiling: int, steps: list[tuple[Step, float]]
) -> None:
    adapted, at = Concurrency(start=start, ceiling=ceiling), 0.0
    for step, later in steps:
        at += later
        step(adapted, at)
        assert 1 <= adapted.limit <= adapted.most <= max(start, ceiling)


@given(st.integers(1, 40), st.integers(0, 1000))
def test_whatever_the_server_it_comes_near_the_best(workers: int, seed: int) -> None:
    best = Server(workers, seed=seed).drive(Concurrency(start=32, ceiling=32), 2000)
    assert Server(workers, seed=seed).drive(Concurrency(start=4, ceiling=32), 2000) > 0.8 * best
