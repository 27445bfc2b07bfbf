"""A page of text that has no values of its own: what was announced, what came of one action."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands
from console.screens.base import ConsoleScreen
from widgets.header import clock_time
from widgets.lines import Line, wrap
from widgets.pager import Pager

if TYPE_CHECKING:
    from console.announcing import Announcement

_TONES = {"warning": "tone--warning", "error": "tone--bad"}


class PageScreen(ConsoleScreen):
    """Shows what `layout` answers for its width."""

    SCOPE = "help"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("help")]

    def __init__(self, layout: Callable[[int], list[Line]]) -> None:
        super().__init__()
        self._layout = layout

    def body(self) -> ComposeResult:
        yield Pager(self._layout, id="page")


def announcement_lines(announced: Iterable[Announcement], width: int) -> list[Line]:
    """Each in full with its time, the newest first."""
    lines: list[Line] = [[(" What was announced here, the newest first", "tone--strong")]]
    for one in reversed(list(announced)):
        stamp, texts = clock_time(one.at), wrap(one.text, width - 12)
        lines.append([])
        lines += [
            [(f" {stamp if number == 0 else '':<9} ", "tone--muted"), (text, _TONES.get(one.severity, ""))]
            for number, text in enumerate(texts)
        ]
    return lines if len(lines) > 1 else [[(" Nothing was announced yet.", "tone--muted")]]
