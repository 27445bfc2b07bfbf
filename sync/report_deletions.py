"""Who deleted what and when, for the incident report: by CloudStack's events, and where it has none any more,
by what saved evidence, the ledger and captures know.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sync.deletion_attempts import Attempt, Event, Kind, attempts
from sync.loss_ledger import Fate, Loss, LossLedger
from sync.prediction import EntryLike
from sync.unrecorded import Record, concerns, is_recorded, label_of

_NAMED = 5
"""So many domains are named in a sentence; more are counted."""


class Entry(EntryLike, Protocol):
    """What is needed of `sync.ledger_entries.Entry`."""

    @property
    def operator(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Recording:
    """What somebody saved of CloudStack's events while it still had them."""

    file: str
    taken_at: datetime
    taken_by: str
    events: tuple[Event, ...]
    """Of deletions."""
    paths: Mapping[str, str]
    """Id → path of the domains that were listed then."""
    problem: str = ""
    """Why it may not have all of them."""

    @property
    def words(self) -> str:
        """Whose it is."""
        return f"the evidence that {self.taken_by} saved at {self.taken_at:%Y-%m-%d %H:%M:%S}"


@dataclass(frozen=True, slots=True)
class Deleted:
    """One domain or account that was deleted, or is being."""

    label: str
    """`domain ROOT/ci/dune`."""
    at: datetime
    """When it was submitted, by CloudStack's clock."""
    ended_at: datetime | None = None
    is_open: bool = False
    """Whether it is under way, or was never heard of again."""
    has_failed: bool = False
    """Whether it failed half-way: something of what was in it is gone all the same."""
    by: str = ""
    """`account/user`; empty where nothing names the caller."""
    event_id: str = ""
    """Of CloudStack's event; empty where it has none, or none any more."""
    is_recorded: bool = False
    """Whether it stands in the ledger, so that people here approved it."""
    looked_at_by: str = ""
    """Where only the ledger still knows it: who acknowledged it."""
    known_from: str = ""
    """Where only saved evidence still knows it: which."""

    @property
    def words(self) -> str:
        """What went and how it ended: for a line that has time and caller."""
        how = "failed half-way" if self.has_failed else "ended"
        ended = f"{how} at {self.ended_at:%H:%M:%S}" if self.ended_at is not None else ""
        parts = [
            f"deletion of {self.label}",
            "not ended" if self.is_open else ended,
            "in the ledger" if self.is_recorded else "not in the ledger",
            f"by {self.known_from}" if self.known_from else "",
        ]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Untold:
    """What is gone, and nothing tells when or by whom."""

    label: str
    last_captured: datetime | None
    """When it was seen last; None where no capture has it."""


@dataclass(frozen=True, slots=True)
class Deletions:
    """All that is known of them."""

    found: tuple[Deleted, ...] = ()
    """Oldest first."""
    untold: tuple[Untold, ...] = ()
    recordings: tuple[Recording, ...] = ()
    """Evidence that was taken in; oldest first."""
    refused: int = 0
    """Attempts that deleted nothing."""
    elsewhere: int = 0
    """Deletions outside of the environment's parent."""
    is_clock_ahead: bool = False
    """Whether CloudStack's times are later than the report itself, so that they fit no other clock."""
    problem: str = ""
    """Why there may be more; empty when all events were read."""

    def words(self) -> Iterator[str]:
        """Who did it, from when until when, whether anybody here approved it: whole sentences."""
        if self.found:
            yield _by_words(self.found)
            yield _recorded_words(self.found)
            kept = sum(bool(one.known_from) for one in self.found)
            if kept:
                yield f"{kept} of the {len(self.found)} only saved evidence still tells of."
        elif not self.problem:
            yield "CloudStack's events tell of no deletion of that time."
        if self.untold:
            names = ", ".join(one.label for one in self.untold[:_NAMED])
            more = f" and {len(self.untold) - _NAMED} more" if len(self.untold) > _NAMED else ""
            yield f"Nothing tells any more when these went, or by whom: {names}{more}."
        if self.problem:
            yield f"Who deleted, and when, is known in part only: {self.problem.rstrip('.')}."
        if self.refused:
            yield f"{_count(self.refused, 'further attempt')} deleted nothing: CloudStack refused or failed."
        if self.elsewhere:
            yield f"{_count(self.elsewhere, 'deletion')} outside of this environment is not told here."
        if self.is_clock_ahead:
            yield (
                "CloudStack's clock is ahead of the clock that made this report: its times fit those of the "
                "deletions among themselves, and no others."
            )


