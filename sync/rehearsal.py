"""The stand-in CloudStack as a capture was, with its CI database: an environment to rehearse on.

Everything lives in one temporary folder and is gone afterwards; nothing of it is the captured server.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from sync.capture import Capture
from sync.captured_world import release_for, write_ci_database, write_world
from sync.drill import CI_DATABASE, SPEED, environment_for
from sync.errors import UnreachableError
from sync.model import JsonObject
from sync.named import Named
from sync.sandbox.process import Control, Ready, SandboxError, SandboxProcess
from sync.sandbox.service_times import HASHING_AT_ONCE
from sync.settings import Environment

__all__ = ["HASHING_AT_ONCE", "Rehearsal", "rehearse"]


@dataclass(frozen=True)
class Rehearsal:
    """A sandbox that is as a capture was."""

    environment: Environment
    folder: Path
    control: Control
    ready: Ready
    notes: tuple[str, ...]
    """What of the capture is not in it, and why."""

    def advance(self, seconds: float) -> None:
        """Put its clock forward. Raises UnreachableError when it is gone."""
        try:
            self.control.advance(seconds)
        except SandboxError as problem:
            raise UnreachableError(str(problem)) from None

    def asked(self, newest: int) -> list[JsonObject]:
        """The newest so many calls that it answered, oldest first, each with what it takes on a real server.

        Raises UnreachableError when it is gone.
        """
        try:
            return self.control.log(limit=newest)
        except SandboxError as problem:
            raise UnreachableError(str(problem)) from None


@contextmanager
def rehearse(
    capture: Capture,
    *,
    release: str | None = None,
    speed: float = SPEED,
    service_times: bool = True,
    named: Named | None = None,
    folder: Path | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Iterator[Rehearsal]:
    """Start the sandbox from a capture, clean up afterwards. `release` is the nearest to the captured one
    when left out; without `service_times` no call takes the time that it takes on a real server; `named` is
    what the server was asked for by name; `on_step` is told, in words, what happens. Raises UnreachableError.
    """
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="abreast-drill-")))
        chosen = release or release_for(capture)
        on_step(f"seeding a practice cloud of release {chosen} as {capture.environment} was")
        now = datetime.now(UTC)
        notes = write_world(capture, folder / "world.json", now=now, release=chosen, named=named)
        write_ci_database(capture, folder / CI_DATABASE)
        for note in notes:
            on_step(note)
        try:
            sandbox = SandboxProcess.start(
                state=folder / "world.json", release=chosen, speed=speed, service_times=service_times
            )
        except (SandboxError, OSError) as problem:
            raise UnreachableError(f"The practice cloud did not start: {problem}") from None
        stack.enter_context(sandbox)
        environment = replace(
            environment_for(sandbox.ready, folder),
            title=f"DRILL as {capture.environment} was at {capture.taken_at:%Y-%m-%d %H:%M} UTC",
            parent=capture.actual.scope.parent,
            network=capture.network,
        )
        yield Rehearsal(environment, folder, sandbox.control, sandbox.ready, notes)
