"""Reads what CloudStack shows of deletions, what else a user called, and the evidence before it expires.

Jobs are read before and after the events: what ended or began in between is then told by one of the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from sync.cloudstack.capabilities import Capabilities
from sync.cloudstack.gathering import JOBS, OTHERS, Gathering
from sync.cloudstack.paging import Pager, Query
from sync.deletions import Event, Job, Kind, Reading, Told
from sync.errors import SourceError
from sync.model import JsonObject, OwnedResource, Scope
from sync.reading_pool import ReadingPool

EVENT_DAYS = 2
"""How far back deletions are looked for."""

EVERYTHING = Scope(parent="ROOT")

_JOB_KINDS = {"DeleteDomainCmd": Kind.DOMAIN, "DeleteAccountCmd": Kind.ACCOUNT}
_TYPES = ("DOMAIN.DELETE", "ACCOUNT.DELETE")
_EVIDENCE = (
    Query("listEvents", "event", {"listall": "true"}),
    JOBS,
    Query("listManagementServers", "managementserver"),
    Query("listAlerts", "alert"),
    Query("listDomains", "domain", {"listall": "true", "details": "resource"}),
    Query("listVirtualMachines", "virtualmachine", {"listall": "true", "projectid": "-1"}),
    Query("listVolumes", "volume", {"listall": "true", "projectid": "-1"}),
)
"""What expires or is about to vanish: jobs go when they end, events and limits tell who had what."""
_SECRET = ("key", "secret", "password")


class Survey:
    """One reading of deletions. Made for one reading, used once."""

    def __init__(self, scope: Scope, taken_at: datetime, *, capabilities: Capabilities, pager: Pager) -> None:
        self._scope = scope
        self._taken_at = taken_at
        self._server = capabilities
        self._pager = pager
        self._problems: list[str] = []
        self._why_more = ""

    def reading(self, remembered: dict[str, str]) -> Reading:
        """All lists, at once as far as their order does not matter. `remembered` maps ids to paths."""
        gathering = Gathering(
            EVERYTHING,
            self._taken_at,
            capabilities=self._server,
            pager=self._pager,
            limits=False,
            users=True,
            everything=False,
            previous=None,
            progress=None,
            assumed_parent=self._scope.parent,
        )
        with ReadingPool(4, name="deletions") as threads:
            told = threads.submit(self._jobs_and_events)
            snapshots = threads.submit(self._owned, gathering, "snapshots")
            templates = threads.submit(self._owned, gathering, "templates")
            admins = threads.submit(self._root_admins)
            world = gathering.inventory(remembered)
            jobs, events = told.result()
            return Reading(
                scope=self._scope,
                world=world,
                events=events,
                jobs=jobs,
                snapshots=snapshots.result(),
                templates=templates.result(),
                root_admins=admins.result(),
                paths=MappingProxyType(dict(remembered)),
                problems=tuple(self._problems),
            )

    def told(self) -> Told:
        """Jobs and events alone."""
        jobs, events = self._jobs_and_events()
        return Told(events, jobs, tuple(dict.fromkeys(self._problems)), self._why_more)

    def _jobs_and_events(self) -> tuple[tuple[Job, ...] | None, tuple[Event, ...] | None]:
        before = self._rows(JOBS)
        heard = deletion_events(self._server, self._pager, since=self._taken_at - timedelta(days=EVENT_DAYS))
        self._problems += heard.failed
        self._why_more = heard.why_more
        after = self._rows(JOBS) if before is not None else None
        jobs = None
        if before is not None and after is not None:
            by_id = {str(row["jobid"]): row for row in (*before, *after) if not row.get("jobstatus")}
            jobs = tuple(job for job in map(_job, by_id.values()) if job is not None)
        return jobs, None if heard.failed else heard.events

    def _root_admins(self) -> frozenset[str]:
        query = Query("listUsers", "user", {"listall": "true", "accounttype": "1"}, note="of root admins")
        return frozenset(
            str(row["id"])
            for row in self._rows(query) or ()
            if row.get("accounttype") == 1
            and row.get("domainid") == self._server.root_id
            and str(row.get("state", "")).casefold() == "enabled"
            and row.get("username") != "system"
        )

    def _owned(self, gathering: Gathering, name: str) -> tuple[OwnedResource, ...]:
        owned = OTHERS[name]
        if not self._server.has(owned.query.command):
            self._problems.append(f"{owned.query.command} may not be called with this key.")
            return ()
        result = gathering.owned(owned)
        if not result.is_proven:
            self._problems += [proof.problem for proof in result.proofs if proof.problem]
        return tuple(one.thing for one in result.rows)

    def _rows(self, query: Query) -> list[JsonObject] | None:
        """The rows of a list; None when it could not be read."""
        if not self._server.has(query.command):
            self._problems.append(f"{query.command} may not be called with this key: allow it in its role.")
            return None
        try:
            listing = self._pager.read(query)
        except SourceError as error:
            self._problems.append(str(error))
            return None
        if listing.proof.problem:
            self._problems.append(listing.proof.problem)
        return list({str(row[query.identity[0]]): row for row in listing.rows}.values())


@dataclass(frozen=True, slots=True)
class Heard:
    """What the events told of deletions."""

    events: tuple[Event, ...]
    failed: tuple[str, ...]
    """Why a list of them could not be read."""
    unproven: tuple[str, ...]
    """Why one that was read may not be all of it: it grows while it is read."""

    @property
    def why_more(self) -> str:
        """Why there may be more; empty when there are not."""
        return " ".join(dict.fromkeys((*self.failed, *self.unproven)))


def deletion_events(capabilities: Capabilities, pager: Pager, *, since: datetime) -> Heard:
    """The events of deletions since that day, united by id.

    Never raises SourceError: what was seen was seen, whatever else could not be read.
    """
    rows: dict[str, JsonObject] = {}
    failed, unproven = [], []
    for query in _event_queries(since):
        if not capabilities.has(query.command):
            failed.append(f"{query.command} may not be called with this key: allow it in its role.")
            continue
        try:
            listing = pager.read(query)
        except SourceError as error:
            failed.append(str(error))
            continue
        if listing.proof.problem:
            unproven.append(listing.proof.problem)
        rows |= {str(row["id"]): row for row in listing.rows}
    return Heard(tuple(map(event_of, rows.values())), tuple(failed), tuple(unproven))


def _event_queries(since: datetime) -> Iterator[Query]:
    for type_ in _TYPES:
        asked = {"listall": "true", "type": type_, "startdate": since.strftime("%Y-%m-%d")}
        yield Query("listEvents", "event", asked, note=type_)


def calls_of(
    account: str, domain_id: str, username: str, *, pager: Pager, since: datetime
) -> tuple[tuple[str, int, datetime], ...]:
    """What a user called since then: event type, how often, when last; the most frequent first.

    listEvents cannot be asked for a user, only for the account. Raises SourceError.
    """
    query = Query(
        "listEvents",
        "event",
        {"account": account, "domainid": domain_id, "startdate": since.strftime("%Y-%m-%d")},
        note=f"of {account}",
    )
    calls: dict[str, dict[str, datetime]] = {}
    for row in pager.read(query).rows:
        created = moment(row.get("created"))
        # In a Scheduled event the account is the target's owner, and the others follow.
        if row.get("username") != username or row.get("state") == "Scheduled":
            continue
        if created is not None and created >= since:
            calls.setdefault(str(row.get("type", "")), {})[str(row.get("parentid") or row["id"])] = created
    found = [(type_, len(times), max(times.values())) for type_, times in calls.items()]
    return tuple(sorted(found, key=lambda one: (-one[1], one[0])))


def evidence(capabilities: Capabilities, pager: Pager) -> dict[str, JsonObject]:
    """Lists as they are, by command; one that cannot be read says why. No keys and no secrets."""
    found: dict[str, JsonObject] = {}
    for query in _EVIDENCE:
        if not capabilities.has(query.command):
            found[query.command] = {"rows": [], "problem": "not offered to this key"}
            continue
        try:
            listing = pager.read(query)
        except SourceError as error:
            found[query.command] = {"rows": [], "problem": str(error)}
            continue
        rows = [_without_secrets(row) for row in listing.rows]
        found[query.command] = {"rows": rows, "problem": listing.proof.problem}
    return found


def _without_secrets(row: JsonObject) -> JsonObject:
    return {
        name: [_without_secrets(one) if isinstance(one, dict) else one for one in value]
        if isinstance(value, list)
        else value
        for name, value in row.items()
        if not any(part in name.casefold() for part in _SECRET)
    }


def moment(value: object) -> datetime | None:
    """A time as CloudStack writes it (`2026-11-23T06:26:24+0000`); None where it is none."""
    try:
        return datetime.strptime(str(value), "%Y-%m-%dT%H:%M:%S%z")
    except ValueError:
        return None


def _job(row: Mapping[str, object]) -> Job | None:
    kind = _JOB_KINDS.get(str(row.get("cmd", "")).rpartition(".")[2])
    if kind is None:
        return None
    return Job(
        id=str(row["jobid"]),
        kind=kind,
        created=moment(row.get("created")),
        user_id=str(row.get("userid", "")),
        account=str(row.get("account", "")),
        server=str(row.get("managementservername") or row.get("managementserverid") or ""),
    )


def is_deletion(row: Mapping[str, object]) -> bool:
    """Whether a row of listEvents is of a domain's or an account's deletion."""
    return row.get("type") in _TYPES


def event_of(row: Mapping[str, object]) -> Event:
    """A row of listEvents. Raises KeyError for one without an id."""
    return Event(
        id=str(row["id"]),
        type=str(row.get("type", "")),
        state=str(row.get("state", "")),
        level=str(row.get("level", "")),
        username=str(row.get("username", "")),
        account=str(row.get("account", "")),
        domain_id=str(row.get("domainid", "")),
        target_id=str(row.get("resourceid", "")),
        target=str(row.get("resourcename", "")),
        created=moment(row.get("created")),
        parent_id=str(row.get("parentid", "")),
    )
