"""Restore: planned, confirmed by its number, run stage by stage, interrupted, finished, looked at."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from console.app import ConsoleApp
from console.restore_state import Restoring
from console.restores import Restored
from console.screens.confirm import ConfirmScreen
from console.screens.contain_questions import FormScreen
from console.screens.restore import RestoreScreen
from console.session import Session
from console.state import RunPhase, RunState
from sync.model import Coverage, CoverageState, Outcome
from sync.settings import load
from tests.cli import ENVIRONMENT
from tests.restore_site import ZONE, Site, site_in
from tests.restore_states import NOW, STATE, ended
from tests.screens.driving import said, screen_text
from tests.screens.recoveries import DamagedSession, answer, console_on, open_recovery
from tests.screens.test_recovery_flow import patiently
from widgets.confirm import TypedConfirm

Compare = Callable[..., bool]
SMALL, LARGE = (80, 24), (120, 40)
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])


def words_of(app: ConsoleApp) -> str:
    """What stands on the screen, as if it were one line."""
    return " ".join(screen_text(app).replace("▌", " ").replace("│", " ").split())


@asynccontextmanager
async def recovery_of(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[ConsoleApp, Pilot[Any]]]:
    """The console on the site, with the ledger and captures that its commands have; armed, in recovery."""
    for name, value in site.cli.variables.items():
        monkeypatch.setenv(name, value)
    session = Session(load(site.cli.config).environment(ENVIRONMENT))
    try:
        app = ConsoleApp(session, start="recovery")
        async with app.run_test(size=LARGE, notifications=True) as pilot:
            await patiently(pilot, lambda: "2 Assess" in screen_text(app) and app.drift is not None)
            await pilot.press("A")
            await answer(pilot, ENVIRONMENT)
            await patiently(pilot, lambda: app.console_mode.armed)
            yield app, pilot
    finally:
        session.close()


async def go_by(pilot: Pilot[Any], **wanted: str) -> None:
    """Fill in what the restore is to go by."""
    await pilot.press("o")
    await patiently(pilot, lambda: isinstance(pilot.app.screen, FormScreen))
    for id, value in wanted.items():
        pilot.app.screen.query_one(f"#{id}", Input).value = value
    await pilot.press("enter")
    await patiently(pilot, lambda: isinstance(pilot.app.screen, RestoreScreen))


async def run_it(pilot: Pilot[Any], app: ConsoleApp) -> Restored:
    """Confirm what is planned, and wait for what comes of it."""
    await patiently(pilot, lambda: app.restoring is not None and app.restoring.is_ready)
    state = app.restoring
    assert state is not None and state.plan is not None
    await pilot.press("x")
    await patiently(pilot, lambda: isinstance(app.screen, ConfirmScreen))
    await answer(pilot, str(len(state.plan.actions)))
    await patiently(pilot, lambda: app.restoring is not None and app.restoring.ended is not None)
    assert app.restoring is not None and app.restoring.ended is not None
    return app.restoring.ended


async def test_a_restore_by_a_capture_file_and_an_archive_with_the_zone_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site_in(tmp_path) as site:
        site.lose_and_rebuild()
        async with recovery_of(site, monkeypatch) as (app, pilot):
            await pilot.press("m")
            await patiently(pilot, lambda: "It is not known what to restore" in words_of(app))
            assert "no capture has any of the domains that were deleted" in words_of(app)
            await go_by(pilot, capture=str(tmp_path / "nowhere"))
            await patiently(pilot, lambda: "nowhere, and it is no point in time" in words_of(app))
            await go_by(
                pilot,
                capture=str(site.cli.folder / "before.sqlite"),
                archive=str(site.archive),
                serve="127.0.0.1",
                zone=ZONE,
                projects="boreal",
            )
            await patiently(pilot, lambda: "x asks for the number and makes it: 5 actions." in words_of(app))
            text = words_of(app)
            assert f"archive {site.archive}, given to CloudStack from 127.0.0.1." in text
            assert f"{ZONE} is closed to others until the end." in text
            assert "1 × freeze zone" in text and "1 × thaw zone" in text and "projects boreal" in text
            result = await run_it(pilot, app)
            assert result.is_whole, result.failed
            assert result.counts == dict.fromkeys(
                ("freeze zone", "take address", "register template", "deploy VM", "thaw zone"), 1
            )
            assert site.allocation() == "Enabled" and "boreal-1" in site.machines()
            assert "Everything that was planned is in place." in words_of(app)
            assert "Identity map, old ids to new ones" in words_of(app)
            await pilot.press("r")
            await patiently(pilot, lambda: "Nothing of it can be made again now" in words_of(app))
            await pilot.press("escape")
            await patiently(pilot, lambda: "4 Restore" in screen_text(app))


async def test_an_interrupted_restore_is_finished_on_its_screen_and_the_zone_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site_in(tmp_path) as site:
        site.lose_and_rebuild()
        site.restore_until_killed()
        async with recovery_of(site, monkeypatch) as (app, pilot):
            await patiently(pilot, lambda: "was interrupted" in words_of(app))
            await pilot.press("c")
            await patiently(pilot, lambda: isinstance(app.screen, RestoreScreen))
            assert "This run is a restore's: c finishes it here." in said(app)
            await go_by(
                pilot,
                capture=str(site.cli.folder / "before.sqlite"),
                archive=str(site.archive),
                serve="127.0.0.1",
            )
            await patiently(pilot, lambda: "c finishes it, after asking." in words_of(app))
            assert "x restore" not in screen_text(app), "the interrupted one comes first"
            found = app.ledger_run
            assert found is not None and found.plan is not None
            await pilot.press("c")
            await answer(pilot, str(len(found.plan.actions) - len(found.results)))
            await patiently(pilot, lambda: app.run_state is not None and not app.run_state.is_going_on)
            run = app.run_state
            assert run is not None and run.is_restore and not run.problem
            assert {one.outcome for one in run.results.values()} <= {Outcome.SUCCEEDED, Outcome.SKIPPED}
            assert site.allocation() == "Disabled", "what the process left is not forgotten"
            result = await run_it(pilot, app)
            assert result.counts["thaw zone"] == 1 and not result.frozen
            assert site.allocation() == "Enabled"
            assert site.machines().keys() == {"aurora-1", "aurora-2", "boreal-1", "dune-1"}


async def test_a_restore_that_is_stopped_says_so_and_is_gone_on_with_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site_in(tmp_path) as site:
        site.lose_and_rebuild()
        site.box.control.add_fault("slow", command="registerTemplate", seconds=4, count=1)
        async with recovery_of(site, monkeypatch) as (app, pilot):

            def is_under_way(kind: str) -> bool:
                run = app.run_state
                return run is not None and any(id.startswith(kind) for id in run.active)

            await pilot.press("m")
            await go_by(
                pilot,
                capture=str(site.cli.folder / "before.sqlite"),
                archive=str(site.archive),
                serve="127.0.0.1",
            )
            await patiently(pilot, lambda: app.restoring is not None and app.restoring.is_ready)
            plan = app.restoring.plan if app.restoring is not None else None
            assert plan is not None
            await pilot.press("x")
            await patiently(pilot, lambda: isinstance(app.screen, ConfirmScreen))
            await answer(pilot, str(len(plan.actions)))
            await patiently(pilot, lambda: is_under_way("register-template"))
            await pilot.press("S")
            await patiently(pilot, lambda: app.restoring is not None and app.restoring.ended is not None)
            result = app.restoring.ended if app.restoring is not None else None
            assert result is not None and not result.is_whole
            await patiently(pilot, lambda: "c finishes it, after asking." in words_of(app))
            assert "It did not come to its end: the operator stopped the execution" in words_of(app)
            await pilot.press("c")
            await patiently(pilot, lambda: any(one.expected for one in app.screen.query(TypedConfirm)))
            (question,) = app.screen.query(TypedConfirm)
            await answer(pilot, str(question.expected))
            await patiently(pilot, lambda: "Nothing of it can be made again now" in words_of(app))
            assert site.machines().keys() == {"aurora-1", "aurora-2", "boreal-1", "dune-1"}


async def test_nothing_is_planned_from_readings_that_are_not_complete(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    session.actual_coverage = Coverage(CoverageState.PARTIAL, why="listDomains gave 3 of 4.")
    app = console_on(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        await pilot.press("m")
        await patiently(pilot, lambda: "CloudStack was not read completely." in words_of(app))
        assert "x restore" not in screen_text(app)


# --- pictures -----------------------------------------------------------------------------------------------


def showing(state: Restoring, run: RunState | None = None) -> Callable[[Pilot[Any]], Any]:
    async def look(pilot: Pilot[Any]) -> None:
        app = await open_recovery(pilot)
        app.restoring = state
        if run is not None:
            app.run_state = run
        await app.open("restore")
        await pilot.pause()
        app.clear_notifications()
        await pilot.pause()

    return look


@SIZES
def test_picture_of_the_plan(snap_compare: Compare, size: tuple[int, int], tmp_path: Path) -> None:
    """What to do first, what it goes by, what is made again, what not and why, which addresses change."""
    app = console_on(DamagedSession(tmp_path, armed=True))
    state = replace(STATE, archive="/srv/archives, given to CloudStack from 10.1.1.7.")
    assert snap_compare(app, terminal_size=size, run_before=showing(state))


@SIZES
def test_picture_of_the_run(snap_compare: Compare, size: tuple[int, int], tmp_path: Path) -> None:
    """Progress, stage by stage, and what is going on."""
    plan = STATE.plan
    assert plan is not None
    run = RunState(plan, RunPhase.RUNNING, NOW, active={plan.actions[0].id: "waiting"}, is_restore=True)
    app = console_on(DamagedSession(tmp_path, armed=True))
    assert snap_compare(app, terminal_size=size, run_before=showing(replace(STATE, is_run=True), run))


@SIZES
def test_picture_of_the_result(snap_compare: Compare, size: tuple[int, int], tmp_path: Path) -> None:
    """What is in place, what failed and why, where the identity map is, what is not made again."""
    state = replace(
        STATE,
        is_run=True,
        ended=ended(a1=Outcome.SUCCEEDED, a2=Outcome.FAILED),
        files=("/home/ops/identity-map-run-1.csv", "/home/ops/identity-map-run-1.json"),
    )
    app = console_on(DamagedSession(tmp_path, armed=True))
    assert snap_compare(app, terminal_size=size, run_before=showing(state))


@SIZES
def test_picture_of_what_it_goes_by(snap_compare: Compare, size: tuple[int, int], tmp_path: Path) -> None:
    """Every line with its name above it, all of them and both buttons in sight."""

    async def ask(pilot: Pilot[Any]) -> None:
        await showing(STATE)(pilot)
        await pilot.press("o")
        await pilot.pause()
        for line in pilot.app.screen.query(Input):
            line.cursor_blink = False
        await pilot.pause()

    app = console_on(DamagedSession(tmp_path, armed=True))
    assert snap_compare(app, terminal_size=size, run_before=ask)
