"""Accounts: createAccount, updateAccount, listAccounts, disableAccount, enableAccount, lockAccount."""

from __future__ import annotations

from typing import Any

from sync.sandbox.commands.identity import check_network_domain, live_domain
from sync.sandbox.commands.users import add_user, user_named
from sync.sandbox.engine import Call, command
from sync.sandbox.errors import ApiError, failed, invalid, not_permitted
from sync.sandbox.jobs import JobEvent, Queued, Work
from sync.sandbox.lifecycle import LIVE, stop_steps
from sync.sandbox.paging import Listing
from sync.sandbox.permissions import ACCOUNT_TYPES
from sync.sandbox.records import Account, Domain, Role
from sync.sandbox.releases import lock_account_text, user_taken
from sync.sandbox.scope import PROJECT
from sync.sandbox.views import account_row

SYSTEM = "system"


@command(
    "createAccount",
    required=("email", "firstname", "lastname", "password", "username"),
    entities={"domainid": "domains", "roleid": "roles"},
    integers=("accounttype",),
    answer="account",
    service="hash_account",
    texts={
        "account": "accountName",
        "email": "email",
        "firstname": "firstName",
        "lastname": "lastName",
        "password": "password",
        "username": "userName",
        "networkdomain": "networkDomain",
    },
)
def create_account(call: Call) -> dict[str, Any]:
    """Make an account with its first user; user names are unique per domain."""
    world = call.world
    role, type = _role(call)
    domain = live_domain(call, "domainid") or world.domain_of(call.account)
    _check_domain(domain, type)
    username = call.required("username")
    name = call.get("account") or username
    if not username:
        raise invalid("Username is empty")
    if world.account_named(name, domain.id) is not None:
        raise invalid(f"The specified account: {name} already exists")
    check_network_domain(call.get("networkdomain"))
    if user_named(world, domain.id, username) is not None:
        raise invalid(user_taken(world, username, domain))
    for parameter, table in (("accountid", "accounts"), ("userid", "users")):
        if parameter in call.params and world.find(table, call.params[parameter]) is not None:
            raise failed(f"Entity with {parameter} {call.params[parameter]} already exists")
    account = Account(
        id=call.get("accountid") or world.new_id(),
        number=world.next_number("accounts"),
        name=name,
        domain_id=domain.id,
        role_id=role.id,
        type=type,
        network_domain=call.get("networkdomain") or None,
        created=call.now,
    )
    world.put("accounts", account)
    add_user(call, account)
    call.done("ACCOUNT.CREATE", "creating Account", resource=account, resource_type="Account")
    return account_row(world, account)


def _role(call: Call) -> tuple[Role, int]:
    """The role asked for, by `roleid` or by `accounttype`, and the account type that goes with it."""
    role = call.entity("roleid", "roles")
    if role is None:
        type = call.integer("accounttype")
        if type is None:
            raise ApiError(431, "Both account type and role ID are not provided", 9999)
        names = {number: name for name, number in ACCOUNT_TYPES.items()}
        known = (one for one in call.world.roles.values() if one.is_default and one.type == names.get(type))
        role = next(known, None)
    if role is None or role.removed is not None:
        raise invalid("Could not find a role for the given account type or role ID")
    assert isinstance(role, Role)
    type = ACCOUNT_TYPES[role.type]
    if type == ACCOUNT_TYPES["Admin"] and call.account.type != type:
        raise not_permitted("Only a root admin may create an account with a role of type Admin")
    return role, type


def _check_domain(domain: Domain, type: int) -> None:
    if domain.state != "Active":
        raise failed(f"The account cannot be created as domain {domain.name} is being deleted")
    if type == ACCOUNT_TYPES["Admin"] and domain.parent_id is not None:
        raise invalid(
            f"Invalid account type {type} given for an account in domain {domain.name}; unable to create "
            "user of admin role type in non-ROOT domain."
        )


@command(
    "updateAccount",
    entities={"id": "accounts", "domainid": "domains", "roleid": "roles"},
    answer="account",
)
def update_account(call: Call) -> dict[str, Any]:
    """Rename an account, change its network domain, role or API key access."""
    account = chosen_account(call)
    world = call.world
    name = call.get("newname")
    if name and name != account.name:
        other = world.account_named(name, account.domain_id)
        if other is not None and other.id != account.id:
            raise invalid(
                f"Unable to update account {account.name}: an account named {name} exists in the domain"
            )
        account.name = name
    if "networkdomain" in call.params:
        check_network_domain(call.get("networkdomain"))
        account.network_domain = call.get("networkdomain") or None
    role = call.entity("roleid", "roles")
    if role is not None:
        account.role_id, account.type = role.id, ACCOUNT_TYPES[role.type]
    if "apikeyaccess" in call.params and call.account.type == ACCOUNT_TYPES["Admin"]:
        account.api_key_access = api_key_access(call.params["apikeyaccess"])
    call.done("ACCOUNT.UPDATE", "updating Account", resource=account, resource_type="Account")
    return account_row(world, account)


