"""What a deletion took, object by object: a capture of before against a reading of now.

Pure. An object is lost only where a complete list does not have it and nothing that still runs could be
hiding it; what was not read, or is hidden by a deletion in progress, is said to be so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from types import MappingProxyType

from sync.corpses import Ancestry, leaving
from sync.deletions import Deletion, Kind, Situation, Stage
from sync.machine_states import GOING, RECOVERABLE
from sync.model import ActualInventory, DesiredInventory, OwnedResource, Project, project_key
from sync.object_types import READ_TYPES
from sync.parts import Leaving


class Fate(Enum):
    """What became of an object; the value is the word on screen. Worst first."""

    LOST = "lost"
    DYING = "being destroyed"
    """Still there, or hidden, while CloudStack deletes its domain: nothing but stopping that saves it."""
    RECOVERABLE = "recoverable"
    UNKNOWN = "unknown"
    SURVIVES = "survives"


@dataclass(frozen=True, slots=True)
class Loss:
    """One object of before."""

    type: str
    """A name of `object_types`."""
    id: str
    name: str
    path: str
    """Of the domain that it was in."""
    owner: str
    """The account, or `Project NAME`."""
    fate: Fate
    until: datetime | None = None
    """Of a recoverable one: until when, as far as that is known."""
    why: str = ""
    """What shows it, where that is not plain."""
    size: int | None = None
    """Bytes, of what is stored."""

    @property
    def is_left_over(self) -> bool:
        """Whether nothing destroys it now, though its domain is gone."""
        return self.why in (LEFT_OVER, PERHAPS_LEFT_OVER)


@dataclass(frozen=True, slots=True)
class ProjectLosses:
    """One project, or domain below the parent."""

    key: str
    name: str
    objects: tuple[Loss, ...]

    def counts(self) -> Mapping[str, Mapping[Fate, int]]:
        """Type → fate → how many; only what there was."""
        found: dict[str, Counter[Fate]] = {}
        for one in self.objects:
            found.setdefault(one.type, Counter())[one.fate] += 1
        return found

    def of(self, fate: Fate) -> tuple[Loss, ...]:
        return tuple(one for one in self.objects if one.fate is fate)


@dataclass(frozen=True, slots=True)
class LossLedger:
    """All that was there before, with what became of it."""

    before: datetime | None
    """When it was seen last; None without a capture."""
    now: datetime
    projects: tuple[ProjectLosses, ...]
    """Those that lost most first."""
    blind: tuple[str, ...] = ()
    """What this ledger cannot know, in whole sentences."""

    @property
    def objects(self) -> Iterator[Loss]:
        for project in self.projects:
            yield from project.objects

    def of(self, fate: Fate) -> tuple[Loss, ...]:
        return tuple(one for one in self.objects if one.fate is fate)

    def counts(self) -> Mapping[str, Mapping[Fate, int]]:
        """Type → fate → how many, over all projects, in the order of the table of types."""
        return counts_of(self.projects)


def counts_of(projects: Iterable[ProjectLosses]) -> Mapping[str, Mapping[Fate, int]]:
    """Type → fate → how many, over these projects, in the order of the table of types."""
    found: dict[str, Counter[Fate]] = {one.name: Counter() for one in READ_TYPES}
    for project in projects:
        for loss in project.objects:
            found[loss.type][loss.fate] += 1
    return {name: counter for name, counter in found.items() if counter}


@dataclass(frozen=True, slots=True)
class Expunging:
    """What is known of the time that Destroyed VMs have left."""

    delay: timedelta | None = None
    """`expunge.delay` as the server has it in force; None where it could not be read."""
    destroyed_at: Mapping[str, datetime] = field(default_factory=lambda: MappingProxyType({}))
    """By VM id, from CloudStack's events."""

    @classmethod
    def of(cls, delay: float | None, destroyed_at: Mapping[str, datetime]) -> Expunging:
        """From what was read: the delay in seconds."""
        return cls(timedelta(seconds=delay) if delay is not None else None, destroyed_at)

    def until(self, vm_id: str) -> datetime | None:
        at = self.destroyed_at.get(vm_id)
        return None if at is None or self.delay is None else at + self.delay


# --- against a capture --------------------------------------------------------------------------------------

LEFT_OVER = "left over: the deletion of its domain was cut off"
PERHAPS_LEFT_OVER = "hidden: the deletion of its domain was cut off"
"""Of what is DYING all the same: CloudStack may take it up again at any time."""
_ADDRESSES = "listPublicIpAddresses"
_CUT_OFF = (
    "What is left of a domain whose deletion was cut off is told as being destroyed, though no deletion runs "
    "now: CloudStack may take it up again, or leave it as it is."
)
_LISTS = {
    "domain": "listDomains",
    "account": "listAccounts",
    "user": "listUsers",
    "VM": "listVirtualMachines",
    "volume": "listVolumes",
    "snapshot": "listSnapshots",
    "template": "listTemplates",
    "ISO": "listIsos",
    "network": "listNetworks",
    "public address": _ADDRESSES,
    "CloudStack Project": "listProjects",
}
_SHOWN_TO_THE_END = frozenset({"VM", "snapshot"})
"""Types whose lists go on showing what is in a domain that is being deleted (measured on 4.18 and 4.23)."""


