"""Verifies the ledger's chain in the background: at the start, and whenever new entries have come; and asks
CloudStack for the zones that, by the ledger, a restore has left closed.

At the pace of the inventory and beside the readings of both sides. A ledger that cannot be read says nothing
of its chain: that it cannot is told where it is asked.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from console.faults import as_error
from console.messages import LedgerWatched
from console.refresh import Background, Cadence
from sync.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.session_protocol import ConsoleSession
    from sync.ledger_check import Watch


class LedgerWatch:
    """Owned by the App, which calls `tick` every second."""

    def __init__(self, app: Background, session: ConsoleSession, *, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._session = session
        self._clock = clock
        self._cadence = Cadence(session.environment.refresh.inventory_seconds)
        self._watch: Watch | None = None

    def tick(self) -> None:
        """Verify, where that is due."""
        now = self._clock()
        if not self._session.is_replay and self._cadence.is_due(now):
            generation = self._cadence.begin(now)
            self._app.run_in_background(
                lambda: self._look(generation), name=f"verify the ledger {generation}"
            )

    def ended(self, generation: int) -> bool:
        """Whether what came back is what was asked for last."""
        return self._cadence.accept(generation, self._clock())

    def _look(self, generation: int) -> None:
        from console.restores import frozen_now

        try:
            if self._watch is None:
                from sync.ledger_check import Watch

                self._watch = Watch(lambda: self._session.ledger)
            words = self._watch.look()
            message = LedgerWatched(generation, words, frozen_now(self._session, self._watch.frozen or ()))
        except LedgerError:
            message = LedgerWatched(generation, None)
        except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
            message = LedgerWatched(generation, None, error=as_error(error, doing="verifying the ledger"))
        self._app.post_message(message)
