"""Which rows of a comparison the names of projects on a command line or a form mean."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from sync.errors import UsageError
from sync.model import project_key

if TYPE_CHECKING:
    from sync.model import Drift, DriftRow


def choose_rows(drift: Drift, projects: Sequence[str]) -> tuple[DriftRow, ...]:
    """The rows of the named projects, or all. Raises UsageError, naming the nearest, for an unknown one."""
    if not projects:
        return drift.rows
    by_key = {row.key: row for row in drift.rows}
    chosen = []
    for name in projects:
        row = by_key.get(project_key(name))
        if row is None:
            near = get_close_matches(project_key(name), list(by_key), n=1)
            hint = (
                f"Did you mean {by_key[near[0]].name}?" if near else "`abreast inventory desired` lists them."
            )
            raise UsageError(f"There is no project or domain named {name}.", next_step=hint)
        chosen.append(row)
    return tuple(chosen)
