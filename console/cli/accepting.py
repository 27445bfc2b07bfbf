"""The command with which a person says that a side that shrank is right: ledger accept."""

from __future__ import annotations

import argparse

from console.cli.output import ask, plain, result, say
from console.cli.sessions import session_of
from sync.errors import EXIT_DONE, EXIT_DRIFT, GuardError
from sync.model import Side


def accept(arguments: argparse.Namespace) -> int:
    """`abreast ledger accept SIDE`: shows what the side has, and what of it went; with a reason, and the
    word, that is all there is from now on.

    Raises IncompleteError where the side cannot be read completely, GuardError without the word, LedgerError.
    """
    from console.accepting import accept as record
    from console.accepting import acceptable

    side = Side[arguments.side.upper()]
    with session_of(arguments) as session:
        found = acceptable(session, side)
        for text in found.texts:
            result(text)
        if arguments.reason is None:
            when = (
                f"since {plain(found.earlier.seen_at)}"
                if found.earlier is not None
                else "there is nothing to compare with"
            )
            result("It has shrunk." if found.shrunk else f"It has not shrunk, {when}.")
            return EXIT_DRIFT if found.shrunk else EXIT_DONE
        name = session.environment.name
        say(f"From now on this is taken for all of it in {name}, by everybody who shares this ledger.")
        if ask(f"Type {name} to accept it, anything else to leave:") != name:
            raise GuardError("Not confirmed: nothing was accepted.")
        result(record(session, found, reason=arguments.reason))
        return EXIT_DONE
