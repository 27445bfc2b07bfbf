"""The vocabulary as values: inventories with their coverage, drift, actions, plans, outcomes.

Frozen, without I/O and without opinions: who compares is `drift`, who proposes is `plan`. Longer than other
files because the words of both sides, of drift and of plans explain each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from types import MappingProxyType
from typing import Any

from sync.fence_check import NO_FENCES, FenceCheck
from sync.reversibility import Reversibility as Reversibility
from sync.shield_check import NO_SHIELDS, ShieldCheck
from sync.unrecorded import NOT_ASKED, DeletionCheck

UNLIMITED = -1
"""A limit without a limit, as CloudStack writes it."""


def project_key(name: str) -> str:
    """The key under which both sides are aligned: CloudStack compares domain names case-insensitively."""
    return name.strip().casefold()


def id_key(id: str) -> str:
    """The key under which an id that the CI database stores is the one that CloudStack has: people may have
    written it there in capitals, or with a blank at its end."""
    return id.strip().casefold()


# --- coverage ---------------------------------------------------------------------------------------------


class Side(Enum):
    DESIRED = "CI database"
    ACTUAL = "CloudStack"


class CoverageState(Enum):
    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ListProof:
    """How completely one list was read."""

    name: str
    """The API command or the mapping's query."""
    rows: int
    pages: int = 1
    count_before: int | None = None
    count_after: int | None = None
    unique: int | None = None
    """Distinct ids among the rows."""
    problem: str = ""
    """Why the list is not proven complete; empty when it is."""
    note: str = ""
    """How it was proven, where not by `count`, or what had to be assumed."""
    only_shrank: bool = False
    """Whether it lost rows all the time while it was read and gained none: nothing is left of it that was not
    read, although some of what was read may be gone."""
    only_grew: bool = False
    """Whether it gained rows while it was read, lost none by its counts, and at least as many were read as it
    had at first. Not proven either."""


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """A list that has clearly less in it than it had."""

    what: str
    """In the plural: `domains`, `projects`, …"""
    lost: int
    of: int
    since: datetime
    """When all of it was seen last."""
    names: tuple[str, ...] = ()
    """Some of what went."""

    @property
    def words(self) -> str:
        return f"{self.lost} {self.what} fewer than at {self.since:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Coverage:
    state: CoverageState
    why: str = ""
    """In words for people: what is missing and what to do; empty when complete."""
    lists: tuple[ListProof, ...] = ()
    caller: str = ""
    """`account/user (role)` whose eyes these are."""
    root_id: str = ""
    is_foreign: bool = False
    """Whether it is of another server than the environment is pinned to; never complete then."""
    unrecognised: str = ""
    """Why it cannot be told whether it is of the pinned server: it is read, and nothing can be armed."""
    shrunk: tuple[Shrinkage, ...] = ()
    """What it has clearly less of than the readings before, and nobody accepted. Of the CI database never
    complete then; of CloudStack it is the incident, and deletions must not be based on it."""
    is_doubted: bool = False
    """Whether it is a first reading that is hard to believe beside the other side; never complete then."""
    agreed: bool = False
    """Whether it was compared with the readings before and has not shrunk: what a deletion must ask for,
    beside completeness."""
    only_grew: bool = False
    """Whether it is not complete for no other reason than that lists gained rows while they were read."""

    @property
    def is_complete(self) -> bool:
        return self.state is CoverageState.COMPLETE


@dataclass(frozen=True, slots=True)
class Scope:
    """What was asked for. Outside of it nothing is missing and nothing is unexpected."""

    parent: str = "ROOT/ci"
    projects: frozenset[str] | None = None
    """Keys, when limited to some projects; None is the full environment."""

    @property
    def is_full(self) -> bool:
        return self.projects is None

    def covers(self, key: str) -> bool:
        return self.projects is None or key in self.projects


# --- the desired side ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Member:
    username: str
    email: str
    firstname: str
    lastname: str
    role: str = ""
    """`owner`, or whatever the CI database says."""
    enabled: bool = True
    problem: str = ""
    """Why CloudStack would refuse this member (a required field is NULL, …); empty when it would not."""


