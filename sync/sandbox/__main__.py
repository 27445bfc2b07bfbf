"""`python -m sync.sandbox`: serve a sandbox on a loopback port; prints one JSON line when it listens."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from sync.sandbox import access_log, persistence, worlds
from sync.sandbox.clock import Clock, ManualClock, WallClock
from sync.sandbox.database_locks import DatabaseLocks, LockDatabaseError
from sync.sandbox.engine import Engine
from sync.sandbox.gateway import API_PATH
from sync.sandbox.process import Ready
from sync.sandbox.records import World
from sync.sandbox.releases import NEW, RELEASES
from sync.sandbox.seed import admin_of, fresh_cloud
from sync.sandbox.server import Sandbox

USAGE = 64
LOOPBACK = "127.0.0.1"


def main(arguments: list[str] | None = None) -> int:
    """Serve until a signal, a shutdown request, or (if so told) the end of standard input."""
    chosen = _parser().parse_args(arguments)
    try:
        world = _world(chosen)
        asyncio.run(_serve(chosen, world))
    except (persistence.StateFileError, worlds.WorldFileError, LockDatabaseError) as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - a command's own error
        return USAGE
    except OSError as problem:
        file = f" ({problem.filename})" if problem.filename else ""
        print(f"The sandbox cannot serve: {problem.strerror or problem}{file}.", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sync.sandbox",
        description=__doc__,
        epilog=f"The environment variable {access_log.VARIABLE} names a folder in which every sandbox keeps "
        "its access log, in a file of its own, as --access-log does.",
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--state", type=Path, help="keep the world in this file over a restart")
    parser.add_argument("--world", default="empty", help="empty, drill, large, or a file")
    parser.add_argument("--release", choices=RELEASES, default=NEW)
    parser.add_argument("--speed", type=float, default=1.0, help="virtual seconds per real second")
    parser.add_argument(
        "--token", help="of the control paths, or `env:VARIABLE` that has it; a random one if left out"
    )
    parser.add_argument(
        "--access-log",
        type=Path,
        metavar="FILE",
        help="append to this file who asked for what: a line of JSON a request, with user and client",
    )
    parser.add_argument("--manual-clock", action="store_true", help="time only passes when told to")
    parser.add_argument(
        "--service-times",
        action=argparse.BooleanOptionalAction,
        help="calls take as long as on a real server (the default for the drill)",
    )
    parser.add_argument(
        "--lock-database",
        metavar="URL",
        help="take the locks of deletions in this MySQL or MariaDB too, as CloudStack does "
        "(mysql://USER:PASSWORD@HOST/NAME, or `env:VARIABLE` that has it)",
    )
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end with the process that started it"
    )
    return parser


def _world(chosen: argparse.Namespace) -> World:
    kept = chosen.state is not None and chosen.state.exists()
    start = persistence.saved_at(chosen.state) if kept else datetime.now(UTC)
    clock: Clock = ManualClock(start) if chosen.manual_clock else WallClock(speed=chosen.speed, start=start)
    if kept:
        world = persistence.load(chosen.state, clock)
    else:
        world = World(release=chosen.release, clock=clock)
        fresh_cloud(world)
        worlds.seed(world, chosen.world)
        world.service_times.simulate = chosen.world == "drill"
    if chosen.service_times is not None:
        world.service_times.simulate = chosen.service_times
    return world


def _locks(url: str | None) -> DatabaseLocks | None:
    """The lock table in a database. Raises LockDatabaseError."""
    return DatabaseLocks(_of_environment(url)) if url else None


def _of_environment(text: str) -> str:
    """What the variable has that `env:VARIABLE` names; any other text as it is."""
    return os.environ.get(text.removeprefix("env:"), "") if text.startswith("env:") else text


async def _serve(chosen: argparse.Namespace, world: World) -> None:
    locks = _locks(chosen.lock_database)
    engine = Engine(world, locks=locks)
    log = access_log.wanted_file(chosen.access_log)
    if log is not None:
        engine.on_access = access_log.AccessLog(log)
    sandbox = Sandbox(engine, _of_environment(chosen.token or "") or secrets.token_urlsafe(24), chosen.state)
    sandbox.save()
    runner = web.AppRunner(sandbox.app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, chosen.port)
    await site.start()
    port = runner.addresses[0][1]
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, sandbox.stopping.set)
    if chosen.until_stdin_closes:
        threading.Thread(target=_watch_stdin, args=(loop, sandbox.stopping), daemon=True).start()
    admin = admin_of(world)
    assert admin.api_key and admin.secret_key
    ready = Ready(
        url=f"http://{LOOPBACK}:{port}{API_PATH}",
        port=port,
        key=admin.api_key,
        secret=admin.secret_key,
        token=sandbox.token,
        release=world.release,
        world=chosen.world,
        pid=os.getpid(),
    )
    sys.stdout.write(ready.line() + "\n")
    sys.stdout.flush()
    try:
        await sandbox.stopping.wait()
    finally:
        await runner.cleanup()
        if locks is not None:
            locks.close()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    while sys.stdin.read(4096):
        pass
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(stopping.set)


if __name__ == "__main__":
    sys.exit(main())
