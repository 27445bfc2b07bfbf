"""One action in full: what changes from what to what, why, what it needs, its undo, what came of it."""

from __future__ import annotations

from sync.model import Action, ActionResult
from widgets.kinds import OUTCOME_CLASSES, outcome_text
from widgets.lines import Line, Lines, wrap

_LABEL = 10


def changes(action: Action) -> list[tuple[str, str, str]]:
    """Field, observed value, new value; what is only sent and was not observed has `–` as its old value."""
    known = {name: value for name, value in action.precondition.items() if name != "exists"}
    rows = [
        (name, known.pop(name, None) or "–", value)
        for name, value in action.parameters.items()
        if name not in ("domain", "account", "resourcetype", "networkofferingid", "zoneid")
    ]
    rows += [(name, value or "–", "stays") for name, value in known.items()]
    return rows


class ActionDetails(Lines):
    """Shows the action that it was given last."""

    def __init__(self, *, id: str = "action-details") -> None:
        super().__init__(id=id)
        self._action: Action | None = None
        self._result: ActionResult | None = None

    def show(self, action: Action | None, result: ActionResult | None = None) -> None:
        """Show this action, and what came of it where it has run."""
        self._action, self._result = action, result
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        action = self._action
        if action is None:
            return [[("", "")]]
        lines: list[Line] = [[(f" {action.kind.value} ", "tone--strong"), (action.target, "")]]
        if self._result is not None:
            outcome = self._result.outcome
            text = f"{outcome_text(outcome)}. {self._result.detail}".strip()
            lines += _labelled("outcome", text, width, tone=OUTCOME_CLASSES[outcome])
        changed = "; ".join(f"{name} {old} → {new}" for name, old, new in changes(action))
        lines += _labelled("change", changed or action.kind.value, width)
        lines += _labelled("why", action.reason, width)
        undo = f"{action.reversibility.value}. {action.undo}".strip()
        lines += _labelled("undo", undo, width)
        if action.needs:
            lines += _labelled("needs", ", ".join(action.needs), width)
        return lines


def _labelled(label: str, text: str, width: int, *, tone: str = "") -> list[Line]:
    wrapped = wrap(text, max(10, width - _LABEL - 2))
    return [
        [(f" {label if index == 0 else '':<{_LABEL}}", "tone--muted"), (line, tone)]
        for index, line in enumerate(wrapped)
    ]
