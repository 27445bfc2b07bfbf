"""What is known of deletions, said of the rows of a comparison: one truth for the console and the commands.

Pure. A comparison alone sees that some deletion runs, not which one: the events tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sync.corpses import below
from sync.deletion_attempts import Attempt, Event, attempts
from sync.deletions import Deletion, Kind, Situation, Stage
from sync.model import DomainView, Drift, DriftKind, DriftRow, id_key, project_key


def deletions_by_row(situation: Situation | None, drift: Drift) -> dict[str, Deletion]:
    """The domains that are being deleted, or submitted to be, by the keys of their rows: by their ids, else
    by their paths. One that was renamed is not the domain that has its name now."""
    if situation is None:
        return {}
    rows = {row.key: row for row in drift.rows}
    by_id = {
        view.domain_id: row.key for row in drift.rows for view in (row.dying, row.view) if view is not None
    }
    prefix = f"{drift.scope.parent.casefold()}/"
    found: dict[str, Deletion] = {}
    for one in reversed(situation.busy):
        if one.kind is not Kind.DOMAIN:
            continue
        if one.target_id in by_id:
            found[by_id[one.target_id]] = one
            continue
        # The parent's own deletion takes every project with it.
        is_above = prefix.startswith(f"{one.path.casefold()}/")
        for path in (*one.below, one.path) if is_above else (one.path,):
            folded = path.casefold()
            if folded.startswith(prefix):
                key = project_key(folded[len(prefix) :].partition("/")[0])
                row = rows.get(key)
                is_another = row is not None and row.view is not None and folded == f"{prefix}{key}"
                if is_above or not is_another:
                    found[key] = one
    return found


def settled(drift: Drift, situation: Situation | None) -> Drift:
    """The comparison, in which a domain whose own deletion has ended, or was cut off, is ORPHANED, though
    another one runs."""
    stages = (Stage.ORPHANED, Stage.HALF_DONE)
    ended = {
        one.target_id: one
        for one in (situation.of(*stages) if situation is not None else ())
        if one.kind is Kind.DOMAIN
    }
    rows = [_settled(row, ended) for row in drift.rows] if ended else []
    return replace(drift, rows=_worst_first(rows)) if ended else drift


def _settled(row: DriftRow, ended: dict[str, Deletion]) -> DriftRow:
    if row.kind is not DriftKind.DELETING or row.view is not None or row.dying is None:
        return row
    one = ended.get(row.dying.domain_id)
    if one is None or (row.dying.subdomains and one.stage is Stage.ORPHANED):
        return row
    return replace(row, kind=DriftKind.ORPHANED, reason=f"The domain {row.dying.path} is gone. {one.why}")


def with_deletions(drift: Drift, situation: Situation | None) -> Drift:
    """The comparison as it is shown: what is being deleted, or submitted to be, is DELETING. What is repaired
    follows the comparison alone."""
    drift = settled(drift, situation)
    busy = deletions_by_row(situation, drift)
    if not busy:
        return drift
    rows = [deleting(row, busy[row.key]) if row.key in busy else row for row in drift.rows]
    return replace(drift, rows=_worst_first(rows))


def deleting(row: DriftRow, one: Deletion) -> DriftRow:
    """The row, of which this deletion is known."""
    by = f" It is {one.by} who deletes it." if one.by else ""
    reason = f"{row.reason}{by}" if row.kind is DriftKind.DELETING else f"{one.why}{by}"
    return replace(row, kind=DriftKind.DELETING, reason=reason)


def with_holders(drift: Drift, events: Iterable[Event], paths: Mapping[str, str]) -> Drift:
    """The comparison, in which a missing project has the old domain that may still hold its name.

    A domain holds its name until its deletion has ended (measured on 4.23). When no VM of it is left, only
    the event of its deletion tells its id. Whose it was is told by the path under which it was listed, one of
    `paths` by id, or by the id that the CI database stores: by its name alone it may be a stranger's.
    """
    missing = {
        row.key: row.project
        for row in drift.rows
        if row.kind is DriftKind.MISSING and row.project is not None and row.dying is None
    }
    if not missing:
        return drift
    stored = {id_key(one.domain_id): key for key, one in missing.items() if one.domain_id}
    listed = {row.view.domain_id for row in drift.rows if row.view is not None}
    last: dict[str, Attempt] = {}
    gone = set()
    for attempt in attempts(events):
        if attempt.kind is Kind.DOMAIN and attempt.target_id not in listed:
            path = paths.get(attempt.target_id, "")
            names = below(path, drift.scope.parent) if path else []
            key = project_key(names[0]) if len(names) == 1 else ""
            last[key if path else stored.get(id_key(attempt.target_id), "")] = attempt
            if attempt.succeeded:
                gone.add(attempt.target_id)
    ids = {key: one.target_id for key, one in last.items()}
    holders = {key: id for key, id in ids.items() if key in missing and id not in gone}
    rows = [
        _held(row, holders[row.key], drift.scope.parent) if row.key in holders else row for row in drift.rows
    ]
    return replace(drift, rows=tuple(rows)) if holders else drift


def _held(row: DriftRow, domain_id: str, parent: str) -> DriftRow:
    old = DomainView(domain_id, f"{parent}/{row.name.strip()}", None)
    reason = f"{row.reason} The deletion of its old one has not ended by the events: it may hold the name."
    return replace(row, dying=old, reason=reason)


def _worst_first(rows: list[DriftRow]) -> tuple[DriftRow, ...]:
    return tuple(sorted(rows, key=lambda row: (row.kind.rank, row.key)))
