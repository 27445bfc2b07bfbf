"""When a retirement may be proposed, and what its loss list is: decided from values.

Pure, and refusing by default: from a reading that is partial, failed, old, shrunk, of another server or of a
part of the environment nothing is concluded, and that something is absent is never a reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from sync import blast
from sync.clocks import Clocks, refuse_apart
from sync.drift import compare
from sync.errors import GuardError
from sync.machine_states import GONE
from sync.model import (
    ActualInventory,
    DesiredInventory,
    Drift,
    DriftKind,
    DriftRow,
    NetworkRule,
    OwnedResource,
    Side,
    project_key,
)
from sync.radius import Affected, ObjectKind, Offering, Radius
from sync.retirement import (
    OFFERING,
    Archive,
    Evidence,
    Extract,
    Loss,
    Proposal,
    Sighting,
    Target,
)
from sync.retirement_history import History
from sync.retirement_limits import RetirementLimits

LIFETIME = timedelta(days=60)
"""How long a proposal may be signed and begun, and how long after its quarantine the VMs may be destroyed."""
APART = timedelta(minutes=10)
"""Between the two readings in which nothing but CloudStack has a project."""
MEMORY = timedelta(days=7)
"""How old the earlier of them may be."""
FRESH = timedelta(minutes=10)
"""How old a reading may be that something is based on."""
AHEAD = timedelta(minutes=5)
"""How far the clock of a reading may be ahead."""
NOT_LISTED = (
    blast.NOT_READ[0],
    "address ranges that belong to the domain may go with it and are not listed here",
)
"""What CloudStack removes besides [source], and no list of abreast has. Offerings are read here."""
IN_NEITHER = "in neither"


@dataclass(frozen=True)
class View:
    """Both sides as they were just read, and what else is decided from."""

    desired: DesiredInventory
    actual: ActualInventory
    offerings: tuple[Offering, ...]
    before: Clocks
    """What all clocks said before the sides were read,"""
    after: Clocks
    """and afterwards."""
    network: NetworkRule | None = None
    """What network every project has by default, where the environment has such a rule."""

    @cached_property
    def drift(self) -> Drift:
        """The comparison of the two, made once for all that is decided from it."""
        return compare(self.desired, self.actual, network_rule=self.network)

    @property
    def now(self) -> datetime:
        """By this machine's clock, which dates the readings."""
        return self.after.own


# --- readings -----------------------------------------------------------------------------------------------


def refuse_unfit(view: View) -> None:
    """Raises GuardError unless both sides are complete, whole, fresh, of the pinned server, agree with the
    readings before them, and all clocks agree on when that was."""
    for clocks in (view.before, view.after):
        refuse_apart(clocks)
    for side, one in ((Side.DESIRED, view.desired), (Side.ACTUAL, view.actual)):
        why = _unfit(one, view.now)
        if why:
            raise GuardError(
                f"Nothing is retired from this reading of the {side.value}: {why}.",
                next_step="Read both sides again; `abreast check` says what is missing.",
            )
    if project_key(view.desired.scope.parent) != project_key(view.actual.scope.parent):
        raise GuardError("The two sides were read for different parents: nothing is retired from that.")


def _unfit(one: DesiredInventory | ActualInventory, now: datetime) -> str:
    coverage = one.coverage
    if coverage.is_foreign:
        return "it is of another server than the environment is pinned to"
    if coverage.unrecognised:
        return f"its server could not be told from others: {coverage.unrecognised.rstrip('.')}"
    if not coverage.is_complete:
        return f"it is {coverage.state.value}: {coverage.why.rstrip('.') or 'no reason is given'}"
    if coverage.shrunk:
        return "it has shrunk: " + ", ".join(shrinkage.words for shrinkage in coverage.shrunk)
    if not coverage.agreed:
        return "it was not compared with the readings before it"
    if not one.scope.is_full:
        return "it is of some projects only"
    if not -AHEAD <= now - one.taken_at <= FRESH:
        return f"it was taken at {one.taken_at:%Y-%m-%d %H:%M} UTC, and now it is {now:%H:%M}"
    return ""


