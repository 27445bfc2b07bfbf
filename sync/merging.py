"""Taking a journal that was kept elsewhere into the ledger: what is new in it, and how that is marked.

Asks no database itself. The mark is the last entry of what was taken in: it names the journal by the hash of
its first entry and says up to which one it was merged, so that merging again adds nothing, and one that was
rewritten is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.errors import LedgerError
from sync.ledger_entries import Entry, EntryKind
from sync.model import JsonObject

MERGED_KINDS = frozenset({EntryKind.INTENT, EntryKind.SUBMITTED, EntryKind.OUTCOME})
"""What a journal of containment has. Runs, leases and pins are of the ledger that they were made in."""


def not_merged(journal: Sequence[Entry], marks: Sequence[Entry], *, source: str) -> Sequence[Entry]:
    """The entries of a journal, given from its first one on, that the marks do not cover.

    Raises LedgerError for kinds that cannot be merged, and for a journal that was rewritten since.
    """
    if not journal:
        return ()
    strange = next((entry for entry in journal if entry.kind not in MERGED_KINDS), None)
    if strange is not None:
        raise LedgerError(
            f"{source} is no journal of containment: its entry {strange.seq} is “{strange.kind.value}”.",
            next_step="Only what was recorded while the ledger could not be reached is merged.",
        )
    mine = [mark.payload for mark in marks if mark.payload["journal"] == journal[0].hash]
    if not mine:
        return journal
    up_to, head = max((int(mark["up_to"]), str(mark["head"])) for mark in mine)
    if len(journal) < up_to or journal[up_to - 1].hash != head:
        raise LedgerError(
            f"{source} is not what it was when it was merged up to its entry {up_to}: it was rewritten.",
            next_step="Keep the file, and find out by whom. Nothing of it was merged now.",
        )
    return journal[up_to:]


def origin(entry: Entry) -> JsonObject:
    """Where a merged entry stood: its number and the hash that sealed it there."""
    return {"seq": entry.seq, "hash": entry.hash}


def mark(journal: Sequence[Entry], new: Sequence[Entry], *, source: str) -> JsonObject:
    """The payload of the entry that says so."""
    return {
        "journal": journal[0].hash,
        "source": source,
        "entries": len(new),
        "up_to": new[-1].seq,
        "head": new[-1].hash,
    }
