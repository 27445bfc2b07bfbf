"""How what a restore does is read, sent and verified: addresses, templates, ISOs, VMs, the freeze of a zone.

Facts from the recordings of 4.18 and 4.23; `updateZone`, downloads that fail and public addresses were not
recorded: what is said of these was read in CloudStack's source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sync.errors import DataError
from sync.lookup import Lookup
from sync.machine_states import FAILED, GOING, GONE, RECOVERABLE, UNDER_WAY
from sync.model import Action, ActionKind, VirtualMachine
from sync.operation import (
    SETTLE_SECONDS_WITHOUT_UNIQUE_NAMES,
    Observation,
    Operation,
    Parameters,
    absent,
    present,
    target_of,
)
from sync.stock import READY, WAITING, Image

DOWNLOAD_SECONDS = 4 * 3600.0
"""How long CloudStack is given to fetch a template."""
START_SECONDS = 300.0
"""How long a VM is given that is found while it starts, without a job that could be followed."""

NETWORK_ID = "id:"
"""Before the id of a network that is not the owner's own, among the names of those that are."""
_FLAGS = ("ispublic", "isfeatured", "isextractable", "requireshvm", "bootable")


# --- public addresses ---------------------------------------------------------------------------------------

ADDRESS_SECONDS = 60.0
"""How long an address is given that is the account's and in no network yet."""


def _read_address(lookup: Lookup, action: Action) -> Observation:
    """The address where it is to be; else who has it, in words."""
    target, wanted = target_of(action), action.parameters
    domain_id = lookup.domain_id(target.path)
    found = [one for one in lookup.reader.public_addresses(address=target.name) if one.zone == wanted["zone"]]
    for one in found:
        is_ours = (one.domain_id, one.account) == (domain_id, target.account)
        if is_ours and one.network.casefold() in ("", wanted["network"].casefold()):
            role = "yes" if one.is_source_nat else "no"
            return present(one.id, ipaddress=one.address, network=one.network, sourcenat=role)
    holders = [f"{one.owner}, network {one.network or '(none)'}" for one in found]
    return Observation(None, {"exists": "no", "holder": holders[0] if holders else None})


def _address_is_under_way(now: Observation) -> bool:
    """Taken, and not put into its network yet: that is the second half of its job."""
    return now.object_id is not None and not now.fields.get("network")


def _send_address(lookup: Lookup, action: Action, _: Observation) -> Parameters:
    return {"networkid": _address_network(lookup, action), "ipaddress": target_of(action).name}


def _address_network(lookup: Lookup, action: Action) -> str:
    return _network_id(
        lookup, lookup.required_domain_id(target_of(action).path), action.parameters["network"]
    )


def _role_cannot_be_had(lookup: Lookup, action: Action, _: Observation) -> str:
    """A network has one source NAT address, and the first address that it gets becomes that."""
    network = action.parameters["network"]
    own = lookup.reader.public_addresses(network_id=_address_network(lookup, action))
    source = next((one.address for one in own if one.is_source_nat), "")
    if action.parameters["sourcenat"] == "yes":
        return f"the network {network} has the source NAT address {source} already" if source else ""
    if source:
        return ""
    return (
        f"the network {network} has no source NAT address yet, and CloudStack would make this one that; "
        "start a VM in it first"
    )


# --- templates and ISOs -------------------------------------------------------------------------------------


def _read_image(lookup: Lookup, action: Action) -> Observation:
    target = target_of(action)
    domain_id = lookup.domain_id(target.path)
    found = lookup.reader.images(_is_iso(action), domain_id, target.account, target.name) if domain_id else ()
    if not found:
        return absent()
    best = min(found, key=_usable_first)
    return present(best.id, name=best.name, state=best.state)


def _usable_first(image: Image) -> int:
    return 0 if image.is_ready else 1 if image.state == WAITING else 2


def _is_iso(action: Action) -> bool:
    return action.kind is ActionKind.REGISTER_ISO


def _image_is_under_way(now: Observation) -> bool:
    return now.fields.get("state") == WAITING


