"""Evidence that was saved while a deletion went on, as a file: its shape, written and read in one place.

CloudStack forgets its events after a time; what somebody saved of them stays. A file is somebody else's word:
what is no evidence of this server is refused, and its texts are texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sync import atomic_file
from sync.errors import DataError, GuardError, UsageError, unwritable
from sync.model import JsonObject
from sync.report_deletions import Recording

_STAMP = "%Y%m%dT%H%M%SZ"
_LARGEST = 512 << 20
"""Bytes; the events of a year of a large cloud are a tenth of it."""


def write(
    path: Path, lists: Mapping[str, JsonObject], *, environment: str, endpoint: str, at: datetime, by: str
) -> None:
    """Whole or not at all, for its owner alone. Raises UsageError, StorageError."""
    document = {
        "environment": environment,
        "endpoint": endpoint,
        "taken_at": at.isoformat(timespec="seconds"),
        "taken_by": by,
        "lists": lists,
    }
    try:
        atomic_file.replace(path, json.dumps(document, ensure_ascii=False, indent=1))
    except OSError as error:
        raise unwritable(f"The evidence cannot be written to {path}", error) from None


def file_for(folder: Path, environment: str, at: datetime) -> Path:
    """Where an environment's evidence of that moment is saved, unless somebody names another file."""
    return folder / f"{environment}-evidence-{at.astimezone(UTC):{_STAMP}}.json"


def saved_in(folder: Path, environment: str, *, since: datetime) -> tuple[Path, ...]:
    """The environment's files in a folder that were saved since then, the oldest first: an earlier one can
    tell of nothing later."""
    start = file_for(folder, environment, since).name
    files = (path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else ()
    return tuple(sorted(path for path in files if _is_of(path.name, environment) and path.name >= start))


def _is_of(name: str, environment: str) -> bool:
    prefix = f"{environment}-evidence-"
    if not name.startswith(prefix):
        return False
    try:
        datetime.strptime(name.removeprefix(prefix), f"{_STAMP}.json")
    except ValueError:
        return False
    return True


def read(path: Path, *, endpoint: str) -> Recording:
    """What a file tells of deletions.

    Raises UsageError where there is no such file, DataError where it is damaged or no evidence, GuardError
    where it is of another server than that at `endpoint`.
    """
    from sync.cloudstack.deletion_reading import event_of, is_deletion

    document = _document(path)
    try:
        found = Recording(
            file=str(path),
            taken_at=_moment(document["taken_at"]),
            taken_by=_text(document["taken_by"]),
            events=tuple(event_of(row) for row in _rows(document, "listEvents") if is_deletion(row)),
            paths={_text(row["id"]): _text(row["path"]) for row in _rows(document, "listDomains")},
            problem=_text(document["lists"]["listEvents"]["problem"]),
        )
        theirs = _text(document["endpoint"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise _no_evidence(path, "it does not have the shape of what `abreast contain` writes") from None
    if theirs != endpoint:
        raise GuardError(
            f"The evidence {path} is of another server ({theirs}), not of {endpoint}.",
            next_step="Name evidence of this environment.",
        )
    return found


def _document(path: Path) -> Any:
    # Not opened before it is known to be a file: a pipe would be waited for.
    if not path.is_file():
        raise UsageError(f"There is no evidence {path}.", next_step="`abreast contain --evidence` saves it.")
    try:
        size = path.stat().st_size
        if size > _LARGEST:
            raise _no_evidence(path, f"it is too large ({size:,} bytes)")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f"The evidence {path} cannot be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise _no_evidence(path, "it is not JSON, or only a part of it") from None


def _no_evidence(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} is damaged, or no evidence: {why}.",
        next_step="Leave it out, and keep it as it is.",
    )


def _rows(document: Any, name: str) -> Iterable[Mapping[str, object]]:
    """The rows of a list. Raises KeyError, TypeError where it is none."""
    rows = document["lists"][name]["rows"]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TypeError(name)
    return rows


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _moment(value: object) -> datetime:
    """Raises ValueError, TypeError for what has no time zone."""
    found = datetime.fromisoformat(_text(value))
    if found.tzinfo is None:
        raise ValueError(value)
    return found.astimezone(UTC)
