"""How each kind of action is read, compared, sent and verified: one table of small functions.

Nothing here decides when something is sent; that is the executor's. Deciding never rests on an error's text:
the object is read, before and after.
"""

from __future__ import annotations

from collections.abc import Mapping

from sync.errors import DataError, GuardError, IncompleteError
from sync.lookup import Lookup
from sync.machine_states import WORKING
from sync.model import (
    RESOURCE_TYPES,
    Action,
    ActionKind,
    JsonObject,
    Scope,
)
from sync.operation import (
    SETTLE_SECONDS_WITHOUT_UNIQUE_NAMES,
    Parameters,
    absent,
    normalised,
    present,
    values_of,
)
from sync.operation import Observation as Observation
from sync.operation import Operation as Operation
from sync.operation import Target as Target
from sync.operation import target_of as target_of
from sync.restore_operations import RESTORING, RESTORING_NEEDS

# --- reading one object -------------------------------------------------------------------------------------


def _read_domain(lookup: Lookup, action: Action) -> Observation:
    if action.target_id is not None:
        domain = lookup.reader.domain_by_id(action.target_id)
    else:
        domain = lookup.reader.domain_by_path(action.target)
    if domain is None:
        return absent()
    return present(domain.id, name=domain.name, networkdomain=domain.network_domain or "", state=domain.state)


def _read_dying_domain(lookup: Lookup, action: Action) -> Observation:
    """A domain that is being deleted is not listed; its VMs tell what it is called (measured on 4.23)."""
    if action.target_id is None:
        raise GuardError(
            f"“{action.id}” names no domain id.", next_step="The plan is damaged: make a new one."
        )
    domain = lookup.reader.domain_by_id(action.target_id)
    if domain is not None:
        return Observation(domain.id, {"exists": "yes", "listed": "yes", "name": domain.name})
    path = target_of(action).path
    scope = Scope(parent=path.rpartition("/")[0])
    inventory = lookup.reader.inventory(scope, limits=False, users=False, everything=False)
    paths = {vm.domain_path for vm in inventory.vms if vm.domain_id == action.target_id}
    if not paths and not inventory.coverage.is_complete:
        raise IncompleteError(f"The VMs of {path} could not be read: {inventory.coverage.why}")
    fields = {"exists": "no", "listed": "no"}
    if len(paths) != 1:
        return Observation(action.target_id, fields, unseen=frozenset({"name"}))
    return Observation(action.target_id, {**fields, "name": paths.pop().rpartition("/")[2]})


def _read_account(lookup: Lookup, action: Action) -> Observation:
    target = target_of(action)
    domain_id = lookup.domain_id(target.path)
    account = lookup.reader.account(domain_id, target.account) if domain_id is not None else None
    if account is None:
        return absent()
    return present(account.id, state=account.state.casefold(), role=account.role)


def _read_user(lookup: Lookup, action: Action) -> Observation:
    target = target_of(action)
    domain_id = lookup.domain_id(target.path)
    user = lookup.reader.user(domain_id, target.name) if domain_id is not None else None
    if user is None:
        return absent()
    return present(
        user.id,
        state=user.state.casefold(),
        email=user.email,
        firstname=user.firstname,
        lastname=user.lastname,
        account=user.account,
        source=user.source,
    )


def _read_limit(lookup: Lookup, action: Action) -> Observation:
    target = target_of(action)
    domain = lookup.reader.domain_by_path(target.path, limits=True)
    if domain is None:
        return absent()
    if domain.limits is None or target.name not in domain.limits:
        raise DataError(
            f"The {target.name} limit of {target.path} could not be read.",
            next_step="Check that the reading key may see limits.",
        )
    return present(domain.id, max=str(domain.limits[target.name]))


def _read_network(lookup: Lookup, action: Action) -> Observation:
    target = target_of(action)
    domain_id = lookup.domain_id(target.path)
    network = lookup.reader.network(domain_id, target.name) if domain_id is not None else None
    if network is None:
        return absent()
    shape = {name: network.details.get(name) for name in ("gateway", "netmask")}
    return present(network.id, name=network.name, state=network.state, **shape)


