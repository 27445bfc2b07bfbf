"""From CloudStack's rows to values. Pure; a field that a release does not have is empty, never an error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from sync.model import (
    RESOURCE_TYPES,
    UNLIMITED,
    Account,
    Domain,
    JsonObject,
    Nic,
    OwnedResource,
    RunningJob,
    Scope,
    User,
    VirtualMachine,
    project_key,
)
from sync.secret import shown_url

_LIMIT_FIELDS = tuple((name, f"{name}limit") for name in RESOURCE_TYPES)
_NO_USERS: tuple[User, ...] = ()


def _text(row: JsonObject, name: str) -> str:
    """Equal texts are one object, within and between inventories: ids, names and zones are in many rows."""
    value = row.get(name)
    return "" if value is None else sys.intern(str(value))


def _text_or_none(row: JsonObject, name: str) -> str | None:
    return _text(row, name) or None


def domain(row: JsonObject, *, with_limits: bool) -> Domain:
    return Domain(
        id=_text(row, "id"),
        name=_text(row, "name"),
        path=_text(row, "path"),
        parent_id=_text_or_none(row, "parentdomainid"),
        level=_size(row, ("level",)) or 0,
        network_domain=_text_or_none(row, "networkdomain"),
        state=_text(row, "state") or "Active",
        limits=limits(row) if with_limits else None,
    )


def limits(row: JsonObject) -> dict[str, int] | None:
    """A domain's own limits; None where the row has none of them (`details=min`).

    They are strings: `Unlimited`, `-1` or a number, `20` as well as `400.0` (measured on 4.18 and 4.23).
    """
    found = {}
    for name, field in _LIMIT_FIELDS:
        value = row.get(field)
        if value is None:
            continue
        limit = _limit(value)
        if limit is not None:
            found[name] = limit
    return found or None


def _limit(value: object) -> int | None:
    if isinstance(value, str) and value.strip().casefold() == "unlimited":
        return UNLIMITED
    try:
        return int(float(str(value)))
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class Listed:
    """A domain, and what CloudStack counts in it and all below it."""

    domain: Domain
    counts: tuple[int, ...]
    """Of the fields in `COUNTS`; 0 where the row has none (`details=min`)."""


COUNTS = {
    "vms": "vmtotal",
    "volumes": "volumetotal",
    "snapshots": "snapshottotal",
    "networks": "networktotal",
}
"""List → what `details=resource` calls the number of these in a domain and all below it (recorded)."""


def listed(row: JsonObject, *, with_limits: bool) -> Listed:
    return Listed(domain(row, with_limits=with_limits), tuple(_count(row, name) for name in COUNTS.values()))


def _count(row: JsonObject, name: str) -> int:
    try:
        return int(row.get(name, 0))
    except (TypeError, ValueError):
        return 0


def user(row: JsonObject) -> User:
    return User(
        id=_text(row, "id"),
        username=_text(row, "username"),
        email=_text(row, "email"),
        firstname=_text(row, "firstname"),
        lastname=_text(row, "lastname"),
        state=_text(row, "state"),
        account_id=_text(row, "accountid"),
        account=_text(row, "account"),
        domain_id=_text(row, "domainid"),
        source=_text(row, "usersource") or "native",
    )


def users_by_account(users: Iterable[User]) -> dict[str, tuple[User, ...]]:
    """Account id → its users, by username."""
    grouped: dict[str, list[User]] = {}
    for one in users:
        grouped.setdefault(one.account_id, []).append(one)
    return {account_id: tuple(sorted(found, key=_username)) for account_id, found in grouped.items()}


def _username(one: User) -> str:
    return one.username


def account(row: JsonObject, users: tuple[User, ...] = _NO_USERS) -> Account:
    return Account(
        id=_text(row, "id"),
        name=_text(row, "name"),
        domain_id=_text(row, "domainid"),
        state=_text(row, "state"),
        role=_text(row, "rolename") or _text(row, "roletype"),
        users=users,
        created=_text(row, "created"),
    )


_MACHINE_DETAILS = (
    *("instancename", "displayname", "hypervisor", "hostname", "zonename", "zoneid"),
    *("serviceofferingname", "serviceofferingid", "cpunumber", "cpuspeed", "memory"),
    *("templatename", "templateid", "osdisplayname", "keypairs", "keypair", "userid", "username"),
)


def machine(row: JsonObject, path: str) -> VirtualMachine:
    """`path` is that of the VM's domain: rows before 4.19 or so do not have it.

    The row's own `details` are left out: a VM's initial password may stand in them.
    """
    protected = row.get("deleteprotection")
    nics = tuple(_nic(nic) for nic in row.get("nic") or ())
    return VirtualMachine(
        id=_text(row, "id"),
        name=_text(row, "name"),
        state=_text(row, "state"),
        domain_id=_text(row, "domainid"),
        domain_path=path,
        account=_text_or_none(row, "account"),
        project=_text_or_none(row, "project"),
        addresses=tuple(nic.address for nic in nics if nic.address),
        delete_protected=protected if isinstance(protected, bool) else None,
        created=_text(row, "created"),
        nics=nics,
        details=_details(row, _MACHINE_DETAILS),
    )


def _nic(row: JsonObject) -> Nic:
    return Nic(
        network_id=_text(row, "networkid"),
        network=_text(row, "networkname"),
        address=_text(row, "ipaddress"),
        mac=_text(row, "macaddress"),
        is_default=row.get("isdefault") is True,
    )


def _details(row: JsonObject, names: Iterable[str]) -> dict[str, str]:
    """The named fields that the row has, as text. Of a URL, user, password and options are cut out."""
    found = {name: _text(row, name) for name in names if row.get(name)}
    if "url" in found:
        found["url"] = shown_url(found["url"])
    return found


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a kind of owned resource keeps what is shown of it."""

    name: str = "name"
    state: str = "state"
    size: tuple[str, ...] = ()
    details: tuple[str, ...] = ()

    def made(self, row: JsonObject, path: str) -> OwnedResource:
        """Such a resource in the domain at `path`."""
        return owned(row, path, self)


