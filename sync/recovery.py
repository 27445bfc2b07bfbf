"""Recovery after a mass deletion: what is there to rebuild, the plan that does it, and the proof at the end.

Pure. Rebuilds from the CI database alone: what only CloudStack had (VMs, templates) is listed as lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sync import plan as plans
from sync.drift import Loss, losses
from sync.errors import GuardError, UsageError
from sync.hollow import is_emptied
from sync.model import Action, Drift, DriftKind, DriftRow, Plan, Subject
from sync.parts import alive
from sync.plan import PlanRules

REBUILT: tuple[DriftKind, ...] = (
    DriftKind.DELETING,
    DriftKind.HOLLOW,
    DriftKind.MISSING,
    DriftKind.ORPHANED,
)
"""Kinds of rows that a rebuild takes up by itself, worst first; others only when they are named."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One project or domain, and what a rebuild would do about it."""

    key: str
    name: str
    kind: DriftKind
    actions: tuple[Action, ...]
    """Empty where nothing can be done from here."""
    reason: str
    """One sentence: why this kind."""
    machines_alive: int = 0
    """VMs that still exist in it, in a dying domain too."""
    machines_lost: int = 0
    """Machines of the CI database whose VM is gone."""
    is_emptied: bool = False
    """Whether it has its accounts and lost its VMs and templates: a restore makes again what can be."""
    is_half_made: bool = False
    """Whether it is there and differs where a rebuild began it and did not do everything."""
    has_project: bool = True
    """Whether the CI database knows it; a dying domain that it does not know is left to die."""

    @property
    def is_proposed(self) -> bool:
        """Whether a rebuild of everything takes it up."""
        return self.kind in REBUILT or self.is_half_made


@dataclass(frozen=True, slots=True)
class StaleId:
    """An id that the CI database stores and CloudStack no longer has under that name."""

    key: str
    project: str
    stored: str
    current: str


