"""Records of what runs and what is stored: networks, VMs, volumes, snapshots, templates, projects …

An `account_id` is the owner; for what a CloudStack Project owns it is the project's own account (type 5).
"""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import Any

from sync.sandbox.persistable import record

CAPACITY_FLAG = "Message.ReservedCapacityFreed.Flag"
"""Detail that CloudStack leaves on every VM that was ever stopped, and on templates made of its volumes."""


@record
class CatalogEntry:
    """Something the zone came with (zone, offering, OS type, host, pool): its row as the API shows it."""

    id: str
    number: int
    name: str
    row: dict[str, Any]
    removed: datetime | None = None


@record
class Network:
    """A guest network; it gets its VLAN, router and public address when its first VM starts."""

    id: str
    number: int
    name: str
    display_text: str
    account_id: str
    zone_id: str
    offering_id: str
    state: str = "Allocated"
    vlan: int | None = None
    cidr: str = "10.1.1.0/24"
    gateway: str = "10.1.1.1"
    netmask: str = "255.255.255.0"
    network_domain: str
    created: datetime
    removed: datetime | None = None


@record
class Router:
    """The virtual router of a network."""

    id: str
    number: int
    name: str
    account_id: str
    network_id: str
    host_id: str
    state: str = "Running"
    link_local: str
    public_address: str
    created: datetime
    removed: datetime | None = None


@record
class Address:
    """A public address; `source_nat` where it is the way out of a network."""

    id: str
    number: int
    name: str
    """The address itself."""
    account_id: str
    zone_id: str
    network_id: str | None = None
    source_nat: bool = False
    vm_id: str | None = None
    """The VM that it is the static NAT of."""
    created: datetime
    removed: datetime | None = None


@record
class Nic:
    """A VM's place in a network."""

    id: str
    number: int
    vm_id: str
    network_id: str
    address: str
    mac: str
    device: int
    is_default: bool
    created: datetime
    removed: datetime | None = None


@record
class VirtualMachine:
    """A user VM."""

    id: str
    number: int
    name: str
    display_name: str
    instance_name: str
    account_id: str
    user_id: str
    zone_id: str
    template_id: str
    offering_id: str
    os_type_id: str
    state: str = "Stopped"
    host_id: str | None = None
    last_host_id: str | None = None
    delete_protection: bool = False
    display: bool = True
    details: dict[str, str] = field(default_factory=dict)
    key_pairs: list[str] = field(default_factory=list)
    nic_ids: list[str] = field(default_factory=list)
    iso_id: str | None = None
    group: str | None = None
    counted: bool = True
    """Whether it counts in the resource counts: not while Destroyed, not in Error."""
    created: datetime
    updated: datetime
    destroyed_at: datetime | None = None
    removed: datetime | None = None


@record
class Volume:
    """A disk, attached or not."""

    id: str
    number: int
    name: str
    type: str
    account_id: str
    zone_id: str
    size: int
    """Bytes."""
    state: str = "Ready"
    vm_id: str | None = None
    device: int | None = None
    template_id: str | None = None
    offering_id: str | None = None
    disk_offering_id: str | None = None
    pool_id: str | None = None
    path: str | None = None
    delete_protection: bool = False
    display: bool = True
    created: datetime
    attached: datetime | None = None
    removed: datetime | None = None


@record
class Snapshot:
    """A snapshot of a volume."""

    id: str
    number: int
    name: str
    account_id: str
    volume_id: str
    size: int
    """Bytes of the volume it was taken of."""
    state: str = "BackedUp"
    interval: str = "MANUAL"
    created: datetime
    removed: datetime | None = None


@record
class SnapshotPolicy:
    """A schedule of snapshots of a volume."""

    id: str
    number: int
    volume_id: str
    schedule: str
    interval: int
    """0 hourly, 1 daily, 2 weekly, 3 monthly."""
    maximum: int
    timezone: str
    display: bool = True
    removed: datetime | None = None


@record
class VmSnapshot:
    """A snapshot of a whole VM."""

    id: str
    number: int
    name: str
    display_name: str
    account_id: str
    vm_id: str
    type: str = "Disk"
    state: str = "Ready"
    current: bool = True
    created: datetime
    removed: datetime | None = None


@record
class Template:
    """A template, or an ISO (in the table `isos`)."""

    id: str
    number: int
    name: str
    display_text: str
    account_id: str
    zone_id: str
    os_type_id: str | None
    format: str
    type: str = "USER"
    hypervisor: str = "Simulator"
    size: int | None = None
    """Bytes, as shown; a template made of a snapshot shows none."""
    physical_size: int | None = None
    counted_size: int = 0
    """Bytes it counts as secondary storage."""
    status: str = "Download Complete"
    ready: bool = True
    public: bool = False
    featured: bool = False
    extractable: bool = False
    cross_zones: bool = False
    bootable: bool = True
    password_enabled: bool = False
    requires_hvm: bool = True
    source_id: str | None = None
    details: dict[str, str] = field(default_factory=dict)
    url: str | None = None
    checksum: str | None = None
    primary_pools: list[str] = field(default_factory=list)
    """Primary pools that hold a copy, because a VM was made of it there."""
    created: datetime
    removed: datetime | None = None


@record
class Project:
    """A CloudStack Project; its resources belong to its own account."""

    id: str
    number: int
    name: str
    display_text: str
    account_id: str
    domain_id: str
    owner_ids: list[str]
    """Accounts that own it."""
    member_ids: list[str] = field(default_factory=list)
    state: str = "Active"
    created: datetime
    removed: datetime | None = None


@record
class SshKey:
    """A public key that VMs can be deployed with."""

    id: str
    number: int
    name: str
    account_id: str
    public_key: str
    fingerprint: str
    removed: datetime | None = None


@record
class Tag:
    """A key and value on a resource."""

    id: str
    number: int
    key: str
    value: str
    account_id: str
    resource_type: str
    resource_id: str
    removed: datetime | None = None
