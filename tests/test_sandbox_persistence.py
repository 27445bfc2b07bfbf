"""A world kept in a file: everything comes back, running jobs are failed, other files are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sync.sandbox import persistence
from sync.sandbox.clock import ManualClock
from sync.sandbox.engine import Engine
from sync.sandbox.records import TABLES
from tests.sandbox_api import Cloud, RefusedError


@pytest.fixture
def cloud() -> Cloud:
    made = Cloud()
    domain = made.domain("alpha")
    made.account("alice", domain)
    made.call("updateResourceLimit", resourcetype="0", max="7", domainid=domain)
    return made


def reopened(cloud: Cloud, path: Path) -> Cloud:
    persistence.save(cloud.world, path)
    cloud.clock = ManualClock(persistence.saved_at(path))
    cloud.world = persistence.load(path, cloud.clock)
    cloud.engine = Engine(cloud.world)
    cloud.gateway = type(cloud.gateway)(cloud.engine)
    cloud.admin = cloud.world.users[cloud.admin.id]
    return cloud


@pytest.mark.parametrize(
    "command",
    ["listDomains", "listAccounts", "listUsers", "listRoles", "listEvents", "listZones", "listTemplates"],
)
def test_every_list_is_the_same_after_a_restart(cloud: Cloud, tmp_path: Path, command: str) -> None:
    given = {"templatefilter": "all"} if command == "listTemplates" else {}
    before = cloud.call(command, listall="true", **given)
    assert reopened(cloud, tmp_path / "state.json").call(command, listall="true", **given) == before


def test_every_table_and_number_comes_back(cloud: Cloud, tmp_path: Path) -> None:
    before = {name: dict(cloud.world.table(name)) for name in TABLES}
    numbers, usage = dict(cloud.world.numbers), dict(cloud.world.usage.counts)
    world = reopened(cloud, tmp_path / "state.json").world
    assert {name: world.table(name) for name in TABLES} == before
    assert (world.numbers, world.usage.counts) == (numbers, usage)


def test_new_objects_do_not_collide_with_old_ones(cloud: Cloud, tmp_path: Path) -> None:
    again = reopened(cloud, tmp_path / "state.json")
    with pytest.raises(RefusedError, match="already exists"):
        again.domain("ALPHA")
    assert again.world.domains[again.domain("beta")].number == 3


def test_a_running_job_is_failed_and_what_it_did_stays(cloud: Cloud, tmp_path: Path) -> None:
    domain = next(one.id for one in cloud.world.domains.values() if one.name == "alpha")
    job = cloud.call("deleteDomain", id=domain, cleanup="true")
    cloud.wait(0.25)
    assert cloud.world.domains[domain].state == "Inactive"
    again = reopened(cloud, tmp_path / "state.json")
    answer = again.call("queryAsyncJobResult", jobid=job["jobid"])
    assert (answer["jobstatus"], answer["jobresultcode"]) == (2, 530)
    assert (
        answer["jobresult"]["errortext"] == "job cancelled because of management server restart or shutdown"
    )
    assert again.world.domains[domain].state == "Inactive"


def test_the_file_is_for_its_owner_only(cloud: Cloud, tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    persistence.save(cloud.world, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]


def test_a_failed_write_leaves_the_earlier_file(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "state.json"
    persistence.save(cloud.world, path)
    before = path.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(persistence.os, "fsync", full)
    cloud.domain("beta")
    with pytest.raises(OSError, match="No space"):
        persistence.save(cloud.world, path)
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        json.dumps({"format": 99}),
        json.dumps({"format": 1, "x": {"$record": "Nope"}}),
    ],
)
def test_what_is_no_state_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(persistence.StateFileError, match=r"other\.json"):
        persistence.load(path, ManualClock(Cloud().world.now()))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(persistence.StateFileError, match="nowhere"):
        persistence.saved_at(tmp_path / "nowhere.json")
