"""What approvers sign: a plan's objects in plain words, with ids, environment, expiry and digest. No I/O.

The text follows from the plan alone, to the letter, so whoever has the plan can check what was signed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

from sync import blast
from sync.model import Action, Plan

_TITLE = "abreast: approval of this plan, of these objects, and of nothing else"


def objects_text(plan: Plan) -> str:
    """The text that is signed, ending in a newline. Raises GuardError for an action of unknown effect."""
    lines = [_TITLE, ""]
    facts = {
        "environment": plan.environment,
        "server": plan.endpoint,
        "ROOT domain": plan.root_id,
        "author": plan.author,
        "made": plan.created_at.isoformat(),
        "expires": plan.expires_at.isoformat(),
        "digest": plan.digest,
        "actions": str(len(plan.actions)),
    }
    lines += [f"{name}: {one_line(value)}" for name, value in facts.items()]
    for number, action in enumerate(plan.actions, 1):
        lines += ["", *_action_lines(number, action)]
    return "\n".join(lines) + "\n"


def facts_of(text: str) -> Mapping[str, str]:
    """The named facts at the head of a text that was signed: environment, expires, digest, …"""
    head = text.partition("\n\n")[2].partition("\n\n")[0]
    pairs = (line.partition(": ") for line in head.splitlines())
    return {name: value for name, separator, value in pairs if separator}


def _action_lines(number: int, action: Action) -> Iterable[str]:
    yield f"{number}. {action.kind.value} {one_line(action.target)}"
    yield f"   id: {one_line(action.target_id) if action.target_id else 'none yet'}"
    yield f"   effect: {one_line(blast.stated(action).statement)}"
    yield f"   reversibility: {action.reversibility.value}"
    yield from _pairs("sets", action.parameters)
    yield from _pairs("expects", action.precondition)
    for need in action.needs:
        yield f"   after: {one_line(need)}"
    yield f"   reason: {one_line(action.reason)}"
    if action.undo:
        yield f"   undo: {one_line(action.undo)}"


def _pairs(word: str, values: Mapping[str, str | None]) -> Iterable[str]:
    for name, value in sorted(values.items()):
        yield f"   {word}: {one_line(name)} = {'nothing' if value is None else one_line(value)}"


def one_line(text: str) -> str:
    """Text from outside as what can be seen: it makes no line of its own, and turns no reading direction."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character == "\\":
        return "\\\\"
    category = unicodedata.category(character)
    if category[0] == "C" or category in ("Zl", "Zp"):
        return f"\\u{{{ord(character):x}}}"
    return character
