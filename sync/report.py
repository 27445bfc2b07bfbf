"""The incident report as values: what happened when, by whom, what was lost, what is back; per project too.

Pure. Everything comes from the ledger's entries, captures and a reading; nothing is typed. How it is written
out is in `report_text`, the letters in `letters`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Protocol, TypeVar

from sync.agents import ChangedAddress, changed_addresses
from sync.deletion_attempts import attempts
from sync.freezes import frozen
from sync.loss_ledger import Fate, LossLedger, ProjectLosses
from sync.model import (
    CONTAINMENT,
    Drift,
    DriftKind,
    DriftRow,
    JsonObject,
    Member,
    Outcome,
    Project,
    Subject,
    project_key,
)
from sync.prediction import RecordedComparison, compared_in
from sync.report_back import Back, NotBack, Returned, numbers
from sync.report_deletions import Deleted, Deletions, Recording
from sync.report_deletions import Entry as OfPerson
from sync.restoration import AddressChange
from sync.schedule import has_come_about


class Entry(OfPerson, Protocol):
    """What a report needs of `sync.ledger_entries.Entry`."""

    @property
    def payload(self) -> JsonObject: ...
    @property
    def summary(self) -> str: ...


_PER_ACTION = frozenset({"intent", "submitted", "outcome"})
"""Kinds of entries that are counted, not listed: a rebuild has thousands."""
_MOST_DELETIONS = 40
"""So many deletions are in the timeline one by one; the table of them has all."""
_FEW = 3
"""So many steps of a containment in a row that are alike are listed; more are counted."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of the timeline."""

    at: datetime
    by: str
    what: str


@dataclass(frozen=True, slots=True)
class Done:
    """What was done to CloudStack, counted: `create domain` 34 succeeded."""

    kind: str
    outcomes: Mapping[Outcome, int]


@dataclass(frozen=True, slots=True)
class Later:
    """What became of an action in a later run than that in which it did not succeed."""

    at: datetime
    run_id: str
    is_by_it: bool
    """Whether that run did it; else it found it done."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An action that did not succeed, and why."""

    action: str
    outcome: Outcome
    detail: str
    later: Later | None = None
    is_there_now: bool = False
    """Whether what it was to make is there all the same, whoever made it."""


@dataclass(frozen=True, slots=True)
class ProjectReport:
    """What one project's owners have to know."""

    name: str
    owners: tuple[Member, ...]
    losses: ProjectLosses | None
    state: str
    """The project's drift now, in words."""
    changed: tuple[ChangedAddress, ...] = ()
    """Agents that are not where Jenkins looks for them."""
    back: tuple[Back, ...] = ()
    missing: tuple[NotBack, ...] = ()
    moved: tuple[AddressChange, ...] = ()
    """VMs without an agent among `changed` that are not where they were."""

    @property
    def addresses(self) -> tuple[ChangedAddress | AddressChange, ...]:
        return (*self.changed, *self.moved)

    @property
    def is_hit(self) -> bool:
        """Whether anything was taken from it, or may be, back or not."""
        fates = (Fate.LOST, Fate.DYING, Fate.RECOVERABLE)
        lost = self.losses
        return bool(self.back) or (lost is not None and any(lost.of(fate) for fate in fates))


@dataclass(frozen=True, slots=True)
class Report:
    """One incident, from `since` to `made_at`."""

    environment: str
    since: datetime
    made_at: datetime
    made_by: str
    began: datetime | None
    """When the deletion began, as far as CloudStack's events tell."""
    timeline: tuple[Moment, ...]
    done: tuple[Done, ...]
    problems: tuple[Problem, ...]
    progress: tuple[tuple[datetime, int], ...]
    """How many actions had succeeded by when; for the plot."""
    rehearsed: tuple[RecordedComparison, ...]
    """Of the runs that were rehearsed: what was predicted, and what was."""
    deletions: Deletions
    """What CloudStack did, and who told it to; apart from abreast's own runs."""
    losses: LossLedger
    basis: str
    """Why they are told against that capture, or without one."""
    came_back: Mapping[str, Mapping[str, int]]
    """Type → how it came back, or that it did not → how many, in the words of `report_back.COLUMNS`."""
    frozen: tuple[str, ...]
    """Zones that are still closed for a restore, in whole sentences."""
    now: Mapping[DriftKind, int]
    headline: str
    """What is the case now, in one sentence."""
    projects: tuple[ProjectReport, ...]
    unsure: tuple[str, ...]
    """What this report cannot know, in whole sentences."""

    @property
    def hit_at(self) -> datetime:
        """When the incident began, or from when on this report tells."""
        return self.began or self.since


