"""What a fresh simulator zone has: zone, hosts and pools, offerings, OS types and built-in templates."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sync.sandbox.records import World
from sync.sandbox.records_machines import CatalogEntry, Template
from sync.sandbox.seed_data import catalog

HIDDEN = ("physicalnetworkid", "publicnetworkid", "controlnetworkid", "routerofferingid", "imagestoreid")
"""Keys of the zone's entry that listZones does not show."""
SYSTEM_OFFERINGS = 6
"""Network offerings of the system's own networks took the first numbers."""
SYSTEM_MACHINES = 2
"""The console proxy and the storage VM took the first two VM numbers."""


def seed_machines(world: World) -> None:
    """Fill a fresh cloud with one simulator zone; ids are those of the catalogue."""
    known = catalog("machines", world.release)
    hidden = {key: world.new_id() for key in HIDDEN}
    hidden["physicalnetworkid"] = known["physical_network"]
    hidden["routerofferingid"] = known["network_offerings"][0]["serviceofferingid"]
    entries(world, "zones", [known["zone"] | hidden])
    entries(world, "offerings", known["service_offerings"])
    world.numbers["network_offerings"] = SYSTEM_OFFERINGS
    entries(world, "network_offerings", known["network_offerings"])
    entries(world, "hosts", known["hosts"])
    pools = [row | {"id": row["storageid"], "name": row["storage"]} for row in known["pools"]]
    entries(world, "pools", pools)
    entries(world, "os_types", known["os_types"])
    entries(world, "disk_offerings", [_disk_offering(world, size) for size in DISKS])
    system = next(one for one in world.accounts_in(world.root_id) if one.name == "system")
    for row in known["templates"]:
        world.put("templates", _built_in(world, row, system.id))
    world.numbers["vms"] = SYSTEM_MACHINES


def entries(world: World, table: str, rows: list[dict[str, Any]]) -> None:
    """Add catalogue rows to a table; a row's name is its `name` or, for an OS type, its description."""
    for row in rows:
        name = row.get("name") or row["description"]
        made = CatalogEntry(id=row["id"], number=world.next_number(table), name=name, row=row)
        world.put(table, made)


DISKS = {"Small": 5, "Medium": 20, "Large": 100, "Custom": 0}
"""Disk offerings of a fresh installation, in GiB; 0: the caller says."""


def _disk_offering(world: World, name: str) -> dict[str, Any]:
    size = DISKS[name]
    text = f"{name} Disk, {size} GB" if size else "Custom Disk"
    return {
        "id": world.new_id(),
        "name": name,
        "displaytext": text,
        "disksize": size,
        "iscustomized": not size,
        "storagetype": "shared",
        "provisioningtype": "thin",
        "displayoffering": True,
        "diskofferingstrictness": False,
        "hasannotations": False,
    }


def _built_in(world: World, row: dict[str, Any], account_id: str) -> Template:
    return Template(
        id=row["id"],
        number=world.next_number("templates"),
        name=row["name"],
        display_text=row["displaytext"],
        account_id=account_id,
        zone_id=row["zoneid"],
        os_type_id=row["ostypeid"],
        format=row["format"],
        type=row["templatetype"],
        hypervisor=row["hypervisor"],
        size=row["size"],
        physical_size=row["physicalsize"],
        public=row["ispublic"],
        featured=row["isfeatured"],
        cross_zones=row["crossZones"],
        requires_hvm=False,
        url=row["url"],
        checksum=row["checksum"],
        created=datetime.strptime(row["created"], "%Y-%m-%dT%H:%M:%S%z"),
    )
