"""Deletions that CloudStack carries out, has queued, refused or left half done: decided from one reading.

Pure. What CloudStack shows of a deletion is spread over three lists, each with a gap (measured on 4.18 and
4.23): the domain is gone from listDomains at once, listAsyncJobs says who but not which domain, listEvents
says which domain, and writes the same events for an attempt that was refused.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from itertools import islice, takewhile
from types import MappingProxyType

from sync.deletion_attempts import Attempt, Event, Job, Kind, attempts, match_jobs, seconds_of
from sync.model import (
    Account,
    ActualInventory,
    Coverage,
    CoverageState,
    Domain,
    OwnedResource,
    Scope,
    VirtualMachine,
)
from sync.parts import alive, is_made_since, left_of

__all__ = [
    "Attempt",
    "Deletion",
    "Event",
    "Job",
    "Kind",
    "Reading",
    "Situation",
    "Stage",
    "Told",
    "assess",
    "can_tell",
]


class Stage(Enum):
    """Worst first. The value is the word on screen."""

    RUNNING = "being deleted"
    QUEUED = "submitted"
    HALF_DONE = "half deleted"
    ORPHANED = "left over"
    ENDED = "deleted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Told:
    """What events and jobs tell. Read before the lists that it is put beside: what ends in between then still
    looks open for one reading, instead of having ended and left VMs behind."""

    events: tuple[Event, ...] | None
    jobs: tuple[Job, ...] | None
    problems: tuple[str, ...] = ()
    """Lists that could not be read or proven, in words."""
    why_more: str = ""
    """Why there may be more events than these; empty when there are not."""
    has_news: bool = False
    """Whether what is known of deletions past the ledger has changed with it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All that is needed to decide, read at one time. `jobs` and `events` are None where unreadable."""

    scope: Scope
    world: ActualInventory
    """Of everything below ROOT, not of the scope alone."""
    events: tuple[Event, ...] | None
    jobs: tuple[Job, ...] | None
    snapshots: tuple[OwnedResource, ...] = ()
    templates: tuple[OwnedResource, ...] = ()
    root_admins: frozenset[str] = frozenset()
    """Ids of the enabled users who are admins of ROOT."""
    paths: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Id → path of every domain that was ever listed, and of every account its domain's."""
    problems: tuple[str, ...] = ()
    """Lists that could not be read or proven, in words."""

    @property
    def taken_at(self) -> datetime:
        return self.world.taken_at

    @property
    def coverage(self) -> Coverage:
        return self.world.coverage


@dataclass(frozen=True, slots=True)
class Deletion:
    """One domain or account and what becomes of it."""

    kind: Kind
    stage: Stage
    target_id: str
    name: str
    path: str
    """Of the domain, or of the account's domain; empty where nothing tells it any more."""
    why: str
    """One sentence: what shows it."""
    attempt: Attempt | None = None
    attempts: int = 0
    vms: tuple[VirtualMachine, ...] = ()
    """Still there, in the order in which they are likely to go."""
    snapshots: tuple[OwnedResource, ...] = ()
    templates: tuple[OwnedResource, ...] = ()
    below: tuple[str, ...] = ()
    """Paths of sub-domains that go with it and are still listed."""
    is_replaced: bool = False
    """Whether another domain of its name was made since, and is listed: that one lives."""

    @property
    def since(self) -> datetime | None:
        return self.attempt.at if self.attempt is not None else None

    @property
    def label(self) -> str:
        """How it is named: the path where it is known, and that it is not the one which has its name now."""
        if self.kind is Kind.ACCOUNT:
            return f"account {self.name}" + (f" in {self.path}" if self.path else "")
        return (self.path or self.name) + (" (earlier)" if self.is_replaced else "")

    @property
    def alive(self) -> tuple[VirtualMachine, ...]:
        """VMs that are not gone yet."""
        return alive(self.vms)

    @property
    def by(self) -> str:
        """`account/user` of the caller, as far as the events name it; empty where none does."""
        attempt = self.attempt
        if attempt is None or not (attempt.account or attempt.username):
            return ""
        return f"{attempt.account or '?'}/{attempt.username or '?'}"

    @property
    def next_to_die(self) -> str:
        """What CloudStack's clean-up takes next: snapshots, then templates, then VMs one by one (measured;
        templates from the source)."""
        if self.snapshots:
            return f"{_count(len(self.snapshots), 'snapshot')}, before any VM: {_some(self.snapshots)}"
        if self.templates:
            return f"{_count(len(self.templates), 'template')}, before any VM: {_some(self.templates)}"
        alive = self.alive
        if alive:
            more = f", then {_count(len(alive) - 1, 'more VM')}" if len(alive) > 1 else ""
            return f"VM {alive[0].name} ({alive[0].state}){more}"
        if self.vms:
            return f"the expunging of {_count(*left_of(self.vms))}"
        return "its networks, then the domain itself" if self.kind is Kind.DOMAIN else "its networks"


