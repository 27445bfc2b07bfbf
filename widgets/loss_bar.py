"""Against what losses are told, their sum, and the destroyed VMs that can still be brought back."""

from __future__ import annotations

from collections.abc import Mapping

from widgets.cells import fit
from widgets.findings import fate_columns
from widgets.lines import Line, Lines, spread

_IN_A_SUM = {"recoverable": "can come back", "survives": "alive"}
"""Words of fates where they stand behind a number instead of above it."""


class LossBar(Lines):
    """One line; a second one while something can be brought back. Nothing before there is anything to say."""

    def __init__(self) -> None:
        super().__init__(id="loss-bar")
        self._basis, self._is_poor = "", False
        self._totals: Mapping[str, int] = {}
        self._recovery = ""

    def show(
        self, basis: str, totals: Mapping[str, int], *, is_poor: bool = False, recovery: str = ""
    ) -> None:
        """`basis` in words, `is_poor` where little is known; word of a fate → number; what of the VMs."""
        new = (basis, dict(totals), is_poor, recovery)
        if new != (self._basis, self._totals, self._is_poor, self._recovery):
            self._basis, self._totals, self._is_poor, self._recovery = new
            self.redraw()

    def lines(self, width: int) -> list[Line]:
        if not self._basis:
            return []
        words = {fate: title for fate, title, _ in fate_columns(width)} | _IN_A_SUM
        sums = ", ".join(f"{number:,} {words[fate]}" for fate, number in self._totals.items() if number)
        tone = "tone--warning" if self._is_poor else "tone--muted"
        right: Line = [(f"{sums} ", "tone--strong")] if sums else []
        room = width - len(sums) - 3 if sums else width - 1
        lines: list[Line] = [spread([(f" {fit(self._basis, max(20, room)).rstrip()}", tone)], right, width)]
        if self._recovery:
            lines.append([(fit(f" {self._recovery}", width), "tone--good")])
        return lines
