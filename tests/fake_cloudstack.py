"""A small CloudStack in memory for tests of what executes: state, a log, and faults on demand."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sync.errors import (
    OutcomeUnknownError,
    RefusedError,
    SourceError,
    UnreachableError,
)
from sync.model import (
    RESOURCE_TYPES,
    Account,
    Action,
    ActionKind,
    ActualInventory,
    Coverage,
    CoverageState,
    Domain,
    OwnedResource,
    Plan,
    Reversibility,
    Scope,
    User,
    VirtualMachine,
)
from sync.plan_file import digest_of

ENDPOINT = "https://cloud.example.org/client/api"
ROOT_ID = "root-id"
PARENT = "ROOT/ci"
START = datetime(2026, 7, 28, 3, 12, tzinfo=UTC)

_NAMES = {number: name for name, number in RESOURCE_TYPES.items()}


class Clock:
    """A clock that moves only when somebody sleeps on it."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self._now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Limits:
    concurrency: int = 4
    budget_failures: int = 3
    budget_fraction: float = 0.02
    ceiling: int = 1
    """Below `concurrency`: a rebuild stays at that too."""
    patience_seconds: float = 30.0


@dataclass(frozen=True)
class Capabilities:
    root_id: str = ROOT_ID
    endpoint: str = ENDPOINT


@dataclass(frozen=True)
class Job:
    status: str
    code: int = 0
    text: str = ""


@dataclass(frozen=True)
class Submission:
    job_id: str | None
    body: dict[str, object] = field(default_factory=dict)


@dataclass
class Fault:
    """One thing that goes wrong with one call."""

    command: str
    error: SourceError | OutcomeUnknownError
    has_effect: bool = False
    times: int = 1
    about: str = ""
    """Only for calls one of whose parameters has this value."""


