"""Reads CloudStack: whole inventories with their coverage, and single objects fresh for the executor."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from sync.cloudstack import access, parse
from sync.cloudstack import capabilities as asking
from sync.cloudstack import stock as stocktaking
from sync.cloudstack.capabilities import Capabilities
from sync.cloudstack.deletion_reading import Survey, calls_of, deletion_events, evidence
from sync.cloudstack.expunging import expunging
from sync.cloudstack.gathering import Gathering
from sync.cloudstack.paging import Habits, Pager, Query
from sync.cloudstack.values import Clock, Credentials, JobState, Progress
from sync.deletions import Event, Reading, Told
from sync.errors import (
    DataError,
    ForbiddenError,
    IncompleteError,
    RefusedError,
    SourceError,
    UnauthorizedError,
)
from sync.model import (
    Account,
    ActualInventory,
    Coverage,
    CoverageState,
    Domain,
    JsonObject,
    OwnedResource,
    Scope,
    User,
    VirtualMachine,
)
from sync.reading_pool import ReadingPool
from sync.stock import Image, PublicAddress, Stock, Zone

CAPABILITIES_AGE = timedelta(minutes=5)
"""How long what the server can do is believed: it may be upgraded, the caller's role may change."""

_JOB_STATUS = {0: "pending", 1: "succeeded", 2: "failed"}


