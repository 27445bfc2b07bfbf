"""The comparison: what the CI database says against what CloudStack has, one row a project or domain.

Decides the kind of every row and says why; proposes nothing (that is `plan`) and does no I/O. What was not
seen is never taken for absent: with a side that is not complete, rows are UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter

from sync.actual_index import ActualIndex, Corpse, index_of
from sync.corpses import Ancestry, leaving
from sync.headline import Headline, headline, unread
from sync.hollow import emptied
from sync.misplaced import Ground, homes, lives_elsewhere, misplaced
from sync.model import (
    ActualInventory,
    Contents,
    DesiredInventory,
    Domain,
    DomainView,
    Drift,
    DriftKind,
    DriftRow,
    NetworkRule,
    Part,
    Project,
    Scope,
    Side,
    Subject,
    project_key,
)
from sync.parts import compare_living, compare_missing, kind_of, left_of, usable_members

__all__ = ["Headline", "Loss", "compare", "headline", "losses"]

_RANKS = {kind: rank for rank, kind in enumerate(DriftKind)}


@dataclass(frozen=True, slots=True)
class Loss:
    """A machine that the CI database knows and that has no VM any more."""

    key: str
    project: str
    agent: str
    vm: str
    address: str | None = None
    note: str = ""


def losses(drift: Drift) -> tuple[Loss, ...]:
    """The machines of the CI database whose VM is gone, by project and VM name."""
    found = []
    for row in sorted(drift.rows, key=lambda row: row.key):
        if row.project is None:
            continue
        addresses = {(agent.name, agent.vm): agent.address for agent in row.project.agents}
        for part in sorted(row.losses, key=lambda part: (part.name, part.desired or "")):
            agent = part.desired or ""
            address = addresses.get((agent, part.name))
            found.append(Loss(row.key, row.name, agent, part.name, address=address, note=part.note))
    return tuple(found)


def compare(
    desired: DesiredInventory,
    actual: ActualInventory,
    *,
    network_rule: NetworkRule | None = None,
    before: Mapping[str, Contents] | None = None,
) -> Drift:
    """Both sides aligned, worst first, then by key; the order of what was read does not matter.

    Rows exist only for keys that both scopes cover. MISSING, HOLLOW, UNEXPECTED and DIFFERS are only ever
    said from two complete inventories. That a deletion runs is seen in CloudStack alone, in what is there: a
    VM or sub-domain whose domain is not. So it is said wherever all domains were read, whatever else was not,
    but then without repairs.

    `before` is what captures remember of each domain, by its id: one that is empty now is HOLLOW, unless its
    account was made anew.
    """
    scope = _common(desired.scope, actual.scope)
    projects = {key: project for key, project in desired.projects.items() if scope.covers(key)}
    judge = _Judge(index_of(actual, scope), projects, desired=desired, network_rule=network_rule)
    judge.before = before or {}
    rows: list[DriftRow] = []
    for key in {**projects, **judge.world.tops, **judge.world.corpses}:
        rows.extend(judge.rows(key, projects.get(key)))
    rows.sort(key=lambda row: (_RANKS[row.kind], row.key))
    return Drift(
        rows=tuple(rows),
        desired=desired.coverage,
        actual=actual.coverage,
        desired_taken_at=desired.taken_at,
        actual_taken_at=actual.taken_at,
        limits_taken_at=actual.limits_taken_at,
        users_taken_at=actual.users_taken_at,
        scope=scope,
        deletion_jobs=sum(job.deletes_domain for job in actual.jobs or () if not actual.coverage.is_foreign),
        misplaced=judge.misplaced,
    )


def _common(desired: Scope, actual: Scope) -> Scope:
    """What both readings cover."""
    if desired.projects is None or actual.projects is None:
        projects = actual.projects if desired.projects is None else desired.projects
    else:
        projects = desired.projects & actual.projects
    return Scope(parent=actual.parent, projects=projects)


# --- judging ----------------------------------------------------------------------------------------------


class _Judge:
    """Says the kind of each row."""

    def __init__(
        self,
        world: ActualIndex,
        projects: Mapping[str, Project],
        *,
        desired: DesiredInventory,
        network_rule: NetworkRule | None,
    ) -> None:
        actual = world.actual
        self.world = world
        self.parent = actual.scope.parent
        self.network_rule = network_rule
        self.sees_deletions = actual.coverage.is_complete or (
            actual.has_all_domains and not actual.coverage.is_foreign
        )
        self.has_parent = actual.parent_id is not None or "/" not in self.parent
        self.is_deletion_running = world.is_deletion_running
        self.unproven = _why_unproven(desired, actual)
        self.ancestry = Ancestry(projects)
        self.leaving = leaving(projects, actual.vms, listed=world.listed, parent=self.parent)
        self.before: Mapping[str, Contents] = {}
        self.homes: dict[str, Domain] = {}
        self.misplaced = "" if self.unproven else self._misplaced(projects)
        self.wrong_parent = (
            f"Not compared: {self.parent} is probably not where the projects' domains are."
            if self.misplaced
            else ""
        )

    def _misplaced(self, projects: Mapping[str, Project]) -> str:
        """Why the parent is probably the wrong one; remembers which projects live elsewhere."""
        world = self.world
        lacking = {key: project for key, project in projects.items() if key not in world.tops}
        if not lacking:
            return ""
        here = {domain.id for tops in world.tops.values() for domain in tops} | {world.actual.parent_id}
        elsewhere = [*world.actual.elsewhere, *(one for one in world.actual.domains if one.id not in here)]
        # What the parent itself lies in is nobody's domain.
        above = f"{self.parent.casefold()}/"
        elsewhere = [one for one in elsewhere if not above.startswith(f"{one.path.casefold()}/")]
        self.homes = homes(lacking, elsewhere)
        if len(lacking) < len(projects):
            return ""
        ground = Ground(self.parent, exists=self.has_parent, has_shrunk=bool(world.actual.coverage.shrunk))
        return misplaced(projects, elsewhere, ground=ground, by_id=self.homes)

    def rows(self, key: str, project: Project | None) -> Iterator[DriftRow]:
        """The row of a key, and one more for each dying domain that is not the project's own any more."""
        tops = self.world.tops.get(key, [])
        corpses = self.world.corpses.get(key, []) if self.sees_deletions else []
        blocked = self.unproven or self.wrong_parent or _why_unusable(project) or _ambiguous(tops)
        if not blocked and project is not None and key in self.homes:
            blocked = lives_elsewhere(project.name, self.parent, self.homes[key])
        own: Corpse | None = None
        if corpses and (not tops or not corpses[-1].domain_id):
            own = corpses[-1] if tops else corpses[0]
        if tops:
            yield self._present(key, project, tops, own=own, blocked=blocked)
        elif own is not None:
            yield self._dying(key, project, own, blocked=blocked)
        elif project is not None:
            yield self._absent(key, project, blocked=blocked)
        for corpse in corpses:
            if corpse is not own:
                yield self._dying(f"{key} ({corpse.domain_id})", None, corpse, blocked="")

    def _present(
        self, key: str, project: Project | None, tops: list[Domain], *, own: Corpse | None, blocked: str
    ) -> DriftRow:
        """A row whose domain is listed; `own` is what is left of its deleted sub-domains."""
        domain = min(tops, key=attrgetter("id"))
        view = self.world.view(domain)
        dying = self.world.dying_view(own) if own is not None else None
        parts = [] if dying is None else [self._dying_subdomain(dying)]
        if blocked and parts:
            [lost] = parts
            return DriftRow(key, lost.kind, project, view, dying, (lost, _blocking(blocked)), lost.note)
        if blocked:
            return DriftRow(key, DriftKind.UNKNOWN, project, view, reason=blocked)
        if project is None:
            kind = min([DriftKind.UNEXPECTED, *(part.kind for part in parts)], key=_RANKS.__getitem__)
            reason = (
                f"CloudStack has the domain {domain.path}, the CI database has no project of that name. "
                "It is left alone."
            )
            return DriftRow(key, kind, None, view, dying=dying, parts=tuple(parts), reason=reason)
        parts += compare_living(
            project,
            view,
            domain,
            network_rule=self.network_rule,
            leaving=self.leaving.get(project.key, ()),
        )
        kind = kind_of(parts)
        if not view.accounts and usable_members(project) and kind is not DriftKind.DELETING:
            known = _count(len(usable_members(project)), "member")
            reason = f"The domain {domain.path} is there without any account; the CI database knows {known}."
            return DriftRow(key, DriftKind.HOLLOW, project, view, dying, tuple(parts), reason)
        found = None if kind is DriftKind.DELETING else emptied(view, project, self.before)
        if found is not None and not found.is_made_anew:
            return DriftRow(key, DriftKind.HOLLOW, project, view, dying, tuple(parts), found.words)
        reason = " ".join(filter(None, (_why_differs(parts), found.words if found is not None else "")))
        return DriftRow(key, kind, project, view, dying, tuple(parts), reason)

    def _dying_subdomain(self, dying: DomainView) -> Part:
        kind = DriftKind.DELETING if self.is_deletion_running else DriftKind.ORPHANED
        still = _still_there(dying)
        path = dying.vms[0].domain_path if dying.vms else dying.path
        note = f"The sub-domain {path} is gone from the list, {still}; the CI database knows no sub-domains."
        return Part(Subject.DOMAIN, path, "", kind, None, still, note)

    def _dying(self, key: str, project: Project | None, corpse: Corpse, *, blocked: str) -> DriftRow:
        """A row whose domain is not listed while things of it are still there."""
        dying = self.world.dying_view(corpse)
        still = _still_there(dying)
        if self.is_deletion_running or corpse.subdomains:
            kind = DriftKind.DELETING
            reason = f"CloudStack is deleting the domain {dying.path}: it is not listed any more, {still}."
            if self.world.actual.jobs is None:
                reason += " Its jobs could not be read: it may also have ended already."
        else:
            kind = DriftKind.ORPHANED
            reason = f"The domain {dying.path} is gone and no deletion runs, {still}."
        parts: tuple[Part, ...] = ()
        if blocked:
            parts = (_blocking(blocked),)
        elif project is not None:
            parts = tuple(self._lacking(project))
        before = self.ancestry.project_of(corpse.path.rpartition("/")[2], corpse.domain_id)
        if before and project is None:
            reason += f" It is the old one of {before}."
        return DriftRow(
            key, kind, project, None, dying=dying, parts=parts, reason=reason, old_domain_of=before
        )

    def _absent(self, key: str, project: Project, *, blocked: str) -> DriftRow:
        if blocked:
            return DriftRow(key, DriftKind.UNKNOWN, project, None, reason=blocked)
        reason = f"CloudStack has no domain {self.parent}/{project.name.strip()}."
        parts = tuple(self._lacking(project))
        return DriftRow(key, DriftKind.MISSING, project, None, parts=parts, reason=reason)

    def _lacking(self, project: Project) -> list[Part]:
        return compare_missing(
            project,
            missing_parent=None if self.has_parent else self.parent,
            network_rule=self.network_rule,
            leaving=self.leaving.get(project.key, ()),
        )