def deletions(
    events: Iterable[Event],
    record: Record,
    entries: Iterable[Entry],
    losses: LossLedger,
    *,
    since: datetime,
    made_at: datetime,
    parent: str,
    paths: Mapping[str, str],
    last_captured: Mapping[str, datetime],
    recordings: Iterable[Recording] = (),
    problem: str = "",
) -> Deletions:
    """The deletions that events tell of since then, CloudStack's own or those of `recordings`, each once;
    those that only an acknowledgement among the ledger's `entries` still knows; and lost domains that nothing
    tells of.

    `paths` maps ids of domains and accounts to the domain's path, `last_captured` ids of lost domains to when
    they were captured last.
    """
    recordings = sorted(recordings, key=lambda one: one.taken_at)
    paths = {**{id: path for one in recordings for id, path in one.paths.items()}, **paths}
    saved = {event.id: event for one in recordings for event in one.events}
    told_now = {event.id: event for event in events}
    kept = _kept(recordings, {_call(event) for event in told_now.values()})
    events = {**saved, **told_now}.values()
    known = [one for one in attempts(events) if one.at is not None and one.at >= since]
    inside = [one for one in known if concerns(paths.get(one.target_id, ""), parent)]
    gone = {one.target_id for one in inside if one.succeeded is not False}
    happened = [
        one
        for one in inside
        if one.succeeded is not False
        or (one.target_id not in gone and _has_lost(one, losses, parent=parent, paths=paths))
    ]
    found = [
        _of_attempt(one, one.at, record, paths, known_from=kept.get(one.id, ""))
        for one in happened
        if one.at is not None
    ]
    found += _acknowledged(entries, {one.id for one in known})
    told = {_with_parent(one.label, parent) for one in found}
    ids = {one.target_id for one in happened}
    untold = [
        Untold(f"domain {one.path}", last_captured.get(one.id))
        for one in _lost_domains(losses)
        if one.id not in ids and not _is_told(one.path, told)
    ]
    return Deletions(
        found=tuple(sorted(found, key=lambda one: one.at)),
        untold=tuple(untold),
        recordings=tuple(recordings),
        refused=len(inside) - len(happened),
        elsewhere=sum(one.succeeded is not False for one in set(known) - set(inside)),
        is_clock_ahead=any(one.at > made_at for one in found),
        problem=problem,
    )


def _call(event: Event) -> str:
    """The id of the call that it is of."""
    return event.parent_id or event.id


def _kept(recordings: Iterable[Recording], told_now: Container[str]) -> dict[str, str]:
    """Id of a call that CloudStack tells of no more → the newest evidence of it."""
    return {
        _call(event): one.words for one in recordings for event in one.events if _call(event) not in told_now
    }


def _of_attempt(
    one: Attempt, at: datetime, record: Record, paths: Mapping[str, str], *, known_from: str
) -> Deleted:
    account, user = one.account, one.username
    return Deleted(
        label=label_of(one.kind, one.target, paths.get(one.target_id, "")),
        at=at,
        ended_at=one.ended_at,
        # Of what is told of no more, nobody knows whether it has ended since.
        is_open=one.is_open and not known_from,
        has_failed=one.succeeded is False,
        by=f"{account}/{user}" if account else user,
        event_id=one.id,
        is_recorded=is_recorded(one, record),
        known_from=known_from,
    )


def _acknowledged(entries: Iterable[Entry], known: set[str]) -> Iterator[Deleted]:
    """What somebody looked at while CloudStack still told of it."""
    for entry in entries:
        payload = entry.payload
        if entry.kind.value != "deletion acknowledged" or payload["id"] in known or not payload["at"]:
            continue
        yield Deleted(
            label=label_of(Kind(payload["kind"]), str(payload["target"]), ""),
            at=datetime.fromisoformat(payload["at"]),
            by=str(payload["by"]).strip("/"),
            event_id=str(payload["id"]),
            looked_at_by=entry.operator,
        )


def _lost_domains(losses: LossLedger) -> Iterator[Loss]:
    for one in losses.objects:
        if one.type == "domain" and one.fate in (Fate.LOST, Fate.DYING):
            yield one


def _has_lost(one: Attempt, losses: LossLedger, *, parent: str, paths: Mapping[str, str]) -> bool:
    """Whether something that was in this domain, or below it, is gone."""
    path = (paths.get(one.target_id) or f"{parent}/{one.target}").casefold()
    return one.kind is Kind.DOMAIN and any(
        loss.fate in (Fate.LOST, Fate.DYING) and f"{loss.path.casefold()}/".startswith(f"{path}/")
        for loss in losses.objects
    )


def _with_parent(label: str, parent: str) -> str:
    """An event tells a domain's name alone."""
    what, _, name = label.casefold().partition(" ")
    return label.casefold() if "/" in name else f"{what} {parent.casefold()}/{name}"


def _is_told(path: str, told: set[str]) -> bool:
    """Whether its own deletion, or that of a domain above it, is known."""
    names = path.casefold().split("/")
    return any(f"domain {'/'.join(names[:depth])}" in told for depth in range(1, len(names) + 1))


def _by_words(told: Sequence[Deleted]) -> str:
    """`36 deletions by admin/sync from … to …; 1 has not ended.`"""
    callers = Counter(one.by for one in told)
    (first, _), *others = callers.most_common()
    by = ", ".join(f"{name or 'nobody who is named'} ({number})" for name, number in callers.most_common())
    by = by if others else first or "somebody whom no event names"
    when = f"at {told[0].at:%Y-%m-%d %H:%M:%S}"
    if told[-1].at != told[0].at:
        when = f"from {told[0].at:%Y-%m-%d %H:%M:%S} to {told[-1].at:%Y-%m-%d %H:%M:%S}"
    left, failed = sum(one.is_open for one in told), sum(one.has_failed for one in told)
    rest = f"; {left} of them had not ended when this was made" if left else ""
    rest += f"; {failed} failed half-way" if failed else ""
    return f"{_count(len(told), 'deletion')} by {by}, submitted {when} UTC{rest}."


def _recorded_words(told: Sequence[Deleted]) -> str:
    strange = sum(not one.is_recorded for one in told)
    if not strange:
        return "All of it is in the ledger: people here approved it."
    if strange == len(told):
        return "None of it is in the ledger: nobody approved it here, and abreast did not send it."
    return f"{strange} of the {len(told)} not in the ledger: nobody approved that here."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
