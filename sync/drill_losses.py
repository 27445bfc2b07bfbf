"""The loss ledger of a drill, held against the sandbox's own log of what it destroyed: practice only.

Pure. A real CloudStack has no such log; here it proves that nothing is told lost that survived, or the other
way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sync.corpses import before_renaming
from sync.loss_ledger import Fate, Loss, LossLedger
from sync.model import JsonObject
from sync.object_types import READ_TYPES, object_type


@dataclass(frozen=True, slots=True)
class Destroyed:
    """The sandbox's log when a reading began, and when it had ended: time does not stand still meanwhile."""

    when_begun: tuple[Mapping[str, Any], ...]
    when_ended: tuple[Mapping[str, Any], ...]


def contradictions(ledger: LossLedger, log: Destroyed) -> Iterator[str]:
    """What the ledger says and the log does not, object by object; nothing where the ledger is exact.

    What is being destroyed may be in the log or not. What came after the capture is in neither.
    """
    key = _key_of if ledger.before is not None else _name_of
    begun = {key(entry) for entry in log.when_begun}
    ended = {key(entry) for entry in log.when_ended}
    told = set()
    for one in ledger.objects:
        what = _key(one) if ledger.before is not None else _name(one)
        told.add(what)
        if one.fate is Fate.LOST and what not in ended:
            yield f"{one.type} {one.name} of {one.path} is told lost, and was not destroyed"
        if one.fate in (Fate.SURVIVES, Fate.RECOVERABLE) and what in begun:
            yield f"{one.type} {one.name} of {one.path} is told to survive, and was destroyed"
        if one.fate is Fate.UNKNOWN:
            yield f"{one.type} {one.name} of {one.path} is told to be unknown"
    if ledger.before is not None:
        yield from _untold(log.when_begun, told, ledger)


def _untold(
    log: Iterable[Mapping[str, Any]], told: set[tuple[str, str]], ledger: LossLedger
) -> Iterator[str]:
    """What was destroyed since the capture and is not in the ledger at all."""
    assert ledger.before is not None
    kinds = {one.counted_as for one in READ_TYPES}
    for entry in log:
        if entry["kind"] in kinds and _key_of(entry) not in told:
            yield f"{entry['kind']} {entry['name']} of {entry['domain']} was destroyed, and is not told"


def _key(loss: Loss) -> tuple[str, str]:
    return object_type(loss.type).counted_as, loss.id


def _key_of(entry: Mapping[str, Any]) -> tuple[str, str]:
    return str(entry["kind"]), str(entry["id"])


def _name(loss: Loss) -> tuple[str, str]:
    """Without a capture there are no ids: a name in a domain has to do."""
    return object_type(loss.type).counted_as, f"{loss.path}/{loss.name}".casefold()


def _name_of(entry: Mapping[str, Any]) -> tuple[str, str]:
    """A domain that made room for its successor died under another name; so did what was in it."""
    parts = f"{entry['domain']}/{entry['name']}".split("/")
    return str(entry["kind"]), "/".join(before_renaming(part) for part in parts).casefold()


def losses_json(ledger: LossLedger) -> JsonObject:
    """The ledger in numbers: per fate, and per type and fate; what it cannot know, in sentences."""
    by_fate = dict.fromkeys(Fate, 0)
    for one in ledger.objects:
        by_fate[one.fate] += 1
    return {
        "before": ledger.before.isoformat(timespec="seconds") if ledger.before is not None else None,
        "by_fate": {fate.value: count for fate, count in by_fate.items()},
        "by_type": {
            name: {fate.value: count for fate, count in counts.items()}
            for name, counts in ledger.counts().items()
        },
        "blind": list(ledger.blind),
    }


def words(ledger: LossLedger) -> str:
    """The ledger in one line."""
    fates = losses_json(ledger)["by_fate"]
    return ", ".join(f"{count} {fate}" for fate, count in fates.items() if count) or "nothing was there"
