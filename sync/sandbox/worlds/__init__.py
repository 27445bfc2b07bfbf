"""The worlds that a sandbox can be seeded with: `empty`, `drill`, `large`, or a file.

A file is a blueprint in JSON (see `blueprint`) or a SQLite database of the sample schema (see `ci_rows`): the
cloud is then in sync with it. Every world is one blueprint, from which both the World and the rows of the CI
database follow, so that a database can be written without asking the server anything.
"""

from __future__ import annotations

from pathlib import Path

from sync.sandbox.downloads import SETTING as FETCHING
from sync.sandbox.jenkins import remember
from sync.sandbox.records import World
from sync.sandbox.worlds.blueprint import Blueprint, WorldFileError, load
from sync.sandbox.worlds.ci_rows import read_database, rows_of, write_database

NAMES = ("empty", "drill", "large")
SQLITE_MAGIC = b"SQLite format 3\0"


def blueprint_for(name: str) -> Blueprint:
    """The blueprint of a world's name, or of a file. Raises WorldFileError."""
    if name == "empty":
        return Blueprint(tenants=())
    if name == "drill":
        from sync.sandbox.worlds.drill import drill

        return drill()
    if name == "large":
        from sync.sandbox.worlds.large import large

        return large()
    path = Path(name)
    try:
        with path.open("rb") as file:
            is_database = file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise WorldFileError(
            f"There is no world {name!r}: it is none of {', '.join(NAMES)}, and as a file: {reason}."
        ) from None
    return read_database(path) if is_database else load(path)


def seed(world: World, name: str) -> Blueprint:
    """Fill a fresh cloud with a world, by name or file. Raises WorldFileError."""
    blueprint = blueprint_for(name)
    remember(world, blueprint)
    if blueprint.tenants:
        from sync.sandbox.worlds.build import build

        build(world, blueprint)
    world.service_times.overrides |= blueprint.service_seconds
    # Worlds to practise on are on the machine of whoever practises, and so are the archives.
    world.settings[FETCHING] = "true"
    return blueprint


__all__ = ["NAMES", "Blueprint", "WorldFileError", "blueprint_for", "rows_of", "seed", "write_database"]
