"""What came of one action, as far as three lines go; its page has the whole."""

from __future__ import annotations

from sync.model import ActionResult
from widgets.cells import fit
from widgets.kinds import OUTCOME_CLASSES
from widgets.lines import Line, Lines, wrap

_MOST = 3


class ResultNote(Lines):
    """Takes no room where there is nothing to say."""

    def __init__(self) -> None:
        super().__init__(id="result-note")
        self._result: ActionResult | None = None

    def show(self, result: ActionResult | None) -> None:
        """Show this result."""
        if result != self._result:
            self._result = result
            self.redraw()

    def lines(self, width: int) -> list[Line]:
        if self._result is None or not self._result.detail:
            return []
        tone = OUTCOME_CLASSES[self._result.outcome]
        lines = wrap(self._result.detail, width - 2)
        if len(lines) > _MOST:
            lines = [*lines[: _MOST - 1], fit(" ".join(lines[_MOST - 1 :]), width - 2)]
        return [[(f" {line}", tone)] for line in lines]
