"""What came of one action, in whole."""

from __future__ import annotations

from sync.model import ActionResult
from widgets.kinds import OUTCOME_CLASSES
from widgets.lines import Line, Lines, wrap


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
        return [[(f" {line}", tone)] for line in wrap(self._result.detail, width - 2)[:3]]
