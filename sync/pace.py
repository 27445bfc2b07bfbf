"""How long an execution still takes, learnt from what it has done so far. Pure: its times are given to it.

What one action of a kind costs is measured; proportions known from a real server stand in for what is not
measured yet. How many run at once is measured too: seconds of work that were done, per second that passed.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from types import MappingProxyType

from sync.model import ActionKind

PRIOR_SECONDS: Mapping[ActionKind, float] = MappingProxyType(
    {
        ActionKind.RECOVER_VM: 0.1,
        ActionKind.RENAME_DOMAIN: 0.1,
        ActionKind.CREATE_DOMAIN: 0.1,
        ActionKind.UPDATE_DOMAIN: 0.1,
        ActionKind.CREATE_ACCOUNT: 2.3,
        ActionKind.ENABLE_ACCOUNT: 0.1,
        ActionKind.CREATE_USER: 0.35,
        ActionKind.UPDATE_USER: 0.1,
        ActionKind.ENABLE_USER: 0.1,
        ActionKind.DISABLE_USER: 0.6,
        ActionKind.UPDATE_LIMIT: 0.1,
        ActionKind.CREATE_NETWORK: 0.4,
        ActionKind.TAKE_ADDRESS: 0.6,
        ActionKind.REGISTER_TEMPLATE: 60.0,
        ActionKind.REGISTER_ISO: 60.0,
        ActionKind.DEPLOY_VM: 8.0,
        ActionKind.FREEZE_ZONE: 0.1,
        ActionKind.THAW_ZONE: 0.1,
    }
)
"""What one action costs, its readings included. Only the proportions matter: hashing a password is what makes
accounts slow (calls measured on 4.23: createAccount 2.2 s, createUser 0.26 s, createDomain 0.03 s)."""

PRIOR_WEIGHT = 2.0
"""The prior counts like so many measurements of a kind."""

WINDOW_SECONDS = 60.0
"""How far back it is measured how many run at once."""

LEAST_ACTIONS = 8
"""Less than so many after the first one, which runs alone, tell nothing."""

LEAST_SHARE = 0.5
"""So much of the whole work, by the prior, has to be of kinds that were measured."""


class Pace:
    """Of one execution: given what is to be done and what was, tells how long the rest takes."""

    def __init__(self, actions: Mapping[str, ActionKind]) -> None:
        """`actions` by id: what this execution has to do, without what was done before it."""
        self._left = dict(actions)
        self._kinds = Counter(actions.values())
        self._measured: Counter[ActionKind] = Counter()
        self._seconds: defaultdict[ActionKind, float] = defaultdict(float)
        """By kind: how many were measured, and what they took together."""
        self._samples: deque[tuple[float, float]] = deque()
        """When something ended, and the seconds of work that were done by then; from the first one on."""
        self._begun: dict[str, float] = {}
        """When what runs now was begun, by action id."""

    def begin(self, action_id: str, *, at: float) -> None:
        """An action is at work `at` seconds after the start; said more than once, the first time counts."""
        if action_id in self._left:
            self._begun.setdefault(action_id, at)

    def take(self, action_id: str, *, at: float, seconds: float) -> None:
        """An action ended `at` seconds after the start, however it did, and took so many."""
        self._begun.pop(action_id, None)
        kind = self._left.pop(action_id, None)
        if kind is None:
            return
        self._measured[kind] += 1
        self._seconds[kind] += seconds
        done = self._samples[-1][1] if self._samples else 0.0
        self._samples.append((at, done + seconds))
        while len(self._samples) > 1 and self._samples[1][0] <= at - WINDOW_SECONDS:
            self._samples.popleft()

    def seconds_left(self, now: float) -> float | None:
        """Seconds from `now` (since the start) until all is done; None while too little is known to tell.

        None as well when all has ended: what failed and is tried once more is not foreseen.
        """
        at_once = self._at_once(now)
        if not self._left or at_once is None or not self._is_telling():
            return None
        rest = sum(number * self.cost(kind) for kind, number in Counter(self._left.values()).items())
        under_way = sum(min(now - at, self.cost(self._left[id])) for id, at in self._begun.items())
        return (rest - under_way) / at_once

    def cost(self, kind: ActionKind) -> float:
        """What one action of this kind takes here, in seconds."""
        weighted = PRIOR_WEIGHT * self._expected(kind) + self._seconds[kind]
        return weighted / (PRIOR_WEIGHT + self._measured[kind])

    def _expected(self, kind: ActionKind) -> float:
        """What the prior says, fitted to what was measured: a part that every call has, one in proportion.

        The straight line through the means of all kinds, as often as each was measured.
        """
        number = sum(self._measured.values())
        if not number:
            return PRIOR_SECONDS[kind]
        prior = sum(PRIOR_SECONDS[one] * count for one, count in self._measured.items()) / number
        mean = sum(self._seconds.values()) / number
        spread = sum((PRIOR_SECONDS[one] - prior) ** 2 * count for one, count in self._measured.items())
        together = sum(
            (PRIOR_SECONDS[one] - prior) * (self._seconds[one] - mean * self._measured[one])
            for one in self._measured
        )
        slope = together / spread if spread else mean / prior
        slope = min(max(slope, 0.0), mean / prior)
        return mean + slope * (PRIOR_SECONDS[kind] - prior)

    def _at_once(self, now: float) -> float | None:
        """How many actions ran at once of late, on average; None when nothing ended of late."""
        if not self._samples or self._samples[-1][0] <= now - WINDOW_SECONDS:
            return None
        earlier = [sample for sample in self._samples if sample[0] <= now - WINDOW_SECONDS]
        start, before = earlier[-1] if earlier else self._samples[0]
        done = self._samples[-1][1] - before + sum(now - max(start, at) for at in self._begun.values())
        return done / (now - start) if done > 0 and now > start else None

    def _is_telling(self) -> bool:
        if sum(self._measured.values()) <= LEAST_ACTIONS:
            return False
        known = sum(PRIOR_SECONDS[kind] * self._kinds[kind] for kind in self._measured)
        return known >= LEAST_SHARE * sum(PRIOR_SECONDS[kind] * count for kind, count in self._kinds.items())
