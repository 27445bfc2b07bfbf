"""Actions of a plan as lines: what is confirmed of them before a run, how each stands during and after it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sync.model import Action, ActionResult
from widgets.action_details import change_texts
from widgets.action_list import REVERSIBILITY_TONES, object_of
from widgets.cells import fit
from widgets.kinds import OUTCOME_CLASSES, outcome_text
from widgets.virtual_list import Piece, VirtualList

_KIND = 15
_REVERSIBILITY = 13
_ROOM_FOR_CHANGES = 24
"""Cells below which a change would only be a stump; the details below the list have it."""


def _names(action: Action, width: int) -> list[Piece]:
    """Kind, project and, where it is not the project's own name, the object; `width` for both names."""
    project = max(8, width * 2 // 5)
    name = object_of(action)
    shown = "" if name.casefold() == action.project else name.removeprefix(f"{action.project}#")
    return [
        (fit(action.kind.value, _KIND) + " ", "tone--strong"),
        (fit(action.project, project) + " ", ""),
        (fit(shown, max(4, width - project - 2)) + " ", ""),
    ]


def _width_of_names(width: int) -> int:
    return min(56, max(30, width // 3))


class PlanList(VirtualList):
    """The staged actions in their order, and which of them are confirmed."""

    def __init__(self, *, id: str | None = None, empty_text: str = "Nothing is staged.") -> None:
        super().__init__(id=id, empty_text=empty_text)
        self._actions: Sequence[Action] = ()
        self._confirmed: Collection[str] = ()

    def show(self, actions: Sequence[Action], *, confirmed: Collection[str]) -> None:
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
        mark: Piece = ("✓ confirmed ", "tone--good") if is_confirmed else ("· asks      ", "tone--muted")
        names = _width_of_names(width)
        left = width - 5 - 12 - _KIND - 1 - names - _REVERSIBILITY
        pieces: list[Piece] = [
            (f"{index + 1:>4} ", "tone--muted"),
            mark,
            *_names(action, names),
            (fit(action.reversibility.value, _REVERSIBILITY), REVERSIBILITY_TONES[action.reversibility]),
        ]
        if left >= _ROOM_FOR_CHANGES:
            pieces.append((fit("; ".join(change_texts(action)), left), "tone--muted"))
        return pieces


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
        result = self._results.get(action.id)
        names = _width_of_names(width)
        left = width - 5 - 14 - _KIND - 1 - names
        detail = result.detail if result is not None else ""
        if not detail and left >= _ROOM_FOR_CHANGES:
            detail = "; ".join(change_texts(action))
        return [
            (f"{index + 1:>4} ", "tone--muted"),
            self._state(action),
            *_names(action, names),
            (fit(detail, max(0, left)), "tone--muted"),
        ]

    def _state(self, action: Action) -> Piece:
        result = self._results.get(action.id)
        if result is not None:
            return (fit(outcome_text(result.outcome), 13) + " ", OUTCOME_CLASSES[result.outcome])
        phase = self._active.get(action.id)
        if phase is not None:
            return (fit(f"▸ {phase}", 13) + " ", "tone--key")
        return (fit("  waits", 13) + " ", "tone--muted")