def _read_machine(lookup: Lookup, action: Action) -> Observation:
    """A Destroyed VM is listed until it is expunged; recovered it is Stopped, and may be started at once."""
    vm = lookup.reader.machine(action.target_id) if action.target_id is not None else None
    if vm is None:
        return absent()
    is_back = vm.state.casefold() in WORKING
    return present(vm.id, state=vm.state, recovered="yes" if is_back else "no")


_PERSON = frozenset({"email", "firstname", "lastname"})

# --- what is sent -------------------------------------------------------------------------------------------


def _send_create_domain(lookup: Lookup, action: Action, _: Observation) -> Parameters:
    parent, name = action.target.rsplit("/", 1)
    wanted = values_of(action)
    parent = wanted.get("parentdomain", parent)
    parameters = {"name": wanted.get("name", name), "parentdomainid": lookup.required_domain_id(parent)}
    if wanted.get("networkdomain"):
        parameters["networkdomain"] = wanted["networkdomain"]
    return parameters


def _send_rename_domain(_: Lookup, action: Action, now: Observation) -> Parameters:
    return {"id": str(now.object_id), "name": action.parameters["name"]}


def _send_update_domain(_: Lookup, action: Action, now: Observation) -> Parameters:
    return {"id": str(now.object_id), "networkdomain": values_of(action)["networkdomain"]}


def _send_create_account(lookup: Lookup, action: Action, _: Observation) -> Parameters:
    target = target_of(action)
    return {
        "account": target.account,
        **_person(action),
        "domainid": lookup.required_domain_id(target.path),
        "roleid": lookup.role_id(action.parameters["role"]),
    }


def _send_create_user(lookup: Lookup, action: Action, _: Observation) -> Parameters:
    target = target_of(action)
    return {
        "account": target.account,
        **_person(action),
        "domainid": lookup.required_domain_id(target.path),
    }


def _send_update_user(_: Lookup, action: Action, now: Observation) -> Parameters:
    changed = {name: value for name, value in action.parameters.items() if name in _PERSON}
    return {"id": str(now.object_id), **changed}


def _send_id(_: Lookup, __: Action, now: Observation) -> Parameters:
    return {"id": str(now.object_id)}


def _send_limit(_: Lookup, action: Action, now: Observation) -> Parameters:
    resource = target_of(action).name
    return {
        "domainid": str(now.object_id),
        "resourcetype": str(RESOURCE_TYPES[resource]),
        "max": values_of(action)["max"],
    }


def _send_network(lookup: Lookup, action: Action, _: Observation) -> Parameters:
    target = target_of(action)
    given = ("gateway", "netmask", "vlan")
    shape = {name: action.parameters[name] for name in given if name in action.parameters}
    return {
        "name": target.name,
        "displaytext": target.name,
        "zoneid": lookup.zone_id(action.parameters["zone"]),
        "networkofferingid": lookup.network_offering_id(action.parameters["offering"]),
        "account": target.account,
        "domainid": lookup.required_domain_id(target.path),
        **shape,
    }


def _person(action: Action) -> Parameters:
    return {name: action.parameters[name] for name in ("username", "email", "firstname", "lastname")}


# --- what must not be sent ----------------------------------------------------------------------------------


def _answer_has_new_name(action: Action, answer: JsonObject) -> bool:
    """`updateDomain` on a dying domain answers with the domain as it is called now (measured on 4.23)."""
    domain = answer.get("domain")
    return isinstance(domain, dict) and domain.get("name") == action.parameters["name"]


def _only_native(_: Lookup, action: Action, now: Observation) -> str:
    source = now.fields.get("source") or "native"
    if source == "native":
        return ""
    return f"{target_of(action).name} comes from {source}, where it has to be changed"


