"""Verifying a ledger: recomputes the chain, and compares with it what is kept beside it; once, or again and
again from where it was verified last."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select

from sync.errors import LedgerError
from sync.freezes import Freeze, concerns_zones, frozen
from sync.ledger_entries import (
    NO_HASH,
    Entry,
    EntryKind,
    RunState,
    Verification,
    canonical,
    entry_of,
    hash_of,
)
from sync.ledger_schema import entries as entries_table
from sync.ledger_schema import heads as heads_table
from sync.ledger_schema import pins as pins_table
from sync.ledger_schema import runs as runs_table
from sync.model import JsonObject

if TYPE_CHECKING:
    from sync.ledger import Ledger

_STATES = {
    EntryKind.RUN_STARTED.value: RunState.RUNNING.value,
    EntryKind.RUN_RESUMED.value: RunState.RUNNING.value,
}
_ACTING = {EntryKind.INTENT.value, EntryKind.OUTCOME.value}


@dataclass
class Chain:
    """What the entries say, taken one by one, oldest first."""

    count: int = 0
    """Number of the last entry."""
    last_hash: str = NO_HASH
    problems: list[str] = field(default_factory=list)
    noted: str | None = None
    """The hash of an entry that was written down elsewhere; None once it was among these."""
    states: dict[str, str] = field(default_factory=dict)
    """Run id → state after its last entry."""
    pin: JsonObject | None = None
    """The payload of the last pinning."""
    zones: list[Entry] = field(default_factory=list)
    """The intents and outcomes that closed or opened a zone."""

    def take(self, row: Row[tuple[object, ...]]) -> None:
        expected = self.count + 1
        if row.seq != expected:
            gone = f"{expected}" if row.seq == expected + 1 else f"{expected} to {row.seq - 1}"
            self.problems.append(f"Entry {gone} was removed.")
        if _computed(row) != row.hash:
            self.problems.append(f"Entry {row.seq} was changed, moved or inserted: its hash does not match.")
        else:
            if row.previous_hash != self.last_hash and row.seq == expected:
                self.problems.append(f"Entry {row.seq} does not follow the one before it.")
            self._heed(row)
        self.count, self.last_hash = row.seq, row.hash
        if row.hash == self.noted:
            self.noted = None

    def again(self, row: Row[tuple[object, ...]] | None) -> None:
        """Whether the entry that was taken last is as it was then."""
        if row is None:
            self.problems.append(f"Entry {self.count} was removed.")
        elif row.hash != self.last_hash or row.hash != _computed(row):
            self.problems.append(f"Entry {self.count} was changed after it had been verified.")

    def _heed(self, row: Row[tuple[object, ...]]) -> None:
        if row.kind in _STATES:
            self.states[row.run_id] = _STATES[row.kind]
        elif row.kind == EntryKind.RUN_ENDED.value:
            self.states[row.run_id] = json.loads(row.payload)["state"]
        elif row.kind == EntryKind.PINNED.value:
            self.pin = json.loads(row.payload)
        elif row.kind in _ACTING and concerns_zones(row.payload):
            self.zones.append(entry_of(row))


def _computed(row: Row[Any]) -> str:
    return hash_of(
        row.environment,
        row.seq,
        run_id=row.run_id,
        kind=row.kind,
        at=row.at,
        operator=row.operator,
        payload=row.payload,
        previous_hash=row.previous_hash,
    )


def verified(connection: Connection, environment: str, chain: Chain) -> Verification:
    """Take into the chain what it does not have yet, in one moment of the ledger, and compare."""
    pin = connection.execute(select(pins_table).where(pins_table.c.environment == environment)).one_or_none()
    head = connection.execute(
        select(heads_table.c.seq, heads_table.c.hash).where(heads_table.c.environment == environment)
    ).one_or_none()
    runs = select(runs_table.c.run_id, runs_table.c.state).where(runs_table.c.environment == environment)
    states = {row.run_id: row.state for row in connection.execute(runs)}
    mine = select(entries_table).where(entries_table.c.environment == environment)
    if chain.count:
        chain.again(connection.execute(mine.where(entries_table.c.seq == chain.count)).one_or_none())
    rest = mine.where(entries_table.c.seq > chain.count).order_by(entries_table.c.seq)
    for row in connection.execute(rest).yield_per(1000):
        chain.take(row)
    problems = [
        *chain.problems,
        *check_head(chain, (head.seq, head.hash) if head is not None else None),
        *check_runs(chain, states),
        *check_pin(chain, pin),
    ]
    if chain.noted is not None:
        problems.append(f"No entry has the hash {chain.noted}: what led to it was cut off or rewritten.")
    return Verification(entries=chain.count, head=chain.last_hash, problems=tuple(problems))


class Watch:
    """Verifies one ledger again and again, each time from the entry on that was verified last: entries before
    it are as they were when the watch began. To be used from one thread at a time."""

    def __init__(self, ledger: Callable[[], Ledger]) -> None:
        """`ledger` opens it, where it is not open yet; raises LedgerError where it cannot be."""
        self._ledger = ledger
        self._chain = Chain()
        self._ends: object = None
        self._words = ""

    def look(self) -> str:
        """As `altered`. While nothing came or went at the end, it asks for the last entry alone."""
        ledger = self._ledger()
        ends = ledger.ends()
        if ends != self._ends:
            problems = ledger.verify(chain=self._chain).problems
            self._ends, self._words = ends, _altered_words(ledger.environment, problems)
        return self._words

    @property
    def frozen(self) -> tuple[Freeze, ...] | None:
        """Zones that a restore has closed, as of the last look; None before one that read the ledger."""
        return None if self._ends is None else frozen(self._chain.zones)


def altered(ledger: Ledger) -> str:
    """That its environment's ledger does not say what was written, in words; empty where it does.

    Raises LedgerError where it cannot be read.
    """
    return _altered_words(ledger.environment, ledger.verify().problems)


def _altered_words(environment: str, problems: Sequence[str]) -> str:
    if not problems:
        return ""
    more = f" {len(problems) - 1} more like it." if len(problems) > 1 else ""
    return f"The ledger of {environment} was altered: {problems[0]}{more}"


def require_sound(ledger: Ledger) -> None:
    """Raises LedgerError where it was altered, or cannot be read: nothing may be executed on it."""
    found = altered(ledger)
    if found:
        raise LedgerError(
            f"{found} Nothing is executed on it.",
            next_step="`abreast ledger verify` lists all. Keep a copy, and find out who did it; then go on "
            f"with a new one, named as `ledger` under [environments.{ledger.environment}].",
        )


def check_head(chain: Chain, head: tuple[int, str] | None) -> list[str]:
    """Whether the last entry is the last one that was written."""
    if head == (chain.count, chain.last_hash):
        return []
    written = head[0] if head is not None else 0
    return [f"The ledger ends with entry {chain.count}, but {written} were written: its end was altered."]


def check_runs(chain: Chain, states: Mapping[str, str]) -> list[str]:
    """Whether the table of runs, id → state, says what the entries say: it decides what is resumed."""
    return [
        f"The run {run_id} is {chain.states.get(run_id, 'not there')} by its entries, "
        f"but {states.get(run_id, 'not there')} in the table of runs."
        for run_id in sorted(states.keys() | chain.states.keys())
        if states.get(run_id) != chain.states.get(run_id)
    ]


def check_pin(chain: Chain, row: Row[Any] | None) -> list[str]:
    """Whether the environment is pinned to what the last pinning says."""
    said = chain.pin
    by_entry = said and (said["endpoint"], said["root_id"], said["reason"], canonical(said["shares"]))
    kept = row and (row.endpoint, row.root_id, row.reason, row.shares)
    if by_entry == kept:
        return []
    return ["The server that the environment is pinned to was changed without an entry."]
