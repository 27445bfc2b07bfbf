"""How domains, accounts, users, keys and jobs look in answers, for both releases."""

from __future__ import annotations

from typing import Any

from sync.sandbox import limits
from sync.sandbox.permissions import ACCOUNT_TYPES, role_of
from sync.sandbox.records import Account, Domain, Job, Role, User, World
from sync.sandbox.releases import IN_GIB, NEW, OLD, Resource, resources

GIB = 1 << 30
ACCOUNT_TYPE_NAMES = {0: "NORMAL", 1: "ADMIN", 2: "DOMAIN_ADMIN", 4: "RESOURCE_DOMAIN_ADMIN", 5: "PROJECT"}
FROM_ACCOUNTS = ("bucket", "objectstorage")
RUNNING = ("Running", "Starting", "Stopping")


def domain_row(world: World, domain: Domain, *, created: bool = True) -> dict[str, Any]:
    """A domain as createDomain (without `created`), updateDomain and listDomainChildren show it."""
    row: dict[str, Any] = {"id": domain.id, "name": domain.name, "level": domain.level}
    if domain.parent_id is not None:
        parent = world.find("domains", domain.parent_id)
        assert parent is not None
        row |= {"parentdomainid": parent.id, "parentdomainname": parent.name}
    row["haschild"] = any(child.state == "Active" for child in world.children(domain.id))
    if domain.network_domain:
        row["networkdomain"] = domain.network_domain
    row["path"] = domain.path
    if created and domain.created is not None:
        row["created"] = world.shown(domain.created)
    return row | {"secondarystoragetotal": 0.0}


def listed_domain(world: World, domain: Domain, *, details: bool) -> dict[str, Any]:
    """A domain as listDomains shows it, with its limits and counts where details are asked for."""
    row = domain_row(world, domain) | {"state": domain.state, "hasannotations": False}
    if details:
        own = world.limits.get(domain.id, {})
        for one in resources(world.release):
            limit = own.get(one.key, -1) if domain.parent_id is not None else -1
            if limit < 0 and one.key in FROM_ACCOUNTS:
                limit = _limit_of_account_numbered(world, domain.number, one)
            bare = world.release == OLD and domain.parent_id is not None and one.key in IN_GIB
            row |= _counted(world, domain.id, one, limit, worded=not bare)
        if world.release == NEW and domain.parent_id is not None and "backupstorage" not in own:
            # Recorded: of all limits that come from the configuration, only this one reaches "available".
            backups = limits.BY_KEY["backupstorage"]
            left = backups.domain_default - world.usage.of(domain.id, backups.key) // GIB
            row["backupstorageavailable"] = str(left)
    return row


def _limit_of_account_numbered(world: World, number: int, resource: Resource) -> int:
    """Recorded in identity and deletion, 4.23: a join on the wrong id shows an account's limit here."""
    account = world.account_numbered(number)
    return -1 if account is None else limits.account_limit(world, account, resource)


def account_row(world: World, account: Account, *, full: bool = True) -> dict[str, Any]:
    """An account with its limits, counts and users; `full` as root admins see it."""
    domain = world.domain_of(account)
    row: dict[str, Any] = {"id": account.id, "name": account.name, "accounttype": account.type}
    role = role_of(world, account)
    if role is not None:
        row |= {"roleid": role.id, "roletype": role.type, "rolename": role.name}
    row |= {"domainid": domain.id, "domain": domain.name, "domainpath": domain.path}
    if any(network.vlan is not None for network in world.owned(account.id, "networks")):
        row |= {"receivedbytes": 0, "sentbytes": 0}
    for one in resources(world.release):
        row |= _counted(world, account.id, one, limits.account_limit(world, account, one))
    states = [vm.state for vm in world.owned(account.id, "vms")]
    row["vmstopped"] = sum(state == "Stopped" for state in states)
    row["vmrunning"] = sum(state in RUNNING for state in states)
    row |= {"state": account.state, "created": world.shown(account.created)}
    if account.network_domain:
        row["networkdomain"] = account.network_domain
    row["user"] = [user_row(world, user) for user in world.users_of(account.id)]
    row |= {"isdefault": account.is_default, "groups": []}
    if world.release == NEW and full:
        row["apikeyaccess"] = account.api_key_access.upper()
    if account.id in world.pending:
        row |= {"jobid": world.pending[account.id], "jobstatus": 0}
    return row


