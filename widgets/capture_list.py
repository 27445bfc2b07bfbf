"""Captures: a time line of how much changed when, and the list of them, the newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from widgets.cells import age, counted, fit
from widgets.lines import Line, Lines, spread, wrap
from widgets.virtual_list import Piece, VirtualList

_BARS = "▁▂▃▄▅▆▇█"
_WIDE = 100


@dataclass(frozen=True, slots=True)
class CaptureLine:
    """One capture, or what is there now."""

    key: str
    """Empty for now."""
    taken_at: datetime
    words: str
    """`complete`, or which side was read how."""
    counts: Mapping[str, int]
    """Noun → number."""
    changed: int = 0
    """Objects that changed since the one before."""
    is_complete: bool = True


def bars(lines: Sequence[CaptureLine], width: int) -> str:
    """One character a span of time from the first capture to the last: how much changed in it at most."""
    taken = [line for line in lines if line.key]
    if not taken or width <= 0:
        return ""
    first, last = min(one.taken_at for one in taken), max(one.taken_at for one in taken)
    span = max((last - first).total_seconds(), 1.0)
    most: list[int | None] = [None] * width
    for one in taken:
        place = min(width - 1, int((one.taken_at - first).total_seconds() / span * width))
        most[place] = max(most[place] or 0, one.changed if one.taken_at > first else 0)
    highest = max((number for number in most if number), default=0)
    return "".join(
        " " if number is None else _BARS[round(number / highest * (len(_BARS) - 1))] if highest else _BARS[0]
        for number in most
    )


class TimeLine(Lines):
    """The time line above the list: when it begins and ends, and how much changed in between."""

    def __init__(self) -> None:
        super().__init__(id="time-line")
        self._captures: Sequence[CaptureLine] = ()
        self._text, self._tone = "the captures are being read…", "tone--muted"

    def show(self, lines: Sequence[CaptureLine]) -> None:
        """Show these."""
        self._captures, self._text = lines, ""
        self.redraw()

    def say(self, text: str, tone: str) -> None:
        """Say this instead."""
        self._text, self._tone = text, tone
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        taken = [line for line in self._captures if line.key]
        if self._text or not taken:
            text = self._text or "Nothing was captured yet."
            return [[(f" {line}", self._tone)] for line in wrap(text, width - 2)]
        first, last = taken[-1].taken_at, taken[0].taken_at
        left: Line = [(f" {first.astimezone():%Y-%m-%d %H:%M}", "tone--muted")]
        middle = f"{counted(len(taken), 'capture')}, the bars say how much changed"
        right: Line = [(f"{middle}  {last.astimezone():%Y-%m-%d %H:%M} ", "tone--muted")]
        return [spread(left, right, width), [(f" {bars(self._captures, width - 2)}", "tone--key")]]


class CaptureList(VirtualList):
    """Given the captures; one of them may be marked as the other end of a comparison."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, empty_text="The captures are being read.")
        self._lines: Sequence[CaptureLine] = ()
        self._now: datetime | None = None
        self.marked: str | None = None

    def show(self, lines: Sequence[CaptureLine], now: datetime) -> None:
        """Show these, with their age at `now`."""
        self._lines, self._now = lines, now
        self.set_keys([line.key for line in lines])

    def mark(self, key: str | None) -> None:
        """Mark the capture of that key, or none."""
        self.marked = key
        self.redraw()

    @property
    def current(self) -> CaptureLine | None:
        """The line under the cursor."""
        return self._lines[self.cursor] if 0 <= self.cursor < len(self._lines) else None

    def line(self, index: int, width: int) -> list[Piece]:
        line = self._lines[index]
        mark = "◆" if self.marked == line.key else " "
        when = f"{line.taken_at.astimezone():%Y-%m-%d %H:%M:%S}" if line.key else "now"
        old = age((self._now - line.taken_at).total_seconds()) if self._now is not None else ""
        tone = "tone--good" if line.is_complete else "tone--warning"
        pieces: list[Piece] = [
            (f" {mark} ", "tone--key"),
            (fit(when, 20), "tone--strong"),
            (fit(old, 10, align="right") + "  ", "tone--muted"),
            (fit(line.words, 10), tone),
        ]
        counts = ", ".join(f"{number:,} {noun}" for noun, number in line.counts.items())
        changed = f"{line.changed:,} changed" if line.changed else ""
        used = 45 + (16 if width >= _WIDE else 0)
        pieces.append((fit(f" {counts}", max(0, width - used)), ""))
        if width >= _WIDE:
            pieces.append((fit(changed, 15, align="right") + " ", "tone--warning" if changed else ""))
        return pieces
