"""The CI database → what should be there. The only module that talks to the CI database.

Read-only and in one consistent transaction at the database's own level, so that a project can never be seen
without its members because somebody was writing in between. Nothing of the server's or the driver's text
reaches a message before passwords are taken out of it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, inspect, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, ProgrammingError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from sync.errors import ConfigurationError, MappingError
from sync.mapping import QUERIES, columns_of, nearest
from sync.model import Coverage, CoverageState, DesiredInventory, ListProof, Scope
from sync.rows import QueryRows, assemble
from sync.secret import shown_url, without_secrets
from sync.settings import CiDatabaseSettings

Progress = Callable[[str, int], None]

_EXTRAS = {"psycopg": "postgresql", "pymysql": "mysql"}
"""Driver module → the extra of abreast that installs it."""
_PREFERRED = {"postgresql": "psycopg", "mysql": "pymysql", "mariadb": "pymysql"}
"""Kind of database → the driver that abreast's extras install."""
_CONNECT_TIMEOUTS = {
    "psycopg": ("connect_timeout",),
    "psycopg2": ("connect_timeout",),
    "pymysql": ("connect_timeout", "read_timeout"),
    "mysqldb": ("connect_timeout", "read_timeout"),
    "pg8000": ("timeout",),
    "pymssql": ("login_timeout", "timeout"),
    "oracledb": ("tcp_connect_timeout",),
}
"""Driver → its arguments, in seconds, that keep a silent server from holding the reading."""
_SECRET_OPTION = re.compile(r"pass|pwd|secret|token|key", re.I)
_MAPPING_STATES = ("42601", "42703", "42702", "42P01", "42883", "42804", "42803", "3F000")
"""PostgreSQL's SQLSTATEs for a query that asks for what is not there."""
_MAPPING_NUMBERS = (1054, 1052, 1064, 1146, 1305)
"""The same of MySQL and MariaDB: unknown or ambiguous column, syntax, unknown table, unknown function."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class CiDatabase:
    """Reads one CI database. Safe to use from several threads: every reading has a connection of its own."""

    def __init__(self, settings: CiDatabaseSettings, *, clock: Callable[[], datetime] = utc_now) -> None:
        self.settings = settings
        self._clock = clock

    def read(self, scope: Scope, *, progress: Progress | None = None) -> DesiredInventory:
        """What should be there, within `scope`. `progress` hears each query's name and rows once it is read.

        A database that cannot be reached, is locked or refuses comes back as coverage FAILED with the reason.
        Raises ConfigurationError for a URL that cannot be used, a driver or a password file that is missing,
        and MappingError for a query that asks for what is not there or does not give what it must.
        """
        taken_at = self._clock()
        secrets: tuple[str, ...] = ()
        where = shown_url(self.settings.url.reveal())
        tables: dict[str, QueryRows] = {}
        is_whole_table = self.settings.mapping.is_default
        try:
            url = database_url(self.settings)
            secrets = secrets_of(url)
            with snapshot(
                make_engine(url, self.settings.timeout_seconds), self.settings.timeout_seconds
            ) as connection:
                for query, sql in self._queries(connection).items():
                    tables[query] = _run(
                        connection, query, sql, secrets=secrets, is_whole_table=is_whole_table
                    )
                    if progress is not None:
                        progress(query, len(tables[query].rows))
        except (SQLAlchemyError, OSError, RuntimeError, ValueError) as error:
            # drivers also raise plain errors: pymysql a RuntimeError, decoding a ValueError
            return DesiredInventory(scope, taken_at, _failed(error, where, secrets, tables))
        return self._inventory(scope, taken_at, tables, where)

    def _queries(self, connection: Connection) -> dict[str, str]:
        """What to run: the mapping's queries, or the reference schema's tables that this database has."""
        mapping = self.settings.mapping
        if not mapping.is_default:
            return {query: mapping.queries[query] for query in QUERIES if query in mapping.queries}
        inspector = inspect(connection)
        there = {name.casefold() for name in (*inspector.get_table_names(), *inspector.get_view_names())}
        if "projects" not in there:
            raise MappingError(
                "The CI database has no table `projects`, and the configuration has no mapping.",
                next_step="Write [environments.NAME.ci_database.mapping] with a SELECT for `projects`. "
                + nearest("projects", sorted(there), label="The tables are"),
            )
        return {query: f"SELECT * FROM {query}" for query in QUERIES if query in there}  # noqa: S608

    def _inventory(
        self, scope: Scope, taken_at: datetime, tables: dict[str, QueryRows], where: str
    ) -> DesiredInventory:
        assembled = assemble(tables)
        why = "; ".join(part.rstrip(".") for part in (assembled.unkeyed, *assembled.notes) if part)
        state = CoverageState.PARTIAL if assembled.unkeyed else CoverageState.COMPLETE
        return DesiredInventory(
            scope,
            taken_at,
            Coverage(state, why=f"{why}." if why else "", lists=_proofs(tables), caller=where),
            {key: project for key, project in assembled.projects.items() if scope.covers(project.key)},
            assembled.retired,
        )


# --- where it is and how to get there -----------------------------------------------------------------------


def database_url(settings: CiDatabaseSettings) -> URL:
    """The configured URL with its password and the driver that abreast's extras install.

    Raises ConfigurationError where it cannot be parsed or its password is not there.
    """
    written = settings.url.reveal()
    if written.count("@") > 1 and not written.startswith("sqlite"):
        raise ConfigurationError(
            "The URL of the CI database has more than one `@`, so where its host begins cannot be told.",
            next_step="In a password `@` is written %40; or put the password in `password_file`.",
        )
    try:
        url = make_url(written)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "The URL of the CI database cannot be read.",
            next_step="It looks like postgresql://user@host/database, mysql://…, sqlite:////path/to/file; "
            "`@`, `:`, `/` in a password are written as %40, %3A, %2F, or put it in `password_file`.",
        ) from None
    if "+" not in url.drivername and url.drivername in _PREFERRED:
        url = url.set(drivername=f"{url.drivername}+{_PREFERRED[url.drivername]}")
    password = settings.password()
    return url if password is None else url.set(password=password.reveal())


def secrets_of(url: URL) -> tuple[str, ...]:
    """The parts of a URL that are secret: its password, and those among its options, ODBC's included."""
    found = [str(url.password)] if url.password else []
    for key, values in url.normalized_query.items():
        for assignment in ";".join(f"{key}={value}" for value in values).split(";"):
            name, _, value = assignment.partition("=")
            if _SECRET_OPTION.search(name):
                found.append(value.strip("{}"))
    return tuple(found)


