"""Deletions that the ledger does not know: hooks `sync.unrecorded` into a session's readings.

Events are read beside the inventory, from the ledger's first entry on (at first use two days back); after
that those are enough that every refresh reads to see what is being deleted. A ledger that cannot be read
excuses nothing: what was deleted is then not known to be recorded. Imports nothing heavy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sync.errors import LedgerError

if TYPE_CHECKING:
    from sync.cloudstack import Reader
    from sync.deletion_attempts import Event
    from sync.deletion_record import DeletionRecord
    from sync.deletions import Told
    from sync.ledger import Ledger
    from sync.model import Drift
    from sync.unrecorded import DeletionCheck
    from sync.unrecorded import Record as LedgerSays

AT_FIRST = timedelta(days=2)
"""How far back is looked where the ledger begins later, or cannot be read; and at every refresh."""
OVERLAP = timedelta(days=1)
"""CloudStack is asked for days: the clocks and time zones of both may be apart."""


class Deletions:
    """What was deleted in one environment; usable from several threads."""

    def __init__(
        self,
        parent: str,
        *,
        reader: Callable[[], Reader],
        ledger: Callable[[], Ledger],
        clock: Callable[[], datetime],
    ) -> None:
        self._parent = parent
        self._reader = reader
        self._ledger = ledger
        self._clock = clock
        self._lock = threading.Lock()
        self._record: DeletionRecord | None = None
        self._events: dict[str, Event] = {}
        self._problem = ""
        self._is_asked = False
        self._read_until: datetime | None = None
        self._knows_beginning = False

    def read(self) -> None:
        """Ask CloudStack for the events that are new. What cannot be read is said by `marked`."""
        now = self._clock()
        events, problem = self._reader().deletion_events(self._since(now))
        self._take(events, problem)
        if not problem:
            self._read_to(now)

    def is_told(self) -> bool:
        """Whether what is told of deletions at every refresh reaches back far enough: then nothing is read
        besides, and `take` gets it."""
        now = self._clock()
        return self._since(now) >= now - AT_FIRST

    def take(self, told: Told, at: datetime) -> bool:
        """What events told, asked for at that time; whether anything is new by it."""
        if not told.why_more and self._since(at) >= at - AT_FIRST:
            self._read_to(at)
        return self._take(told.events or (), told.why_more)

    def _read_to(self, at: datetime) -> None:
        with self._lock:
            self._read_until = at

    def _take(self, events: Sequence[Event], problem: str) -> bool:
        with self._lock:
            before = (len(self._events), self._problem, self._is_asked)
            self._is_asked = True
            self._events |= {event.id: event for event in events}
            self._problem = problem
            return before != (len(self._events), problem, True)

    def marked(self, drift: Drift) -> Drift:
        """The comparison with the deletions that are not in the ledger, and with the old domains that may
        still hold the names of missing ones. Another server's are not this environment's."""
        if not self._is_asked or drift.actual.is_foreign:
            return drift
        from sync.deletion_rows import with_holders

        with self._lock:
            events = tuple(self._events.values())
        drift = with_holders(drift, events, self._reader().paths)
        return replace(drift, deletions=self._compared())

    def told(self) -> DeletionCheck:
        """The same from a fresh reading."""
        self.read()
        return self._compared()

    def _compared(self) -> DeletionCheck:
        from sync.unrecorded import DeletionCheck, Record, unrecorded

        with self._lock:
            events, problem = tuple(self._events.values()), self._problem
        record = Record()
        paths = self._reader().paths
        if events:
            try:
                record = self._recorded()
            except LedgerError as error:
                found, _ = unrecorded(events, record, parent=self._parent, paths=paths)
                told = f"{len(found)} deletions cannot be compared with the ledger: {error}" if found else ""
                return DeletionCheck(problem=f"{told} {problem}".strip())
        found, elsewhere = unrecorded(events, record, parent=self._parent, paths=paths)
        return DeletionCheck(found, elsewhere, problem)

    def _recorded(self) -> LedgerSays:
        from sync.deletion_record import DeletionRecord

        ledger = self._ledger()
        with self._lock:
            if self._record is None:
                self._record = DeletionRecord()
            record = self._record
        return record.current(ledger)

    def _since(self, now: datetime) -> datetime:
        """From when on events are asked for: at first from the ledger's first entry, or from two days ago,
        whichever is earlier. What was deleted before there was a ledger cannot be in it, yet what has just
        happened must not go unsaid."""
        with self._lock:
            if self._read_until is not None and self._knows_beginning:
                return self._read_until - OVERLAP
        recent = now - AT_FIRST
        try:
            began = self._ledger().began_at()
        except LedgerError:
            return recent
        with self._lock:
            self._knows_beginning = True
        return min(began - OVERLAP, recent) if began is not None else recent
