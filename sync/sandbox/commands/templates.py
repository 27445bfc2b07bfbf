"""Templates: create of a volume or snapshot, register, list, change, extract, delete."""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from sync.sandbox import downloads, lifecycle, limits
from sync.sandbox.commands.common_machines import event, has_text, live, seen, simple_job, zone_of
from sync.sandbox.commands.views_machines import modern
from sync.sandbox.commands.views_networks import template_row
from sync.sandbox.commands.volumes import extracted
from sync.sandbox.engine import Call, command
from sync.sandbox.errors import ApiError, invalid, not_permitted
from sync.sandbox.jobs import JobEvent, Queued, Work
from sync.sandbox.paging import Listing
from sync.sandbox.records import Account, World
from sync.sandbox.records_machines import Template

SIMULATED_SIZE = 5 << 20
"""Bytes that the simulator says it downloaded, whatever the address."""
FETCHING_SECONDS = 0.2
"""Virtual seconds between two looks at a download."""
FILTERS = (
    "featured",
    "self",
    "selfexecutable",
    "sharedexecutable",
    "executable",
    "community",
    "all",
    "shared",
)


def template_event(call: Call, type: str, verb: str, template: Template) -> JobEvent:
    """The events of a job on a template or ISO."""
    return event(
        call,
        type,
        (f"{verb.capitalize()} template: {template.id}", f"{verb} template: {template.id}"),
        (f"{verb} template. Template Id: {template.id}",) * 2,
        owner_id=template.account_id,
        resource=template,
        resource_type="Template",
    )


@command(
    "createTemplate",
    required=("displaytext", "name"),
    entities={
        "ostypeid": "os_types",
        "snapshotid": "snapshots",
        "volumeid": "volumes",
        "domainid": "domains",
        "projectid": "projects",
    },
    job="admin.template.CreateTemplateCmdByAdmin",
    instance="Template",
)
def create_template(call: Call) -> Work:
    """Make a template of a snapshot, or of a volume whose VM does not run; 4.18 ignores the owner."""
    world = call.world
    snapshot, volume, vm = _origin(call)
    owner = call.owner() if modern(world) else call.account
    limits.check(world, owner, "template")
    limits.check(world, owner, "secondarystorage", volume.size)
    source = world.find("templates", volume.template_id) if volume.template_id else None
    template = Template(
        id=world.new_id(),
        number=world.next_number("templates"),
        name=call.required("name"),
        display_text=call.params["displaytext"],
        account_id=owner.id,
        zone_id=volume.zone_id,
        os_type_id=call.params.get("ostypeid") or (source.os_type_id if source else None),
        format="RAW",
        size=None if snapshot is not None else volume.size,
        counted_size=volume.size,
        status="",
        ready=False,
        public=call.boolean("ispublic"),
        featured=call.boolean("isfeatured"),
        extractable=call.boolean("isextractable") and (source is None or source.extractable),
        source_id=source.id if source else None,
        details=dict(vm.details) if vm is not None else {},
        created=world.now(),
    )
    add_template(world, template)
    made = template_event(call, "TEMPLATE.CREATE", "creating", template)
    yield Queued(entity_id=template.id, instance_id=template.id, event=made)
    yield lifecycle.seconds(world, "template")
    if template.removed is not None:
        raise ApiError(530, f"Failed to create template {template.name}: it was deleted meanwhile")
    template.ready, template.status = True, "Download Complete"
    return {"template": template_row(world, template)}


def _origin(call: Call) -> tuple[Any, Any, Any]:
    """Snapshot (or None), volume and VM (or None) of a new template. Raises ApiError (431, 531)."""
    world = call.world
    snapshot = call.entity("snapshotid", "snapshots")
    volume: Any = call.entity("volumeid", "volumes")
    if (snapshot is None) == (volume is None):
        raise invalid("Failed to create private template record, both volume ID and snapshot ID are null")
    if snapshot is not None:
        volume = world.find("volumes", snapshot.volume_id)
    origin = snapshot if snapshot is not None else volume
    if origin.removed is not None:
        raise invalid(f"Failed to create private template record, unable to find volume {origin.id}")
    if not call.may_see(origin):
        raise not_permitted(
            f"{call.account.name} does not have permission to operate with resource {origin.id}"
        )
    vm = world.find("vms", volume.vm_id) if volume.vm_id else None
    if snapshot is None and vm is not None and vm.state in lifecycle.LIVE:
        raise invalid(
            f"Unable to create template while volume: {volume.name} is attached to a VM that is not stopped"
        )
    return snapshot, volume, vm


