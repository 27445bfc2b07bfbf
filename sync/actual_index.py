"""What CloudStack has, by project: each domain below the parent with all that lies in it, and what is left of
domains that are not listed any more. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import TypeVar

from sync.corpses import below
from sync.model import (
    Account,
    ActualInventory,
    Domain,
    DomainView,
    OwnedResource,
    Scope,
    VirtualMachine,
    project_key,
)

_RESOURCES = ("volumes", "snapshots", "templates", "isos", "networks", "projects")
"""Lists of `ActualInventory` that a `DomainView` has under the same name."""


@dataclass(slots=True)
class Corpse:
    """A domain that is not listed any more, and what still names it."""

    path: str
    domain_id: str = ""
    """Empty when only things of its sub-domains are left and nothing tells its own id."""
    vms: list[VirtualMachine] = field(default_factory=list)
    subdomains: list[Domain] = field(default_factory=list)
    """Still listed below it, which proves that CloudStack still has its row and with it its name."""

    @property
    def claim(self) -> tuple[bool, str, str]:
        """The likeliest holder of the name has the highest: a row for sure, else the youngest VM."""
        return (bool(self.subdomains), max((vm.created for vm in self.vms), default=""), self.domain_id)


@dataclass(slots=True)
class ActualIndex:
    """Everything by key, indexed once, by the id of the domain that owns it."""

    actual: ActualInventory
    listed: set[str] = field(default_factory=set)
    owner: dict[str, str] = field(default_factory=dict)
    """Id of a listed domain below the parent → id of the project's domain that it is or lies in."""
    tops: dict[str, list[Domain]] = field(default_factory=dict)
    subdomains: dict[str, list[Domain]] = field(default_factory=dict)
    accounts: dict[str, list[Account]] = field(default_factory=dict)
    vms: dict[str, list[VirtualMachine]] = field(default_factory=dict)
    resources: dict[str, dict[str, list[OwnedResource]]] = field(default_factory=dict)
    """List name → owner → rows. An owner that is not listed stands under its own id."""
    corpses: dict[str, list[Corpse]] = field(default_factory=dict)

    @property
    def is_deletion_running(self) -> bool:
        """Whether a job deletes some domain; so it is taken to be where jobs could not be read."""
        jobs = self.actual.jobs
        return jobs is None or any(job.deletes_domain for job in jobs)

    def view(self, domain: Domain) -> DomainView:
        """What CloudStack has of one project."""
        key = domain.id
        return DomainView(
            domain_id=key,
            path=domain.path,
            domain=domain,
            accounts=tuple(map(_with_sorted_users, _sorted(self.accounts.get(key)))),
            subdomains=_sorted(self.subdomains.get(key)),
            vms=_sorted(self.vms.get(key)),
            **{name: _sorted(rows[key]) for name, rows in self.resources.items() if key in rows},
        )

    def dying_view(self, corpse: Corpse) -> DomainView:
        """What still tells of a domain that is no longer listed."""
        ids = sorted({corpse.domain_id, *(vm.domain_id for vm in corpse.vms)} - self.listed)
        return DomainView(
            domain_id=corpse.domain_id,
            path=corpse.path,
            domain=None,
            accounts=(),
            subdomains=_sorted(corpse.subdomains),
            vms=_sorted(corpse.vms),
            **{
                name: _sorted([row for domain in ids for row in rows.get(domain, ())])
                for name, rows in self.resources.items()
            },
        )


_Named = TypeVar("_Named", Account, Domain, VirtualMachine, OwnedResource)


_BY_NAME = attrgetter("name", "id")


def _sorted(rows: list[_Named] | None) -> tuple[_Named, ...]:
    """By name, then id: CloudStack promises no order."""
    if not rows:
        return ()
    if len(rows) > 1:
        rows.sort(key=_BY_NAME)
    return tuple(rows)


def _with_sorted_users(account: Account) -> Account:
    names = [user.username for user in account.users]
    if names == sorted(names):
        return account
    return replace(account, users=tuple(sorted(account.users, key=attrgetter("username", "id"))))


def index_of(actual: ActualInventory, scope: Scope) -> ActualIndex:
    world = ActualIndex(actual, listed={domain.id for domain in actual.domains})
    _index_domains(world, scope)
    owner = world.owner
    for account in actual.accounts:
        if account.domain_id in owner:
            world.accounts.setdefault(owner[account.domain_id], []).append(account)
    for vm in actual.vms:
        if vm.domain_id in owner:
            world.vms.setdefault(owner[vm.domain_id], []).append(vm)
        elif vm.domain_id not in world.listed:
            _bury(world, vm, scope)
    for name in _RESOURCES:
        rows: dict[str, list[OwnedResource]] = {}
        for row in getattr(actual, name):
            rows.setdefault(owner.get(row.domain_id, row.domain_id), []).append(row)
        if rows:
            world.resources[name] = rows
    for key, corpses in world.corpses.items():
        world.corpses[key] = _settle(corpses, has_living=key in world.tops)
    return world


def _index_domains(world: ActualIndex, scope: Scope) -> None:
    deeper: list[tuple[str, list[str], Domain]] = []
    for domain in world.actual.domains:
        names = below(domain.path, scope.parent)
        if not names:
            continue
        key = project_key(names[0])
        if not scope.covers(key):
            continue
        if len(names) > 1:
            deeper.append((key, names, domain))
        else:
            world.tops.setdefault(key, []).append(domain)
            world.owner[domain.id] = domain.id
    for key, names, domain in deeper:
        tops = world.tops.get(key)
        if tops:
            top = next((top for top in tops if top.name == names[0]), tops[0])
            world.owner[domain.id] = top.id
            world.subdomains.setdefault(top.id, []).append(domain)
        else:
            domain_id = domain.parent_id or "" if len(names) == 2 else ""
            corpse = _corpse(world, key, f"{scope.parent}/{names[0]}", domain_id)
            corpse.subdomains.append(domain)


def _bury(world: ActualIndex, vm: VirtualMachine, scope: Scope) -> None:
    """File a VM under the unlisted domain that its path still names."""
    names = below(vm.domain_path, scope.parent)
    if not names or not scope.covers(project_key(names[0])):
        return
    key = project_key(names[0])
    if len(names) == 1:
        corpse = _corpse(world, key, vm.domain_path, vm.domain_id)
    else:
        corpse = _corpse(world, key, f"{scope.parent}/{names[0]}", "")
    corpse.vms.append(vm)


def _corpse(world: ActualIndex, key: str, path: str, domain_id: str) -> Corpse:
    corpses = world.corpses.setdefault(key, [])
    for corpse in corpses:
        if corpse.domain_id == domain_id:
            return corpse
    corpses.append(Corpse(path, domain_id))
    return corpses[-1]


def _settle(corpses: list[Corpse], *, has_living: bool) -> list[Corpse]:
    """The likeliest holder of the name first; what is left of sub-domains goes to it where nothing lives."""
    ranked = sorted(corpses, key=lambda corpse: corpse.claim, reverse=True)
    nameless = next((corpse for corpse in ranked if not corpse.domain_id), None)
    named = [corpse for corpse in ranked if corpse.domain_id]
    if nameless is None or has_living or not named:
        return ranked
    named[0].vms.extend(nameless.vms)
    named[0].subdomains.extend(nameless.subdomains)
    return named
