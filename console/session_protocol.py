"""What the console needs of an environment; `console.session.Session` is one, tests have another.

What is not said to block or to take long is there at once. The rest may import heavily as well: the App asks
it from worker threads, after the first frame.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from console.accepting import Acceptable
    from console.capturing import Captures
    from console.confirmations import Radii
    from sync.agents import JenkinsReading
    from sync.approval import Standing
    from sync.approval_rules import ApprovalRules
    from sync.cloudstack import Capabilities, Reader
    from sync.containment import Containment
    from sync.credentials import CredentialFile
    from sync.deletions import Situation, Told
    from sync.executor import Executor
    from sync.ledger import Ledger
    from sync.lookup import ArchiveLike
    from sync.loss_ledger import Expunging
    from sync.model import Action, ActualInventory, DesiredInventory, Drift, DriftRow, Plan, Side
    from sync.plan import PlanRules
    from sync.recovery import StaleId
    from sync.retiring import Retiring

Progress = Callable[[str, int], None]
"""Called with what is being read and how many rows of it there are so far; from any thread."""


class RefreshRates(Protocol):
    """How often what is read, in seconds (`sync.settings.Refresh`)."""

    @property
    def inventory_seconds(self) -> float: ...
    @property
    def users_seconds(self) -> float: ...
    @property
    def ci_database_seconds(self) -> float: ...
    @property
    def limits_every(self) -> int: ...


class JenkinsRate(Protocol):
    """What the console needs of how Jenkins is read (`sync.jenkins_settings.JenkinsSettings`)."""

    @property
    def refresh_seconds(self) -> float: ...


class EnvironmentFacts(Protocol):
    """What the console shows and obeys of the configuration (`sync.settings.Environment`)."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def parent(self) -> str: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def refresh(self) -> RefreshRates: ...
    @property
    def jenkins(self) -> JenkinsRate | None:
        """None where Jenkins is not asked."""
        ...

    @property
    def keys(self) -> Mapping[str, str]: ...
    @property
    def theme(self) -> str | None: ...
    @property
    def approvals(self) -> ApprovalRules: ...
    @property
    def runbook(self) -> Mapping[str, str]: ...
    @property
    def credential_file(self) -> Path: ...
    @property
    def archive(self) -> Path | None: ...
    @property
    def archive_address(self) -> str: ...


class NextKeyText(Protocol):
    """`sync.headline.NextKey`: the key as the table of commands has it, and what it does."""

    @property
    def key(self) -> str: ...
    @property
    def words(self) -> str: ...


class HeadlineText(Protocol):
    """`sync.headline.Headline`."""

    @property
    def text(self) -> str: ...
    @property
    def next_keys(self) -> Sequence[NextKeyText]: ...


class ConsoleSession(Protocol):
    """One environment, opened."""

    @property
    def environment(self) -> EnvironmentFacts: ...
    @property
    def operator(self) -> str: ...
    @property
    def is_armed(self) -> bool:
        """Whether a write client exists. Only `arm` makes one, which blocks."""
        ...

    @property
    def can_arm(self) -> bool: ...

    @property
    def is_replay(self) -> bool:
        """Whether it shows a capture: what was, and cannot be changed."""
        ...

    def arm(self) -> None:
        """Make the write client. Raises AbreastError where that is refused."""
        ...

    def disarm(self) -> None: ...

    def read_desired(self, progress: Progress | None = None) -> DesiredInventory:
        """Blocks; that it failed comes back as coverage."""
        ...

    def read_actual(
        self,
        *,
        limits: bool = True,
        users: bool = True,
        previous: ActualInventory | None = None,
        progress: Progress | None = None,
        is_told: bool = False,
    ) -> ActualInventory:
        """Blocks; what failed comes back as coverage."""
        ...

    def read_agents(self, desired: DesiredInventory) -> Mapping[str, JenkinsReading]:
        """What every project's Jenkins says of its agents, by key. Blocks; failures are in the readings."""
        ...

    def read_told(self) -> Told:
        """What events and jobs tell of deletions. Blocks; never raises SourceError."""
        ...

    def situation(self, actual: ActualInventory, told: Told) -> Situation:
        """Takes long where there is much."""
        ...

    def expunging(self) -> Expunging:
        """How long Destroyed VMs have left. Blocks; raises SourceError."""
        ...

    def acceptable(self, side: Side) -> Acceptable:
        """A side read once more, to be accepted as it is. Blocks; raises AbreastError."""
        ...

    def accept(self, found: Acceptable, *, reason: str) -> str:
        """Record that the side is right as it is; in words. Blocks; raises AbreastError."""
        ...

    def compare(self, desired: DesiredInventory, actual: ActualInventory) -> Drift:
        """Takes long, and asks ledger and captures."""
        ...

    def headline(self, drift: Drift, situation: Situation | None = None) -> HeadlineText: ...

    def repairs(self, row: DriftRow) -> tuple[Action, ...]: ...

    def radii(
        self, actions: Sequence[Action], desired: DesiredInventory | None, actual: ActualInventory
    ) -> Radii:
        """What each action would stop or destroy, or why that cannot be computed. Takes long."""
        ...

    def plan(self, actions: Sequence[Action], *, notes: Sequence[str] = ()) -> Plan:
        """Bind actions to this environment, server and operator. Blocks; raises AbreastError."""
        ...

    def write_plan(self, plan: Plan) -> Path:
        """Put the plan and the text to be signed into files; the plan's. Blocks; raises UsageError."""
        ...

    def standing(self, plan: Plan, file: Path) -> Standing:
        """How the signatures beside that file stand. Blocks; raises GuardError without ssh-keygen."""
        ...

    def take_signatures(self, file: Path, source: Path) -> None:
        """Copy signatures beside that plan's file. Blocks; raises UsageError."""
        ...

    def capabilities(self) -> Capabilities:
        """What this server offers. Blocks; raises SourceError."""
        ...

    @property
    def rules(self) -> PlanRules:
        """What repairs are proposed by."""
        ...

    @property
    def ledger(self) -> Ledger:
        """Opened. Blocks; raises LedgerError."""
        ...

    @property
    def captures(self) -> Captures:
        """Its methods block and raise CaptureError, its attributes do not."""
        ...

    @property
    def vault(self) -> CredentialFile:
        """Where new passwords are kept."""
        ...

    def write_relinks(self, stale: Sequence[StaleId]) -> Sequence[Path]:
        """Write the new ids for the CI database's owner; the files. Blocks; raises AbreastError."""
        ...

    def why_keep_fence(self) -> str:
        """Why no fence may be lifted by one person alone; empty when one may. Blocks."""
        ...

    def containment(self, *, is_armed: bool) -> Containment:
        """What can be done against a deletion; the caller closes it. Blocks."""
        ...

    @property
    def retiring(self) -> Retiring:
        """Blocks; raises AbreastError."""
        ...

    @property
    def reader(self) -> Reader:
        """Its methods block and raise SourceError."""
        ...

    @property
    def clock(self) -> Callable[[], datetime]:
        """What time it is, in UTC."""
        ...

    def executor(self, *, rebuild: bool = False, archive: ArchiveLike | None = None) -> Executor:
        """With the write client. Blocks; raises GuardError when the session is not armed."""
        ...
