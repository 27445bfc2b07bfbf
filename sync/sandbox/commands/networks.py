"""Networks, their routers and public addresses."""

from __future__ import annotations

import ipaddress
from typing import Any

from sync.sandbox import lifecycle, limits
from sync.sandbox.commands.common_machines import (
    chosen,
    equal,
    event,
    has_text,
    live,
    refuse_closed,
    simple_job,
    zone_of,
)
from sync.sandbox.commands.views_networks import address_row, network_row, router_row
from sync.sandbox.engine import Call, command
from sync.sandbox.errors import ApiError, failed, invalid
from sync.sandbox.jobs import Queued, Work
from sync.sandbox.paging import Listing
from sync.sandbox.records import Account, World
from sync.sandbox.records_machines import Address, Network

DEFAULT_OFFERING = "DefaultIsolatedNetworkOfferingWithSourceNatService"
LISTED = {"id": "networks", "domainid": "domains", "projectid": "projects", "zoneid": "zones"}


def add_network(world: World, owner: Account, *, name: str, zone_id: str, offering_id: str) -> Network:
    """Make a network; it gets VLAN and router with its first VM."""
    network = Network(
        id=world.new_id(),
        number=world.next_number("networks"),
        name=name,
        display_text=name,
        account_id=owner.id,
        zone_id=zone_id,
        offering_id=offering_id,
        network_domain=lifecycle.default_network_domain(world, owner),
        created=world.now(),
    )
    world.put("networks", network)
    world.usage.add(owner.id, "network", 1)
    return network


def network_for(world: World, owner: Account, zone_id: str) -> Network:
    """The only network of an account, or a new one. Raises ApiError (431) where there are several."""
    own: list[Network] = world.owned(owner.id, "networks")
    if len(own) > 1:
        raise invalid(
            f"More than 1 default Isolated networks are found for account {owner.name}; "
            "please specify networkIds"
        )
    if own:
        return own[0]
    offering = next(one for one in world.network_offerings.values() if one.name == DEFAULT_OFFERING)
    return add_network(world, owner, name=f"{owner.name}-network", zone_id=zone_id, offering_id=offering.id)


@command(
    "createNetwork",
    required=("name", "networkofferingid", "zoneid"),
    entities={
        "zoneid": "zones",
        "networkofferingid": "network_offerings",
        "domainid": "domains",
        "projectid": "projects",
    },
    answer="network",
    service="create_network",
)
def create_network(call: Call) -> dict[str, Any]:
    """Make an isolated network for an account or a Project."""
    owner = call.owner()
    limits.check(call.world, owner, "network")
    network = add_network(
        call.world,
        owner,
        name=call.required("name"),
        zone_id=zone_of(call),
        offering_id=call.params["networkofferingid"],
    )
    network.display_text = call.params.get("displaytext", network.name)
    network.network_domain = call.params.get("networkdomain", network.network_domain)
    network.vlan = call.integer("vlan")
    if "gateway" in call.params and "netmask" in call.params:
        _place(network, call.params["gateway"], call.params["netmask"])
    working = f"creating network. Network Id: {network.id}"
    call.done("NETWORK.CREATE", working, resource=network, resource_type="Network")
    return network_row(call.world, network)


def _place(network: Network, gateway: str, netmask: str) -> None:
    try:
        block = ipaddress.ip_network(f"{gateway}/{netmask}", strict=False)
    except ValueError:
        raise invalid("Invalid gateway or netmask") from None
    network.gateway, network.netmask, network.cidr = gateway, netmask, str(block)


@command("listNetworks", answer="network", entities=LISTED)
def list_networks(call: Call) -> Listing:
    """The networks of the owners asked for."""
    found = [
        one
        for one in chosen(call, call.world.networks.values())
        if has_text(call.params.get("keyword"), one.name)
        and equal(call, "name", one.name)
        and equal(call, "state", one.state)
    ]
    return Listing(found, lambda one: network_row(call.world, one))


@command("updateNetwork", required=("id",), entities={"id": "networks"}, job="user.network.UpdateNetworkCmd")
def update_network(call: Call) -> Work:
    """Rename a network."""
    network = live(call, "id", "networks", "network")

    def act() -> dict[str, Any]:
        network.name = call.params.get("name", network.name)
        network.display_text = call.params.get("displaytext", network.display_text)
        return {"network": network_row(call.world, network)}

    return simple_job(call, None, act, instance_id=network.id)


