"""The append-only, hash-chained record of one environment: what was intended, sent, and what came of it.

Every entry carries the SHA-256 over its own content and its predecessor's hash; the head of the chain is kept
beside it, so that entries taken from the end are missed as well. Appends are serialised in the database; one
that cannot be written raises `LedgerError`, and then nothing may run.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Self

from sqlalchemy import Connection, Row, Select, insert, make_url, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from sync.errors import LedgerError
from sync.lease import Lease, current_operator
from sync.ledger_database import cause_of, connect, migrate, prepare_file
from sync.ledger_schema import entries as entries_table
from sync.ledger_schema import heads as heads_table
from sync.ledger_schema import runs as runs_table
from sync.model import JsonObject, Outcome

Clock = Callable[[], datetime]

NO_HASH = "0" * 64
"""What the first entry follows."""


def utc_now() -> datetime:
    """The clock of everything that is not under test."""
    return datetime.now(UTC)


class EntryKind(Enum):
    RUN_STARTED = "run started"
    """Its payload holds the whole plan, so that the run can be resumed from the ledger alone."""
    RUN_RESUMED = "run resumed"
    INTENT = "intent"
    SUBMITTED = "submitted"
    OUTCOME = "outcome"
    RUN_ENDED = "run ended"


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
        payload = self.payload
        if self.kind is EntryKind.RUN_STARTED:
            return f"{len(payload['plan']['actions'])} actions, {payload['policy']}, {_confirmed(payload)}"
        if self.kind is EntryKind.RUN_RESUMED:
            return _confirmed(payload)
        if self.kind is EntryKind.RUN_ENDED:
            return ", ".join(f"{count} {name}" for name, count in payload["counts"].items() if count)
        if self.kind is EntryKind.INTENT:
            said = payload["command"]
        elif self.kind is EntryKind.SUBMITTED:
            said = f"job {payload['job_id']}" if payload["job_id"] else "answered"
        else:
            said = f"{payload['outcome']} {payload['detail']}".strip()
        return f"{payload['action']}: {said}"


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


def canonical(value: object) -> str:
    """JSON in the one spelling that is hashed: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


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
    content = canonical([environment, seq, run_id, kind, at, operator, payload, previous_hash])
    return hashlib.sha256(content.encode("ascii")).hexdigest()


