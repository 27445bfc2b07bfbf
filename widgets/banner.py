"""One line across the screen that says what is wrong, and nothing while nothing is."""

from __future__ import annotations

from widgets.cells import fit
from widgets.lines import Line, Lines


class Banner(Lines):
    """Given a sentence; empty it takes no room."""

    def __init__(self, *, id: str = "banner") -> None:
        super().__init__(id=id)
        self._text = ""

    def show(self, text: str) -> None:
        """Show this sentence; an empty one hides the banner."""
        if text != self._text:
            self._text = text
            self.redraw()

    def lines(self, width: int) -> list[Line]:
        return [[(fit(f" {self._text}", width), "banner--text")]] if self._text else []
