"""Pictures of the screens, compared as SVG. Each docstring says what a person should see.

`pytest tests/screens/test_pictures.py --snapshot-update` takes them anew, after looking at them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from sync.model import Coverage, CoverageState
from tests.screens.driving import console, read_desired_first, settle
from tests.screens.world import Facts, FakeSession
from widgets.drift_table import DriftTable

Compare = Callable[..., bool]
SMALL, LARGE = (80, 24), (120, 40)
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])


async def ready(pilot: Pilot[Any]) -> None:
    await settle(pilot)


@SIZES
def test_overview(snap_compare: Compare, size: tuple[int, int]) -> None:
    """Both sides abreast, every kind with glyph, word and colour; the details of aurora below."""
    assert snap_compare(console(), terminal_size=size, run_before=ready)


@pytest.mark.parametrize("theme", ["light", "high-contrast", "colour-blind"])
def test_overview_in_other_themes(snap_compare: Compare, theme: str) -> None:
    """The same, readable on another ground."""
    app = console(FakeSession(facts=Facts(theme=theme)))
    assert snap_compare(app, terminal_size=LARGE, run_before=ready)


def test_overview_in_production_armed(snap_compare: Compare) -> None:
    """The environment in its own colour and in words, ARMED beside it, two rows with a staged mark."""
    facts = Facts(name="production", title="PRODUCTION ci.example.org")

    async def stage(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        for key in ("cirrus", "dune"):
            pilot.app.screen.query_one(DriftTable).move_to(key)
            await pilot.press("space")
        await pilot.pause()

    app = console(FakeSession(facts=facts, armed=True))
    assert snap_compare(app, terminal_size=LARGE, run_before=stage)


@SIZES
def test_overview_while_cloudstack_is_silent(snap_compare: Compare, size: tuple[int, int]) -> None:
    """The header turns and says since when and why; rows are dim and say what they were."""
    session = FakeSession()

    async def fall_silent(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        session.actual_coverage = Coverage(
            CoverageState.FAILED, why="the connection was refused. Check that the management server runs."
        )
        await read_desired_first(pilot, session)
        pilot.app.clear_notifications()
        await pilot.pause()

    assert snap_compare(console(session), terminal_size=size, run_before=fall_silent)


def test_overview_with_an_open_filter(snap_compare: Compare) -> None:
    """The box between counts and table, only what matches below it."""

    async def search(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        await pilot.press("slash", *":differs")
        pilot.app.screen.query_one("#filter-box").cursor_blink = False
        await pilot.pause()

    assert snap_compare(console(), terminal_size=SMALL, run_before=search)


@SIZES
def test_project(snap_compare: Compare, size: tuple[int, int]) -> None:
    """Dune on both sides, two proposed actions with their reasons, the first under the cursor."""

    async def visit(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        pilot.app.screen.query_one(DriftTable).move_to("dune")
        await pilot.press("enter", "space")
        await pilot.pause()

    assert snap_compare(console(), terminal_size=size, run_before=visit)


@SIZES
def test_watch(snap_compare: Compare, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Big counts, the trend, the table, the alarm of the start; no key that changes anything."""
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert snap_compare(console(start="watch"), terminal_size=size, run_before=ready)


def test_help(snap_compare: Compare) -> None:
    """The keys of the Overview first, then those that work everywhere."""

    async def ask(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        await pilot.press("question_mark")
        await pilot.pause()

    assert snap_compare(console(), terminal_size=SMALL, run_before=ask)


def test_arming(snap_compare: Compare) -> None:
    """The question above the dimmed Overview; Cancel has the focus, Confirm is off."""

    async def ask(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        await pilot.press("A")
        await pilot.pause()

    assert snap_compare(console(), terminal_size=SMALL, run_before=ask)