def _account_is_enabled(lookup: Lookup, action: Action, now: Observation) -> str:
    """`enableUser` also enables the account, so it is never sent to a disabled one."""
    target = target_of(action)
    domain_id = lookup.required_domain_id(target.path)
    account = lookup.reader.account(domain_id, now.fields.get("account") or target.account)
    state = account.state.casefold() if account is not None else "gone"
    return "" if state == "enabled" else f"the account {target.account} is {state}"


# --- the table ----------------------------------------------------------------------------------------------


_USER = _PERSON | {"exists", "state", "account", "source"}

OPERATIONS: Mapping[ActionKind, Operation] = {
    ActionKind.RECOVER_VM: Operation(
        "recoverVirtualMachine",
        _read_machine,
        _send_id,
        frozenset({"exists", "state", "recovered"}),
        goal={"recovered": "yes"},
    ),
    ActionKind.RENAME_DOMAIN: Operation(
        "updateDomain",
        _read_dying_domain,
        _send_rename_domain,
        frozenset({"exists", "listed", "name"}),
        is_proven_by=_answer_has_new_name,
        is_refused_when_gone=True,
    ),
    ActionKind.CREATE_DOMAIN: Operation(
        "createDomain",
        _read_domain,
        _send_create_domain,
        frozenset({"exists", "networkdomain"}),
        is_creation=True,
    ),
    ActionKind.UPDATE_DOMAIN: Operation(
        "updateDomain",
        _read_domain,
        _send_update_domain,
        frozenset({"exists", "name", "networkdomain", "state"}),
    ),
    ActionKind.CREATE_ACCOUNT: Operation(
        "createAccount",
        _read_account,
        _send_create_account,
        frozenset({"exists", "state", "role"}),
        goal={"state": "enabled"},
        is_creation=True,
        has_password=True,
    ),
    ActionKind.ENABLE_ACCOUNT: Operation(
        "enableAccount",
        _read_account,
        _send_id,
        frozenset({"exists", "state", "role"}),
        goal={"state": "enabled"},
    ),
    ActionKind.CREATE_USER: Operation(
        "createUser", _read_user, _send_create_user, _USER, is_creation=True, has_password=True
    ),
    ActionKind.UPDATE_USER: Operation(
        "updateUser", _read_user, _send_update_user, _USER, objection=_only_native
    ),
    ActionKind.ENABLE_USER: Operation(
        "enableUser",
        _read_user,
        _send_id,
        _USER,
        goal={"state": "enabled"},
        objection=_account_is_enabled,
    ),
    ActionKind.DISABLE_USER: Operation(
        "disableUser", _read_user, _send_id, _USER, goal={"state": "disabled"}
    ),
    ActionKind.UPDATE_LIMIT: Operation(
        "updateResourceLimit", _read_limit, _send_limit, frozenset({"exists", "max"})
    ),
    ActionKind.CREATE_NETWORK: Operation(
        "createNetwork",
        _read_network,
        _send_network,
        frozenset({"exists", "name", "state", "gateway", "netmask"}),
        is_creation=True,
        settle_seconds=SETTLE_SECONDS_WITHOUT_UNIQUE_NAMES,
    ),
    **RESTORING,
}


# --- decisions ----------------------------------------------------------------------------------------------


def goal_of(action: Action) -> dict[str, str]:
    """Fields and values that reading must show once the action has been done."""
    operation = OPERATIONS[action.kind]
    wanted = {name: value for name, value in values_of(action).items() if name in operation.fields}
    return {**wanted, **operation.goal}


def is_reached(action: Action, now: Observation) -> bool:
    """Whether the object is seen to be as the action wants it."""
    is_visible = now.object_id is not None and not now.unseen & goal_of(action).keys()
    return is_visible and not shortfall(action, now)


def shortfall(action: Action, now: Observation) -> str:
    """What differs from the goal, in words; "" when nothing does."""
    goal = goal_of(action)
    return _differences(goal, now)


