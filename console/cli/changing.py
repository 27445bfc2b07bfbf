"""Commands that change something, after showing it and being told so: apply."""

from __future__ import annotations

import argparse
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from console.cli.output import ask, plain, result, result_json, result_lines, say, table
from console.cli.planning import read_plan, show
from console.cli.sessions import session_of
from console.session import Session
from sync.errors import EXIT_DONE, EXIT_DRIFT, EXIT_STOPPED, EXIT_UNKNOWN, GuardError
from sync.model import JsonObject, Outcome, Plan
from widgets.cells import counted

if TYPE_CHECKING:
    from sync.executor import Confirmation, ExecutionEvent, RunReport


class NotConfirmedError(GuardError):
    """The word was not given."""


def confirm(session: Session, plan: Plan, *, digest: str | None, left: int | None = None) -> Confirmation:
    """A named person's word for exactly this plan, of which `left` actions are still to be run (by default
    all). Raises GuardError without it."""
    from sync.executor import Confirmation

    if digest is None:
        what = counted(len(plan.actions) if left is None else left, "action")
        say(f"{what} in {session.environment.heading}. Nothing is deleted.")
    word_or_digest(plan, word=session.environment.name, digest=digest, to="run them")
    return Confirmation(digest=plan.digest, by=session.operator, at=session.clock())


def word_or_digest(plan: Plan, *, word: str, digest: str | None, to: str) -> None:
    """Raises GuardError unless the digest is this plan's; without one, unless the word is typed."""
    if digest is None:
        if ask(f"Type {word} to {to}, anything else to leave:") != word:
            raise NotConfirmedError("Not confirmed: nothing was done.")
    elif digest != plan.digest:
        raise GuardError(
            f"The digest given is not that of this plan ({plan.digest}).",
            next_step="Review the plan again: it is not the one that was confirmed.",
        )


@contextmanager
def stop_on_interrupt() -> Iterator[threading.Event]:
    """An event that ctrl+c (or SIGTERM) sets: what runs is followed to its end, nothing new is sent."""
    stop = threading.Event()

    def request(*_: object) -> None:
        say("abreast: stopping after the calls that are running …")
        stop.set()

    earlier = {name: signal.signal(name, request) for name in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for name, handler in earlier.items():
            signal.signal(name, handler)


def progress() -> Callable[[ExecutionEvent], None]:
    """One line on stderr for each action that ended, and for what the server makes of it."""

    def show_event(event: ExecutionEvent) -> None:
        ended = event.result
        if ended is not None:
            detail = f": {ended.detail}" if ended.detail else ""
            say(f"[{event.done}/{event.total}] {ended.outcome.value:9} {ended.action_id}{detail}")
        elif event.action_id is None and event.phase in ("adapted", "waiting", "answered"):
            why = f" ({event.note})" if event.note else ""
            say(f"[{event.done}/{event.total}] {event.phase:9} {event.at_once} at once{why}")

    return show_event


def apply(arguments: argparse.Namespace) -> int:
    """`abreast apply FILE`: shows the plan, asks for the word, executes, reports each outcome.

    Raises GuardError, before it asks, when the plan lacks approvals that its environment requires, or names
    what the server does not have.
    """
    from console.cli import approving
    from sync.approval import assess, require
    from sync.named import refuse_unnamed
    from sync.plan import refuse_expired

    plan = read_plan(arguments.file)
    with session_of(arguments) as session:
        refuse_expired(plan, session.clock())
        approving.refuse_other(plan, session.environment.name)
        standing = assess(plan, arguments.file, session.environment.approvals, now=session.clock())
        if arguments.format == "text":
            show(plan)
            approving.show_radii(plan, approving.radii_stated(plan), arguments.file, affecting_only=True)
        approved = require(standing)
        session.arm()
        refuse_unnamed(plan.actions, session.reader)
        confirmation = confirm(session, plan, digest=arguments.confirm)
        with stop_on_interrupt() as stop:
            report = session.executor().run(
                plan, confirmed=confirmation, on_event=progress(), stop=stop, approved=approved
            )
        report_run(report, as_json=arguments.format == "json")
        return exit_code(report, stopped=stop.is_set())


def exit_code(report: RunReport, *, stopped: bool) -> int:
    outcomes = {outcome.outcome for outcome in report.results}
    if stopped:
        return EXIT_STOPPED
    if Outcome.UNKNOWN in outcomes:
        return EXIT_UNKNOWN
    if outcomes & {Outcome.FAILED, Outcome.NOT_RUN, Outcome.SKIPPED}:
        return EXIT_DRIFT
    return EXIT_DONE


def report_run(report: RunReport, *, as_json: bool) -> None:
    if as_json:
        result_json(report_json(report))
        return
    counts = ", ".join(f"{count} {outcome.value}" for outcome, count in report.counts.items() if count)
    result(f"run {report.run_id}: {counts or 'nothing to do'}; {at_once(report)}")
    rows = [
        (entry.outcome.value, entry.action_id, entry.detail)
        for entry in report.results
        if entry.outcome is not Outcome.SUCCEEDED
    ]
    if rows:
        result_lines(table(rows, header=("outcome", "action", "detail")))


def at_once(report: RunReport) -> str:
    """How much was asked of the server at once, in words."""
    backed_off = "; ".join(f"{count} × {why}" for why, count in report.back_offs.items())
    less = f", less for a while: {backed_off}" if backed_off else ""
    return f"at most {report.most_at_once} at once{less}"


def report_json(report: RunReport) -> JsonObject:
    return {
        "run": report.run_id,
        "actions": {outcome.value: count for outcome, count in report.counts.items()},
        "results": plain(report.results),
        "most_at_once": report.most_at_once,
        "back_offs": dict(report.back_offs),
        "seconds": round((report.ended_at - report.started_at).total_seconds(), 3),
    }
