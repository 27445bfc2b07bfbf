"""The CI database is read consistently, read-only and honestly, from SQLite and from real servers."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from sync.ci_db import CiDatabase, database_url, make_engine, secrets_of, snapshot
from sync.errors import ConfigurationError, MappingError
from sync.mapping import Mapping
from sync.model import CoverageState, DesiredInventory, Project, Scope
from sync.secret import Secret
from sync.settings import CiDatabaseSettings
from tests import reference_schema

if TYPE_CHECKING:
    from tests.databases import Server

pytest_plugins = ["tests.databases"]

NOW = datetime(2026, 7, 28, 3, 12, 44, tzinfo=UTC)
PASSWORD = "p@ss/w:rd %?#ü"

ROWS: reference_schema.Rows = {
    "projects": [
        {"name": "dune", "network_domain": "dune.ci.example.org", "domain_id": "6f1d"},
        {"name": "Zürich–🚀 [/x]", "enabled": False},
    ],
    "members": [
        {
            "project": "dune",
            "username": "jmartin",
            "email": "j@example.org",
            "firstname": "Jo",
            "lastname": "Martin",
        },
        {
            "project": "DUNE",
            "username": "zoe",
            "email": "z@example.org",
            "firstname": "Zoë",
            "lastname": "[red]",
            "role": "owner",
            "enabled": False,
        },
    ],
    "agents": [{"project": "dune", "name": "dune-1", "vm": "vm-[/x]", "address": "10.1.1.7"}],
    "quotas": [
        {"project": "dune", "resource": "vm", "maximum": 10},
        {"project": "dune", "resource": "primary_storage", "maximum": -1},
    ],
    "retired": [
        {"project": "aurora", "by": "pat", "at": datetime(2026, 7, 1, 9, 30), "reason": "moved away"}
    ],
}


def frozen() -> datetime:
    return NOW


def open_database(url: str | URL, mapping: Mapping | None = None, **options: Any) -> CiDatabase:
    shown = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    settings = CiDatabaseSettings(Secret(shown), mapping or Mapping(), **options)
    return CiDatabase(settings, clock=frozen)


def read(url: str | URL, mapping: Mapping | None = None, **options: Any) -> DesiredInventory:
    return open_database(url, mapping, **options).read(Scope())


def engine_for(url: str | URL) -> Engine:
    return create_engine(url, poolclass=NullPool)


def fill(url: URL, rows: reference_schema.Rows) -> URL:
    with engine_for(url).begin() as connection:
        reference_schema.fill(connection, rows)
    return url


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[URL]:
    """A new database of each kind. SQLite's is in WAL mode: writers do not wait for readers."""
    if request.param == "sqlite":
        file = tmp_path / "ci #1?.sqlite"
        with sqlite3.connect(file) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        yield URL.create("sqlite", database=str(file))
    else:
        server: Server = request.getfixturevalue(request.param)
        yield server.create_database()


# --- what is read -------------------------------------------------------------------------------------------


def test_the_reference_schema_reads_without_a_mapping(empty_database: URL) -> None:
    heard: list[tuple[str, int]] = []
    database = open_database(fill(empty_database, ROWS))
    inventory = database.read(Scope(), progress=lambda name, rows: heard.append((name, rows)))

    assert inventory.coverage.state is CoverageState.COMPLETE, inventory.coverage.why
    assert inventory.coverage.why == ""
    assert inventory.taken_at == NOW
    assert list(inventory.projects) == ["dune", "zürich–🚀 [/x]"]
    dune = inventory.projects["dune"]
    assert (dune.name, dune.network_domain, dune.enabled, dune.domain_id) == (
        "dune",
        "dune.ci.example.org",
        True,
        "6f1d",
    )
    assert [(m.username, m.lastname, m.role, m.enabled) for m in dune.members] == [
        ("zoe", "[red]", "owner", False),
        ("jmartin", "Martin", "", True),
    ]
    assert [(agent.name, agent.vm, agent.address) for agent in dune.agents] == [
        ("dune-1", "vm-[/x]", "10.1.1.7")
    ]
    assert dune.quotas == {"vm": 10, "primarystorage": -1}
    assert dune.problem == ""
    assert inventory.projects["zürich–🚀 [/x]"].enabled is False
    (retirement,) = inventory.retired
    assert (retirement.project, retirement.by, retirement.reason) == ("aurora", "pat", "moved away")
    assert retirement.at.startswith("2026-07-01 09:30")
    assert heard == [("projects", 2), ("members", 2), ("agents", 1), ("quotas", 2), ("retired", 1)]
    assert [(proof.name, proof.rows) for proof in inventory.coverage.lists] == heard
    assert "admin" not in inventory.coverage.caller