def add_template(world: World, template: Template, *, table: str = "templates") -> None:
    """Put a template or ISO into its table and count it."""
    world.put(table, template)
    world.usage.add(template.account_id, "template", 1)
    world.usage.add(template.account_id, "secondarystorage", template.counted_size)


def check_url(call: Call) -> str:
    """The address of a template or ISO; loopback is refused (measured) but where the sandbox fetches from it.

    Raises ApiError (431).
    """
    url = call.required("url")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "ftp", "nfs") or not parts.hostname:
        raise ApiError(431, f"Unsupported scheme for url: {url}", 9999)
    try:
        number = ipaddress.ip_address("127.0.0.1" if parts.hostname == "localhost" else parts.hostname)
    except ValueError:
        return url
    if downloads.is_fetched(url, call.world):
        return url
    if number.is_loopback or number.is_link_local or number.is_multicast or number.is_unspecified:
        text = "Illegal host specified in URL." if modern(call.world) else "Illegal host specified in url"
        raise ApiError(431, text, 9999)
    return url


@command(
    "registerTemplate",
    required=("format", "hypervisor", "name", "url"),
    entities={"ostypeid": "os_types", "zoneid": "zones", "domainid": "domains", "projectid": "projects"},
)
def register_template(call: Call) -> dict[str, Any]:
    """Have a template downloaded; the simulator has it at once."""
    world = call.world
    url = check_url(call)
    owner = call.owner()
    limits.check(world, owner, "template")
    template = Template(
        id=world.new_id(),
        number=world.next_number("templates"),
        name=call.required("name"),
        display_text=call.params.get("displaytext", call.params["name"]),
        account_id=owner.id,
        zone_id=zone_of(call, anywhere=True),
        os_type_id=call.params.get("ostypeid"),
        format=call.required("format").upper(),
        hypervisor=call.required("hypervisor"),
        size=SIMULATED_SIZE,
        physical_size=SIMULATED_SIZE,
        counted_size=SIMULATED_SIZE,
        public=call.boolean("ispublic"),
        featured=call.boolean("isfeatured"),
        extractable=call.boolean("isextractable"),
        password_enabled=call.boolean("passwordenabled"),
        requires_hvm=call.boolean("requireshvm", True),
        details={key: value for one in call.map_of("details") for key, value in one.items()},
        url=url,
        checksum=call.get("checksum"),
        created=world.now(),
    )
    add_template(world, template)
    download(call, template)
    call.done("TEMPLATE.CREATE", "creating template", resource=template, resource_type="Template")
    return {"count": 1, "template": [template_row(world, template)]}


def download(call: Call, template: Template) -> None:
    """Let a download take as long as the world's "download" says; on the simulator no time at all.

    What this sandbox fetches takes as long as that takes.
    """
    seconds = call.world.service_times.of("download", 0.0)
    url = template.url or ""
    fetching = downloads.begin(url, template.checksum) if downloads.is_fetched(url, call.world) else None
    if seconds <= 0 and fetching is None:
        return
    template.ready, template.status = False, "0% Downloaded"

    def arrive() -> Work:
        yield seconds
        while fetching is not None and not fetching.done():
            yield FETCHING_SECONDS
        found = fetching.result() if fetching is not None else downloads.Fetched(SIMULATED_SIZE)
        if found.problem:
            template.status = found.problem
        else:
            template.size = template.physical_size = found.size
            template.ready, template.status = True, "Download Complete"
        return None

    call.engine.tasks.spawn(arrive())


