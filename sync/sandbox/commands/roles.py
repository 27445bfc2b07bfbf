"""Roles and their permissions."""

from __future__ import annotations

from typing import Any

from sync.sandbox.engine import Call, command
from sync.sandbox.errors import invalid, not_permitted
from sync.sandbox.paging import Listing
from sync.sandbox.permissions import ACCOUNT_TYPES
from sync.sandbox.records import Role, RoleRule
from sync.sandbox.views import role_row


@command("listRoles", entities={"id": "roles"}, answer="role")
def list_roles(call: Call) -> Listing:
    """The roles; those of type Admin only for root admins."""
    name, keyword, type = call.get("name"), call.get("keyword"), call.get("type")
    shown = [
        role
        for role in call.world.roles.values()
        if ("id" not in call.params or role.id == call.params["id"])
        and (name is None or role.name.casefold() == name.casefold())
        and (keyword is None or keyword.casefold() in role.name.casefold())
        and (type is None or role.type.casefold() == type.casefold())
        and (call.account.type == ACCOUNT_TYPES["Admin"] or role.type != "Admin")
    ]
    return Listing(shown, lambda one: role_row(call.world, one))


def _custom_role(call: Call, parameter: str) -> Role:
    role = call.entity(parameter, "roles")
    assert isinstance(role, Role)
    if role.removed is not None:
        raise invalid(f"Unable to find role by id {role.number}")
    if role.is_default:
        raise not_permitted("Default roles cannot be changed")
    return role


@command("createRole", required=("name",), entities={"roleid": "roles"}, answer="role")
def create_role(call: Call) -> dict[str, Any]:
    """Make a role of a type, or a copy of another role."""
    world = call.world
    name = call.required("name")
    copied = call.entity("roleid", "roles")
    types = {known.casefold(): known for known in ACCOUNT_TYPES}
    type = copied.type if copied is not None else types.get((call.get("type") or "").casefold())
    if type is None:
        raise invalid("Invalid role type provided")
    if any(role.name == name for role in world.roles.values()):
        raise invalid(f"Role named {name} already exists")
    rules = copied.rules if copied is not None else []
    role = Role(
        id=world.new_id(),
        number=world.next_number("roles"),
        name=name,
        type=type,
        description=call.get("description"),
        is_public=call.boolean("ispublic", True),
        rules=[RoleRule(id=world.new_id(), rule=one.rule, permission=one.permission) for one in rules],
    )
    world.put("roles", role)
    call.done("ROLE.CREATE", "creating Role", resource=role, resource_type="Role")
    return role_row(world, role, listed=False)


@command("updateRole", required=("id",), entities={"id": "roles"}, answer="role")
def update_role(call: Call) -> dict[str, Any]:
    """Rename or describe a custom role."""
    role = _custom_role(call, "id")
    role.name = call.get("name") or role.name
    role.description = call.get("description", role.description)
    return role_row(call.world, role, listed=False)


@command("deleteRole", required=("id",), entities={"id": "roles"})
def delete_role(call: Call) -> dict[str, Any]:
    """Remove a custom role that no account has."""
    role = _custom_role(call, "id")
    if any(account.role_id == role.id for account in call.world.accounts.values()):
        raise invalid("Found accounts with role in use, won't allow to delete role")
    call.world.bury("roles", role.id)
    return {"success": True}


@command(
    "createRolePermission",
    required=("roleid", "rule", "permission"),
    entities={"roleid": "roles"},
    answer="rolepermission",
)
def create_role_permission(call: Call) -> dict[str, Any]:
    """Append a rule to a role."""
    role = _custom_role(call, "roleid")
    permission = call.required("permission").lower()
    if permission not in ("allow", "deny"):
        raise invalid(f"Invalid permission provided: {permission}")
    rule = RoleRule(
        id=call.world.new_id(),
        rule=call.required("rule"),
        permission=permission,
        description=call.get("description"),
    )
    role.rules.append(rule)
    return _rule_row(role, rule)


@command("listRolePermissions", entities={"roleid": "roles"}, answer="rolepermission")
def list_role_permissions(call: Call) -> Listing:
    """The rules of one role, or of all, in the order in which they are tried."""
    chosen = call.entity("roleid", "roles")
    roles = [chosen] if chosen is not None else list(call.world.roles.values())
    rules = [(role, rule) for role in roles for rule in role.rules]
    return Listing(rules, lambda pair: _rule_row(*pair))


@command("deleteRolePermission", required=("id",))
def delete_role_permission(call: Call) -> dict[str, Any]:
    """Remove a rule from a custom role."""
    for role in call.world.roles.values():
        for rule in role.rules:
            if rule.id == call.required("id"):
                if role.is_default:
                    raise not_permitted("Default roles cannot be changed")
                role.rules.remove(rule)
                return {"success": True}
    raise invalid("Invalid role permission id provided")


def _rule_row(role: Role, rule: RoleRule) -> dict[str, Any]:
    row = {"id": rule.id, "roleid": role.id, "rule": rule.rule, "permission": rule.permission}
    return row if rule.description is None else row | {"description": rule.description}