@dataclass(frozen=True, slots=True)
class Agent:
    name: str
    vm: str | None = None
    """Name of the VM that it runs on, where the CI database knows it."""
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Project:
    name: str
    network_domain: str | None = None
    enabled: bool = True
    domain_id: str | None = None
    """The CloudStack id that the CI database stores, if it does."""
    members: tuple[Member, ...] = ()
    """By (owner first, username): the first one comes with the account. None of them has a problem."""
    unusable: tuple[Member, ...] = ()
    """Members with a problem: neither created nor changed, and a user of that name is not unexpected."""
    agents: tuple[Agent, ...] = ()
    quotas: Mapping[str, int] = field(default_factory=dict)
    """Resource name (see `RESOURCE_TYPES`) → maximum, `UNLIMITED` for none."""
    problem: str = ""
    """Why this row cannot be used as it stands (a name CloudStack would refuse, …); empty when it can."""

    @property
    def key(self) -> str:
        return project_key(self.name)


@dataclass(frozen=True, slots=True)
class Retirement:
    """A record of the CI database that a project is to go. Evidence, never an order."""

    project: str
    by: str = ""
    at: str = ""
    """As the CI database writes it."""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DesiredInventory:
    scope: Scope
    taken_at: datetime
    coverage: Coverage
    """`why` may also carry notes on rows that belong to no project, although the reading is complete."""
    projects: Mapping[str, Project] = field(default_factory=lambda: MappingProxyType({}))
    """By key. Of several projects with one key, all have a problem, and the further ones a numbered key."""
    retired: tuple[Retirement, ...] = ()


# --- the actual side ----------------------------------------------------------------------------------------

RESOURCE_TYPES: Mapping[str, int] = MappingProxyType(
    {
        "vm": 0,
        "ip": 1,
        "volume": 2,
        "snapshot": 3,
        "template": 4,
        "project": 5,
        "network": 6,
        "vpc": 7,
        "cpu": 8,
        "memory": 9,
        "primarystorage": 10,
        "secondarystorage": 11,
    }
)
"""Names of quotas → `resourcetype` of updateResourceLimit; `<name>limit` is the field of listDomains."""


@dataclass(frozen=True, slots=True)
class Domain:
    id: str
    name: str
    path: str
    parent_id: str | None
    level: int
    network_domain: str | None = None
    state: str = "Active"
    limits: Mapping[str, int] | None = None
    """Resource name → limit; None when limits were not read (they are not in details=min)."""


@dataclass(frozen=True, slots=True)
class User:
    id: str
    username: str
    email: str
    firstname: str
    lastname: str
    state: str
    account_id: str
    account: str
    domain_id: str
    source: str = "native"
    """`native`, `ldap`, `saml2`, …: only native users have a local password."""


@dataclass(frozen=True, slots=True)
class Account:
    id: str
    name: str
    domain_id: str
    state: str
    role: str
    users: tuple[User, ...] = ()
    created: str = ""
    """As CloudStack writes it; empty where it was not told."""


