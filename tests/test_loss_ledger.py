"""What a deletion took: told object by object, exactly, over random worlds and moments of abort."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.losses import LossReader
from sync.cloudstack import Reader
from sync.deletions import assess
from sync.journal import Journal
from sync.ledger import Ledger
from sync.loss_ledger import Expunging, Fate, LossLedger, loss_ledger, losses_without_capture, totals
from sync.model import (
    ActionResult,
    ActualInventory,
    Coverage,
    CoverageState,
    Outcome,
    OwnedResource,
    RunningJob,
    VirtualMachine,
)
from sync.object_types import NOT_READ_TYPES, OBJECT_TYPES, READ_TYPES, Comeback, object_type
from sync.plan import PlanRules
from sync.sandbox.commands import deletion
from sync.sandbox.worlds import Blueprint
from sync.sandbox.worlds.blueprint import Image, Machine, Person, Tenant
from tests.engine_cloud import SCOPE, EngineCloud, desired_of
from tests.examples import DELETE_DOMAIN

CLIENT = "test"
"""Whoever deletes in these worlds: not the product."""
NAMES = ("aurora", "Boreal", "cirrus", "écluse", "dune", "o'brien [b]")
TABLES = {
    "domain": "domains",
    "account": "accounts",
    "user": "users",
    "VM": "vms",
    "volume": "volumes",
    "snapshot": "snapshots",
    "template": "templates",
    "ISO": "isos",
    "network": "networks",
    "public address": "addresses",
    "CloudStack Project": "projects",
}
slice_of_it = settings(
    max_examples=25, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck)
)
all_of_it = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


# --- random worlds and moments ------------------------------------------------------------------------------


@st.composite
def tenants(draw: st.DrawFn, name: str) -> Tenant:
    members = draw(st.integers(0, 3))
    machines = draw(st.integers(0, 3)) if members else 0
    return Tenant(
        name=name,
        members=tuple(
            Person(f"user{number}", "First", "Last", role="owner" if number == 0 else "member")
            for number in range(members)
        ),
        machines=tuple(
            Machine(
                f"m{number}",
                "",
                f"10.1.1.{11 + number}",
                f"agent-{number}",
                offering="Small Instance",
                data_gib=draw(st.sampled_from([0, 5])),
                snapshot_ages=draw(st.sampled_from([(), (3, 9)])),
                project=draw(st.sampled_from(["", "", "shared"])),
            )
            for number in range(machines)
        ),
        images=tuple(
            Image(f"golden-{number}") for number in range(draw(st.integers(0, 2)) if members else 0)
        ),
        subdomains=draw(st.sampled_from([(), (), ("below",)])),
    )


@st.composite
def incidents(draw: st.DrawFn) -> tuple[Blueprint, list[dict[str, Any]]]:
    """A world, and what happens to it: deletions submitted, failing clean-ups, time that passes."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1, max_size=4))
    steps = st.one_of(
        st.fixed_dictionaries({"delete": st.sampled_from(names)}),
        st.fixed_dictionaries({"fail": st.sampled_from(names)}),
        st.fixed_dictionaries({"destroy": st.sampled_from(names)}),
        st.fixed_dictionaries({"wait": st.sampled_from([0.1, 1.0, 3.0, 8.0, 40.0])}),
    )
    blueprint = Blueprint(tenants=tuple(draw(tenants(name)) for name in names))
    return blueprint, draw(st.lists(steps, min_size=1, max_size=10))


def happen(cloud: EngineCloud, step: dict[str, Any]) -> None:
    domains = {domain.name: domain for domain in cloud.world.domains.values() if domain.state == "Active"}
    if "wait" in step:
        for _ in range(int(step["wait"] * 10)):
            cloud.sleep(0.1)
    elif "fail" in step:
        cloud.world.armed.setdefault("cleanup_fails", []).append(f"ROOT/ci/{step['fail']}")
    elif "delete" in step and step["delete"] in domains:
        cloud.ask("deleteDomain", {"id": domains[step["delete"]].id, "cleanup": "true"}, client=CLIENT)
    elif "destroy" in step and step["destroy"] in domains:
        there = [vm for vm in cloud.world.vms.values() if cloud.world.domain_of(vm).name == step["destroy"]]
        for vm in there[:1]:
            cloud.ask("destroyVirtualMachine", {"id": vm.id}, client=CLIENT)


