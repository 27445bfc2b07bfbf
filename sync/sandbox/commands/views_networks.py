"""Rows of networks, routers, public addresses, templates, ISOs and Projects as the API shows them."""

from __future__ import annotations

import uuid
from functools import lru_cache
from typing import Any

from sync.sandbox.commands.views_machines import modern, os_name, owner_fields, tag_rows, zone_fields
from sync.sandbox.records import World
from sync.sandbox.records_machines import Address, Network, Router, Template
from sync.sandbox.seed_data import catalog

SYSTEM_OFFERING = "System Offering For Software Router"


@lru_cache
def _capabilities(release: str) -> dict[str, list[dict[str, Any]]]:
    known: dict[str, list[dict[str, Any]]] = catalog("machines", release)["services"]
    return known


def network_row(world: World, network: Network) -> dict[str, Any]:
    """A network as listNetworks shows it."""
    offering = world.network_offerings[network.offering_id].row
    zone = world.zones[network.zone_id].row
    row: dict[str, Any] = {
        "id": network.id,
        "name": network.name,
        "displaytext": network.display_text,
        "broadcastdomaintype": "Vlan",
        "traffictype": "Guest",
        "gateway": network.gateway,
        "netmask": network.netmask,
        "cidr": network.cidr,
        **zone_fields(world, network.zone_id),
        "networkofferingid": offering["id"],
        "networkofferingname": offering["name"],
        "networkofferingdisplaytext": offering["displaytext"],
        "networkofferingconservemode": offering["conservemode"],
        "networkofferingavailability": offering["availability"],
        "issystem": False,
        "state": network.state,
        "related": network.id,
    }
    if network.vlan is not None:
        row |= {"broadcasturi": f"vlan://{network.vlan}"}
    row |= {"dns1": zone["dns1"], "type": offering["guestiptype"]}
    if network.vlan is not None:
        row |= {"vlan": str(network.vlan)}
    row |= {"acltype": "Account"} | owner_fields(world, network.account_id)
    row |= {"service": _services(world, offering), "networkdomain": network.network_domain}
    row |= {"physicalnetworkid": zone["physicalnetworkid"], "restartrequired": False}
    row |= {"specifyvlan": offering["specifyvlan"]} if modern(world) else {}
    row |= {"specifyipranges": offering["specifyipranges"], "canusefordeploy": True, "ispersistent": False}
    row |= {"tags": tag_rows(world, network), "details": {}, "displaynetwork": True}
    row |= {"strechedl2subnet": False, "redundantrouter": False}
    row |= {"supportsvmautoscaling": True} if modern(world) else {}
    row |= {"created": world.shown(network.created), "receivedbytes": 0, "sentbytes": 0}
    row |= {"egressdefaultpolicy": offering["egressdefaultpolicy"]}
    if modern(world):
        row |= {"publicmtu": 1500, "privatemtu": 1500, "keepmacaddressonpublicnic": True}
    return row | {"hasannotations": False}


def _services(world: World, offering: dict[str, Any]) -> list[dict[str, Any]]:
    known = _capabilities(world.release)
    return [
        {
            "name": one["name"],
            "provider": [{"name": each["name"]} for each in one["provider"]],
            "capability": known.get(one["name"], []),
        }
        for one in offering["service"]
    ]


