"""The machines' half of building a world: networks, VMs with their volumes and snapshots, templates."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from datetime import timedelta

from sync.sandbox.records import Account, Domain, User, World
from sync.sandbox.records_machines import (
    Address,
    CatalogEntry,
    Network,
    Nic,
    Project,
    Router,
    Snapshot,
    Template,
    VirtualMachine,
    Volume,
)
from sync.sandbox.worlds.blueprint import Image, Machine, Tenant, id_for

GIB = 1 << 30
OFFERING = "DefaultIsolatedNetworkOfferingWithSourceNatService"
PUBLIC_ADDRESSES = ipaddress.ip_network("192.168.0.0/20")
"""Of a simulator zone: 4,089 can be given out, so that in a larger world not every network has a router."""


class Machines:
    """Adds what runs and what is stored to one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = world.now()
        self.zone = _first(world.zones)
        self.hosts: list[CatalogEntry] = list(world.hosts.values())
        self.pools: list[CatalogEntry] = list(world.pools.values())
        self.offerings = {one.name: one for one in world.offerings.values()}
        self.os_types = {one.name: one.id for one in world.os_types.values()}
        self.network_offering = next(one for one in world.network_offerings.values() if one.name == OFFERING)
        self.disk = next(one for one in world.disk_offerings.values() if one.name == "Custom")
        self.built_in = next(one for one in world.templates.values() if one.type == "BUILTIN")

    def images(self, owner: Account, images: tuple[Image, ...], *, public: bool) -> dict[str, str]:
        """Templates of an account; their ids by name."""
        found = {}
        path = self.world.domain_of(owner).path
        for image in images:
            size = image.size_gib * GIB
            made = Template(
                id=id_for("template", path, image.name),
                number=self.world.next_number("templates"),
                name=image.name,
                display_text=image.name,
                account_id=owner.id,
                zone_id=self.zone.id,
                os_type_id=self.os_types.get(image.os, self.built_in.os_type_id),
                format="VHD",
                size=size,
                physical_size=size,
                counted_size=size,
                public=public,
                featured=public,
                extractable=not public,
                requires_hvm=True,
                created=self.now - timedelta(days=image.age_days, hours=5),
            )
            self.world.put("templates", made)
            self.world.usage.add(owner.id, "template", 1)
            self.world.usage.add(owner.id, "secondarystorage", size)
            found[image.name] = made.id
        return found

    def deploy(
        self, account: Account, user: User, domain: Domain, tenant: Tenant, *, templates: Mapping[str, str]
    ) -> None:
        """The network of a tenant's account and its machines, those of CloudStack Projects in their own."""
        networks = {"": self._network(account, domain, f"{tenant.name}-net", tenant)}
        owners = {"": account}
        for machine in tenant.machines:
            name = machine.project
            if name not in owners:
                owners[name] = self._project(account, domain, name)
                networks[name] = self._network(owners[name], domain, f"{name}-net", tenant)
            self._machine(owners[name], user, domain, networks[name], machine, templates=templates)
        for network in networks.values():
            if any(one.project == "" for one in tenant.machines) or network is not networks[""]:
                self._implement(network)

    def _network(self, owner: Account, domain: Domain, name: str, tenant: Tenant) -> Network:
        block = ipaddress.ip_network(tenant.cidr)
        made = Network(
            id=id_for("network", domain.path, name),
            number=self.world.next_number("networks"),
            name=name,
            display_text=name,
            account_id=owner.id,
            zone_id=self.zone.id,
            offering_id=self.network_offering.id,
            cidr=tenant.cidr,
            gateway=str(block[1]),
            netmask=str(block.netmask),
            network_domain=tenant.network_domain or f"cs{owner.number:x}cloud.internal",
            created=owner.created + timedelta(hours=1),
        )
        self.world.put("networks", made)
        self.world.usage.add(owner.id, "network", 1)
        return made

    def _implement(self, network: Network) -> None:
        """VLAN, router and public address, as far as the zone has addresses."""
        network.state = "Implemented"
        network.vlan = 100 + network.number % 900
        place = len(self.world.addresses) + 4
        if place >= PUBLIC_ADDRESSES.num_addresses - 3:
            return
        public = str(PUBLIC_ADDRESSES[place])
        number = self.world.next_number("vms")
        address = Address(
            id=id_for("address", network.id),
            number=self.world.next_number("addresses"),
            name=public,
            account_id=network.account_id,
            zone_id=network.zone_id,
            network_id=network.id,
            source_nat=True,
            created=network.created,
        )
        router = Router(
            id=id_for("router", network.id),
            number=number,
            name=f"r-{number}-VM",
            account_id=network.account_id,
            network_id=network.id,
            host_id=self.hosts[number % len(self.hosts)].id,
            link_local=f"169.254.{number % 250}.{2 + network.number % 250}",
            public_address=public,
            created=network.created,
        )
        self.world.put("addresses", address)
        self.world.put("routers", router)
        self.world.usage.add(network.account_id, "ip", 1)

    def _project(self, account: Account, domain: Domain, name: str) -> Account:
        """A CloudStack Project of an account; its own account is what owns things."""
        id = id_for("project", domain.path, name)
        created = account.created + timedelta(days=30)
        owner = Account(
            id=id_for("project account", domain.path, name),
            number=self.world.next_number("accounts"),
            name=f"PrjAcct-{name}-{domain.number}",
            domain_id=domain.id,
            role_id=None,
            type=5,
            project_id=id,
            created=created,
        )
        made = Project(
            id=id,
            number=self.world.next_number("projects"),
            name=name,
            display_text=name,
            account_id=owner.id,
            domain_id=domain.id,
            owner_ids=[account.id],
            created=created,
        )
        self.world.put("accounts", owner)
        self.world.put("projects", made)
        self.world.usage.add(account.id, "project", 1)
        return owner

    def _machine(
        self,
        owner: Account,
        user: User,
        domain: Domain,
        network: Network,
        machine: Machine,
        *,
        templates: Mapping[str, str],
    ) -> None:
        number = self.world.next_number("vms")
        offering = self.offerings[machine.offering]
        template = self.world.templates[templates.get(machine.template, self.built_in.id)]
        created = self.now - timedelta(days=machine.age_days, hours=number % 24, minutes=number % 60)
        host = self.hosts[number % len(self.hosts)].id
        running = machine.state == "Running"
        vm = VirtualMachine(
            id=id_for("vm", domain.path, machine.name),
            number=number,
            name=machine.name,
            display_name=machine.name,
            instance_name=f"i-{owner.number}-{number}-VM",
            account_id=owner.id,
            user_id=user.id,
            zone_id=self.zone.id,
            template_id=template.id,
            offering_id=offering.id,
            os_type_id=template.os_type_id,
            state=machine.state,
            host_id=host if running else None,
            last_host_id=host,
            created=created,
            updated=created + timedelta(seconds=4),
        )
        self.world.put("vms", vm)
        self.world.usage.add(owner.id, "vm", 1)
        self.world.usage.add(owner.id, "cpu", offering.row["cpunumber"])
        self.world.usage.add(owner.id, "memory", offering.row["memory"])
        self._nic(vm, network, machine.address)
        root = self._volume(vm, "ROOT", machine.disk_gib, template_id=template.id)
        if machine.data_gib:
            self._volume(vm, "DATADISK", machine.data_gib, template_id=None)
        for days in machine.snapshot_ages:
            self._snapshot(vm, root, days)

    def _nic(self, vm: VirtualMachine, network: Network, address: str) -> None:
        number = self.world.next_number("nics")
        nic = Nic(
            id=id_for("nic", vm.id),
            number=number,
            vm_id=vm.id,
            network_id=network.id,
            address=address,
            mac=":".join(f"{byte:02x}" for byte in (2, 1, *number.to_bytes(4, "big"))),
            device=0,
            is_default=True,
            created=vm.created,
        )
        self.world.put("nics", nic)
        vm.nic_ids.append(nic.id)

    def _volume(self, vm: VirtualMachine, type: str, size_gib: int, *, template_id: str | None) -> Volume:
        is_root = type == "ROOT"
        pool = self.pools[vm.number % len(self.pools)]
        made = Volume(
            id=id_for("volume", vm.id, type),
            number=self.world.next_number("volumes"),
            name=f"{'ROOT' if is_root else 'DATA'}-{vm.number}",
            type=type,
            account_id=vm.account_id,
            zone_id=vm.zone_id,
            size=size_gib * GIB,
            vm_id=vm.id,
            device=0 if is_root else 1,
            template_id=template_id,
            offering_id=vm.offering_id if is_root else None,
            disk_offering_id=None if is_root else self.disk.id,
            pool_id=pool.id,
            path=id_for("path", vm.id, type),
            created=vm.created,
            attached=None if is_root else vm.created,
        )
        self.world.put("volumes", made)
        self.world.usage.add(vm.account_id, "volume", 1)
        self.world.usage.add(vm.account_id, "primarystorage", made.size)
        return made

    def _snapshot(self, vm: VirtualMachine, volume: Volume, days: int) -> None:
        taken = self.now - timedelta(days=days, minutes=vm.number % 60)
        made = Snapshot(
            id=id_for("snapshot", volume.id, str(days)),
            number=self.world.next_number("snapshots"),
            name=f"{vm.name}_{volume.name}_{taken:%Y%m%d%H%M%S}",
            account_id=vm.account_id,
            volume_id=volume.id,
            size=volume.size,
            created=taken,
        )
        self.world.put("snapshots", made)
        self.world.usage.add(vm.account_id, "snapshot", 1)
        self.world.usage.add(vm.account_id, "secondarystorage", volume.size)


def _first(table: Mapping[str, CatalogEntry]) -> CatalogEntry:
    return next(iter(table.values()))
