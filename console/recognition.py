"""Whether the server behind an environment is the one it was pinned to, and nobody else's.

Reading stays possible where it is not, and says so; arming and executing are refused. Imports nothing heavy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sync.errors import ConfigurationError, GuardError, LedgerError, SourceError

if TYPE_CHECKING:
    from sync.cloudstack import Capabilities
    from sync.ledger import Ledger
    from sync.ledger_entries import Pin
    from sync.model import ActualInventory
    from sync.pins import Neighbour, Server
    from sync.settings import Environment

Other = tuple[str, "Environment | ConfigurationError"]
"""Name of another environment, and what it is or why that cannot be read here."""

MEMORY = timedelta(seconds=60)
"""How long the pins of other environments are believed, and a ledger that cannot be read is left alone."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """What is known of the server that was read last."""

    endpoint: str
    root_id: str
    pin: Pin | None = None
    refused: str = ""
    """Why nothing may be armed or run here; empty when it may."""
    unproven: str = ""
    """Why it could not be told: the ledger cannot be read, or the ROOT domain cannot be seen."""

    @property
    def words(self) -> str:
        if self.refused:
            return f"REFUSED, nothing can be armed or run here: {self.refused}"
        found = f"{self.endpoint} with ROOT domain {self.root_id or 'unknown'}"
        if self.pin is None:
            return f"{found}, not compared with what it was pinned to: {self.unproven}"
        return f"{found}, as pinned {self.pin.pinned_at:%Y-%m-%d} by {self.pin.pinned_by}"


class Recogniser:
    """Recognises one environment; usable from several threads."""

    def __init__(
        self,
        environment: Environment,
        *,
        others: Callable[[], Iterable[Other]],
        ledger: Callable[[], Ledger],
        capabilities: Callable[[], Capabilities],
        clock: Callable[[], datetime],
    ) -> None:
        """`others` are the other environments of the same configuration."""
        self._environment = environment
        self._others = others
        self._ledger = ledger
        self._capabilities = capabilities
        self._clock = clock
        self._lock = threading.Lock()
        self._neighbours: tuple[datetime, tuple[Neighbour, ...]] | None = None
        self._failed: tuple[datetime, str] | None = None
        self.last: Recognition | None = None
        """The latest answer."""

    def require(self) -> None:
        """Raises GuardError on another server than the pinned one, LedgerError where it cannot be told, and
        SourceError where the server does not answer or does not show its ROOT domain."""
        server = self.server()
        self._ledger().pins.recognise(server, self.neighbours(afresh=True))

    def admit(self) -> None:
        """As `require`; and LedgerError where somebody altered the ledger. Before anything is executed."""
        self.require()
        from sync.ledger_check import require_sound

        require_sound(self._ledger())

    def refuse_strangers(self) -> None:
        """As `require`, but what cannot be read is no obstacle. For containing, which has to work while the
        team's database dies, and changes nothing that it does not take back."""
        try:
            self.require()
        except LedgerError:
            from sync.pins import refuse

            refuse(self._environment.name, self.server(), pin=None, neighbours=self.neighbours())

    def marked(self, found: ActualInventory) -> ActualInventory:
        """A reading, with its coverage no longer complete where it is another server's; where that cannot be
        told, it says so."""
        try:
            server = self.server()
        except SourceError:
            # The reading says so itself.
            return found
        self.last = known = self._recognise(server)
        if known.unproven:
            return replace(found, coverage=replace(found.coverage, unrecognised=known.unproven))
        if not known.refused:
            return found
        from sync.model import CoverageState

        earlier = found.coverage
        state = CoverageState.PARTIAL if earlier.is_complete else earlier.state
        why = f"{known.refused} {earlier.why}".strip()
        return replace(found, coverage=replace(earlier, state=state, why=why, is_foreign=True))

    def server(self) -> Server:
        """The server as it shows itself. Raises SourceError."""
        from sync.pins import Server

        found = self._capabilities()
        return Server(found.endpoint, found.root_id)

    def neighbours(self, *, afresh: bool = False) -> tuple[Neighbour, ...]:
        """The other environments with what they are pinned to."""
        with self._lock:
            now = self._clock()
            if afresh or self._neighbours is None or now - self._neighbours[0] > MEMORY:
                self._neighbours = (now, tuple(_neighbour(name, other) for name, other in self._others()))
            return self._neighbours[1]

    def _recognise(self, server: Server) -> Recognition:
        now = self._clock()
        if self._failed is not None and now - self._failed[0] <= MEMORY:
            return Recognition(server.endpoint, server.root_id, unproven=self._failed[1])
        try:
            pin = self._ledger().pins.recognise(server, self.neighbours())
        except GuardError as error:
            return Recognition(server.endpoint, server.root_id, refused=str(error))
        except SourceError as error:
            return Recognition(server.endpoint, server.root_id, unproven=str(error))
        except LedgerError as error:
            self._failed = (now, str(error))
            return Recognition(server.endpoint, server.root_id, unproven=str(error))
        self._failed = None
        return Recognition(server.endpoint, server.root_id, pin)


def _neighbour(name: str, other: Environment | ConfigurationError) -> Neighbour:
    """Another environment with what it is pinned to, or why that cannot be told."""
    from sync.pins import Neighbour, peek

    if isinstance(other, ConfigurationError):
        return Neighbour(name, "", None, unread=other.what)
    endpoint = other.endpoint
    try:
        return Neighbour(name, endpoint, peek(other.ledger.reveal(), name))
    except (LedgerError, ConfigurationError) as error:
        return Neighbour(name, endpoint, None, unread=error.what)
