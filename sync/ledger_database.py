"""The ledger's database: how it is opened, made durable and brought to the newest schema."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from sync.errors import ConfigurationError, LedgerError
from sync.write_ahead import make_file, use_write_ahead_log

LATEST_REVISION = "0004"
"""The schema that this release writes; the newest module of `migrations/versions`."""

_BUSY_SECONDS = 15.0
_POSTGRESQL = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "prepare_threshold": None,
}
"""libpq's and psycopg's options: a database that went away without a word is missed within 25 s, and a pool
between us and it (PgBouncer) may hand every transaction to another session."""
_ANSWER_SECONDS = 40.0
"""How long an answer of PostgreSQL is waited for: longer than it gives a statement itself. One whose disk
hangs acknowledges what it is sent, so that no option of TCP's misses it."""
_UPGRADING = threading.Lock()
_MIGRATING = 4_105_211_702
"""Key of PostgreSQL's advisory lock under which one of many migrates."""
_MIGRATIONS = Path(__file__).with_name("migrations")


def connect(url: str) -> Engine:
    """An engine for the ledger's URL; ConfigurationError when it is none or its driver is missing."""
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        options: dict[str, Any] = {"hide_parameters": True}
        backend = parsed.get_backend_name()
        if backend == "sqlite":
            options["connect_args"] = {"timeout": _BUSY_SECONDS, "check_same_thread": False}
        elif parsed.drivername == "postgresql+psycopg":
            options["connect_args"] = {
                name: value for name, value in _POSTGRESQL.items() if name not in parsed.query
            }
            options["pool_pre_ping"] = True
        else:
            raise ConfigurationError(
                f"The ledger cannot be kept in {backend}.", next_step="It is SQLite's or PostgreSQL's."
            )
        engine = create_engine(parsed, **options)
    except SQLAlchemyError:
        raise ConfigurationError(
            "The ledger's URL is not one that SQLAlchemy understands.",
            next_step="Write it as sqlite:///path or postgresql://user@host/name.",
        ) from None
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The ledger's database needs the driver {error.name}, which is not installed.",
            next_step="Install it; for PostgreSQL as abreast[postgresql].",
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "do_connect", _connect_postgresql)
        event.listen(engine, "begin", _begin_postgresql)
    return engine


def is_local(engine: Engine) -> bool:
    """Whether it is a file, which binds one machine."""
    return engine.dialect.name == "sqlite"


def reading_options(engine: Engine) -> dict[str, Any]:
    """Of a connection that reads: one moment of the ledger for as long as it is open."""
    if is_local(engine):
        return {"is_reading": True}
    return {"is_reading": True, "isolation_level": "REPEATABLE READ", "postgresql_readonly": True}


def database_now(connection: Connection, clock: Callable[[], datetime]) -> datetime:
    """The database's time where several machines share it, else `clock`'s."""
    if connection.dialect.name == "sqlite":
        return clock()
    now = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    assert isinstance(now, datetime)
    return now.astimezone(UTC)


@cache
def _patient_connection() -> Any:
    """psycopg's connection, on which nobody waits for ever for an answer."""
    import psycopg

    class PatientConnection(psycopg.Connection[Any]):
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            seconds = _ANSWER_SECONDS if timeout is None else timeout
            try:
                return super().wait(gen, interval, timeout=seconds)
            except psycopg.errors._WaitTimeout:
                # What it still answers would be taken for the answer to the next question.
                self.pgconn.finish()
                raise psycopg.OperationalError(f"it did not answer within {seconds:.0f} s") from None

    return PatientConnection


def _connect_postgresql(_dialect: object, _record: object, args: Any, options: dict[str, Any]) -> object:
    return _patient_connection().connect(*args, **options)


def _configure_sqlite(connection: object, _: ConnectionPoolEntry) -> None:
    """Durable and readable while it is written; transactions are begun by `_begin_sqlite` alone."""
    connection.isolation_level = None  # type: ignore[attr-defined]
    cursor = connection.cursor()  # type: ignore[attr-defined]
    use_write_ahead_log(cursor.execute, patience_seconds=_BUSY_SECONDS)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Writers take the write lock at once: a transaction that reads first could not be serialised later."""
    is_reading = connection.get_execution_options().get("is_reading", False)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


def _begin_postgresql(connection: Connection) -> None:
    """Writers wait for nobody longer than SQLite's would, and are told when it is on the disk."""
    if connection.get_execution_options().get("is_reading", False):
        return
    connection.exec_driver_sql(
        f"SELECT set_config('lock_timeout', '{_BUSY_SECONDS:.0f}s', true),"
        " set_config('statement_timeout', '30s', true),"
        " set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
        " WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)"
    )


def prepare_file(engine: Engine) -> None:
    """Make the SQLite file for its owner alone; SQLite gives its companions the same mode."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name or name == ":memory:":
        return
    path = Path(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_file(path)
    except OSError as error:
        raise LedgerError(
            f"The ledger {path} cannot be opened: {error.strerror}.",
            next_step="Nothing is sent to CloudStack without it. Check the path and its permissions.",
        ) from None


def migrate(connection: Connection, name: str) -> None:
    """Bring the schema up to date within the caller's transaction; LedgerError when it is too new."""
    if _revision(connection) == LATEST_REVISION:
        return
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
        if _revision(connection) == LATEST_REVISION:
            return
    # Only a new or old ledger pays for importing Alembic.
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        # Alembic keeps what it works on in a module: two ledgers that are opened at once take it in turns.
        with _UPGRADING:
            command.upgrade(config, "head")
    except CommandError:
        raise LedgerError(
            f"The ledger {name} was written by a newer abreast.", next_step="Upgrade this installation."
        ) from None


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return str(version) if version is not None else None


def next_step_of(error: Exception, *, otherwise: str) -> str:
    """What to do about a ledger that is damaged or no database at all; `otherwise` for any other cause."""
    cause = cause_of(error)
    if "malformed" in cause or "not a database" in cause:
        return (
            "The file is damaged: keep it as evidence, with its -wal and -shm, and put back a copy. Where "
            "there is none, move it away: a new ledger begins, which knows no pin and no run."
        )
    return otherwise


def cause_of(error: Exception) -> str:
    """The database's own words; they name files and tables, never parameters or passwords."""
    origin = getattr(error, "orig", None) or error
    return str(origin).strip().splitlines()[0] if str(origin).strip() else type(origin).__name__
