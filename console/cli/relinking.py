"""`abreast relink`: which stored ids no domain has any more, and the files that mend them. Only reads."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from console.cli.output import plain, result, result_json, result_lines, say, table
from console.cli.reading import read_both, refuse_unread
from console.cli.sessions import session_of
from console.session import Session
from sync.errors import EXIT_DONE, EXIT_DRIFT

if TYPE_CHECKING:
    from pathlib import Path

    from sync.recovery import StaleId
    from sync.relink import Links


def relink(arguments: argparse.Namespace) -> int:
    """Exit code 0 when every stored id is alive, 1 when some are not."""
    from sync.recovery import stale_ids
    from sync.relink import links

    with session_of(arguments) as session:
        desired, actual = read_both(session)
        drift = session.compare(desired, actual)
        refuse_unread(drift, "What the stored ids are worth cannot be told.")
        found, stale = links(desired, actual), stale_ids(drift)
        files = write_files(session, stale, arguments.output) if arguments.output and stale else ()
        if arguments.format == "json":
            result_json({**plain(found), "stale": plain(stale), "files": [str(path) for path in files]})
        else:
            _print(found, stale, files)
        return EXIT_DONE if found.are_alive and not stale else EXIT_DRIFT


def write_files(session: Session, stale: tuple[StaleId, ...], folder: Path) -> tuple[Path, ...]:
    """The new ids as CSV and, where the owner's statement is known, as SQL."""
    from sync.relink import statement_of, write

    environment = session.environment
    if not statement_of(environment.ci_database):
        say("No SQL is written: name your statement as `relink` under [environments.….ci_database].")
    return write(stale, environment.ci_database, folder, environment=environment.name, at=session.clock())


def _print(found: Links, stale: tuple[StaleId, ...], files: tuple[Path, ...]) -> None:
    result(
        f"{found.alive} stored ids are alive, {len(found.dead)} are of no domain any more, "
        f"{found.without} projects store none"
    )
    if stale:
        rows = [(one.project, one.stored, one.current) for one in stale]
        result_lines(table(rows, header=("project", "stored id", "id now")))
        result("Before any synchronisation is switched on, the CI database's owner has to store the new ids.")
    nowhere = sorted(set(found.dead) - {one.project for one in stale})
    if nowhere:
        result(f"without any domain to link to: {', '.join(nowhere)}")
    for path in files:
        result(f"written: {path}")
