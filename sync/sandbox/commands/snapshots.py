"""Volume snapshots, their policies, and VM snapshots."""

from __future__ import annotations

from typing import Any

from sync.sandbox import lifecycle, limits
from sync.sandbox.commands.common_machines import (
    chosen,
    equal,
    event,
    has_text,
    live,
    owner_of,
    seen,
    simple_job,
)
from sync.sandbox.commands.views_machines import (
    INTERVALS,
    modern,
    policy_row,
    snapshot_row,
    vm_snapshot_row,
)
from sync.sandbox.engine import Call, command
from sync.sandbox.errors import failed, invalid
from sync.sandbox.jobs import Queued, Work
from sync.sandbox.paging import Listing
from sync.sandbox.records_machines import Snapshot, SnapshotPolicy, VirtualMachine, VmSnapshot, Volume

SCOPED = {"domainid": "domains", "projectid": "projects"}


@command(
    "createSnapshot",
    required=("volumeid",),
    entities={"volumeid": "volumes"},
    job="user.snapshot.CreateSnapshotCmd",
    instance="Snapshot",
)
def create_snapshot(call: Call) -> Work:
    """Back a volume up. Of a volume whose account is being deleted it is accepted, and fails (measured)."""
    world = call.world
    volume: Volume = live(call, "volumeid", "volumes", "volume")
    owner = owner_of(call, volume)
    if owner.removed is None:
        limits.check(world, owner, "snapshot")
    vm = world.vms.get(volume.vm_id or "")
    name = vm.name if vm is not None else volume.name
    snapshot = Snapshot(
        id=world.new_id(),
        number=world.next_number("snapshots"),
        name=call.params.get("name", f"{name}_{volume.name}_{world.now():%Y%m%d%H%M%S}"),
        account_id=volume.account_id,
        volume_id=volume.id,
        size=volume.size,
        state="BackingUp",
        created=world.now(),
    )
    if owner.removed is None:
        world.put("snapshots", snapshot)
        world.usage.add(snapshot.account_id, "snapshot", 1)
    made = event(
        call,
        "SNAPSHOT.CREATE",
        (f"Creating snapshot for volume: {volume.id}", f"creating snapshot for volume: {volume.id}"),
        (f"creating snapshot. Volume Id: {volume.id}",) * 2,
        owner_id=volume.account_id,
        resource=snapshot,
        resource_type="Snapshot",
    )
    yield Queued(entity_id=snapshot.id, instance_id=snapshot.id, event=made)
    yield lifecycle.seconds(world, "snapshot")
    if owner.removed is not None or snapshot.removed is not None or volume.removed is not None:
        if snapshot.id in world.snapshots:
            lifecycle.remove_snapshot(world, snapshot)
        raise failed(
            f"Failed to create snapshot due to an internal error creating snapshot for volume {volume.id}"
        )
    snapshot.state = "BackedUp"
    return {"snapshot": snapshot_row(world, snapshot, created=True)}


@command("listSnapshots", answer="snapshot", entities=SCOPED | {"id": "snapshots", "volumeid": "volumes"})
def list_snapshots(call: Call) -> Listing:
    """The snapshots of the owners asked for."""
    found = [
        one
        for one in chosen(call, call.world.snapshots.values())
        if equal(call, "volumeid", one.volume_id)
        and equal(call, "name", one.name)
        and equal(call, "intervaltype", one.interval)
        and has_text(call.params.get("keyword"), one.name)
    ]
    return Listing(found, lambda one: snapshot_row(call.world, one))


@command(
    "deleteSnapshot",
    required=("id",),
    entities={"id": "snapshots"},
    job="user.snapshot.DeleteSnapshotCmd",
    instance="Snapshot",
)
def delete_snapshot(call: Call) -> Work:
    """Delete a snapshot."""
    snapshot: Snapshot = seen(call, "id", "snapshots")

    def act() -> None:
        if snapshot.removed is not None:
            raise invalid(f"unable to find a snapshot with id {snapshot.number}")
        lifecycle.remove_snapshot(call.world, snapshot)

    made = event(
        call,
        "SNAPSHOT.DELETE",
        (f"Deleting Snapshot: {snapshot.id}", f"deleting snapshot: {snapshot.id}"),
        (f"deleting snapshot. Snapshot Id: {snapshot.id}",) * 2,
        owner_id=snapshot.account_id,
        resource=snapshot,
        resource_type="Snapshot",
    )
    return simple_job(call, made, act, step="delete_snapshot", instance_id=snapshot.id)


# --- policies ------------------------------------------------------------------------------------------


