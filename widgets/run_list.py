"""Actions of a plan as lines: what is confirmed of them before a run, how each stands during and after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sync.model import Action, ActionResult
from widgets.action_list import action_pieces, object_of
from widgets.cells import fit
from widgets.kinds import OUTCOME_CLASSES, outcome_text
from widgets.virtual_list import Piece, VirtualList


class PlanList(VirtualList):
    """The staged actions in their order, and which of them are confirmed."""

    def __init__(self, *, id: str | None = None, empty_text: str = "Nothing is staged.") -> None:
        super().__init__(id=id, empty_text=empty_text)
        self._actions: Sequence[Action] = ()
        self._confirmed: frozenset[str] = frozenset()

    def show(self, actions: Sequence[Action], *, confirmed: frozenset[str]) -> None:
        """Show these actions, of which those of the ids `confirmed` are confirmed."""
        self._actions, self._confirmed = actions, confirmed
        self.set_keys([action.id for action in actions])

    @property
    def current(self) -> Action | None:
        """The action under the cursor."""
        return self._actions[self.cursor] if 0 <= self.cursor < len(self._actions) else None

    def line(self, index: int, width: int) -> list[Piece]:
        action = self._actions[index]
        is_confirmed = action.id in self._confirmed
        word: Piece = ("✓ confirmed ", "tone--good") if is_confirmed else ("· asks      ", "tone--muted")
        number = f"{index + 1:>3} "
        rest = action_pieces(action, width - len(number) - 12, mark=" ")
        return [(number, "tone--muted"), word, *rest[1:]]


class RunList(VirtualList):
    """The actions of a run: what each does now, or what came of it."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, empty_text="No actions.")
        self._actions: Sequence[Action] = ()
        self._results: Mapping[str, ActionResult] = {}
        self._active: Mapping[str, str] = {}

    def show(
        self, actions: Sequence[Action], *, results: Mapping[str, ActionResult], active: Mapping[str, str]
    ) -> None:
        """`active` are the phases, by action id, of what is going on."""
        same = self._actions is actions
        self._actions, self._results, self._active = actions, results, active
        if same:
            self.redraw()
        else:
            self.set_keys([action.id for action in actions])

    @property
    def current(self) -> Action | None:
        """The action under the cursor."""
        return self._actions[self.cursor] if 0 <= self.cursor < len(self._actions) else None

    def line(self, index: int, width: int) -> list[Piece]:
        action = self._actions[index]
        name = min(34, max(14, width // 4))
        pieces: list[Piece] = [
            (f"{index + 1:>4} ", "tone--muted"),
            self._state(action),
            (fit(action.kind.value, 15) + " ", "tone--strong"),
            (fit(object_of(action), name) + " ", ""),
        ]
        used = 5 + 14 + 16 + name + 1
        result = self._results.get(action.id)
        detail = result.detail if result is not None else ""
        pieces.append((fit(detail or action.target, max(0, width - used)), "tone--muted"))
        return pieces

    def _state(self, action: Action) -> Piece:
        result = self._results.get(action.id)
        if result is not None:
            return (fit(outcome_text(result.outcome), 13) + " ", OUTCOME_CLASSES[result.outcome])
        phase = self._active.get(action.id)
        if phase is not None:
            return (fit(f"▸ {phase}", 13) + " ", "tone--key")
        return (fit("  waits", 13) + " ", "tone--muted")
