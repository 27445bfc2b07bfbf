"""The lease of an environment: one execution at a time, whoever starts it and from where.

A holder on this machine is asked for by its process id and start time: gone means taken over. A holder on
another machine (a ledger on PostgreSQL) is believed for `STALE_SECONDS` after its last heartbeat.
"""

from __future__ import annotations

import getpass
import os
import secrets
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from sqlalchemy import ColumnElement, Connection, Row, delete, insert, select, update

from sync.errors import LeaseHeldError, LedgerError
from sync.ledger_schema import lease as table

HEARTBEAT_SECONDS = 5.0
STALE_SECONDS = 120.0

Writing = Callable[[], AbstractContextManager[Connection]]


def current_operator() -> str:
    """`user@host`, and where an SSH session came from."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    origin = os.environ.get("SSH_CLIENT", "").split()
    return f"{user}@{socket.gethostname()}" + (f" from {origin[0]}" if origin else "")


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


def _answers(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Lease:
    """One holding of the lease, as a context manager. Its heartbeat runs in a thread of its own."""

    def __init__(
        self,
        environment: str,
        owner: str,
        *,
        writing: Writing,
        clock: Callable[[], datetime],
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        """`writing` opens a write transaction on the ledger's database."""
        self._environment = environment
        self._owner = owner
        self._writing = writing
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds
        self._token = secrets.token_hex(16)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lease heartbeat", daemon=True)

    def __enter__(self) -> Self:
        with self._writing() as connection:
            query = select(table).where(table.c.environment == self._environment)
            row = connection.execute(query.with_for_update()).one_or_none()
            if row is not None and self._is_held(row):
                raise self._refusal(row)
            connection.execute(delete(table).where(table.c.environment == self._environment))
            connection.execute(insert(table).values(**self._row()))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        with self._writing() as connection:
            connection.execute(delete(table).where(self._is_ours()))

    def check(self, connection: Connection) -> None:
        """LedgerError when somebody else holds the lease by now: then nothing more may be written."""
        if connection.execute(select(table.c.token).where(self._is_ours())).one_or_none() is None:
            raise LedgerError(
                f"The lease of {self._environment} was taken over by another process.",
                next_step="This execution ends here. `abreast ledger show` tells who goes on.",
            )

    def _is_ours(self) -> ColumnElement[bool]:
        return (table.c.environment == self._environment) & (table.c.token == self._token)

    def _row(self) -> dict[str, str | int]:
        now = _stamp(self._clock())
        return {
            "environment": self._environment,
            "token": self._token,
            "owner": self._owner,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "process": process_identity(os.getpid()) or "",
            "since": now,
            "heartbeat": now,
        }

    def _is_held(self, row: Row[tuple[object, ...]]) -> bool:
        if row.host == socket.gethostname():
            identity = process_identity(row.pid)
            return identity is not None and (not identity or not row.process or identity == row.process)
        silent_for = self._clock() - datetime.fromisoformat(row.heartbeat)
        return silent_for < timedelta(seconds=STALE_SECONDS)

    def _refusal(self, row: Row[tuple[object, ...]]) -> LeaseHeldError:
        since = datetime.fromisoformat(row.since)
        return LeaseHeldError(
            f"Another execution is running on {self._environment}: {row.owner}, "
            f"process {row.pid} on {row.host}, since {since:%Y-%m-%d %H:%M:%S} UTC.",
            next_step="Wait for it, or stop it there; a process that has died is taken over by itself.",
        )

    def _beat(self) -> None:
        while not self._ended.wait(self._heartbeat_seconds):
            try:
                with self._writing() as connection:
                    connection.execute(
                        update(table).where(self._is_ours()).values(heartbeat=_stamp(self._clock()))
                    )
            except LedgerError:
                # The next append fails for the same reason and stops the execution; here nobody listens.
                continue


def _stamp(at: datetime) -> str:
    return at.isoformat()
