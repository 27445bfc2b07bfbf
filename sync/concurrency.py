"""How many actions a rebuild has under way at once: adapted to the server. Pure: its times are given to it.

It grows while that makes the work go faster, by half at a time; a step that did not pay is taken back and
tried again later, and now and then it is tried whether less would do. A refusal (429, 503) or a time-out
halves it, after which it grows by one at a time.

How fast the work goes is known by Little's law: as many as are under way, each as fast as it is against what
one of its kind took in the beginning. So kinds may come in any mixture, and few actions tell.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from sync.model import ActionKind

LEAST_PAID = 0.25
"""More is kept if the rate grew by this share of what it would bring where nothing queues; less, if the rate
fell by no more than this share of what it would then cost."""

HOLD_WINDOWS = 8
"""Measurements until another number is tried, after one that did not pay."""

CAUTIOUS_WINDOWS = 12
"""So many measurements after a back-off it grows by one at a time."""

LEAST_ACTIONS = 18
"""A measurement spans at least so many actions,"""

ACTIONS_EACH = 3
"""and so many for each that runs at once."""

LEAST_FULL = 0.8
"""Where on average less than this share of what may was under way, nothing is concluded."""

WEIGHING = 4
"""So many actions of a kind tell what one of it is worth."""

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
        self._weights: dict[ActionKind, float] = {}
        self._weighed: defaultdict[ActionKind, list[float]] = defaultdict(list)
        self._level = self.limit
        """What has proven itself; `limit` is another while that is tried."""
        self._rate = 0.0
        """Of the last measurement at `_level`; 0 for none."""
        self._hold = 0
        self._tries_less = False
        self._cautious = 0
        self._last_cut = -SPACING_SECONDS
        self._settling = 0
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
        if at_once < LEAST_FULL * self.limit:
            self.limit = self._level
        else:
            self._judge(at_once * self._work / self._seconds)
        self.most = max(self.most, self.limit)
        if before == self.limit:
            self._measure()
        else:
            self._forget()
        return before != self.limit

    def _weigh(self, kind: ActionKind, seconds: float) -> float:
        if kind not in self._weights:
            first = self._weighed[kind]
            first.append(seconds)
            mean = sum(first) / len(first)
            if len(first) < WEIGHING:
                return mean
            self._weights[kind] = mean
        return self._weights[kind]

    def _judge(self, rate: float) -> None:
        """Draw the consequence of a measurement at `limit`."""
        self._cautious = max(0, self._cautious - 1)
        if not self._cautious:
            self.backed_off_because = ""
        if self.limit == self._level:
            self._rate = (self._rate + rate) / 2 if self._rate else rate
            self._hold = max(0, self._hold - 1)
        elif rate >= self._rate * (1 + LEAST_PAID * (self.limit / self._level - 1)):
            self._hold = 0 if self.limit > self._level else HOLD_WINDOWS
            self._level, self._rate = self.limit, rate
        else:
            self.limit, self._hold = self._level, HOLD_WINDOWS
            self._tries_less = not self._tries_less
            return
        if self._hold == 0:
            self._step()

    def _step(self) -> None:
        """Try another number. Below the start nothing has to be proven: it was there before."""
        if self._tries_less and self._level > self._start:
            self.limit = max(self._start, self._level - max(1, self._level // 4))
            return
        more = 1 if self._cautious else max(1, self._level // 2)
        self.limit = min(self.ceiling, self._level + more)
        if self.limit <= self._start:
            self._level, self._rate = self.limit, 0.0

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
        self.limit = self._level = max(1, self.limit // 2)
        self._rate, self._hold, self._cautious = 0.0, 1, CAUTIOUS_WINDOWS
        self._forget()
        return before != self.limit

    def interrupt(self) -> None:
        """Nothing was sent for a while (a pause): what is being measured does not count."""
        self.limit = self._level
        self._forget()
