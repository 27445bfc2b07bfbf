"""One project on both sides, field by field: the parts of its row, and what CloudStack has of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sync.agents import AgentFinding
from sync.model import (
    Agent,
    DomainView,
    DriftKind,
    DriftRow,
    OwnedResource,
    Part,
    Subject,
    VirtualMachine,
)
from sync.parts import limit_words
from widgets.cells import counted, fit, size
from widgets.kinds import KIND_CLASSES, LOSS_GLYPH
from widgets.labels import part_label
from widgets.virtual_list import Piece, VirtualList

_NONE = "–"


@dataclass(frozen=True, slots=True)
class ComparisonLine:
    """One line: a heading, or one thing on both sides."""

    key: str
    label: str
    desired: str = ""
    actual: str = ""
    kind: DriftKind | None = None
    """None for what is not compared: there is no glyph between the sides."""
    note: str = ""
    is_heading: bool = False
    is_loss: bool = False
    is_old: bool = False
    """Whether it is what was last known, and not what was just read."""


_SECTIONS: tuple[tuple[str, tuple[Subject, ...]], ...] = (
    ("Domain", (Subject.DOMAIN, Subject.STORED_ID, Subject.NETWORK_DOMAIN, Subject.SHIELD)),
    ("Account and users", (Subject.ACCOUNT, Subject.USER)),
    ("Limits", (Subject.LIMIT,)),
    ("Network", (Subject.NETWORK,)),
)

_OWNED: tuple[tuple[str, Callable[[DomainView], tuple[OwnedResource, ...]]], ...] = (
    ("Templates", lambda view: view.templates),
    ("ISOs", lambda view: view.isos),
    ("Snapshots", lambda view: view.snapshots),
    ("Volumes", lambda view: view.volumes),
    ("Networks", lambda view: view.networks),
    ("CloudStack Projects", lambda view: view.projects),
)


def last_known(lines: Sequence[ComparisonLine]) -> tuple[ComparisonLine, ...]:
    """These lines as what they were: nothing of it is known to be so now, so no sign says that it is."""
    return tuple(
        replace(
            line,
            kind=DriftKind.UNKNOWN if line.kind is not None else None,
            note=f"Last known: {line.note}" if line.note else "",
            is_loss=False,
            is_old=True,
        )
        for line in lines
    )


def comparison(row: DriftRow, agents: Iterable[AgentFinding] = ()) -> tuple[ComparisonLine, ...]:
    """Every line of a project, section by section; sections with nothing in them are left out. `agents` is
    what Jenkins says of them, where it was asked."""
    lines: list[ComparisonLine] = [*_section("What the CI database has, not compared", list(_raw_lines(row)))]
    for title, subjects in _SECTIONS:
        lines += _section(title, [_part_line(part) for part in row.parts if part.subject in subjects])
    lines += _section("Agents and VMs", list(_machine_lines(row, agents)))
    for name, view in (("", row.view), (" of the vanished domain", row.dying)):
        if view is None:
            continue
        for title, owned in _OWNED:
            resources = owned(view)
            heading = f"{title}{name}: {len(resources)}"
            lines += _section(heading, [_owned_line(title, resource) for resource in resources])
        if view.subdomains:
            found = [ComparisonLine(f"sub {sub.id}", sub.path, actual=sub.state) for sub in view.subdomains]
            lines += _section(f"Sub-domains{name}", found)
    return tuple(lines)


def _section(title: str, lines: Sequence[ComparisonLine]) -> list[ComparisonLine]:
    if not lines:
        return []
    return [ComparisonLine(f"section {title}", title, is_heading=True), *lines]


def _raw_lines(row: DriftRow) -> Iterator[ComparisonLine]:
    """The CI database's own words of a project that is compared with nothing, and what is wrong with it."""
    project = row.project
    if project is None or (row.parts and not project.problem):
        return
    if project.problem:
        why = f"{project.problem}. Mend it in the CI database."
        yield ComparisonLine("raw problem", "to be mended", project.problem, _NONE, DriftKind.UNKNOWN, why)
    fields = {
        "name": project.name,
        "network domain": project.network_domain or _NONE,
        "stored id": project.domain_id or _NONE,
        "state": "enabled" if project.enabled else "disabled",
    }
    for label, value in fields.items():
        yield ComparisonLine(f"raw {label}", label, value, note=f"{label}: {value}")
    for number, member in enumerate((*project.unusable, *project.members)):
        words = " ".join(filter(None, (member.email, member.firstname, member.lastname, member.role)))
        label = f"member {member.username}"
        yield ComparisonLine(
            f"raw member {number}",
            label,
            words or _NONE,
            kind=DriftKind.UNKNOWN if member.problem else None,
            note=f"{label}: {member.problem}" if member.problem else "",
        )
    for resource, maximum in sorted(project.quotas.items()):
        yield ComparisonLine(f"raw limit {resource}", f"{resource} limit", limit_words(maximum))


def _part_line(part: Part, *, actual: str | None = None) -> ComparisonLine:
    return ComparisonLine(
        f"{part.subject.name} {part.name} {part.field} {part.desired}",
        part_label(part),
        part.desired if part.desired is not None else _NONE,
        actual if actual is not None else part.actual if part.actual is not None else _NONE,
        part.kind,
        part.note,
        is_loss=part.is_loss,
    )