class Ledger:
    """The record of one environment in a database of its own or the team's. Threads may share it."""

    def __init__(
        self, url: str, *, environment: str, operator: str | None = None, clock: Clock = utc_now
    ) -> None:
        """`url` is SQLAlchemy's; `operator` is who acts, by default the system's user and host."""
        self.environment = environment
        self.operator = operator or current_operator()
        self._clock = clock
        self._engine = connect(url)
        self._name = make_url(url).render_as_string(hide_password=True)
        self._lease: Lease | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> Self:
        """Bring the schema up to date and make sure that it can be written; LedgerError when it cannot."""
        prepare_file(self._engine)
        with self._writing() as connection:
            migrate(connection, self._name)
        with self._writing() as connection:
            self._ensure_head(connection)
        return self

    def close(self) -> None:
        self._engine.dispose()

    # --- writing ----------------------------------------------------------------------------------------

    def append(self, kind: EntryKind, payload: JsonObject, *, run_id: str | None) -> Entry:
        """Write one entry durably; LedgerError when that fails or the lease was lost meanwhile."""
        with self._writing() as connection:
            return self._append(connection, kind, payload, run_id)

    def begin_run(self, run_id: str, payload: JsonObject, *, digest: str, total: int) -> Entry:
        """Write the first entry of a run, which carries its plan."""
        with self._writing() as connection:
            entry = self._append(connection, EntryKind.RUN_STARTED, payload, run_id)
            connection.execute(
                insert(runs_table).values(
                    run_id=run_id,
                    environment=self.environment,
                    operator=self.operator,
                    digest=digest,
                    total=total,
                    started_at=_stamp(entry.at),
                    state=RunState.RUNNING.value,
                    counts="{}",
                )
            )
            return entry

    def resume_run(self, run_id: str, payload: JsonObject) -> Entry:
        """Write that a run goes on."""
        with self._writing() as connection:
            entry = self._append(connection, EntryKind.RUN_RESUMED, payload, run_id)
            self._set_run(connection, run_id, ended_at=None, state=RunState.RUNNING.value)
            return entry

    def end_run(
        self, run_id: str, payload: JsonObject, *, state: RunState, counts: Mapping[Outcome, int]
    ) -> Entry:
        """Write how a run ended."""
        with self._writing() as connection:
            by_name = {outcome.value: count for outcome, count in counts.items()}
            content = {**payload, "state": state.value, "counts": by_name}
            entry = self._append(connection, EntryKind.RUN_ENDED, content, run_id)
            self._set_run(
                connection,
                run_id,
                ended_at=_stamp(entry.at),
                state=state.value,
                counts=canonical(by_name),
            )
            return entry

    @contextmanager
    def lease(self, owner: str) -> Iterator[None]:
        """Hold the environment's lease: one execution at a time. LeaseHeldError names who has it.

        While it is held, every append is refused once somebody else has taken it over.
        """
        lease = Lease(self.environment, owner, writing=self._writing, clock=self._clock)
        with lease:
            self._lease = lease
            try:
                yield
            finally:
                self._lease = None

    # --- reading ----------------------------------------------------------------------------------------

    def entries(
        self,
        *,
        since: datetime | None = None,
        run_id: str | None = None,
        kinds: Sequence[EntryKind] = (),
        limit: int | None = None,
    ) -> list[Entry]:
        """Entries, oldest first; with `limit`, the newest that many."""
        query = select(entries_table).where(entries_table.c.environment == self.environment)
        if since is not None:
            query = query.where(entries_table.c.at >= _stamp(since))
        if run_id is not None:
            query = query.where(entries_table.c.run_id == run_id)
        if kinds:
            query = query.where(entries_table.c.kind.in_([kind.value for kind in kinds]))
        query = query.order_by(entries_table.c.seq.desc()).limit(limit)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [_entry(row) for row in reversed(rows)]

    def runs(self) -> list[RunSummary]:
        """All runs of the environment, newest first."""
        query = (
            select(runs_table)
            .where(runs_table.c.environment == self.environment)
            .order_by(runs_table.c.started_at.desc(), runs_table.c.run_id.desc())
        )
        with self._reading() as connection:
            return [_run(row) for row in connection.execute(query)]

    def interrupted_run(self) -> RunSummary | None:
        """The newest run, if it was stopped or killed with something left to do."""
        newest = next(iter(self.runs()), None)
        return newest if newest is not None and newest.is_resumable else None

    def verify(self) -> Verification:
        """Recompute the chain: finds entries that were changed, removed, inserted or reordered."""
        query = select(entries_table).where(entries_table.c.environment == self.environment)
        with self._reading() as connection:
            head = connection.execute(self._head_query()).one_or_none()
            rows = connection.execute(query.order_by(entries_table.c.seq)).yield_per(1000)
            problems, count, last_hash = _check_chain(rows)
        if head is None or (head.seq, head.hash) != (count, last_hash):
            written = head.seq if head is not None else 0
            problems.append(
                f"The ledger ends with entry {count}, but {written} were written: its end was altered."
            )
        return Verification(entries=count, head=last_hash, problems=tuple(problems))

    # --- the database -----------------------------------------------------------------------------------

    def _append(
        self, connection: Connection, kind: EntryKind, payload: JsonObject, run_id: str | None
    ) -> Entry:
        head = connection.execute(self._head_query().with_for_update()).one()
        if self._lease is not None:
            self._lease.check(connection)
        at = self._clock()
        text = canonical(payload)
        values = {
            "run_id": run_id,
            "kind": kind.value,
            "at": _stamp(at),
            "operator": self.operator,
            "payload": text,
            "previous_hash": head.hash,
        }
        digest = hash_of(self.environment, head.seq + 1, **values)
        connection.execute(
            insert(entries_table).values(
                environment=self.environment, seq=head.seq + 1, hash=digest, **values
            )
        )
        connection.execute(
            update(heads_table)
            .where(heads_table.c.environment == self.environment)
            .values(seq=head.seq + 1, hash=digest)
        )
        return Entry(
            seq=head.seq + 1,
            environment=self.environment,
            run_id=run_id,
            kind=kind,
            at=at,
            operator=self.operator,
            payload=json.loads(text),
            previous_hash=head.hash,
            hash=digest,
        )

    def _head_query(self) -> Select[Any, Any]:
        return select(heads_table.c.seq, heads_table.c.hash).where(
            heads_table.c.environment == self.environment
        )

    def _ensure_head(self, connection: Connection) -> None:
        if connection.execute(self._head_query()).one_or_none() is not None:
            return
        row = insert(heads_table).values(environment=self.environment, seq=0, hash=NO_HASH)
        try:
            with connection.begin_nested():
                connection.execute(row)
        except IntegrityError:
            return

    def _set_run(self, connection: Connection, run_id: str, **values: str | None) -> None:
        changed = connection.execute(
            update(runs_table)
            .where(runs_table.c.run_id == run_id, runs_table.c.environment == self.environment)
            .values(**values)
        )
        if changed.rowcount != 1:
            raise LedgerError(
                f"The ledger knows no run {run_id}.", next_step="`abreast ledger show` lists its runs."
            )

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self._lock, self._engine.begin() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise LedgerError(
                f"The ledger {self._name} cannot be written: {cause_of(error)}.",
                next_step="Nothing is sent to CloudStack without it. Check the disk's space and permissions.",
            ) from None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(is_reading=True) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise LedgerError(
                f"The ledger {self._name} cannot be read: {cause_of(error)}.",
                next_step="Check that the file or database is there and is abreast's.",
            ) from None


def _check_chain(rows: Iterator[Row[tuple[object, ...]]]) -> tuple[list[str], int, str]:
    """Problems, number of the last entry, its hash."""
    problems: list[str] = []
    expected, previous = 1, NO_HASH
    for row in rows:
        if row.seq != expected:
            gone = f"{expected}" if row.seq == expected + 1 else f"{expected} to {row.seq - 1}"
            problems.append(f"Entry {gone} was removed.")
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
            problems.append(f"Entry {row.seq} was changed, moved or inserted: its hash does not match.")
        elif row.previous_hash != previous and row.seq == expected:
            problems.append(f"Entry {row.seq} does not follow the one before it.")
        expected, previous = row.seq + 1, row.hash
    return problems, expected - 1, previous


def _stamp(at: datetime) -> str:
    """Fixed width, UTC: sorts as text."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _entry(row: Row[tuple[object, ...]]) -> Entry:
    return Entry(
        seq=row.seq,
        environment=row.environment,
        run_id=row.run_id,
        kind=EntryKind(row.kind),
        at=datetime.fromisoformat(row.at),
        operator=row.operator,
        payload=json.loads(row.payload),
        previous_hash=row.previous_hash,
        hash=row.hash,
    )


def _run(row: Row[tuple[object, ...]]) -> RunSummary:
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


def _confirmed(payload: JsonObject) -> str:
    return f"confirmed by {payload['confirmed']['by']}"
