"""How commands speak: JSON or text to stdout, progress and prompts to stderr, nothing of it markup."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any

from sync.characters import escaped, escaped_json
from sync.errors import AbreastError, StorageError, UsageError

WIDEST = 60
"""Characters of a clipped cell."""


def plain(value: object) -> Any:
    """A value as JSON has it: dataclasses by field, enums by value, times in ISO 8601 (UTC)."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key.value if isinstance(key, Enum) else key): plain(item) for key, item in value.items()}
    if isinstance(value, (frozenset, set)):
        return sorted(plain(item) for item in value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def safe(text: str) -> str:
    """Text from outside in which what would drive the terminal, or turn its direction, is shown instead."""
    return escaped(text)


def say(text: str) -> None:
    """One line to the person: stderr, so that stdout stays the result. A name in it writes no line of its
    own, whatever characters it has."""
    print(safe(text), file=sys.stderr, flush=True)  # noqa: T201


def say_lines(text: str) -> None:
    """The same for a text of several lines, in which no name from outside stands as it is."""
    for line in text.split("\n"):
        say(line)


def result(text: str) -> None:
    """One line of the result: stdout. Raises StorageError where that is a file on a disk that is full."""
    _put(safe(text))


def result_lines(text: str) -> None:
    """The same for a text of several lines, in which no name from outside stands as it is."""
    for line in text.split("\n"):
        result(line)


def _put(text: str) -> None:
    try:
        print(text, flush=True)  # noqa: T201
    except BrokenPipeError:
        raise
    except OSError as error:
        silence()
        raise StorageError(f"The result cannot be written to stdout: {error.strerror}.") from None


@contextlib.contextmanager
def while_read() -> Iterator[None]:
    """Print for as long as somebody reads: what is said after `| head` went away goes nowhere, and the exit
    code stays the command's."""
    try:
        yield
    except BrokenPipeError:
        silence()


@contextlib.contextmanager
def told_last(problems: list[AbreastError]) -> Iterator[None]:
    """A file that cannot be written keeps nothing back of what was done: whoever calls says that first, and
    raises the problem then."""
    try:
        yield
    except (UsageError, StorageError) as error:
        problems.append(error)


def silence() -> None:
    """Let what is still to be flushed to a stdout that nobody reads go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def result_json(value: object, *, indent: int | None = 2) -> None:
    _put(escaped_json(json.dumps(plain(value), ensure_ascii=False, indent=indent)))


def table(rows: Iterable[Sequence[object]], *, header: Sequence[str]) -> str:
    """Aligned columns, two spaces between; the last column is not padded."""
    cells = [list(header), *([safe(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = []
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        lines.append("  ".join([*padded, row[-1]]).rstrip())
    return "\n".join(lines)


def clipped(text: str) -> str:
    """A cell that others stand behind: a longer one would push them out of sight."""
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"


def ask(prompt: str) -> str:
    """One line from the person; empty at end of input."""
    print(f"{safe(prompt)} ", end="", file=sys.stderr, flush=True)  # noqa: T201
    return sys.stdin.readline().strip()
