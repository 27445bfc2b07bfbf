"""Actions as a list: staged or not, what, on what, how it can be taken back, and why."""

from __future__ import annotations

from collections.abc import Sequence

from sync.model import Action, Reversibility
from widgets.cells import fit
from widgets.virtual_list import Piece, VirtualList

REVERSIBILITY_TONES = {
    Reversibility.UNDOABLE: "tone--good",
    Reversibility.RECREATABLE: "tone--good",
    Reversibility.RECOVERABLE: "tone--warning",
    Reversibility.IRREVERSIBLE: "tone--bad",
}


def object_of(action: Action) -> str:
    """The action's object in short: the last name of its target."""
    tail = action.target.rpartition("/")[2]
    return tail.rpartition(":")[2] if ":" in tail else tail


def action_pieces(action: Action, width: int, *, mark: str) -> list[Piece]:
    """One line: mark, kind, object, reversibility and, where there is room, the reason."""
    name = min(34, max(14, width // 4))
    pieces: list[Piece] = [
        (f" {mark} ", "tone--key"),
        (fit(action.kind.value, 15) + " ", "tone--strong"),
        (fit(object_of(action), name) + " ", ""),
        (fit(action.reversibility.value, 13), REVERSIBILITY_TONES[action.reversibility]),
    ]
    used = 3 + 16 + name + 1 + 13
    if width - used > 12:
        pieces.append((fit(action.reason, width - used), "tone--muted"))
    return pieces


class ActionList(VirtualList):
    """Given actions and the ids of those staged."""

    SHOWS_CURSOR = "focused"

    def __init__(self, *, id: str | None = None, empty_text: str = "Nothing is proposed.") -> None:
        super().__init__(id=id, empty_text=empty_text)
        self._actions: Sequence[Action] = ()
        self._staged: frozenset[str] = frozenset()

    def show(self, actions: Sequence[Action], *, staged: frozenset[str]) -> None:
        """Show these actions, of which those of the ids `staged` are staged."""
        self._actions, self._staged = actions, staged
        self.set_keys([action.id for action in actions])

    @property
    def current(self) -> Action | None:
        """The action under the cursor."""
        return self._actions[self.cursor] if 0 <= self.cursor < len(self._actions) else None

    def line(self, index: int, width: int) -> list[Piece]:
        action = self._actions[index]
        return action_pieces(action, width, mark="●" if action.id in self._staged else "○")
