"""The App's values and the pure functions that make the next ones: sources, rows, filter, order, run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING

from sync.agents import AgentFinding, JenkinsReading, judge
from sync.model import (
    Action,
    ActionResult,
    Coverage,
    CoverageState,
    Drift,
    DriftKind,
    DriftRow,
    Plan,
    Side,
)
from sync.parts import alive
from widgets.values import RowView, SourceStatus

if TYPE_CHECKING:
    from sync.deletions import Deletion, Situation
    from sync.model import ActualInventory, DesiredInventory
    from sync.prediction import Prediction


# --- sources ------------------------------------------------------------------------------------------------


def first_status(side: Side, *, period_seconds: float) -> SourceStatus:
    """A source before its first reading."""
    noun = "projects" if side is Side.DESIRED else "domains"
    return SourceStatus(side=side, label=side.value, noun=noun, period_seconds=period_seconds)


def after_reading(
    status: SourceStatus, coverage: Coverage, *, taken_at: datetime, count: int, release: str = ""
) -> SourceStatus:
    """The source after an attempt: a failed one keeps count and age of the last usable reading."""
    label = f"{status.side.value} {release}".strip() if release else status.label
    found = judged(replace(status, label=label, reading=""), coverage)
    if coverage.state is CoverageState.FAILED:
        return replace(found, failed_at=status.failed_at or taken_at)
    return replace(found, failed_at=None, count=count, taken_at=taken_at)


def judged(status: SourceStatus, coverage: Coverage) -> SourceStatus:
    """The source with what is said of how completely it was read."""
    return replace(
        status,
        coverage=coverage.state,
        why=coverage.why,
        is_foreign=coverage.is_foreign,
        unrecognised=coverage.unrecognised,
        shrunk=" and ".join(one.words for one in coverage.shrunk),
    )


def desired_status(status: SourceStatus, inventory: DesiredInventory) -> SourceStatus:
    """The CI database's status after this reading."""
    return after_reading(
        status, inventory.coverage, taken_at=inventory.taken_at, count=len(inventory.projects)
    )


def actual_status(status: SourceStatus, inventory: ActualInventory) -> SourceStatus:
    """CloudStack's status after this reading. The parent domain is not counted."""
    count = sum(1 for domain in inventory.domains if domain.id != inventory.parent_id)
    return after_reading(
        status,
        inventory.coverage,
        taken_at=inventory.taken_at,
        count=count,
        release=".".join(inventory.release.split(".")[:2]),
    )


# --- rows ---------------------------------------------------------------------------------------------------


def row_views(
    drift: Drift | None,
    last_known: Drift | None,
    agents: Mapping[str, JenkinsReading],
    situation: Situation | None = None,
) -> tuple[RowView, ...]:
    """The rows of the overview, worst first, with what Jenkins says of the agents where it was asked. Where a
    side was not read, the last known rows fill the columns and stay listed, but as unknown. What is being
    deleted by `situation`, or submitted to be, is said so; where CloudStack cannot be read, that it was."""
    from sync.deletion_rows import deletions_by_row, settled
    from sync.deletions import can_tell

    if drift is None:
        return ()
    drift = settled(drift, situation)

    def said(row: DriftRow) -> tuple[AgentFinding, ...]:
        return judge(row, agents[row.key]) if row.key in agents else ()

    if (drift.desired.is_complete and drift.actual.is_complete) or last_known is None:
        views = [RowView(row, agents=said(row)) for row in drift.rows]
    else:
        views = _with_last_known(drift, last_known, said)
    deletions = deletions_by_row(situation, drift)
    if situation is None or not deletions:
        return tuple(views)
    seen_at = None if can_tell(drift.actual) else situation.taken_at
    marked = (
        _with_deletion(view, deletions[view.key], seen_at) if view.key in deletions else view
        for view in views
    )
    return tuple(sorted(marked, key=lambda view: view.rank))


def _with_deletion(view: RowView, deletion: Deletion, seen_at: datetime | None) -> RowView:
    """The row with its deletion; one that was seen at an earlier reading alone is what the row was then."""
    if seen_at is None:
        return replace(view, deletion=deletion)
    from sync.deletion_rows import deleting

    return replace(view, was=deleting(view.shown, deletion), was_at=seen_at)


