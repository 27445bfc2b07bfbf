"""Single objects by id, templates by name, a setting, and the offerings of domains, as retirements need them.

An object that is not shown is not proven to be gone: that is what a complete inventory is for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sync.blast import ABOUT_A_DOMAIN
from sync.cloudstack.paging import Query
from sync.cloudstack.reader import Reader
from sync.errors import DataError, RefusedError, SourceError
from sync.model import Action, JsonObject
from sync.radius import ObjectKind, Offering

_LISTALL = {"listall": "true"}
_QUERIES = {
    ObjectKind.DOMAIN: Query("listDomains", "domain", _LISTALL),
    ObjectKind.SUBDOMAIN: Query("listDomains", "domain", _LISTALL),
    ObjectKind.PROJECT: Query("listProjects", "project", _LISTALL),
    ObjectKind.ACCOUNT: Query("listAccounts", "account", _LISTALL),
    ObjectKind.VM: Query("listVirtualMachines", "virtualmachine", _LISTALL),
    ObjectKind.VOLUME: Query("listVolumes", "volume", _LISTALL),
    ObjectKind.SNAPSHOT: Query("listSnapshots", "snapshot", _LISTALL),
    ObjectKind.TEMPLATE: Query("listTemplates", "template", {**_LISTALL, "templatefilter": "all"}),
    ObjectKind.ISO: Query("listIsos", "iso", {**_LISTALL, "isofilter": "all"}),
    ObjectKind.NETWORK: Query("listNetworks", "network", _LISTALL),
}
_HIDDEN = {
    ObjectKind.VM: "displayvm",
    ObjectKind.VOLUME: "displayvolume",
    ObjectKind.NETWORK: "displaynetwork",
}
_OFFERINGS = (
    Query("listServiceOfferings", "serviceoffering", _LISTALL),
    Query("listDiskOfferings", "diskoffering", _LISTALL),
    Query("listNetworkOfferings", "networkoffering", _LISTALL),
    Query("listVPCOfferings", "vpcoffering", _LISTALL),
)
EXPUNGE_DELAY = "expunge.delay"


@dataclass(frozen=True, slots=True)
class Seen:
    """One object as CloudStack shows it now."""

    id: str
    state: str
    """In lower case; empty where it has none."""
    owner: str = ""
    """Name of the account that owns it."""
    name: str = ""
    is_protected: bool = False


def seen(reader: Reader, kind: ObjectKind, id: str) -> Seen | None:
    """The object; None where it is not shown, which proves nothing. Raises SourceError."""
    row = row_of(reader, kind, id)
    return _seen(row) if row is not None else None


def row_of(reader: Reader, kind: ObjectKind, id: str) -> JsonObject | None:
    """What CloudStack says of an object; None where it is not shown. Raises SourceError."""
    base = _QUERIES[kind].with_parameters(id=id)
    variants = [base]
    if kind in _HIDDEN:
        variants.append(base.with_parameters(projectid="-1"))
        if reader.capabilities().has(base.command, _HIDDEN[kind]):
            variants += [one.with_parameters(**{_HIDDEN[kind]: "false"}) for one in list(variants)]
    elif kind in (ObjectKind.SNAPSHOT, ObjectKind.TEMPLATE, ObjectKind.ISO):
        variants.append(base.with_parameters(projectid="-1"))
    for query in variants:
        row = next((row for row in _rows(reader, query) if row.get("id") == id), None)
        if row is not None:
            return row
    return None


def _rows(reader: Reader, query: Query) -> list[JsonObject]:
    """Rows of an object asked for by its id; none where the id is refused, as that of a removed one is."""
    try:
        return reader.listed(query)
    except RefusedError:
        return []


def _seen(row: JsonObject) -> Seen:
    state = str(row.get("state") or row.get("status") or "")
    return Seen(
        id=str(row["id"]),
        state=state.casefold(),
        owner=str(row.get("account") or ""),
        name=str(row.get("name") or ""),
        is_protected=row.get("deleteprotection") is True,
    )


def templates_named(reader: Reader, name: str, text: str) -> tuple[JsonObject, ...]:
    """The templates of that name with that display text, of whomever. Raises SourceError."""
    rows = reader.listed(_QUERIES[ObjectKind.TEMPLATE].with_parameters(name=name))
    return tuple(row for row in rows if row.get("name") == name and row.get("displaytext") == text)


def os_type_of(reader: Reader, machine_id: str) -> str:
    """Id of the OS type of a VM. Raises DataError where it is not shown, SourceError."""
    base = _QUERIES[ObjectKind.VM].with_parameters(id=machine_id)
    for query in (base, base.with_parameters(projectid="-1"), base.with_parameters(displayvm="false")):
        for row in _rows(reader, query):
            found = row.get("ostypeid") or row.get("guestosid")
            if row.get("id") == machine_id and found:
                return str(found)
    raise DataError(f"CloudStack does not show the OS type of the VM {machine_id}.")


def seconds_of(reader: Reader, name: str) -> float:
    """A setting in force that is a number of seconds. Raises DataError where it is not shown, SourceError."""
    query = Query("listConfigurations", "configuration", {"name": name}, identity=("name",))
    for row in reader.listed(query):
        if row.get("name") == name:
            try:
                return float(str(row.get("value")))
            except ValueError:
                break
    raise DataError(
        f"CloudStack does not show its setting {name} to this key.",
        next_step="Allow listConfigurations in its role: how long destroyed VMs are kept has to be known.",
    )


def offerings_of_domains(reader: Reader) -> tuple[Offering, ...]:
    """The offerings that are for certain domains only; of those lists that this server has. Raises
    SourceError."""
    found = []
    for query in _OFFERINGS:
        if query.command != "listVPCOfferings" or reader.capabilities().has(query.command):
            for row in reader.listed(query):
                ids = frozenset(filter(None, str(row.get("domainid") or "").split(",")))
                if ids:
                    found.append(Offering(str(row["id"]), str(row.get("name", "")), ids))
    return tuple(found)


def offerings_about(reader: Reader, actions: Iterable[Action]) -> tuple[Offering, ...] | SourceError:
    """The same, or why they cannot be read, as `sync.blast` takes them; none where no action is about a
    domain."""
    if not any(action.kind in ABOUT_A_DOMAIN for action in actions):
        return ()
    try:
        return offerings_of_domains(reader)
    except SourceError as error:
        return error
