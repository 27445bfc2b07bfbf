"""Files that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from sync.errors import unwritable

_FOR_ITS_OWNER, _FOR_ALL = 0o600, 0o644


def replace(path: Path, content: str | bytes, *, mode: int = _FOR_ITS_OWNER) -> None:
    """Put a file in place when all of it is on the disk, by default for its owner alone. Raises OSError.

    What UTF-8 cannot encode (half of a surrogate pair in a foreign name) is written escaped. A device or a
    pipe is written to and stays what it is: root would take `/dev/null` from everybody.
    """
    given = content.encode("utf-8", "backslashreplace") if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(given)
        return
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(given)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    _sync(path.parent)


def share(path: Path, content: str | bytes) -> None:
    """The same for a file that others are to read. Raises UsageError, StorageError."""
    try:
        replace(path, content, mode=_FOR_ALL)
    except OSError as error:
        raise unwritable(f"{path} cannot be written", error) from None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
