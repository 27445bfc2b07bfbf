"""Where the databases of an environment are: the CI database, CloudStack's own, and whose password is where.

Nothing connects here. A URL may hold a password and is hidden; a file with one must be its owner's alone.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from sync import mapping as mappings
from sync.errors import ConfigurationError
from sync.private_file import read_private, refuse_others
from sync.relink_statement import check_statement
from sync.secret import Secret
from sync.toml_table import Table, only_one


@dataclass(frozen=True, slots=True)
class CiDatabaseSettings:
    """Where the CI database is and how its schema reads."""

    url: Secret
    """A SQLAlchemy URL; hidden, because a password may stand in it."""
    mapping: mappings.Mapping = field(default_factory=mappings.Mapping)
    password_file: Path | None = None
    """A file with nothing but the password, readable by its owner only."""
    password_variable: str = ""
    """The environment variable that has the password."""
    timeout_seconds: float = 10.0
    """For connecting, and for waiting on a lock."""
    relink: str = ""
    """The owner's UPDATE that stores a domain's new id; written out after a rebuild, never run by abreast."""

    def password(self) -> Secret | None:
        """The password that does not stand in the URL, read anew each time. Raises ConfigurationError."""
        if self.password_file is not None:
            text = read_private(self.password_file, what="the file with the CI database's password").strip(
                "\r\n"
            )
            if not text:
                raise ConfigurationError(
                    f"{self.password_file}: the file with the CI database's password is empty."
                )
            return Secret(text)
        if self.password_variable:
            value = os.environ.get(self.password_variable)
            if not value:
                raise ConfigurationError(
                    f"The environment variable {self.password_variable}, with the CI database's password, "
                    "is not set.",
                    next_step=f"Export {self.password_variable}, or configure a password_file.",
                )
            return Secret(value)
        return None


def read_ci_database(table: Table, *, mode: int) -> CiDatabaseSettings:
    """The CI database of an environment; `mode` is the file's. Raises ConfigurationError."""
    table.allow("url", "password_file", "password_variable", "timeout_seconds", "mapping", "relink")
    only_one(table, ("password_file", "password_variable"))
    url = table.required_text("url", example="postgresql://abreast@ci-db.example.org/ci")
    if "://" not in url:
        table.fail(
            "url", "is not a database URL", next_step="It begins postgresql://, mysql://, sqlite:/// …"
        )
    if _has_password(url):
        refuse_others(table.file, mode, what="the configuration, with a database password in it,")
    relink = table.text("relink")
    queries = table.table("mapping")
    queries.allow(*mappings.QUERIES)
    try:
        mapping = mappings.Mapping(MappingProxyType(queries.texts()))
    except ConfigurationError as error:
        raise type(error)(f"{queries.where()}: {error.what}", next_step=error.next_step) from None
    return CiDatabaseSettings(
        url=Secret(anchored(url, table.file.parent)),
        mapping=mapping,
        password_file=table.file_named("password_file") if table.text("password_file") else None,
        password_variable=table.text("password_variable"),
        timeout_seconds=table.number("timeout_seconds", default=10.0, least=0.1, most=600.0),
        relink=check_statement(relink, where=table.where("relink")) if relink else "",
    )


def read_cloudstack_database(table: Table, *, mode: int) -> Secret | None:
    """CloudStack's own database, for the brake; None where it is not named. Raises ConfigurationError."""
    url = table.text("cloudstack_database")
    if not url:
        return None
    if not url.startswith(("mysql", "mariadb")) or "://" not in url:
        table.fail(
            "cloudstack_database",
            "is no URL of a MySQL database",
            next_step='Write it as "mysql://USER:PASSWORD@HOST"; any user that may connect will do.',
        )
    if "@" in url:
        refuse_others(table.file, mode, what="the configuration, with a database user in it,")
    return Secret(url)


def _has_password(url: str) -> bool:
    rest = url.partition("://")[2]
    return bool(re.search(r"^[^/]*:[^/]*@|:.*@|(?i:pass|pwd)\w*=", rest)) and not url.startswith("sqlite")


def anchored(url: str, folder: Path) -> str:
    """A SQLite URL with `~` expanded and a relative path made relative to the configuration's folder."""
    scheme, separator, path = url.partition(":///")
    if not separator or not scheme.startswith("sqlite") or path.startswith(("file:", ":memory:")) or not path:
        return url
    return f"{scheme}:///{folder / Path(path).expanduser()}"
