"""Who deletes: named by the events and by the jobs, and only where both agree without asking.

Pure. User names are unique per domain only, and the account of a Scheduled event is the target's owner
(measured): a caller is the user of the Started event's account, and the `userid` of the job.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.deletion_attempts import Attempt, attempts, match_jobs
from sync.deletions import Reading
from sync.model import ActualInventory, User

RECENT = timedelta(hours=1)
"""So long before the newest one, a deletion that has ended still says who is at work."""

_IDLE = "No deletion of the last hour names this user: it was fenced before, and that fence is gone."


@dataclass(frozen=True, slots=True)
class Caller:
    """One user who deletes or has just deleted."""

    user_id: str
    """Empty where CloudStack shows no such user to this key."""
    username: str
    account: str
    account_id: str
    domain_id: str
    domain_path: str
    state: str
    account_state: str
    deletions: tuple[str, ...]
    """Names of the domains and accounts, newest last."""
    open_deletions: int
    """How many of them are running or submitted."""
    last_at: datetime | None
    ask: str = ""
    """Why a person has to say that it is this one; empty where events and jobs agree."""
    is_root_admin: bool = False
    accepted: tuple[datetime, ...] = ()
    """When CloudStack accepted each of them, as far as it is told."""

    @property
    def label(self) -> str:
        """`account/user in ROOT`."""
        return f"{self.account or '?'}/{self.username or self.user_id} in {self.domain_path or '?'}"


def find_callers(reading: Reading, *, also: Collection[str] = ()) -> tuple[Caller, ...]:
    """Everybody who deletes now or did within the last hour of deletions; the busiest first. `also` are the
    ids of users who are listed whether or not they delete: they were fenced, and are not any more."""
    known, unnamed = match_jobs(attempts(reading.events or ()), reading.jobs or ())
    recent = _recent(known)
    people = _People(reading)
    by_event: dict[str, list[Attempt]] = {}
    unresolved: dict[tuple[str, str], list[Attempt]] = {}
    for attempt in recent:
        user = people.of_attempt(attempt)
        if user is not None:
            by_event.setdefault(user.id, []).append(attempt)
        else:
            unresolved.setdefault((attempt.username, attempt.account), []).append(attempt)
    by_job = {attempt.job.user_id for attempt in recent if attempt.job is not None}
    by_job |= {job.user_id for job in unnamed}
    found = []
    for user_id in by_event.keys() | by_job:
        mine = by_event.get(user_id, [])
        ask = _why_ask(user_id in by_event, user_id in by_job, reading=reading)
        # Deletions whose Started event is missing are told by their job alone.
        told_already = {(one.kind, one.target_id, one.at) for one in mine}
        mine += [
            one
            for one in recent
            if one.job
            and one.job.user_id == user_id
            and (one.kind, one.target_id, one.at) not in told_already
        ]
        by_job_alone = [job.created for job in unnamed if job.user_id == user_id]
        found.append(people.caller(user_id, mine, ask=ask, also_at=by_job_alone))
    idle = set(also) - by_event.keys() - by_job
    found += [people.caller(id, [], ask=_IDLE) for id in sorted(idle) if people.knows(id)]
    told = {attempt.target_id for group in by_event.values() for attempt in group}
    for (username, account), group in unresolved.items():
        if any(attempt.job is not None or attempt.target_id in told for attempt in group):
            continue
        why = (
            f"The events name the user {username or '?'}, who is not to be found in account {account or '?'}."
        )
        found.append(people.nobody(username, account, group, ask=why))
    return tuple(sorted(found, key=lambda one: (-one.open_deletions, -len(one.deletions), one.label)))


def _recent(known: tuple[Attempt, ...]) -> list[Attempt]:
    """Open attempts and those within an hour of the newest: clocks of server and console may differ."""
    times = [attempt.at for attempt in known if attempt.at is not None]
    newest = max(times, default=None)
    return [
        attempt
        for attempt in known
        if attempt.is_open or (newest is not None and attempt.at and newest - attempt.at <= RECENT)
    ]


def _why_ask(is_in_events: bool, is_in_jobs: bool, *, reading: Reading) -> str:
    if is_in_events and is_in_jobs:
        return ""
    if is_in_events:
        if reading.jobs is None:
            return "Only the events name this user: the jobs could not be read."
        return "Only the events name this user: no job of it runs now."
    if reading.events is None:
        return "Only a job names this user: the events could not be read."
    return "Only a job names this user: the events name none, or somebody else."


class _People:
    """Users by what events and jobs say of them."""

    def __init__(self, reading: Reading) -> None:
        world: ActualInventory = reading.world
        self._reading = reading
        self._accounts = {account.id: account for account in world.accounts}
        self._users = {user.id: user for account in world.accounts for user in account.users}
        self._by_name: dict[tuple[str, str, str], list[User]] = {}
        for user in self._users.values():
            self._by_name.setdefault((user.domain_id, user.account, user.username), []).append(user)
        self._paths = {domain.id: domain.path for domain in world.domains}

    def of_attempt(self, attempt: Attempt) -> User | None:
        """The user of the Started event; None when it has none yet, or names nobody."""
        if not attempt.account:
            return None
        matching = self._by_name.get((attempt.account_domain_id, attempt.account, attempt.username), [])
        return matching[0] if len(matching) == 1 else None

    def knows(self, user_id: str) -> bool:
        """Whether CloudStack lists that user."""
        return user_id in self._users

    def caller(
        self, user_id: str, mine: list[Attempt], *, ask: str, also_at: Iterable[datetime | None] = ()
    ) -> Caller:
        """`also_at` is when jobs of its were made that no event names."""
        user = self._users.get(user_id)
        if user is None:
            return self._made(mine, user_id=user_id, ask=f"{ask} CloudStack lists no user {user_id}.".strip())
        account = self._accounts[user.account_id]
        return Caller(
            user_id=user.id,
            username=user.username,
            account=user.account,
            account_id=user.account_id,
            domain_id=user.domain_id,
            domain_path=self._paths.get(user.domain_id, ""),
            state=user.state,
            account_state=account.state,
            deletions=_names(mine),
            open_deletions=sum(attempt.is_open for attempt in mine),
            last_at=_last(mine),
            ask=ask,
            is_root_admin=user.id in self._reading.root_admins,
            accepted=_times(mine, also_at),
        )

    def nobody(self, username: str, account: str, mine: list[Attempt], *, ask: str) -> Caller:
        return self._made(mine, username=username, account=account, ask=ask)

    def _made(
        self, mine: list[Attempt], *, ask: str, user_id: str = "", username: str = "", account: str = ""
    ) -> Caller:
        return Caller(
            user_id=user_id,
            username=username,
            account=account,
            account_id="",
            domain_id="",
            domain_path="",
            state="",
            account_state="",
            deletions=_names(mine),
            open_deletions=sum(attempt.is_open for attempt in mine),
            last_at=_last(mine),
            ask=ask,
            accepted=_times(mine),
        )


def _names(mine: list[Attempt]) -> tuple[str, ...]:
    ordered = sorted(mine, key=lambda one: one.at.timestamp() if one.at else 0.0)
    return tuple(dict.fromkeys(one.target for one in ordered))


def _times(mine: list[Attempt], also_at: Iterable[datetime | None] = ()) -> tuple[datetime, ...]:
    return tuple(sorted(at for at in (*(one.at for one in mine), *also_at) if at is not None))


def _last(mine: list[Attempt]) -> datetime | None:
    return max(_times(mine), default=None)
