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
from typing import Protocol

from sync.agents import ChangedAddress, changed_addresses
from sync.loss_ledger import Fate, LossLedger, ProjectLosses
from sync.model import CONTAINMENT, Drift, DriftKind, Member, Outcome, Project
from sync.prediction import EntryLike, RecordedComparison, compared_in


class Entry(EntryLike, Protocol):
    """What a report needs of `sync.ledger_entries.Entry`."""

    @property
    def operator(self) -> str: ...
    @property
    def summary(self) -> str: ...


_PER_ACTION = frozenset({"intent", "submitted", "outcome"})
"""Kinds of entries that are counted, not listed: a rebuild has thousands."""
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
class Problem:
    """An action that did not succeed, and why."""

    action: str
    outcome: Outcome
    detail: str
    later: tuple[datetime, str] | None = None
    """When it succeeded in a later run, and in which."""


@dataclass(frozen=True, slots=True)
class ProjectReport:
    """What one project's owners have to know."""

    name: str
    owners: tuple[Member, ...]
    losses: ProjectLosses | None
    state: str
    """The project's drift now, in words."""
    changed: tuple[ChangedAddress, ...] = ()

    @property
    def is_hit(self) -> bool:
        """Whether it lost anything, or may."""
        lost = self.losses
        return lost is not None and any(lost.of(fate) for fate in (Fate.LOST, Fate.DYING, Fate.RECOVERABLE))


@dataclass(frozen=True, slots=True)
class Report:
    """One incident, from `since` to `made_at`."""

    environment: str
    since: datetime
    made_at: datetime
    made_by: str
    timeline: tuple[Moment, ...]
    done: tuple[Done, ...]
    problems: tuple[Problem, ...]
    progress: tuple[tuple[datetime, int], ...]
    """How many actions had succeeded by when; for the plot."""
    rehearsed: tuple[RecordedComparison, ...]
    """Of the runs that were rehearsed: what was predicted, and what was."""
    losses: LossLedger
    now: Mapping[DriftKind, int]
    headline: str
    """What is the case now, in one sentence."""
    projects: tuple[ProjectReport, ...]
    unsure: tuple[str, ...]
    """What this report cannot know, in whole sentences."""


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
) -> Report:
    """Put the report together. `entries` are the ledger's since then, oldest first; `drift` is of now."""
    return Report(
        environment=environment,
        since=since,
        made_at=made_at,
        made_by=made_by,
        timeline=tuple(_timeline(entries)),
        done=tuple(_done(entries)),
        problems=tuple(_problems(entries)),
        progress=tuple(_progress(entries)),
        rehearsed=tuple(compared_in(entries)),
        losses=losses,
        now=drift.counts(),
        headline=headline,
        projects=tuple(_projects(losses, drift)),
        unsure=tuple(_unsure(losses, drift)),
    )


def _timeline(entries: Iterable[Entry]) -> Iterator[Moment]:
    for run_id, group in groupby(entries, key=lambda entry: entry.run_id or ""):
        if run_id.startswith(CONTAINMENT):
            yield from _contained(run_id, group)
            continue
        for entry in group:
            if entry.kind.value not in _PER_ACTION:
                run = f" ({run_id})" if run_id else ""
                yield Moment(entry.at, entry.operator, f"{entry.kind.value}{run}: {entry.summary}")


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
    """The last outcome of every action of every run: a retried one counts once."""
    found: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if entry.kind.value == "outcome":
            found[entry.run_id or "", entry.payload["action"]] = entry
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


def _problems(entries: Sequence[Entry]) -> Iterator[Problem]:
    last = _last_outcomes(entries)
    succeeded = {
        action: (entry.at, run_id)
        for (run_id, action), entry in last.items()
        if entry.payload["outcome"] == Outcome.SUCCEEDED.value
    }
    for (_, action), entry in last.items():
        outcome = Outcome(entry.payload["outcome"])
        if outcome in (Outcome.FAILED, Outcome.UNKNOWN):
            later = succeeded.get(action)
            is_later = later is not None and later[0] > entry.at
            yield Problem(action, outcome, str(entry.payload["detail"]), later if is_later else None)


def _progress(entries: Iterable[Entry]) -> Iterator[tuple[datetime, int]]:
    done = 0
    for entry in entries:
        if entry.kind.value == "outcome" and entry.payload["outcome"] == Outcome.SUCCEEDED.value:
            done += 1
            yield entry.at, done


def _projects(losses: LossLedger, drift: Drift) -> Iterator[ProjectReport]:
    """Every project that either side or the losses name, those that lost most first."""
    lost = {one.key: one for one in losses.projects}
    rows = {row.key: row for row in drift.rows}
    changes: dict[str, list[ChangedAddress]] = {}
    for change in changed_addresses(drift.rows):
        changes.setdefault(change.project, []).append(change)
    for key in [*lost, *(key for key in rows if key not in lost)]:
        row = rows.get(key)
        name = row.name if row is not None else lost[key].name
        yield ProjectReport(
            name=name,
            owners=_owners(row.project if row is not None else None),
            losses=lost.get(key),
            state=_state_words(row.kind) if row is not None else "on neither side any more",
            changed=tuple(changes.get(name, ())),
        )


def _state_words(kind: DriftKind) -> str:
    words = {
        DriftKind.IN_SYNC: "there, as the CI database has it",
        DriftKind.DIFFERS: "there, with differences",
        DriftKind.MISSING: "not there",
        DriftKind.HOLLOW: "there, and empty",
        DriftKind.DELETING: "being deleted",
    }
    return words.get(kind, kind.value)


def _owners(project: Project | None) -> tuple[Member, ...]:
    """The members called owners; where nobody is, all enabled ones: somebody has to be told."""
    members = tuple(one for one in (project.members if project is not None else ()) if one.email)
    owners = tuple(one for one in members if one.role.casefold() == "owner")
    return owners or tuple(one for one in members if one.enabled)


def _unsure(losses: LossLedger, drift: Drift) -> Iterator[str]:
    yield from losses.blind
    for name, coverage in (("The CI database", drift.desired), ("CloudStack", drift.actual)):
        if not coverage.is_complete:
            yield f"{name} was not read completely for this report: {coverage.why}"