def _why_unproven(desired: DesiredInventory, actual: ActualInventory) -> str:
    """Why nothing can be said about absence; empty when both sides are complete."""
    if project_key(desired.scope.parent) != project_key(actual.scope.parent):
        return f"The sides were read for different parents: {desired.scope.parent} and {actual.scope.parent}."
    sides = ((Side.ACTUAL, actual.coverage), (Side.DESIRED, desired.coverage))
    return " ".join(unread(side, coverage) for side, coverage in sides if not coverage.is_complete)


def _why_unusable(project: Project | None) -> str:
    """Why a project of the CI database can be compared with nothing; empty when it can."""
    why = project.problem if project is not None else ""
    if project is not None and not why and ("/" in project.name or not project.name.strip()):
        # It would become the path of another domain.
        why = f"“{project.name}” cannot be the name of a domain"
    return f"{why}. Mend it in the CI database." if why else ""


def _ambiguous(tops: list[Domain]) -> str:
    if len(tops) < 2:
        return ""
    paths = ", ".join(sorted(domain.path for domain in tops))
    return f"CloudStack lists more than one domain for this key ({paths}): which one is meant cannot be told."


def _blocking(why: str) -> Part:
    """The part of a row whose own kind is certain while nothing else is; see `parts.is_blocked`."""
    return Part(Subject.DOMAIN, "", "", DriftKind.UNKNOWN, None, None, why)


def _still_there(dying: DomainView) -> str:
    running = sum(vm.state.casefold() == "running" for vm in dying.vms)
    if not dying.vms:
        return f"{_count(len(dying.subdomains), 'sub-domain')} still listed"
    number, noun = left_of(dying.vms)
    verb = "is" if number == 1 else "are"
    return f"{_count(number, noun)} {verb} still there ({running} running)"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _why_differs(parts: list[Part]) -> str:
    """What differs, the first few by name; empty where nothing does."""
    in_sync = DriftKind.IN_SYNC
    if all(part.kind is in_sync for part in parts):
        return ""
    differing = [part for part in parts if part.kind is not in_sync and not part.is_machine_gone]
    if not differing:
        lost = sum(part.is_loss for part in parts)
        left = sum(part.is_leaving for part in parts)
        words = [f"{_count(lost, 'machine')} of the CI database without a VM"] if lost else []
        words += [f"{_count(left, 'machine')} still in the old domain"] if left else []
        return f"In sync; {', '.join(words)}." if words else ""
    words = list(dict.fromkeys(" ".join(filter(None, (part.subject.value, part.name))) for part in differing))
    shown = ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")
    return f"{_count(len(words), 'difference')}: {shown}."
