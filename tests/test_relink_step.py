"""The step Re-link: needed where stored ids are of domains that are gone, done when they are seen alive."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from console.phone import spoken
from console.recovering import Aftermath, with_links
from console.recovery_steps import Situation, Step, current, steps
from console.relink_step import relink_page
from console.state import RunPhase, RunState
from sync.model import DriftKind, Part, Plan, Project, Subject
from sync.plan import PlanRules, build
from sync.recovery import Assessment, StaleId, Verification, assess, stored_ids
from tests.screens.world import ROWS, drift_of, in_sync
from widgets.steps import StepState, StepView

NOW = datetime(2026, 7, 28, 3, 12, tzinfo=UTC)
RULES = PlanRules(parent="ROOT/ci")
CIRRUS, DORADO = StaleId("cirrus", "cirrus", "old-c", "new-c"), StaleId("dorado", "dorado", "old-d", "new-d")
PROVEN = Verification((), (), (), (), (), (CIRRUS, DORADO), "")


def assessed(*, alive: tuple[str, ...] = (), stale: tuple[StaleId, ...] = (), gone: int = 0) -> Assessment:
    found = assess(drift_of(()), RULES, now=NOW)
    missing = tuple(f"gone-{number}" for number in range(gone))
    return replace(found, stored=replace(found.stored, alive=frozenset(alive), stale=stale, gone=missing))


def rebuilt() -> RunState:
    plan: Plan = build((), environment="lab", root_id="r", endpoint="https://cloud", author="x", now=NOW)
    return RunState(plan, RunPhase.FINISHED, NOW, ended_at=NOW, is_rebuild=True, report=object())


def after(**named: Any) -> Aftermath:
    files = ("/x/relink-lab.csv", "/x/relink-lab.sql")
    return replace(with_links(Aftermath("run-1", NOW, PROVEN, relinks=files), None), **named)


def situation(**changed: Any) -> Situation:
    known: dict[str, Any] = {
        "key": lambda id: f"<{id}>", "is_armed": True, "can_arm": True, "is_drill": False,
        "run": rebuilt(), "aftermath": after(), "assessment": assessed(stale=(CIRRUS, DORADO)), "now": NOW,
    }  # fmt: skip
    return Situation(**(known | changed))


def view(now: Situation) -> StepView:
    return steps(now, viewed=Step.RELINK)[list(Step).index(Step.RELINK)]


def said(now: Situation, width: int = 100) -> str:
    lines = relink_page(now, width, environment="lab 2")
    assert all(sum(len(text) for text, _ in line) <= width for line in lines)
    return "\n".join("".join(text for text, _ in line) for line in lines)


def test_it_is_the_sixth_of_seven_steps() -> None:
    assert [step.value for step in Step][-3:] == ["Verify", "Re-link", "Hand over"]
    assert spoken(situation(), Step.RELINK)[0].endswith("the sixth of seven steps: Re-link.")


LOST = assessed(alive=("cirrus",), gone=1)


@pytest.mark.parametrize(
    ("changed", "state", "found", "do"),
    [
        ({}, StepState.CURRENT, "2 stored ids of domains that are gone", "file below to the CI database's"),
        ({"plays_owner": True}, StepState.CURRENT, "2 stored ids", "<drill> plays the CI database's owner"),
        (
            {"assessment": assessed(stale=(CIRRUS,), gone=3)},
            StepState.CURRENT,
            "1 stored id of domains that are gone; 3 projects to rebuild first",
            "file below",
        ),
        (
            {"assessment": assessed(alive=("cirrus", "dorado"))},
            StepState.DONE,
            "2 new ids stored, and alive by a fresh reading",
            "<contain> opens Contain, there <lift-fence> lifts it",
        ),
        ({"assessment": LOST}, StepState.BAD, "1 domain went again", "Step 2 first: <rebuild>"),
        ({"assessment": None}, StepState.WAITING, "both sides are being read…", "Wait."),
        ({"is_fresh": False}, StepState.WAITING, "both sides are being read…", "Wait."),
        (
            {"assessment": replace(LOST, unproven="CloudStack: partial.")},
            StepState.WAITING,
            "both sides are being read…",
            "Wait.",
        ),
        (
            {"aftermath": None, "run": None, "assessment": assessed(gone=33)},
            StepState.WAITING,
            "not done: 33 stored ids of projects that are to be rebuilt",
            "After step 3",
        ),
        (
            {"run": replace(rebuilt(), phase=RunPhase.RUNNING, ended_at=None)},
            StepState.WAITING,
            "not done: new ids come of step 3",
            "Comes by itself",
        ),
        (
            {"aftermath": None, "assessment": assessed(alive=("cirrus",))},
            StepState.WAITING,
            "not needed: 1 stored id, alive",
            "Nothing.",
        ),
        (
            {"aftermath": None, "assessment": assessed()},
            StepState.WAITING,
            "not needed: the CI database stores no ids",
            "Nothing.",
        ),
    ],
)  # fmt: skip
def test_it_says_how_the_stored_ids_stand(
    changed: dict[str, Any], state: StepState, found: str, do: str
) -> None:
    shown = view(situation(**changed))
    assert (shown.state, shown.found[: len(found)]) == (state, found)
    assert do in shown.do


def test_it_comes_before_handing_over_for_as_long_as_ids_are_stale() -> None:
    assert current(situation()) is Step.RELINK
    linked = situation(assessment=assessed(alive=("cirrus", "dorado")))
    assert current(linked) is Step.HAND_OVER
    assert current(replace(linked, run=None, aftermath=None)) is Step.ASSESS


def test_after_a_rebuild_elsewhere_the_path_begins_with_what_is_left() -> None:
    elsewhere = situation(run=None, aftermath=None)
    assert current(elsewhere) is Step.RELINK
    assert "abreast relink --environment 'lab 2' -o FOLDER" in said(elsewhere)
    to_rebuild = assess(drift_of(ROWS), RULES, now=NOW)
    stale = replace(to_rebuild, stored=replace(to_rebuild.stored, stale=(CIRRUS,)))
    assert current(replace(elsewhere, assessment=stale)) is Step.ASSESS


def test_whoever_waits_is_told_what_a_sync_would_do() -> None:
    assert "deletes the rebuilt domains again" in view(situation()).wait
    assert view(situation(assessment=LOST)).wait.startswith("Nothing by that")
    linked = situation(assessment=assessed(alive=("cirrus", "dorado")))
    assert view(linked).wait == "Nothing: a sync finds every domain by its stored id."
    assert view(situation(assessment=None)).wait.startswith("Nobody knows yet")


@pytest.mark.parametrize("width", [60, 78, 118])
def test_the_page_has_the_files_the_ids_and_how_the_fence_goes(width: int) -> None:
    text = said(situation(), width)
    words = " ".join(text.split())
    assert text.index("relink-lab.sql") < text.index("relink-lab.csv"), "what is run comes first"
    assert "running it twice changes nothing more" in words and "<refresh> reads at once" in words
    assert "takes a second name and a reason" in words
    assert "abreast contain --environment 'lab 2' --lift-fence USER --reason TEXT" in words
    assert "old-c → new-c" in text and "old-d → new-d" in text


def test_the_page_says_where_there_is_no_sql_and_keeps_what_was_linked() -> None:
    assert "No SQL: name your statement" in said(situation(aftermath=after(relinks=("/x/relink-lab.csv",))))
    linked = said(situation(assessment=assessed(alive=("cirrus", "dorado")), aftermath=after(relinks=())))
    assert "old-c → new-c" in linked and "--lift-fence" in linked and "second name" not in linked
    drill = said(situation(is_drill=True))
    assert "abreast" not in drill and "<lift-fence> lifts it" in drill
    none = said(situation(aftermath=None, assessment=assessed(alive=("cirrus",))))
    assert none.strip().startswith("There is no new id to store.")


def test_what_was_stored_by_one_proof_is_remembered_by_the_next_of_the_same_run() -> None:
    half = Aftermath("run-1", NOW, replace(PROVEN, stale_ids=(replace(DORADO, current="newer"),)))
    told = with_links(half, after())
    assert {one.key: one.current for one in told.to_link} == {"cirrus": "new-c", "dorado": "newer"}
    none = with_links(Aftermath("run-1", NOW, None), told)
    assert none.to_link == told.to_link
    assert with_links(replace(half, run_id="run-2"), after()).to_link == half.proof.stale_ids  # type: ignore[union-attr]


def test_ids_are_told_apart_by_what_became_of_their_domain() -> None:
    def stores(name: str, kind: DriftKind, *parts: DriftKind) -> Any:
        row = in_sync(name)
        ids = tuple(Part(Subject.STORED_ID, "", "", one, f"old-{name}", f"d-{name}") for one in parts)
        return replace(row, kind=kind, project=Project(name, domain_id=f"old-{name}"), parts=ids)

    found = stored_ids(
        drift_of(
            (
                stores("aurora", DriftKind.MISSING),
                stores("boreal", DriftKind.HOLLOW, DriftKind.IN_SYNC),
                stores("cirrus", DriftKind.DIFFERS, DriftKind.DIFFERS),
                stores("dune", DriftKind.UNKNOWN),
                in_sync("galaxy"),
            )
        )
    )
    assert found.alive == {"boreal"} and found.gone == ("aurora",)
    assert [(one.project, one.stored, one.current) for one in found.stale] == [
        ("cirrus", "old-cirrus", "d-cirrus")
    ]