@command(
    "createSnapshotPolicy",
    required=("intervaltype", "maxsnaps", "schedule", "timezone", "volumeid"),
    entities={"volumeid": "volumes"},
    integers=("maxsnaps",),
    answer="snapshotpolicy",
)
def create_policy(call: Call) -> dict[str, Any]:
    """Schedule snapshots of a volume; one policy per interval, a second one replaces it."""
    world = call.world
    volume: Volume = live(call, "volumeid", "volumes", "volume")
    interval = call.params["intervaltype"].upper()
    if interval not in INTERVALS:
        raise invalid(f"Unsupported interval type {call.params['intervaltype']}")
    number = INTERVALS.index(interval)
    for old in list(world.snapshot_policies.values()):
        if old.volume_id == volume.id and old.interval == number:
            world.bury("snapshot_policies", old.id)
    policy = SnapshotPolicy(
        id=world.new_id(),
        number=world.next_number("snapshot_policies"),
        volume_id=volume.id,
        schedule=call.params["schedule"],
        interval=number,
        maximum=int(call.params["maxsnaps"]),
        timezone=call.params["timezone"],
        display=call.boolean("fordisplay", True),
    )
    world.put("snapshot_policies", policy)
    call.done("SNAPSHOTPOLICY.CREATE", "creating snapshot policy", resource=volume, resource_type="Volume")
    return policy_row(world, policy)


@command(
    "listSnapshotPolicies",
    answer="snapshotpolicy",
    entities={"id": "snapshot_policies", "volumeid": "volumes"},
)
def list_policies(call: Call) -> Listing:
    """Snapshot policies. 4.23 answers nothing to `volumeid` (measured right after creating one)."""
    found = [one for one in call.world.snapshot_policies.values() if equal(call, "id", one.id)]
    if "volumeid" in call.params:
        found = [one for one in found if one.volume_id == call.params["volumeid"] and not modern(call.world)]
    return Listing(found, lambda one: policy_row(call.world, one))


@command("deleteSnapshotPolicies")
def delete_policies(call: Call) -> dict[str, Any]:
    """Delete policies by `id` or `ids`."""
    for id in (call.params.get("ids") or call.required("id")).split(","):
        if id.strip() not in call.world.snapshot_policies:
            raise invalid(f"Policy id given: {id} does not exist")
        call.world.bury("snapshot_policies", id.strip())
    return {"success": True}


# --- VM snapshots --------------------------------------------------------------------------------------


@command(
    "createVMSnapshot",
    required=("virtualmachineid",),
    entities={"virtualmachineid": "vms"},
    job="user.vmsnapshot.CreateVMSnapshotCmd",
    instance="VmSnapshot",
)
def create_vm_snapshot(call: Call) -> Work:
    """Snapshot a whole VM."""
    world = call.world
    vm: VirtualMachine = live(call, "virtualmachineid", "vms", "Instance")
    name = f"{vm.instance_name}_VS_{world.now():%Y%m%d%H%M%S}"
    for other in world.owned(vm.account_id, "vm_snapshots"):
        other.current = other.current and other.vm_id != vm.id
    shot = VmSnapshot(
        id=world.new_id(),
        number=world.next_number("vm_snapshots"),
        name=name,
        display_name=call.params.get("name", name),
        account_id=vm.account_id,
        vm_id=vm.id,
        type="DiskAndMemory" if call.boolean("snapshotmemory") else "Disk",
        state="Creating",
        created=world.now(),
    )
    world.put("vm_snapshots", shot)
    made = event(
        call,
        "VMSNAPSHOT.CREATE",
        (f"Creating Snapshot for Instance: {vm.id}", f"creating snapshot for VM: {vm.id}"),
        (f"creating VM snapshot. VM snapshot Id: {shot.id}",) * 2,
        owner_id=vm.account_id,
        resource=shot,
        resource_type="VMSnapshot",
    )
    yield Queued(entity_id=shot.id, event=made)
    yield lifecycle.seconds(world, "vm_snapshot")
    if shot.removed is not None:
        raise failed(
            f"Failed to create vm snapshot due to an internal error creating snapshot for vm {vm.id}"
        )
    shot.state = "Ready"
    return {"vmsnapshot": vm_snapshot_row(world, shot)}


@command("listVMSnapshot", answer="vmSnapshot", entities=SCOPED | {"virtualmachineid": "vms"})
def list_vm_snapshots(call: Call) -> Listing:
    """The VM snapshots of the owners asked for."""
    found = [
        one
        for one in chosen(call, call.world.vm_snapshots.values())
        if equal(call, "virtualmachineid", one.vm_id)
        and equal(call, "vmsnapshotid", one.id)
        and equal(call, "state", one.state)
        and has_text(call.params.get("keyword"), one.name, one.display_name)
    ]
    return Listing(found, lambda one: vm_snapshot_row(call.world, one))


@command(
    "deleteVMSnapshot",
    required=("vmsnapshotid",),
    entities={"vmsnapshotid": "vm_snapshots"},
    job="user.vmsnapshot.DeleteVMSnapshotCmd",
    instance="VmSnapshot",
)
def delete_vm_snapshot(call: Call) -> Work:
    """Delete a VM snapshot."""
    shot: VmSnapshot = live(call, "vmsnapshotid", "vm_snapshots", "VM snapshot")

    def act() -> None:
        if shot.removed is None:
            call.world.bury("vm_snapshots", shot.id)

    return simple_job(call, None, act)
