"""What differs between the releases 4.18 and 4.23, as data and functions (recorded in the identity files)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sync.sandbox.records import Domain, World

OLD = "4.18"
NEW = "4.23"
RELEASES = (NEW, OLD)


@dataclass(frozen=True)
class Resource:
    """A countable resource with the limits that hold where none was set by hand (-1: none)."""

    key: str
    """Stem of `vmlimit`, `vmtotal`, `vmavailable`."""
    number: int
    name: str
    """`resourcetypename`."""
    account_default: int
    domain_default: int
    releases: tuple[str, ...] = RELEASES


RESOURCES = (
    Resource("vm", 0, "user_vm", 20, -1),
    Resource("ip", 1, "public_ip", 20, -1),
    Resource("volume", 2, "volume", 20, -1),
    Resource("snapshot", 3, "snapshot", 20, -1),
    Resource("template", 4, "template", 20, -1),
    Resource("project", 5, "project", 10, 50),
    Resource("network", 6, "network", 20, -1),
    Resource("vpc", 7, "vpc", 20, -1),
    Resource("cpu", 8, "cpu", 40, -1),
    Resource("memory", 9, "memory", 40960, -1),
    Resource("primarystorage", 10, "primary_storage", 200, -1),
    Resource("secondarystorage", 11, "secondary_storage", 400, -1),
    Resource("backup", 12, "backup", 20, 40, (NEW,)),
    Resource("backupstorage", 13, "backup_storage", 400, 800, (NEW,)),
    Resource("bucket", 14, "bucket", 20, 20, (NEW,)),
    Resource("objectstorage", 15, "object_storage", 400, 400, (NEW,)),
    Resource("gpu", 16, "gpu", 20, 20, (NEW,)),
)
IN_GIB = frozenset({"primarystorage", "secondarystorage", "backupstorage", "objectstorage"})
"""Limited and shown in GiB, counted in bytes."""


def resources(release: str) -> tuple[Resource, ...]:
    """The resources a release counts."""
    return tuple(one for one in RESOURCES if release in one.releases)


def account_default(release: str, resource: Resource) -> int:
    """The limit of an account for which none was set: 4.18 does not limit the number of projects."""
    return -1 if release == OLD and resource.key == "project" else resource.account_default


def domain_default(release: str, resource: Resource) -> int:
    """The limit that `listResourceLimits` shows for a domain for which none was set."""
    return -1 if release == OLD else resource.domain_default


def domain_text(domain: Domain) -> str:
    """A domain as 4.23 writes it into error texts."""
    below = domain.path.partition("/")[2]
    shown = {
        "id": domain.number,
        "name": domain.name,
        "path": f"/{below}/" if below else "/",
        "uuid": domain.id,
    }
    text = json.dumps(shown, separators=(",", ":"), ensure_ascii=False).replace("/", "\\/")
    return f"Domain {text}"


def name_taken(world: World, name: str, parent: Domain) -> str:
    """The refusal of a second domain of a name."""
    if world.release == OLD:
        return f"Domain with name {name} already exists for the parent id={parent.number}"
    return f"Domain with name [{name}] already exists for the parent with ID [{parent.number}]."


def user_taken(world: World, username: str, domain: Domain) -> str:
    """The refusal of `createAccount` for a second user of a name."""
    where = f"domain {domain.number}" if world.release == OLD else domain_text(domain)
    return f"The user {username} already exists in {'' if world.release == OLD else 'domain '}{where}"


def domain_in_error(world: World, domain: Domain) -> str:
    """A domain as the deletion's errors name it."""
    return f"{domain.name} (id: {domain.number})" if world.release == OLD else domain_text(domain)


def lock_account_text(release: str) -> str:
    """What `lockAccount` always answers."""
    if release == OLD:
        return (
            "LockAccount does not lock accounts. Its implementation is disabled. Use DisableAccount instead"
        )
    return "LockAccount does not lock Accounts. Its implementation is disabled. Use DisableAccount instead."
