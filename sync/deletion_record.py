"""What the ledger says of deletions: which are abreast's own, and which a person has looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sync.errors import UsageError
from sync.following import Follower
from sync.ledger import Entry, EntryKind, Ledger
from sync.ledger_entries import stamp
from sync.model import Outcome
from sync.unrecorded import COMMANDS, Record, Recorded, Unrecorded

_WITHOUT_EFFECT = frozenset({Outcome.FAILED.value, Outcome.SKIPPED.value, Outcome.NOT_RUN.value})


class DeletionRecord:
    """The part of one ledger that is about deletions; usable from several threads."""

    def __init__(self) -> None:
        self._follower = Follower(
            lambda entry: entry.payload.get("command") in COMMANDS, more=[EntryKind.DELETION_ACKNOWLEDGED]
        )

    def current(self, ledger: Ledger) -> Record:
        """What the ledger says by now. Raises LedgerError."""
        return record_of(self._follower.entries(ledger))


def record_of(entries: Iterable[Entry]) -> Record:
    """The same, decided from entries in their order. Of what is tried again the last intent counts, and so do
    those before it whose outcome is not that nothing was done."""
    deletions: list[Recorded] = []
    open_: dict[str, Recorded] = {}
    acknowledged: set[str] = set()
    for entry in entries:
        payload = entry.payload
        if entry.kind is EntryKind.DELETION_ACKNOWLEDGED:
            acknowledged.add(str(payload["id"]))
            continue
        action = str(payload["action"])
        if entry.kind is EntryKind.INTENT:
            if action in open_:
                deletions.append(open_[action])
            parameters = payload.get("parameters") or {}
            target_id = str(payload.get("target_id") or parameters.get("id") or "")
            open_[action] = Recorded(COMMANDS[payload["command"]], target_id, entry.at)
        elif action in open_ and payload["outcome"] != Outcome.UNKNOWN.value:
            one = open_.pop(action)
            failed = payload["outcome"] in _WITHOUT_EFFECT
            deletions.append(Recorded(one.kind, one.target_id, one.at, entry.at, failed))
    return Record((*deletions, *open_.values()), frozenset(acknowledged))


def acknowledge(ledger: Ledger, deletions: Sequence[Unrecorded], *, reason: str) -> list[Entry]:
    """A person's word that somebody has looked at these. Raises UsageError without a reason, LedgerError."""
    if not reason.strip():
        raise UsageError("Acknowledging a deletion needs a reason.", next_step="Give it with --reason.")
    return [
        ledger.append(
            EntryKind.DELETION_ACKNOWLEDGED,
            {
                "id": one.id,
                "kind": one.kind.value,
                "target_id": one.target_id,
                "target": one.name,
                "at": stamp(one.at) if one.at is not None else "",
                "by": f"{one.account}/{one.username}",
                "words": one.words,
                "reason": reason.strip(),
            },
            run_id=None,
        )
        for one in deletions
    ]
