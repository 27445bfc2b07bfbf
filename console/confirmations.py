"""What the operator has confirmed: the very actions and when, never a rule. Pure.

A confirmation holds for the action as it was shown: it ends when the action changes, is taken out or was run,
when the console is disarmed, and by age.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.errors import AbreastError
from sync.model import Action
from sync.radius import Radius


@dataclass(frozen=True, slots=True)
class Confirmed:
    """One action that was shown and confirmed."""

    action: Action
    at: datetime
    radius: Radius | None = None
    """What it was shown to stop or destroy."""


Radii = Mapping[str, Radius | AbreastError]
"""By action id: what each would stop or destroy, or why that cannot be computed."""

Confirmations = Mapping[str, Confirmed]
"""By action id."""


def confirm(
    confirmed: Confirmations,
    actions: Iterable[Action],
    *,
    staged: Sequence[Action],
    radii: Radii,
    at: datetime,
) -> Confirmations:
    """With these actions confirmed too, as far as they are staged exactly as they were shown, and what they
    stop or destroy is known."""
    present = {action.id: action for action in staged}
    fresh = {}
    for action in actions:
        radius = radii.get(action.id)
        if present.get(action.id) == action and isinstance(radius, Radius):
            fresh[action.id] = Confirmed(action, at, radius)
    return {**confirmed, **fresh}


def with_radii(confirmed: Confirmations, radii: Radii) -> Confirmations:
    """Without what would now stop or destroy something else than was shown, or nobody knows what."""
    return {id: one for id, one in confirmed.items() if _marks(radii.get(id)) == _marks(one.radius)}


def _marks(radius: object) -> object:
    """What makes a radius this one: the objects and what becomes of them, not their sizes and times."""
    if not isinstance(radius, Radius):
        return None
    return frozenset((row.kind, row.id, row.domain_path, row.name, row.effect) for row in radius.objects)


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
