"""The address of this machine at which the files of archives are served, as an operator writes it. Pure."""

from __future__ import annotations

from sync.errors import UsageError


def host_and_port(address: str) -> tuple[str, int]:
    """Of `HOST` or `HOST:PORT`; 0 takes a port that is free. Raises UsageError."""
    host, _, port = address.partition(":")
    is_host = bool(host) and "/" not in host and not any(one.isspace() for one in host)
    if not is_host or (port and not port.isdecimal()) or int(port or 0) > 65535:
        raise UsageError(
            f"{address!r} is no address to serve at.", next_step="Give HOST or HOST:PORT of this machine."
        )
    return host, int(port or 0)
