"""The UPDATE with which a CI database's owner stores a new id: what it must look like."""

from __future__ import annotations

import re

from sync.errors import ConfigurationError

REFERENCE = "UPDATE projects SET domain_id = :current WHERE name = :project AND domain_id = :stored"
"""Of the reference schema."""
PARAMETERS = ("project", "stored", "current")
_EXAMPLE = (
    "Write it as: UPDATE ci.project SET cloud_id = :current WHERE slug = :project AND cloud_id = :stored"
)


def check_statement(sql: str, *, where: str) -> str:
    """The statement, refused unless it is one UPDATE with all three parameters. Raises ConfigurationError."""
    bare = sql.strip().rstrip(";").strip()
    if not re.match(r"update\b", bare, re.I) or ";" in bare:
        raise ConfigurationError(f"{where} must be one UPDATE statement.", next_step=_EXAMPLE)
    missing = [name for name in PARAMETERS if not re.search(rf"(?<!:):{name}\b", bare)]
    if missing:
        raise ConfigurationError(f"{where} has no :{missing[0]} in it.", next_step=_EXAMPLE)
    return bare
