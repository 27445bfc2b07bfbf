"""The path of the recovery where something was rebuilt elsewhere: before this console, or beside it."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from console.app import ConsoleApp
from console.past_rebuild import LOOKED_BACK, recall
from console.state import RunPhase
from sync.deletions import Stage
from sync.executor import Confirmation
from sync.journal import Journal
from sync.ledger import Ledger
from sync.model import ActionResult, Outcome
from sync.plan import to_json
from sync.recovery import assess
from tests.executions import execution
from tests.fake_cloudstack import plan, project
from tests.screens.driving import read_again
from tests.screens.recoveries import (
    DamagedSession,
    answer,
    console_on,
    open_recovery,
    rest,
    run_ends,
    start_rebuild,
)
from tests.screens.runs import until
from tests.screens.test_recovery_screen import ALL, LARGE, SMALL, words_of
from tests.screens.world import deletion
from widgets.confirm import TypedConfirm


async def after_a_rebuild(folder: Path) -> DamagedSession:
    """The session in which somebody has rebuilt all and gone."""
    session = DamagedSession(folder, armed=True)
    app = console_on(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await run_ends(pilot)
    session.is_deleting = False
    return session


def beside(session: DamagedSession, folder: Path, *, armed: bool = False) -> DamagedSession:
    """Another operator's session on the same CloudStack, with the same clock."""
    other = DamagedSession(folder, armed=armed)
    other.cloud, other.clock, other.is_deleting = session.cloud, session.clock, session.is_deleting
    other.operator = "day@console"
    other.ledger = Ledger(other.url, environment="drill", operator=other.operator, clock=other.clock).open()
    return other


def goes(session: DamagedSession, name: str) -> None:
    """The project's domain is deleted, and all that is in it."""
    cloud = session.cloud
    (gone,) = [id for id, one in cloud.domains.items() if one.name == name]
    del cloud.domains[gone]
    for id in [id for id, one in cloud.accounts.items() if one.domain_id == gone]:
        del cloud.accounts[id]


def rebuilds(session: DamagedSession) -> str:
    """Rebuild all that is to be rebuilt, as the command does: the run's id."""
    drift = session.compare(session.read_desired(), session.read_actual())
    found = assess(drift, session.rules, now=session.clock())
    made = session.plan([action for one in found.to_rebuild for action in one.actions])
    confirmed = Confirmation(made.digest, session.operator, session.clock())
    executor = session.executor(rebuild=True)
    return executor.run(made, confirmed=confirmed, on_event=lambda _: None, stop=threading.Event()).run_id


async def test_what_was_rebuilt_before_this_console_is_proven_and_handed_over_by_it(tmp_path: Path) -> None:
    """The path goes on where another console, or a command, left it."""
    first = await after_a_rebuild(tmp_path)
    second = beside(first, tmp_path)
    second.clock.advance(60)
    app = console_on(second)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        await until(pilot, lambda: app.aftermath is not None)
        await rest(pilot)
        text = words_of(app)
        assert f"{ALL} of {ALL} actions succeeded, in run " in text and "by night@console" in text
        assert "nothing of it is left to repair" in text
        assert app.aftermath is not None and app.aftermath.files and not app.aftermath.problem


async def test_a_rebuild_is_not_forgotten_over_a_newer_deletion_however_recovery_is_opened(
    tmp_path: Path,
) -> None:
    """What is known of deletions when Recovery is opened, and by whose clock they began, changes nothing."""
    first = await after_a_rebuild(tmp_path)
    for start in ("overview", "recovery"):
        second = beside(first, tmp_path)
        second.found = (deletion("strates", Stage.ENDED, minutes_ago=-90),)
        second.clock.advance(60)
        app = console_on(second, start=start)
        async with app.run_test(size=LARGE, notifications=True) as pilot:
            await until(pilot, lambda app=app: app.drift is not None and app.situation is not None)  # type: ignore[misc]
            await rest(pilot)
            if start == "overview":
                await pilot.press("R")
            await until(pilot, lambda app=app: app.aftermath is not None)  # type: ignore[misc]
            await rest(pilot)
            text = words_of(app)
            assert f"✓ 3 Rebuild {ALL} of {ALL} actions succeeded, in run " in text, text
            assert "not done: identity map" not in text and "; no report yet" in text, text


