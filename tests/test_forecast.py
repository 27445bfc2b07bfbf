"""How long a run takes by what its calls cost: canary, waves, concurrency, hashing, this machine. Pure."""

from __future__ import annotations

from typing import Any

import pytest

from sync.forecast import On, Step, Try, play
from sync.model import Action, ActionResult, Outcome
from sync.schedule import ExecutionPolicy
from tests.test_prediction import create

S, F = Outcome.SUCCEEDED, Outcome.FAILED


def tried(action: Action, *steps: Step, outcome: Outcome = S) -> Try:
    return Try(steps, ActionResult(action.id, outcome))


def length(*given: tuple[Action, list[Try]], **changed: Any) -> float:
    rules: dict[str, Any] = {
        "policy": ExecutionPolicy.REBUILD,
        "concurrency": 4,
        "ceiling": 4,
        "budget": 100,
        "hashing_at_once": 3,
    }
    tries = {action.id: tries for action, tries in given}
    return play([action for action, _ in given], tries, **(rules | changed)).seconds


def many(number: int, *steps: Step) -> list[tuple[Action, list[Try]]]:
    made = [create(f"p{index}") for index in range(number)]
    return [(action, [tried(action, *steps)]) for action in made]


def test_nothing_takes_no_time() -> None:
    assert length() == 0.0


@pytest.mark.parametrize(
    ("concurrency", "seconds"),
    [
        (1, 9.0),
        # The first one runs alone; then two rounds of four.
        (4, 3.0),
        (8, 2.0),
    ],
)
def test_the_first_action_runs_alone_then_several_at_once(concurrency: int, seconds: float) -> None:
    assert length(*many(9, Step(On.SERVER, 1.0)), concurrency=concurrency) == seconds


@pytest.mark.parametrize(("at_once", "seconds"), [(1, 9.0), (2, 5.0), (3, 4.0), (4, 3.0)])
def test_passwords_queue_for_the_cores_of_the_server(at_once: int, seconds: float) -> None:
    """One alone, then eight: four at once, of which so many are hashed."""
    assert length(*many(9, Step(On.HASHING, 1.0)), hashing_at_once=at_once) == seconds


def test_this_machine_works_on_one_call_at_a_time() -> None:
    assert length(*many(9, Step(On.HERE, 1.0))) == 9.0
    assert length(*many(9, Step(On.NOBODY, 1.0))) == 3.0


def test_an_action_waits_for_what_it_needs() -> None:
    domain = create("dune")
    below = create("dune2", needs=(domain.id,))
    beside = create("reef")
    assert length(*((one, [tried(one, Step(On.SERVER, 2.0))]) for one in (domain, below, beside))) == 4.0


def test_what_fails_is_tried_again_at_the_end() -> None:
    bad, good = create("bad"), create("good")
    step = Step(On.SERVER, 1.0)
    tries = [tried(bad, step, outcome=F), tried(bad, step)]
    assert length((bad, tries), (good, [tried(good, step)])) == 3.0


def test_a_rehearsal_that_broke_off_gives_the_time_up_to_there() -> None:
    known, unknown = create("known"), create("unknown")
    assert length((known, [tried(known, Step(On.SERVER, 1.5))]), (unknown, [])) == 1.5


def test_a_rebuild_has_more_at_once_while_that_pays() -> None:
    given = many(400, Step(On.SERVER, 1.0))
    tries = {action.id: tries for action, tries in given}
    rules: dict[str, Any] = {"concurrency": 4, "ceiling": 16, "budget": 100, "hashing_at_once": 3}
    grown, staged = (
        play([action for action, _ in given], tries, policy=policy, **rules)
        for policy in (ExecutionPolicy.REBUILD, ExecutionPolicy.STAGED)
    )
    assert staged.most_at_once == 4 < grown.most_at_once <= 16
    assert staged.seconds == 101.0 > grown.seconds


def test_the_failure_budget_ends_it() -> None:
    given = [(one, [tried(one, Step(On.SERVER, 1.0), outcome=F)] * 2) for one, _ in many(9)]
    assert length(*given, budget=3) == 3.0
