"""A small hand-made world for the screens: one project of every kind of drift, and a session that serves it.

The session answers at once from values; it can be told to fail, to be partial, or to wait.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

from sync.agents import JenkinsReading
from sync.approval_rules import ApprovalRules
from sync.blast import of_each
from sync.deletions import Attempt, Deletion, Job, Kind, Situation, Stage, Told
from sync.errors import GuardError
from sync.fence_check import NO_FENCES
from sync.headline import Headline, headline
from sync.jenkins_settings import JenkinsSettings
from sync.loss_ledger import Expunging
from sync.model import (
    Account,
    Action,
    ActionKind,
    ActualInventory,
    Agent,
    Coverage,
    CoverageState,
    DesiredInventory,
    Domain,
    DomainView,
    Drift,
    DriftKind,
    DriftRow,
    Hidden,
    ListProof,
    Member,
    OwnedResource,
    Part,
    Plan,
    Project,
    Reversibility,
    Scope,
    Subject,
    User,
    VirtualMachine,
)
from sync.plan import PlanRules
from sync.radius import Radius
from sync.unrecorded import NOT_ASKED

NOW = datetime(2026, 7, 28, 3, 12, 44, tzinfo=UTC)
COMPLETE = Coverage(
    CoverageState.COMPLETE,
    lists=(ListProof("listDomains", 38, 1, 38, 38, 38), ListProof("listVirtualMachines", 61, 1, 61, 61, 61)),
    caller="ci-console/watcher (Watcher)",
    root_id="1",
)
HOSTILE = "vm-[/x]"
"""A name that crashes whatever reads it as markup."""


def member(username: str, *, role: str = "", enabled: bool = True) -> Member:
    return Member(username, f"{username}@lab.example.org", username.title(), "Doe", role, enabled)


def project(name: str, members: int = 3, agents: int = 0) -> Project:
    people = ["jmartin", "alund", "kchen", "rsilva", "tmori", "bweiss", "ldiaz", "osaid"]
    return Project(
        name,
        network_domain=f"{name}.ci.example.org",
        members=tuple(
            member(f"{person}", role="owner" if number == 0 else "")
            for number, person in enumerate(people[:members])
        ),
        agents=tuple(
            Agent(f"{name}-agent-{number}", f"{name}-vm-{number}", f"10.1.0.{number}")
            for number in range(agents)
        ),
        quotas={"vm": 10, "volume": 20},
    )


def machine(name: str, owner: str, number: int, *, state: str = "Running") -> VirtualMachine:
    return VirtualMachine(
        f"vm-{owner}-{number}",
        name,
        state,
        f"d-{owner}",
        f"ROOT/ci/{owner}",
        owner,
        None,
        (f"10.1.0.{number}",),
        number % 2 == 0,
    )


def view(
    name: str, *, machines: int = 0, templates: int = 0, accounts: int = 1, gone: bool = False
) -> DomainView:
    domain = Domain(f"d-{name}", name, f"ROOT/ci/{name}", "d-ci", 2, f"{name}.ci.example.org")
    users = tuple(
        User(
            f"u-{person}",
            person,
            f"{person}@lab.example.org",
            person.title(),
            "Doe",
            state,
            f"a-{name}",
            name,
            f"d-{name}",
        )
        for person, state in (("jmartin", "disabled"), ("alund", "enabled"))
    )
    owned = [
        OwnedResource(
            f"t-{name}-{number}",
            f"{name}-golden-{number}",
            "Ready",
            f"d-{name}",
            f"ROOT/ci/{name}",
            name,
            None,
            8 << 30,
        )
        for number in range(templates)
    ]
    return DomainView(
        f"d-{name}",
        f"ROOT/ci/{name}",
        None if gone else domain,
        accounts=tuple(
            Account(f"a-{name}", name, f"d-{name}", "enabled", "User", users) for _ in range(accounts)
        ),
        vms=tuple(machine(f"{name}-vm-{number}", name, number) for number in range(machines)),
        templates=tuple(owned),
    )


def in_sync(name: str, *, machines: int = 2, templates: int = 1) -> DriftRow:
    return DriftRow(
        name,
        DriftKind.IN_SYNC,
        project(name, agents=machines),
        view(name, machines=machines, templates=templates),
        parts=(Part(Subject.DOMAIN, "", "", DriftKind.IN_SYNC, f"ROOT/ci/{name}", f"ROOT/ci/{name}"),),
        reason="Both sides agree.",
    )


def dune() -> DriftRow:
    return DriftRow(
        "dune",
        DriftKind.DIFFERS,
        project("dune", 6, 2),
        replace(view("dune", templates=2), vms=tuple(machine(f"dune-vm-{n}", "dune", n) for n in (0, 2, 3))),
        parts=(
            Part(Subject.DOMAIN, "", "", DriftKind.IN_SYNC, "ROOT/ci/dune", "ROOT/ci/dune"),
            Part(Subject.USER, "jmartin", "state", DriftKind.DIFFERS, "enabled", "disabled"),
            Part(Subject.LIMIT, "vm", "", DriftKind.DIFFERS, "10", "5"),
            Part(Subject.MACHINE, "dune-vm-0", "", DriftKind.IN_SYNC, "dune-agent-0", "Running"),
            Part(
                Subject.MACHINE,
                "dune-vm-1",
                "",
                DriftKind.MISSING,
                "dune-agent-1",
                None,
                "The VM dune-vm-1 of the agent dune-agent-1 is gone.",
                is_loss=True,
            ),
        ),
        reason="2 fields differ.",
    )


ROWS: tuple[DriftRow, ...] = (
    DriftRow(
        "aurora",
        DriftKind.DELETING,
        project("aurora", 4, 3),
        None,
        dying=view("aurora", machines=3, accounts=0, gone=True),
        reason="CloudStack is deleting the domain: 3 VMs still run.",
    ),
    DriftRow(
        "boreal",
        DriftKind.HOLLOW,
        project("boreal", 2, 2),
        view("boreal", accounts=0),
        reason="The domain has no account.",
    ),
    DriftRow("cirrus", DriftKind.MISSING, project("cirrus", 3), None, reason="No domain ROOT/ci/cirrus."),
    DriftRow(
        "ember",
        DriftKind.ORPHANED,
        project("ember", 2, 1),
        None,
        dying=view("ember", machines=1, accounts=0, gone=True),
        reason="1 VM without a domain, and no deletion runs.",
    ),
    DriftRow(
        "zephyr",
        DriftKind.UNEXPECTED,
        None,
        view("zephyr", machines=4, templates=1),
        reason="The CI database does not know it.",
    ),
    dune(),
    DriftRow(
        "fjord",
        DriftKind.DIFFERS,
        project("fjord", 1, 1),
        replace(view("fjord", machines=1), vms=(machine(HOSTILE, "fjord", 1),)),
        parts=(Part(Subject.NETWORK_DOMAIN, "", "", DriftKind.DIFFERS, "fjord.ci.example.org", None),),
        reason="1 field differs.",
    ),
    *(
        in_sync(name)
        for name in ("galaxy", "harbor", "isotope", "juniper", "kelvin", "lumen", "magnet", "nimbus")
    ),
)


def drift_of(rows: tuple[DriftRow, ...] = ROWS, *, at: datetime = NOW, actual: Coverage = COMPLETE) -> Drift:
    ordered = tuple(sorted(rows, key=lambda row: (row.kind.rank, row.key)))
    return Drift(ordered, COMPLETE, actual, at, at, at)


def deletion(
    name: str,
    stage: Stage = Stage.RUNNING,
    *,
    machines: int = 0,
    minutes_ago: float = 3,
    why: str = "It is gone from the list while its deletion has not ended.",
    snapshots: int = 0,
) -> Deletion:
    """A deletion of a project's domain by ci-sync."""
    at = NOW - timedelta(minutes=minutes_ago)
    is_open = stage in (Stage.RUNNING, Stage.QUEUED)
    attempt = Attempt(
        Kind.DOMAIN,
        f"d-{name}",
        name,
        at,
        at,
        None if is_open else NOW,
        None if is_open else stage is Stage.ENDED,
        "ci-sync",
        "ci-sync",
        "1",
        Job(f"j-{name}", Kind.DOMAIN, at, "u-sync", "ci-sync", "ms1") if is_open else None,
    )
    found = view(name, machines=machines)
    path = f"ROOT/ci/{name}"
    owned = tuple(
        OwnedResource(f"s-{name}-{number}", f"{name}-snap-{number}", "BackedUp", f"d-{name}", path, name)
        for number in range(snapshots)
    )
    return Deletion(Kind.DOMAIN, stage, f"d-{name}", name, path, why, attempt, 1, found.vms, snapshots=owned)


