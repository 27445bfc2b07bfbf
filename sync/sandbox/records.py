"""What the stand-in management server knows: identity, jobs, events, and the World that holds every table.

No I/O. The records of machines, networks and storage live in records_machines.py.
"""

from __future__ import annotations

import random
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from sync.sandbox.clock import Clock, ManualClock, shown
from sync.sandbox.persistable import record
from sync.sandbox.service_times import ServiceTimes
from sync.sandbox.usage import Usage


@record
class Domain:
    """A domain; `path` is as shown, `ROOT/ci/alpha`."""

    id: str
    number: int
    name: str
    parent_id: str | None
    path: str
    level: int
    state: str = "Active"
    """Inactive while it is being deleted: no list shows it then."""
    inactive_since: datetime | None = None
    network_domain: str | None = None
    owner_id: str = ""
    """The account that is said to own it in a Scheduled event."""
    created: datetime | None
    removed: datetime | None = None


@record
class Account:
    """An account; accounts of type 5 stand for a CloudStack Project."""

    id: str
    number: int
    name: str
    domain_id: str
    role_id: str | None
    type: int
    """0 user, 1 root admin, 2 domain admin, 4 resource admin, 5 project."""
    state: str = "enabled"
    network_domain: str | None = None
    api_key_access: str = "INHERIT"
    is_default: bool = False
    needs_cleanup: bool = False
    """Its clean-up ended in failure: the background clean-up takes it up again."""
    project_id: str | None = None
    created: datetime
    removed: datetime | None = None


@record
class User:
    """A user of an account, perhaps with API keys."""

    id: str
    number: int
    account_id: str
    username: str
    firstname: str
    lastname: str
    email: str
    password: str
    """A salted hash."""
    timezone: str | None = None
    state: str = "enabled"
    source: str = "native"
    api_key: str | None = None
    secret_key: str | None = None
    key_pair_id: str | None = None
    key_created: datetime | None = None
    api_key_access: str = "INHERIT"
    is_default: bool = False
    created: datetime
    removed: datetime | None = None


@record
class Role:
    """A role; `rules` are tried in order, the first that fits decides."""

    id: str
    number: int
    name: str
    type: str
    description: str | None = None
    is_default: bool = False
    is_public: bool = True
    state: str = "enabled"
    rules: list[RoleRule] = field(default_factory=list)
    removed: datetime | None = None


@record
class RoleRule:
    """One permission of a role: an API name or pattern, allowed or denied."""

    id: str
    rule: str
    permission: str
    description: str | None = None


@record
class Job:
    """An asynchronous job as `queryAsyncJobResult` shows it."""

    id: str
    number: int
    command: str
    """The API command, `deleteDomain`."""
    java_class: str
    user_id: str
    account_id: str
    instance_type: str | None = None
    instance_id: str | None = None
    status: int = 0
    result_code: int = 0
    result: dict[str, Any] | None = None
    started: bool = False
    created: datetime
    completed: datetime | None = None
    event_id: str | None = None
    removed: datetime | None = None


@record
class Event:
    """One row of `listEvents`."""

    id: str
    number: int
    type: str
    level: str
    description: str
    state: str
    user_id: str
    username: str
    account_id: str
    domain_id: str
    resource_id: str | None = None
    resource_type: str | None = None
    resource_name: str | None = None
    parent_id: str | None = None
    created: datetime
    removed: datetime | None = None


@record
class AccessEntry:
    """One request in the access log: who called what from which program, never with what secret."""

    time: datetime
    command: str
    account: str
    user: str
    client: str
    method: str
    status: int
    target: str = ""
    name: str = ""
    cleanup: bool = False
    seconds: float = 0.0
    """What a real server needs for it, as measured, whether or not this one takes its time."""
    hashing: bool = False
    """Those seconds are spent hashing a password."""


@record
class DestroyedEntry:
    """One object that was destroyed for good."""

    kind: str
    id: str
    name: str
    domain: str
    """Path of the domain it was in."""
    time: datetime


EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class World:
    """Everything the management server knows: live records by id, removed ones in `graveyard`."""

    domains: dict[str, Domain]
    accounts: dict[str, Account]
    users: dict[str, User]
    roles: dict[str, Role]
    jobs: dict[str, Job]
    events: dict[str, Event]
    zones: dict[str, Any]
    networks: dict[str, Any]
    vms: dict[str, Any]
    volumes: dict[str, Any]
    snapshots: dict[str, Any]
    templates: dict[str, Any]
    isos: dict[str, Any]
    projects: dict[str, Any]
    nics: dict[str, Any]
    addresses: dict[str, Any]
    routers: dict[str, Any]
    ssh_keys: dict[str, Any]
    tags: dict[str, Any]
    vm_snapshots: dict[str, Any]
    snapshot_policies: dict[str, Any]
    hosts: dict[str, Any]
    pools: dict[str, Any]
    offerings: dict[str, Any]
    disk_offerings: dict[str, Any]
    network_offerings: dict[str, Any]
    os_types: dict[str, Any]
    extracts: dict[str, Any]

    def __init__(self, *, release: str = "4.23", clock: Clock | None = None, seed: int | None = None) -> None:
        self.release = release
        self.clock: Clock = clock or ManualClock(EPOCH)
        self.moment: datetime | None = None
        """Set while a background step runs: its own due time is its now."""
        self.settings: dict[str, str] = {}
        self.account_settings: dict[str, dict[str, str]] = {}
        """Settings that an account overrides, by account id."""
        self.service_times = ServiceTimes()
        self.limits: dict[str, dict[str, int]] = {}
        """Limits set by hand: owner id (domain or account) → resource → maximum, -1 for none."""
        self.numbers: dict[str, int] = {}
        self.access_log: deque[AccessEntry] = deque(maxlen=200_000)
        self.destroyed: list[DestroyedEntry] = []
        self.armed: dict[str, list[str]] = {}
        """Faults inside operations, by kind: `cleanup_fails` → domain paths."""
        self.jenkins: dict[str, list[dict[str, str]]] = {}
        """What the Jenkins of each project knows of its nodes: project → name, address, path of the domain
        (empty for what is no VM)."""
        self.server_id = ""
        self.started = self.clock.now()
        self.graveyard: dict[str, dict[str, Any]] = {}
        for table in TABLES:
            setattr(self, table, {})
            self.graveyard[table] = {}
        self.usage = Usage(self._lineage, self._still_counting)
        self._random = random.Random(seed)
        self._children: dict[str, dict[str, None]] = {}
        self._child_named: dict[tuple[str, str], str] = {}
        self._accounts_in: dict[str, dict[str, None]] = {}
        self._users_of: dict[str, dict[str, None]] = {}
        self._user_by_key: dict[str, str] = {}
        self._account_numbered: dict[int, str] = {}
        self.pending: dict[str, str] = {}
        """The running job of an object: object id → job id."""
        self._owned: dict[tuple[str, str], dict[str, None]] = {}
        self.root_id = ""

    # --- time and identity -------------------------------------------------------------------------

    def now(self) -> datetime:
        """The current virtual time; inside a background step the moment at which that step was due."""
        return self.moment or self.clock.now()

    def shown(self, moment: datetime) -> str:
        """A virtual time as the API tells it."""
        return shown(self.clock.told(moment))

    def new_id(self) -> str:
        """A random UUID, reproducible for a seeded world."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def new_secret(self) -> str:
        """86 URL-safe characters, the shape of an API key or secret."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        return "".join(self._random.choice(alphabet) for _ in range(86))

    def next_number(self, table: str) -> int:
        """The next internal number of a table, as the texts show it (`[3]`, `i-2-3-VM`)."""
        self.numbers[table] = self.numbers.get(table, 0) + 1
        return self.numbers[table]

    def setting(self, name: str, *, account_id: str | None = None) -> str:
        """The value of a configuration in force; an account's own value first. Raises KeyError."""
        own = self.account_settings.get(account_id or "", {})
        return own[name] if name in own else self.settings[name]

    # --- tables ------------------------------------------------------------------------------------

    def table(self, name: str) -> dict[str, Any]:
        """The live records of a table by id."""
        records: dict[str, Any] = getattr(self, name)
        return records

    def put(self, table: str, made: Any) -> None:
        """Add a record to its table and to the indexes."""
        self.table(table)[made.id] = made
        self._index(table, made, add=True)

    def bury(self, table: str, id: str) -> None:
        """Remove a record: it leaves its table and the indexes, and stays known as removed."""
        gone = self.table(table).pop(id)
        gone.removed = self.now()
        self.graveyard[table][id] = gone
        self._index(table, gone, add=False)

    def find(self, table: str, id: str) -> Any | None:
        """A record by id, removed ones included."""
        return self.table(table).get(id) or self.graveyard[table].get(id)

    def move(self, table: str, moved: Any, account_id: str) -> None:
        """Give an owned record to another account."""
        self._index(table, moved, add=False)
        moved.account_id = account_id
        self._index(table, moved, add=True)

    def owned(self, account_id: str, table: str) -> list[Any]:
        """The live records of a table that an account owns."""
        records = self.table(table)
        return [records[id] for id in self._owned.get((account_id, table), ())]

    def _index(self, table: str, one: Any, *, add: bool) -> None:
        if table == "domains":
            _toggle(self._children, one.parent_id or "", one.id, add=add)
            named = (one.parent_id or "", one.name.casefold())
            if add:
                self._child_named[named] = one.id
            elif self._child_named.get(named) == one.id:
                del self._child_named[named]
        elif table == "accounts":
            _toggle(self._accounts_in, one.domain_id, one.id, add=add)
            self._account_numbered.pop(one.number, None)
            if add:
                self._account_numbered[one.number] = one.id
        elif table == "users":
            _toggle(self._users_of, one.account_id, one.id, add=add)
            if one.api_key:
                self._user_by_key.pop(one.api_key, None)
                if add:
                    self._user_by_key[one.api_key] = one.id
        elif table not in ("jobs", "events") and hasattr(one, "account_id"):
            _toggle(self._owned, (one.account_id, table), one.id, add=add)

    def rebuild_indexes(self) -> None:
        """Index everything anew, after a state file was read."""
        self._child_named.clear()
        self._account_numbered.clear()
        for index in (self._children, self._accounts_in, self._users_of, self._user_by_key, self._owned):
            index.clear()
        for table in TABLES:
            for one in self.table(table).values():
                self._index(table, one, add=True)

    # --- domains, accounts, users ------------------------------------------------------------------

    def children(self, domain_id: str) -> list[Domain]:
        """The domains directly below one, Inactive ones included."""
        return [self.domains[id] for id in self._children.get(domain_id, ())]

    def subtree(self, domain_id: str) -> Iterator[Domain]:
        """A domain and everything below it, depth first, parents before children."""
        waiting = [self.domains[domain_id]]
        while waiting:
            one = waiting.pop()
            yield one
            waiting.extend(reversed(self.children(one.id)))

    def child_named(self, parent_id: str, name: str) -> Domain | None:
        """The live domain of a name below a parent, Inactive ones too, whatever the case."""
        return self.domains.get(self._child_named.get((parent_id, name.casefold()), ""))

    def rename_domain(self, domain: Domain, name: str) -> None:
        """Change a domain's name, and the paths of all below it."""
        self._index("domains", domain, add=False)
        domain.name = name
        self._index("domains", domain, add=True)
        for one in self.subtree(domain.id):
            if one.parent_id is not None:
                one.path = f"{self.domains[one.parent_id].path}/{one.name}"

    def is_within(self, domain_id: str, ancestor_id: str) -> bool:
        """Whether a domain (removed ones too) is the ancestor or below it."""
        return ancestor_id in self._lineage_of_domain(domain_id)

    def accounts_in(self, domain_id: str) -> list[Account]:
        """The live accounts of one domain, those of Projects included."""
        return [self.accounts[id] for id in self._accounts_in.get(domain_id, ())]

    def account_named(self, name: str, domain_id: str) -> Account | None:
        """A live account of a domain by name, whatever the case."""
        wanted = name.casefold()
        return next((one for one in self.accounts_in(domain_id) if one.name.casefold() == wanted), None)

    def account_numbered(self, number: int) -> Account | None:
        """The live account with an internal number."""
        return self.accounts.get(self._account_numbered.get(number, ""))

    def users_of(self, account_id: str) -> list[User]:
        """The live users of an account."""
        return [self.users[id] for id in self._users_of.get(account_id, ())]

    def user_with_key(self, api_key: str) -> User | None:
        """The live user an API key belongs to."""
        id = self._user_by_key.get(api_key)
        return self.users.get(id) if id else None

    def set_keys(self, user: User, api_key: str, secret_key: str) -> None:
        """Give a user API keys; the old ones stop working."""
        self._index("users", user, add=False)
        user.api_key, user.secret_key = api_key, secret_key
        user.key_pair_id, user.key_created = self.new_id(), self.now()
        self._index("users", user, add=True)

    def account_of(self, user: User) -> Account:
        """The account of a user, removed or not."""
        account = self.find("accounts", user.account_id)
        assert isinstance(account, Account)
        return account

    def domain_of(self, owned: Any) -> Domain:
        """The domain of an account, or of a record with `domain_id` or `account_id`; removed ones too."""
        domain_id = getattr(owned, "domain_id", None)
        if domain_id is None:
            domain_id = self.find("accounts", owned.account_id).domain_id  # type: ignore[union-attr]
        domain = self.find("domains", domain_id)
        assert isinstance(domain, Domain)
        return domain

    def log_destroyed(self, kind: str, gone: Any, *, name: str | None = None) -> None:
        """Note that an object was destroyed for good."""
        path = gone.path if isinstance(gone, Domain) else self.domain_of(gone).path
        entry = DestroyedEntry(kind=kind, id=gone.id, name=name or gone.name, domain=path, time=self.now())
        self.destroyed.append(entry)

    def _lineage(self, account_id: str) -> list[str]:
        account = self.find("accounts", account_id)
        return [] if account is None else self._lineage_of_domain(account.domain_id)

    def _still_counting(self, account_id: str, resource: str) -> str | None:
        """On 4.23 ROOT goes on counting what a removed account had, templates apart (recorded in roles)."""
        stale = self.release != "4.18" and account_id in self.graveyard["accounts"] and resource != "template"
        return self.root_id if stale else None

    def _lineage_of_domain(self, domain_id: str | None) -> list[str]:
        found = []
        while domain_id:
            found.append(domain_id)
            domain = self.find("domains", domain_id)
            domain_id = domain.parent_id if domain else None
        return found


def _toggle(index: dict[Any, dict[str, None]], key: Any, id: str, *, add: bool) -> None:
    if add:
        index.setdefault(key, {})[id] = None
    else:
        index.get(key, {}).pop(id, None)


TABLES = tuple(World.__annotations__)
"""Every table a world has. A record in one has at least `id`, `number` and `removed`."""
