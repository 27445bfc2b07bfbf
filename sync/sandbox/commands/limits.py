"""updateResourceLimit and listResourceLimits."""

from __future__ import annotations

from typing import Any

from sync.sandbox.commands.identity import live_domain
from sync.sandbox.engine import Call, command
from sync.sandbox.errors import invalid, not_permitted
from sync.sandbox.limits import BY_NUMBER, account_limit, domain_limit
from sync.sandbox.paging import Listing
from sync.sandbox.records import Account, Domain
from sync.sandbox.releases import NEW, Resource, resources


@command(
    "updateResourceLimit",
    required=("resourcetype",),
    entities={"domainid": "domains", "projectid": "projects"},
    integers=("max", "resourcetype"),
    answer="resourcelimit",
)
def update_resource_limit(call: Call) -> dict[str, Any]:
    """Set the maximum of a resource for an account, a Project, or a domain; -1 for none."""
    number = call.integer("resourcetype")
    resource = BY_NUMBER.get(number if number is not None else -1)
    if resource is None or call.release not in resource.releases:
        raise invalid("Please specify valid resource type")
    maximum = call.integer("max", -1)
    assert maximum is not None
    if maximum < -1:
        text = "Please specify either '-1' for an infinite limit, or a limit that is at least '0'."
        raise invalid(text)
    owner: Account | Domain
    if "account" in call.params or "projectid" in call.params or "domainid" not in call.params:
        owner = call.owner()
        _check_domain(call)
    else:
        domain = live_domain(call, "domainid")
        assert domain is not None
        _check_parent(call, domain, resource, maximum)
        owner = domain
    call.world.limits.setdefault(owner.id, {})[resource.key] = maximum
    call.done("RESOURCE.LIMIT.UPDATE", "updating resource limit", resource=owner, resource_type=_kind(owner))
    return _row(call, owner, resource)


def _check_domain(call: Call) -> None:
    if "domainid" in call.params:
        live_domain(call, "domainid")


def _check_parent(call: Call, domain: Domain, resource: Resource, maximum: int) -> None:
    """A domain may not be allowed more than its parent was given by hand."""
    if domain.parent_id is None:
        raise not_permitted(
            f"Cannot update resource limit for ROOT domain {domain.number}, permission denied"
        )
    parent = call.world.domains[domain.parent_id]
    allowed = call.world.limits.get(parent.id, {}).get(resource.key, -1)
    if 0 <= allowed < maximum:
        raise invalid(
            f"Domain {parent.name}(id: {parent.number}) has maximum allowed resource limit {allowed} for "
            f"{resource.name}, please specify a value less than or equal to {allowed}"
        )


@command(
    "listResourceLimits",
    entities={"domainid": "domains", "projectid": "projects"},
    integers=("resourcetype",),
    answer="resourcelimit",
)
def list_resource_limits(call: Call) -> Listing:
    """The limits of one account, Project or domain."""
    owner: Account | Domain
    domain = live_domain(call, "domainid")
    owner = domain if domain is not None and "account" not in call.params else call.owner()
    wanted = call.integer("resourcetype")
    shown = [one for one in resources(call.release) if wanted is None or one.number == wanted]
    return Listing(shown, lambda one: _row(call, owner, one))


def _kind(owner: Account | Domain) -> str:
    return "Account" if isinstance(owner, Account) else "Domain"


def _row(call: Call, owner: Account | Domain, resource: Resource) -> dict[str, Any]:
    world = call.world
    domain = owner if isinstance(owner, Domain) else world.domain_of(owner)
    row: dict[str, Any] = {}
    if isinstance(owner, Account) and owner.project_id is not None:
        project = world.projects[owner.project_id]
        row = {"projectid": project.id, "project": project.name}
    elif isinstance(owner, Account):
        row = {"account": owner.name}
    row |= {"domainid": domain.id, "domain": domain.name}
    if call.release == NEW:
        row["domainpath"] = domain.path
    limit = domain_limit if isinstance(owner, Domain) else account_limit
    maximum = limit(world, owner, resource)  # type: ignore[arg-type]
    return row | {"resourcetype": str(resource.number), "resourcetypename": resource.name, "max": maximum}
