"""What a restore finds: the scene of before and of now, looked up by id and by name. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from sync.archives import Archives
from sync.corpses import below
from sync.model import Account, ActualInventory, Domain, OwnedResource, VirtualMachine, project_key
from sync.restoration import REBUILD_FIRST
from sync.stock import WAITING, Entry, GuestNetwork, Image, PublicAddress, Stock


class NotPossibleError(Exception):
    """Why one object cannot be made again, in words; caught where it is listed."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a restore may use."""

    stock: Stock
    archives: Archives = field(default_factory=Archives)
    is_served: bool = False
    """Whether the archives' files can be served to CloudStack."""
    projects: frozenset[str] | None = None
    """Keys, where only some projects are restored."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where an object goes: the domain and account of the same name as they are now."""

    domain: Domain
    account: Account
    project: str
    """Key."""

    def target(self, name: str) -> str:
        return f"{self.domain.path}:{self.account.name}:{name}"


class Scene:
    """Both readings and the stock, by id and by name."""

    def __init__(self, before: ActualInventory, now: ActualInventory, means: Means) -> None:
        self.before = before
        self.release = now.release
        self.means = means
        self.stock = means.stock
        self.paths_before = {domain.id: domain.path for domain in before.domains}
        self.domains = {domain.path.casefold(): domain for domain in now.domains}
        self.listed = {domain.id for domain in now.domains}
        self.accounts = {(one.domain_id, one.name.casefold()): one for one in now.accounts}
        self.machines = {vm.id: vm for vm in now.vms}
        self.templates_before = {one.id: one for one in before.templates}
        self.networks_before = {one.id: one for one in before.networks}
        self._ids = {
            "network": _ids(now.networks),
            "public address": _ids(now.public_addresses),
            "template": _ids(now.templates),
            "ISO": _ids(now.isos),
            "volume": _ids(now.volumes),
            "snapshot": _ids(now.snapshots),
            "CloudStack Project": _ids(now.projects),
        }
        self._machines_named: defaultdict[tuple[str, str], list[VirtualMachine]] = defaultdict(list)
        for vm in now.vms:
            self._machines_named[vm.domain_id, vm.name.casefold()].append(vm)
        self._networks = {(one.domain_id, one.name.casefold()): one for one in self.stock.networks}
        self._networks_by_id = {one.id: one for one in self.stock.networks}
        self._addresses = {(one.zone, one.address): one for one in self.stock.public_addresses}
        self._source_nats = {
            one.network_id: one.address
            for one in self.stock.public_addresses
            if one.is_source_nat and one.network_id
        }
        self._images = {"template": _by_owner(self.stock.templates), "ISO": _by_owner(self.stock.isos)}
        self._ready = {one.id: one for one in self.stock.templates if one.is_ready}

    def has(self, type_name: str, id: str) -> bool:
        """Whether the very object of before is there now, if only until the deletion of its domain ends."""
        return id in self._ids[type_name]

    def lives(self, type_name: str, one: OwnedResource) -> bool:
        """Whether the very object of before is there now, and in the domain that has its name: not in an old
        one that is being deleted, or was renamed out of the way."""
        domain = self.domains.get(one.domain_path.casefold())
        return domain is not None and self._ids[type_name].get(one.id) == domain.id

    def project_of(self, path: str) -> str:
        """Key of the project that a domain is of; empty for what is not looked at."""
        names = below(path, self.before.scope.parent)
        key = project_key(names[0]) if names else ""
        return key if self.means.projects is None or key in self.means.projects else ""

    def home(self, path: str, account: str | None, cloud_project: str | None) -> Home:
        """Where what was there goes now. Raises NotPossibleError."""
        if cloud_project:
            raise NotPossibleError(f"the CloudStack Project {cloud_project} owned it, which is made by hand")
        domain = self.domains.get(path.casefold())
        if domain is None:
            is_below = len(below(path, self.before.scope.parent)) > 1
            how = "the CI database does not know it: make it by hand" if is_below else REBUILD_FIRST
            raise NotPossibleError(f"its domain is not there ({how})")
        found = self.accounts.get((domain.id, (account or "").casefold()))
        if found is None:
            raise NotPossibleError(f"the domain has no account {account or '(unknown)'} ({REBUILD_FIRST})")
        if found.state.casefold() != "enabled":
            raise NotPossibleError(f"the account {found.name} is {found.state}")
        return Home(domain, found, self.project_of(path))

    def zone(self, name: str) -> str:
        """The zone's name, where it is there. Raises NotPossibleError."""
        if not any(zone.name == name for zone in self.stock.zones):
            raise NotPossibleError(f"there is no zone {name or '(unknown)'} any more")
        return name

    def network(self, domain_id: str, name: str) -> GuestNetwork | None:
        return self._networks.get((domain_id, name.casefold()))

    def network_by_id(self, id: str) -> GuestNetwork | None:
        return self._networks_by_id.get(id)

    def public_address(self, zone: str, address: str) -> PublicAddress | None:
        """Who has it, wherever in the cloud; None for one that nobody has."""
        return self._addresses.get((zone, address))

    def source_nat(self, network_id: str) -> str:
        """The source NAT address of a network; empty where it has none."""
        return self._source_nats.get(network_id, "")

    def image(self, type_name: str, home: Home, name: str) -> Image | None:
        """The template or ISO of that name that the account has now, a whole one before one that is not."""
        mine = self._images[type_name].get((home.domain.id, home.account.name.casefold(), name), ())
        return min(mine, key=lambda one: (not one.is_ready, one.state != WAITING), default=None)

    def ready_template(self, id: str) -> Image | None:
        """The template of that id, whoever owns it, where VMs can be made of it."""
        return self._ready.get(id)

    def machines_named(self, home: Home, name: str) -> list[VirtualMachine]:
        return self._machines_named[home.domain.id, name.casefold()]


def _ids(rows: Iterable[OwnedResource]) -> dict[str, str]:
    return {one.id: one.domain_id for one in rows}


def _by_owner(images: Iterable[Image]) -> dict[tuple[str, str, str], list[Image]]:
    found: dict[tuple[str, str, str], list[Image]] = {}
    for one in images:
        found.setdefault((one.domain_id, one.account.casefold(), one.name), []).append(one)
    return found


def entry(entries: Iterable[Entry], id: str, name: str) -> Entry | None:
    """The entry of that id, else the first of that name."""
    given = tuple(entries)
    by_id = next((one for one in given if one.id == id), None)
    return by_id or next((one for one in given if name and one.name == name), None)
