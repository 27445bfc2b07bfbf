"""The SQLite file that captures are in: recognised, opened for its owner alone, made but once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sync.errors import CaptureError
from sync.private_file import has_others
from sync.write_ahead import make_file, use_write_ahead_log

APPLICATION_ID = 0x61627263
"""`abrc`, by which the file is known."""
FORMAT = 1
"""Of the file. A file of another format is refused, never guessed at."""
_MAGIC = b"SQLite format 3\0"
_APPLICATION_AT = 68
"""Where SQLite's header has the application's id."""
_BUSY_SECONDS = 15.0
_LOG_SIZE = 4 << 20
"""Bytes to which the log beside the file is cut back after a large capture."""
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE captures (
    id INTEGER PRIMARY KEY,
    taken_at TEXT NOT NULL,
    desired TEXT NOT NULL,
    actual TEXT NOT NULL,
    counts TEXT NOT NULL,
    changed INTEGER NOT NULL,
    head BLOB NOT NULL,
    digest TEXT NOT NULL
);
CREATE TABLE versions (
    list TEXT NOT NULL,
    key TEXT NOT NULL,
    number INTEGER NOT NULL,
    first INTEGER NOT NULL,
    until INTEGER,
    owner TEXT NOT NULL,
    content BLOB NOT NULL,
    PRIMARY KEY (list, key, number, first)
) WITHOUT ROWID;
CREATE INDEX ended ON versions (until) WHERE until IS NOT NULL;
CREATE INDEX by_key ON versions (key);
"""


def is_capture(path: Path) -> bool:
    """Whether the file says of itself that it has captures. Raises OSError."""
    with path.open("rb") as file:
        header = file.read(_APPLICATION_AT + 4)
    return header.startswith(_MAGIC) and header[_APPLICATION_AT:] == APPLICATION_ID.to_bytes(4, "big")


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A connection whose transactions are ours alone; the file is made where it is to be written.

    Raises CaptureError, OSError, sqlite3.DatabaseError.
    """
    if not read_only:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        make_file(path)
    if has_others(path.stat().st_mode):
        raise CaptureError(
            f"{path}: captures, with the names and addresses of people in them, can be read by others.",
            next_step=f"Run: chmod 600 {path}",
        )
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rw'}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        if not read_only and _is_empty(connection):
            _make(connection)
        _refuse_others(connection, path)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_SIZE}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing, and nobody else writes meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _is_empty(connection: sqlite3.Connection) -> bool:
    return not any(
        connection.execute(question).fetchone()[0]
        for question in ("SELECT count(*) FROM sqlite_master", "PRAGMA application_id")
    )


def _make(connection: sqlite3.Connection) -> None:
    """All of it at once, unless another process has made it meanwhile."""
    use_write_ahead_log(connection.execute, patience_seconds=_BUSY_SECONDS)
    with transaction(connection):
        if _is_empty(connection):
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)


def _refuse_others(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        raise CaptureError(f"{path} is no file of captures.", next_step="`abreast capture FILE` writes one.")
    if version != FORMAT:
        raise CaptureError(
            f"{path} has captures of format {version}, this abreast reads {FORMAT}.",
            next_step="Use the abreast that wrote it, or a newer one.",
        )
