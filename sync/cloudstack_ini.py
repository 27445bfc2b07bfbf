"""CloudStack credentials, where the `cs` tool has them: a section of a `cloudstack.ini`, or `CLOUDSTACK_*`.

The file is always the named one: `cs` itself would prefer a file in the working folder and let the
environment point it at another server.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sync.errors import ConfigurationError
from sync.mapping import nearest
from sync.private_file import read_private
from sync.secret import Secret

DEFAULT_TIMEOUT_SECONDS = 10.0
_TRUE = ("1", "true", "yes", "on", "y", "t")
_FALSE = ("0", "false", "no", "off", "n", "f")
_UNUSABLE = ("cert", "cert_key")


@dataclass(frozen=True, slots=True)
class Credentials:
    """One key of one CloudStack server."""

    endpoint: str
    """URL of the API, `https://…/client/api`."""
    key: Secret
    secret: Secret
    verify: bool | str = True
    """Whether the server's certificate is checked; a text is the file of the authority's certificate."""
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    """For one answer."""
    source: str = ""
    """Where it comes from, for messages: file and section."""


def read_section(path: Path, section: str) -> Credentials:
    """The credentials of one section. Raises ConfigurationError; no message quotes a line of the file."""
    text = read_private(path, what="the file with the CloudStack credentials")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text, source=str(path))
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or next(
            (number for number, _ in getattr(error, "errors", ())), "?"
        )
        raise ConfigurationError(
            f"{path}:{line}: not the form of a cloudstack.ini ({type(error).__name__}).",
            next_step="It has [sections], and below each endpoint = …, key = …, secret = ….",
        ) from None
    if section not in parser:
        raise ConfigurationError(
            f"{path} has no section [{section}].",
            next_step=nearest(section, parser.sections(), label="Its sections are"),
        )
    return _credentials(dict(parser[section]), source=f"{path} [{section}]", folder=path.parent)


def read_environment(environ: Mapping[str, str] | None = None) -> Credentials:
    """The credentials of `CLOUDSTACK_ENDPOINT`, `_KEY`, `_SECRET`, …. Raises ConfigurationError."""
    variables = os.environ if environ is None else environ
    prefix = "CLOUDSTACK_"
    values = {
        name[len(prefix) :].casefold(): value for name, value in variables.items() if name.startswith(prefix)
    }
    return _credentials(values, source="environment, CLOUDSTACK_*", folder=Path.cwd())


def _credentials(values: Mapping[str, str], *, source: str, folder: Path) -> Credentials:
    for name in ("endpoint", "key", "secret"):
        if not values.get(name, "").strip():
            raise ConfigurationError(
                f"{source}: `{name}` is missing or empty.", next_step=f"Write {name} = … there."
            )
    for name in _UNUSABLE:
        if values.get(name):
            raise ConfigurationError(
                f"{source}: `{name}` is given, and abreast has no use for client certificates.",
                next_step="Give abreast a section of its own without it.",
            )
    return Credentials(
        endpoint=_endpoint(values["endpoint"].strip(), source=source),
        key=Secret(values["key"].strip()),
        secret=Secret(values["secret"].strip()),
        verify=_verify(values, source=source, folder=folder),
        timeout_seconds=_timeout(values.get("timeout", ""), source=source),
        source=source,
    )


def _endpoint(text: str, *, source: str) -> str:
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
        is_usable = (
            is_usable and (parts.port is None or parts.port > 0) and not (parts.query or parts.fragment)
        )
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConfigurationError(
            f"{source}: `endpoint` is not the URL of an API.",
            next_step="It looks like https://cloudstack.example.org/client/api, without user or query.",
        )
    return text


def _verify(values: Mapping[str, str], *, source: str, folder: Path) -> bool | str:
    insecure = _truth(
        values.get("dangerous_no_tls_verify", ""), False, "dangerous_no_tls_verify", source=source
    )
    given = values.get("verify", "").strip()
    if not given:
        return not insecure
    if given.casefold() in (*_TRUE, *_FALSE):
        return _truth(given, True, "verify", source=source)
    authority = folder / Path(given).expanduser()
    if not authority.exists():
        raise ConfigurationError(
            f"{source}: `verify` names {authority}, which is not there.",
            next_step="Name the file with the certificate of the server's authority, or remove the line.",
        )
    return str(authority)


def _truth(text: str, default: bool, name: str, *, source: str) -> bool:
    word = text.strip().casefold()
    if not word:
        return default
    if word in (*_TRUE, *_FALSE):
        return word in _TRUE
    raise ConfigurationError(f"{source}: `{name}` must be true or false.")


def _timeout(text: str, *, source: str) -> float:
    if not text.strip():
        return DEFAULT_TIMEOUT_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds <= 3600:
        raise ConfigurationError(f"{source}: `timeout` must be a number of seconds, such as 10.")
    return seconds
