"""The blast radius: everything that an action, a plan or the deletion of a domain would stop or destroy.

Pure, and computed from complete lists only: what was not seen is not harmless, so anything less is refused.
What exists elsewhere is said only where it is known; nothing here has seen a capture or an archive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType

from sync.errors import GuardError, SourceError
from sync.model import (
    Account,
    Action,
    ActionKind,
    ActualInventory,
    DesiredInventory,
    Domain,
    OwnedResource,
    Plan,
    Project,
    User,
    VirtualMachine,
    project_key,
)
from sync.radius import (
    IN_CI_DATABASE,
    NO_CAPTURE,
    NOTHING,
    Affected,
    Effect,
    ObjectKind,
    Offering,
    Owner,
    Person,
    Radius,
    loss_lines,
    summary,
)

__all__ = [
    "LISTS",
    "NOT_READ",
    "Radius",
    "loss_lines",
    "merged",
    "of_action",
    "of_domain",
    "of_each",
    "of_plan",
    "stated",
    "summary",
    "with_offerings",
]

LISTS = (
    "listDomains",
    "listAccounts",
    "listUsers",
    "listVirtualMachines",
    "listVolumes",
    "listSnapshots",
    "listTemplates",
    "listIsos",
    "listNetworks",
    "listProjects",
)
"""The lists that a radius is computed from. Each must be of this very reading, with its proof."""

NOT_READ = (
    "VM snapshots, schedules, public addresses with their rules, VPCs and VPNs, SSH key pairs, affinity "
    "groups, certificates and API keys go with their owners and are not listed here",
    "offerings and address ranges that belong to the domain may go with it and are not listed here",
)
"""What CloudStack removes besides (read in its source, not measured), and no list of abreast has."""

# --- of actions and plans -----------------------------------------------------------------------------------

_HARMLESS: Mapping[ActionKind, str] = MappingProxyType(
    {
        ActionKind.RECOVER_VM: f"{NOTHING}: the VM is there again, stopped, and counts against the limits",
        ActionKind.RENAME_DOMAIN: f"{NOTHING}: only the name changes",
        ActionKind.CREATE_DOMAIN: NOTHING,
        ActionKind.UPDATE_DOMAIN: f"{NOTHING}: only the network domain changes",
        ActionKind.CREATE_ACCOUNT: NOTHING,
        ActionKind.ENABLE_ACCOUNT: f"{NOTHING}: users of the account get their access back",
        ActionKind.CREATE_USER: NOTHING,
        ActionKind.UPDATE_USER: f"{NOTHING}: only what is written about the user changes",
        ActionKind.ENABLE_USER: f"{NOTHING}: the user gets access back, and the account is enabled with it",
        ActionKind.UPDATE_LIMIT: f"{NOTHING}: a limit counts for what is made later",
        ActionKind.CREATE_NETWORK: NOTHING,
        ActionKind.TAKE_ADDRESS: f"{NOTHING}: a free address is the project's again, within its limits",
        ActionKind.REGISTER_TEMPLATE: NOTHING,
        ActionKind.REGISTER_ISO: NOTHING,
        ActionKind.DEPLOY_VM: NOTHING,
        ActionKind.FREEZE_ZONE: f"{NOTHING}: VMs go on running, only root admins get new ones meanwhile",
        ActionKind.THAW_ZONE: f"{NOTHING}: everybody can deploy again",
    }
)
"""Every kind stands here or in `_radii`; one that does not has no radius and is refused."""


def of_action(action: Action, actual: ActualInventory, *, desired: DesiredInventory | None = None) -> Radius:
    """What one action would stop or destroy. `desired` names the people behind it.

    Raises GuardError when it cannot be computed: lists not complete, the object not among them, or a kind of
    action whose effects nobody has written down.
    """
    return _of_action(action, _World(actual, desired, of=action.id))


def of_each(
    actions: Iterable[Action],
    actual: ActualInventory,
    *,
    desired: DesiredInventory | None = None,
    offerings: Iterable[Offering] | SourceError = (),
) -> dict[str, Radius | GuardError]:
    """By action id, what each would stop or destroy, or why that cannot be computed."""
    world = _World(actual, desired, of="")
    known = offerings if isinstance(offerings, SourceError) else tuple(offerings)
    found: dict[str, Radius | GuardError] = {}
    for action in actions:
        world.of = action.id
        try:
            found[action.id] = with_offerings(_of_action(action, world), action, known)
        except GuardError as error:
            found[action.id] = error
    return found


def _of_action(action: Action, world: _World) -> Radius:
    if action.kind in _HARMLESS:
        return Radius(action.id, _HARMLESS[action.kind], taken_at=world.actual.taken_at)
    compute = _radii.get(action.kind)
    if compute is None:
        raise _uncomputable(action.id, f"what “{action.kind.value}” destroys is not known")
    return compute(action, world)


def of_plan(
    plan: Plan,
    actual: ActualInventory,
    *,
    desired: DesiredInventory | None = None,
    offerings: Iterable[Offering] | SourceError = (),
) -> tuple[Radius, ...]:
    """The radius of each action, in the plan's order. Raises GuardError as `of_action` and `with_offerings`
    do."""
    known = offerings if isinstance(offerings, SourceError) else tuple(offerings)
    return tuple(
        with_offerings(of_action(action, actual, desired=desired), action, known) for action in plan.actions
    )


ABOUT_A_DOMAIN = frozenset({ActionKind.RENAME_DOMAIN, ActionKind.UPDATE_DOMAIN, ActionKind.UPDATE_LIMIT})
"""Kinds whose target is a domain that is there: offerings may list it."""


def with_offerings(radius: Radius, action: Action, offerings: Iterable[Offering] | SourceError) -> Radius:
    """The radius with the offerings that list the action's domain, where it is about one.

    Raises GuardError where they could not be read: then `offerings` is why.
    """
    if action.kind not in ABOUT_A_DOMAIN:
        return radius
    if isinstance(offerings, SourceError):
        raise _uncomputable(action.id, f"the offerings that list the domain cannot be read: {offerings}")
    mine = sorted(f"{one.name} ({one.id})" for one in offerings if action.target_id in one.domain_ids)
    if not mine:
        return radius
    note = f"offerings that list {action.target.partition('#')[0]}: {', '.join(mine)}"
    return replace(radius, notes=(*radius.notes, note))


def stated(action: Action) -> Radius:
    """What the plan alone tells of an action's effects, without any reading. Raises GuardError."""
    if action.kind in _HARMLESS:
        return Radius(action.id, _HARMLESS[action.kind])
    if action.kind is ActionKind.DISABLE_USER:
        path = action.parameters.get("domain", "") or action.target.partition(":")[0]
        row = Affected(
            ObjectKind.USER,
            Effect.NO_ACCESS,
            action.target_id,
            action.target,
            path,
            Owner(path, action.project),
        )
        return Radius(action.id, _locked_out(action, action.target), (row,))
    raise _uncomputable(action.id, f"what “{action.kind.value}” destroys is not known")


