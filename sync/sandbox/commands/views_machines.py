"""Rows of VMs, volumes and snapshots as the API shows them; the keys are those recorded on each release."""

from __future__ import annotations

from typing import Any

from sync.sandbox import lifecycle
from sync.sandbox.records import World
from sync.sandbox.records_machines import (
    Network,
    Nic,
    Snapshot,
    SnapshotPolicy,
    VirtualMachine,
    VmSnapshot,
    Volume,
)

DETAILS = frozenset({"tmpl", "servoff", "nics", "stats", "volume", "iso", "affgrp", "group", "secgrp"})
"""What `details` of listVirtualMachines can leave out; `min` leaves out all of it."""
INTERVALS = ("HOURLY", "DAILY", "WEEKLY", "MONTHLY")
"""Interval types of a snapshot policy by number."""


def modern(world: World) -> bool:
    """Whether rows have what came after 4.18."""
    return world.release != "4.18"


def owner_fields(world: World, account_id: str, *, path: bool = True) -> dict[str, Any]:
    """Whose something is: account or Project, and domain (with its path where the release shows it)."""
    owner = world.find("accounts", account_id)
    assert owner is not None
    domain = world.domain_of(owner)
    made: dict[str, Any] = {"account": owner.name}
    if owner.project_id is not None:
        project = world.find("projects", owner.project_id)
        made = {"projectid": owner.project_id, "project": project.name if project else ""}
    made |= {"domainid": domain.id, "domain": domain.name}
    return made | {"domainpath": domain.path} if path and modern(world) else made


def zone_fields(world: World, zone_id: str) -> dict[str, Any]:
    """`zoneid` and `zonename`."""
    return {"zoneid": zone_id, "zonename": world.zones[zone_id].name}


def tag_rows(world: World, one: Any) -> list[dict[str, Any]]:
    """The tags of a resource."""
    return [
        {
            "key": tag.key,
            "value": tag.value,
            "resourcetype": tag.resource_type,
            "resourceid": tag.resource_id,
            **owner_fields(world, tag.account_id, path=False),
        }
        for tag in world.owned(one.account_id, "tags")
        if tag.resource_id == one.id
    ]


def os_name(world: World, os_type_id: str | None) -> str:
    """The description of an OS type."""
    found = world.os_types.get(os_type_id or "")
    return found.row["description"] if found else ""


# --- VMs -----------------------------------------------------------------------------------------------


def vm_row(
    world: World,
    vm: VirtualMachine,
    *,
    details: frozenset[str] = DETAILS,
) -> dict[str, Any]:
    """A VM as listVirtualMachines shows it."""
    row: dict[str, Any] = {"id": vm.id, "name": vm.name, "displayname": vm.display_name}
    row |= _vm_owner(world, vm)
    row |= {
        "created": world.shown(vm.created),
        "lastupdated": world.shown(vm.updated),
        "state": vm.state,
        "haenable": False,
    }
    if "group" in details and vm.group:
        row |= {"groupid": vm.group, "group": vm.group}
    row |= zone_fields(world, vm.zone_id) | _vm_host(world, vm)
    if "tmpl" in details:
        row |= _vm_template(world, vm)
    if "iso" in details:
        row |= _vm_iso(world, vm)
    if "servoff" in details:
        row |= _vm_offering(world, vm)
    row |= {"guestosid": vm.os_type_id}
    volumes = lifecycle.volumes_of(world, vm)
    if "volume" in details and volumes:
        row |= {"rootdeviceid": 0, "rootdevicetype": "ROOT"}
    row |= {"securitygroup": []} | _vm_nics(world, vm, shown_nics="nics" in details)
    row |= {"instancename": vm.instance_name, "details": dict(vm.details), "affinitygroup": []}
    row |= {"displayvm": vm.display, "isdynamicallyscalable": False}
    if modern(world):
        row |= {"deleteprotection": vm.delete_protection}
    row |= {"ostypeid": vm.os_type_id, "osdisplayname": os_name(world, vm.os_type_id)}
    if vm.key_pairs:
        row |= {"keypairs" if modern(world) else "keypair": ",".join(vm.key_pairs)}
    if not vm.details:
        row |= {"bootmode": "legacy", "boottype": "Bios"}
    if volumes:
        row |= {"pooltype": "NetworkFilesystem"}
    row |= {"receivedbytes": 0, "sentbytes": 0}
    if modern(world):
        row |= {"arch": "x86_64"}
    row |= {"tags": tag_rows(world, vm), "hasannotations": False}
    if vm.id in world.pending:
        row |= {"jobid": world.pending[vm.id], "jobstatus": 0}
    return row


def _vm_owner(world: World, vm: VirtualMachine) -> dict[str, Any]:
    owner = owner_fields(world, vm.account_id)
    user = world.users.get(vm.user_id)
    named = {"userid": user.id, "username": user.username} if user else {}
    first = {"account": owner.pop("account")} if "account" in owner else {}
    return first | named | owner


