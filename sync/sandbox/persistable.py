"""Makes classes that a state file can hold, and knows them all by name. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

RecordT = TypeVar("RecordT")
RECORDS: dict[str, type] = {}
"""Every record class by name, for persistence."""


@dataclass_transform(kw_only_default=True)
def record(cls: type[RecordT]) -> type[RecordT]:
    """Make a class a keyword-only dataclass that a state file can hold."""
    made = dataclass(kw_only=True)(cls)
    RECORDS[cls.__name__] = made
    return made
