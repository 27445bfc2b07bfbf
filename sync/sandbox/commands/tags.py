"""Tags on resources: create, list, delete."""

from __future__ import annotations

from typing import Any

from sync.sandbox import lifecycle
from sync.sandbox.commands.common_machines import TABLES_OF_TYPES, chosen, equal
from sync.sandbox.commands.views_machines import owner_fields
from sync.sandbox.engine import Call, command
from sync.sandbox.errors import invalid, unknown_entity
from sync.sandbox.jobs import Queued, Work
from sync.sandbox.paging import Listing
from sync.sandbox.records_machines import Tag


def _resources(call: Call) -> list[Any]:
    type = call.required("resourcetype")
    table = TABLES_OF_TYPES.get(type.lower())
    if table is None:
        raise invalid(f"Invalid resource type: {type}")
    found = []
    for id in call.required("resourceids").split(","):
        one = call.world.table(table).get(id.strip())
        if one is None:
            raise unknown_entity(call.command.name, "resourceids", id.strip())
        found.append(one)
    return found


@command("createTags", required=("resourceids", "resourcetype"), job="user.tag.CreateTagsCmd")
def create_tags(call: Call) -> Work:
    """Put tags on resources; a key that is there already is refused in the job."""
    world = call.world
    resources = _resources(call)
    wanted = call.map_of("tags")
    type = call.params["resourcetype"]
    yield Queued(with_instance=False)
    yield lifecycle.seconds(world, "tags")
    for one in resources:
        for tag in wanted:
            key = tag.get("key", "")
            if any(t.resource_id == one.id and t.key == key for t in world.owned(one.account_id, "tags")):
                raise invalid(f"tag {key} already on {type} with id {one.id}")
            world.put(
                "tags",
                Tag(
                    id=world.new_id(),
                    number=world.next_number("tags"),
                    key=key,
                    value=tag.get("value", ""),
                    account_id=one.account_id,
                    resource_type=type,
                    resource_id=one.id,
                ),
            )
    return {"success": True}


@command("deleteTags", required=("resourceids", "resourcetype"), job="user.tag.DeleteTagsCmd")
def delete_tags(call: Call) -> Work:
    """Take tags off resources: those named, or all."""
    world = call.world
    resources = _resources(call)
    wanted = call.map_of("tags")
    yield Queued(with_instance=False)
    yield lifecycle.seconds(world, "tags")
    for one in resources:
        for tag in list(world.owned(one.account_id, "tags")):
            named = any(tag.key == each.get("key") for each in wanted)
            if tag.resource_id == one.id and (named or not wanted):
                world.bury("tags", tag.id)
    return {"success": True}


@command("listTags", answer="tag", entities={"domainid": "domains", "projectid": "projects"})
def list_tags(call: Call) -> Listing:
    """The tags of the owners asked for."""
    found = [
        tag
        for tag in chosen(call, call.world.tags.values())
        if equal(call, "resourceid", tag.resource_id)
        and equal(call, "key", tag.key)
        and equal(call, "value", tag.value)
        and tag.resource_type.lower() == call.params.get("resourcetype", tag.resource_type).lower()
    ]
    return Listing(
        found,
        lambda tag: {
            "key": tag.key,
            "value": tag.value,
            "resourcetype": tag.resource_type,
            "resourceid": tag.resource_id,
            **owner_fields(call.world, tag.account_id),
        },
    )
