"""Which projects a rebuild began and did not make whole, by the ledger, whoever ran it. It blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sync.errors import LedgerError

if TYPE_CHECKING:
    from sync.ledger import Ledger


class HalfMade:
    """Asks the ledger anew only when there is more in it."""

    def __init__(self, ledger: Callable[[], Ledger]) -> None:
        """`ledger` opens it, where it is not open yet; raises LedgerError where it cannot be."""
        self._ledger = ledger
        self._ends: object = None
        self._keys: frozenset[str] = frozenset()

    def keys(self) -> frozenset[str]:
        """Their keys; those that were known last where the ledger cannot be read, which the screen tells."""
        from sync.journal import left_by_rebuilds

        try:
            ledger = self._ledger()
            ends = ledger.ends()
            if self._ends is None or ends != self._ends:
                self._keys = left_by_rebuilds(ledger)
                self._ends = ends
        except LedgerError:
            pass
        return self._keys
