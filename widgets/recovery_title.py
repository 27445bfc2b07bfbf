"""That the recovery is no ordinary screen, in one line."""

from __future__ import annotations

from widgets.lines import Line, Lines, spread


class RecoveryTitle(Lines):
    """That this is no ordinary screen."""

    def __init__(self) -> None:
        super().__init__(id="recovery-title")

    def lines(self, width: int) -> list[Line]:
        words = "what the CI database knows is created again in CloudStack "
        return [spread([(" RECOVERY ", "recovery--title")], [(words, "tone--muted")], width)]
