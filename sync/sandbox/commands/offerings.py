"""Service, disk and network offerings, and OS types: the catalogue a fresh zone has."""

from __future__ import annotations

from sync.sandbox.commands.common_machines import equal, has_text
from sync.sandbox.engine import Call, command
from sync.sandbox.paging import Listing


def _catalogue(call: Call, table: str) -> Listing:
    found = [
        one
        for one in call.world.table(table).values()
        if equal(call, "id", one.id)
        and equal(call, "name", one.name)
        and equal(call, "description", one.row.get("description"))
        and equal(call, "oscategoryid", one.row.get("oscategoryid"))
        and equal(call, "guestiptype", one.row.get("guestiptype"))
        and equal(call, "state", one.row.get("state"))
        and has_text(call.params.get("keyword"), one.name)
    ]
    return Listing(found, lambda one: one.row)


@command("listServiceOfferings", answer="serviceoffering", entities={"id": "offerings"})
def list_service_offerings(call: Call) -> Listing:
    """The service offerings."""
    return _catalogue(call, "offerings")


@command("listDiskOfferings", answer="diskoffering", entities={"id": "disk_offerings"})
def list_disk_offerings(call: Call) -> Listing:
    """The disk offerings."""
    return _catalogue(call, "disk_offerings")


@command("listNetworkOfferings", answer="networkoffering", entities={"id": "network_offerings"})
def list_network_offerings(call: Call) -> Listing:
    """The network offerings."""
    return _catalogue(call, "network_offerings")


@command("listOsTypes", answer="ostype", entities={"id": "os_types"})
def list_os_types(call: Call) -> Listing:
    """The OS types."""
    return _catalogue(call, "os_types")


@command("listOsCategories", answer="oscategory")
def list_os_categories(call: Call) -> Listing:
    """The families of OS types."""
    named = {
        one.row["oscategoryid"]: one.row.get("oscategoryname", one.name.split()[0])
        for one in call.world.os_types.values()
    }
    return Listing(list(named.items()), lambda one: {"id": one[0], "name": one[1]})
