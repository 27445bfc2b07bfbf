"""Small builders for inventories: say only what a test is about, the rest is an ordinary lab.

`lab(desired("dune", …), actual(domain("dune", …)))` style: every builder returns the value of `sync.model`.
Ids follow from paths and names, so that two builders name the same object alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from sync.model import (
    Account,
    ActualInventory,
    Agent,
    Coverage,
    CoverageState,
    DesiredInventory,
    Domain,
    Member,
    OwnedResource,
    Project,
    RunningJob,
    Scope,
    User,
    VirtualMachine,
)

NOON = datetime(2017, 7, 28, 12, 0, tzinfo=UTC)
PARENT = "ROOT/ci"
ROOT_ID = "id:ROOT"
ENDPOINT = "https://ci.example.org/client/api"
COMPLETE = Coverage(CoverageState.COMPLETE, caller="admin/admin (Root Admin)", root_id=ROOT_ID)
DELETE_DOMAIN = "org.apache.cloudstack.api.command.admin.domain.DeleteDomainCmd"


def partial(why: str = "listDomains gave 3 of 5 rows") -> Coverage:
    return Coverage(CoverageState.PARTIAL, why)


def failed(why: str = "connection refused") -> Coverage:
    return Coverage(CoverageState.FAILED, why)


# --- desired ----------------------------------------------------------------------------------------------


def member(username: str, *, role: str = "", enabled: bool = True, email: str | None = None) -> Member:
    return Member(
        username=username,
        email=email if email is not None else f"{username}@example.org",
        firstname=username.capitalize(),
        lastname="Doe",
        role=role,
        enabled=enabled,
    )


def project(
    name: str,
    *members: Member | str,
    quotas: Mapping[str, int] | None = None,
    agents: Iterable[Agent] = (),
    network_domain: str | None = None,
    domain_id: str | None = None,
    enabled: bool = True,
    problem: str = "",
) -> Project:
    return Project(
        name=name,
        network_domain=network_domain,
        enabled=enabled,
        domain_id=domain_id,
        members=tuple(member(entry) if isinstance(entry, str) else entry for entry in members),
        agents=tuple(agents),
        quotas=dict(quotas or {}),
        problem=problem,
    )


def desired(
    *projects: Project,
    coverage: Coverage = COMPLETE,
    only: Iterable[str] | None = None,
    parent: str = PARENT,
    taken_at: datetime = NOON,
) -> DesiredInventory:
    return DesiredInventory(
        scope=Scope(parent, None if only is None else frozenset(only)),
        taken_at=taken_at,
        coverage=coverage,
        projects={entry.key: entry for entry in projects},
    )


# --- actual -----------------------------------------------------------------------------------------------


def domain(
    name: str,
    *,
    parent: str = PARENT,
    limits: Mapping[str, int] | None = None,
    network_domain: str | None = None,
    id: str | None = None,
) -> Domain:
    """A listed domain; `limits` None means that they were not read."""
    path = f"{parent}/{name}"
    return Domain(
        id=id or f"id:{path}",
        name=name,
        path=path,
        parent_id=f"id:{parent}",
        level=path.count("/"),
        network_domain=network_domain,
        limits=limits,
    )


def user(
    username: str,
    account: str,
    of: Domain,
    *,
    state: str = "enabled",
    source: str = "native",
    email: str = "",
) -> User:
    """The user that `member(username)` asks for."""
    return User(
        id=f"id:{of.path}:{username}",
        username=username,
        email=email or f"{username}@example.org",
        firstname=username.capitalize(),
        lastname="Doe",
        state=state,
        account_id=f"id:{of.path}:{account}",
        account=account,
        domain_id=of.id,
        source=source,
    )


def account(of: Domain, *users: User | str, name: str | None = None, state: str = "enabled") -> Account:
    called = name or of.name
    return Account(
        id=f"id:{of.path}:{called}",
        name=called,
        domain_id=of.id,
        state=state,
        role="User",
        users=tuple(user(entry, called, of) if isinstance(entry, str) else entry for entry in users),
    )


def vm(name: str, of: Domain, *, state: str = "Running", created: str = "2017-07-01") -> VirtualMachine:
    """A VM of a domain, listed or not."""
    return VirtualMachine(
        id=f"id:vm:{of.path}:{name}",
        name=name,
        state=state,
        domain_id=of.id,
        domain_path=of.path,
        account=of.name,
        created=created,
    )


def resource(name: str, of: Domain) -> OwnedResource:
    return OwnedResource(
        id=f"id:resource:{of.path}:{name}",
        name=name,
        state="Ready",
        domain_id=of.id,
        domain_path=of.path,
        account=of.name,
    )


def delete_job() -> RunningJob:
    return RunningJob("id:job", DELETE_DOMAIN, "2017-07-28T11:58:00+0000", "id:user:sync", "admin")


def actual(
    *domains: Domain,
    accounts: Iterable[Account] = (),
    vms: Iterable[VirtualMachine] = (),
    networks: Iterable[OwnedResource] = (),
    jobs: Iterable[RunningJob] | None = (),
    coverage: Coverage = COMPLETE,
    only: Iterable[str] | None = None,
    parent: str = PARENT,
    has_parent: bool = True,
    taken_at: datetime = NOON,
) -> ActualInventory:
    return ActualInventory(
        scope=Scope(parent, None if only is None else frozenset(only)),
        taken_at=taken_at,
        coverage=coverage,
        parent_id=f"id:{parent}" if has_parent else None,
        domains=domains,
        accounts=tuple(accounts),
        vms=tuple(vms),
        networks=tuple(networks),
        jobs=None if jobs is None else tuple(jobs),
        release="4.23",
        limits_taken_at=taken_at,
        users_taken_at=taken_at,
    )
