"""Below the supported 80x24 nothing breaks, and what matters is still to be seen."""

from __future__ import annotations

import pytest

from sync.model import Coverage, CoverageState
from tests.screens.driving import console, read_again, screen_text, settle
from tests.screens.recoveries import DamagedSession, console_on, open_recovery
from tests.screens.runs import INCIDENT, RunSession, console_of, open_review
from tests.screens.world import FakeSession

TINY = (40, 10)


async def test_the_overview_shows_headline_and_rows() -> None:
    app = console()
    async with app.run_test(size=TINY) as pilot:
        await settle(pilot)
        lines = screen_text(app).splitlines()
        assert "needs 80x24" in lines[0]
        assert lines[3] == " 1 of 14 projects has no domain. One is "
        assert lines[4].strip() == "being deleted now (3 VMs …  R recovers"
        assert lines[5].split() == ["▸", "aurora", "!", "deleting"]
        assert lines[6].split() == ["boreal", "○", "hollow"]
        assert lines[-1].rstrip().endswith("? help")


async def test_the_overview_has_a_row_left_where_both_sides_are_silent() -> None:
    session = FakeSession()
    app = console(session)
    async with app.run_test(size=TINY) as pilot:
        await settle(pilot)
        session.actual_coverage = session.desired_coverage = Coverage(
            CoverageState.FAILED, why="No route to the host."
        )
        await read_again(pilot)
        assert "aurora" in screen_text(app)


async def test_the_question_shows_what_to_type_and_takes_it() -> None:
    session = FakeSession()
    app = console(session)
    async with app.run_test(size=TINY) as pilot:
        await settle(pilot)
        await pilot.press("A")
        await pilot.pause()
        text = screen_text(app)
        assert "Arm the console?" in text and "Type drill to confirm." in text and "Cancel" in text
        await pilot.press(*"drill", "enter")
        await settle(pilot)
        assert session.is_armed


async def test_a_name_that_both_sides_lack_is_still_named() -> None:
    app = console()
    async with app.run_test(size=(40, 24)) as pilot:
        await settle(pilot)
        assert "zephyr" in screen_text(app)


@pytest.mark.parametrize("key", ["enter", "H", "e", "question_mark", "slash", "ctrl+p", "s"])
async def test_every_other_screen_opens(key: str) -> None:
    app = console()
    async with app.run_test(size=TINY) as pilot:
        await settle(pilot)
        await pilot.press(key)
        await pilot.pause()
        assert screen_text(app)


async def test_review_and_recovery_show_a_row(tmp_path) -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(size=TINY) as pilot:
        await open_review(pilot)
        assert "create domain" in screen_text(app)
    app = console_on(DamagedSession(tmp_path))
    async with app.run_test(size=TINY) as pilot:
        await open_recovery(pilot)
        assert "aurora" in screen_text(app)
