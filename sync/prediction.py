"""What a rehearsal predicts for a plan, how it is kept in the record, and how it compares with what happened.

Pure. A prediction is made by `rehearsing`; whoever reads the ledger finds it again in the run's first entry.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sync.model import Action, ActionResult, JsonObject, Outcome, Plan

MOST_NAMED = 20
"""Actions that the words name one by one; the JSON has all."""


@dataclass(frozen=True, slots=True)
class PredictedAction:
    """What the rehearsal saw of one action."""

    action_id: str
    outcome: Outcome
    detail: str
    calls: int
    """API calls, tries included."""
    seconds: float
    """What they take at the service times of a real server, one after another, waiting for jobs included."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a plan is expected to do, as the rehearsal of it went."""

    at: datetime
    """When it was rehearsed."""
    subject: str
    """`subject_of` the actions: the prediction holds for any plan of exactly these."""
    plan_digest: str
    """Of the plan that was rehearsed, for the record."""
    release: str
    """As which release the stand-in answered."""
    actions: tuple[PredictedAction, ...]
    """In the plan's order."""
    calls: int
    seconds: float
    """Of the whole run, see `timing`."""
    timing: str
    """How the seconds were computed, in one sentence."""
    why: str = ""
    """Why the rehearsal did not get to its end; empty when it did."""
    left_out: tuple[str, ...] = ()
    """What of the reading could not be put into the stand-in, in words."""
    differs: tuple[str, ...] = ()
    """Where reality may go another way than the stand-in, and why, in whole sentences."""

    @property
    def counts(self) -> dict[Outcome, int]:
        totals = dict.fromkeys(Outcome, 0)
        for one in self.actions:
            totals[one.outcome] += 1
        return totals

    @property
    def doubtful(self) -> tuple[PredictedAction, ...]:
        """What is not expected to succeed."""
        return tuple(one for one in self.actions if one.outcome is not Outcome.SUCCEEDED)

    @property
    def is_good(self) -> bool:
        """Whether the rehearsal got to its end and everything succeeded in it."""
        return not self.why and not self.doubtful

    @property
    def summary(self) -> str:
        """`262 actions, 0 failures, about 7 min`."""
        total = len(self.actions)
        counts = self.counts
        bad = counts[Outcome.FAILED] + counts[Outcome.UNKNOWN]
        parts = [
            "1 action" if total == 1 else f"{total} actions",
            "1 failure" if bad == 1 else f"{bad} failures",
            *(f"{counts[one]} {one.value}" for one in (Outcome.SKIPPED, Outcome.NOT_RUN) if counts[one]),
        ]
        end = f"not rehearsed to its end: {self.why}" if self.why else about(self.seconds)
        return f"{', '.join(parts)}, {end}"

    def lines(self) -> Iterator[str]:
        """All of it for people, line by line."""
        yield f"Rehearsed on a stand-in of release {self.release}: {self.summary}, {self.calls} calls."
        yield from (f"  {one.outcome.value}: {_named(one.action_id, one.detail)}" for one in self._named())
        if len(self.doubtful) > MOST_NAMED:
            yield f"  … and {len(self.doubtful) - MOST_NAMED} more"
        yield f"  Time: {self.timing}"
        yield from (f"  Not in the stand-in: {text}" for text in self.left_out)
        yield from (f"  May differ: {text}" for text in self.differs)

    def _named(self) -> Sequence[PredictedAction]:
        return self.doubtful[:MOST_NAMED]


def subject_of(actions: Iterable[Action]) -> str:
    """SHA-256, hex, over what each action does, on what, and from what it starts, in whatever order; not over
    when, by whom and where the plan was made. What is drawn anew in every plan (the name that a dying domain
    gets) is left out.
    """
    told = [
        [one.id, one.target_id, _lasting(one), dict(one.precondition), list(one.needs)]
        for one in sorted(actions, key=lambda action: action.id)
    ]
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _lasting(action: Action) -> dict[str, str]:
    is_rename = action.id.startswith("rename-domain ")
    return {name: value for name, value in action.parameters.items() if not (is_rename and name == "name")}


def about(seconds: float) -> str:
    """A duration as a person would say it: `about 40 s`, `about 7 min`, `about 1 h 20 min`."""
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"about {minutes} min"
    return f"about {hours} h {rest} min" if rest else f"about {hours} h"


def _named(action_id: str, detail: str) -> str:
    return f"{action_id}: {detail}" if detail else action_id


# --- in the record ------------------------------------------------------------------------------------------


def to_json(prediction: Prediction, action_ids: Iterable[str]) -> JsonObject:
    """As the run's first entry keeps it, beside the plan with these actions, in its order."""
    by_id = {one.action_id: one for one in prediction.actions}
    actions = [by_id[id] for id in action_ids]
    return {
        "at": prediction.at.isoformat(),
        "subject": prediction.subject,
        "plan_digest": prediction.plan_digest,
        "release": prediction.release,
        "actions": [[one.outcome.value, one.calls, round(one.seconds, 3), one.detail] for one in actions],
        "calls": prediction.calls,
        "seconds": round(prediction.seconds, 3),
        "timing": prediction.timing,
        "why": prediction.why,
        "left_out": list(prediction.left_out),
        "differs": list(prediction.differs),
    }


def from_json(kept: Mapping[str, Any], action_ids: Sequence[str]) -> Prediction:
    """What `to_json` kept; `action_ids` are the plan's, in its order."""
    return Prediction(
        at=datetime.fromisoformat(kept["at"]),
        subject=kept["subject"],
        plan_digest=kept["plan_digest"],
        release=kept["release"],
        actions=tuple(
            PredictedAction(id, Outcome(outcome), detail, calls, seconds)
            for id, (outcome, calls, seconds, detail) in zip(action_ids, kept["actions"], strict=True)
        ),
        calls=kept["calls"],
        seconds=kept["seconds"],
        timing=kept["timing"],
        why=kept["why"],
        left_out=tuple(kept["left_out"]),
        differs=tuple(kept["differs"]),
    )


