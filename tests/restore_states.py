"""A restore as values: planned, run, ended; for the tests of what is said of it."""

from __future__ import annotations

from datetime import UTC, datetime

from console.restore_state import Restoring, Wish
from console.restores import Restored
from sync.executor import RunReport
from sync.freezes import Freeze
from sync.ledger import RunState as LedgerState
from sync.model import (
    Action,
    ActionKind,
    ActionResult,
    ActualInventory,
    Coverage,
    CoverageState,
    Outcome,
    Plan,
    Reversibility,
    Scope,
)
from sync.plan import build
from sync.restoration import REBUILD_FIRST, AddressChange, Left, Restoration
from sync.stock import Zone
from tests.screens.world import drift_of

NOW = datetime(2026, 7, 28, 3, 12, tzinfo=UTC)
ZONE = Zone("z1", "zone-1", "Enabled")


def vm(name: str) -> Action:
    return Action(
        ActionKind.DEPLOY_VM, "aurora", f"ROOT/ci/aurora:aurora:{name}", None, {}, {"exists": "no"},
        "It was there.", Reversibility.UNDOABLE,
    )  # fmt: skip


def planned(*actions: Action) -> Plan:
    return build(actions, environment="lab", root_id="r", endpoint="https://cloud", author="x", now=NOW)


MADE = Restoration(
    actions=(vm("a1"), vm("a2")),
    left=(
        Left("volume", "aurora", "data", "ROOT/ci/aurora", "what was on it is lost"),
        Left("VM", "boreal", "b1", "ROOT/ci/boreal", f"its domain is not there ({REBUILD_FIRST})"),
    ),
    there={"VM": 3},
    addresses=(
        AddressChange("aurora", "a1", "10.7.0.11", why="it is taken"),
        AddressChange("aurora", "a2", "10.7.0.12", taken_by="VM x of ROOT/ci/zephyr"),
    ),
)
STATE = Restoring(1, Wish(), read_at=NOW, basis="The newest one.", made=MADE, plan=planned(*MADE.actions))


def report(**outcomes: Outcome) -> RunReport:
    results = tuple(
        ActionResult(vm(name).id, outcome, "Why." if outcome is Outcome.FAILED else "")
        for name, outcome in outcomes.items()
    )
    return RunReport("run-1", "d", LedgerState.FINISHED, "", results, NOW, NOW, 1)


ACTUAL = ActualInventory(Scope(), NOW, Coverage(CoverageState.COMPLETE), "d-ci")


def ended(*, frozen: tuple[Freeze, ...] = (), **outcomes: Outcome) -> Restored:
    return Restored(
        MADE, ((planned(*MADE.actions), report(**outcomes)),), drift_of(), ACTUAL, ACTUAL, frozen=frozen
    )
