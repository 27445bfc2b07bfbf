"""The sandbox's worlds: the lab is what the drill says it is; World and CI database tell the same story."""

import dataclasses
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from sync.sandbox import worlds
from sync.sandbox.clock import ManualClock
from sync.sandbox.records import EPOCH, World
from sync.sandbox.seed import fresh_cloud
from sync.sandbox.worlds import blueprint, ci_rows
from sync.sandbox.worlds.blueprint import Blueprint, Machine, Person, Tenant, WorldFileError
from sync.sandbox.worlds.lab import DYING, HOLLOW, LIMITED_TO, UNEXPECTED, lab


def seeded(name: str, *, release: str = "4.23") -> tuple[World, Blueprint]:
    world = World(release=release, clock=ManualClock(EPOCH), seed=1)
    fresh_cloud(world)
    return world, worlds.seed(world, name)


@pytest.fixture
def drill_world() -> World:
    return seeded("drill")[0]


def domain_of(world: World, path: str):
    return next(one for one in world.domains.values() if one.path == path)


# --- the lab ----------------------------------------------------------------------------------------------


def test_the_lab_has_forty_projects_and_one_stranger():
    tenants = lab().tenants
    assert len([one for one in tenants if one.is_known]) == 40
    assert [one.name for one in tenants if not one.is_known] == [UNEXPECTED]
    assert {DYING, HOLLOW, LIMITED_TO} < {one.name for one in tenants}


def test_the_lab_looks_like_a_lab():
    tenants = [one for one in lab().tenants if one.is_known]
    people = {one.username: (one.firstname, one.lastname) for tenant in tenants for one in tenant.members}
    assert 120 <= len(people) <= 180
    assert all(name.isascii() and name.islower() for name in people)
    assert sum(not (first + last).isascii() for first, last in people.values()) > 40
    sizes = Counter(len(one.members) for one in tenants)
    assert sum(sizes[size] for size in range(3, 7)) >= 30
    assert 0 in sizes
    assert any(one.members and not any(machine.agent for machine in one.machines) for one in tenants)
    assert any(not one.machines for one in tenants)
    assert any(not member.enabled for one in tenants for member in one.members)
    assert all(member.address.endswith("@example.org") for one in tenants for member in one.members)


def test_one_username_is_one_person():
    seen: dict[str, Person] = {}
    for tenant in lab().tenants:
        names = [one.username for one in tenant.members]
        assert len(names) == len(set(names)), tenant.name
        for one in tenant.members:
            first = seen.setdefault(one.username, one)
            assert (first.firstname, first.lastname) == (one.firstname, one.lastname)


def test_machine_names_are_host_names_and_used_once():
    machines = [one for tenant in lab().tenants for one in tenant.machines]
    names = [one.name for one in machines]
    assert len(names) == len(set(names)) > 80
    assert all(name.isascii() and name.replace("-", "").isalnum() and len(name) <= 63 for name in names)
    addresses = [one.address for one in machines]
    assert len(addresses) == len(set(addresses))


def test_every_machine_is_made_of_a_template_there_is():
    plan = lab()
    public = {one.name for one in plan.images}
    for tenant in plan.tenants:
        known = public | {one.name for one in tenant.images}
        assert {one.template for one in tenant.machines} <= known, tenant.name


def test_the_lab_is_the_same_every_time():
    assert lab() == lab()


# --- world and database agree -----------------------------------------------------------------------------


def test_stored_ids_are_the_ids_of_the_domains(drill_world):
    rows = ci_rows.rows_of(lab())["projects"]
    stored = {name: domain_id for name, _, _, domain_id in rows if domain_id}
    assert 30 < len(stored) < 40, "some projects store none"
    for name, domain_id in stored.items():
        assert drill_world.domains[domain_id].path == f"ROOT/ci/{name}"