def _vm_host(world: World, vm: VirtualMachine) -> dict[str, Any]:
    if vm.host_id is None:
        return {}
    host = {"hostid": vm.host_id, "hostname": world.hosts[vm.host_id].name}
    return host | {"hostcontrolstate": "Enabled"} if modern(world) else host


def _vm_template(world: World, vm: VirtualMachine) -> dict[str, Any]:
    template = world.find("templates", vm.template_id) or world.find("isos", vm.template_id)
    assert template is not None
    row: dict[str, Any] = {"templateid": template.id, "templatename": template.name}
    if modern(world):
        row |= {"templatetype": template.type, "templateformat": template.format}
    return row | {
        "templatedisplaytext": template.display_text,
        "passwordenabled": template.password_enabled,
    }


def _vm_iso(world: World, vm: VirtualMachine) -> dict[str, Any]:
    iso = world.find("isos", vm.iso_id) if vm.iso_id else None
    named = {"isoid": iso.id, "isoname": iso.name, "isodisplaytext": iso.display_text} if iso else {}
    if not modern(world):
        return named
    isos = [{"id": iso.id, "name": iso.name, "displaytext": iso.display_text}] if iso else []
    return named | {"isos": isos, "isomaxcount": 1}


def _vm_offering(world: World, vm: VirtualMachine) -> dict[str, Any]:
    row = world.offerings[vm.offering_id].row
    return {
        "serviceofferingid": row["id"],
        "serviceofferingname": row["name"],
        "cpunumber": row["cpunumber"],
        "cpuspeed": row["cpuspeed"],
        "memory": row["memory"],
    }


def _vm_nics(world: World, vm: VirtualMachine, *, shown_nics: bool) -> dict[str, Any]:
    nics = lifecycle.nics_of(world, vm) if shown_nics else []
    row: dict[str, Any] = {"nic": [nic_row(world, nic, plugged=vm.host_id is not None) for nic in nics]}
    row |= {"hypervisor": "Simulator"}
    if nics and modern(world):
        row |= {"ipaddress": nics[0].address}
    return row


def nic_row(world: World, nic: Nic, *, plugged: bool) -> dict[str, Any]:
    """A NIC in a VM's row; without VLAN while the VM does not run."""
    network = world.find("networks", nic.network_id)
    assert isinstance(network, Network)
    row: dict[str, Any] = {
        "id": nic.id,
        "networkid": network.id,
        "networkname": network.name,
        "netmask": network.netmask,
        "gateway": network.gateway,
        "ipaddress": nic.address,
    }
    if plugged and network.vlan is not None:
        row |= {"isolationuri": f"vlan://{network.vlan}", "broadcasturi": f"vlan://{network.vlan}"}
    offering = world.network_offerings[network.offering_id].row
    row |= {"traffictype": "Guest", "type": offering["guestiptype"], "isdefault": nic.is_default}
    row |= {"macaddress": nic.mac, "secondaryip": [], "extradhcpoption": [], "deviceid": str(nic.device)}
    return row | {"enabled": True} if modern(world) else row


def vm_metrics_row(world: World, vm: VirtualMachine) -> dict[str, Any]:
    """A VM as listVirtualMachinesMetrics shows it."""
    offering = world.offerings[vm.offering_id].row
    row = vm_row(world, vm)
    row.pop("domainpath", None)
    clock = offering["cpunumber"] * offering["cpuspeed"] / 1000
    return row | {"cputotal": f"{clock:.1f} Ghz", "memorytotal": f"{offering['memory'] / 1024:.2f} GiB"}


# --- volumes and snapshots -----------------------------------------------------------------------------


def volume_row(world: World, volume: Volume) -> dict[str, Any]:
    """A volume as listVolumes shows it."""
    row: dict[str, Any] = {"id": volume.id, "name": volume.name}
    row |= zone_fields(world, volume.zone_id) | {"type": volume.type}
    vm = world.vms.get(volume.vm_id or "")
    if vm is not None:
        row |= {"deviceid": volume.device, "virtualmachineid": vm.id}
    template = world.find("templates", volume.template_id) if volume.template_id else None
    if template is not None:
        row |= {
            "templateid": template.id,
            "templatename": template.name,
            "templatedisplaytext": template.display_text,
        }
    if vm is not None:
        row |= {"vmname": vm.name, "vmdisplayname": vm.display_name, "vmstate": vm.state}
        row |= {"vmtype": "User"} if modern(world) else {}
    row |= {"provisioningtype": "thin", "size": volume.size, "created": world.shown(volume.created)}
    if volume.attached is not None:
        row |= {"attached": world.shown(volume.attached)}
    row |= {"state": volume.state} | owner_fields(world, volume.account_id) | {"storagetype": "shared"}
    row |= {"diskkbsread": 0, "diskkbswrite": 0, "diskioread": 0, "diskiowrite": 0}
    row |= {"hypervisor": "Simulator"}
    pool = world.pools[volume.pool_id].row if volume.pool_id else None
    row |= {"storage": pool["storage"]} if pool else {}
    row |= {"destroyed": volume.state in ("Destroy", "Expunged")} | _volume_offering(world, volume)
    row |= {"isextractable": bool(template and template.extractable), "displayvolume": volume.display}
    if pool:
        row |= {"path": volume.path, "storageid": pool["storageid"]}
    row |= {"quiescevm": False, "supportsstoragesnapshot": False}
    row |= {"deleteprotection": volume.delete_protection} if modern(world) else {}
    if pool:
        row |= {key: pool[key] for key in ("clusterid", "clustername", "podid", "podname")}
    return row | {"tags": tag_rows(world, volume), "hasannotations": False}


