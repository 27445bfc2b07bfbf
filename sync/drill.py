"""The practice incident as an environment: a sandbox in a process of its own, a CI database in SQLite, and
what the naive sync left of them. Everything lives in one temporary folder and is gone when the drill ends.

No user interface: `console` opens itself on the environment, `drill_script` plays it through.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sync.errors import UnreachableError, UsageError
from sync.jenkins_settings import JenkinsSettings
from sync.model import NetworkRule
from sync.sandbox.announce import database_url
from sync.sandbox.incident import Access, july28
from sync.sandbox.naive_sync import SyncLog
from sync.sandbox.process import Control, Ready, SandboxError, SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from sync.sandbox.worlds.build_machines import OFFERING
from sync.secret import Secret
from sync.settings import CiDatabaseSettings, CloudStackCredentials, Credentials, Environment

SCENARIOS = ("july28",)
SPEED = 10.0
"""How much faster than real time the practice cloud lives."""
ZONE = "Sandbox-simulator"
CI_DATABASE = "ci.sqlite"


@dataclass(frozen=True)
class Drill:
    """A practice incident that has just happened."""

    scenario: str
    release: str
    folder: Path
    environment: Environment
    incident: SyncLog
    """What the naive sync did."""
    control: Control
    """Of the sandbox: its access log, its clock, its faults."""
    ready: Ready


@contextmanager
def practice(
    *,
    scenario: str = "july28",
    release: str = "4.23",
    speed: float | None = None,
    folder: Path | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> Iterator[Drill]:
    """Start the sandbox and the CI database, let the incident happen, clean up afterwards.

    `speed` is tenfold when left out; `folder` is a temporary one, removed afterwards, when left out;
    `on_step` is told, in words, what happens. Raises UsageError for an unknown scenario, UnreachableError
    when the sandbox does not start.
    """
    if scenario not in SCENARIOS:
        raise UsageError(f"There is no scenario {scenario}.", next_step=f"There is {', '.join(SCENARIOS)}.")
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="abreast-drill-")))
        on_step("starting the practice cloud")
        write_database(blueprint_for("drill"), folder / CI_DATABASE)
        sandbox = stack.enter_context(_sandbox(release=release, speed=speed or SPEED))
        incident = _break(sandbox, folder / CI_DATABASE, on_step)
        yield Drill(
            scenario=scenario,
            release=release,
            folder=folder,
            environment=environment_for(sandbox.ready, folder),
            incident=incident,
            control=sandbox.control,
            ready=sandbox.ready,
        )


def environment_for(ready: Ready, folder: Path) -> Environment:
    """The environment `drill`: a running sandbox, and the CI database, ledger and passwords in a folder."""
    credentials = Credentials(
        endpoint=ready.url,
        key=Secret(ready.key),
        secret=Secret(ready.secret),
        source="the drill's own sandbox",
    )
    return Environment(
        name="drill",
        title="DRILL practice incident",
        ci_database=CiDatabaseSettings(url=Secret(database_url(folder / CI_DATABASE))),
        cloudstack=CloudStackCredentials(read=credentials, write=credentials),
        ledger=f"sqlite:///{(folder / 'ledger.sqlite').as_posix()}",
        captures=folder / "captures.sqlite",
        credential_file=folder / "new-passwords.jsonl",
        network=NetworkRule(offering=OFFERING, zone=ZONE),
        jenkins=JenkinsSettings(f"http://127.0.0.1:{ready.port}/jenkins/{{project}}", refresh_seconds=15.0),
        runbook={"Stop the sync": "Nothing to do in a drill: the naive sync was aborted by its operator."},
    )


def speed_of(environment: str) -> float:
    """How many times as fast as a real server the one of an environment lives: only the drill's does."""
    return SPEED if environment == "drill" else 1.0


@contextmanager
def _sandbox(*, release: str, speed: float) -> Iterator[SandboxProcess]:
    try:
        sandbox = SandboxProcess.start(world="drill", release=release, speed=speed)
    except (SandboxError, OSError) as problem:
        raise UnreachableError(
            f"The practice cloud did not start: {problem}",
            next_step="Try `abreast sandbox` to see more of it.",
        ) from None
    with sandbox:
        yield sandbox


def _break(sandbox: SandboxProcess, ci_database: Path, on_step: Callable[[str], None]) -> SyncLog:
    """Let the incident happen."""
    ready = sandbox.ready
    access = Access(endpoint=ready.url, key=ready.key, secret=ready.secret, token=ready.token)
    seen: set[str] = set()

    def tell(domain: str) -> None:
        if domain not in seen:
            seen.add(domain)
            on_step(f"the naive sync deletes {domain}")

    try:
        return july28(access, sandbox.control, ci_database, on_step=tell)
    except SandboxError as problem:
        raise UnreachableError(f"The practice cloud went away: {problem}") from None
