"""One VM's state means the same to everybody who asks whether it is there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync import machine_states
from sync.drift import compare
from sync.identities import objects_by_name
from sync.loss_ledger import Fate, loss_ledger
from sync.machine_states import AWAKE, DESTROYED, FAILED, GOING, GONE, RECOVERABLE, UNDER_WAY, WORKING
from sync.model import Agent, Contents, DriftKind, ListProof, Subject
from sync.parts import alive, left_of
from tests import examples as ex

DUNE = ex.domain("dune")
HAD = {DUNE.id: Contents(vms=1, templates=0, at=ex.NOON, accounts=frozenset())}


def test_every_state_that_can_be_said_is_in_one_group_and_all_are_lower_case() -> None:
    assert (
        frozenset[str]().union(
            *(value for value in vars(machine_states).values() if isinstance(value, frozenset))
        )
        == GONE | WORKING
    )
    assert not GONE & WORKING and not RECOVERABLE & GOING and not DESTROYED & FAILED
    assert UNDER_WAY < AWAKE < WORKING
    assert all(state == state.casefold() for state in GONE | WORKING)


@pytest.mark.parametrize("state", ["Destroyed", "Expunging", "Expunged", "Error", "Running", "Unknown"])
def test_whether_a_vm_is_gone_is_one_truth(state: str) -> None:
    """For the agents, for who counts what is alive, for hollow domains, and for the map of ids."""
    is_gone = state.casefold() in GONE
    machine = ex.vm("runner", DUNE, state=state)
    project = replace(ex.project("dune", "anna"), agents=(Agent("agent", vm="runner"),))
    account = replace(ex.account(DUNE, "anna"), created="2017-01-01T00:00:00+0000")
    actual = ex.actual(DUNE, accounts=[account], vms=[machine])
    (row,) = compare(ex.desired(project), actual, before=HAD).rows
    assert (row.kind is DriftKind.HOLLOW) is is_gone
    assert [part.is_loss for part in row.parts if part.subject is Subject.MACHINE] == [is_gone]
    assert bool(alive([machine])) is not is_gone
    assert (("VM", f"{DUNE.path}:dune:runner".casefold()) in objects_by_name(actual)) is not is_gone


def test_what_a_failed_deployment_left_was_destroyed_by_nobody() -> None:
    broken, destroyed = ex.vm("broken", DUNE, state="Error"), ex.vm("runner", DUNE, state="Destroyed")
    assert left_of([destroyed]) == (1, "destroyed VM")
    assert left_of([broken, destroyed]) == (2, "dead VM")
    assert left_of([broken, ex.vm("x", DUNE)]) == (1, "VM")
    actual = ex.actual(DUNE, accounts=[ex.account(DUNE, "anna")], vms=[broken])
    read = replace(actual.coverage, lists=(ListProof("listVirtualMachines", 1),))
    actual = replace(actual, coverage=read)
    (fate,) = [one.fate for one in loss_ledger(actual, actual).objects if one.type == "VM"]
    assert fate is Fate.SURVIVES, "it is as it was in the capture"
