"""Users and their API keys."""

from __future__ import annotations

from typing import Any

from sync.sandbox.engine import Call, command
from sync.sandbox.errors import failed, invalid, not_permitted
from sync.sandbox.jobs import JobEvent, Queued, Work
from sync.sandbox.paging import Listing
from sync.sandbox.passwords import hashed
from sync.sandbox.permissions import ACCOUNT_TYPES
from sync.sandbox.records import Account, User, World
from sync.sandbox.releases import NEW, OLD
from sync.sandbox.views import key_row, user_row

SYSTEM = "system"
NAMES = ("email", "firstname", "lastname", "password", "timezone", "username")
"""Texts of a user that the API limits in length."""


def user_named(world: World, domain_id: str, username: str) -> User | None:
    """The live user of a name in a domain, whatever the case."""
    wanted = username.casefold()
    for account in world.accounts_in(domain_id):
        for user in world.users_of(account.id):
            if user.username.casefold() == wanted:
                return user
    return None


def add_user(call: Call, account: Account) -> User:
    """Make a user of an account from the call's parameters; the name was checked."""
    world = call.world
    user = User(
        id=call.get("userid") or world.new_id(),
        number=world.next_number("users"),
        account_id=account.id,
        username=call.required("username"),
        firstname=call.required("firstname"),
        lastname=call.required("lastname"),
        email=call.required("email"),
        password=hashed(call.required("password")),
        timezone=call.get("timezone"),
        created=call.now,
    )
    world.put("users", user)
    return user


@command(
    "createUser",
    required=("account", "email", "firstname", "lastname", "password", "username"),
    entities={"domainid": "domains"},
    answer="user",
    service="hash_user",
    texts={"account": "accountName"} | {name: name for name in NAMES},
)
def create_user(call: Call) -> dict[str, Any]:
    """Add a user to an account."""
    world = call.world
    domain = call.entity("domainid", "domains") or world.domain_of(call.account)
    name = call.required("account")
    account = world.account_named(name, domain.id) if domain.removed is None else None
    if account is None:
        raise invalid(f"Unable to find account {name} in domain id={domain.number} to create user")
    if domain.state != "Active":
        raise failed(f"The user cannot be created as domain {domain.name} is being deleted")
    if not call.may_see(account):
        raise not_permitted(f"Account {call.account.name} may not operate on account {name}")
    username = call.required("username")
    if user_named(world, domain.id, username) is not None:
        raise failed(f"The user {username} already exists in domain {domain.number}")
    if "userid" in call.params and world.find("users", call.params["userid"]) is not None:
        raise failed(f"Entity with userid {call.params['userid']} already exists")
    user = add_user(call, account)
    call.done("USER.CREATE", "creating User", resource=user, resource_type="User")
    return user_row(world, user)


def chosen_user(call: Call, parameter: str = "id") -> User:
    """The live user a parameter names. Raises ApiError (431, 531)."""
    user = call.entity(parameter, "users")
    assert isinstance(user, User)
    if user.removed is not None or user.username == SYSTEM:
        raise invalid(f"Unable to find user by id {user.number}")
    if not call.may_see(user):
        raise not_permitted(f"Account {call.account.name} may not operate on user {user.username}")
    return user


@command(
    "updateUser",
    required=("id",),
    entities={"id": "users"},
    answer="user",
    texts={name: name for name in NAMES},
)
def update_user(call: Call) -> dict[str, Any]:
    """Change a user's names, email, password, timezone or API key access."""
    world = call.world
    user = chosen_user(call)
    username = call.get("username")
    if username and username.casefold() != user.username.casefold():
        domain = world.domain_of(user)
        if user_named(world, domain.id, username) is not None:
            raise invalid(f"The username {username} already exists in domain {domain.number}")
    for field in ("firstname", "lastname", "email", "username"):
        if field in call.params:
            if not call.params[field]:
                raise invalid(f"{field.capitalize()} can't be empty")
            setattr(user, field, call.params[field])
    if "timezone" in call.params:
        user.timezone = call.params["timezone"]
    if "password" in call.params:
        user.password = hashed(call.params["password"])
    access = call.get("apikeyaccess")
    if access is not None and call.release == NEW:
        if access.lower() not in ("enabled", "disabled", "inherit"):
            raise invalid(f"ApiKeyAccess value can only be Enabled/Disabled/Inherit, not {access}")
        user.api_key_access = access.upper()
    call.done("USER.UPDATE", "updating User", resource=user, resource_type="User")
    return user_row(world, user)


@command(
    "disableUser",
    required=("id",),
    entities={"id": "users"},
    job="admin.user.DisableUserCmd",
)
def disable_user(call: Call) -> Work:
    """Lock a user out, in a job; oneself too."""
    user = chosen_user(call)
    account = call.world.account_of(user)
    event = JobEvent(
        type="USER.DISABLE",
        scheduled=f"disabling user: {user.id}",
        working="disabling User",
        owner_id=account.id,
        resource=user,
        resource_type="User",
    )
    yield Queued(event=event)
    user.state = "disabled"
    return {"user": user_row(call.world, user)}


@command("enableUser", required=("id",), entities={"id": "users"}, answer="user")
def enable_user(call: Call) -> dict[str, Any]:
    """Let a user in again, and enable its account."""
    user = chosen_user(call)
    user.state = "enabled"
    call.world.account_of(user).state = "enabled"
    call.done("USER.ENABLE", "enabling User", resource=user, resource_type="User")
    return user_row(call.world, user)


