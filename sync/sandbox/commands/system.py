"""What the server says about itself: listApis, listCapabilities, listManagementServers."""

from __future__ import annotations

from typing import Any

from sync.sandbox.engine import COMMANDS, Call, command, known_command
from sync.sandbox.errors import invalid
from sync.sandbox.paging import Listing
from sync.sandbox.permissions import may_call, role_of
from sync.sandbox.releases import NEW
from sync.sandbox.seed_data import catalog


def register_empty_lists() -> None:
    """Know every list command of 4.23 by name: what is not simulated is an empty list, not an unknown API."""
    for name in catalog("identity", NEW)["apis"]:
        if name.startswith("list") and name.lower() not in COMMANDS:
            command(name, answer=name.lower(), releases=(NEW,))(_nothing)


def _nothing(_call: Call) -> Listing:
    return Listing((), dict)


@command("listApis", answer="api")
def list_apis(call: Call) -> Listing:
    """The commands that the caller's role may call, with the names of their parameters."""
    role = role_of(call.world, call.account)
    assert role is not None
    names = {one.name for known in COMMANDS.values() for one in known}
    names |= catalog("identity", call.release)["apis"].keys()
    allowed = sorted(
        name for name in names if may_call(role, name) and (_known(call, name) or _catalogued(call, name))
    )
    wanted = call.get("name")
    if wanted is not None:
        allowed = [name for name in allowed if name.lower() == wanted.lower()]
        if not allowed:
            raise invalid(f"The API [{wanted}] does not exist or is not available for the account.")
    return Listing(allowed, lambda name: _api_row(call, name), paged=False)


def _known(call: Call, name: str) -> bool:
    return known_command(name, call.release) is not None


def _catalogued(call: Call, name: str) -> bool:
    return name in catalog("identity", call.release)["apis"]


def _api_row(call: Call, name: str) -> dict[str, Any]:
    known = known_command(name, call.release)
    listed = catalog("identity", call.release)["apis"]
    is_async = known.job is not None if known is not None else listed[name]
    named = catalog("parameters", call.release).get(name)
    if named is None:
        named = sorted({*known.required, *known.entities, *known.integers}) if known is not None else []
    return {"name": name, "isasync": is_async, "params": [{"name": one} for one in named]}


@command("listCapabilities")
def list_capabilities(call: Call) -> dict[str, Any]:
    """The release and what it can do."""
    return {"capability": catalog("identity", call.release)["capability"]}


@command("listManagementServers", answer="managementserver")
def list_management_servers(call: Call) -> Listing:
    """The one management server there is."""
    world = call.world
    row = catalog("identity", call.release)["server"] | {"id": world.server_id}
    hosts = list(world.hosts)
    if call.release == NEW:
        started = world.shown(world.started)
        row |= {"lastserverstart": started, "lastserverstop": started, "lastboottime": started}
        row |= {"agents": hosts, "lastagents": hosts, "agentscount": len(hosts)}
        row["pendingjobscount"] = sum(job.status == 0 for job in world.jobs.values())
    return Listing([row], dict)
