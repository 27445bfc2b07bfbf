"""The practice incident as an environment: a sandbox in a process of its own, a CI database in SQLite, and
what the naive sync left of them. Everything lives in one temporary folder and is gone when the drill ends.

No user interface: `console` opens itself on the environment, `drill_script` plays it through. Which incidents
there are is in `drill_scenarios`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sync.drill_scenarios import DEFAULT, Later, Night, Scenario
from sync.drill_scenarios import scenario as scenario_named
from sync.errors import UnreachableError
from sync.jenkins_settings import JenkinsSettings
from sync.model import NetworkRule
from sync.sandbox import incident
from sync.sandbox.announce import database_url
from sync.sandbox.incident import Access, Course
from sync.sandbox.naive_sync import SyncLog
from sync.sandbox.process import Control, Ready, SandboxError, SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from sync.sandbox.worlds.build_machines import OFFERING
from sync.secret import Secret
from sync.settings import CiDatabaseSettings, CloudStackCredentials, Credentials, Environment

if TYPE_CHECKING:
    from sync.capture import Capture

SPEED = 10.0
"""How much faster than real time the practice cloud lives."""
ZONE = "Sandbox-simulator"
CI_DATABASE = "ci.sqlite"
ARCHIVE = "archive"
FIRST_OPERATOR = "anna@ops"
"""Whoever was there before the drill opens, where a scenario has somebody; the ledger says so."""
RUNBOOK_WHILE_IT_RUNS = {
    "Stop the sync": "In a drill: it is a thread of this console, and ends when you leave."
}
NIGHTS: Mapping[Night, Course | None] = {
    Night.QUIET: None,
    Night.JULY_28: incident.JULY_28,
    Night.ABORTED_EARLY: incident.ABORTED_EARLY,
    Night.EVERYTHING_FAILS: incident.EVERYTHING_FAILS,
}


@dataclass(frozen=True)
class Drill:
    """A practice incident that has just happened, or is about to."""

    scenario: Scenario
    release: str
    speed: float
    folder: Path
    environment: Environment
    incident: SyncLog
    """What the naive sync did."""
    control: Control
    """Of the sandbox: its access log, its clock, its faults."""
    ready: Ready
    keys: Access = field(repr=False)
    """With which the naive sync works."""
    eve: Capture | None = field(default=None, repr=False)
    """Both sides before the incident, where the scenario has a capture; most templates are archived then."""

    @property
    def ci_database(self) -> Path:
        return self.folder / CI_DATABASE


@contextmanager
def practice(
    *,
    scenario: str = DEFAULT,
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
    chosen = scenario_named(scenario)
    pace = speed or SPEED
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="abreast-drill-")))
        on_step("starting the practice cloud")
        write_database(blueprint_for("drill"), folder / CI_DATABASE)
        sandbox = stack.enter_context(_sandbox(release=release, speed=pace))
        try:
            drill = _after_the_night(sandbox, chosen, folder, pace, on_step)
        except SandboxError as problem:
            raise UnreachableError(f"The practice cloud went away: {problem}") from None
        _before_you_came(drill, on_step)
        yield drill


def _after_the_night(
    sandbox: SandboxProcess, scenario: Scenario, folder: Path, speed: float, on_step: Callable[[str], None]
) -> Drill:
    """The eve, its capture, and what the naive sync did of it."""
    ready, control = sandbox.ready, sandbox.control
    environment = environment_for(ready, folder)
    access = Access(endpoint=ready.url, key=ready.key, secret=ready.secret, token=ready.token)
    if scenario.later is not Later.NOTHING:
        environment = replace(environment, runbook=RUNBOOK_WHILE_IT_RUNS)
    course, eve, log = NIGHTS[scenario.night], None, SyncLog()
    keys = incident.before(access, control, hours=course.hours if course is not None else 0.0)
    if scenario.has_capture:
        from sync.drill_archive import with_archive
        from sync.drill_captures import capture_of_the_eve

        on_step("capturing both sides on the eve")
        eve = capture_of_the_eve(environment, at=control.now())
        environment = with_archive(environment, eve, folder / ARCHIVE)
    if course is not None:
        log = incident.play(course, keys, control, folder / CI_DATABASE, on_step=_told_once(on_step))
    # Lived in at tenfold speed, told of in the time of whoever looks: nothing happens in their future.
    control.tell_real_time()
    return Drill(scenario, ready.release, speed, folder, environment, log, control, ready, keys, eve)


def _told_once(on_step: Callable[[str], None]) -> Callable[[str], None]:
    seen: set[str] = set()

    def tell(domain: str) -> None:
        if domain not in seen:
            seen.add(domain)
            on_step(f"the naive sync deletes {domain}")

    return tell


def _before_you_came(drill: Drill, on_step: Callable[[str], None]) -> None:
    """What somebody else has done already, with the product's own means."""
    if drill.scenario.is_fenced:
        from sync.drill_others import fence_the_sync

        on_step(f"{FIRST_OPERATOR} fences {incident.SYNC_USER}")
        fence_the_sync(drill.environment, operator=FIRST_OPERATOR)
    if drill.scenario.is_interrupted:
        from sync.drill_others import rebuild_until_killed

        on_step(f"{FIRST_OPERATOR} begins to rebuild")
        done = rebuild_until_killed(drill.ready, drill.folder, operator=FIRST_OPERATOR)
        on_step(f"the terminal of {FIRST_OPERATOR} died after {done} actions")


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
        ledger=Secret(f"sqlite:///{(folder / 'ledger.sqlite').as_posix()}"),
        captures=folder / "captures.sqlite",
        own_journal=folder / "own-journal.sqlite",
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
