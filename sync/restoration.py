"""What a restore is about, as values: what is planned, what is left with its reason, which addresses changed.

Pure. `restore` makes them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from sync.corpses import below
from sync.headline import unread
from sync.model import (
    Action,
    ActionKind,
    ActualInventory,
    Drift,
    OwnedResource,
    Side,
    VirtualMachine,
    project_key,
)
from sync.stock import PublicAddress, owner_words

REBUILT = "`abreast rebuild` makes it"
"""Why a restore leaves something: it is a rebuild's."""
REBUILD_FIRST = "rebuild it first"
"""Why it cannot be made yet."""
UNREAD_ADDRESSES = "Who has which public address in the whole cloud could not be read"


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
    """A VM that is not, or will not be, where it was, or a public address that its project does not have any
    more: whoever connects to the old one with a key, meets nobody or somebody else."""

    project: str
    vm: str
    """Empty for a public address."""
    old: str
    now: str = ""
    """Empty where CloudStack will choose it, or no VM is there."""
    taken_by: str = ""
    """Whose machine answers at the old address, in words; empty when nobody's is known."""
    why: str = ""
    """Why the old one cannot be had, where that is not plain."""
    network: str | None = None
    """Of a public address the network that it was of; None for a VM's own."""

    @property
    def words(self) -> str:
        if self.network is not None:
            return self._words_of_public
        where = f"is at {self.now} now" if self.now else "has another one, or none"
        why = f" ({self.why})" if self.why else ""
        risk = f"; {self.old} belongs to {self.taken_by} now: a credential risk" if self.taken_by else ""
        return f"VM {self.vm} of {self.project} was at {self.old}, {where}{why}{risk}"

    @property
    def _words_of_public(self) -> str:
        of = f" (network {self.network})" if self.network else ""
        what = f"public address {self.old} of {self.project}{of}"
        trust = "DNS records, known hosts and allow-lists still name it: a credential risk"
        if self.taken_by:
            return f"{what} belongs to {self.taken_by} now; {trust}"
        why = f" ({self.why})" if self.why else ""
        return f"{what} is not the project's any more{why}; {trust} with whoever gets it next"


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

    @property
    def reasons(self) -> tuple[tuple[str, str, tuple[str, ...]], ...]:
        """What is left, by type and reason: the type, why, and which (`project/name`)."""
        grouped: dict[tuple[str, str], list[str]] = {}
        for one in self.left:
            grouped.setdefault((one.type, one.why), []).append(f"{one.project}/{one.name}")
        return tuple((type_name, why, tuple(names)) for (type_name, why), names in grouped.items())


_FIRST = frozenset({ActionKind.CREATE_NETWORK, ActionKind.TAKE_ADDRESS})


def in_stages(actions: Sequence[Action]) -> tuple[tuple[Action, ...], ...]:
    """The actions in runs, one after the other: addresses are taken before a VM starts in their network, or
    CloudStack would choose it a source NAT address of its own. An address that cannot be had holds up no VM.
    """
    first: dict[str, Action] = {}
    for action in sorted(actions, key=lambda one: one.kind is ActionKind.TAKE_ADDRESS):
        if action.kind in _FIRST and all(need in first for need in action.needs):
            first[action.id] = action
    rest = tuple(
        replace(action, needs=tuple(need for need in action.needs if need not in first))
        for action in actions
        if action.id not in first
    )
    if not rest or not any(action.kind is ActionKind.TAKE_ADDRESS for action in first.values()):
        return (tuple(actions),) if actions else ()
    return tuple(first.values()), rest


def ranges_of(before: ActualInventory) -> dict[str, tuple[str, str]]:
    """Path of each network, in lower case → its gateway and netmask: what a rebuild gives it again."""
    found = {}
    for one in before.networks:
        gateway, netmask = one.details.get("gateway", ""), one.details.get("netmask", "")
        if gateway and netmask:
            found[f"{one.domain_path}/{one.name}".casefold()] = (gateway, netmask)
    return found


def moved(
    before: ActualInventory,
    now: ActualInventory,
    projects: frozenset[str] | None = None,
    *,
    elsewhere: Iterable[PublicAddress] = (),
) -> tuple[AddressChange, ...]:
    """VMs of before that are not at their address any more, public addresses that their project has lost,
    and whose each is now; `elsewhere` are the public addresses of the whole cloud, where they were read.

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
    found += _lost_addresses(before, now, projects, elsewhere)
    return tuple(sorted(found, key=lambda one: (not one.taken_by, one.project, one.vm, one.old)))


def not_seen(after: Drift, *, elsewhere: str = "") -> tuple[str, ...]:
    """What could not be read for a conclusion, and what is not known by that: whole sentences, each of which
    says that something which is not told may be all the same. `elsewhere` is why the public addresses of the
    whole cloud were not read; empty when they were."""
    said = []
    if not after.actual.is_complete:
        said.append(
            f"{unread(Side.ACTUAL, after.actual)} Whose addresses changed, and what has a new id, is told "
            "only of what was seen."
        )
    if elsewhere:
        said.append(
            f"{UNREAD_ADDRESSES}: {elsewhere.rstrip('.')}. An address that is not named here may belong to "
            "somebody else all the same."
        )
    if not after.desired.is_complete:
        said.append(
            f"{unread(Side.DESIRED, after.desired)} Which of Jenkins' agents are not where it looks for "
            "them is told only of what was seen."
        )
    return tuple(said)


def _changes(
    key: str, vm: VirtualMachine, same: VirtualMachine | None, holders: Mapping[str, list[VirtualMachine]]
) -> Iterator[AddressChange]:
    now = same.addresses if same is not None else ()
    for address in vm.addresses:
        others = [one for one in holders.get(address, ()) if same is None or one.id != same.id]
        taken_by = f"VM {others[0].name} of {others[0].domain_path}" if len(others) == 1 else ""
        if address not in now and (same is not None or taken_by):
            yield AddressChange(key, vm.name, address, ", ".join(now), taken_by)


def _lost_addresses(
    before: ActualInventory,
    now: ActualInventory,
    projects: frozenset[str] | None,
    elsewhere: Iterable[PublicAddress],
) -> Iterator[AddressChange]:
    """Those that nobody is seen to have only where all was read and their domain is there: what is lost with
    its domain is in the loss ledger."""
    is_read = now.coverage.is_complete
    domains = {domain.path.casefold() for domain in now.domains} if is_read else set()
    elsewhere = tuple(elsewhere)
    holders = {one.address: one.owner for one in elsewhere}
    for row in now.public_addresses:
        holders.setdefault(row.name, owner_words(row.account, row.project, row.domain_path))
    kept = {_owned_address(one) for one in now.public_addresses}
    # What its old domain still has, renamed or not, is nobody else's.
    still = {(one.address, one.domain_id) for one in elsewhere}
    still |= {(one.name, one.domain_id) for one in now.public_addresses}
    for one in before.public_addresses:
        names = below(one.domain_path, before.scope.parent)
        key = project_key(names[0]) if names else ""
        if not key or (projects is not None and key not in projects) or _owned_address(one) in kept:
            continue
        if (one.name, one.domain_id) in still:
            continue
        taken_by = holders.get(one.name, "")
        if taken_by or one.domain_path.casefold() in domains:
            network = one.details.get("associatednetworkname", "")
            yield AddressChange(key, "", one.name, taken_by=taken_by, network=network)


def _owned_address(one: OwnedResource) -> tuple[str, str, str]:
    return one.name, one.domain_path.casefold(), (one.project or one.account or "").casefold()
