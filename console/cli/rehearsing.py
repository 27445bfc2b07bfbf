"""`abreast rebuild --rehearse`: the plan in a stand-in first; afterwards what was predicted, and what was."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from console.cli.output import plain, result, result_json, say
from console.rehearsals import rehearse
from console.session import Session
from sync.errors import EXIT_DONE, EXIT_DRIFT, EXIT_STOPPED, EXIT_UNKNOWN, UnreachableError
from sync.model import ActualInventory, DesiredInventory, JsonObject, Plan
from widgets.cells import counted

if TYPE_CHECKING:
    from sync.prediction import Comparison, Prediction

TOLD_EVERY = 0.1
"""Share of the actions between two lines of progress."""

Sides = tuple[DesiredInventory, ActualInventory]


def rehearsal_of(session: Session, plan: Plan, sides: Sides, stop: threading.Event) -> Prediction | None:
    """What the plan is expected to do, after saying so; None, with the reason said, where no stand-in starts:
    that keeps nobody from the real run."""
    say(f"Rehearsing {counted(len(plan.actions), 'action')} in a stand-in of what was read …")
    told = 0.0

    def tell(done: int, total: int) -> None:
        nonlocal told
        if done / total >= told + TOLD_EVERY or done == total:
            told = done / total
            say(f"  rehearsed {done} of {total}")

    try:
        predicted = rehearse(session, plan, *sides, on_progress=tell, stop=stop)
    except UnreachableError as error:
        say(f"Not rehearsed: {error}")
        return None
    for line in predicted.lines():
        say(line)
    return predicted


def conclude_rehearsal(
    predicted: Prediction | None, *, nothing_to_do: bool, as_json: bool, stop: threading.Event
) -> int:
    """The result of `--rehearse-only`: 0 only where everything is predicted to succeed, 3 where
    there was no stand-in."""
    if as_json:
        told = None if predicted is None else prediction_json(predicted)
        result_json({"nothing_to_rebuild": nothing_to_do, "predicted": told})
    elif nothing_to_do:
        result("nothing to rebuild, nothing to rehearse")
    elif predicted is not None:
        result(f"rehearsed: {predicted.summary}; nothing was sent to the server")
    if stop.is_set():
        return EXIT_STOPPED
    if predicted is None:
        return EXIT_DONE if nothing_to_do else EXIT_UNKNOWN
    return EXIT_DONE if predicted.is_good else EXIT_DRIFT


def prediction_json(predicted: Prediction) -> JsonObject:
    """Everything that was predicted, by action."""
    counts = {outcome.value: count for outcome, count in predicted.counts.items()}
    found: JsonObject = plain(predicted)
    return found | {"is_good": predicted.is_good, "counts": counts}


def comparison_json(comparison: Comparison) -> JsonObject:
    """What was predicted against what was."""
    predicted = comparison.prediction
    return {
        "as_predicted": comparison.is_as_predicted,
        "seconds": {"predicted": round(predicted.seconds, 3), "actual": comparison.seconds},
        "calls": {"predicted": predicted.calls, "actual": comparison.calls},
        "not_compared": comparison.why_not_timed,
        "differences": plain(comparison.surprises),
        "may_differ": list(predicted.differs),
        "left_out": list(predicted.left_out),
    }


def compared_runs(session: Session, run_ids: Iterable[str]) -> list[Comparison]:
    """Of those runs that were rehearsed, as the ledger has them: somebody else may have begun one."""
    from sync.prediction import compared_in

    return [one.comparison for id in run_ids for one in compared_in(session.ledger.entries(run_id=id))]
