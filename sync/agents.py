"""Whether Jenkins reaches a project's agents, and where not, why: Jenkins' word beside CloudStack's.

Pure. Jenkins is read by `jenkins`; what it did not say is not read, never offline.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from sync.model import Agent, DomainView, DriftRow, VirtualMachine
from sync.parts import Leaving, is_gone


class AgentState(Enum):
    """The value is the word on screen."""

    ONLINE = "online"
    PAUSED = "taken offline"
    """Somebody marked it offline in Jenkins on purpose."""
    OFFLINE = "offline"
    ABSENT = "not in Jenkins"
    """The CI database knows it, this project's Jenkins does not."""
    UNREAD = "not read"


@dataclass(frozen=True, slots=True)
class Node:
    """One computer as Jenkins has it."""

    name: str
    is_online: bool
    is_paused: bool = False
    reason: str = ""
    """Why it is offline, in Jenkins' own words."""


@dataclass(frozen=True, slots=True)
class JenkinsReading:
    """What one project's Jenkins said."""

    project: str
    """Key."""
    taken_at: datetime
    nodes: Mapping[str, Node] = field(default_factory=lambda: MappingProxyType({}))
    """By case-folded name."""
    problem: str = ""
    """Why it could not be read, and what to do; empty when it could."""


@dataclass(frozen=True, slots=True)
class AgentFinding:
    """One agent of the CI database."""

    agent: Agent
    state: AgentState
    why: str = ""
    """The chain of reasons of one that is not online, the nearest first; empty for one that is."""

    @property
    def words(self) -> str:
        return f"{self.state.value}: {self.why}" if self.why else self.state.value


@dataclass(frozen=True, slots=True)
class Reach:
    """How many of a project's agents its Jenkins reaches."""

    online: int
    total: int
    is_read: bool
    """Whether Jenkins answered."""

    @property
    def is_whole(self) -> bool:
        return self.is_read and self.online == self.total

    @property
    def words(self) -> str:
        """`3/3 online`; `3 not read` where Jenkins did not answer."""
        return f"{self.online}/{self.total} online" if self.is_read else f"{self.total} not read"


@dataclass(frozen=True, slots=True)
class ChangedAddress:
    """Jenkins knows an address at which its agent is not any more: with the key that it keeps for it."""

    project: str
    agent: str
    known: str
    """The address that the CI database (and so Jenkins) has."""
    now: tuple[str, ...]
    """Where the agent's VM is; empty when there is none."""
    taken_by: str = ""
    """Whose machine answers at the known address today: a stranger's gets the agent's secrets."""

    @property
    def words(self) -> str:
        where = f"is at {', '.join(self.now)} now" if self.now else "has no VM any more"
        risk = ""
        if self.taken_by:
            risk = f"; {self.known} belongs to {self.taken_by} now: take the agent offline"
        return f"agent {self.agent} of {self.project}: the CI database knows {self.known}, it {where}{risk}"


def judge(row: DriftRow, reading: JenkinsReading | None) -> tuple[AgentFinding, ...]:
    """Every agent of the row's project, in the CI database's order; empty where it has none."""
    if row.project is None:
        return ()
    machines = _machines(row.view)
    return tuple(_finding(agent, row, machines, reading) for agent in row.project.agents)


def reach(findings: Iterable[AgentFinding]) -> Reach:
    """The findings of one project counted."""
    found = tuple(findings)
    return Reach(
        online=sum(one.state is AgentState.ONLINE for one in found),
        total=len(found),
        is_read=any(one.state is not AgentState.UNREAD for one in found),
    )


