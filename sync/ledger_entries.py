"""What the ledger holds, as values: entries, runs, the pin, what verifying found; how entries are hashed."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from sqlalchemy import Row

from sync.model import RESTORING, ActionKind, JsonObject, Outcome

NO_HASH = "0" * 64
"""What the first entry follows."""

_RESTORING = frozenset(kind.value for kind in RESTORING)
_CHUNK = 1 << 16
_text = json.JSONEncoder().encode
"""A text as `canonical` spells it, only faster: a whole ledger is hashed before anything is armed."""


class EntryKind(Enum):
    RUN_STARTED = "run started"
    """Its payload holds the whole plan, so that the run can be resumed from the ledger alone."""
    RUN_RESUMED = "run resumed"
    """Its payload names whose run it was, where somebody else goes on with it."""
    INTENT = "intent"
    SUBMITTED = "submitted"
    OUTCOME = "outcome"
    RUN_ENDED = "run ended"
    LEASE_TAKEN = "lease taken"
    """From a process of this machine that is gone."""
    LEASE_BROKEN = "lease broken"
    """By a person with a reason, from a machine whose heartbeats have ceased."""
    PINNED = "environment pinned"
    """To a server: at first use without a reason, later only with one."""
    SHRINKAGE_ACCEPTED = "shrinkage accepted"
    """By a person with a reason: that a side has less in it than before is right."""
    JOURNAL_MERGED = "journal merged"
    """The entries before it were written elsewhere, while this ledger could not be reached."""
    DELETION_ACKNOWLEDGED = "deletion acknowledged"
    """By a person with a reason: somebody looked at a deletion that is not in the ledger."""
    RETIREMENT_SEEN = "retirement seen"
    """What two complete readings said of a project that is to go."""
    RETIREMENT_PROPOSED = "retirement proposed"
    """Its payload holds the whole proposal: it can be signed and gone on with from the ledger alone."""
    RETIREMENT_SIGNED = "retirement signed"
    """Of a proposal or a campaign: the signature itself."""
    RETIREMENT_BEGUN = "retirement step begun"
    RETIREMENT_ENDED = "retirement step ended"
    RETIREMENT_STOPPED = "retirement stopped"
    """By a surprise, a failure or a person, with the reason."""
    RETIREMENT_CAMPAIGN = "retirement campaign"


class RunState(Enum):
    RUNNING = "running"
    """Or killed: whoever holds the lease knows."""
    STOPPED = "stopped"
    """Ended with actions left that may still be run."""
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Entry:
    seq: int
    """1, 2, 3, … without gaps within an environment."""
    environment: str
    run_id: str | None
    kind: EntryKind
    at: datetime
    operator: str
    payload: JsonObject
    previous_hash: str
    hash: str

    @property
    def summary(self) -> str:
        """What it says, in one line for people."""
        said = _said(self.kind, self.payload)
        is_about_action = self.kind in (EntryKind.INTENT, EntryKind.SUBMITTED, EntryKind.OUTCOME)
        return f"{self.payload['action']}: {said}" if is_about_action else said


def _said(kind: EntryKind, payload: JsonObject) -> str:
    if kind is EntryKind.RUN_STARTED:
        number = len(payload["plan"]["actions"])
        actions = "1 action" if number == 1 else f"{number} actions"
        return f"{actions}, {_purpose(payload)}, {_confirmed(payload)}"
    if kind is EntryKind.RUN_RESUMED:
        earlier = payload.get("taken_over_from")
        return _confirmed(payload) + (f", taken over from {earlier}" if earlier else "")
    if kind is EntryKind.RUN_ENDED:
        return ", ".join(f"{count} {name}" for name, count in payload["counts"].items() if count)
    if kind is EntryKind.INTENT:
        return str(payload["command"])
    if kind is EntryKind.SUBMITTED:
        return f"job {payload['job_id']}" if payload["job_id"] else "answered"
    if kind is EntryKind.OUTCOME:
        return f"{payload['outcome']} {payload['detail']}".strip()
    if kind is EntryKind.LEASE_TAKEN:
        return f"from {payload['owner']}, process {payload['process']} on {payload['host']}, which is gone"
    if kind is EntryKind.LEASE_BROKEN:
        return f"of {payload['owner']}, last heard of {payload['heartbeat']}: {payload['reason']}"
    if kind is EntryKind.SHRINKAGE_ACCEPTED:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(payload["counts"].items()))
        return f"{payload['side']} with {counts}: {payload['reason']}"
    if kind in _MORE_SAID:
        return _MORE_SAID[kind](payload)
    said = f"{payload['endpoint']} with ROOT domain {payload['root_id']}"
    return f"{said}: {payload['reason']}" if payload["reason"] else f"{said}, at first use"


def _proposal_said(payload: JsonObject) -> str:
    paths = ", ".join(target["path"] for target in payload["proposal"]["targets"])
    return f"{payload['proposal']['id']}: {paths}"


_MORE_SAID: Mapping[EntryKind, Callable[[JsonObject], str]] = {
    EntryKind.JOURNAL_MERGED: lambda payload: (
        f"{payload['entries']} entries of {payload['source']}, up to its {payload['up_to']}"
    ),
    EntryKind.DELETION_ACKNOWLEDGED: lambda payload: f"{payload['words']}: {payload['reason']}",
    EntryKind.RETIREMENT_SEEN: lambda payload: ", ".join(
        f"{one['project']} is {one['kind']}" for one in payload["sightings"]
    ),
    EntryKind.RETIREMENT_PROPOSED: _proposal_said,
    EntryKind.RETIREMENT_SIGNED: lambda payload: f"{payload['of']}: {', '.join(payload['people'])}",
    EntryKind.RETIREMENT_BEGUN: lambda payload: f"{payload['of']}: {payload['step']}",
    EntryKind.RETIREMENT_ENDED: lambda payload: f"{payload['of']}: {payload['step']}",
    EntryKind.RETIREMENT_STOPPED: lambda payload: f"{payload['of']}: {payload['step']}: {payload['reason']}",
    EntryKind.RETIREMENT_CAMPAIGN: lambda payload: (
        f"{payload['campaign']['id']}: " + ", ".join(payload["campaign"]["projects"])
    ),
}


def _purpose(payload: JsonObject) -> str:
    """What a run is for. A restore, and VMs that are brought back, are executed as a rebuild is."""
    kinds = {action["kind"] for action in payload["plan"]["actions"]}
    if kinds & _RESTORING:
        return "restore"
    return "undelete" if kinds == {ActionKind.RECOVER_VM.value} else str(payload["policy"])


def _confirmed(payload: JsonObject) -> str:
    return f"confirmed by {payload['confirmed']['by']}"


@dataclass(frozen=True, slots=True)
class Verification:
    entries: int
    head: str
    """Hash of the last entry; noted down elsewhere it proves everything up to here."""
    problems: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class RunSummary:
    run_id: str
    environment: str
    operator: str
    """Who started it; who went on with it is in its entries."""
    digest: str
    total: int
    """Actions of the plan."""
    started_at: datetime
    ended_at: datetime | None
    state: RunState
    counts: Mapping[Outcome, int] = field(default_factory=dict)
    """Actions by outcome, once the run has ended."""

    @property
    def is_resumable(self) -> bool:
        return self.state is not RunState.FINISHED


@dataclass(frozen=True, slots=True)
class Pin:
    """The server that an environment is."""

    environment: str
    endpoint: str
    root_id: str
    pinned_at: datetime
    pinned_by: str
    reason: str = ""
    """Why it was pinned anew; empty for the first use."""
    shares: tuple[str, ...] = ()
    """Environments whose ROOT id it has too, which a person accepted with the reason."""


@dataclass(frozen=True, slots=True)
class Written:
    """A large value of a payload that is canonical JSON already: a text takes a fraction of the memory."""

    text: Callable[[], str]
    """Makes it, so that nobody holds it longer than it is needed."""


Hook = Callable[[JsonObject], object]
"""`json`'s `object_hook`: what an object of a payload becomes as soon as it is read."""


