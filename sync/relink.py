"""After a rebuild: the ids that the CI database stores and CloudStack does not have, and what mends them.

A sync that matches domains by stored ids takes every rebuilt domain for one without a project, and deletes
it. So the new ids go to the CI database's owner, as CSV and as SQL of the owner's own statement; abreast
never writes there.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sync import atomic_file
from sync.errors import ConfigurationError, unwritable
from sync.model import id_key
from sync.recovery import StaleId
from sync.relink_statement import REFERENCE

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

    from sync.model import ActualInventory, DesiredInventory
    from sync.settings import CiDatabaseSettings

CSV_COLUMNS = ("project", "stored_id", "current_id")


@dataclass(frozen=True, slots=True)
class Links:
    """How the stored ids stand, by two complete readings."""

    alive: int
    """Projects whose stored id is the id of a domain that CloudStack has now."""
    dead: tuple[str, ...]
    """Names of projects whose stored id no domain has: what a sync by ids would not recognise."""
    without: int
    """Projects that store none."""
    unproven: str
    """Why nothing can be said; empty when both sides were read completely."""

    @property
    def are_alive(self) -> bool:
        """Whether every stored id is proven to be alive."""
        return not self.unproven and not self.dead


def links(desired: DesiredInventory, actual: ActualInventory) -> Links:
    """Compare the stored ids with the domains that were read."""
    sides = (("CI database", desired.coverage), ("CloudStack", actual.coverage))
    unproven = " ".join(
        f"{name}: {coverage.state.value}. {coverage.why}".strip()
        for name, coverage in sides
        if not coverage.is_complete
    )
    there = {id_key(domain.id) for domain in actual.domains}
    stored = [project for project in desired.projects.values() if project.domain_id]
    dead = tuple(sorted(project.name for project in stored if id_key(project.domain_id or "") not in there))
    return Links(
        alive=len(stored) - len(dead),
        dead=dead,
        without=len(desired.projects) - len(stored),
        unproven=unproven,
    )


def why_keep_fence(found: Links) -> str:
    """Why a fence must stay; empty when it may go: a sync that finds its stored ids gone sees the rebuilt
    domains as nobody's and deletes them."""
    if found.unproven:
        return f"Both sides must be read completely before a fence is lifted. {found.unproven}"
    if not found.dead:
        return ""
    shown = ", ".join(found.dead[:5]) + (f" and {len(found.dead) - 5} more" if len(found.dead) > 5 else "")
    return f"The CI database stores domain ids that CloudStack does not have any more: {shown}."


def as_csv(stale: Iterable[StaleId]) -> str:
    """One line a project: its name, the id that is stored, the id that it has now."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows((one.project, one.stored, one.current) for one in stale)
    return text.getvalue()


def as_sql(stale: Sequence[StaleId], statement: str, dialect: Dialect, *, title: str) -> str:
    """The owner's UPDATE once for each id, in one transaction, with values quoted as the dialect does.

    Each changes its row only while the old id still stands in it, so running it twice changes nothing more.
    """
    from sqlalchemy import String, bindparam, text

    wanted = text(statement.rstrip().rstrip(";")).bindparams(
        *(bindparam(name, type_=String()) for name in ("project", "stored", "current"))
    )
    lines = [f"-- {title}: {len(stale)} rows", "BEGIN;"]
    for one in stale:
        bound = wanted.bindparams(project=one.project, stored=one.stored, current=one.current)
        compiled = bound.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        lines.append(f"{_unescaped(str(compiled), dialect)};")
    return "\n".join([*lines, "COMMIT;", ""])


def file_name(environment: str, suffix: str) -> str:
    """Of an environment's file, always the same: a later reading's takes the place of an earlier one's, which
    may name domains that are gone since."""
    return f"relink-{environment}{suffix}"


def write(
    stale: Sequence[StaleId], settings: CiDatabaseSettings, folder: Path, *, environment: str, at: datetime
) -> tuple[Path, ...]:
    """Write the CSV and, where the statement is known, the SQL, in place of those of an earlier reading.

    Raises UsageError, StorageError where the folder cannot take them, ConfigurationError for an unknown kind
    of database.
    """
    contents = {file_name(environment, ".csv"): as_csv(stale)}
    statement = statement_of(settings)
    if statement:
        title = f"Domain ids after a rebuild, read by abreast at {at:%Y-%m-%d %H:%M} UTC"
        contents[file_name(environment, ".sql")] = as_sql(stale, statement, dialect_of(settings), title=title)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in contents.items():
            atomic_file.replace(folder / file, content)
    except OSError as error:
        raise unwritable(
            f"The new ids cannot be written to {folder}", error, next_step="Name another folder."
        ) from None
    return tuple(folder / file for file in contents)


def statement_of(settings: CiDatabaseSettings) -> str:
    """The configured UPDATE, the reference schema's where no mapping is configured, else empty."""
    return settings.relink or (REFERENCE if settings.mapping.is_default else "")


def dialect_of(settings: CiDatabaseSettings) -> Dialect:
    """How the CI database's server quotes. Raises ConfigurationError for an unknown kind of database."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return make_url(settings.url.reveal()).get_dialect()()
    except (SQLAlchemyError, ImportError):
        raise ConfigurationError(
            "The CI database's URL names no kind of database that SQL can be written for.",
            next_step="Use the CSV file.",
        ) from None


def _unescaped(sql: str, dialect: Dialect) -> str:
    """As it is run by hand: not by a driver, whose own marks (`%s`) ask for doubled percent signs."""
    return sql.replace("%%", "%") if dialect.paramstyle in ("format", "pyformat") else sql
