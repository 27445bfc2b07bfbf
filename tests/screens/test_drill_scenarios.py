"""The scenarios in which something happens beside the console, played in it; and the drill's page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from textual.widgets import Input

from console.app import ConsoleApp
from console.screens.confirm import ConfirmScreen
from console.screens.contain_questions import FormScreen
from console.screens.drill import DrillScreen
from console.session import Session
from sync.drill import FIRST_OPERATOR, practice
from sync.drill_scenarios import SCENARIOS
from sync.drill_script import Rehearsal
from sync.drill_stage import Stage, Turn
from sync.errors import UsageError
from sync.ledger import EntryKind
from sync.model import DriftKind, Outcome
from sync.plan import repairable
from tests.screens.driving import console, said, screen_text, settle
from tests.screens.recoveries import answer
from tests.screens.test_recovery_flow import patiently

SPEED = 50.0


def kinds(app: ConsoleApp) -> set[DriftKind]:
    return set() if app.drift is None else {row.kind for row in app.drift.rows}


async def test_a_deletion_that_begins_while_you_watch_is_contained() -> None:
    with practice(scenario="while-you-watch", speed=SPEED) as drill:
        session, stage = Session(drill.environment), Stage(drill)
        app = ConsoleApp(session, start="overview", stage=stage)
        try:
            async with app.run_test(size=(80, 24), notifications=True) as pilot:
                await patiently(pilot, lambda: app.drift is not None)
                assert not any(kind.is_critical for kind in kinds(app)), "all is well when it opens"
                assert "D tells more" in said(app)
                await patiently(pilot, lambda: DriftKind.DELETING in kinds(app))
                await pilot.press("A")
                await answer(pilot, "drill")
                await patiently(pilot, lambda: app.console_mode.armed)
                await pilot.press("!")
                await patiently(pilot, lambda: "by ci-sync/ci-sync in ROOT" in screen_text(app))
                await pilot.press("f")
                await patiently(pilot, lambda: isinstance(app.screen, ConfirmScreen))
                await answer(pilot, "drill")
                await patiently(pilot, lambda: "The naive sync was refused" in said(app))
                assert "401" in said(app)
        finally:
            stage.end()
            session.close()
        log = drill.control.log()
        (fenced,) = [one["time"] for one in log if one["command"] == "updateUser"]
        deletions = [one for one in log if one["cleanup"]]
        assert deletions and all(one["time"] < fenced for one in deletions), "nothing was begun with since"


async def test_the_run_of_somebody_whose_terminal_died_is_finished() -> None:
    with practice(scenario="second-operator", speed=SPEED) as drill:
        session = Session(drill.environment)
        app = ConsoleApp(session, start="overview", stage=Stage(drill))
        try:
            async with app.run_test(size=(80, 24), notifications=True) as pilot:
                await patiently(pilot, lambda: "goes on is not known" in said(app))
                assert f"held by {FIRST_OPERATOR}" in said(app)
                await pilot.press("A")
                await answer(pilot, "drill")
                await patiently(pilot, lambda: app.console_mode.armed)
                await pilot.press("R")
                await patiently(pilot, lambda: "b breaks its lease, by name" in screen_text(app))
                assert app.ledger_run is not None and not app.ledger_run.can_be_finished
                await pilot.press("b")
                await patiently(pilot, lambda: isinstance(app.screen, FormScreen))
                await pilot.press(*"ben", "enter")
                await patiently(pilot, lambda: "not by ben" in screen_text(app))
                app.screen.query_one("#owner", Input).value = FIRST_OPERATOR
                await pilot.press("enter", *"she phoned")
                await pilot.press("enter")
                await patiently(pilot, lambda: "finishes it, after asking" in screen_text(app))
                assert f"The lease was taken from {FIRST_OPERATOR}" in said(app)
                left = app.ledger_run.latest.run.total - len(app.ledger_run.results)
                assert left > 0
                await pilot.press("c")
                await patiently(pilot, lambda: isinstance(app.screen, ConfirmScreen))
                await patiently(pilot, lambda: f"Type {left} to confirm" in screen_text(app))
                await answer(pilot, str(left))
                await patiently(pilot, lambda: app.aftermath is not None)
                run = app.run_state
                assert run is not None
                assert {one.outcome for one in run.results.values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}
                assert "nothing of it is left to repair" in screen_text(app)
            after = Rehearsal(drill.environment).assess()
            assert repairable(after, session.rules) == ()
            assert len(session.ledger.runs()) == 1
            (broken,) = session.ledger.entries(kinds=[EntryKind.LEASE_BROKEN])
            assert (broken.operator, broken.payload["owner"]) == (session.operator, FIRST_OPERATOR)
            assert broken.payload["reason"] == "she phoned"
            assert {entry.operator for entry in session.ledger.entries()} == {
                FIRST_OPERATOR,
                session.operator,
            }
        finally:
            session.close()


@pytest.mark.exhaustive
async def test_the_second_wave_meets_the_fence_and_then_new_ids() -> None:
    with practice(scenario="second-wave", speed=SPEED) as drill:
        session, stage = Session(drill.environment), Stage(drill)
        app = ConsoleApp(session, start="recovery", stage=stage)
        try:
            async with app.run_test(size=(120, 40), notifications=True) as pilot:
                await patiently(pilot, lambda: "A arms the console" in screen_text(app))
                await pilot.press("A")
                await answer(pilot, "drill")
                await patiently(pilot, lambda: app.console_mode.armed)
                await pilot.press("x")
                await patiently(pilot, lambda: isinstance(app.screen, ConfirmScreen))
                await answer(pilot, str(sum(len(one.actions) for one in app.screen_stack[-2].chosen)))  # type: ignore[attr-defined]
                await patiently(pilot, lambda: app.aftermath is not None)
                await pilot.press("!")
                await patiently(pilot, lambda: ", FENCED" in screen_text(app))
                await pilot.press("D", "right", "right", "enter")
                await patiently(pilot, lambda: "The naive sync was refused" in said(app))

                await pilot.press("F")
                await patiently(pilot, lambda: "a second person has to agree" in screen_text(app))
                await pilot.press("escape", "D", "right", "enter")
                await patiently(pilot, lambda: "The owner of the CI database has run relink" in said(app))

                before = len(drill.control.destroyed())
                await pilot.press("F")
                await patiently(pilot, lambda: "why it may be lifted" in screen_text(app))
                assert "a second person" not in screen_text(app)
                await pilot.press(*"linked", "enter")
                await answer(pilot, "drill")
                await patiently(pilot, lambda: ", FENCED" not in screen_text(app))
                await pilot.press("D", "right", "right", "enter")
                await patiently(pilot, lambda: "it deleted nothing" in said(app))
        finally:
            stage.end()
            session.close()
        gone = drill.control.destroyed()[before:]
        assert not [one for one in gone if "-deleted-" not in one["domain"]], "but what was dying before"


# --- the page -----------------------------------------------------------------------------------------------


class FakeStage:
    """One turn of somebody else, which may fail."""

    def __init__(self, *, fails: bool = False) -> None:
        self.scenario = SCENARIOS["second-wave"]
        self.turns = (Turn("sync", "Switch on", "Switch on: somebody does it.", self._play),)
        self.fails = fails
        self.tell: Any = None

    def begin(self, tell: Any) -> None:
        self.tell = tell

    def _play(self) -> str:
        if self.fails:
            raise UsageError("There is no room left.")
        return "The sync has been switched on."


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_page_says_what_it_is_about_and_lets_others_act(size: tuple[int, int]) -> None:
    stage = FakeStage()
    app = console(stage=stage)
    async with app.run_test(size=size, notifications=True) as pilot:
        await settle(pilot)
        stage.tell("Something [b]happened[/b].")
        await pilot.pause()
        assert "Something [b]happened[/b]." in said(app)
        await pilot.press("D")
        await pilot.pause()
        assert isinstance(app.screen, DrillScreen)
        assert "Drill: second-wave" in screen_text(app)
        assert "Switch on: somebody does it." in screen_text(app)
        await pilot.press("pagedown")
        await pilot.pause()
        assert "ten times as fast" in screen_text(app)
        await pilot.press("enter")
        await settle(pilot)
        assert "has been switched on" not in said(app), "Close has the focus"
        await pilot.press("D", "right", "enter")
        await settle(pilot)
        assert "The sync has been switched on." in said(app)
        assert not isinstance(app.screen, DrillScreen)


async def test_a_turn_that_fails_says_so() -> None:
    app = console(stage=FakeStage(fails=True))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("D", "right", "enter")
        await settle(pilot)
        assert "no room left" in said(app)


async def test_outside_of_a_drill_neither_footer_nor_help_names_its_key() -> None:
    for stage, is_named in ((None, False), (FakeStage(), True)):
        app = console(stage=stage)
        async with app.run_test(size=(240, 90), notifications=True) as pilot:
            await settle(pilot)
            assert ("D drill" in screen_text(app)) is is_named
            await pilot.press("question_mark")
            await pilot.pause()
            assert ("In a drill: what its scenario" in screen_text(app)) is is_named


async def test_where_nobody_else_acts_no_other_button_is_spoken_of() -> None:
    stage = FakeStage()
    stage.turns = ()
    app = console(stage=stage)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("D")
        await pilot.pause()
        assert "other button" not in screen_text(app)
        assert "enter closes" in screen_text(app)


async def test_outside_of_a_drill_the_key_says_that_this_is_none() -> None:
    app = console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("D")
        await pilot.pause()
        assert "This is no drill" in said(app)


# --- what the others do -------------------------------------------------------------------------------------


def test_the_owner_of_the_ci_database_runs_what_a_rebuild_has_written(tmp_path: Any) -> None:
    import sqlite3

    database = tmp_path / "ci.sqlite"
    drill: Any = SimpleNamespace(
        scenario=SCENARIOS["second-wave"],
        ci_database=database,
        environment=SimpleNamespace(name="drill", credential_file=tmp_path / "new-passwords.jsonl"),
    )
    relink = Stage(drill).turns[0]
    assert relink.play().startswith("There is no SQL yet")
    connection = sqlite3.connect(database)
    connection.executescript(
        "CREATE TABLE projects (name, domain_id); INSERT INTO projects VALUES ('a', 'old');"
    )
    sql = "UPDATE projects SET domain_id = 'new' WHERE name = 'a' AND domain_id = 'old'"
    file = tmp_path / "relink-drill.sql"
    file.write_text(f"BEGIN;\n{sql};\nCOMMIT;\n", encoding="utf-8")
    assert "relink-drill.sql" in relink.play()
    assert "relink-drill.sql" in relink.play(), "twice changes nothing more"
    assert connection.execute("SELECT domain_id FROM projects").fetchall() == [("new",)]
    connection.close()
    file.write_text("UPDATE nothing;\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"relink-drill\.sql cannot be run"):
        relink.play()
