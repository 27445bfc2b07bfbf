"""Domains that CloudStack deletes and does not list any more: the name under which one makes room for its
successor, whose old domain it is, and the VMs that are still in it.

Pure. A VM that stands in such a domain is on its way out, not lost, and nobody else's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from sync.model import Project, VirtualMachine, id_key, project_key

LONGEST_DOMAIN_NAME = 255
"""Characters of a domain's name that CloudStack takes (measured on 4.23)."""

_RENAMED = re.compile(r"(?P<name>.+)-deleted-\d{4}-(?P<tag>[^\W_]*)")


def corpse_name(name: str, domain_id: str, now: datetime) -> str:
    """The name under which a dying domain makes room; its id keeps it unique.

    The day only: the next reading has to propose the same rename, or its confirmation would not last.
    """
    suffix = f"-deleted-{now.astimezone(UTC):%m%d}-{_tag(domain_id)}"
    return name[: LONGEST_DOMAIN_NAME - len(suffix)] + suffix


def _tag(domain_id: str) -> str:
    return "".join(character for character in domain_id if character.isalnum())[:4]


def before_renaming(name: str) -> str:
    """The name of a domain before it made room, as far as that was kept; any other as it is."""
    renamed = _RENAMED.fullmatch(name)
    return name if renamed is None else renamed["name"]


class Ancestry:
    """Tells which project's old domain a domain is that is not listed any more."""

    def __init__(self, projects: Mapping[str, Project]) -> None:
        self._projects = projects
        self._stored = {
            id_key(project.domain_id): key for key, project in projects.items() if project.domain_id
        }

    def project_of(self, name: str, domain_id: str) -> str:
        """Key of the project: by the name, by the id that the CI database stores, or by the name before it
        was renamed. Empty for a stranger's. `domain_id` is empty where nothing tells it."""
        key = project_key(name)
        if key in self._projects:
            return key
        stored = self._stored.get(id_key(domain_id), "") if domain_id else ""
        return stored or self._before_renaming(name, domain_id)

    def _before_renaming(self, name: str, domain_id: str) -> str:
        renamed = _RENAMED.fullmatch(name)
        if renamed is None or (domain_id and renamed["tag"].casefold() != _tag(domain_id).casefold()):
            return ""
        key = project_key(renamed["name"])
        if key in self._projects:
            return key
        is_cut = len(name) == LONGEST_DOMAIN_NAME
        return next((full for full in self._projects if is_cut and full.startswith(key)), "")


def leaving(
    projects: Mapping[str, Project], vms: Iterable[VirtualMachine], *, listed: set[str], parent: str
) -> dict[str, tuple[VirtualMachine, ...]]:
    """By project key, the VMs that stand in its old domains; `listed` are the ids of the listed domains."""
    ancestry = Ancestry(projects)
    found: dict[str, list[VirtualMachine]] = {}
    for vm in vms:
        if vm.domain_id in listed:
            continue
        names = below(vm.domain_path, parent)
        key = ancestry.project_of(names[0], vm.domain_id if len(names) == 1 else "") if names else ""
        if key:
            found.setdefault(key, []).append(vm)
    return {key: tuple(sorted(of, key=lambda vm: (vm.name, vm.id))) for key, of in found.items()}


def below(path: str, parent: str) -> list[str]:
    """Names of the domains from the parent (exclusive) down to `path`; empty when it does not lie below."""
    if path.startswith(parent + "/"):
        return path[len(parent) + 1 :].split("/")
    parts, above = path.split("/"), parent.split("/")
    if [part.casefold() for part in parts[: len(above)]] == [part.casefold() for part in above]:
        return parts[len(above) :]
    return []