def make_engine(url: URL, timeout_seconds: float) -> Engine:
    """An engine that keeps no connection. Connects to nothing yet. Raises ConfigurationError."""
    try:
        dialect = url.get_dialect()
        if dialect.is_async:
            raise ConfigurationError(
                f"The CI database's URL names an asynchronous driver, {url.drivername}.",
                next_step=f"Write {url.get_backend_name()}+{_PREFERRED.get(url.get_backend_name(), 'DRIVER')}://…",
            )
        if dialect.driver == "pysqlite":
            return create_engine(
                "sqlite://", creator=_sqlite_creator(url, timeout_seconds), poolclass=NullPool
            )
        arguments = {
            name: max(2, round(timeout_seconds))
            for name in _CONNECT_TIMEOUTS.get(dialect.driver, ())
            if name not in url.query
        }
        return create_engine(url, connect_args=arguments, poolclass=NullPool, hide_parameters=True)
    except NoSuchModuleError:
        raise ConfigurationError(
            f"The CI database's URL begins {url.drivername}://, which SQLAlchemy does not know here.",
            next_step="It begins postgresql://, mysql://, mariadb://, sqlite:/// or with another dialect "
            "that is installed beside abreast.",
        ) from None
    except ImportError as error:
        raise _missing_driver(url, error) from None
    except (ArgumentError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"The CI database's URL has an option that its driver refuses ({type(error).__name__}).",
            next_step="Look at what follows the `?` in it.",
        ) from None