def router_row(world: World, router: Router) -> dict[str, Any]:
    """A virtual router as listRouters shows it."""
    network = world.find("networks", router.network_id)
    assert isinstance(network, Network)
    zone = world.zones[network.zone_id].row
    host = world.hosts[router.host_id]
    template = next(one for one in world.templates.values() if one.type == "SYSTEM")
    pod = next(iter(world.pools.values())).row
    row: dict[str, Any] = {"id": router.id} | zone_fields(world, network.zone_id)
    row |= {"dns1": zone["dns1"], "networkdomain": network.network_domain, "gateway": "192.168.0.1"}
    row |= {"name": router.name, "podid": pod["podid"], "podname": pod["podname"]}
    row |= {"hostid": host.id, "hostname": host.name}
    row |= {"hostcontrolstate": "Enabled"} if modern(world) else {}
    row |= {"hypervisor": "Simulator", "linklocalip": router.link_local}
    row |= {"linklocalmacaddress": _mac("0e:00", router), "linklocalnetmask": "255.255.0.0"}
    row |= {"linklocalnetworkid": zone["controlnetworkid"], "publicip": router.public_address}
    row |= {"publicmacaddress": _mac("1e:02", router), "publicnetmask": "255.255.240.0"}
    row |= {"publicnetworkid": zone["publicnetworkid"], "guestipaddress": network.gateway}
    row |= {"guestmacaddress": _mac("02:02", router), "guestnetmask": network.netmask}
    row |= {"guestnetworkid": network.id, "guestnetworkname": network.name}
    row |= {"templateid": template.id}
    row |= {"templatename": template.name} if modern(world) else {}
    row |= {"created": world.shown(router.created), "state": router.state}
    row |= owner_fields(world, router.account_id)
    row |= {"serviceofferingid": zone["routerofferingid"], "serviceofferingname": SYSTEM_OFFERING}
    row |= {"isredundantrouter": False, "redundantstate": "UNKNOWN", "version": "4.10.0"}
    row |= {"scriptsversion": _part(router, "scripts"), "role": "VIRTUAL_ROUTER"}
    row |= {"nic": _router_nics(world, router, network)}
    row |= {"requiresupgrade": False, "healthchecksfailed": False}
    if modern(world):
        row |= {"softwareversion": "4.23.0.0", "arch": "x86_64"}
    return row | {"hasannotations": False}


def _part(router: Router, part: str) -> str:
    """The id of one of a router's NICs, made of its own."""
    return str(uuid.uuid5(uuid.UUID(router.id), part))


def _mac(start: str, router: Router) -> str:
    return f"{start}:00:00:{router.number // 256 % 256:02x}:{router.number % 256:02x}"


def _router_nics(world: World, router: Router, network: Network) -> list[dict[str, Any]]:
    vlan = f"vlan://{network.vlan}"
    zone = world.zones[network.zone_id].row
    guest = {
        "id": _part(router, "a"),
        "networkid": network.id,
        "networkname": network.name,
        "netmask": network.netmask,
        "ipaddress": network.gateway,
        "isolationuri": vlan,
        "broadcasturi": vlan,
        "traffictype": "Guest",
        "type": "Isolated",
        "isdefault": False,
        "macaddress": _mac("02:02", router),
    }
    control = {
        "id": _part(router, "b"),
        "networkid": zone["controlnetworkid"],
        "netmask": "255.255.0.0",
        "gateway": "169.254.0.1",
        "ipaddress": router.link_local,
        "traffictype": "Control",
        "isdefault": False,
        "macaddress": _mac("0e:00", router),
    }
    public = {
        "id": _part(router, "c"),
        "networkid": zone["publicnetworkid"],
        "netmask": "255.255.240.0",
        "gateway": "192.168.0.1",
        "ipaddress": router.public_address,
        "isolationuri": "vlan://50",
        "broadcasturi": "vlan://50",
        "traffictype": "Public",
        "isdefault": True,
        "macaddress": _mac("1e:02", router),
    }
    if not modern(world):
        return [guest, control, public]
    return [
        guest | {"mtu": 1500, "enabled": True},
        control | {"enabled": True},
        public | {"mtu": 1500, "enabled": True},
    ]


