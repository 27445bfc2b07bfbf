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