def contradictions(cloud: EngineCloud, ledger: LossLedger) -> Iterator[str]:
    """What the ledger says and the sandbox's own log of what it destroyed does not."""
    destroyed = {(entry.kind, entry.id) for entry in cloud.world.destroyed}
    for one in ledger.objects:
        is_destroyed = (object_type(one.type).counted_as, one.id) in destroyed
        is_there = one.id in cloud.world.table(TABLES[one.type])
        if one.fate is Fate.LOST and not (is_destroyed and not is_there):
            yield f"lost, and survives: {one}"
        if one.fate in (Fate.SURVIVES, Fate.RECOVERABLE) and (is_destroyed or not is_there):
            yield f"survives, and is destroyed: {one}"
        if one.fate is Fate.UNKNOWN:
            yield f"unknown from a complete reading: {one}"


def is_exact(incident: tuple[Blueprint, list[dict[str, Any]]]) -> None:
    blueprint, steps = incident
    cloud = EngineCloud(blueprint)
    before = cloud.read()
    assert before.coverage.is_complete, before.coverage.why
    for step in steps:
        happen(cloud, step)
        now = cloud.read()
        assert now.coverage.is_complete, now.coverage.why
        gone = [entry.id for entry in cloud.world.destroyed if entry.kind == "domain"]
        for ledger in (loss_ledger(before, now), loss_ledger(before, now, deleted=gone)):
            assert list(contradictions(cloud, ledger)) == []
            assert {one.id for one in ledger.objects} == seen_below_parent(before)
    happen(cloud, {"wait": 400.0})
    ended = loss_ledger(before, cloud.read())
    assert list(contradictions(cloud, ended)) == []
    assert ended.of(Fate.DYING) == (), "once everything has ended, each object is lost or is not"


def seen_below_parent(inventory: ActualInventory) -> set[str]:
    owned = (
        *inventory.vms, *inventory.volumes, *inventory.snapshots, *inventory.templates, *inventory.isos,
        *inventory.networks, *inventory.public_addresses, *inventory.projects,
    )  # fmt: skip
    below = {domain.id for domain in inventory.domains if domain.path.startswith("ROOT/ci/")}
    accounts = [one for one in inventory.accounts if one.domain_id in below]
    return (
        below
        | {one.id for one in owned if one.domain_id in below}
        | {one.id for one in accounts}
        | {user.id for one in accounts for user in one.users}
    )


@slice_of_it
@given(incidents())
def test_nothing_is_reported_lost_that_survived_or_the_other_way_round(incident: Any) -> None:
    is_exact(incident)


@pytest.mark.exhaustive
@all_of_it
@given(incidents())
def test_it_is_exact_over_200_random_worlds_and_moments(incident: Any) -> None:
    is_exact(incident)


# --- single cases -------------------------------------------------------------------------------------------


def small() -> EngineCloud:
    person = Person("anna", "Anna", "A", role="owner")
    machine = Machine("m0", "", "10.1.1.11", "agent-0", offering="Small Instance", snapshot_ages=(3,))
    return EngineCloud(Blueprint(tenants=(Tenant("aurora", members=(person,), machines=(machine,)),)))


def test_a_destroyed_vm_is_recoverable_until_its_time_is_up() -> None:
    cloud = small()
    before = cloud.read()
    vm = before.vms[0]
    happen(cloud, {"destroy": "aurora"})
    happen(cloud, {"wait": 10.0})
    at = datetime(2026, 7, 28, 3, 0, tzinfo=UTC)
    known = Expunging(timedelta(hours=24), {vm.id: at})
    (found,) = loss_ledger(before, cloud.read(), expunging=known).of(Fate.RECOVERABLE)
    assert (found.id, found.until) == (vm.id, at + timedelta(hours=24))
    (unknown,) = loss_ledger(before, cloud.read()).of(Fate.RECOVERABLE)
    assert unknown.until is None


@pytest.mark.parametrize("state", [CoverageState.PARTIAL, CoverageState.FAILED])
def test_what_was_not_read_completely_is_unknown_and_never_lost(state: CoverageState) -> None:
    before = small().read()
    now = replace(
        before,
        coverage=replace(before.coverage, state=state, why="cut off"),
        vms=(),
        domains=(),
        accounts=(),
        volumes=(),
    )
    found = loss_ledger(before, now)
    assert found.of(Fate.LOST) == ()
    assert {one.type for one in found.of(Fate.UNKNOWN)} >= {"domain", "account", "user", "VM", "volume"}
    assert any("not read completely" in text for text in found.blind)