def _with_last_known(
    drift: Drift, last_known: Drift, said: Callable[[DriftRow], tuple[AgentFinding, ...]]
) -> list[RowView]:
    known = {row.key: row for row in last_known.rows}
    read_at = min(last_known.desired_taken_at, last_known.actual_taken_at)
    views = [
        RowView(row, known[row.key], said(row), read_at)
        if row.kind is DriftKind.UNKNOWN and row.key in known
        else RowView(row, None, said(row))
        for row in drift.rows
    ]
    present = {row.key for row in drift.rows}
    views += [
        RowView(
            replace(row, kind=DriftKind.UNKNOWN, reason="This side could not be read."), row, was_at=read_at
        )
        for row in last_known.rows
        if row.key not in present
    ]
    return sorted(views, key=lambda view: view.rank)


def counts_of(views: Iterable[RowView]) -> dict[DriftKind, int]:
    """How many rows there are of each kind."""
    totals = dict.fromkeys(DriftKind, 0)
    for view in views:
        totals[view.kind] += 1
    return totals


class SortOrder(Enum):
    """How the table is ordered; the value is the word on screen."""

    WORST = "worst first"
    NAME = "by name"
    MEMBERS = "most members"
    MACHINES = "most VMs"

    @property
    def following(self) -> SortOrder:
        members = list(SortOrder)
        return members[(members.index(self) + 1) % len(members)]


@dataclass(frozen=True, slots=True)
class Filter:
    """What the table is limited to."""

    text: str = ""
    """Words that must all occur in a row's names; a word such as `:missing` names a kind."""
    kind: DriftKind | None = None
    everything: bool = False
    """Whether rows in sync are shown as well."""

    def kinds(self) -> frozenset[DriftKind] | None:
        """The kinds asked for by key or by `:word`; None when any, none at all where a `:word` is no kind."""
        asked = [_kinds_of(word) for word in self._kind_words()]
        found = frozenset().union(*asked, {self.kind} if self.kind is not None else ())
        return found if found or asked else None

    def _kind_words(self) -> list[str]:
        return [word[1:] for word in self.text.casefold().split() if word.startswith(":") and len(word) > 1]

    def words(self) -> tuple[str, ...]:
        """The words that are no kinds."""
        return tuple(word for word in self.text.casefold().split() if not word.startswith(":"))

    def describe(self) -> str:
        """In words for the counts bar."""
        shown = "all" if self.everything or self.words() else "drift"
        parts = [self.kind.value if self.kind is not None else shown]
        if self.text:
            parts.append(f"“{self.text}”")
        parts += [f"“:{word}” is no kind" for word in self._kind_words() if not _kinds_of(word)]
        return "filter: " + ", ".join(parts)

    @property
    def is_plain(self) -> bool:
        """Whether nothing but drift/all is chosen."""
        return not self.text and self.kind is None


def _kinds_of(word: str) -> frozenset[DriftKind]:
    """Kinds by their word, glyph, or the beginning of the word; empty for what is none."""
    exactly = frozenset(kind for kind in DriftKind if word in (kind.value, kind.glyph))
    return exactly or frozenset(kind for kind in DriftKind if kind.value.startswith(word))


def visible(views: Sequence[RowView], chosen: Filter, order: SortOrder) -> list[RowView]:
    """The rows that the filter lets through, in the order asked for."""
    kinds, words = chosen.kinds(), chosen.words()
    shown: Iterable[RowView] = views
    if kinds is not None:
        shown = (view for view in shown if view.kind in kinds)
    elif not chosen.everything and not words:
        shown = (view for view in shown if view.kind is not DriftKind.IN_SYNC)
    if words:
        shown = (view for view in shown if all(word in view.haystack for word in words))
    found = list(shown)
    if order is SortOrder.NAME:
        found.sort(key=lambda view: view.key)
    elif order is SortOrder.MEMBERS:
        found.sort(key=lambda view: (-_members(view), view.rank))
    elif order is SortOrder.MACHINES:
        found.sort(key=lambda view: (-_machines(view), view.rank))
    return found


def _members(view: RowView) -> int:
    project = view.shown.project
    return len(project.members) if project is not None else 0