def address_row(world: World, address: Address) -> dict[str, Any]:
    """A public address as listPublicIpAddresses shows it."""
    network = world.find("networks", address.network_id) if address.network_id else None
    row: dict[str, Any] = {
        "id": address.id,
        "ipaddress": address.name,
        "allocated": world.shown(address.created),
        **zone_fields(world, address.zone_id),
        "issourcenat": address.source_nat,
        **owner_fields(world, address.account_id),
        "forvirtualnetwork": True,
        "isstaticnat": address.vm_id is not None,
        "issystem": False,
        "state": "Allocated",
    }
    if address.vm_id is not None:
        vm = world.find("vms", address.vm_id)
        row |= {"virtualmachineid": address.vm_id} | ({} if vm is None else {"virtualmachinename": vm.name})
    if network is not None:
        row |= {"associatednetworkid": network.id, "associatednetworkname": network.name}
    physical = world.zones[address.zone_id].row["physicalnetworkid"]
    public = world.zones[address.zone_id].row["publicnetworkid"]
    row |= {"networkid": public, "physicalnetworkid": physical}
    return row | {"tags": tag_rows(world, address), "fordisplay": True, "hasannotations": False}


# --- templates and ISOs --------------------------------------------------------------------------------


def template_row(world: World, template: Template) -> dict[str, Any]:
    """A template as listTemplates shows it."""
    owner = owner_fields(world, template.account_id)
    account = {key: owner.pop(key) for key in ("account", "projectid", "project") if key in owner}
    id = owner.pop("domainid")
    row: dict[str, Any] = {
        "id": template.id,
        "name": template.name,
        "displaytext": template.display_text,
        "ispublic": template.public,
        "created": world.shown(template.created),
        "isready": template.ready,
        "passwordenabled": template.password_enabled,
        "format": template.format,
        "isfeatured": template.featured,
        "crossZones": template.cross_zones,
    }
    if template.os_type_id:
        row |= {"ostypeid": template.os_type_id, "ostypename": os_name(world, template.os_type_id)}
    row |= account | zone_fields(world, template.zone_id) | {"status": template.status}
    row |= {"size": template.size} if template.size is not None else {}
    row |= {"physicalsize": template.physical_size} if template.physical_size is not None else {}
    row |= {"templatetype": template.type, "hypervisor": template.hypervisor}
    row |= owner | {"domainid": id, "isextractable": template.extractable}
    row |= {"checksum": template.checksum} if template.checksum is not None else {}
    row |= {"sourcetemplateid": template.source_id} if template.source_id else {}
    row |= {"details": dict(template.details), "downloaddetails": _downloads(world, template)}
    row |= {"arch": "x86_64"} if modern(world) else {}
    row |= {"bits": 0, "sshkeyenabled": False, "isdynamicallyscalable": False, "directdownload": False}
    row |= {"deployasis": False}
    row |= {"forcks": False} if modern(world) else {}
    row |= {"requireshvm": template.requires_hvm}
    row |= {"url": template.url} if template.url else {}
    return row | {"tags": tag_rows(world, template), "hasannotations": False}


def _downloads(world: World, template: Template) -> list[dict[str, Any]]:
    done = {"downloadState": "DOWNLOADED", "downloadPercent": "100"}
    if not template.ready:
        done = {"downloadState": "DOWNLOAD_IN_PROGRESS", "downloadPercent": "0"}
    if not modern(world):
        return [
            {
                "downloadState": done["downloadState"],
                "datastore": "sec",
                "downloadPercent": done["downloadPercent"],
            }
        ]
    zone = world.zones[template.zone_id].row
    image_store = {"datastore": "sec", "datastoreRole": "Image", "datastoreId": zone["imagestoreid"]}
    made = [done | image_store]
    for id in template.primary_pools:
        made.append(done | {"datastore": world.pools[id].name, "datastoreRole": "Primary", "datastoreId": id})
    return made


def iso_row(world: World, iso: Template) -> dict[str, Any]:
    """An ISO as listIsos shows it."""
    row = template_row(world, iso)
    for key in ("format", "templatetype", "hypervisor", "sourcetemplateid", "downloaddetails"):
        row.pop(key, None)
    return row | {"bootable": iso.bootable}
