"""Captured networks and public addresses, put into the stand-in: with their ids, ranges and roles."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from datetime import datetime

from sync.captured_catalog import Catalog
from sync.model import OwnedResource
from sync.sandbox.records import Account, World
from sync.sandbox.records_machines import Address, Network


class Networks:
    """Of one world. `time` reads a moment as CloudStack writes it."""

    def __init__(self, world: World, catalog: Catalog, time: Callable[[str], datetime]) -> None:
        self._world = world
        self._catalog = catalog
        self._time = time

    def network(self, one: OwnedResource, owner: Account) -> None:
        """Put a network in."""
        details = one.details
        cidr = details.get("cidr", "10.1.1.0/24")
        block = ipaddress.ip_network(cidr, strict=False)
        vlan = details.get("vlan", "")
        made = Network(
            id=one.id,
            number=self._world.next_number("networks"),
            name=one.name,
            display_text=details.get("displaytext", one.name),
            account_id=owner.id,
            zone_id=self._catalog.zone(details),
            offering_id=self._catalog.network_offering(details),
            state=one.state or "Allocated",
            vlan=int(vlan) or None if vlan.isdecimal() else None,
            cidr=cidr,
            gateway=details.get("gateway", str(block[1])),
            netmask=details.get("netmask", str(block.netmask)),
            network_domain=details.get("networkdomain", "cs.internal"),
            created=self._time(one.created),
        )
        self._world.put("networks", made)
        self._world.usage.add(owner.id, "network", 1)

    def address(self, one: OwnedResource, owner: Account) -> None:
        """Put a public address in: it is taken, whether the stand-in's zone has it or not."""
        details = one.details
        made = Address(
            id=one.id,
            number=self._world.next_number("addresses"),
            name=one.name,
            account_id=owner.id,
            zone_id=self._catalog.zone(details),
            network_id=details.get("associatednetworkid"),
            source_nat=details.get("issourcenat") == "True",
            vm_id=details.get("virtualmachineid"),
            created=self._time(one.created),
        )
        self._world.put("addresses", made)
        self._world.usage.add(owner.id, "ip", 1)
