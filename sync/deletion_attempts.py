"""One call of deleteDomain or deleteAccount, put together from its events and its job. Pure.

Events come in no order; a Scheduled one shows the target's owner as its account (measured on 4.18 and 4.23).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

SAME_REQUEST = timedelta(seconds=5)
"""A job and its first event are written by one request; more apart, they do not belong together."""


class Kind(Enum):
    DOMAIN = "domain"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Event:
    """A row of listEvents, of the types DOMAIN.DELETE and ACCOUNT.DELETE."""

    id: str
    type: str
    state: str
    """`Scheduled`, `Started` or `Completed`."""
    level: str
    """`ERROR` where it failed."""
    username: str
    account: str
    """The caller's account; in a Scheduled event the account that owns the target (measured)."""
    domain_id: str
    """The domain of `account`."""
    target_id: str
    target: str
    created: datetime | None
    parent_id: str
    """Id of the Scheduled event; empty in that one itself."""


@dataclass(frozen=True, slots=True)
class Job:
    """A row of listAsyncJobs that deletes a domain or an account."""

    id: str
    kind: Kind
    created: datetime | None
    user_id: str
    account: str
    server: str = ""
    """Name or id of the management server that runs it, where the release says so (4.19 and later)."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of deleteDomain or deleteAccount, as its events tell."""

    kind: Kind
    target_id: str
    target: str
    scheduled_at: datetime | None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    succeeded: bool | None = None
    """None while it has no Completed event."""
    username: str = ""
    account: str = ""
    """The caller's, from the Started event; empty before there is one."""
    account_domain_id: str = ""
    job: Job | None = None
    id: str = ""
    """Of the Scheduled event, which all others of the call name as their parent."""

    @property
    def is_open(self) -> bool:
        return self.succeeded is None

    @property
    def at(self) -> datetime | None:
        return self.scheduled_at or self.started_at or self.ended_at


_KINDS = {"DOMAIN.DELETE": Kind.DOMAIN, "ACCOUNT.DELETE": Kind.ACCOUNT}


def attempts(events: Iterable[Event]) -> tuple[Attempt, ...]:
    """The calls that the events tell of, oldest first. Their order in the list means nothing."""
    grouped: dict[str, list[Event]] = {}
    for event in events:
        if event.type in _KINDS:
            grouped.setdefault(event.parent_id or event.id, []).append(event)
    found = [_attempt(id, group) for id, group in grouped.items()]
    return tuple(sorted(found, key=lambda one: (seconds_of(one.at), one.target)))


def _attempt(id: str, events: Sequence[Event]) -> Attempt:
    by_state = {event.state.casefold(): event for event in events}
    scheduled, started = by_state.get("scheduled"), by_state.get("started")
    completed = by_state.get("completed")
    any_event = started or scheduled or completed or events[0]
    # A Completed event has the caller's account too; a Scheduled one has the target's owner.
    caller = started or completed
    return Attempt(
        kind=_KINDS[any_event.type],
        target_id=any_event.target_id,
        target=any_event.target or any_event.target_id,
        scheduled_at=scheduled.created if scheduled else None,
        started_at=started.created if started else None,
        ended_at=completed.created if completed else None,
        succeeded=None if completed is None else completed.level.upper() != "ERROR",
        username=any_event.username,
        account=caller.account if caller else "",
        account_domain_id=caller.domain_id if caller else "",
        id=id,
    )


def match_jobs(found: Iterable[Attempt], jobs: Sequence[Job]) -> tuple[tuple[Attempt, ...], tuple[Job, ...]]:
    """The attempts with the job of each open one, and the jobs that belong to none of them.

    Deletions submitted within one second cannot be told apart: then any job of that second stands for any of
    those attempts, which says the same of all.
    """
    left: dict[tuple[Kind, int], list[Job]] = {}
    for job in sorted(jobs, key=lambda job: job.id, reverse=True):
        left.setdefault((job.kind, int(seconds_of(job.created))), []).append(job)
    known = list(found)
    matched = []
    for attempt in known:
        closest = _take_closest(attempt, left) if attempt.is_open else None
        matched.append(attempt if closest is None else replace(attempt, job=closest))
    # Of a job that has ended between two readings the events already tell the end.
    ended = [attempt for attempt in known if not attempt.is_open]
    unclaimed = [job for bucket in left.values() for job in bucket]
    unnamed = [job for job in unclaimed if not any(_near(attempt, job) for attempt in ended)]
    return tuple(matched), tuple(unnamed)


def _take_closest(attempt: Attempt, left: dict[tuple[Kind, int], list[Job]]) -> Job | None:
    at = int(seconds_of(attempt.at))
    reach = int(SAME_REQUEST.total_seconds())
    for second in sorted(range(at - reach, at + reach + 1), key=lambda one: abs(one - at)):
        bucket = left.get((attempt.kind, second))
        if bucket:
            return bucket.pop()
    return None


def _near(attempt: Attempt, job: Job) -> bool:
    if attempt.kind is not job.kind:
        return False
    return abs(seconds_of(job.created) - seconds_of(attempt.at)) <= SAME_REQUEST.total_seconds()


def seconds_of(at: datetime | None) -> float:
    return at.timestamp() if at is not None else 0.0
