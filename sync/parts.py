"""One project against its domain, part by part: stored id, network domain, limits, account, users, network,
machines.

Pure, and shared by `drift` (what differs) and `plan` (what is done about it), so that both mean the same
account and the same members.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from functools import lru_cache

from sync.machine_states import DESTROYED, GONE, RECOVERABLE
from sync.model import (
    RESOURCE_TYPES,
    UNLIMITED,
    Account,
    Agent,
    Domain,
    DomainView,
    DriftKind,
    DriftRow,
    Member,
    NetworkRule,
    Part,
    Project,
    Subject,
    User,
    VirtualMachine,
    id_key,
)

_RANKS = {kind: rank for rank, kind in enumerate(DriftKind)}
_IN_SYNC = DriftKind.IN_SYNC
"""By a name of its own: thousands of rows ask for it, and an enum's members are slow to look up in 3.11."""
_PASSED_ON = frozenset({DriftKind.DELETING, DriftKind.ORPHANED, DriftKind.UNKNOWN})
"""Kinds of parts that a row takes over as they are; whatever else is not in sync makes it DIFFERS."""


def is_enabled(state: str) -> bool:
    return state == "enabled" or state.casefold() == "enabled"


def limit_words(maximum: int) -> str:
    return "unlimited" if maximum == UNLIMITED else str(maximum)


def name_key(name: str) -> str:
    """Key of account, user, network and machine names: CloudStack compares them without regard to case."""
    return name.casefold()


def usable_members(project: Project) -> tuple[Member, ...]:
    """The members in their order, the first of every user name: CloudStack has it once in a domain."""
    names = {member.username.casefold() for member in project.members}
    if len(names) == len(project.members) and all(map(str.strip, names)):
        return project.members
    first: dict[str, Member] = {}
    for member in project.members:
        if member.username.strip():
            first.setdefault(name_key(member.username), member)
    return tuple(first.values())


def is_made_since(account: Account, moment: datetime) -> bool:
    """Whether it was made after the moment; not so where CloudStack does not say when it was made."""
    try:
        return datetime.strptime(account.created, "%Y-%m-%dT%H:%M:%S%z") > moment
    except ValueError:
        return False


def own_account(view: DomainView, project: Project) -> Account | None:
    """The account named as the project, in the domain itself."""
    key = name_key(project.name.strip())
    domain_id = view.domain_id
    own = [
        account
        for account in view.accounts
        if account.domain_id == domain_id and account.name.casefold() == key
    ]
    if len(own) < 2:
        return own[0] if own else None
    return min(own, key=lambda account: account.id)


def held_usernames(view: DomainView, project: Project) -> dict[str, str]:
    """User names that another account of the same domain holds → that account's name."""
    own = own_account(view, project)
    return {
        name_key(user.username): account.name
        for account in _accounts_of(view)
        if account is not own
        for user in account.users
    }


def _accounts_of(view: DomainView) -> Iterator[Account]:
    return (account for account in view.accounts if account.domain_id == view.domain_id)


def has_network(view: DomainView, name: str) -> bool:
    """Whether the domain itself has a network of this name."""
    key = name_key(name)
    return any(
        network.domain_id == view.domain_id and name_key(network.name) == key for network in view.networks
    )


def is_missing_parent(part: Part) -> bool:
    """Whether the part says that the parent of all projects does not exist; its name is the parent's path."""
    return part.subject is Subject.DOMAIN and part.kind is DriftKind.MISSING and bool(part.name)


def is_blocked(row: DriftRow) -> bool:
    """Whether the row's own kind is certain, but not enough is known of its project to repair it."""
    return any(
        part.subject is Subject.DOMAIN and part.kind is DriftKind.UNKNOWN and not part.name
        for part in row.parts
    )


def kind_of(parts: Iterable[Part]) -> DriftKind:
    """The worst of the parts, as the kind of a row whose domain is there. Machines are no drift."""
    worst = _IN_SYNC
    for part in parts:
        if part.kind is _IN_SYNC or part.is_machine_gone:
            continue
        kind = part.kind if part.kind in _PASSED_ON else DriftKind.DIFFERS
        if _RANKS[kind] < _RANKS[worst]:
            worst = kind
    return worst


# --- a domain that is there -------------------------------------------------------------------------------


