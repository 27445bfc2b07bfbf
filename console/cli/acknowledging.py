"""The command with which a person says that somebody has looked at deletions: ledger acknowledge."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from console.cli.output import ask, plain, result, result_lines, say, table
from console.cli.sessions import session_of
from sync.errors import EXIT_CRITICAL, EXIT_DONE, GuardError, IncompleteError, UsageError

if TYPE_CHECKING:
    from sync.unrecorded import Unrecorded

SHORTEST = 6
"""So much of an event's id must be given at least."""


def acknowledge(arguments: argparse.Namespace) -> int:
    """`abreast ledger acknowledge`: lists the deletions that are not in the ledger; with their events' ids
    and a reason, writes that they were looked at, after the environment's word.

    Raises UsageError for an id that is none of them, GuardError without the word, IncompleteError where the
    events cannot be read or the ledger cannot be compared with, LedgerError.
    """
    from sync.deletion_record import acknowledge as write

    with session_of(arguments) as session:
        session.recogniser.require()
        told = session.deletions.told()
        if told.problem:
            raise IncompleteError(told.problem, next_step="Nothing was acknowledged.")
        chosen = told.found if arguments.all else _named(told.found, arguments.events)
        if arguments.reason is None:
            if told.found:
                result_lines(_listed(told.found))
            else:
                result("Every deletion that CloudStack tells of is in the ledger, or was acknowledged.")
            return EXIT_CRITICAL if told.found else EXIT_DONE
        if not chosen:
            raise UsageError("No deletion is named.", next_step="Give the ids of their events, or --all.")
        result_lines(_listed(chosen))
        name = session.environment.name
        say(f"From now on {name} does not ring for these any more, for everybody who shares this ledger.")
        if ask(f"Type {name} to acknowledge {len(chosen)}, anything else to leave:") != name:
            raise GuardError("Not confirmed: nothing was acknowledged.")
        for entry in write(session.ledger, chosen, reason=arguments.reason):
            result(f"acknowledged by {entry.operator}: {entry.summary}")
        return EXIT_DONE


def _named(found: Sequence[Unrecorded], names: Sequence[str]) -> tuple[Unrecorded, ...]:
    """The deletions of these events, each by its id or the beginning of it."""
    chosen: dict[str, Unrecorded] = {}
    for name in names:
        matching = [one for one in found if one.id.startswith(name)]
        if len(name) < SHORTEST or len(matching) != 1:
            what = "several deletions begin" if len(matching) > 1 and len(name) >= SHORTEST else "none begins"
            raise UsageError(
                f"Of those that are not in the ledger, {what} with the event {name}.",
                next_step=f"`abreast ledger acknowledge` lists them; {SHORTEST} characters are the least.",
            )
        chosen[matching[0].id] = matching[0]
    return tuple(chosen.values())


def _listed(found: Sequence[Unrecorded]) -> str:
    rows = [
        (one.id, plain(one.at) or "?", f"{one.account or '?'}/{one.username or '?'}", one.label)
        for one in found
    ]
    return table(rows, header=("event", "at (UTC)", "by", "deleted"))
