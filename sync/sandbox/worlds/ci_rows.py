"""The sample CI database: the rows of the reference schema that belong to a blueprint, in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from sync.sandbox.worlds.blueprint import Blueprint, Machine, Person, Tenant, WorldFileError, id_for

Row = tuple[str | int | None, ...]

SCHEMA: Mapping[str, str] = {
    "projects": "name TEXT PRIMARY KEY, network_domain TEXT, enabled INTEGER NOT NULL, domain_id TEXT",
    "members": (
        "project TEXT NOT NULL REFERENCES projects, username TEXT NOT NULL, email TEXT NOT NULL, "
        "firstname TEXT NOT NULL, lastname TEXT NOT NULL, role TEXT NOT NULL, enabled INTEGER NOT NULL, "
        "PRIMARY KEY (project, username)"
    ),
    "agents": (
        "project TEXT NOT NULL REFERENCES projects, name TEXT NOT NULL, vm TEXT, address TEXT, "
        "PRIMARY KEY (project, name)"
    ),
    "quotas": (
        "project TEXT NOT NULL REFERENCES projects, resource TEXT NOT NULL, maximum INTEGER NOT NULL, "
        "PRIMARY KEY (project, resource)"
    ),
    "retired": 'project TEXT NOT NULL, "by" TEXT NOT NULL, at TEXT NOT NULL, reason TEXT NOT NULL',
}
"""Table → columns."""


def rows_of(blueprint: Blueprint) -> dict[str, list[Row]]:
    """The rows of every table, in the order of the tenants."""
    rows: dict[str, list[Row]] = {table: [] for table in SCHEMA}
    for tenant in blueprint.tenants:
        if tenant.is_known:
            rows["projects"].append(_project(blueprint, tenant))
            rows["members"].extend(_member(tenant.name, one) for one in tenant.members)
            rows["agents"].extend(_agents(tenant))
            rows["quotas"].extend((tenant.name, name, maximum) for name, maximum in tenant.quotas.items())
    rows["retired"].extend(blueprint.retired)
    return rows


def write_database(blueprint: Blueprint, path: Path) -> None:
    """Make a SQLite CI database. Raises FileExistsError: a database that is there is never written over."""
    path.open("xb").close()
    with closing(sqlite3.connect(path)) as connection, connection:
        for table, columns in SCHEMA.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
        for table, rows in rows_of(blueprint).items():
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - own names


def read_database(path: Path) -> Blueprint:
    """The world in sync with a SQLite CI database of the reference schema: every project has what it should.

    Ids that the database stores become the domains' ids only where they are the seeded ones; a project that
    stores another counts as storing none. Raises WorldFileError.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("BEGIN")
            tenants = tuple(_tenants(connection))
            retired = tuple(tuple(map(str, one)) for one in connection.execute("SELECT * FROM retired"))
    except sqlite3.Error as problem:
        raise WorldFileError(
            f"The world file {path} is no CI database of the sample schema: {problem}."
        ) from None
    return Blueprint(tenants=tenants, retired=retired)  # type: ignore[arg-type]


def _project(blueprint: Blueprint, tenant: Tenant) -> Row:
    stored = id_for("domain", blueprint.path_of(tenant)) if tenant.stores_id else None
    return (tenant.name, tenant.network_domain, int(tenant.enabled), stored)


def _member(project: str, one: Person) -> Row:
    return (project, one.username, one.address, one.firstname, one.lastname, one.role, int(one.enabled))


def _agents(tenant: Tenant) -> Iterator[Row]:
    for machine in tenant.machines:
        if machine.agent:
            yield (tenant.name, machine.agent, machine.name, machine.address)
    for name, address in tenant.physical_agents:
        yield (tenant.name, name, None, address)


def _tenants(connection: sqlite3.Connection) -> Iterator[Tenant]:
    for place, row in enumerate(connection.execute("SELECT * FROM projects ORDER BY rowid").fetchall()):
        name = row["name"]
        agents = connection.execute(
            "SELECT * FROM agents WHERE project = ? ORDER BY rowid", (name,)
        ).fetchall()
        quotas = connection.execute(
            "SELECT * FROM quotas WHERE project = ? ORDER BY rowid", (name,)
        ).fetchall()
        members = connection.execute(
            "SELECT * FROM members WHERE project = ? ORDER BY rowid", (name,)
        ).fetchall()
        yield Tenant(
            name=name,
            network_domain=row["network_domain"],
            enabled=bool(row["enabled"]),
            stores_id=row["domain_id"] is not None,
            members=tuple(
                Person(
                    username=one["username"],
                    firstname=one["firstname"],
                    lastname=one["lastname"],
                    email=one["email"],
                    role=one["role"],
                    enabled=bool(one["enabled"]),
                )
                for one in members
            ),
            machines=tuple(
                Machine(name=one["vm"], template="", address=one["address"] or "", agent=one["name"])
                for one in agents
                if one["vm"]
            ),
            physical_agents=tuple((one["name"], one["address"] or "") for one in agents if not one["vm"]),
            quotas={one["resource"]: one["maximum"] for one in quotas},
            age_days=max(1, 2000 - place),
        )