def sightings_of(view: View, keys: Iterable[str]) -> tuple[Sighting, ...]:
    """What these readings say of the projects; from unfit ones nothing. Raises GuardError."""
    refuse_unfit(view)
    return tuple(_sighting(view, key, view.drift.row(key)) for key in keys)


def _sighting(view: View, key: str, row: DriftRow | None) -> Sighting:
    kind = row.kind.value if row is not None else IN_NEITHER
    domain_id = row.view.domain_id if row is not None and row.view is not None else ""
    return Sighting(
        key, kind, domain_id, view.desired.taken_at, view.actual.taken_at, view.before.earliest,
        view.after.latest,
    )  # fmt: skip


def _earlier_sighting(now: Sighting, before: Iterable[Sighting]) -> Sighting:
    """The reading before, which says the same. Raises GuardError where there is none yet."""
    mine = [one for one in before if one.project == now.project]
    recent = [one for one in mine if _first_of(now) - _first_of(one) <= MEMORY]
    same: list[Sighting] = []
    for one in reversed(recent):
        if (one.kind, one.domain_id) != (now.kind, now.domain_id):
            break
        if one.until is not None:
            same.append(one)
    for one in same:
        if min(now.desired_at - one.desired_at, now.actual_at - one.actual_at) < APART:
            continue
        if _lay_between(one, now) >= APART:
            return one
    minutes = int(APART.total_seconds() // 60)
    since = max((_last_of(one) for one in same[-1:]), default=_last_of(now))
    raise GuardError(
        f"{now.project} has to be unexpected in two readings, at least {minutes} minutes apart; "
        f"one of them is recorded, of {since:%Y-%m-%d %H:%M} UTC.",
        next_step=f"Propose it again after {since + APART:%Y-%m-%d %H:%M:%S} UTC.",
    )


def _first_of(one: Sighting) -> datetime:
    return min(one.desired_at, one.actual_at)


def _last_of(one: Sighting) -> datetime:
    return max(one.desired_at, one.actual_at, one.until or one.desired_at)


def _lay_between(one: Sighting, other: Sighting) -> timedelta:
    """The time from one to the other by the most cautious of all clocks; none where one clock alone told."""
    if one.until is None or other.since is None:
        return timedelta(0)
    return other.since - one.until


# --- proposing ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants to propose."""

    id: str
    environment: str
    endpoint: str
    root_id: str
    author: str
    keys: tuple[str, ...]
    is_empty: bool = False
    """Whether they are to go as empty domains."""
    with_archive: bool = True
    extractable: frozenset[ObjectKind] = frozenset()
    """Kinds that can be fetched into the archive's folder."""
    why_not_extracted: str = ""
    """Why the others cannot; a note of the proposal."""
    by_hand: Mapping[str, Evidence] | None = None
    """Records that somebody signed, verified, by key of the project."""


def propose(wish: Wish, view: View, history: History, limits: RetirementLimits) -> Proposal:
    """The proposal with its whole loss list. Raises GuardError for everything that speaks against it.

    Evidence is asked for first: that something is absent is never a reason.
    """
    refuse_unfit(view)
    if not wish.keys:
        raise GuardError("No project was named.")
    if len(set(wish.keys)) > 1 and not wish.is_empty:
        raise GuardError("One project at a time is retired; only empty domains go in batches.")
    targets = tuple(_target(key, wish, view, history) for key in dict.fromkeys(wish.keys))
    archives: tuple[Archive, ...] = ()
    extracts: tuple[Extract, ...] = ()
    if wish.is_empty:
        for target in targets:
            why = not_empty(target, view.network)
            if why:
                raise GuardError(
                    f"{target.path} is no empty domain: {why}.", next_step="Retire it as a project."
                )
    elif wish.with_archive:
        archives = _archives(targets[0], view.actual)
        extracts = _extracts(targets[0], wish, view.actual)
        targets = (_with_fates(targets[0], archives, extracts),)
        if wish.why_not_extracted:
            targets = (replace(targets[0], notes=(*targets[0].notes, wish.why_not_extracted)),)
    return Proposal(
        id=wish.id,
        environment=wish.environment,
        endpoint=wish.endpoint,
        root_id=wish.root_id,
        author=wish.author,
        created_at=view.now,
        expires_at=view.now + LIFETIME,
        quarantine_days=0 if wish.is_empty else limits.quarantine_days,
        is_empty=wish.is_empty,
        targets=targets,
        archives=archives,
        extracts=extracts,
        shows_unseen=True,
    )


def _target(key: str, wish: Wish, view: View, history: History) -> Target:
    evidence = evidence_for(key, view.desired, wish.by_hand or {})
    current = history.current(key)
    if current is not None and current.steps and current.is_open(view.now):
        raise GuardError(
            f"{key} is {current.stage.value} already ({current.id}).",
            next_step=f"`abreast retire {key}` goes on with it, `--undo` takes it back.",
        )
    (now,) = sightings_of(view, [key])
    _refuse_expected(key, now, view)
    earlier = _earlier_sighting(now, history.sightings)
    row = view.drift.row(key)
    assert row is not None and row.view is not None
    path = row.view.path
    losses, radius = losses_of(path, view)
    _refuse_shared_offerings(path, losses, view)
    notes = (*(note for note in radius.notes if note not in blast.NOT_READ), *NOT_LISTED)
    return Target(key, row.view.domain_id, path, evidence, (earlier, now), losses, notes)


def evidence_for(key: str, desired: DesiredInventory, by_hand: Mapping[str, Evidence]) -> Evidence:
    """The record that the project is to go. Raises GuardError where there is none: absence is no evidence."""
    for record in desired.retired:
        if project_key(record.project) == key:
            return Evidence(record.project, record.by, record.at, record.reason)
    if key in by_hand:
        return by_hand[key]
    raise GuardError(
        f"Nothing says that {key} is to be retired. {_presence(key, desired)}",
        next_step="Enter it into the CI database's `retired`, or sign a record: "
        f"`abreast retire {key} --propose --reason … --key …`.",
    )


def _presence(key: str, desired: DesiredInventory) -> str:
    if key in desired.projects:
        return "It is one of the CI database's `projects`, and its owner takes it out there first."
    return "That it is absent from the CI database is no evidence."


def _refuse_expected(key: str, now: Sighting, view: View) -> None:
    if now.kind == DriftKind.UNEXPECTED.value:
        return
    if key in view.desired.projects:
        raise GuardError(
            f"The CI database still has the project {key}: it is not retired.",
            next_step="Its owner takes it out of `projects` first.",
        )
    raise GuardError(f"{key} is {now.kind}: only a domain that nobody else has can be retired.")


def losses_of(path: str, view: View) -> tuple[tuple[Loss, ...], Radius]:
    """Everything that goes with the domain, and the blast radius that it is taken from. Raises GuardError."""
    radius = blast.of_domain(view.actual, path, desired=view.desired)
    ids = _domain_ids(radius)
    offerings = tuple(
        Loss(OFFERING, one.id, one.name, path, path) for one in view.offerings if one.domain_ids & ids
    )
    return tuple(_loss(row) for row in radius.objects) + offerings, radius


def _domain_ids(radius: Radius) -> frozenset[str]:
    kinds = (ObjectKind.DOMAIN, ObjectKind.SUBDOMAIN)
    return frozenset(row.id for row in radius.objects if row.kind in kinds and row.id)


def _loss(row: Affected) -> Loss:
    if row.id is None:
        raise GuardError(f"CloudStack shows no id of the {row.kind.value} {row.name}: it cannot be listed.")
    return Loss(
        kind=row.kind.value,
        id=row.id,
        name=row.name,
        domain_path=row.domain_path,
        owner=row.owner.label,
        is_of_project=row.owner.is_project,
        state=row.state,
        created=row.created,
        size=row.size,
    )


def _refuse_shared_offerings(path: str, losses: Iterable[Loss], view: View) -> None:
    """An offering that lists the domain goes with it, also where others need it [source]."""
    listed = {loss.id for loss in losses if loss.kind == OFFERING}
    mine = {loss.id for loss in losses if loss.kind in (ObjectKind.DOMAIN.value, ObjectKind.SUBDOMAIN.value)}
    for one in view.offerings:
        if one.id in listed and one.domain_ids - mine:
            raise GuardError(
                f"The offering {one.name} ({one.id}) lists {path} and other domains too: CloudStack may "
                "take it from them with this domain.",
                next_step="Take the domain out of that offering first.",
            )


def not_empty(target: Target, network: NetworkRule | None) -> str:
    """Why a domain is not of the class of empty ones; nothing where it is."""
    plain = {ObjectKind.DOMAIN.value, ObjectKind.ACCOUNT.value, ObjectKind.USER.value}
    networks = target.of(ObjectKind.NETWORK)
    default = network.name_for(target.path.rpartition("/")[2]) if network is not None else ""
    rest = [loss for loss in target.losses if loss.kind not in plain and loss not in networks]
    if rest:
        return f"it has the {rest[0].kind} {rest[0].name}" + _and_more(rest)
    if any(project_key(loss.name) != project_key(default) for loss in networks) or len(networks) > 1:
        return f"it has the network {networks[0].name}, which is not what every project has"
    return ""


def _and_more(rows: Collection[object]) -> str:
    return f" and {len(rows) - 1} more" if len(rows) > 1 else ""


# --- archiving ----------------------------------------------------------------------------------------------


def _archives(target: Target, actual: ActualInventory) -> tuple[Archive, ...]:
    """The root volumes that can be kept: of VMs that will be stopped, not of those destroyed already."""
    machines = {loss.id: loss for loss in target.of(ObjectKind.VM)}
    volumes = {loss.id for loss in target.of(ObjectKind.VOLUME)}
    made = []
    for volume in actual.volumes:
        machine = machines.get(volume.details.get("virtualmachineid", ""))
        if volume.id not in volumes or machine is None or volume.details.get("type") != "ROOT":
            continue
        if machine.state.casefold() in GONE:
            continue
        name = f"retired-{machine.name}"[:200] + f"-{volume.id[:8]}"
        made.append(Archive(volume.id, machine.id, machine.name, name))
    return tuple({one.volume_id: one for one in made}.values())


def _extracts(target: Target, wish: Wish, actual: ActualInventory) -> tuple[Extract, ...]:
    """The data volumes, templates and ISOs that can be fetched: what is ready, and a volume only where it is
    no VM's root, which is made a template instead."""
    ready = {row.id for rows in (actual.templates, actual.isos) for row in rows if _is_ready(row)}
    ready |= {
        row.id
        for row in actual.volumes
        if _is_ready(row) and row.details.get("type", "").upper() == "DATADISK"
    }
    return tuple(
        Extract(loss.kind, loss.id, loss.name, _file_name(loss))
        for loss in target.of(ObjectKind.VOLUME, ObjectKind.TEMPLATE, ObjectKind.ISO)
        if ObjectKind(loss.kind) in wish.extractable and loss.id in ready
    )


def _is_ready(row: OwnedResource) -> bool:
    return row.state.casefold() in ("ready", "download complete")


def _file_name(loss: Loss) -> str:
    """Safe in every file system, told apart by the id."""
    name = "".join(one if one.isascii() and (one.isalnum() or one in "-_.") else "_" for one in loss.name)
    id = "".join(one for one in loss.id if one.isascii() and one.isalnum())
    return f"{loss.kind.casefold()}-{name[:80]}-{id[:32]}"


def _with_fates(target: Target, archives: Iterable[Archive], extracts: Iterable[Extract]) -> Target:
    kept = {(ObjectKind.VOLUME.value, one.volume_id): one.template for one in archives}
    files = {(one.kind, one.id): one.file for one in extracts}
    losses = (
        replace(loss, kept_as=files[loss.key], is_file=True)
        if loss.key in files
        else replace(loss, kept_as=kept.get(loss.key, ""))
        for loss in target.losses
    )
    return replace(target, losses=tuple(losses))
