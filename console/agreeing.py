"""Each side beside the readings before it: hooks `sync.agreement` into a session's readings.

A ledger that cannot be read is no obstacle to reading: the side is then not agreed, and says so. Imports
nothing heavy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from sync.errors import LedgerError

if TYPE_CHECKING:
    from sync.extents import Extents
    from sync.ledger import Ledger
    from sync.model import ActualInventory, DesiredInventory, Side

    Reading = TypeVar("Reading", DesiredInventory, ActualInventory)
else:
    Reading = TypeVar("Reading")

MEMORY = timedelta(seconds=60)
"""How long a ledger that cannot be read is left alone."""


class Agreement:
    """Compares the readings of one environment with those before; usable from several threads."""

    def __init__(
        self, environment: str, parent: str, *, ledger: Callable[[], Ledger], clock: Callable[[], datetime]
    ) -> None:
        self._environment = environment
        self._parent = parent
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._failed: tuple[datetime, str] | None = None

    def marked(self, side: Side, reading: Reading) -> Reading:
        """A reading with what the comparison says in its coverage; only complete ones of the whole are
        compared. A first reading stays as it is: it is remembered where `first` believes it.
        """
        from sync.agreement import lists_of, marked

        if not reading.coverage.is_complete or not reading.scope.is_full:
            return reading

        def compare(extents: Extents) -> Reading:
            shrunk = extents.compare(side, lists_of(reading), reading.taken_at)
            if shrunk is None:
                return reading
            coverage = marked(reading.coverage, side, shrunk, environment=self._environment)
            return replace(reading, coverage=coverage)

        return self._with_extents(compare) or reading

    def first(
        self, desired: DesiredInventory, actual: ActualInventory
    ) -> tuple[DesiredInventory, ActualInventory]:
        """Both sides, with their first readings remembered; a first CI database that is hard to believe
        beside CloudStack is partial instead."""
        from sync.agreement import doubt_at_first, doubted, lists_of
        from sync.model import Side

        sides = (desired, actual)
        if not all(one.coverage.is_complete and one.scope.is_full for one in sides):
            return sides

        def begin(extents: Extents) -> None:
            for side, one in ((Side.DESIRED, desired), (Side.ACTUAL, actual)):
                extents.begin(side, lists_of(one), one.taken_at)

        def is_known(extents: Extents) -> bool:
            return extents.current(Side.DESIRED) is not None

        if desired.coverage.agreed or self._with_extents(is_known):
            if not actual.coverage.agreed and not actual.coverage.shrunk:
                self._with_extents(begin)
            return sides
        why = doubt_at_first(desired, actual, environment=self._environment)
        if why:
            return replace(desired, coverage=doubted(desired.coverage, why)), actual
        self._with_extents(begin)
        return sides

    _Answer = TypeVar("_Answer")

    def _with_extents(self, work: Callable[[Extents], _Answer]) -> _Answer | None:
        """What the work answers; None where the ledger cannot be used."""
        with self._lock:
            failed, now = self._failed, self._clock()
        if failed is not None and now - failed[0] <= MEMORY:
            return None
        try:
            answer = work(self._ledger().extents(self._parent))
        except LedgerError as error:
            with self._lock:
                self._failed = (now, str(error))
            return None
        with self._lock:
            self._failed = None
        return answer
