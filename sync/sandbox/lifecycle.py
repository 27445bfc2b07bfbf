"""What happens to a VM, its network and its volumes, step by step, with the time each step takes.

The commands and the clean-up of accounts are both made of these. Seconds are virtual; each can be overridden
by name in `World.service_times.overrides` ("expunge_vm", "stop_vm" …), as on hardware, where an expunge takes
minutes.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from sync.sandbox.jobs import Work
from sync.sandbox.records import Account, User, World
from sync.sandbox.records_machines import (
    CAPACITY_FLAG,
    Address,
    Network,
    Nic,
    Router,
    Template,
    VirtualMachine,
    Volume,
)

SECONDS = {
    "start_vm": 2.0,
    "implement_network": 1.5,
    "stop_vm": 1.0,
    "destroy_vm": 2.0,
    "clean_vm": 1.0,
    "expunge_vm": 1.5,
    "unplug_vm": 0.5,
    "delete_network": 2.0,
    "clean_account": 0.5,
    "snapshot": 1.75,
    "delete_snapshot": 0.1,
    "vm_snapshot": 1.0,
    "template": 0.4,
    "delete_template": 0.1,
    "extract": 0.4,
    "volume": 0.5,
    "project": 0.3,
    "tags": 0.1,
    "quick": 0.2,
}
"""Measured on the simulator as polls of jobs: one VM of a deletion takes about 6 s, its domain 2.5 s more."""
GIB = 1 << 30
PUBLIC_ADDRESSES = 4089
"""So many public addresses a zone has."""
ANY_PUBLIC_ADDRESS = "sandbox.any.public.address"
"""Setting: whether the zone has every address; in a captured world nobody knows its ranges."""
LIVE = ("Starting", "Running", "Stopping")


def seconds(world: World, step: str) -> float:
    """How long a step takes in this world."""
    return world.service_times.of(step, SECONDS[step])


# --- counting ------------------------------------------------------------------------------------------


def count_machine(world: World, vm: VirtualMachine, *, present: bool) -> None:
    """Take a VM into the resource counts, or out of them: Destroyed and failed ones do not count."""
    if vm.counted == present:
        return
    vm.counted = present
    sign = 1 if present else -1
    offering = world.offerings[vm.offering_id].row
    world.usage.add(vm.account_id, "vm", sign)
    world.usage.add(vm.account_id, "cpu", sign * offering["cpunumber"])
    world.usage.add(vm.account_id, "memory", sign * offering["memory"])


def count_volume(world: World, volume: Volume, *, sign: int) -> None:
    """Count a volume and its size as primary storage, or take it back."""
    world.usage.add(volume.account_id, "volume", sign)
    world.usage.add(volume.account_id, "primarystorage", sign * volume.size)


# --- networks ------------------------------------------------------------------------------------------


def default_network_domain(world: World, owner: Account) -> str:
    """A network's domain: the account's, else its domain's, else one of the account's number."""
    domain = world.domain_of(owner)
    return owner.network_domain or domain.network_domain or f"cs{owner.number:x}cloud.internal"


def implement(world: World, network: Network) -> None:
    """Give a network its VLAN, router and public address, as the start of its first VM does."""
    network.state = "Implemented"
    network.vlan = network.vlan or 100 + (network.number * 53) % 900
    if any(one.network_id == network.id for one in world.owned(network.account_id, "routers")):
        return
    number = world.next_number("vms")
    address = source_nat_of(world, network) or _new_source_nat(world, network)
    router = Router(
        id=world.new_id(),
        number=number,
        name=f"r-{number}-VM",
        account_id=network.account_id,
        network_id=network.id,
        host_id=pick(world, "hosts", number).id,
        link_local=f"169.254.{number % 250}.{2 + network.number % 250}",
        public_address=address.name,
        created=world.now(),
    )
    world.put("routers", router)
    for template in world.templates.values():
        if template.type == "SYSTEM":
            note_copy(world, template)


def source_nat_of(world: World, network: Network) -> Address | None:
    """The source NAT address of a network, where it has one."""
    own: list[Address] = world.owned(network.account_id, "addresses")
    return next((one for one in own if one.network_id == network.id and one.source_nat), None)


def _new_source_nat(world: World, network: Network) -> Address:
    address = Address(
        id=world.new_id(),
        number=world.next_number("addresses"),
        name=free_public_address(world),
        account_id=network.account_id,
        zone_id=network.zone_id,
        network_id=network.id,
        source_nat=True,
        created=world.now(),
    )
    world.put("addresses", address)
    world.usage.add(network.account_id, "ip", 1)
    return address


def free_public_address(world: World) -> str:
    """The next public address that nobody has."""
    taken = {one.name for one in world.addresses.values()}
    start = int(ipaddress.ip_address("192.168.0.4"))
    number = world.next_number("public_addresses") - 1
    while (found := str(ipaddress.ip_address(start + number % PUBLIC_ADDRESSES))) in taken:
        number += 1
    return found


def is_free_public_address(world: World, wanted: str) -> bool:
    """Whether the address is one of the zone's public ones and nobody has it."""
    try:
        number = int(ipaddress.ip_address(wanted)) - int(ipaddress.ip_address("192.168.0.4"))
    except ValueError:
        return False
    is_of_the_zone = 0 <= number < PUBLIC_ADDRESSES or world.settings.get(ANY_PUBLIC_ADDRESS) == "true"
    return is_of_the_zone and wanted not in {one.name for one in world.addresses.values()}


