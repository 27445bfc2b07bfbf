"""Drift over time as a sparkline: how many rows were critical in each minute."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from widgets.cells import counted
from widgets.lines import Line, Lines

_BARS = "▁▂▃▄▅▆▇█"
_BUCKET = timedelta(minutes=1)
KEPT_MINUTES = 24 * 60
"""A day of minutes is kept; what is older is forgotten, so that weeks cost no memory."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The worst of one minute."""

    at: datetime
    critical: int
    drifting: int
    is_known: bool
    """Whether both sides could be read."""


class Trend:
    """A bounded series of minutes."""

    def __init__(self, *, kept: int = KEPT_MINUTES) -> None:
        self._samples: deque[Sample] = deque(maxlen=kept)

    def add(self, sample: Sample) -> None:
        """Take a sample; within one minute the worst counts."""
        minute = sample.at.replace(second=0, microsecond=0)
        last = self._samples[-1] if self._samples else None
        if last is None or minute > last.at:
            self._samples.append(replace(sample, at=minute))
        elif sample.is_known or not last.is_known:
            self._samples[-1] = Sample(
                last.at,
                max(last.critical, sample.critical) if last.is_known else sample.critical,
                max(last.drifting, sample.drifting) if last.is_known else sample.drifting,
                sample.is_known,
            )

    def recent(self, minutes: int, now: datetime) -> list[Sample | None]:
        """The last so many minutes, oldest first; None where nothing was read."""
        by_minute = {sample.at: sample for sample in self._samples}
        last = now.replace(second=0, microsecond=0)
        return [by_minute.get(last - _BUCKET * back) for back in reversed(range(minutes))]

    def __len__(self) -> int:
        return len(self._samples)


def spark(samples: list[Sample | None]) -> str:
    """One character a minute: a bar for drifting rows, `·` for unknown, blank for not read."""
    highest = max((sample.drifting for sample in samples if sample is not None), default=0)
    characters = []
    for sample in samples:
        if sample is None:
            characters.append(" ")
        elif not sample.is_known:
            characters.append("·")
        elif highest == 0:
            characters.append(_BARS[0])
        else:
            characters.append(_BARS[round(sample.drifting / highest * (len(_BARS) - 1))])
    return "".join(characters)


class TrendLine(Lines):
    """One line of words and one of bars."""

    def __init__(self) -> None:
        super().__init__(id="trend")
        self._trend = Trend()
        self._now: datetime | None = None

    def show(self, trend: Trend, now: datetime) -> None:
        """Show the series up to `now`."""
        self._trend, self._now = trend, now
        self.redraw()

    @staticmethod
    def _span(samples: list[Sample | None]) -> str:
        """How far back it goes: what was not watched yet is not counted."""
        first = next((index for index, sample in enumerate(samples) if sample is not None), len(samples))
        watched = len(samples) - first
        return f"in the last {watched} minutes" if watched > 1 else "in the first minute"

    def lines(self, width: int) -> list[Line]:
        if self._now is None:
            return [[("", "")], [("", "")]]
        minutes = max(1, width - 2)
        samples = self._trend.recent(minutes, self._now)
        known = [sample for sample in samples if sample is not None and sample.is_known]
        peak = max((sample.drifting for sample in known), default=0)
        found = f"at most {counted(peak, 'drifting row')}" if known else "nothing is known"
        words = f" {self._span(samples)}: {found}"
        tone = "tone--bad" if known and known[-1].critical else "tone--warning" if peak else "tone--good"
        return [[(words, "tone--muted")], [(" ", ""), (spark(samples), tone)]]
