"""What the recovery decides from values: the choice, the waves, the pace, what proves a run, the words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from console.messages import InterruptedRunFound
from console.recovering import (
    SAMPLES,
    Aftermath,
    Choice,
    Pace,
    action_count,
    chosen,
    done_count,
    failures,
    groups,
    is_read_after,
    is_unfinished,
    noteworthy,
    questions,
    still_repairable,
    waves,
)
from console.recovery_pages import hand_over_page, proof_page
from console.recovery_steps import Situation, Step, current, steps
from console.state import RunPhase, RunState
from sync.model import Action, ActionResult, CoverageState, Drift, Outcome, Plan
from sync.plan import PlanRules, build
from sync.recovery import Assessment, assess, verify
from tests.screens.world import COMPLETE, NOW, ROWS, drift_of
from widgets.steps import StepState

RULES = PlanRules(parent="ROOT/ci")
DRIFT = drift_of()


@pytest.fixture
def found() -> Assessment:
    return assess(DRIFT, RULES, now=NOW)


def plan_of(actions: Iterable[Action]) -> Plan:
    return build(actions, environment="drill", root_id="1", endpoint="http://x", author="a", now=NOW)


@pytest.fixture
def run(found: Assessment) -> RunState:
    """A rebuild of everything critical, of which nothing has happened yet."""
    plan = plan_of(action for finding in found.to_rebuild for action in finding.actions)
    return RunState(plan, RunPhase.RUNNING, NOW, is_rebuild=True, drift_before=DRIFT)


def ended(run: RunState, outcome: Outcome = Outcome.SUCCEEDED, *, of: int | None = None) -> RunState:
    """With the first so many actions ended that way."""
    results = {action.id: ActionResult(action.id, outcome) for action in run.plan.actions[:of]}
    return replace(run, results={**run.results, **results})


def finished(run: RunState, *, why: str = "") -> RunState:
    return replace(
        run, phase=RunPhase.FINISHED, ended_at=NOW + timedelta(minutes=1), problem=why, report=object()
    )


def situation(**values: object) -> Situation:
    return replace(
        Situation(key=lambda id: f"<{id}>", is_armed=True, can_arm=True, is_drill=False),
        **values,  # type: ignore[arg-type]
    )


# --- the choice ---------------------------------------------------------------------------------------------


def names(found: Assessment, choice: Choice) -> list[str]:
    return [finding.name for finding in chosen(found, choice)]


def test_what_is_critical_is_chosen_and_what_merely_differs_is_not(found: Assessment) -> None:
    assert names(found, Choice()) == ["aurora", "boreal", "cirrus", "ember"]
    everything = Choice().toggled(found.differing)
    assert names(found, everything) == ["aurora", "boreal", "cirrus", "ember", "dune"]


def test_toggling_some_takes_them_all_in_before_it_leaves_them_out(found: Assessment) -> None:
    one_out = Choice().toggled(found.missing)
    assert names(found, one_out) == ["aurora", "boreal", "ember"]
    assert names(found, one_out.toggled(found.to_rebuild)) == ["aurora", "boreal", "cirrus", "ember"]
    assert names(found, one_out.toggled(found.to_rebuild).toggled(found.to_rebuild)) == []


def test_what_has_no_action_cannot_be_chosen(found: Assessment) -> None:
    assert found.for_people
    assert Choice().toggled(found.for_people) == Choice()
    assert not any(Choice().has(finding) for finding in found.for_people)


def test_a_project_left_out_stays_out_when_it_only_differs_any_more(found: Assessment) -> None:
    choice = Choice().toggled(found.missing)
    (cirrus,) = found.missing
    (dune,) = found.differing
    assert not choice.has(replace(dune, key=cirrus.key))


def test_groups_are_worst_first_and_empty_ones_are_left_out(found: Assessment) -> None:
    titles = [group.title for group in groups(found)]
    assert titles == ["dying", "hollow", "missing", "orphaned", "differs", "for people"]
    assert [group.title for group in groups(replace(found, hollow=(), dying=()))] == titles[2:]


def test_an_action_that_several_need_counts_once(found: Assessment) -> None:
    (cirrus,) = found.missing
    assert action_count((cirrus, cirrus)) == len(cirrus.actions)


def test_the_question_has_totals_and_five_samples_of_all_sorts(run: RunState) -> None:
    totals, samples, promise = questions(run.plan.actions)
    assert totals.startswith("1 × rename domain, 3 × create domain, 4 × create account, ")
    assert samples.count(",") == SAMPLES - 1
    assert "rename domain aurora" in samples and "create user" in samples
    assert "Nothing is deleted" in promise
    assert questions(())[1] == "For example ."


# --- the run ------------------------------------------------------------------------------------------------


def test_waves_come_in_the_order_in_which_they_run(run: RunState) -> None:
    first = run.plan.actions[0]
    shown = waves(run.plan.actions, {first.id: ActionResult(first.id, Outcome.FAILED)}, {})
    assert [wave.title for wave in shown[:4]] == ["renames", "domains", "accounts", "users"]
    assert (shown[0].total, shown[0].done, shown[0].failed, shown[0].glyph) == (1, 1, 1, "✗")
    assert shown[1].glyph == "·"
    running = waves(run.plan.actions, {}, {run.plan.actions[1].id: "submitting"})
    assert (running[1].active, running[1].glyph) == (1, "▸")


def test_what_did_not_run_is_not_done(run: RunState) -> None:
    stopped = ended(ended(run, Outcome.NOT_RUN), of=2)
    assert done_count(stopped) == 2
    assert sum(wave.done for wave in waves(run.plan.actions, stopped.results, {})) == 2


def test_failures_come_before_what_is_going_on(run: RunState) -> None:
    first, second, third = run.plan.actions[:3]
    state = replace(
        run,
        results={third.id: ActionResult(third.id, Outcome.UNKNOWN)},
        active={first.id: "reading"},
    )
    assert [action.id for action in noteworthy(state)] == [third.id, first.id]
    assert failures(state) == 1
    assert second.id not in {action.id for action in noteworthy(state)}


@pytest.mark.parametrize(
    ("outcome", "why", "expected"),
    [
        (Outcome.SUCCEEDED, "", False),
        (Outcome.FAILED, "", False),
        (Outcome.UNKNOWN, "", True),
        (Outcome.NOT_RUN, "the operator stopped the execution", True),
        (Outcome.NOT_RUN, "", False),
    ],
)
def test_a_run_is_unfinished_when_resuming_may_achieve_something(
    run: RunState, outcome: Outcome, why: str, expected: bool
) -> None:
    assert is_unfinished(finished(ended(run, outcome), why=why)) is expected


def test_a_run_that_broke_is_unfinished_and_one_that_goes_on_is_not(run: RunState) -> None:
    assert is_unfinished(replace(run, phase=RunPhase.FAILED))
    assert not is_unfinished(run)


def test_time_left_follows_the_pace_and_a_new_run_starts_anew(run: RunState) -> None:
    pace = Pace()
    assert pace.seconds_left(run, NOW) is None
    half = ended(run, of=len(run.plan.actions) // 2)
    left = pace.seconds_left(half, NOW + timedelta(seconds=10))
    assert left is not None and left > 0
    assert pace.seconds_left(ended(run), NOW + timedelta(seconds=20)) == 0
    again = replace(run, started_at=NOW + timedelta(hours=1))
    assert pace.seconds_left(again, NOW + timedelta(hours=1)) is None


def later(drift: Drift = DRIFT, **values: object) -> Drift:
    at = NOW + timedelta(minutes=2)
    fresh = replace(drift, desired_taken_at=at, actual_taken_at=at, limits_taken_at=at)
    return replace(fresh, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["desired_taken_at", "actual_taken_at", "limits_taken_at"])
def test_a_reading_from_before_the_end_proves_nothing(run: RunState, field: str) -> None:
    over = finished(run)
    assert is_read_after(over, later())
    assert not is_read_after(over, later(**{field: NOW}))
    assert not is_read_after(run, later()), "the run goes on"


@pytest.mark.parametrize("side", ["desired", "actual"])
def test_a_reading_that_is_not_complete_proves_nothing(run: RunState, side: str) -> None:
    partial = replace(COMPLETE, state=CoverageState.PARTIAL)
    assert not is_read_after(finished(run), later(**{side: partial}))
    assert not is_read_after(finished(run), later(limits_taken_at=None))


# --- the words ----------------------------------------------------------------------------------------------


def proven(run: RunState, after: Drift) -> Aftermath:
    return Aftermath(run.run_id, after.actual_taken_at, verify(DRIFT, after, rules=RULES))


def rebuilt() -> Drift:
    """Afterwards: what was critical is gone from the drift."""
    return later(drift_of(tuple(row for row in ROWS if not row.kind.is_critical)))


def test_the_current_step_follows_the_run(found: Assessment, run: RunState) -> None:
    now = situation(assessment=found)
    assert current(now) is Step.ASSESS
    assert current(replace(now, run=replace(run, is_rebuild=False))) is Step.ASSESS
    assert current(replace(now, run=run)) is Step.REBUILD
    over = finished(ended(run))
    assert current(replace(now, run=over)) is Step.VERIFY
    assert current(replace(now, run=over, aftermath=proven(over, later()))) is Step.VERIFY
    assert current(replace(now, run=over, aftermath=proven(over, rebuilt()))) is Step.HAND_OVER
    stopped = finished(ended(ended(run, Outcome.NOT_RUN), of=2), why="stopped")
    assert current(replace(now, run=stopped, aftermath=proven(over, later()))) is Step.REBUILD


def test_what_was_left_out_is_told_apart_from_what_is_left(run: RunState) -> None:
    mine, others = still_repairable(run, proven(run, later()).proof)  # type: ignore[arg-type]
    assert {row.key for row in mine} == {"aurora", "boreal", "cirrus", "ember"}
    assert {row.key for row in others} == {"dune"}


SITUATIONS = [
    "reading",
    "unproven",
    "read-only",
    "armed",
    "none chosen",
    "running",
    "stopped",
    "over",
    "done",
]


def of_kind(kind: str, found: Assessment, run: RunState) -> Situation:
    over = finished(ended(run))
    interrupted = InterruptedRunFound("run-1", "night@console", NOW, run.plan, {})
    return {
        "reading": situation(),
        "unproven": situation(assessment=replace(found, unproven="CloudStack was read partial.")),
        "read-only": situation(assessment=found, is_armed=False),
        "armed": situation(assessment=found),
        "none chosen": situation(assessment=found, choice=Choice().toggled(found.to_rebuild)),
        "running": situation(assessment=found, run=ended(run, of=3)),
        "stopped": situation(
            assessment=found, run=finished(ended(run, Outcome.NOT_RUN), why="stop"), interrupted=interrupted
        ),
        "over": situation(assessment=found, run=over),
        "done": situation(assessment=found, run=over, aftermath=proven(over, rebuilt()), is_drill=True),
    }[kind]


@pytest.mark.parametrize("kind", SITUATIONS)
def test_every_step_always_says_what_it_found_what_to_do_and_why(
    kind: str, found: Assessment, run: RunState
) -> None:
    for viewed in Step:
        shown = steps(of_kind(kind, found, run), viewed=viewed)
        assert [step.title for step in shown] == [step.value for step in Step]
        assert all(step.found and step.do and step.why for step in shown)
        assert [step.title for step in shown if step.is_viewed] == [viewed.value]


NEXT = {
    "reading": "Wait",
    "unproven": "<refresh>",
    "read-only": "<arm>",
    "armed": "<rebuild>",
    "none chosen": "<choose>",
    "running": "<stop>",
    "stopped": "<resume>",
    "over": "Wait",
    "done": "Practice",
}


@pytest.mark.parametrize("kind", SITUATIONS)
def test_the_current_step_names_the_next_key(kind: str, found: Assessment, run: RunState) -> None:
    now = of_kind(kind, found, run)
    (view,) = [step for step in steps(now, viewed=current(now)) if step.is_viewed]
    assert NEXT[kind] in view.do
    assert view.state is not StepState.WAITING


def test_an_interrupted_run_is_offered_before_a_new_one(found: Assessment, run: RunState) -> None:
    interrupted = InterruptedRunFound("run-1", "night@console", NOW, run.plan, {})
    view = steps(situation(assessment=found, interrupted=interrupted), viewed=Step.ASSESS)[0]
    assert "Run run-1 by night@console was interrupted. <resume> finishes it" in view.do


def test_only_results_that_stand_are_taken_over_from_an_interrupted_run(run: RunState) -> None:
    ids = [action.id for action in run.plan.actions[:4]]
    outcomes = (Outcome.SUCCEEDED, Outcome.SKIPPED, Outcome.FAILED, Outcome.UNKNOWN)
    results = {id: ActionResult(id, outcome) for id, outcome in zip(ids, outcomes, strict=True)}
    assert set(InterruptedRunFound("r", "o", NOW, run.plan, results).results) == set(ids[:2])


def text_of(lines: list[list[tuple[str, str]]]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


@pytest.mark.parametrize("width", [60, 78, 118])
def test_the_pages_fit_and_say_what_is_left_lost_and_untouched(run: RunState, width: int) -> None:
    over = finished(ended(run))
    after = replace(
        proven(over, rebuilt()), files=("/a/map.csv",), new_ids={"domain": 3}, password_file="/a/p.jsonl"
    )
    proof, handed = proof_page(over, after, width), hand_over_page(after, width, is_drill=True)
    assert all(sum(len(text) for text, _ in line) <= width for line in (*proof, *handed))
    said = " ".join(text_of(proof).split())
    assert "Nothing repairable is left of what was chosen." in said
    assert "1 left out, can still be repaired" in said
    assert "untouched: zephyr" in said
    assert "1 machine of 1 project lost for good" in said
    assert "/a/map.csv" in text_of(handed) and "temporary folder" in " ".join(text_of(handed).split())
    assert "temporary" not in text_of(hand_over_page(after, width, is_drill=False))