@dataclass(frozen=True, slots=True)
class Nic:
    """A VM's place in a network."""

    network_id: str
    network: str = ""
    """The network's name."""
    address: str = ""
    mac: str = ""
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class VirtualMachine:
    id: str
    name: str
    state: str
    domain_id: str
    domain_path: str
    account: str | None = None
    project: str | None = None
    """Name of the CloudStack Project that owns it, if one does."""
    addresses: tuple[str, ...] = ()
    delete_protected: bool | None = None
    """None where the server does not say."""
    created: str = ""
    nics: tuple[Nic, ...] = ()
    details: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What it takes to find it below CloudStack, and to make it again: internal name, offering, template …"""


@dataclass(frozen=True, slots=True)
class OwnedResource:
    """A volume, snapshot, template, ISO, network, public address or CloudStack Project: what is shown."""

    id: str
    name: str
    state: str
    domain_id: str
    domain_path: str
    account: str | None = None
    project: str | None = None
    size: int | None = None
    """Bytes."""
    created: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunningJob:
    id: str
    command: str
    """Class name, e.g. `org.apache.cloudstack.api.command.admin.domain.DeleteDomainCmd`."""
    started: str
    user_id: str
    account: str

    @property
    def deletes_domain(self) -> bool:
        return self.command.endswith("DeleteDomainCmd")


@dataclass(frozen=True, slots=True)
class ActualInventory:
    """One reading of CloudStack below (and including) the scope's parent.

    All tuples are complete or, where the coverage says so, not to be trusted for absence.
    """

    scope: Scope
    taken_at: datetime
    coverage: Coverage
    parent_id: str | None = None
    """Id of the scope's parent domain; None when it does not exist."""
    domains: tuple[Domain, ...] = ()
    has_all_domains: bool = False
    """Whether no domain is there but those listed, also where something else was not read whole: a VM that
    names another one tells of a deletion."""
    elsewhere: tuple[Domain, ...] = ()
    """Domains outside of the parent, without limits: where projects may live when the parent is wrong."""
    accounts: tuple[Account, ...] = ()
    """With their users."""
    vms: tuple[VirtualMachine, ...] = ()
    volumes: tuple[OwnedResource, ...] = ()
    snapshots: tuple[OwnedResource, ...] = ()
    templates: tuple[OwnedResource, ...] = ()
    isos: tuple[OwnedResource, ...] = ()
    networks: tuple[OwnedResource, ...] = ()
    public_addresses: tuple[OwnedResource, ...] = ()
    """Those that somebody has; the name is the address."""
    projects: tuple[OwnedResource, ...] = ()
    """CloudStack's own Projects, which own things that belong to no account."""
    jobs: tuple[RunningJob, ...] | None = None
    """Running asynchronous jobs; None when they could not be read. Of a list that is not proven only those
    that delete domains: they run, whatever else does."""
    release: str = ""
    limits_taken_at: datetime | None = None
    users_taken_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NetworkRule:
    """What network every project's account must have, where the environment asks for one."""

    offering: str
    zone: str
    name: str = "{project}-net"
    """Pattern of the network's name."""

    def name_for(self, project: str) -> str:
        return self.name.replace("{project}", project)


@dataclass(frozen=True, slots=True)
class Contents:
    """What a domain had in it when it last had anything, by a capture."""

    vms: int
    templates: int
    at: datetime
    accounts: frozenset[str] = frozenset()
    """Ids of the accounts in it, by captures until then: CloudStack hides them while it deletes them."""


# --- drift --------------------------------------------------------------------------------------------------


class DriftKind(Enum):
    """Worst first. The value is the word on screen."""

    DELETING = "deleting"
    HOLLOW = "hollow"
    MISSING = "missing"
    ORPHANED = "orphaned"
    UNEXPECTED = "unexpected"
    DIFFERS = "differs"
    UNKNOWN = "unknown"
    IN_SYNC = "in sync"

    @property
    def glyph(self) -> str:
        return _GLYPHS[self]

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return list(DriftKind).index(self)

    @property
    def is_critical(self) -> bool:
        return self in (DriftKind.DELETING, DriftKind.HOLLOW, DriftKind.MISSING, DriftKind.ORPHANED)


_GLYPHS = {
    DriftKind.DELETING: "!",
    DriftKind.HOLLOW: "○",
    DriftKind.MISSING: "+",
    DriftKind.ORPHANED: "%",
    DriftKind.UNEXPECTED: "?",
    DriftKind.DIFFERS: "~",
    DriftKind.UNKNOWN: "·",
    DriftKind.IN_SYNC: "=",
}


class Subject(Enum):
    """What a part of a row is about."""

    DOMAIN = "domain"
    STORED_ID = "stored id"
    NETWORK_DOMAIN = "network domain"
    ACCOUNT = "account"
    USER = "user"
    LIMIT = "limit"
    NETWORK = "network"
    MACHINE = "machine"
    SHIELD = "shield"


