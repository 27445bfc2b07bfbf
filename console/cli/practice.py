"""The practice incident and the stand-in CloudStack as commands."""

from __future__ import annotations

import argparse
import math
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from console.cli.idle_options import refuse_idle
from console.cli.output import result_json, result_lines, say
from console.cli.stopping import until_told
from sync.drill_scenarios import DEFAULT, listing
from sync.errors import EXIT_DONE, UnreachableError, UsageError, unwritable


@contextmanager
def cleaning_up_when_ended() -> Iterator[None]:
    """Let ctrl+c, SIGTERM and a closed terminal end the command as KeyboardInterrupt, which cleans up.

    Once: whatever comes while it cleans up is ignored, so that no folder and no sandbox is left behind.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def end(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    earlier = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)


def drill(arguments: argparse.Namespace) -> int:
    """`abreast drill`: the incident, then the console on it; without a terminal it plays itself."""
    scenario = arguments.scenario or DEFAULT
    if arguments.capture is not None:
        refuse_idle(arguments, ("scenario",), used=(), here="with --from, where nothing happens")
    with cleaning_up_when_ended():
        if arguments.capture is not None:
            return _rehearsed(arguments)
        if scenario == "help":
            result_lines(listing())
            return EXIT_DONE
        if arguments.script or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return _scripted(scenario)
        from console.cli.screens import run_app
        from console.session import Session
        from sync.drill import practice
        from sync.drill_stage import Stage

        with practice(scenario=scenario, on_step=say) as incident:
            return run_app(
                Session(incident.environment),
                start="overview",
                at_last=lambda: shutil.rmtree(incident.folder, ignore_errors=True),
                stage=Stage(incident),
            )


def _rehearsed(arguments: argparse.Namespace) -> int:
    """`abreast drill --from FILE`: the console on a practice cloud as the capture was.

    Without a terminal it says how the two sides compare there.
    """
    from console.cli.reading import read_both, summary
    from console.cli.screens import run_app
    from console.session import Session
    from sync.capture_file import read_file
    from sync.rehearsal import rehearse

    with rehearse(read_file(arguments.capture), on_step=say) as rehearsal:
        session = Session(rehearsal.environment)
        if not arguments.script and sys.stdin.isatty() and sys.stdout.isatty():
            return run_app(session, start="overview")
        try:
            found = summary(session, session.compare(*read_both(session)))
        finally:
            session.close()
        result_json(found | {"left_out": rehearsal.notes})
        return int(found["exit_code"])


def _scripted(scenario: str) -> int:
    from sync.drill_plays import play
    from sync.drill_script import exit_code

    summary = play(scenario=scenario, say=say)
    result_json(summary)
    return exit_code(summary)


def sandbox(arguments: argparse.Namespace) -> int:
    """`abreast sandbox`: serve until interrupted, after telling where and with which keys."""
    from sync.sandbox.announce import announcement
    from sync.sandbox.process import SandboxError, SandboxProcess

    _refuse_impossible(arguments)
    with ExitStack() as stack:
        stop = stack.enter_context(until_told())
        state = _captured_state(arguments, stack)
        database = _ci_database(arguments.world, arguments.state, stack)
        try:
            server = stack.enter_context(
                SandboxProcess.start(
                    world="empty" if state is not arguments.state else arguments.world,
                    release=arguments.release,
                    speed=arguments.speed,
                    state=state,
                    port=arguments.port,
                )
            )
        except SandboxError as problem:
            raise UnreachableError(
                str(problem), next_step="Is the port free, and the state file whole?"
            ) from None
        ready = server.ready
        result_lines(
            announcement(
                endpoint=ready.url, key=ready.key, secret=ready.secret, ci_database=database
            ).rstrip()
        )
        say(f"CloudStack {ready.release}, world {ready.world}. ctrl+c ends it.")
        while not stop.wait(0.5):
            if not server.is_running:
                raise UnreachableError("The sandbox ended by itself.", next_step="Start it again.")
    return EXIT_DONE


def _refuse_impossible(arguments: argparse.Namespace) -> None:
    """Raises UsageError for a port that there is not, and for a time that stands still or runs backwards."""
    if not 0 <= arguments.port <= 65535:
        raise UsageError(
            f"{arguments.port} is no port.", next_step="Ports are 1 to 65535; 0 takes a free one."
        )
    if not 0 < arguments.speed < math.inf:
        raise UsageError(
            f"The sandbox's time cannot run at the speed {arguments.speed:g}.",
            next_step="Give a number above 0: 1 is real time, 10 is ten times as fast.",
        )


def _is_capture(world: str) -> bool:
    """Whether the world is a file with captures."""
    from sync.capture_database import is_capture

    try:
        return is_capture(Path(world))
    except OSError:
        return False


def _captured_state(arguments: argparse.Namespace, stack: ExitStack) -> Path | None:
    """The state file to start from: the one that is named, or one made of the capture that the world is."""
    named: Path | None = arguments.state
    if not _is_capture(arguments.world) or (named is not None and named.exists()):
        return named
    from sync.capture_file import read_file
    from sync.captured_world import write_world

    path = named
    if path is None:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="abreast-sandbox-"))
        path = Path(folder) / "world.json"
    made, now = read_file(Path(arguments.world)), datetime.now(UTC)
    try:
        notes = write_world(made, path, now=now, release=arguments.release)
    except OSError as problem:
        raise unwritable(f"The state {path} cannot be written", problem) from None
    for note in notes:
        say(note)
    return path


def _ci_database(world: str, state: Path | None, stack: ExitStack) -> Path:
    """The sample CI database of a world: beside the state file, or for as long as the command runs."""
    from sync.sandbox.worlds import WorldFileError, blueprint_for, write_database

    if state is not None:
        path = state.with_name(f"{state.name}.ci.sqlite")
    else:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="abreast-sandbox-"))
        path = Path(folder) / "ci.sqlite"
    try:
        if path.exists():
            return path
        if _is_capture(world):
            from sync.capture_file import read_file
            from sync.captured_world import write_ci_database

            write_ci_database(read_file(Path(world)), path)
        else:
            write_database(blueprint_for(world), path)
    except WorldFileError as problem:
        raise UsageError(str(problem)) from None
    except OSError as problem:
        raise unwritable(f"The sample CI database {path} cannot be written", problem) from None
    return path
