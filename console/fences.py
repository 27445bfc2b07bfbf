"""Fences that are gone: hooks `sync.fence_reading` into a session's readings and comparisons.

What was fenced is told by the ledger; whether it is fenced still, by CloudStack, asked beside the inventory.
Nothing is asked where nothing was fenced. Imports nothing heavy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sync.errors import LedgerError

if TYPE_CHECKING:
    from sync.cloudstack import Reader
    from sync.fence_check import FenceCheck
    from sync.following import Follower
    from sync.ledger import Ledger
    from sync.model import Drift


class Fences:
    """The fences of one environment; usable from several threads."""

    def __init__(self, *, reader: Callable[[], Reader], ledger: Callable[[], Ledger]) -> None:
        self._reader = reader
        self._ledger = ledger
        self._lock = threading.Lock()
        self._follower: Follower | None = None
        self._last: FenceCheck | None = None

    def read(self) -> None:
        """Ask CloudStack how those who were fenced stand. What cannot be read is said by `marked`."""
        found = self._read()
        with self._lock:
            self._last = found

    def _read(self) -> FenceCheck:
        from sync.containment_journal import standing
        from sync.fence_check import FenceCheck
        from sync.fence_reading import seen
        from sync.following import Follower

        with self._lock:
            if self._follower is None:
                self._follower = Follower(lambda entry: entry.payload.get("kind") in ("fence", "unfence"))
        try:
            fences = standing(self._follower.entries(self._ledger()), "fence")
        except LedgerError as error:
            return FenceCheck(note=f"not known: {error}")
        return seen(fences, self._reader(), accepted={})

    def marked(self, drift: Drift) -> Drift:
        """The comparison with how the fences stood at the last reading. Another server has others."""
        with self._lock:
            last = self._last
        return drift if last is None or drift.actual.is_foreign else replace(drift, fences=last)
