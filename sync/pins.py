"""Recognising an environment by its server: endpoint and ROOT domain id, pinned at first use.

A qualification system is often a restored dump of production and shares the ROOT id, and one wrong line of a
configuration makes two environments share the endpoint: either alone proves nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from sqlalchemy import Connection, delete, insert, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from sync.errors import GuardError, IncompleteError, LedgerError, UsageError
from sync.ledger_database import cause_of, connect, is_local, reading_options
from sync.ledger_entries import Entry, EntryKind, Pin, canonical, pin_of, stamp
from sync.ledger_schema import entries
from sync.ledger_schema import pins as table
from sync.model import JsonObject

Transaction = Callable[[], AbstractContextManager[Connection]]


class Append(Protocol):
    """Writes an entry within a transaction."""

    def __call__(
        self, connection: Connection, kind: EntryKind, payload: JsonObject, run_id: str | None, /
    ) -> Entry: ...


@dataclass(frozen=True, slots=True)
class Server:
    """A CloudStack, as a reading finds it."""

    endpoint: str
    root_id: str
    """Empty where the key does not see the ROOT domain."""

    @property
    def words(self) -> str:
        return f"{self.endpoint} with ROOT domain {self.root_id or 'unknown'}"

    def is_pinned_by(self, pin: Pin) -> bool:
        return same_endpoint(self.endpoint, pin.endpoint) and self.root_id == pin.root_id


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another environment of the same configuration."""

    name: str
    endpoint: str
    pin: Pin | None
    """None where it was never used from here."""
    unread: str = ""
    """Why it cannot be told what it is pinned to; empty where it can."""


def same_endpoint(one: str, other: str) -> bool:
    """Whether two URLs name one address, however they are spelled."""
    return _address(one) == _address(other)


