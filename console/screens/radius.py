"""Blast radius: every object that the staged actions would stop or destroy, by owner, with size and class."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands
from console.screens.base import ConsoleScreen
from sync.errors import AbreastError
from widgets.action_details import describe
from widgets.cells import counted
from widgets.header import clock_time
from widgets.lines import Line, wrap
from widgets.pager import Pager
from widgets.radius_lines import radius_lines


class RadiusScreen(ConsoleScreen):
    """Opened with the action that comes first; the others that affect something follow."""

    SCOPE = "help"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("help")]

    def __init__(self, first: str | None = None) -> None:
        super().__init__()
        self._first = first

    def body(self) -> ComposeResult:
        yield Pager(self.page, id="page")

    def on_mount(self) -> None:
        for name in ("radii", "staged"):
            self.follow(name, lambda _: self.query_one(Pager).refill())

    def page(self, width: int) -> list[Line]:
        """The whole page, laid out."""
        app = self.console
        ids = [action.id for action in app.staged]
        ordered = sorted(ids, key=lambda id: id != self._first)
        lines: list[Line] = []
        harmless = 0
        for id in ordered:
            found = app.radii.get(id)
            if id != self._first and not isinstance(found, AbreastError) and not (found and found.objects):
                harmless += 1
                continue
            lines += [[], [(f" {describe(id)}", "tone--strong")]]
            if found is None:
                lines.append([(" being computed", "tone--muted")])
            elif isinstance(found, AbreastError):
                lines += [[(f" {line}", "tone--bad")] for line in wrap(str(found), width - 2)]
            else:
                if found.taken_at is not None:
                    when = clock_time(found.taken_at)
                    lines.append([(f"   from CloudStack as read at {when}", "tone--muted")])
                lines += radius_lines(found, width)
        if harmless:
            lines += [
                [],
                [(f" {counted(harmless, 'more action')} in the plan: stops nothing, destroys nothing.", "")],
            ]
        return lines[1:]
