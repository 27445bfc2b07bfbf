"""How many actions a rebuild has under way at once: adapted to the server. Pure: its times are given to it.

It grows while that makes the work go faster. How fast it goes is known by Little's law: as many as are under
way, each as fast as it is against what one of its kind took at best, is how many are really worked on; the
others wait. So kinds may come in any mixture, and few actions tell. Twice as many as are worked on keep a
server busy: more would only wait there. A refusal (429, 503) or a time-out halves the number, after which it
grows by one at a time.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from statistics import fmean

from sync.model import ActionKind

HEADROOM = 2.0
"""So many are under way for each that is worked on: what one waits for (a reading, a write to the disk) is
another's time. A server of 4 cores got no faster beyond 8 at once (measured on 4.23)."""

MOST_HEADROOM = 4.0
"""Only with more than so many for each that is worked on it shrinks, and by a quarter at a time: too many do
little harm, too few do."""

LEAST_ACTIONS = 12
"""A measurement spans at least so many actions,"""

ACTIONS_EACH = 2
"""and so many for each that runs at once."""

LEAST_FULL = 0.8
"""Where on average less than this share of what may was under way, nothing is concluded."""

CAUTIOUS_WINDOWS = 12
"""So many measurements after a back-off it grows by one at a time."""

WEIGHING = 3
"""The mean of so many actions of a kind, one after the other, is what one of them took then; that of the best
so many such means is what one takes at best: a single one may have been lucky."""

SPACING_SECONDS = 1.0
"""What is refused within this time after a back-off was under way before it: it does not halve again."""


class Concurrency:
    """Of one execution. One thread owns it; all times are seconds since its start."""

    def __init__(self, *, start: int, ceiling: int, is_fixed: bool = False) -> None:
        """Begins with `start` at once, and never exceeds `ceiling` (or `start`, where that is more).

        `is_fixed`: always as many as at the start; waits that are asked for are heeded all the same.
        """
        self._start = max(1, start)
        self._is_fixed = is_fixed
        self.ceiling = self._start if is_fixed else max(self._start, ceiling)
        self.limit = self._start
        """How many may be under way now."""
        self.most = self.limit
        """The most that it was."""
        self.not_before = 0.0
        """Nothing is to be sent before this time: CloudStack, or whoever refused, asked for it."""
        self.back_offs: Counter[str] = Counter()
        """How often it backed off, by the reason."""
        self.backed_off_because = ""
        """The last reason, for as long as it goes on with care because of it."""
        self._recent: defaultdict[ActionKind, list[float]] = defaultdict(list)
        self._best: defaultdict[ActionKind, list[float]] = defaultdict(list)
        """By kind: what the last took, and the best means, in seconds."""
        self._cautious = 0
        self._last_cut = -SPACING_SECONDS
        self._forget()

    def _forget(self) -> None:
        """Begin a measurement once what was begun under other circumstances has ended."""
        self._settling = self.limit
        self._measure()

    def _measure(self) -> None:
        self._ended = self._running = 0
        self._work = self._seconds = 0.0

    def take(self, kind: ActionKind, seconds: float, *, running: int) -> bool:
        """An action was done, and took so long; `running` were under way before it ended, itself included.

        Whether `limit` is another now.
        """
        if self._is_fixed:
            return False
        weight = self._weigh(kind, seconds)
        if self._settling > 0:
            self._settling -= 1
            return False
        self._ended += 1
        self._running += min(running, self.limit)
        self._work += weight
        self._seconds += seconds
        if self._ended < max(LEAST_ACTIONS, ACTIONS_EACH * self.limit) or self._seconds <= 0:
            return False
        before, at_once = self.limit, self._running / self._ended
        if at_once >= LEAST_FULL * self.limit:
            self._judge(at_once * self._work / self._seconds)
        self.most = max(self.most, self.limit)
        if before == self.limit:
            self._measure()
        else:
            self._forget()
        return before != self.limit

    def _weigh(self, kind: ActionKind, seconds: float) -> float:
        """What one of this kind takes where nothing is in its way, as far as is known."""
        recent, best = self._recent[kind], self._best[kind]
        recent.append(seconds)
        if len(recent) == WEIGHING:
            best.append(fmean(recent))
            best.sort()
            del best[WEIGHING:]
            recent.clear()
        return fmean(best or recent)

    def _judge(self, worked_on: float) -> None:
        """Draw the consequence of so many having been worked on, on average, of those under way."""
        self._cautious = max(0, self._cautious - 1)
        if not self._cautious:
            self.backed_off_because = ""
        wanted = max(self._start, math.ceil(HEADROOM * worked_on))
        if wanted > self.limit:
            more = 1 if self._cautious else max(1, self.limit // 2)
            self.limit = min(self.ceiling, wanted, self.limit + more)
        elif self.limit > MOST_HEADROOM * worked_on:
            self.limit = max(wanted, self.limit - max(1, self.limit // 4))

    def back_off(self, why: str, *, at: float, retry_after: float = 0.0) -> bool:
        """The server refused for now, or did not answer in time. Whether `limit` is another now."""
        self.not_before = max(self.not_before, at + retry_after)
        if at < self._last_cut + SPACING_SECONDS:
            return False
        self._last_cut = at + retry_after
        self.back_offs[why] += 1
        if self._is_fixed:
            return False
        self.backed_off_because = why
        before = self.limit
        self.limit = max(1, self.limit // 2)
        self._cautious = CAUTIOUS_WINDOWS
        self._forget()
        return before != self.limit

    def interrupt(self) -> None:
        """Nothing was sent for a while (a pause): what is being measured does not count."""
        self._forget()
