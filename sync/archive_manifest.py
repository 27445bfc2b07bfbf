"""What an archive of a project holds, in one JSON file beside its files: written by retirements, read by
whoever restores. This is the one place that says its shape.

An archive is the folder `ARCHIVE/ENVIRONMENT/ORIGIN` with `manifest.json` and the files it names. The
manifest is one JSON object, in UTF-8; times are ISO 8601 with their offset, sizes are bytes, ids are
CloudStack's, and what CloudStack did not say is an empty string, or null where it is a number:

    {"format": "abreast archive", "version": 1,
     "environment": "production",                what it was taken of: environment,
     "endpoint": "https://…/client/api",         server,
     "root_id": "…",                             its ROOT domain,
     "origin": "retire-20261125-…",              retirement that made it; also the folder's name,
     "project": "zephyr",                        key of the project,
     "domain_id": "…", "domain_path": "ROOT/ci/zephyr",
     "files": [                                  complete and checked; what is not here is not kept
       {"kind": "template",                      `template`, `iso` or `volume`
        "id": "…", "name": "…", "owner": "…",    as they were; owner is an account or a CloudStack Project
        "domain_path": "ROOT/ci/zephyr",         where it was
        "file": "template-base-1a2b3c4d.qcow2",  name in this folder, never a path
        "size": 1234, "sha256": "…",             of the file, counted here while it came
        "stated_size": 1234,                     what CloudStack calls its size: of a volume the virtual one
        "stated_checksum": "{SHA-256}…",         as CloudStack writes it
        "checked": ["length", "checksum"],       what it agrees with: `length` announced for the download,
                                                 `checksum` of CloudStack where it gives one, and `size`
                                                 where CloudStack's physicalsize is the file's
        "taken_at": "2026-11-25T23:41:07+00:00",
        "facts": {"format": "QCOW2", …}}],       CloudStack's own row, texts and numbers as it gives them
     "templates": [                              kept in CloudStack itself, owned by the archive account
       {"volume_id": "…", "machine_id": "…", "machine": "zephyr-vm1",
        "template_id": "…", "name": "retired-zephyr-vm1-1a2b3c4d", "taken_at": "…"}]}

A reader ignores keys that it does not know and refuses another `version`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sync import atomic_file
from sync.errors import DataError
from sync.model import JsonObject

FILE = "manifest.json"
_FORMAT, _VERSION = "abreast archive", 1


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """One file of the archive, complete and checked."""

    kind: str
    id: str
    name: str
    owner: str
    domain_path: str
    file: str
    size: int
    sha256: str
    taken_at: datetime
    stated_size: int | None = None
    stated_checksum: str = ""
    checked: tuple[str, ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ArchivedTemplate:
    """One root volume that was made a template of the archive account."""

    volume_id: str
    machine_id: str
    machine: str
    template_id: str
    name: str
    taken_at: datetime


_Row = TypeVar("_Row", ArchivedFile, ArchivedTemplate)


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that is kept of one project."""

    environment: str
    endpoint: str
    root_id: str
    origin: str
    project: str
    domain_id: str
    domain_path: str
    files: tuple[ArchivedFile, ...] = ()
    templates: tuple[ArchivedTemplate, ...] = ()

    def file_of(self, kind: str, id: str) -> ArchivedFile | None:
        return next((one for one in self.files if (one.kind, one.id) == (kind, id)), None)

    def with_file(self, made: ArchivedFile) -> Manifest:
        """With this file, in place of an earlier one of the same object."""
        others = (one for one in self.files if (one.kind, one.id) != (made.kind, made.id))
        return replace(self, files=(*others, made))


def write(folder: Path, manifest: Manifest) -> None:
    """Put the manifest into the archive's folder, whole or not at all. Raises OSError."""
    document: JsonObject = {"format": _FORMAT, "version": _VERSION}
    for one in fields(manifest):
        document[one.name] = _plain(getattr(manifest, one.name))
    atomic_file.replace(folder / FILE, json.dumps(document, ensure_ascii=False, indent=1) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, ArchivedFile | ArchivedTemplate):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    return value.isoformat() if isinstance(value, datetime) else value


def read(folder: Path) -> Manifest | None:
    """The manifest of an archive's folder; None where it has none.

    Raises DataError for one that is damaged, that names a file outside of its folder, or of another version.
    """
    path = folder / FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("format") != _FORMAT or document.get("version") != _VERSION:
            raise DataError(f"{path} is no manifest of an archive that this abreast can read.")
        texts = {name: str(document[name]) for name in _TEXTS}
        found = Manifest(
            **texts,
            files=tuple(_file(one) for one in document["files"]),
            templates=tuple(_made(ArchivedTemplate, one) for one in document["templates"]),
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DataError(f"{path} is damaged: nothing is taken from this archive.") from None
    return _refuse_paths(path, found)


_TEXTS = ("environment", "endpoint", "root_id", "origin", "project", "domain_id", "domain_path")


def _refuse_paths(path: Path, found: Manifest) -> Manifest:
    for one in found.files:
        if one.file in ("", ".", "..", FILE) or "/" in one.file or "\\" in one.file or "\0" in one.file:
            raise DataError(f"{path} names {one.file!r}, which is no file of its folder.")
    return found


def _file(content: JsonObject) -> ArchivedFile:
    checked = tuple(str(one) for one in content["checked"])
    return _made(ArchivedFile, {**content, "checked": checked, "size": int(content["size"])})


def _made(kind: type[_Row], content: JsonObject) -> _Row:
    known = {one.name: content[one.name] for one in fields(kind)}
    return kind(**{**known, "taken_at": datetime.fromisoformat(content["taken_at"])})
