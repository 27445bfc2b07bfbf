"""What all work on retirements needs: both sides read anew, the journal, the guards that are always asked."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping

from sync.clocks import Clocks, refuse_apart
from sync.cloudstack.reader import Reader
from sync.cloudstack.retirement_reading import offerings_of_domains
from sync.errors import GuardError, SourceError, UsageError
from sync.ledger import Clock, Ledger, utc_now
from sync.model import ActualInventory, DesiredInventory, project_key
from sync.pins import Server
from sync.retirement import Evidence, Retirement
from sync.retirement_approval import Standing, standing_of, why_record_fails
from sync.retirement_history import History
from sync.retirement_journal import RetirementJournal
from sync.retirement_proposal import View
from sync.settings import Environment

ReadBoth = Callable[[], tuple[DesiredInventory, ActualInventory]]


class Desk:
    """One environment, as far as its retirements need it."""

    def __init__(
        self,
        environment: Environment,
        *,
        reader: Reader,
        ledger: Ledger,
        read_both: ReadBoth,
        recognise: Callable[[], None],
        clock: Clock = utc_now,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`read_both` reads both sides anew and whole, compared with the readings before; `recognise` raises
        unless the server is the pinned one and the ledger what was written."""
        self.environment = environment
        self.reader = reader
        self.ledger = ledger
        self.journal = RetirementJournal(ledger)
        self.read_both = read_both
        self.recognise = recognise
        self.clock = clock
        self.sleep = sleep

    # --- looking --------------------------------------------------------------------------------------------

    def history(self) -> History:
        """Everything that the ledger has. Raises LedgerError."""
        return self.journal.history()

    def of(self, project: str) -> Retirement:
        """The newest retirement of a project. Raises UsageError where there is none."""
        found = self.history().current(project_key(project))
        if found is None:
            raise UsageError(
                f"There is no retirement of {project}.",
                next_step=f"`abreast retire {project} --propose` begins one.",
            )
        return found

    def standing(self, retirement: Retirement) -> Standing:
        """Who has signed, judged now. Raises GuardError when ssh-keygen cannot be used."""
        return standing_of(retirement, self.history(), self.environment.approvals, now=self.clock())

    # --- what all need --------------------------------------------------------------------------------------

    def clocks(self) -> Clocks:
        """All clocks, read now. Raises SourceError, LedgerError where one of them is not answered."""
        server = self.reader.server_time()
        return Clocks(self.clock(), server, self.ledger.shared_time())

    def agreed_clocks(self) -> Clocks:
        """The same. Raises GuardError besides unless all are known and agree."""
        clocks = self.clocks()
        refuse_apart(clocks)
        return clocks

    def view(self) -> View:
        """Both sides and the offerings, read now. Raises GuardError where the offerings cannot be read."""
        before = self.clocks()
        desired, actual = self.read_both()
        try:
            offerings = offerings_of_domains(self.reader)
        except SourceError as error:
            raise GuardError(
                f"Which offerings would go with the domain cannot be read: {error}",
                next_step="Allow listServiceOfferings, listDiskOfferings, listNetworkOfferings in the role.",
            ) from None
        return View(desired, actual, offerings, before, self.clocks(), self.environment.network)

    def server(self) -> Server:
        found = self.reader.capabilities()
        return Server(found.endpoint, found.root_id)

    def refuse_other_server(self, retirement: Retirement) -> None:
        made = Server(retirement.proposal.endpoint, retirement.proposal.root_id)
        if self.server() != made or retirement.proposal.environment != self.environment.name:
            raise GuardError(
                f"The retirement was proposed for {made.words} in {retirement.proposal.environment}; "
                f"this is {self.server().words}.",
                next_step="Propose it anew here.",
            )

    def refuse_bad_records(self, records: Mapping[str, Evidence]) -> None:
        for project, evidence in records.items():
            why = why_record_fails(
                self.environment.name, evidence, self.environment.approvals, now=self.clock()
            )
            if why:
                raise GuardError(f"The record that {project} is to go does not count: {why}.")

    def new_id(self, what: str) -> str:
        return f"{what}-{self.clock():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