class Reader:
    """Reads with one key. Usable from several threads; `close` it, or use it as a context manager."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        pool: int = 4,
        page_size: int = 500,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        # Imported here: the first frame does not wait for `cs` and `requests`.
        from sync.cloudstack.client import Connection

        self._credentials = credentials
        self._clock = clock
        self._connection = Connection(credentials, clock=clock)
        self._pool = ReadingPool(pool, name="cloudstack")
        habits = Habits(page_size=page_size)
        self._pooled = Pager(self._read, habits=habits, pool=self._pool)
        self._direct = Pager(self._read, habits=habits)
        self._capabilities: tuple[datetime, Capabilities] | None = None
        self._asking = threading.Lock()
        self._paths: dict[str, str] = {}
        """Id → path of every domain ever listed, and of the domain of every account: what is dying is not
        listed, and 4.18 names no paths."""

    def __repr__(self) -> str:
        return f"<Reader of {self._connection.endpoint}>"

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the pool: what waits is not read, and what is under way is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    @property
    def calls(self) -> int:
        """API calls made so far, by all threads."""
        return self._connection.calls

    @property
    def throttled(self) -> int:
        """Calls so far that were refused with 429 at first, by all threads."""
        return self._connection.throttled

    @property
    def ahead(self) -> timedelta | None:
        """How far this machine's clock was ahead of CloudStack's at the last answer; None where that is not
        known."""
        return self._connection.ahead

    def server_time(self) -> datetime | None:
        """What CloudStack's clock says now; None where its answer names no time. Raises SourceError."""
        return self._connection.server_time()

    def _read(self, command: str, parameters: Mapping[str, str]) -> JsonObject:
        try:
            return self._connection.read(command, parameters)
        except (UnauthorizedError, ForbiddenError):
            # What was believed about this caller no longer holds.
            self._capabilities = None
            raise

    def capabilities(self) -> Capabilities:
        """What this server can do for this key. Believed for five minutes. Raises SourceError."""
        with self._asking:
            now = self._clock()
            known = self._capabilities
            if known is not None and now - known[0] <= CAPABILITIES_AGE:
                return known[1]
            found = asking.ask(
                self._connection.read, key=self._connection.key, endpoint=self._connection.endpoint
            )
            self._capabilities = (now, found)
            return found

    # --- inventories ---------------------------------------------------------------------------------------

    def inventory(
        self,
        scope: Scope,
        *,
        limits: bool,
        users: bool = True,
        everything: bool = True,
        previous: ActualInventory | None = None,
        progress: Progress | None = None,
    ) -> ActualInventory:
        """One reading of everything in `scope`.

        Without `users`, `limits` or `everything`, those are taken from `previous` with their own times, as
        far as it has them. Never raises SourceError: what could not be read or proven is in the coverage.
        `progress` is called from several threads.
        """
        taken_at = self._clock()
        try:
            found = self.capabilities()
        except SourceError as error:
            return ActualInventory(scope, taken_at, Coverage(CoverageState.FAILED, str(error)))
        gathering = Gathering(
            scope,
            taken_at,
            capabilities=found,
            pager=self._pooled,
            limits=limits,
            users=users,
            everything=everything,
            previous=previous,
            progress=progress,
        )
        return gathering.inventory(self._paths)

    # --- deletions -----------------------------------------------------------------------------------------

    def deletions(self, scope: Scope) -> Reading:
        """What CloudStack shows of deletions, everywhere; `scope` says which of them are the environment's.

        Never raises SourceError: what could not be read or proven is in the coverage and the problems.
        """
        taken_at = self._clock()
        try:
            found = self.capabilities()
        except SourceError as error:
            coverage = Coverage(CoverageState.FAILED, str(error))
            return Reading(scope, ActualInventory(scope, taken_at, coverage), events=None, jobs=None)
        survey = Survey(scope, taken_at, capabilities=found, pager=self._pooled)
        return survey.reading(self._paths)

    def deletion_events(self, since: datetime) -> tuple[tuple[Event, ...], str]:
        """The events of deletions since that day, everywhere, and why there may be more; never raises
        SourceError."""
        try:
            found = self.capabilities()
        except SourceError as error:
            return (), str(error)
        heard = deletion_events(found, self._pooled, since=since)
        return heard.events, heard.why_more

    def expunging(self) -> tuple[float | None, Mapping[str, datetime]]:
        """`expunge.delay` in seconds, None where it cannot be read, and when each VM was destroyed, by id.

        Raises SourceError.
        """
        return expunging(self.capabilities(), self._pooled, now=self._clock())

    @property
    def paths(self) -> Mapping[str, str]:
        """Where every domain and account is, or was, that was ever listed here: id → path of the domain."""
        return dict(self._paths)

    def told(self, scope: Scope) -> Told:
        """What events and jobs tell of deletions: few calls, made at the pace of the inventory.

        Never raises SourceError: what could not be read is among the problems.
        """
        taken_at = self._clock()
        try:
            found = self.capabilities()
        except SourceError as error:
            return Told(events=None, jobs=None, problems=(str(error),), why_more=str(error))
        return Survey(scope, taken_at, capabilities=found, pager=self._pooled).told()

    def beside(self, world: ActualInventory, told: Told) -> Reading:
        """An inventory of this reader with what was told before it was read. Asks nothing."""
        return Reading(
            scope=world.scope,
            world=world,
            events=told.events,
            jobs=told.jobs,
            snapshots=world.snapshots,
            templates=world.templates,
            paths=MappingProxyType(dict(self._paths)),
            problems=told.problems,
        )

    def calls_of(
        self, account: str, domain_id: str, username: str, *, since: datetime
    ) -> tuple[tuple[str, int, datetime], ...]:
        """What a user called since then: event type, how often, when last. Raises SourceError."""
        return calls_of(account, domain_id, username, pager=self._pooled, since=since)

    def user_access(self, user_id: str) -> JsonObject:
        """A user's state, and its keys' access where CloudStack shows it to this key. Raises SourceError."""
        return access.user_access(user_id, self._direct)

    def source_list(self, account_id: str) -> str:
        """The source list that holds for an account. Raises SourceError."""
        return access.source_list(account_id, self._direct)

    def evidence(self) -> dict[str, JsonObject]:
        """Events, jobs, servers, alerts, limits, VMs as CloudStack lists them. Raises SourceError."""
        return evidence(self.capabilities(), self._pooled)

    # --- single fresh reads --------------------------------------------------------------------------------

    def domain_by_id(self, id: str) -> Domain | None:
        """The domain with its limits; None when it is proven not to be listed (gone, or being deleted).

        A removed id answers `{}` or 431, by release (measured), which is also what a wrong parameter answers:
        then the list of all domains decides. Raises SourceError.
        """
        query = Query("listDomains", "domain", {"id": id, "listall": "true"})
        try:
            rows = self._list(query)
        except RefusedError:
            rows = self._list(self._min(Query("listDomains", "domain", {"listall": "true"})))
        for row in rows:
            if row.get("id") == id:
                return parse.domain(row, with_limits=True)
        self._require_sight(f"domain {id}")
        return None

    def domain_by_path(self, path: str, *, limits: bool = False) -> Domain | None:
        """The domain at `path`, compared case-insensitively; None when it is proven not to be there.

        Raises SourceError; IncompleteError when this key could not see it if it were there.
        """
        name = path.rpartition("/")[2]
        query = Query("listDomains", "domain", {"name": name, "listall": "true"})
        for row in self._list(query if limits else self._min(query)):
            if str(row.get("path", "")).casefold() == path.casefold():
                return parse.domain(row, with_limits=limits)
        self._require_sight(f"domain {path}")
        return None

    def account(self, domain_id: str, name: str) -> Account | None:
        """The account with its users; None when it, or its domain, is proven not to be there."""
        query = self._min(Query("listAccounts", "account", {"domainid": domain_id, "listall": "true"}))
        rows = self._in_domain(domain_id, query.with_parameters(name=name))
        row = _named(rows, "name", name, domain_id)
        if row is None:
            self._require_sight(f"account {name}")
            return None
        users = Query("listUsers", "user", {"domainid": domain_id, "account": name, "listall": "true"})
        mine = parse.users_by_account(map(parse.user, self._in_domain(domain_id, users)))
        return parse.account(row, mine.get(str(row["id"]), ()))

    def user(self, domain_id: str, username: str) -> User | None:
        """The user of that name in the domain (names are unique per domain); None when proven not there."""
        query = Query("listUsers", "user", {"domainid": domain_id, "username": username, "listall": "true"})
        row = _named(self._in_domain(domain_id, query), "username", username, domain_id)
        if row is None:
            self._require_sight(f"user {username}")
            return None
        return parse.user(row)

    def network(self, domain_id: str, name: str) -> OwnedResource | None:
        """The first network of that name in the domain; None when it is proven not to be there."""
        base = Query("listNetworks", "network", {"domainid": domain_id, "listall": "true"})
        variants = [base, base.with_parameters(projectid="-1")]
        if self.capabilities().has("listNetworks", "displaynetwork"):
            variants += [one.with_parameters(displaynetwork="false") for one in list(variants)]
        for query in variants:
            row = _named(self._in_domain(domain_id, query), "name", name, domain_id)
            if row is not None:
                return parse.owned(row, self._path_of(row), parse.NETWORK)
        self._require_sight(f"network {name}")
        return None

    def machine(self, id: str) -> VirtualMachine | None:
        """The VM, whoever owns it; None when it is not there: not listed, or its id refused with 431.

        The id of a removed VM is answered either way, by release. Raises SourceError.
        """
        base = Query("listVirtualMachines", "virtualmachine", {"id": id, "listall": "true"})
        variants = [base, base.with_parameters(projectid="-1")]
        if self.capabilities().has("listVirtualMachines", "displayvm"):
            variants += [one.with_parameters(displayvm="false") for one in list(variants)]
        for query in variants:
            for row in self._unless_unknown(query):
                if row.get("id") == id:
                    return parse.machine(row, self._path_of(row))
        self._require_sight(f"VM {id}")
        return None

    def _unless_unknown(self, query: Query) -> list[JsonObject]:
        """Rows of a list of one id; none where CloudStack does not know the id."""
        try:
            return self._list(query)
        except RefusedError as error:
            if error.code != 431:
                raise
            return []

    def _path_of(self, row: JsonObject) -> str:
        return str(row.get("domainpath") or self._paths.get(str(row.get("domainid")), row.get("domain", "")))

    def role_id(self, name: str) -> str:
        """The id of a role. Raises DataError when there is none of that name, and SourceError."""
        return self._id_by_name(Query("listRoles", "role"), name, "role")

    def zone_id(self, name: str) -> str:
        """The id of a zone. Raises DataError when there is none of that name, and SourceError."""
        return self._id_by_name(Query("listZones", "zone"), name, "zone")

    def network_offering_id(self, name: str) -> str:
        """The id of a network offering. Raises DataError when there is none of that name, and SourceError."""
        return self._id_by_name(Query("listNetworkOfferings", "networkoffering"), name, "network offering")

    def zone(self, name: str) -> Zone | None:
        """The zone of that name, disabled or not. Raises SourceError."""
        return stocktaking.zone(self._list, name)

    def images(self, isos: bool, domain_id: str, account: str, name: str) -> tuple[Image, ...]:
        """The templates (or ISOs) of that name that the account has, whole or not. Raises SourceError."""
        found = stocktaking.images(self._list, isos=isos, name=name)
        mine = tuple(one for one in found if (one.domain_id, one.account) == (domain_id, account))
        if not mine:
            self._require_sight(f"template {name}")
        return mine

    def machines(self, domain_id: str, account: str, name: str) -> tuple[VirtualMachine, ...]:
        """The VMs of that name that the account has, in any state. Raises SourceError."""
        where = {"domainid": domain_id, "account": account, "name": name, "listall": "true"}
        rows = self._in_domain(domain_id, Query("listVirtualMachines", "virtualmachine", where))
        mine = [row for row in rows if row.get("name") == name and row.get("account") == account]
        if not mine:
            self._require_sight(f"VM {name}")
        return tuple(parse.machine(row, self._path_of(row)) for row in mine)

    def address_holder(self, network_id: str, address: str) -> str:
        """Whose that guest address is there, in words; empty where no VM has it. Raises SourceError."""
        return stocktaking.holders(self._list, network_id=network_id).get(network_id, {}).get(address, "")

    def public_addresses(self, *, address: str = "", network_id: str = "") -> tuple[PublicAddress, ...]:
        """Who has that public address, in each zone, or the public addresses of that network, or all of them.

        Raises SourceError.
        """
        where = {"ipaddress": address, "associatednetworkid": network_id}
        found = stocktaking.public_addresses(
            self._list, **{name: value for name, value in where.items() if value}
        )
        wanted = tuple(
            one for one in found if address in ("", one.address) and network_id in ("", one.network_id)
        )
        if not wanted:
            self._require_sight(f"public address {address or 'of a network'}")
        return wanted

    def stock(self) -> Stock:
        """All that a restore builds from, read anew. Raises SourceError."""
        self._require_sight("what a restore needs")
        return stocktaking.stock(self._list)

    def job(self, job_id: str) -> JobState:
        """The state of an asynchronous job. Raises RefusedError when CloudStack does not know it."""
        body = self._read("queryAsyncJobResult", {"jobid": job_id})
        status = _JOB_STATUS.get(body.get("jobstatus", -1))
        if status is None:
            raise DataError(f"CloudStack names no state of the job {job_id}.", next_step="Ask again.")
        result = body.get("jobresult")
        result = result if isinstance(result, dict) else {}
        if status != "failed":
            return JobState(job_id, status, result=result)
        code = result.get("errorcode", body.get("jobresultcode", 0))
        text = self._connection.clean(str(result.get("errortext", "")))
        return JobState(job_id, status, code=code if isinstance(code, int) else 0, text=text)

    def listed(self, query: Query) -> list[JsonObject]:
        """The rows of one list, proven to be all of it. Raises SourceError."""
        return self._list(query)

    # --- how single objects are read -----------------------------------------------------------------------

    def _list(self, query: Query) -> list[JsonObject]:
        return self._direct.read(query).require()

    def _min(self, query: Query) -> Query:
        if self.capabilities().has(query.command, "details"):
            return query.with_parameters(details="min")
        return query

    def _in_domain(self, domain_id: str, query: Query) -> list[JsonObject]:
        """Rows of a list in one domain; none when the refusal is because the domain is gone."""
        try:
            return self._list(query)
        except RefusedError:
            if self.domain_by_id(domain_id) is None:
                return []
            raise

    def _require_sight(self, what: str) -> None:
        """Raises IncompleteError unless this key would have seen `what`."""
        found = self.capabilities()
        if not found.is_root_admin:
            raise IncompleteError(
                f"Whether {what} exists cannot be proven.", next_step=found.blind_spots(calls=())
            )

    def _id_by_name(self, query: Query, name: str, kind: str) -> str:
        rows = self._list(query)
        row = _named(rows, "name", name)
        if row is None:
            known = ", ".join(sorted(str(one.get("name", "")) for one in rows)[:20]) or "none"
            raise DataError(
                f"CloudStack has no {kind} named {name!r}; it has: {known}.",
                next_step="Correct the name in abreast.toml.",
            )
        return str(row["id"])


def _named(
    rows: Iterable[JsonObject], field: str, name: str, domain_id: str | None = None
) -> JsonObject | None:
    """The row of that name, exactly written if there is one, else in other case."""
    folded = name.casefold()
    matching = [
        row
        for row in rows
        if str(row.get(field, "")).casefold() == folded
        and (domain_id is None or row.get("domainid") == domain_id)
    ]
    return next((row for row in matching if row.get(field) == name), matching[0] if matching else None)
