"""How fast an execution goes and how long it still takes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from sync.model import Action, ActionKind

SECONDS_EACH: Mapping[ActionKind, float] = MappingProxyType(
    {
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
    }
)
"""What one action costs, its readings included. Only the proportions matter: hashing a password is what makes
accounts slow (calls measured on 4.23: createAccount 2.2 s, createUser 0.26 s, createDomain 0.03 s)."""

WINDOW_SECONDS = 60.0
"""How far back the pace is measured."""

Sample = tuple[float, float]
"""Seconds since the start (any steady clock), and the work or the number of actions done by then."""


def work_of(actions: Iterable[Action]) -> float:
    """The work of these actions in seconds of one worker; actions of a plan are not alike."""
    return sum(SECONDS_EACH[action.kind] for action in actions)


def rate(samples: Sequence[Sample], *, window_seconds: float = WINDOW_SECONDS) -> float | None:
    """Work done per second of late; None while there is too little to tell."""
    if len(samples) < 2:
        return None
    end, done = samples[-1]
    start, before = next(sample for sample in samples if sample[0] >= end - window_seconds)
    return (done - before) / (end - start) if end > start and done > before else None


def seconds_left(
    samples: Sequence[Sample], total: float, *, window_seconds: float = WINDOW_SECONDS
) -> float | None:
    """Seconds until `total` is done at the pace of late; 0.0 when it is, None when it cannot be told."""
    if samples and samples[-1][1] >= total:
        return 0.0
    pace = rate(samples, window_seconds=window_seconds)
    return (total - samples[-1][1]) / pace if pace else None
