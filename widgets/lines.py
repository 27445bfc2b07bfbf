"""Plain lines of coloured pieces: the base of every widget that shows text but holds no list."""

from __future__ import annotations

import textwrap

from rich.cells import cell_len
from rich.segment import Segment
from textual.geometry import Size
from textual.strip import Strip
from textual.widget import Widget

from widgets.cells import clean
from widgets.paint import style_of
from widgets.virtual_list import Piece

Line = list[Piece]


def wrap(text: str, width: int, *, at_hyphens: bool = True) -> list[str]:
    """`text` in lines of at most `width` cells, broken at spaces where there are any; not `at_hyphens` where
    it has addresses and ids to compare."""
    if width <= 0:
        return []
    lines = textwrap.wrap(clean(text), width, break_on_hyphens=at_hyphens) or [""]
    return lines if all(cell_len(line) <= width for line in lines) else _wrap_wide(text, width)


def shortened(text: str, width: int) -> str:
    """`text` in at most `width` cells, cut between two words where it does not fit."""
    found = wrap(text, width)
    if len(found) < 2:
        return "".join(found)
    return f"{wrap(text, width - 2)[0]} …" if width > 2 else "…"


def _wrap_wide(text: str, width: int) -> list[str]:
    """The slow way, for characters that take two cells."""
    lines, line = [], ""
    for character in clean(text):
        if cell_len(line + character) > width:
            lines.append(line)
            line = ""
        line += character
    return [*lines, line]


def spread(left: Line, right: Line, width: int) -> Line:
    """One line with `left` at its start and `right` at its end; `right` gives way when there is no room."""
    used = sum(cell_len(text) for text, _ in left)
    wanted = sum(cell_len(text) for text, _ in right)
    if used + wanted + 1 > width:
        return left
    return [*left, (" " * (width - used - wanted), ""), *right]


class Lines(Widget):
    """Draws what `lines` answers for its width; asks anew after `redraw`."""

    DEFAULT_CSS = "Lines { height: auto; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._drawn: tuple[int, list[Line]] | None = None

    def lines(self, width: int) -> list[Line]:
        """What to show in `width` cells."""
        raise NotImplementedError

    def redraw(self) -> None:
        """The values changed: draw anew, and lay out anew where the number of lines changed."""
        before = len(self._drawn[1]) if self._drawn is not None else -1
        width = self._drawn[0] if self._drawn is not None else self.size.width
        self._drawn = None
        if before >= 0 and width > 0:
            self.refresh(layout=len(self._lines(width)) != before)
        else:
            self.refresh(layout=True)

    def _lines(self, width: int) -> list[Line]:
        if self._drawn is None or self._drawn[0] != width:
            self._drawn = (width, self.lines(width))
        return self._drawn[1]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        del container, viewport
        return len(self._lines(width))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        lines = self._lines(width)
        base = self.rich_style
        if not 0 <= y < len(lines):
            return Strip.blank(width, base)
        segments = [Segment(text, base + style_of(self, paint)) for text, paint in lines[y]]
        return Strip(segments).adjust_cell_length(width, base)
