"""From any CI database's schema to the reference fields.

A mapping is one SELECT for each query; the names of its columns are the fields. Owns what a query must give,
which queries are refused, and how rows become values. Does no I/O; `ci_db` runs the queries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType

from sync.errors import MappingError


@dataclass(frozen=True, slots=True)
class Fields:
    """What the columns of one query are called."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return self.required + self.optional


QUERIES: MappingType[str, Fields] = MappingProxyType(
    {
        "projects": Fields(("name",), ("network_domain", "enabled", "domain_id")),
        "members": Fields(("project", "username", "email", "firstname", "lastname"), ("role", "enabled")),
        "agents": Fields(("project", "name"), ("vm", "address")),
        "quotas": Fields(("project", "resource", "maximum")),
        "retired": Fields(("project",), ("by", "at", "reason")),
    }
)
"""Every query of a mapping, in the order in which they are read."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """One SELECT a query. Without any, the tables of the reference schema are read, those that exist.

    Raises MappingError for an unknown query, for one that is no SELECT, and where `projects` is missing.
    """

    queries: MappingType[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for name, sql in self.queries.items():
            if name not in QUERIES:
                raise MappingError(
                    f"The mapping has a query `{name}`, which nothing reads.",
                    next_step=nearest(name, QUERIES, label="The queries are"),
                )
            check_select(name, sql)
        if self.queries and "projects" not in self.queries:
            raise MappingError(
                "The mapping has no query `projects`.",
                next_step="It alone is required: a SELECT whose column `name` is the project's name.",
            )

    @property
    def is_default(self) -> bool:
        return not self.queries


def nearest(wrong: str, known: MappingType[str, object] | Sequence[str], *, label: str) -> str:
    """`Did you mean x?` where something is near, and all that is known."""
    names = list(known)
    near = get_close_matches(wrong.casefold(), names, n=1, cutoff=0.6)
    listed = f"{label}: {', '.join(names)}." if names else f"{label}: none."
    return f"Did you mean `{near[0]}`? {listed}" if near else listed


# --- which queries are refused ------------------------------------------------------------------------------

_NOISE = re.compile(
    r"""
      --[^\n]*                              # comment to the end of the line
    | /\*(?!!).*?\*/                        # comment; /*! … */ is a statement to MySQL, so it stays
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$       # PostgreSQL's dollar quoting
    | '(?:[^']|'')*'                        # text
    | "(?:[^"]|"")*"                        # quoted names
    | `(?:[^`]|``)*`
    | \[[^\]\[]*[A-Za-z_][^\]\[]*\]         # SQL Server's quoted names
    """,
    re.DOTALL | re.VERBOSE,
)
_WRITES = re.compile(r"\b(insert|update|delete|merge|into)\b", re.I)
_CUT = re.compile(
    r"\b(limit\b[^()]*|fetch\s+(?:first|next)\b[^()]*)$|^[\s(]*select\s+(?:distinct\s+|all\s+)?(top\b\s*\(?\d*)",
    re.I,
)
"""What ends a result after so many rows. Within parentheses it is about something else."""


def check_select(query: str, sql: str) -> None:
    """Refuse what is not one SELECT (or WITH … SELECT), or is cut off after so many rows: what is behind the
    cut would look as if it were not there. Raises MappingError.

    This catches mistakes early and in words. What keeps the CI database unchanged is its own read-only
    transaction, not this.
    """
    bare = _NOISE.sub(" ", sql).strip().rstrip(";").strip()
    hint = "A query of the mapping is one SELECT, or WITH … SELECT."
    if not bare:
        raise MappingError(f"The mapping's query `{query}` is empty.", next_step=hint)
    first = re.match(r"[\s(]*(\w+)", bare)
    if first is None or first.group(1).casefold() not in ("select", "with"):
        raise MappingError(
            f"The mapping's query `{query}` is not a SELECT: it begins {bare[:40]!r}.", next_step=hint
        )
    if ";" in bare:
        raise MappingError(f"The mapping's query `{query}` is more than one statement.", next_step=hint)
    if "/*!" in bare:
        raise MappingError(
            f"The mapping's query `{query}` has an executable comment (/*! … */).", next_step=hint
        )
    cut = _CUT.search(bare)
    if cut is not None:
        raise MappingError(
            f"The mapping's query `{query}` is cut off: {(cut.group(1) or cut.group(2)).strip()}.",
            next_step="It must give all rows: what it leaves out would look as if it were not there.",
        )
    writes = _WRITES.search(bare)
    if writes is not None:
        raise MappingError(
            f"The mapping's query `{query}` contains {writes.group(1).upper()}: it must only read.",
            next_step="Where that is the name of a column, put it in quotes.",
        )


# --- which columns there are --------------------------------------------------------------------------------


_MISSPELT = 0.82
"""From which likeness on a column is taken for a misspelt field."""


def columns_of(query: str, columns: Sequence[str], *, is_whole_table: bool = False) -> dict[str, int]:
    """Field → position in the row, compared without case.

    Raises MappingError for a required field without a column, for an optional one that is only misspelt
    (`enabeld`: its default would hold for everybody), for a field that two columns claim, and for a column
    that is no field; of a whole table those are left out, its owner may have more in it.
    """
    fields = QUERIES[query]
    positions: dict[str, int] = {}
    for position, column in enumerate(columns):
        name = column.casefold()
        if name not in fields.all:
            continue
        if name in positions:
            raise MappingError(
                f"The mapping's query `{query}` gives two columns named `{name}`.",
                next_step="Name the columns one by one, each once.",
            )
        positions[name] = position
    there = [column for column in columns if column.casefold() not in positions]
    for name in fields.all:
        if name in positions:
            continue
        misspelt = [column for column in there if _is_misspelt(column, name)]
        if name in fields.required or misspelt:
            near = misspelt or get_close_matches(name, there, n=1, cutoff=0.5)
            guess = f"Write `{near[0]} AS {name}`? " if near else ""
            raise MappingError(
                f"The mapping's query `{query}` gives no column `{name}`.",
                next_step=f"{guess}Its columns are: {', '.join(columns)}.",
            )
    if there and not is_whole_table:
        raise MappingError(
            f"The mapping's query `{query}` gives a column `{there[0]}`, which is no field.",
            next_step=nearest(there[0], fields.all, label=f"The fields of `{query}` are"),
        )
    return positions


def _is_misspelt(column: str, field: str) -> bool:
    return _squeezed(column) == _squeezed(field) or bool(
        get_close_matches(field, [column.casefold()], n=1, cutoff=_MISSPELT)
    )


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())