def loss_ledger(
    before: ActualInventory,
    now: ActualInventory,
    *,
    expunging: Expunging | None = None,
    deleted: Collection[str] = (),
) -> LossLedger:
    """Every object of `before` that is below its parent domain, with its fate by what `now` shows.

    Both must be of one scope; what came after the capture is in neither column. `deleted` has the ids of
    domains whose deletion is known to have ended; of others that are not listed it may still be going on,
    while any deletion runs.
    """
    judge = _Judge(now, expunging or Expunging(), deleted=_with_those_below(deleted, before))
    parent = before.scope.parent
    by_project: dict[str, list[Loss]] = {}
    names: dict[str, str] = {}
    for one in _objects(before):
        name = _below(one.path, parent)
        if name:
            key = project_key(name)
            names.setdefault(key, name)
            by_project.setdefault(key, []).append(judge.judged(one))
    projects = [ProjectLosses(key, names[key], tuple(found)) for key, found in by_project.items()]
    left_over = any(one.is_left_over for project in projects for one in project.objects)
    return LossLedger(
        before=before.taken_at,
        now=now.taken_at,
        projects=tuple(sorted(projects, key=_most_lost_first)),
        blind=(*([_CUT_OFF] if left_over else []), *_blindness(before, now)),
    )


@dataclass(frozen=True, slots=True)
class _Object:
    type: str
    id: str
    name: str
    path: str
    domain_id: str
    owner: str
    account_id: str = ""
    size: int | None = None


def _objects(inventory: ActualInventory) -> Iterator[_Object]:
    """Everything that an inventory has one by one."""
    paths = {domain.id: domain.path for domain in inventory.domains}
    for domain in inventory.domains:
        yield _Object("domain", domain.id, domain.name, domain.path, domain.id, "")
    for account in inventory.accounts:
        path, domain_id = paths.get(account.domain_id, ""), account.domain_id
        yield _Object("account", account.id, account.name, path, domain_id, account.name)
        for user in account.users:
            yield _Object("user", user.id, user.username, path, domain_id, account.name, account.id)
    for vm in inventory.vms:
        owner = _owner(vm.project, vm.account)
        yield _Object("VM", vm.id, vm.name, vm.domain_path, vm.domain_id, owner)
    for type_name, owned in _stored(inventory):
        for one in owned:
            owner = _owner(one.project, one.account)
            yield _Object(type_name, one.id, one.name, one.domain_path, one.domain_id, owner, size=one.size)


def _stored(inventory: ActualInventory) -> tuple[tuple[str, tuple[OwnedResource, ...]], ...]:
    return (
        ("volume", inventory.volumes),
        ("snapshot", inventory.snapshots),
        ("template", inventory.templates),
        ("ISO", inventory.isos),
        ("network", inventory.networks),
        ("public address", inventory.public_addresses),
        ("CloudStack Project", inventory.projects),
    )


def _owner(project: str | None, account: str | None) -> str:
    return f"Project {project}" if project else account or ""


_USERS_AGE = timedelta(minutes=2)
"""A list of users that is older tells nothing of now: a console reads them once a minute."""


