"""Shields: where one counts, on which VM, in what order, and that lifting undoes exactly what was set."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from sync.cloudstack import Capabilities, Submission
from sync.containment import Containment
from sync.containment_journal import ContainmentJournal, open_journal
from sync.deletions import Deletion, Kind, Situation, Stage
from sync.errors import DataError, GuardError, OutcomeUnknownError, RefusedError
from sync.model import ActualInventory, Domain, JsonObject, Outcome, VirtualMachine
from sync.shield import Shielding, choose, lost, why_no_shield
from tests.examples import NOON, actual, domain, partial, vm

KNOWN = Capabilities(
    "https://c.example.org/client/api",
    release="4.23.0.0",
    apis={"updateVirtualMachine": frozenset({"id", "deleteprotection"})},
)
QUIET = Situation(NOON, ())


@pytest.mark.parametrize(
    ("offered", "words"),
    [
        (KNOWN, ""),
        (replace(KNOWN, release="4.24.0.0"), ""),
        (replace(KNOWN, release="4.22.1.0"), "not known to heed it"),
        (replace(KNOWN, release=""), "unknown release"),
        (replace(KNOWN, apis={"updateVirtualMachine": frozenset({"id"})}), "does not know deleteprotection"),
        (replace(KNOWN, apis={}), "may not call"),
        (None, "no key for writing"),
    ],
)
def test_where_a_shield_would_be_worth_nothing_the_reason_is_said(
    offered: Capabilities | None, words: str
) -> None:
    said = why_no_shield(offered)
    assert words in said
    assert bool(said) == bool(words)


def world(*domains: Domain, vms: tuple[VirtualMachine, ...]) -> ActualInventory:
    return actual(*domains, vms=vms, parent="ROOT")


def test_one_vm_a_domain_the_most_valuable_domain_first() -> None:
    small, large, empty, done = domain("small"), domain("large"), domain("empty"), domain("done")
    below = domain("x", parent="ROOT/ci/small")
    vms = (
        vm("s", small, state="Stopped"),
        vm("l2", large, created="2017-07-02"),
        vm("l1", large, created="2017-07-01"),
        vm("l0", large, state="Stopped", created="2016-01-01"),
        vm("b", below),
        replace(vm("d", done), delete_protected=True),
        vm("away", domain("web", parent="ROOT/other")),
    )
    choice = choose(
        world(small, large, empty, done, below, domain("web", parent="ROOT/other"), vms=vms), QUIET,
        parent="ROOT/ci",
    )  # fmt: skip
    assert [(one.path, one.vm.name) for one in choice.candidates] == [
        ("ROOT/ci/large", "l1"),
        ("ROOT/ci/small", "s"),
        ("ROOT/ci/small/x", "b"),
    ]
    assert choice.standing == ("ROOT/ci/done",)
    assert [(one.path, one.why) for one in choice.unshielded] == [
        ("ROOT/ci/empty", "it has no VM to hold a shield")
    ]


def test_what_is_submitted_is_too_late_and_what_lies_below_it_too() -> None:
    doomed, below = domain("doomed"), domain("x", parent="ROOT/ci/doomed")
    queued = Situation(
        NOON, (Deletion(Kind.DOMAIN, Stage.QUEUED, doomed.id, "doomed", doomed.path, "submitted"),)
    )
    choice = choose(world(doomed, below, vms=(vm("a", doomed), vm("b", below))), queued, parent="ROOT/ci")
    assert choice.candidates == ()
    assert [one.path for one in choice.unshielded] == ["ROOT/ci/doomed", "ROOT/ci/doomed/x"]
    assert all("too late" in one.why for one in choice.unshielded)


def test_vms_of_cloudstack_projects_and_dead_ones_hold_no_shield() -> None:
    owned, dead = domain("owned"), domain("dead")
    vms = (replace(vm("p", owned), project="proj"), vm("e", dead, state="Error"))
    choice = choose(world(owned, dead, vms=vms), QUIET, parent="ROOT/ci")
    assert choice.candidates == ()
    assert ["Projects" in one.why for one in choice.unshielded] == [False, True]


def test_only_the_named_projects() -> None:
    one, two = domain("Aurora"), domain("boreal")
    choice = choose(
        world(one, two, vms=(vm("a", one), vm("b", two))), QUIET, parent="ROOT/ci", projects={"aurora"}
    )
    assert [candidate.path for candidate in choice.candidates] == ["ROOT/ci/Aurora"]


# --- putting up and lifting ---------------------------------------------------------------------------------


class Cloud:
    """VMs with their protection; some refuse, some do not heed."""

    def __init__(self, *vms: VirtualMachine) -> None:
        self.rows = {
            one.id: {"id": one.id, "domainid": one.domain_id, "deleteprotection": False} for one in vms
        }
        self.refusing: set[str] = set()
        self.deaf: set[str] = set()
        self.sent: list[tuple[str, str]] = []

    def submit(self, command: str, parameters: Mapping[str, str], /) -> Submission:
        id = parameters["id"]
        self.sent.append((id, parameters["deleteprotection"]))
        if id in self.refusing:
            raise RefusedError("refused", code=431)
        if id not in self.deaf:
            self.rows[id]["deleteprotection"] = parameters["deleteprotection"] == "true"
        return Submission(None, {})

    def machine(self, id: str, /) -> JsonObject:
        if id not in self.rows:
            raise DataError(f"{id} is gone.")
        return self.rows[id]


@pytest.fixture
def journal(tmp_path: Path) -> ContainmentJournal:
    team, own = f"sqlite:///{tmp_path / 'team.sqlite'}", tmp_path / "own.sqlite"
    return open_journal(team, environment="lab", operator="op@host", local=own)


def test_containment_sends_none_where_none_counts() -> None:
    containment = object.__new__(Containment)
    containment.environment = SimpleNamespace(cloudstack=SimpleNamespace(write="a key"))
    containment._arming, containment._is_armed = threading.Lock(), True
    containment._fence = SimpleNamespace(capabilities=lambda: replace(KNOWN, release="4.18.0"))
    one = domain("aurora")
    candidates = choose(world(one, vms=(vm("a", one),)), QUIET, parent="ROOT/ci").candidates
    with pytest.raises(GuardError, match="not known to heed it"):
        containment.shield(candidates)


def test_each_is_read_back_and_only_what_shows_is_claimed(journal: ContainmentJournal) -> None:
    domains = [domain(name) for name in ("a", "b", "c", "d")]
    vms = tuple(vm(f"{one.name}-vm", one) for one in domains)
    cloud = Cloud(*vms)
    cloud.refusing, cloud.deaf = {vms[1].id}, {vms[2].id}
    cloud.rows[vms[3].id]["deleteprotection"] = True
    candidates = choose(world(*domains, vms=vms), QUIET, parent="ROOT/ci").candidates
    steps = Shielding(cloud, journal).put_up(candidates)
    assert [step.outcome for step in steps] == [
        Outcome.SUCCEEDED, Outcome.FAILED, Outcome.FAILED, Outcome.SKIPPED
    ]  # fmt: skip
    assert "reading back" in steps[2].detail
    assert [one.target for one in journal.standing("shield")] == ["ROOT/ci/a"]

    cloud.refusing.clear()
    cloud.deaf.clear()
    cloud.sent.clear()
    lifted = Shielding(cloud, journal).take_down(journal.standing("shield"))
    assert [step.outcome for step in lifted] == [Outcome.SUCCEEDED]
    assert cloud.sent == [(vms[0].id, "false")], "the one that somebody else protected stays protected"
    assert journal.standing("shield") == []


@pytest.mark.parametrize("is_late", [False, True])
def test_a_call_that_was_never_answered_stays_unknown_and_is_not_forgotten(
    journal: ContainmentJournal, is_late: bool
) -> None:
    """CloudStack may set it after it was read back: what lifts shields has to know it then."""

    class Silent(Cloud):
        def submit(self, command: str, parameters: Mapping[str, str], /) -> Submission:
            if not is_late:
                super().submit(command, parameters)
            raise OutcomeUnknownError("updateVirtualMachine was sent and no answer came.")

    one = domain("a")
    machine = vm("a-vm", one)
    candidates = choose(world(one, vms=(machine,)), QUIET, parent="ROOT/ci").candidates
    cloud = Silent(machine)
    (step,) = Shielding(cloud, journal).put_up(candidates)
    expected = Outcome.UNKNOWN if is_late else Outcome.SUCCEEDED
    assert step.outcome is expected
    (standing,) = journal.standing("shield")
    assert standing.outcome == expected.value
    if is_late:
        assert "no answer came. Reading back does not show it yet." in step.detail
        (found,) = lost([standing], world(one, vms=(machine,)))
        assert "never answered" in found.why, "nobody is said to have lifted it"

    cloud.rows[machine.id]["deleteprotection"] = True
    (step,) = Shielding(cloud, journal).take_down([standing])
    assert (step.outcome, len(journal.standing("shield"))) == ((expected, 1) if is_late else (expected, 0))
    answering = Cloud(machine)
    answering.rows[machine.id]["deleteprotection"] = True
    Shielding(answering, journal).take_down(journal.standing("shield"))
    assert (answering.rows[machine.id]["deleteprotection"], journal.standing("shield")) == (not is_late, [])


def test_after_a_stop_nothing_more_is_sent(journal: ContainmentJournal) -> None:
    domains = [domain(f"p{number}") for number in range(20)]
    vms = tuple(vm(f"{one.name}-vm", one) for one in domains)
    stop = threading.Event()

    class Stopping(Cloud):
        def submit(self, command: str, parameters: Mapping[str, str], /) -> Submission:
            stop.set()
            return super().submit(command, parameters)

    cloud = Stopping(*vms)
    candidates = choose(world(*domains, vms=vms), QUIET, parent="ROOT/ci").candidates
    steps = Shielding(cloud, journal, at_once=1).put_up(candidates, stop=stop)
    assert [step.outcome for step in steps] == [Outcome.SUCCEEDED]
    assert len(cloud.sent) == 1


def test_lifting_copes_with_a_vm_that_is_gone_or_was_lifted_by_somebody(journal: ContainmentJournal) -> None:
    domains = [domain(name) for name in ("a", "b")]
    vms = tuple(vm(f"{one.name}-vm", one) for one in domains)
    cloud = Cloud(*vms)
    shielding = Shielding(cloud, journal)
    shielding.put_up(choose(world(*domains, vms=vms), QUIET, parent="ROOT/ci").candidates)
    del cloud.rows[vms[0].id]
    cloud.rows[vms[1].id]["deleteprotection"] = False
    cloud.sent.clear()
    steps = shielding.take_down(journal.standing("shield"))
    assert [step.outcome for step in steps] == [Outcome.SUCCEEDED] * 2
    assert (cloud.sent, journal.standing("shield")) == ([], [])


def test_a_lost_shield_is_told_from_a_complete_reading_only(journal: ContainmentJournal) -> None:
    one = domain("a")
    machine = vm("a-vm", one)
    cloud = Cloud(machine)
    Shielding(cloud, journal).put_up(choose(world(one, vms=(machine,)), QUIET, parent="ROOT/ci").candidates)
    standing = journal.standing("shield")
    up = replace(machine, delete_protected=True)
    assert lost(standing, world(one, vms=(up,))) == ()
    assert [found.path for found in lost(standing, world(one, vms=(machine,)))] == ["ROOT/ci/a"]
    assert "is gone" in lost(standing, world(one, vms=()))[0].why
    assert lost(standing, actual(one, coverage=partial(), parent="ROOT")) == ()
