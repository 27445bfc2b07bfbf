"""`abreast capture` and `replay`: both sides into a file to take along, and the console on such a file."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from console.cli.output import plain, result, result_json, say
from console.cli.reading import coverage_words, read_both
from console.cli.record import moment
from console.cli.sessions import session_of
from console.session import Session, utc_now
from sync.errors import EXIT_DONE, EXIT_UNKNOWN, IncompleteError
from sync.model import CoverageState

if TYPE_CHECKING:
    from sync.capture import Capture

_NOUNS = {
    "desired.projects": "projects",
    "actual.domains": "domains",
    "actual.accounts": "accounts",
    "actual.vms": "VMs",
    "actual.volumes": "volumes",
    "actual.snapshots": "snapshots",
    "actual.templates": "templates",
    "actual.isos": "ISOs",
    "actual.networks": "networks",
    "actual.public_addresses": "public addresses",
    "actual.projects": "CloudStack Projects",
}


def capture(arguments: argparse.Namespace) -> int:
    """Reads, and writes what was read; a side that was read in part is captured as that, with code 3."""
    from sync.capture_file import refuse_existing, write_file

    refuse_existing(arguments.file)
    with session_of(arguments) as session:
        made = _of_then(session, arguments.at) if arguments.at else _of_now(session)
        entry = write_file(made, arguments.file)
        if arguments.format == "json":
            result_json(
                {
                    "environment": made.environment,
                    "file": str(arguments.file),
                    "taken_at": made.taken_at,
                    "desired": plain(made.desired.coverage),
                    "actual": plain(made.actual.coverage),
                    "counts": {_NOUNS.get(name, name): count for name, count in entry.counts.items()},
                    "digest": entry.digest,
                }
            )
        else:
            counts = [f"{count} {_NOUNS[name]}" for name, count in entry.counts.items() if name in _NOUNS]
            when = f"{made.taken_at:%Y-%m-%d %H:%M:%S} UTC"
            result(f"{made.environment} at {when}: {', '.join(counts) or 'nothing'}")
            for side, coverage in made.coverages():
                result(f"{side.value}: {coverage_words(coverage)}")
            result(f"{arguments.file}  digest {entry.digest}")
    if not made.is_complete:
        say("abreast: captured in part; what was not read is not in it.")
    return EXIT_DONE if made.is_complete else EXIT_UNKNOWN


def replay(arguments: argparse.Namespace) -> int:
    """`abreast replay`: the console on a capture. Needs no configuration."""
    from console.cli.screens import require_terminal, run_app
    from console.replaying import ReplaySession
    from sync.capture_file import read_file

    require_terminal("replay", "It shows a capture on screen.")
    at = moment(arguments.at, utc_now()) if arguments.at else None
    session = ReplaySession(read_file(arguments.file, at=at), arguments.file)
    return run_app(session, start="overview")


def _of_now(session: Session) -> Capture:
    desired, actual = read_both(session)
    if CoverageState.FAILED is desired.coverage.state is actual.coverage.state:
        raise IncompleteError(
            f"Neither side could be read: {desired.coverage.why} {actual.coverage.why}",
            next_step="Nothing was written.",
        )
    return session.captures.make(desired, actual)


def _of_then(session: Session, text: str) -> Capture:
    store = session.captures.history
    return store.read(store.at(moment(text, session.clock())).id)
