"""SQLite's write-ahead log, switched on in a file that others may be opening at the same moment.

SQLite waits for a lock as long as it is told to, but not for this one: who opens a new file while somebody
else writes to it is refused at once.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

_PAUSE_SECONDS = 0.01


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
