"""The ladder of containment: the rungs in their order, each with its key and how it stands here and now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from widgets.cells import fit
from widgets.virtual_list import Piece, VirtualList

_NAME = 25


class Standing(Enum):
    """How a rung stands; the value is the glyph."""

    OPEN = "·"
    """It can be taken."""
    PERSON = "☞"
    """It is a person's work."""
    TAKEN = "✓"
    LOST = "✗"
    """It was taken and holds no more: an alarm."""
    CLOSED = "–"
    """It cannot be taken here."""
    IDLE = " "
    """There is nothing to take it against."""


_TONES = {
    Standing.OPEN: "tone--key",
    Standing.PERSON: "tone--warning",
    Standing.TAKEN: "tone--good",
    Standing.LOST: "tone--bad",
    Standing.CLOSED: "tone--muted",
    Standing.IDLE: "tone--muted",
}


@dataclass(frozen=True, slots=True)
class RungView:
    """One rung."""

    name: str
    key: str
    """Empty where a person does it, or the console is read-only."""
    standing: Standing
    words: str
    """How it stands: possible how, taken since when, or why not."""


class Ladder(VirtualList):
    """Given the rungs."""

    def __init__(self, *, id: str = "ladder") -> None:
        super().__init__(id=id, empty_text="What can be done is being looked at…")
        self._rungs: Sequence[RungView] = ()

    def show(self, rungs: Sequence[RungView]) -> None:
        """Show these, in this order."""
        self._rungs = rungs
        self.set_keys([rung.name for rung in rungs])

    def line(self, index: int, width: int) -> list[Piece]:
        rung = self._rungs[index]
        tone = _TONES[rung.standing]
        strong = "tone--muted" if rung.standing in (Standing.CLOSED, Standing.IDLE) else "tone--strong"
        return [
            (f" {index + 1} ", "tone--muted"),
            (fit(rung.key, 2), "tone--key"),
            (fit(rung.name, _NAME) + " ", strong),
            (f"{rung.standing.value} ", tone),
            (
                fit(rung.words, width - _NAME - 8),
                tone if rung.standing is not Standing.CLOSED else "tone--muted",
            ),
        ]