def compare_living(
    project: Project,
    view: DomainView,
    domain: Domain,
    *,
    network_rule: NetworkRule | None,
    leaving: tuple[VirtualMachine, ...] = (),
) -> list[Part]:
    """Every compared thing of a project whose domain is listed; in sync or not. `leaving` are the VMs of its
    old domains."""
    parts = [_equal_domain(project.name, domain.path)]
    if project.domain_id:
        parts.append(_stored_id(project.domain_id, domain.id))
    if project.network_domain:
        parts.append(_network_domain(project.network_domain, domain.network_domain))
    if project.quotas:
        parts.extend(_limits(project, domain))
    parts.extend(_accounts(project, view))
    if network_rule is not None and usable_members(project):
        parts.append(_network(network_rule.name_for(project.name), view))
    if project.agents:
        parts.extend(machines(project, view.vms, leaving))
    return parts


@lru_cache(maxsize=16384)
def _equal_domain(name: str, path: str) -> Part:
    return Part(Subject.DOMAIN, "", "", _IN_SYNC, name, path)


@lru_cache(maxsize=16384)
def _equal_id(stored: str, actual: str) -> Part:
    return Part(Subject.STORED_ID, "", "", _IN_SYNC, stored, actual)


def _stored_id(stored: str, actual: str) -> Part:
    if id_key(stored) == id_key(actual):
        return _equal_id(stored, actual)
    return Part(
        Subject.STORED_ID,
        "",
        "",
        DriftKind.DIFFERS,
        stored,
        actual,
        note="The CI database stores another domain's id: re-link it there, the identity map has the new id.",
    )


def _network_domain(desired: str, actual: str | None) -> Part:
    same = desired.casefold() == (actual or "").casefold()
    kind = DriftKind.IN_SYNC if same else DriftKind.DIFFERS
    return Part(Subject.NETWORK_DOMAIN, "", "networkdomain", kind, desired, actual or None)


@lru_cache(maxsize=4096)
def _equal_limit(resource: str, maximum: int) -> Part:
    words = limit_words(maximum)
    return Part(Subject.LIMIT, resource, "max", _IN_SYNC, words, words)


def _limits(project: Project, domain: Domain) -> Iterator[Part]:
    limits = domain.limits
    for resource, maximum in sorted(project.quotas.items()):
        actual = None if limits is None else limits.get(resource)
        if actual == maximum:
            yield _equal_limit(resource, maximum)
        elif actual is not None and resource in RESOURCE_TYPES:
            words = limit_words(actual)
            yield Part(Subject.LIMIT, resource, "max", DriftKind.DIFFERS, limit_words(maximum), words)
        else:
            yield Part(
                Subject.LIMIT,
                resource,
                "max",
                DriftKind.UNKNOWN,
                limit_words(maximum),
                None if actual is None else limit_words(actual),
                note=_why_limit_unknown(resource, is_read=limits is not None),
            )


def _why_limit_unknown(resource: str, *, is_read: bool) -> str:
    if resource not in RESOURCE_TYPES:
        return f"The quota {resource} is none that CloudStack has."
    if is_read:
        return f"CloudStack did not tell the {resource} limit of this domain."
    return f"The {resource} limit was not read: limits are read less often than the rest."


# --- account and users ------------------------------------------------------------------------------------


def _accounts(project: Project, view: DomainView) -> list[Part]:
    account = own_account(view, project)
    members = usable_members(project)
    is_alone = account is not None and len(view.accounts) == 1
    held = {} if is_alone else held_usernames(view, project)
    parts = list(unusable_members(project, members))
    if account is not None:
        parts.append(_account_state(project, account))
        parts += _users(project, account, members=members, held=held)
    elif members:
        parts += absent_account(project, held=held)
    if not is_alone:
        parts += _other_accounts(view, account)
    return parts


def _other_accounts(view: DomainView, own: Account | None) -> Iterator[Part]:
    for other in _accounts_of(view):
        if other is not own:
            note = f"The CI database does not know the account {other.name}; it is left alone."
            yield Part(Subject.ACCOUNT, other.name, "", DriftKind.UNEXPECTED, None, other.state, note)


def _account_state(project: Project, account: Account) -> Part:
    desired = "enabled" if project.enabled else "disabled"
    if is_enabled(account.state) == project.enabled:
        return _equal_account(account.name, desired, account.state)
    note = ""
    if not project.enabled:
        note = (
            f"The CI database has the project disabled. abreast does not disable the account {account.name}: "
            "that would stop its VMs."
        )
    return Part(Subject.ACCOUNT, account.name, "state", DriftKind.DIFFERS, desired, account.state, note)


@lru_cache(maxsize=16384)
def _equal_account(name: str, desired: str, actual: str) -> Part:
    return Part(Subject.ACCOUNT, name, "state", _IN_SYNC, desired, actual)


@lru_cache(maxsize=65536)
def _equal_user(username: str, state: str) -> Part:
    return Part(Subject.USER, username, "", _IN_SYNC, state, state)


