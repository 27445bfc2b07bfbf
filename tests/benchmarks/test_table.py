"""The first paint of many rows, against Textual's DataTable in the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import pytest
from textual.app import App, ComposeResult
from textual.widgets import DataTable

from tests.screens.world import in_sync
from widgets.drift_table import DriftTable, columns_for, row_pieces
from widgets.values import RowView


class Ours(App[None]):
    def compose(self) -> ComposeResult:
        yield DriftTable(id="table")


class Theirs(App[None]):
    def compose(self) -> ComposeResult:
        yield DataTable(id="table", cursor_type="row")


def cells(view: RowView) -> list[str]:
    return [text for text, _ in row_pieces(view, columns_for(120), mark="   ")]


async def ours(views: Sequence[RowView]) -> float:
    app = Ours()
    async with app.run_test(size=(120, 40)) as pilot:
        start = time.perf_counter()
        app.query_one(DriftTable).show(views)
        await pilot.pause()
        spent = time.perf_counter() - start
        assert views[0].row.name in app.query_one(DriftTable).render_line(0).text
    return spent


async def theirs(views: Sequence[RowView]) -> float:
    app = Theirs()
    async with app.run_test(size=(120, 40)) as pilot:
        start = time.perf_counter()
        table = app.query_one(DataTable)
        table.add_columns("mark", "desired", "drift", "actual")
        for view in views:
            table.add_row(*cells(view), key=view.key)
        await pilot.pause()
        spent = time.perf_counter() - start
        assert table.row_count == len(views)
    return spent


@pytest.mark.parametrize("count", [5_000, 10_000])
async def test_first_paint_against_the_data_table(count: int, record_property: pytest.RecordProperty) -> None:
    views = [RowView(in_sync(f"project-{number:05d}")) for number in range(count)]
    own = statistics.median([await ours(views) for _ in range(3)])
    other = statistics.median([await theirs(views) for _ in range(3)])
    record_property("seconds", own)
    record_property("data_table_seconds", other)
    print(f"{count} rows: {own * 1000:.0f} ms, DataTable {other * 1000:.0f} ms, ratio {own / other:.3f}")
    assert own < other / 4
