"""The command with which a person says that a side that shrank is right: ledger accept."""

from __future__ import annotations

import argparse

from console.cli.output import ask, plain, result, say
from console.cli.sessions import session_of
from console.session import Session
from sync.errors import EXIT_DONE, EXIT_DRIFT, GuardError, IncompleteError
from sync.model import ActualInventory, DesiredInventory, Side


def accept(arguments: argparse.Namespace) -> int:
    """`abreast ledger accept SIDE`: shows what the side has, and what of it went; with a reason, and the
    word, that is all there is from now on.

    Raises IncompleteError where the side cannot be read completely, GuardError without the word, LedgerError.
    """
    from sync.agreement import compared, lists_of

    side = Side[arguments.side.upper()]
    with session_of(arguments) as session:
        reading = _read(session, side)
        lists = lists_of(reading)
        extents, name = session.ledger.extents(session.environment.parent), session.environment.name
        result(f"{side.value}: {', '.join(f'{len(keys)} {what}' for what, keys in lists.items())}")
        earlier = extents.current(side)
        shrunk = compared(earlier, lists, reading.taken_at)[1] if earlier is not None else ()
        for one in shrunk:
            result(f"{one.words}: {', '.join(one.names)}{' …' if one.lost > len(one.names) else ''}")
        if arguments.reason is None:
            when = (
                f"since {plain(earlier.seen_at)}"
                if earlier is not None
                else "there is nothing to compare with"
            )
            result("It has shrunk." if shrunk else f"It has not shrunk, {when}.")
            return EXIT_DRIFT if shrunk else EXIT_DONE
        say(f"From now on this is taken for all of it in {name}, by everybody who shares this ledger.")
        if ask(f"Type {name} to accept it, anything else to leave:") != name:
            raise GuardError("Not confirmed: nothing was accepted.")
        entry = extents.accept(side, lists, reading.taken_at, reason=arguments.reason)
        result(f"accepted by {entry.operator}: {entry.summary}")
        return EXIT_DONE


def _read(session: Session, side: Side) -> DesiredInventory | ActualInventory:
    """The side as it is, before it is compared with earlier readings. Raises IncompleteError."""
    reading: DesiredInventory | ActualInventory
    if side is Side.DESIRED:
        reading = session.ci_database.read(session.scope())
    else:
        reading = session.recogniser.marked(session.reader.inventory(session.scope(), limits=False))
    if not reading.coverage.is_complete:
        raise IncompleteError(
            f"{side.value} was not read completely: {reading.coverage.why}", next_step="Nothing was accepted."
        )
    return reading
