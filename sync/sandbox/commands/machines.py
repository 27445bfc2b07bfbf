"""VMs after their deployment: list, start, stop, destroy, recover, expunge, change, move."""

from __future__ import annotations

from typing import Any

from sync.sandbox import lifecycle
from sync.sandbox.commands.common_machines import (
    check_machine,
    chosen,
    equal,
    event,
    has_text,
    ids_of,
    live,
    missing_vm,
    owner_of,
    seen,
)
from sync.sandbox.commands.networks import network_for
from sync.sandbox.commands.views_machines import DETAILS, modern, vm_row
from sync.sandbox.engine import Call, command
from sync.sandbox.errors import ApiError, failed, invalid
from sync.sandbox.jobs import JobEvent, Queued, Work
from sync.sandbox.paging import Listing
from sync.sandbox.records_machines import VirtualMachine

ENTITIES: dict[str, str | tuple[str, ...]] = {
    "id": "vms",
    "domainid": "domains",
    "projectid": "projects",
    "zoneid": "zones",
    "hostid": "hosts",
    "networkid": "networks",
    "templateid": ("templates", "isos"),
}


def found_machines(call: Call) -> list[VirtualMachine]:
    """The VMs that a list asks for."""
    shown = call.boolean("displayvm", True)
    state = call.params.get("state")
    named = call.params.get("name")
    found = chosen(call, call.world.vms.values())
    return [
        vm
        for vm in found
        if vm.display == shown
        and (
            state is None
            or vm.state == state
            or (state == "Present" and vm.state not in ("Destroyed", "Expunging"))
        )
        and has_text(named, vm.name)
        and has_text(call.params.get("keyword"), vm.name, vm.display_name, vm.instance_name, vm.state)
        and equal(call, "hostid", vm.host_id)
        and equal(call, "templateid", vm.template_id)
        and equal(call, "userid", vm.user_id)
        and ("networkid" not in call.params or _in_network(call, vm, call.params["networkid"]))
    ]


def _in_network(call: Call, vm: VirtualMachine, network_id: str) -> bool:
    return any(nic.network_id == network_id for nic in lifecycle.nics_of(call.world, vm))


@command("listVirtualMachines", answer="virtualmachine", entities=ENTITIES)
def list_virtual_machines(call: Call) -> Listing:
    """VMs of the owners asked for; `displayvm=false` rows only when they are asked for."""
    asked = {one.strip() for one in call.params.get("details", "all").lower().split(",")}
    details = DETAILS if "all" in asked else DETAILS & asked
    return Listing(found_machines(call), lambda vm: vm_row(call.world, vm, details=details))


def _event(call: Call, vm: VirtualMachine, type: str, scheduled: tuple[str, str], working: str) -> JobEvent:
    return event(
        call,
        type,
        (f"{scheduled[0]}: {vm.id}", f"{scheduled[1]}: {vm.id}"),
        (f"{working} Vm. Instance ID: {vm.id}", f"{working} Vm. Vm Id: {vm.id}"),
        owner_id=vm.account_id,
        resource=vm,
        resource_type="VirtualMachine",
    )


def _target(call: Call) -> VirtualMachine:
    """The VM of an asynchronous command; 4.18 refuses a removed one before the job (measured)."""
    vm = seen(call, "id", "vms")
    assert isinstance(vm, VirtualMachine)
    if vm.removed is not None and not modern(call.world):
        raise invalid(f"Unable to find UUID for id [{vm.number}] of type [VirtualMachine]")
    return vm


@command(
    "startVirtualMachine",
    required=("id",),
    entities={"id": "vms", "hostid": "hosts"},
    job="admin.vm.StartVMCmdByAdmin",
    instance="VirtualMachine",
)
def start_virtual_machine(call: Call) -> Work:
    """Stopped → Running."""
    vm = _target(call)
    scheduled = ("Starting User Instance with ID", "starting user vm")
    yield Queued(instance_id=vm.id, event=_event(call, vm, "VM.START", scheduled, "starting"))
    yield lifecycle.seconds(call.world, "quick")
    if vm.removed is not None:
        raise missing_vm(call, vm.number)
    _check_owner(call, vm)
    if vm.state == "Running":
        raise invalid(f"The virtual machine {vm.id} ({vm.display_name}) is already running")
    if vm.state != "Stopped":
        raise failed(f"Unable to transition to a new state from {vm.state} via StartRequested")
    yield from lifecycle.start_steps(call.world, vm)
    return {"virtualmachine": vm_row(call.world, vm)}


