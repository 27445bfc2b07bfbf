"""The append-only, hash-chained record of one environment: what was intended, sent, and what came of it.

Every entry carries the SHA-256 over its own content and its predecessor's hash; the head of the chain is kept
beside it, so that entries taken from the end are missed as well. Appends are serialised in the database; one
that cannot be written raises `LedgerError`, and then nothing may run.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import Connection, Select, insert, make_url, select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from sync import lease as leases
from sync import merging
from sync.errors import LedgerError, UsageError
from sync.extents import Extents
from sync.latest_run import LatestRun
from sync.lease import Holder, Lease, Standing
from sync.ledger_check import Chain, verified
from sync.ledger_database import (
    cause_of,
    connect,
    database_now,
    is_local,
    migrate,
    next_step_of,
    prepare_file,
    reading_options,
)
from sync.ledger_entries import (
    NO_HASH,
    Entry,
    EntryKind,
    Hook,
    RunState,
    RunSummary,
    Verification,
    canonical,
    entry_of,
    hash_of,
    run_of,
    stamp,
)
from sync.ledger_schema import ADD, HEAD_ALONE, MOVE_HEAD
from sync.ledger_schema import entries as entries_table
from sync.ledger_schema import heads as heads_table
from sync.ledger_schema import runs as runs_table
from sync.model import JsonObject, Outcome
from sync.operator_name import current_operator
from sync.pins import Pins

__all__ = [
    "Clock",
    "Entry",
    "EntryKind",
    "Ledger",
    "RunState",
    "RunSummary",
    "Verification",
    "hash_of",
    "utc_now",
]

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of everything that is not under test."""
    return datetime.now(UTC)


