"""Which public addresses of a capture can be taken again by their value, and why the others cannot.

Pure. Read in CloudStack's source, not recorded: the first address that an isolated network gets becomes its
source NAT address, which it keeps; each further one is an ordinary one. A VM that starts in a network without
any makes CloudStack choose one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sync.model import OwnedResource
from sync.restoration import AddressChange
from sync.restore_scene import Home, NotPossibleError, Scene
from sync.stock import GuestNetwork, PublicAddress

BY_VALUE_SINCE = (4, 14)
"""The release from which on `associateIpAddress` heeds `ipaddress`; before it, any address would come."""
_RELEASE = re.compile(r"(\d+)\.(\d+)")

NetworkKey = tuple[str, str]
"""Domain id, and name in lower case."""


@dataclass(frozen=True, slots=True)
class Taking:
    """How one address is taken."""

    parameters: Mapping[str, str]
    reason: str
    needs: tuple[str, ...]
    """Ids of actions."""


@dataclass(slots=True)
class AddressRules:
    """Says of one address after the other how it is taken; knows what the plan makes already."""

    scene: Scene
    made_networks: Mapping[NetworkKey, tuple[str, GuestNetwork]]
    """Network → id of the action that makes it, and what it will be."""
    first_vms: Mapping[NetworkKey, str]
    """Network → id of the first action that starts a VM in it."""
    source_nats: dict[NetworkKey, str] = field(default_factory=dict)
    """Network → id of the action that takes its source NAT address."""

    def is_there(self, one: OwnedResource, home: Home) -> bool:
        """Whether the account has it again."""
        holder = self._holder(one)
        if holder is None or holder.project or holder.domain_id != home.domain.id:
            return False
        return holder.account.casefold() == home.account.name.casefold()

    def taking(self, one: OwnedResource, home: Home) -> Taking:
        """How an address is taken for its network of before. Raises NotPossibleError."""
        details = one.details
        self._refuse_what_cannot_be_had(one)
        name = details.get("associatednetworkname", "")
        key = (home.domain.id, name.casefold())
        network, needs = self.scene.network(home.domain.id, name), []
        if network is None:
            if key not in self.made_networks:
                raise NotPossibleError(
                    f"its network {name or '(unknown)'} is not there and is not made again"
                )
            made, network = self.made_networks[key]
            needs.append(made)
        own = self.scene.source_nat(network.id)
        is_source_nat = bool(details.get("issourcenat"))
        if is_source_nat and own:
            raise NotPossibleError(f"its network has the source NAT address {own} now, and has only one")
        if not is_source_nat and not own:
            needs.append(self._what_makes_source_nat(key))
        role = "the source NAT address" if is_source_nat else "an address"
        nat_of = details.get("virtualmachinename")
        by_hand = f"Its static NAT to {nat_of} is" if nat_of else "Its rules are"
        return Taking(
            {
                "network": network.name,
                "zone": self.scene.zone(details.get("zonename", "")),
                "ipaddress": one.name,
                "sourcenat": "yes" if is_source_nat else "no",
            },
            f"The capture has {one.name} as {role} of the network {network.name}, and nobody has it now. "
            f"{by_hand} set by hand.",
            tuple(needs),
        )

    def note(self, taking: Taking, home: Home, action_id: str) -> None:
        """Remember that this is planned: others may need it."""
        if taking.parameters["sourcenat"] == "yes":
            self.source_nats[home.domain.id, taking.parameters["network"].casefold()] = action_id

    def risk(self, one: OwnedResource, home: Home, why: str) -> AddressChange:
        """The credential risk of an address that cannot be had."""
        holder = self._holder(one)
        return AddressChange(
            home.project,
            "",
            one.name,
            taken_by=holder.owner if holder is not None else "",
            why="" if holder is not None else why,
            network=one.details.get("associatednetworkname", ""),
        )

    def _holder(self, one: OwnedResource) -> PublicAddress | None:
        return self.scene.public_address(one.details.get("zonename", ""), one.name)

    def _refuse_what_cannot_be_had(self, one: OwnedResource) -> None:
        """Raises NotPossibleError for what somebody has, what is no network's own, and where another address
        than the wanted one might come."""
        holder = self._holder(one)
        if holder is not None:
            raise NotPossibleError(f"it belongs to {holder.owner} now")
        if one.details.get("vpcid"):
            raise NotPossibleError("it is of a VPC, which is made by hand")
        if one.details.get("isportable"):
            raise NotPossibleError("it is a portable address: take it by hand")
        found = _RELEASE.match(self.scene.release)
        if found is None or (int(found[1]), int(found[2])) < BY_VALUE_SINCE:
            raise NotPossibleError(
                f"CloudStack {self.scene.release or 'of an unknown release'} gives any address, not one by "
                "its value (4.14 and later do)"
            )

    def _what_makes_source_nat(self, key: NetworkKey) -> str:
        """Id of the action after which an ordinary address stays one. Raises NotPossibleError."""
        found = self.source_nats.get(key) or self.first_vms.get(key)
        if found is None:
            raise NotPossibleError(
                "its network has no source NAT address yet, and CloudStack would make this one that: restore "
                "again once a VM runs in it"
            )
        return found


def source_nats_first(addresses: Iterable[OwnedResource]) -> list[OwnedResource]:
    """In the order in which they have to be planned."""
    return sorted(addresses, key=lambda one: not one.details.get("issourcenat"))


def is_in(address: str, cidr: str) -> bool:
    """Whether a VM can have the address in a network of that range, whose first one is the gateway's."""
    try:
        block = ipaddress.ip_network(cidr, strict=False)
        number = ipaddress.ip_address(address)
    except ValueError:
        return False
    return number in block and number not in (block.network_address, block.broadcast_address, block[1])