VOLUME = Shape(
    size=("size",),
    details=(
        *("type", "deviceid", "vmname", "virtualmachineid", "zonename"),
        *("storage", "storageid", "path", "chaininfo", "clustername", "storagetype", "physicalsize"),
        *("diskofferingname", "diskofferingid", "templateid"),
    ),
)
"""With pool, path and chain, the storage team finds a disk that CloudStack has forgotten."""
SNAPSHOT = Shape(
    size=("virtualsize", "physicalsize"),
    details=(
        *("volumename", "volumeid", "volumetype", "intervaltype", "zonename"),
        *("datastorename", "physicalsize"),
    ),
)
TEMPLATE = Shape(
    state="status",
    size=("size",),
    details=(
        *("templatetype", "ostypename", "ostypeid", "hypervisor", "format", "zonename", "url", "checksum"),
        *("displaytext", "ispublic", "isextractable", "isfeatured", "requireshvm", "sourcetemplateid"),
    ),
)
ISO = Shape(
    state="status",
    size=("size",),
    details=("ostypename", "ostypeid", "zonename", "url", "checksum", "displaytext", "ispublic", "bootable"),
)
NETWORK = Shape(
    details=(
        *("type", "cidr", "gateway", "netmask", "vlan", "networkdomain", "displaytext"),
        *("networkofferingname", "networkofferingid", "zonename"),
    )
)
ADDRESS = Shape(
    name="ipaddress",
    details=(
        *("associatednetworkid", "associatednetworkname", "issourcenat", "isstaticnat", "isportable"),
        *("virtualmachineid", "virtualmachinename", "vpcid", "zonename"),
    ),
)
PROJECT = Shape(details=("displaytext", "projectaccountname"))


