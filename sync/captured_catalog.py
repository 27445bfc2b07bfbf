"""What a zone comes with (zones, pools, offerings, roles), put into the stand-in as they were captured.

What the stand-in has already is found by id or name; what it has not is made like what it has.
"""

from __future__ import annotations

from collections.abc import Mapping

from sync.named import Named
from sync.sandbox.records import Role, World
from sync.sandbox.records_machines import CatalogEntry
from sync.sandbox.worlds.build_machines import OFFERING

ELSEWHERE = " (of the stand-in alone)"
"""Behind the name of what the captured server does not have, so that it is not found by that name."""


class Catalog:
    """The catalogues of one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def zone(self, details: Mapping[str, str]) -> str:
        """The id of the zone that something lies in."""
        return self.entry("zones", details, "zone")

    def entry(self, table: str, details: Mapping[str, str], field: str, *, like: str = "") -> str:
        """The id of an offering, pool or zone: the captured one, of that name, or made as another one is."""
        records: dict[str, CatalogEntry] = self.world.table(table)
        name = details.get(f"{field}name") or details.get(field, "")
        id = details.get(f"{field}id", "")
        if id in records:
            return id
        same = next((one for one in records.values() if one.name == name), None)
        model = next((one for one in records.values() if one.name == like), next(iter(records.values())))
        if same is not None or not name:
            return (same or model).id
        sized = {key: int(details[key]) for key in ("cpunumber", "cpuspeed", "memory") if key in details}
        naming = (
            {"storage": name, "storageid": id} if table == "pools" else {"name": name, "displaytext": name}
        )
        row = model.row | naming | (sized if table == "offerings" else {})
        made = CatalogEntry(
            id=id or self.world.new_id(), number=self.world.next_number(table), name=name, row=row
        )
        made.row["id"] = made.id
        self.world.put(table, made)
        return made.id

    def network_offering(self, details: Mapping[str, str]) -> str:
        """The id of the offering that a network was made of."""
        return self.entry("network_offerings", details, "networkoffering", like=OFFERING)

    def os_type(self, name: str) -> str:
        """The id of the OS type of that name; empty where there is none."""
        types = self.world.os_types.values()
        return next((one.id for one in types if name in (one.name, one.row["description"])), "")

    def agree_with(self, named: Named) -> None:
        """Let a name be found here exactly where the server has it."""
        for name, id in named.zones.items():
            self._agree("zones", name, id)
        for name, id in named.network_offerings.items():
            self._agree("network_offerings", name, id)
        for name, id in named.roles.items():
            self._agree_on_role(name, id)

    def _agree(self, table: str, name: str, id: str) -> None:
        if id and table == "zones":
            self.zone({"zonename": name, "zoneid": id})
        elif id:
            self.network_offering({"networkofferingname": name, "networkofferingid": id})
        else:
            for one in self.world.table(table).values():
                if one.name.casefold() == name.casefold():
                    one.name = one.row["name"] = name + ELSEWHERE

    def _agree_on_role(self, name: str, id: str) -> None:
        same = [one for one in self.world.roles.values() if one.name.casefold() == name.casefold()]
        if id and not same:
            number = self.world.next_number("roles")
            self.world.put("roles", Role(id=id, number=number, name=name, type="User"))
        elif not id:
            for one in same:
                one.name = name + ELSEWHERE