def _users(
    project: Project, account: Account, *, members: tuple[Member, ...], held: dict[str, str]
) -> list[Part]:
    parts: list[Part] = []
    users = {user.username.casefold(): user for user in account.users}
    for member in members:
        user = users.pop(member.username.casefold(), None)
        if user is None:
            parts.append(_absent_user(member, held=held))
        elif (
            user.email == member.email
            and user.firstname == member.firstname
            and user.lastname == member.lastname
            and (user.state == "enabled") is member.enabled
        ):
            parts.append(_equal_user(user.username, user.state))
        else:
            parts += list(_user_fields(member, user, account)) or [_equal_user(user.username, user.state)]
    for member in project.unusable:
        users.pop(name_key(member.username), None)
    for user in users.values():
        note = f"The CI database does not know the user {user.username}; it is left alone."
        parts.append(Part(Subject.USER, user.username, "", DriftKind.UNEXPECTED, None, user.state, note))
    return parts


def _user_fields(member: Member, user: User, account: Account) -> Iterator[Part]:
    """The fields that differ. CloudStack takes no empty value, so an empty desired one asks nothing."""
    if is_enabled(user.state) != member.enabled:
        note = ""
        if member.enabled and not is_enabled(account.state):
            note = (
                f"The user {user.username} is not enabled while the account {account.name} is "
                f"{account.state}: CloudStack would enable the account with it."
            )
        desired = "enabled" if member.enabled else "disabled"
        yield Part(Subject.USER, user.username, "state", DriftKind.DIFFERS, desired, user.state, note)
    note = ""
    if user.source.casefold() != "native":
        note = f"The user {user.username} comes from {user.source}: its details are changed there."
    for name in ("email", "firstname", "lastname"):
        wanted, present = getattr(member, name), getattr(user, name)
        if wanted and wanted != present:
            yield Part(Subject.USER, user.username, name, DriftKind.DIFFERS, wanted, present, note)


def _absent_user(member: Member, *, held: dict[str, str]) -> Part:
    state = "enabled" if member.enabled else "disabled"
    holder = held.get(name_key(member.username))
    if holder is not None:
        return Part(
            Subject.USER,
            member.username,
            "account",
            DriftKind.DIFFERS,
            state,
            holder,
            note=(
                f"The user name {member.username} is held by the account {holder} of the same domain; "
                "CloudStack has it once in a domain, so it is not created."
            ),
        )
    return Part(Subject.USER, member.username, "", DriftKind.MISSING, state, None)


def absent_account(project: Project, *, held: dict[str, str]) -> Iterator[Part]:
    """The account and all its users as missing."""
    members = usable_members(project)
    note = ""
    if all(name_key(member.username) in held for member in members):
        note = f"The account {project.name} cannot be created: another account holds every user name."
    elif not project.enabled:
        note = (
            f"The CI database has the project {project.name} disabled. A created account is enabled, and "
            "abreast does not disable accounts."
        )
    state = "enabled" if project.enabled else "disabled"
    yield Part(Subject.ACCOUNT, project.name, "", DriftKind.MISSING, state, None, note)
    for member in members:
        yield _absent_user(member, held=held)


def unusable_members(project: Project, usable: tuple[Member, ...]) -> Iterator[Part]:
    """Members that are left alone, and why. Nothing is yielded for the ordinary project."""
    for member in project.unusable:
        note = f"The member {member.username or 'without a user name'} is left alone: {member.problem}"
        yield Part(Subject.USER, member.username, "member", DriftKind.DIFFERS, member.username, None, note)
    if len(usable) == len(project.members):
        return
    for member in project.members:
        if not any(member is other for other in usable):
            note = (
                f"The CI database names the member {member.username or 'without a user name'} once more "
                "(upper and lower case are one); only the first counts."
            )
            yield Part(
                Subject.USER, member.username, "member", DriftKind.DIFFERS, member.username, None, note
            )


# --- network and machines ---------------------------------------------------------------------------------


def _network(name: str, view: DomainView) -> Part:
    if has_network(view, name):
        return Part(Subject.NETWORK, name, "", DriftKind.IN_SYNC, name, name)
    return Part(Subject.NETWORK, name, "", DriftKind.MISSING, name, None)


def machines(
    project: Project, living: tuple[VirtualMachine, ...], dying: tuple[VirtualMachine, ...]
) -> Iterator[Part]:
    """The VMs that the CI database knows. One that is gone is a loss: it has no repair and is no drift. In an
    old domain it is found by its address, too."""
    if not project.agents:
        return
    present = {vm.name.casefold(): vm for vm in living}
    leaving = Leaving(dying)
    for agent in project.agents:
        if not agent.vm:
            continue
        vm = present.get(agent.vm.casefold())
        if vm is not None and not is_gone(vm):
            yield _living_machine(agent.vm, agent.name, vm.state)
            continue
        old = leaving.of(agent)
        is_living = vm is not None and (old is None or is_gone(old))
        yield _lost_machine(agent.name, agent.vm, vm if is_living else old, is_living=is_living)