class _Judge:
    """Says of single objects what a reading shows of them."""

    def __init__(self, now: ActualInventory, expunging: Expunging, *, deleted: frozenset[str]) -> None:
        self._now = now
        self._deleted = deleted
        self._expunging = expunging
        self._there = {(one.type, one.id) for one in _objects(now)}
        self._domains = {domain.id for domain in now.domains}
        self._accounts = {(account.domain_id, account.name.casefold()) for account in now.accounts}
        self._vm_states = {vm.id: vm.state.casefold() for vm in now.vms}
        self._read = {proof.name.split(" ")[0] for proof in now.coverage.lists if not proof.problem}
        self._remains = {
            *(vm.domain_id for vm in now.vms),
            *(one.domain_id for _, owned in _stored(now) for one in owned),
        }
        self._may_delete = now.jobs is None or any("DeleteDomain" in job.command for job in now.jobs)

    def judged(self, one: _Object) -> Loss:
        fate, why = self._fate(one)
        until = self._expunging.until(one.id) if fate is Fate.RECOVERABLE else None
        return Loss(one.type, one.id, one.name, one.path, one.owner, fate, until, why, one.size)

    def _fate(self, one: _Object) -> tuple[Fate, str]:
        is_read = _LISTS[one.type] in self._read if one.type != "user" else self._tells_of(one)
        if not is_read:
            return Fate.UNKNOWN, f"{_LISTS[one.type]} was not read this time"
        if (one.type, one.id) in self._there:
            return self._fate_of_what_is_there(one)
        if not self._now.coverage.is_complete:
            return Fate.UNKNOWN, "CloudStack was not read completely"
        if one.type not in _SHOWN_TO_THE_END and self._is_hidden(one.domain_id):
            running = "hidden while its domain is being deleted"
            return Fate.DYING, running if self._may_delete else PERHAPS_LEFT_OVER
        return Fate.LOST, ""

    def _fate_of_what_is_there(self, one: _Object) -> tuple[Fate, str]:
        if one.domain_id not in self._domains and self._now.coverage.is_complete:
            running = "there still, in a domain that is being deleted"
            return Fate.DYING, running if self._may_delete else LEFT_OVER
        state = self._vm_states.get(one.id, "") if one.type == "VM" else ""
        if state in GOING:
            return Fate.DYING, f"CloudStack says {state}"
        if state in RECOVERABLE:
            if one.owner.startswith("Project ") or self._has_account(one):
                return Fate.RECOVERABLE, "Destroyed, and its account is there"
            return Fate.DYING, "Destroyed, and its account is gone"
        return Fate.SURVIVES, ""

    def _has_account(self, one: _Object) -> bool:
        return (one.domain_id, one.owner.casefold()) in self._accounts

    def _tells_of(self, user: _Object) -> bool:
        """Whether the reading knows of a user: users are read less often than accounts, and go with them."""
        if "listAccounts" in self._read and ("account", user.account_id) not in self._there:
            return True
        taken_at = self._now.users_taken_at
        return taken_at is not None and taken_at >= self._now.taken_at - _USERS_AGE

    def _is_hidden(self, domain_id: str) -> bool:
        """Whether the domain may be Inactive, which hides it and what is in it, rather than gone."""
        if domain_id in self._domains:
            return False
        if domain_id in self._remains:
            return True
        return self._may_delete and domain_id not in self._deleted


def _with_those_below(deleted: Collection[str], before: ActualInventory) -> frozenset[str]:
    """A domain's deletion is that of the domains below it, too."""
    found = set(deleted)
    for domain in sorted(before.domains, key=lambda one: one.level):
        if domain.parent_id in found:
            found.add(domain.id)
    return frozenset(found)


def _below(path: str, parent: str) -> str:
    """The name right below the parent, which is the project's; empty for what is not below it."""
    prefix = f"{parent}/".casefold()
    return path[len(prefix) :].split("/")[0] if path.casefold().startswith(prefix) else ""


def _most_lost_first(project: ProjectLosses) -> tuple[int, int, str]:
    return (-len(project.of(Fate.LOST)), -len(project.of(Fate.DYING)), project.key)


def _blindness(before: ActualInventory, now: ActualInventory) -> Iterator[str]:
    if not before.coverage.is_complete:
        yield f"The capture itself is not complete: {before.coverage.why}"
    elif not any(proof.name.startswith(_ADDRESSES) for proof in before.coverage.lists):
        yield "The capture has no public addresses: an older abreast made it, or none of them was read."
    if not now.coverage.is_complete:
        yield f"CloudStack was not read completely now, so what is not seen is not lost: {now.coverage.why}"
    yield "What was made after the capture and destroyed since is not in it."
    yield "Rules, keys, schedules and settings are named as types only; no capture has them one by one."


# --- without a capture --------------------------------------------------------------------------------------


def losses_without_capture(
    desired: DesiredInventory,
    now: ActualInventory,
    situation: Situation | None = None,
    *,
    made: Collection[str] = (),
) -> LossLedger:
    """What the CI database and CloudStack's events alone can tell: projects, members, the VMs that agents
    name, and domains that were deleted and that the CI database does not know.

    Names only: whether a VM of the right name is the one of before, nobody knows. Snapshots, templates, data
    volumes, addresses and VMs without an agent are not in it at all. `made` has the ids of what was made
    since, by the ledger (domains, accounts, users, VMs): of before that is not, whatever its name.
    """
    teller = _Teller(desired, now, situation, frozenset(made))
    projects = [teller.project(key, project) for key, project in desired.projects.items()]
    strangers = list(teller.strangers())
    return LossLedger(
        before=None,
        now=now.taken_at,
        projects=tuple(sorted([*projects, *strangers], key=_most_lost_first)),
        blind=(
            "There is no capture: only projects, members and VMs named by the CI database's agents are told.",
            "Snapshots, templates, ISOs, data volumes, networks, public addresses and other VMs are not in "
            "this list at all.",
            "A VM that is there by name may be another than the one of before.",
            _events_words(situation, len(strangers)),
        ),
    )