def _volume_offering(world: World, volume: Volume) -> dict[str, Any]:
    if volume.disk_offering_id is not None:
        row = world.disk_offerings[volume.disk_offering_id].row
        return {
            "diskofferingid": row["id"],
            "diskofferingname": row["name"],
            "diskofferingdisplaytext": row["displaytext"],
        }
    if volume.offering_id is None:
        return {}
    offering = world.offerings[volume.offering_id]
    return {
        "serviceofferingid": str(offering.number),
        "serviceofferingname": offering.name,
        "serviceofferingdisplaytext": offering.row["displaytext"],
    }


def snapshot_row(world: World, snapshot: Snapshot, *, created: bool = False) -> dict[str, Any]:
    """A snapshot as listSnapshots shows it, or, just `created`, as its job's result does."""
    volume = world.find("volumes", snapshot.volume_id)
    assert isinstance(volume, Volume)
    template = world.find("templates", volume.template_id) if volume.template_id else None
    os_type_id = template.os_type_id if template else None
    full = created or not modern(world)
    row: dict[str, Any] = {"id": snapshot.id} | owner_fields(world, snapshot.account_id)
    row |= {"snapshottype": snapshot.interval} if full else {}
    row |= {"volumeid": volume.id, "volumename": volume.name, "volumetype": volume.type}
    row |= {"volumestate": volume.state} if modern(world) else {}
    row |= {
        "created": world.shown(snapshot.created),
        "name": snapshot.name,
        "intervaltype": snapshot.interval,
    }
    row |= {"state": snapshot.state, "physicalsize": 0, "zoneid": volume.zone_id}
    row |= {"zonename": world.zones[volume.zone_id].name} if modern(world) else {}
    row |= {"revertable": False}
    row |= {"ostypeid": os_type_id} if os_type_id else {}
    row |= {"osdisplayname": os_name(world, os_type_id)} if os_type_id and full else {}
    return row | {"virtualsize": snapshot.size, "tags": tag_rows(world, snapshot), "hasannotations": False}


def policy_row(world: World, policy: SnapshotPolicy) -> dict[str, Any]:
    """A snapshot policy."""
    volume = world.find("volumes", policy.volume_id)
    assert isinstance(volume, Volume)
    row: dict[str, Any] = {"id": policy.id, "volumeid": volume.id}
    row |= {"volumename": volume.name} if modern(world) else {}
    row |= {
        "schedule": policy.schedule,
        "intervaltype": policy.interval,
        "maxsnaps": policy.maximum,
        "timezone": policy.timezone,
        "fordisplay": policy.display,
    }
    if modern(world):
        zone = world.zones[volume.zone_id]
        flags = {"isnsxenabled": False, "ismultiarch": False, "routedmodeenabled": False}
        row |= {"zone": [{"id": zone.id, "name": zone.name} | flags]}
        pool = world.pools.get(volume.pool_id or "")
        row |= {"storage": [{"id": pool.id, "name": pool.name}]} if pool else {}
    return row | {"tags": []}


def vm_snapshot_row(world: World, shot: VmSnapshot) -> dict[str, Any]:
    """A VM snapshot."""
    vm = world.find("vms", shot.vm_id)
    assert isinstance(vm, VirtualMachine)
    row: dict[str, Any] = {
        "id": shot.id,
        "name": shot.name,
        "state": shot.state,
        "displayname": shot.display_name,
    }
    row |= zone_fields(world, vm.zone_id) if modern(world) else {"zoneid": vm.zone_id}
    row |= {"virtualmachineid": vm.id}
    row |= {"virtualmachinename": vm.name} if modern(world) else {}
    row |= {"current": shot.current, "type": shot.type, "created": world.shown(shot.created)}
    row |= owner_fields(world, shot.account_id)
    row |= {"hypervisor": "Simulator"} if modern(world) else {}
    return row | {"tags": tag_rows(world, shot), "hasannotations": False}
