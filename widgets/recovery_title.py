"""That a part of the recovery is no ordinary screen, in one line."""

from __future__ import annotations

from widgets.lines import Line, Lines, spread


class RecoveryTitle(Lines):
    """Its name, and in a few words what it does."""

    def __init__(
        self,
        name: str = "RECOVERY",
        words: str = "what the CI database knows is created again in CloudStack",
    ) -> None:
        super().__init__(id="recovery-title")
        self._name, self._words = name, words

    def lines(self, width: int) -> list[Line]:
        return [spread([(f" {self._name} ", "recovery--title")], [(f"{self._words} ", "tone--muted")], width)]
