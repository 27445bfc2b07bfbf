"""One inventory being gathered: lists read in parallel, united by id, cut to the scope, with the coverage."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Generic

from sync.cloudstack import parse
from sync.cloudstack.capabilities import READING_CALLS, Capabilities
from sync.cloudstack.paging import Pager, Query, Row, as_it_came
from sync.cloudstack.values import Progress
from sync.errors import AbreastError, SourceError
from sync.model import (
    Account,
    ActualInventory,
    Coverage,
    CoverageState,
    Domain,
    JsonObject,
    ListProof,
    OwnedResource,
    RunningJob,
    Scope,
    User,
    VirtualMachine,
)
from sync.reading_pool import ReadingPool

_LISTALL = {"listall": "true"}

# A template, ISO or snapshot has a row for each place it is in.
_PLACES = ("id", "zoneid", "datastoreid", "locationtype")


@dataclass(frozen=True, slots=True)
class Owned(Generic[parse.Thing]):
    """A list of things that accounts and CloudStack Projects own."""

    query: Query
    make: Callable[[JsonObject, str], parse.Thing]
    """Makes a thing of its row and the path of its domain."""
    hidden: str = ""
    """The parameter with which rows that are not displayed must be asked for."""
    details: str = ""


MACHINES = Owned(
    Query("listVirtualMachines", "virtualmachine", _LISTALL),
    parse.machine,
    hidden="displayvm",
    details="nics,servoff,tmpl",
)
_VOLUMES = Query("listVolumes", "volume", _LISTALL)
_SNAPSHOTS = Query("listSnapshots", "snapshot", _LISTALL, identity=_PLACES)
_TEMPLATES = Query("listTemplates", "template", {**_LISTALL, "templatefilter": "all"}, identity=_PLACES)
_ISOS = Query("listIsos", "iso", {**_LISTALL, "isofilter": "all"}, identity=_PLACES)
_NETWORKS = Query("listNetworks", "network", _LISTALL)
_ADDRESSES = Query("listPublicIpAddresses", "publicipaddress", _LISTALL)
OTHERS = {
    "volumes": Owned(_VOLUMES, parse.VOLUME.made, hidden="displayvolume"),
    "snapshots": Owned(_SNAPSHOTS, parse.SNAPSHOT.made),
    "templates": Owned(_TEMPLATES, parse.TEMPLATE.made),
    "isos": Owned(_ISOS, parse.ISO.made),
    "networks": Owned(_NETWORKS, parse.NETWORK.made, hidden="displaynetwork"),
    "public_addresses": Owned(_ADDRESSES, parse.ADDRESS.made, hidden="fordisplay"),
}
JOBS = Query("listAsyncJobs", "asyncjobs", _LISTALL, identity=("jobid",))


@dataclass(slots=True)
class Result(Generic[Row]):
    """What became of one list: what its rows were made into, proofs, and the error that ended it."""

    rows: list[Row] = field(default_factory=list)
    proofs: list[ListProof] = field(default_factory=list)
    error: AbreastError | None = None

    @property
    def is_proven(self) -> bool:
        return self.error is None and not any(proof.problem for proof in self.proofs)


class Gathering:
    """Reads one inventory. Made for one reading, used once."""

    def __init__(
        self,
        scope: Scope,
        taken_at: datetime,
        *,
        capabilities: Capabilities,
        pager: Pager,
        limits: bool,
        users: bool,
        everything: bool,
        previous: ActualInventory | None,
        progress: Progress | None,
        assumed_parent: str | None = None,
    ) -> None:
        """`assumed_parent` is where an unlisted domain without a path is taken to be; the scope's parent."""
        if previous is not None and previous.scope != scope:
            previous = None
        # What was not proven before is not good enough to be taken over.
        everything = everything or (previous is not None and not previous.coverage.is_complete)
        self._scope = scope
        self._taken_at = taken_at
        self._server = capabilities
        self._pager = pager
        self._previous = previous
        self._progress = progress
        self._assumed_parent = assumed_parent or scope.parent
        self._users_from = previous if not users and previous and previous.users_taken_at else None
        self._others_from = previous if not everything else None
        self._everything = everything
        # Without `details` a server always sends the limits.
        self._with_limits = limits or not capabilities.has("listDomains", "details")
        self._results: dict[str, Result[Any]] = {}

    def inventory(self, remembered: dict[str, str]) -> ActualInventory:
        """Reads the lists and puts them together. `remembered` maps ids of domains, and of accounts, to the
        path of the domain, and grows."""
        self._results = self._run(self._tasks())
        self._complete_users()
        domains = self._results["domains"]
        if domains.error is not None:
            coverage = Coverage(CoverageState.FAILED, str(domains.error), self._proofs(), self._server.caller)
            return ActualInventory(
                self._scope, self._taken_at, coverage, jobs=self._jobs(), release=self._server.release
            )
        paths = {domain.id: domain.path for domain in self._listed()}
        remembered.update(paths)
        remembered.update({one.id: paths[one.domain_id] for one in self._owners() if one.domain_id in paths})
        return self._assemble(parse.Paths(paths, remembered, self._assumed_parent))

    # --- reading -------------------------------------------------------------------------------------------

    def _tasks(self) -> dict[str, Callable[[], Result[Any]]]:
        tasks: dict[str, Callable[[], Result[Any]]] = {
            "domains": lambda: self._plain(
                self._detailed(
                    Query("listDomains", "domain", _LISTALL), "resource" if self._with_limits else "min"
                ),
                partial(parse.listed, with_limits=self._with_limits),
            ),
            "accounts": lambda: self._plain(
                self._detailed(Query("listAccounts", "account", _LISTALL), "min"), parse.account
            ),
            "vms": lambda: self.owned(MACHINES),
        }
        if self._server.has(JOBS.command):
            tasks["jobs"] = lambda: self._plain(JOBS, as_it_came)
        if self._users_from is None:
            tasks["users"] = self._read_users
        if self._everything:
            for name, owned in OTHERS.items():
                tasks[name] = partial(self.owned, owned)
            tasks["projects"] = lambda: self._plain(
                self._detailed(Query("listProjects", "project", _LISTALL), "min"),
                partial(parse.placed, make=parse.PROJECT.made),
            )
        return tasks

    def _run(self, tasks: dict[str, Callable[[], Result[Any]]]) -> dict[str, Result[Any]]:
        """All lists at once. These threads only wait: the calls are made in the pager's pool."""
        with ReadingPool(len(tasks), name="list") as threads:
            futures = {name: threads.submit(task) for name, task in tasks.items()}
            return {name: future.result() for name, future in futures.items()}

    def _detailed(self, query: Query, details: str) -> Query:
        if details and self._server.has(query.command, "details"):
            return query.with_parameters(details=details)
        return query

    def _read_users(self) -> Result[User]:
        return self._plain(Query("listUsers", "user", _LISTALL), parse.user)

    def _plain(self, query: Query, make: Callable[[JsonObject], Row]) -> Result[Row]:
        result = Result[Row]()
        self._add(result, query, make)
        return result

    def owned(self, owned: Owned[parse.Thing]) -> Result[parse.Placed[parse.Thing]]:
        """A list including what CloudStack Projects own and what is not displayed.

        `projectid=-1` adds the Projects' rows to the others (measured on 4.23: both came). Where no row
        shows that, the list without it is read too and united: it costs a call and needs no trust.
        """
        result = Result[parse.Placed[parse.Thing]]()
        keep = partial(parse.placed, make=owned.make)
        base = self._detailed(owned.query, owned.details)
        united = base.with_parameters(projectid="-1")
        everyone = self._add(result, united, keep)
        is_union = any(not one.is_of_project for one in everyone)
        if not is_union and result.error is None:
            self._add(result, base.with_parameters("without projectid"), keep)
        if owned.hidden and result.error is None and self._server.has(base.command, owned.hidden):
            note = f"{owned.hidden}=false"
            self._add(result, united.with_parameters(note, **{owned.hidden: "false"}), keep)
            if not is_union and result.error is None:
                alone = base.with_parameters(f"{note} without projectid", **{owned.hidden: "false"})
                self._add(result, alone, keep)
        result.rows = _distinct(result.rows)
        return result

    def _add(self, result: Result[Row], query: Query, make: Callable[[JsonObject], Row]) -> list[Row]:
        """Reads one list into `result`; returns what its rows were made into."""
        try:
            listing = self._pager.read_as(query, make, self._progress)
        except SourceError as error:
            result.error = error
            result.proofs.append(ListProof(query.name, rows=0, pages=0, problem=str(error)))
            return []
        result.rows += listing.rows
        result.proofs.append(listing.proof)
        return listing.rows

    def _complete_users(self) -> None:
        """Reads the users after all when an account is there that `previous` does not know.

        Otherwise the members of an account that was just made would look missing.
        """
        if self._users_from is None or self._results["accounts"].error is not None:
            return
        known = {account.id for account in self._users_from.accounts}
        paths = {domain.id: domain.path for domain in self._listed()}
        covers = parse.in_scope(self._scope)
        if any(one.id not in known and covers(paths.get(one.domain_id, "")) for one in self._owners()):
            self._users_from = None
            self._results["users"] = self._read_users()

    # --- putting together ----------------------------------------------------------------------------------

    def _listed(self) -> Iterator[Domain]:
        """All domains that were listed, in scope or not."""
        listed: list[parse.Listed] = self._results["domains"].rows
        return (one.domain for one in listed)

    def _owners(self) -> list[Account]:
        """All accounts that were listed, in scope or not, without their users."""
        return self._results["accounts"].rows

    def _assemble(self, paths: parse.Paths) -> ActualInventory:
        covers = parse.in_scope(self._scope)
        domains = self._domains(covers)
        ids = {domain.id for domain in domains}
        parent = self._scope.parent.casefold()
        vms = self._vms(covers, paths)
        others = self._others(covers, paths)
        has_limits = self._with_limits and self._results["domains"].is_proven
        users = self._results.get("users")
        return ActualInventory(
            self._scope,
            self._taken_at,
            self._coverage(paths),
            parent_id=next((domain.id for domain in domains if domain.path.casefold() == parent), None),
            domains=domains,
            has_all_domains=self._has_all_domains(),
            elsewhere=self._elsewhere(),
            accounts=self._accounts(ids),
            vms=vms,
            jobs=self._jobs(),
            release=self._server.release,
            limits_taken_at=self._taken_at if has_limits else self._limits_before(),
            users_taken_at=(
                self._users_from.users_taken_at
                if self._users_from is not None
                else self._taken_at
                if users is not None and users.is_proven
                else None
            ),
            **others,
        )

    def _limits_before(self) -> datetime | None:
        return self._previous.limits_taken_at if self._previous and not self._with_limits else None

    def _domains(self, covers: Callable[[str], bool]) -> tuple[Domain, ...]:
        found = tuple(domain for domain in self._listed() if covers(domain.path))
        if self._with_limits or self._previous is None:
            return found
        before = {domain.id: domain.limits for domain in self._previous.domains}
        return tuple(replace(domain, limits=before.get(domain.id)) for domain in found)

    def _has_all_domains(self) -> bool:
        """Whether the list of domains is proven whole, or has at least what is left of a shrinking one."""
        result = self._results["domains"]
        return (
            self._server.is_root_admin
            and any(domain.id == self._server.root_id for domain in self._listed())
            and all(proof.only_shrank or not proof.problem for proof in result.proofs)
        )

    def _elsewhere(self) -> tuple[Domain, ...]:
        parent = self._scope.parent
        return tuple(
            replace(domain, limits=None)
            for domain in self._listed()
            if not parse.is_below(domain.path, parent)
        )

    def _accounts(self, domain_ids: set[str]) -> tuple[Account, ...]:
        if self._users_from is not None:
            users = {account.id: account.users for account in self._users_from.accounts}
        else:
            users = parse.users_by_account(self._results["users"].rows)
        return tuple(
            replace(one, users=users.get(one.id, ())) for one in self._owners() if one.domain_id in domain_ids
        )

    def _vms(self, covers: Callable[[str], bool], paths: parse.Paths) -> tuple[VirtualMachine, ...]:
        return _at_their_places(self._results["vms"].rows, covers, paths)

    def _others(
        self, covers: Callable[[str], bool], paths: parse.Paths
    ) -> dict[str, tuple[OwnedResource, ...]]:
        if not self._everything:
            before = self._others_from
            return {name: getattr(before, name) for name in (*OTHERS, "projects")} if before else {}
        return {
            name: _at_their_places(self._results[name].rows, covers, paths) for name in (*OTHERS, "projects")
        }

    def _jobs(self) -> tuple[RunningJob, ...] | None:
        """The running jobs; None when they could not be read, which is no reason to give up the inventory."""
        result = self._results.get("jobs")
        if result is None:
            return None
        names = {one.id: one.name for one in self._owners()}
        jobs = tuple(parse.job(row, names) for row in result.rows if not row.get("jobstatus"))
        return jobs if result.is_proven else tuple(job for job in jobs if job.deletes_domain) or None

    # --- coverage ------------------------------------------------------------------------------------------

    def _proofs(self) -> tuple[ListProof, ...]:
        return tuple(proof for result in self._results.values() for proof in result.proofs)

    def _coverage(self, paths: parse.Paths) -> Coverage:
        needed = READING_CALLS if self._everything else READING_CALLS[:4]
        results = [result for name, result in self._results.items() if name != "jobs"]
        unproven = _reasons(results)
        reasons = [self._server.blind_spots(needed), *unproven]
        root_id = self._server.root_id
        if root_id and not any(domain.id == root_id for domain in self._listed()):
            reasons.append("ROOT itself is not among the domains that were listed.")
        reasons += self._contradictions()
        reasons = [reason for reason in reasons if reason]
        why = " ".join(reasons)
        only_grew = bool(unproven) and reasons == unproven and all(map(_is_whole_or_grew, results))
        proofs = self._proofs()
        if paths.assumed:
            note = (
                f"{paths.assumed} rows name a domain that is not listed, and no path (older releases): "
                f"taken to be right below {self._assumed_parent}"
            )
            proofs = tuple(
                replace(proof, note=" ".join((proof.note, note)).strip())
                if proof.name == MACHINES.query.command
                else proof
                for proof in proofs
            )
        state = CoverageState.PARTIAL if why else CoverageState.COMPLETE
        return Coverage(state, why, proofs, self._server.caller, root_id, only_grew=only_grew)

    def _contradictions(self) -> Iterator[str]:
        """Lists that came without an error and cannot be true beside what else was read.

        A domain without a path lies nowhere, and what is in it would look as if its domain were gone.
        `{}` is how CloudStack answers for nothing (measured), so a list that got lost on its way looks proven
        and empty. The caller's own account and user are in their lists as ROOT is in its own; a running VM
        has a root volume and a network, an attached volume its VM.
        """
        server = self._server
        listed = tuple(self._listed())
        nowhere = sum(not (one.path and one.name) for one in listed)
        if nowhere:
            yield f"{nowhere} of {len(listed)} domains were listed without a path or a name, so lie nowhere."
        if server.is_root_admin and server.account:
            for name, called, own in (
                ("accounts", "name", server.account),
                ("users", "username", server.user),
            ):
                result = self._results.get(name)
                if result is None or not result.is_proven:
                    continue
                here = (one for one in result.rows if one.domain_id == server.domain_id)
                if all(getattr(one, called) != own for one in here):
                    yield f"The caller itself, {server.caller}, is not among the {name} that were listed."
        running = sum(one.thing.state == "Running" for one in self._results["vms"].rows)
        for name in ("volumes", "networks"):
            if running and self._is_empty(name):
                yield f"{running} running VMs were listed, but no {name}: one of the two lists is not true."
        attached = [] if "volumes" not in self._results else self._results["volumes"].rows
        if self._is_empty("vms") and any("virtualmachineid" in one.thing.details for one in attached):
            yield "Volumes of VMs were listed, but no VMs: one of the two lists is not true."
        yield from self._uncounted()

    def _uncounted(self) -> Iterator[str]:
        """Lists that are empty although CloudStack counts something of theirs in a domain. Its counts come
        with the limits; they may be off by some, so that nothing but an empty list is judged by them, and
        not by ROOT's, which goes on counting what a removed account had (recorded on 4.23)."""
        listed: list[parse.Listed] = self._results["domains"].rows
        below = [one.counts for one in listed if one.domain.id != self._server.root_id]
        for place, name in enumerate(parse.COUNTS):
            if self._is_empty(name):
                most = max((counts[place] for counts in below), default=0)
                if most:
                    yield (
                        f"CloudStack counts {most} {name} in a domain, but none were listed: one of the two "
                        "is not true. Where it is the count, updateResourceCount of that domain mends it."
                    )

    def _is_empty(self, name: str) -> bool:
        result = self._results.get(name)
        return result is not None and result.is_proven and not result.rows


def _reasons(results: Iterable[Result[Any]]) -> list[str]:
    """Why lists prove nothing, each reason once: when a server goes down, all lists end alike."""
    found: dict[str, None] = {}
    for result in results:
        for proof in result.proofs:
            if proof.problem:
                found[proof.problem.rstrip(".") + "."] = None
    reasons = list(found)
    return reasons[:3] + ([f"And {len(reasons) - 3} more lists."] if len(reasons) > 3 else [])


def _is_whole_or_grew(result: Result[Any]) -> bool:
    return result.error is None and all(proof.only_grew or not proof.problem for proof in result.proofs)


def _distinct(found: list[parse.Placed[parse.Thing]]) -> list[parse.Placed[parse.Thing]]:
    """With each id once: variants of a list are united, and a template has a row for each zone."""
    return list({one.thing.id: one for one in reversed(found)}.values())[::-1]


def _at_their_places(
    found: list[parse.Placed[parse.Thing]], covers: Callable[[str], bool], paths: parse.Paths
) -> tuple[parse.Thing, ...]:
    """Those in scope, each with the path of its domain."""
    return tuple(one.at(path) for one, path in ((one, paths.of(one)) for one in found) if covers(path))
