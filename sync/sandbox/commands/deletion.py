"""deleteDomain and deleteAccount, their clean-up step by step, and the background tasks that finish it.

Order, measured on both releases: the domain turns Inactive and its accounts go at once, then volume
snapshots, templates, VMs one after another, volumes, networks; the domain's row goes last.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from sync.sandbox import lifecycle
from sync.sandbox.commands.common_machines import event, seen
from sync.sandbox.commands.views_machines import modern
from sync.sandbox.engine import Call, background, command
from sync.sandbox.errors import ApiError, failed, invalid
from sync.sandbox.jobs import JobEvent, Lock, Queued, Unlock, Work
from sync.sandbox.records import Account, Domain, World
from sync.sandbox.records_machines import VirtualMachine
from sync.sandbox.releases import domain_in_error
from sync.sandbox.scope import PROJECT

GIVE_UP = 30.0
"""Virtual seconds that deleteDomain waits for its lock."""


def lock_name(world: World) -> str:
    """The lock that deletions of domains take; 4.18's is also that of the background clean-up."""
    return "DomainCleanup" if modern(world) else "AccountCleanup"


# --- deleteDomain --------------------------------------------------------------------------------------


@command(
    "deleteDomain",
    required=("id",),
    entities={"id": "domains"},
    job="admin.domain.DeleteDomainCmd",
    instance="Domain",
)
def delete_domain(call: Call) -> Work:
    """Delete an empty domain, or with `cleanup` everything in it; one deletion at a time."""
    world = call.world
    domain = seen(call, "id", "domains")
    cleanup = call.boolean("cleanup")
    yield Queued(event=_domain_event(call, domain), delay=0.0)
    refusal = _refusal(world, domain, cleanup=cleanup)
    if refusal is not None:
        yield lifecycle.seconds(world, "quick")
        raise refusal
    if not (yield Lock(lock_name(world), GIVE_UP)) or domain.removed is not None:
        raise failed("Failed to delete domain")
    deactivate(world, domain)
    if cleanup:
        complete = yield from clean_domain(world, domain)
        if not complete:
            reactivate(domain)
            raise failed(_incomplete(world, domain))
    else:
        yield lifecycle.seconds(world, "quick")
        if list(_contents(world, domain)):
            reactivate(domain)
            raise failed(
                f"Delete failed on domain {domain_in_error(world, domain)}; Please make sure all users and "
                "sub domains have been removed from the domain before deleting"
            )
        remove_domain(world, domain)
    yield Unlock(lock_name(world))
    return {"success": True}


def _domain_event(call: Call, domain: Domain) -> JobEvent:
    owner_id = domain.owner_id
    if domain.removed is not None:
        owner_id = next(one.id for one in call.world.accounts_in(call.world.root_id) if one.name == "system")
    return event(
        call,
        "DOMAIN.DELETE",
        (f"Deleting domain with ID: {domain.id}", f"deleting domain: {domain.number}"),
        (f"deleting Domain. Domain ID: {domain.id}", f"deleting Domain. Domain Id: {domain.number}"),
        owner_id=owner_id,
        resource=domain,
        resource_type="Domain",
    )


def _refusal(world: World, domain: Domain, *, cleanup: bool) -> ApiError | None:
    if domain.parent_id is None:
        return failed("Can't delete ROOT domain")
    if domain.removed is not None:
        return invalid(f"Failed to delete domain {domain.number}, domain not found")
    if cleanup and any(_protected(world, account) for account in _accounts_below(world, domain)):
        return invalid(
            f"Cannot delete Domain '{domain.name}'. One or more Instances have delete protection enabled."
        )
    return None


def _incomplete(world: World, domain: Domain) -> str:
    end = "" if modern(world) else "."
    where = domain_in_error(world, domain)
    return f"Failed to clean up domain resources and sub domains, delete failed on domain {where}{end}"


def _accounts_below(world: World, domain: Domain) -> Iterator[Account]:
    for one in world.subtree(domain.id):
        yield from world.accounts_in(one.id)


