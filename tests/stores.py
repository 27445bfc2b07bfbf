"""Where a ledger can be kept: tests that take `store` run on a file of SQLite and on a real PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import URL, create_engine, make_url
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

    def _do(self, *statements: str) -> None:
        engine = create_engine(self._admin, poolclass=NullPool, isolation_level="AUTOCOMMIT")
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
