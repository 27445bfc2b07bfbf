"""Whether the server behind an environment is the one it was pinned to, and nobody else's.

Reading stays possible where it is not, and says so; arming and executing are refused. Imports nothing heavy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sync.errors import GuardError, LedgerError, SourceError

if TYPE_CHECKING:
    from sync.cloudstack import Capabilities
    from sync.ledger import Ledger
    from sync.ledger_entries import Pin
    from sync.model import ActualInventory
    from sync.pins import Neighbour, Server
    from sync.settings import Environment

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
        others: Callable[[], Iterable[Environment]],
        ledger: Callable[[], Ledger],
        capabilities: Callable[[], Capabilities],
        clock: Callable[[], datetime],
    ) -> None:
        """`others` are the environments of the same configuration, as far as they can be read."""
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

    def refuse_strangers(self) -> None:
        """As `require`, but a ledger that cannot be read is no obstacle: what needs it fails there."""
        try:
            self.require()
        except LedgerError:
            from sync.pins import refuse

            refuse(self._environment.name, self.server(), pin=None, neighbours=self.neighbours())

    def marked(self, found: ActualInventory) -> ActualInventory:
        """A reading, with its coverage no longer complete where it is another server's."""
        try:
            server = self.server()
        except SourceError:
            # The reading says so itself.
            return found
        self.last = known = self._recognise(server)
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
        from sync.pins import Neighbour, peek

        with self._lock:
            now = self._clock()
            if afresh or self._neighbours is None or now - self._neighbours[0] > MEMORY:
                made = tuple(
                    Neighbour(one.name, one.cloudstack.read.endpoint, peek(one.ledger, one.name))
                    for one in self._others()
                )
                self._neighbours = (now, made)
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
