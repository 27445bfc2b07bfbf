"""A guard, how it is removed, and the tests that have to notice."""

from __future__ import annotations

from dataclasses import dataclass

SQLITE = "not postgresql"
"""What runs on both databases is tried on the one that is there at once."""


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard and how it is removed."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    """Files or ids of tests, the likeliest first."""
    select: str = SQLITE
    """Of those files only these tests (pytest's -k)."""


def guard(name: str, file: str, old: str, new: str, *tests: str, select: str = SQLITE) -> Guard:
    return Guard(name, file, old, new, tests, select)
