"""Recovery's rehearsal: begun by its key, told in the steps and the question, compared at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from console.app import ConsoleApp
from console.state import Rehearsing
from sync.drift import compare
from sync.errors import UnreachableError
from sync.model import ActionKind, NetworkRule, Outcome, Plan
from sync.prediction import PredictedAction, Prediction, subject_of
from tests.screens.driving import screen_text
from tests.screens.recoveries import DamagedSession, answer, console_on, open_recovery, rest, run_ends
from tests.screens.runs import until

ALL = 23
"""Actions that rebuild everything in the damaged world."""


class StandIn:
    """In place of `console.rehearsals.rehearse`: everything succeeds but what the test names."""

    def __init__(self, clock: Callable[[], Any]) -> None:
        self.clock = clock
        self.plans: list[Plan] = []
        self.stops: list[threading.Event] = []
        self.failing: ActionKind | None = None
        self.problem: UnreachableError | None = None
        self.gate = threading.Event()
        """Holds it in its middle while it is cleared."""
        self.gate.set()

    def __call__(
        self,
        session: object,
        plan: Plan,
        desired: object,
        actual: object,
        *,
        on_progress: Callable[[int, int], None],
        stop: threading.Event,
    ) -> Prediction:
        self.plans.append(plan)
        self.stops.append(stop)
        if self.problem is not None:
            raise self.problem
        total = len(plan.actions)
        on_progress(total // 2, total)
        while not self.gate.wait(0.01):
            if stop.is_set():
                break
        actions = tuple(
            PredictedAction(one.id, *self._outcome(one.kind), calls=4, seconds=2.0) for one in plan.actions
        )
        return Prediction(
            at=self.clock(),
            subject=subject_of(plan.actions),
            plan_digest=plan.digest,
            release="4.23",
            actions=actions,
            calls=4 * total,
            seconds=420.0,
            timing="computed.",
        )

    def _outcome(self, kind: ActionKind) -> tuple[Outcome, str]:
        return (Outcome.FAILED, "no room") if kind is self.failing else (Outcome.SUCCEEDED, "")


@pytest.fixture
def session(tmp_path: Path) -> DamagedSession:
    return DamagedSession(tmp_path, armed=True)


@pytest.fixture
def stand_in(session: DamagedSession, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = StandIn(session.clock)
    monkeypatch.setattr("console.rehearsals.rehearse", made)
    return made


def words(app: ConsoleApp) -> str:
    """The screen without its line breaks and frames."""
    return " ".join(screen_text(app).replace("│", " ").replace("▌", " ").split())


async def test_a_rehearsal_is_told_while_it_goes_on_in_the_question_and_at_the_end(
    session: DamagedSession, stand_in: StandIn
) -> None:
    stand_in.gate.clear()
    app = console_on(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_recovery(pilot)
        assert "e rehearses it. x shows the plan for 5 projects" in words(app)
        await pilot.press("e")
        await until(pilot, lambda: f"Rehearsing: {ALL // 2} of {ALL}." in words(app))
        stand_in.gate.set()
        told = f"ehearsed just now: {ALL} actions, 0 failures, about 7 min"
        await until(pilot, lambda: f"R{told}. x shows the plan" in words(app))
        assert f"not started; r{told}" in words(app)
        session.clock.advance(125)
        await pilot.press("x")
        await until(pilot, lambda: "Type 23 to confirm" in words(app))
        assert f"Rehearsed 2 minutes ago: {ALL} actions, 0 failures, about 7 min." in words(app)
        await answer(pilot, str(ALL))
        await run_ends(pilot)
        assert app.rehearsal is None, "it has been used"
        await pilot.press("5")
        await until(pilot, lambda: "was rehearsed" in words(app))
        assert f"{ALL} of {ALL} actions ended as rehearsed." in words(app)
        assert "Time: predicted 420.0 s, took" in words(app)


async def test_what_was_predicted_stands_beside_what_was_after_a_restart_too(
    session: DamagedSession, stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.failing = ActionKind.UPDATE_LIMIT
    async with console_on(session).run_test(size=(120, 40)) as pilot:
        await open_recovery(pilot)
        await pilot.press("e")
        await until(pilot, lambda: "5 failures" in words(pilot.app))  # type: ignore[arg-type]
        await pilot.press("x")
        await until(pilot, lambda: "failed. " in words(pilot.app))  # type: ignore[arg-type]
        await answer(pilot, str(ALL))
        await run_ends(pilot)
    again = DamagedSession(tmp_path)
    again.cloud = session.cloud
    app = console_on(again)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_recovery(pilot)
        await until(pilot, lambda: app.ledger_run is not None)
        await pilot.press("5")
        await rest(pilot)
        assert f"{ALL - 5} of {ALL} actions ended as rehearsed." in words(app)
        assert "predicted failed, was succeeded" in words(app)


async def test_it_holds_for_what_was_rehearsed_and_for_nothing_else(
    session: DamagedSession, stand_in: StandIn
) -> None:
    app = console_on(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_recovery(pilot)
        await pilot.press("e")
        await until(pilot, lambda: "Rehearsed just now: 23 actions" in words(app))
        await pilot.press("down", "space")
        stale = "ehearsed just now, but not these actions: rehearse again"
        await until(pilot, lambda: f"R{stale}." in words(app))
        await pilot.press("x")
        await until(pilot, lambda: "to confirm" in words(app))
        assert f"R{stale}." in words(app)
        await pilot.press("escape")
        await pilot.press("e")
        await until(pilot, lambda: len(stand_in.plans) == 2)
        left = len(stand_in.plans[1].actions)
        assert left < ALL
        await until(pilot, lambda: f"Rehearsed just now: {left} actions" in words(app))


async def test_ranges_that_a_capture_knows_do_not_make_it_stale(
    session: DamagedSession, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is without them, the plan has them: it is the same rebuild."""
    rule = NetworkRule("offering", "zone")
    session.rules = replace(session.rules, network=rule)
    monkeypatch.setattr(session, "compare", lambda *sides: compare(*sides, network_rule=rule))
    ranges = {"root/ci/cirrus/cirrus-net": ("10.7.0.1", "255.255.0.0")}
    monkeypatch.setattr(
        "console.rebuild_plan.rules_with_ranges", lambda session, _: replace(session.rules, ranges=ranges)
    )
    app = console_on(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_recovery(pilot)
        await pilot.press("e")
        await until(pilot, lambda: "ehearsed just now" in words(app))
        assert any("10.7.0.1" in one.parameters.values() for one in stand_in.plans[0].actions)
        assert "but not these actions" not in words(app)
        await pilot.press("x")
        await until(pilot, lambda: "to confirm" in words(app))
        assert "Rehearsed just now: " in words(app) and "but not these actions" not in words(app)


async def test_a_drift_that_changed_makes_it_stale(session: DamagedSession, stand_in: StandIn) -> None:
    app = console_on(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_recovery(pilot)
        await pilot.press("e")
        await until(pilot, lambda: "Rehearsed just now: 23 actions" in words(app))
        session.cloud.add_project("ember", "jmartin")
        before = app.drift
        await pilot.press("r")
        await until(pilot, lambda: app.drift is not before)
        await until(pilot, lambda: "but not these actions: rehearse again" in words(app))


async def test_a_read_only_console_rehearses(session: DamagedSession, stand_in: StandIn) -> None:
    session.disarm()
    app = console_on(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_recovery(pilot)
        await pilot.press("e")
        await until(pilot, lambda: "Rehearsed just now: 23 actions" in words(app))
        assert session.cloud.log == []


async def test_a_rehearsal_that_breaks_says_why_and_keeps_nobody_from_the_rebuild(
    session: DamagedSession, stand_in: StandIn
) -> None:
    stand_in.problem = UnreachableError("The practice cloud did not start: no room")
    app = console_on(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_recovery(pilot)
        await pilot.press("e")
        await until(pilot, lambda: "Not rehearsed: The practice cloud did not start: no room" in words(app))
        await pilot.press("x")
        await until(pilot, lambda: "Type 23 to confirm" in words(app))


async def test_the_newest_rehearsal_counts_and_leaving_ends_it(
    session: DamagedSession, stand_in: StandIn
) -> None:
    stand_in.gate.clear()
    app = console_on(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_recovery(pilot)
        await pilot.press("e")
        await until(pilot, lambda: len(stand_in.stops) == 1)
        await pilot.press("e")
        await until(pilot, lambda: len(stand_in.stops) == 2)
        assert stand_in.stops[0].is_set()
        assert app.rehearsal is not None and app.rehearsal.is_going_on
        app.rehearsals.take(Rehearsing(1, problem="old"))
        assert app.rehearsal.problem == ""
    assert stand_in.stops[1].is_set()