class _Teller:
    """Says of what the CI database names whether it is there."""

    def __init__(
        self,
        desired: DesiredInventory,
        now: ActualInventory,
        situation: Situation | None,
        made: frozenset[str],
    ) -> None:
        self._desired, self._now, self._situation, self._made = desired, now, situation, made
        self._is_known = now.coverage.is_complete and desired.coverage.is_complete
        parent = desired.scope.parent
        self._domains = {
            project_key(domain.name): domain
            for domain in now.domains
            if domain.path.rpartition("/")[0].casefold() == parent.casefold() and domain.id not in made
        }
        listed = {domain.id for domain in now.domains}
        self._left = leaving(desired.projects, now.vms, listed=listed, parent=parent)
        self._may_delete = now.jobs is None or any(job.deletes_domain for job in now.jobs)
        self._ancestry = Ancestry(desired.projects)
        self._gone = {self._key_of(one) for one in _deleted(situation)}

    def project(self, key: str, project: Project) -> ProjectLosses:
        domain = self._domains.get(key)
        path = domain.path if domain is not None else f"{self._desired.scope.parent}/{project.name}"
        ids = {domain.id} if domain is not None else set()
        users = {
            user.username.casefold()
            for account in self._now.accounts
            if account.domain_id in ids and account.id not in self._made
            for user in account.users
            if user.id not in self._made
        }
        vms = {vm.name.casefold() for vm in self._now.vms if vm.domain_id in ids and vm.id not in self._made}
        wanted: list[tuple[str, str, bool]] = [("domain", project.name, domain is not None)]
        wanted += [("user", one.username, one.username.casefold() in users) for one in project.members]
        wanted += [
            ("VM", agent.vm, agent.vm.casefold() in vms) for agent in project.agents if agent.vm is not None
        ]
        old = Leaving(self._left.get(key, ()))
        dying = {agent.vm for agent in project.agents if old.of(agent) is not None}
        is_hidden = domain is None and key not in self._gone and (self._may_delete or key in self._left)
        objects = tuple(
            Loss(
                type_name,
                "",
                name,
                path,
                project.name,
                *self._fate(
                    is_there=is_there,
                    is_dying=name in dying if type_name == "VM" else is_hidden,
                ),
            )
            for type_name, name, is_there in wanted
        )
        return ProjectLosses(key, project.name, objects)

    def _fate(self, *, is_there: bool, is_dying: bool) -> tuple[Fate, None, str]:
        if is_there:
            return Fate.SURVIVES, None, ""
        if not self._is_known:
            return Fate.UNKNOWN, None, "one of the two sides was not read completely"
        if is_dying:
            return Fate.DYING, None, "a deletion runs, and hides what it has not destroyed yet"
        return Fate.LOST, None, ""

    def strangers(self) -> Iterator[ProjectLosses]:
        """Domains right below the parent that events say were deleted and the CI database does not know."""
        parent = self._desired.scope.parent
        for one in _deleted(self._situation):
            key = self._key_of(one)
            if not key or key in self._desired.projects or key in self._domains:
                continue
            path = one.path or f"{parent}/{one.name}"
            why = "CloudStack's events say that it was deleted" + (f" by {one.by}" if one.by else "")
            loss = Loss("domain", one.target_id, one.name, path, "", Fate.LOST, None, why)
            yield ProjectLosses(key, one.name, (loss,))

    def _key_of(self, deletion: Deletion) -> str:
        """Of a domain right below the parent, under the name that it had before it made room for another;
        empty for one that lies deeper or elsewhere."""
        parent = self._desired.scope.parent
        path = deletion.path or f"{parent}/{deletion.name}"
        above, _, name = path.rpartition("/")
        if above.casefold() != parent.casefold():
            return ""
        return self._ancestry.project_of(name, deletion.target_id) or project_key(name)


def _deleted(situation: Situation | None) -> tuple[Deletion, ...]:
    found = situation.of(Stage.ENDED) if situation is not None else ()
    return tuple(one for one in found if one.kind is Kind.DOMAIN)


def _events_words(situation: Situation | None, strangers: int) -> str:
    if situation is None:
        return "CloudStack's events were not read: a deleted domain that the CI database lacks is not told."
    if not strangers:
        return "CloudStack's events tell of no deleted domain that the CI database lacks."
    number = "one deleted domain" if strangers == 1 else f"{strangers} deleted domains"
    return f"CloudStack's events tell of {number} that the CI database lacks, and nothing of what was in it."


def totals(losses: Iterable[Loss]) -> Mapping[Fate, int]:
    """How many of each fate."""
    return Counter(one.fate for one in losses)


def fate_totals(ledger: LossLedger) -> dict[str, int]:
    """Word of a fate → how many objects; what survives last."""
    found = totals(ledger.objects)
    return {fate.value: found.get(fate, 0) for fate in Fate}
