"""The manifest of an archive: what is written is read, and what is not whole is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.archive_manifest import FILE, ArchivedFile, ArchivedTemplate, Manifest, read, write
from sync.errors import DataError

NOW = datetime(2026, 11, 25, 23, 41, tzinfo=UTC)
ISO = ArchivedFile(
    "iso", "i-1", "tools", "zephyr", "ROOT/ci/zephyr", "iso-tools-i1.iso", 4096, "ab" * 32, NOW,
    stated_size=4096, stated_checksum="{MD5}0f", checked=("length", "checksum"), facts={"bootable": True},
)  # fmt: skip
MANIFEST = Manifest(
    "production", "https://cloud.example.org/client/api", "root-1", "retire-1", "zephyr", "d-1",
    "ROOT/ci/zephyr", (ISO,), (ArchivedTemplate("v-1", "m-1", "zephyr-vm1", "t-1", "retired-vm1", NOW),),
)  # fmt: skip


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert read(tmp_path) is None
    write(tmp_path, MANIFEST)
    assert read(tmp_path) == MANIFEST
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_it_is_plain_json_with_the_keys_that_are_documented(tmp_path: Path) -> None:
    write(tmp_path, MANIFEST)
    document = json.loads((tmp_path / FILE).read_text())
    assert (document["format"], document["version"]) == ("abreast archive", 1)
    assert list(document["files"][0]) == [
        "kind", "id", "name", "owner", "domain_path", "file", "size", "sha256", "taken_at", "stated_size",
        "stated_checksum", "checked", "facts",
    ]  # fmt: skip
    assert document["files"][0]["taken_at"] == "2026-11-25T23:41:00+00:00"


def test_an_object_has_one_file() -> None:
    again = replace(ISO, size=1)
    assert MANIFEST.with_file(again).files == (again,)
    assert MANIFEST.with_file(replace(ISO, kind="template")).file_of("iso", "i-1") == ISO
    assert MANIFEST.file_of("volume", "i-1") is None


def test_keys_of_a_later_time_are_ignored(tmp_path: Path) -> None:
    write(tmp_path, MANIFEST)
    document = json.loads((tmp_path / FILE).read_text()) | {"weather": "fair"}
    document["files"][0]["colour"] = "blue"
    (tmp_path / FILE).write_text(json.dumps(document))
    assert read(tmp_path) == MANIFEST


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "..", "", FILE, "a\\b"])
def test_no_file_outside_of_the_archive_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, replace(MANIFEST, files=(replace(ISO, file=name),)))
    with pytest.raises(DataError, match="no file of its folder"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"format": "abreast archive", "version": 1}', "damaged"),
        ('{"format": "abreast archive", "version": 2}', "no manifest"),
        ('{"format": "something else", "version": 1}', "no manifest"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(DataError, match=words):
        read(tmp_path)