@dataclass(frozen=True, slots=True)
class Part:
    """One compared thing within a row."""

    subject: Subject
    name: str
    """Which one: user name, resource name, VM name; empty for the domain itself."""
    field: str
    """Which field of it: `state`, `email`, …; empty when it is about its existence."""
    kind: DriftKind
    desired: str | None
    actual: str | None
    note: str = ""
    """Why there is no repair, or what it means, in words."""
    is_loss: bool = False
    """A machine of the CI database whose VM is gone: a loss to report, no drift and no repair."""

    @property
    def is_leaving(self) -> bool:
        """A machine of the CI database whose VM is there yet, in a domain that is not listed any more."""
        return self.subject is Subject.MACHINE and self.kind is DriftKind.DELETING

    @property
    def is_machine_gone(self) -> bool:
        """A machine that is lost or leaving: no drift, for no repair brings it back."""
        return self.is_loss or self.is_leaving


@dataclass(frozen=True, slots=True)
class DomainView:
    """What CloudStack has of one project, gathered. `domain` is None when it is no longer listed."""

    domain_id: str
    path: str
    domain: Domain | None
    accounts: tuple[Account, ...] = ()
    subdomains: tuple[Domain, ...] = ()
    vms: tuple[VirtualMachine, ...] = ()
    volumes: tuple[OwnedResource, ...] = ()
    snapshots: tuple[OwnedResource, ...] = ()
    templates: tuple[OwnedResource, ...] = ()
    isos: tuple[OwnedResource, ...] = ()
    networks: tuple[OwnedResource, ...] = ()
    projects: tuple[OwnedResource, ...] = ()


@dataclass(frozen=True, slots=True)
class DriftRow:
    key: str
    kind: DriftKind
    project: Project | None
    view: DomainView | None
    dying: DomainView | None = None
    """The domain of this name that CloudStack is deleting, where its VMs or its event still tell of it."""
    parts: tuple[Part, ...] = ()
    reason: str = ""
    """One sentence: why this kind."""
    old_domain_of: str = ""
    """Key of the project whose old domain `dying` is, renamed or not; empty for a stranger's."""

    @property
    def name(self) -> str:
        if self.project is not None:
            return self.project.name
        for view in (self.view, self.dying):
            if view is not None:
                return view.path.rpartition("/")[2]
        return self.key

    @property
    def losses(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.is_loss)

    @property
    def leaving(self) -> tuple[Part, ...]:
        return tuple(part for part in self.parts if part.is_leaving)

    @property
    def differences(self) -> tuple[Part, ...]:
        return tuple(
            part for part in self.parts if part.kind is not DriftKind.IN_SYNC and not part.is_machine_gone
        )


@dataclass(frozen=True, slots=True)
class Hidden:
    """Drift that a rule hides: it is in no row any more, and always counted."""

    project: str
    what: str
    """`the domain`, `limit vm`, `user jmartin email`, …"""
    kind: DriftKind
    rule: str
    """The rule in words: what it hides, whose it is, until when, and why."""
    owner: str
    """Who answers for the rule."""
    reason: str
    expires: date
    """The last day on which it hides, UTC."""


@dataclass(frozen=True, slots=True)
class Drift:
    rows: tuple[DriftRow, ...]
    """Worst first, then by key."""
    desired: Coverage
    actual: Coverage
    desired_taken_at: datetime
    actual_taken_at: datetime
    limits_taken_at: datetime | None = None
    scope: Scope = Scope()
    deletion_jobs: int = 0
    """Running jobs that delete a domain, wherever it is; CloudStack does not say which."""
    misplaced: str = ""
    """Why the scope's parent is probably not where the projects' domains are, in whole sentences: nothing is
    proposed then. Empty when nothing says so."""
    hidden: tuple[Hidden, ...] = ()
    """What rules hide."""
    users_taken_at: datetime | None = None
    rule_problems: tuple[str, ...] = ()
    """Rules that hide nothing, and why; whole sentences."""
    deletions: DeletionCheck = NOT_ASKED
    """What CloudStack deleted without an entry in the ledger."""
    shields: ShieldCheck = NO_SHIELDS
    """Delete protection that was put up and is gone, or is asked for and not there."""
    fences: FenceCheck = NO_FENCES
    """How those stand whose access containment took away."""

    def counts(self) -> dict[DriftKind, int]:
        totals = dict.fromkeys(DriftKind, 0)
        for row in self.rows:
            totals[row.kind] += 1
        return totals

    def row(self, key: str) -> DriftRow | None:
        return next((row for row in self.rows if row.key == key), None)


