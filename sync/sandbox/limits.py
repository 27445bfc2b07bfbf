"""Resource limits: what holds for an account or domain, and the refusal of what would go beyond."""

from __future__ import annotations

from sync.sandbox.errors import ApiError
from sync.sandbox.records import Account, Domain, World
from sync.sandbox.releases import (
    IN_GIB,
    NEW,
    RESOURCES,
    Resource,
    account_default,
    domain_default,
)

GIB = 1 << 30
ROOT_ADMIN = 1
BY_KEY = {one.key: one for one in RESOURCES}
BY_NUMBER = {one.number: one for one in RESOURCES}


def account_limit(world: World, account: Account, resource: Resource) -> int:
    """The maximum for an account, -1 for none; storages in GiB. Root admins have no limits."""
    if account.type == ROOT_ADMIN:
        return -1
    own = world.limits.get(account.id, {})
    return own.get(resource.key, account_default(world.release, resource))


def domain_limit(world: World, domain: Domain, resource: Resource) -> int:
    """The maximum for a domain as `listResourceLimits` shows it; nothing limits ROOT."""
    if domain.parent_id is None:
        return -1
    own = world.limits.get(domain.id, {})
    return own.get(resource.key, domain_default(world.release, resource))


def check(world: World, account: Account, key: str, amount: int = 1) -> None:
    """Refuse what would bring an account, or a domain above it, over a limit. Raises ApiError (535)."""
    resource = BY_KEY[key]
    scale = GIB if key in IN_GIB else 1
    maximum = account_limit(world, account, resource)
    used = world.usage.of(account.id, key)
    if maximum >= 0 and used + amount > maximum * scale:
        domain = world.domain_of(account)
        where = f"Account Name = {account.name} in Domain Id = {domain.number}"
        raise _exceeded(world, resource, where, "Account", maximum * scale, used, amount)
    domain_id: str | None = account.domain_id
    while domain_id is not None:
        domain = world.domains[domain_id]
        maximum = world.limits.get(domain.id, {}).get(key, -1) if domain.parent_id else -1
        used = world.usage.of(domain.id, key)
        if maximum >= 0 and used + amount > maximum * scale:
            where = f"Domain Id = {domain.number}"
            raise _exceeded(world, resource, where, "Domain", maximum * scale, used, amount)
        domain_id = domain.parent_id


def _exceeded(
    world: World, resource: Resource, where: str, level: str, maximum: int, used: int, amount: int
) -> ApiError:
    tag = ", tag = 'null'" if world.release == NEW else ""
    text = (
        f"Maximum amount of resources of Type = '{resource.name}'{tag} for {where} is exceeded: "
        f"{level} Resource Limit = {maximum}, Current {level} Resource Amount = {used}, "
        f"Current {level} Resource Reservation = 0, Requested Resource Amount = {amount}."
    )
    return ApiError(535, text, 9999)