@command("lockUser", required=("id",), entities={"id": "users"}, answer="user")
def lock_user(call: Call) -> dict[str, Any]:
    """Lock a user out at once: every further call of it answers 401."""
    user = chosen_user(call)
    if user.state == "disabled":
        raise failed(f"Unable to lock user {user.id}: it is disabled")
    user.state = "locked"
    call.done("USER.LOCK", "locking User", resource=user, resource_type="User")
    return user_row(call.world, user)


@command("deleteUser", required=("id",), entities={"id": "users"})
def delete_user(call: Call) -> dict[str, Any]:
    """Remove a user; an account's default user stays."""
    user = chosen_user(call)
    if user.is_default:
        raise invalid(f"The user is default and can't be removed: {user.number}")
    call.world.bury("users", user.id)
    call.done("USER.DELETE", "deleting User", resource=user, resource_type="User")
    return {"success": True}


@command(
    "listUsers",
    entities={"id": "users", "domainid": "domains"},
    integers=("accounttype",),
    answer="user",
)
def list_users(call: Call) -> Listing:
    """The users that the caller sees; without `listall` or a domain only those of its account."""
    world = call.world
    if "id" in call.params:
        chosen = call.entity("id", "users")
        found = [chosen] if chosen is not None and chosen.removed is None and call.may_see(chosen) else []
    else:
        found = call.scope().select(world.users.values())
    shown = [user for user in found if user.username != SYSTEM and _matches(call, user)]
    return Listing(
        sorted(shown, key=lambda one: one.number), lambda one: user_row(world, one, caller=call.account)
    )


def _matches(call: Call, user: User) -> bool:
    username, keyword, state = call.get("username"), call.get("keyword"), call.get("state")
    type = call.integer("accounttype")
    texts = (user.username, user.firstname, user.lastname, user.email)
    return (
        (username is None or username.casefold() == user.username.casefold())
        and (keyword is None or any(keyword.casefold() in text.casefold() for text in texts))
        and (state is None or state.lower() == user.state)
        and (type is None or type == call.world.account_of(user).type)
    )


@command("getUser", required=("userapikey",), answer="user")
def get_user(call: Call) -> dict[str, Any]:
    """The user an API key belongs to."""
    user = call.world.user_with_key(call.required("userapikey"))
    if user is None:
        raise invalid("User not found: no user has this API key")
    return user_row(call.world, user)


@command("getUserKeys", required=("id",), entities={"id": "users"}, answer="userkeys")
def get_user_keys(call: Call) -> dict[str, Any]:
    """A user's keys, the secret in clear."""
    user = chosen_user(call)
    keys: dict[str, Any] = {}
    if user.api_key:
        keys = {"apikey": user.api_key, "secretkey": user.secret_key}
    return keys | {"apikeyaccess": _keys_work(call.world, user)} if call.release == NEW else keys


def _keys_work(world: World, user: User) -> bool:
    for access in (user.api_key_access, world.account_of(user).api_key_access):
        if access != "INHERIT":
            return access == "ENABLED"
    return True


@command(
    "listUserKeys",
    entities={"userid": "users", "domainid": "domains"},
    answer="userapikey",
    releases=(NEW,),
)
def list_user_keys(call: Call) -> Listing:
    """Key pairs with their secrets: one user's, or those in sight."""
    if "userid" in call.params:
        found = [chosen_user(call, "userid")]
    else:
        found = call.scope().select(call.world.users.values())
    with_keys = [user for user in found if user.api_key]
    return Listing(with_keys, lambda one: key_row(call.world, one))


def _new_keys(call: Call, user: User) -> dict[str, Any]:
    world = call.world
    world.set_keys(user, world.new_secret(), world.new_secret())
    return key_row(world, user)


def _check_keys_may_change(call: Call, user: User) -> None:
    own = user.account_id == call.account.id
    if call.account.type == ACCOUNT_TYPES["User"] and not own:
        raise not_permitted(f"Account {call.account.name} may not make keys for user {user.username}")


@command("registerUserKeys", required=("id",), entities={"id": "users"}, answer="userkeys", releases=(OLD,))
def register_user_keys_at_once(call: Call) -> dict[str, Any]:
    """Make new keys for a user; 4.18 answers with them."""
    user = chosen_user(call)
    _check_keys_may_change(call, user)
    made = _new_keys(call, user)
    call.done("REGISTER.USER.KEY", "register for the developer API keys", resource=user, resource_type="User")
    return made


@command(
    "registerUserKeys",
    required=("id",),
    entities={"id": "users"},
    job="admin.user.RegisterUserKeysCmd",
    instance="User",
    releases=(NEW,),
    service="keys",
)
def register_user_keys(call: Call) -> Work:
    """Make new keys for a user; 4.23 does so in a job."""
    user = chosen_user(call)
    _check_keys_may_change(call, user)
    event = JobEvent(
        type="REGISTER.USER.KEY",
        scheduled=f"Registering API keys for user: {user.id}",
        working="register for the developer API keys",
        owner_id=user.account_id,
        resource=user,
        resource_type="User",
    )
    yield Queued(instance_id=user.id, event=event)
    return {"userkeys": _new_keys(call, user)}
