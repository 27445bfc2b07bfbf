"""What was predicted against what happened: pure comparisons, and what the record keeps of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import pytest

from sync.model import Action, ActionKind, ActionResult, Outcome, Plan, Reversibility
from sync.plan import build, to_json
from sync.prediction import (
    MOST_NAMED,
    Comparison,
    PredictedAction,
    Prediction,
    about,
    compared_in,
    fits,
    from_json,
    subject_of,
)
from sync.prediction import to_json as kept_in_order
from tests import examples as ex

S, F, K, N, U = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.SKIPPED, Outcome.NOT_RUN, Outcome.UNKNOWN


def create(name: str, **changed: Any) -> Action:
    made = Action(
        kind=ActionKind.CREATE_DOMAIN,
        project=name,
        target=f"ROOT/ci/{name}",
        target_id=None,
        parameters={"name": name, "parentdomain": "ROOT/ci"},
        precondition={"exists": "no"},
        reason="missing",
        reversibility=Reversibility.UNDOABLE,
    )
    return replace(made, **changed)


def plan_of(*actions: Action, **changed: Any) -> Plan:
    bound = {"environment": "lab", "root_id": ex.ROOT_ID, "endpoint": ex.ENDPOINT, "author": "anna"}
    return build(actions, **(bound | {"now": ex.NOON} | changed))


def kept(made: Prediction) -> dict[str, Any]:
    return kept_in_order(made, [one.action_id for one in made.actions])


def prediction_of(plan: Plan, *outcomes: Outcome, **changed: Any) -> Prediction:
    told = outcomes or (S,) * len(plan.actions)
    made = Prediction(
        at=ex.NOON,
        subject=subject_of(plan.actions),
        plan_digest=plan.digest,
        release="4.23",
        actions=tuple(
            PredictedAction(action.id, outcome, "" if outcome is S else "it was refused", 5, 0.5)
            for action, outcome in zip(plan.actions, told, strict=True)
        ),
        calls=5 * len(plan.actions),
        seconds=100.0,
        timing="computed.",
    )
    return replace(made, **changed)


PLAN = plan_of(create("aurora"), create("boreal"), create("dune"))


def results(*outcomes: Outcome) -> tuple[ActionResult, ...]:
    return tuple(
        ActionResult(action.id, outcome, "" if outcome is S else "over the limit")
        for action, outcome in zip(PLAN.actions, outcomes, strict=False)
    )


class Kind(Enum):
    STARTED = "run started"
    RESUMED = "run resumed"
    OUTCOME = "outcome"
    ENDED = "run ended"


@dataclass(frozen=True)
class Entry:
    kind: Kind
    payload: dict[str, Any]
    at: datetime
    run_id: str | None = "run-1"


def record(
    *outcomes: Outcome,
    plan: Plan = PLAN,
    made: Prediction | None = None,
    resumed: bool = False,
    ended: bool = True,
    calls: Any = 15,
) -> list[Entry]:
    """The entries of a run that was rehearsed, all foreseen to succeed unless `made` says otherwise."""
    predicted = kept(made or prediction_of(plan))
    entries = [Entry(Kind.STARTED, {"plan": to_json(plan), "predicted": predicted}, ex.NOON)]
    entries += [
        Entry(
            Kind.OUTCOME,
            {"action": one.action_id, "outcome": one.outcome.value, "detail": one.detail},
            ex.NOON,
        )
        for one in results(*outcomes)
    ]
    if resumed:
        entries.append(Entry(Kind.RESUMED, {}, ex.NOON))
    if ended:
        payload = {"counts": {}} if calls is None else {"counts": {}, "calls": calls}
        entries.append(Entry(Kind.ENDED, payload, ex.NOON + timedelta(seconds=93)))
    return entries


def compared(*outcomes: Outcome, **of: Any) -> Comparison:
    """The comparison that the record of such a run tells."""
    (found,) = compared_in(record(*outcomes, **of))
    return found.comparison


# --- the comparison -----------------------------------------------------------------------------------------


def test_a_run_as_it_was_rehearsed_has_no_surprise() -> None:
    found = compared(S, S, S)
    assert found.is_as_predicted
    assert list(found.lines()) == [
        "Predicted against actual: 3 of 3 actions ended as rehearsed.",
        "  Time: predicted 100.0 s, took 93.0 s (-7 %).",
        "  Calls: predicted 15, made 15.",
    ]


@pytest.mark.parametrize("predicted", Outcome)
@pytest.mark.parametrize("actual", Outcome)
def test_every_outcome_that_differs_is_named(predicted: Outcome, actual: Outcome) -> None:
    found = compared(S, actual, S, made=prediction_of(PLAN, S, predicted, S))
    assert found.is_as_predicted is (predicted is actual)
    if predicted is not actual:
        (surprise,) = found.surprises
        assert surprise.words.startswith(
            f"create-domain ROOT/ci/boreal: predicted {predicted.value}, was {actual.value}"
        )
        assert surprise.detail == ("over the limit" if actual is not S else "it was refused")


def test_what_the_run_says_nothing_of_was_not_run() -> None:
    found = compared(S)
    assert [(one.action_id, one.actual) for one in found.surprises] == [
        ("create-domain ROOT/ci/boreal", N),
        ("create-domain ROOT/ci/dune", N),
    ]


def test_more_calls_are_explained() -> None:
    *_, calls = compared(S, S, S, calls=17).lines()
    assert calls == (
        "  Calls: predicted 15, made 17 (+2: repeated readings, jobs asked for more or less often, a "
        "console's own reading meanwhile)."
    )


def test_of_many_surprises_the_first_are_named_and_the_rest_counted() -> None:
    plan = plan_of(*(create(f"p{number:02}") for number in range(MOST_NAMED + 5)))
    lines = list(compared(plan=plan).lines())
    assert lines[0] == f"Predicted against actual: 0 of {MOST_NAMED + 5} actions ended as rehearsed."
    assert lines[MOST_NAMED + 1] == "  … and 5 more"


# --- what holds for which plan ------------------------------------------------------------------------------


def test_it_holds_for_the_same_actions_whenever_the_plan_is_made() -> None:
    later = plan_of(*PLAN.actions, now=ex.NOON + timedelta(minutes=5), author="bob")
    assert later.digest != PLAN.digest
    assert fits(prediction_of(PLAN), later)


@pytest.mark.parametrize(
    "changed",
    [
        {"parameters": {"name": "aurora", "parentdomain": "ROOT/other"}},
        {"precondition": {"exists": "no", "name": "x"}},
        {"target_id": "id:1"},
    ],
)
def test_it_does_not_hold_when_an_action_changed(changed: Mapping[str, Any]) -> None:
    other = plan_of(create("aurora", **changed), create("boreal"), create("dune"))
    assert not fits(prediction_of(PLAN), other)


def test_it_does_not_hold_when_an_action_is_missing() -> None:
    assert not fits(prediction_of(PLAN), plan_of(*PLAN.actions[:2]))


def test_the_name_that_a_dying_domain_gets_is_drawn_anew_in_every_plan() -> None:
    first, second = (
        create(
            "aurora",
            kind=ActionKind.RENAME_DOMAIN,
            target_id="id:old",
            parameters={"name": name},
            precondition={"name": "aurora"},
        )
        for name in ("aurora-dying-1", "aurora-dying-2")
    )
    assert subject_of([first]) == subject_of([second])


# --- in words -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "about 1 s"),
        (43.4, "about 43 s"),
        (89.0, "about 89 s"),
        (95.0, "about 2 min"),
        (420.0, "about 7 min"),
        (3600.0, "about 1 h"),
        (4800.0, "about 1 h 20 min"),
    ],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert about(seconds) == words


def test_the_summary_counts_what_is_not_expected_to_succeed() -> None:
    assert prediction_of(PLAN).summary == "3 actions, 0 failures, about 2 min"
    assert prediction_of(PLAN, S, F, K).summary == "3 actions, 1 failure, 1 skipped, about 2 min"
    assert prediction_of(PLAN, F, U, S).summary == "3 actions, 2 failures, about 2 min"


def test_a_rehearsal_that_broke_off_is_good_for_nothing_and_says_why() -> None:
    broken = prediction_of(PLAN, S, N, N, why="the stand-in went away")
    assert not broken.is_good
    assert broken.summary == (
        "3 actions, 0 failures, 2 not run, not rehearsed to its end: the stand-in went away"
    )


def test_what_differs_and_what_was_left_out_is_said() -> None:
    told = prediction_of(PLAN, S, F, S, left_out=("2 NICs left out",), differs=("Limits: not read.",))
    assert list(told.lines()) == [
        "Rehearsed on a stand-in of release 4.23: 3 actions, 1 failure, about 2 min, 15 calls.",
        "  failed: create-domain ROOT/ci/boreal: it was refused",
        "  Time: computed.",
        "  Not in the stand-in: 2 NICs left out",
        "  May differ: Limits: not read.",
    ]


# --- in the record ------------------------------------------------------------------------------------------


def test_it_comes_back_from_the_record_as_it_was() -> None:
    made = prediction_of(PLAN, S, F, K, left_out=("x",), differs=("y",), why="z")
    text = json.dumps(kept(made))
    assert from_json(json.loads(text), [action.id for action in PLAN.actions]) == made


def test_it_is_kept_in_the_order_of_the_plan_that_runs() -> None:
    made = prediction_of(PLAN, S, F, K)
    ids = [one.action_id for one in reversed(made.actions)]
    back = from_json(kept_in_order(made, ids), ids)
    assert back.actions == tuple(reversed(made.actions))
    assert fits(back, plan_of(*reversed(PLAN.actions)))


def test_the_record_tells_which_run_it_was_and_how_long_it_took() -> None:
    (found,) = compared_in(record(S, K, S))
    assert found.run_id == "run-1"
    assert (found.comparison.seconds, found.comparison.calls) == (93.0, 15)
    assert [(one.action_id, one.actual) for one in found.comparison.surprises] == [
        ("create-domain ROOT/ci/boreal", K)
    ]


def test_a_pause_is_not_the_servers_time() -> None:
    entries = record(S, S, S)
    entries[-1].payload["paused_seconds"] = 60.5
    (found,) = compared_in(entries)
    assert found.comparison.seconds == 32.5


def test_a_run_that_goes_on_has_no_surprise_but_what_has_ended() -> None:
    (found,) = compared_in(record(S, F, ended=False))
    assert [one.action_id for one in found.comparison.surprises] == ["create-domain ROOT/ci/boreal"]
    assert found.comparison.why_not_timed == "the run has not ended."


def test_the_time_of_a_resumed_run_is_not_compared() -> None:
    (found,) = compared_in(record(S, S, S, resumed=True))
    assert found.comparison.is_as_predicted
    assert list(found.comparison.lines())[-1] == (
        "  Time and calls are not compared: the run was interrupted and resumed."
    )


def test_a_record_without_calls_is_not_guessed() -> None:
    (found,) = compared_in(record(S, S, S, calls=None))
    assert found.comparison.why_not_timed == "the record does not have the calls."


def test_a_run_that_was_not_rehearsed_is_not_compared() -> None:
    started, *rest = record(S, S, S)
    plain = Entry(Kind.STARTED, {"plan": started.payload["plan"]}, datetime.now(UTC))
    assert list(compared_in([plain, *rest])) == []
    assert list(compared_in(rest)) == []
