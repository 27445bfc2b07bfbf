"""Sources: how completely both sides were read, with the whole text of what went wrong."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands
from console.screens.base import ConsoleScreen
from sync.model import Coverage
from widgets.cells import fit
from widgets.header import clock_time
from widgets.lines import Line, wrap
from widgets.pager import Pager
from widgets.values import SourceStatus


def coverage_lines(coverage: Coverage, width: int) -> list[Line]:
    """The proof of one reading: each list with rows, pages and counts."""
    lines: list[Line] = []
    if coverage.caller:
        lines.append([(f"   read as {coverage.caller}", "tone--muted")])
    for proof in coverage.lists:
        counts = f"{proof.count_before}→{proof.count_after}" if proof.count_after is not None else ""
        pages = f"{proof.pages:>4} {'page ' if proof.pages == 1 else 'pages'}"
        text = f"   {fit(proof.name, 30)} {proof.rows:>8,} rows {pages}  {counts}"
        lines.append([(text, "tone--warning" if proof.problem else "")])
        if proof.problem:
            lines += [[(f"     {line}", "tone--warning")] for line in wrap(proof.problem, width - 6)]
    return lines


class SourcesScreen(ConsoleScreen):
    """A page on both sides."""

    SCOPE = "help"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("help")]

    def body(self) -> ComposeResult:
        yield Pager(self.page, id="page")

    def on_mount(self) -> None:
        self.follow("sources", lambda _: self.query_one(Pager).refill())

    def page(self, width: int) -> list[Line]:
        """The whole page, laid out."""
        app = self.console
        lines: list[Line] = []
        for status, inventory in zip(app.sources, (app.desired, app.actual), strict=True):
            lines += self._status_lines(status, width)
            if inventory is not None:
                lines += coverage_lines(inventory.coverage, width)
        if app.actual is not None and app.actual.limits_taken_at is not None:
            lines += [
                [],
                [(f" Limits were read at {clock_time(app.actual.limits_taken_at)}.", "tone--muted")],
            ]
        return lines[1:]

    def _status_lines(self, status: SourceStatus, width: int) -> list[Line]:
        word = status.coverage.value if status.coverage is not None else "not read yet"
        lines: list[Line] = [[], [(f" {status.label}: {word}", "tone--strong")]]
        if status.taken_at is not None:
            lines.append([(f"   last usable reading at {clock_time(status.taken_at)}", "tone--muted")])
        if status.failed_at is not None:
            lines.append([(f"   failing since {clock_time(status.failed_at)}", "tone--bad")])
        if status.why:
            lines += [[(f"   {line}", "tone--bad")] for line in wrap(status.why, width - 4)]
        return lines