def changed_addresses(rows: Iterable[DriftRow]) -> tuple[ChangedAddress, ...]:
    """Agents that are not where Jenkins will look for them, those whose address a stranger has first.

    Guest networks are isolated and may use the same addresses: only a machine of another project in the same
    account or network could answer, so a stranger counts only where the address is unique in the cloud. What
    still stands in an old domain of the project, renamed or not, is the project's own.
    """
    given = tuple(rows)
    holders: dict[str, list[tuple[str, VirtualMachine]]] = {}
    old: dict[str, list[VirtualMachine]] = {}
    for row in given:
        if row.dying is not None:
            old.setdefault(row.old_domain_of or row.key, []).extend(row.dying.vms)
        for view, key in ((row.view, row.key), (row.dying, row.old_domain_of or row.key)):
            for machine in view.vms if view is not None else ():
                for address in machine.addresses:
                    holders.setdefault(address, []).append((key, machine))
    leaving = {key: Leaving(vms) for key, vms in old.items()}
    found = [
        change
        for row in given
        if row.project is not None
        for agent in row.project.agents
        if (change := _change(row, agent, leaving.get(row.key, _NOTHING_OLD), holders)) is not None
    ]
    return tuple(sorted(found, key=lambda one: (not one.taken_by, one.project, one.agent)))


_NOTHING_OLD = Leaving(())


# --- one agent ----------------------------------------------------------------------------------------------


def _machines(view: DomainView | None) -> dict[str, VirtualMachine]:
    return {machine.name.casefold(): machine for machine in (view.vms if view is not None else ())}


def _finding(
    agent: Agent, row: DriftRow, machines: Mapping[str, VirtualMachine], reading: JenkinsReading | None
) -> AgentFinding:
    if reading is None:
        return AgentFinding(agent, AgentState.UNREAD, "Jenkins was not asked yet")
    if reading.problem:
        return AgentFinding(agent, AgentState.UNREAD, reading.problem)
    node = reading.nodes.get(agent.name.casefold())
    if node is None:
        return AgentFinding(
            agent, AgentState.ABSENT, "the CI database names it, this Jenkins has no such node"
        )
    if node.is_online:
        return AgentFinding(agent, AgentState.ONLINE)
    reasons = [_cause_in_cloud(agent, row, machines), node.reason]
    state = AgentState.PAUSED if node.is_paused else AgentState.OFFLINE
    return AgentFinding(agent, state, " ← ".join(reason for reason in reasons if reason))


def _cause_in_cloud(agent: Agent, row: DriftRow, machines: Mapping[str, VirtualMachine]) -> str:
    """What CloudStack says of the machine; empty where that explains nothing."""
    if agent.vm is None:
        return ""
    machine = machines.get(agent.vm.casefold())
    note = next(
        (part.note for part in row.leaving if part.name == agent.vm and part.desired == agent.name), ""
    )
    if note:
        return note.rstrip(".")
    if machine is None:
        return "its domain is gone" if row.view is None else f"VM {agent.vm} is gone"
    if machine.state.casefold() != "running":
        return f"VM {machine.name} is {machine.state}"
    if agent.address and machine.addresses and agent.address not in machine.addresses:
        return f"VM {machine.name} is at {', '.join(machine.addresses)}, not {agent.address}"
    return ""


def _change(
    row: DriftRow,
    agent: Agent,
    old: Leaving,
    holders: Mapping[str, list[tuple[str, VirtualMachine]]],
) -> ChangedAddress | None:
    if row.project is None or agent.vm is None or not agent.address:
        return None
    left = old.of(agent)
    machine = _machines(row.view).get(agent.vm.casefold())
    if machine is None and left is not None and not is_gone(left):
        machine = left
    now = machine.addresses if machine is not None else ()
    if agent.address in now:
        return None
    others = holders.get(agent.address, [])
    stranger = ""
    if len(others) == 1 and others[0][0] != row.key:
        stranger = f"VM {others[0][1].name} of {others[0][1].domain_path}"
    elif len(others) == 1 and others[0][1] is not left:
        stranger = f"VM {others[0][1].name}"
    return ChangedAddress(row.project.name, agent.name, agent.address, now, stranger)
