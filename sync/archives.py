"""All that the archives below one folder hold, for whoever restores: files, and templates in CloudStack.

Pure. What one manifest says is `archive_manifest`; the folder is read and served by `archive_folder`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sync.archive_manifest import ArchivedFile, ArchivedTemplate


@dataclass(frozen=True, slots=True)
class Stored:
    """One file of an archive."""

    file: str
    """Below the folder that was given, with `/` between: what a plan calls it."""
    entry: ArchivedFile


@dataclass(frozen=True, slots=True)
class Archives:
    """What was found below a folder."""

    folder: str = ""
    """Empty where none was given."""
    files: tuple[Stored, ...] = ()
    templates: tuple[ArchivedTemplate, ...] = ()
    problems: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """File → why it cannot be used, of those that were looked at."""

    def file_of(self, kind: str, id: str, *, name: str, path: str, owner: str) -> Stored | None:
        """The newest file of an object: by its id, else by place and name. `kind`: `template` or `iso`."""
        key = (path.casefold(), owner.casefold(), name)
        by_id = [one for one in self.files if (one.entry.kind, one.entry.id) == (kind, id)]
        by_name = [
            one
            for one in self.files
            if one.entry.kind == kind
            and (one.entry.domain_path.casefold(), one.entry.owner.casefold(), one.entry.name) == key
        ]
        return max(by_id or by_name, key=lambda one: one.entry.taken_at, default=None)

    def template_of(self, machine_id: str) -> ArchivedTemplate | None:
        """The newest template that was made of a VM's root volume and is kept in CloudStack."""
        made = [one for one in self.templates if one.machine_id == machine_id]
        return max(made, key=lambda one: one.taken_at, default=None)