# --- plan ---------------------------------------------------------------------------------------------------


class ActionKind(Enum):
    """The value is the word on screen and in the ledger. There is no deletion among them."""

    RECOVER_VM = "recover VM"
    RENAME_DOMAIN = "rename domain"
    CREATE_DOMAIN = "create domain"
    UPDATE_DOMAIN = "update domain"
    CREATE_ACCOUNT = "create account"
    ENABLE_ACCOUNT = "enable account"
    CREATE_USER = "create user"
    UPDATE_USER = "update user"
    ENABLE_USER = "enable user"
    DISABLE_USER = "disable user"
    UPDATE_LIMIT = "update limit"
    CREATE_NETWORK = "create network"
    TAKE_ADDRESS = "take address"
    REGISTER_TEMPLATE = "register template"
    REGISTER_ISO = "register ISO"
    DEPLOY_VM = "deploy VM"
    FREEZE_ZONE = "freeze zone"
    THAW_ZONE = "thaw zone"


RESTORING = frozenset(
    {
        ActionKind.TAKE_ADDRESS,
        ActionKind.REGISTER_TEMPLATE,
        ActionKind.REGISTER_ISO,
        ActionKind.DEPLOY_VM,
        ActionKind.FREEZE_ZONE,
        ActionKind.THAW_ZONE,
    }
)
"""What only a restore does."""


@dataclass(frozen=True, slots=True)
class Action:
    """One API operation on one object.

    `target` is the natural key and stays the same over restarts: `ROOT/ci/dune` (domain),
    `ROOT/ci/dune:dune` (account), `ROOT/ci/dune:dune:jmartin` (user), `ROOT/ci/dune#vm` (limit),
    `ROOT/ci/dune/dune-net` with kind CREATE_NETWORK (network), `ROOT/ci/dune:dune:debian-12` (template, ISO,
    VM), `ROOT/ci/dune:dune:203.0.113.7` (public address), `zone-1` (zone).
    """

    kind: ActionKind
    project: str
    """Key of the row that it repairs."""
    target: str
    target_id: str | None
    """CloudStack's id where the object exists; None for what is created."""
    parameters: Mapping[str, str]
    """Without ids of objects that the plan itself creates and without passwords: the executor resolves the
    domain by `target` and draws the password."""
    precondition: Mapping[str, str | None]
    """Observed field → value, compared with a fresh reading before the call.

    `{"exists": "no"}` for creations.
    """
    reason: str
    reversibility: Reversibility
    needs: tuple[str, ...] = ()
    """Ids of actions that must have succeeded before this one."""
    undo: str = ""
    """In words: what takes it back."""

    @property
    def id(self) -> str:
        """Stable: the kind and the target."""
        return f"{self.kind.value.replace(' ', '-')} {self.target}"


@dataclass(frozen=True, slots=True)
class Plan:
    environment: str
    root_id: str
    endpoint: str
    author: str
    created_at: datetime
    expires_at: datetime
    actions: tuple[Action, ...]
    """In an order that may be executed one after another."""
    digest: str
    """SHA-256, hex, over everything above but the author's words; see `plan.digest_of`."""
    notes: tuple[str, ...] = ()
    """What the plan leaves alone and why."""


class Outcome(Enum):
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"
    NOT_RUN = "not run"


STANDS = frozenset({Outcome.SUCCEEDED, Outcome.SKIPPED})
"""Outcomes that stay when a run is resumed: what failed or is unknown is tried or read again."""


@dataclass(frozen=True, slots=True)
class ActionResult:
    action_id: str
    outcome: Outcome
    detail: str = ""
    """What happened, to what, what to do next; empty for a plain success."""
    object_id: str | None = None
    """CloudStack's id of the object that was made or changed."""
    job_id: str | None = None
    seconds: float = 0.0


JsonObject = dict[str, Any]

CONTAINMENT = "contain-"
"""How the ids begin under which the ledger has what a containment did: it has no start and no end there."""