def test_a_list_that_was_taken_over_from_an_earlier_reading_proves_nothing() -> None:
    before = small().read()
    kept = tuple(proof for proof in before.coverage.lists if not proof.name.startswith("listVolumes"))
    now = replace(before, coverage=replace(before.coverage, lists=kept), users_taken_at=None)
    fates = {(one.type, one.fate) for one in loss_ledger(before, now).objects}
    assert ("volume", Fate.UNKNOWN) in fates and ("user", Fate.UNKNOWN) in fates
    assert ("volume", Fate.SURVIVES) not in fates and ("VM", Fate.SURVIVES) in fates


@pytest.mark.parametrize(("age", "fate"), [(None, Fate.UNKNOWN), (60, Fate.SURVIVES), (600, Fate.UNKNOWN)])
def test_users_are_told_by_a_list_of_late_and_by_their_accounts(age: int | None, fate: Fate) -> None:
    """A console reads them once a minute; they go with their account, which every reading has."""
    before = small().read()
    then = None if age is None else before.taken_at - timedelta(seconds=age)
    there = replace(before, users_taken_at=then)
    assert {one.fate for one in loss_ledger(before, there).objects if one.type == "user"} == {fate}
    gone = replace(there, accounts=())
    assert {one.fate for one in loss_ledger(before, gone).objects if one.type == "user"} == {Fate.LOST}


def test_without_a_capture_names_are_told_and_what_cannot_be_known_is_said() -> None:
    cloud = small()
    happen(cloud, {"delete": "aurora"})
    happen(cloud, {"wait": 60.0})
    found = losses_without_capture(desired_of(cloud.blueprint), cloud.read())
    assert {(one.type, one.name, one.fate) for one in found.objects} == {
        ("domain", "aurora", Fate.LOST),
        ("user", "anna", Fate.LOST),
        ("VM", "m0", Fate.LOST),
    }
    assert "no capture" in found.blind[0]
    cut = replace(cloud.read(), coverage=Coverage(CoverageState.PARTIAL, why="cut"))
    unsure = losses_without_capture(desired_of(cloud.blueprint), cut)
    assert totals(unsure.objects) == {Fate.UNKNOWN: 3}


def test_without_a_capture_events_tell_of_what_the_ci_database_does_not_know() -> None:
    cloud = small()
    happen(cloud, {"delete": "aurora"})
    happen(cloud, {"wait": 60.0})
    with cloud.reachable(), Reader(cloud.credentials(), clock=cloud.now) as reader:
        told = assess(reader.deletions(SCOPE))
    nothing = replace(desired_of(cloud.blueprint), projects={})
    found = losses_without_capture(nothing, cloud.read(), told)
    assert [(one.type, one.name, one.fate) for one in found.objects] == [("domain", "aurora", Fate.LOST)]
    assert "say that it was deleted by admin/admin" in next(iter(found.objects)).why
    assert "one deleted domain that the CI database lacks" in found.blind[-1]
    known = losses_without_capture(desired_of(cloud.blueprint), cloud.read(), told)
    assert [one.key for one in known.projects] == ["aurora"]
    assert "no deleted domain" in known.blind[-1]


def test_without_a_capture_what_a_running_deletion_hides_is_being_destroyed() -> None:
    cloud = small()
    happen(cloud, {"delete": "aurora"})
    cloud.sleep(0.2)
    found = losses_without_capture(desired_of(cloud.blueprint), cloud.read())
    assert {(one.type, one.fate) for one in found.objects} == {
        ("domain", Fate.DYING),
        ("user", Fate.DYING),
        ("VM", Fate.DYING),
    }


def test_without_a_capture_a_machine_in_the_renamed_old_domain_is_being_destroyed_not_lost() -> None:
    cloud = small()
    now = cloud.read()
    old = next(domain for domain in now.domains if domain.name == "aurora")
    vms = tuple(replace(vm, domain_path=f"ROOT/ci/aurora-deleted-0728-{old.id[:4]}") for vm in now.vms)
    found = losses_without_capture(
        desired_of(cloud.blueprint),
        replace(now, vms=vms, domains=tuple(domain for domain in now.domains if domain != old)),
    )
    assert [one.fate for one in found.objects if one.type == "VM"] == [Fate.DYING]
    assert [one.fate for one in found.objects if one.type == "domain"] == [Fate.DYING], "and so is that"