def _protected(world: World, account: Account) -> bool:
    return any(vm.delete_protection for vm in world.owned(account.id, "vms"))


def _contents(world: World, domain: Domain) -> Iterator[Any]:
    yield from world.accounts_in(domain.id)
    yield from world.children(domain.id)


def deactivate(world: World, domain: Domain) -> None:
    """Hide a domain from every list, as its deletion does before it deletes anything."""
    if domain.state != "Inactive":
        domain.state, domain.inactive_since = "Inactive", world.now()


def reactivate(domain: Domain) -> None:
    """Bring back a domain whose deletion failed: Active, whatever is left in it."""
    domain.state, domain.inactive_since = "Active", None


def remove_domain(world: World, domain: Domain) -> None:
    """Take a domain's row away; what still belongs to it keeps its name."""
    world.bury("domains", domain.id)
    world.log_destroyed("domain", domain)


def clean_domain(world: World, domain: Domain) -> Work:
    """Delete sub-domains, accounts and Projects, then the domain; answers False (as {}) if a step failed."""
    deactivate(world, domain)
    complete = True
    for child in world.children(domain.id):
        complete = bool((yield from clean_domain(world, child))) and complete
    accounts = sorted(world.accounts_in(domain.id), key=lambda account: account.number)
    for account in accounts:
        if account.removed is None:
            remove_account(world, account)
            yield from clean_account(world, account)
    broken = world.armed.get("cleanup_fails", [])
    if domain.path in broken:
        broken.remove(domain.path)
        for account in accounts:
            account.needs_cleanup = True
        return None
    if not complete:
        return None
    if domain.removed is None:
        remove_domain(world, domain)
    return {"success": True}


# --- accounts ------------------------------------------------------------------------------------------


@command(
    "deleteAccount",
    required=("id",),
    entities={"id": "accounts"},
    job="admin.account.DeleteAccountCmd",
    instance="Account",
)
def delete_account(call: Call) -> Work:
    """Delete an account with all it owns; VMs that were Destroyed recoverably go with it."""
    world = call.world
    account = seen(call, "id", "accounts")
    yield Queued(instance_id=account.id, event=_account_event(call, account))
    refusal = _account_refusal(world, account)
    if refusal is not None:
        yield lifecycle.seconds(world, "quick")
        raise refusal
    if account.removed is None:
        remove_account(world, account)
        yield from clean_account(world, account)
    return {"success": True}


def _account_event(call: Call, account: Account) -> JobEvent:
    return event(
        call,
        "ACCOUNT.DELETE",
        (f"Deleting Account with ID: {account.id}", f"deleting User {account.name} (id: {account.number})"),
        (f"deleting account. Account ID: {account.id}", f"deleting account. Account Id: {account.number}"),
        owner_id=account.id,
        resource=account,
        resource_type="Account",
    )


def _account_refusal(world: World, account: Account) -> ApiError | None:
    if account.is_default:
        return invalid("The account is default and can't be removed")
    managed = [str(one.number) for one in world.projects.values() if account.id in one.owner_ids]
    if managed and account.removed is None:
        return invalid(
            f"The account id={account.number} manages project(s) with ids {', '.join(managed)} and can't be "
            "removed"
        )
    if _protected(world, account):
        return invalid(
            f"Cannot delete Account '{account.name}'. One or more Instances have delete protection enabled."
        )
    return None


def remove_account(world: World, account: Account) -> None:
    """Take an account and its users away at once; what it owns is still there."""
    for user in world.users_of(account.id):
        world.bury("users", user.id)
        world.log_destroyed("user", user, name=user.username)
    world.bury("accounts", account.id)
    if account.type != PROJECT:
        world.log_destroyed("account", account)
    elif account.project_id in world.projects:
        world.projects[account.project_id].state = "Disabled"


