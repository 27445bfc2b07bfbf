"""Project: field by field, and staging one action at a time."""

from __future__ import annotations

import pytest

from sync.model import Coverage, CoverageState
from tests.screens.driving import clock_of, console, read_again, screen_text, settle
from tests.screens.world import HOSTILE, ROWS, FakeSession
from widgets.action_list import ActionList
from widgets.comparison import ComparisonList


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_both_sides_field_by_field_with_reasons(size: tuple[int, int]) -> None:
    app = console()
    async with app.run_test(size=size, notifications=True) as pilot:
        await settle(pilot)
        app.open("project", "dune")
        await pilot.pause()
        text = screen_text(app)
        for words in (
            "dune",
            "~ differs",
            "user jmartin state",
            "VM dune-vm-0",
            "✝",
            "2 actions proposed, 0 staged",
        ):
            assert words in text
        assert "The CI database has jmartin enabled. Undo: disable the user" in text
        assert "undoable" in text
        assert "esc back" in text


async def test_space_stages_one_action_with_what_it_needs() -> None:
    app = console()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        app.open("project", "cirrus")
        await pilot.pause()
        await pilot.press("down", "space")
        assert [action.kind.value for action in app.staged] == ["create domain", "create account"]
        await pilot.press("home", "space")
        assert app.staged == (), "without the domain there is no account"
        await pilot.press("home", "space")
        assert [action.kind.value for action in app.staged] == ["create domain"]
        await pilot.press("escape")
        assert len(app.staged) == 1


async def test_tab_goes_to_the_comparison_where_space_stages_all() -> None:
    app = console()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        app.open("project", "dune")
        await pilot.pause()
        assert isinstance(app.focused, ActionList)
        await pilot.press("tab")
        assert isinstance(app.focused, ComparisonList)
        await pilot.press("space")
        assert len(app.staged) == 2


async def test_a_project_in_sync_has_nothing_to_stage() -> None:
    app = console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        app.open("project", "galaxy")
        await pilot.pause()
        assert "nothing proposed" in screen_text(app)
        assert "stage " not in screen_text(app).splitlines()[-1]


async def test_it_follows_what_is_read() -> None:
    session = FakeSession()
    app = console(session)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        app.open("project", "dune")
        await pilot.pause()
        assert "~ 5" in screen_text(app)
        session.actual_coverage = Coverage(CoverageState.FAILED, why="refused")
        await read_again(pilot, seconds=75)
        text = screen_text(app)
        assert "· unknown" in text
        assert "Below is the last known state, 75 s old: then it was ~ differs." in text
        below = text.partition("CloudStack  ")[2].partition("nothing proposed")[0]
        below = below.partition("Domain ")[2]
        assert "· 5" in below and "· ROOT/ci/dune" in below
        for sign in ("~ ", "+ ", "= "):
            assert f" {sign}" not in below
        assert "nothing proposed" in text
        await pilot.press("tab", "end")
        clock_of(app).advance(300)
        app.now = app.utc_clock()
        await pilot.pause()
        assert "Below is the last known state, 6 min old" in screen_text(app)
        session.actual_coverage = session.desired_coverage
        session.rows = tuple(row for row in ROWS if row.key != "dune")
        await read_again(pilot)
        assert "on neither side any more" in screen_text(app)


async def test_a_vm_named_like_markup_is_shown() -> None:
    app = console()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        app.open("project", "fjord")
        await pilot.pause()
        assert f"VM {HOSTILE}" in screen_text(app)
