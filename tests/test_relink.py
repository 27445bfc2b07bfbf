"""Stored ids after a rebuild: told exactly, and written so that the owner's database takes them."""

from __future__ import annotations

import csv
import io
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pymysql
import pytest
from pymysql.constants import CLIENT
from sqlalchemy import URL

from sync.corpses import Ancestry
from sync.drift import compare
from sync.errors import ConfigurationError, UsageError
from sync.mapping import Mapping
from sync.misplaced import homes
from sync.model import (
    ActualInventory,
    Coverage,
    CoverageState,
    DesiredInventory,
    Domain,
    DriftKind,
    Project,
    Scope,
    Subject,
)
from sync.recovery import StaleId, stale_ids
from sync.relink import Links, as_csv, links, statement_of, why_keep_fence, write
from sync.relink_statement import REFERENCE, check_statement
from sync.secret import Secret
from sync.settings import CiDatabaseSettings
from tests import examples as ex

if TYPE_CHECKING:
    from tests.databases import Server

pytest_plugins = ["tests.databases"]

NOW = datetime(2026, 7, 28, 3, 12, tzinfo=UTC)
COMPLETE = Coverage(CoverageState.COMPLETE)
HOSTILE = (
    "o'brien",
    "back\\slash\\' OR 1=1; --",
    "100%s %% of :project ::text",
    "Zürich–🚀 [/x]",
    '"; DROP TABLE projects; --',
    "line\nbreak",
)
STALE = tuple(StaleId(name, name, f"old-{number}", f"new'-{number}") for number, name in enumerate(HOSTILE))
UNTOUCHED = ("elsewhere", "another")


def settings(url: str | URL, **named: object) -> CiDatabaseSettings:
    text = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    return CiDatabaseSettings(Secret(text), **named)  # type: ignore[arg-type]


def rows() -> list[tuple[str, str]]:
    return [*((one.project, one.stored) for one in STALE), UNTOUCHED]


def wanted() -> set[tuple[str, str]]:
    return {*((one.project, one.current) for one in STALE), UNTOUCHED}


def script(folder: Path, given: CiDatabaseSettings) -> str:
    found = write(STALE, given, folder / "made", environment="lab", at=NOW)
    assert [path.name for path in found] == ["relink-lab.csv", "relink-lab.sql"]
    assert {path.stat().st_mode & 0o777 for path in found} == {0o600}
    return found[1].read_text(encoding="utf-8")


def test_sqlite_takes_every_new_id_once_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ci.sqlite")) as database:
        database.execute("CREATE TABLE projects (name TEXT, domain_id TEXT)")
        database.executemany("INSERT INTO projects VALUES (?, ?)", rows())
        database.commit()
        sql = script(tmp_path, settings(f"sqlite:///{tmp_path / 'ci.sqlite'}"))
        database.executescript(sql)
        database.execute("UPDATE projects SET domain_id = 'newer' WHERE name = ?", (STALE[0].project,))
        database.commit()
        database.executescript(sql)
        found = set(database.execute("SELECT name, domain_id FROM projects"))
    assert found == {*wanted(), (STALE[0].project, "newer")} - {(STALE[0].project, STALE[0].current)}


def test_postgresql_takes_every_new_id(postgresql: Server, tmp_path: Path) -> None:
    url = postgresql.create_database()
    sql = script(tmp_path, settings(url))
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as database:
        database.execute("CREATE TABLE projects (name TEXT, domain_id TEXT)")
        with database.cursor() as cursor:
            cursor.executemany("INSERT INTO projects VALUES (%s, %s)", rows())
        database.execute(sql.encode())
        found = set(database.execute("SELECT name, domain_id FROM projects").fetchall())
    assert found == wanted()


def test_mariadb_takes_every_new_id(mariadb: Server, tmp_path: Path) -> None:
    url = mariadb.create_database()
    sql = script(tmp_path, settings(url))
    assert url.host and url.port and url.username and url.password
    with (
        closing(
            pymysql.connect(
                host=url.host, port=url.port, user=url.username, password=str(url.password),
                database=url.database, autocommit=True, client_flag=CLIENT.MULTI_STATEMENTS,
                charset="utf8mb4",
            )
        ) as database,
        database.cursor() as cursor,
    ):  # fmt: skip
        cursor.execute("CREATE TABLE projects (name VARCHAR(200), domain_id VARCHAR(80))")
        cursor.executemany("INSERT INTO projects VALUES (%s, %s)", rows())
        cursor.execute(sql)
        while cursor.nextset():
            pass
        cursor.execute("SELECT name, domain_id FROM projects")
        found = set(cursor.fetchall())
    assert found == wanted()