@dataclass(frozen=True, slots=True)
class Situation:
    """What is being deleted, and how sure that is."""

    taken_at: datetime
    deletions: tuple[Deletion, ...]
    """Worst first, then by time."""
    elsewhere: int = 0
    """Deletions outside of the environment's parent."""
    unnamed_jobs: int = 0
    """Deletion jobs that no event tells the target of."""
    problems: tuple[str, ...] = ()
    is_unread: bool = False
    """Whether CloudStack told nothing at all: that nothing is listed here says nothing then."""
    only_grew: bool = False
    """Whether the `problems` are nothing but lists that gained rows while they were read, as they do while
    something is made."""

    def of(self, *stages: Stage) -> tuple[Deletion, ...]:
        return tuple(one for one in self.deletions if one.stage in stages)

    @property
    def busy(self) -> tuple[Deletion, ...]:
        """What is being deleted now, or has been submitted to be."""
        return self.of(Stage.RUNNING, Stage.QUEUED)

    @property
    def is_happening(self) -> bool:
        """Whether something is being deleted now, or has been submitted to be."""
        return bool(self.busy) or self.unnamed_jobs > 0

    def says_as(self, other: Situation) -> bool:
        """Whether another reading found the very same."""
        return replace(self, taken_at=other.taken_at) == other


# --- the situation ----------------------------------------------------------------------------------------


def can_tell(coverage: Coverage) -> bool:
    """Whether a reading says anything of this environment's deletions: it was read, and at its server."""
    return coverage.state is not CoverageState.FAILED and not coverage.is_foreign


def assess(reading: Reading) -> Situation:
    """What is being deleted, submitted, half done, left over, refused; by names, worst first."""
    known = attempts(reading.events or ())
    known, unnamed = match_jobs(known, reading.jobs or ())
    judge = _Judge(reading)
    by_target: dict[tuple[Kind, str], list[Attempt]] = {}
    for attempt in known:
        by_target.setdefault((attempt.kind, attempt.target_id), []).append(attempt)
    found = [judge.of_attempts(group) for group in by_target.values()]
    told = {one.target_id for one in found if one.kind is Kind.DOMAIN}
    found += judge.without_events(told, is_deleting=bool(unnamed) or reading.jobs is None)
    inside = [one for one in found if judge.is_in_scope(one)]
    order = list(Stage)
    inside.sort(key=lambda one: (order.index(one.stage), seconds_of(one.since), one.label))
    return Situation(
        taken_at=reading.taken_at,
        deletions=tuple(inside),
        elsewhere=len(found) - len(inside),
        unnamed_jobs=len(unnamed),
        problems=_problems(reading),
        only_grew=_only_grew(reading),
        is_unread=not can_tell(reading.coverage) and reading.events is None and reading.jobs is None,
    )


def _problems(reading: Reading) -> tuple[str, ...]:
    problems = list(reading.problems)
    if not reading.coverage.is_complete:
        problems.insert(0, reading.coverage.why)
    return tuple(dict.fromkeys(problems))


def _only_grew(reading: Reading) -> bool:
    coverage = reading.coverage
    is_believed = can_tell(coverage) and not (coverage.shrunk or coverage.is_doubted)
    return coverage.only_grew and is_believed and not reading.problems


