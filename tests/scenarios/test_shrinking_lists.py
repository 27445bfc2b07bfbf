"""A deletion while CloudStack is read: VMs vanish between one page and the next, so that their list never
adds up. The incident is seen all the same, and nothing is concluded from what was not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import write_database
from sync.sandbox.worlds.blueprint import Blueprint, Image, Machine, Person, Tenant, save
from tests.containment import Incident

CRITICAL, UNKNOWN = 2, 3
DOOMED, MACHINES = "doomed", 150


def tenant(name: str, machines: int) -> Tenant:
    return Tenant(
        name,
        (Person(f"owner-{name}", "O", "W", role="owner"),),
        tuple(Machine(f"{name}-{number}", "debian", f"10.1.1.{number + 10}") for number in range(machines)),
    )


@pytest.fixture
def incident(tmp_path: Path) -> Iterator[Incident]:
    """One large project and some small ones, in pages of ten; time stands still but for what is let pass."""
    tenants = [tenant(DOOMED, MACHINES), *(tenant(f"p{number:02}", 1) for number in range(12))]
    world = Blueprint(tenants=tuple(tenants), images=(Image("debian", os="Other Linux (64-bit)"),))
    save(world, tmp_path / "world.json")
    write_database(world, tmp_path / "ci.sqlite")
    with SandboxProcess.start(world=str(tmp_path / "world.json"), manual_clock=True) as sandbox:
        made = Incident(sandbox, tmp_path)
        made.admin.call("updateConfiguration", name="default.page.size", value="10")
        yield made


def check(incident: Incident) -> tuple[int, dict[str, Any]]:
    ran = incident.abreast.run("check", "--format", "json")
    assert ran.stdout, ran.stderr
    return ran.returncode, json.loads(ran.stdout)


def test_a_deletion_is_critical_although_no_reading_adds_up(incident: Incident) -> None:
    doomed = next(one for name, one in incident.domains().items() if name == DOOMED)
    _, found = check(incident)
    assert found["coverage"]["actual"]["state"] == "complete"
    incident.sync.call("deleteDomain", id=doomed, cleanup="true")
    incident.pass_time(20, step=1.0)
    incident.control.add_fault("time_passes", command="listVirtualMachines", seconds=5.0)
    code, found = check(incident)
    actual, counts = found["coverage"]["actual"], found["counts"]
    assert actual["state"] == "partial", actual
    assert "listVirtualMachines: it lost rows all the time" in actual["why"]
    assert (code, found["status"]) == (CRITICAL, "critical")
    assert (counts["deleting"], counts["unknown"], sum(counts.values())) == (1, 12, 13)
    assert "One domain is being deleted now" in found["headline"]
    assert found["repairable"] == 0
    plan = incident.abreast.run("plan")
    assert (plan.returncode, plan.stdout) == (UNKNOWN, "")
    assert incident.lost() == [], "it was read while it went on"
