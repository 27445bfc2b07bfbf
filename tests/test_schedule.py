"""What may be sent next, decided without a server: order, canary, failures, budget, second round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.model import Action, ActionResult, Outcome
from sync.schedule import ExecutionPolicy, Schedule, failure_budget, has_come_about, is_left_open
from tests.fake_cloudstack import create_account, create_domain, project

S, F, K, U, N = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.SKIPPED, Outcome.UNKNOWN, Outcome.NOT_RUN

STAGED, REBUILD = ExecutionPolicy.STAGED, ExecutionPolicy.REBUILD


def schedule(
    actions: Sequence[Action],
    *,
    policy: ExecutionPolicy = STAGED,
    concurrency: int = 4,
    budget: int = 100,
    known: Mapping[str, ActionResult] | None = None,
) -> Schedule:
    return Schedule(actions, policy=policy, concurrency=concurrency, budget=budget, known=known)


def done(action: Action, outcome: Outcome = S, *, in_place: bool = True) -> ActionResult:
    return ActionResult(action.id, outcome, object_id="id" if in_place else None)


def ready(made: Schedule) -> list[Action]:
    found = []
    while (action := made.next()) is not None:
        found.append(action)
    return found


def play(made: Schedule, outcomes: Mapping[str, list[Outcome]]) -> list[str]:
    """Run everything; each id has the outcomes of its tries, success where nothing is said."""
    sent = []
    tries = {action_id: list(ones) for action_id, ones in outcomes.items()}
    while batch := ready(made):
        for action in batch:
            sent.append(action.id)
            planned = tries.get(action.id)
            made.finish(done(action, planned.pop(0) if planned else S, in_place=False))
    return sent


DOMAINS = [create_domain(f"p{number}") for number in range(6)]


def test_one_at_a_time_until_one_has_succeeded() -> None:
    made = schedule(DOMAINS)
    assert ready(made) == DOMAINS[:1]
    made.finish(done(DOMAINS[0], K))
    assert ready(made) == DOMAINS[1:2], "what was skipped proves nothing"
    made.finish(done(DOMAINS[1], F))


def test_after_a_success_as_many_at_once_as_allowed() -> None:
    made = schedule(DOMAINS, concurrency=3)
    ready(made)
    made.finish(done(DOMAINS[0]))
    assert ready(made) == DOMAINS[1:4]
    made.finish(done(DOMAINS[2]))
    assert ready(made) == DOMAINS[4:5]


def test_what_needs_something_waits_for_it() -> None:
    actions = project("dune", "anna")
    made = schedule(actions)
    for action in actions:
        assert ready(made) == [action]
        made.finish(done(action))
    assert ready(made) == []
    assert made.done == 3


def test_a_skip_without_the_object_in_place_does_not_let_others_go() -> None:
    actions = project("dune")
    made = schedule(actions)
    ready(made)
    made.finish(done(actions[0], K, in_place=False))
    assert ready(made) == []
    assert [result.outcome for result in made.close()] == [K, N]


def test_staged_a_failure_closes_its_kind_only() -> None:
    actions = [*DOMAINS[:3], create_account("p0", needs=())]
    made = schedule(actions)
    sent = play(made, {actions[0].id: [F]})
    assert sent == [actions[0].id, actions[3].id]
    assert [result.outcome for result in made.close()] == [F, N, N, S]


@pytest.mark.parametrize("outcome", [F, U])
def test_rebuilding_tries_once_more_at_the_end(outcome: Outcome) -> None:
    made = schedule(DOMAINS, policy=REBUILD)
    sent = play(made, {DOMAINS[1].id: [outcome]})
    assert sent == [*(action.id for action in DOMAINS), DOMAINS[1].id]
    assert [result.outcome for result in made.close()] == [S] * 6


def test_rebuilding_never_tries_three_times() -> None:
    made = schedule(DOMAINS, policy=REBUILD)
    sent = play(made, {DOMAINS[1].id: [F, F, F]})
    assert sent.count(DOMAINS[1].id) == 2
    assert made.close()[1].outcome is F


def test_one_action_that_fails_twice_counts_once_against_the_budget() -> None:
    made = schedule(DOMAINS, policy=REBUILD, budget=2)
    play(made, {DOMAINS[1].id: [F, F]})
    assert made.stopped_because == ""


@pytest.mark.parametrize(
    ("outcome", "object_id", "is_there"),
    [(S, None, True), (S, "id", True), (K, "id", True), (K, None, False), (K, "", False), (F, "id", False),
     (U, "id", False), (N, "id", False)],
)  # fmt: skip
def test_what_was_to_come_about_is_there_by_the_action_or_before_it(
    outcome: Outcome, object_id: str | None, is_there: bool
) -> None:
    assert has_come_about(outcome, object_id) is is_there


@pytest.mark.parametrize(
    ("why", "outcomes", "is_open"),
    [("", [S, K, F], False), ("", [S, U], True), ("", [S, N], False), ("stopped", [S, N], True),
     ("stopped", [S, F], False), ("", [], False)],
)  # fmt: skip
def test_a_run_is_left_open_while_something_is_unknown_or_was_stopped(
    why: str, outcomes: list[Outcome], is_open: bool
) -> None:
    assert is_left_open(why, outcomes) is is_open


def test_the_budget_stops_everything() -> None:
    made = schedule(DOMAINS, policy=REBUILD, budget=2, concurrency=1)
    play(made, {DOMAINS[0].id: [F], DOMAINS[2].id: [U]})
    assert [result.outcome for result in made.close()] == [F, S, U, N, N, N]
    assert "2 actions failed" in made.stopped_because


@pytest.mark.parametrize(
    ("total", "budget"), [(0, 3), (1, 3), (150, 3), (199, 3), (200, 4), (260, 5), (5000, 100)]
)
def test_the_budget_is_three_or_two_percent(total: int, budget: int) -> None:
    assert failure_budget(total, failures=3, fraction=0.02) == budget


def test_the_first_reason_to_stop_stands() -> None:
    made = schedule(DOMAINS)
    made.stop("first")
    made.stop("second")
    assert made.next() is None
    assert {result.detail for result in made.close()} == {"Not sent: first."}


def test_going_on_keeps_what_is_final_and_takes_up_the_rest() -> None:
    known = {
        DOMAINS[0].id: done(DOMAINS[0]),
        DOMAINS[1].id: done(DOMAINS[1], K),
        DOMAINS[2].id: done(DOMAINS[2], U),
        DOMAINS[3].id: done(DOMAINS[3], N),
    }
    made = schedule(DOMAINS, known=known)
    assert made.done == 2
    assert play(made, {}) == [action.id for action in DOMAINS[2:]]


def test_going_on_with_a_rebuild_tries_failures_last() -> None:
    made = schedule(DOMAINS, policy=REBUILD, known={DOMAINS[0].id: done(DOMAINS[0], F)})
    assert play(made, {}) == [*(action.id for action in DOMAINS[1:]), DOMAINS[0].id]


def test_going_on_with_a_staged_run_leaves_failures_and_their_kind() -> None:
    made = schedule(DOMAINS, known={DOMAINS[0].id: done(DOMAINS[0], F)})
    assert play(made, {}) == []
    assert [result.outcome for result in made.close()] == [F] + [N] * 5


@given(
    policy=st.sampled_from(ExecutionPolicy),
    concurrency=st.integers(1, 5),
    budget=st.integers(1, 6),
    planned=st.lists(st.sampled_from([S, S, S, F, K, U]), min_size=24, max_size=24),
)
def test_whatever_happens_every_action_has_one_result_and_needs_are_kept(
    policy: ExecutionPolicy, concurrency: int, budget: int, planned: list[Outcome]
) -> None:
    actions = [one for name in ("a", "b", "c", "d") for one in project(name, "x", "y")]
    made = schedule(actions, policy=policy, concurrency=concurrency, budget=budget)
    running: list[Action] = []
    in_place: set[str] = set()
    sent: list[str] = []
    while True:
        batch = ready(made)
        running += batch
        assert len(running) <= concurrency
        for action in batch:
            assert set(action.needs) <= in_place
            sent.append(action.id)
        if not running:
            break
        action = running.pop(0)
        result = done(action, planned[len(sent) % len(planned)], in_place=False)
        if result.outcome is S:
            in_place.add(action.id)
        made.finish(result)
    results = made.close()
    assert [result.action_id for result in results] == [action.id for action in actions]
    assert {result.action_id for result in results if result.outcome is not N} == set(sent)
    assert max(map(sent.count, sent)) <= (2 if policy is REBUILD else 1)
