"""The archive of one retirement: files fetched into its folder, each in the manifest once it is whole.

A file counts only while the manifest names it and it is there at its full size. Nothing is taken away here.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from sync import archive_manifest
from sync.archive_manifest import ArchivedFile, ArchivedTemplate, Manifest
from sync.download import download
from sync.errors import DataError
from sync.model import JsonObject
from sync.retirement import Extract, Retirement

AT_ONCE = 4
"""Files fetched at the same time."""
_ENDING = re.compile(r"\.[a-z0-9]{1,8}")


class Archiving:
    """What one retirement keeps in its folder. Threads may share it."""

    def __init__(
        self,
        archive: Path,
        retirement: Retirement,
        *,
        stop: threading.Event,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        proposal = retirement.proposal
        (target,) = proposal.targets
        self.folder = archive / proposal.environment / proposal.id
        self._about = Manifest(
            proposal.environment, proposal.endpoint, proposal.root_id, proposal.id, target.project,
            target.domain_id, target.path,
        )  # fmt: skip
        self._stop = stop
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()

    def has(self, one: Extract) -> bool:
        """Whether it is kept, as far as the manifest and the file's size tell. Raises DataError."""
        found = self._manifest().file_of(one.kind.casefold(), one.id)
        if found is None:
            return False
        try:
            return (self.folder / found.file).stat().st_size == found.size
        except FileNotFoundError:
            return False
        except OSError as error:
            raise DataError(f"{self.folder / found.file} cannot be looked at: {error.strerror}.") from None

    def fetch(self, one: Extract, row: JsonObject, url: str) -> ArchivedFile:
        """Fetch what CloudStack has made ready at `url`; `row` is what it says of the object.

        Raises StoppedError, and SourceError where it did not come whole or cannot be kept.
        """
        ending = PurePosixPath(urlsplit(url).path).suffix.lower()
        name = one.file + (ending if _ENDING.fullmatch(ending) else "")
        checksum = str(row.get("checksum") or "")
        self._make_folder()
        found = download(url, self.folder / name, checksum=checksum, stop=self._stop, sleep=self._sleep)
        stated = row.get("physicalsize") or row.get("size")
        is_as_stated = row.get("physicalsize") == found.size
        made = ArchivedFile(
            kind=one.kind.casefold(),
            id=one.id,
            name=one.name,
            owner=str(row.get("project") or row.get("account") or ""),
            domain_path=self._about.domain_path,
            file=name,
            size=found.size,
            sha256=found.sha256,
            taken_at=self._clock(),
            stated_size=stated if isinstance(stated, int) else None,
            stated_checksum=checksum,
            checked=(*found.checked, *(("size",) if is_as_stated else ())),
            facts={key: value for key, value in row.items() if isinstance(value, str | int | float)},
        )
        with self._lock:
            self._write(self._manifest().with_file(made))
        return made

    def keep_templates(self, made: Iterable[ArchivedTemplate]) -> None:
        """Say which templates of the archive account the root volumes became. Raises DataError."""
        with self._lock:
            self._make_folder()
            self._write(replace(self._manifest(), templates=tuple(made)))

    def _manifest(self) -> Manifest:
        return archive_manifest.read(self.folder) or self._about

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise DataError(f"{self.folder} cannot be made: {error.strerror}.") from None

    def _write(self, manifest: Manifest) -> None:
        try:
            archive_manifest.write(self.folder, manifest)
        except OSError as error:
            raise DataError(f"The archive's manifest cannot be written: {error.strerror}.") from None
