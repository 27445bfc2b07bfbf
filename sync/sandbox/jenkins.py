"""The Jenkins of every project of a sandbox: its nodes, each online while a VM runs at the address it knows.

Shapes as Jenkins' remote access API (`/computer/api/json`) gives them; anonymous reading is allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sync.sandbox.records import World

if TYPE_CHECKING:
    from sync.sandbox.worlds.blueprint import Blueprint

PATH = "/jenkins/{project}/computer/api/json"
NOT_THERE = "This node is offline because Jenkins failed to launch the agent process on it."


def remember(world: World, blueprint: Blueprint) -> None:
    """Let every tenant's Jenkins know its agents: a node is looked for where its machine was seeded."""
    for tenant in blueprint.tenants:
        on_machines = [
            {"name": one.agent, "path": blueprint.path_of(tenant), "address": one.address}
            for one in tenant.machines
            if one.agent
        ]
        physical = [
            {"name": name, "path": "", "address": address} for name, address in tenant.physical_agents
        ]
        world.jenkins[tenant.name] = [*on_machines, *physical]


def computers(world: World, project: str) -> dict[str, Any] | None:
    """The answer of a project's Jenkins; None where there is none."""
    nodes = world.jenkins.get(project)
    if nodes is None:
        return None
    answering = _answering(world)
    shown = [_node("Built-In Node", "hudson.model.Hudson$MasterComputer", is_online=True)]
    for node in nodes:
        is_online = not node["path"] or (node["path"], node["address"]) in answering
        shown.append(_node(node["name"], "hudson.slaves.SlaveComputer", is_online=is_online))
    return {"_class": "hudson.model.ComputerSet", "computer": shown}


def _answering(world: World) -> set[tuple[str, str]]:
    """Path of the domain and address of every machine that runs."""
    running = {vm.id: vm for vm in world.vms.values() if vm.state == "Running"}
    return {
        (world.domain_of(running[nic.vm_id]).path, nic.address)
        for nic in world.nics.values()
        if nic.vm_id in running
    }


def _node(name: str, kind: str, *, is_online: bool) -> dict[str, Any]:
    return {
        "_class": kind,
        "displayName": name,
        "offline": not is_online,
        "temporarilyOffline": False,
        "offlineCauseReason": "" if is_online else NOT_THERE,
    }
