"""What a restore is about, as values: what is planned, what is left with its reason, which addresses changed.

Pure. `restore` makes them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sync.corpses import below
from sync.model import Action, ActualInventory, VirtualMachine, project_key


@dataclass(frozen=True, slots=True)
class Left:
    """One object of before that is not made again, and why."""

    type: str
    """A name of `object_types`."""
    project: str
    name: str
    path: str
    """Of the domain that it was in."""
    why: str
    """In words, without a full stop."""


@dataclass(frozen=True, slots=True)
class AddressChange:
    """A VM that is not, or will not be, where it was: whoever connects to the old address with a key, meets
    nobody or somebody else."""

    project: str
    vm: str
    old: str
    now: str = ""
    """Empty where CloudStack will choose it, or no VM is there."""
    taken_by: str = ""
    """Whose machine answers at the old address, in words; empty when nobody's is known."""
    why: str = ""
    """Why the old one cannot be had, where that is not plain."""

    @property
    def words(self) -> str:
        where = f"is at {self.now} now" if self.now else "has another one, or none"
        why = f" ({self.why})" if self.why else ""
        risk = f"; {self.old} belongs to {self.taken_by} now: a credential risk" if self.taken_by else ""
        return f"VM {self.vm} of {self.project} was at {self.old}, {where}{why}{risk}"


@dataclass(frozen=True, slots=True)
class Restoration:
    """What is to be done, and all that is not."""

    actions: tuple[Action, ...] = ()
    left: tuple[Left, ...] = ()
    there: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Type → how many of before are there still, or again under their name."""
    addresses: tuple[AddressChange, ...] = ()
    """Of what is planned: addresses that cannot be kept."""

    @property
    def total(self) -> int:
        """All objects of before that were looked at."""
        return len(self.actions) + len(self.left) + sum(self.there.values())


def ranges_of(before: ActualInventory) -> dict[str, tuple[str, str]]:
    """Path of each network, in lower case → its gateway and netmask: what a rebuild gives it again."""
    found = {}
    for one in before.networks:
        gateway, netmask = one.details.get("gateway", ""), one.details.get("netmask", "")
        if gateway and netmask:
            found[f"{one.domain_path}/{one.name}".casefold()] = (gateway, netmask)
    return found


def moved(
    before: ActualInventory, now: ActualInventory, projects: frozenset[str] | None = None
) -> tuple[AddressChange, ...]:
    """VMs of before that are not at their address any more, and whose address is whose now.

    Guest networks are isolated and may use the same addresses: another's machine counts only where an address
    is unique in the cloud. A VM that is not there again is named only where somebody else has its address.
    """
    by_id = {vm.id: vm for vm in now.vms}
    by_name = {(vm.domain_path.casefold(), vm.name.casefold()): vm for vm in now.vms}
    holders: defaultdict[str, list[VirtualMachine]] = defaultdict(list)
    for vm in now.vms:
        for address in vm.addresses:
            holders[address].append(vm)
    found = []
    for vm in before.vms:
        names = below(vm.domain_path, before.scope.parent)
        key = project_key(names[0]) if names else ""
        if not key or (projects is not None and key not in projects):
            continue
        same = by_id.get(vm.id) or by_name.get((vm.domain_path.casefold(), vm.name.casefold()))
        found += list(_changes(key, vm, same, holders))
    return tuple(sorted(found, key=lambda one: (not one.taken_by, one.project, one.vm, one.old)))


def _changes(
    key: str, vm: VirtualMachine, same: VirtualMachine | None, holders: Mapping[str, list[VirtualMachine]]
) -> Iterator[AddressChange]:
    now = same.addresses if same is not None else ()
    for address in vm.addresses:
        others = [one for one in holders.get(address, ()) if same is None or one.id != same.id]
        taken_by = f"VM {others[0].name} of {others[0].domain_path}" if len(others) == 1 else ""
        if address not in now and (same is not None or taken_by):
            yield AddressChange(key, vm.name, address, ", ".join(now), taken_by)