def _check_owner(call: Call, vm: VirtualMachine) -> None:
    owner = owner_of(call, vm)
    if owner.removed is None and owner.state != "disabled":
        return
    if modern(call.world):
        shown = (
            f'VM instance {{"id":{vm.number},"instanceName":"{vm.instance_name}","state":"{vm.state}",'
            f'"type":"User","uuid":"{vm.id}"}}'
        )
        account = f'Account [{{"accountName":"{owner.name}","id":{owner.number},"uuid":"{owner.id}"}}]'
    else:
        shown = f'VM instance {{id: "{vm.number}", name: "{vm.instance_name}", uuid: "{vm.id}", type="User"}}'
        account = str(owner.number)
    if owner.removed is not None:
        raise failed(f"The owner of {shown} does not exist: {owner.number}")
    raise failed(f"The owner of {shown} is disabled: {account}")


@command(
    "stopVirtualMachine",
    required=("id",),
    entities={"id": "vms"},
    job="admin.vm.StopVMCmdByAdmin",
    instance="VirtualMachine",
)
def stop_virtual_machine(call: Call) -> Work:
    """Running → Stopped; a VM that does not run stays as it is."""
    vm = _target(call)
    scheduled = ("Stopping User Instance with ID", "stopping user vm")
    yield Queued(instance_id=vm.id, event=_event(call, vm, "VM.STOP", scheduled, "stopping"))
    if vm.removed is not None:
        raise missing_vm(call, vm.number)
    yield from lifecycle.stop_steps(call.world, vm)
    return {"virtualmachine": vm_row(call.world, vm)}


@command(
    "rebootVirtualMachine",
    required=("id",),
    entities={"id": "vms"},
    job="admin.vm.RebootVMCmdByAdmin",
    instance="VirtualMachine",
)
def reboot_virtual_machine(call: Call) -> Work:
    """Running → Running."""
    vm = _target(call)
    scheduled = ("Rebooting User Instance with ID", "rebooting user vm")
    yield Queued(instance_id=vm.id, event=_event(call, vm, "VM.REBOOT", scheduled, "rebooting"))
    yield lifecycle.seconds(call.world, "stop_vm")
    if vm.removed is not None:
        raise missing_vm(call, vm.number)
    if vm.state != "Running":
        raise invalid(f"Unable to reboot VM {vm.id}: it is in {vm.state} state")
    return {"virtualmachine": vm_row(call.world, vm)}


@command(
    "destroyVirtualMachine",
    required=("id",),
    entities={"id": "vms"},
    job="admin.vm.DestroyVMCmdByAdmin",
    instance="VirtualMachine",
)
def destroy_virtual_machine(call: Call) -> Work:
    """→ Destroyed, recoverable for `expunge.delay`; with `expunge` gone for good."""
    world = call.world
    vm = _target(call)
    scheduled = ("Destroying Instance with ID", "destroying vm")
    data = ids_of(call, "volumeids", "volumes")
    yield Queued(instance_id=vm.id, event=_event(call, vm, "VM.DESTROY", scheduled, "destroying"))
    yield lifecycle.seconds(world, "quick")
    if vm.removed is not None:
        raise missing_vm(call, vm.number)
    if vm.delete_protection:
        raise invalid(
            f"Instance [id = {vm.id}, name = {vm.instance_name}] has delete protection enabled and cannot "
            "be deleted."
        )
    yield from lifecycle.destroy_steps(world, vm)
    if call.boolean("expunge") and vm.removed is None:
        yield from lifecycle.expunge_steps(world, vm)
    for volume in data:
        if volume.removed is None:
            lifecycle.remove_volume(world, volume)
    return {"virtualmachine": vm_row(world, vm)}


