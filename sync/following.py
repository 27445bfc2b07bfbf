"""Follows a ledger: the entries about some actions, each read once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from sync.ledger import Entry, EntryKind, Ledger

_KINDS = (EntryKind.INTENT, EntryKind.OUTCOME)


class Follower:
    """The intents that are meant, their outcomes, and all entries of `more` kinds; threads may share it."""

    def __init__(self, is_meant: Callable[[Entry], bool], *, more: Sequence[EntryKind] = ()) -> None:
        self._is_meant = is_meant
        self._more = tuple(more)
        self._lock = threading.Lock()
        self._seq = 0
        self._kept: list[Entry] = []
        self._actions: set[str] = set()

    def entries(self, ledger: Ledger) -> list[Entry]:
        """What is in the ledger by now, oldest first. Raises LedgerError."""
        with self._lock:
            for entry in ledger.entries(kinds=[*_KINDS, *self._more], after=self._seq):
                self._seq = entry.seq
                if entry.kind in self._more or self._is_about(entry):
                    self._kept.append(entry)
            return list(self._kept)

    def _is_about(self, entry: Entry) -> bool:
        action = str(entry.payload["action"])
        if entry.kind is EntryKind.INTENT and self._is_meant(entry):
            self._actions.add(action)
        return action in self._actions