def test_the_csv_has_every_name_as_it_is() -> None:
    read = list(csv.reader(io.StringIO(as_csv(STALE), newline="")))
    assert read == [
        ["project", "stored_id", "current_id"],
        *([one.project, one.stored, one.current] for one in STALE),
    ]


def test_a_schema_of_ones_own_needs_ones_own_statement(tmp_path: Path) -> None:
    own = Mapping({"projects": "SELECT slug AS name, cloud_id AS domain_id FROM ci.project"})
    given = settings("postgresql://ci.example.org/ci", mapping=own)
    assert statement_of(given) == ""
    assert [path.name for path in write(STALE, given, tmp_path, environment="x", at=NOW)] == ["relink-x.csv"]
    given = replace(given, relink="UPDATE p SET c = :current WHERE s = :project AND c::text = :stored")
    found = write(STALE[:1], given, tmp_path, environment="y", at=NOW)[1].read_text(encoding="utf-8")
    assert "UPDATE p SET c = 'new''-0' WHERE s = 'o''brien' AND c::text = 'old-0';" in found
    assert "2026-07-28 03:12 UTC: 1 rows" in found


def test_a_folder_that_takes_no_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write(STALE, settings("sqlite:///x"), tmp_path / "file", environment="x", at=NOW)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("DELETE FROM p WHERE a = :project AND b = :stored AND c = :current", "one UPDATE"),
        (f"{REFERENCE}; DROP TABLE projects", "one UPDATE"),
        ("UPDATE p SET c = :current WHERE s = :project", "no :stored"),
        ("UPDATE p SET c = :currently WHERE s = :project AND c = :stored", "no :current"),
        ("UPDATE p SET c = :current WHERE s::project AND c = :stored", "no :project"),
    ],
)
def test_a_statement_that_could_do_anything_else_is_refused(sql: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check_statement(sql, where="abreast.toml: relink")
    assert said in str(caught.value)
    assert check_statement(f" {REFERENCE};\n", where="x") == REFERENCE


# --- how the ids stand --------------------------------------------------------------------------------------


def desired(**stored: str | None) -> DesiredInventory:
    return DesiredInventory(
        Scope(), NOW, COMPLETE, {name: Project(name, domain_id=id) for name, id in stored.items()}
    )


def actual(*ids: str) -> ActualInventory:
    domains = tuple(Domain(id, f"n-{id}", f"ROOT/ci/n-{id}", "p", 2) for id in ids)
    return ActualInventory(Scope(), NOW, COMPLETE, "p", domains)


def test_ids_are_alive_only_where_a_domain_has_them_now() -> None:
    found = links(desired(a="1", b="2", c=None), actual("1", "3"))
    assert found == Links(alive=1, dead=("b",), without=1, unproven="")
    assert not found.are_alive
    assert links(desired(a="1"), actual("1")).are_alive


def test_an_id_that_the_ci_database_has_in_capitals_is_alive_for_everybody() -> None:
    """What the comparison takes for the domain's own id keeps no fence up, and is in no map of new ids."""
    domain = ex.domain("dune")
    project = ex.project("dune", domain_id=f" {domain.id.upper()}")
    sides = ex.desired(project), ex.actual(domain)
    (row,) = compare(*sides).rows
    assert [part.kind for part in row.parts if part.subject is Subject.STORED_ID] == [DriftKind.IN_SYNC]
    assert stale_ids(compare(*sides)) == ()
    assert links(*sides) == Links(alive=1, dead=(), without=0, unproven="")
    assert homes(sides[0].projects, [domain]) == {"dune": domain}
    assert Ancestry(sides[0].projects).project_of("renamed", domain.id) == "dune"


@pytest.mark.parametrize("state", [CoverageState.PARTIAL, CoverageState.FAILED])
def test_from_a_partial_view_no_id_is_alive_enough_to_lift_a_fence(state: CoverageState) -> None:
    partial = Coverage(state, why="no answer")
    for sides in (
        (replace(desired(a="1"), coverage=partial), actual("1")),
        (desired(a="1"), replace(actual("1"), coverage=partial)),
    ):
        found = links(*sides)
        assert not found.are_alive
        assert "no answer" in found.unproven


def test_a_fence_stays_while_stored_ids_are_gone_or_unproven() -> None:
    assert why_keep_fence(Links(1, (), 0, "")) == ""
    assert why_keep_fence(Links(0, ("aurora",), 0, "")).endswith("does not have any more: aurora.")
    assert "a, b, c, d, e and 2 more" in why_keep_fence(Links(0, tuple("abcdefg"), 0, ""))
    assert "CloudStack: partial" in why_keep_fence(
        Links(1, (), 0, "CloudStack: partial. One page is missing.")
    )
