"""SQLite's files, made for their owner alone, and their write-ahead log, while others may open the same file.

SQLite waits for a lock as long as it is told to, but not for this one: who opens a new file while somebody
else writes to it is refused at once.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

_PAUSE_SECONDS = 0.01


def make_file(path: Path) -> None:
    """Make an empty file, or make sure that the one which is there can be written. Raises OSError.

    One that is there is never opened: closing it would give up every lock that this process has on it through
    SQLite (POSIX), and the next to write would damage it (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not os.access(path, os.R_OK | os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path)) from None


def use_write_ahead_log(execute: Callable[[str], object], *, patience_seconds: float) -> None:
    """Switch it on by `execute`, a cursor's or a connection's; where it is on already that costs nothing.

    Raises sqlite3.OperationalError where the file is still locked after `patience_seconds`.
    """
    ends = time.monotonic() + patience_seconds
    while True:
        try:
            execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= ends:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return
