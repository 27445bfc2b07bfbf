"""The time that an execution still takes, learnt from what it has done; executions are simulated."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

import pytest

from sync.model import ActionKind
from sync.pace import LEAST_ACTIONS, PRIOR_SECONDS, WINDOW_SECONDS, Pace

Cost = Callable[[ActionKind], float]
CREATIONS = (
    ActionKind.CREATE_DOMAIN,
    ActionKind.CREATE_ACCOUNT,
    ActionKind.CREATE_USER,
    ActionKind.UPDATE_LIMIT,
    ActionKind.CREATE_NETWORK,
)


def work(projects: int) -> dict[str, ActionKind]:
    """A rebuild in its order: one of everything a project, but three users."""
    numbers = {ActionKind.CREATE_USER: 3}
    return {
        f"{kind.value} {number}": kind
        for kind in CREATIONS
        for number in range(projects * numbers.get(kind, 1))
    }


def played(actions: dict[str, ActionKind], cost: Cost, workers: int) -> Iterator[tuple[str, float, float]]:
    """What ends, when, and how long it took: the first alone, then so many at once, in their order."""
    first, *rest = actions
    yield first, cost(actions[first]), cost(actions[first])
    free = [cost(actions[first])] * workers
    ends: list[tuple[float, str, float]] = []
    for id in rest:
        took = cost(actions[id])
        at = heapq.heappop(free) + took
        heapq.heappush(free, at)
        ends.append((at, id, took))
    for at, id, took in sorted(ends):
        yield id, at, took


def estimates(cost: Cost, *, projects: int = 40, workers: int = 4) -> list[tuple[float, float, float | None]]:
    """Of every moment at which something ended: the share that was done, what was left, what was said."""
    actions = work(projects)
    ended = list(played(actions, cost, workers))
    end = ended[-1][1]
    pace, said = Pace(actions), []
    begun = sorted((at - took, id) for id, at, took in ended)
    for number, (id, at, took) in enumerate(ended, 1):
        while begun and begun[0][0] < at:
            begins, what = begun.pop(0)
            pace.begin(what, at=begins)
        pace.take(id, at=at, seconds=took)
        said.append((number / len(ended), end - at, pace.seconds_left(at)))
    return said


def prior(kind: ActionKind) -> float:
    return PRIOR_SECONDS[kind]


def tenfold_and_an_answer(kind: ActionKind) -> float:
    """As the drill's sandbox: ten times as fast, but every action's calls take their time."""
    return 0.04 + PRIOR_SECONDS[kind] / 10


def all_alike(kind: ActionKind) -> float:
    return 0.5


def test_every_kind_of_action_has_a_prior() -> None:
    assert PRIOR_SECONDS.keys() == set(ActionKind)


@pytest.mark.parametrize("cost", [prior, tenfold_and_an_answer, all_alike])
@pytest.mark.parametrize("workers", [1, 4, 10])
@pytest.mark.parametrize("projects", [10, 40, 400])
def test_what_is_said_is_never_far_off(cost: Cost, workers: int, projects: int) -> None:
    told = [
        (left, said)
        for _, left, said in estimates(cost, projects=projects, workers=workers)
        if said is not None
    ]
    end = max(left for left, _ in told)
    for left, said in told:
        slack = max(prior(ActionKind.CREATE_ACCOUNT), 0.1 * end)
        assert left / 1.6 - slack <= said <= left * 1.6 + slack, (left, said)


@pytest.mark.parametrize("cost", [prior, tenfold_and_an_answer])
def test_nothing_is_said_before_anything_dear_was_measured(cost: Cost) -> None:
    for done, _, said in estimates(cost):
        is_an_account_measured = 1 / 7 < done < 1
        assert (said is not None) == is_an_account_measured, (done, said)


def test_of_a_few_actions_nothing_is_said() -> None:
    actions = work(1)
    pace = Pace(actions)
    for number, id in enumerate(actions, 1):
        pace.take(id, at=number, seconds=1.0)
        assert pace.seconds_left(number) is None
    assert len(actions) <= LEAST_ACTIONS


def test_what_was_measured_outweighs_the_prior_and_moves_what_was_not() -> None:
    kind, other = ActionKind.CREATE_ACCOUNT, ActionKind.CREATE_DOMAIN
    actions = {f"account {number}": kind for number in range(50)} | {"domain": other}
    pace = Pace(actions)
    assert pace.cost(kind) == PRIOR_SECONDS[kind]
    for number in range(40):
        pace.take(f"account {number}", at=number, seconds=23.0)
    assert pace.cost(kind) == pytest.approx(23.0)
    assert pace.cost(other) == pytest.approx(10 * PRIOR_SECONDS[other])


def test_only_the_pace_of_late_counts() -> None:
    pace = Pace({f"account {number}": ActionKind.CREATE_ACCOUNT for number in range(200)})
    for number in range(100):
        pace.take(f"account {number}", at=number / 10, seconds=1.0)
    assert pace.seconds_left(9.9) == pytest.approx(10.0, rel=0.05), "ten at once"
    for number in range(100, 190):
        pace.take(f"account {number}", at=10.0 + number - 100, seconds=1.0)
    assert pace.seconds_left(99.0) == pytest.approx(10.0, rel=0.05), "one at once since a minute"


def test_standing_still_has_no_end_and_what_is_unknown_ends_nothing() -> None:
    pace = Pace({f"account {number}": ActionKind.CREATE_ACCOUNT for number in range(20)})
    for number in range(12):
        pace.take(f"account {number}", at=number, seconds=1.0)
    first, later = pace.seconds_left(12.0), pace.seconds_left(30.0)
    assert first is not None and later is not None and later > first
    assert pace.seconds_left(12.0 + WINDOW_SECONDS) is None
    pace.begin("account 3", at=12.0)
    assert pace.seconds_left(30.0) == later, "it has ended before"
    pace.take("account 3", at=30.0, seconds=1.0)
    pace.take("something else", at=30.0, seconds=1.0)
    assert pace.seconds_left(30.0) == later
