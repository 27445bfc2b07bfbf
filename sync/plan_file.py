"""Plans as JSON and their digest: what was confirmed is what is executed, to the letter.

The digest is the SHA-256 of the plan's own JSON without the digest, so any change to a file is noticed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from sync.errors import GuardError, UsageError
from sync.model import Action, ActionKind, JsonObject, Plan, Reversibility

FORMAT = 1
"""Of the file. A file of another format is refused, never guessed at."""

_FORBIDDEN = ("password", "secret", "apikey", "signature", "cleanup")
"""No parameter's name may contain these: a plan is shown, stored and sent around, and deletes nothing."""


_OF_ACTIONS = frozenset({"kind", "target", "precondition", "reversibility"})
"""Fields that no other object of a plan has all of."""


def digest_of(plan: Plan) -> str:
    """SHA-256 (hex) over canonical JSON (sorted keys, no spaces, UTF-8) of everything but the digest."""
    digest = hashlib.sha256()
    for piece in _written(plan, is_digested=True):
        digest.update(piece.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def text_of(plan: Plan) -> str:
    """The plan as canonical JSON (sorted keys, no spaces, ASCII); `from_json` reads it back.

    Written action by action: a plan for thousands of projects is large, and larger as values.
    """
    return "".join(_written(plan, is_digested=False))


def _written(plan: Plan, *, is_digested: bool) -> Iterator[str]:
    """The canonical JSON of a plan in pieces, with its digest or, in UTF-8, as the digest is taken of it."""

    def spelt(value: object) -> str:
        return json.dumps(value, sort_keys=True, ensure_ascii=not is_digested, separators=(",", ":"))

    around = _frame_to_json(plan)
    if is_digested:
        del around["digest"]
    before = {name: value for name, value in around.items() if name < "actions"}
    behind = {name: value for name, value in around.items() if name > "actions"}
    yield f'{spelt(before)[:-1]},"actions":['
    for number, action in enumerate(plan.actions):
        yield ("," if number else "") + spelt(_action_to_json(action))
    yield f"],{spelt(behind)[1:]}"


def to_json(plan: Plan) -> JsonObject:
    """The plan as values that `json` writes; `from_json` reads it back as the same plan."""
    return {**_frame_to_json(plan), "actions": [_action_to_json(action) for action in plan.actions]}


def _frame_to_json(plan: Plan) -> JsonObject:
    """Everything but the actions."""
    return {
        "abreast_plan": FORMAT,
        "environment": plan.environment,
        "root_id": plan.root_id,
        "endpoint": plan.endpoint,
        "author": plan.author,
        "created_at": plan.created_at.astimezone(UTC).isoformat(),
        "expires_at": plan.expires_at.astimezone(UTC).isoformat(),
        "digest": plan.digest,
        "notes": list(plan.notes),
    }


def _action_to_json(action: Action) -> JsonObject:
    return {
        "id": action.id,
        "kind": action.kind.value,
        "project": action.project,
        "target": action.target,
        "target_id": action.target_id,
        "parameters": dict(action.parameters),
        "precondition": dict(action.precondition),
        "reason": action.reason,
        "reversibility": action.reversibility.value,
        "needs": list(action.needs),
        "undo": action.undo,
    }


def from_json(content: object) -> Plan:
    """A plan from what `json` read.

    Raises UsageError for what is no plan, GuardError for one that was changed after it was made. Whether it
    has expired is `plan.refuse_expired`'s question.
    """
    if not isinstance(content, dict) or "abreast_plan" not in content:
        raise UsageError("This is not a plan.", next_step="`abreast plan -o FILE` writes one.")
    if content["abreast_plan"] != FORMAT:
        raise UsageError(
            f"The plan has the format {content['abreast_plan']!r}, this abreast reads format {FORMAT}.",
            next_step="Make it anew with `abreast plan`.",
        )
    plan = Plan(
        environment=_text(content, "environment"),
        root_id=_text(content, "root_id"),
        endpoint=_text(content, "endpoint"),
        author=_text(content, "author"),
        created_at=_time(content, "created_at"),
        expires_at=_time(content, "expires_at"),
        actions=tuple(_action(entry) for entry in _list(content, "actions")),
        digest=_text(content, "digest"),
        notes=tuple(_texts(content, "notes")),
    )
    # The comparison of the whole also refuses what is in the file besides the plan.
    if not _is_sealed(plan) or not _is_all(plan, content):
        raise _changed(plan)
    check(plan.actions)
    return plan


def early(content: JsonObject) -> JsonObject | Action:
    """As `json`'s `object_hook`, makes an action of each as soon as it is read: a large plan is never
    there as values of JSON as well, which take thrice the memory. `from_json` takes what comes of it.

    What is no action, or more than one, is left as it is: `from_json` says what is wrong with it.
    """
    if not content.keys() >= _OF_ACTIONS:
        return content
    try:
        action = _action(content)
    except UsageError:
        return content
    return action if content == _action_to_json(action) else content


def refuse_changed(plan: Plan) -> None:
    """Raises GuardError, or UsageError, unless the plan is what its digest says and could be read back."""
    if not _is_sealed(plan):
        raise _changed(plan)
    for action in plan.actions:
        _action(_action_to_json(action))
    check(plan.actions)


def _is_sealed(plan: Plan) -> bool:
    return hmac.compare_digest(digest_of(plan).encode(), plan.digest.encode())


def _is_all(plan: Plan, content: Mapping[str, object]) -> bool:
    """Whether the content holds nothing but the plan."""
    frame = {name: value for name, value in content.items() if name != "actions"}
    entries = _list(content, "actions")
    return frame == _frame_to_json(plan) and all(
        entry is action or entry == _action_to_json(action)
        for entry, action in zip(entries, plan.actions, strict=True)
    )


def _changed(plan: Plan) -> GuardError:
    return GuardError(
        f"The plan was changed after it was made: {plan.digest[:64]} is not the digest of its content.",
        next_step="Make it anew with `abreast plan`, and have that one reviewed.",
    )


def check(actions: Sequence[Action]) -> None:
    """Raises GuardError unless ids are unique, what is needed comes before, and no parameter is a secret."""
    before: set[str] = set()
    for action in actions:
        if action.id in before:
            raise GuardError(f"The plan has the action `{action.id}` twice.", next_step="Make it anew.")
        lacking = [need for need in action.needs if need not in before]
        if lacking:
            raise GuardError(
                f"The action `{action.id}` needs `{lacking[0]}`, which is not before it in the plan.",
                next_step="Stage that one too, or leave both out.",
            )
        for name in action.parameters:
            if any(word in name.casefold() for word in _FORBIDDEN):
                raise GuardError(
                    f"The action `{action.id}` has the parameter {name}, which no plan may carry.",
                    next_step="Make the plan anew with `abreast plan`.",
                )
        before.add(action.id)


# --- reading fields ---------------------------------------------------------------------------------------


def _wrong(name: str, expected: str) -> UsageError:
    return UsageError(
        f"The plan's field {name} is not {expected}.", next_step="Make it anew with `abreast plan`."
    )


def _text(content: Mapping[str, object], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise _wrong(name, "a text")
    return value


def _time(content: Mapping[str, object], name: str) -> datetime:
    try:
        time = datetime.fromisoformat(_text(content, name))
    except ValueError:
        raise _wrong(name, "a time") from None
    if time.tzinfo is None:
        raise _wrong(name, "a time with its zone")
    return time.astimezone(UTC)


def _list(content: Mapping[str, object], name: str) -> list[object]:
    value = content.get(name)
    if not isinstance(value, list):
        raise _wrong(name, "a list")
    return value


def _texts(content: Mapping[str, object], name: str) -> list[str]:
    values = _list(content, name)
    if not all(isinstance(value, str) for value in values):
        raise _wrong(name, "a list of texts")
    return [str(value) for value in values]


def _mapping(content: Mapping[str, object], name: str) -> dict[str, str | None]:
    value = content.get(name)
    if not isinstance(value, dict) or not all(
        isinstance(key, str) and (entry is None or isinstance(entry, str)) for key, entry in value.items()
    ):
        raise _wrong(name, "a mapping of texts")
    return value


def _action(content: object) -> Action:
    if isinstance(content, Action):
        return content
    if not isinstance(content, dict):
        raise _wrong("actions", "a list of actions")
    try:
        kind = ActionKind(_text(content, "kind"))
        reversibility = Reversibility(_text(content, "reversibility"))
    except ValueError as error:
        raise UsageError(
            f"The plan has an action that this abreast does not know: {error}.",
            next_step="Make it anew with `abreast plan`.",
        ) from None
    parameters = _mapping(content, "parameters")
    if None in parameters.values():
        raise _wrong("parameters", "a mapping of texts")
    target_id = content.get("target_id")
    return Action(
        kind=kind,
        project=_text(content, "project"),
        target=_text(content, "target"),
        target_id=None if target_id is None else _text(content, "target_id"),
        parameters={name: value for name, value in parameters.items() if value is not None},
        precondition=_mapping(content, "precondition"),
        reason=_text(content, "reason"),
        reversibility=reversibility,
        needs=tuple(_texts(content, "needs")),
        undo=_text(content, "undo"),
    )
