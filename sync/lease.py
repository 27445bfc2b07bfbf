"""The lease of an environment: one execution at a time, whoever starts it and from where.

A holder on this machine is asked for by its process id and start time: gone means taken over, and recorded.
A holder on another machine (a ledger on PostgreSQL) keeps it until a person breaks it, by name and with a
reason, which is refused while its heartbeats arrive. Heartbeats carry the time of the ledger's database, so
that no two machines need the same clock.
"""

from __future__ import annotations

import os
import secrets
import shlex
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Self

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, update

from sync.errors import GuardError, LeaseHeldError, LedgerError
from sync.ledger_schema import lease as table

HEARTBEAT_SECONDS = 5.0
STALE_SECONDS = 120.0
"""After so long without a heartbeat the lease of another machine may be broken."""

Writing = Callable[[], AbstractContextManager[Connection]]

_OURS = select(table.c.token).where(
    table.c.environment == bindparam("environment"), table.c.token == bindparam("token")
)
"""Built once: asked before every entry of a run."""

_held_here: set[str] = set()
"""Tokens of the leases that this process holds: one whose release could not be written is not among them."""


def process_identity(pid: int) -> str | None:
    """What tells this process from a later one of the same id; None when there is none, "" if unknown."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "" if _answers(pid) else None
    state, started = fields[0], fields[19]
    return None if state in "ZX" else f"{boot}/{started}"


def machine_identity() -> str:
    """What tells where a process id means something: this boot and namespace; "" where that is unknown.

    A host's name does not: containers and cloned machines share it.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an execution runs, as its lease tells the others."""

    host: str
    machine: str
    """See `machine_identity`."""