def api_key_access(value: str) -> str:
    """The value of `apikeyaccess`, checked. Raises ApiError (431)."""
    if value.lower() not in ("enabled", "disabled", "inherit"):
        raise invalid(f"ApiKeyAccess value can only be Enabled/Disabled/Inherit, not {value}")
    return value.upper()


def chosen_account(call: Call) -> Account:
    """The live account by `id`, or by `account` and `domainid`. Raises ApiError (431, 531)."""
    found = call.entity("id", "accounts")
    if found is None:
        domain = call.entity("domainid", "domains") or call.world.domain_of(call.account)
        name = call.get("account")
        if name is None:
            raise invalid("Unable to find account: neither id nor account was given")
        found = call.world.account_named(name, domain.id)
        if found is None:
            raise invalid(f"Unable to find active account by name {name} in domain {domain.number}")
    assert isinstance(found, Account)
    if found.removed is not None or found.type == PROJECT:
        raise invalid(f"Unable to find active account with ID: {found.number}")
    if not call.may_see(found):
        raise not_permitted(f"Account {call.account.name} may not operate on account {found.name}")
    return found


@command(
    "listAccounts",
    entities={"id": "accounts", "domainid": "domains", "roleid": "roles"},
    integers=("accounttype",),
    answer="account",
)
def list_accounts(call: Call) -> Listing:
    """The accounts that the caller sees; without `listall` or a domain only its own."""
    live_domain(call, "domainid")
    world = call.world
    if "id" in call.params:
        chosen = call.entity("id", "accounts")
        found = [chosen] if chosen is not None and chosen.removed is None and call.may_see(chosen) else []
    else:
        scope = call.scope()
        found = [one for one in world.accounts.values() if scope.admits(one.id)]
    shown = [one for one in found if one.type != PROJECT and one.name != SYSTEM and _matches(call, one)]
    root = call.account.type == ACCOUNT_TYPES["Admin"]
    return Listing(sorted(shown, key=lambda one: one.number), lambda one: account_row(world, one, full=root))


def _matches(call: Call, account: Account) -> bool:
    name, keyword = call.get("name"), call.get("keyword")
    state, type, role = call.get("state"), call.integer("accounttype"), call.get("roleid")
    return (
        (name is None or name.casefold() == account.name.casefold())
        and (keyword is None or keyword.casefold() in account.name.casefold())
        and (state is None or state.lower() == account.state)
        and (type is None or type == account.type)
        and (role is None or role == account.role_id)
        and (
            "iscleanuprequired" not in call.params
            or call.boolean("iscleanuprequired") == account.needs_cleanup
        )
    )


@command(
    "disableAccount",
    required=("lock",),
    entities={"id": "accounts", "domainid": "domains"},
    job="admin.account.DisableAccountCmd",
    instance="Account",
)
def disable_account(call: Call) -> Work:
    """Lock the users out and stop the VMs, or with `lock=true` only lock the users out."""
    account = chosen_account(call)
    if account.is_default:
        raise not_permitted("Account is one of the built-in ones and cannot be disabled")
    lock = call.boolean("lock")
    event = JobEvent(
        type="ACCOUNT.DISABLE",
        scheduled=f"disabling account: {account.id}",
        working=f"{'locking' if lock else 'disabling'} account",
        owner_id=account.id,
        resource=account,
        resource_type="Account",
    )
    by_id = "id" in call.params
    yield Queued(instance_id=account.id if by_id else None, with_instance=by_id, event=event)
    account.state = "locked" if lock else "disabled"
    if not lock:
        for vm in list(call.world.owned(account.id, "vms")):
            if vm.state in LIVE:
                yield from stop_steps(call.world, vm)
    return {"account": account_row(call.world, account)}


@command("enableAccount", entities={"id": "accounts", "domainid": "domains"}, answer="account")
def enable_account(call: Call) -> dict[str, Any]:
    """Let an account's users in again; its VMs stay stopped."""
    account = chosen_account(call)
    account.state = "enabled"
    call.done("ACCOUNT.ENABLE", "enabling account", resource=account, resource_type="Account")
    return account_row(call.world, account)


@command("lockAccount", required=("account", "domainid"), entities={"domainid": "domains"})
def lock_account(call: Call) -> dict[str, Any]:
    """Always refused: CloudStack has it disabled."""
    raise failed(lock_account_text(call.release))
