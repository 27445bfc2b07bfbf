"""How much of each side there was, kept between processes in the ledger's database.

What is remembered is no entry of the chain, because every reading changes it; that a person accepts a side
that shrank is one, with the reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select

from sync.agreement import Extent, Lists, compared, first_extent, from_json, let_go, to_json
from sync.errors import UsageError
from sync.ledger_entries import Entry, EntryKind, canonical, stamp
from sync.ledger_schema import extents as table
from sync.model import Shrinkage, Side
from sync.pins import Append

Transaction = Callable[[], AbstractContextManager[Connection]]

TOLD_EVERY = timedelta(minutes=1)
"""How often a reading that changes nothing is written down: when all was there is known to the minute."""


class Extents:
    """What one environment's sides held."""

    def __init__(
        self, environment: str, parent: str, *, reading: Transaction, alone: Transaction, append: Append
    ) -> None:
        """`alone` opens write transactions of which one is open at a time. Another `parent` is another scope,
        of which nothing is remembered."""
        self._environment = environment
        self._parent = parent
        self._reading = reading
        self._alone = alone
        self._append = append

    def current(self, side: Side) -> Extent | None:
        """What is remembered; None where the side was never read. Raises LedgerError."""
        with self._reading() as connection:
            return self._read(connection, side)

    def compare(self, side: Side, lists: Lists, at: datetime) -> tuple[Shrinkage, ...] | None:
        """The lists that have shrunk by a complete reading, which is remembered; None, and nothing is, where
        the side was never read before. Raises LedgerError."""
        extent = self.current(side)
        if extent is None:
            return None
        after, shrunk = compared(extent, lists, at)
        if after.lists == extent.lists and abs(after.seen_at - extent.seen_at) < TOLD_EVERY:
            return shrunk
        with self._alone() as connection:
            # Another process may have read, or a person accepted, meanwhile.
            extent = self._read(connection, side) or extent
            after, shrunk = compared(extent, lists, at)
            self._write(connection, side, after)
        return shrunk

    def begin(self, side: Side, lists: Lists, at: datetime) -> None:
        """Remember the first reading of a side; one that was remembered meanwhile stays.

        Raises LedgerError.
        """
        with self._alone() as connection:
            if self._read(connection, side) is None:
                self._write(connection, side, first_extent(lists, at))

    def accept(self, side: Side, lists: Lists, at: datetime, *, reason: str) -> Entry:
        """A person's word that this is all there is. Raises UsageError without a reason, LedgerError."""
        if not reason.strip():
            raise UsageError(
                "Accepting a side that shrank needs a reason.", next_step="Give it with --reason."
            )
        with self._alone() as connection:
            earlier = self._read(connection, side)
            _, shrunk = compared(earlier, lists, at) if earlier is not None else (None, ())
            payload = {
                "side": side.value,
                "counts": {name: len(keys) for name, keys in lists.items()},
                "lost": {one.what: one.lost for one in shrunk},
                "reason": reason.strip(),
            }
            entry = self._append(connection, EntryKind.SHRINKAGE_ACCEPTED, payload, None)
            self._write(connection, side, first_extent(lists, at))
        return entry

    def let_go(self, side: Side, lists: Lists) -> None:
        """Forget what a retirement has deleted: it is not missed. Raises LedgerError."""
        with self._alone() as connection:
            extent = self._read(connection, side)
            if extent is not None:
                self._write(connection, side, let_go(extent, lists))

    def _read(self, connection: Connection, side: Side) -> Extent | None:
        row = connection.execute(
            select(table).where(table.c.environment == self._environment, table.c.side == side.value)
        ).one_or_none()
        if row is None or row.parent != self._parent:
            return None
        return from_json(datetime.fromisoformat(row.seen_at), json.loads(row.content))

    def _write(self, connection: Connection, side: Side, extent: Extent) -> None:
        connection.execute(
            delete(table).where(table.c.environment == self._environment, table.c.side == side.value)
        )
        connection.execute(
            insert(table).values(
                environment=self._environment,
                side=side.value,
                parent=self._parent,
                seen_at=stamp(extent.seen_at),
                content=canonical(to_json(extent)),
            )
        )