async def test_what_is_rebuilt_elsewhere_after_a_run_of_this_console_is_taken_in_by_it(
    tmp_path: Path,
) -> None:
    session = DamagedSession(tmp_path, armed=True)
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await run_ends(pilot)
        await until(pilot, lambda: app.aftermath is not None)
        goes(session, "cirrus")
        session.is_deleting = False
        session.found = (deletion("cirrus", Stage.ENDED, minutes_ago=-90),)  # by a clock that is ahead
        await read_again(pilot)
        assert "▶ 2 Assess 1 to rebuild: 1 missing" in words_of(app)
        session.clock.advance(5)
        run_id = rebuilds(beside(session, tmp_path, armed=True))
        await read_again(pilot)
        await until(pilot, lambda: app.aftermath is not None and app.aftermath.run_id == run_id)
        await rest(pilot)
        text = words_of(app)
        assert f"actions succeeded, in run {run_id} by day@console" in text, text
        users = len(session.vault.credentials())
        assert app.aftermath is not None and (app.aftermath.passwords, app.aftermath.rebuilds) == (users, 2)
        assert f"{users} passwords of 2 rebuilds" in text, text
        assert app.aftermath.new_ids["domain"] == 4, "cirrus once, with the newest of its ids"
        assert "nothing of it is left to repair" in text


# --- refused, because something else was executed -----------------------------------------------------------


async def refused_beside(pilot: Pilot[Any], app: ConsoleApp) -> None:
    """What is asked about is confirmed while another process holds the lease."""
    await answer(pilot, str(ALL))
    await until(pilot, lambda: app.run_state is not None and app.run_state.phase is RunPhase.FAILED)
    await rest(pilot)
    text = words_of(app)
    assert "3 Rebuild not begun: Another execution is running" in text, text
    assert "✓ 2 Assess" not in text and "5 Verify not done" in text


async def test_where_a_rebuild_was_refused_the_interrupted_run_stands_when_its_process_is_gone(
    tmp_path: Path,
) -> None:
    session = DamagedSession(tmp_path, armed=True)
    app = console_on(session)
    made = plan(*project("cirrus", "anna", "ben"), now=session.clock())
    payload = {"plan": to_json(made), "policy": "rebuild", "confirmed": {"by": "anna@desk"}}
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        await pilot.press("x")
        with execution(session.url, payload=payload) as other:
            other.begin()
            await refused_beside(pilot, app)
            done = ActionResult(made.actions[0].id, Outcome.SUCCEEDED)
            Journal(session.ledger, "run-1").outcome(done)
            other.kill()
        await read_again(pilot)
        number = len(made.actions)
        assert f"3 Rebuild interrupted: 1 of {number} actions done" in words_of(app)
        await pilot.press("3")
        await rest(pilot)
        text = words_of(app)
        assert f" 1/{number} " in text and "domains ██████████ 1/1" in text, text
        assert "not begun" not in text and f"0/{ALL}" not in text
        assert "Run run-1 by anna@desk was interrupted. c finishes it, after asking." in text


async def test_where_a_rebuild_was_refused_the_one_before_it_stands_when_the_lease_is_free(
    tmp_path: Path,
) -> None:
    first = await after_a_rebuild(tmp_path)
    for name in ("cirrus", "dorado"):
        goes(first, name)
    session = beside(first, tmp_path, armed=True)
    session.clock.advance(60)
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        await until(pilot, lambda: app.aftermath is not None)
        await pilot.press("2", "x")
        await until(pilot, lambda: any(one.expected for one in app.screen.query(TypedConfirm)))
        (question,) = app.screen.query(TypedConfirm)
        with execution(session.url) as other:
            await answer(pilot, str(question.expected))
            await until(pilot, lambda: app.run_state is not None and app.run_state.phase is RunPhase.FAILED)
            await rest(pilot)
            assert "3 Rebuild not begun: Another execution is running" in words_of(app)
            other.kill()
        await read_again(pilot)
        await until(pilot, lambda: app.aftermath is not None)
        await rest(pilot)
        text = words_of(app)
        assert f"✓ 3 Rebuild {ALL} of {ALL} actions succeeded, in run " in text, text
        assert "▶ 2 Assess 2 to rebuild" in text


async def test_what_was_rebuilt_days_ago_is_no_step_of_this_incident(tmp_path: Path) -> None:
    session = await after_a_rebuild(tmp_path)
    now = session.clock()
    assert recall(session.ledger, after=now - LOOKED_BACK) is not None
    assert recall(session.ledger, after=now + timedelta(seconds=1)) is None