def _broken_image(now: Observation) -> str:
    state = now.fields.get("state")
    if state in (None, READY, WAITING):
        return ""
    return (
        f"CloudStack could not fetch it and says “{state}” (id {now.object_id}). Delete that in CloudStack, "
        "then run it again"
    )


def _send_image(lookup: Lookup, action: Action, _: Observation) -> Parameters:
    target, wanted = target_of(action), action.parameters
    flags = {name: wanted[name] for name in (*_FLAGS, "ostypeid") if name in wanted}
    checksum = f"{{SHA-256}}{wanted['sha256']}" if "sha256" in wanted else wanted["checksum"]
    shape = {} if _is_iso(action) else {name: wanted[name] for name in ("format", "hypervisor")}
    return {
        "name": target.name,
        "displaytext": wanted.get("displaytext") or target.name,
        "url": wanted.get("url") or lookup.served(wanted["file"], sha256=wanted["sha256"]),
        "zoneid": lookup.zone_id(wanted["zone"]),
        "account": target.account,
        "domainid": lookup.required_domain_id(target.path),
        **shape,
        **flags,
        "checksum": checksum,
    }


# --- VMs ----------------------------------------------------------------------------------------------------


def _read_machine(lookup: Lookup, action: Action) -> Observation:
    target = target_of(action)
    domain_id = lookup.domain_id(target.path)
    found = lookup.reader.machines(domain_id, target.account, target.name) if domain_id is not None else ()
    best = _best(found)
    if best is not None:
        address = next((nic.address for nic in best.nics if nic.is_default), "") or next(
            iter(best.addresses), ""
        )
        return present(best.id, name=best.name, state=best.state.casefold(), ipaddress=address)
    if "ipaddress" not in action.parameters or domain_id is None:
        return absent()
    network_id = _network_ids(lookup, action)[0]
    holder = lookup.reader.address_holder(network_id, action.parameters["ipaddress"])
    return Observation(None, {"exists": "no", "holder": holder or None})


def _best(found: Iterable[VirtualMachine]) -> VirtualMachine | None:
    """The VM of that name that lives, before one that is destroyed or in error."""
    there = [vm for vm in found if vm.state.casefold() not in GOING]
    return min(there, key=lambda vm: vm.state.casefold() in GONE, default=None)


def _machine_is_under_way(now: Observation) -> bool:
    return now.fields.get("state") in UNDER_WAY


def _broken_machine(now: Observation) -> str:
    state = now.fields.get("state")
    if state in FAILED:
        return (
            f"a VM of that name is there in state Error (id {now.object_id}), the remains of a failed try. "
            "Expunge that in CloudStack, then run it again"
        )
    if state in RECOVERABLE:
        return f"a VM of that name is Destroyed and can be recovered (id {now.object_id}). Recover it instead"
    return ""


def _network_ids(lookup: Lookup, action: Action) -> list[str]:
    """Ids of the VM's networks, the default one first. Raises DataError for one that is not there."""
    domain_id = lookup.required_domain_id(target_of(action).path)
    ids = []
    for one in action.parameters["networks"].split("\n"):
        if one.startswith(NETWORK_ID):
            ids.append(one.removeprefix(NETWORK_ID))
            continue
        ids.append(_network_id(lookup, domain_id, one))
    return ids


def _network_id(lookup: Lookup, domain_id: str, name: str) -> str:
    """Raises DataError for a network that is not there."""
    network = lookup.reader.network(domain_id, name)
    if network is None:
        raise DataError(f"The network {name} is not there.", next_step="Read both sides again.")
    return network.id


def _template_id(lookup: Lookup, action: Action) -> str:
    """Id of the VM's template: the one of before, or the one that was registered for it. Raises DataError."""
    wanted = action.parameters
    if "templateid" in wanted:
        return wanted["templateid"]
    domain_id = lookup.required_domain_id(wanted["templatedomain"])
    found = lookup.reader.images(False, domain_id, wanted["templateaccount"], wanted["template"])
    ready = next((one for one in found if one.is_ready), None)
    if ready is None:
        raise DataError(
            f"The template {wanted['template']} of {wanted['templatedomain']} is not there, or not ready.",
            next_step="Restore it first.",
        )
    return ready.id