def test_without_a_capture_what_was_made_since_is_not_what_was_lost() -> None:
    cloud = small()
    desired = desired_of(cloud.blueprint)
    there = cloud.read()
    account, vm = there.accounts[0], there.vms[0]
    domain = next(one for one in there.domains if one.name == "aurora")

    def fates(*made: str) -> dict[str, Fate]:
        return {one.type: one.fate for one in losses_without_capture(desired, there, made=made).objects}

    assert set(fates().values()) == {Fate.SURVIVES}
    assert set(fates(domain.id).values()) == {Fate.LOST}, "a new domain has nothing of the old one"
    assert fates(account.id) == {"domain": Fate.SURVIVES, "user": Fate.LOST, "VM": Fate.SURVIVES}
    assert fates(account.users[0].id)["user"] is Fate.LOST
    assert fates(vm.id) == {"domain": Fate.SURVIVES, "user": Fate.SURVIVES, "VM": Fate.LOST}


def test_without_a_capture_a_domain_that_died_under_its_second_name_is_told_once() -> None:
    cloud = small()
    old = next(domain for domain in cloud.read().domains if domain.name == "aurora")
    cloud.ask("updateDomain", {"id": old.id, "name": f"aurora-deleted-0728-{old.id[:4]}"}, client=CLIENT)
    cloud.ask("deleteDomain", {"id": old.id, "cleanup": "true"}, client=CLIENT)
    happen(cloud, {"wait": 60.0})
    with cloud.reachable(), Reader(cloud.credentials(), clock=cloud.now) as reader:
        told = assess(reader.deletions(SCOPE))
    found = losses_without_capture(desired_of(cloud.blueprint), cloud.read(), told)
    assert [project.key for project in found.projects] == ["aurora"]
    assert {one.fate for one in found.objects} == {Fate.LOST}


def test_without_a_capture_only_what_was_made_since_the_deletion_began_is_left_out(tmp_path: Path) -> None:
    """What abreast made long ago survives as everything else does; what it makes anew is not back."""
    anna = Person("anna", "Anna", "A", role="owner")
    cloud = EngineCloud(Blueprint(tenants=tuple(Tenant(name, members=(anna,)) for name in NAMES[:2])))
    domains = {domain.name: domain for domain in cloud.read().domains}
    old, other = domains["aurora"], domains["Boreal"]
    with Ledger(f"sqlite:///{tmp_path / 'l.sqlite'}", environment="drill", clock=cloud.now) as ledger:

        def record(domain_id: str, name: str) -> None:
            result = ActionResult(f"create-domain ROOT/ci/{name}", Outcome.SUCCEEDED, object_id=domain_id)
            Journal(ledger, "run").outcome(result)

        record(other.id, other.name)
        happen(cloud, {"wait": 60.0})
        happen(cloud, {"delete": "aurora"})
        happen(cloud, {"wait": 60.0})
        cloud.ask("createDomain", {"name": "aurora", "parentdomainid": str(old.parent_id)}, client=CLIENT)
        record(next(domain.id for domain in cloud.read().domains if domain.name == "aurora"), "aurora")
        with cloud.reachable(), Reader(cloud.credentials(), clock=cloud.now) as reader:
            told = assess(reader.deletions(SCOPE))
        session = SimpleNamespace(
            ledger=ledger,
            rules=PlanRules(),
            environment=SimpleNamespace(archive=None),
            captures=SimpleNamespace(exist=False, last_captured=lambda _: {}),
            expunging=Expunging,
        )
        found = LossReader(session).read(desired_of(cloud.blueprint), cloud.read(), told)  # type: ignore[arg-type]
    assert found.ledger.before is None and found.basis.began is not None
    fates = {one.name: one.fate for one in found.ledger.objects if one.type == "domain"}
    assert fates["aurora"] is Fate.LOST
    assert fates[other.name] is Fate.SURVIVES


def test_what_lost_most_comes_first_and_everything_is_counted_by_type() -> None:
    cloud = small()
    before = cloud.read()
    happen(cloud, {"delete": "aurora"})
    happen(cloud, {"wait": 60.0})
    found = loss_ledger(before, cloud.read())
    assert [project.key for project in found.projects] == ["aurora"]
    counts = found.counts()
    assert counts["snapshot"] == {Fate.LOST: 1} and counts["VM"] == {Fate.LOST: 1}
    assert list(counts) == [one.name for one in READ_TYPES if one.name in counts]


def test_a_vm_whose_domain_is_not_listed_is_dying() -> None:
    vm = VirtualMachine("v", "m", "Running", "gone", "ROOT/ci/gone", "gone")
    before = replace(small().read(), vms=(vm,))
    now = replace(before, domains=before.domains[:1])
    fates = {one.id: one.fate for one in loss_ledger(before, now).objects}
    assert fates["v"] is Fate.DYING


