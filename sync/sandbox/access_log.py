"""The access log on disk: one JSON line a request, written as it is answered, one file a process.

So that what a sandbox was asked can still be read when the sandbox, and whoever started it, are gone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from sync.sandbox.records import AccessEntry

VARIABLE = "ABREAST_SANDBOX_LOG"
"""Environment variable that names a folder; every sandbox below inherits it and writes a file of its own."""


def plain(entry: AccessEntry) -> dict[str, Any]:
    """An entry as JSON has it."""
    return {
        key: value.isoformat() if isinstance(value, datetime) else value for key, value in vars(entry).items()
    }


def wanted_file(named: Path | None, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The file to append to: the one that was named, or one of this process in the variable's folder."""
    if named is not None:
        return named
    folder = environment.get(VARIABLE, "")
    return Path(folder) / f"sandbox-{os.getpid()}.jsonl" if folder else None


class AccessLog:
    """Appends to a file. Raises OSError when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def __call__(self, entry: AccessEntry) -> None:
        """Write one entry. A line is written at once and whole, so that a killed process loses none."""
        self._file.write(json.dumps(plain(entry), ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()
