"""What repairs a row of drift: creations, updates and enabling, each with its reason and its precondition.

Pure. No deletion, nothing for what is unknown or unexpected, nothing for what only its owner may decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sync.corpses import corpse_name
from sync.model import (
    RESOURCE_TYPES,
    Account,
    Action,
    ActionKind,
    Drift,
    DriftKind,
    DriftRow,
    Member,
    NetworkRule,
    Part,
    Project,
    Reversibility,
    Subject,
    User,
)
from sync.parts import (
    held_usernames,
    is_blocked,
    is_enabled,
    is_missing_parent,
    limit_words,
    name_key,
    own_account,
    usable_members,
)

_NOT_THERE: Mapping[str, str | None] = {"exists": "no"}
_NEVER_REPAIRED = frozenset({DriftKind.UNEXPECTED, DriftKind.UNKNOWN, DriftKind.IN_SYNC})
_BY_HAND = "No undoing deletes: a person takes it back with CloudStack's own "
_UNDO_DOMAIN = f"{_BY_HAND}deleteDomain without clean-up, while it is empty."
_UNDO_ACCOUNT = f"{_BY_HAND}deleteAccount, while it owns nothing."
_UNDO_USER = f"Disable the user. {_BY_HAND}deleteUser."
_UNDO_NETWORK = f"{_BY_HAND}deleteNetwork, while no VM is in it."


@dataclass(frozen=True, slots=True)
class PlanRules:
    """What an environment's configuration says about what is created."""

    parent: str = "ROOT/ci"
    roles: Mapping[str, str] = field(default_factory=dict)
    """The CI database's role of the first member → name of the account's role in CloudStack."""
    network: NetworkRule | None = None
    default_role: str = "User"
    ranges: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """`ROOT/ci/dune/dune-net`, in lower case → gateway and netmask that the network had. Without, CloudStack
    gives it the zone's."""
    retiring: frozenset[str] | None = frozenset()
    """Keys of the projects whose retirement is open: enabling anything of them would lift their quarantine.
    None where that is not known; then nothing is enabled at all."""

    def may_enable(self, key: str) -> bool:
        return self.retiring is not None and key not in self.retiring

    def role_for(self, member: Member) -> str:
        return self.roles.get(member.role, self.default_role)


def repairs(row: DriftRow, *, rules: PlanRules, now: datetime) -> tuple[Action, ...]:
    """All repairs of one row in an order that may be executed; empty where there is none.

    Parameters are CloudStack's own names and values, and names in place of ids: `domain` and `parentdomain`
    are paths, `role`, `offering` and `zone` are names. Preconditions are the observed `exists`, `listed`,
    `name`, `networkdomain`, `state`, `email`, `firstname`, `lastname`, `max`; of what the plan makes first,
    nothing was observed. A missing parent comes first, with an empty project: `plan.build` keeps one of it.
    A user is not enabled while its account is not, because `enableUser` would enable the account too, and
    nothing is while a retirement is open.
    """
    project = row.project
    if project is None or project.problem or row.kind in _NEVER_REPAIRED or is_blocked(row):
        return ()
    return _Repair(row, project, rules, now).actions()


def is_repairable(row: DriftRow, rules: PlanRules) -> bool:
    """Whether any action repairs something of the row."""
    return bool(repairs(row, rules=rules, now=_ANY_TIME))


def repairable(drift: Drift, rules: PlanRules) -> tuple[DriftRow, ...]:
    """The rows that any action repairs something of, in the order of the drift."""
    if not (drift.desired.is_complete and drift.actual.is_complete):
        return ()
    return tuple(row for row in drift.rows if is_repairable(row, rules))


