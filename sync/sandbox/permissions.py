"""Who may call what (roles, 432), and who may see whose objects."""

from __future__ import annotations

import fnmatch
from typing import Any

from sync.sandbox.errors import ApiError
from sync.sandbox.records import Account, Domain, Role, User, World

ACCOUNT_TYPES = {"User": 0, "Admin": 1, "DomainAdmin": 2, "ResourceAdmin": 4}
"""Role type → account type."""


def role_of(world: World, account: Account) -> Role | None:
    """The role of an account; the accounts of Projects and the system's have none."""
    role = world.find("roles", account.role_id) if account.role_id else None
    assert role is None or isinstance(role, Role)
    return role


def may_call(role: Role, command: str) -> bool:
    """Whether a role allows a command: its first rule that fits decides; Root Admin may everything."""
    if role.name == "Root Admin" and role.is_default:
        return True
    for one in role.rules:
        if fnmatch.fnmatchcase(command.lower(), one.rule.lower()):
            return one.permission == "allow"
    return False


def check_command(world: World, user: User, command: str) -> None:
    """Refuse a command that the caller's role does not allow. Raises ApiError (432)."""
    account = world.account_of(user)
    role = role_of(world, account)
    if role is None or not may_call(role, command):
        text = f"The API [{command}] does not exist or is not available for the account {account.name}."
        raise ApiError(432, text, 9999, wrapper="errorresponse")


def may_see(world: World, caller: Account, owned: Any) -> bool:
    """Whether a caller may touch a domain, an account, or what an account owns."""
    if caller.type == ACCOUNT_TYPES["Admin"]:
        return True
    domain = owned if isinstance(owned, Domain) else world.domain_of(owned)
    if caller.type == ACCOUNT_TYPES["DomainAdmin"]:
        return world.is_within(domain.id, caller.domain_id)
    if isinstance(owned, Domain):
        return owned.id == caller.domain_id
    owner_id = owned.id if isinstance(owned, Account) else owned.account_id
    return bool(owner_id == caller.id)
