"""Volumes: create, list, attach, detach, delete, extract."""

from __future__ import annotations

from typing import Any

from sync.sandbox import lifecycle, limits
from sync.sandbox.commands.common_machines import (
    chosen,
    equal,
    event,
    has_text,
    live,
    seen,
    simple_job,
    zone_of,
)
from sync.sandbox.commands.views_machines import modern, volume_row, zone_fields
from sync.sandbox.engine import Call, command
from sync.sandbox.errors import invalid
from sync.sandbox.jobs import JobEvent, Queued, Work
from sync.sandbox.paging import Listing
from sync.sandbox.records_machines import VirtualMachine, Volume

GIB = lifecycle.GIB


def _event(call: Call, type: str, verb: str, volume: Volume) -> JobEvent:
    return event(
        call,
        type,
        (f"{verb.capitalize()} volume: {volume.id}", f"{verb} volume: {volume.id}"),
        (f"{verb} volume. Volume Id: {volume.id}",) * 2,
        owner_id=volume.account_id,
        resource=volume,
        resource_type="Volume",
    )


@command(
    "listVolumes",
    answer="volume",
    entities={
        "id": "volumes",
        "virtualmachineid": "vms",
        "domainid": "domains",
        "projectid": "projects",
        "zoneid": "zones",
    },
)
def list_volumes(call: Call) -> Listing:
    """The volumes of the owners asked for."""
    found = [
        one
        for one in chosen(call, call.world.volumes.values())
        if one.display == call.boolean("displayvolume", True)
        and equal(call, "virtualmachineid", one.vm_id)
        and equal(call, "type", one.type)
        and equal(call, "state", one.state)
        and has_text(call.params.get("name"), one.name)
        and has_text(call.params.get("keyword"), one.name)
    ]
    return Listing(found, lambda one: volume_row(call.world, one))


@command(
    "createVolume",
    entities={
        "diskofferingid": "disk_offerings",
        "zoneid": "zones",
        "snapshotid": "snapshots",
        "domainid": "domains",
        "projectid": "projects",
        "virtualmachineid": "vms",
    },
    integers=("size",),
    job="admin.volume.CreateVolumeCmdByAdmin",
    instance="Volume",
)
def create_volume(call: Call) -> Work:
    """Make a data volume, empty or of a snapshot."""
    world = call.world
    offering = call.entity("diskofferingid", "disk_offerings")
    snapshot = call.entity("snapshotid", "snapshots")
    if offering is None and snapshot is None:
        raise invalid(
            "Missing parameter(s), either a positive volume size or a valid disk offering id must be "
            "specified."
        )
    owner = call.owner()
    size = snapshot.size if snapshot is not None else _size(call, offering)
    limits.check(world, owner, "volume")
    limits.check(world, owner, "primarystorage", size)
    id = world.new_id()
    volume = Volume(
        id=id,
        number=world.next_number("volumes"),
        name=call.params.get("name", id),
        type="DATADISK",
        account_id=owner.id,
        zone_id=zone_of(call, anywhere=True),
        size=size,
        state="Allocated",
        disk_offering_id=offering.id if offering is not None else None,
        created=world.now(),
    )
    world.put("volumes", volume)
    lifecycle.count_volume(world, volume, sign=1)
    yield Queued(entity_id=id, instance_id=id, event=_event(call, "VOLUME.CREATE", "creating", volume))
    yield lifecycle.seconds(world, "volume")
    if snapshot is not None:
        volume.state = "Ready"
    return {"volume": volume_row(world, volume)}


def _size(call: Call, offering: Any) -> int:
    gibibytes = offering.row["disksize"] or call.integer("size") or 0
    if gibibytes <= 0:
        raise invalid("This disk offering requires a custom size specified")
    return int(gibibytes) * GIB


@command(
    "attachVolume",
    required=("id", "virtualmachineid"),
    entities={"id": "volumes", "virtualmachineid": "vms"},
    integers=("deviceid",),
    job="admin.volume.AttachVolumeCmdByAdmin",
    instance="Volume",
)
def attach_volume(call: Call) -> Work:
    """Plug a data volume into a VM of the same owner."""
    world = call.world
    volume: Volume = live(call, "id", "volumes", "volume")
    vm: VirtualMachine = live(call, "virtualmachineid", "vms", "Instance")
    if volume.vm_id is not None:
        raise invalid("Please specify a volume that is not attached to any VM.")
    if volume.account_id != vm.account_id:
        raise invalid("Please specify a volume that belongs to the owner of the VM.")

    def act() -> dict[str, Any]:
        used = {one.device for one in lifecycle.volumes_of(world, vm)}
        device = call.integer("deviceid") or next(n for n in range(1, 99) if n not in used)
        volume.vm_id, volume.device, volume.attached = vm.id, device, world.now()
        volume.state = "Ready"
        if volume.pool_id is None:
            pool = lifecycle.pick(world, "pools", vm.number)
            volume.pool_id, volume.path = pool.id, world.new_id()
        return {"volume": volume_row(world, volume)}

    made = _event(call, "VOLUME.ATTACH", "attaching", volume)
    return simple_job(call, made, act, step="volume", instance_id=volume.id)


