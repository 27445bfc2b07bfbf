"""Verifying a ledger: recomputes the chain, and compares with it what is kept beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

from sync.errors import LedgerError
from sync.ledger_entries import NO_HASH, EntryKind, RunState, canonical, hash_of
from sync.model import JsonObject

if TYPE_CHECKING:
    from sync.ledger import Ledger

_STATES = {
    EntryKind.RUN_STARTED.value: RunState.RUNNING.value,
    EntryKind.RUN_RESUMED.value: RunState.RUNNING.value,
}


@dataclass
class Chain:
    """What the entries say, taken one by one, oldest first."""

    count: int = 0
    """Number of the last entry."""
    last_hash: str = NO_HASH
    problems: list[str] = field(default_factory=list)
    hashes: set[str] = field(default_factory=set)
    states: dict[str, str] = field(default_factory=dict)
    """Run id → state after its last entry."""
    pin: JsonObject | None = None
    """The payload of the last pinning."""

    def take(self, row: Row[tuple[object, ...]]) -> None:
        expected = self.count + 1
        if row.seq != expected:
            gone = f"{expected}" if row.seq == expected + 1 else f"{expected} to {row.seq - 1}"
            self.problems.append(f"Entry {gone} was removed.")
        computed = hash_of(
            row.environment,
            row.seq,
            run_id=row.run_id,
            kind=row.kind,
            at=row.at,
            operator=row.operator,
            payload=row.payload,
            previous_hash=row.previous_hash,
        )
        if computed != row.hash:
            self.problems.append(f"Entry {row.seq} was changed, moved or inserted: its hash does not match.")
        else:
            if row.previous_hash != self.last_hash and row.seq == expected:
                self.problems.append(f"Entry {row.seq} does not follow the one before it.")
            self._heed(row)
        self.count, self.last_hash = row.seq, row.hash
        self.hashes.add(row.hash)

    def _heed(self, row: Row[tuple[object, ...]]) -> None:
        if row.kind in _STATES:
            self.states[row.run_id] = _STATES[row.kind]
        elif row.kind == EntryKind.RUN_ENDED.value:
            self.states[row.run_id] = json.loads(row.payload)["state"]
        elif row.kind == EntryKind.PINNED.value:
            self.pin = json.loads(row.payload)


def altered(ledger: Ledger) -> str:
    """That its environment's ledger does not say what was written, in words; empty where it does.

    Raises LedgerError where it cannot be read.
    """
    problems = ledger.verify().problems
    if not problems:
        return ""
    more = f" {len(problems) - 1} more like it." if len(problems) > 1 else ""
    return f"The ledger of {ledger.environment} was altered: {problems[0]}{more}"


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
