"""What of the lost objects an archive has: files to register again, templates that were kept in CloudStack.

Pure; the archive's manifests are read by `archive_folder`. That a file is still whole is not looked at here.
"""

from __future__ import annotations

from collections.abc import Iterable

from sync.archives import Archives
from sync.loss_ledger import Fate, Loss

_KINDS = {"template": "template", "ISO": "iso", "volume": "volume"}
"""Type of an object → what manifests call its files."""


def kept(objects: Iterable[Loss], archives: Archives) -> dict[str, str]:
    """Id of each object that is lost or going → what of it is kept, in words; without those that are not."""
    found = {}
    for one in objects:
        words = _words(one, archives) if one.fate in (Fate.LOST, Fate.DYING) else ""
        if words:
            found[one.id] = words
    return found


def _words(one: Loss, archives: Archives) -> str:
    if one.type == "VM":
        made = archives.template_of(one.id)
        return f"kept as template {made.name} of {made.taken_at:%Y-%m-%d}" if made else ""
    kind = _KINDS.get(one.type)
    if kind is None:
        return ""
    stored = archives.file_of(kind, one.id, name=one.name, path=one.path, owner=one.owner)
    return f"archived on {stored.entry.taken_at:%Y-%m-%d}" if stored is not None else ""