class _Judge:
    """Says the stage of each deletion."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        world = reading.world
        self.domains = {domain.id: domain for domain in world.domains}
        self.accounts = {account.id: account for account in world.accounts}
        self.owners: dict[str, list[Account]] = {}
        for account in world.accounts:
            self.owners.setdefault(account.domain_id, []).append(account)
        self.children: dict[str, list[Domain]] = {}
        for domain in world.domains:
            self.children.setdefault(domain.parent_id or "", []).append(domain)
        self.vms: dict[str, list[VirtualMachine]] = {}
        for vm in world.vms:
            self.vms.setdefault(vm.domain_id, []).append(vm)
        self.listed_paths = {domain.path.casefold() for domain in world.domains}
        self.snapshots = _by_domain(reading.snapshots)
        self.templates = _by_domain(reading.templates)
        named = [(domain.path, domain.id) for domain in world.domains]
        named += [(vms[0].domain_path, id) for id, vms in self.vms.items() if id not in self.domains]
        self.paths = sorted((f"{path.casefold()}/", id) for path, id in named)
        """Of all domains, listed or only named by a VM; what lies below one stands right behind it."""

    def is_in_scope(self, deletion: Deletion) -> bool:
        """Below the parent, the parent itself or above it; what nothing tells the path of is not left out."""
        parent, path = self.reading.scope.parent.casefold(), deletion.path.casefold()
        return not path or f"{path}/".startswith(f"{parent}/") or f"{parent}/".startswith(f"{path}/")

    # --- one target ---------------------------------------------------------------------------------------

    def of_attempts(self, group: Sequence[Attempt]) -> Deletion:
        """All attempts at one target: the open one decides, else one that succeeded, else the last."""
        attempt = next((one for one in group if one.is_open), None)
        attempt = attempt or next((one for one in reversed(group) if one.succeeded), group[-1])
        if attempt.kind is Kind.ACCOUNT:
            return self._account(attempt, len(group))
        return self._domain(attempt, len(group))

    def _domain(self, attempt: Attempt, count: int) -> Deletion:
        domain = self.domains.get(attempt.target_id)
        path = domain.path if domain is not None else self._path_of_unlisted(attempt.target_id)
        vms = self._vms_of(attempt.target_id, path)
        if attempt.is_open:
            stage, why = self._open(attempt, is_listed=domain is not None)
        elif attempt.succeeded:
            stage = Stage.ORPHANED if vms else Stage.ENDED
            why = "Its deletion has ended"
            why += f", and {_count(*left_of(vms))} of it still there." if vms else "."
        elif not self.reading.coverage.is_complete:
            stage, why = (
                Stage.REFUSED,
                "An attempt to delete it failed; what is left could not be read whole.",
            )
        elif domain is not None:
            stage, why = self._failed_and_listed(domain, attempt)
        else:
            stage, why = (
                Stage.HALF_DONE,
                "Its deletion failed and the domain is not listed: the background clean-up may take it up "
                "again within account.cleanup.interval [source].",
            )
        return self._deletion(attempt, count, stage, why, path=path, vms=vms)

    def _open(self, attempt: Attempt, *, is_listed: bool) -> tuple[Stage, str]:
        if self.reading.jobs is not None and attempt.job is None:
            how = "it is still listed" if is_listed else "it is not listed any more"
            return (
                Stage.HALF_DONE,
                f"Its deletion has neither ended nor a job: the management server was stopped, and {how}. "
                "What was half done may be resumed within account.cleanup.interval, or stay as orphans "
                "[source].",
            )
        unread = "" if self.reading.jobs is not None else " Jobs could not be read: it may have ended."
        if is_listed:
            return (
                Stage.QUEUED,
                "Its deletion is submitted and has not touched it: it is still listed." + unread,
            )
        return Stage.RUNNING, "It is gone from the list while its deletion has not ended." + unread

    def _failed_and_listed(self, domain: Domain, attempt: Attempt) -> tuple[Stage, str]:
        owners = self.owners.get(domain.id, ())
        if self.children.get(domain.id) or not all(_is_made_since(one, attempt) for one in owners):
            return Stage.REFUSED, "An attempt to delete it failed, and its accounts are still there."
        since = "the accounts in it were made since" if owners else "no accounts, no sub-domains"
        return (
            Stage.HALF_DONE,
            f"Its deletion failed and it came back hollow: {since}. The background "
            "clean-up may take up what is left within account.cleanup.interval [source].",
        )

    def _account(self, attempt: Attempt, count: int) -> Deletion:
        account = self.accounts.get(attempt.target_id)
        vms: tuple[VirtualMachine, ...] = ()
        path = self.reading.paths.get(attempt.target_id, "")
        if account is not None:
            path = self._path_of(account.domain_id)
            vms = tuple(vm for vm in self.vms.get(account.domain_id, ()) if vm.account == account.name)
        if attempt.is_open:
            stage, why = self._open(attempt, is_listed=account is not None)
        elif attempt.succeeded:
            stage, why = Stage.ENDED, "Its deletion has ended."
        elif account is not None:
            stage, why = Stage.REFUSED, "An attempt to delete it failed, and it is still there."
        else:
            stage, why = Stage.HALF_DONE, "Its deletion failed after the account was gone."
        return self._deletion(attempt, count, stage, why, path=path, vms=_ordered(vms))

    def _deletion(
        self,
        attempt: Attempt,
        count: int,
        stage: Stage,
        why: str,
        *,
        path: str,
        vms: tuple[VirtualMachine, ...],
    ) -> Deletion:
        is_domain = attempt.kind is Kind.DOMAIN
        ids = self._ids_below(attempt.target_id, path) if is_domain else frozenset[str]()
        return Deletion(
            kind=attempt.kind,
            stage=stage,
            target_id=attempt.target_id,
            name=attempt.target,
            path=path,
            why=why,
            attempt=attempt,
            attempts=count,
            vms=vms,
            snapshots=tuple(one for id in ids for one in self.snapshots.get(id, ())),
            templates=tuple(one for id in ids for one in self.templates.get(id, ())),
            below=tuple(
                sorted(self.domains[id].path for id in ids if id in self.domains and id != attempt.target_id)
            ),
            is_replaced=is_domain and self._is_replaced(attempt, path),
        )

    def _is_replaced(self, attempt: Attempt, path: str) -> bool:
        """Whether another domain stands where this one stood, by its path, else by its name below the parent
        of the environment."""
        if attempt.target_id in self.domains:
            return False
        where = path or f"{self.reading.scope.parent}/{attempt.target}"
        return where.casefold() in self.listed_paths

    # --- what no event tells of ---------------------------------------------------------------------------

    def without_events(self, told: set[str], *, is_deleting: bool) -> list[Deletion]:
        """VMs whose domain is not listed and that no event explains: an exact sign of a deletion in progress
        or of its remains. Said only where all domains were read: otherwise it may just not be shown."""
        if not (self.reading.coverage.is_complete or self.reading.world.has_all_domains):
            return []
        covered = {id for target in told for id in self._ids_below(target, self._path_of(target))}
        orphans = {id: vms for id, vms in self.vms.items() if id not in self.domains and id not in covered}
        stage = Stage.RUNNING if is_deleting else Stage.ORPHANED
        found = []
        for domain_id, vms in orphans.items():
            path = vms[0].domain_path
            why = (
                "Its VMs name a domain that is not listed, and a deletion runs."
                if is_deleting
                else "Its VMs name a domain that is not listed, and no deletion runs: they are left over."
            )
            found.append(
                Deletion(
                    kind=Kind.DOMAIN,
                    stage=stage,
                    target_id=domain_id,
                    name=path.rpartition("/")[2],
                    path=path,
                    why=why,
                    vms=_ordered(vms),
                    snapshots=tuple(self.snapshots.get(domain_id, ())),
                    templates=tuple(self.templates.get(domain_id, ())),
                )
            )
        return found

    # --- belonging ----------------------------------------------------------------------------------------

    def _path_of(self, domain_id: str) -> str:
        domain = self.domains.get(domain_id)
        return domain.path if domain is not None else self._path_of_unlisted(domain_id)

    def _path_of_unlisted(self, domain_id: str) -> str:
        if domain_id in self.reading.paths:
            return self.reading.paths[domain_id]
        for child in self.children.get(domain_id, ()):
            return child.path.rpartition("/")[0]
        return self.vms[domain_id][0].domain_path if domain_id in self.vms else ""

    def _ids_below(self, domain_id: str, path: str) -> frozenset[str]:
        """The domain's own id and those of what lies below it, listed or only named by a VM."""
        if not path:
            return frozenset({domain_id})
        prefix = f"{path.casefold()}/"
        first = bisect_left(self.paths, (prefix, ""))
        found = list(takewhile(lambda one: one[0].startswith(prefix), islice(self.paths, first, None)))
        # Another domain of this very path was made anew under the name: what is listed below is its own.
        is_renewed = any(folded == prefix and id != domain_id and id in self.domains for folded, id in found)
        below = (id for folded, id in found if folded != prefix and not (is_renewed and id in self.domains))
        return frozenset({domain_id, *below})

    def _vms_of(self, domain_id: str, path: str) -> tuple[VirtualMachine, ...]:
        return _ordered(vm for id in self._ids_below(domain_id, path) for vm in self.vms.get(id, ()))


def _is_made_since(account: Account, attempt: Attempt) -> bool:
    """Whether the attempt cannot have spared it. In what is being deleted no account can be made."""
    return attempt.at is not None and is_made_since(account, attempt.at)


def _by_domain(rows: Iterable[OwnedResource]) -> dict[str, list[OwnedResource]]:
    found: dict[str, list[OwnedResource]] = {}
    for row in rows:
        found.setdefault(row.domain_id, []).append(row)
    return found


def _ordered(vms: Iterable[VirtualMachine]) -> tuple[VirtualMachine, ...]:
    """Oldest first: CloudStack destroys the VMs of an account in the order in which they were made."""
    return tuple(sorted(vms, key=lambda vm: (vm.created, vm.name, vm.id)))


def _some(rows: Sequence[OwnedResource]) -> str:
    names = ", ".join(row.name for row in rows[:3])
    return names + (f" and {len(rows) - 3} more" if len(rows) > 3 else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