def user_row(world: World, user: User, *, caller: Account | None = None) -> dict[str, Any]:
    """A user; with a caller as listUsers shows it to that account."""
    account = world.account_of(user)
    domain = world.domain_of(account)
    row: dict[str, Any] = {
        "id": user.id,
        "username": user.username,
        "firstname": user.firstname,
        "lastname": user.lastname,
        "email": user.email,
        "created": world.shown(user.created),
        "state": user.state,
        "account": account.name,
        "accounttype": account.type,
        "usersource": user.source,
    }
    if user.timezone:
        row["timezone"] = user.timezone
    role = role_of(world, account)
    if role is not None:
        row |= {"roleid": role.id, "roletype": role.type, "rolename": role.name}
    row |= {"domainid": domain.id, "domain": domain.name}
    if user.api_key:
        row["apikey"] = user.api_key
    below = (
        caller is not None and caller.domain_id != domain.id and world.is_within(domain.id, caller.domain_id)
    )
    row |= {"accountid": account.id, "iscallerchilddomain": below, "isdefault": user.is_default}
    if world.release == NEW:
        row |= {"is2faenabled": False, "is2famandated": False}
        if caller is not None and caller.type == ACCOUNT_TYPES["Admin"]:
            row["apikeyaccess"] = user.api_key_access.upper()
    return row


def key_row(world: World, user: User) -> dict[str, Any]:
    """A key pair with its secret, as registerUserKeys and listUserKeys show it."""
    keys: dict[str, Any] = {"apikey": user.api_key, "secretkey": user.secret_key}
    if world.release == OLD:
        return keys
    account = world.account_of(user)
    domain = world.domain_of(account)
    role = role_of(world, account)
    assert role is not None and user.key_created is not None
    return (
        {"name": f"{user.number} - API key pair"}
        | keys
        | {
            "userid": user.id,
            "username": user.username,
            "id": user.key_pair_id,
            "created": world.shown(user.key_created),
            "accounttype": ACCOUNT_TYPE_NAMES[account.type],
            "accountid": account.id,
            "accountname": account.name,
            "roleid": role.id,
            "roletype": role.type,
            "rolename": role.name,
            "domainid": domain.id,
            "domain": domain.name,
            "domainpath": domain.path,
            "state": "ENABLED",
        }
    )


def role_row(world: World, role: Role, *, listed: bool = True) -> dict[str, Any]:
    """A role; `isdefault` only in lists."""
    row: dict[str, Any] = {"type": role.type, "id": role.id, "name": role.name}
    if listed:
        row["isdefault"] = role.is_default
    if role.description is not None:
        row["description"] = role.description
    if world.release == NEW:
        row |= {"state": role.state, "ispublic": role.is_public}
    return row


def job_row(world: World, job: Job) -> dict[str, Any]:
    """A job as queryAsyncJobResult and listAsyncJobs show it."""
    row: dict[str, Any] = {"accountid": job.account_id, "userid": job.user_id, "cmd": job.java_class}
    if world.release == NEW:
        account = world.find("accounts", job.account_id)
        assert account is not None
        domain = world.domain_of(account)
        row |= {"account": account.name, "domainid": domain.id, "domainpath": domain.path}
        if job.status == 0:
            row |= {"managementserverid": world.server_id, "managementservername": "localhost"}
    row |= {"jobstatus": job.status, "jobprocstatus": 0, "jobresultcode": job.result_code, "jobid": job.id}
    if job.result is not None:
        row |= {"jobresulttype": "object", "jobresult": job.result}
    if job.instance_type is not None:
        row["jobinstancetype"] = job.instance_type
    if job.instance_id is not None:
        row["jobinstanceid"] = job.instance_id
    row["created"] = world.shown(job.created)
    if job.completed is not None:
        row["completed"] = world.shown(job.completed)
    return row


def _counted(
    world: World, owner_id: str, resource: Resource, limit: int, *, worded: bool = True
) -> dict[str, Any]:
    """Limit, count and rest of a resource; not `worded`: no limit is a bare -1."""
    used: int | float = world.usage.of(owner_id, resource.key)
    as_float = resource.key == "secondarystorage"
    if resource.key in IN_GIB:
        used = used / GIB if as_float else int(used) // GIB
    left = limit - used
    unlimited = limit < 0 and worded
    return {
        f"{resource.key}limit": "Unlimited" if unlimited else str(limit),
        f"{resource.key}total": used,
        f"{resource.key}available": "Unlimited" if unlimited else str(float(left) if as_float else int(left)),
    }