def _machines(view: RowView) -> int:
    return sum(len(alive(side.vms)) for side in (view.shown.view, view.shown.dying) if side is not None)


def why_no_repair(row: DriftRow) -> str:
    """Why nothing is proposed for this row, in words."""
    if row.kind is DriftKind.UNKNOWN:
        return f"nothing is proposed for what is not known. {row.reason}".rstrip()
    if row.kind is DriftKind.IN_SYNC:
        return "in sync, there is nothing to repair."
    if row.kind is DriftKind.UNEXPECTED:
        return "the CI database does not know it; it is left alone and never deleted."
    notes = [part.note for part in row.differences if part.note]
    return notes[0] if notes else "there is no repair for it."


# --- staging ------------------------------------------------------------------------------------------------


def toggle_staged(staged: Sequence[Action], offered: Sequence[Action]) -> tuple[Action, ...]:
    """Stage what is offered; when all of it is staged already, take all of it out."""
    offered_ids = {action.id for action in offered}
    rest = tuple(action for action in staged if action.id not in offered_ids)
    if len(staged) - len(rest) == len(offered_ids):
        return rest
    return (*rest, *offered)


# --- a run --------------------------------------------------------------------------------------------------


class RunPhase(Enum):
    """Where an execution stands; the value is the word on screen."""

    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True)
class RunState:
    """One execution as the App has heard of it. Its truth is in the ledger."""

    plan: Plan
    phase: RunPhase
    started_at: datetime
    run_id: str = ""
    results: Mapping[str, ActionResult] = field(default_factory=dict)
    """By action id: what has ended."""
    earlier: frozenset[str] = frozenset()
    """Ids of what had ended before this execution took the run up."""
    active: Mapping[str, str] = field(default_factory=dict)
    """By action id: what it does now (`reading`, `submitting`, `waiting`, `verifying`)."""
    ended_at: datetime | None = None
    problem: str = ""
    """Why the run as a whole ended early; empty when it did not."""
    at_once: int = 0
    """How many actions may be under way by now; 0 while that is not known."""
    note: str = ""
    """Why it goes slower than it might, or not at all; empty when it does not."""
    is_waiting: bool = False
    """Whether the server does not answer, and is waited for; the `note` says how."""
    is_rebuild: bool = False
    """Whether it is the recovery's."""
    is_restore: bool = False
    """Whether it makes again what a rebuild does not."""
    drift_before: Drift | None = None
    """The comparison it started from."""
    report: object | None = None
    """`sync.execution.RunReport`, once it has ended by itself."""
    is_refused_by_lease: bool = False
    """Whether it has not begun because something else was executed."""
    recalled_of: str = ""
    """Who ran it, where it was not this console and is known from the ledger alone."""

    @property
    def is_going_on(self) -> bool:
        return self.is_held or self.phase in (RunPhase.RUNNING, RunPhase.STOPPING)

    @property
    def is_held(self) -> bool:
        """Whether the operator paused it: nothing more is sent until it goes on."""
        return self.phase in (RunPhase.PAUSING, RunPhase.PAUSED)

    @property
    def words(self) -> str:
        """How it stands, for the line of progress."""
        if self.phase is RunPhase.RUNNING and self.at_once:
            return f"{self.phase.value}, {self.at_once} at once"
        return self.phase.value

    @property
    def screen(self) -> str:
        """Where it is followed."""
        if self.is_restore:
            return "restore"
        return "recovery" if self.is_rebuild else "execution"

    @property
    def has_not_begun(self) -> bool:
        """Whether it was refused before anything was written or sent."""
        return self.phase is RunPhase.FAILED and not self.run_id

    @property
    def total(self) -> int:
        return len(self.plan.actions)


@dataclass(frozen=True, slots=True)
class Rehearsing:
    """How a rehearsal stands."""

    generation: int
    done: int = 0
    total: int = 0
    """0 until the plan is made."""
    prediction: Prediction | None = None
    subject: str = ""
    """`subject_of` the actions as the list of findings has them; those of the plan may say more, as the
    ranges that networks had."""
    problem: str = ""
    """Why there is no prediction; empty while it goes on, and when there is one."""

    @property
    def is_going_on(self) -> bool:
        return self.prediction is None and not self.problem
