"""An empty cloud as a fresh installation has it: ROOT, the admin, the built-in roles, the settings."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from sync.sandbox import commands
from sync.sandbox.passwords import hashed
from sync.sandbox.records import Account, Domain, Role, RoleRule, User, World
from sync.sandbox.seed_data import DEFAULTS, catalog

__all__ = ["admin_of", "catalog", "fresh_cloud"]

assert commands, "importing the package registers every command"


def fresh_cloud(world: World, *, api_key: str | None = None, secret_key: str | None = None) -> None:
    """Fill an empty world with what every CloudStack has, and with one simulator zone."""
    known = catalog("identity", world.release)
    world.settings = DEFAULTS | world.settings
    world.server_id = world.new_id()
    world.started = world.now()
    installed = world.now() - timedelta(minutes=15)
    root = Domain(
        id=world.new_id(), number=1, name="ROOT", parent_id=None, path="ROOT", level=0, created=None
    )
    world.numbers["domains"] = 1
    world.root_id = root.id
    world.put("domains", root)
    for row in known["roles"]:
        _add_role(world, row, known["rules"][row["name"]])
    role = next(role for role in world.roles.values() if role.name == "Root Admin")
    for number, name in ((1, "system"), (2, "admin")):
        account = Account(
            id=world.new_id(),
            number=number,
            name=name,
            domain_id=root.id,
            role_id=role.id,
            type=1,
            is_default=True,
            created=installed,
        )
        user = User(
            id=world.new_id(),
            number=number,
            account_id=account.id,
            username=name,
            firstname="Admin" if name == "admin" else "system",
            lastname="User" if name == "admin" else "cloud",
            email="admin@mailprovider.com" if name == "admin" else "",
            password=hashed(world.new_secret()),
            is_default=True,
            created=installed,
        )
        world.put("accounts", account)
        world.put("users", user)
        if name == "admin":
            root.owner_id = account.id
            world.set_keys(user, api_key or world.new_secret(), secret_key or world.new_secret())
            user.key_created = installed
    world.numbers |= {"accounts": 2, "users": 2}
    if find_spec("sync.sandbox.seed_machines") is not None:
        import_module("sync.sandbox.seed_machines").seed_machines(world)


def admin_of(world: World) -> User:
    """The built-in admin."""
    return next(user for user in world.users.values() if user.username == "admin" and user.is_default)


def _add_role(world: World, row: dict[str, Any], rules: list[list[str]]) -> None:
    role = Role(
        id=world.new_id(),
        number=world.next_number("roles"),
        name=row["name"],
        type=row["type"],
        description=row["description"],
        is_default=True,
        rules=[
            RoleRule(id=world.new_id(), rule=pattern, permission=permission) for pattern, permission in rules
        ],
    )
    world.put("roles", role)