def fits(prediction: Prediction, plan: Plan) -> bool:
    """Whether it was rehearsed with exactly these actions."""
    return prediction.subject == subject_of(plan.actions)


# --- predicted against actual -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Surprise:
    """An action that ended otherwise than it was rehearsed."""

    action_id: str
    predicted: Outcome
    actual: Outcome
    detail: str
    """What really happened; where that says nothing, what the rehearsal said."""

    @property
    def words(self) -> str:
        head = f"{self.action_id}: predicted {self.predicted.value}, was {self.actual.value}"
        return f"{head}. {self.detail}" if self.detail else head


@dataclass(frozen=True, slots=True)
class Comparison:
    """A rehearsal and the run that followed."""

    prediction: Prediction
    seconds: float | None
    """Of the run; None where it did not go through in one piece or has not ended."""
    calls: int | None
    """Of the run; None likewise."""
    surprises: tuple[Surprise, ...]
    why_not_timed: str = ""
    """Why seconds and calls are not compared; empty when they are."""

    @property
    def is_as_predicted(self) -> bool:
        """Whether every action ended as it was rehearsed."""
        return not self.surprises

    def lines(self) -> Iterator[str]:
        """All of it for people, line by line."""
        total = len(self.prediction.actions)
        same = total - len(self.surprises)
        yield f"Predicted against actual: {same} of {total} actions ended as rehearsed."
        yield from (f"  {one.words}" for one in self.surprises[:MOST_NAMED])
        if len(self.surprises) > MOST_NAMED:
            yield f"  … and {len(self.surprises) - MOST_NAMED} more"
        if self.seconds is None or self.calls is None:
            yield f"  Time and calls are not compared: {self.why_not_timed}"
            return
        yield f"  Time: predicted {self.prediction.seconds:.1f} s, took {self.seconds:.1f} s{self._ratio()}."
        yield f"  Calls: predicted {self.prediction.calls}, made {self.calls}{self._more_calls()}."

    def _ratio(self) -> str:
        assert self.seconds is not None
        predicted = self.prediction.seconds
        if predicted <= 0:
            return ""
        percent = round(100 * (self.seconds - predicted) / predicted)
        return f" ({percent:+d} %)" if percent else " (as predicted)"

    def _more_calls(self) -> str:
        assert self.calls is not None
        more = self.calls - self.prediction.calls
        why = "repeated readings, jobs asked for more or less often, a console's own reading meanwhile"
        return f" ({more:+d}: {why})" if more else ""


def _surprises(prediction: Prediction, results: Iterable[ActionResult]) -> tuple[Surprise, ...]:
    actual = {result.action_id: result for result in results}
    found = []
    for one in prediction.actions:
        result = actual.get(one.action_id)
        outcome = result.outcome if result is not None else Outcome.NOT_RUN
        if outcome is not one.outcome:
            detail = (result.detail if result is not None else "") or one.detail
            found.append(Surprise(one.action_id, one.outcome, outcome, detail))
    return tuple(found)


# --- out of the ledger --------------------------------------------------------------------------------------


class Kind(Protocol):
    """A kind of entry; the value is its word."""

    @property
    def value(self) -> str: ...


class EntryLike(Protocol):
    """What is needed of `sync.ledger_entries.Entry`."""

    @property
    def kind(self) -> Kind: ...
    @property
    def run_id(self) -> str | None: ...
    @property
    def at(self) -> datetime: ...
    @property
    def payload(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True)
class RecordedComparison:
    """What was predicted against what a run did, by the ledger."""

    run_id: str
    comparison: Comparison


def compared_in(entries: Iterable[EntryLike]) -> Iterator[RecordedComparison]:
    """Of every run among these entries (oldest first, of whole runs) that was rehearsed before it began."""
    runs: dict[str, list[EntryLike]] = {}
    for entry in entries:
        if entry.run_id is not None:
            runs.setdefault(entry.run_id, []).append(entry)
    for run_id, mine in runs.items():
        started = mine[0].payload
        if mine[0].kind.value == "run started" and started.get("predicted"):
            ids = [_action_id(one) for one in started["plan"]["actions"]]
            yield RecordedComparison(run_id, _recorded(from_json(started["predicted"], ids), mine))


def _action_id(kept: Mapping[str, Any]) -> str:
    """As `Action.id` makes it."""
    return f"{str(kept['kind']).replace(' ', '-')} {kept['target']}"


def _recorded(prediction: Prediction, mine: Sequence[EntryLike]) -> Comparison:
    last = mine[-1]
    results = {
        entry.payload["action"]: ActionResult(
            entry.payload["action"], Outcome(entry.payload["outcome"]), entry.payload["detail"]
        )
        for entry in mine
        if entry.kind.value == "outcome"
    }
    surprises = _surprises(prediction, results.values())
    seconds, calls, why = None, None, ""
    if last.kind.value != "run ended":
        why = "the run has not ended."
        # What has no outcome yet is no surprise yet.
        surprises = tuple(one for one in surprises if one.action_id in results)
    elif any(entry.kind.value == "run resumed" for entry in mine):
        why = "the run was interrupted and resumed."
    else:
        seconds = (last.at - mine[0].at).total_seconds() - last.payload.get("paused_seconds", 0.0)
        calls = last.payload.get("calls")
        why = "" if calls is not None else "the record does not have the calls."
    return Comparison(prediction, seconds, calls, surprises, why)
