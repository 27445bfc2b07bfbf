"""Runs under test: a session whose plans are real and whose executor does what the test tells it.

Shared by the tests of Review, Execution and the questions they ask.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

from textual.pilot import Pilot

from console.app import ConsoleApp
from console.state import RunPhase
from sync.approval_rules import Approved
from sync.errors import AbreastError, GuardError
from sync.execution import STOPPED_BY_OPERATOR
from sync.executor import Confirmation, ExecutionEvent, RunReport
from sync.ledger import RunState as LedgerState
from sync.model import (
    Action,
    ActionKind,
    ActionResult,
    DriftKind,
    DriftRow,
    Outcome,
    Plan,
    Reversibility,
)
from sync.plan import build
from sync.prediction import Prediction
from tests.screens.driving import settle
from tests.screens.world import FakeSession, dune, in_sync, project

RUN_ID = "20260728-031244-1a2b3c"


class ScriptedExecutor:
    """Executes one action after the other, as told: by outcome, held at a gate, broken by an error."""

    def __init__(self, clock: Callable[[], Any]) -> None:
        self.clock = clock
        self.runs: list[tuple[Plan, Confirmation]] = []
        """What it was handed."""
        self.approved: list[Approved | None] = []
        self.results: dict[str, tuple[Outcome, str]] = {}
        """By action id; what is not named succeeds."""
        self.refusal: AbreastError | None = None
        """Raised before anything is written."""
        self.breakage: Exception | None = None
        """Raised after the first action."""
        self.holds: frozenset[str] = frozenset()
        """Ids of the actions that wait at the gate once they are submitted."""
        self.gate = threading.Event()

    def run(
        self,
        plan: Plan,
        *,
        confirmed: Confirmation,
        on_event: Callable[[ExecutionEvent], None],
        stop: threading.Event,
        pause: threading.Event,
        approved: Approved | None = None,
        predicted: Prediction | None = None,
    ) -> RunReport:
        assert predicted is None, "only rebuilds are rehearsed"
        self.runs.append((plan, confirmed))
        self.approved.append(approved)
        if self.refusal is not None:
            raise self.refusal
        if confirmed.digest != plan.digest or not confirmed.by:
            raise GuardError("What was confirmed is not this plan.")
        started_at = self.clock()
        results: list[ActionResult] = []

        def tell(action: Action, phase: Any, result: ActionResult | None = None) -> None:
            on_event(
                ExecutionEvent(
                    self.clock(), RUN_ID, action.id, phase, result, len(results), len(plan.actions)
                )
            )

        def tell_run(phase: Any) -> None:
            on_event(ExecutionEvent(self.clock(), RUN_ID, None, phase, None, len(results), len(plan.actions)))

        for action in plan.actions:
            if pause.is_set():
                tell_run("paused")
                while pause.is_set() and not stop.is_set():
                    stop.wait(0.01)
            if stop.is_set():
                results.append(ActionResult(action.id, Outcome.NOT_RUN, STOPPED_BY_OPERATOR))
                continue
            tell(action, "submitting")
            if action.id in self.holds:
                assert self.gate.wait(20), "the test never opened the gate"
            outcome, detail = self.results.get(action.id, (Outcome.SUCCEEDED, ""))
            results.append(ActionResult(action.id, outcome, detail, seconds=0.5))
            tell(action, "done", results[-1])
            if self.breakage is not None:
                raise self.breakage
        is_stopped = any(result.outcome in (Outcome.NOT_RUN, Outcome.UNKNOWN) for result in results)
        return RunReport(
            RUN_ID,
            plan.digest,
            LedgerState.STOPPED if is_stopped else LedgerState.FINISHED,
            STOPPED_BY_OPERATOR if stop.is_set() else "",
            tuple(results),
            started_at,
            self.clock(),
            len(results) * 3,
        )


class RunSession(FakeSession):
    """Makes real plans of what it is given, and hands out one scripted executor."""

    def __init__(self, rows: tuple[DriftRow, ...], *, armed: bool = True, **named: Any) -> None:
        super().__init__(rows, armed=armed, **named)
        self.scripted = ScriptedExecutor(self.clock)
        self.plan_fault: AbreastError | None = None
        self.planned: list[tuple[str, ...]] = []
        """Ids of what plans were made of."""
        self.extra: tuple[Action, ...] = ()
        """Proposed for `dune` besides the rest."""
        self.plan_gate = threading.Event()
        """Holds plans back while it is cleared."""
        self.plan_gate.set()

    def plan(self, actions: Iterable[Action], *, notes: Iterable[str] = ()) -> Plan:
        wanted = tuple(actions)
        self.planned.append(tuple(action.id for action in wanted))
        assert self.plan_gate.wait(20), "the test never let the plan be made"
        if self.plan_fault is not None:
            raise self.plan_fault
        return build(
            wanted,
            environment=self.environment.name,
            root_id="1",
            endpoint="http://127.0.0.1",
            author=self.operator,
            now=self.clock(),
            notes=notes,
        )

    def repairs(self, row: DriftRow) -> tuple[Action, ...]:
        found = super().repairs(row)
        return (*found, *self.extra) if row.key == "dune" and found else found

    def executor(self, *, rebuild: bool = False, archive: Any = None) -> ScriptedExecutor:
        assert self.is_armed and not rebuild
        return self.scripted


def missing(name: str) -> DriftRow:
    return DriftRow(name, DriftKind.MISSING, project(name), None, reason=f"No domain ROOT/ci/{name}.")


INCIDENT = (missing("cirrus"), missing("dorado"), dune(), in_sync("galaxy"))
"""Six actions: two domains, two accounts that need them, a user and a limit."""

CIRRUS, DORADO = "create-domain ROOT/ci/cirrus", "create-domain ROOT/ci/dorado"
CIRRUS_ACCOUNT = "create-account ROOT/ci/cirrus:cirrus"
JMARTIN, LIMIT = "enable-user ROOT/ci/dune:dune:jmartin", "update-limit ROOT/ci/dune#vm"


def irreversible(target: str) -> Action:
    """An action that cannot be undone; none exists yet, the screens are ready for it."""
    return Action(
        ActionKind.UPDATE_USER,
        "dune",
        target,
        "u-1",
        {"email": "new@example.org"},
        {"email": "old@example.org"},
        "The CI database has another email.",
        Reversibility.IRREVERSIBLE,
        undo="",
    )


def console_of(session: RunSession) -> ConsoleApp:
    return ConsoleApp(session, clock=session.clock)


async def open_review(pilot: Pilot[Any]) -> ConsoleApp:
    """Stage every repair there is and open Review, with its plan made."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await settle(pilot)
    app.staged = tuple(action for view in app.views for action in app.session.repairs(view.row))
    app.open("review")
    await until(pilot, lambda: not app.staged or app.plan is not None or bool(app.plan_fault))
    await until(pilot, lambda: {action.id for action in app.staged} <= set(app.radii))
    await pilot.pause()
    return app


async def until(pilot: Pilot[Any], holds: Callable[[], bool]) -> None:
    """Wait for what a thread brings about."""
    for _ in range(500):
        await pilot.pause(0.01)
        if holds():
            await pilot.pause()
            return
    raise AssertionError("what the test waits for does not happen")


async def confirm_under_cursor(pilot: Pilot[Any]) -> None:
    """Answer yes to the question about one action."""
    await pilot.press("enter")
    await pilot.pause()
    await pilot.press("tab", "enter")
    await pilot.pause()


async def confirm(pilot: Pilot[Any], *ids: str) -> None:
    """Confirm these actions one by one, as a person does."""
    for id in ids:
        pilot.app.screen.list.move_to(id)  # type: ignore[attr-defined]
        await pilot.pause()
        await confirm_under_cursor(pilot)


async def run_to_end(pilot: Pilot[Any]) -> None:
    """Press the key that runs what is confirmed, and wait until the run and the re-reading have ended."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await pilot.press("x")
    await until(pilot, lambda: app.run_state is not None and not app.run_state.is_going_on)
    await settle(pilot)


def phase(app: ConsoleApp) -> RunPhase | None:
    return app.run_state.phase if app.run_state is not None else None
