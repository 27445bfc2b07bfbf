"""Announcements: never over a question, short, and to be read in full."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from console.announcing import in_short
from console.app import ConsoleApp
from console.screens.overview import OverviewScreen
from tests.screens.driving import console, screen_text, settle
from tests.screens.test_pictures import SIZES, Compare

LONG = (
    "The captures in /home/night/.local/share/abreast cannot be written: the disk is full. " * 6 + "THE END"
)
OTHER = "Reading CloudStack was cut off. [/x] Ask who runs it."


def announce(app: ConsoleApp) -> None:
    app.notify(LONG, severity="error")
    app.notify(OTHER, severity="warning")


async def arm_while_announced(pilot: Pilot[Any]) -> None:
    """Two long ones stand there, and two more come, while it is asked whether to arm."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await settle(pilot)
    announce(app)
    await pilot.pause()
    await pilot.press("A")
    announce(app)
    await pilot.pause()


@SIZES
async def test_no_announcement_lies_over_a_question_and_none_is_lost(size: tuple[int, int]) -> None:
    app = console()
    async with app.run_test(size=size, notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("A")
        bare = screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        announce(app)
        await pilot.pause()
        assert "The captures in" in screen_text(app)
        app.clear_notifications()
        await pilot.pause()
        await pilot.press("A")
        announce(app)
        await pilot.pause()
        assert screen_text(app) == bare
        await pilot.press("escape")
        await pilot.pause()
        await pilot.pause()
        assert isinstance(app.screen, OverviewScreen)
        assert "The captures in" in screen_text(app) and OTHER in screen_text(app)


@SIZES
def test_picture_of_announcements(snap_compare: Compare, size: tuple[int, int]) -> None:
    """Two of them above the footer: a long one of three or four lines that ends in `…` and names M."""

    async def see(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        announce(pilot.app)  # type: ignore[arg-type]
        await pilot.pause()

    assert snap_compare(console(), terminal_size=size, run_before=see)


@SIZES
def test_picture_of_a_question_while_something_is_announced(
    snap_compare: Compare, size: tuple[int, int]
) -> None:
    """The question alone: its text, its line and both buttons in full."""
    assert snap_compare(console(), terminal_size=size, run_before=arm_while_announced)


@pytest.mark.parametrize("start", ["overview", "watch"])
async def test_what_is_cut_is_read_in_full_with_its_key(start: str) -> None:
    app = console(start=start)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        announce(app)
        await pilot.pause()
        text = screen_text(app)
        assert "… M has all of it." in " ".join(text.split()) and "THE END" not in text
        lines = [line for line in text.splitlines() if "abreast cannot be" in line or "has all of it" in line]
        assert len(lines) <= 3
        app.clear_notifications()
        await pilot.press("M")
        await pilot.pause()
        page = " ".join(screen_text(app).split())
        assert LONG in page and OTHER in page
        assert page.index(OTHER) < page.index("THE END"), "the newest first"


async def test_without_any_the_page_says_so() -> None:
    app = console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("M")
        assert "Nothing was announced yet." in screen_text(app)


def test_short_ones_stay_as_they_are() -> None:
    assert in_short(OTHER, "M") == OTHER
    assert in_short(LONG, "f5").endswith("… f5 has all of it.")
