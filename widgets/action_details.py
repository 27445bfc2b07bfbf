"""One action in full: what changes from what to what, why, what it needs, its undo, what came of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sync.model import UNLIMITED, Action, ActionKind, ActionResult
from sync.reversibility import Reversibility
from widgets.cells import clean, fit
from widgets.kinds import OUTCOME_CLASSES, outcome_text
from widgets.lines import Line, Lines, wrap

_LABEL = 10

_NEW_STATE = {
    ActionKind.ENABLE_ACCOUNT: "enabled",
    ActionKind.ENABLE_USER: "enabled",
    ActionKind.DISABLE_USER: "disabled",
    ActionKind.RECOVER_VM: "Stopped",
}
_NEW_ALLOCATION = {ActionKind.FREEZE_ZONE: "disabled", ActionKind.THAW_ZONE: "enabled"}
_CREATIONS = {
    ActionKind.CREATE_DOMAIN: "domain",
    ActionKind.CREATE_ACCOUNT: "account",
    ActionKind.CREATE_USER: "user",
    ActionKind.CREATE_NETWORK: "network",
    ActionKind.TAKE_ADDRESS: "public address",
    ActionKind.REGISTER_TEMPLATE: "template",
    ActionKind.REGISTER_ISO: "ISO",
    ActionKind.DEPLOY_VM: "VM",
}
_TOLD_BY_THE_TARGET = frozenset({"name", "account", "domain", "parentdomain", "resourcetype"})
"""Parameters of a creation or limit that say again which object it is."""


def describe(action_id: str) -> str:
    """The id of an action in words: `create domain ROOT/ci/dune`."""
    kind, _, target = action_id.partition(" ")
    return clean(f"{kind.replace('-', ' ')} {target}")


def is_creation(action: Action) -> bool:
    """Whether there is nothing yet of what it makes."""
    return action.kind in _CREATIONS


def changes(action: Action) -> list[tuple[str, str, str]]:
    """Field, value now, value afterwards, for people: no ids, and nothing that the target says already.

    A creation has no values now: first what is created, then what it is created with.
    """
    if is_creation(action):
        target = action.target.rpartition("/")[2].rpartition(":")[2]
        with_values = [(name, "", value) for name, value in action.parameters.items() if _says_more(name)]
        return [(f"new {_CREATIONS[action.kind]}", "", target), *with_values]
    if action.kind is ActionKind.UPDATE_LIMIT:
        resource = action.target.rpartition("#")[2]
        before = action.precondition.get("max")
        old = "as created" if before is None else _limit(before)
        return [(f"{resource} limit", old, _limit(action.parameters.get("max", "")))]
    if action.kind in _NEW_STATE:
        return [("state", action.precondition.get("state") or "none", _NEW_STATE[action.kind])]
    if action.kind in _NEW_ALLOCATION:
        before = action.precondition.get("allocationstate") or "none"
        return [("allocation", before, _NEW_ALLOCATION[action.kind])]
    return [
        (name, action.precondition.get(name) or "none", value or "none")
        for name, value in action.parameters.items()
    ]


def _says_more(parameter: str) -> bool:
    return parameter not in _TOLD_BY_THE_TARGET and not parameter.endswith("id")


def _limit(value: str) -> str:
    return "unlimited" if value == str(UNLIMITED) else value


def change_texts(action: Action) -> list[str]:
    """The changes as short texts: `vm limit 5 → 10`; of a creation also what it is created with."""
    return [f"{name} {old} → {new}" if old else f"{name} {new}" for name, old, new in changes(action)]


class ActionDetails(Lines):
    """Shows the action that it was given last. What is longer than there is room for ends in an ellipsis:
    the question before the confirmation has it in full."""

    def __init__(self, *, id: str = "action-details") -> None:
        super().__init__(id=id)
        self._action: Action | None = None
        self._result: ActionResult | None = None
        self._unmet: frozenset[str] = frozenset()
        self._effects: tuple[str, str] = ("", "")

    def show(
        self,
        action: Action | None,
        result: ActionResult | None = None,
        *,
        unmet: Collection[str] = (),
        effects: tuple[str, str] = ("", ""),
    ) -> None:
        """Show this action, what came of it where it has run, and which of its needs are `unmet`; `effects`
        are the words of what it would stop or destroy, and their tone."""
        self._action, self._result, self._unmet = action, result, frozenset(unmet)
        self._effects = effects
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        action = self._action
        if action is None:
            return [[("", "")]]
        kind = f" {action.kind.value} "
        where = fit(action.target, max(0, width - len(kind)), keep_end=True).strip()
        lines: list[Line] = [[(kind, "tone--strong"), (where, "")]]
        if self._result is not None:
            outcome = self._result.outcome
            text = f"{outcome_text(outcome)}. {self._result.detail}".strip()
            lines += _labelled("outcome", text, width, most=4, tone=OUTCOME_CLASSES[outcome])
        lines += _labelled("change", "; ".join(change_texts(action)), width, most=2)
        effects, tone = self._effects
        if effects:
            lines += _labelled("effect", effects, width, most=3, tone=tone)
        lines += _labelled("why", action.reason, width, most=2)
        lines += _labelled("undo", undo_text(action), width, most=2)
        if action.needs:
            lines += _labelled("needs", self._needs(action.needs), width, most=1)
        return lines

    def _needs(self, needs: Sequence[str]) -> str:
        return ", ".join(f"{describe(id)}{' (not confirmed)' if id in self._unmet else ''}" for id in needs)


def result_lines(action: Action, result: ActionResult | None, width: int) -> list[Line]:
    """The action and what came of it, nothing left out."""
    lines: list[Line] = [[(f" {line}", "tone--strong")] for line in wrap(describe(action.id), width - 2)]
    lines.append([])
    if result is None:
        lines.append([(" Nothing has come of it yet.", "tone--muted")])
    else:
        tone = OUTCOME_CLASSES[result.outcome]
        lines += _whole("outcome", outcome_text(result.outcome), width, tone)
        lines += _whole("", result.detail, width, tone)
    lines += _whole("change", "; ".join(change_texts(action)), width)
    lines += _whole("why", action.reason, width)
    lines += _whole("undo", undo_text(action), width)
    return lines + _whole("needs", ", ".join(map(describe, action.needs)), width)


def _whole(label: str, text: str, width: int, tone: str = "") -> list[Line]:
    return _labelled(label, text, width, most=len(text), tone=tone) if text else []


def undo_text(action: Action) -> str:
    """How it can be taken back; where that is more than to undo it, the class of it first."""
    if action.undo and action.reversibility is Reversibility.UNDOABLE:
        return action.undo
    return f"{action.reversibility.value.capitalize()}. {action.undo}".strip()


def _labelled(label: str, text: str, width: int, *, most: int, tone: str = "") -> list[Line]:
    """`text` beside its label, in at most so many lines."""
    room = max(10, width - _LABEL - 2)
    wrapped = wrap(text, room)
    if len(wrapped) > most:
        wrapped = [*wrapped[: most - 1], fit(" ".join(wrapped[most - 1 :]), room)]
    return [
        [(f" {label if index == 0 else '':<{_LABEL}}", "tone--muted"), (line, tone)]
        for index, line in enumerate(wrapped)
    ]
