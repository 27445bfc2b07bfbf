"""What is held of containment at this moment: fences that stand, brakes that are on, by ledger and database.

While any of it holds, somebody is saving what there is, and nothing is destroyed on purpose.
"""

from __future__ import annotations

from pathlib import Path

from sync.brake import holder, lock_names
from sync.containment_journal import Standing, brakes_on, joined, standing
from sync.errors import ConfigurationError, SourceError
from sync.ledger import Entry, EntryKind, Ledger
from sync.model import Outcome
from sync.secret import Secret
from sync.settings import Environment


def held(
    environment: Environment, ledger: Ledger, *, release: str, is_deleting: bool = False
) -> tuple[str, ...]:
    """What is held, in words. `is_deleting` when a deletion of our own may have the lock. Raises LedgerError.

    Where CloudStack's database is configured, it says whether a brake is on: a killed process leaves one in
    the ledger. Elsewhere the ledger is believed.
    """
    # As one record: what was merged from the file and undone in the ledger is undone.
    entries = joined(ledger.entries(kinds=_KINDS), _own_entries(ledger, environment.journal_path))
    found = [_fence_words(one) for one in standing(entries, "fence")]
    if environment.cloudstack_database is None:
        brakes = {one.target_id: one for one in brakes_on(entries)}
        return (*found, *map(_brake_words, brakes.values()))
    if is_deleting:
        return tuple(found)
    return (*found, *_taken(environment.cloudstack_database, release))


_KINDS = (EntryKind.INTENT, EntryKind.OUTCOME)


def _own_entries(ledger: Ledger, path: Path) -> list[Entry]:
    """Of this machine's own file: what a console wrote there that could not reach the ledger."""
    if not path.exists():
        return []
    own = Ledger(f"sqlite:///{path}", environment=ledger.environment, operator=ledger.operator)
    with own:
        return own.entries(kinds=_KINDS)


def _fence_words(one: Standing) -> str:
    doubt = ", perhaps: its call was never answered" if one.outcome == Outcome.UNKNOWN.value else ""
    return f"the fence on {one.target} stands, {_since(one)}{doubt}"


def _brake_words(one: Standing) -> str:
    return (
        f"the brake {one.target_id} is on, {_since(one)}, as far as the ledger tells: a killed process "
        "leaves it there, and with `cloudstack_database` configured here the database itself is asked"
    )


def _since(one: Standing) -> str:
    return f"since {one.at:%Y-%m-%d %H:%M} UTC, by {one.operator}"


def _taken(url: Secret, release: str) -> list[str]:
    """Locks that somebody holds, or why that cannot be told."""
    try:
        taken = {name: holder(url, name) for name in lock_names(release)}
    except (SourceError, ConfigurationError) as error:
        return [f"whether the brake is on cannot be told: {error}"]
    return [
        f"the lock {name} of CloudStack's database is held by its session {session}: a brake, or a deletion"
        for name, session in taken.items()
        if session is not None
    ]