def merged(radii: Iterable[Radius], *, of: str) -> Radius:
    """Several as one, each object once, with the worst of its effects."""
    found: dict[object, Affected] = {}
    notes: dict[str, None] = {}
    times = set()
    for radius in radii:
        times.add(radius.taken_at)
        notes.update(dict.fromkeys(radius.notes))
        for row in radius.objects:
            key = (row.kind, row.id if row.id is not None else (row.domain_path, row.name))
            earlier = found.get(key)
            if earlier is None or _RANK[row.effect] < _RANK[earlier.effect]:
                found[key] = row
    objects = tuple(found.values())
    known = None if None in times else min((time for time in times if time is not None), default=None)
    made = Radius(of, "", objects, known, tuple(notes))
    return replace(made, statement=summary(made))


_RANK = {effect: rank for rank, effect in enumerate(Effect)}


def _locked_out(action: Action, name: str) -> str:
    after = "; the plan makes that user itself" if action.target_id is None else ""
    return f"{name} loses access, by login and by key{after}; nothing is stopped or destroyed"


def _disable_user(action: Action, world: _World) -> Radius:
    if action.target_id is None:
        return replace(stated(action), taken_at=world.actual.taken_at)
    world.require_complete()
    found = world.users.get(action.target_id)
    if found is None:
        raise _uncomputable(action.id, f"CloudStack does not list the user {action.target}")
    user, account = found
    row = replace(world.user(user, account), effect=Effect.NO_ACCESS)
    left = sum(1 for other in account.users if other is not user and _is_enabled(other.state))
    note = "" if left else f"{user.username} is the last enabled user of {row.owner.label}"
    return Radius(
        action.id,
        _locked_out(action, f"{row.owner.label}:{user.username}"),
        (row,),
        world.actual.taken_at,
        (note,) if note else (),
    )


_radii: Mapping[ActionKind, Callable[[Action, _World], Radius]] = MappingProxyType(
    {ActionKind.DISABLE_USER: _disable_user}
)