def owned(row: JsonObject, path: str, shape: Shape) -> OwnedResource:
    """A volume, snapshot, template, ISO, network, public address or Project in the domain at `path`."""
    state = _text(row, shape.state)
    if not state and "isready" in row:
        state = "Ready" if row["isready"] else "Not ready"
    return OwnedResource(
        id=_text(row, "id"),
        name=_text(row, shape.name),
        state=state,
        domain_id=_text(row, "domainid"),
        domain_path=path,
        account=_text_or_none(row, "account") or _owner(row),
        project=_text_or_none(row, "project"),
        size=_size(row, shape.size),
        created=_text(row, "created") or _text(row, "allocated"),
        details=_details(row, shape.details),
    )


def _owner(row: JsonObject) -> str | None:
    """The account that owns a CloudStack Project: `owner` is a list of objects with one key each."""
    for owner in row.get("owner") or ():
        if isinstance(owner, dict) and owner.get("account"):
            return str(owner["account"])
    return None


def _size(row: JsonObject, names: tuple[str, ...]) -> int | None:
    for name in names:
        value = row.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return int(value)
    return None


def job(row: JsonObject, account_names: Mapping[str, str]) -> RunningJob:
    """A running job. 4.18 names the account by its id only (measured), `account_names` maps that."""
    account_id = _text(row, "accountid")
    return RunningJob(
        id=_text(row, "jobid"),
        command=_text(row, "cmd"),
        started=_text(row, "created"),
        user_id=_text(row, "userid"),
        account=_text(row, "account") or account_names.get(account_id, account_id),
    )


# --- paths and scope --------------------------------------------------------------------------------------


def is_below(path: str, parent: str) -> bool:
    """Whether `path` is `parent` or below it; names of domains are compared case-insensitively."""
    path, parent = path.casefold(), parent.casefold()
    return path == parent or path.startswith(f"{parent}/")


def in_scope(scope: Scope) -> Callable[[str], bool]:
    """A test for paths. The parent itself is in scope, also when the scope names projects."""
    parent = scope.parent.casefold()
    prefix = f"{parent}/"

    def covers(path: str) -> bool:
        folded = path.casefold()
        if folded == parent:
            return True
        if not folded.startswith(prefix):
            return False
        return scope.is_full or scope.covers(project_key(folded[len(prefix) :].partition("/")[0]))

    return covers


Thing = TypeVar("Thing", VirtualMachine, OwnedResource)


@dataclass(frozen=True, slots=True)
class Placed(Generic[Thing]):
    """A thing as its row tells of it, which may not tell, or no longer rightly, where its domain is."""

    thing: Thing
    """With the path that the row names; empty where it names none."""
    domain: str
    """Name of the domain."""
    is_of_project: bool
    """Whether a CloudStack Project owns it."""

    def at(self, path: str) -> Thing:
        return self.thing if self.thing.domain_path == path else replace(self.thing, domain_path=path)


def placed(row: JsonObject, make: Callable[[JsonObject, str], Thing]) -> Placed[Thing]:
    return Placed(make(row, _text(row, "domainpath")), _text(row, "domain"), bool(row.get("projectid")))


class Paths:
    """Domain id → path, of the domains that are listed and of those that are not any more."""

    def __init__(self, listed: Mapping[str, str], remembered: Mapping[str, str], parent: str) -> None:
        self._listed = listed
        self._remembered = remembered
        self._parent = parent
        self.assumed = 0
        """Things whose domain's path had to be assumed."""

    def of(self, one: Placed[Thing]) -> str:
        """The path of the thing's domain.

        4.18 names no path in the rows of VMs, volumes and snapshots (measured), and a domain that is being
        deleted is no longer listed: then it is the path it had when it was last seen, else it is assumed to
        be right below the parent. Too loud rather than too quiet: it may be a project that is dying.
        """
        domain_id = one.thing.domain_id
        path = self._listed.get(domain_id) or one.thing.domain_path or self._remembered.get(domain_id)
        if path:
            return path
        self.assumed += 1
        return f"{self._parent}/{one.domain or domain_id}"
