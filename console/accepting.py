"""A person's word that a side which shrank is right: read once more, shown as it is, and recorded so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from sync.agreement import Extent, Lists, compared, lists_of
from sync.errors import IncompleteError
from sync.model import Shrinkage, Side

if TYPE_CHECKING:
    from console.session import Session
    from sync.model import ActualInventory, DesiredInventory


@dataclass(frozen=True, slots=True)
class Acceptable:
    """A side as it was just read, completely, beside what is remembered of it."""

    side: Side
    lists: Lists
    at: datetime
    earlier: Extent | None
    """None where there is nothing to compare with."""
    shrunk: tuple[Shrinkage, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """What it has, and what of it went: what is accepted."""
        has = ", ".join(f"{len(keys)} {what}" for what, keys in self.lists.items())
        gone = (
            f"{one.words}: {', '.join(one.names)}{' …' if one.lost > len(one.names) else ''}"
            for one in self.shrunk
        )
        return (f"{self.side.value}: {has}", *gone)


def acceptable(session: Session, side: Side) -> Acceptable:
    """The side as it is now. Raises IncompleteError where it cannot be read completely, LedgerError."""
    reading: DesiredInventory | ActualInventory
    if side is Side.DESIRED:
        reading = session.ci_database.read(session.scope())
    else:
        reading = session.recogniser.marked(session.reader.inventory(session.scope(), limits=False))
    if not reading.coverage.is_complete:
        raise IncompleteError(
            f"{side.value} was not read completely: {reading.coverage.why}", next_step="Nothing was accepted."
        )
    lists = lists_of(reading)
    earlier = session.ledger.extents(session.environment.parent).current(side)
    shrunk = compared(earlier, lists, reading.taken_at)[1] if earlier is not None else ()
    return Acceptable(side, lists, reading.taken_at, earlier, shrunk)


def accept(session: Session, found: Acceptable, *, reason: str) -> str:
    """Record it; who accepted what, in words. Raises UsageError without a reason, LedgerError."""
    extents = session.ledger.extents(session.environment.parent)
    entry = extents.accept(found.side, found.lists, found.at, reason=reason)
    return f"accepted by {entry.operator}: {entry.summary}"
