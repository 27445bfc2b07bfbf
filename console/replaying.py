"""A capture as an environment: the console on what was, without server, ledger or write client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from console.session import Progress, Session, utc_now
from sync.capture_rules import CaptureRules
from sync.errors import GuardError, LedgerError, UnreachableError
from sync.secret import Secret
from sync.settings import CiDatabaseSettings, CloudStackCredentials, Credentials, Environment, Refresh

if TYPE_CHECKING:
    from sync.agents import JenkinsReading
    from sync.capture import Capture
    from sync.ci_db import CiDatabase
    from sync.cloudstack import Reader
    from sync.deletions import Situation, Told
    from sync.ledger import Ledger
    from sync.model import ActualInventory, DesiredInventory, Drift

_SELDOM = 3600.0
"""Seconds between two readings of what does not change."""


class ReplaySession(Session):
    """Answers every reading with the same capture; whatever would ask or change a server is refused."""

    is_replay = True

    def __init__(self, capture: Capture, file: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        super().__init__(_environment(capture, file), clock=clock)
        self.capture = capture
        self._retiring = frozenset()
        """Nothing can run here, so nothing is kept back for a retirement: it tells what the live one told."""

    # --- what there is ------------------------------------------------------------------------------------

    def read_desired(self, progress: Progress | None = None) -> DesiredInventory:
        """The CI database as it was captured."""
        del progress
        return self.capture.desired

    def read_actual(
        self,
        *,
        limits: bool = True,
        users: bool = True,
        previous: ActualInventory | None = None,
        progress: Progress | None = None,
        is_told: bool = False,
    ) -> ActualInventory:
        """CloudStack as it was captured."""
        del limits, users, previous, progress, is_told
        return self.capture.actual

    def read_agents(self, desired: DesiredInventory) -> Mapping[str, JenkinsReading]:
        """None: Jenkins is not captured."""
        del desired
        return {}

    def read_told(self) -> Told:
        """Nothing is told of deletions: events are not captured."""
        from sync.deletions import Told

        return Told(events=None, jobs=None, problems=("A capture has no events.",))

    def situation(self, actual: ActualInventory, told: Told) -> Situation:
        """What was being deleted, as far as the lists tell."""
        from sync.deletions import Reading, assess

        return assess(
            Reading(
                scope=actual.scope,
                world=actual,
                events=told.events,
                jobs=told.jobs,
                snapshots=actual.snapshots,
                templates=actual.templates,
                problems=told.problems,
            )
        )

    def compare(self, desired: DesiredInventory, actual: ActualInventory) -> Drift:
        """The comparison as it was then, with nothing hidden by rules of today."""
        from sync.drift import compare

        return compare(desired, actual, network_rule=self.environment.network)

    # --- what there is not --------------------------------------------------------------------------------

    def arm(self) -> None:
        """Raises GuardError, always."""
        raise GuardError("This is a replay: what was cannot be changed.", next_step="Arm the live console.")

    @property
    def reader(self) -> Reader:
        """Raises UnreachableError, always."""
        self._refuse("asks no server")

    @property
    def ci_database(self) -> CiDatabase:
        """Raises UnreachableError, always."""
        self._refuse("asks no database")

    @property
    def ledger(self) -> Ledger:
        """Raises LedgerError, always."""
        raise LedgerError(
            "A replay has no ledger.", next_step="`abreast ledger show` and the live console have it."
        )

    def _refuse(self, what: str) -> NoReturn:
        raise UnreachableError(f"This is a replay, which {what}.", next_step="Use the live console for that.")


def _environment(capture: Capture, file: Path) -> Environment:
    """An environment of the capture's name in which nothing is read, kept or changed."""
    name = capture.environment or "capture"
    nobody = Credentials(endpoint="a replay", key=Secret(""), secret=Secret(""), source=str(file))
    return Environment(
        name=name,
        title=f"{name.upper()} as of {capture.taken_at.astimezone():%Y-%m-%d %H:%M:%S}",
        ci_database=CiDatabaseSettings(url=Secret("")),
        cloudstack=CloudStackCredentials(read=nobody),
        ledger=Secret(""),
        credential_file=file.with_name("a-replay-makes-no-passwords"),
        parent=capture.actual.scope.parent,
        network=capture.network,
        refresh=Refresh(_SELDOM, _SELDOM, _SELDOM),
        capture=CaptureRules(is_on=False),
        captures=file,
        runbook={},
    )
