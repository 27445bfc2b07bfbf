"""CloudStack Projects: owners of resources that `listall=true` does not show."""

from __future__ import annotations

from typing import Any

from sync.sandbox import lifecycle, limits
from sync.sandbox.commands.common_machines import event, has_text, live, simple_job
from sync.sandbox.commands.deletion import clean_account, remove_account
from sync.sandbox.commands.views_machines import tag_rows
from sync.sandbox.engine import Call, command
from sync.sandbox.errors import failed, invalid
from sync.sandbox.jobs import JobEvent, Queued, Work
from sync.sandbox.paging import Listing
from sync.sandbox.records import Account, World
from sync.sandbox.records_machines import Project
from sync.sandbox.scope import PROJECT
from sync.sandbox.views import account_row

SHOWN = ("limit", "total", "available")


def project_row(world: World, project: Project) -> dict[str, Any]:
    """A Project as listProjects shows it, with its own limits and counts."""
    account = world.find("accounts", project.account_id)
    domain = world.domain_of(project)
    assert isinstance(account, Account)
    owners = [world.find("accounts", id) for id in project.owner_ids]
    counts = {
        key: value
        for key, value in account_row(world, account).items()
        if (key.endswith(SHOWN) and not key.startswith("project")) or key in ("vmstopped", "vmrunning")
    }
    return {
        "id": project.id,
        "name": project.name,
        "displaytext": project.display_text,
        "domainid": domain.id,
        "domain": domain.name,
        "owner": [{"account": one.name} for one in owners if one is not None],
        "projectaccountname": account.name,
        "state": project.state,
        "tags": tag_rows(world, project),
        **counts,
        "created": world.shown(project.created),
    }


def _account_of(world: World, project: Project) -> Account:
    """A Project's own account. Raises ApiError (431) where the Project is being deleted."""
    account = world.accounts.get(project.account_id)
    if account is None:
        raise invalid(f"Project id={project.number} is being deleted")
    return account


def _event(call: Call, type: str, verb: str, project: Project) -> JobEvent:
    return event(
        call,
        type,
        (f"{verb.capitalize()} project: {project.id}", f"{verb} project: {project.id}"),
        (f"{verb} project. Project Id: {project.id}",) * 2,
        owner_id=project.owner_ids[0] if project.owner_ids else project.account_id,
        resource=project,
        resource_type="Project",
    )


@command(
    "createProject",
    required=("name",),
    entities={"domainid": "domains"},
    job="user.project.CreateProjectCmd",
    instance="None",
)
def create_project(call: Call) -> Work:
    """Make a Project with an account of its own in the owner's domain."""
    world = call.world
    owner = call.owner()
    name = call.required("name")
    domain = world.domain_of(owner)
    if any(
        one.name.casefold() == name.casefold() and one.domain_id == domain.id
        for one in world.projects.values()
    ):
        raise invalid(f"Project with name {name} already exists in domain id={domain.number}")
    limits.check(world, owner, "project")
    project_id = world.new_id()
    account = Account(
        id=world.new_id(),
        number=world.next_number("accounts"),
        name=f"PrjAcct-{name}-{domain.number}",
        domain_id=domain.id,
        role_id=None,
        type=PROJECT,
        project_id=project_id,
        created=world.now(),
    )
    project = Project(
        id=project_id,
        number=world.next_number("projects"),
        name=name,
        display_text=call.params.get("displaytext", name),
        account_id=account.id,
        domain_id=domain.id,
        owner_ids=[owner.id],
        created=world.now(),
    )
    world.put("accounts", account)
    world.put("projects", project)
    world.usage.add(owner.id, "project", 1)
    yield Queued(entity_id=project.id, event=_event(call, "PROJECT.CREATE", "creating", project))
    yield lifecycle.seconds(world, "project")
    return {"project": project_row(world, project)}


@command("listProjects", answer="project", entities={"id": "projects", "domainid": "domains"})
def list_projects(call: Call) -> Listing:
    """The Projects of a domain or, with `listall`, of every domain in sight."""
    world = call.world
    scope = call.scope()
    found = []
    for project in world.projects.values():
        owned = any(scope.admits(id) for id in project.owner_ids)
        wanted = call.params.get("state", project.state).casefold() == project.state.casefold()
        named = call.params.get("name", project.name) == project.name
        chosen = call.params.get("id", project.id) == project.id
        if owned and wanted and named and chosen and has_text(call.params.get("keyword"), project.name):
            found.append(project)
    return Listing(found, lambda one: project_row(world, one))


