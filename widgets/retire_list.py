"""Retirements and candidates as lines: what it is, how far, what it waits for, how many have signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from widgets.cells import fit
from widgets.virtual_list import Piece, VirtualList

_WIDE = 100


@dataclass(frozen=True, slots=True)
class RetireLine:
    """One retirement or candidate, or the title of what follows."""

    key: str
    name: str
    glyph: str = " "
    stage: str = ""
    waits: str = ""
    """What for, and until when."""
    signed: str = ""
    tone: str = ""
    is_title: bool = False


class RetireList(VirtualList):
    """Given the lines; shows them in their order."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, empty_text="The ledger is being read.")
        self._lines: Sequence[RetireLine] = ()

    def show(self, lines: Sequence[RetireLine]) -> None:
        """Show these; the cursor begins below the first title."""
        is_first = not self._lines
        self._lines = lines
        self.set_keys([line.key for line in lines])
        if is_first and len(lines) > 1 and lines[0].is_title:
            self.cursor = 1

    @property
    def current(self) -> RetireLine | None:
        """The line under the cursor; None on a title."""
        if not 0 <= self.cursor < len(self._lines) or self._lines[self.cursor].is_title:
            return None
        return self._lines[self.cursor]

    def line(self, index: int, width: int) -> list[Piece]:
        line = self._lines[index]
        if line.is_title:
            return [(fit(f" {line.name}", width), "tone--muted")]
        name, stage = (24, 26) if width >= _WIDE else (16, 21)
        rest = max(0, width - name - stage - 12)
        return [
            (f" {line.glyph} ", line.tone or "tone--muted"),
            (fit(line.name, name) + " ", "tone--strong"),
            (fit(line.stage, stage) + " ", ""),
            (fit(line.waits, rest) + " ", line.tone),
            (fit(line.signed, 6, align="right"), "tone--muted"),
        ]