@command(
    "expungeVirtualMachine",
    required=("id",),
    entities={"id": "vms"},
    job="admin.vm.ExpungeVMCmd",
    instance="VirtualMachine",
)
def expunge_virtual_machine(call: Call) -> Work:
    """Destroyed → gone."""
    vm = _target(call)
    scheduled = ("Expunging Instance with ID", "expunging vm")
    yield Queued(instance_id=vm.id, event=_event(call, vm, "VM.EXPUNGE", scheduled, "expunging"))
    if vm.removed is not None:
        raise missing_vm(call, vm.number)
    if vm.state not in ("Destroyed", "Expunging", "Error"):
        raise invalid(f"Please destroy vm with specified id {vm.id} before expunging")
    yield from lifecycle.expunge_steps(call.world, vm)
    return {"success": True}


@command("recoverVirtualMachine", required=("id",), entities={"id": "vms"}, answer="virtualmachine")
def recover_virtual_machine(call: Call) -> dict[str, Any]:
    """Destroyed → Stopped, while the VM and its account exist."""
    vm = live(call, "id", "vms", "Instance")
    if vm.state != "Destroyed":
        raise invalid(f"Vm with id {vm.id} is not in the right state")
    if owner_of(call, vm).removed is not None:
        raise failed("Unable to recover VM as the account is deleted")
    offering = call.world.offerings[vm.offering_id].row
    check_machine(call.world, owner_of(call, vm), offering)
    vm.state, vm.destroyed_at, vm.updated = "Stopped", None, call.now
    lifecycle.count_machine(call.world, vm, present=True)
    working = "Recovering VM" if modern(call.world) else "recovering VM"
    call.done("VM.RECOVER", working, resource=vm, resource_type="VirtualMachine")
    return vm_row(call.world, vm)


@command("updateVirtualMachine", required=("id",), entities={"id": "vms"}, answer="virtualmachine")
def update_virtual_machine(call: Call) -> dict[str, Any]:
    """Change names, visibility, details, and (4.23) delete protection; 4.18 ignores that silently."""
    vm = live(call, "id", "vms", "Instance")
    vm.display_name = call.params.get("displayname", vm.display_name)
    vm.name = call.params.get("name", vm.name)
    vm.group = call.params.get("group", vm.group)
    vm.display = call.boolean("displayvm", vm.display)
    vm.details |= {key: value for one in call.map_of("details") for key, value in one.items()}
    if modern(call.world):
        vm.delete_protection = call.boolean("deleteprotection", vm.delete_protection)
    working = "Updating VM" if modern(call.world) else "updating Vm"
    call.done("VM.UPDATE", working, resource=vm, resource_type="VirtualMachine")
    return vm_row(call.world, vm)


@command(
    "assignVirtualMachine",
    required=("virtualmachineid",),
    entities={"virtualmachineid": "vms", "domainid": "domains", "projectid": "projects"},
    answer="virtualmachine",
)
def assign_virtual_machine(call: Call) -> dict[str, Any]:
    """Give a stopped VM and its volumes to another account; refused once the old account is removed."""
    vm = live(call, "virtualmachineid", "vms", "Instance")
    old = owner_of(call, vm)
    if old.removed is not None:
        raise ApiError(431, f"Failed to move Instance due to [{old.number}].", 9999)
    new = call.owner()
    if vm.state != "Stopped":
        raise ApiError(431, f"Failed to move Instance due to [VM is {vm.state}].", 9999)
    offering = call.world.offerings[vm.offering_id].row
    check_machine(call.world, new, offering)
    networks = ids_of(call, "networkids", "networks") or [network_for(call.world, new, vm.zone_id)]
    _move(call, vm, new.id)
    for network in networks:
        address = lifecycle.free_address(call.world, network, None)
        if address is None:
            raise ApiError(431, f"Failed to move Instance due to [no address in {network.name}].", 9999)
        lifecycle.add_nic(call.world, vm, network, address)
    vm.user_id = lifecycle.first_user(call.world, new, call.caller).id
    call.done("VM.MOVE", "assigning VM", resource=vm, resource_type="VirtualMachine")
    return vm_row(call.world, vm)


def _move(call: Call, vm: VirtualMachine, account_id: str) -> None:
    world = call.world
    volumes = lifecycle.volumes_of(world, vm)
    lifecycle.count_machine(world, vm, present=False)
    lifecycle.unplug(world, vm)
    world.move("vms", vm, account_id)
    lifecycle.count_machine(world, vm, present=True)
    for volume in volumes:
        lifecycle.count_volume(world, volume, sign=-1)
        world.move("volumes", volume, account_id)
        lifecycle.count_volume(world, volume, sign=1)