def test_the_lab_is_in_sync_but_for_the_stranger_and_dune(drill_world):
    rows = ci_rows.rows_of(lab())
    below = {one.name for one in drill_world.children(domain_of(drill_world, "ROOT/ci").id)}
    assert below == {row[0] for row in rows["projects"]} | {UNEXPECTED}
    users = {}
    for project, username, email, first, last, _, enabled in rows["members"]:
        account = drill_world.account_named(project, domain_of(drill_world, f"ROOT/ci/{project}").id)
        found = {one.username: one for one in drill_world.users_of(account.id)}[username]
        assert (found.email, found.firstname, found.lastname) == (email, first, last)
        users[project, username] = (enabled, found.state)
    differing = {who for who, (enabled, state) in users.items() if bool(enabled) != (state == "enabled")}
    assert differing == {(LIMITED_TO, "jmartin")}
    limits = {
        (project, resource): (
            maximum,
            drill_world.limits[domain_of(drill_world, f"ROOT/ci/{project}").id][resource],
        )
        for project, resource, maximum in rows["quotas"]
    }
    assert {what: pair for what, pair in limits.items() if pair[0] != pair[1]} == {
        (LIMITED_TO, "vm"): (10, 5)
    }


def test_every_agent_stands_on_a_vm_of_its_project(drill_world):
    by_name = {one.name: one for one in drill_world.vms.values()}
    agents = [row for row in ci_rows.rows_of(lab())["agents"] if row[2]]
    assert len(agents) > 70
    for project, _, vm, address in agents:
        assert drill_world.domain_of(by_name[vm]).path == f"ROOT/ci/{project}"
        assert {drill_world.nics[id].address for id in by_name[vm].nic_ids} == {address}


def test_usage_is_what_was_built(drill_world):
    ci = domain_of(drill_world, "ROOT/ci").id
    assert drill_world.usage.of(ci, "vm") == len(drill_world.vms)
    assert drill_world.usage.of(ci, "volume") == len(drill_world.volumes)
    assert drill_world.usage.of(ci, "snapshot") == len(drill_world.snapshots) > 50
    assert drill_world.usage.of(ci, "network") == len(drill_world.networks)


def test_usage_stays_below_the_limits_of_an_account(drill_world):
    for account in drill_world.accounts.values():
        assert drill_world.usage.of(account.id, "primarystorage") <= 200 << 30, account.name
        assert drill_world.usage.of(account.id, "secondarystorage") <= 400 << 30, account.name


def test_a_cloudstack_project_owns_a_vm(drill_world):
    (project,) = drill_world.projects.values()
    assert [one.name for one in drill_world.owned(project.account_id, "vms")] == ["pelagos-nemo-xios-2"]


def test_the_troubled_project_is_the_one_the_sync_was_limited_to():
    tenant = next(one for one in lab().tenants if one.name == LIMITED_TO)
    assert tenant.limits == {"vm": 5}
    assert [one.username for one in tenant.members if not one.is_enabled_in_cloud] == ["jmartin"]


def test_deletion_takes_minutes_a_vm_as_on_hardware(drill_world):
    times = drill_world.service_times
    assert sum(times.of(step, 0) for step in ("stop_vm", "destroy_vm", "expunge_vm")) >= 180


def test_other_release_is_seeded_alike():
    world, _ = seeded("drill", release="4.18")
    assert len(world.vms) == len(seeded("drill")[0].vms)


def test_two_builds_are_equal():
    first, second = (seeded("drill")[0] for _ in range(2))
    assert [vars(one) for one in first.vms.values()] == [vars(one) for one in second.vms.values()]
    assert list(first.domains) == list(second.domains)


# --- large ------------------------------------------------------------------------------------------------


def test_the_large_world_is_large_and_quick():
    world = World(release="4.23", clock=ManualClock(EPOCH), seed=1)
    fresh_cloud(world)
    before = time.process_time()
    plan = worlds.seed(world, "large")
    seconds = time.process_time() - before
    assert len(world.children(domain_of(world, "ROOT/ci").id)) == 5_000
    assert sum(not world.account_of(one).is_default for one in world.users.values()) == 20_000
    assert len(world.vms) == 15_000
    assert seconds < 3
    known = {one.name for one in plan.tenants if one.is_known}
    assert len({name.casefold() for name in known}) == len(known)


# --- files ------------------------------------------------------------------------------------------------


def test_a_blueprint_survives_its_file(tmp_path: Path):
    blueprint.save(lab(), tmp_path / "lab.json")
    again = worlds.blueprint_for(str(tmp_path / "lab.json"))
    assert again.tenants == lab().tenants
    assert again == lab()