def test_a_scope_limits_what_is_kept(tmp_path: Path) -> None:
    url = reference_schema.create_sqlite(tmp_path / "ci.sqlite", ROWS)
    scope = Scope(projects=frozenset({"dune"}))
    inventory = open_database(url).read(scope)
    assert list(inventory.projects) == ["dune"]
    assert inventory.scope == scope


def test_only_the_tables_that_exist_are_read(tmp_path: Path) -> None:
    file = tmp_path / "ci.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE Projects (NAME CHAR(40), quux TEXT)")
        connection.execute("INSERT INTO Projects VALUES ('dune   ', 'x')")
    connection.close()
    inventory = read(f"sqlite:///{file}")
    assert inventory.projects == {"dune": Project("dune")}
    assert [proof.name for proof in inventory.coverage.lists] == ["projects"]


def test_a_foreign_schema_reads_by_its_mapping(empty_database: URL) -> None:
    with engine_for(empty_database).begin() as connection:
        connection.execute(text("CREATE TABLE lab (id INTEGER, slug TEXT, archived INTEGER, cap INTEGER)"))
        connection.execute(text("INSERT INTO lab VALUES (1, '50%_dune', 0, 7), (2, 'old', 1, 3)"))
    mapping = Mapping(
        {
            "projects": "SELECT slug AS name, 1 - archived AS enabled FROM lab WHERE slug LIKE '%d%';",
            "quotas": "WITH q AS (SELECT slug, cap FROM lab) "
            "SELECT slug AS project, 'VM' AS resource, cap AS maximum FROM q WHERE slug <> 'vm:'",
        }
    )
    inventory = read(empty_database, mapping)
    assert {key: (p.enabled, dict(p.quotas)) for key, p in inventory.projects.items()} == {
        "50%_dune": (True, {"vm": 7}),
        "old": (False, {"vm": 3}),
    }


def test_values_survive_a_round_trip_through_the_reference_schema(tmp_path: Path) -> None:
    url = reference_schema.create_sqlite(tmp_path / "ci.sqlite", ROWS)
    projects = read(url).projects
    again = reference_schema.create_sqlite(
        tmp_path / "again.sqlite", reference_schema.rows_of(projects.values())
    )
    assert read(again).projects == projects


def test_a_database_file_is_never_overwritten(tmp_path: Path) -> None:
    reference_schema.create_sqlite(tmp_path / "ci.sqlite", ROWS)
    with pytest.raises(FileExistsError):
        reference_schema.create_sqlite(tmp_path / "ci.sqlite", {})


# --- one instant, read-only ---------------------------------------------------------------------------------


def test_nothing_written_between_the_queries_is_seen(empty_database: URL) -> None:
    """Somebody adds a project with its member and renames the others while the reading is under way."""
    url = fill(empty_database, ROWS)
    writes: list[str] = []

    def write_between(query: str, _rows: int) -> None:
        with engine_for(url).begin() as connection:
            connection.execute(
                text("INSERT INTO members (project, username, email) VALUES ('late', 'x', 'y')")
            )
            connection.execute(text("UPDATE agents SET project = 'late'"))
            connection.execute(text("DELETE FROM quotas"))
        writes.append(query)

    inventory = open_database(url).read(Scope(), progress=write_between)

    assert writes == ["projects", "members", "agents", "quotas", "retired"]
    assert inventory.coverage.why == ""
    assert len(inventory.projects["dune"].members) == 2
    assert len(inventory.projects["dune"].agents) == 1
    assert len(inventory.projects["dune"].quotas) == 2
    later = open_database(url).read(Scope())
    assert "5 rows of `members` left out" in later.coverage.why
    assert later.projects["dune"].quotas == {}