_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class _Repair:
    """Collects the actions of one row."""

    def __init__(self, row: DriftRow, project: Project, rules: PlanRules, now: datetime) -> None:
        self.row = row
        self.project = project
        self.rules = rules
        self.now = now
        self.view = row.view
        self.differences: dict[tuple[Subject, str, str], Part] = {
            (part.subject, name_key(part.name), part.field): part for part in row.differences
        }
        missing_parent = next((part.name for part in row.parts if is_missing_parent(part)), None)
        self.is_parent_missing = missing_parent is not None
        self.parent = missing_parent or rules.parent
        self.path = self.view.path if self.view is not None else f"{self.parent}/{project.name.strip()}"
        self.made: list[Action] = []

    def actions(self) -> tuple[Action, ...]:
        """The recipe."""
        domain = self._update_domain() if self.view is not None else self._create_domain()
        account, account_name = self._account(domain)
        self._limits(domain)
        if account_name:
            self._network(account, account_name)
        return tuple(self.made)

    def _add(
        self,
        kind: ActionKind,
        target: str,
        *,
        reason: str,
        undo: str,
        parameters: Mapping[str, str] | None = None,
        precondition: Mapping[str, str | None] | None = None,
        target_id: str | None = None,
        needs: Sequence[str] = (),
        project: str | None = None,
    ) -> tuple[str, ...]:
        """Add one action; returns its id as what others may need."""
        action = Action(
            kind=kind,
            project=self.row.key if project is None else project,
            target=target,
            target_id=target_id,
            parameters=dict(parameters or {}),
            precondition=dict(precondition or {}),
            reason=reason,
            reversibility=Reversibility.UNDOABLE,
            needs=tuple(needs),
            undo=undo,
        )
        self.made.append(action)
        return (action.id,)

    def _differs(self, subject: Subject, name: str = "", field: str = "") -> bool:
        return (subject, name_key(name), field) in self.differences

    # --- domain -------------------------------------------------------------------------------------------

    def _update_domain(self) -> tuple[str, ...]:
        part = self.differences.get((Subject.NETWORK_DOMAIN, "", "networkdomain"))
        if part is None or self.view is None:
            return ()
        self._add(
            ActionKind.UPDATE_DOMAIN,
            self.path,
            target_id=self.view.domain_id,
            parameters={"networkdomain": part.desired or ""},
            precondition={"networkdomain": part.actual},
            reason=f"The CI database has the network domain {part.desired}, not {part.actual or 'none'}.",
            undo=f"Set the network domain back to {part.actual or 'none'}.",
        )
        return ()

    def _create_domain(self) -> tuple[str, ...]:
        needs = self._create_parent() if self.is_parent_missing else self._rename_corpse()
        parameters = {"name": self.project.name.strip(), "parentdomain": self.parent}
        if self.project.network_domain:
            parameters["networkdomain"] = self.project.network_domain
        return self._add(
            ActionKind.CREATE_DOMAIN,
            self.path,
            parameters=parameters,
            precondition=_NOT_THERE,
            reason=f"The CI database has the project {self.project.name}, CloudStack has no domain for it.",
            needs=needs,
            undo=_UNDO_DOMAIN,
        )

    def _create_parent(self) -> tuple[str, ...]:
        above, _, name = self.parent.rpartition("/")
        return self._add(
            ActionKind.CREATE_DOMAIN,
            self.parent,
            parameters={"name": name, "parentdomain": above},
            precondition=_NOT_THERE,
            reason=f"{self.parent} itself does not exist; every project's domain lies below it.",
            project="",
            undo=_UNDO_DOMAIN,
        )

    def _rename_corpse(self) -> tuple[str, ...]:
        """A dying domain holds its name while it lasts (measured on 4.23): it is renamed, not awaited. So may
        one whose deletion was cut off, until the clean-up comes by, whether VMs of it are left or its event
        alone tells of it; where its row is gone the rename is skipped."""
        dying = self.row.dying
        if dying is None or not dying.domain_id:
            return ()
        name = dying.path.rpartition("/")[2]
        why = (
            f"CloudStack is deleting the old domain {name}, which holds the name until it is gone."
            if self.row.kind is DriftKind.DELETING
            else f"What is left of the old domain {name} may hold the name until CloudStack has cleaned up."
        )
        return self._add(
            ActionKind.RENAME_DOMAIN,
            dying.path,
            target_id=dying.domain_id,
            parameters={"name": corpse_name(name, dying.domain_id, self.now)},
            precondition={"listed": "no", "name": name},
            reason=why,
            undo=f"Rename it back to {name}, while nothing else has that name.",
        )

    # --- account and users --------------------------------------------------------------------------------

    def _account(self, domain: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        """Account and users; returns what needs the account, and its name where it can be worked in."""
        account = own_account(self.view, self.project) if self.view is not None else None
        held = held_usernames(self.view, self.project) if self.view is not None else {}
        members = [member for member in usable_members(self.project) if name_key(member.username) not in held]
        if account is None:
            if not members:
                return (), ""
            return self._create_account(members, domain), self.project.name.strip()
        ready: tuple[str, ...] = ()
        may_enable = self.project.enabled and self.rules.may_enable(self.row.key)
        if may_enable and self._differs(Subject.ACCOUNT, account.name, "state"):
            ready = self._enable_account(account)
        self._users(members, account)
        is_usable = is_enabled(account.state) or bool(ready)
        return ready, account.name if is_usable else ""

    def _create_account(self, members: Sequence[Member], domain: tuple[str, ...]) -> tuple[str, ...]:
        first, name = members[0], self.project.name.strip()
        made = self._add(
            ActionKind.CREATE_ACCOUNT,
            f"{self.path}:{name}",
            parameters={
                "account": name,
                "domain": self.path,
                "role": self.rules.role_for(first),
                **_person(first),
            },
            precondition=_NOT_THERE,
            reason=f"The project has no account; its first member {first.username} comes with it.",
            needs=domain,
            undo=_UNDO_ACCOUNT,
        )
        self._disable_created(first, name, made)
        for member in members[1:]:
            self._create_user(member, name, made)
        return made

    def _enable_account(self, account: Account) -> tuple[str, ...]:
        return self._add(
            ActionKind.ENABLE_ACCOUNT,
            f"{self.path}:{account.name}",
            target_id=account.id,
            precondition={"state": account.state.casefold()},
            reason=f"The CI database has the project enabled, its account is {account.state}.",
            undo="Disable the account in CloudStack, which stops its VMs.",
        )

    def _users(self, members: Sequence[Member], account: Account) -> None:
        users = {name_key(user.username): user for user in account.users}
        for member in members:
            user = users.get(name_key(member.username))
            if user is None:
                self._create_user(member, account.name, ())
                continue
            target = f"{self.path}:{account.name}:{user.username}"
            self._update_user(member, user, target)
            if self._differs(Subject.USER, user.username, "state"):
                self._switch_user(member, user, target, is_account_enabled=is_enabled(account.state))

    def _create_user(self, member: Member, account: str, needs: tuple[str, ...]) -> None:
        made = self._add(
            ActionKind.CREATE_USER,
            f"{self.path}:{account}:{member.username}",
            parameters={"account": account, "domain": self.path, **_person(member)},
            precondition=_NOT_THERE,
            reason=f"The CI database has the member {member.username}, the account has no such user.",
            needs=needs,
            undo=_UNDO_USER,
        )
        self._disable_created(member, account, made)

    def _disable_created(self, member: Member, account: str, made: tuple[str, ...]) -> None:
        if member.enabled:
            return
        self._add(
            ActionKind.DISABLE_USER,
            f"{self.path}:{account}:{member.username}",
            precondition={"state": "enabled"},
            reason=f"The CI database has {member.username} disabled; a created user is enabled.",
            needs=made,
            undo="Enable the user.",
        )

    def _update_user(self, member: Member, user: User, target: str) -> None:
        fields = [
            name
            for name in ("email", "firstname", "lastname")
            if self._differs(Subject.USER, user.username, name)
        ]
        if not fields or user.source.casefold() != "native":
            return
        old = ", ".join(f"{name} to {getattr(user, name) or 'none'}" for name in fields)
        self._add(
            ActionKind.UPDATE_USER,
            target,
            target_id=user.id,
            parameters={name: getattr(member, name) for name in fields},
            precondition={name: getattr(user, name) for name in fields},
            reason=f"The CI database has another {' and another '.join(fields)} for {user.username}.",
            undo=f"Set {old} again.",
        )

    def _switch_user(self, member: Member, user: User, target: str, *, is_account_enabled: bool) -> None:
        if member.enabled and not (is_account_enabled and self.rules.may_enable(self.row.key)):
            return
        kind = ActionKind.ENABLE_USER if member.enabled else ActionKind.DISABLE_USER
        wanted = "enabled" if member.enabled else "disabled"
        self._add(
            kind,
            target,
            target_id=user.id,
            precondition={"state": user.state.casefold()},
            reason=f"The CI database has {user.username} {wanted}, CloudStack has the user {user.state}.",
            undo=f"{'Disable' if member.enabled else 'Enable'} the user again.",
        )

    # --- limits and network -------------------------------------------------------------------------------

    def _limits(self, domain: tuple[str, ...]) -> None:
        for resource, maximum in sorted(self.project.quotas.items()):
            if resource not in RESOURCE_TYPES:
                continue
            part = self.differences.get((Subject.LIMIT, name_key(resource), "max"))
            if part is None or part.kind is DriftKind.UNKNOWN:
                continue
            observed = self._observed_limit(resource)
            was = "what a new domain has" if observed is None else limit_words(observed)
            self._add(
                ActionKind.UPDATE_LIMIT,
                f"{self.path}#{resource}",
                target_id=self.view.domain_id if self.view is not None else None,
                parameters={
                    "domain": self.path,
                    "resourcetype": str(RESOURCE_TYPES[resource]),
                    "max": str(maximum),
                },
                precondition={} if observed is None else {"max": str(observed)},
                reason=f"The CI database has the {resource} limit {limit_words(maximum)}, CloudStack {was}.",
                needs=domain,
                undo=f"Set the {resource} limit back to {was}.",
            )

    def _observed_limit(self, resource: str) -> int | None:
        domain = self.view.domain if self.view is not None else None
        return None if domain is None or domain.limits is None else domain.limits.get(resource)

    def _network(self, account: tuple[str, ...], account_name: str) -> None:
        rule = self.rules.network
        if rule is None or not self._differs(Subject.NETWORK, rule.name_for(self.project.name)):
            return
        name = rule.name_for(self.project.name)
        target = f"{self.path}/{name}"
        gateway, netmask = self.rules.ranges.get(target.casefold(), ("", ""))
        self._add(
            ActionKind.CREATE_NETWORK,
            target,
            parameters={
                "name": name,
                "account": account_name,
                "domain": self.path,
                "offering": rule.offering,
                "zone": rule.zone,
                **({"gateway": gateway, "netmask": netmask} if gateway else {}),
            },
            precondition=_NOT_THERE,
            reason=f"Every project has a network of its own; {self.project.name} has no {name}.",
            needs=account,
            undo=_UNDO_NETWORK,
        )


def _person(member: Member) -> dict[str, str]:
    return {
        "username": member.username,
        "email": member.email,
        "firstname": member.firstname,
        "lastname": member.lastname,
    }