def test_a_ci_database_is_a_world_too(tmp_path: Path):
    worlds.write_database(lab(), tmp_path / "ci.sqlite")
    plan = worlds.blueprint_for(str(tmp_path / "ci.sqlite"))
    assert ci_rows.rows_of(plan)["members"] == ci_rows.rows_of(lab())["members"]
    assert ci_rows.rows_of(plan)["projects"] == ci_rows.rows_of(lab())["projects"]
    assert sorted(ci_rows.rows_of(plan)["agents"]) == sorted(ci_rows.rows_of(lab())["agents"])
    world, _ = seeded(str(tmp_path / "ci.sqlite"))
    assert len(world.children(domain_of(world, "ROOT/ci").id)) == 40
    assert len(world.vms) == len({row[2] for row in ci_rows.rows_of(lab())["agents"] if row[2]})


def test_a_database_is_never_written_over(tmp_path: Path):
    path = tmp_path / "ci.sqlite"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        worlds.write_database(lab(), path)
    assert path.read_text() == "mine"


def test_the_database_has_the_reference_schema(tmp_path: Path):
    worlds.write_database(lab(), tmp_path / "ci.sqlite")
    with closing(sqlite3.connect(tmp_path / "ci.sqlite")) as connection:
        columns = {
            table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            for table in ("projects", "members", "agents", "quotas", "retired")
        }
    assert columns == {
        "projects": ["name", "network_domain", "enabled", "domain_id"],
        "members": ["project", "username", "email", "firstname", "lastname", "role", "enabled"],
        "agents": ["project", "name", "vm", "address"],
        "quotas": ["project", "resource", "maximum"],
        "retired": ["project", "by", "at", "reason"],
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is no JSON"),
        ("[]", "world must be an object"),
        ('{"tenants": [{}]}', "world.tenants[0]: missing 1 required positional argument: 'name'"),
        ('{"tenants": [{"name": 3}]}', "world.tenants[0].name must be str, not 3"),
        ('{"tenants": [{"name": "a", "vms": []}]}', "has no field 'vms'; there are name, members"),
        ('{"tenants": [{"name": "a", "quotas": {"vm": "x"}}]}', "world.tenants[0].quotas.vm must be int"),
        ('{"tenants": [], "retired": [["a"]]}', "world.retired[0] must have 4 values, not 1"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_place(tmp_path: Path, text: str, complaint: str):
    file = tmp_path / "world.json"
    file.write_text(text)
    with pytest.raises(WorldFileError) as caught:
        worlds.blueprint_for(str(file))
    assert complaint in str(caught.value)
    assert str(file) in str(caught.value)


def test_an_unknown_world_names_those_there_are():
    with pytest.raises(WorldFileError, match="none of empty, drill, large"):
        worlds.blueprint_for("dril")


def test_a_foreign_database_is_refused(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as connection, connection:
        connection.execute("CREATE TABLE things (name TEXT)")
    with pytest.raises(WorldFileError, match="no CI database of the sample schema"):
        worlds.blueprint_for(str(tmp_path / "other.sqlite"))


def test_drift_can_be_written_in_a_file(tmp_path: Path):
    machine = Machine(name="a-1", template="", address="10.1.1.11")
    plan = Blueprint(
        tenants=(
            Tenant(name="gone", members=(Person("ada", "Ada", "Byron"),), has_domain=False),
            Tenant(
                name="bare", members=(Person("bob", "Bob", "Dole"),), has_account=False, machines=(machine,)
            ),
            dataclasses.replace(Tenant(name="odd"), is_known=False),
        )
    )
    blueprint.save(plan, tmp_path / "w.json")
    world, _ = seeded(str(tmp_path / "w.json"))
    ci = domain_of(world, "ROOT/ci")
    assert {one.name for one in world.children(ci.id)} == {"bare", "odd"}
    assert not world.accounts_in(domain_of(world, "ROOT/ci/bare").id)
    assert not world.vms
    assert {row[0] for row in ci_rows.rows_of(plan)["projects"]} == {"gone", "bare"}
