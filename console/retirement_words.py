"""What the steps of a retirement do, what is next and when, in words. Pure."""

from __future__ import annotations

from datetime import datetime

from sync.retirement import Retirement, Stage, Step
from sync.retirement_rules import latest_begin

_WORDS = {
    Step.QUARANTINE: "quarantine: accounts are disabled, their VMs stop, Projects are suspended. "
    "Nothing is destroyed; undoing takes it back.",
    Step.ARCHIVE: "archive: what the list keeps is kept: templates of root volumes, files of data volumes, "
    "templates and ISOs; each is read back or checked.",
    Step.DESTROY: "destroy: the VMs are destroyed recoverably; undoing recovers them until expunged.",
    Step.DELETE_ACCOUNTS: "delete accounts: with all they own. This cannot be undone.",
    Step.DELETE_DOMAIN: "delete domain: the empty domain is deleted, without clean-up. "
    "This cannot be undone.",
}


def step_words(step: Step) -> str:
    """What a step does, and whether it can be taken back."""
    return _WORDS[step]


def undone_lines(retirement: Retirement) -> list[str]:
    """What an undoing could not bring back by itself."""
    undone = retirement.done(Step.UNDO)
    if undone is None or undone.ended_at is None:
        return []
    lines = []
    for name, words in (("stopped", "VMs that ran before and are stopped"), ("lost", "VMs beyond recovery")):
        names = undone.facts.get(name)
        if isinstance(names, list) and names:
            lines.append(f"{words}: {', '.join(map(str, names))}")
    return lines


def next_words(retirement: Retirement, now: datetime) -> str:
    """What is next, from when on, and by when it has to begin."""
    step = retirement.next_step
    if retirement.stage is Stage.UNDOING:
        return "next: the undoing goes on"
    if step is None:
        return "next: nothing"
    words = f"next: {step.value}"
    due, until = retirement.due_at, latest_begin(retirement)
    if due is not None and now < due:
        words += f", from {due:%Y-%m-%d %H:%M} UTC on ({_left(due, now)})"
    if until is not None and retirement.done(step) is None:
        words += f", to begin by {until:%Y-%m-%d %H:%M} UTC"
    return words


def _left(until: datetime, now: datetime) -> str:
    left = until - now
    return f"in {left.days} days" if left.days else f"in {left.seconds // 60} min"


def undo_words(retirement: Retirement) -> str:
    """What undoing would do now, or why nothing can be undone."""
    if retirement.stage is Stage.PROPOSED:
        return "undo: the proposal is withdrawn; nothing was changed."
    if not retirement.can_be_undone:
        return f"undo: none, it is {retirement.stage.value}."
    if retirement.done(Step.DESTROY) is not None:
        return "undo: VMs that are not expunged are recovered, accounts enabled, Projects activated."
    return "undo: accounts are enabled, Projects activated; VMs stay stopped and are named."