class FakeCloudStack:
    """Reader and Writer in one. Names are unique as CloudStack keeps them; networks are not."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.domains: dict[str, Domain] = {}
        self.dying: dict[str, Domain] = {}
        self.accounts: dict[str, Account] = {}
        self.networks: list[OwnedResource] = []
        self.vms: list[VirtualMachine] = []
        self.log: list[tuple[str, dict[str, str]]] = []
        """Every call that reached the server, whether it was answered or not."""
        self.passwords: dict[str, str] = {}
        self.faults: list[Fault] = []
        self.jobs: dict[str, list[Job]] = {}
        self.before_submit: Callable[[str, Mapping[str, str]], None] = lambda command, parameters: None
        self.is_readable = True
        self.in_flight = 0
        self.most_in_flight = 0
        self.calls = 0
        self.throttled = 0
        self.root_id = ROOT_ID
        self._ids = itertools.count(1)
        root = self._add_domain("ROOT", None, id=ROOT_ID)
        self.parent = self._add_domain("ci", root)

    # --- the world ------------------------------------------------------------------------------------------

    def _add_domain(self, name: str, parent: Domain | None, *, id: str = "", network: str = "") -> Domain:
        path = f"{parent.path}/{name}" if parent else name
        domain = Domain(
            id=id or self._new_id("domain"),
            name=name,
            path=path,
            parent_id=parent.id if parent else None,
            level=path.count("/"),
            network_domain=network or None,
            limits=dict.fromkeys(RESOURCE_TYPES, -1),
        )
        self.domains[domain.id] = domain
        return domain

    def add_project(self, name: str, *users: str) -> Domain:
        """A domain with an account and its users."""
        domain = self._add_domain(name, self.parent)
        if users:
            self._add_account(domain, name, [self._user(domain, name, user) for user in users])
        return domain

    def start_dying(self, name: str) -> Domain:
        """A domain in deletion: not listed, its name still taken, its VM still there."""
        domain = self._add_domain(name, self.parent)
        del self.domains[domain.id]
        self.dying[domain.id] = domain
        self.vms.append(
            VirtualMachine(self._new_id("vm"), f"{name}-0", "Running", domain.id, domain.path, account=name)
        )
        return domain

    def _add_account(self, domain: Domain, name: str, users: list[User]) -> Account:
        id = self._new_id("account")
        account = Account(
            id, name, domain.id, "enabled", "User", tuple(replace(user, account_id=id) for user in users)
        )
        self.accounts[id] = account
        return account

    def _user(self, domain: Domain, account: str, username: str, **values: str) -> User:
        person = {"email": f"{username}@example.org", "firstname": "F", "lastname": "L", **values}
        return User(
            id=self._new_id("user"),
            username=username,
            email=person["email"],
            firstname=person["firstname"],
            lastname=person["lastname"],
            state="enabled",
            account_id="",
            account=account,
            domain_id=domain.id,
        )

    def _new_id(self, what: str) -> str:
        return f"{what}-{next(self._ids)}"

    # --- reading --------------------------------------------------------------------------------------------

    def _reads(self) -> None:
        self.calls += 1
        if not self.is_readable:
            raise UnreachableError("No answer.")

    def capabilities(self) -> Capabilities:
        return Capabilities(root_id=self.root_id)

    def domain_by_id(self, id: str, /) -> Domain | None:
        with self.lock:
            self._reads()
            return self.domains.get(id)

    def domain_by_path(self, path: str, /, *, limits: bool = False) -> Domain | None:
        with self.lock:
            self._reads()
            found = [domain for domain in self.domains.values() if domain.path.lower() == path.lower()]
            if not found:
                return None
            return found[0] if limits else replace(found[0], limits=None)

    def account(self, domain_id: str, name: str, /) -> Account | None:
        with self.lock:
            self._reads()
            accounts = self.accounts.values()
            return next((one for one in accounts if (one.domain_id, one.name) == (domain_id, name)), None)

    def user(self, domain_id: str, username: str, /) -> User | None:
        with self.lock:
            self._reads()
            return self._find_user(domain_id, username)

    def _find_user(self, domain_id: str, username: str) -> User | None:
        users = [user for account in self.accounts.values() for user in account.users]
        return next(
            (user for user in users if (user.domain_id, user.username) == (domain_id, username)), None
        )

    def network(self, domain_id: str, name: str, /) -> OwnedResource | None:
        with self.lock:
            self._reads()
            return next(
                (one for one in self.networks if (one.domain_id, one.name) == (domain_id, name)), None
            )

    def machine(self, id: str, /) -> VirtualMachine | None:
        with self.lock:
            self._reads()
            return next((vm for vm in self.vms if vm.id == id), None)

    def role_id(self, name: str, /) -> str:
        return f"role-{name}"

    def zone_id(self, name: str, /) -> str:
        return f"zone-{name}"

    def network_offering_id(self, name: str, /) -> str:
        return f"offering-{name}"

    def job(self, job_id: str, /) -> Job:
        with self.lock:
            self._reads()
            if job_id not in self.jobs:
                raise RefusedError(f"Unknown job {job_id}.", code=431)
            states = self.jobs[job_id]
            return states.pop(0) if len(states) > 1 else states[0]

    def inventory(self, scope: Scope, /, *, limits: bool, users: bool, everything: bool) -> ActualInventory:
        with self.lock:
            self._reads()
            coverage = Coverage(CoverageState.COMPLETE)
            return ActualInventory(scope, START, coverage, vms=tuple(self.vms))

    # --- changing -------------------------------------------------------------------------------------------

    def submit(self, command: str, parameters: Mapping[str, str], /) -> Submission:
        with self.lock:
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            self.before_submit(command, parameters)
            with self.lock:
                return self._submit(command, dict(parameters))
        finally:
            with self.lock:
                self.in_flight -= 1

    def _submit(self, command: str, parameters: dict[str, str]) -> Submission:
        self.calls += 1
        self.log.append((command, parameters))
        fault = self._fault_for(command, parameters)
        if fault is not None:
            if fault.has_effect:
                getattr(self, f"_do_{command.lower()}")(parameters)
            raise fault.error
        job = getattr(self, f"_do_{command.lower()}")(parameters)
        domain = self.dying.get(parameters.get("id", ""))
        return Submission(job, {"domain": {"name": domain.name}} if domain else {})

    def _fault_for(self, command: str, parameters: Mapping[str, str]) -> Fault | None:
        for fault in self.faults:
            fits = fault.command == command and (not fault.about or fault.about in parameters.values())
            if fits and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    def sent(self, command: str) -> list[dict[str, str]]:
        return [parameters for name, parameters in self.log if name == command]

    def _do_createdomain(self, parameters: dict[str, str]) -> None:
        parent = self.domains[parameters["parentdomainid"]]
        taken = [*self.domains.values(), *self.dying.values()]
        if any(
            one.parent_id == parent.id and one.name.lower() == parameters["name"].lower() for one in taken
        ):
            raise RefusedError(f"Domain with name [{parameters['name']}] already exists.", code=431)
        self._add_domain(parameters["name"], parent, network=parameters.get("networkdomain", ""))

    def _do_updatedomain(self, parameters: dict[str, str]) -> None:
        id = parameters["id"]
        place = self.domains if id in self.domains else self.dying
        if id not in place:
            raise RefusedError("Unable to find a domain with the specified id.", code=431)
        domain = place[id]
        if "name" in parameters:
            path = f"{domain.path.rpartition('/')[0]}/{parameters['name']}"
            domain = replace(domain, name=parameters["name"], path=path)
            self.vms = [replace(vm, domain_path=path) if vm.domain_id == id else vm for vm in self.vms]
        if "networkdomain" in parameters:
            domain = replace(domain, network_domain=parameters["networkdomain"])
        place[id] = domain

    def _do_createaccount(self, parameters: dict[str, str]) -> None:
        domain = self.domains[parameters["domainid"]]
        self._refuse_taken_name(domain, parameters["username"])
        self._add_account(domain, parameters["account"], [self._new_user(domain, parameters)])

    def _do_createuser(self, parameters: dict[str, str]) -> None:
        domain = self.domains[parameters["domainid"]]
        self._refuse_taken_name(domain, parameters["username"])
        for id, account in self.accounts.items():
            if (account.domain_id, account.name) == (domain.id, parameters["account"]):
                user = replace(self._new_user(domain, parameters), account_id=id)
                self.accounts[id] = replace(account, users=(*account.users, user))
                return
        raise RefusedError("Unable to find account.", code=431)

    def _refuse_taken_name(self, domain: Domain, username: str) -> None:
        if self._find_user(domain.id, username) is not None:
            raise RefusedError(f"The user {username} already exists in domain {domain.name}.", code=431)

    def _new_user(self, domain: Domain, parameters: dict[str, str]) -> User:
        person = {name: parameters[name] for name in ("email", "firstname", "lastname")}
        self.passwords[f"{domain.path}:{parameters['username']}"] = parameters["password"]
        return self._user(domain, parameters["account"], parameters["username"], **person)

    def _do_updateuser(self, parameters: dict[str, str]) -> None:
        values = {name: value for name, value in parameters.items() if name != "id"}
        self._change_user(parameters["id"], **values)

    def _do_enableuser(self, parameters: dict[str, str]) -> None:
        self._change_user(parameters["id"], state="enabled")

    def _do_disableuser(self, parameters: dict[str, str]) -> str:
        self._change_user(parameters["id"], state="disabled")
        job_id = self._new_id("job")
        self.jobs[job_id] = [Job("pending"), Job("succeeded")]
        return job_id

    def _change_user(self, id: str, **values: str) -> None:
        for account_id, account in self.accounts.items():
            users = tuple(replace(user, **values) if user.id == id else user for user in account.users)
            self.accounts[account_id] = replace(account, users=users)

    def _do_enableaccount(self, parameters: dict[str, str]) -> None:
        self.accounts[parameters["id"]] = replace(self.accounts[parameters["id"]], state="enabled")

    def _do_updateresourcelimit(self, parameters: dict[str, str]) -> None:
        domain = self.domains[parameters["domainid"]]
        name = _NAMES[int(parameters["resourcetype"])]
        limits = {**(domain.limits or {}), name: int(parameters["max"])}
        self.domains[domain.id] = replace(domain, limits=limits)

    def _do_recovervirtualmachine(self, parameters: dict[str, str]) -> None:
        (vm,) = [one for one in self.vms if one.id == parameters["id"]]
        if vm.state != "Destroyed":
            raise RefusedError(f"Vm with id {vm.id} is not in the right state", code=431)
        self.vms = [replace(one, state="Stopped") if one is vm else one for one in self.vms]

    def _do_createnetwork(self, parameters: dict[str, str]) -> None:
        domain = self.domains[parameters["domainid"]]
        self.networks.append(
            OwnedResource(self._new_id("network"), parameters["name"], "Allocated", domain.id, domain.path)
        )


# --- plans ------------------------------------------------------------------------------------------------


def action(
    kind: ActionKind,
    target: str,
    *,
    target_id: str | None = None,
    parameters: Mapping[str, str] | None = None,
    precondition: Mapping[str, str | None] | None = None,
    needs: tuple[str, ...] = (),
) -> Action:
    """An action with what a test does not care about filled in."""
    return Action(
        kind=kind,
        project=target.removeprefix(f"{PARENT}/").split(":")[0].split("#")[0].split("/")[0],
        target=target,
        target_id=target_id,
        parameters=parameters or {},
        precondition=precondition or {"exists": "no"},
        reason="missing",
        reversibility=Reversibility.UNDOABLE,
        needs=needs,
    )


def create_domain(name: str, **values: str) -> Action:
    return action(ActionKind.CREATE_DOMAIN, f"{PARENT}/{name}", parameters={"name": name, **values})


def create_account(name: str, *, username: str = "", needs: tuple[str, ...] | None = None) -> Action:
    username = username or f"{name}-owner"
    return action(
        ActionKind.CREATE_ACCOUNT,
        f"{PARENT}/{name}:{name}",
        parameters={"role": "User", **_person(username)},
        needs=(f"create-domain {PARENT}/{name}",) if needs is None else needs,
    )


def create_user(name: str, username: str, *, needs: tuple[str, ...] | None = None) -> Action:
    return action(
        ActionKind.CREATE_USER,
        f"{PARENT}/{name}:{name}:{username}",
        parameters=_person(username),
        needs=(f"create-account {PARENT}/{name}:{name}",) if needs is None else needs,
    )


def _person(username: str) -> dict[str, str]:
    return {"username": username, "email": f"{username}@example.org", "firstname": "F", "lastname": "L"}


def project(name: str, *users: str) -> tuple[Action, ...]:
    """Everything that rebuilds one project."""
    return (create_domain(name), create_account(name), *(create_user(name, user) for user in users))


def plan(*actions: Action, environment: str = "drill", now: datetime = START) -> Plan:
    """A plan of these actions with a true digest."""
    unsigned = Plan(
        environment=environment,
        root_id=ROOT_ID,
        endpoint=ENDPOINT,
        author="ops@console",
        created_at=now,
        expires_at=now + timedelta(minutes=60),
        actions=actions,
        digest="",
    )
    return replace(unsigned, digest=digest_of(unsigned))