@command(
    "deleteNetwork",
    required=("id",),
    entities={"id": "networks"},
    job="user.network.DeleteNetworkCmd",
    instance="Network",
)
def delete_network(call: Call) -> Work:
    """Delete a network that no VM is in."""
    network = live(call, "id", "networks", "network")
    made = event(
        call,
        "NETWORK.DELETE",
        (f"Deleting Network: {network.id}", f"Deleting network: {network.id}"),
        (f"deleting network. Network Id: {network.id}",) * 2,
        owner_id=network.account_id,
        resource=network,
        resource_type="Network",
    )
    yield Queued(instance_id=network.id, event=made)
    yield lifecycle.seconds(call.world, "delete_network")
    if any(nic.network_id == network.id for nic in call.world.nics.values()):
        raise failed("Failed to delete network")
    if network.removed is None:
        lifecycle.remove_network(call.world, network)
    return {"success": True}


@command("listRouters", answer="router", entities={"domainid": "domains", "projectid": "projects"})
def list_routers(call: Call) -> Listing:
    """The virtual routers of the owners asked for."""
    found = [
        one for one in chosen(call, call.world.routers.values()) if equal(call, "networkid", one.network_id)
    ]
    return Listing(found, lambda one: router_row(call.world, one))


@command(
    "listPublicIpAddresses",
    answer="publicipaddress",
    entities={"id": "addresses", "domainid": "domains", "projectid": "projects"},
)
def list_public_addresses(call: Call) -> Listing:
    """The public addresses of the owners asked for."""
    found = [
        one
        for one in chosen(call, call.world.addresses.values())
        if equal(call, "ipaddress", one.name) and equal(call, "associatednetworkid", one.network_id)
    ]
    return Listing(found, lambda one: address_row(call.world, one))


@command(
    "associateIpAddress",
    entities={"networkid": "networks", "zoneid": "zones", "domainid": "domains", "projectid": "projects"},
    job="admin.address.AssociateIPAddrCmdByAdmin",
    instance="IpAddress",
)
def associate_address(call: Call) -> Work:
    """Take a public address for a network: the first one of a network becomes its source NAT address (read in
    CloudStack's source, not recorded)."""
    network = live(call, "networkid", "networks", "network") if call.params.get("networkid") else None
    account_id = network.account_id if network is not None else call.owner().id
    if account_id not in call.world.accounts:
        raise invalid(f"Unable to find the account of network {call.params['networkid']}")
    world = call.world
    limits.check(world, world.accounts[account_id], "ip")
    zone_id = network.zone_id if network is not None else next(iter(world.zones))
    refuse_closed(call, zone_id)
    address = Address(
        id=world.new_id(),
        number=world.next_number("addresses"),
        name=_public_address(call),
        account_id=account_id,
        zone_id=zone_id,
        created=world.now(),
    )
    world.put("addresses", address)
    world.usage.add(account_id, "ip", 1)
    made = event(
        call,
        "NET.IPASSIGN",
        (f"associating IP to network: {network.id if network is not None else None}",) * 2,
        (f"assigning Ip. Ip Id: {address.id}",) * 2,
        owner_id=account_id,
        resource=address,
        resource_type="IpAddress",
    )
    yield Queued(entity_id=address.id, instance_id=address.id, event=made)
    yield lifecycle.seconds(world, "quick")
    if network is not None:
        if network.removed is not None:
            if address.removed is None:
                lifecycle.release_address(world, address)
            raise failed("Failed to assign IP address")
        address.source_nat = lifecycle.source_nat_of(world, network) is None
        address.network_id = network.id
    return {"ipaddress": address_row(world, address)}


def _public_address(call: Call) -> str:
    """The address asked for, or any. Raises ApiError (533) where it is not free: read in CloudStack's source,
    not recorded."""
    wanted = call.get("ipaddress")
    if wanted is None:
        return lifecycle.free_public_address(call.world)
    if not lifecycle.is_free_public_address(call.world, wanted):
        text = f"Insufficient address capacity: requested ip {wanted} is not available"
        raise ApiError(533, text, 9999)
    return wanted


@command(
    "disassociateIpAddress",
    required=("id",),
    entities={"id": "addresses"},
    job="user.address.DisassociateIPAddrCmd",
    instance="IpAddress",
)
def disassociate_address(call: Call) -> Work:
    """Give a public address back."""
    address = live(call, "id", "addresses", "IP address")
    if address.source_nat:
        raise invalid(f"Can't release IP address {address.name}: it is the source NAT address of its network")

    def act() -> None:
        if address.removed is None:
            lifecycle.release_address(call.world, address)

    return simple_job(call, None, act, instance_id=address.id)
