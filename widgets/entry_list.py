"""The ledger as lines, the newest first, the entries of one run below a line of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from widgets.cells import fit
from widgets.header import clock_time
from widgets.virtual_list import Piece, VirtualList

_TONES = {
    "succeeded": "outcome--succeeded",
    "failed": "outcome--failed",
    "skipped": "outcome--skipped",
    "unknown": "outcome--unknown",
    "not run": "outcome--not-run",
}
_WIDE = 100
"""Cells from which number and operator have columns of their own."""


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One entry, or one run."""

    key: str
    at: datetime
    word: str
    """`intent`, `submitted`, `outcome`, …; `run` for a run."""
    text: str
    number: int = 0
    operator: str = ""
    outcome: str = ""
    """The outcome's word, where it is one."""
    is_run: bool = False


class EntryList(VirtualList):
    """Given the lines; shows them in their order."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, empty_text="The ledger is being read.")
        self._lines: Sequence[EntryLine] = ()

    def show(self, lines: Sequence[EntryLine]) -> None:
        """Show these."""
        self._lines = lines
        self.set_keys([line.key for line in lines])

    @property
    def current(self) -> EntryLine | None:
        """The line under the cursor."""
        return self._lines[self.cursor] if 0 <= self.cursor < len(self._lines) else None

    def line(self, index: int, width: int) -> list[Piece]:
        line = self._lines[index]
        if line.is_run:
            day = f"{line.at.astimezone():%Y-%m-%d %H:%M}"
            return [(f" {day} ", "tone--key"), (fit(line.text, max(0, width - 18)), "tone--strong")]
        stamp = f"   {clock_time(line.at)} "
        pieces: list[Piece] = [(stamp, "tone--muted")]
        used = len(stamp) + 12
        if width >= _WIDE:
            pieces.insert(0, (f"{line.number:>7} ", "tone--muted"))
            used += 8 + 20
        tone = _TONES.get(line.outcome, "")
        pieces += [
            (fit(line.word, 11) + " ", tone or "tone--key"),
            (fit(line.text, max(0, width - used)), tone),
        ]
        if width >= _WIDE:
            pieces.append((fit(f"  {line.operator}", 20), "tone--muted"))
        return pieces
