"""The archive on the eve of a practice incident: a file of most templates and ISOs, with their manifest.

No archive is whole: some are left out, so that what cannot be restored is met in practice too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from sync import archive_manifest
from sync.archive_manifest import ArchivedFile, Manifest
from sync.capture import Capture
from sync.model import OwnedResource
from sync.sandbox import storage
from sync.settings import Environment

ADDRESS = "127.0.0.1"
"""The practice cloud is on this machine and, unlike a real one, fetches from it."""
ORIGIN = "weekly-copies"
LEFT_OUT = slice(2, None, 9)
"""Of the templates and ISOs, by domain and name: the third, and every ninth after it."""


def with_archive(environment: Environment, eve: Capture, folder: Path) -> Environment:
    """The environment with an archive in `folder` of what its capture has. Raises OSError."""
    kept = folder / environment.name / ORIGIN
    kept.mkdir(parents=True, mode=0o700)
    actual = eve.actual
    manifest = Manifest(
        environment.name,
        environment.endpoint,
        actual.coverage.root_id,
        ORIGIN,
        project="",
        domain_id="",
        domain_path=actual.scope.parent,
        files=tuple(_write(kept, kind, one, eve) for kind, one in _copied(eve)),
    )
    archive_manifest.write(kept, manifest)
    return replace(environment, archive=folder, archive_address=ADDRESS)


def _copied(eve: Capture) -> Iterator[tuple[str, OwnedResource]]:
    images = [
        *(("template", one) for one in eve.actual.templates),
        *(("iso", one) for one in eve.actual.isos),
    ]
    images.sort(key=lambda image: (image[1].domain_path.casefold(), image[1].name, image[1].id))
    left_out = {one.id for _, one in images[LEFT_OUT]}
    return (image for image in images if image[1].id not in left_out)


def _write(folder: Path, kind: str, one: OwnedResource, eve: Capture) -> ArchivedFile:
    """One file with the content that the practice cloud would give out for it."""
    content, format_ = storage.content(one.id), one.details.get("format", "")
    name = f"{kind}-{one.name}-{one.id[:8]}.{(format_ or kind).lower()}"
    (folder / name).write_bytes(content)
    return ArchivedFile(
        kind,
        one.id,
        one.name,
        one.project or one.account or "",
        one.domain_path,
        name,
        len(content),
        hashlib.sha256(content).hexdigest(),
        eve.taken_at,
        checked=("length",),
        facts={"format": format_},
    )