def listed(call: Call, records: list[Template], filter: str) -> list[Template]:
    """The templates (or ISOs) that a filter shows to the caller."""
    scope = call.scope()
    kept = []
    for one in records:
        own = scope.admits(one.account_id) if "account" in call.params else one.account_id == call.account.id
        built_in = one.type in ("SYSTEM", "BUILTIN")
        if filter == "all":
            kept.append(one)
        elif filter == "featured":
            kept += [one] if one.featured and one.public else []
        elif filter == "community":
            kept += [one] if one.public and not one.featured and not built_in else []
        elif filter in ("executable", "sharedexecutable"):
            kept += [one] if (own or one.public) and one.ready else []
        elif own or (scope.domain_id is not None and scope.admits(one.account_id)):
            kept.append(one)
    return [
        one
        for one in kept
        if call.params.get("id", one.id) == one.id
        and call.params.get("name", one.name) == one.name
        and call.params.get("zoneid", one.zone_id) == one.zone_id
        and call.params.get("hypervisor", one.hypervisor) == one.hypervisor
        and has_text(call.params.get("keyword"), one.name)
    ]


def owner_wanted(call: Call, one: Template) -> bool:
    """Whether `projectid` lets a template show: what Projects own is hidden without it."""
    owner = call.world.find("accounts", one.account_id)
    assert isinstance(owner, Account)
    asked = call.params.get("projectid")
    if asked is None or asked == "-1":
        return owner.project_id is None or asked == "-1"
    return bool(owner.project_id == asked)


@command(
    "listTemplates",
    required=("templatefilter",),
    entities={"id": "templates", "zoneid": "zones", "domainid": "domains", "projectid": "projects"},
    answer="template",
)
def list_templates(call: Call) -> Listing:
    """The templates of a filter; `all`, for root admins, shows them whatever the domain (measured)."""
    filter = call.required("templatefilter").lower()
    if filter not in FILTERS:
        raise invalid("Please specify a valid template filter: " + ", ".join(FILTERS))
    if filter == "all" and call.account.type != 1:
        raise invalid("Filter all can be specified by root admin only")
    found = [one for one in call.world.templates.values() if owner_wanted(call, one)]
    return Listing(listed(call, found, filter), lambda one: template_row(call.world, one))


@command("updateTemplate", required=("id",), entities={"id": "templates"}, answer="template")
def update_template(call: Call) -> dict[str, Any]:
    """Change a template's names and flags."""
    template: Template = live(call, "id", "templates", "template")
    template.name = call.params.get("name", template.name)
    template.display_text = call.params.get("displaytext", template.display_text)
    template.os_type_id = call.params.get("ostypeid", template.os_type_id)
    template.password_enabled = call.boolean("passwordenabled", template.password_enabled)
    return template_row(call.world, template)


@command("updateTemplatePermissions", required=("id",), entities={"id": "templates"})
def update_template_permissions(call: Call) -> dict[str, Any]:
    """Publish a template, feature it, allow its extraction."""
    template: Template = live(call, "id", "templates", "template")
    template.public = call.boolean("ispublic", template.public)
    template.featured = call.boolean("isfeatured", template.featured)
    template.extractable = call.boolean("isextractable", template.extractable)
    return {"success": True}


@command(
    "deleteTemplate",
    required=("id",),
    entities={"id": "templates", "zoneid": "zones"},
    job="user.template.DeleteTemplateCmd",
    instance="Template",
)
def delete_template(call: Call) -> Work:
    """Delete a template."""
    template: Template = live(call, "id", "templates", "template")
    if template.type in ("SYSTEM", "BUILTIN"):
        raise not_permitted(f"Could not delete template {template.id}: it came with the installation")

    def act() -> None:
        if template.removed is None:
            lifecycle.remove_template(call.world, template)

    made = template_event(call, "TEMPLATE.DELETE", "deleting", template)
    return simple_job(call, made, act, step="delete_template", instance_id=template.id)


@command(
    "extractTemplate",
    required=("id", "mode"),
    entities={"id": "templates", "zoneid": "zones"},
    job="user.template.ExtractTemplateCmd",
    instance="Template",
)
def extract_template(call: Call) -> Work:
    """Make a template downloadable; a root admin may, even where `isextractable` is false (measured)."""
    template: Template = seen(call, "id", "templates")
    if not template.extractable and call.account.type != 1:
        raise not_permitted(f"Unable to extract template {template.id}: it is not extractable")
    made = template_event(call, "TEMPLATE.EXTRACT", "extracting", template)
    yield Queued(instance_id=template.id, event=made)
    yield lifecycle.seconds(call.world, "extract")
    if template.removed is not None:
        raise invalid(f"Unable to find template with id {template.number}")
    return {"template": extracted(call, template, template.account_id)}
