"""What an execution has to know about one kind of action: the values that `operations` fills in.

Nothing here reads or sends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sync.errors import GuardError
from sync.lookup import Lookup
from sync.model import Action, ActionKind, JsonObject

SETTLE_SECONDS = 5.0
"""How long a call of unknown outcome is given to show its effect, where a second one would be refused."""

SETTLE_SECONDS_WITHOUT_UNIQUE_NAMES = 30.0
"""The same where CloudStack would make a second object of the same name (networks)."""


# --- what was read ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Observation:
    """One object as it is now."""

    object_id: str | None
    """None when it is proven not to be there."""
    fields: Mapping[str, str | None] = field(default_factory=dict)
    """Normalised field name → value; `exists` is always among them."""
    unseen: frozenset[str] = frozenset()
    """Fields that nothing shows any more: neither a precondition nor a goal can be compared with them."""


def normalised(name: str) -> str:
    """One spelling for a field, however a plan writes it (`network_domain`, `networkdomain`)."""
    return name.casefold().translate(str.maketrans("", "", "_- "))


def absent() -> Observation:
    return Observation(None, {"exists": "no"})


def present(object_id: str, **fields: str | None) -> Observation:
    return Observation(object_id, {"exists": "yes", **fields})


# --- targets ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """A target taken apart."""

    path: str
    """Of the domain."""
    account: str = ""
    name: str = ""
    """Of the user, the resource, the network, the template, ISO or VM, or zone; a public address itself."""


_ON_ZONES = frozenset({ActionKind.FREEZE_ZONE, ActionKind.THAW_ZONE})
_OF_AN_ACCOUNT = frozenset(
    {
        ActionKind.TAKE_ADDRESS,
        ActionKind.REGISTER_TEMPLATE,
        ActionKind.REGISTER_ISO,
        ActionKind.DEPLOY_VM,
    }
)


def target_of(action: Action) -> Target:
    """Take the natural key apart; GuardError when it is not one of this kind."""
    kind, target = action.kind, action.target
    path = action.parameters.get("domain", "")
    found = Target("")
    if kind in _ON_ZONES:
        return Target("", name=target)
    if kind in (ActionKind.RENAME_DOMAIN, ActionKind.CREATE_DOMAIN, ActionKind.UPDATE_DOMAIN):
        found = Target(target)
    elif kind is ActionKind.UPDATE_LIMIT:
        path, _, resource = target.rpartition("#")
        found = Target(path, name=resource)
    elif kind is ActionKind.RECOVER_VM:
        owner, _, name = target[len(path) + 1 :].partition(":")
        found = Target(path, owner, name)
    elif kind is ActionKind.CREATE_NETWORK:
        path = path or target.rpartition("/")[0]
        found = Target(path, action.parameters.get("account", ""), target[len(path) + 1 :])
    elif kind in _OF_AN_ACCOUNT:
        account = action.parameters.get("account", "")
        found = Target(path, account, target[len(f"{path}:{account}:") :])
    else:
        has_user = kind not in (ActionKind.CREATE_ACCOUNT, ActionKind.ENABLE_ACCOUNT)
        found = _account_target(target, path, has_user=has_user)
    if "/" not in found.path or not target.startswith(found.path):
        raise GuardError(
            f"“{target}” is no target of “{kind.value}”.", next_step="The plan is damaged: make a new one."
        )
    return found


def _account_target(target: str, path: str, *, has_user: bool) -> Target:
    """`path:account[:username]`; names may have colons, and an account is named as its domain."""
    parts = target.split(":")
    ends = range(1, len(parts) - int(has_user))
    splits = [
        (":".join(parts[:end]), ":".join(parts[end:last]), ":".join(parts[last:]))
        for end in ends
        for last in (range(end + 1, len(parts)) if has_user else (len(parts),))
    ]
    for domain, account, username in splits:
        named_alike = domain.rpartition("/")[2].casefold() == account.casefold()
        if domain == path or (not path and named_alike):
            return Target(domain, account, username)
    return Target(*splits[-1]) if splits else Target("")


def values_of(action: Action) -> dict[str, str]:
    """The action's parameters by normalised name."""
    return {normalised(name): value for name, value in action.parameters.items()}


# --- an operation -------------------------------------------------------------------------------------------

Parameters = dict[str, str]


def never_by_answer(_: Action, __: JsonObject) -> bool:
    return False


def never(_: Observation) -> bool:
    return False


def not_broken(_: Observation) -> str:
    return ""


def no_objection(_: Lookup, __: Action, ___: Observation) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Operation:
    """What an execution has to know about one kind of action."""

    command: str
    observe: Callable[[Lookup, Action], Observation]
    parameters: Callable[[Lookup, Action, Observation], Parameters]
    """What is sent, without the password. May read ids by name."""
    fields: frozenset[str]
    """What can be observed, and so be a precondition or a goal."""
    goal: Mapping[str, str] = field(default_factory=dict)
    """Fields that this kind always brings about; the action's own parameters are added to them."""
    objection: Callable[[Lookup, Action, Observation], str] = no_objection
    """Why it must not be sent although the precondition holds; "" when it may."""
    is_creation: bool = False
    has_password: bool = False
    settle_seconds: float = SETTLE_SECONDS
    is_proven_by: Callable[[Action, JsonObject], bool] = never_by_answer
    """Whether CloudStack's answer alone proves it, where reading may show nothing."""
    is_refused_when_gone: bool = False
    """A refusal, while the object cannot be read, means that there is nothing left to change."""

    is_under_way: Callable[[Observation], bool] = never
    """Whether the object is there and CloudStack still works at it (a download, a VM that starts)."""
    patience_seconds: float = 0.0
    """How long that is waited for."""
    broken: Callable[[Observation], str] = not_broken
    """What is wrong with an object that is there and will never be as it was to be (the remains of a creation
    that failed); "" when nothing is. It holds its name, and nothing here deletes it."""

    @property
    def is_repeatable(self) -> bool:
        """Whether a second call could do no harm once reading has shown no effect of the first."""
        return self.settle_seconds == SETTLE_SECONDS
