"""Commands that open a screen: the console, the recovery mode, the wall. They need a terminal."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from console.cli.output import result_json, say
from console.cli.sessions import open_session, session_of
from console.cli.stopping import until_told
from console.faults import as_error
from console.session import Session
from sync.errors import EXIT_DONE, EXIT_STOPPED, UsageError

if TYPE_CHECKING:
    from sync.drill_stage import Stage
    from sync.model import ActualInventory, DesiredInventory


def require_terminal(command: str, instead: str) -> None:
    """Raises UsageError where there is no terminal to draw on."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        name = f"abreast {command}".strip()
        raise UsageError(f"`{name}` needs a terminal.", next_step=instead)


def open_console(arguments: argparse.Namespace) -> int:
    require_terminal("", "`abreast check` compares without one.")
    return run_app(open_session(arguments), start="overview")


def open_recovery(arguments: argparse.Namespace) -> int:
    require_terminal("recover", "`abreast rebuild` recovers without one.")
    return run_app(open_session(arguments), start="recovery")


def open_watch(arguments: argparse.Namespace) -> int:
    if arguments.headless:
        with session_of(arguments) as session:
            return watch_headless(session)
    require_terminal("watch", "`abreast watch --headless` prints one JSON line a refresh.")
    return run_app(open_session(arguments), start="watch")


def run_app(
    session: Session,
    *,
    start: Literal["overview", "watch", "recovery"],
    at_last: Callable[[], None] = lambda: None,
    stage: Stage | None = None,
) -> int:
    """The console on a session, until it is left; closes the session, and ends the stage of a drill.

    `at_last` clears away what no closing of ours would, where the process has to end itself.
    """
    # Everything that is imported and built up to the first frame stays: looking for garbage in between only
    # costs (a tenth of the time to the first frame). The App collects from its first frame on.
    gc.disable()
    from console.app import ConsoleApp
    from console.ending import ended_by_signals

    try:
        app = ConsoleApp(session, start=start, stage=stage)
        with ended_by_signals(app.end_from_outside, at_last=at_last):
            code = app.run()
    finally:
        gc.enable()
        if stage is not None:
            stage.end()
        session.close()
    return EXIT_DONE if code is None else int(code)


def watch_headless(session: Session) -> int:
    """One JSON line a refresh to stdout, until it is told to end. Never arms, never writes."""
    from concurrent.futures import Future, ThreadPoolExecutor

    from console.cli.reading import frozen_zones, is_read, read_all, summary, tampering_words
    from sync.ledger_check import Watch

    previous, watch = None, Watch(lambda: session.ledger)
    with until_told() as stop, ThreadPoolExecutor(max_workers=1, thread_name_prefix="capture") as pool:
        capturing: Future[object] | None = None
        while not stop.is_set():
            started = session.clock()
            desired, actual, situation = read_all(session, previous=previous)
            drift = session.compare(desired, actual)
            tampering = tampering_words(watch)
            zones = frozen_zones(session, watch)
            found = summary(session, drift, situation, tampering=tampering, zones=zones) | {
                "captures": {"problem": session.captures.problem or session.captures.baseline_problem},
            }
            result_json(found, indent=None)
            if is_read(drift) and (capturing is None or capturing.done()):
                capturing = pool.submit(_capture, session, desired, actual)
            previous = actual
            spent = (session.clock() - started).total_seconds()
            stop.wait(max(session.environment.refresh.inventory_seconds - spent, 0.5))
    say("abreast: stopped watching.")
    return EXIT_STOPPED


def _capture(session: Session, desired: DesiredInventory, actual: ActualInventory) -> None:
    """A capture where one is due; that it failed is said at once, and in the lines until one succeeds."""
    try:
        session.captures.offer(desired, actual)
    except Exception as error:  # noqa: BLE001 - the thread's edge: nobody asks for what became of it
        said = str(as_error(error, doing="capturing both sides"))
        session.captures.problem = said
        say(f"abreast: nothing is captured: {said}")