def _missing_driver(url: URL, error: ImportError) -> ConfigurationError:
    backend = url.get_backend_name()
    module = (error.name or url.get_driver_name()).partition(".")[0]
    extra = _EXTRAS.get(url.get_driver_name()) or _EXTRAS.get(_PREFERRED.get(backend, ""))
    if extra is None:
        step = f"Install `{module}` into abreast's environment."
    elif url.get_driver_name() in _EXTRAS:
        step = f"Install abreast[{extra}], the extra that brings it."
    else:
        step = f"Install it, or write {backend}+{_PREFERRED[backend]}:// and install abreast[{extra}]."
    return ConfigurationError(
        f"The CI database's URL needs the Python module `{module}`, which is not installed or does not load.",
        next_step=step,
    )


def _sqlite_creator(url: URL, timeout_seconds: float) -> Callable[[], sqlite3.Connection]:
    """Connect to an existing file with mode=ro, so that SQLite itself refuses to write or to make one."""
    name = url.database or ""
    if name in ("", ":memory:"):
        raise ConfigurationError(
            "The CI database's URL names no file.", next_step="Write sqlite:////absolute/path/to/file."
        )
    uri = name if name.startswith("file:") else f"file:{quote(str(Path(name).absolute()))}"
    options = {
        key: values[0] for key, values in url.normalized_query.items() if key in ("cache", "immutable", "vfs")
    }
    query = "&".join(f"{key}={quote(value)}" for key, value in {**options, "mode": "ro"}.items())

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"{uri.partition('?')[0]}?{query}", uri=True, timeout=timeout_seconds)

    return connect


# --- one consistent reading ---------------------------------------------------------------------------------


@contextmanager
def snapshot(engine: Engine, timeout_seconds: float) -> Iterator[Connection]:
    """A connection in a read-only transaction that sees one instant, rolled back at the end.

    `timeout_seconds` is how long one statement may wait for a lock. Raises SQLAlchemyError.
    """
    name = engine.dialect.name
    try:
        with engine.connect() as connection:
            begin = {"sqlite": _begin_sqlite, "postgresql": _begin_postgresql}.get(name)
            if name in ("mysql", "mariadb"):
                begin = _begin_mysql
            (begin or _begin_other)(connection, timeout_seconds)
            try:
                yield connection
            finally:
                connection.rollback()
    finally:
        engine.dispose()


def _begin_sqlite(connection: Connection, _timeout_seconds: float) -> None:
    """sqlite3 itself begins a transaction only before a write: two SELECTs are two instants (measured)."""
    connection.exec_driver_sql("PRAGMA query_only = ON")
    connection.exec_driver_sql("BEGIN")


def _begin_postgresql(connection: Connection, timeout_seconds: float) -> None:
    """Row security is turned off: PostgreSQL then refuses what it would otherwise silently leave out."""
    connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    milliseconds = round(timeout_seconds * 1000)
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds * 6}")
    connection.exec_driver_sql("SET LOCAL row_security = off")


