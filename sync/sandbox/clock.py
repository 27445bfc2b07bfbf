"""The sandbox's time: real time at a chosen speed, or time that stands still until it is stepped."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What the rest of the sandbox knows of time."""

    def now(self) -> datetime:
        """The current virtual time (UTC, aware)."""

    def callers_now(self) -> datetime:
        """The time on the callers' own clocks, by which signatures expire."""

    def told(self, moment: datetime) -> datetime:
        """A virtual time as callers are told it."""

    def advance(self, seconds: float) -> None:
        """Jump forward by virtual seconds."""


class WallClock:
    """Virtual time that runs `speed` times as fast as real time. Callers are told it as it is, or from a
    moment on as on their own clocks: then what they see happen happened just now."""

    def __init__(self, *, speed: float = 1.0, start: datetime | None = None) -> None:
        if speed <= 0:
            raise ValueError(f"speed must be above 0, not {speed}")
        self.speed = speed
        self._start = start or datetime.now(UTC)
        self._zero = time.monotonic()
        self._met: tuple[datetime, datetime] | None = None
        """The virtual time at which callers came, and what they are told of it."""

    def now(self) -> datetime:
        """The start plus the real time since then, times the speed."""
        return self._start + timedelta(seconds=(time.monotonic() - self._zero) * self.speed)

    def callers_now(self) -> datetime:
        """Real time: callers do not live at our speed."""
        return datetime.now(UTC)

    def tell_real_time(self) -> None:
        """From now on callers are told of everything new at the real time at which it happens; what was
        before keeps its time, unless that is still to come for them."""
        self._met = self.now(), datetime.now(UTC)

    def told(self, moment: datetime) -> datetime:
        """A virtual time as callers are told it: in their own time where that was asked for."""
        if self._met is None:
            return moment
        met, real = self._met
        return min(moment, real) if moment <= met else real + (moment - met) / self.speed

    def advance(self, seconds: float) -> None:
        """Jump forward by virtual seconds."""
        self._start += timedelta(seconds=seconds)


class ManualClock:
    """Virtual time that stands still between calls of `advance`."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        """The time it was last stepped to."""
        return self._now

    def callers_now(self) -> datetime:
        """The same: who steps the clock owns the callers too."""
        return self._now

    def told(self, moment: datetime) -> datetime:
        """The same."""
        return moment

    def advance(self, seconds: float) -> None:
        """Step forward by virtual seconds."""
        self._now += timedelta(seconds=seconds)


def shown(moment: datetime) -> str:
    """A time as the API writes it: `2026-11-23T05:26:24+0000`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S%z")
