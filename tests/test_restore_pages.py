"""What the Restore screen says, state by state: what is next, what is made, what cannot be and why."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from console.cli.restoring import exit_code
from console.recovery_steps import Situation, Step, current, steps
from console.restore_pages import Scene, page, what_to_do
from console.restore_state import Restoring, Wish
from console.restores import is_restore
from console.state import RunPhase, RunState
from sync.errors import EXIT_DONE, EXIT_DRIFT, EXIT_UNKNOWN, UsageError
from sync.freezes import Freeze, freeze, thaw
from sync.model import (
    ActionKind,
    Outcome,
)
from sync.restoration import Restoration
from tests.restore_states import MADE, NOW, STATE, ZONE, ended, planned, report, vm
from widgets.steps import StepState


def scene(state: Restoring = STATE, **named: Any) -> Scene:
    given: dict[str, Any] = {
        "state": state, "key": lambda id: f"<{id}>", "is_armed": True, "can_arm": True, "run": None,
        "ledger_run": None, "environment": "lab",
    }  # fmt: skip
    return Scene(**{**given, **named})


def said(state: Restoring = STATE, **named: Any) -> str:
    lines = page(scene(state, **named), 100)
    assert all(sum(len(text) for text, _ in line) <= 100 for line in lines)
    return "\n".join("".join(text for text, _ in line) for line in lines)


def ledger_run(**named: Any) -> Any:
    given = {
        "is_over": False, "is_held": False, "can_be_finished": True, "silent": None,
        "words": "Run 7 by anna was interrupted.",
    }  # fmt: skip
    return SimpleNamespace(**{**given, **named})


def test_all_that_is_made_and_all_that_is_not_stands_on_the_page() -> None:
    text = said()
    assert "7 objects of the capture by the reading of 03:12:00: 3 there, 2 to make again, 2 not" in text
    assert "2 × deploy VM" in text and "aurora:aurora:a1, ci/aurora:aurora:a2" in text
    assert "1 × volume" in text and "what was on it is lost: aurora/data" in text
    assert text.index("ROOT/ci/zephyr") < text.index("10.7.0.11"), "the dangerous ones first"


@pytest.mark.parametrize(
    ("state", "named", "words"),
    [
        (STATE, {}, "<run-restore> asks for the number and makes it: 2 actions. Nothing is deleted."),
        (STATE, {"is_armed": False}, "<arm> arms the console. 2 actions could be run."),
        (
            STATE,
            {"is_armed": False, "can_arm": False},
            "names no section as `write`. 2 actions could be run.",
        ),
        (replace(STATE, step="checking x"), {}, "checking x"),
        (
            replace(STATE, problem="No capture."),
            {},
            "No capture. <restore-by> changes what it goes by, <refresh>",
        ),
        (replace(STATE, plan=None), {}, "1 object waits for a rebuild: step 3 comes first."),
        (replace(STATE, plan=None, made=Restoration()), {}, "Nothing of it can be made again now"),
        (replace(STATE, is_run=True), {}, "Both sides are read anew"),
        (STATE, {"ledger_run": ledger_run()}, "was interrupted. <resume> finishes it, after asking."),
        (
            STATE,
            {"ledger_run": ledger_run(), "is_armed": False},
            "<arm> arms the console. Then <resume> finishes",
        ),
        (STATE, {"ledger_run": ledger_run(is_held=True)}, "nothing else is sent before it has ended."),
        (STATE, {"ledger_run": ledger_run(is_held=True, silent=1)}, "<break-lease> breaks its lease"),
        (STATE, {"ledger_run": ledger_run(is_over=True)}, "<run-restore> asks for the number"),
    ],
)
def test_the_next_thing_to_do_comes_first(state: Restoring, named: Mapping[str, Any], words: str) -> None:
    assert words in what_to_do(scene(state, **named))[0]


def test_a_run_says_whether_it_is_this_one() -> None:
    run = RunState(planned(vm("a1")), RunPhase.RUNNING, NOW, is_restore=True)
    assert "It runs; <restore-view> shows it." in what_to_do(scene(run=run))[0]
    other = replace(run, is_restore=False)
    assert what_to_do(scene(run=other))[0].startswith("Another run is going on.")


def test_the_end_says_what_is_in_place_what_failed_and_which_zone_is_closed_still() -> None:
    good = replace(
        STATE, is_run=True, ended=ended(a1=Outcome.SUCCEEDED, a2=Outcome.SUCCEEDED), files=("/x/map.csv",)
    )
    text = said(good)
    assert "Everything that was planned is in place. <refresh> plans what is left anew." in text
    assert "✓ Succeeded: 2 × deploy VM." in text and "1 × volume" in text
    closed = (Freeze("zone-1", "anna", NOW),)
    bad = replace(good, ended=ended(a1=Outcome.SUCCEEDED, a2=Outcome.FAILED, frozen=closed))
    text = said(bad)
    assert "Not everything that was planned is in place: mend what failed" in text
    assert "✗ deploy-VM ROOT/ci/aurora:aurora:a2: Why." in text
    assert "Zone zone-1 is frozen since 2026-07-28 03:12 UTC by anna" in text


def test_what_could_not_be_read_of_addresses_is_not_known_and_never_none() -> None:
    whole = ended(a1=Outcome.SUCCEEDED, a2=Outcome.SUCCEEDED)
    blind = replace(whole, unread=("Who has it could not be read: No route.",))
    text = said(replace(STATE, is_run=True, ended=blind))
    assert "; who has which address now is not known in full. <refresh>" in text
    assert "· Not known: Who has it could not be read: No route." in text
    work: Any = SimpleNamespace(stop=threading.Event())
    assert exit_code(blind, work) == EXIT_UNKNOWN
    seen = said(replace(STATE, is_run=True, ended=whole))
    assert "not known" not in seen.casefold()


def test_a_restore_of_what_waits_for_a_rebuild_is_not_done() -> None:
    work: Any = SimpleNamespace(stop=threading.Event())
    whole = ended(a1=Outcome.SUCCEEDED, a2=Outcome.SUCCEEDED)
    assert exit_code(whole, work) == EXIT_DRIFT
    rebuilt = replace(whole, made=replace(MADE, left=MADE.left[:1]))
    assert exit_code(rebuilt, work) == EXIT_DONE
    assert exit_code(replace(rebuilt, made=MADE), work) == EXIT_DRIFT


def test_what_a_rebuild_makes_is_no_restore() -> None:
    network = replace(vm("n"), kind=ActionKind.CREATE_NETWORK)
    assert not is_restore(planned(network))
    assert is_restore(planned(network, vm("a1")))
    assert is_restore(planned(freeze(ZONE))) and is_restore(planned(thaw(ZONE)))


# --- the step of the recovery -------------------------------------------------------------------------------


def situation(**named: Any) -> Situation:
    return Situation(key=lambda id: f"<{id}>", is_armed=True, can_arm=True, is_drill=False, **named)


def step_of(found: Situation) -> Any:
    return steps(found, viewed=Step.RESTORE)[list(Step).index(Step.RESTORE)]


def test_the_step_says_what_can_be_made_again_and_comes_after_the_rebuild() -> None:
    rebuilt = RunState(planned(), RunPhase.FINISHED, NOW, is_rebuild=True, ended_at=NOW, report=report())
    found = situation(restoring=STATE, run=rebuilt)
    assert step_of(found).found == "2 can be made again, 2 cannot"
    assert current(found) is Step.RESTORE
    nothing = situation(restoring=replace(STATE, plan=None, made=replace(MADE, actions=())), run=rebuilt)
    assert "1 object waits for a rebuild: step 3 first." in step_of(nothing).do
    assert current(nothing) is Step.VERIFY


def test_while_and_after_a_restore_the_rebuild_stays_what_was_done() -> None:
    rebuilt = RunState(planned(), RunPhase.FINISHED, NOW, is_rebuild=True, ended_at=NOW, report=report())
    run = RunState(planned(vm("a1")), RunPhase.RUNNING, NOW, is_restore=True)
    going_on = situation(restoring=replace(STATE, is_run=True), run=run, last_rebuild=rebuilt)
    assert current(going_on) is Step.RESTORE
    assert (step_of(going_on).state, step_of(going_on).found) == (StepState.CURRENT, "0 of 1 action done")
    assert going_on.rebuild is rebuilt
    over = replace(run, phase=RunPhase.FINISHED, ended_at=NOW, report=report())
    done = replace(STATE, is_run=True, ended=ended(a1=Outcome.SUCCEEDED, a2=Outcome.SUCCEEDED))
    after = situation(restoring=done, run=over, last_rebuild=rebuilt)
    assert step_of(after).state is StepState.DONE
    assert step_of(after).found == "made: 2 × deploy VM; 2 objects cannot be"
    failed = replace(done, ended=ended(a1=Outcome.SUCCEEDED, a2=Outcome.FAILED))
    assert step_of(situation(restoring=failed, run=over, last_rebuild=rebuilt)).state is StepState.BAD


def test_what_no_stage_came_to_is_not_called_in_place() -> None:
    broken = RunState(
        planned(*MADE.actions), RunPhase.FAILED, NOW, ended_at=NOW, is_restore=True, problem="No lease."
    )
    none = replace(STATE, is_run=True, ended=replace(ended(), done=()))
    assert none.ended is not None and not none.ended.is_whole
    text = said(none, run=broken)
    assert "Not everything that was planned is in place" in text and "Succeeded" not in text
    assert "✗ It did not come to its end: No lease." in text
    assert "✗ 2 actions not reached: deploy-VM ROOT/ci/aurora:aurora:a1" in text
    assert step_of(situation(restoring=none)).state is StepState.BAD


def test_names_with_spaces_stand_in_quotes() -> None:
    assert Wish(projects="aurora 'big lab'").names == ("aurora", "big lab")
    with pytest.raises(UsageError, match="names no projects"):
        _ = Wish(projects="aurora 'big lab").names
