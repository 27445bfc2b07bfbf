"""The sandbox's locks in a real MySQL or MariaDB too, as CloudStack has them: a session there can hold them.

As in a management server, deletions wait for each other in memory, and only the first of them asks the
database.
"""

from __future__ import annotations

import contextlib
from typing import Any
from urllib.parse import unquote, urlsplit

from sync.sandbox.jobs import MemoryLocks

CONNECT_SECONDS = 5
DEFAULT_PORT = 3306


class LockDatabaseError(ValueError):
    """The database for the locks cannot be used; the text says why, without its password."""


class DatabaseLocks(MemoryLocks):
    """A lock table whose locks are also named locks of a database, all in one session."""

    def __init__(self, url: str) -> None:
        """`mysql://USER:PASSWORD@HOST:PORT/NAME`. Raises LockDatabaseError."""
        super().__init__()
        self._driver = _driver()
        self._where = _where(url)
        self._connection: Any = None
        try:
            self._connect()
        except (self._driver.err.MySQLError, OSError) as error:
            code = error.args[0] if error.args else type(error).__name__
            raise LockDatabaseError(
                f"The database for the locks at {self._where['host']}:{self._where['port']} does not let the "
                f"sandbox in ({code})."
            ) from None

    def acquire(self, name: str, holder: int) -> bool:
        """Take the lock if nobody here has it and the database gives it; False also while it is away."""
        if name in self.holders:
            return super().acquire(name, holder)
        return self._ask("SELECT GET_LOCK(%s, 0)", name) == 1 and super().acquire(name, holder)

    def release(self, name: str, holder: int) -> None:
        """Give it back, here and in the database; nothing happens if the holder does not have it."""
        if self.holders.get(name) == holder:
            super().release(name, holder)
            self._ask("SELECT RELEASE_LOCK(%s)", name)

    def release_all(self, holder: int) -> None:
        """Give back everything that a holder has."""
        for name in [name for name, by in self.holders.items() if by == holder]:
            self.release(name, holder)

    def close(self) -> None:
        """End the session, and with it every lock."""
        if self._connection is not None:
            with contextlib.suppress(self._driver.err.MySQLError, OSError):
                self._connection.close()
            self._connection = None

    def _connect(self) -> None:
        self._connection = self._driver.connect(
            **self._where,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=CONNECT_SECONDS,
            init_command="SET SESSION wait_timeout = 604800",
        )

    def _ask(self, statement: str, name: str) -> object:
        """The one value of an answer; None, and a new session next time, when the database is away."""
        try:
            if self._connection is None:
                self._connect()
            with self._connection.cursor() as cursor:
                cursor.execute(statement, (name,))
                (value,) = cursor.fetchone()
        except (self._driver.err.MySQLError, OSError):
            self.close()
            return None
        else:
            found: object = value
            return found


def _driver() -> Any:
    try:
        import pymysql  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        raise LockDatabaseError(
            "Locks in a database need PyMySQL, which is not installed: install abreast[mysql]."
        ) from None
    return pymysql


def _where(url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORT
    except ValueError:
        raise LockDatabaseError("The URL of the database for the locks is none.") from None
    if not parts.scheme.startswith(("mysql", "mariadb")) or not parts.hostname:
        raise LockDatabaseError(
            "The URL of the database for the locks must be mysql://USER:PASSWORD@HOST:PORT/NAME."
        )
    return {
        "host": parts.hostname,
        "port": port,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "database": parts.path.strip("/") or None,
    }
