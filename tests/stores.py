"""Where a ledger can be kept: tests that take `store` run on a file of SQLite and on a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import URL, create_engine, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from sync.ledger import Ledger
from tests.fake_cloudstack import Clock

if TYPE_CHECKING:
    from tests.databases import Server

pytest_plugins = ["tests.databases"]


@dataclass
class Store:
    """An empty place for ledgers, and a way to meddle with them."""

    url: str
    clock: Clock = field(default_factory=Clock)

    @property
    def parsed(self) -> URL:
        return make_url(self.url)

    @property
    def is_file(self) -> bool:
        return self.parsed.get_backend_name() == "sqlite"

    def open(self, *, environment: str = "drill", operator: str = "ops@console") -> Ledger:
        return Ledger(self.url, environment=environment, operator=operator, clock=self.clock).open()

    def tamper(self, *statements: str) -> None:
        """Behind the ledger's back."""
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()


class Database:
    """One database of a server, which can be taken away from everybody who uses it."""

    def __init__(self, server: Server) -> None:
        self.url = server.create_database()
        self._admin = server.admin

    def go(self) -> None:
        self._do(
            f"ALTER DATABASE {self.url.database} ALLOW_CONNECTIONS false",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.url.database}'",
        )

    def come_back(self) -> None:
        self._do(f"ALTER DATABASE {self.url.database} ALLOW_CONNECTIONS true")

    def restart(self) -> None:
        """Gone for a moment: every session is lost."""
        self.go()
        self.come_back()

    def crash(self) -> None:
        """One of its processes is killed: the server ends all others, and recovers by itself."""
        os.kill(self._processes()[0], signal.SIGKILL)

    def wait_until_it_answers(self) -> None:
        """After a crash. Fails where it does not within a minute."""
        deadline = time.monotonic() + 60
        while True:
            try:
                self._ask("SELECT 1")
            except OperationalError:
                assert time.monotonic() < deadline, "the server did not recover"
                time.sleep(0.05)
            else:
                return

    def stand_still(self) -> None:
        """As one that was demoted to a standby: it answers, and takes nothing any more."""
        self._do(
            f"ALTER DATABASE {self.url.database} SET default_transaction_read_only = on",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.url.database}'",
        )

    def move_again(self) -> None:
        self._do(
            f"ALTER DATABASE {self.url.database} RESET default_transaction_read_only",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self.url.database}'",
        )

    @contextmanager
    def hanging(self, *, also_new: bool = False) -> Iterator[None]:
        """As one whose disk died: the sessions that are open are there, and answer nothing any more; and
        `also_new` ones never come about."""
        stopped = self._processes()
        stopped += [self._server(stopped)] if also_new else []
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def make_full(self, table: str) -> None:
        """Make the table larger than a file of the write-ahead log, and every row of it need a new page: so
        `fill` can keep it from growing without keeping the log from being written."""
        self._do(
            f"ALTER TABLE {table} SET (fillfactor = 10)",
            f"INSERT INTO {table} SELECT 'filler', n, NULL, 'intent', '', '', repeat('x', 1800), '', ''"
            " FROM generate_series(1, 2200) AS n",
            url=self.url,
        )

    def fill(self, table: str) -> None:
        """No file of the server's may get longer than the table's: the kernel refuses the next page."""
        size = int(self._ask(f"SELECT pg_relation_size('{table}')"))
        self._limit(str(size))

    def make_room(self) -> None:
        self._limit("unlimited")

    def _limit(self, longest: str) -> None:
        """For the sessions on this database, and for those that begin. Their own user may always do that."""
        mine = self._processes()
        for pid in (*mine, self._server(mine)):
            owner = Path(f"/proc/{pid}").stat()
            who = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
            command = ["prlimit", "--pid", str(pid), f"--fsize={longest}:unlimited"]
            subprocess.run(command, check=True, cwd="/", **who)  # type: ignore[call-overload]

    def _processes(self) -> list[int]:
        found = self._ask(
            "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity"
            f" WHERE datname = '{self.url.database}' AND pid <> pg_backend_pid()"
        )
        return [int(pid) for pid in str(found).split()]

    def _server(self, processes: list[int]) -> int:
        """The process that has begun these."""
        stat = Path(f"/proc/{processes[0]}/stat").read_text(encoding="ascii")
        return int(stat.rpartition(")")[2].split()[1])

    def _ask(self, statement: str) -> Any:
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.connect() as connection:
            return connection.exec_driver_sql(statement).scalar_one()

    def _do(self, *statements: str, url: URL | None = None) -> None:
        engine = create_engine(url or self._admin, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)


@pytest.fixture
def database(postgresql: Server) -> Database:
    """For what only a server has."""
    return Database(postgresql)


def sqlite_store(folder: Path) -> Store:
    return Store(f"sqlite:///{folder / 'ledger.sqlite'}")


def postgresql_store(server: Server) -> Store:
    return Store(server.create_database().render_as_string(hide_password=False))


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "sqlite":
        return sqlite_store(tmp_path)
    return postgresql_store(request.getfixturevalue("postgresql"))


@pytest.fixture
def file(tmp_path: Path) -> Store:
    """For what only a file has."""
    return sqlite_store(tmp_path)
