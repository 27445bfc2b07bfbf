"""deployVirtualMachine: the checks on the way, the address, and the VM in Error that a refused one leaves."""

from __future__ import annotations

import re
from typing import Any

from sync.sandbox import lifecycle, limits
from sync.sandbox.commands.common_machines import check_machine, event, ids_of, refuse_closed, zone_of
from sync.sandbox.commands.networks import network_for
from sync.sandbox.commands.views_machines import modern, vm_row
from sync.sandbox.engine import Call, command
from sync.sandbox.errors import ApiError, invalid, not_permitted, refused_parameter, unknown_entity
from sync.sandbox.jobs import Queued, Work
from sync.sandbox.records import Account
from sync.sandbox.records_machines import Network, Template, VirtualMachine, Volume

NAME = re.compile(r"(?![0-9-])[A-Za-z0-9-]{1,63}(?<!-)")
NAME_RULE = (
    "can contain ASCII letters 'a' through 'z', the digits '0' through '9', and the hyphen ('-'), must be "
    "between 1 and 63 characters long, and can't start or end with \"-\" and can't start with digit"
)


@command(
    "deployVirtualMachine",
    required=("serviceofferingid", "templateid", "zoneid"),
    entities={
        "serviceofferingid": "offerings",
        "templateid": ("templates", "isos"),
        "zoneid": "zones",
        "domainid": "domains",
        "projectid": "projects",
        "diskofferingid": "disk_offerings",
        "hostid": "hosts",
    },
    job="admin.vm.DeployVMCmdByAdmin",
    instance="VirtualMachine",
)
def deploy_virtual_machine(call: Call) -> Work:
    """Check, create the VM with its NICs and volumes, then start it in the job."""
    world = call.world
    owner = call.owner()
    if owner.state == "disabled":
        raise not_permitted(f"The owner of vm to deploy is disabled: {owner.name}")
    refuse_closed(call, zone_of(call))
    _check_name(call)
    offering = world.offerings.get(call.params["serviceofferingid"])
    if offering is None:
        raise unknown_entity(call.command.name, "serviceofferingid", call.params["serviceofferingid"])
    check_machine(world, owner, offering.row)
    template = world.find("templates", call.params["templateid"]) or world.find(
        "isos", call.params["templateid"]
    )
    if not isinstance(template, Template):
        raise unknown_entity(call.command.name, "templateid", call.params["templateid"])
    if template.removed is not None:
        raise invalid(f"Unable to use template {template.id}")
    if not template.ready:
        # Not recorded: the simulator has every template at once.
        raise invalid(f"Template {template.name} has not been completely downloaded to zone {zone_of(call)}")
    limits.check(world, owner, "volume", 2 if "diskofferingid" in call.params else 1)
    limits.check(world, owner, "primarystorage", _root_size(call, template))
    networks = _networks(call, owner)
    vm = _record(call, owner, template)
    _check_unique(call, vm, networks)
    _plug(call, vm, networks)
    _add_root(call, vm, template)
    if call.boolean("startvm", True):
        vm.state = "Starting"
    yield Queued(entity_id=vm.id, instance_id=vm.id, event=_event(call, vm))
    if call.boolean("startvm", True):
        yield from lifecycle.start_steps(world, vm)
    else:
        yield lifecycle.seconds(world, "quick")
    if vm.removed is not None or vm.state not in ("Running", "Stopped"):
        raise ApiError(530, f"Unable to start a VM due to concurrent operation: {vm.instance_name}")
    return {"virtualmachine": vm_row(world, vm)}


def _event(call: Call, vm: VirtualMachine) -> Any:
    return event(
        call,
        "VM.CREATE",
        (f"Starting Instance with ID: {vm.id}", f"starting Vm. Vm Id: {vm.id}"),
        (f"deploying Vm. Instance ID: {vm.id}", f"deploying Vm. Vm Id: {vm.id}"),
        owner_id=vm.account_id,
        resource=vm,
        resource_type="VirtualMachine",
    )


def _check_name(call: Call) -> None:
    name = call.params.get("name")
    if name is None or NAME.fullmatch(name):
        return
    if modern(call.world):
        why = f"invalid value. Invalid value provided for API arg: name - it {NAME_RULE}"
        raise refused_parameter(call.command.name, why)
    raise invalid(f"Invalid name. Vm name {NAME_RULE}")


def _networks(call: Call, owner: Account) -> list[Network]:
    asked = ids_of(call, "networkids", "networks")
    for entry in call.map_of("iptonetworklist"):
        asked.append(call.world.networks[entry["networkid"]])
    for network in asked:
        if network.removed is not None:
            raise invalid(f"Unable to find network by id {network.id}")
        if network.account_id != owner.id:
            raise not_permitted(f"Unable to use network with id= {network.id}, permission denied")
    return asked or [network_for(call.world, owner, zone_of(call))]


