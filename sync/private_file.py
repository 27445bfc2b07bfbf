"""Files that hold secrets: read only when nobody else can."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from sync.errors import ConfigurationError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_private(path: Path, *, what: str) -> str:
    """The text of a file that only its owner may read. `what` it is, in a message's words.

    Raises ConfigurationError when it cannot be read, or when others than its owner may.
    """
    text, mode = read_text(path, what=what)
    refuse_others(path, mode, what=what)
    return text


def refuse_others(path: Path, mode: int, *, what: str) -> None:
    """Raises ConfigurationError when `mode` lets others than the owner read or write `path`."""
    if has_others(mode):
        raise ConfigurationError(
            f"{path}: {what} can be read or changed by others (mode {stat.S_IMODE(mode):04o}).",
            next_step=f"Run: chmod 600 {path}",
        )


def read_text(path: Path, *, what: str) -> tuple[str, int]:
    """The text of a file and its mode, of the same moment. Raises ConfigurationError."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            return file.read(), mode
    except UnicodeDecodeError:
        raise ConfigurationError(
            f"{path}: {what} is not UTF-8 text.", next_step="Save it as UTF-8."
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"{path}: {what} cannot be read: {error.strerror or type(error).__name__}.",
            next_step="Check the path and whose file it is.",
        ) from None


def has_others(mode: int) -> bool:
    """Whether `mode` lets others than the owner read or write."""
    return os.name == "posix" and bool(mode & _OTHERS)
