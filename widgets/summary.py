"""The two lines above the table: the counts by kind with the filter, and the headline in plain words."""

from __future__ import annotations

from collections.abc import Mapping

from sync.model import DriftKind
from widgets.cells import clean, fit
from widgets.kinds import KIND_CLASSES
from widgets.lines import Line, Lines, shortened, wrap

_ROOMY = 60
"""Below this width one key stands behind the headline, so that its words have room."""

_SHORT = {DriftKind.IN_SYNC: "in sync", DriftKind.DIFFERS: "differ"}


class CountsBar(Lines):
    """How many rows there are of each kind, and on the right what the table is limited to."""

    def __init__(self, *, id: str = "counts") -> None:
        super().__init__(id=id)
        self._counts: Mapping[DriftKind, int] = {}
        self._filter = ""
        self._is_stale = False
        self._notes: Line = []

    def show(
        self, counts: Mapping[DriftKind, int], *, filter: str, is_stale: bool, notes: Line | None = None
    ) -> None:
        """Show these counts; `filter` in words; `is_stale` dims them. `notes` follow the counts and are
        never cut off: how much is hidden."""
        self._counts, self._filter, self._is_stale, self._notes = counts, filter, is_stale, notes or []
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        has_words = any(self._counts.values()) or bool(self._notes)
        pieces: Line = [("── " if has_words else "───", "tone--muted")]
        lines: list[Line] = []
        used = 3
        order = [DriftKind.IN_SYNC, *(kind for kind in DriftKind if kind is not DriftKind.IN_SYNC)]
        found: Line = [
            (
                f"{kind.glyph} {count:,} {_SHORT.get(kind, kind.value)}  ",
                "tone--stale" if self._is_stale else KIND_CLASSES[kind],
            )
            for kind in order
            if (count := self._counts.get(kind, 0))
        ]
        notes: Line = [(f"{text}  ", tone) for text, tone in self._notes]
        for group in [*([one] for one in found), notes]:
            room = sum(len(text) for text, _ in group)
            if used + room > width:
                lines.append(pieces)
                pieces, used = [("   ", "")], 3
            pieces += group
            used += room
        right = f" {clean(self._filter)} ──"
        if used + len(right) > width:
            lines.append(pieces)
            pieces, used = [], 0
            right = fit(right, min(width, len(right)))
        pieces.append(("─" * (width - used - len(right)), "tone--muted"))
        return [*lines, [*pieces, (right, "tone--muted")]]


class HeadlineBar(Lines):
    """What matters most now, in plain words, with the next key; at most two lines."""

    def __init__(self) -> None:
        super().__init__(id="headline")
        self._text = ""
        self._keys = ""
        self._tone = "tone--strong"

    def show(self, text: str, *, keys: str = "", tone: str = "tone--strong") -> None:
        """Show this sentence, and after it which `keys` lead on: they are never cut off."""
        self._text, self._keys, self._tone = text, keys, tone
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        shown = self._keys if width >= _ROOMY else self._keys.partition(", ")[0]
        keys = f"  {shown}" if shown else ""
        found = wrap(self._text, width - 2)
        if len(found) > 2 or (len(found) == 2 and len(found[1]) + len(keys) > width - 2):
            found = [found[0], shortened(" ".join(found[1:]), width - 2 - len(keys))]
        elif len(found) == 1 and len(found[0]) + len(keys) > width - 2:
            found.append("")
        lines: list[Line] = [[(f" {line}", self._tone)] for line in found]
        if keys:
            lines[-1].append((keys if found[-1] else keys[1:], "tone--key"))
        return lines
