"""What approvers sign: a plan's objects in plain words, with ids, environment, expiry and digest. No I/O.

The text follows from the plan alone, to the letter, so whoever has the plan can check what was signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sync import blast
from sync.characters import spelled_out, with_unseen
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
    lines += [f"{name}: {spelled_out(value)}" for name, value in facts.items()]
    for number, action in enumerate(plan.actions, 1):
        lines += ["", *_action_lines(number, action)]
    return with_unseen("\n".join(lines) + "\n")


def facts_of(text: str) -> Mapping[str, str]:
    """The named facts at the head of a text that was signed: environment, expires, digest, …"""
    head = text.partition("\n\n")[2].partition("\n\n")[0]
    pairs = (line.partition(": ") for line in head.splitlines())
    return {name: value for name, separator, value in pairs if separator}


def _action_lines(number: int, action: Action) -> Iterable[str]:
    yield f"{number}. {action.kind.value} {spelled_out(action.target)}"
    yield f"   id: {spelled_out(action.target_id) if action.target_id else 'none yet'}"
    yield f"   effect: {spelled_out(blast.stated(action).statement)}"
    yield f"   reversibility: {action.reversibility.value}"
    yield from _pairs("sets", action.parameters)
    yield from _pairs("expects", action.precondition)
    for need in action.needs:
        yield f"   after: {spelled_out(need)}"
    yield f"   reason: {spelled_out(action.reason)}"
    if action.undo:
        yield f"   undo: {spelled_out(action.undo)}"


def _pairs(word: str, values: Mapping[str, str | None]) -> Iterable[str]:
    for name, value in sorted(values.items()):
        yield f"   {word}: {spelled_out(name)} = {'nothing' if value is None else spelled_out(value)}"
