"""Against which capture losses are told: the newest complete one from before the deletion, unless told else.

Pure. When the deletion began is read from CloudStack's events; where they do not tell, the captures do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sync.deletions import Deletion, Kind, Situation, Stage

if TYPE_CHECKING:
    from sync.capture_store import CaptureEntry

SAME_INCIDENT = timedelta(hours=6)
"""Deletions with less between them are one incident."""


@dataclass(frozen=True, slots=True)
class Basis:
    """The capture that losses are told against."""

    taken_at: datetime | None
    """None where there is none: then the CI database and CloudStack's events have to do."""
    why: str
    """Why this one, or why none: the rest of a sentence."""
    began: datetime | None = None
    """When the deletion began, as far as events tell."""
    id: int | None = None
    """Its number in the store; None where it is of a file of its own."""


def began(situation: Situation | None) -> datetime | None:
    """When the last incident began: the first of the last row of deletions; None where no event tells."""
    times = [at for one in _incident(situation) if (at := one.since) is not None]
    return times[-1] if times else None


def vanished(situation: Situation | None) -> frozenset[str]:
    """Ids of the domains that the last incident took out of the list: no capture from before lacks one."""
    stages = (Stage.RUNNING, Stage.ORPHANED, Stage.ENDED)
    return frozenset(
        one.target_id for one in _incident(situation) if one.kind is Kind.DOMAIN and one.stage in stages
    )


def _incident(situation: Situation | None) -> list[Deletion]:
    """The deletions of the last incident of which events tell when they began; the newest first."""
    if situation is None:
        return []
    stages = (Stage.RUNNING, Stage.QUEUED, Stage.HALF_DONE, Stage.ORPHANED, Stage.ENDED)
    timed = [(at, one) for one in situation.of(*stages) if (at := one.since) is not None]
    timed.sort(key=lambda pair: pair[0], reverse=True)
    found: list[Deletion] = []
    last = timed[0][0] if timed else None
    for at, one in timed:
        if last is None or last - at > SAME_INCIDENT:
            break
        last = at
        found.append(one)
    return found


def choose(
    entries: Sequence[CaptureEntry],
    situation: Situation | None,
    *,
    last_seen: Mapping[str, datetime],
    until: datetime | None = None,
) -> Basis:
    """The newest complete capture from before the deletion, of those of `until` or before; oldest first.

    It is from before by CloudStack's clock and events, and by what is in it: `last_seen` says of the domains
    that vanished when each was last captured. Two clocks may disagree; one that has them all is from before,
    and where no capture has any of them, none is known to be from before.
    Where no event tells of a deletion it is the newest one that has as many domains in it as any since; of
    all of them where none is of `until` or before.
    """
    start = began(situation)
    whole = [one for one in entries if one.is_complete]
    complete = [one for one in whole if until is None or one.taken_at <= until]
    if start is None and whole:
        return _fullest(complete or whole, is_told=situation is not None and not situation.is_unread)
    if start is None or not complete:
        why = "no complete capture is old enough" if whole else "no capture is complete"
        return Basis(None, why if entries else "nothing was captured", start)
    by_time = [one for one in complete if one.taken_at < start]
    seen = min(last_seen.values()) if last_seen else None
    by_content = [one for one in complete if seen is not None and one.taken_at <= seen]
    found = min((some[-1] for some in (by_time, by_content) if some), key=_taken_at, default=None)
    if found is None:
        return Basis(None, "every complete capture is from after the deletion began", start)
    if not last_seen and vanished(situation):
        # By CloudStack's clock alone it is from before, and that clock may be ahead of ours.
        return Basis(None, "no capture has any of the domains that were deleted", start)
    return _basis(found, "the newest complete one from before the deletion began", start)


def _taken_at(entry: CaptureEntry) -> datetime:
    return entry.taken_at


def _fullest(complete: Sequence[CaptureEntry], *, is_told: bool) -> Basis:
    recent = [one for one in complete if complete[-1].taken_at - one.taken_at <= _LOOKED_BACK]
    most = max(map(_domains, recent))
    found = next(one for one in reversed(recent) if _domains(one) == most)
    is_newest = found is complete[-1]
    which = "the newest complete one" if is_newest else "the newest with the most in it"
    if not is_told:
        return _basis(found, f"{which}; CloudStack's events, which tell of deletions, were not read", None)
    told = "of a deletion" if is_newest else "when the deletion began"
    return _basis(found, f"{which}; no event tells {told}", None)


def _basis(entry: CaptureEntry, why: str, start: datetime | None) -> Basis:
    return Basis(entry.taken_at, why, start, entry.id)


_LOOKED_BACK = timedelta(days=2)
"""As far as events are asked for: what went before that is no incident of now."""


def _domains(entry: CaptureEntry) -> int:
    return entry.counts.get("actual.domains", 0)


def given(taken_at: datetime, situation: Situation | None, *, id: int | None = None) -> Basis:
    """The one that a person chose."""
    start = began(situation)
    late = start is not None and taken_at >= start
    return Basis(taken_at, f"chosen by you{', from after the deletion began' if late else ''}", start, id)


def basis_words(basis: Basis, now: datetime) -> str:
    """Which capture, how old it is, and why that one; without one, what is asked instead."""
    if basis.taken_at is None:
        return f"Without a capture ({basis.why}): told by the CI database and CloudStack's events alone."
    at = f"{basis.taken_at.astimezone():%Y-%m-%d %H:%M:%S}"
    before = ""
    if basis.began is not None and basis.taken_at < basis.began:
        before = f", {_span(basis.began - basis.taken_at)} before the deletion"
    return f"Against the capture of {at}, {_span(now - basis.taken_at)} old{before}: {basis.why}."


def basis_in_short(basis: Basis, now: datetime) -> str:
    """The same in half a line."""
    if basis.taken_at is None:
        return "no capture: CI database and events alone"
    late = basis.began is not None and basis.taken_at >= basis.began
    when = f"{basis.taken_at.astimezone():%m-%d %H:%M:%S}"
    return f"capture of {when}, {_span(now - basis.taken_at)} old" + (", not from before" if late else "")


def basis_spoken(basis: Basis, now: datetime) -> str:
    """Without a date, as one says it."""
    if basis.taken_at is None:
        return "There is no capture from before: the CI database and CloudStack's events alone tell this."
    return f"This is told against a capture that is {_span(now - basis.taken_at)} old."


def _span(span: timedelta) -> str:
    """`40 s`, `12 min`, `3 h 05 min`, `4 days`."""
    seconds = max(0, int(span.total_seconds()))
    if seconds < 100:
        return f"{seconds} s"
    if seconds < 6000:
        return f"{seconds // 60} min"
    hours = seconds // 3600
    return f"{hours} h {seconds % 3600 // 60:02d} min" if hours < 48 else f"{hours // 24} days"
