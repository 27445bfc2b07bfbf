"""Whether the configured parent is the wrong place to look: the projects' domains live somewhere else.

Pure. A typo in `parent` looks like the loss of everything, and what repaired it would be a second tree of
domains beside the real one. So where the parent is missing, or holds the domain of no project, the rest of
CloudStack is asked first: by the ids that the CI database stores, then by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sync.agreement import LEAST, SHARE
from sync.model import Domain, Project, id_key, project_key


@dataclass(frozen=True, slots=True)
class Ground:
    """What is known of the parent itself."""

    parent: str
    exists: bool
    has_shrunk: bool
    """Whether earlier readings saw more below it: then it is a loss, and names elsewhere prove nothing."""


def homes(projects: Mapping[str, Project], elsewhere: Iterable[Domain]) -> dict[str, Domain]:
    """Key of a project → the domain outside of the parent that has the id which the CI database stores."""
    stored = {id_key(project.domain_id): key for key, project in projects.items() if project.domain_id}
    if not stored:
        return {}
    found = ((stored.get(id_key(domain.id)), domain) for domain in elsewhere)
    return {key: domain for key, domain in found if key is not None}


def misplaced(
    projects: Mapping[str, Project],
    elsewhere: Collection[Domain],
    *,
    ground: Ground,
    by_id: Mapping[str, Domain],
) -> str:
    """Why `parent` is probably not where the projects' domains are, in whole sentences; else empty.

    Asked only where the parent holds the domain of no project. A single living id is enough while the parent
    does not exist. Names may be alike by chance, and a lost tree may have a twin: they count in numbers, not
    against a parent that is known to have lost domains, and beside one that exists not for projects whose
    stored id is gone everywhere. A domain that was listed without its path lies nowhere.
    """
    by_id = {key: domain for key, domain in by_id.items() if domain.path}
    if by_id and (not ground.exists or _is_telling(len(by_id), len(projects))):
        parents = Counter(_above(domain) for domain in by_id.values())
        return _words(ground, parents, len(projects), by_id=True)
    if ground.has_shrunk:
        return ""
    named = {key for key, project in projects.items() if not (ground.exists and project.domain_id)}
    parents = Counter(_above(domain) for domain in elsewhere if project_key(domain.name) in named)
    parents.pop("", None)
    if not parents or not _is_telling(max(parents.values()), len(projects)):
        return ""
    return _words(ground, parents, len(projects), by_id=False)


def lives_elsewhere(name: str, parent: str, home: Domain) -> str:
    """Why no domain is made for a project whose own lives outside of the parent."""
    return (
        f"The domain whose id the CI database stores for {name} is {home.path}, outside of {parent}: no "
        "second one is made. Move it back in CloudStack, or correct the stored id."
    )


def _is_telling(found: int, of: int) -> bool:
    return 2 * found >= of or (found >= LEAST and found > SHARE * of)


def _above(domain: Domain) -> str:
    return domain.path.rpartition("/")[0]


def _words(ground: Ground, parents: Counter[str], of: int, *, by_id: bool) -> str:
    likely, there = min(parents.items(), key=lambda one: (-one[1], one[0]))
    problem = "does not exist" if not ground.exists else "holds the domain of no project"
    proof = "by the ids that the CI database stores" if by_id else "by their names"
    verb = "has its domain" if there == 1 else "have their domains"
    if by_id:
        rest = "correct the ids that the CI database stores first"
    elif not ground.exists:
        rest = "create that domain in CloudStack first"
    else:
        rest = "give the projects' stored ids in the CI database first"
    return (
        f"The parent domain {ground.parent} {problem}, but {there} of {of} projects {verb} below {likely}, "
        f"{proof}: `parent` in the configuration should probably be {likely}. Nothing is proposed. "
        f"If {ground.parent} is right, {rest}."
    )
