"""Lines with a time, a sign and a text, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.model import DriftKind
from widgets.cells import fit
from widgets.header import clock_time
from widgets.kinds import KIND_CLASSES
from widgets.virtual_list import Piece, VirtualList


@dataclass(frozen=True, slots=True)
class AlarmLine:
    """One alarm as it is shown."""

    at: datetime
    text: str
    kind: DriftKind | None = None
    is_good: bool = False


class AlarmList(VirtualList):
    """Given the alarms; holds none itself."""

    SHOWS_CURSOR = "focused"

    def __init__(self) -> None:
        super().__init__(id="alarms", empty_text="No alarm since the start.")
        self._lines: Sequence[AlarmLine] = ()

    def show(self, lines: Sequence[AlarmLine]) -> None:
        """Show these, in this order."""
        self._lines = lines
        self.set_keys([f"{line.at.isoformat()} {line.text} {number}" for number, line in enumerate(lines)])

    def line(self, index: int, width: int) -> list[Piece]:
        line = self._lines[index]
        tone = "tone--good" if line.is_good else KIND_CLASSES[line.kind] if line.kind else "tone--bad"
        glyph = "✓" if line.is_good else line.kind.glyph if line.kind is not None else "✗"
        stamp = f" {clock_time(line.at)} "
        return [(stamp, "tone--muted"), (f"{glyph} ", tone), (fit(line.text, width - len(stamp) - 2), tone)]
