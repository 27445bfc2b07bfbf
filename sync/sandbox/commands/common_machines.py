"""What the commands on machines share: looking an object up, filters of lists, events of jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sync.sandbox import lifecycle, limits
from sync.sandbox.commands.views_machines import modern
from sync.sandbox.engine import Call
from sync.sandbox.errors import ApiError, invalid, not_permitted, unknown_entity
from sync.sandbox.jobs import JobEvent, Queued, Work
from sync.sandbox.records import Account, World

TABLES_OF_TYPES = {
    "uservm": "vms",
    "volume": "volumes",
    "snapshot": "snapshots",
    "template": "templates",
    "iso": "isos",
    "network": "networks",
    "project": "projects",
    "publicipaddress": "addresses",
    "vmsnapshot": "vm_snapshots",
    "snapshotpolicy": "snapshot_policies",
}
"""Resource types of tags → tables."""


def missing_vm(call: Call, number: int) -> ApiError:
    """What the API says of a VM that is gone: 431 (quarantine, 4.23; 4.18's text is from its source)."""
    if modern(call.world):
        return invalid(f"Unable to find an Instance with id {number}")
    return invalid(f"unable to find a virtual machine with id {number}")


def gone(name: str, number: int) -> ApiError:
    """What the API says of any other object that is gone."""
    return invalid(f"Unable to find {name} with id {number}")


def seen(call: Call, parameter: str, table: str) -> Any:
    """The record that a required id parameter names, removed ones too.

    Raises ApiError: 431 for an unknown id, 531 for what the caller may not touch.
    """
    value = call.required(parameter)
    found = call.entity(parameter, table)
    if found is None:
        raise unknown_entity(call.command.name, parameter, value)
    if not call.may_see(found):
        raise not_permitted(
            f"{call.account.name} does not have permission to operate with resource {found.id}"
        )
    return found


def live(call: Call, parameter: str, table: str, name: str) -> Any:
    """As `seen`, and there. Raises ApiError (431) for a removed object."""
    found = seen(call, parameter, table)
    if found.removed is not None:
        raise missing_vm(call, found.number) if table == "vms" else gone(name, found.number)
    return found


def ids_of(call: Call, parameter: str, table: str) -> list[Any]:
    """The records that a comma-separated list of ids names. Raises ApiError (431) for an unknown one."""
    made = []
    for id in filter(None, (one.strip() for one in call.params.get(parameter, "").split(","))):
        found = call.world.find(table, id)
        if found is None:
            raise unknown_entity(call.command.name, parameter, id)
        made.append(found)
    return made


def chosen(call: Call, records: Iterable[Any]) -> list[Any]:
    """The records of a list by `id`, `ids`, `zoneid`, `tags` and the owner's parameters."""
    scope = call.scope()
    wanted = {call.params["id"]} if "id" in call.params else None
    if "ids" in call.params:
        wanted = {one.strip() for one in call.params["ids"].split(",")}
    found = [one for one in records if wanted is None or one.id in wanted]
    if "zoneid" in call.params:
        found = [one for one in found if getattr(one, "zone_id", None) == call.params["zoneid"]]
    for tag in call.map_of("tags"):
        found = [one for one in found if _has_tag(call, one, tag)]
    return scope.select(found)


def _has_tag(call: Call, one: Any, wanted: dict[str, str]) -> bool:
    return any(
        tag.resource_id == one.id
        and tag.key == wanted.get("key")
        and wanted.get("value", tag.value) == tag.value
        for tag in call.world.owned(one.account_id, "tags")
    )


def has_text(text: str | None, *fields: str) -> bool:
    """Whether a keyword is in one of the fields, whatever the case; no keyword fits all."""
    return text is None or any(text.casefold() in field.casefold() for field in fields)


def equal(call: Call, parameter: str, value: str | None) -> bool:
    """Whether a parameter is absent or equals the value."""
    return parameter not in call.params or call.params[parameter] == value


def event(
    call: Call,
    type: str,
    scheduled: tuple[str, str],
    working: tuple[str, str],
    *,
    owner_id: str,
    resource: Any,
    resource_type: str,
) -> JobEvent:
    """The events of a job; texts are pairs for (4.23, 4.18)."""
    which = 0 if modern(call.world) else 1
    return JobEvent(
        type=type,
        scheduled=scheduled[which],
        working=working[which],
        owner_id=owner_id,
        resource=resource,
        resource_type=resource_type,
    )


def simple_job(
    call: Call,
    made: JobEvent | None,
    act: Callable[[], dict[str, Any] | None],
    *,
    step: str = "quick",
    entity_id: str | None = None,
    instance_id: str | None = None,
    with_instance: bool = True,
) -> Work:
    """A job that waits for one step and then acts; without a result of its own it answers success."""
    yield Queued(entity_id=entity_id, instance_id=instance_id, with_instance=with_instance, event=made)
    yield lifecycle.seconds(call.world, step)
    return act() or {"success": True}


def owner_of(call: Call, one: Any) -> Account:
    """The account that owns a record, removed or not."""
    owner = call.world.find("accounts", one.account_id)
    assert isinstance(owner, Account)
    return owner


def zone_of(call: Call, *, anywhere: bool = False) -> str:
    """The id of the zone a call names; `anywhere` allows -1 (all zones) and none. Raises ApiError (431)."""
    value = call.params.get("zoneid", "-1")
    if value in call.world.zones:
        return value
    if anywhere and value == "-1":
        return next(iter(call.world.zones))
    raise unknown_entity(call.command.name, "zoneid", value)


def refuse_closed(call: Call, zone_id: str) -> None:
    """In a zone with allocation disabled only root admins get anything. Raises ApiError (531).

    Read in CloudStack's source, not recorded.
    """
    zone = call.world.zones[zone_id]
    if zone.row["allocationstate"] == "Disabled" and call.account.type != limits.ROOT_ADMIN:
        raise not_permitted(f"Cannot perform this operation, Zone is currently disabled: {zone.number}")


def check_machine(world: World, owner: Account, offering: dict[str, Any]) -> None:
    """Refuse a VM that would bring its owner over a limit. Raises ApiError (535)."""
    limits.check(world, owner, "vm")
    limits.check(world, owner, "cpu", offering["cpunumber"])
    limits.check(world, owner, "memory", offering["memory"])