def _machine_lines(row: DriftRow, said: Iterable[AgentFinding]) -> Iterator[ComparisonLine]:
    findings = {finding.agent.name: finding for finding in said}
    machines = [machine for view in (row.view, row.dying) if view is not None for machine in view.vms]
    by_name = {machine.name.casefold(): machine for machine in machines}
    agents = row.project.agents if row.project is not None else ()
    parts = {part.name.casefold(): part for part in row.parts if part.subject is Subject.MACHINE}
    for agent in agents:
        machine = by_name.pop(agent.vm.casefold(), None) if agent.vm else None
        part = parts.get(agent.vm.casefold()) if agent.vm else None
        yield _agent_line(agent, machine, part, findings.get(agent.name))
    known = {agent.vm.casefold() for agent in agents if agent.vm}
    for machine in machines:
        if machine.name.casefold() not in known:
            yield ComparisonLine(
                f"vm {machine.id}", f"VM {machine.name}", _NONE, machine_text(machine), note=_owner(machine)
            )


def _agent_line(
    agent: Agent, machine: VirtualMachine | None, part: Part | None, finding: AgentFinding | None
) -> ComparisonLine:
    state = finding.state.value if finding is not None else ""
    words = " ".join(word for word in (f"agent {agent.name}", state, agent.address or "") if word)
    said = f"Jenkins: {finding.words}." if finding is not None and finding.why else ""
    actual = machine_text(machine) if machine is not None else _NONE
    label = f"VM {agent.vm}" if agent.vm else f"agent {agent.name}"
    if part is None:
        note = "" if agent.vm else "The CI database does not say which VM this agent runs on."
        note = f"{said} {note}".strip()
        return ComparisonLine(f"agent {agent.name}", label, words, actual, note=note)
    note = f"{said} {part.note or (_owner(machine) if machine is not None else '')}".strip()
    return ComparisonLine(f"agent {agent.name}", label, words, actual, part.kind, note, is_loss=part.is_loss)


def machine_text(machine: VirtualMachine) -> str:
    """State, delete protection and address: `Running protected 10.1.0.7`."""
    protection = {True: "protected", False: "unprotected", None: ""}[machine.delete_protected]
    words = (machine.state, protection, *machine.addresses[:1])
    return " ".join(word for word in words if word)


def _owner(machine: VirtualMachine) -> str:
    owner = f"Project {machine.project}" if machine.project else f"account {machine.account or 'unknown'}"
    created = f", created {machine.created}" if machine.created else ""
    return f"VM {machine.name} of {owner} in {machine.domain_path}{created}."


def _owned_line(title: str, resource: OwnedResource) -> ComparisonLine:
    words = [resource.state, size(resource.size) if resource.size is not None else "", resource.created]
    owner = f"Project {resource.project}" if resource.project else f"account {resource.account or 'unknown'}"
    return ComparisonLine(
        f"{title} {resource.id}",
        resource.name,
        "",
        " ".join(word for word in words if word),
        note=f"{resource.name}: of {owner} in {resource.domain_path}, id {resource.id}.",
    )


def summary(row: DriftRow) -> str:
    """What the project has on both sides, in one line."""
    words = []
    if row.project is not None:
        if row.project.problem:
            words.append("to be mended in the CI database")
        members = len(row.project.members) + len(row.project.unusable)
        words.append(counted(members, "member"))
        words.append(counted(len(row.project.agents), "agent"))
    if row.losses:
        words.append(f"{counted(len(row.losses), 'machine')} lost")
    if row.leaving:
        words.append(f"{counted(len(row.leaving), 'machine')} still in the old domain")
    return ", ".join(words)


def widths(width: int) -> tuple[int, int, int]:
    """How label, desired and actual share the width."""
    label = min(36, max(20, width * 3 // 10))
    values = max(10, (width - label - 6) // 2)
    return label, values, width - label - values - 6


class ComparisonList(VirtualList):
    """The lines of one project; the cursor tells which note is shown below."""

    SHOWS_CURSOR = "focused"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, empty_text="Neither side has it any more.")
        self._lines: tuple[ComparisonLine, ...] = ()

    def show(self, lines: tuple[ComparisonLine, ...]) -> None:
        """Show these lines; the cursor stays on its key."""
        self._lines = lines
        self.set_keys([line.key for line in lines])

    def move_to_first_difference(self) -> None:
        """Put the cursor on the first line that is not in sync, else on the first that is no heading."""
        things = [line for line in self._lines if not line.is_heading]
        differing = [line for line in things if line.kind not in (None, DriftKind.IN_SYNC)]
        for line in (differing or things)[:1]:
            self.move_to(line.key)

    @property
    def current(self) -> ComparisonLine | None:
        """The line under the cursor."""
        return self._lines[self.cursor] if 0 <= self.cursor < len(self._lines) else None

    def line(self, index: int, width: int) -> list[Piece]:
        line = self._lines[index]
        if line.is_heading:
            return [(fit(f" {line.label} ", width), "tone--stale" if line.is_old else "tone--key")]
        label, desired, actual = widths(width)
        tone = KIND_CLASSES[line.kind] if line.kind is not None else ""
        differs = line.kind not in (None, DriftKind.IN_SYNC) and not line.is_old
        glyph = LOSS_GLYPH if line.is_loss else line.kind.glyph if line.kind is not None else " "
        return [
            (f"   {fit(line.label, label - 2)} ", "tone--stale" if line.is_old else ""),
            (fit(line.desired, desired), "" if differs else "tone--muted"),
            (f" {glyph} ", tone),
            (fit(line.actual, actual), tone if differs else "tone--muted"),
        ]
