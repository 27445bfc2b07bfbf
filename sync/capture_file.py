"""A single capture as a file to take along: written whole or not at all, for its owner alone."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

from sync.capture import Capture
from sync.capture_store import CaptureEntry, CaptureStore
from sync.errors import CaptureError, UsageError, unwritable


def write_file(capture: Capture, path: Path) -> CaptureEntry:
    """Writes a capture to a new file. Raises UsageError where the file is there already or the place takes
    none, StorageError and CaptureError where it cannot be written for another reason."""
    refuse_existing(path)
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as problem:
        raise unwritable(f"The capture {path} cannot be written", problem) from None
    os.close(descriptor)
    temporary = Path(name)
    try:
        with CaptureStore(temporary) as store:
            entry = store.add(capture)
            assert entry is not None, "the first capture of a store is its newest"
        _finish(temporary)
        refuse_existing(path)
        temporary.replace(path)
        _synced(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except CaptureError as problem:
        why = problem.what.replace(name, str(path))  # the temporary name tells nobody anything
        raise CaptureError(f"The capture cannot be written. {why}", next_step=problem.next_step) from None
    except OSError as problem:
        raise unwritable(f"The capture {path} cannot be written", problem) from None
    except sqlite3.Error as problem:
        raise CaptureError(
            f"The capture {path} cannot be written: {problem}.", next_step="Is the disk full?"
        ) from None
    finally:
        for end in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                Path(f"{name}{end}").unlink()
    return entry


def refuse_existing(path: Path) -> None:
    """Raises UsageError where a file is there already (an earlier capture is worth more), or no folder."""
    if path.exists():
        raise UsageError(
            f"{path} is there already, and a capture is never written over.", next_step="Name another file."
        )
    if not path.parent.is_dir():
        raise UsageError(
            f"The capture {path} cannot be written: there is no folder {path.parent}.",
            next_step="Make it, or name another file.",
        )


def read_file(path: Path, *, at: datetime | None = None) -> Capture:
    """The newest capture in a file, or the one that was the newest at a moment, after the file was checked.

    Raises UsageError where there is no such file, CaptureError where it is no good.
    """
    if not path.exists():
        raise UsageError(f"There is no capture {path}.", next_step="`abreast capture FILE` writes one.")
    with CaptureStore(path, read_only=True) as store:
        problems = store.check()
        if problems:
            raise CaptureError(
                f"{path} is damaged: {problems[0]}.", next_step="Use another capture, and keep this file."
            )
        return store.read(store.at(at).id)


def _finish(path: Path) -> None:
    """One file, without a log beside it, all of it on the disk."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("VACUUM")
    _synced(path, os.O_RDWR)


def _synced(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
