"""From captures to what the screens show of them: one side at an instant, and what changed between two. Pure.

Every page is a list of paragraphs: the row it belongs to, and its lines. Words filter lines; the heading of a
row stays with those of its lines that are left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from sync.capture import Capture
from sync.changes import Change, Turn
from sync.model import Coverage, Domain, OwnedResource, Project, Side, VirtualMachine
from widgets.cells import counted, size
from widgets.lines import Line

Paragraph = tuple[str, list[str]]
"""A heading, and the lines below it."""

_TONES = {
    Turn.GONE: "tone--bad",
    Turn.APPEARED: "tone--good",
    Turn.CHANGED: "tone--warning",
    Turn.NOT_SEEN: "tone--muted",
}


def filtered(lines: Sequence[str], heading: str, words: Sequence[str]) -> list[str] | None:
    """The lines that have all the words in them or in their heading; None where nothing is left."""
    if all(word in heading.casefold() for word in words):
        return list(lines)
    left = [line for line in lines if all(word in f"{heading}\n{line}".casefold() for word in words)]
    return left or None


# --- one side -----------------------------------------------------------------------------------------------


def side_lines(capture: Capture, side: Side, words: str = "") -> list[Line]:
    """All that one side had in it, by project or domain."""
    is_desired = side is Side.DESIRED
    paragraphs = _projects(capture) if is_desired else _domains(capture)
    coverage = capture.desired.coverage if is_desired else capture.actual.coverage
    lines: list[Line] = _coverage_lines(side, coverage)
    for heading, below in paragraphs:
        left = filtered(below, heading, words.casefold().split())
        if left is not None:
            lines.append([(f" {heading}", "tone--strong")])
            lines += [[(f"   {line}", "")] for line in left]
    return lines


def _coverage_lines(side: Side, coverage: Coverage) -> list[Line]:
    if coverage.is_complete:
        return []
    state = f"{side.value} was read as {coverage.state.value}"
    text = f" {state}: what is not here may have been there. {coverage.why}"
    return [[(text, "tone--warning")]]


def _projects(capture: Capture) -> Iterator[Paragraph]:
    for _, project in sorted(capture.desired.projects.items()):
        yield _heading(project), list(_project(project))


def _heading(project: Project) -> str:
    facts = [project.name, project.network_domain or "", "" if project.enabled else "disabled"]
    return "  ".join(fact for fact in (*facts, project.problem) if fact)


def _project(project: Project) -> Iterator[str]:
    for one in (*project.members, *project.unusable):
        state = "enabled" if one.enabled else "disabled"
        yield f"member {one.username}  {one.firstname} {one.lastname}  {one.email}  {one.role}  {state}"
    for agent in project.agents:
        yield f"agent {agent.name}  {agent.vm or 'no VM'}  {agent.address or ''}"
    for resource, maximum in sorted(project.quotas.items()):
        yield f"quota {resource}  {maximum}"
    if project.domain_id:
        yield f"stored id {project.domain_id}"


def _domains(capture: Capture) -> Iterator[Paragraph]:
    actual = capture.actual
    listed = {domain.id: domain for domain in actual.domains}
    below: dict[str, list[str]] = {id: [] for id in listed}
    paths: dict[str, str] = {}
    for account in actual.accounts:
        rows = below.setdefault(account.domain_id, [])
        rows.append(f"account {account.name}  {account.state}  {account.role}  {account.id}")
        rows += [f"user {one.username}  {one.state}  {one.email}  {one.source}" for one in account.users]
    for vm in actual.vms:
        below.setdefault(vm.domain_id, []).append(_vm(vm))
        paths.setdefault(vm.domain_id, vm.domain_path)
    for what, owned in (
        ("volume", actual.volumes),
        ("snapshot", actual.snapshots),
        ("template", actual.templates),
        ("ISO", actual.isos),
        ("network", actual.networks),
        ("public address", actual.public_addresses),
        ("CloudStack Project", actual.projects),
    ):
        for row in owned:
            below.setdefault(row.domain_id, []).append(_owned(what, row))
            paths.setdefault(row.domain_id, row.domain_path)
    found = [(_domain(listed.get(id), paths.get(id, id), id), rows) for id, rows in below.items()]
    yield from sorted(found)


def _domain(domain: Domain | None, path: str, id: str) -> str:
    if domain is None:
        return f"{path}  not listed any more  {id}"
    return "  ".join(
        fact for fact in (domain.path, domain.state, domain.network_domain or "", domain.id) if fact
    )


def _vm(vm: VirtualMachine) -> str:
    details = [vm.details.get(name, "") for name in ("instancename", "hostname", "templatename")]
    facts = [vm.name, vm.state, ", ".join(vm.addresses), *details, vm.id]
    return f"VM {'  '.join(fact for fact in facts if fact)}"


def _owned(what: str, row: OwnedResource) -> str:
    where = [row.details.get(name, "") for name in ("storage", "path", "cidr", "vmname", "volumename")]
    large = "" if row.size is None else size(row.size)
    return f"{what} {'  '.join(fact for fact in (row.name, row.state, large, *where, row.id) if fact)}"


# --- two instants -------------------------------------------------------------------------------------------


def change_lines(changes: Sequence[Change], words: str = "") -> list[Line]:
    """What changed, by row: how much, and below it one line each."""
    lines: list[Line] = []
    wanted = words.casefold().split()
    for row, group in groupby(changes, key=lambda one: one.row):
        found = list(group)
        heading = row or "outside of any project"
        texts = {change_text(one): one.turn for one in found}
        left = filtered(list(texts), heading, wanted)
        if left is not None:
            lines.append([(f" {heading}", "tone--strong"), (f"  {_summary(found)}", "tone--muted")])
            lines += [[(f"   {text}", _TONES[texts[text]])] for text in left]
    return lines


def change_text(one: Change) -> str:
    """`~ VM dune-0 state: Running → Stopped`."""
    text = f"{one.turn.glyph} {one.what} {one.name}"
    if one.turn is not Turn.CHANGED:
        return f"{text} {one.turn.value} ({one.side.value})"
    return f"{text} {one.field}: {one.before or '–'} → {one.after or '–'}"


def _summary(changes: Iterable[Change]) -> str:
    counts: dict[Turn, int] = {}
    for one in changes:
        counts[one.turn] = counts.get(one.turn, 0) + 1
    return ", ".join(f"{counts[turn]} {turn.value}" for turn in Turn if turn in counts)


def total_words(changes: Sequence[Change]) -> str:
    """`3 rows: 5 gone, 1 changed`."""
    if not changes:
        return "Nothing changed."
    rows = len({one.row for one in changes})
    return f"{counted(rows, 'row')}: {_summary(changes)}"