def test_the_database_itself_refuses_to_write(empty_database: URL) -> None:
    url = fill(empty_database, ROWS)
    with (
        snapshot(make_engine(url, 5), 5) as connection,
        pytest.raises(DBAPIError, match=r"(?i)read.?only"),
    ):
        connection.execute(text("DELETE FROM projects"))
    assert len(read(url).projects) == 2


def test_a_missing_sqlite_file_is_not_made(tmp_path: Path) -> None:
    file = tmp_path / "absent.sqlite"
    inventory = read(f"sqlite:///{file}")
    assert inventory.coverage.state is CoverageState.FAILED
    assert "Check that the file is there" in inventory.coverage.why
    assert not file.exists()


def test_rows_hidden_by_row_security_fail_the_reading(postgresql: Server) -> None:
    """PostgreSQL would answer with the visible rows only, and the others would look deleted."""
    url = fill(postgresql.create_database(), ROWS)
    with engine_for(url).begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS half_blind"))
        connection.execute(text("CREATE ROLE half_blind LOGIN PASSWORD 'half-blind-1'"))
        connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO half_blind"))
        connection.execute(text("ALTER TABLE projects ENABLE ROW LEVEL SECURITY"))
        connection.execute(
            text("CREATE POLICY half ON projects FOR SELECT TO half_blind USING (name = 'dune')")
        )
    inventory = read(url.set(username="half_blind", password="half-blind-1"))
    assert inventory.coverage.state is CoverageState.FAILED
    assert inventory.projects == {}
    assert "BYPASSRLS" in inventory.coverage.why


# --- what cannot be read ------------------------------------------------------------------------------------


