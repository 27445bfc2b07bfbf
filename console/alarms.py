"""What rings in the monitoring mode: a row that becomes critical, a deletion and one that is not in the
ledger, a fence that is gone, a source that falls silent, a ledger that was altered, a zone that is closed."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.deletions import Deletion, Situation, Stage
from sync.fence_check import FenceCheck, Hold
from sync.freezes import Freeze
from sync.model import CoverageState, DriftKind
from sync.unrecorded import Unrecorded
from widgets.cells import counted
from widgets.values import RowView, SourceStatus

KEPT_ALARMS = 200


@dataclass(frozen=True, slots=True)
class Alarm:
    """One line of the list."""

    at: datetime
    text: str
    kind: DriftKind | None = None
    """None for what is about a source."""
    rings: bool = True
    """False for what got better."""


def known_kinds(before: Mapping[str, DriftKind], views: Sequence[RowView]) -> dict[str, DriftKind]:
    """The last known kind of every row shown: an unknown one keeps what it was."""
    return {
        view.key: before.get(view.key, view.kind) if view.kind is DriftKind.UNKNOWN else view.kind
        for view in views
    }


def row_alarms(
    before: Mapping[str, DriftKind], views: Sequence[RowView], *, at: datetime, is_first: bool
) -> list[Alarm]:
    """Rows that became critical, or are over it. The first comparison gives one alarm for all; what is known
    of deletions themselves rings by `situation_alarms`."""
    critical = [view for view in views if view.kind.is_critical]
    if is_first:
        if not critical:
            return []
        names = ", ".join(view.row.name for view in critical[:3]) + (" …" if len(critical) > 3 else "")
        return [
            Alarm(at, f"{counted(len(critical), 'row')} critical at the start: {names}", critical[0].kind)
        ]
    alarms = []
    for view in views:
        was = before.get(view.key)
        if view.kind.is_critical and view.kind is not was and view.deletion is None:
            since = f", was {was.value}" if was is not None else ""
            alarms.append(Alarm(at, f"{view.row.name} is {view.kind.value}{since}", view.kind))
        elif was is not None and was.is_critical and view.kind not in (was, DriftKind.UNKNOWN):
            alarms.append(Alarm(at, f"{view.row.name} is {view.kind.value} again", view.kind, rings=False))
    return alarms


def unrecorded_alarms(
    before: Collection[str], found: Sequence[Unrecorded], *, at: datetime, is_first: bool
) -> list[Alarm]:
    """Deletions that are not in the ledger and were not told before; at first one alarm for all."""
    new = [one for one in found if one.id not in before]
    if is_first and len(new) > 1:
        text = f"{counted(len(new), 'deletion')} not in the ledger, the last: {new[-1].words}"
        return [Alarm(at, text, DriftKind.DELETING)]
    return [Alarm(at, f"Not in the ledger: {one.words}", DriftKind.DELETING) for one in new]


def fence_alarms(before: FenceCheck, after: FenceCheck, *, at: datetime) -> list[Alarm]:
    """Fences that somebody took away, once each, and those that hold again."""
    known = {one.target_id: one.hold for one in before.lost}
    alarms = [
        Alarm(at, f"{one.words[0].upper()}{one.words[1:]}")
        for one in after.lost
        if known.get(one.target_id) is not one.hold
    ]
    again = [one for one in after.callers if one.hold is Hold.HOLDS and one.target_id in known]
    return [*alarms, *(Alarm(at, f"{one.target} is fenced again", rings=False) for one in again)]


def situation_alarms(before: Situation | None, after: Situation, *, at: datetime) -> list[Alarm]:
    """Deletions that are new, or were refused after all. The first reading gives one alarm for all that goes
    on. An attempt that was refused before anybody saw it go on rings nothing."""
    known = {(one.kind, one.target_id): one.stage for one in before.deletions} if before else {}
    fresh = [
        one
        for one in after.of(Stage.RUNNING, Stage.QUEUED, Stage.HALF_DONE)
        if known.get((one.kind, one.target_id)) is not one.stage
    ]
    alarms = []
    if before is None and len(fresh) > 1:
        names = ", ".join(one.label for one in fresh[:3]) + (" …" if len(fresh) > 3 else "")
        alarms.append(
            Alarm(at, f"{counted(len(fresh), 'deletion')} at the start: {names}", DriftKind.DELETING)
        )
    else:
        alarms += [Alarm(at, _deletion_words(one), DriftKind.DELETING) for one in fresh]
    was_unnamed = before.unnamed_jobs if before is not None else 0
    if after.unnamed_jobs > was_unnamed:
        number = counted(after.unnamed_jobs - was_unnamed, "deletion job")
        alarms.append(Alarm(at, f"{number} of which no event says the target", DriftKind.DELETING))
    alarms += [
        Alarm(at, f"{one.label}: its deletion was refused, it is still there", rings=False)
        for one in after.of(Stage.REFUSED)
        if known.get((one.kind, one.target_id)) in (Stage.RUNNING, Stage.QUEUED)
    ]
    return alarms


def _deletion_words(one: Deletion) -> str:
    by = f" by {one.by}" if one.by else ""
    if one.stage is Stage.QUEUED:
        return f"{one.label}: its deletion is submitted{by}"
    alive = f", {counted(len(one.alive), 'VM')} alive"
    return f"{one.label} is {one.stage.value}{by}{alive if one.stage is Stage.RUNNING else ''}"


def source_alarms(
    before: Sequence[SourceStatus], after: Sequence[SourceStatus], *, at: datetime
) -> list[Alarm]:
    """Sources that stopped answering in full, or answer in full again."""
    alarms = []
    for old, new in zip(before, after, strict=True):
        if old.coverage is new.coverage or new.coverage is None:
            continue
        if new.coverage is CoverageState.COMPLETE:
            if old.coverage is not None:
                alarms.append(Alarm(at, f"{new.label} is read in full again", rings=False))
        else:
            how = "cannot be read" if new.coverage is CoverageState.FAILED else "is read in part"
            alarms.append(Alarm(at, f"{new.label} {how}: {new.why}"))
    return alarms


def ledger_alarms(before: str, after: str, *, at: datetime) -> list[Alarm]:
    """That the ledger was altered, or more of it than was known."""
    return [Alarm(at, after)] if after and after != before else []


def freeze_alarms(before: Sequence[Freeze], after: Sequence[Freeze], *, at: datetime) -> list[Alarm]:
    """Zones that a restore has left closed and that were not known of, and those that are open again."""
    known, now = {one.zone for one in before}, {one.zone for one in after}
    opened = [Alarm(at, f"Zone {zone} is open again", rings=False) for zone in sorted(known - now)]
    return [*opened, *(Alarm(at, one.in_short) for one in after if one.zone not in known)]


class AlarmLog:
    """The latest alarms, the newest first."""

    def __init__(self, *, kept: int = KEPT_ALARMS) -> None:
        self._alarms: deque[Alarm] = deque(maxlen=kept)

    def add(self, alarms: Sequence[Alarm]) -> None:
        self._alarms.extendleft(alarms)

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        return tuple(self._alarms)

    def __len__(self) -> int:
        return len(self._alarms)
