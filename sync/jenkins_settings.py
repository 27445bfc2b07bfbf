"""How the Jenkins of each project is reached, as the configuration says. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from sync.errors import ConfigurationError
from sync.private_file import read_private
from sync.secret import Secret
from sync.toml_table import Table, only_one, read_table

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Login:
    """A Jenkins user and the API token with which it reads."""

    user: str
    token: Secret


@dataclass(frozen=True, slots=True)
class JenkinsSettings:
    """One address pattern for all projects, with one login, one a project, or none."""

    url: str
    """With `{project}` where the project's name goes; names are quoted."""
    user: str = ""
    token_file: Path | None = None
    """Nothing but the token of `user`, readable by its owner only."""
    tokens_file: Path | None = None
    """A TOML table a project, with `user` and `token`; readable by its owner only."""
    timeout_seconds: float = 10.0
    """For one Jenkins as a whole."""
    concurrency: int = 16
    """How many are asked at once."""
    refresh_seconds: float = 60.0

    def url_for(self, project: str) -> str:
        """The address of a project's Jenkins, without a slash at its end."""
        return self.url.replace("{project}", quote(project, safe="")).rstrip("/")

    def logins(self) -> Mapping[str, Login]:
        """The logins by case-folded project, read anew each time; the key `` is for all others.

        Raises ConfigurationError.
        """
        if self.token_file is not None:
            text = read_private(self.token_file, what="the file with the Jenkins token").strip()
            if not text:
                raise ConfigurationError(f"{self.token_file}: the file with the Jenkins token is empty.")
            return {"": Login(self.user, Secret(text))}
        if self.tokens_file is not None:
            text = read_private(self.tokens_file, what="the file with the Jenkins tokens")
            root = read_table(self.tokens_file, text)
            return {project.casefold(): _login(root.table(project)) for project in root.values}
        return {}


def read_settings(table: Table) -> JenkinsSettings | None:
    """The table `[environments.NAME.jenkins]`; None where there is none. Raises ConfigurationError."""
    if not table.values:
        return None
    standard = JenkinsSettings("")
    table.allow(
        "url", "user", "token_file", "tokens_file", "timeout_seconds", "concurrency", "refresh_seconds"
    )
    only_one(table, ("token_file", "tokens_file"))
    url = table.required_text("url", example="https://ci.example.org/{project}/")
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        table.fail(
            "url", "is no address of a Jenkins", next_step='Write "https://ci.example.org/{project}/".'
        )
    if address.username or address.password:
        table.fail("url", "has a login in it", next_step="Write `user` and `token_file` instead.")
    has_token = bool(table.text("token_file") or table.text("tokens_file"))
    if has_token and address.scheme == "http" and address.hostname not in _LOOPBACK:
        table.fail("url", "would send the token in clear", next_step="Use https.")
    if bool(table.text("token_file")) != bool(table.text("user")):
        table.fail("user", "and `token_file` belong together", next_step="Give both, or neither.")
    return JenkinsSettings(
        url=url,
        user=table.text("user"),
        token_file=table.file_named("token_file") if table.text("token_file") else None,
        tokens_file=table.file_named("tokens_file") if table.text("tokens_file") else None,
        timeout_seconds=table.number("timeout_seconds", default=standard.timeout_seconds, least=1, most=120),
        concurrency=table.whole("concurrency", default=standard.concurrency, least=1, most=64),
        refresh_seconds=table.number("refresh_seconds", default=standard.refresh_seconds, least=5, most=3600),
    )


def _login(table: Table) -> Login:
    table.allow("user", "token")
    return Login(
        table.required_text("user", example="abreast"),
        Secret(table.required_text("token", example="…")),
    )