def _address(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").rstrip("."), port, parts.path.rstrip("/")


# --- deciding -----------------------------------------------------------------------------------------------


def refuse(
    environment: str, server: Server, *, pin: Pin | None, neighbours: Sequence[Neighbour] = ()
) -> None:
    """Raises GuardError unless `server` is what the environment is pinned to, and nobody else's;
    IncompleteError where that cannot be seen."""
    if not server.root_id:
        raise IncompleteError(
            f"The ROOT domain of {server.endpoint} cannot be seen with this key, so it is not proven to be "
            f"the server of {environment}.",
            next_step="Use a key of an account in ROOT whose role has type Admin.",
        )
    refuse_shared_endpoint(environment, server.endpoint, neighbours)
    if pin is not None and not server.is_pinned_by(pin):
        raise GuardError(
            f"{environment} was pinned to {pin.endpoint} with ROOT domain {pin.root_id} "
            f"({pin.pinned_at:%Y-%m-%d}, {pin.pinned_by}); this is {server.words}.",
            next_step=f"Correct the configuration. If the server was replaced: {pin_command(environment)}.",
        )
    accepted = pin.shares if pin is not None else ()
    for other in sharing(environment, server, neighbours):
        if other.name not in accepted and not (other.pin and environment in other.pin.shares):
            raise GuardError(
                f"{environment} ({server.endpoint}) has the ROOT domain {server.root_id}, as "
                f"{other.name} has, pinned to {other.pin.endpoint if other.pin else other.endpoint}: "
                "one may be a restored dump of the other, or its address.",
                next_step="Look which is which. If it is a copy at an address of its own: "
                f"{pin_command(environment)}.",
            )


def refuse_shared_endpoint(environment: str, endpoint: str, neighbours: Sequence[Neighbour]) -> None:
    """Raises GuardError where another environment has the same address: its name would mean nothing."""
    for other in neighbours:
        if same_endpoint(endpoint, other.endpoint) or (
            other.pin is not None and same_endpoint(endpoint, other.pin.endpoint)
        ):
            spellings = dict.fromkeys((endpoint, other.endpoint))
            pinned = other.pin.endpoint if other.pin is not None else other.endpoint
            raise GuardError(
                f"{environment} and {other.name} have the same endpoint: {' and '.join(spellings)}"
                + (f", pinned to {pinned}" if pinned not in spellings else "")
                + ". One server has one name.",
                next_step="Correct or remove one of them in the configuration.",
            )


def sharing(environment: str, server: Server, neighbours: Sequence[Neighbour]) -> tuple[Neighbour, ...]:
    """The other environments that are pinned to the same ROOT id."""
    return tuple(
        other
        for other in neighbours
        if other.name != environment and other.pin is not None and other.pin.root_id == server.root_id
    )


def refuse_unread(environment: str, neighbours: Sequence[Neighbour]) -> None:
    """Raises LedgerError where an environment is to be pinned at first use, and it cannot be told of another
    one whether it is pinned to the same server: this may be that one's, or a copy of it."""
    for other in neighbours:
        if other.unread:
            raise LedgerError(
                f"{environment} is not pinned yet, and what {other.name} is pinned to cannot be read "
                f"({other.unread.rstrip('.')}): this server may be that one's, or a copy of it.",
                next_step=f"Mend it, or remove {other.name} from the configuration. If you know that it is "
                f"another server: {pin_command(environment)}.",
            )


def pin_command(environment: str) -> str:
    return f"`abreast ledger pin --environment {environment} --reason …`"


def peek(url: str, environment: str) -> Pin | None:
    """The pin in another environment's ledger, which is neither made nor migrated; None where that has never
    been used. Raises LedgerError, ConfigurationError where it cannot be told."""
    engine = connect(url)
    try:
        if is_local(engine) and not Path(engine.url.database or "").is_file():
            return None
        with engine.connect().execution_options(**reading_options(engine)) as connection:
            tables = inspect(connection)
            if not tables.has_table(table.name) and not tables.has_table(entries.name):
                return None
            return read_pin(connection, environment)
    except SQLAlchemyError as error:
        raise LedgerError(f"Its ledger cannot be read: {cause_of(error)}.") from None
    finally:
        engine.dispose()


# --- keeping ------------------------------------------------------------------------------------------------


class Pins:
    """The pin of one environment in the ledger's database. Every change of it has an entry in the chain."""

    def __init__(
        self,
        environment: str,
        operator: str,
        *,
        reading: Transaction,
        alone: Transaction,
        append: Append,
    ) -> None:
        """`alone` opens write transactions of which one is open at a time."""
        self._environment = environment
        self._operator = operator
        self._reading = reading
        self._alone = alone
        self._append = append

    def current(self) -> Pin | None:
        """What the environment is pinned to; None before its first use. Raises LedgerError."""
        with self._reading() as connection:
            return read_pin(connection, self._environment)

    def recognise(self, server: Server, neighbours: Sequence[Neighbour] = ()) -> Pin:
        """The pin, made now where this is the first use. Raises as `refuse`, and LedgerError."""
        pin = self.current()
        refuse(self._environment, server, pin=pin, neighbours=neighbours)
        if pin is not None:
            return pin
        refuse_unread(self._environment, neighbours)
        with self._alone() as connection:
            # Another operator may have been first meanwhile.
            pin = read_pin(connection, self._environment)
            if pin is None:
                return self._write(connection, server, reason="", shares=())
        refuse(self._environment, server, pin=pin, neighbours=neighbours)
        return pin

    def move(self, server: Server, *, reason: str, neighbours: Sequence[Neighbour] = ()) -> Pin:
        """Pin anew, deliberately. Raises UsageError without a reason, GuardError where none is enough."""
        if not reason.strip():
            raise UsageError(
                "Pinning an environment anew needs a reason.", next_step="Give it with --reason."
            )
        refuse_shared_endpoint(self._environment, server.endpoint, neighbours)
        shares = tuple(sorted(other.name for other in sharing(self._environment, server, neighbours)))
        refuse(self._environment, server, pin=None)
        with self._alone() as connection:
            connection.execute(delete(table).where(table.c.environment == self._environment))
            return self._write(connection, server, reason=reason.strip(), shares=shares)

    def _write(self, connection: Connection, server: Server, *, reason: str, shares: tuple[str, ...]) -> Pin:
        payload = {
            "endpoint": server.endpoint,
            "root_id": server.root_id,
            "reason": reason,
            "shares": list(shares),
        }
        entry = self._append(connection, EntryKind.PINNED, payload, None)
        connection.execute(
            insert(table).values(
                environment=self._environment,
                endpoint=server.endpoint,
                root_id=server.root_id,
                pinned_at=stamp(entry.at),
                pinned_by=self._operator,
                reason=reason,
                shares=canonical(list(shares)),
                seq=entry.seq,
            )
        )
        return Pin(
            self._environment, server.endpoint, server.root_id, entry.at, self._operator, reason, shares
        )


def read_pin(connection: Connection, environment: str) -> Pin | None:
    """The pin as a transaction sees it."""
    row = connection.execute(select(table).where(table.c.environment == environment)).one_or_none()
    return pin_of(row) if row is not None else None
