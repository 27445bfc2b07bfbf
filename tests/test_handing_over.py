"""The step Hand over: what is given to whom, in which order, and where it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.handing_over import hand_over_page
from console.recovering import Aftermath
from console.recovery_steps import Situation, Step, current, steps
from console.report_state import Reporting
from console.state import RunPhase, RunState
from sync.model import Outcome
from sync.plan import PlanRules, build
from sync.recovery import Verification, assess
from tests.restore_states import STATE, ended
from tests.screens.world import drift_of
from widgets.steps import StepState, StepView

NOW = datetime(2026, 7, 28, 3, 12, tzinfo=UTC)
PLAN = build((), environment="lab", root_id="r", endpoint="https://cloud", author="x", now=NOW)
RUN = RunState(PLAN, RunPhase.FINISHED, NOW, ended_at=NOW, is_rebuild=True, report=object())
AFTER = Aftermath(
    "run-1",
    NOW,
    Verification((), (), (), (), (), (), ""),
    files=("/a/map.csv", "/a/map.json"),
    new_ids={"domain": 3, "user": 4},
    passwords=4,
    password_file="/a/p.jsonl",
)
ASKED = Reporting(1, NOW + timedelta(minutes=5), step="Reading both sides …")
WRITTEN = replace(
    ASKED,
    step="",
    folder="/a/report-20260728-031700",
    files=(
        "/a/report-20260728-031700/incident-report.md",
        "/a/report-20260728-031700/incident-report.html",
        "/a/report-20260728-031700/first-message.txt",
        "/a/report-20260728-031700/letters/aurora.eml",
        "/a/report-20260728-031700/letters/cirrus.eml",
    ),
    without_owner=("ember",),
    unsure=("There is no capture.", "Events reach back to 28 July."),
)


def situation(**changed: Any) -> Situation:
    known: dict[str, Any] = {
        "key": lambda id: f"<{id}>", "is_armed": True, "can_arm": True, "is_drill": False, "now": NOW,
        "run": RUN, "aftermath": AFTER,
        "assessment": assess(drift_of(()), PlanRules(parent="ROOT/ci"), now=NOW),
    }  # fmt: skip
    return Situation(**(known | changed))


def view(**changed: Any) -> StepView:
    return steps(situation(**changed), viewed=Step.HAND_OVER)[-1]


def said(width: int = 100, **changed: Any) -> str:
    lines = hand_over_page(situation(**changed), width, environment="lab 2")
    assert all(sum(len(text) for text, _ in line) <= width for line in lines)
    return "\n".join("".join(text for text, _ in line) for line in lines)


def test_passwords_come_first_then_letters_then_the_report() -> None:
    assert current(situation()) is Step.HAND_OVER
    shown = view()
    assert shown.state is StepState.CURRENT
    assert shown.found == "saved: 7 new ids, 4 passwords; no report yet"
    assert shown.do == (
        "<write-report> writes letters and report. Passwords to their users, letters to the owners, then the "
        "report."
    )
    drill = view(is_drill=True)
    assert drill.do == f"{shown.do} Practice: all of it goes when the drill ends."
    nobody = view(aftermath=replace(AFTER, passwords=0, new_ids={}))
    assert nobody.found == "no new id, no new password; no report yet"
    assert nobody.do.endswith("report. Letters to the owners, then the report.")


def test_what_several_rebuilds_made_is_said_to_be_of_several() -> None:
    several = replace(AFTER, rebuilds=2)
    assert view(aftermath=several).found == "saved: 7 new ids, 4 passwords of 2 rebuilds; no report yet"
    text = said(aftermath=several)
    assert "New passwords: 4 users of 2 rebuilds;" in text and "Identity map of 2 rebuilds, old" in text
    assert "rebuilds" not in said()


def test_it_is_done_when_report_and_letters_are_written_and_nothing_ran_since() -> None:
    going = view(reporting=ASKED)
    assert (going.state, going.do) == (StepState.CURRENT, "Wait: both sides are read for the report.")
    assert going.found.endswith("; Reading both sides …")
    done = view(reporting=WRITTEN)
    assert done.state is StepState.DONE
    assert "; report, 2 letters at " in done.found
    assert done.do == "Passwords to their users, letters to the owners, then the report."
    restored = replace(RUN, is_rebuild=False, is_restore=True, ended_at=NOW + timedelta(minutes=9))
    older = view(reporting=WRITTEN, run=restored, last_rebuild=RUN)
    assert older.state is StepState.CURRENT
    assert older.do.startswith("<write-report> writes letters and report anew: something ran since.")


def test_it_can_be_done_before_anything_was_rebuilt() -> None:
    before = view(run=None, aftermath=None)
    assert before.state is StepState.WAITING
    assert before.found.startswith("not done: identity map, new passwords; no report")
    assert view(run=None, aftermath=None, reporting=WRITTEN).state is StepState.DONE
    text = said(run=None, aftermath=None)
    assert "<write-report> writes them into a folder" in text and "New passwords" not in text


def test_what_could_not_be_written_says_why_and_how_to_go_on() -> None:
    broken = replace(ASKED, step="", problem="The disk is full.")
    shown = view(reporting=broken)
    assert (shown.state, shown.is_alarming) == (StepState.BAD, True)
    assert shown.found.endswith("; no report: The disk is full.") and "<write-report>" in shown.do
    assert "Not written: The disk is full." in said(reporting=broken)
    unsaved = replace(AFTER, problem="The map cannot be written.")
    assert view(aftermath=unsaved).state is StepState.BAD
    assert "The map cannot be written." in said(aftermath=unsaved)


@pytest.mark.parametrize("width", [60, 78, 118])
def test_the_page_says_where_everything_is_and_to_whom_nobody_writes(width: int) -> None:
    text = said(width, reporting=WRITTEN)
    words = " ".join(text.split())
    places = [text.index(one) for one in ("/a/p.jsonl", "/a/report-20260728-031700", "/a/map.csv")]
    assert places == sorted(places), "in the order in which people need them"
    assert "Report, first message and 2 letters, of " in words
    assert "incident-report.md incident-report.html first-message.txt letters/".replace(" ", "") in "".join(
        text.split()
    )
    assert "! Nobody is named to write to: ember." in words
    assert "cannot know: There is no capture. (and 1 more)" in words
    assert "aurora.eml, cirrus.eml" in words
    none = said(width, reporting=replace(WRITTEN, files=WRITTEN.files[:3]))
    assert "No letter: nothing is known to be lost" in " ".join(none.split())


def test_outside_of_a_drill_the_command_stands_beside_the_key() -> None:
    assert "abreast report --environment 'lab 2' -o FOLDER" in said()
    drill = said(is_drill=True)
    assert "abreast report" not in drill and "temporary folder" in drill
    assert "temporary" not in said()


def test_the_map_of_a_restore_stands_beside_the_rebuilds() -> None:
    made = replace(
        STATE, is_run=True, ended=ended(a1=Outcome.SUCCEEDED), files=("/a/map-2.csv", "/a/map-2.json")
    )
    text = said(restoring=made)
    assert "/a/map.csv" in text and "/a/map-2.csv" in text
    assert "The same after the restore, with all 0 that have a new id" in text
