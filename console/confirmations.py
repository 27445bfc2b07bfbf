"""What the operator has confirmed: the very actions and when, never a rule. Pure.

A confirmation holds for the action as it was shown: it ends when the action changes, is taken out or was run,
when the console is disarmed, and by age.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.model import Action


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One action that was shown and confirmed."""

    action: Action
    at: datetime


Confirmations = Mapping[str, Confirmed]
"""By action id."""


def confirm(
    confirmed: Confirmations, actions: Iterable[Action], *, staged: Sequence[Action], at: datetime
) -> Confirmations:
    """With these actions confirmed too, as far as they are staged exactly as they were shown."""
    present = {action.id: action for action in staged}
    fresh = {action.id: Confirmed(action, at) for action in actions if present.get(action.id) == action}
    return {**confirmed, **fresh}


def still_confirmed(confirmed: Confirmations, staged: Sequence[Action]) -> Confirmations:
    """Without what is no longer staged, or staged as something else than was confirmed."""
    present = {action.id: action for action in staged}
    return {id: one for id, one in confirmed.items() if present.get(id) == one.action}


def without(confirmed: Confirmations, ids: Collection[str]) -> Confirmations:
    """Without these."""
    return {id: one for id, one in confirmed.items() if id not in ids}


def not_older_than(confirmed: Confirmations, age: timedelta, now: datetime) -> Confirmations:
    """Without what was confirmed longer ago than `age`."""
    return {id: one for id, one in confirmed.items() if now - one.at <= age}


def chosen(confirmed: Confirmations, staged: Sequence[Action]) -> tuple[Action, ...]:
    """The confirmed actions in the order in which they are staged."""
    return tuple(action for action in staged if action.id in confirmed)


def unconfirmed_needs(confirmed: Confirmations, staged: Sequence[Action]) -> tuple[Action, ...]:
    """What confirmed actions need and is staged, but not confirmed."""
    needed = {need for action in chosen(confirmed, staged) for need in action.needs}
    return tuple(action for action in staged if action.id in needed and action.id not in confirmed)


def first_word(confirmed: Confirmations) -> datetime | None:
    """When the oldest of them was confirmed; None when there is none."""
    return min((one.at for one in confirmed.values()), default=None)
