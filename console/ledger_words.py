"""What has to be done first about the newest run in the ledger, in words: finish it, wait for it, or break
the lease of whoever is not heard of. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from console.ledger_run import LedgerRun


class Desk(Protocol):
    """Who is asked: whether the console is armed, or can be, and its keys."""

    @property
    def key(self) -> Callable[[str], str]:
        """Id of a command → the key as it is mapped now."""
        ...

    @property
    def is_armed(self) -> bool: ...
    @property
    def can_arm(self) -> bool: ...


def arm_words(desk: Desk) -> str:
    """That nothing can be changed from here yet."""
    if desk.can_arm:
        return f"Read-only: {desk.key('arm')} arms the console."
    return "Read-only: the configuration names no section as `write`."


def resume_words(found: LedgerRun, desk: Desk) -> str:
    """How an interrupted run is finished."""
    key = desk.key
    if not found.can_be_finished:
        return found.words
    if not desk.is_armed:
        then = f" Then {key('resume')} finishes it." if desk.can_arm else ""
        return f"{found.words} {arm_words(desk)}{then}"
    return f"{found.words} {key('resume')} finishes it, after asking."


def held_words(found: LedgerRun, desk: Desk) -> str:
    """What can be done about a run that goes on elsewhere, or may."""
    key = desk.key
    if found.silent is None:
        return f"{found.words} {key('history')} shows its steps; nothing else is sent before it has ended."
    do = f"If nothing of it runs, {key('break-lease')} breaks its lease, by name; then it can be finished."
    if desk.is_armed:
        return f"{found.words} {do}"
    return f"{found.words} {arm_words(desk)}{f' {do}' if desk.can_arm else ''}"
