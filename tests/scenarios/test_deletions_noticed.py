"""A deletion at the sandbox is noticed by `check` and the headless watch; a refused one is no alarm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containment import Incident, start_sandbox


@pytest.fixture(params=["4.23", "4.18"])
def incident(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Incident]:
    with start_sandbox(tmp_path, release=request.param, scale=1.0, domains=3) as sandbox:
        yield Incident(sandbox, tmp_path)


def test_what_runs_and_what_is_submitted_is_critical_and_what_was_refused_is_not(incident: Incident) -> None:
    ids = incident.domains()
    code, found = check(incident)
    assert (code, found["deletions"]["deletions"]) == (0, [])

    for name in ("p01", "p02"):
        incident.sync.call("deleteDomain", id=ids[name], cleanup="true")
    incident.control.advance(0.1)
    code, found = check(incident)
    assert (code, found["status"]) == (2, "critical")
    stages = {one["name"]: one["stage"] for one in found["deletions"]["deletions"]}
    assert stages == {"p01": "being deleted", "p02": "submitted"}
    assert {one["by"] for one in found["deletions"]["deletions"]} == {"ci-sync/ci-sync"}
    assert "One domain is being deleted now (2 VMs still alive), 1 more is submitted." in found["headline"]

    with incident.abreast.start("watch", "--headless") as watch:
        assert watch.stdout is not None
        line = json.loads(watch.stdout.readline())
        watch.kill()
    assert line["status"] == "critical"
    assert [one["name"] for one in line["deletions"]["deletions"]] == ["p01", "p02"]

    incident.pass_time(120, step=2.0)
    incident.sync.call("deleteDomain", id=ids["p03"])
    incident.pass_time(10)
    code, found = check(incident)
    stages = {one["name"]: one["stage"] for one in found["deletions"]["deletions"]}
    assert stages == {"p01": "deleted", "p02": "deleted", "p03": "refused"}
    assert not found["deletions"]["is_happening"]
    assert "1 deletion was refused." in found["headline"]


def check(incident: Incident) -> tuple[int, dict]:
    ran = incident.abreast.run("check", "--format", "json")
    assert ran.stdout, ran.stderr
    return ran.returncode, json.loads(ran.stdout)
