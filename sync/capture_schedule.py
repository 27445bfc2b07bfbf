"""When a capture is due, and which older ones are let go: all of a day, one an hour of a week, one a day of a
year. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sync.capture import Capture
from sync.capture_rules import CaptureRules, Thinning

OLDEST_PARTNER = timedelta(minutes=3)
"""What is further apart is not of the same minute: the CI database is read once a minute, and may be slow."""


def why_not(capture: Capture, *, apart: timedelta = OLDEST_PARTNER) -> str:
    """Why this pair of readings makes no capture; empty when it does."""
    for side, coverage in capture.coverages():
        if not coverage.is_complete:
            return f"{side.value} was not read completely"
    if not (capture.desired.scope.is_full and capture.actual.scope.is_full):
        return "only some projects were read"
    if abs(capture.desired.taken_at - capture.actual.taken_at) > apart:
        return "the two sides were not read at the same time"
    return ""


def is_due(last: datetime | None, now: datetime, rules: CaptureRules) -> bool:
    """Whether it is time for the next capture. A clock that was set back does not stop them."""
    if not rules.is_on:
        return False
    if last is None or last > now:
        return True
    return now - last >= timedelta(seconds=rules.interval_seconds)


def let_go(captures: Iterable[tuple[int, datetime]], now: datetime, thinning: Thinning) -> list[int]:
    """The ids of the captures (id, taken at) that are kept no longer; never the newest.

    Of an hour or a day the newest stays: it is what a later loss is measured against.
    """
    newest_first = sorted(captures, key=lambda one: (one[1], one[0]), reverse=True)
    gone: list[int] = []
    seen: set[str] = set()
    for number, (id, taken_at) in enumerate(newest_first):
        age = now - taken_at
        if number == 0 or age <= thinning.all_for:
            continue
        if age > thinning.daily_for:
            gone.append(id)
            continue
        slot = f"{taken_at:%Y-%m-%d %H}" if age <= thinning.hourly_for else f"{taken_at:%Y-%m-%d}"
        if slot in seen:
            gone.append(id)
        seen.add(slot)
    return gone
