"""A damaged world under test: a CloudStack in memory behind the real comparison, executor, ledger and files.

Aurora is dying, boreal hollow, cirrus, dorado and ember are missing, galaxy is in sync, zephyr unexpected.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from textual.pilot import Pilot

from console.app import ConsoleApp
from sync.credentials import CredentialFile
from sync.drift import compare
from sync.errors import GuardError
from sync.executor import ExecutionPolicy, Executor
from sync.ledger import Ledger
from sync.model import (
    Action,
    ActualInventory,
    Agent,
    DesiredInventory,
    Drift,
    DriftRow,
    Member,
    Plan,
    Project,
    RunningJob,
    Scope,
)
from sync.plan import build
from sync.recovery import StaleId
from sync.relink import write
from sync.repairs import repairs
from sync.secret import Secret
from sync.settings import CiDatabaseSettings
from tests.fake_cloudstack import ROOT_ID, FakeCloudStack, Limits
from tests.screens.runs import until
from tests.screens.world import FakeSession
from widgets.confirm import TypedConfirm

_DELETE = "org.apache.cloudstack.api.command.admin.domain.DeleteDomainCmd"
_PEOPLE = ("jmartin", "alund", "kchen", "rsilva")


def ci_project(name: str, members: int, agents: int = 0, *, is_there: bool = False) -> Project:
    """A project whose VMs are gone; one whose domain is there stores no id."""
    return Project(
        name,
        domain_id=None if is_there else f"old-{name}",
        members=tuple(Member(one, f"{one}@example.org", "F", "L") for one in sorted(_PEOPLE[:members])),
        agents=tuple(Agent(f"{name}-agent-{number}", f"{name}-{number}") for number in range(agents)),
        quotas={} if name == "galaxy" else {"vm": 10},
    )


PROJECTS = (
    ci_project("aurora", 2, 2),
    ci_project("boreal", 2, 1, is_there=True),
    ci_project("cirrus", 3, 2),
    ci_project("dorado", 2),
    ci_project("ember", 4, 1),
    ci_project("galaxy", 2, is_there=True),
)


class DamagedSession(FakeSession):
    """The environment after the incident. Everything that is written lies below `folder`."""

    def __init__(self, folder: Path, *, name: str = "ledger.sqlite", **named: Any) -> None:
        super().__init__(**named)
        self.cloud = FakeCloudStack()
        self.cloud.start_dying("aurora")
        self.cloud.add_project("boreal")
        self.cloud.add_project("galaxy", "jmartin", "alund")
        self.cloud.add_project("zephyr", "somebody")
        self.is_deleting = True
        self.limits = Limits(concurrency=1, ceiling=1, budget_failures=5)
        self.vault = CredentialFile(folder / "new-passwords.jsonl")
        self.url = f"sqlite:///{folder / name}"
        self.ledger = Ledger(self.url, environment="drill", operator=self.operator, clock=self.clock).open()
        self.hold_after: int | None = None
        """Number of calls after which the next one waits at `door`; None lets all pass."""
        self.stored: dict[str, str] = {}
        """Project → the id that the CI database stores by now."""
        self.seconds_a_call = 0.0
        """What a changing call takes, by the clock of the session."""
        self.door = threading.Event()
        self.cloud.before_submit = self._wait_at_the_door

    def _wait_at_the_door(self, command: str, parameters: Mapping[str, str]) -> None:
        self.clock.advance(self.seconds_a_call)
        if self.hold_after is not None and len(self.cloud.log) >= self.hold_after:
            assert self.door.wait(20), "the test never opened the door"

    def capabilities(self) -> Any:
        return self.cloud.capabilities()

    @property
    def reader(self) -> Any:
        return self.cloud

    def read_desired(self, progress: Any = None) -> DesiredInventory:
        stored = (
            replace(project, domain_id=self.stored.get(project.key, project.domain_id))
            for project in PROJECTS
        )
        projects = {project.key: project for project in stored}
        return DesiredInventory(Scope(), self.clock(), self.desired_coverage, MappingProxyType(projects))

    def read_actual(
        self,
        *,
        limits: bool = True,
        users: bool = True,
        previous: Any = None,
        progress: Any = None,
        is_told: bool = False,
    ) -> ActualInventory:
        taken_at = self.clock()
        self.actual_readings += 1
        assert self.gate.wait(20), "the test never let the reading end"
        with self.cloud.lock:
            parent = self.cloud.parent.id
            job = RunningJob("job-1", _DELETE, "", "", "")
            return ActualInventory(
                Scope(),
                taken_at,
                self.actual_coverage,
                parent,
                domains=tuple(one for one in self.cloud.domains.values() if one.id != ROOT_ID),
                accounts=tuple(self.cloud.accounts.values()),
                vms=tuple(self.cloud.vms),
                jobs=(job,) if self.is_deleting else (),
                release="4.23",
                limits_taken_at=taken_at,
                users_taken_at=taken_at,
            )

    def compare(self, desired: DesiredInventory, actual: ActualInventory) -> Drift:
        return compare(desired, actual)

    def repairs(self, row: DriftRow) -> Any:
        return repairs(row, rules=self.rules, now=self.clock())

    def plan(self, actions: Sequence[Action], *, notes: Sequence[str] = ()) -> Plan:
        server = self.capabilities()
        return build(
            actions,
            environment=self.environment.name,
            root_id=server.root_id,
            endpoint=server.endpoint,
            author=self.operator,
            now=self.clock(),
            notes=notes,
        )

    def write_relinks(self, stale: Sequence[StaleId]) -> tuple[Path, ...]:
        settings = CiDatabaseSettings(Secret("sqlite:///ci.sqlite"))
        folder, environment = self.vault.path.parent, self.environment.name
        return write(stale, settings, folder, environment=environment, at=self.clock())

    def executor(self, *, rebuild: bool = False, archive: Any = None) -> Executor:
        if not self.is_armed:
            raise GuardError("The console is read-only.", next_step="Arm it first.")
        return Executor(
            reader=self.cloud,
            writer=self.cloud,
            ledger=self.ledger,
            vault=self.vault,
            limits=self.limits,
            policy=ExecutionPolicy.REBUILD if rebuild else ExecutionPolicy.STAGED,
            clock=self.clock,
            sleep=self.clock.advance,
        )


def console_on(session: DamagedSession, **named: Any) -> ConsoleApp:
    return ConsoleApp(session, clock=session.clock, **named)


async def open_recovery(pilot: Pilot[Any]) -> ConsoleApp:
    """Open the recovery and wait for its assessment."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await until(pilot, lambda: app.drift is not None)
    app.open("recovery")
    await until(pilot, lambda: getattr(app.screen, "assessment", None) is not None)
    await rest(pilot)
    return app


async def rest(pilot: Pilot[Any]) -> None:
    """Wait until no thread is at work and what they posted is shown."""
    await until(pilot, lambda: not list(pilot.app.workers))
    await pilot.pause()


async def answer(pilot: Pilot[Any], word: str) -> None:
    """Type the word into the question that is open, or comes up, and confirm."""
    await until(pilot, lambda: any(one.expected for one in pilot.app.screen.query(TypedConfirm)))
    await pilot.press("shift+tab", *word, "enter")
    await pilot.pause()


async def start_rebuild(pilot: Pilot[Any], number: int) -> None:
    """Press the key of the rebuild and confirm so many actions."""
    await pilot.press("x")
    await answer(pilot, str(number))


async def run_ends(pilot: Pilot[Any]) -> None:
    """Wait until the run has ended, both sides were read anew, and the rest is done."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await until(pilot, lambda: app.run_state is not None and not app.run_state.is_going_on)
    await rest(pilot)