def canonical(value: object) -> str:
    """JSON in the one spelling that is hashed: sorted keys, no spaces, ASCII."""
    written: dict[str, str] = {}

    def place(found: object) -> str:
        if not isinstance(found, Written):
            raise TypeError(f"{type(found).__name__} cannot be written into the ledger.")
        mark = secrets.token_hex(16)
        written[f'"{mark}"'] = found.text()
        return mark

    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=place
    )
    while written:
        text = text.replace(*written.popitem())
    return text


def hash_of(
    environment: str,
    seq: int,
    *,
    run_id: str | None,
    kind: str,
    at: str,
    operator: str,
    payload: str,
    previous_hash: str,
) -> str:
    """SHA-256, hex, over everything that an entry says and what it follows."""
    digest = hashlib.sha256()
    run = "null" if run_id is None else _text(run_id)
    before = f"{_text(environment)},{seq},{run},{_text(kind)},{_text(at)},{_text(operator)}"
    digest.update(f'[{before},"'.encode("ascii"))
    # The canonical JSON of the list, without a second and a third copy of a payload of many megabytes.
    for start in range(0, len(payload), _CHUNK):
        digest.update(_text(payload[start : start + _CHUNK])[1:-1].encode("ascii"))
    digest.update(f'",{_text(previous_hash)}]'.encode("ascii"))
    return digest.hexdigest()


def stamp(at: datetime) -> str:
    """Fixed width, UTC: sorts as text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def exported(entry: Entry) -> JsonObject:
    """An entry as it is hashed: `hash` is SHA-256 over the canonical JSON of the other fields as a list, in
    this order, with `payload` as the canonical JSON text of itself."""
    return {
        "environment": entry.environment,
        "seq": entry.seq,
        "run_id": entry.run_id,
        "kind": entry.kind.value,
        "at": stamp(entry.at),
        "operator": entry.operator,
        "payload": entry.payload,
        "previous_hash": entry.previous_hash,
        "hash": entry.hash,
    }


def entry_of(row: Row[tuple[object, ...]], hook: Hook | None = None) -> Entry:
    return Entry(
        seq=row.seq,
        environment=row.environment,
        run_id=row.run_id,
        kind=EntryKind(row.kind),
        at=datetime.fromisoformat(row.at),
        operator=row.operator,
        payload=json.loads(row.payload, object_hook=hook),
        previous_hash=row.previous_hash,
        hash=row.hash,
    )


def run_of(row: Row[tuple[object, ...]]) -> RunSummary:
    return RunSummary(
        run_id=row.run_id,
        environment=row.environment,
        operator=row.operator,
        digest=row.digest,
        total=row.total,
        started_at=datetime.fromisoformat(row.started_at),
        ended_at=datetime.fromisoformat(row.ended_at) if row.ended_at else None,
        state=RunState(row.state),
        counts={Outcome(name): count for name, count in json.loads(row.counts).items()},
    )


def pin_of(row: Row[tuple[object, ...]]) -> Pin:
    return Pin(
        environment=row.environment,
        endpoint=row.endpoint,
        root_id=row.root_id,
        pinned_at=datetime.fromisoformat(row.pinned_at),
        pinned_by=row.pinned_by,
        reason=row.reason,
        shares=tuple(json.loads(row.shares)),
    )
