"""A drill restored after its rebuild: what comes back from archive and capture, what is left and why."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from sync.drill import Drill, practice
from sync.drill_plays import PLAYS
from sync.drill_script import Act, exit_code, look, silent, summary
from sync.errors import EXIT_DONE
from sync.loss_ledger import Fate
from sync.model import ActualInventory
from sync.sandbox.worlds.lab import UNEXPECTED

NO_COPY = {"argile-oneapi-2025": 3, "delphinus-julia-1.11": 2, "neurovox-cuda-12.4": 3}
"""Templates that the archive does not have, and how many VMs were made of each."""


@pytest.fixture(scope="module")
def restored() -> Iterator[tuple[Drill, Act, dict[str, Any]]]:
    """The night of 28 July, played to its end."""
    with practice(scenario="july28", speed=50) as drill:
        act = PLAYS["july28"](drill, silent, time.monotonic())
        yield drill, act, summary(act)


def sides(drill: Drill, act: Act) -> tuple[ActualInventory, ActualInventory]:
    """Before, and as it was read last."""
    assert drill.eve is not None and act.rehearsal.actual is not None
    return drill.eve.actual, act.rehearsal.actual


def test_all_that_was_planned_is_in_place_and_most_vms_are_back(restored) -> None:
    drill, act, told = restored
    assert exit_code(told) == EXIT_DONE
    assert told["restored"]["failed"] == {} and told["not_done"] == []
    assert told["restored"]["planned"] == told["restored"]["in_place"]
    lost = told["losses"]["by_type"]["VM"]["lost"]
    again = told["restored"]["in_place"]["deploy VM"]
    assert again == lost - sum(NO_COPY.values()) - 1 > 0.9 * lost, "and the CloudStack Project's"
    before, now = sides(drill, act)
    gone = {vm.id: vm for vm in before.vms}.keys() - {vm.id for vm in now.vms}
    there = {(vm.domain_path, vm.name): (vm.state, vm.addresses) for vm in now.vms}
    back = [vm for vm in before.vms if vm.id in gone and (vm.domain_path, vm.name) in there]
    assert len(back) == again
    for vm in back:
        assert there[vm.domain_path, vm.name] == (vm.state, vm.addresses), "as it was, where it was"
    templates = {one.name for one in now.templates}
    assert {one.name for one in before.templates} - templates == NO_COPY.keys()


def test_every_object_of_the_eve_is_there_or_made_again_or_listed_with_its_reason(restored) -> None:
    _, _, summed = restored
    told = summed["restored"]
    assert sum(one["objects"] for one in told["why_left"]) == told["left"]
    looked_at = sum(told["there_before"].values()) + sum(told["planned"].values()) + told["left"]
    assert looked_at == sum(summed["losses"]["by_fate"].values())
    reasons = {one["why"]: one["objects"] for one in told["why_left"] if one["type"] == "VM"}
    assert reasons == {
        **{f"its template {name} is not there and is not made again": vms for name, vms in NO_COPY.items()},
        "the CloudStack Project pelagos-nightly owned it, which is made by hand": 1,
    }
    no_copy = "no archive has it, and it did not come from an address"
    (templates,) = [one for one in told["why_left"] if one["type"] == "template"]
    assert templates == {"type": "template", "why": no_copy, "objects": len(NO_COPY)}


def test_the_losses_stay_exact_and_what_is_made_again_is_not_what_was_lost(restored) -> None:
    drill, act, told = restored
    assert told["ledger_exact"] and told["contradictions"] == []
    _, losses, found = look(drill, act.rehearsal)
    assert found == []
    lost = {one.id for one in losses.of(Fate.LOST)}
    _, now = sides(drill, act)
    assert not lost & {one.id for one in (*now.vms, *now.templates, *now.networks)}
    # Of the CI database's machines only those are missing that nothing brought back.
    assert told["losses"]["machines"] == sum(NO_COPY.values())
    assert told["agents"]["online"] > 70 and told["agents"]["addresses_of_others"] == 0


def test_nothing_but_creations_was_sent_and_the_stranger_was_left_alone(restored) -> None:
    drill, _, told = restored
    log = [one for one in drill.control.log() if one["client"].startswith("abreast/")]
    sent = Counter(one["command"] for one in log if not one["command"].startswith(("list", "get", "query")))
    assert sent["deployVirtualMachine"] == told["restored"]["in_place"]["deploy VM"]
    assert sent["registerTemplate"] == told["restored"]["in_place"]["register template"]
    assert not [name for name in sent if name.startswith(("delete", "destroy", "expunge", "stop"))]
    assert told["unexpected"] == [{"domain": UNEXPECTED, "untouched": True}]
    assert told["repairable"]["after"] == 0
