"""Reads what a restore builds from: zones, offerings, OS types, templates, networks, addresses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import chain

from sync.cloudstack.paging import Query
from sync.model import JsonObject
from sync.stock import READY, WAITING, Entry, GuestNetwork, Image, PublicAddress, Stock, Zone

Read = Callable[[Query], list[JsonObject]]
"""Reads one list, proven to be all of it. Raises SourceError."""

_LISTALL = {"listall": "true"}
_PLACES = ("id", "zoneid", "datastoreid", "locationtype")
_UNDER_WAY = re.compile(r"|\d+% downloaded|installing .*|processing|not_downloaded|download_in_progress")
"""What `status` says of a template that is still to come, in lower case (read in CloudStack's source)."""


def stock(read: Read) -> Stock:
    """All of it, each list read anew. Raises SourceError."""
    addresses = holders(read)
    return Stock(
        zones=_zones(read),
        offerings=_entries(read(Query("listServiceOfferings", "serviceoffering"))),
        network_offerings=_entries(read(Query("listNetworkOfferings", "networkoffering"))),
        os_types=_entries(read(Query("listOsTypes", "ostype"))),
        templates=images(read, isos=False),
        isos=images(read, isos=True),
        networks=tuple(
            GuestNetwork(
                id=_text(row, "id"),
                name=_text(row, "name"),
                domain_id=_text(row, "domainid"),
                account=_text(row, "account"),
                cidr=_text(row, "cidr"),
                addresses=addresses.get(_text(row, "id"), {}),
            )
            for row in _with_projects(read, Query("listNetworks", "network", _LISTALL))
        ),
        public_addresses=public_addresses(read),
    )


def zone(read: Read, name: str) -> Zone | None:
    """The zone of that name. Raises SourceError."""
    return next((one for one in _zones(read) if one.name == name), None)


def _zones(read: Read) -> tuple[Zone, ...]:
    rows = read(Query("listZones", "zone"))
    return tuple(Zone(_text(row, "id"), _text(row, "name"), _text(row, "allocationstate")) for row in rows)


def images(read: Read, *, isos: bool, name: str | None = None) -> tuple[Image, ...]:
    """Templates or ISOs, all or of one name; of several copies the one that is nearest to being ready.

    `templatefilter=all` shows them whatever domain is asked for (measured). Raises SourceError.
    """
    command, key, filter = (
        ("listIsos", "iso", "isofilter") if isos else ("listTemplates", "template", "templatefilter")
    )
    named = {} if name is None else {"name": name}
    query = Query(command, key, {**_LISTALL, filter: "all", **named}, identity=_PLACES)
    found: dict[str, Image] = {}
    for row in _with_projects(read, query):
        image = Image(
            _text(row, "id"), _text(row, "name"), _state(row), _text(row, "domainid"), _text(row, "account")
        )
        if name in (None, image.name) and (image.id not in found or image.is_ready):
            found[image.id] = image
    return tuple(found.values())


def _state(row: JsonObject) -> str:
    if row.get("isready") is True:
        return READY
    status = _text(row, "status")
    return WAITING if _UNDER_WAY.fullmatch(status.casefold()) else status


def holders(read: Read, *, network_id: str | None = None) -> dict[str, dict[str, str]]:
    """Network id → guest address → whose it is, in words. Raises SourceError."""
    where = {} if network_id is None else {"networkid": network_id}
    found: dict[str, dict[str, str]] = {}
    for row in _with_projects(read, Query("listVirtualMachines", "virtualmachine", {**_LISTALL, **where})):
        for nic in row.get("nic") or ():
            whose = f"VM {_text(row, 'name')} of {_text(row, 'domainpath') or _text(row, 'domain')}"
            found.setdefault(_text(nic, "networkid"), {})[_text(nic, "ipaddress")] = whose
    return found


def public_addresses(read: Read, **where: str) -> tuple[PublicAddress, ...]:
    """The public addresses that somebody has, each once; `where` are parameters of the list. Raises
    SourceError."""
    query = Query("listPublicIpAddresses", "publicipaddress", {**_LISTALL, **where})
    found = {
        _text(row, "id"): PublicAddress(
            id=_text(row, "id"),
            address=_text(row, "ipaddress"),
            zone=_text(row, "zonename"),
            domain_id=_text(row, "domainid"),
            path=_text(row, "domainpath") or _text(row, "domain"),
            account=_text(row, "account"),
            project=_text(row, "project"),
            network_id=_text(row, "associatednetworkid"),
            network=_text(row, "associatednetworkname"),
            is_source_nat=row.get("issourcenat") is True,
        )
        for row in _with_projects(read, query)
    }
    return tuple(found.values())


def _with_projects(read: Read, query: Query) -> Iterable[JsonObject]:
    """With what CloudStack Projects own, which a list without `projectid=-1` leaves out (measured)."""
    return chain(read(query), read(query.with_parameters(projectid="-1")))


def _entries(rows: Iterable[JsonObject]) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            _text(row, "id"),
            _text(row, "name") or _text(row, "description"),
            is_custom=row.get("iscustomized") is True,
            wants_vlan=row.get("specifyvlan") is True,
        )
        for row in rows
    )


def _text(row: JsonObject, name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)
