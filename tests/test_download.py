"""Downloads from a real server that breaks off, lies and comes back: a file is whole, or it is not there."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sync.download import TRIES, Downloaded, _Download, download
from sync.errors import AbreastError, DataError, RefusedError, StoppedError, UnreachableError

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Storage(BaseHTTPRequestHandler):
    """What secondary storage may do."""

    asked: list[str]
    cuts: list[int]
    """After how many bytes each answer breaks off, in turn; the last holds for ever, -1 is never."""
    tag = '"v1"'
    heeds_ranges = True
    status = 0
    says_length = True
    short = 0

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.asked.append(wanted)
        start = int(wanted[6:-1]) if wanted and self.heeds_ranges else 0
        if self.headers.get("If-Range", self.tag) != self.tag:
            start = 0
        if self.status:
            self.send_error(self.status)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("ETag", self.tag)
        if self.says_length:
            self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        cut = self.cuts.pop(0) if len(self.cuts) > 1 else self.cuts[0]
        self.wfile.write(body[: cut if cut >= 0 else None])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal of the tests."""


@pytest.fixture
def storage() -> Iterator[type[Storage]]:
    kind = type("Kind", (Storage,), {"asked": [], "cuts": [-1]})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    kind.url = f"http://127.0.0.1:{server.server_port}/userdata/secret-name.raw"  # type: ignore[attr-defined]
    yield kind
    server.shutdown()
    server.server_close()
    thread.join()


Fetch = Callable[..., Downloaded]


@pytest.fixture
def fetch(storage: type[Storage], tmp_path: Path) -> Fetch:
    def fetched(checksum: str = "", url: str = "", stop: threading.Event | None = None) -> Downloaded:
        return download(
            url or storage.url,  # type: ignore[attr-defined]
            tmp_path / "volume.raw",
            checksum=checksum,
            stop=stop or threading.Event(),
            sleep=lambda _: None,
        )

    return fetched


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_whoever_sees_a_crash_does_not_see_the_address(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Textual prints the values of a traceback's frames."""
    shown = ""

    def broken(self: object) -> None:
        nonlocal shown
        shown = repr(self)
        raise DataError("on purpose")

    monkeypatch.setattr(_Download, "run", broken)
    with pytest.raises(DataError, match="on purpose"):
        fetch()
    assert "volume.raw" in shown and "secret-name" not in shown


def test_a_file_comes_whole_and_nothing_else_stays(fetch: Fetch, tmp_path: Path) -> None:
    assert fetch() == Downloaded(len(CONTENT), SHA256, ("length",))
    assert (tmp_path / "volume.raw").read_bytes() == CONTENT
    assert (tmp_path / "volume.raw").stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["volume.raw"]


def test_what_breaks_off_is_gone_on_with_where_it_ended(
    fetch: Fetch, storage: type[Storage], tmp_path: Path
) -> None:
    storage.cuts = [1000, 5000, 0, -1]
    assert fetch().sha256 == SHA256
    assert storage.asked == ["", "bytes=1000-", "bytes=6000-", "bytes=6000-"]
    assert (tmp_path / "volume.raw").read_bytes() == CONTENT


def test_a_later_process_goes_on_as_well_but_only_from_the_same_address_and_content(
    fetch: Fetch, storage: type[Storage], tmp_path: Path
) -> None:
    storage.cuts = [1000, 0]
    with pytest.raises(UnreachableError, match=f"after 1000 of {len(CONTENT)} bytes broke off"):
        fetch()
    assert names(tmp_path) == ["volume.raw.part", "volume.raw.part.json"]
    storage.asked.clear()
    storage.cuts = [-1]
    fetch()
    assert storage.asked == ["bytes=1000-"]

    storage.cuts = [1000, 0]
    with pytest.raises(UnreachableError):
        fetch()
    storage.asked.clear()
    storage.cuts, storage.tag = [-1], '"v2"'
    assert fetch().sha256 == SHA256
    assert storage.asked == ["bytes=1000-"]

    storage.cuts = [1000, 0]
    with pytest.raises(UnreachableError):
        fetch()
    storage.asked.clear()
    storage.cuts = [-1]
    other = str(storage.url).replace("secret-name", "another")  # type: ignore[attr-defined]
    assert fetch(url=other).sha256 == SHA256
    assert storage.asked == [""]


def test_a_server_that_knows_no_ranges_starts_over(fetch: Fetch, storage: type[Storage]) -> None:
    storage.cuts, storage.heeds_ranges = [1000, -1], False
    assert fetch() == Downloaded(len(CONTENT), SHA256, ("length",))


def test_a_server_that_gives_nothing_is_not_asked_for_ever(fetch: Fetch, storage: type[Storage]) -> None:
    storage.cuts = [0]
    with pytest.raises(UnreachableError) as caught:
        fetch()
    assert len(storage.asked) == TRIES
    assert "secret-name" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind", "tries"),
    [(404, RefusedError, 1), (410, RefusedError, 1), (503, UnreachableError, TRIES)],
)
def test_a_refusal_is_told(
    fetch: Fetch, storage: type[Storage], status: int, kind: type[AbreastError], tries: int
) -> None:
    storage.status = status
    with pytest.raises(kind, match=f"answered with {status}"):
        fetch()
    assert len(storage.asked) == tries


@pytest.mark.parametrize(
    "checksum",
    [SHA256, SHA256.upper(), f"{{SHA-256}}{SHA256}", hashlib.md5(CONTENT).hexdigest(),
     f"{{SHA-512}}{hashlib.sha512(CONTENT).hexdigest()}"],
)  # fmt: skip
def test_cloudstacks_checksum_is_compared(fetch: Fetch, checksum: str) -> None:
    assert fetch(checksum).checked == ("length", "checksum")


@pytest.mark.parametrize("checksum", ["{CRC}12", "no hex at all", ""])
def test_a_checksum_of_an_unknown_kind_is_not_claimed(fetch: Fetch, checksum: str) -> None:
    assert fetch(checksum).checked == ("length",)


def test_a_wrong_checksum_leaves_nothing(fetch: Fetch, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="differs from CloudStack's checksum"):
        fetch("0" * 64)
    assert names(tmp_path) == []


def test_a_file_of_unknown_length_is_not_whole(fetch: Fetch, storage: type[Storage], tmp_path: Path) -> None:
    storage.says_length = False
    with pytest.raises(DataError, match="does not say how long"):
        fetch()
    assert "volume.raw" not in names(tmp_path)


def test_a_stop_ends_it_and_keeps_what_came(fetch: Fetch, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        fetch(stop=stop)
    assert "volume.raw" not in names(tmp_path)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "", "userdata/x"])
def test_only_the_web_is_downloaded_from(fetch: Fetch, url: str) -> None:
    with pytest.raises(DataError):
        fetch(url=url or "x")


def test_a_folder_that_cannot_be_written_is_told(storage: type[Storage], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        download(storage.url, tmp_path / "none" / "x", stop=threading.Event(), sleep=lambda _: None)  # type: ignore[attr-defined]