def here() -> Place:
    """This machine."""
    return Place(socket.gethostname(), machine_identity())


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Standing(Enum):
    """Of whoever holds a lease."""

    ALIVE = "runs on this machine"
    GONE = "is gone"
    BEATING = "runs on another machine"
    SILENT = "has not been heard of"


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lease."""

    owner: str
    host: str
    pid: int
    process: str
    """See `process_identity`."""
    machine: str
    """See `machine_identity`."""
    since: datetime
    heartbeat: datetime
    token: str = field(default="", repr=False)
    run_id: str = ""
    """The run that is executed under it; empty before it has begun, and for what is no run."""

    def standing(self, now: datetime, *, is_local: bool) -> Standing:
        """`now` by the clock of the heartbeats. `is_local`: the ledger is a file, and binds one machine."""
        machine, has_same_name = machine_identity(), self.host == socket.gethostname()
        is_here = self.machine == machine if self.machine and machine else has_same_name
        if is_here:
            identity = process_identity(self.pid)
            same = identity is not None and (not identity or not self.process or identity == self.process)
            is_given_up = self.pid == os.getpid() and self.token not in _held_here
            return Standing.ALIVE if same and not is_given_up else Standing.GONE
        if self.silent_for(now) < timedelta(seconds=STALE_SECONDS):
            return Standing.BEATING
        # Of a file's only machine an earlier boot is meant: what ran then does not run now.
        return Standing.GONE if is_local and has_same_name else Standing.SILENT

    def silent_for(self, now: datetime) -> timedelta:
        return now - self.heartbeat

    @property
    def words(self) -> str:
        return f"{self.owner}, process {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"

    def command_to_break(self, environment: str) -> str:
        owner = shlex.quote(self.owner)
        return f"`abreast ledger break-lease --environment {environment} --owner {owner} --reason …`"


def holder_of(connection: Connection, environment: str) -> Holder | None:
    row = connection.execute(select(table).where(table.c.environment == environment)).one_or_none()
    if row is None:
        return None
    return Holder(
        owner=row.owner,
        host=row.host,
        pid=row.pid,
        process=row.process,
        machine=row.machine,
        since=datetime.fromisoformat(row.since),
        heartbeat=datetime.fromisoformat(row.heartbeat),
        token=row.token,
        run_id=row.run_id,
    )


def remove(connection: Connection, environment: str) -> None:
    connection.execute(delete(table).where(table.c.environment == environment))


def refuse_breaking(
    holder: Holder | None, *, environment: str, owner: str, now: datetime, is_local: bool
) -> None:
    """Raises GuardError unless the lease is held by `owner`, and by nobody who is still there."""
    if holder is None:
        raise GuardError(f"Nobody holds the lease of {environment}: there is nothing to break.")
    if holder.owner != owner:
        raise GuardError(
            f"The lease of {environment} is held by {holder.words}, not by {owner}.",
            next_step="Whoever is named has to be the one whose execution you mean to end.",
        )
    standing = holder.standing(now, is_local=is_local)
    if standing is Standing.ALIVE:
        raise GuardError(
            f"The lease of {environment} is not broken: {holder.words}, is running on this machine.",
            next_step=f"Stop it there, or end process {holder.pid}; then it is taken over by itself.",
        )
    if standing is Standing.BEATING:
        silent = max(0, round(holder.silent_for(now).total_seconds()))
        raise GuardError(
            f"The lease of {environment} is not broken: {holder.words}, gave a sign of life {silent} s ago.",
            next_step=f"Stop it there. Only {STALE_SECONDS:.0f} s without one make it breakable.",
        )


class Lease:
    """One holding of the lease, as a context manager. Its heartbeat runs in a thread of its own."""

    def __init__(
        self,
        environment: str,
        owner: str,
        *,
        writing: Writing,
        alone: Writing,
        now: Callable[[Connection], datetime],
        is_local: bool,
        on_taken: Callable[[Connection, Holder], None],
        place: Place | None = None,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        """`writing` opens a write transaction on the ledger's database, `alone` one at a time of them all;
        `now` is that database's time; `on_taken` records, before it happens, from whom it is taken; `place`
        is this machine when left out."""
        self._environment = environment
        self._owner = owner
        self._writing = writing
        self._alone = alone
        self._now = now
        self._is_local = is_local
        self._on_taken = on_taken
        self._place = place or here()
        self._heartbeat_seconds = heartbeat_seconds
        self._token = secrets.token_hex(16)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease heartbeat", daemon=True)

    def __enter__(self) -> Self:
        _held_here.add(self._token)
        try:
            with self._alone() as connection:
                self._take(connection)
        except BaseException:
            _held_here.discard(self._token)
            raise
        self._thread.start()
        return self

    def _take(self, connection: Connection) -> None:
        now = self._now(connection)
        holder = holder_of(connection, self._environment)
        if holder is not None:
            standing = holder.standing(now, is_local=self._is_local)
            if standing is not Standing.GONE:
                raise self._refusal(holder, standing, now)
            self._on_taken(connection, holder)
        remove(connection, self._environment)
        connection.execute(insert(table).values(**self._row(now)))

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        _held_here.discard(self._token)
        with self._writing() as connection:
            connection.execute(delete(table).where(self._is_ours()))

    def check(self, connection: Connection) -> None:
        """LedgerError when somebody else holds the lease by now: then nothing more may be written."""
        ours = {"environment": self._environment, "token": self._token}
        if connection.execute(_OURS, ours).one_or_none() is None:
            raise LedgerError(
                f"The lease of {self._environment} was taken over by another process, or was broken.",
                next_step="This execution ends here. `abreast ledger show` tells who goes on.",
            )

    def carry(self, connection: Connection, run_id: str) -> None:
        """Say which run is executed under it."""
        connection.execute(update(table).where(self._is_ours()).values(run_id=run_id))

    def _is_ours(self) -> ColumnElement[bool]:
        return (table.c.environment == self._environment) & (table.c.token == self._token)

    def _row(self, now: datetime) -> dict[str, str | int]:
        return {
            "environment": self._environment,
            "token": self._token,
            "owner": self._owner,
            "host": self._place.host,
            "pid": os.getpid(),
            "process": process_identity(os.getpid()) or "",
            "since": now.isoformat(),
            "heartbeat": now.isoformat(),
            "machine": self._place.machine,
        }

    def _refusal(self, holder: Holder, standing: Standing, now: datetime) -> LeaseHeldError:
        if standing is Standing.SILENT:
            minutes = int(holder.silent_for(now).total_seconds() // 60)
            return LeaseHeldError(
                f"The lease of {self._environment} is held by {holder.words}, "
                f"which has given no sign of life for {minutes} min.",
                next_step="Make sure that nothing of it runs any more, then break it: "
                f"{holder.command_to_break(self._environment)}.",
            )
        return LeaseHeldError(
            f"Another execution is running on {self._environment}: {holder.words}.",
            next_step="Wait for it, or stop it there; a process that has died is taken over by itself"
            + (", on another machine after somebody broke its lease." if not self._is_local else "."),
        )

    def _beat(self) -> None:
        while not self._ended.wait(self._heartbeat_seconds):
            try:
                with self._writing() as connection:
                    now = self._now(connection).isoformat()
                    connection.execute(update(table).where(self._is_ours()).values(heartbeat=now))
            except LedgerError:
                # The next append fails for the same reason and stops the execution; here nobody listens.
                continue
