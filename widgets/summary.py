"""The two lines above the table: the counts by kind with the filter, and the headline in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from sync.model import DriftKind
from widgets.cells import clean, fit
from widgets.kinds import KIND_CLASSES
from widgets.lines import Line, Lines, spread, wrap

_SHORT = {DriftKind.IN_SYNC: "in sync", DriftKind.DIFFERS: "differ"}


class CountsBar(Lines):
    """How many rows there are of each kind, and on the right what the table is limited to."""

    def __init__(self, *, id: str = "counts") -> None:
        super().__init__(id=id)
        self._counts: Mapping[DriftKind, int] = {}
        self._filter = ""
        self._is_stale = False

    def show(self, counts: Mapping[DriftKind, int], *, filter: str, is_stale: bool) -> None:
        """Show these counts; `filter` in words; `is_stale` dims them."""
        self._counts, self._filter, self._is_stale = counts, filter, is_stale
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        if not self._counts:
            return [[("─" * width, "tone--muted")]]
        pieces: Line = [("── ", "tone--muted")]
        order = [DriftKind.IN_SYNC, *(kind for kind in DriftKind if kind is not DriftKind.IN_SYNC)]
        for kind in order:
            count = self._counts.get(kind, 0)
            if count:
                tone = "tone--stale" if self._is_stale else KIND_CLASSES[kind]
                pieces += [(f"{kind.glyph} {count:,} {_SHORT.get(kind, kind.value)}", tone), ("  ", "")]
        right = f" {clean(self._filter)} ──"
        used = sum(len(text) for text, _ in pieces)
        if used + len(right) > width:
            return [pieces, spread([], [(fit(right, min(width, len(right))), "tone--muted")], width)]
        pieces.append(("─" * (width - used - len(right)), "tone--muted"))
        return [[*pieces, (right, "tone--muted")]]


class HeadlineBar(Lines):
    """What matters most now, in plain words, with the next key; at most two lines."""

    def __init__(self) -> None:
        super().__init__(id="headline")
        self._text = ""
        self._tone = "tone--strong"

    def show(self, text: str, *, tone: str = "tone--strong") -> None:
        """Show this sentence."""
        self._text, self._tone = text, tone
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        found = wrap(self._text, width - 2)
        if len(found) > 2:
            found = [found[0], fit(" ".join(found[1:]), width - 2)]
        return [[(f" {line}", self._tone)] for line in found]