def _is_enabled(state: str) -> bool:
    return state.casefold() == "enabled"


# --- of a domain --------------------------------------------------------------------------------------------


def of_domain(actual: ActualInventory, path: str, *, desired: DesiredInventory | None = None) -> Radius:
    """What deleting the domain at `path` with all in it would destroy: what a project would lose.

    Includes sub-domains, what CloudStack Projects own, and VMs that are already destroyed but could still be
    recovered (measured on 4.23: they go with the account). Raises GuardError unless the lists are complete
    and cover the domain, and CloudStack lists it.
    """
    world = _World(actual, desired, of=path)
    world.require_complete()
    domain = world.require_domain(path)
    inside = world.below(domain)
    rows = [*world.domains(domain, inside), *world.accounts(inside), *world.owned(inside)]
    made = Radius(path, "", tuple(rows), actual.taken_at, (*world.strays(domain), *NOT_READ))
    return replace(made, statement=summary(made), notes=(*world.notes(), *made.notes))


_OWNED: Mapping[ObjectKind, str] = MappingProxyType(
    {
        ObjectKind.PROJECT: "projects",
        ObjectKind.VM: "vms",
        ObjectKind.VOLUME: "volumes",
        ObjectKind.SNAPSHOT: "snapshots",
        ObjectKind.TEMPLATE: "templates",
        ObjectKind.ISO: "isos",
        ObjectKind.NETWORK: "networks",
    }
)
"""What accounts and CloudStack Projects own → the inventory's list of it."""


