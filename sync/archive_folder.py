"""Archives on this machine: their manifests read, their files checked, and served to CloudStack over HTTP.

The server has an address that the operator gives and paths that nobody can guess; it serves files that the
manifests name and nothing else, and is gone with the process.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

from sync import archive_manifest
from sync.archive_address import host_and_port
from sync.archive_manifest import ArchivedFile, ArchivedTemplate
from sync.archives import Archives, Stored
from sync.errors import DataError, UsageError

_CHUNK = 1 << 20
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_WHERE = ("", "*", "*/*")
"""Where a folder's manifests are: in itself, or as retirements put them, by environment and origin."""


def read(folder: Path) -> Archives:
    """The manifests in and below a folder; the files are not looked at yet. Raises UsageError, DataError."""
    files: list[Stored] = []
    templates: list[ArchivedTemplate] = []
    found = False
    for pattern in _WHERE:
        for place in sorted(folder.glob(pattern)) if pattern else [folder]:
            manifest = archive_manifest.read(place) if place.is_dir() else None
            if manifest is None:
                continue
            found = True
            files += [
                Stored((place / one.file).relative_to(folder).as_posix(), one) for one in manifest.files
            ]
            templates += manifest.templates
    if not found:
        raise UsageError(
            f"There is no archive in {folder}: no {archive_manifest.FILE} in it or below.",
            next_step="Name the folder of an archive, or the one that has the archives in it.",
        )
    return Archives(str(folder), tuple(files), tuple(templates))


def checked(
    archives: Archives, files: Iterable[Stored], *, on_step: Callable[[str], None] = lambda _: None
) -> Archives:
    """The archives with what is wrong with these files. Reads every byte of them."""
    problems = dict(archives.problems)
    for one in files:
        if one.file not in problems:
            on_step(f"checking {one.file}")
            problem = _problem(Path(archives.folder) / one.file, one.entry)
            if problem:
                problems[one.file] = problem
    return replace(archives, problems=problems)


def _problem(path: Path, entry: ArchivedFile) -> str:
    """Why a file is not what the manifest says; empty when it is."""
    try:
        size = path.stat().st_size
        if size != entry.size:
            return f"its file {path} has {size} bytes, the manifest says {entry.size}"
        if _sha256(path) != entry.sha256.casefold():
            return f"its file {path} has another checksum than the manifest says"
    except OSError as error:
        return f"its file {path} cannot be read: {error.strerror}"
    return ""


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ArchiveServer:
    """Serves files of archives while it is open, as a context manager. Usable from several threads."""

    def __init__(
        self, archives: Archives, address: str, *, on_fetch: Callable[[str], None] = lambda _: None
    ) -> None:
        """`address` is this machine's, as CloudStack reaches it: `HOST` or `HOST:PORT`. `on_fetch` is told,
        from other threads and in words, what is fetched. Raises UsageError where nothing can be served."""
        self._folder = Path(archives.folder)
        self._stored = {one.file: one.entry for one in archives.files}
        self._paths: dict[str, str] = {}
        """Path → file, of those that were asked for."""
        self._lock = threading.Lock()
        host, port = host_and_port(address)
        try:
            self._server = _Server((host, port), self.file_at, on_fetch)
        except OSError as error:
            raise UsageError(
                f"Nothing can be served at {address}: {error.strerror}.",
                next_step="Name an address of this machine that CloudStack reaches, and a port that is free.",
            ) from None
        self._base = f"http://{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True, name="archive")

    def __enter__(self) -> ArchiveServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def url_of(self, file: str, /, *, sha256: str) -> str:
        """Where the file is served from now on. Raises DataError where it is not the one that is meant."""
        entry = self._stored.get(file)
        if entry is None or entry.sha256 != sha256:
            raise DataError(
                f"{self._folder} has no {file} with the checksum that the plan names.",
                next_step="Name the archive that the plan was made with, or make a new plan.",
            )
        problem = _problem(self._folder / file, entry)
        if problem:
            raise DataError(f"Nothing is served: {problem}.", next_step="Mend the archive.")
        with self._lock:
            known = next((path for path, served in self._paths.items() if served == file), None)
            # CloudStack tells the format by how the address ends.
            path = known or f"/{secrets.token_urlsafe(24)}/{quote(Path(file).name)}"
            self._paths[path] = file
        return self._base + path

    def file_at(self, path: str) -> Path | None:
        """The file that is served at a path; None for any other path."""
        with self._lock:
            file = self._paths.get(path)
        return None if file is None else self._folder / file


class _Server(ThreadingHTTPServer):
    """Knows which files there are, and whom to tell."""

    daemon_threads = True

    def __init__(
        self,
        address: tuple[str, int],
        file_at: Callable[[str], Path | None],
        on_fetch: Callable[[str], None],
    ) -> None:
        self.file_at = file_at
        self.on_fetch = on_fetch
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD for the files; a download that broke off goes on by range."""

    server: _Server

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: object) -> None:
        """The paths are nobody's business."""

    def _answer(self, *, with_body: bool) -> None:
        path = self.server.file_at(self.path)
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            with path.open("rb") as file:
                size = path.stat().st_size
                asked = self._range(size)
                if asked is None:
                    self._refuse(size)
                    return
                first, last = asked
                self._head(first, last, size)
                if with_body:
                    self.server.on_fetch(f"CloudStack fetches {path.name}")
                    file.seek(first)
                    self._send(file.read, last - first + 1)
        except OSError:
            # Gone, or the other side went away: the download fails there, and is read back as failed.
            self.close_connection = True

    def _range(self, size: int) -> tuple[int, int] | None:
        """First and last byte that are asked for; None for what lies behind the end. What is no range, as one
        that ends before it begins, asks for the whole file (RFC 9110)."""
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        first = int(asked[1]) if asked else 0
        last = int(asked[2]) if asked and asked[2] else max(first, size - 1)
        if asked is None or last < first:
            return 0, size - 1
        return (first, min(last, size - 1)) if first < size else None

    def _refuse(self, size: int) -> None:
        self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
        self.send_header("Content-Range", f"bytes */{size}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _head(self, first: int, last: int, size: int) -> None:
        is_part = (first, last) != (0, size - 1)
        self.send_response(HTTPStatus.PARTIAL_CONTENT if is_part else HTTPStatus.OK)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        if is_part:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()

    def _send(self, read: Callable[[int], bytes], left: int) -> None:
        while left > 0 and (chunk := read(min(_CHUNK, left))):
            self.wfile.write(chunk)
            left -= len(chunk)