@dataclass(frozen=True)
class Rates:
    inventory_seconds: float = 10.0
    users_seconds: float = 60.0
    ci_database_seconds: float = 60.0
    limits_every: int = 10


NO_APPROVALS = ApprovalRules(required=dict.fromkeys(Reversibility, 0))


@dataclass(frozen=True)
class Facts:
    name: str = "drill"
    title: str = "DRILL the incident of 28 July"
    parent: str = "ROOT/ci"
    endpoint: str = "https://cloud.example.org/client/api"
    refresh: Rates = Rates()
    jenkins: JenkinsSettings | None = None
    keys: Mapping[str, str] = field(default_factory=dict)
    theme: str | None = None
    runbook: Mapping[str, str] = field(default_factory=dict)
    credential_file: Path = Path("new-passwords.jsonl")
    archive: Path | None = None
    archive_address: str = ""
    approvals: ApprovalRules = NO_APPROVALS
    """Nothing in this world needs approval, unless a test says so."""


class Clock:
    """Stands still until it is told to move."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class NoRuns:
    """A ledger in which nothing was ever written."""

    environment = "drill"

    def latest_run(self) -> None:
        return None

    def runs(self) -> list[Any]:
        return []

    def ends(self) -> None:
        return None


class NoCaptures:
    """An environment whose readings nobody captures."""

    is_on = False
    exist = False

    def last_captured(self, ids: Iterable[str]) -> dict[str, datetime]:
        del ids
        return {}


class FakeSession:
    """Serves the rows it is given. `gate` holds the readings of CloudStack back while it is cleared."""

    is_replay = False

    def __init__(
        self,
        rows: tuple[DriftRow, ...] = ROWS,
        *,
        facts: Facts | None = None,
        clock: Clock | None = None,
        can_arm: bool = True,
        armed: bool = False,
    ) -> None:
        self.environment = facts or Facts()
        self.clock = clock or Clock()
        self.rows = rows
        self.can_arm = can_arm
        self.is_armed = armed
        self.operator = "night@console"
        self.actual_coverage = COMPLETE
        self.desired_coverage = COMPLETE
        self.deletions = NOT_ASKED
        self.fences = NO_FENCES
        self.gate = threading.Event()
        self.gate.set()
        self.actual_readings = self.told_readings = 0
        self.told = Told(events=(), jobs=())
        self.told_gate = threading.Event()
        self.told_gate.set()
        self.found: tuple[Deletion, ...] = ()
        """What events, jobs and lists tell of deletions."""
        self.fault: Exception | None = None
        self.hidden: tuple[Hidden, ...] = ()
        self.rule_problems: tuple[str, ...] = ()
        self.agents: dict[str, JenkinsReading] = {}
        self.agents_fault: Exception | None = None
        self.ledger: Any = NoRuns()
        """A real `Ledger` in the tests that are about it."""
        self.captures: Any = NoCaptures()
        self.rules = PlanRules(parent=self.environment.parent)
        self.times = Expunging()
        """How long Destroyed VMs have left."""

    def capabilities(self) -> SimpleNamespace:
        return SimpleNamespace(root_id="1", endpoint="http://127.0.0.1")

    def arm(self) -> None:
        if not self.can_arm:
            raise GuardError("No credentials for writing.", next_step="Name a section as `write`.")
        self.is_armed = True

    def disarm(self) -> None:
        self.is_armed = False

    def read_desired(self, progress=None) -> DesiredInventory:
        if progress is not None:
            progress("projects", len(self.rows))
        projects = {row.key: row.project for row in self.rows if row.project is not None}
        if self.desired_coverage.state is CoverageState.FAILED:
            projects = {}
        return DesiredInventory(Scope(), self.clock(), self.desired_coverage, MappingProxyType(projects))

    def read_agents(self, desired: DesiredInventory) -> Mapping[str, JenkinsReading]:
        if self.agents_fault is not None:
            raise self.agents_fault
        return dict(self.agents)

    def read_actual(
        self, *, limits=True, users=True, previous=None, progress=None, is_told=False
    ) -> ActualInventory:
        self.actual_readings += 1
        number, rows, coverage = self.actual_readings, self.rows, self.actual_coverage
        if progress is not None:
            progress("listDomains", number)
        self.gate.wait(10)
        if self.fault is not None:
            raise self.fault
        domains = tuple(
            row.view.domain for row in rows if row.view is not None and row.view.domain is not None
        )
        if coverage.state is CoverageState.FAILED:
            domains = ()
        return ActualInventory(
            Scope(),
            self.clock(),
            coverage,
            "d-ci",
            domains,
            release="4.23",
            limits_taken_at=self.clock(),
            users_taken_at=self.clock(),
        )

    def read_told(self) -> Told:
        self.told_readings += 1
        assert self.told_gate.wait(10)
        return self.told

    def situation(self, actual: ActualInventory, told: Told) -> Situation:
        return Situation(self.clock(), self.found, problems=told.problems)

    def expunging(self) -> Expunging:
        return self.times

    def compare(self, desired: DesiredInventory, actual: ActualInventory) -> Drift:
        rows = self.rows
        if not desired.coverage.is_complete or not actual.coverage.is_complete:
            rows = tuple(
                replace(
                    row,
                    kind=DriftKind.UNKNOWN,
                    view=None,
                    dying=None,
                    parts=(),
                    reason="CloudStack could not be read.",
                )
                for row in rows
                if row.project is not None
            )
        ordered = tuple(sorted(rows, key=lambda row: (row.kind.rank, row.key)))
        return Drift(
            ordered,
            desired.coverage,
            actual.coverage,
            desired.taken_at,
            actual.taken_at,
            actual.limits_taken_at,
            users_taken_at=actual.users_taken_at,
            hidden=self.hidden,
            rule_problems=self.rule_problems,
            deletions=self.deletions,
            fences=self.fences,
        )

    def headline(self, drift: Drift, situation: Situation | None = None) -> Headline:
        return headline(drift, situation)

    def repairs(self, row: DriftRow) -> tuple[Action, ...]:
        if row.kind in (DriftKind.IN_SYNC, DriftKind.UNKNOWN, DriftKind.UNEXPECTED) or row.project is None:
            return ()
        path = f"ROOT/ci/{row.key}"
        if row.kind is DriftKind.DIFFERS:
            return (
                Action(
                    ActionKind.ENABLE_USER,
                    row.key,
                    f"{path}:{row.key}:jmartin",
                    "u-jmartin",
                    {},
                    {"state": "disabled"},
                    "The CI database has jmartin enabled.",
                    Reversibility.UNDOABLE,
                    undo="disable the user",
                ),
                Action(
                    ActionKind.UPDATE_LIMIT,
                    row.key,
                    f"{path}#vm",
                    None,
                    {"max": "10"},
                    {"max": "5"},
                    "The CI database has 10, CloudStack 5.",
                    Reversibility.UNDOABLE,
                    undo="set it to 5 again",
                ),
            )
        create = Action(
            ActionKind.CREATE_DOMAIN,
            row.key,
            path,
            None,
            {"name": row.key},
            {"exists": "no"},
            "The project has no domain.",
            Reversibility.UNDOABLE,
            undo="delete the empty domain by hand",
        )
        account = Action(
            ActionKind.CREATE_ACCOUNT,
            row.key,
            f"{path}:{row.key}",
            None,
            {"account": row.key},
            {"exists": "no"},
            "The project has no account; jmartin comes with it.",
            Reversibility.RECREATABLE,
            needs=(create.id,),
        )
        return (create, account)

    def radii(self, actions, desired, actual) -> dict[str, Radius | GuardError]:
        return of_each(actions, actual, desired=desired)

    def plan(self, actions, *, notes=()) -> Plan:
        now = self.clock()
        return Plan(
            self.environment.name,
            "1",
            "http://127.0.0.1",
            self.operator,
            now,
            now + timedelta(hours=1),
            tuple(actions),
            "d" * 64,
            tuple(notes),
        )