@dataclass(frozen=True, slots=True)
class StoredIds:
    """How the ids stand that the CI database stores."""

    alive: frozenset[str]
    """Keys of the projects whose domain has the id that is stored."""
    stale: tuple[StaleId, ...]
    """Of projects whose domain has another one."""
    gone: tuple[str, ...]
    """Names of projects that store an id and have no domain."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """The extent of the damage, as far as both sides tell."""

    missing: tuple[Finding, ...]
    hollow: tuple[Finding, ...]
    dying: tuple[Finding, ...]
    """Being deleted by CloudStack now; those with a project are renamed out of the way."""
    orphaned: tuple[Finding, ...]
    half_made: tuple[Finding, ...]
    """There, and differing where an earlier rebuild did not do all that it was to do."""
    differing: tuple[Finding, ...]
    """There, with repairable differences: left alone unless chosen."""
    emptied: tuple[Finding, ...]
    """Hollow, with nothing to rebuild: what is gone of them was in captures alone."""
    for_people: tuple[Finding, ...]
    """Nothing is done about these: unexpected, unknown, left to die, or with a problem in the CI database."""
    in_sync: int
    losses: tuple[Loss, ...]
    unproven: str
    """Why nothing may be planned from these readings; empty when something may."""
    actual_taken_at: datetime
    stored: StoredIds

    @property
    def to_rebuild(self) -> tuple[Finding, ...]:
        """What a rebuild of everything takes up, worst first."""
        groups = (self.dying, self.hollow, self.missing, self.orphaned, self.half_made)
        return tuple(finding for group in groups for finding in group)

    @property
    def stuck(self) -> tuple[Finding, ...]:
        """Projects that are not there as they should be and that nothing here can rebuild."""
        return tuple(one for one in self.for_people if one.kind in REBUILT and one.has_project)

    @property
    def projects(self) -> int:
        """All rows that were looked at."""
        groups = (
            self.missing,
            self.hollow,
            self.dying,
            self.orphaned,
            self.half_made,
            self.differing,
            self.emptied,
            self.for_people,
        )
        return self.in_sync + sum(map(len, groups))


def assess(
    drift: Drift, rules: PlanRules, *, now: datetime, left: Collection[str] = frozenset()
) -> Assessment:
    """Group all rows by what happened to them and what a rebuild would do; `left` are the keys of what
    earlier rebuilds began and did not make whole."""
    rows = (row for row in drift.rows if row.kind is not DriftKind.IN_SYNC)
    findings = [_finding(row, rules, now, left=left) for row in rows]

    def of(kind: DriftKind) -> tuple[Finding, ...]:
        return tuple(finding for finding in findings if finding.kind is kind and finding.actions)

    grouped = {finding.key for kind in (*REBUILT, DriftKind.DIFFERS) for finding in of(kind)}
    rest = [one for one in findings if one.key not in grouped]
    return Assessment(
        missing=of(DriftKind.MISSING),
        hollow=of(DriftKind.HOLLOW),
        dying=of(DriftKind.DELETING),
        orphaned=of(DriftKind.ORPHANED),
        half_made=tuple(one for one in of(DriftKind.DIFFERS) if one.is_half_made),
        differing=tuple(one for one in of(DriftKind.DIFFERS) if not one.is_half_made),
        emptied=tuple(one for one in rest if one.is_emptied),
        for_people=tuple(one for one in rest if not one.is_emptied),
        in_sync=drift.counts()[DriftKind.IN_SYNC],
        losses=losses(drift),
        unproven=_unproven(drift),
        actual_taken_at=drift.actual_taken_at,
        stored=stored_ids(drift),
    )


def _finding(row: DriftRow, rules: PlanRules, now: datetime, *, left: Collection[str]) -> Finding:
    views = [view for view in (row.view, row.dying) if view is not None]
    return Finding(
        key=row.key,
        name=row.name,
        kind=row.kind,
        actions=plans.repairs(row, rules=rules, now=now),
        reason=row.reason,
        machines_alive=sum(len(alive(view.vms)) for view in views),
        machines_lost=len(row.losses),
        is_emptied=is_emptied(row),
        is_half_made=row.kind is DriftKind.DIFFERS and row.key in left,
        has_project=row.project is not None,
    )


def _unproven(drift: Drift) -> str:
    sides = (("CI database", drift.desired), ("CloudStack", drift.actual))
    unread = (
        f"{name}: {coverage.state.value}. {coverage.why}".strip()
        for name, coverage in sides
        if not coverage.is_complete
    )
    return " ".join((*unread, drift.misplaced)).strip()


# --- the plan -----------------------------------------------------------------------------------------------


def plan_rebuild(
    drift: Drift,
    keys: Collection[str] | None = None,
    *,
    rules: PlanRules,
    environment: str,
    root_id: str,
    endpoint: str,
    author: str,
    now: datetime,
) -> Plan:
    """The plan that rebuilds everything that is missing, hollow, dying or orphaned, or the rows of `keys`.

    What exists and merely differs is only touched when its key is given. Raises GuardError when a side was
    not read completely or the parent is probably the wrong one, UsageError for a key that is not in the
    drift.
    """
    refuse_misplaced(drift)
    unproven = _unproven(drift)
    if unproven:
        raise GuardError(
            f"Nothing is rebuilt from readings that are not complete. {unproven}",
            next_step="Read both sides again.",
        )
    chosen = _chosen(drift, keys)
    actions = [action for row in chosen for action in plans.repairs(row, rules=rules, now=now)]
    return plans.build(
        actions,
        environment=environment,
        root_id=root_id,
        endpoint=endpoint,
        author=author,
        now=now,
        notes=_notes(drift, chosen, repaired={action.project for action in actions}),
    )


def refuse_misplaced(drift: Drift) -> None:
    """Raises GuardError where repairs would build a second tree beside the one in which the projects live."""
    if drift.misplaced:
        raise GuardError(drift.misplaced, next_step="Set `parent` of the environment, then read again.")


def _chosen(drift: Drift, keys: Collection[str] | None) -> list[DriftRow]:
    if keys is None:
        return [row for row in drift.rows if row.kind in REBUILT]
    unknown = set(keys) - {row.key for row in drift.rows}
    if unknown:
        raise UsageError(f"There is no project or domain {min(unknown)} among what was read.")
    return [row for row in drift.rows if row.key in keys]


def _notes(drift: Drift, chosen: Iterable[DriftRow], *, repaired: Collection[str]) -> list[str]:
    """What the plan leaves alone and why."""
    chosen_keys = {row.key for row in chosen}
    notes = [
        f"{row.name} is left alone: {row.reason or row.kind.value}"
        for row in drift.rows
        if row.kind is not DriftKind.IN_SYNC and row.key not in repaired
    ]
    every = losses(drift)
    lost = [loss for loss in every if loss.key in chosen_keys]
    if lost:
        notes.append(
            f"{len(lost)} of the {len(every)} machines of the CI database that have no VM any more are of "
            "projects in this plan; no plan here brings a VM back."
        )
    return notes


# --- the proof ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verification:
    """Both sides read anew after a rebuild, against what was found before."""

    repairable: tuple[DriftRow, ...]
    """What a plan could still repair: empty at the end of a rebuild of everything."""
    for_people: tuple[DriftRow, ...]
    """What is left and has no repair: unexpected, unknown, still dying, differing without a repair."""
    losses: tuple[Loss, ...]
    untouched: tuple[str, ...]
    """Names of the unexpected domains that were there before and still are."""
    disappeared: tuple[str, ...]
    """Names of unexpected domains that were there before and are not any more: somebody else's doing."""
    stale_ids: tuple[StaleId, ...]
    unproven: str
    """Why these readings prove nothing; empty when they do."""


def verify(before: Drift, after: Drift, *, rules: PlanRules) -> Verification:
    """Compare the drift after a rebuild with the one before it."""
    repairable = tuple(row for row in after.rows if plans.is_repairable(row, rules))
    repairable_rows = {id(row) for row in repairable}
    unexpected = {row.key: row.name for row in before.rows if row.kind is DriftKind.UNEXPECTED}
    still_there = {row.key for row in after.rows if row.view is not None}
    return Verification(
        repairable=repairable,
        for_people=tuple(
            row for row in after.rows if row.kind is not DriftKind.IN_SYNC and id(row) not in repairable_rows
        ),
        losses=losses(after),
        untouched=tuple(name for key, name in unexpected.items() if key in still_there),
        disappeared=tuple(name for key, name in unexpected.items() if key not in still_there),
        stale_ids=stale_ids(after),
        unproven=_unproven(after),
    )


def stale_ids(drift: Drift) -> tuple[StaleId, ...]:
    """The ids in the CI database that have to be re-linked."""
    return tuple(
        StaleId(row.key, row.name, part.desired or "", part.actual or "")
        for row in drift.rows
        for part in row.parts
        if part.subject is Subject.STORED_ID and part.kind is DriftKind.DIFFERS
    )


def stored_ids(drift: Drift) -> StoredIds:
    """How each of them stands; what was not read is in none of the groups."""
    alive = frozenset(
        row.key
        for row in drift.rows
        for part in row.parts
        if part.subject is Subject.STORED_ID and part.kind is DriftKind.IN_SYNC
    )
    stale = stale_ids(drift)
    known = alive | {one.key for one in stale}
    gone = tuple(
        row.project.name
        for row in drift.rows
        if row.project is not None and row.project.domain_id and row.kind in REBUILT and row.key not in known
    )
    return StoredIds(alive, stale, gone)