def surprise(action: Action, now: Observation) -> str:
    """What has changed since the action was planned, in words; "" when its precondition holds."""
    if action.target_id is not None and now.object_id is not None and now.object_id != action.target_id:
        return f"another object has the name {action.target} now (id {now.object_id})"
    if action.target_id is not None and now.object_id is None:
        return "it is not there any more"
    return _differences(action.precondition, now)


def unknown_fields(action: Action) -> list[str]:
    """Fields of the precondition that cannot be checked: a plan with any must not run."""
    known = OPERATIONS[action.kind].fields
    return [name for name in action.precondition if normalised(name) not in known]


_NAMED = frozenset(
    {
        ActionKind.CREATE_NETWORK,
        ActionKind.TAKE_ADDRESS,
        ActionKind.REGISTER_TEMPLATE,
        ActionKind.REGISTER_ISO,
        ActionKind.DEPLOY_VM,
    }
)
"""Whose target ends with the name that is sent."""


def contradictions(action: Action) -> list[str]:
    """Where the parameters name another object than the target, in words. One of them is read, shown and
    signed, the other is sent: a plan with any was not made by abreast. Raises GuardError for a target that is
    none.
    """
    kind, target, given = action.kind, target_of(action), values_of(action)
    meant = {"domain": target.path, "account": target.account}
    if kind is ActionKind.CREATE_DOMAIN:
        parent, _, name = action.target.rpartition("/")
        meant = {"parentdomain": parent, "name": name}
    elif kind is ActionKind.UPDATE_LIMIT:
        if target.name not in RESOURCE_TYPES:
            return [f"CloudStack limits no {target.name}"]
        meant["resourcetype"] = str(RESOURCE_TYPES[target.name])
    elif kind is ActionKind.CREATE_USER:
        meant["username"] = target.name
    elif kind in _NAMED:
        meant["name"] = target.name
        account = "/" if kind is ActionKind.CREATE_NETWORK else f":{target.account}:"
        meant["target"], given["target"] = f"{target.path}{account}{target.name}", action.target
    return [
        f"{name} is “{given[name]}” instead of “{value}”"
        for name, value in meant.items()
        if name in given and given[name] != value
    ]


_PERSON_AND_NAME = _PERSON | {"username"}
_NEEDED: Mapping[ActionKind, frozenset[str]] = {
    ActionKind.RECOVER_VM: frozenset({"domain"}),
    ActionKind.RENAME_DOMAIN: frozenset({"name"}),
    ActionKind.UPDATE_DOMAIN: frozenset({"networkdomain"}),
    ActionKind.CREATE_ACCOUNT: _PERSON_AND_NAME | {"role"},
    ActionKind.CREATE_USER: _PERSON_AND_NAME,
    ActionKind.UPDATE_LIMIT: frozenset({"max"}),
    ActionKind.CREATE_NETWORK: frozenset({"zone", "offering"}),
    **RESTORING_NEEDS,
}
"""What cannot be sent without these parameters."""


def missing_parameters(action: Action) -> list[str]:
    """Parameters without which it cannot be sent: a plan that lacks one was not made by abreast."""
    return sorted(_NEEDED.get(action.kind, frozenset()) - set(map(normalised, action.parameters)))


def _differences(wanted: Mapping[str, str | None], now: Observation) -> str:
    found = {name: now.fields.get(normalised(name)) for name in wanted}
    return ", ".join(
        f"{name} is {_shown(found[name])} instead of {_shown(value)}"
        for name, value in wanted.items()
        if normalised(name) not in now.unseen and _spelt(name, value) != _spelt(name, found[name])
    )


def _spelt(name: str, value: str | None) -> str:
    """A value as it is compared: the names of people as written, but for the spaces around them."""
    text = (value or "").strip()
    return text if normalised(name) in _PERSON else text.casefold()


def _shown(value: str | None) -> str:
    return f"“{value}”" if value else "empty"
