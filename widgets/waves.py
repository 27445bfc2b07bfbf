"""The waves of a run side by side: how far each is, and whether something in it failed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from widgets.cells import fit
from widgets.lines import Line, Lines
from widgets.progress import bar

_COLUMN = 38
_BAR = 10


@dataclass(frozen=True, slots=True)
class WaveView:
    """One wave."""

    title: str
    total: int
    done: int = 0
    """Actions that have ended, failed ones too."""
    failed: int = 0
    active: int = 0
    """Actions that are going on."""

    @property
    def glyph(self) -> str:
        if self.failed:
            return "✗"
        if self.done >= self.total:
            return "✓"
        return "▸" if self.active or self.done else "·"


_TONES = {"✗": "tone--bad", "✓": "tone--good", "▸": "tone--key", "·": "tone--muted"}


class Waves(Lines):
    """Given the waves, in their order; as many columns as fit."""

    def __init__(self) -> None:
        super().__init__(id="waves")
        self._waves: Sequence[WaveView] = ()

    def show(self, waves: Sequence[WaveView]) -> None:
        """Show these."""
        if waves != self._waves:
            self._waves = waves
            self.redraw()

    def lines(self, width: int) -> list[Line]:
        columns = max(1, width // _COLUMN)
        rows = -(-len(self._waves) // columns)
        result: list[Line] = [[] for _ in range(rows)]
        for index, wave in enumerate(self._waves):
            result[index % rows] += _cell(wave)
        return result


def _cell(wave: WaveView) -> Line:
    """Down the columns, so that the order is read like a list."""
    tone = _TONES[wave.glyph]
    failed = f" {wave.failed} failed" if wave.failed else ""
    counts = f" {wave.done:,}/{wave.total:,}"
    return [
        (f" {wave.glyph} ", tone),
        (fit(wave.title, 9), tone),
        (bar(wave.done, wave.total, _BAR), "progress--bar"),
        (counts, ""),
        (fit(failed, _COLUMN - 12 - _BAR - len(counts)), "tone--bad"),
    ]
