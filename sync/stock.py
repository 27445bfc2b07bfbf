"""What a server has and offers now, as far as a restore asks: offerings, templates, networks, addresses.

Values only. `sync.cloudstack.stock` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

READY, WAITING = "ready", "downloading"


@dataclass(frozen=True, slots=True)
class Zone:
    id: str
    name: str
    allocation: str
    """`Enabled` or `Disabled`: who may deploy in it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An offering or OS type."""

    id: str
    name: str
    is_custom: bool = False
    """Whether its owner says how many CPUs and how much memory."""
    wants_vlan: bool = False
    """Of a network offering: whether whoever makes a network of it says the VLAN."""


@dataclass(frozen=True, slots=True)
class Image:
    """A template or ISO, whoever owns it."""

    id: str
    name: str
    state: str
    """READY, WAITING, or CloudStack's words about what went wrong."""
    domain_id: str = ""
    account: str = ""

    @property
    def is_ready(self) -> bool:
        return self.state == READY


@dataclass(frozen=True, slots=True)
class GuestNetwork:
    """A network that VMs can be in, whoever owns it."""

    id: str
    name: str
    domain_id: str = ""
    account: str = ""
    cidr: str = ""
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Address → whose it is, in words."""


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """A public address that somebody has."""

    id: str
    address: str
    zone: str
    """The zone's name."""
    domain_id: str = ""
    path: str = ""
    """Of the owner's domain, or its name alone on older releases."""
    account: str = ""
    project: str = ""
    network_id: str = ""
    """Empty for one that is of no network, or of none yet."""
    network: str = ""
    is_source_nat: bool = False

    @property
    def owner(self) -> str:
        """Whose it is, in words."""
        return owner_words(self.account, self.project, self.path)


def owner_words(account: str | None, project: str | None, path: str) -> str:
    """Whose something is: a CloudStack Project's, or an account's."""
    who = f"CloudStack Project {project}" if project else f"account {account or '(unknown)'}"
    return f"{who} of {path}"


@dataclass(frozen=True, slots=True)
class Stock:
    """One reading of all that a restore builds from."""

    zones: tuple[Zone, ...] = ()
    offerings: tuple[Entry, ...] = ()
    """Service offerings."""
    network_offerings: tuple[Entry, ...] = ()
    os_types: tuple[Entry, ...] = ()
    templates: tuple[Image, ...] = ()
    isos: tuple[Image, ...] = ()
    networks: tuple[GuestNetwork, ...] = ()
    public_addresses: tuple[PublicAddress, ...] = ()
    """All that somebody has, wherever."""