def _send_machine(lookup: Lookup, action: Action, _: Observation) -> Parameters:
    target, wanted = target_of(action), action.parameters
    optional = {name: wanted[name] for name in ("displayname", "ipaddress") if name in wanted}
    return {
        "name": target.name,
        "zoneid": lookup.zone_id(wanted["zone"]),
        "serviceofferingid": wanted["serviceofferingid"],
        "templateid": _template_id(lookup, action),
        "networkids": ",".join(_network_ids(lookup, action)),
        "account": target.account,
        "domainid": lookup.required_domain_id(target.path),
        "startvm": "false" if wanted.get("state") == "stopped" else "true",
        **optional,
    }


# --- zones --------------------------------------------------------------------------------------------------


def _read_zone(lookup: Lookup, action: Action) -> Observation:
    zone = lookup.reader.zone(action.target)
    return absent() if zone is None else present(zone.id, allocationstate=zone.allocation.casefold())


def _send_freeze(_: Lookup, __: Action, now: Observation) -> Parameters:
    return {"id": str(now.object_id), "allocationstate": "Disabled"}


def _send_thaw(_: Lookup, __: Action, now: Observation) -> Parameters:
    return {"id": str(now.object_id), "allocationstate": "Enabled"}


# --- the table ----------------------------------------------------------------------------------------------

_IMAGE = frozenset({"exists", "name", "state"})
_ZONE = frozenset({"exists", "allocationstate"})


def _registering(command: str) -> Operation:
    """Of a template or an ISO, whose file CloudStack fetches after the call was answered."""
    return Operation(
        command,
        _read_image,
        _send_image,
        _IMAGE,
        goal={"state": READY},
        is_creation=True,
        settle_seconds=SETTLE_SECONDS_WITHOUT_UNIQUE_NAMES,
        is_under_way=_image_is_under_way,
        patience_seconds=DOWNLOAD_SECONDS,
        broken=_broken_image,
    )


RESTORING: Mapping[ActionKind, Operation] = {
    ActionKind.TAKE_ADDRESS: Operation(
        "associateIpAddress",
        _read_address,
        _send_address,
        frozenset({"exists", "holder", "ipaddress", "network", "sourcenat"}),
        objection=_role_cannot_be_had,
        is_creation=True,
        is_under_way=_address_is_under_way,
        patience_seconds=ADDRESS_SECONDS,
    ),
    ActionKind.REGISTER_TEMPLATE: _registering("registerTemplate"),
    ActionKind.REGISTER_ISO: _registering("registerIso"),
    ActionKind.DEPLOY_VM: Operation(
        "deployVirtualMachine",
        _read_machine,
        _send_machine,
        frozenset({"exists", "name", "state", "ipaddress", "holder"}),
        is_creation=True,
        settle_seconds=SETTLE_SECONDS_WITHOUT_UNIQUE_NAMES,
        is_under_way=_machine_is_under_way,
        patience_seconds=START_SECONDS,
        broken=_broken_machine,
    ),
    ActionKind.FREEZE_ZONE: Operation(
        "updateZone", _read_zone, _send_freeze, _ZONE, goal={"allocationstate": "disabled"}
    ),
    ActionKind.THAW_ZONE: Operation(
        "updateZone", _read_zone, _send_thaw, _ZONE, goal={"allocationstate": "enabled"}
    ),
}

_SHAPE = frozenset({"zone", "account", "domain"})
RESTORING_NEEDS: Mapping[ActionKind, frozenset[str]] = {
    ActionKind.TAKE_ADDRESS: _SHAPE | {"network", "sourcenat"},
    ActionKind.REGISTER_TEMPLATE: _SHAPE | {"format", "hypervisor"},
    ActionKind.REGISTER_ISO: _SHAPE,
    ActionKind.DEPLOY_VM: _SHAPE | {"serviceofferingid", "networks", "template"},
}
"""What cannot be sent without these parameters."""
