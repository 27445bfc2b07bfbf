"""The reference schema as tables, for tests: how a CI database reads without a mapping.

Deliberately without keys and NOT NULLs: a CI database is its owner's, and practice needs the rows that real
ones have (two projects of one name, members without an address). `rows` finds and names those.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    DateTime,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
)
from sqlalchemy.pool import NullPool

from sync.model import Project

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""Name of a table → its rows, each a field → value; tables and optional fields may be left out."""

metadata = MetaData()

projects = Table(
    "projects",
    metadata,
    Column("name", Text),
    Column("network_domain", Text),
    Column("enabled", Boolean, default=True),
    Column("domain_id", String(36)),
)
members = Table(
    "members",
    metadata,
    Column("project", Text),
    Column("username", Text),
    Column("email", Text),
    Column("firstname", Text),
    Column("lastname", Text),
    Column("role", Text),
    Column("enabled", Boolean, default=True),
)
agents = Table(
    "agents",
    metadata,
    Column("project", Text),
    Column("name", Text),
    Column("vm", Text),
    Column("address", Text),
)
quotas = Table(
    "quotas",
    metadata,
    Column("project", Text),
    Column("resource", Text),
    Column("maximum", BigInteger),
)
retired = Table(
    "retired",
    metadata,
    Column("project", Text),
    Column("by", Text),
    Column("at", DateTime),
    Column("reason", Text),
)


def fill(connection: Connection, rows: Rows) -> None:
    """Create the tables where they are missing and insert `rows`. Raises KeyError for an unknown table.

    Fields that a row leaves out are NULL, apart from `enabled`, which is true.
    """
    metadata.create_all(connection)
    for name, table_rows in rows.items():
        table = metadata.tables[name]
        blank = {column.name: True if column.name == "enabled" else None for column in table.columns}
        if table_rows:
            connection.execute(table.insert(), [{**blank, **row} for row in table_rows])


def create_sqlite(path: Path, rows: Rows) -> str:
    """A new SQLite CI database at `path`, with `rows`; answers its URL. Raises FileExistsError."""
    path.touch(mode=0o600, exist_ok=False)
    url = f"sqlite:///{path.absolute()}"
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        fill(connection, rows)
    return url


def rows_of(values: Iterable[Project]) -> dict[str, list[dict[str, Any]]]:
    """Projects as plain rows of the reference schema."""
    rows: dict[str, list[dict[str, Any]]] = {"projects": [], "members": [], "agents": [], "quotas": []}
    for project in values:
        rows["projects"].append(
            {
                "name": project.name,
                "network_domain": project.network_domain,
                "enabled": project.enabled,
                "domain_id": project.domain_id,
            }
        )
        rows["members"] += [
            {
                "project": project.name,
                "username": member.username,
                "email": member.email,
                "firstname": member.firstname,
                "lastname": member.lastname,
                "role": member.role,
                "enabled": member.enabled,
            }
            for member in project.members
        ]
        rows["agents"] += [
            {"project": project.name, "name": agent.name, "vm": agent.vm, "address": agent.address}
            for agent in project.agents
        ]
        rows["quotas"] += [
            {"project": project.name, "resource": resource, "maximum": maximum}
            for resource, maximum in project.quotas.items()
        ]
    return rows