def _begin_mysql(connection: Connection, timeout_seconds: float) -> None:
    """A consistent snapshot exists at REPEATABLE READ only; at another level the server ignores the words."""
    seconds = max(1, round(timeout_seconds))
    connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {seconds}")
    connection.exec_driver_sql("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    connection.exec_driver_sql("START TRANSACTION READ ONLY, WITH CONSISTENT SNAPSHOT")


def _begin_other(connection: Connection, _timeout_seconds: float) -> None:
    """Oracle's read-only transaction is a consistent one; elsewhere SERIALIZABLE is. Neither is measured."""
    if connection.dialect.name == "oracle":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    else:
        connection.execution_options(isolation_level="SERIALIZABLE")


def _run(
    connection: Connection, query: str, sql: str, *, secrets: tuple[str, ...], is_whole_table: bool
) -> QueryRows:
    """One query of the mapping, as it stands: `%` and `:` in it mean what they mean to the database."""
    try:
        result = connection.execution_options(no_parameters=True).exec_driver_sql(sql.strip().rstrip(";"))
        positions = columns_of(query, list(result.keys()), is_whole_table=is_whole_table)
        return QueryRows(query, positions, result.fetchall())
    except DBAPIError as error:
        if not _is_mapping_fault(error):
            raise
        raise MappingError(
            f"The CI database refuses the mapping's query `{query}`: {_driver_words(error, secrets)}.",
            next_step="Compare the query with the tables and columns that are there.",
        ) from None


def _is_mapping_fault(error: DBAPIError) -> bool:
    """Whether a query asks for what is not there, as opposed to a database that cannot answer."""
    original: Any = error.orig
    number = original.args[0] if getattr(original, "args", ()) else None
    if isinstance(number, int):
        return number in _MAPPING_NUMBERS
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    if state is not None:
        return str(state) in _MAPPING_STATES
    if isinstance(original, sqlite3.Error):
        words = str(original)
        return words.startswith(
            ("no such column", "no such table", "no such function", "ambiguous column")
        ) or ("syntax error" in words)
    return isinstance(error, ProgrammingError)


# --- what is said about it ----------------------------------------------------------------------------------


def _proofs(tables: dict[str, QueryRows]) -> tuple[ListProof, ...]:
    """One transaction saw one instant and each result was read to its end: that is the proof."""
    return tuple(
        ListProof(
            query,
            rows=len(table.rows),
            unique=len(set(table.texts("name"))) if query == "projects" else None,
        )
        for query, table in tables.items()
    )


def _driver_words(error: Exception, secrets: tuple[str, ...]) -> str:
    """The driver's own words, cut to a line, without anything secret. SQLAlchemy's would quote the query."""
    original: Any = (error.orig if isinstance(error, DBAPIError) else None) or error
    arguments = original.args
    diagnosis: Any = getattr(original, "diag", None)
    if len(arguments) == 2 and isinstance(arguments[0], int):
        text = f"{arguments[1]} ({arguments[0]})"
    elif diagnosis is not None and getattr(diagnosis, "message_primary", None):
        hints = (diagnosis.message_primary, diagnosis.message_hint)
        text = " ".join(hint for hint in hints if hint)
    else:
        text = str(original)
    words = without_secrets(text, secrets).rstrip(".")
    return f"{type(original).__name__}: {words}" if words else type(original).__name__


def _failed(error: Exception, where: str, secrets: tuple[str, ...], tables: dict[str, QueryRows]) -> Coverage:
    why = f"The CI database {where} cannot be read: {_driver_words(error, secrets)}. {_next_step(error)}"
    return Coverage(CoverageState.FAILED, why=why.strip(), lists=_proofs(tables), caller=where)


_STEPS = (
    (("locked", "lock timeout", "lock wait timeout"), "Somebody holds a lock on it; it is tried again."),
    (("cryptography",), "Install pymysql[rsa] beside abreast, or use TLS (?ssl_ca=FILE)."),
    (
        ("password", "access denied", "authentication"),
        "Check the user, and the password where it comes from.",
    ),
    (("row-level security", "row level security"), "This user does not see all rows: give it BYPASSRLS."),
    (("permission denied", "command denied"), "Grant this user SELECT on the mapping's tables."),
    (("unable to open database file",), "Check that the file is there and readable, with its folder."),
    (
        ("malformed", "not a database"),
        "The file is damaged or no SQLite database: put back a copy, or correct the URL.",
    ),
    (("refused", "can't connect", "could not connect"), "Check host and port, and that it runs."),
    (("timeout", "timed out"), "It does not answer in time: check the route, the firewall and its load."),
    (("resolve", "name or service", "getaddrinfo"), "Check the host's name."),
)


def _next_step(error: Exception) -> str:
    words = str(error.orig if isinstance(error, DBAPIError) else error).casefold()
    for signs, step in _STEPS:
        if any(sign in words for sign in signs):
            return step
    return "Check the URL; a server's log says more."
