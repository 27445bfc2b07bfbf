"""Zones that a restore froze: what the ledger says of them, and that nothing else is opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sync.freezes import Freeze, beside, freeze, frozen, thaw
from sync.stock import Zone
from tests.restores import Lab

NOON = datetime(2026, 7, 28, 12, 0, tzinfo=UTC)
FREEZE, THAW = freeze(Zone("z", "zone-1", "Enabled")).id, thaw(Zone("z", "zone-1", "Disabled")).id


@dataclass
class Said:
    payload: dict[str, Any]
    operator: str = "anna@desk"
    at: datetime = field(default=NOON)


def intent(action: str) -> Said:
    return Said({"action": action, "command": "updateZone"})


def ended(action: str, outcome: str, object_id: str | None = "z") -> Said:
    return Said({"action": action, "outcome": outcome, "object_id": object_id})


SURE, UNSURE = Freeze("zone-1", "anna@desk", NOON), Freeze("zone-1", "anna@desk", NOON, is_certain=False)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], []),
        ([intent(FREEZE)], [UNSURE]),
        ([intent(FREEZE), ended(FREEZE, "succeeded")], [SURE]),
        ([intent(FREEZE), ended(FREEZE, "failed")], []),
        ([intent(FREEZE), ended(FREEZE, "unknown")], [UNSURE]),
        ([ended(FREEZE, "skipped")], []),
        ([intent(FREEZE), ended(FREEZE, "succeeded"), ended(FREEZE, "skipped")], [SURE]),
        ([intent(FREEZE), ended(FREEZE, "succeeded"), intent(THAW)], [SURE]),
        ([intent(FREEZE), ended(FREEZE, "succeeded"), intent(THAW), ended(THAW, "failed")], [SURE]),
        ([intent(FREEZE), ended(FREEZE, "succeeded"), intent(THAW), ended(THAW, "unknown")], [SURE]),
        ([intent(FREEZE), ended(FREEZE, "succeeded"), intent(THAW), ended(THAW, "succeeded")], []),
        ([intent(FREEZE), ended(FREEZE, "succeeded"), ended(THAW, "skipped")], []),
        ([intent(FREEZE), ended(FREEZE, "succeeded"), ended(THAW, "skipped", None)], [SURE]),
        ([intent("create-domain ROOT/ci/dune"), ended("create-domain ROOT/ci/dune", "succeeded")], []),
    ],
)
def test_a_zone_is_frozen_until_it_is_known_to_be_open(entries: list[Said], expected: list[Freeze]) -> None:
    assert list(frozen(entries)) == expected


@pytest.mark.parametrize(
    ("allocations", "expected"),
    [
        ({"zone-1": "Disabled"}, "Zone zone-1 is frozen: root admins alone can deploy."),
        ({"zone-1": "Enabled"}, None),
        ({"zone-2": "Disabled"}, "Zone zone-1 may be frozen: root admins alone can deploy."),
        ({}, "Zone zone-1 may be frozen: root admins alone can deploy."),
    ],
)
@pytest.mark.parametrize("known", [SURE, UNSURE])
def test_only_a_reading_of_the_zone_says_for_certain_that_it_is_closed_now(
    known: Freeze, allocations: dict[str, str], expected: str | None
) -> None:
    found = beside([known], allocations, is_in_run=False)
    told = [f"{expected} Since 07-28 12:00 UTC by anna@desk"] if expected else []
    assert [one.in_short for one in found] == told


def test_while_a_run_goes_on_it_is_left_to_that_to_open_the_zone() -> None:
    (found,) = beside([SURE], {"zone-1": "Disabled"}, is_in_run=True)
    command = "`abreast restore --environment lab --thaw zone-1`"
    assert SURE.words("lab").endswith(f"{command} lifts it.")
    assert found.words("lab").endswith(f"A run goes on. If it leaves the zone so: {command}")


def test_it_says_since_when_by_whom_and_how_it_is_lifted() -> None:
    words = SURE.words("production")
    assert "is frozen since 2026-07-28 12:00 UTC by anna@desk" in words
    assert "`abreast restore --environment production --thaw zone-1` lifts it" in words
    assert "may be frozen" in UNSURE.words("production")


def test_a_zone_is_closed_and_opened_and_only_root_admins_deploy_meanwhile(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    [zone] = lab.cloud.stock().zones
    assert zone.allocation == "Enabled"
    assert lab.outcomes([freeze(zone)]) == {"freeze-zone Sandbox-simulator": "succeeded"}
    [closed] = lab.cloud.stock().zones
    assert closed.allocation == "Disabled"
    again = lab.outcomes([freeze(zone)])
    assert again == {"freeze-zone Sandbox-simulator": "skipped: Sandbox-simulator is so already."}
    lab.lose("boreal")
    lab.rebuild()
    assert set(lab.outcomes(lab.planned().actions).values()) == {"succeeded"}, "the restore is a root admin's"
    assert lab.outcomes([thaw(closed)]) == {"thaw-zone Sandbox-simulator": "succeeded"}
    assert [one.allocation for one in lab.cloud.stock().zones] == ["Enabled"]
