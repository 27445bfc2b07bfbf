"""The zone and what it is made of: zones, hosts, pools, clusters, pods, capacity, system VMs."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from sync.sandbox.commands.common_machines import equal, has_text
from sync.sandbox.engine import Call, command
from sync.sandbox.errors import invalid
from sync.sandbox.paging import Listing
from sync.sandbox.seed_data import catalog
from sync.sandbox.seed_machines import HIDDEN

PUBLIC_ADDRESSES, PRIVATE_ADDRESSES, VLANS, USAGES = 4, 5, 7, {0: "memory", 1: "cpuspeed", 90: "cpunumber"}


@lru_cache
def _capacities(release: str) -> list[dict[str, Any]]:
    known = catalog("machines", release)
    found: list[dict[str, Any]] = known["capacity"] if "capacity" in known else _capacities("4.23")
    return found


def _shown_zone(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in HIDDEN}


@command("listZones", answer="zone", entities={"id": "zones"})
def list_zones(call: Call) -> Listing:
    """The zones."""
    found = [
        one
        for one in call.world.zones.values()
        if equal(call, "id", one.id) and equal(call, "name", one.name)
    ]
    return Listing(found, lambda one: _shown_zone(one.row))


@command("updateZone", required=("id",), entities={"id": "zones"}, answer="zone")
def update_zone(call: Call) -> dict[str, Any]:
    """Let anybody, or root admins alone, deploy and take addresses. Read in the source, not recorded."""
    zone = call.world.zones[call.params["id"]]
    state = call.params.get("allocationstate", zone.row["allocationstate"])
    if state not in ("Enabled", "Disabled"):
        raise invalid(f"Unable to resolve Allocation State '{state}' to a supported state")
    zone.row["allocationstate"] = state
    call.done("ZONE.EDIT", "Editing zone", resource=zone, resource_type="Zone")
    return _shown_zone(zone.row)


@command("listHosts", answer="host")
def list_hosts(call: Call) -> Listing:
    """The simulated hosts."""
    zone = next(iter(call.world.zones.values()))
    pod = next(iter(call.world.pools.values())).row
    found = [one for one in call.world.hosts.values() if has_text(call.params.get("keyword"), one.name)]
    where = {"zoneid": zone.id, "zonename": zone.name, "podid": pod["podid"], "podname": pod["podname"]}
    fixed = {"state": "Up", "type": "Routing", "hypervisor": "Simulator", "resourcestate": "Enabled"}
    return Listing(found, lambda one: {"id": one.id, "name": one.name} | fixed | where)


@command("listStoragePools", answer="storagepool")
def list_storage_pools(call: Call) -> Listing:
    """The primary storage pools."""
    zone = next(iter(call.world.zones.values()))
    return Listing(
        list(call.world.pools.values()),
        lambda one: {
            "id": one.id,
            "zoneid": zone.id,
            "zonename": zone.name,
            **{key: one.row[key] for key in ("podid", "podname", "clusterid", "clustername")},
            "name": one.name,
            "type": "NetworkFilesystem",
            "state": "Up",
            "scope": "CLUSTER",
        },
    )


@command("listHypervisors", answer="hypervisor")
def list_hypervisors(call: Call) -> Listing:
    """The simulator is the only hypervisor."""
    found = [name for name in ("Simulator",) if equal(call, "hypervisor", name)]
    return Listing(found, lambda name: {"name": name}, paged=False)


@command("listCapacity", answer="capacity", entities={"zoneid": "zones"})
def list_capacity(call: Call) -> Listing:
    """How much of the zone is used."""
    zone = next(iter(call.world.zones.values()))
    return Listing(
        _capacities(call.release),
        lambda one: _capacity(call, one, {"zoneid": zone.id, "zonename": zone.name}),
    )


def _capacity(call: Call, one: dict[str, Any], where: dict[str, Any]) -> dict[str, Any]:
    used = _used(call, one["type"])
    total = one["capacitytotal"]
    row = {"type": one["type"]} | ({"name": one["name"]} if call.release != "4.18" else {}) | where
    if one.get("allocated") and call.release != "4.18":
        row |= {"capacityallocated": used}
    share = f"{100 * used / total:.2f}".rstrip("0").rstrip(".") if total else "0"
    return row | {"capacityused": used, "capacitytotal": total, "percentused": share}


def _used(call: Call, kind: int) -> int:
    world = call.world
    if kind == PUBLIC_ADDRESSES:
        return len(world.addresses)
    if kind == PRIVATE_ADDRESSES:
        return len(world.routers) + 2
    if kind == VLANS:
        return sum(network.vlan is not None for network in world.networks.values())
    if kind in USAGES:
        running = [vm for vm in world.vms.values() if vm.host_id is not None]
        amount = sum(int(world.offerings[vm.offering_id].row[USAGES[kind]]) for vm in running)
        return amount << 20 if kind == 0 else amount
    return 0
