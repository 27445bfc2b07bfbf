"""What `abreast sandbox` tells people and other tools: a section of cloudstack.ini, the database's URL."""

from __future__ import annotations

from pathlib import Path


def ini_section(*, endpoint: str, key: str, secret: str, name: str = "cloudstack") -> str:
    """A section for `cloudstack.ini`, as `cs` and Ansible read it.

    The section `cloudstack` is the one that `cs` takes by default.
    """
    return f"[{name}]\nendpoint = {endpoint}\nkey = {key}\nsecret = {secret}\n"


def database_url(path: Path) -> str:
    """The SQLAlchemy URL of a sample CI database."""
    return f"sqlite:///{path.resolve().as_posix()}"


def announcement(*, endpoint: str, key: str, secret: str, ci_database: Path | None) -> str:
    """All of it: the section first, so that everything can be put into `cloudstack.ini` as it is."""
    lines = [ini_section(endpoint=endpoint, key=key, secret=secret)]
    if ci_database is not None:
        lines.append(f"# CI database: {database_url(ci_database)}\n")
    return "\n".join(lines)
