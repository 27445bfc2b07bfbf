"""updateConfiguration and listConfigurations, for the settings that the sandbox heeds."""

from __future__ import annotations

from typing import Any

from sync.sandbox.engine import Call, command
from sync.sandbox.errors import invalid
from sync.sandbox.paging import Listing
from sync.sandbox.seed_data import DEFAULTS, catalog


@command(
    "updateConfiguration",
    required=("name",),
    entities={"accountid": "accounts", "domainid": "domains"},
    answer="configuration",
)
def update_configuration(call: Call) -> dict[str, Any]:
    """Set a value, for all or for one account; the answer shows the value that holds for all (measured)."""
    world = call.world
    name, value = call.required("name"), call.get("value")
    if name not in world.settings:
        raise invalid(f"Config parameter with name {name} doesn't exist")
    account = call.entity("accountid", "accounts")
    if account is not None:
        own = world.account_settings.setdefault(account.id, {})
        if value:
            own[name] = value
        else:
            own.pop(name, None)
    elif value is not None:
        world.settings[name] = value
    call.done("CONFIGURATION.VALUE.EDIT", "updating configuration")
    return _row(call, name)


@command("listConfigurations", entities={"accountid": "accounts"}, answer="configuration")
def list_configurations(call: Call) -> Listing:
    """The settings by name; with `accountid` as they hold for that account."""
    name, keyword = call.get("name"), call.get("keyword")
    found = [
        one
        for one in sorted(call.world.settings)
        if (name is None or one == name) and (keyword is None or keyword in one)
    ]
    return Listing(found, lambda one: _row(call, one, account_id=call.get("accountid")))


def _row(call: Call, name: str, *, account_id: str | None = None) -> dict[str, Any]:
    known = catalog("identity", call.release)["configurations"].get(name)
    value = call.world.setting(name, account_id=account_id)
    if known is None:
        known = {"category": "Advanced", "defaultvalue": DEFAULTS.get(name, ""), "isdynamic": True}
    row: dict[str, Any] = known | {"name": name, "value": value}
    return row