def test_what_a_deletion_that_was_cut_off_left_over_is_said_to_be_left_over() -> None:
    vm = VirtualMachine("v", "m", "Running", "gone", "ROOT/ci/gone", "gone")
    image = OwnedResource("t", "golden", "Ready", "gone", "ROOT/ci/gone", "gone")
    before = replace(small().read(), vms=(vm,), templates=(image,))
    now = replace(before, domains=before.domains[:1], templates=())
    cut_off, running = (
        loss_ledger(before, replace(now, jobs=jobs))
        for jobs in ((), (RunningJob("j", DELETE_DOMAIN, "", "", ""),))
    )
    for told, words, is_said in ((cut_off, "was cut off", True), (running, "is being deleted", False)):
        dying = {one.id: one for one in told.objects if one.fate is Fate.DYING}
        assert words in dying["v"].why and words in dying["t"].why
        assert dying["v"].is_left_over is is_said
        assert any("no deletion runs now" in text for text in told.blind) is is_said


def test_public_addresses_are_told_one_by_one() -> None:
    """Of both roles: the way out of the network, and one more."""
    cloud = small()
    network = next(iter(cloud.world.networks))
    cloud.ask("associateIpAddress", {"networkid": network, "ipaddress": "192.168.3.7"}, client=CLIENT)
    cloud.sleep(10)
    before = cloud.read()
    roles = {one.name: one.details.get("issourcenat", "") for one in before.public_addresses}
    assert roles["192.168.3.7"] == "" and sorted(roles.values()) == ["", "True"]
    assert {one.details["associatednetworkname"] for one in before.public_addresses} == {"aurora-net"}
    happen(cloud, {"delete": "aurora"})
    happen(cloud, {"wait": 400.0})
    lost = [one for one in loss_ledger(before, cloud.read()).of(Fate.LOST) if one.type == "public address"]
    assert {one.name for one in lost} == set(roles)


def test_a_capture_of_an_older_abreast_is_said_to_have_no_addresses() -> None:
    now = small().read()
    lists = tuple(one for one in now.coverage.lists if not one.name.startswith("listPublicIpAddresses"))
    old = replace(now, public_addresses=(), coverage=replace(now.coverage, lists=lists))
    words = "The capture has no public addresses"
    assert any(one.startswith(words) for one in loss_ledger(old, now).blind)
    assert not any(one.startswith(words) for one in loss_ledger(now, now).blind)


# --- the table of types -------------------------------------------------------------------------------------


def test_every_type_that_the_clean_up_destroys_has_exactly_one_row() -> None:
    names = [one.name for one in OBJECT_TYPES]
    assert len(names) == len(set(names))
    assert set(READ_TYPES) | set(NOT_READ_TYPES) == set(OBJECT_TYPES)
    assert {one.name for one in READ_TYPES} == set(TABLES)


def test_whatever_the_sandbox_notes_as_destroyed_is_a_row_of_the_table() -> None:
    """Every word that the sandbox logs a destruction under, by its own code."""
    from sync.sandbox import lifecycle

    noted: set[str] = set()
    for module in (deletion, lifecycle):
        text = Path(str(module.__file__)).read_text(encoding="utf-8")
        calls = re.findall(r"log_destroyed\(([^,]+),", text)
        assert calls
        noted |= {word for call in calls for word in re.findall(r'"(\w+)"', call) if word != "templates"}
        noted |= set(re.findall(r'"(?:vm_snapshots|ssh_keys)", "(\w+)"', text))
    assert {"domain", "iso", "ssh_key", "address"} <= noted
    assert noted <= {one.counted_as for one in OBJECT_TYPES}


FROM_THE_PAPERS = (
    "setting", "LDAP", "SAML", "SSH key", "public address", "firewall", "offering", "sharing", "schedule",
    "certificate", "API key", "VPC", "VM snapshot", "ISO", "KMS", "webhook", "annotation", "tag", "user data",
    "affinity", "autoscale", "Kubernetes", "quota balance", "dedicated", "shared network", "shared file",
    "CloudStack Project", "backup", "instance group",
)  # fmt: skip
"""What operations.md and issue 5 list beside domains, accounts and machines."""


@pytest.mark.parametrize("word", FROM_THE_PAPERS)
def test_every_type_that_the_papers_name_is_in_the_table(word: str) -> None:
    assert any(word in one.name for one in OBJECT_TYPES)


def test_what_is_lost_for_good_is_said_to_be_so() -> None:
    assert object_type("KMS key").comeback is Comeback.LOST
    assert object_type("domain").comeback is Comeback.CI_DATABASE
