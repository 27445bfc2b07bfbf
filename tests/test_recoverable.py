"""Destroyed VMs whose account lives: which can be brought back, in which order, and that they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sync.cloudstack import Reader
from sync.loss_ledger import Expunging
from sync.model import (
    Account,
    Action,
    ActionKind,
    ActualInventory,
    Coverage,
    CoverageState,
    Domain,
    Outcome,
    Scope,
    VirtualMachine,
)
from sync.plan import build, wave_title, waves
from sync.recoverable import Recoverable, recoverable, recoveries
from sync.repairs import PlanRules
from sync.sandbox.worlds import Blueprint
from sync.sandbox.worlds.blueprint import Image, Machine, Person, Tenant
from tests.engine_cloud import ENDPOINT, EngineCloud

NOW = datetime(2026, 7, 28, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = PlanRules()
PERSON = "test"
"""Whoever destroys and recovers by hand: not the product."""


def vm(name: str, state: str = "Destroyed", **changed: Any) -> VirtualMachine:
    return VirtualMachine(
        **{
            "id": f"id-{name}",
            "name": name,
            "state": state,
            "domain_id": "d-dune",
            "domain_path": "ROOT/ci/dune",
            "account": "dune",
            **changed,
        }
    )


def world(*vms: VirtualMachine) -> ActualInventory:
    return ActualInventory(
        Scope("ROOT/ci"),
        NOW,
        Coverage(CoverageState.COMPLETE),
        domains=(
            Domain("d-ci", "ci", "ROOT/ci", None, 1),
            Domain("d-dune", "dune", "ROOT/ci/dune", "d-ci", 2),
            Domain("d-sub", "sub", "ROOT/ci/dune/sub", "d-dune", 3),
        ),
        accounts=(Account("a", "dune", "d-dune", "enabled", "User"),),
        vms=vms,
    )


def names(found: tuple[Recoverable, ...]) -> list[str]:
    return [one.vm.name for one in found]


# --- which, and in which order ------------------------------------------------------------------------------


def test_only_a_destroyed_vm_whose_owner_is_there_can_be_brought_back() -> None:
    found = recoverable(
        world(
            vm("back"),
            vm("runs", "Running"),
            vm("expunging", "Expunging"),
            vm("broken", "Error"),
            vm("account-gone", account="other"),
            vm("domain-gone", domain_id="d-gone"),
            vm("of-the-parent", domain_id="d-ci", domain_path="ROOT/ci"),
            vm("below", domain_id="d-sub", domain_path="ROOT/ci/dune/sub"),
            vm("of-a-project", account=None, project="farm"),
        ),
        RULES,
    )
    assert names(found) == ["back", "of-a-project"]
    assert {one.key for one in found} == {"dune"}


def test_the_most_urgent_comes_first_and_what_nobody_knows_last() -> None:
    times = Expunging(
        24 * HOUR, {"id-late": NOW - HOUR, "id-soon": NOW - 23 * HOUR, "id-past": NOW - 30 * HOUR}
    )
    found = recoverable(world(vm("a"), vm("late"), vm("soon"), vm("past")), RULES, expunging=times)
    assert names(found) == ["past", "soon", "late", "a"]
    assert [one.until for one in found] == [NOW - 6 * HOUR, NOW + HOUR, NOW + 23 * HOUR, None]


@pytest.mark.parametrize(
    ("retiring", "why"),
    [
        (frozenset({"dune"}), "the project is being retired, and its VMs were destroyed on purpose"),
        (None, "whether the project is being retired is not known: the ledger cannot be read"),
    ],
)
def test_what_a_retirement_destroyed_is_kept_back(retiring: frozenset[str] | None, why: str) -> None:
    found = recoverable(world(vm("back")), replace(RULES, retiring=retiring))
    assert [one.kept_back for one in found] == [why]
    assert recoveries(found) == ()


# --- the actions --------------------------------------------------------------------------------------------


def test_an_action_is_about_one_vm_as_it_was_seen_and_says_how_long_it_has() -> None:
    found = recoverable(
        world(vm("back"), vm("farmed", account=None, project="farm")),
        RULES,
        expunging=Expunging(24 * HOUR, {"id-back": NOW}),
    )
    mine, farmed = recoveries(found)
    assert (mine.id, mine.target_id) == ("recover-VM ROOT/ci/dune:dune:back", "id-back")
    assert dict(mine.precondition) == {"state": "Destroyed"}
    assert mine.reason.endswith("CloudStack expunges it from 2026-07-29 03:00 UTC on.")
    assert farmed.target == "ROOT/ci/dune:Project farm:farmed"
    assert farmed.reason == "The VM is Destroyed and its owner is there."


def test_two_destroyed_vms_of_one_name_are_two_actions() -> None:
    found = recoverable(world(vm("back", id="1"), vm("back", id="2"), vm("other")), RULES)
    assert [one.target.rpartition(":")[2] for one in recoveries(found)] == ["back (1)", "back (2)", "other"]


def test_vms_are_brought_back_before_anything_else_runs() -> None:
    later = Action(
        ActionKind.CREATE_DOMAIN, "x", "ROOT/ci/x", None, {"name": "x"}, {"exists": "no"}, "missing",
        recoveries(recoverable(world(vm("back")), RULES))[0].reversibility,
    )  # fmt: skip
    made = build(
        [later, *recoveries(recoverable(world(vm("back")), RULES))],
        environment="lab", root_id="r", endpoint=ENDPOINT, author="ops", now=NOW,
    )  # fmt: skip
    assert [wave_title(wave) for wave in waves(made)] == ["VMs", "domains"]


# --- against the stand-in -----------------------------------------------------------------------------------


def lab(release: str = "4.23") -> EngineCloud:
    person = Person("owner", "First", "Last", role="owner")
    machines = tuple(Machine(f"dune-{number}", "plain", f"10.0.0.{number + 5}") for number in range(3))
    tenant = Tenant("dune", members=(person,), machines=machines, images=(Image("plain"),))
    cloud = EngineCloud(Blueprint((tenant,)), release=release)
    for machine in list(cloud.world.vms.values())[:2]:
        job = cloud.ask("destroyVirtualMachine", {"id": machine.id}, client=PERSON).body
        assert isinstance(job, dict)
        cloud.sleep(30)
        assert machine.state == "Destroyed"
    return cloud


def found_in(cloud: EngineCloud) -> tuple[Recoverable, ...]:
    with cloud.reachable(), Reader(cloud.credentials(), clock=cloud.now) as reader:
        delay, destroyed = reader.expunging()
    times = Expunging(timedelta(seconds=delay) if delay is not None else None, destroyed)
    return recoverable(cloud.read(), RULES, expunging=times)


def states(cloud: EngineCloud) -> dict[str, str]:
    return {one.name: one.state for one in cloud.world.vms.values() if one.removed is None}


@pytest.mark.parametrize("release", ["4.23", "4.18"])
def test_what_was_destroyed_is_there_again_and_nothing_else_was_sent(release: str, tmp_path: Path) -> None:
    cloud = lab(release)
    found = found_in(cloud)
    assert names(found) == ["dune-0", "dune-1"]
    report = cloud.execute(recoveries(found), tmp_path)
    assert [one.outcome for one in report.results] == [Outcome.SUCCEEDED] * 2
    assert states(cloud) == {"dune-0": "Stopped", "dune-1": "Stopped", "dune-2": "Running"}
    assert [command for command, _, _ in cloud.sent()] == ["recoverVirtualMachine"] * 2
    assert found_in(cloud) == ()


def test_a_vm_that_was_expunged_meanwhile_is_skipped_and_one_that_is_back_too(tmp_path: Path) -> None:
    cloud = lab()
    planned = recoveries(found_in(cloud))
    first, second = [vm for vm in cloud.world.vms.values() if vm.state == "Destroyed"]
    cloud.ask("recoverVirtualMachine", {"id": first.id}, client=PERSON)
    cloud.ask("expungeVirtualMachine", {"id": second.id}, client=PERSON)
    cloud.sleep(30)
    report = cloud.execute(planned, tmp_path)
    assert [(one.outcome, one.detail.partition(":")[0]) for one in report.results] == [
        (Outcome.SKIPPED, "ROOT/ci/dune"),
        (Outcome.SKIPPED, "Changed since it was planned"),
    ]
    assert cloud.sent() == []


@pytest.mark.parametrize("kind", ["503", "truncated_body"])
def test_a_call_without_an_answer_is_resolved_by_reading_and_never_done_twice(
    kind: str, tmp_path: Path
) -> None:
    cloud = lab()
    planned = recoveries(found_in(cloud))[:1]
    cloud.faults.add({"command": "recoverVirtualMachine", "kind": kind, "count": 1})
    report = cloud.execute(planned, tmp_path)
    assert [one.outcome for one in report.results] == [Outcome.SUCCEEDED]
    assert states(cloud)["dune-0"] == "Stopped"
