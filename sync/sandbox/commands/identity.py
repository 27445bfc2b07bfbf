"""Domains: createDomain, updateDomain, listDomains, listDomainChildren."""

from __future__ import annotations

import re
from typing import Any

from sync.sandbox.engine import Call, command
from sync.sandbox.errors import ApiError, invalid, not_permitted
from sync.sandbox.paging import Listing
from sync.sandbox.records import Domain, World
from sync.sandbox.releases import name_taken
from sync.sandbox.views import domain_row, listed_domain

BAD_NETWORK_DOMAIN = (
    "Invalid network domain. Total length should not exceed 190 chars. Each domain label must be between 1 "
    "and 63 characters long. It can contain ASCII letters 'a' through 'z', the digits '0' through '9', and "
    "the hyphen ('-'); it cannot start or end with \"-\"."
)
TEXTS = {"name": "domainName", "networkdomain": "networkDomain"}
NO_SLASH = "Domain name contains one or more invalid characters.  Please enter a name without '/' characters."
ID_TAKEN = 'Cannot invoke "com.cloud.domain.DomainVO.getId()" because "domain" is null'


def check_network_domain(value: str | None) -> None:
    """Refuse a DNS domain that is none. Raises ApiError (431, 4350)."""
    if not value:
        return
    labels = value.split(".")
    fits = all(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?", label) for label in labels)
    if len(value) > 190 or not fits:
        raise invalid(BAD_NETWORK_DOMAIN)


def live_domain(call: Call, parameter: str) -> Domain | None:
    """The domain a parameter names; removed ones and those out of sight are refused. Raises ApiError."""
    domain = call.entity(parameter, "domains")
    if domain is None:
        return None
    assert isinstance(domain, Domain)
    if domain.removed is not None:
        raise invalid(f"Domain id={domain.number} doesn't exist")
    if not call.may_see(domain):
        raise not_permitted(f"Caller {call.account.name} has no permission to access domain {domain.name}")
    return domain


def name_in_use(world: World, name: str, parent: Domain) -> bool:
    """Whether a live domain (a dying one too) below the parent has the name, whatever the case."""
    return world.child_named(parent.id, name) is not None


@command(
    "createDomain",
    required=("name",),
    entities={"parentdomainid": "domains"},
    answer="domain",
    service="create_domain",
    texts=TEXTS,
)
def create_domain(call: Call) -> dict[str, Any]:
    """Make a domain; its name is unique per parent whatever the case, its id may be chosen by the client."""
    name = call.required("name")
    if not name:
        raise invalid("Invalid value provided for API arg: name")
    if "/" in name:
        raise ApiError(431, NO_SLASH, 9999)
    world = call.world
    parent = live_domain(call, "parentdomainid") or world.domains[world.root_id]
    if parent.state != "Active":
        raise failed_parent(parent)
    if name_in_use(world, name, parent):
        raise invalid(name_taken(world, name, parent))
    check_network_domain(call.get("networkdomain"))
    chosen = call.get("domainid")
    if chosen and world.find("domains", chosen) is not None:
        raise ApiError(530, ID_TAKEN, 9999)
    domain = Domain(
        id=chosen or world.new_id(),
        number=world.next_number("domains"),
        name=name,
        parent_id=parent.id,
        path=f"{parent.path}/{name}",
        level=parent.level + 1,
        network_domain=call.get("networkdomain") or None,
        owner_id=call.account.id,
        created=call.now,
    )
    world.put("domains", domain)
    call.done(
        "DOMAIN.CREATE", f"creating Domain. Domain ID: {domain.id}", resource=domain, resource_type="Domain"
    )
    return domain_row(world, domain, created=False)


def failed_parent(parent: Domain) -> ApiError:
    """The refusal of a domain below one that is being deleted."""
    return ApiError(530, f"The domain cannot be created as domain {parent.name} is being deleted", 4250)


@command("updateDomain", required=("id",), entities={"id": "domains"}, answer="domain", texts=TEXTS)
def update_domain(call: Call) -> dict[str, Any]:
    """Rename a domain (also a dying one) or change its network domain."""
    world = call.world
    domain = live_domain(call, "id")
    assert domain is not None
    name = call.get("name")
    if name and domain.parent_id is None:
        raise not_permitted("Not allowed to update domain id")
    if name and "/" in name:
        raise ApiError(431, NO_SLASH, 9999)
    if name and domain.parent_id is not None:
        other = world.child_named(domain.parent_id, name)
        if other is not None and other.id != domain.id:
            why = "since it already exists in the system"
            text = f"Failed to update specified domain id with name '{name}' {why}"
            raise invalid(text, (domain.id, "domainId"))
    if "networkdomain" in call.params:
        check_network_domain(call.get("networkdomain"))
        domain.network_domain = call.get("networkdomain") or None
    if name:
        world.rename_domain(domain, name)
    call.done(
        "DOMAIN.UPDATE", f"updating Domain. Domain ID: {domain.id}", resource=domain, resource_type="Domain"
    )
    return domain_row(world, domain)


@command("listDomains", entities={"id": "domains"}, answer="domain")
def list_domains(call: Call) -> Listing:
    """The Active domains that the caller sees; `details=min` leaves limits and counts out."""
    world = call.world
    top = world.domains[call.account.domain_id]
    chosen = live_domain(call, "id")
    found = [chosen] if chosen is not None else sorted(world.subtree(top.id), key=lambda one: one.number)
    asked = (call.get("details") or "all").lower().split(",")
    details = any(word in ("all", "resource") for word in asked)
    matching = [domain for domain in found if _listed(call, domain)]
    return Listing(matching, lambda one: listed_domain(world, one, details=details))


def _listed(call: Call, domain: Domain) -> bool:
    if domain.state != "Active" or not call.may_see(domain):
        return False
    name, keyword, level = call.get("name"), call.get("keyword"), call.integer("level")
    if name and domain.name.casefold() != name.casefold():
        return False
    if keyword and keyword.casefold() not in domain.name.casefold():
        return False
    return level is None or domain.level == level


@command("listDomainChildren", entities={"id": "domains"}, answer="domain")
def list_domain_children(call: Call) -> Listing:
    """What is below a domain: directly, or with `isrecursive` all of it."""
    world = call.world
    top = live_domain(call, "id") or world.domains[call.account.domain_id]
    if call.boolean("isrecursive"):
        found = [domain for domain in world.subtree(top.id) if domain.id != top.id]
    else:
        found = world.children(top.id)
    shown = [domain for domain in found if domain.state == "Active"]
    name = call.get("name")
    if name:
        shown = [domain for domain in shown if domain.name.casefold() == name.casefold()]
    return Listing(shown, lambda one: domain_row(world, one))