def _record(call: Call, owner: Account, template: Template) -> VirtualMachine:
    world = call.world
    number = world.next_number("vms")
    id = world.new_id()
    name = call.params.get("name") or f"VM-{id}"
    return VirtualMachine(
        id=id,
        number=number,
        name=name,
        display_name=call.params.get("displayname") or name,
        instance_name=f"i-{owner.number}-{number}-VM",
        account_id=owner.id,
        user_id=lifecycle.first_user(world, owner, call.caller).id,
        zone_id=zone_of(call),
        template_id=template.id,
        offering_id=call.params["serviceofferingid"],
        os_type_id=template.os_type_id or next(iter(world.os_types)),
        display=call.boolean("displayvm", True),
        details={key: value for one in call.map_of("details") for key, value in one.items()},
        key_pairs=[
            one for one in (call.params.get("keypairs") or call.params.get("keypair", "")).split(",") if one
        ],
        group=call.params.get("group"),
        created=world.now(),
        updated=world.now(),
        counted=False,
        last_host_id=call.params.get("hostid"),
    )


def _check_unique(call: Call, vm: VirtualMachine, networks: list[Network]) -> None:
    world = call.world
    domains = {network.network_domain: network for network in networks}
    for nic in world.nics.values():
        other = world.vms.get(nic.vm_id)
        network = world.networks.get(nic.network_id)
        if other is None or network is None or other.name != vm.name:
            continue
        mine = domains.get(network.network_domain)
        if mine is not None:
            shown = (
                mine.name if modern(world) else f"Ntwk[{mine.number}|Guest|{_offering_number(call, mine)}]"
            )
            raise invalid(
                f"The vm with hostName {vm.name} already exists in the network domain: "
                f"{mine.network_domain}; network={shown}"
            )


def _offering_number(call: Call, network: Network) -> int:
    return int(call.world.network_offerings[network.offering_id].number)


def _plug(call: Call, vm: VirtualMachine, networks: list[Network]) -> None:
    world = call.world
    wanted = {entry["networkid"]: entry.get("ip") for entry in call.map_of("iptonetworklist")}
    wanted.setdefault(networks[0].id, call.params.get("ipaddress"))
    for network in networks:
        address = lifecycle.free_address(world, network, wanted.get(network.id))
        if address is None:
            _leave_in_error(call, vm)
            raise _no_address(call, network)
        lifecycle.add_nic(world, vm, network, address)
    world.put("vms", vm)
    lifecycle.count_machine(world, vm, present=True)


def _leave_in_error(call: Call, vm: VirtualMachine) -> None:
    """A refused address leaves a VM in Error behind; it is not counted (measured on 4.23)."""
    lifecycle.unplug(call.world, vm)
    vm.state = "Error"
    vm.details["deployvm"] = "true"
    call.world.put("vms", vm)


def _no_address(call: Call, network: Network) -> ApiError:
    number = _offering_number(call, network)
    text = "Unable to acquire Guest IP address for network "
    if modern(call.world):
        shown = (
            f'Network {{"id": {network.number}, "name": "{network.name}", "uuid": "{network.id}", '
            f'"networkofferingid": {number}}}'
        )
        return ApiError(530, text + shown, 0)
    return ApiError(533, f"{text}Ntwk[{network.number}|Guest|{number}]", 9999)


def _root_size(call: Call, template: Template) -> int:
    asked = call.integer("rootdisksize")
    return asked * lifecycle.GIB if asked else template.size or 2 * lifecycle.GIB


def _add_root(call: Call, vm: VirtualMachine, template: Template) -> None:
    world = call.world
    add_volume(
        world,
        vm,
        Volume(
            id=world.new_id(),
            number=world.next_number("volumes"),
            name=f"ROOT-{vm.number}",
            type="ROOT",
            account_id=vm.account_id,
            zone_id=vm.zone_id,
            size=_root_size(call, template),
            vm_id=vm.id,
            device=0,
            template_id=template.id,
            offering_id=vm.offering_id,
            created=world.now(),
        ),
    )
    lifecycle.note_copy(world, template)
    disk = call.entity("diskofferingid", "disk_offerings")
    if disk is not None:
        add_volume(
            world,
            vm,
            Volume(
                id=world.new_id(),
                number=world.next_number("volumes"),
                name=f"DATA-{vm.number}",
                type="DATADISK",
                account_id=vm.account_id,
                zone_id=vm.zone_id,
                size=(call.integer("size") or disk.row["disksize"] or 1) * lifecycle.GIB,
                vm_id=vm.id,
                device=1,
                disk_offering_id=disk.id,
                created=world.now(),
                attached=world.now(),
            ),
        )


def add_volume(world: Any, vm: VirtualMachine, volume: Volume) -> None:
    """Put a volume on a primary pool and count it."""
    pool = lifecycle.pick(world, "pools", vm.number)
    volume.pool_id, volume.path = pool.id, world.new_id()
    world.put("volumes", volume)
    lifecycle.count_volume(world, volume, sign=1)
