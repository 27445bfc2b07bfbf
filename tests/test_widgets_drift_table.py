"""The virtual table: the cursor and the marks stay on their key, whatever happens to the rows."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from textual.app import App, ComposeResult

from sync.model import DriftKind, DriftRow
from tests.screens.world import HOSTILE, in_sync, project, view
from widgets.drift_table import DriftHeading, DriftTable, columns_for, drift_cell, heading, row_pieces
from widgets.values import RowView
from widgets.virtual_list import VirtualList


def rows(count: int) -> list[RowView]:
    return [RowView(in_sync(f"project-{number:05d}", machines=0, templates=0)) for number in range(count)]


class TableApp(App[None]):
    """Nothing but the table; remembers what it said."""

    def __init__(self) -> None:
        super().__init__()
        self.moves: list[str | None] = []
        self.chosen: list[str] = []

    def compose(self) -> ComposeResult:
        yield DriftHeading()
        yield DriftTable()

    @property
    def table(self) -> DriftTable:
        return self.query_one(DriftTable)

    def on_virtual_list_cursor_moved(self, event: VirtualList.CursorMoved) -> None:
        self.moves.append(event.key)

    def on_virtual_list_chosen(self, event: VirtualList.Chosen) -> None:
        self.chosen.append(event.key)


def text_of(table: DriftTable, y: int) -> str:
    return table.render_line(y).text


async def test_only_what_is_in_sight_is_drawn() -> None:
    app = TableApp()
    async with app.run_test(size=(100, 22)) as pilot:
        app.table.show(rows(5000))
        drawn: list[int] = []
        original = app.table.line
        app.table.line = lambda index, width: (drawn.append(index), original(index, width))[1]  # type: ignore[method-assign]
        app.table.redraw()
        await pilot.pause()
        assert drawn
        assert len(set(drawn)) <= 20


async def test_the_cursor_stays_on_its_key_through_new_rows_sorting_and_filtering() -> None:
    app = TableApp()
    async with app.run_test(size=(100, 22)) as pilot:
        views = rows(500)
        app.table.show(views)
        app.table.move_to("project-00123")
        await pilot.pause()
        on_screen = app.table.cursor - app.table.scroll_offset.y
        shuffled = views[:]
        random.Random(7).shuffle(shuffled)
        for changed in (shuffled, list(reversed(views)), views[100:200], views):
            app.table.show(changed)
            await pilot.pause()
            assert app.table.cursor_key == "project-00123"
        assert app.table.cursor - app.table.scroll_offset.y == on_screen, "the row does not jump on screen"


async def test_a_row_that_goes_leaves_the_cursor_on_its_line() -> None:
    app = TableApp()
    async with app.run_test(size=(100, 22)) as pilot:
        views = rows(10)
        app.table.show(views)
        app.table.move_to("project-00004")
        app.table.show([one for one in views if one.key != "project-00004"])
        await pilot.pause()
        assert app.table.cursor_key == "project-00005"
        app.table.show([])
        await pilot.pause()
        assert app.table.cursor_key is None
        assert app.table.current is None
        assert app.moves[-1] is None


async def test_keys_move_the_cursor_and_keep_it_in_sight() -> None:
    app = TableApp()
    async with app.run_test(size=(100, 22)) as pilot:
        app.table.show(rows(5000))
        app.table.focus()
        for key, expected in (
            ("down", 1),
            ("j", 2),
            ("k", 1),
            ("up", 0),
            ("up", 0),
            ("pagedown", 19),
            ("pageup", 0),
            ("end", 4999),
            ("down", 4999),
            ("home", 0),
        ):
            await pilot.press(key)
            assert app.table.cursor == expected, key
            top = app.table.scroll_offset.y
            assert top <= expected < top + app.table.size.height, key


async def test_the_mouse_moves_and_a_second_click_chooses() -> None:
    app = TableApp()
    async with app.run_test(size=(100, 22)) as pilot:
        app.table.show(rows(50))
        await pilot.click(DriftTable, offset=(5, 3))
        assert app.table.cursor_key == "project-00003"
        assert app.chosen == []
        await pilot.click(DriftTable, offset=(5, 3), times=2)
        assert app.chosen == ["project-00003"]


async def test_staged_rows_are_marked_by_key() -> None:
    app = TableApp()
    async with app.run_test(size=(100, 22)) as pilot:
        app.table.show(rows(10))
        app.table.mark(frozenset({"project-00002"}))
        await pilot.pause()
        assert "●" in text_of(app.table, 2)
        app.table.show(list(reversed(rows(10))))
        await pilot.pause()
        assert "●" in text_of(app.table, 7)
        assert "●" not in text_of(app.table, 2)


async def test_text_from_outside_is_shown_as_it_is() -> None:
    app = TableApp()
    hostile = RowView(DriftRow(HOSTILE, DriftKind.MISSING, project(HOSTILE), None))
    async with app.run_test(size=(100, 22)) as pilot:
        app.table.show([hostile])
        await pilot.pause()
        assert HOSTILE in text_of(app.table, 0)


@pytest.mark.parametrize("width", [40, 60, 79, 80, 99, 100, 119, 120, 200])
def test_columns_and_headings_line_up_at_any_width(width: int) -> None:
    columns = columns_for(width)
    line = row_pieces(RowView(in_sync("galaxy")), columns, mark="   ")
    used = sum(len(text) for text, _ in line)
    for heads in heading(columns):
        assert sum(len(text) for text, _ in heads) == used
    if width >= 60:
        assert used <= width


def test_every_kind_is_a_glyph_and_a_word() -> None:
    for kind in DriftKind:
        cell = drift_cell(RowView(DriftRow("x", kind, project("x"), view("x"))))
        assert cell.startswith(f"{kind.glyph} ")
        assert kind.value.split()[0] in cell


@pytest.mark.parametrize("width", [80, 120])
def test_a_corpse_that_is_no_project_has_its_name(width: int) -> None:
    corpse = replace(view("old-aurora"), domain=None)
    shown = RowView(DriftRow("old-aurora (17)", DriftKind.ORPHANED, None, None, dying=corpse))
    text = "".join(text for text, _ in row_pieces(shown, columns_for(width), mark="   "))
    assert "% orphaned" in text and "(gone) old-aurora" in text


@pytest.mark.parametrize("kind", [DriftKind.UNEXPECTED, DriftKind.MISSING])
def test_a_narrow_row_has_name_and_drift(kind: DriftKind) -> None:
    there = view("zephyr") if kind is DriftKind.UNEXPECTED else None
    row = DriftRow("zephyr", kind, None if there else project("zephyr"), there)
    text = "".join(text for text, _ in row_pieces(RowView(row), columns_for(39), mark="   "))
    assert text.split() == ["zephyr", kind.glyph, kind.value]
    assert len(text) <= 39


def test_an_unread_row_says_what_it_was() -> None:
    known = DriftRow("x", DriftKind.MISSING, project("x"), None)
    unknown = DriftRow("x", DriftKind.UNKNOWN, project("x"), None)
    shown = RowView(unknown, known)
    assert drift_cell(shown) == "· was missing"
    pieces = row_pieces(shown, columns_for(80), mark="   ")
    assert {paint for _, paint in pieces[1:]} == {"tone--stale"}
