"""One environment put together: both sources, the rules, the ledger and, only when armed, the writer.

Owns no thread and no widget. Everything heavy (`cs`, SQLAlchemy, httpx) is imported where it is first needed,
so that a console can paint before any of it is loaded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from console.agreeing import Agreement
from console.capturing import Captures
from console.deletions import Deletions
from console.fences import Fences
from console.recognition import Other, Recogniser
from console.shields import Shields
from sync.errors import GuardError, LedgerError
from sync.operator_name import current_operator

if TYPE_CHECKING:
    from console.accepting import Acceptable
    from console.confirmations import Radii
    from sync.agents import JenkinsReading
    from sync.approval import Standing
    from sync.ci_db import CiDatabase
    from sync.cloudstack import Capabilities, Reader, Writer
    from sync.containment import Containment
    from sync.containment_journal import Merged
    from sync.credentials import CredentialFile
    from sync.deletions import Situation, Told
    from sync.executor import Executor
    from sync.headline import Headline
    from sync.ledger import Ledger
    from sync.lookup import ArchiveLike
    from sync.loss_ledger import Expunging
    from sync.model import Action, ActualInventory, DesiredInventory, Drift, DriftRow, Plan, Scope, Side
    from sync.plan import PlanRules
    from sync.recovery import StaleId
    from sync.retiring import Retiring
    from sync.settings import Environment

Progress = Callable[[str, int], None]
"""Called with the name of a list and the rows read of it so far, from any thread."""


def utc_now() -> datetime:
    """The one clock of the product; tests replace it where they build a session."""
    return datetime.now(UTC)


class Session:
    """What a command or the console needs of one environment. Safe to use from several threads.

    Starts read-only: until `arm` is called there is no write client in the process.
    """

    is_replay = False
    """Whether it shows what was, and can change nothing."""

    def __init__(
        self,
        environment: Environment,
        *,
        operator: str | None = None,
        clock: Callable[[], datetime] = utc_now,
        others: Callable[[], Iterable[Other]] = tuple,
    ) -> None:
        """`others` are the environments of the same configuration, which must be other servers."""
        self.environment = environment
        self.operator = operator or current_operator()
        self.clock = clock
        self._lock = threading.RLock()
        self._opening = threading.RLock()
        """Of the ledger alone: nobody who reads CloudStack waits for a database that hangs."""
        self._reader: Reader | None = None
        self._writer: Writer | None = None
        self._ci_database: CiDatabase | None = None
        self._ledger: Ledger | None = None
        self.merged: Merged | None = None
        """What of this machine's own journal was merged when the ledger was opened."""
        self.journal_problem = ""
        """Why that journal could not be merged; empty when there is none, or it was."""
        self._retiring: frozenset[str] | None = None
        """As of the last comparison; None where it is not known, and nothing is proposed to be enabled."""
        self.recogniser = Recogniser(
            environment,
            others=others,
            ledger=lambda: self.ledger,
            capabilities=self.capabilities,
            clock=clock,
        )
        self.agreement = Agreement(
            environment.name, environment.parent, ledger=lambda: self.ledger, clock=clock
        )
        self.shields = Shields(is_wanted=environment.standing_shields, ledger=lambda: self.ledger)
        self.fences = Fences(reader=lambda: self.reader, ledger=lambda: self.ledger)
        self.deletions = Deletions(
            environment.parent, reader=lambda: self.reader, ledger=lambda: self.ledger, clock=clock
        )
        self.captures = Captures(environment, clock=clock)

    # --- arming -------------------------------------------------------------------------------------------

    @property
    def can_arm(self) -> bool:
        """Whether the configuration names credentials for writing."""
        return self.environment.cloudstack.write is not None

    @property
    def is_armed(self) -> bool:
        return self._writer is not None

    def arm(self) -> None:
        """Construct the write client.

        Raises GuardError when the environment has no credentials for it, or this is not the server that it is
        pinned to; LedgerError where that cannot be told, or the ledger was altered; SourceError when the
        server does not answer.
        """
        credentials = self.environment.cloudstack.write
        if credentials is None:
            raise GuardError(
                f"The environment {self.environment.name} is read-only: it has no credentials for writing.",
                next_step=f"Name them as `write` under [environments.{self.environment.name}.cloudstack].",
            )
        self.recogniser.admit()
        from sync.cloudstack import Writer

        with self._lock:
            if self._writer is None:
                self._writer = Writer(credentials)

    def disarm(self) -> None:
        """Drop the write client; whatever runs keeps its own until it has ended."""
        with self._lock:
            self._writer = None

    # --- reading ------------------------------------------------------------------------------------------

    @property
    def reader(self) -> Reader:
        with self._lock:
            if self._reader is None:
                from sync.cloudstack import Reader

                self._reader = Reader(self.environment.cloudstack.read, clock=self.clock)
            return self._reader

    @property
    def ci_database(self) -> CiDatabase:
        with self._lock:
            if self._ci_database is None:
                from sync.ci_db import CiDatabase

                self._ci_database = CiDatabase(self.environment.ci_database, clock=self.clock)
            return self._ci_database

    @property
    def ledger(self) -> Ledger:
        """The record of this environment, opened and migrated. Raises LedgerError when it cannot be."""
        with self._opening:
            if self._ledger is None:
                from sync.ledger import Ledger

                ledger = Ledger(
                    self.environment.ledger.reveal(),
                    environment=self.environment.name,
                    operator=self.operator,
                    clock=self.clock,
                )
                ledger.open()
                self._merge(ledger)
                self._ledger = ledger
            return self._ledger

    def _merge(self, ledger: Ledger) -> None:
        """Take in what this machine recorded while the ledger could not be reached."""
        from sync.containment_journal import merge_journal

        try:
            self.merged = merge_journal(ledger, self.environment.journal_path)
        except LedgerError as error:
            self.journal_problem = f"This machine's own journal is not merged into the ledger: {error}"

    @property
    def vault(self) -> CredentialFile:
        from sync.credentials import CredentialFile

        return CredentialFile(self.environment.credential_file)

    def scope(self, projects: Sequence[str] = ()) -> Scope:
        from sync.model import Scope, project_key

        keys = frozenset(project_key(name) for name in projects)
        return Scope(parent=self.environment.parent, projects=keys or None)

    def capabilities(self) -> Capabilities:
        """What this server offers to the key that reads. Raises SourceError when it cannot be asked."""
        return self.reader.capabilities()

    def read_desired(self, progress: Progress | None = None) -> DesiredInventory:
        """The whole CI database; a reading that failed comes back as coverage, not as an exception, and so
        does that it has shrunk."""
        from sync.model import Side

        found = self.ci_database.read(self.scope(), progress=progress)
        return self.agreement.marked(Side.DESIRED, found)

    def read_actual(
        self,
        *,
        limits: bool = True,
        users: bool = True,
        previous: ActualInventory | None = None,
        progress: Progress | None = None,
        is_told: bool = False,
    ) -> ActualInventory:
        """The whole of CloudStack below the parent; failures come back as coverage, and so do that it is
        another server than the environment is pinned to, and that it has shrunk. Beside it is read, for
        `compare`, who is fenced and what was deleted; unless `is_told`, as `read_told` does it meanwhile."""
        from sync.model import Side
        from sync.reading_pool import ReadingPool

        with ReadingPool(2, name="beside") as thread:
            beside = [thread.submit(self.fences.read)]
            if not (is_told and self.deletions.is_told()):
                beside.append(thread.submit(self.deletions.read))
            found = self.reader.inventory(
                self.scope(), limits=limits, users=users, previous=previous, progress=progress
            )
            for one in beside:
                one.result()
        return self.agreement.marked(Side.ACTUAL, self.recogniser.marked(found))

    def read_agents(self, desired: DesiredInventory) -> Mapping[str, JenkinsReading]:
        """What every project's Jenkins says of its agents, by key: empty where the environment names none.

        A Jenkins that cannot be read is its own reading's problem.
        """
        settings = self.environment.jenkins
        if settings is None:
            return {}
        from sync.jenkins import Jenkins

        with Jenkins(settings, clock=self.clock) as jenkins:
            return jenkins.read(desired.projects.values())

    def read_told(self) -> Told:
        """What events and jobs tell of deletions; what could not be read is among the problems."""
        at, told = self.clock(), self.reader.told(self.scope())
        return replace(told, has_news=self.deletions.take(told, at))

    def acceptable(self, side: Side) -> Acceptable:
        """A side read once more, to be accepted as it is. Raises IncompleteError, LedgerError."""
        from console.accepting import acceptable

        return acceptable(self, side)

    def accept(self, found: Acceptable, *, reason: str) -> str:
        """Record that the side is right as it is; in words. Raises UsageError, LedgerError."""
        from console.accepting import accept

        return accept(self, found, reason=reason)

    # --- deciding -----------------------------------------------------------------------------------------

    @property
    def rules(self) -> PlanRules:
        from sync.plan import PlanRules

        return PlanRules(
            parent=self.environment.parent,
            roles=self.environment.roles,
            network=self.environment.network,
            retiring=self._retiring,
        )

    def compare(self, desired: DesiredInventory, actual: ActualInventory) -> Drift:
        """The comparison, without what the environment's rules hide, which it counts; with shields and fences
        that are gone, which no rule hides, and what was deleted and is not in the ledger."""
        from sync.drift import compare
        from sync.ignore import hide, parse

        desired, actual = self.agreement.first(desired, actual)
        self._retiring = self._open_retirements()
        before = self.captures.baseline()
        drift = compare(desired, actual, network_rule=self.environment.network, before=before)
        drift = hide(drift, parse(self.environment.ignore), now=self.clock())
        return self.deletions.marked(self.fences.marked(self.shields.marked(drift, release=actual.release)))

    def situation(self, actual: ActualInventory, told: Told) -> Situation:
        """What is being deleted, by a reading and what was told before it."""
        from sync.deletions import assess

        return assess(self.reader.beside(actual, told))

    def expunging(self) -> Expunging:
        """How long Destroyed VMs have left, as far as the server tells. Raises SourceError."""
        from sync.loss_ledger import Expunging

        return Expunging.of(*self.reader.expunging())

    def _open_retirements(self) -> frozenset[str] | None:
        """Keys of the projects that are being retired; None where the ledger cannot be read."""
        from sync.errors import LedgerError
        from sync.retirement_journal import open_projects

        try:
            return open_projects(self.ledger, self.clock())
        except LedgerError:
            return None

    def headline(self, drift: Drift, situation: Situation | None = None) -> Headline:
        from sync.headline import headline

        return headline(drift, situation)

    def repairs(self, row: DriftRow) -> tuple[Action, ...]:
        from sync.plan import repairs

        return repairs(row, rules=self.rules, now=self.clock())

    def radii(
        self, actions: Sequence[Action], desired: DesiredInventory | None, actual: ActualInventory
    ) -> Radii:
        """What each action would stop or destroy, with what captures know of it, or why that cannot be
        computed."""
        from sync.blast import of_each
        from sync.cloudstack.retirement_reading import offerings_about
        from sync.radius import Radius

        radii = of_each(actions, actual, desired=desired, offerings=offerings_about(self.reader, actions))
        return {
            id: self.captures.described(found) if isinstance(found, Radius) else found
            for id, found in radii.items()
        }

    def plan(self, actions: Sequence[Action], *, notes: Sequence[str] = ()) -> Plan:
        """Bind actions to this environment, this server and this operator. Raises SourceError, and GuardError
        where they name a role, a zone or a network offering that the server does not have."""
        from sync.named import refuse_unnamed
        from sync.plan import build

        capabilities = self.capabilities()
        refuse_unnamed(actions, self.reader)
        return build(
            actions,
            environment=self.environment.name,
            root_id=capabilities.root_id,
            endpoint=capabilities.endpoint,
            author=self.operator,
            now=self.clock(),
            notes=notes,
        )

    def write_relinks(self, stale: Sequence[StaleId]) -> tuple[Path, ...]:
        """The new ids for the CI database's owner, beside the file of passwords. Raises UsageError."""
        from sync.relink import write

        environment = self.environment
        folder = environment.credential_file.parent
        return write(stale, environment.ci_database, folder, environment=environment.name, at=self.clock())

    # --- approving ----------------------------------------------------------------------------------------

    def write_plan(self, plan: Plan) -> Path:
        """Put the plan and the text to be signed into the environment's own folder. Raises UsageError."""
        from sync.approval_intake import write_plan

        folder = self.environment.credential_file.parent / "plans" / self.environment.name
        return write_plan(plan, folder)

    def standing(self, plan: Plan, file: Path) -> Standing:
        """How the signatures beside that file stand. Raises GuardError where ssh-keygen cannot be used."""
        from sync.approval import assess

        return assess(plan, file, self.environment.approvals, now=self.clock())

    def take_signatures(self, file: Path, source: Path) -> None:
        """Copy signatures beside that plan's file. Raises UsageError."""
        from sync.approval_intake import take_in

        take_in(file, source)

    def why_keep_fence(self) -> str:
        """Why no fence may be lifted by one person alone, by a fresh reading of both sides; empty when one
        may."""
        from sync.relink import links, why_keep_fence

        return why_keep_fence(links(self.read_desired(), self.read_actual(limits=False)))

    # --- acting -------------------------------------------------------------------------------------------

    def containment(self, *, is_armed: bool) -> Containment:
        """What can be done against a deletion; the caller closes it. It needs neither lease nor CI database,
        and only this machine's own journal where the ledger cannot be reached."""
        from sync.containment import Containment

        return Containment(
            self.environment,
            reader=self.reader,
            operator=self.operator,
            clock=self.clock,
            is_armed=is_armed,
            recognise=self.recogniser.refuse_strangers,
        )

    def executor(self, *, rebuild: bool = False, archive: ArchiveLike | None = None) -> Executor:
        """An executor with the write client of this session.

        Raises GuardError while it is not armed, or where the server is not the pinned one; LedgerError.

        `rebuild` sets failing projects aside and tries them again at the end, instead of stopping their kind.
        """
        from sync.executor import ExecutionPolicy, Executor

        writer = self._writer
        if writer is None:
            raise GuardError(
                f"The console is read-only: nothing can be changed in {self.environment.name}.",
                next_step="Arm it first.",
            )
        self.recogniser.admit()
        return Executor(
            reader=self.reader,
            writer=writer,
            ledger=self.ledger,
            vault=self.vault,
            limits=self.environment.execution,
            approvals=self.environment.approvals,
            policy=ExecutionPolicy.REBUILD if rebuild else ExecutionPolicy.STAGED,
            archive=archive,
            clock=self.clock,
        )

    @property
    def retiring(self) -> Retiring:
        """The retirements of this environment; what can delete exists only while a step runs."""
        from sync.retiring import Retiring

        return Retiring(
            self.environment,
            reader=self.reader,
            ledger=self.ledger,
            read_both=self._read_both,
            recognise=self.recogniser.admit,
            clock=self.clock,
        )

    def _read_both(self) -> tuple[DesiredInventory, ActualInventory]:
        return self.agreement.first(self.read_desired(), self.read_actual(limits=False))

    @property
    def calls(self) -> int:
        """API calls made so far, reading and writing."""
        reading = self._reader.calls if self._reader is not None else 0
        writing = self._writer.calls if self._writer is not None else 0
        return reading + writing

    def close(self) -> None:
        """Let go of all it holds. What is being read is not waited for, and counts for nothing any more."""
        with self._lock:
            if self._reader is not None:
                self._reader.close()
            if self._ledger is not None:
                self._ledger.close()
            self._ledger = self._reader = self._writer = self._ci_database = None
        self.captures.close()