def remove_network(world: World, network: Network) -> None:
    """Delete a network with its router and its public addresses."""
    for router in list(world.owned(network.account_id, "routers")):
        if router.network_id == network.id:
            world.bury("routers", router.id)
    for address in list(world.owned(network.account_id, "addresses")):
        if address.network_id == network.id:
            release_address(world, address)
    network.state = "Destroy"
    world.bury("networks", network.id)
    world.usage.add(network.account_id, "network", -1)
    world.log_destroyed("network", network)


def release_address(world: World, address: Address) -> None:
    """Give a public address back."""
    world.bury("addresses", address.id)
    world.usage.add(address.account_id, "ip", -1)
    world.log_destroyed("address", address)


def nics_of(world: World, vm: VirtualMachine) -> list[Nic]:
    """The NICs of a VM, the default one first."""
    found = [world.nics[id] for id in vm.nic_ids if id in world.nics]
    return sorted(found, key=lambda nic: nic.device)


def free_address(world: World, network: Network, wanted: str | None) -> str | None:
    """The wanted guest address, or any free one; None if it is taken, outside, or nothing is free."""
    block = ipaddress.ip_network(network.cidr)
    taken = {nic.address for nic in world.nics.values() if nic.network_id == network.id} | {network.gateway}
    hosts = block.num_addresses - 2
    if wanted is not None:
        return wanted if wanted not in taken and _is_host(wanted, block) else None
    start = int(world.new_id()[:8], 16) % hosts
    for step in range(hosts):
        found = str(block[1 + (start + step) % hosts])
        if found not in taken:
            return found
    return None


