"""Puts what events and jobs tell of deletions beside the inventory that is read meanwhile.

Each comes from a thread of its own, so that slow lists of events never hold the inventory back; whichever is
there last has them assessed.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from console.faults import as_error
from console.messages import DeletionsRead
from sync.deletions import Situation, Told, can_tell

if TYPE_CHECKING:
    from console.refresh import Background
    from console.session_protocol import ConsoleSession
    from sync.model import ActualInventory


class Telling:
    """One reading of deletions. `tell` and `take` are called once each, from any thread; DeletionsRead comes
    back once, with None where there is nothing to go by."""

    def __init__(self, app: Background, session: ConsoleSession, generation: int) -> None:
        self._app = app
        self._session = session
        self.generation = generation
        self._lock = threading.Lock()
        self._told: Told | None = None
        self._inventory: ActualInventory | None = None
        self._missing = 2

    def tell(self) -> None:
        """Read what events and jobs tell."""
        try:
            found = self._session.read_told()
        except Exception as error:  # noqa: BLE001 - the thread's edge: whatever it is has to reach the screen
            found = Told(events=None, jobs=None, problems=(str(as_error(error, doing="reading deletions")),))
        self._put(told=found)

    def take(self, inventory: ActualInventory | None) -> None:
        """The inventory; None where its reading broke."""
        self._put(inventory=inventory)

    def _put(self, *, told: Told | None = None, inventory: ActualInventory | None = None) -> None:
        with self._lock:
            self._told = self._told or told
            self._inventory = self._inventory or inventory
            self._missing -= 1
            is_whole = self._missing == 0
        if is_whole:
            has_news = self._told is not None and self._told.has_news
            self._app.post_message(DeletionsRead(self.generation, self._situation(), has_news=has_news))

    def _situation(self) -> Situation | None:
        told, inventory = self._told, self._inventory
        if told is None or inventory is None or not can_tell(inventory.coverage):
            return None
        try:
            return self._session.situation(inventory, told)
        except Exception as error:  # noqa: BLE001 - as above
            problem = str(as_error(error, doing="assessing deletions"))
            return Situation(inventory.taken_at, (), problems=(problem,))
