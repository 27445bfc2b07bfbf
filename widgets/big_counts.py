"""Counts to be read across a room: one block a kind, digits three lines high, glyph and word below."""

from __future__ import annotations

from collections.abc import Mapping

from sync.model import DriftKind
from widgets.cells import fit
from widgets.kinds import KIND_CLASSES, kind_text
from widgets.lines import Line, Lines

_DIGITS: dict[str, tuple[str, str, str]] = {
    "0": ("█▀█", "█ █", "▀▀▀"),
    "1": ("▀█ ", " █ ", "▀▀▀"),
    "2": ("▀▀█", "█▀▀", "▀▀▀"),
    "3": ("▀▀█", " ▀█", "▀▀▀"),
    "4": ("█ █", "▀▀█", "  ▀"),
    "5": ("█▀▀", "▀▀█", "▀▀▀"),
    "6": ("█▀▀", "█▀█", "▀▀▀"),
    "7": ("▀▀█", "  █", "  ▀"),
    "8": ("█▀█", "█▀█", "▀▀▀"),
    "9": ("█▀█", "▀▀█", "▀▀▀"),
    "–": ("   ", "▀▀▀", "   "),
}

_BLOCK = 13
"""Cells that a glyph with the longest word takes."""


def big(number: int | None, width: int) -> tuple[str, str, str]:
    """The number, a dash for none, in three lines of `width` cells; in plain digits where the big ones do not
    fit."""
    text = "–" if number is None else str(number)
    if len(text) * 4 - 1 > width:
        return fit("", width), fit(text, width), fit("", width)
    rows = (" ".join(_DIGITS[digit][row] for digit in text) for row in range(3))
    top, middle, bottom = (fit(row, width) for row in rows)
    return top, middle, bottom


class BigCounts(Lines):
    """Given the counts; kinds without a row are dim, the same place every time. While not all is known a kind
    that nothing was seen of has a dash: what was not read is not none."""

    def __init__(self) -> None:
        super().__init__(id="big-counts")
        self._counts: Mapping[DriftKind, int] = {}
        self._is_stale = False
        self._is_known = False

    def show(self, counts: Mapping[DriftKind, int], *, is_stale: bool, is_known: bool) -> None:
        """Show these counts; `is_stale` dims them all. `is_known` once both sides were read completely."""
        self._counts, self._is_stale, self._is_known = counts, is_stale, is_known
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        kinds = list(DriftKind)
        if len(kinds) * _BLOCK > width:
            kinds = [kind for kind in kinds if self._counts.get(kind, 0) or kind is DriftKind.IN_SYNC]
        if len(kinds) * _BLOCK > width:
            return self._plain_lines(kinds, width)
        block = (width - 1) // len(kinds)
        result: list[Line] = [[(" ", "")] for _ in range(4)]
        for kind in kinds:
            texts = (*big(self._number(kind), block - 1), fit(kind_text(kind), block - 1))
            for line, text in zip(result, texts, strict=True):
                line.append((text + " ", self._tone(kind)))
        return result

    def _plain_lines(self, kinds: list[DriftKind], width: int) -> list[Line]:
        """Where the big digits of all kinds do not fit: some kinds a line, in ordinary digits."""
        number = min(4, max(1, width // 19))
        block = (width - 1) // number
        lines: list[Line] = []
        for start in range(0, len(kinds), number):
            lines.append([(" ", "")])
            for kind in kinds[start : start + number]:
                found = self._number(kind)
                shown = "–" if found is None else f"{found:,}"
                text = fit(f"{kind.glyph} {shown} {kind.value}", block)
                lines[-1].append((text, self._tone(kind)))
        return lines

    def _number(self, kind: DriftKind) -> int | None:
        """How many; None where that is not known."""
        return self._counts.get(kind, 0) or (0 if self._is_known else None)

    def _tone(self, kind: DriftKind) -> str:
        return KIND_CLASSES[kind] if self._counts.get(kind, 0) and not self._is_stale else "tone--stale"