class Leaving:
    """The VMs of a project's old domains, by name and by address; of two, the one that is alive counts."""

    def __init__(self, vms: Iterable[VirtualMachine]) -> None:
        self._by_name: dict[str, VirtualMachine] = {}
        self._by_address: dict[str, VirtualMachine] = {}
        for vm in sorted(vms, key=is_gone):
            self._by_name.setdefault(name_key(vm.name), vm)
            for address in vm.addresses:
                self._by_address.setdefault(address, vm)

    def of(self, agent: Agent) -> VirtualMachine | None:
        """The agent's own."""
        found = self._by_name.get(name_key(agent.vm)) if agent.vm else None
        return found or (self._by_address.get(agent.address) if agent.address else None)


def is_gone(vm: VirtualMachine) -> bool:
    """Whether it is listed, but destroyed, or left by a deployment that failed."""
    return vm.state.casefold() in GONE


def alive(vms: Iterable[VirtualMachine]) -> tuple[VirtualMachine, ...]:
    """Those that are not gone: what is, stays listed until it is expunged."""
    return tuple(vm for vm in vms if not is_gone(vm))


def left_of(vms: Collection[VirtualMachine]) -> tuple[int, str]:
    """How many VMs are left and what they are called: `destroyed VM` where no other is, and `dead VM` where a
    deployment that failed has left one of them."""
    living = alive(vms)
    if living or not vms:
        return len(living), "VM"
    are_destroyed = all(vm.state.casefold() in DESTROYED for vm in vms)
    return len(vms), "destroyed VM" if are_destroyed else "dead VM"


@lru_cache(maxsize=65536)
def _living_machine(name: str, agent: str, state: str) -> Part:
    return Part(Subject.MACHINE, name, "", _IN_SYNC, agent, state)


def _lost_machine(agent: str, name: str, vm: VirtualMachine | None, *, is_living: bool) -> Part:
    if vm is None:
        note = f"The VM {name} of the agent {agent} is gone."
        return Part(Subject.MACHINE, name, "", DriftKind.MISSING, agent, None, note, is_loss=True)
    if not is_gone(vm):
        note = f"The VM {name} of the agent {agent} is still {vm.state}, its domain is not listed."
        return Part(Subject.MACHINE, name, "", DriftKind.DELETING, agent, vm.state, note)
    note = f"The VM {name} of the agent {agent} is {vm.state}."
    if is_living and vm.state.casefold() in RECOVERABLE:
        note += " `recoverVirtualMachine` brings it back until the expunge delay has passed."
    return Part(Subject.MACHINE, name, "", DriftKind.MISSING, agent, vm.state, note, is_loss=True)


# --- a domain that is not there ---------------------------------------------------------------------------


def compare_missing(
    project: Project,
    *,
    missing_parent: str | None,
    network_rule: NetworkRule | None,
    leaving: tuple[VirtualMachine, ...],
) -> list[Part]:
    """Everything that a project without a listed domain lacks; `missing_parent` is the path of the parent
    when that does not exist either, `leaving` are the VMs of its old domains."""
    parts = []
    if missing_parent is not None:
        note = f"The parent domain {missing_parent} does not exist; it is created first."
        parts.append(Part(Subject.DOMAIN, missing_parent, "", DriftKind.MISSING, missing_parent, None, note))
    parts.append(Part(Subject.DOMAIN, "", "", DriftKind.MISSING, project.name, None))
    if project.network_domain:
        parts.append(
            Part(Subject.NETWORK_DOMAIN, "", "networkdomain", DriftKind.MISSING, project.network_domain, None)
        )
    for resource, maximum in sorted(project.quotas.items()):
        note = "" if resource in RESOURCE_TYPES else _why_limit_unknown(resource, is_read=True)
        parts.append(
            Part(Subject.LIMIT, resource, "max", DriftKind.MISSING, limit_words(maximum), None, note)
        )
    parts.extend(unusable_members(project, usable_members(project)))
    if usable_members(project):
        parts.extend(absent_account(project, held={}))
        if network_rule is not None:
            name = network_rule.name_for(project.name)
            parts.append(Part(Subject.NETWORK, name, "", DriftKind.MISSING, name, None))
    parts.extend(machines(project, (), leaving))
    return parts
