"""Progress in one line: a bar, how many of how many, the time it took, the rate, and what is left. A second
one says why it goes slower than it might."""

from __future__ import annotations

from widgets.cells import clean
from widgets.lines import Line, Lines, shortened

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def duration(seconds: float) -> str:
    """`0:07`, `12:30`, `1:02:03`."""
    whole = max(0, int(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, second = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{second:02d}" if hours else f"{minutes}:{second:02d}"


def bar(done: int, total: int, width: int) -> str:
    """A bar of `width` cells, in eighths of a cell."""
    if total <= 0:
        return " " * width
    eighths = min(1.0, done / total) * width * 8
    full, part = divmod(int(eighths), 8)
    return ("█" * full + (_EIGHTHS[part] if full < width else "")).ljust(width)


class ProgressLine(Lines):
    """Given counts and the elapsed seconds; says the rate and the time left."""

    def __init__(self, *, id: str = "progress") -> None:
        super().__init__(id=id)
        self._done = self._total = self._failed = 0
        self._elapsed = 0.0
        self._words = self._note = ""
        self._left: float | None = None
        self._done_here = 0

    def show(
        self,
        done: int,
        total: int,
        *,
        elapsed: float,
        failed: int = 0,
        done_here: int | None = None,
        words: str = "",
        note: str = "",
        left: float | None = None,
    ) -> None:
        """`elapsed` in seconds; `words` say what goes on: `running`, `stopping after the current call`; the
        `note` says what holds it up.

        `done_here` is what was done in this time, where the rest had been done before; `left` is what is left
        in seconds, None where that cannot be told.
        """
        self._left = left
        self._done_here = done if done_here is None else done_here
        self._done, self._total, self._failed = done, total, failed
        self._elapsed, self._words, self._note = elapsed, words, note
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        left = self._left
        rate = self._done_here / self._elapsed if self._elapsed > 0 else 0.0
        counts = f" {self._done:,}/{self._total:,}"
        failed = f"  {self._failed:,} failed" if self._failed else ""
        times = f"  {duration(self._elapsed)} elapsed  {rate:.1f}/s"
        if left is not None and self._done < self._total:
            times += f"  {duration(left)} left"
        words = f"  {clean(self._words)}" if self._words else ""
        room = max(8, width - len(counts + failed + times + words) - 3)
        return [
            [
                (" ", ""),
                (bar(self._done, self._total, min(room, 60)), "progress--bar"),
                (counts, "tone--strong"),
                (failed, "tone--bad"),
                (times, "tone--muted"),
                (words, "tone--key"),
            ],
            *([[(f" {shortened(self._note, width - 2)}", "tone--warning")]] if self._note else []),
        ]
