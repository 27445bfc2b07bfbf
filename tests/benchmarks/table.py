"""The first paint of many rows, against Textual's DataTable in the same run."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence

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


def measure(count: int) -> tuple[float, float]:
    """Seconds to the first paint of so many rows, ours and the DataTable's: medians of three."""
    views = [RowView(in_sync(f"project-{number:05d}")) for number in range(count)]
    own = statistics.median([asyncio.run(ours(views)) for _ in range(3)])
    other = statistics.median([asyncio.run(theirs(views)) for _ in range(3)])
    return own, other