def lock_sqlite(url: URL) -> sqlite3.Connection:
    connection = sqlite3.connect(str(url.database), isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    return connection


def test_a_locked_sqlite_database_fails_while_the_lock_is_held(tmp_path: Path) -> None:
    url = make_url(reference_schema.create_sqlite(tmp_path / "ci.sqlite", ROWS))
    holder = lock_sqlite(url)
    inventory = read(url, timeout_seconds=0.2)
    holder.close()
    assert inventory.coverage.state is CoverageState.FAILED
    assert "database is locked" in inventory.coverage.why
    assert read(url).coverage.is_complete


@pytest.mark.parametrize(
    ("server", "lock"),
    [("postgresql", "LOCK TABLE members IN ACCESS EXCLUSIVE MODE"), ("mariadb", "LOCK TABLES members WRITE")],
)
def test_a_locked_table_fails_in_time(server: str, lock: str, request: pytest.FixtureRequest) -> None:
    url = fill(request.getfixturevalue(server).create_database(), ROWS)
    with engine_for(url).connect() as holder:
        holder.execute(text(lock))
        inventory = read(url, timeout_seconds=1.0)
    assert inventory.coverage.state is CoverageState.FAILED
    assert "Somebody holds a lock" in inventory.coverage.why
    assert [proof.name for proof in inventory.coverage.lists] == ["projects"]
    assert inventory.projects == {}


@pytest.mark.parametrize("server", ["postgresql", "mariadb"])
def test_a_wrong_password_is_not_repeated(server: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(server).create_database().set(password=PASSWORD)
    inventory = read(url)
    assert inventory.coverage.state is CoverageState.FAILED
    assert "Check the user, and the password" in inventory.coverage.why
    assert_hidden(inventory.coverage.why, inventory.coverage.caller)


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "mariadb+pymysql"])
def test_an_unreachable_server_is_named_without_its_password(scheme: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = URL.create(
            scheme, "ci", PASSWORD, host="127.0.0.1", port=unused.getsockname()[1], database="ci"
        )
        inventory = read(url)
    assert inventory.coverage.state is CoverageState.FAILED
    assert "127.0.0.1" in inventory.coverage.why
    assert "OperationalError" in inventory.coverage.why
    assert "Check host and port" in inventory.coverage.why
    assert_hidden(inventory.coverage.why, inventory.coverage.caller)


def test_a_silent_server_does_not_hold_the_reading() -> None:
    """A host that takes the connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        inventory = read(f"mysql://ci:x@127.0.0.1:{silent.getsockname()[1]}/ci", timeout_seconds=1.0)
    assert inventory.coverage.state is CoverageState.FAILED


def test_missing_rights_fail_the_reading(mariadb: Server) -> None:
    url = fill(mariadb.create_database(), ROWS)
    with engine_for(url).begin() as connection:
        connection.execute(text("CREATE OR REPLACE USER meek@'%' IDENTIFIED BY 'meek-meek'"))
        connection.execute(text(f"GRANT SELECT ON {url.database}.projects TO meek@'%'"))
    mapping = Mapping({"projects": "SELECT name FROM projects", "quotas": "SELECT * FROM quotas"})
    inventory = read(url.set(username="meek", password="meek-meek"), mapping)
    assert inventory.coverage.state is CoverageState.FAILED
    assert "Grant this user SELECT" in inventory.coverage.why


def test_a_file_that_is_no_database_fails(tmp_path: Path) -> None:
    file = tmp_path / "ci.sqlite"
    file.write_text("certainly not a database, " * 100)
    inventory = read(f"sqlite:///{file}")
    assert inventory.coverage.state is CoverageState.FAILED
    assert "not a database" in inventory.coverage.why


def assert_hidden(*texts: str) -> None:
    for shown in texts:
        for part in (PASSWORD, "p@ss", "w:rd", "p%40ss", "admin:"):
            assert part not in shown, shown


# --- what is configured wrongly -----------------------------------------------------------------------------


def test_a_query_for_a_missing_column_is_a_mapping_error(empty_database: URL) -> None:
    mapping = Mapping({"projects": "SELECT name, colour FROM projects"})
    with pytest.raises(MappingError, match=r"refuses the mapping's query `projects`.*colour") as caught:
        read(fill(empty_database, ROWS), mapping)
    assert "FROM projects" not in str(caught.value)
    assert caught.value.exit_code == 78


def test_a_query_of_a_missing_table_is_a_mapping_error(empty_database: URL) -> None:
    with pytest.raises(MappingError, match=r"`projects`.*nowhere"):
        read(fill(empty_database, ROWS), Mapping({"projects": "SELECT name FROM nowhere"}))


def test_a_query_that_does_not_parse_is_a_mapping_error(empty_database: URL) -> None:
    with pytest.raises(MappingError, match=r"(?i)`projects`.*syntax"):
        read(fill(empty_database, ROWS), Mapping({"projects": "SELECT name FROM projects WHERE AND"}))


def test_a_missing_field_names_query_column_and_what_is_there(empty_database: URL) -> None:
    mapping = Mapping(
        {
            "projects": "SELECT name FROM projects",
            "members": "SELECT project, username AS usrname FROM members",
        }
    )
    with pytest.raises(MappingError) as caught:
        read(fill(empty_database, ROWS), mapping)
    assert str(caught.value) == (
        "The mapping's query `members` gives no column `username`. "
        "Write `usrname AS username`? Its columns are: project, usrname."
    )


def test_a_database_without_projects_names_its_tables(tmp_path: Path) -> None:
    file = tmp_path / "ci.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE project (name TEXT)")
    connection.close()
    with pytest.raises(MappingError, match=r"no table `projects`.*Did you mean `project`"):
        read(f"sqlite:///{file}")


@pytest.mark.parametrize(
    ("module", "url", "step"),
    [
        ("psycopg", "postgresql://u:{}@h/d", "Install abreast[postgresql]"),
        ("pymysql", "mysql://u:{}@h/d", "Install abreast[mysql]"),
        ("pymysql", "mariadb://u:{}@h/d", "Install abreast[mysql]"),
        ("psycopg2", "postgresql+psycopg2://u:{}@h/d", "write postgresql+psycopg:// and install abreast["),
        ("oracledb", "oracle://u:{}@h/d", "Install `oracledb`"),
    ],
)
def test_a_missing_driver_names_the_extra(
    module: str, url: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError) as caught:
        read(url.format(PASSWORD.replace("@", "%40").replace("/", "%2F")))
    assert f"`{module}`" in str(caught.value)
    assert step in str(caught.value)
    assert_hidden(str(caught.value))


@pytest.mark.parametrize(
    "url",
    [
        f"nonsense {PASSWORD}",
        f"fancydb://u:{PASSWORD}@h/d",
        f"postgresql://u:{PASSWORD}@h:port/d",
        "postgresql+asyncpg://u:p%40ss@h/d",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_an_unusable_url_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(url)
    assert caught.value.next_step
    assert_hidden(str(caught.value))


def test_every_secret_of_a_url_is_known() -> None:
    url = make_url("mssql+pyodbc://u:one-one@h/d?odbc_connect=DRIVER%3DX%3BPWD%3Dtwo-two&sslpassword=three")
    assert secrets_of(url) == ("one-one", "two-two", "three")


def test_the_password_comes_from_its_file_at_every_reading(postgresql: Server, tmp_path: Path) -> None:
    url = fill(postgresql.create_database(), ROWS)
    file = tmp_path / "password"
    file.touch(mode=0o600)
    file.write_text(f"{url.password}\n")
    bare = URL.create(url.drivername, url.username, host=url.host, port=url.port, database=url.database)
    database = open_database(bare, password_file=file)
    assert database.read(Scope()).coverage.is_complete
    file.write_text("no longer\n")
    assert database.read(Scope()).coverage.state is CoverageState.FAILED
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        database.read(Scope())


def test_the_extras_drivers_are_the_standard_ones() -> None:
    chosen = {
        scheme: database_url(CiDatabaseSettings(Secret(f"{scheme}://u@h/d"))).drivername
        for scheme in ("postgresql", "mysql", "mariadb", "mysql+mysqldb", "sqlite")
    }
    assert chosen == {
        "postgresql": "postgresql+psycopg",
        "mysql": "mysql+pymysql",
        "mariadb": "mariadb+pymysql",
        "mysql+mysqldb": "mysql+mysqldb",
        "sqlite": "sqlite",
    }


# --- how fast -----------------------------------------------------------------------------------------------


def large(count: int) -> reference_schema.Rows:
    names = [f"project-{number:05}" for number in range(count)]
    return {
        "projects": [{"name": name, "network_domain": f"{name}.ci.example.org"} for name in names],
        "members": [
            {
                "project": name,
                "username": f"user{member}",
                "email": f"user{member}@example.org",
                "firstname": "Ada",
                "lastname": f"Lovelace {member}",
                "role": "owner" if member == 0 else "developer",
            }
            for name in names
            for member in range(4)
        ],
    }


def test_five_thousand_projects_are_read_whole(tmp_path: Path) -> None:
    """How long that takes is for `python -m tests.benchmarks` to say."""
    inventory = read(reference_schema.create_sqlite(tmp_path / "ci.sqlite", large(5_000)))
    assert len(inventory.projects) == 5_000
    assert sum(len(project.members) for project in inventory.projects.values()) == 20_000


def test_settings_load_nothing_heavy() -> None:
    """The console paints its first frame after importing the settings."""
    code = (
        "import sys, sync.settings, sync.mapping, sync.rows; "
        "print(sorted({'sqlalchemy', 'cs', 'httpx', 'requests', 'aiohttp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
