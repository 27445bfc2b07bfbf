"""Downloads one file over HTTP: resumed by range, hashed while it comes, in its place only when whole.

What cannot be proven whole is not there: a server that does not say how long the file is, a length that does
not come together, a checksum that differs. The address is a secret of sorts and stands in no message.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sync import atomic_file
from sync.errors import DataError, RefusedError, SourceError, StoppedError, UnreachableError

if TYPE_CHECKING:
    import httpx

TRIES = 5
"""How often in a row it may break off without a byte in between."""
_CHUNK = 1 << 20
_CONNECT_SECONDS, _READ_SECONDS = 10.0, 60.0
_WAIT_SECONDS = 2.0
_ALGORITHMS = {32: "md5", 40: "sha1", 64: "sha256", 96: "sha384", 128: "sha512"}
"""Length of a checksum in hex → what it is."""
_CHECKSUM = re.compile(r"(?:\{[A-Za-z0-9-]+\})?([0-9A-Fa-f]+)")
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


@dataclass(frozen=True, slots=True)
class Downloaded:
    size: int
    """Bytes."""
    sha256: str
    checked: tuple[str, ...]
    """`length`, and `checksum` where one was given."""


def download(
    url: str,
    path: Path,
    *,
    checksum: str = "",
    stop: threading.Event,
    sleep: Callable[[float], None],
) -> Downloaded:
    """Fetch a file to `path`; what came of it before, from the same address, is gone on with.

    `checksum` is as CloudStack writes it: hex, perhaps with `{SHA-256}` before it. Raises RefusedError,
    UnreachableError, DataError for a file that is not whole or cannot be written, StoppedError.
    """
    import httpx

    if urlsplit(url).scheme not in ("http", "https"):
        raise DataError("CloudStack gave no address that can be downloaded from.")
    try:
        timeout = httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
        with httpx.Client(timeout=timeout, headers={"Accept-Encoding": "identity"}) as client:
            return _Download(url, path, checksum, client, stop, sleep).run()
    except OSError as error:
        raise DataError(f"{path.name} cannot be written to {path.parent}: {error.strerror}.") from None


@dataclass(slots=True)
class _Download:
    url: str = field(repr=False)
    """Of a random name, and whoever has it has the file."""
    path: Path
    checksum: str
    client: httpx.Client
    stop: threading.Event
    sleep: Callable[[float], None]
    length: int | None = None
    """Of the whole file, as the server announced it."""
    tag: str = ""
    """What names this very content at the server."""
    have: int = 0
    hashes: list[Any] = field(default_factory=list)

    @property
    def part(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part")

    @property
    def memo(self) -> Path:
        """Says of which address and content the part is."""
        return self.path.with_name(f"{self.path.name}.part.json")

    def run(self) -> Downloaded:
        self._begin()
        failures = 0
        while self.length is None or self.have < self.length:
            before = self.have
            try:
                self._fetch()
            except UnreachableError:
                failures = failures + 1 if self.have == before else 1
                if failures >= TRIES:
                    raise
                self.sleep(_WAIT_SECONDS)
        return self._finish()

    # --- what is there already ------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._start_over()
        with suppress(OSError, ValueError, TypeError, KeyError):
            known = json.loads(self.memo.read_text(encoding="utf-8"))
            length, tag = int(known["length"]), str(known["tag"])
            if known["url"] == self.url and self.part.stat().st_size <= length:
                self.length, self.tag = length, tag
                with self.part.open("rb") as file:
                    while chunk := file.read(_CHUNK):
                        self._count(chunk)

    def _start_over(self) -> None:
        self.have, self.length, self.tag = 0, None, ""
        names = ["sha256", *([self._algorithm] if self._algorithm else [])]
        self.hashes = [hashlib.new(name, usedforsecurity=False) for name in names]

    @property
    def _digest(self) -> str:
        found = _CHECKSUM.fullmatch(self.checksum.strip())
        return found[1].lower() if found else ""

    @property
    def _algorithm(self) -> str:
        """Empty where there is no checksum, or one of a kind that nobody here knows."""
        return _ALGORITHMS.get(len(self._digest), "")

    def _count(self, chunk: bytes) -> None:
        self.have += len(chunk)
        for one in self.hashes:
            one.update(chunk)

    # --- fetching -------------------------------------------------------------------------------------------

    def _fetch(self) -> None:
        import httpx

        headers = {"Range": f"bytes={self.have}-", **({"If-Range": self.tag} if self.tag else {})}
        try:
            with self.client.stream("GET", self.url, headers=headers if self.have else {}) as answer:
                self._accept(answer)
                with os.fdopen(_opened(self.part), "ab") as file:
                    file.truncate(self.have)
                    for chunk in answer.iter_raw():
                        file.write(chunk)
                        self._count(chunk)
                        if self.stop.is_set():
                            raise StoppedError(f"The download of {self.path.name} was stopped.")
        except httpx.TransportError as error:
            raise UnreachableError(f"{self._where} broke off: {type(error).__name__}.") from None
        except httpx.HTTPError as error:
            raise DataError(f"{self._where} failed: {type(error).__name__}.") from None

    @property
    def _where(self) -> str:
        of = f" of {self.length}" if self.length is not None else ""
        return (
            f"The download of {self.path.name} from {urlsplit(self.url).hostname} after {self.have}{of} bytes"
        )

    def _accept(self, answer: httpx.Response) -> None:
        """Go on where it ended, or start over where the server does. Raises SourceError."""
        if answer.status_code == 206 and self.have:
            found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
            if found is None or int(found[1]) != self.have or int(found[2]) != self.length:
                self._start_over()
                raise UnreachableError(f"{self._where} was answered with another part.")
            return
        if answer.status_code == 416:
            self._start_over()
            raise UnreachableError(f"{self._where}: the server has less than came before.")
        if answer.status_code != 200:
            raise self._refused(answer.status_code)
        self._start_over()
        length = answer.headers.get("Content-Length", "")
        if not length.isdigit():
            raise DataError(f"{self._where}: the server does not say how long the file is.")
        self.length = int(length)
        self.tag = answer.headers.get("ETag", "")
        if self.tag.startswith("W/"):
            self.tag = ""
        known = {"url": self.url, "length": self.length, "tag": self.tag}
        atomic_file.replace(self.memo, json.dumps(known))

    def _refused(self, status: int) -> SourceError:
        what = f"{self._where} was answered with {status}."
        return UnreachableError(what) if status >= 500 or status == 429 else RefusedError(what, code=status)

    # --- the end --------------------------------------------------------------------------------------------

    def _finish(self) -> Downloaded:
        """Raises DataError for what is not whole: nothing of it stays."""
        checked = ["length"]
        try:
            if self.have != self.length:
                raise DataError(f"{self.path.name} has {self.have} bytes instead of {self.length}.")
            if self._algorithm:
                if self.hashes[1].hexdigest() != self._digest:
                    raise DataError(
                        f"{self.path.name} differs from CloudStack's checksum ({self._algorithm})."
                    )
                checked.append("checksum")
        except DataError:
            self.part.unlink(missing_ok=True)
            self.memo.unlink(missing_ok=True)
            raise
        with os.fdopen(_opened(self.part), "ab") as file:
            os.fsync(file.fileno())
        self.part.replace(self.path)
        self.memo.unlink(missing_ok=True)
        return Downloaded(self.have, self.hashes[0].hexdigest(), tuple(checked))


def _opened(path: Path) -> int:
    """To be written on, readable by its owner only."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
