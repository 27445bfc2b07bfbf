"""Templates that are really fetched, as CloudStack's storage VM does: over HTTP, with size and checksum.

Only from loopback, and only in a world with the sandbox's own setting for it: real servers refuse loopback
(measured), and what other addresses have, the simulator has at once. Texts of failures are not recorded.
"""

from __future__ import annotations

import hashlib
import ipaddress
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from sync.sandbox.records import World

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 30.0
_DIGESTS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-512": "sha512"}


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of a download."""

    size: int = 0
    """Bytes."""
    problem: str = ""
    """CloudStack's status of a template that could not be had; empty when it could."""


SETTING = "sandbox.fetches.from.loopback"


def is_fetched(url: str, world: World) -> bool:
    """Whether what is at the address is really fetched."""
    if world.settings.get(SETTING) != "true":
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False


def begin(url: str, checksum: str | None) -> Future[Fetched]:
    """Fetch in the background. `checksum` as CloudStack takes it: `{SHA-256}…`, or a bare MD5."""
    return _pool().submit(_fetched, url, checksum)


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=4, thread_name_prefix="download")


def _fetched(url: str, checksum: str | None) -> Fetched:
    algorithm, _, wanted = (checksum or "{MD5}").removeprefix("{").partition("}")
    if not wanted:
        algorithm, wanted = "MD5", checksum or ""
    digest = hashlib.new(_DIGESTS.get(algorithm, "md5"), usedforsecurity=False)
    size = 0
    try:
        # The address was proven to be this machine's own, and http.
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except HTTPError as error:
        return Fetched(problem=f"HTTP Server returned {error.code} (expected 200 OK)")
    except (URLError, OSError) as error:
        return Fetched(problem=f"Unable to connect: {error}")
    if checksum and digest.hexdigest() != wanted.lower():
        return Fetched(problem=f"checksum {digest.hexdigest()} didn't match the given value, {checksum}")
    return Fetched(size)