def build(
    entries: Sequence[Entry],
    *,
    environment: str,
    since: datetime,
    made_at: datetime,
    made_by: str,
    losses: LossLedger,
    drift: Drift,
    headline: str,
    back: Returned,
    deletions: Deletions,
    basis: str = "",
    began: datetime | None = None,
    unread: Sequence[str] = (),
) -> Report:
    """Put the report together. `entries` are the ledger's since then, oldest first; `drift` is of now, and so
    is `back`; `unread` says what could not be read for it, in whole sentences."""
    projects = tuple(_projects(losses, drift, back))
    return Report(
        environment=environment,
        since=since,
        made_at=made_at,
        made_by=made_by,
        began=began,
        timeline=_merged([*_timeline(entries), *_saved(deletions.recordings)], deletions),
        done=tuple(_done(entries)),
        problems=tuple(_problems(entries, back)),
        progress=tuple(_progress(entries)),
        rehearsed=tuple(compared_in(entries)),
        deletions=deletions,
        losses=losses,
        basis=basis,
        came_back=numbers(back),
        frozen=tuple(_frozen(entries, environment)),
        now=drift.counts(),
        headline=headline,
        projects=projects,
        unsure=(*unread, *_unsure(losses, drift), *_unwritten(projects)),
    )


def _merged(done: Iterable[Moment], deletions: Deletions) -> tuple[Moment, ...]:
    """By time; where the two clocks do not fit, what CloudStack did stands before what was done about it."""
    deleted = _deleted(deletions.found, is_many=len(deletions.found) > _MOST_DELETIONS)
    parts = ([*deleted], [*done]) if deletions.is_clock_ahead else ([*deleted, *done],)
    return tuple(moment for part in parts for moment in sorted(part, key=lambda one: one.at))


def _saved(recordings: Iterable[Recording]) -> Iterator[Moment]:
    for one in recordings:
        calls = len(attempts(one.events))
        noun = "deletion" if calls == 1 else "deletions"
        yield Moment(one.taken_at, one.taken_by, f"evidence saved, of {calls} {noun}: {one.file}")


def _deleted(told: Sequence[Deleted], *, is_many: bool) -> Iterator[Moment]:
    """Each deletion by itself; of many, those of one caller together."""
    for by, group in groupby(told, key=lambda one: one.by):
        some = list(group)
        if is_many and len(some) > _FEW:
            until = f"{some[-1].at:%Y-%m-%d %H:%M:%S}"
            yield Moment(some[0].at, by, f"the first of {len(some)} deletions, the last one at {until}")
            continue
        yield from (Moment(one.at, by, one.words) for one in some)


def _timeline(entries: Iterable[Entry]) -> Iterator[Moment]:
    for run_id, group in groupby(entries, key=lambda entry: entry.run_id or ""):
        if run_id.startswith(CONTAINMENT):
            yield from _contained(run_id, group)
            continue
        for entry in group:
            if entry.kind.value not in _PER_ACTION:
                run = f" ({run_id})" if run_id else ""
                said = f"{entry.kind.value}{run}: {entry.summary}{_kinds_planned(entry)}"
                yield Moment(entry.at, entry.operator, said)


def _kinds_planned(entry: Entry) -> str:
    """Of a run that begins, what it is to do: only that tells a restore from a rebuild."""
    if entry.kind.value != "run started":
        return ""
    kinds = Counter(str(action["kind"]) for action in entry.payload["plan"]["actions"])
    return "".join(f"; {count} × {kind}" for kind, count in kinds.items())


def _contained(run_id: str, entries: Iterable[Entry]) -> Iterator[Moment]:
    """The steps of a containment are few, and each a decision; but every domain has a shield of its own."""
    ended = [entry for entry in entries if entry.kind.value == "outcome"]
    for (kind, outcome), group in groupby(ended, key=_step):
        steps = list(group)
        if len(steps) > _FEW:
            said = [f"{len(steps)} × {kind}: {outcome}"]
            steps = steps[-1:]
        else:
            said = [entry.summary.rstrip() for entry in steps]
        for entry, text in zip(steps, said, strict=True):
            yield Moment(entry.at, entry.operator, f"containment ({run_id}): {text}")


def _step(entry: Entry) -> tuple[str, str]:
    """`shield` of `shield ROOT/ci/a by m0`, `lift shield` of its undoing; and the outcome's word."""
    first, _, rest = str(entry.payload["action"]).partition(" ")
    kind = f"{first} {rest.partition(' ')[0]}" if first == "lift" else first
    return kind, str(entry.payload["outcome"])


def _last_outcomes(entries: Iterable[Entry]) -> dict[tuple[str, str], Entry]:
    """The last outcome of every action of every run, in their order: a retried one counts once."""
    found: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if entry.kind.value == "outcome":
            key = entry.run_id or "", entry.payload["action"]
            found.pop(key, None)
            found[key] = entry
    return found


def _kinds(entries: Iterable[Entry]) -> dict[str, str]:
    """Word for the kind of each action, as its intent has it."""
    return {
        entry.payload["action"]: str(entry.payload.get("kind") or entry.payload["command"])
        for entry in entries
        if entry.kind.value == "intent"
    }


