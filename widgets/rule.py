"""The line above a list: what it is a list of."""

from __future__ import annotations

from widgets.cells import fit
from widgets.lines import Line, Lines


class Rule(Lines):
    """Given the heading."""

    def __init__(self, text: str = "", *, id: str) -> None:
        super().__init__(id=id)
        self._text = text

    def show(self, text: str) -> None:
        """Show this as the heading."""
        if text != self._text:
            self._text = text
            self.redraw()

    def lines(self, width: int) -> list[Line]:
        title = fit(f"── {self._text} ", min(len(self._text) + 4, width))
        return [[(title, "tone--strong"), ("─" * (width - len(title)), "tone--muted")]]
