"""Deletions that CloudStack tells of and the ledger does not: each is critical until a person has looked.

Pure. What is deleted by way of abreast stands in the ledger before it is sent; whatever else CloudStack's
events tell of was done by something that nobody here approved. An event is proof by itself: it needs no
complete reading. A refused attempt deleted nothing and is no alarm. Events have a memory, so what somebody
has looked at is acknowledged in the ledger, with name and reason; until then it is told again and again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from sync.deletion_attempts import Attempt, Event, Kind, attempts

SKEW = timedelta(minutes=5)
"""How far the clocks of the console and of CloudStack may be apart."""

COMMANDS: Mapping[str, Kind] = MappingProxyType({"deleteDomain": Kind.DOMAIN, "deleteAccount": Kind.ACCOUNT})
"""The calls of which a ledger's intent accounts for an event."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A deletion of which the ledger has the intent."""

    kind: Kind
    target_id: str
    at: datetime
    until: datetime | None = None
    """When its outcome was known; None while it is not."""
    failed: bool = False
    """Whether it is known to have deleted nothing."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the ledger says about deletions."""

    deletions: tuple[Recorded, ...] = ()
    acknowledged: frozenset[str] = frozenset()
    """Ids of attempts that a person has looked at."""


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """A deletion that the ledger does not know."""

    id: str
    """Of the event that it began with; what is acknowledged."""
    kind: Kind
    target_id: str
    name: str
    path: str
    """Of the domain, or of the account's domain; empty where nothing tells it any more."""
    at: datetime | None
    username: str
    account: str
    """The caller's; empty where only the Scheduled event is there, which does not name it."""
    is_open: bool = False
    """Whether it is under way, or was never heard of again."""

    @property
    def label(self) -> str:
        return label_of(self.kind, self.name, self.path)

    @property
    def words(self) -> str:
        """What was deleted, by whom, when."""
        by = f"{self.account}/{self.username}" if self.account else self.username or "?"
        when = f"{self.at:%Y-%m-%d %H:%M} UTC" if self.at is not None else "an unknown time"
        return f"{self.label} by {by} at {when}{', not ended' if self.is_open else ''}"


@dataclass(frozen=True, slots=True)
class DeletionCheck:
    """CloudStack's events of deletions beside the ledger. The empty value says that nothing was asked."""

    found: tuple[Unrecorded, ...] = ()
    """Oldest first; any of them is critical."""
    elsewhere: int = 0
    """How many there are outside of the environment's parent: other people's business, and counted."""
    problem: str = ""
    """Why there may be more; empty when all is known."""


NOT_ASKED = DeletionCheck()


def label_of(kind: Kind, name: str, path: str) -> str:
    """What was deleted, in words; `path` is empty where nothing tells it any more."""
    if kind is Kind.ACCOUNT:
        return f"account {name}" + (f" in {path}" if path else "")
    return f"domain {path or name}"


def unrecorded(
    events: Iterable[Event], record: Record, *, parent: str, paths: Mapping[str, str]
) -> tuple[tuple[Unrecorded, ...], int]:
    """The deletions that happened or are under way and that the record does not explain, oldest first, and
    how many there are outside of `parent`. `paths` maps ids of domains and accounts to the domain's path, as
    far as it is known: what nothing tells the path of is not left out."""
    inside: list[Unrecorded] = []
    elsewhere = 0
    for attempt in attempts(events):
        if attempt.succeeded is False or attempt.id in record.acknowledged or is_recorded(attempt, record):
            continue
        path = paths.get(attempt.target_id, "")
        if concerns(path, parent):
            inside.append(_unrecorded(attempt, path))
        else:
            elsewhere += 1
    return tuple(inside), elsewhere


def is_recorded(attempt: Attempt, record: Record) -> bool:
    """Whether an intent of ours explains it: for this very object, and of the time at which it was sent. One
    that is known to have failed explains nothing that somebody else then deleted."""
    at = attempt.at
    if at is None:
        return False
    return any(
        one.kind is attempt.kind
        and one.target_id == attempt.target_id
        and not one.failed
        and one.at - SKEW <= at
        and (one.until is None or at <= one.until + SKEW)
        for one in record.deletions
    )


def concerns(path: str, parent: str) -> bool:
    """Whether a domain is the parent, lies below it, or has it below itself; an unknown one may."""
    one, other = f"{path.casefold()}/", f"{parent.casefold()}/"
    return not path or one.startswith(other) or other.startswith(one)


def _unrecorded(attempt: Attempt, path: str) -> Unrecorded:
    return Unrecorded(
        id=attempt.id,
        kind=attempt.kind,
        target_id=attempt.target_id,
        name=attempt.target,
        path=path,
        at=attempt.at,
        username=attempt.username,
        account=attempt.account,
        is_open=attempt.is_open,
    )