def _done(entries: Sequence[Entry]) -> Iterator[Done]:
    kinds = _kinds(entries)
    counts: dict[str, Counter[Outcome]] = {}
    for (_, action), entry in _last_outcomes(entries).items():
        kind = kinds.get(action, action.partition(" ")[0].replace("-", " "))
        counts.setdefault(kind, Counter())[Outcome(entry.payload["outcome"])] += 1
    for kind, outcomes in counts.items():
        yield Done(kind, outcomes)


def _problems(entries: Sequence[Entry], back: Returned) -> Iterator[Problem]:
    there = {action for one in back.back for action in one.actions}
    later: dict[str, Later] = {}
    found = []
    for (run_id, action), entry in reversed(_last_outcomes(entries).items()):
        outcome = Outcome(entry.payload["outcome"])
        if has_come_about(outcome, entry.payload.get("object_id")):
            later[action] = Later(entry.at, run_id, outcome is Outcome.SUCCEEDED)
        elif outcome in (Outcome.FAILED, Outcome.UNKNOWN):
            detail, is_there = str(entry.payload["detail"]), action.casefold() in there
            found.append(Problem(action, outcome, detail, later.get(action), is_there))
    yield from reversed(found)


def _frozen(entries: Iterable[Entry], environment: str) -> Iterator[str]:
    told = [entry for entry in entries if entry.kind.value in ("intent", "outcome")]
    return (one.words(environment) for one in frozen(told))


def _progress(entries: Iterable[Entry]) -> Iterator[tuple[datetime, int]]:
    done = 0
    for entry in entries:
        if entry.kind.value == "outcome" and entry.payload["outcome"] == Outcome.SUCCEEDED.value:
            done += 1
            yield entry.at, done


def _projects(losses: LossLedger, drift: Drift, back: Returned) -> Iterator[ProjectReport]:
    """Every project that either side or the losses name, those that lost most first."""
    lost = {one.key: one for one in losses.projects}
    rows = {row.key: row for row in drift.rows}
    agents = _by_project(changed_addresses(drift.rows))
    known = {(project_key(one.project), one.known) for some in agents.values() for one in some}
    moved = _by_project(one for one in back.moved if (one.project, one.old) not in known)
    there, missing = _by_project(back.back), _by_project(back.missing)
    for key in [*lost, *(key for key in rows if key not in lost)]:
        row = rows.get(key)
        name = row.name if row is not None else lost[key].name
        yield ProjectReport(
            name=name,
            owners=_owners(row.project if row is not None else None),
            losses=lost.get(key),
            state=_state_words(row) if row is not None else "on neither side any more",
            changed=tuple(agents.get(key, ())),
            back=tuple(there.get(key, ())),
            missing=tuple(missing.get(key, ())),
            moved=tuple(moved.get(key, ())),
        )


class _OfProject(Protocol):
    @property
    def project(self) -> str: ...


_T = TypeVar("_T", bound=_OfProject)


def _by_project(given: Iterable[_T]) -> dict[str, list[_T]]:
    """By key, in the order given."""
    found: dict[str, list[_T]] = {}
    for one in given:
        found.setdefault(project_key(one.project), []).append(one)
    return found


def _state_words(row: DriftRow) -> str:
    differing = {part.subject for part in row.parts if part.kind is not DriftKind.IN_SYNC}
    # A machine whose VM is gone is a loss, and told as such.
    if row.kind is DriftKind.DIFFERS and differing - {Subject.MACHINE} == {Subject.STORED_ID}:
        return "there, but the CI database does not have its new id yet"
    words = {
        DriftKind.IN_SYNC: "there, as the CI database has it",
        DriftKind.DIFFERS: "there, with differences",
        DriftKind.MISSING: "not there",
        DriftKind.HOLLOW: "there, and empty",
        DriftKind.DELETING: "being deleted",
    }
    return words.get(row.kind, row.kind.value)


def _owners(project: Project | None) -> tuple[Member, ...]:
    """The members called owners; where nobody is, all enabled ones: somebody has to be told."""
    members = tuple(one for one in (project.members if project is not None else ()) if one.email)
    owners = tuple(one for one in members if one.role.casefold() == "owner")
    return owners or tuple(one for one in members if one.enabled)


def _unwritten(projects: Iterable[ProjectReport]) -> Iterator[str]:
    names = [one.name for one in projects if one.is_hit and not one.owners]
    if names:
        yield f"Whom to write to: the CI database has nobody with an address for {', '.join(names)}."


def _unsure(losses: LossLedger, drift: Drift) -> Iterator[str]:
    yield from losses.blind
    for name, coverage in (("The CI database", drift.desired), ("CloudStack", drift.actual)):
        if not coverage.is_complete:
            yield f"{name} was not read completely for this report: {coverage.why}"