def clean_account(world: World, account: Account) -> Work:
    """Destroy all that a removed account owned: backups first, then VMs one by one, then the rest."""
    yield lifecycle.seconds(world, "clean_account")
    for snapshot in list(world.owned(account.id, "snapshots")):
        yield lifecycle.seconds(world, "delete_snapshot")
        if snapshot.removed is None:
            lifecycle.remove_snapshot(world, snapshot)
    for table in ("templates", "isos"):
        for template in list(world.owned(account.id, table)):
            yield lifecycle.seconds(world, "delete_template")
            if template.removed is None:
                lifecycle.remove_template(world, template, table=table)
    for vm in sorted(world.owned(account.id, "vms"), key=lambda one: one.number):
        yield from _clean_machine(world, vm)
    for volume in list(world.owned(account.id, "volumes")):
        yield lifecycle.seconds(world, "volume")
        if volume.removed is None:
            lifecycle.remove_volume(world, volume)
    for network in list(world.owned(account.id, "networks")):
        yield lifecycle.seconds(world, "delete_network")
        if network.removed is None:
            lifecycle.remove_network(world, network)
    _drop_the_rest(world, account)
    return {"success": True}


def _clean_machine(world: World, vm: VirtualMachine) -> Work:
    if vm.removed is not None:
        return None
    if vm.state not in ("Destroyed", "Expunging"):
        yield from lifecycle.destroy_steps(world, vm)
    if vm.removed is None:
        yield from lifecycle.expunge_steps(world, vm)
    yield lifecycle.seconds(world, "clean_vm")
    return None


def _drop_the_rest(world: World, account: Account) -> None:
    for address in list(world.owned(account.id, "addresses")):
        lifecycle.release_address(world, address)
    for table, kind in (("vm_snapshots", "vm_snapshot"), ("ssh_keys", "ssh_key"), ("tags", None)):
        for one in list(world.owned(account.id, table)):
            world.bury(table, one.id)
            if kind is not None:
                world.log_destroyed(kind, one)
    for project in list(world.projects.values()):
        if project.account_id == account.id:
            world.bury("projects", project.id)
            world.log_destroyed("project", project)
            for owner_id in project.owner_ids:
                world.usage.add(owner_id, "project", -1)
        else:
            project.owner_ids = [id for id in project.owner_ids if id != account.id]
            project.member_ids = [id for id in project.member_ids if id != account.id]
    account.needs_cleanup = False
    world.usage.forget(account.id)


# --- background ----------------------------------------------------------------------------------------


@background("account.cleanup.interval")
def clean_up_accounts(world: World) -> Work:
    """Resume failed clean-ups, and take away domains that stayed Inactive, whatever still runs in them.

    4.18 does this under the deletions' own lock; 4.23 does not, so a domain's row can go under its deletion
    (measured). A domain is left alone in its first interval: the phase of the rounds then does not matter.
    """
    if not modern(world) and not (yield Lock(lock_name(world), GIVE_UP)):
        return None
    flagged = [one for one in world.graveyard["accounts"].values() if one.needs_cleanup]
    for account in flagged:
        yield from clean_account(world, account)
    age = timedelta(seconds=float(world.setting("account.cleanup.interval")))
    for domain in list(world.domains.values()):
        since = domain.inactive_since
        if domain.state == "Inactive" and since is not None and world.now() - since >= age:
            remove_domain(world, domain)
    if not modern(world):
        yield Unlock(lock_name(world))
    return None


@background("expunge.interval")
def expunge_destroyed(world: World) -> Work:
    """Expunge the VMs that have been Destroyed (or in Error) for longer than `expunge.delay`."""
    delay = timedelta(seconds=float(world.setting("expunge.delay")))
    due = [
        vm
        for vm in world.vms.values()
        if vm.state in ("Destroyed", "Expunging", "Error") and world.now() - vm.updated >= delay
    ]
    for vm in due:
        if vm.removed is None and vm.state in ("Destroyed", "Expunging", "Error"):
            yield from lifecycle.expunge_steps(world, vm)
    return None


@background("storage.cleanup.interval")
def expunge_volumes(world: World) -> Work:
    """Expunge the volumes that were destroyed."""
    for volume in [one for one in world.volumes.values() if one.state == "Destroy"]:
        yield lifecycle.seconds(world, "quick")
        if volume.removed is None and volume.state == "Destroy":
            lifecycle.remove_volume(world, volume)
    return None
