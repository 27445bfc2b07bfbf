"""What is said of agents: Jenkins' word beside CloudStack's, and addresses that are somebody else's now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sync.agents import (
    AgentState,
    ChangedAddress,
    JenkinsReading,
    Node,
    changed_addresses,
    judge,
    reach,
)
from sync.model import Agent, Domain, DomainView, DriftKind, DriftRow, Project, VirtualMachine

NOW = datetime(2026, 7, 28, 3, 12, tzinfo=UTC)


def vm(name: str, address: str, *, state: str = "Running", project: str = "aurora") -> VirtualMachine:
    return VirtualMachine(
        id=f"id-{name}",
        name=name,
        state=state,
        domain_id=f"d-{project}",
        domain_path=f"ROOT/ci/{project}",
        addresses=(address,),
    )


def row(
    *agents: Agent, vms: Sequence[VirtualMachine] = (), name: str = "aurora", is_gone: bool = False
) -> DriftRow:
    domain = Domain(f"d-{name}", name, f"ROOT/ci/{name}", "ci", 2)
    view = None if is_gone else DomainView(domain.id, domain.path, domain, vms=tuple(vms))
    kind = DriftKind.MISSING if is_gone else DriftKind.IN_SYNC
    return DriftRow(name, kind, Project(name, agents=agents), view)


def reading(*nodes: Node, problem: str = "") -> JenkinsReading:
    return JenkinsReading("aurora", NOW, {node.name.casefold(): node for node in nodes}, problem)


LINUX = Agent("linux", vm="aurora-linux", address="10.1.1.7")
OFFLINE = Node("linux", is_online=False, reason="Connection was broken")


def test_an_agent_that_jenkins_reaches_is_online_whatever_else() -> None:
    (found,) = judge(row(LINUX, is_gone=True), reading(Node("Linux", is_online=True)))
    assert (found.state, found.why, found.words) == (AgentState.ONLINE, "", "online")


def test_each_cause_in_the_cloud_is_named_before_jenkins_own_words() -> None:
    said = {
        "gone": judge(row(LINUX, is_gone=True), reading(OFFLINE)),
        "lost": judge(row(LINUX), reading(OFFLINE)),
        "stopped": judge(row(LINUX, vms=[vm("AURORA-linux", "10.1.1.7", state="Stopped")]), reading(OFFLINE)),
        "moved": judge(row(LINUX, vms=[vm("aurora-linux", "10.1.1.99")]), reading(OFFLINE)),
        "running": judge(row(LINUX, vms=[vm("aurora-linux", "10.1.1.7")]), reading(OFFLINE)),
        "iron": judge(row(Agent("linux", address="10.9.9.9")), reading(OFFLINE)),
    }
    assert {name: found[0].why for name, found in said.items()} == {
        "gone": "its domain is gone ← Connection was broken",
        "lost": "VM aurora-linux is gone ← Connection was broken",
        "stopped": "VM AURORA-linux is Stopped ← Connection was broken",
        "moved": "VM aurora-linux is at 10.1.1.99, not 10.1.1.7 ← Connection was broken",
        "running": "Connection was broken",
        "iron": "Connection was broken",
    }
    assert {found[0].state for found in said.values()} == {AgentState.OFFLINE}


def test_taken_offline_by_somebody_and_unknown_to_jenkins_are_states_of_their_own() -> None:
    paused = Node("linux", is_online=False, is_paused=True, reason="disk change")
    assert [one.words for one in judge(row(LINUX), reading(paused))] == [
        "taken offline: VM aurora-linux is gone ← disk change"
    ]
    (absent,) = judge(row(LINUX), reading())
    assert absent.state is AgentState.ABSENT


def test_what_jenkins_did_not_say_is_not_read_and_never_offline() -> None:
    for given in (None, reading(problem="https://ci/aurora did not answer within 10 s.")):
        found = judge(row(LINUX, Agent("mac")), given)
        assert [one.state for one in found] == [AgentState.UNREAD, AgentState.UNREAD]
        assert reach(found).words == "2 not read"
        assert not reach(found).is_whole


def test_the_agents_of_a_project_are_counted() -> None:
    found = judge(row(LINUX, Agent("mac")), reading(Node("linux", is_online=True)))
    assert (reach(found).words, reach(found).is_whole) == ("1/2 online", False)
    assert reach(judge(row(), reading())).words == "0 not read"


def test_changed_addresses_name_the_stranger_who_gets_the_secrets_first() -> None:
    moved = row(LINUX, vms=[vm("aurora-linux", "10.1.1.99")])
    stays = row(
        Agent("b", vm="boreal-b", address="10.1.1.8"),
        vms=[vm("boreal-b", "10.1.1.8", project="boreal")],
        name="boreal",
    )
    lost = row(Agent("c", vm="cirrus-c", address="10.1.1.8"), name="cirrus")
    no_address = row(Agent("d", vm="dune-d"), name="dune")
    found = changed_addresses([moved, stays, lost, no_address])
    assert found == (
        ChangedAddress("cirrus", "c", "10.1.1.8", (), "VM boreal-b of ROOT/ci/boreal"),
        ChangedAddress("aurora", "linux", "10.1.1.7", ("10.1.1.99",)),
    )
    assert found[0].words == (
        "agent c of cirrus: the CI database knows 10.1.1.8, it has no VM any more; 10.1.1.8 belongs to VM "
        "boreal-b of ROOT/ci/boreal now: take the agent offline"
    )


def test_an_address_that_many_machines_have_proves_no_stranger() -> None:
    twins = [vm("x", "10.1.1.7", project="x"), vm("y", "10.1.1.7", project="y")]
    others = [row(name=one.name, vms=[one]) for one in twins]
    (found,) = changed_addresses([row(LINUX), *others])
    assert found.taken_by == ""


def test_a_machine_in_the_own_old_domain_is_no_stranger() -> None:
    """The very same VM, in the domain that was renamed to make room: it is at its address, and dying."""
    old = vm("aurora-linux", "10.1.1.7", project="aurora-deleted-0728-dauro")
    dying = DomainView("d-aurora-old", "ROOT/ci/aurora-deleted-0728-daur", None, vms=(old,))
    corpse = DriftRow(
        "aurora-deleted-0728-daur", DriftKind.DELETING, None, None, dying, old_domain_of="aurora"
    )
    assert changed_addresses([row(LINUX), corpse]) == ()
    [stranger] = changed_addresses([row(LINUX), replace(corpse, old_domain_of="")])
    assert stranger.taken_by.startswith("VM aurora-linux of ")
    rebuilt = row(LINUX, vms=[vm("aurora-linux", "10.1.1.99")])
    assert [one.taken_by for one in changed_addresses([rebuilt, corpse])] == [""]
    gone = replace(corpse, dying=replace(dying, vms=(replace(old, state="Expunging"),)))
    assert [(one.now, one.taken_by) for one in changed_addresses([row(LINUX), gone])] == [((), "")]
    own = replace(row(LINUX, is_gone=True), dying=dying)
    assert changed_addresses([own]) == ()


def test_a_row_that_only_cloudstack_has_has_no_agents() -> None:
    assert judge(replace(row(LINUX), project=None), reading(OFFLINE)) == ()
