"""The path of the recovery where something was rebuilt elsewhere: before this console, or beside it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from console.past_rebuild import LOOKED_BACK, recall
from sync.deletions import Stage
from sync.ledger import Ledger
from tests.screens.recoveries import (
    DamagedSession,
    console_on,
    open_recovery,
    rest,
    run_ends,
    start_rebuild,
)
from tests.screens.runs import until
from tests.screens.test_recovery_screen import ALL, LARGE, SMALL, words_of
from tests.screens.world import deletion


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


async def test_what_was_rebuilt_days_ago_is_no_step_of_this_incident(tmp_path: Path) -> None:
    session = await after_a_rebuild(tmp_path)
    now = session.clock()
    assert recall(session.ledger, after=now - LOOKED_BACK) is not None
    assert recall(session.ledger, after=now + timedelta(seconds=1)) is None