@command("updateProject", required=("id",), entities={"id": "projects"}, job="user.project.UpdateProjectCmd")
def update_project(call: Call) -> Work:
    """Change a Project's names."""
    project: Project = live(call, "id", "projects", "project")

    def act() -> dict[str, Any]:
        project.name = call.params.get("name", project.name)
        project.display_text = call.params.get("displaytext", project.display_text)
        return {"project": project_row(call.world, project)}

    return simple_job(call, _event(call, "PROJECT.UPDATE", "updating", project), act, step="project")


@command(
    "suspendProject", required=("id",), entities={"id": "projects"}, job="user.project.SuspendProjectCmd"
)
def suspend_project(call: Call) -> Work:
    """Stop everything in a Project; nothing is destroyed, activateProject undoes it."""
    world = call.world
    project: Project = live(call, "id", "projects", "project")
    yield Queued(event=_event(call, "PROJECT.SUSPEND", "suspending", project))
    _account_of(world, project).state = "disabled"
    project.state = "Suspended"
    for vm in sorted(world.owned(project.account_id, "vms"), key=lambda one: one.number):
        yield from lifecycle.stop_steps(world, vm)
    yield lifecycle.seconds(world, "project")
    return {"project": project_row(world, project)}


@command(
    "activateProject", required=("id",), entities={"id": "projects"}, job="user.project.ActivateProjectCmd"
)
def activate_project(call: Call) -> Work:
    """Undo suspendProject; VMs stay stopped."""
    project: Project = live(call, "id", "projects", "project")

    def act() -> dict[str, Any]:
        _account_of(call.world, project).state = "enabled"
        project.state = "Active"
        return {"project": project_row(call.world, project)}

    return simple_job(call, _event(call, "PROJECT.ACTIVATE", "activating", project), act, step="project")


@command("deleteProject", required=("id",), entities={"id": "projects"}, job="user.project.DeleteProjectCmd")
def delete_project(call: Call) -> Work:
    """Delete a Project with all it owns; with `cleanup=false` only an empty one. That both releases know the
    parameter is [source], as is what it does: no recording has it."""
    world = call.world
    project: Project = live(call, "id", "projects", "project")
    yield Queued(event=_event(call, "PROJECT.DELETE", "deleting", project))
    yield lifecycle.seconds(world, "project")
    tables = ("vms", "volumes", "networks", "snapshots", "templates", "isos")
    if not call.boolean("cleanup", True) and any(world.owned(project.account_id, table) for table in tables):
        raise failed(f"Unable to delete project {project.name}: it still has resources")
    account = world.accounts.get(project.account_id)
    if account is not None:
        remove_account(world, account)
        yield from clean_account(world, account)
    return {"success": True}


@command(
    "addAccountToProject",
    required=("projectid",),
    entities={"projectid": "projects"},
    job="user.account.AddAccountToProjectCmd",
)
def add_account_to_project(call: Call) -> Work:
    """Let an account of the Project's domain work in it."""
    project, account = _member(call)

    def act() -> None:
        if account.id not in project.owner_ids + project.member_ids:
            project.member_ids.append(account.id)

    return simple_job(call, None, act, step="project")


@command(
    "deleteAccountFromProject",
    required=("projectid", "account"),
    entities={"projectid": "projects"},
    job="user.account.DeleteAccountFromProjectCmd",
)
def delete_account_from_project(call: Call) -> Work:
    """Take an account out of a Project."""
    project, account = _member(call)
    if account.id not in project.member_ids:
        raise invalid(f"Account {account.name} is not assigned to the project {project.name}")

    def act() -> None:
        project.member_ids.remove(account.id)

    return simple_job(call, None, act, step="project")


def _member(call: Call) -> tuple[Project, Account]:
    project: Project = live(call, "projectid", "projects", "project")
    account = call.world.account_named(call.required("account"), project.domain_id)
    if account is None:
        raise invalid(
            f"Unable to find account name={call.params['account']} in domain id={project.domain_id}"
        )
    return project, account


@command(
    "listProjectAccounts",
    required=("projectid",),
    entities={"projectid": "projects"},
    answer="projectaccount",
)
def list_project_accounts(call: Call) -> Listing:
    """Who may work in a Project."""
    world = call.world
    project: Project = live(call, "projectid", "projects", "project")
    pairs = [(id, "Admin") for id in project.owner_ids] + [(id, "Regular") for id in project.member_ids]

    def show(pair: tuple[str, str]) -> dict[str, Any]:
        account = world.accounts[pair[0]]
        domain = world.domain_of(account)
        return {
            "projectid": project.id,
            "project": project.name,
            "account": account.name,
            "accountid": account.id,
            "accounttype": account.type,
            "role": pair[1],
            "domainid": domain.id,
            "domain": domain.name,
        }

    return Listing(pairs, show)