class _World:
    """The two readings, indexed for the question whose a thing is."""

    def __init__(self, actual: ActualInventory, desired: DesiredInventory | None, *, of: str) -> None:
        self.actual = actual
        self.desired = desired
        self.of = of
        self._listed = {domain.id: domain for domain in actual.domains}
        self._accounts = {
            (account.domain_id, account.name.casefold()): account for account in actual.accounts
        }
        self._project_owners = {(row.domain_id, row.name): row.account or "" for row in actual.projects}

    @cached_property
    def users(self) -> Mapping[str, tuple[User, Account]]:
        """By id, with the account that each belongs to."""
        return {user.id: (user, account) for account in self.actual.accounts for user in account.users}

    # --- refusing -------------------------------------------------------------------------------------------

    def require_complete(self) -> None:
        coverage = self.actual.coverage
        if not coverage.is_complete:
            why = coverage.why.rstrip(".") or "no reason is given"
            raise _uncomputable(
                self.of, f"CloudStack was not read completely ({coverage.state.value}: {why})"
            )
        problems = {proof.name.split()[0]: proof.problem for proof in coverage.lists if proof.problem}
        proven = {proof.name.split()[0] for proof in coverage.lists} - set(problems)
        missing = [name for name in LISTS if name not in proven]
        if missing:
            raise _uncomputable(
                self.of, f"this reading has no proof that it has all rows of {', '.join(missing)}"
            )

    def require_domain(self, path: str) -> Domain:
        scope = self.actual.scope
        below = _names_below(path, scope.parent)
        covered = below is not None and (
            scope.is_full or (bool(below) and scope.covers(project_key(below[0])))
        )
        if not covered:
            raise _uncomputable(self.of, f"{path} is not within what was read ({scope.parent})")
        for domain in self.actual.domains:
            if domain.path.casefold() == path.casefold():
                return domain
        raise _uncomputable(self.of, f"CloudStack does not list {path}: it is gone, or being deleted now")

    # --- gathering ------------------------------------------------------------------------------------------

    def below(self, top: Domain) -> dict[str, Domain]:
        """The domain and all its sub-domains, by id, from above to below."""
        found = {top.id: top}
        for domain in sorted(self.actual.domains, key=lambda domain: (domain.level, domain.path)):
            if domain.parent_id in found or _names_below(domain.path, top.path):
                found[domain.id] = domain
        return found

    def domains(self, top: Domain, inside: Mapping[str, Domain]) -> Iterable[Affected]:
        for domain in inside.values():
            project = self._project(domain.path)
            known = domain is top and project is not None and self._is_desired_complete
            yield Affected(
                ObjectKind.DOMAIN if domain is top else ObjectKind.SUBDOMAIN,
                Effect.DESTROYED,
                domain.id,
                domain.name,
                domain.path,
                Owner(domain.path, domain.name, people=self._people(domain.path, None)),
                state=domain.state,
                elsewhere=IN_CI_DATABASE if known else NO_CAPTURE,
            )

    def accounts(self, inside: Mapping[str, Domain]) -> Iterable[Affected]:
        for account in self.actual.accounts:
            if account.domain_id in inside:
                path = inside[account.domain_id].path
                owner = self._owner(path, account.domain_id, account.name, None)
                yield Affected(
                    ObjectKind.ACCOUNT, Effect.DESTROYED, account.id, account.name, path, owner, account.state
                )
                for user in account.users:
                    yield self.user(user, account)

    def user(self, user: User, account: Account) -> Affected:
        domain = self._listed.get(account.domain_id)
        path = domain.path if domain is not None else ""
        project = self._project(path)
        names = {member.username.casefold() for member in project.members} if project is not None else set()
        known = user.username.casefold() in names and self._is_desired_complete
        return Affected(
            ObjectKind.USER,
            Effect.DESTROYED,
            user.id,
            user.username,
            path,
            self._owner(path, account.domain_id, account.name, None),
            state=user.state,
            elsewhere=IN_CI_DATABASE if known else NO_CAPTURE,
        )

    def owned(self, inside: Mapping[str, Domain]) -> Iterable[Affected]:
        for kind, name in _OWNED.items():
            rows: Iterable[OwnedResource | VirtualMachine] = getattr(self.actual, name)
            found: dict[str, Affected] = {}
            for row in rows:
                if row.domain_id in inside:
                    one = self._one(kind, row, inside[row.domain_id].path)
                    found[row.id] = one if row.id not in found else _copy(found[row.id], one)
            yield from found.values()

    def _one(self, kind: ObjectKind, row: OwnedResource | VirtualMachine, path: str) -> Affected:
        return Affected(
            kind,
            Effect.DESTROYED,
            row.id,
            row.name,
            path,
            self._owner(path, row.domain_id, row.account or "", row.project),
            state=row.state,
            created=row.created,
            size=row.size if isinstance(row, OwnedResource) and kind.has_size else None,
        )

    def strays(self, top: Domain) -> tuple[str, ...]:
        """What names this path but belongs to a domain that is not listed: remains of an earlier one."""
        everything: list[OwnedResource | VirtualMachine] = [
            row for name in _OWNED.values() for row in getattr(self.actual, name)
        ]
        count = len(
            {
                row.id
                for row in everything
                if row.domain_id not in self._listed and _names_below(row.domain_path, top.path) is not None
            }
        )
        if not count:
            return ()
        rows = "1 object names" if count == 1 else f"{count} objects name"
        return (f"{rows} this path but belong to a domain that is no longer listed; not counted",)

    def notes(self) -> tuple[str, ...]:
        if self.desired is None:
            return ("owners are CloudStack's users: the CI database was not asked",)
        if not self._is_desired_complete:
            return ("the CI database was not read completely: members may be missing among the owners",)
        return ()

    # --- owners ---------------------------------------------------------------------------------------------

    @property
    def _is_desired_complete(self) -> bool:
        return self.desired is not None and self.desired.coverage.is_complete

    def _project(self, path: str) -> Project | None:
        names = _names_below(path, self.actual.scope.parent)
        if not names or self.desired is None:
            return None
        return self.desired.projects.get(project_key(names[0]))

    def _people(self, path: str, account: Account | None) -> tuple[Person, ...]:
        project = self._project(path)
        if project is not None and project.members:
            return tuple(Person(member.username, member.email, member.role) for member in project.members)
        users = account.users if account is not None else ()
        return tuple(Person(user.username, user.email) for user in users)

    def _owner(self, path: str, domain_id: str, account: str, project: str | None) -> Owner:
        holder = self._project_owners.get((domain_id, project), account) if project is not None else account
        people = self._people(path, self._accounts.get((domain_id, holder.casefold())))
        return Owner(path, project if project is not None else account, project is not None, people)


def _copy(first: Affected, second: Affected) -> Affected:
    """The same object in one place more."""
    sizes = [size for size in (first.size, second.size) if size is not None]
    return replace(first, size=max(sizes, default=None), copies=first.copies + 1)


def _names_below(path: str, parent: str) -> list[str] | None:
    """Names of the domains from `parent` (exclusive) down to `path`; None when it does not lie there."""
    parts, above = path.split("/"), parent.split("/")
    if [part.casefold() for part in parts[: len(above)]] != [part.casefold() for part in above]:
        return None
    return parts[len(above) :]


def _uncomputable(of: str, why: str) -> GuardError:
    return GuardError(
        f"The blast radius of {of} cannot be computed: {why}.",
        next_step="Read CloudStack again, completely, before deciding anything about it.",
    )
