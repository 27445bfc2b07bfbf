"""ISOs: register, list, extract, delete."""

from __future__ import annotations

from typing import Any

from sync.sandbox import lifecycle, limits
from sync.sandbox.commands.common_machines import live, seen, simple_job, zone_of
from sync.sandbox.commands.templates import (
    SIMULATED_SIZE,
    add_template,
    check_url,
    download,
    listed,
    owner_wanted,
    template_event,
)
from sync.sandbox.commands.views_networks import iso_row
from sync.sandbox.commands.volumes import extracted
from sync.sandbox.engine import Call, command
from sync.sandbox.errors import invalid
from sync.sandbox.jobs import Queued, Work
from sync.sandbox.paging import Listing
from sync.sandbox.records_machines import Template

SCOPED = {"zoneid": "zones", "domainid": "domains", "projectid": "projects"}


@command("registerIso", required=("name", "url", "zoneid"), entities=SCOPED | {"ostypeid": "os_types"})
def register_iso(call: Call) -> dict[str, Any]:
    """Have an ISO downloaded; the simulator has it at once."""
    world = call.world
    url = check_url(call)
    owner = call.owner()
    limits.check(world, owner, "template")
    iso = Template(
        id=world.new_id(),
        number=world.next_number("templates"),
        name=call.required("name"),
        display_text=call.params.get("displaytext", call.params["name"]),
        account_id=owner.id,
        zone_id=zone_of(call, anywhere=True),
        os_type_id=call.params.get("ostypeid"),
        format="ISO",
        hypervisor="None",
        size=SIMULATED_SIZE,
        physical_size=SIMULATED_SIZE,
        counted_size=SIMULATED_SIZE,
        public=call.boolean("ispublic"),
        featured=call.boolean("isfeatured"),
        extractable=call.boolean("isextractable"),
        bootable=call.boolean("bootable", True),
        url=url,
        checksum=call.get("checksum"),
        created=world.now(),
    )
    add_template(world, iso, table="isos")
    download(call, iso)
    call.done("ISO.CREATE", "creating ISO", resource=iso, resource_type="Iso")
    return {"count": 1, "iso": [iso_row(world, iso)]}


@command("listIsos", entities=SCOPED | {"id": "isos"}, answer="iso")
def list_isos(call: Call) -> Listing:
    """The ISOs of a filter, by default the caller's own; root admins with `listall` see all."""
    everything = call.account.type == 1 and (call.boolean("listall") or "domainid" in call.params)
    filter = call.params.get("isofilter", "all" if everything else "selfexecutable").lower()
    found = [one for one in call.world.isos.values() if owner_wanted(call, one)]
    return Listing(listed(call, found, filter), lambda one: iso_row(call.world, one))


@command("deleteIso", required=("id",), entities={"id": "isos"}, job="user.iso.DeleteIsoCmd", instance="Iso")
def delete_iso(call: Call) -> Work:
    """Delete an ISO that no VM has in its drive."""
    iso: Template = live(call, "id", "isos", "ISO")
    if any(vm.iso_id == iso.id for vm in call.world.vms.values()):
        raise invalid("Unable to delete iso, as it's used by other vms")

    def act() -> None:
        if iso.removed is None:
            lifecycle.remove_template(call.world, iso, table="isos")

    made = template_event(call, "ISO.DELETE", "deleting", iso)
    return simple_job(call, made, act, step="delete_template", instance_id=iso.id)


@command(
    "extractIso",
    required=("id", "mode"),
    entities={"id": "isos", "zoneid": "zones"},
    job="user.iso.ExtractIsoCmd",
    instance="Iso",
)
def extract_iso(call: Call) -> Work:
    """Make an ISO downloadable."""
    iso: Template = seen(call, "id", "isos")
    yield Queued(instance_id=iso.id, event=template_event(call, "ISO.EXTRACT", "extracting", iso))
    yield lifecycle.seconds(call.world, "extract")
    if iso.removed is not None:
        raise invalid(f"Unable to find iso with id {iso.number}")
    return {"iso": extracted(call, iso, iso.account_id)}
