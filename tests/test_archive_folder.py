"""Archives that are read, checked and served: what a manifest names, as it says, at paths nobody guesses."""

from __future__ import annotations

import hashlib
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError

import pytest

from sync import archive_manifest
from sync.archive_folder import ArchiveServer, checked, read
from sync.archive_manifest import ArchivedFile, ArchivedTemplate, Manifest
from sync.archives import Archives
from sync.errors import DataError, UsageError

NOW = datetime(2026, 11, 25, 23, 0, tzinfo=UTC)
CONTENT = b"0123456789" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
IMAGE = ArchivedFile(
    "template", "t-1", "base", "dune", "ROOT/ci/dune", "base image.qcow2", 10_000, SHA256, NOW
)


def put(folder: Path, *files: ArchivedFile, templates: tuple[ArchivedTemplate, ...] = ()) -> None:
    """An archive with these files, all of the same content."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in files:
        (folder / one.file).write_bytes(CONTENT)
    made = Manifest(
        "lab", "https://cloud", "root", folder.name, "dune", "d-1", "ROOT/ci/dune", files, templates
    )
    archive_manifest.write(folder, made)


def get(url: str, **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, b""


def test_one_archive_or_all_that_are_below(tmp_path: Path) -> None:
    put(tmp_path / "lab" / "retire-1", IMAGE)
    made = ArchivedTemplate("v-1", "vm-1", "dune-1", "t-9", "retired-dune-1", NOW)
    put(tmp_path / "lab" / "retire-2", replace(IMAGE, id="t-2"), templates=(made,))
    found = read(tmp_path)
    assert [one.file for one in found.files] == [
        "lab/retire-1/base image.qcow2",
        "lab/retire-2/base image.qcow2",
    ]
    assert found.template_of("vm-1") == made
    assert [one.file for one in read(tmp_path / "lab" / "retire-1").files] == ["base image.qcow2"]
    with pytest.raises(UsageError, match="no archive in"):
        read(tmp_path / "lab" / "elsewhere")


def test_the_newest_file_of_an_object_by_its_id_else_by_its_place() -> None:
    older, newer = (
        replace(IMAGE, file="a"),
        replace(IMAGE, file="b", taken_at=NOW.replace(hour=23, minute=30)),
    )
    from sync.archives import Stored

    archives = Archives("x", (Stored("a", older), Stored("b", newer)))
    where = {"name": "base", "path": "ROOT/CI/dune", "owner": "Dune"}
    assert archives.file_of("template", "t-1", **where) == Stored("b", newer)
    assert archives.file_of("template", "other id", **where) == Stored("b", newer)
    assert archives.file_of("iso", "t-1", **where) is None
    assert archives.file_of("template", "other id", **(where | {"name": "another"})) is None


def test_a_file_is_checked_against_its_manifest_byte_by_byte(tmp_path: Path) -> None:
    put(tmp_path, IMAGE, replace(IMAGE, id="t-2", file="short"), replace(IMAGE, id="t-3", file="gone"))
    (tmp_path / "short").write_bytes(CONTENT[:-1])
    (tmp_path / "gone").unlink()
    found = checked(read(tmp_path), read(tmp_path).files)
    assert found.problems.keys() == {"short", "gone"}
    assert "9999 bytes, the manifest says 10000" in found.problems["short"]
    assert "cannot be read" in found.problems["gone"]
    (tmp_path / IMAGE.file).write_bytes(CONTENT[::-1])
    again = checked(read(tmp_path), read(tmp_path).files)
    assert "another checksum" in again.problems[IMAGE.file]


def test_a_file_is_served_whole_in_part_and_not_to_whoever_guesses(tmp_path: Path) -> None:
    put(tmp_path, IMAGE)
    told: list[str] = []
    with ArchiveServer(read(tmp_path), "127.0.0.1", on_fetch=told.append) as server:
        url = server.url_of(IMAGE.file, sha256=SHA256)
        assert url == server.url_of(IMAGE.file, sha256=SHA256)
        assert url.endswith("/base%20image.qcow2"), "CloudStack tells the format by the end of the address"
        assert len(url.split("/")[-2]) >= 32
        assert get(url) == (200, CONTENT)
        assert get(url, Range="bytes=9990-") == (206, CONTENT[9990:])
        assert get(url, Range="bytes=5-9") == (206, CONTENT[5:10])
        assert get(url, Range="bytes=9990-20000") == (206, CONTENT[9990:])
        assert get(url, Range="bytes=5-3") == (200, CONTENT), "that is no range"
        assert get(url, Range="bytes=10000-") == (416, b"")
        assert get(url, Range="bytes=10000-10005") == (416, b"")
        base = url.rsplit("/", 2)[0]
        for path in ("/", "/base%20image.qcow2", "/manifest.json", "/../manifest.json", "/x/manifest.json"):
            assert get(base + path)[0] == 404
    assert told == ["CloudStack fetches base image.qcow2"] * 5
    with pytest.raises(OSError, match=r"refused|closed|reset"):
        urllib.request.urlopen(url, timeout=5)


def test_what_is_not_what_the_plan_names_is_not_served(tmp_path: Path) -> None:
    put(tmp_path, IMAGE)
    with ArchiveServer(read(tmp_path), "127.0.0.1") as server:
        with pytest.raises(DataError, match="checksum that the plan names"):
            server.url_of(IMAGE.file, sha256="0" * 64)
        with pytest.raises(DataError, match="checksum that the plan names"):
            server.url_of("../outside", sha256=SHA256)
        (tmp_path / IMAGE.file).write_bytes(CONTENT[::-1])
        with pytest.raises(DataError, match="another checksum"):
            server.url_of(IMAGE.file, sha256=SHA256)


@pytest.mark.parametrize(
    "address", ["", ":80", " ", "127.0.0.1/", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:99999", "192.0.2.1"]
)
def test_an_address_that_is_none_of_this_machine_is_refused(tmp_path: Path, address: str) -> None:
    put(tmp_path, IMAGE)
    if address == "127.0.0.1:":
        address = "127.0.0.1:-1"
    with pytest.raises(UsageError, match=r"no address to serve at|Nothing can be served"):
        ArchiveServer(read(tmp_path), address)
