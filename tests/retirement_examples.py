"""Small builders for retirements: a lab in which zephyr may be retired, seen in two good readings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sync import blast
from sync.clocks import Clocks
from sync.model import (
    ActualInventory,
    Coverage,
    DesiredInventory,
    ListProof,
    OwnedResource,
    Retirement,
    VirtualMachine,
)
from sync.radius import Offering
from sync.retirement import Sighting
from sync.retirement_history import History
from sync.retirement_limits import RetirementLimits
from sync.retirement_proposal import View, Wish, sightings_of
from tests import examples
from tests.examples import ENDPOINT, NOON, ROOT_ID, account, domain, project, resource, vm

PROOFS = tuple(ListProof(name, rows=1) for name in blast.LISTS)
AGREED = replace(examples.COMPLETE, lists=PROOFS, agreed=True)
ZEPHYR = domain("zephyr")
EARLIER = NOON - timedelta(minutes=11)
LIMITS = RetirementLimits()


def record(name: str = "zephyr") -> Retirement:
    return Retirement(name, "cdelorme", "2017-06-30", "project ended")


def root_volume(machine: VirtualMachine) -> OwnedResource:
    made = resource(f"ROOT-{machine.name}", ZEPHYR)
    return replace(made, size=1, details={"type": "ROOT", "virtualmachineid": machine.id})


def desired_side(
    *, at: datetime = NOON, coverage: Coverage = AGREED, retired: Iterable[str] = ("zephyr",), **changes: Any
) -> DesiredInventory:
    made = examples.desired(project("dune", "rita"), coverage=coverage, taken_at=at)
    return replace(made, retired=tuple(map(record, retired)), **changes)


def actual_side(*, at: datetime = NOON, coverage: Coverage = AGREED, **changes: Any) -> ActualInventory:
    """dune, and zephyr with an account, two VMs with their root volumes, a data volume and a snapshot."""
    dune, first, second = domain("dune"), vm("z-1", ZEPHYR), vm("z-2", ZEPHYR, state="Stopped")
    made = examples.actual(
        domain("ci", parent="ROOT"),
        dune,
        ZEPHYR,
        accounts=[account(dune, "rita"), account(ZEPHYR, "zoe")],
        vms=[first, second],
        networks=[resource("zephyr-net", ZEPHYR)],
        coverage=coverage,
        taken_at=at,
    )
    made = replace(
        made,
        volumes=(root_volume(first), root_volume(second), resource("DATA-1", ZEPHYR)),
        snapshots=(resource("nightly", ZEPHYR),),
    )
    return replace(made, **changes)


def view(
    *,
    at: datetime = NOON,
    desired: DesiredInventory | None = None,
    actual: ActualInventory | None = None,
    offerings: tuple[Offering, ...] = (),
) -> View:
    clocks = Clocks(at, at, at)
    return View(desired or desired_side(at=at), actual or actual_side(at=at), offerings, clocks, clocks)


def sighting(at: datetime = EARLIER, **changes: Any) -> Sighting:
    (made,) = sightings_of(view(at=at), ["zephyr"])
    return replace(made, **changes)


def history(*sightings: Sighting) -> History:
    return History(sightings=sightings or (sighting(),))


def wish(*keys: str, **changes: Any) -> Wish:
    return replace(
        Wish("retire-1", "production", ENDPOINT, ROOT_ID, "jmartin@console-1", keys or ("zephyr",)), **changes
    )


def empty_side(**changes: Any) -> ActualInventory:
    """zephyr owns nothing."""
    return replace(actual_side(), vms=(), volumes=(), snapshots=(), networks=(), **changes)
