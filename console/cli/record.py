"""The commands about the ledger: show, verify, export, merge, break-lease, pin."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from console.cli.output import ask, plain, result, result_json, result_lines, say, table
from console.cli.sessions import session_of
from console.session import Session
from sync.errors import EXIT_CRITICAL, EXIT_DONE, GuardError, LedgerError, UsageError
from widgets.cells import counted

if TYPE_CHECKING:
    from sync.ledger_entries import Pin

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, now: datetime) -> datetime:
    """`2h`, `3d` … before `now`, or a date with or without a time (ISO 8601, UTC where it names no zone).

    Raises UsageError.
    """
    ago = re.fullmatch(r"(\d+)([smhdw])", text.strip())
    try:
        if ago is not None:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        at = datetime.fromisoformat(text.strip())
        return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text} is no point in time.",
            next_step="Write how long ago (90m, 12h, 3d) or when (2026-07-28, 2026-07-28T03:12, in UTC).",
        ) from None


def capture_moment(named: str, now: datetime) -> datetime:
    """When the capture was taken that was named, where that is no file. Raises UsageError."""
    try:
        return moment(named, now)
    except UsageError:
        raise UsageError(
            f"There is no file {named}, and it is no point in time.",
            next_step="Name a file of `abreast capture`, or when an automatic one was taken: 12h.",
        ) from None


def show(arguments: argparse.Namespace) -> int:
    """`abreast ledger show`: the record, oldest first. Raises UsageError for a run that is not in it."""
    with session_of(arguments) as session:
        since = moment(arguments.since, session.clock()) if arguments.since else None
        if arguments.run and not list(session.ledger.entries(run_id=arguments.run, limit=1)):
            raise UsageError(
                f"The ledger of {session.environment.name} has no run {arguments.run}.",
                next_step="`abreast ledger show` lists what it has.",
            )
        entries = session.ledger.entries(run_id=arguments.run, limit=arguments.limit, since=since)
        if arguments.format == "json":
            for entry in entries:
                result_json(entry, indent=None)
            return EXIT_DONE
        rows = [
            (entry.seq, plain(entry.at), entry.operator, entry.kind.value, entry.summary) for entry in entries
        ]
        result_lines(table(rows, header=("seq", "at (UTC)", "by", "what", "details")))
        return EXIT_DONE


def verify(arguments: argparse.Namespace) -> int:
    """`abreast ledger verify`: 0 where the chain is sound, 2 where it is not."""
    with session_of(arguments) as session:
        found = session.ledger.verify(noted=arguments.head)
        entries = counted(found.entries, "entry", "entries")
        if arguments.format == "json":
            result_json(
                {
                    "environment": session.environment.name,
                    "sound": found.is_sound,
                    "entries": found.entries,
                    "head": found.head,
                    "problems": found.problems,
                }
            )
        elif found.is_sound:
            result(f"sound: {entries}, the last with hash {found.head}")
        else:
            result(f"BROKEN: {entries}, {counted(len(found.problems), 'problem')}")
            for problem in found.problems:
                result(problem)
        return EXIT_DONE if found.is_sound else EXIT_CRITICAL


def export(arguments: argparse.Namespace) -> int:
    """`abreast ledger export`: all of it, one line of JSON an entry, as it is hashed."""
    from sync.ledger_entries import exported

    with session_of(arguments) as session:
        for entry in session.ledger.entries():
            result_json(exported(entry), indent=None)
        return EXIT_DONE


def merge(arguments: argparse.Namespace) -> int:
    """`abreast ledger merge`: take in what was recorded elsewhere while the ledger could not be reached, by
    this machine or in a file from another. Raises LedgerError where it cannot be."""
    from sync.containment_journal import merge_journal

    with session_of(arguments) as session:
        ledger = session.ledger
        if session.journal_problem:
            raise LedgerError(session.journal_problem)
        found = merge_journal(ledger, arguments.file) if arguments.file is not None else session.merged
        if found is not None:
            result(f"{found.words}.")
        elif arguments.file is not None:
            raise UsageError(f"There is no journal at {arguments.file}.")
        else:
            result("This machine has no journal of its own: everything is in the ledger.")
        return EXIT_DONE


def break_lease(arguments: argparse.Namespace) -> int:
    """`abreast ledger break-lease`: only where the machine of the named owner is not heard of any more."""
    with session_of(arguments) as session:
        broken = session.ledger.break_lease(owner=arguments.owner, reason=arguments.reason)
        result(f"The lease of {session.environment.name} was taken from {broken.words}.")
        run = session.ledger.interrupted_run()
        if run is not None:
            say(f"Run {run.run_id} by {run.operator} was interrupted. `abreast rebuild` resumes it.")
        return EXIT_DONE


def pin(arguments: argparse.Namespace) -> int:
    """`abreast ledger pin`: without a reason shows what the environment is pinned to, and whether this is it;
    with one pins it to the server that answers now."""
    with session_of(arguments) as session:
        pins, name = session.ledger.pins, session.environment.name
        current, server = pins.current(), session.recogniser.server()
        _show_pin(session, current)
        result(f"answering now: {server.words}")
        if arguments.reason is None:
            session.recogniser.require()
            result("They are the same." if current is not None else "Pinned to it now, at first use.")
            return EXIT_DONE
        say(f"From now on {name} is what answers now, for everybody who shares this ledger.")
        if ask(f"Type {name} to pin it anew, anything else to leave:") != name:
            raise GuardError("Not confirmed: nothing was pinned.")
        neighbours = session.recogniser.neighbours(afresh=True)
        _show_pin(session, pins.move(server, reason=arguments.reason, neighbours=neighbours))
        return EXIT_DONE


def _show_pin(session: Session, pin: Pin | None) -> None:
    if pin is None:
        result(f"{session.environment.name} is not pinned yet")
        return
    why = f", because: {pin.reason}" if pin.reason else ", at first use"
    also = f"; it shares its ROOT domain id with {', '.join(pin.shares)}" if pin.shares else ""
    result(
        f"{pin.environment} is pinned to {pin.endpoint} with ROOT domain {pin.root_id} "
        f"by {pin.pinned_by} at {plain(pin.pinned_at)}{why}{also}"
    )