class Ledger:
    """The record of one environment in a database of its own or the team's. Threads may share it."""

    def __init__(
        self,
        url: str,
        *,
        environment: str,
        operator: str | None = None,
        clock: Clock = utc_now,
        place: leases.Place | None = None,
    ) -> None:
        """`url` is SQLAlchemy's; `operator` is who acts, by default the system's user and host; `place` is
        where, as a lease says it, by default this machine."""
        self.environment = environment
        self.operator = operator or current_operator()
        self._clock = clock
        self._place = place
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
        """Write the first entry of a run, which carries its plan; what comes back has it as it was given."""
        with self._writing() as connection:
            entry = self._append(connection, EntryKind.RUN_STARTED, payload, run_id, is_large=True)
            self._carry(connection, run_id)
            connection.execute(
                insert(runs_table).values(
                    run_id=run_id,
                    environment=self.environment,
                    operator=self.operator,
                    digest=digest,
                    total=total,
                    started_at=stamp(entry.at),
                    state=RunState.RUNNING.value,
                    counts="{}",
                )
            )
            return entry

    def resume_run(self, run_id: str, payload: JsonObject) -> Entry:
        """Write that a run goes on, and whose it was where somebody else takes it over."""
        query = select(runs_table.c.operator).where(runs_table.c.run_id == run_id)
        with self._writing() as connection:
            earlier = connection.execute(query).scalar_one_or_none()
            if earlier not in (None, self.operator):
                payload = {**payload, "taken_over_from": earlier}
            entry = self._append(connection, EntryKind.RUN_RESUMED, payload, run_id)
            self._carry(connection, run_id)
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
                ended_at=stamp(entry.at),
                state=state.value,
                counts=canonical(by_name),
            )
            return entry

    def merge(self, journal: Sequence[Entry], *, source: str) -> int:
        """Take in the entries of another journal, the oldest first, with their times and their people; those
        that were taken in before are left out. All of them or none, and how many.

        Raises LedgerError, also where the journal is not what it was when it was taken in before.
        """
        with self._alone() as connection:
            query = select(entries_table).where(
                entries_table.c.environment == self.environment,
                entries_table.c.kind == EntryKind.JOURNAL_MERGED.value,
            )
            marks = [entry_of(row) for row in connection.execute(query.order_by(entries_table.c.seq))]
            new = merging.not_merged(journal, marks, source=source)
            for entry in new:
                self._append(
                    connection,
                    entry.kind,
                    entry.payload | {"merged_from": merging.origin(entry)},
                    entry.run_id,
                    at=entry.at,
                    operator=entry.operator,
                )
            if new:
                payload = merging.mark(journal, new, source=source)
                self._append(connection, EntryKind.JOURNAL_MERGED, payload, None)
            return len(new)

    @contextmanager
    def lease(self, owner: str) -> Iterator[None]:
        """Hold the environment's lease: one execution at a time. LeaseHeldError names who has it.

        While it is held, every append is refused once somebody else has taken it over.
        """
        lease = Lease(
            self.environment,
            owner,
            writing=self._writing,
            alone=self._alone,
            now=self._database_now,
            is_local=is_local(self._engine),
            on_taken=self._record_taking,
            place=self._place,
        )
        with lease:
            self._lease = lease
            try:
                yield
            finally:
                self._lease = None

    def shared_time(self) -> datetime | None:
        """The database's time now; None where it is a file of one machine. Raises LedgerError."""
        with self._reading() as connection:
            return None if is_local(self._engine) else self._database_now(connection)

    def lease_holder(self) -> Holder | None:
        """Who executes now, or was killed doing so. For tests and scripts: the console asks `latest_run`."""
        with self._reading() as connection:
            return leases.holder_of(connection, self.environment)

    def break_lease(self, *, owner: str, reason: str) -> Holder:
        """Take the lease from `owner`, whose machine is not heard of any more; recorded with the reason.

        Raises UsageError without a reason, GuardError while there are signs of life or somebody else has it.
        What that execution might still send, it cannot record: its next entry is refused, and it ends.
        """
        if not reason.strip():
            raise UsageError("Breaking a lease needs a reason.", next_step="Give it with --reason.")
        with self._alone() as connection:
            now = self._database_now(connection)
            holder = leases.holder_of(connection, self.environment)
            leases.refuse_breaking(
                holder, environment=self.environment, owner=owner, now=now, is_local=is_local(self._engine)
            )
            assert holder is not None
            payload = {**_holder_json(holder), "reason": reason.strip()}
            self._append(connection, EntryKind.LEASE_BROKEN, payload, None)
            leases.remove(connection, self.environment)
            return holder

    @property
    def pins(self) -> Pins:
        """Which server this environment is."""
        return Pins(
            self.environment, self.operator, reading=self._reading, alone=self._alone, append=self._append
        )

    def extents(self, parent: str) -> Extents:
        """What the sides below `parent` held when they were last read."""
        return Extents(
            self.environment, parent, reading=self._reading, alone=self._alone, append=self._append
        )

    # --- reading ----------------------------------------------------------------------------------------

    def entries(
        self,
        *,
        since: datetime | None = None,
        run_id: str | None = None,
        kinds: Sequence[EntryKind] = (),
        after: int = 0,
        limit: int | None = None,
        hook: Hook | None = None,
    ) -> list[Entry]:
        """Entries, oldest first, behind number `after`; with `limit`, the newest that many."""
        query = self._entries_query(run_id=run_id, kinds=kinds)
        if since is not None:
            query = query.where(entries_table.c.at >= stamp(since))
        if after:
            query = query.where(entries_table.c.seq > after)
        query = query.order_by(entries_table.c.seq.desc()).limit(limit)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return [entry_of(row, hook) for row in reversed(rows)]

    def each(self, *, run_id: str | None = None, kinds: Sequence[EntryKind] = ()) -> Iterator[Entry]:
        """Entries, oldest first, one after the other: a long run has tens of thousands."""
        query = self._entries_query(run_id=run_id, kinds=kinds).order_by(entries_table.c.seq)
        with self._reading() as connection:
            for row in connection.execution_options(yield_per=500).execute(query):
                yield entry_of(row)

    def _entries_query(self, *, run_id: str | None, kinds: Sequence[EntryKind]) -> Select[Any]:
        query = select(entries_table).where(entries_table.c.environment == self.environment)
        if run_id is not None:
            query = query.where(entries_table.c.run_id == run_id)
        if kinds:
            query = query.where(entries_table.c.kind.in_([kind.value for kind in kinds]))
        return query

    def began_at(self) -> datetime | None:
        """When the first entry was written; None while there is none."""
        query = select(entries_table.c.at).where(entries_table.c.environment == self.environment)
        with self._reading() as connection:
            at = connection.execute(query.order_by(entries_table.c.seq).limit(1)).scalar_one_or_none()
        return datetime.fromisoformat(at) if at is not None else None

    def runs(self) -> list[RunSummary]:
        """All runs of the environment, newest first."""
        with self._reading() as connection:
            return [run_of(row) for row in connection.execute(self._runs_query())]

    def latest_run(self) -> LatestRun | None:
        """The newest run and who has hold of it, in one moment of the ledger; None while there is none."""
        with self._reading() as connection:
            row = connection.execute(self._runs_query().limit(1)).one_or_none()
            if row is None:
                return None
            run = run_of(row)
            last = connection.execute(
                select(entries_table.c.seq, entries_table.c.operator, entries_table.c.at)
                .where(entries_table.c.environment == self.environment, entries_table.c.run_id == run.run_id)
                .order_by(entries_table.c.seq.desc())
                .limit(1)
            ).one()
            holder = leases.holder_of(connection, self.environment)
            standing = None
            if holder is not None:
                standing = holder.standing(self._database_now(connection), is_local=is_local(self._engine))
        if standing is Standing.GONE:
            holder = standing = None
        last_at = datetime.fromisoformat(last.at)
        return LatestRun(run, last.seq, last.operator, last_at, holder, standing)

    def interrupted_run(self) -> RunSummary | None:
        """The newest run, if it was stopped or killed with work left, and nobody goes on with it."""
        latest = self.latest_run()
        return latest.run if latest is not None and latest.is_interrupted else None

    def ends(self) -> tuple[tuple[int, str] | None, tuple[int, str] | None]:
        """Number and hash of the last entry, as they are kept beside it and as it has them; None where there
        are none."""
        mine = entries_table.c.environment == self.environment
        last = select(entries_table.c.seq, entries_table.c.hash).where(mine)
        with self._reading() as connection:
            head = connection.execute(self._head_query()).one_or_none()
            row = connection.execute(last.order_by(entries_table.c.seq.desc()).limit(1)).one_or_none()
        return (head.seq, head.hash) if head else None, (row.seq, row.hash) if row else None

    def verify(self, *, noted: str | None = None, chain: Chain | None = None) -> Verification:
        """Recompute the chain: finds entries that were changed, removed, inserted or reordered.

        `noted` is the hash of a last entry that was written down elsewhere: with it, a chain that was cut or
        rewritten as a whole, its head included, is found as well. `chain` has what was verified before, and
        goes on from there.
        """
        with self._reading() as connection:
            return verified(connection, self.environment, chain or Chain(noted=noted))

    # --- the database -----------------------------------------------------------------------------------

    def _append(
        self,
        connection: Connection,
        kind: EntryKind,
        payload: JsonObject,
        run_id: str | None,
        *,
        at: datetime | None = None,
        operator: str | None = None,
        is_large: bool = False,
    ) -> Entry:
        """`at` and `operator` are of what was written elsewhere; else it is now, and whoever is here.

        What `is_large` is not read back into values.
        """
        head = connection.execute(HEAD_ALONE, {"environment": self.environment}).one()
        if self._lease is not None:
            self._lease.check(connection)
        at, operator = at or self._clock(), operator or self.operator
        text = canonical(payload)
        values = {
            "run_id": run_id,
            "kind": kind.value,
            "at": stamp(at),
            "operator": operator,
            "payload": text,
            "previous_hash": head.hash,
        }
        seq = head.seq + 1
        digest = hash_of(self.environment, seq, **values)
        connection.execute(ADD, {"environment": self.environment, "seq": seq, "hash": digest, **values})
        connection.execute(MOVE_HEAD, {"of": self.environment, "to_seq": seq, "to_hash": digest})
        return Entry(
            seq=seq,
            environment=self.environment,
            run_id=run_id,
            kind=kind,
            at=at,
            operator=operator,
            payload=payload if is_large else json.loads(text),
            previous_hash=head.hash,
            hash=digest,
        )

    def _carry(self, connection: Connection, run_id: str) -> None:
        if self._lease is not None:
            self._lease.carry(connection, run_id)

    def _head_query(self) -> Select[Any, Any]:
        return select(heads_table.c.seq, heads_table.c.hash).where(
            heads_table.c.environment == self.environment
        )

    def _database_now(self, connection: Connection) -> datetime:
        return database_now(connection, self._clock)

    def _record_taking(self, connection: Connection, holder: Holder) -> None:
        self._append(connection, EntryKind.LEASE_TAKEN, _holder_json(holder), None)

    def _runs_query(self) -> Select[Any]:
        """The newest first by their entries: the clocks of several machines do not tell."""
        return (
            select(runs_table)
            .where(runs_table.c.environment == self.environment)
            .outerjoin(
                entries_table,
                (entries_table.c.environment == runs_table.c.environment)
                & (entries_table.c.run_id == runs_table.c.run_id)
                & (entries_table.c.kind == EntryKind.RUN_STARTED.value),
            )
            .order_by(entries_table.c.seq.desc().nulls_last(), runs_table.c.started_at.desc())
        )

    def _ensure_head(self, connection: Connection) -> None:
        if connection.execute(self._head_query()).one_or_none() is not None:
            return
        row = insert(heads_table).values(environment=self.environment, seq=0, hash=NO_HASH)
        with suppress(IntegrityError), connection.begin_nested():
            connection.execute(row)

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
            # A connection that was opened while its file could not be written would never write again.
            self._engine.dispose()
            raise LedgerError(
                f"The ledger {self._name} cannot be written: {cause_of(error)}.",
                next_step="Nothing is sent to CloudStack without it. "
                + next_step_of(error, otherwise="Check the disk's space and permissions."),
            ) from None

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """A write transaction of which one is open at a time, whichever machine began it."""
        with self._writing() as connection:
            connection.execute(self._head_query().with_for_update()).one()
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect().execution_options(**reading_options(self._engine)) as connection:
                yield connection
        except SQLAlchemyError as error:
            raise LedgerError(
                f"The ledger {self._name} cannot be read: {cause_of(error)}.",
                next_step=next_step_of(
                    error, otherwise="Check that the file or database is there and is abreast's."
                ),
            ) from None


def _holder_json(holder: Holder) -> JsonObject:
    return {
        "owner": holder.owner,
        "host": holder.host,
        "process": holder.pid,
        "since": stamp(holder.since),
        "heartbeat": stamp(holder.heartbeat),
    }