def _is_host(address: str, block: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    return number in block and number not in (block.network_address, block.broadcast_address)


def add_nic(world: World, vm: VirtualMachine, network: Network, address: str) -> Nic:
    """Plug a VM into a network."""
    number = world.next_number("nics")
    nic = Nic(
        id=world.new_id(),
        number=number,
        vm_id=vm.id,
        network_id=network.id,
        address=address,
        mac=f"02:02:00:{network.number % 256:02x}:{number // 256 % 256:02x}:{number % 256:02x}",
        device=len(vm.nic_ids),
        is_default=not vm.nic_ids,
        created=world.now(),
    )
    world.put("nics", nic)
    vm.nic_ids.append(nic.id)
    return nic


def unplug(world: World, vm: VirtualMachine) -> None:
    """Take a VM out of all its networks."""
    for nic in nics_of(world, vm):
        world.bury("nics", nic.id)
    vm.nic_ids.clear()


# --- machines ------------------------------------------------------------------------------------------


def pick(world: World, table: str, number: int) -> Any:
    """One of a table's records, in turn."""
    found = list(world.table(table).values())
    return found[number % len(found)]


def volumes_of(world: World, vm: VirtualMachine) -> list[Volume]:
    """The volumes attached to a VM, its root first."""
    found = [one for one in world.owned(vm.account_id, "volumes") if one.vm_id == vm.id]
    return sorted(found, key=lambda one: one.device or 0)


def note_copy(world: World, template: Template) -> None:
    """A first VM leaves a copy of the template on primary storage."""
    if not template.primary_pools:
        template.primary_pools.append(next(iter(world.pools)))


def start_steps(world: World, vm: VirtualMachine) -> Work:
    """Starting → Running; the first VM of a network waits for its router."""
    _enter(world, vm, "Starting")
    for nic in nics_of(world, vm):
        network = world.networks.get(nic.network_id)
        if network is not None and network.state != "Implemented":
            yield seconds(world, "implement_network")
            if network.removed is None:
                implement(world, network)
    yield seconds(world, "start_vm")
    if vm.state == "Starting" and vm.removed is None:
        vm.host_id = vm.last_host_id or pick(world, "hosts", vm.number).id
        vm.last_host_id = vm.host_id
        _enter(world, vm, "Running")
    return None


def stop_steps(world: World, vm: VirtualMachine) -> Work:
    """Running → Stopping → Stopped; nothing happens to a VM that does not run."""
    if vm.state not in LIVE:
        return None
    _enter(world, vm, "Stopping")
    yield seconds(world, "stop_vm")
    if vm.state == "Stopping" and vm.removed is None:
        halt(world, vm)
    return None


def halt(world: World, vm: VirtualMachine) -> None:
    """Note that a VM has stopped; it keeps the detail CloudStack leaves on it."""
    vm.host_id = None
    vm.details[CAPACITY_FLAG] = "false"
    _enter(world, vm, "Stopped")


def destroy_steps(world: World, vm: VirtualMachine) -> Work:
    """→ Stopped → Destroyed, from where it can be recovered. A VM in Error has nothing to recover."""
    yield from stop_steps(world, vm)
    yield seconds(world, "destroy_vm")
    if vm.removed is None and vm.state not in ("Destroyed", "Expunging"):
        destroyed = "Expunging" if vm.state == "Error" else "Destroyed"
        count_machine(world, vm, present=False)
        vm.destroyed_at = world.now()
        _enter(world, vm, destroyed)
    return None


def expunge_steps(world: World, vm: VirtualMachine) -> Work:
    """Destroyed → Expunging → gone, with its root volume and its VM snapshots; data volumes are detached."""
    yield seconds(world, "expunge_vm")
    if vm.removed is not None:
        return None
    unplug(world, vm)
    _enter(world, vm, "Expunging")
    yield seconds(world, "unplug_vm")
    if vm.removed is None:
        remove_machine(world, vm)
    return None


def remove_machine(world: World, vm: VirtualMachine) -> None:
    """Take a VM out of the tables for good."""
    count_machine(world, vm, present=False)
    unplug(world, vm)
    for volume in volumes_of(world, vm):
        if volume.type == "ROOT":
            remove_volume(world, volume)
        else:
            volume.vm_id, volume.device, volume.attached = None, None, None
    for shot in list(world.owned(vm.account_id, "vm_snapshots")):
        if shot.vm_id == vm.id:
            world.bury("vm_snapshots", shot.id)
            world.log_destroyed("vm_snapshot", shot)
    remove_tags(world, vm.id, vm.account_id)
    world.bury("vms", vm.id)
    world.log_destroyed("vm", vm)


def remove_volume(world: World, volume: Volume) -> None:
    """Take a volume out of the tables for good; its snapshots stay."""
    count_volume(world, volume, sign=-1)
    volume.state = "Expunged"
    for policy in [one for one in world.snapshot_policies.values() if one.volume_id == volume.id]:
        world.bury("snapshot_policies", policy.id)
    remove_tags(world, volume.id, volume.account_id)
    world.bury("volumes", volume.id)
    world.log_destroyed("volume", volume)


def remove_tags(world: World, resource_id: str, account_id: str) -> None:
    """Drop the tags of a resource."""
    for tag in list(world.owned(account_id, "tags")):
        if tag.resource_id == resource_id:
            world.bury("tags", tag.id)


def remove_snapshot(world: World, snapshot: Any) -> None:
    """Delete a volume snapshot."""
    world.bury("snapshots", snapshot.id)
    world.usage.add(snapshot.account_id, "snapshot", -1)
    world.log_destroyed("snapshot", snapshot)


def remove_template(world: World, template: Template, *, table: str = "templates") -> None:
    """Delete a template or an ISO."""
    world.bury(table, template.id)
    world.usage.add(template.account_id, "template", -1)
    world.usage.add(template.account_id, "secondarystorage", -template.counted_size)
    world.log_destroyed("template" if table == "templates" else "iso", template)


def _enter(world: World, vm: VirtualMachine, state: str) -> None:
    vm.state = state
    vm.updated = world.now()


def first_user(world: World, owner: Account, caller: User) -> User:
    """The user a new VM belongs to: the caller for itself and for Projects, else the owner's first user."""
    users = sorted(world.users_of(owner.id), key=lambda user: user.number)
    return caller if caller.account_id == owner.id or not users else users[0]