@command(
    "detachVolume",
    entities={"id": "volumes", "virtualmachineid": "vms"},
    job="admin.volume.DetachVolumeCmdByAdmin",
    instance="Volume",
)
def detach_volume(call: Call) -> Work:
    """Unplug a data volume."""
    volume: Volume = live(call, "id", "volumes", "volume")
    if volume.vm_id is None:
        raise invalid("The specified volume is not attached to a VM.")
    if volume.type == "ROOT":
        raise invalid("Please specify a data volume: this is a root volume.")

    def act() -> dict[str, Any]:
        volume.vm_id, volume.device, volume.attached = None, None, None
        return {"volume": volume_row(call.world, volume)}

    made = _event(call, "VOLUME.DETACH", "detaching", volume)
    return simple_job(call, made, act, step="volume", instance_id=volume.id)


def _deletable(call: Call) -> Volume:
    volume: Volume = live(call, "id", "volumes", "volume")
    if volume.vm_id is not None:
        raise invalid("Please specify a volume that is not attached to any VM.")
    if volume.delete_protection:
        raise invalid(
            f"Volume [id = {volume.id}, name = {volume.name}] has delete protection enabled and cannot be "
            "deleted."
        )
    return volume


@command("deleteVolume", required=("id",), entities={"id": "volumes"})
def delete_volume(call: Call) -> dict[str, Any]:
    """Delete a detached volume for good."""
    volume = _deletable(call)
    lifecycle.remove_volume(call.world, volume)
    call.done("VOLUME.DELETE", "deleting volume", resource=volume, resource_type="Volume")
    return {"success": True}


@command(
    "destroyVolume",
    required=("id",),
    entities={"id": "volumes"},
    job="admin.volume.DestroyVolumeCmdByAdmin",
    instance="Volume",
)
def destroy_volume(call: Call) -> Work:
    """Destroy a detached volume, recoverably unless `expunge` is asked for."""
    volume = _deletable(call)

    def act() -> dict[str, Any]:
        volume.state = "Destroy"
        if call.boolean("expunge") and volume.removed is None:
            lifecycle.remove_volume(call.world, volume)
        return {"volume": volume_row(call.world, volume)}

    made = _event(call, "VOLUME.DESTROY", "destroying", volume)
    return simple_job(call, made, act, step="volume", instance_id=volume.id)


@command("recoverVolume", required=("id",), entities={"id": "volumes"}, answer="volume")
def recover_volume(call: Call) -> dict[str, Any]:
    """Bring a destroyed volume back."""
    volume: Volume = live(call, "id", "volumes", "volume")
    if volume.state != "Destroy":
        raise invalid("Please specify a volume in Destroy state.")
    volume.state = "Ready"
    return volume_row(call.world, volume)


@command(
    "updateVolume",
    required=("id",),
    entities={"id": "volumes"},
    job="admin.volume.UpdateVolumeCmdByAdmin",
    instance="Volume",
)
def update_volume(call: Call) -> Work:
    """Rename a volume, hide it, or (4.23) protect it."""
    volume: Volume = live(call, "id", "volumes", "volume")

    def act() -> dict[str, Any]:
        volume.name = call.params.get("name", volume.name)
        volume.display = call.boolean("displayvolume", volume.display)
        if modern(call.world):
            volume.delete_protection = call.boolean("deleteprotection", volume.delete_protection)
        return {"volume": volume_row(call.world, volume)}

    made = _event(call, "VOLUME.UPDATE", "updating", volume)
    return simple_job(call, made, act, instance_id=volume.id)


@command(
    "extractVolume",
    required=("id", "mode", "zoneid"),
    entities={"id": "volumes", "zoneid": "zones"},
    job="user.volume.ExtractVolumeCmd",
    instance="Volume",
)
def extract_volume(call: Call) -> Work:
    """Make a volume downloadable. The VM must be stopped."""
    volume: Volume = seen(call, "id", "volumes")
    made = _event(call, "VOLUME.EXTRACT", "extracting", volume)
    yield Queued(instance_id=volume.id, event=made)
    yield lifecycle.seconds(call.world, "extract")
    if volume.removed is not None:
        raise invalid(f"Unable to find volume with ID {volume.number}")
    vm = call.world.vms.get(volume.vm_id or "")
    if vm is not None and vm.state != "Stopped":
        raise invalid(
            f"Invalid state of the volume with ID: {volume.id}. It should be either detached or the VM "
            "should be in stopped state."
        )
    return {"volume": extracted(call, volume, volume.account_id)}


def extracted(call: Call, one: Any, account_id: str) -> dict[str, Any]:
    """The answer of an extraction, with the address to download from. Recorded but for the address, which is
    the sandbox's own where it serves over HTTP: no recording has what is behind one."""
    world = call.world
    return {
        "id": one.id,
        "name": one.name,
        "accountid": account_id,
        "state": "DOWNLOAD_URL_CREATED",
        **zone_fields(world, one.zone_id),
        "extractMode": call.params.get("mode", "HTTP_DOWNLOAD"),
        "url": call.engine.address_of(one),
    }
