"""Execution: live, stopped, failed, finished; what the screen offers afterwards and where it goes back to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from console.app import ConsoleApp
from console.screens.confirm import ConfirmScreen
from console.screens.execution import ExecutionScreen
from console.screens.overview import OverviewScreen
from console.screens.project import ProjectScreen
from console.screens.review import ReviewScreen
from console.session import Session
from console.state import RunPhase, RunState
from sync.drill import practice
from sync.errors import GuardError, LeaseHeldError, LedgerError
from sync.executor import ExecutionEvent
from sync.model import ActionResult, DriftKind, Outcome, Subject
from tests.screens.driving import said, screen_text, settle
from tests.screens.runs import (
    CIRRUS,
    DORADO,
    INCIDENT,
    JMARTIN,
    LIMIT,
    RUN_ID,
    RunSession,
    confirm,
    console_of,
    missing,
    open_review,
    phase,
    run_to_end,
    until,
)
from tests.screens.world import HOSTILE, in_sync

SIZES = [pytest.param((80, 24), id="80x24"), pytest.param((120, 40), id="120x40")]
WIDE = {"size": (120, 40), "notifications": True}


async def begin(pilot, *ids: str) -> ConsoleApp:
    """Confirm these, or everything, and press the key that runs them."""
    app = await open_review(pilot)
    if ids:
        await confirm(pilot, *ids)
    else:
        app.screen._confirm(app.staged)
    await pilot.press("x")
    await until(pilot, lambda: isinstance(app.screen, ExecutionScreen) or bool(app.plan_fault))
    return app


async def ended(pilot) -> None:
    app = pilot.app
    await until(pilot, lambda: not app.operations.is_going_on)
    await settle(pilot)


def footer(app: ConsoleApp) -> str:
    return screen_text(app).splitlines()[-1]


def outcomes(app: ConsoleApp) -> dict[str, Outcome]:
    assert app.run_state is not None
    return {id: result.outcome for id, result in app.run_state.results.items()}


# --- while it runs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_one_line_an_action_live(size) -> None:
    session = RunSession(INCIDENT)
    session.scripted.holds = frozenset({DORADO})
    app = console_of(session)
    async with app.run_test(size=size, notifications=True) as pilot:
        await begin(pilot)
        await until(pilot, lambda: DORADO in app.run_state.active)
        session.clock.advance(3)
        app.now = session.clock()
        await pilot.pause()
        text = screen_text(app)
        for words in (RUN_ID, "6 actions in order", "✓ succeeded", "▸ submitting", "waits", "1/6", "0:03"):
            assert words in text
        assert "running 1/6" in text.splitlines()[0]
        assert "S stop" in footer(app)
        assert "R recover" not in footer(app) and "n next failure" not in footer(app)
        session.scripted.gate.set()
        await ended(pilot)
        assert "6/6" in screen_text(app)
        assert "Finished. Both sides are read anew" in screen_text(app)
        assert "S stop" not in footer(app)
        assert "running" not in screen_text(app).splitlines()[0]
        assert len(session.planned) == 2, "what is staged and what runs: no plan of what is half done"


async def test_stop_sends_nothing_more_and_what_was_not_sent_stays_staged() -> None:
    session = RunSession(INCIDENT)
    session.scripted.holds = frozenset({DORADO})
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        await until(pilot, lambda: DORADO in app.run_state.active)
        await pilot.press("S")
        await pilot.pause()
        assert phase(app) is RunPhase.STOPPING
        assert "nothing more is sent" in screen_text(app)
        assert "S stop" not in footer(app)
        session.scripted.gate.set()
        await ended(pilot)
        assert list(outcomes(app).values()).count(Outcome.SUCCEEDED) == 2
        assert list(outcomes(app).values()).count(Outcome.NOT_RUN) == 4
        text = screen_text(app)
        assert "Ended before its end" in text and "the operator stopped the execution" in text
        assert "R recover" in footer(app)
        assert len(app.staged) == 4
        assert dict(app.confirmed) == {}, "what goes on needs a new word"
        await pilot.press("escape")
        assert isinstance(app.screen, ReviewScreen)
        assert "4 actions staged, 0 confirmed" in screen_text(app)
        assert app.plan_fault == "", "the accounts wait for the reading: what they need is done"


async def test_pause_sends_nothing_more_until_the_same_key_lets_it_go_on() -> None:
    session = RunSession(INCIDENT)
    session.scripted.holds = frozenset({DORADO})
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        await until(pilot, lambda: DORADO in app.run_state.active)
        assert "P pause" in footer(app)
        await pilot.press("P")
        await pilot.pause()
        assert phase(app) is RunPhase.PAUSING
        assert "Pausing: what is under way ends" in screen_text(app)
        assert "P go on" in footer(app)
        session.scripted.gate.set()
        await until(pilot, lambda: phase(app) is RunPhase.PAUSED)
        assert len(outcomes(app)) == 2
        assert "Paused, nothing more is sent. P goes on, S ends it here." in screen_text(app)
        assert "paused 2/6" in screen_text(app).splitlines()[0]
        await pilot.press("P")
        await ended(pilot)
        assert list(outcomes(app).values()) == [Outcome.SUCCEEDED] * 6


async def test_a_paused_run_can_be_stopped() -> None:
    session = RunSession(INCIDENT)
    session.scripted.holds = frozenset({DORADO})
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        await until(pilot, lambda: DORADO in app.run_state.active)
        await pilot.press("P")
        session.scripted.gate.set()
        await until(pilot, lambda: phase(app) is RunPhase.PAUSED)
        await pilot.press("S")
        await ended(pilot)
        assert list(outcomes(app).values()).count(Outcome.NOT_RUN) == 4


async def test_how_many_at_once_and_why_not_more_are_on_the_screen() -> None:
    session = RunSession(INCIDENT)
    session.scripted.holds = frozenset({DORADO})
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        await until(pilot, lambda: DORADO in app.run_state.active)
        waiting = ExecutionEvent(
            *(session.clock(), RUN_ID, None, "waiting", None, 1, 6),
            at_once=3,
            note="waiting for the server: https://ci refuses connections.",
        )
        app.operations.take_progress(waiting)
        await pilot.pause()
        assert "running, 3 at once" in screen_text(app)
        assert "waiting for the server: https://ci refuses connections." in screen_text(app)
        assert app.run_state.is_waiting
        app.operations.take_progress(replace(waiting, action_id=DORADO))
        assert app.run_state.is_waiting, "a job that is waited for is no answer"
        app.operations.take_progress(replace(waiting, phase="answered", note=""))
        assert not app.run_state.is_waiting
        session.scripted.gate.set()
        await ended(pilot)


async def test_stop_works_after_the_console_was_made_read_only() -> None:
    session = RunSession(INCIDENT)
    session.scripted.holds = frozenset({CIRRUS})
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        await until(pilot, lambda: CIRRUS in app.run_state.active)
        await pilot.press("A")
        await pilot.pause()
        assert not session.is_armed
        await pilot.press("S")
        session.scripted.gate.set()
        await ended(pilot)
        assert list(outcomes(app).values()).count(Outcome.NOT_RUN) == 5


async def test_a_run_outlives_its_screen_and_is_found_again() -> None:
    session = RunSession(INCIDENT)
    session.scripted.holds = frozenset({DORADO})
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        await pilot.press("escape", "escape")
        assert isinstance(app.screen, OverviewScreen)
        assert "w run" in footer(app)
        await until(pilot, lambda: "running 1/6" in screen_text(app).splitlines()[0])
        await pilot.press("w")
        await pilot.pause()
        assert isinstance(app.screen, ExecutionScreen)
        assert "▸ submitting" in screen_text(app)
        await pilot.press("w")
        await pilot.press("escape")
        assert isinstance(app.screen, OverviewScreen), "no second one of the same screen"
        session.scripted.gate.set()
        await ended(pilot)
        assert set(outcomes(app).values()) == {Outcome.SUCCEEDED}
        assert len(session.scripted.runs) == 1
        await pilot.press("w")
        await pilot.pause()
        assert "Finished. Both sides are read anew" in screen_text(app)


async def test_without_a_run_there_is_no_key_that_leads_to_one() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await settle(pilot)
        assert "w run" not in footer(app)
        await pilot.press("w")
        await pilot.pause()
        assert isinstance(app.screen, OverviewScreen)


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
async def test_quitting_asks_while_it_runs(key: str) -> None:
    session = RunSession(INCIDENT)
    session.scripted.holds = frozenset({CIRRUS})
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        await pilot.press(key)
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        assert "A run is going on" in screen_text(app)
        assert app.focused is not None and app.focused.id == "confirm-cancel"
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, ExecutionScreen)
        assert app.is_running
        await pilot.press(key)
        await pilot.pause()
        await pilot.press(*"quit", "enter")
        await pilot.pause()
        assert app.return_code == 0 and app._exit
        session.scripted.gate.set()


async def test_quitting_does_not_ask_when_nothing_runs() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        await ended(pilot)
        await pilot.press("q")
        await pilot.pause()
        assert app._exit and not isinstance(app.screen, ConfirmScreen)


# --- what came of it --------------------------------------------------------------------------------------


async def test_all_done_goes_back_past_the_empty_review() -> None:
    session = RunSession(INCIDENT)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        session.rows = tuple(in_sync(row.key) for row in INCIDENT)
        await ended(pilot)
        assert app.staged == ()
        assert dict(app.confirmed) == {}
        assert "No longer needed" not in said(app)
        assert "R recover" not in footer(app)
        assert "n next failure" not in footer(app)
        await pilot.press("escape")
        assert isinstance(app.screen, OverviewScreen)


async def test_back_past_the_review_is_where_the_review_was_opened() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await settle(pilot)
        app.open("project", "dune")
        await begin(pilot)
        await ended(pilot)
        app.staged = ()
        await pilot.press("escape")
        assert isinstance(app.screen, ProjectScreen)


async def test_what_was_not_confirmed_is_still_to_be_reviewed() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot, LIMIT)
        await ended(pilot)
        assert len(app.staged) == 5
        await pilot.press("escape")
        assert isinstance(app.screen, ReviewScreen)
        assert "5 actions staged, 0 confirmed" in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_a_failure_says_what_happened_and_stays_staged(size) -> None:
    why = "CloudStack refused updateResourceLimit for ROOT/ci/dune: 431. Ask for a higher limit."
    session = RunSession(INCIDENT)
    session.scripted.results = {LIMIT: (Outcome.FAILED, why)}
    app = console_of(session)
    async with app.run_test(size=size, notifications=True) as pilot:
        await begin(pilot)
        await ended(pilot)
        text = screen_text(app)
        assert "Finished, 1 of 6 not done." in text
        assert "✗ failed" in text and "1 failed" in text
        await pilot.press("n")
        await pilot.pause()
        assert app.screen.list.cursor_key == LIMIT
        assert "Ask for a higher limit." in screen_text(app)
        assert "R recover" not in footer(app), "nothing of it can be resumed"
        assert [action.id for action in app.staged] == [LIMIT]
        assert dict(app.confirmed) == {}
        await pilot.press("escape")
        assert isinstance(app.screen, ReviewScreen)


@pytest.mark.parametrize("size", SIZES)
async def test_enter_opens_all_that_came_of_an_action(size) -> None:
    why = "CloudStack refused updateResourceLimit with 431: " + "the limit is too high. " * 30 + "THE END"
    session = RunSession(INCIDENT)
    session.scripted.results = {LIMIT: (Outcome.FAILED, why)}
    app = console_of(session)
    async with app.run_test(size=size, notifications=True) as pilot:
        await begin(pilot)
        await ended(pilot)
        await pilot.press("n")
        await pilot.pause()
        assert "THE END" not in screen_text(app) and "enter open" in footer(app)
        await pilot.press("enter")
        await pilot.pause()
        assert why in " ".join(screen_text(app).split())
        await pilot.press("escape")
        assert isinstance(app.screen, ExecutionScreen)


async def test_n_goes_round_what_did_not_succeed() -> None:
    session = RunSession(INCIDENT)
    session.scripted.results = {
        CIRRUS: (Outcome.SKIPPED, "It is there already."),
        JMARTIN: (Outcome.UNKNOWN, "No answer came."),
        LIMIT: (Outcome.FAILED, "Refused."),
    }
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        await ended(pilot)
        found = []
        for _ in range(4):
            await pilot.press("n")
            found.append(app.screen.list.cursor_key)
        assert found == [JMARTIN, LIMIT, CIRRUS, JMARTIN]
        for words in ("↷ skipped", "? unknown", "✗ failed", "✓ succeeded"):
            assert words in screen_text(app)
        assert "R recover" in footer(app), "what is unknown is resolved by reading"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "error",
    [
        LeaseHeldError("Another execution is running: day@console since 03:00.", next_step="Wait for it."),
        GuardError("The plan was made for another server.", next_step="Make a new plan here."),
        LedgerError("The ledger cannot be opened.", next_step="Is the disk full?"),
    ],
)
async def test_a_run_that_is_refused_stays_visible_and_nothing_is_lost(size, error) -> None:
    session = RunSession(INCIDENT)
    session.scripted.refusal = error
    app = console_of(session)
    async with app.run_test(size=size, notifications=True) as pilot:
        await begin(pilot)
        await ended(pilot)
        app.clear_notifications()
        await pilot.pause()
        assert phase(app) is RunPhase.FAILED
        text = " ".join(screen_text(app).split())
        assert str(error) in text
        assert "It did not begin. Nothing was sent" in text
        assert "R recover" not in footer(app)
        assert len(app.staged) == len(app.confirmed) == 6
        await pilot.press("escape")
        assert isinstance(app.screen, ReviewScreen)
        session.scripted.refusal = None
        await run_to_end(pilot)
        assert set(outcomes(app).values()) == {Outcome.SUCCEEDED}


@pytest.mark.parametrize("size", SIZES)
async def test_a_run_that_breaks_on_its_way_keeps_what_was_done_and_why(size) -> None:
    session = RunSession(INCIDENT)
    session.scripted.breakage = LedgerError("The ledger cannot be written.", next_step="Free some space.")
    app = console_of(session)
    async with app.run_test(size=size, notifications=True) as pilot:
        await begin(pilot)
        await ended(pilot)
        app.clear_notifications()
        await pilot.pause()
        text = screen_text(app)
        assert "The ledger cannot be written. Free some space." in text
        assert "It could not go on" in text
        assert "✓ succeeded" in text
        assert "R recover" in footer(app)
        assert CIRRUS not in {action.id for action in app.staged}
        assert len(app.staged) == len(app.confirmed) == 5


async def test_a_fault_in_the_middle_of_a_run_never_says_that_nothing_was_changed() -> None:
    session = RunSession(INCIDENT)
    session.scripted.breakage = KeyError("a secret of somebody's")
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        await ended(pilot)
        assert app.run_state is not None
        told = app.run_state.problem
        assert "abreast failed while executing the plan: KeyError at run, line " in told
        assert "something may have been changed: what was sent stands in the ledger" in told
        assert "nothing was changed" not in told and "secret" not in told
        assert "✓ succeeded" in screen_text(app), "what was done before is still shown"


async def test_an_error_nobody_foresaw_is_an_error_of_the_run_not_of_the_console() -> None:
    session = RunSession(INCIDENT)
    session.scripted.run = None  # type: ignore[assignment]
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        await ended(pilot)
        assert phase(app) is RunPhase.FAILED
        assert app.run_state.problem
        assert app.is_running


@pytest.mark.parametrize("size", SIZES)
async def test_the_list_keeps_five_lines_whatever_went_wrong(size) -> None:
    session = RunSession(INCIDENT)
    session.scripted.results = {id: (Outcome.UNKNOWN, "word " * 200) for id in (CIRRUS, LIMIT)}
    session.scripted.breakage = LedgerError("problem " * 100, next_step="Free some space.")
    app = console_of(session)
    async with app.run_test(size=size, notifications=True) as pilot:
        await begin(pilot)
        await ended(pilot)
        session.fault = LedgerError("CloudStack is silent. " * 10)
        app.action_refresh_now()
        await settle(pilot)
        await pilot.pause()
        assert app.screen.list.size.height >= 5


async def test_names_are_never_markup() -> None:
    session = RunSession((missing(HOSTILE), *INCIDENT[2:]))
    session.scripted.results = {
        f"create-domain ROOT/ci/{HOSTILE}": (Outcome.FAILED, f"{HOSTILE} was refused")
    }
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        await ended(pilot)
        await pilot.press("n")
        await pilot.pause()
        assert f"{HOSTILE} was refused" in screen_text(app)


def opener(opened: list[str]):
    """Stands for `App.open`: notes what is opened."""

    async def open(name: str) -> None:
        opened.append(name)

    return open


async def test_h_opens_the_history() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        await ended(pilot)
        opened = []
        app.open = opener(opened)  # type: ignore[method-assign]
        await pilot.press("H")
        assert opened == ["history"]


async def test_r_opens_the_recovery() -> None:
    session = RunSession(INCIDENT)
    session.scripted.results = {LIMIT: (Outcome.UNKNOWN, "No answer came.")}
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await begin(pilot)
        await ended(pilot)
        opened = []
        app.open = opener(opened)  # type: ignore[method-assign]
        await pilot.press("R")
        assert opened == ["recovery"]


# --- against the sandbox ----------------------------------------------------------------------------------


async def test_the_repairs_of_a_project_are_staged_confirmed_run_and_found_done() -> None:
    with practice() as drill:
        session = Session(drill.environment)
        app = ConsoleApp(session)
        try:
            async with app.run_test(size=(80, 24), notifications=True) as pilot:
                await until_read(pilot, app)
                before = next(view.row for view in app.views if view.key == "dune")
                assert before.kind is DriftKind.DIFFERS
                differing = {(part.subject, part.name) for part in before.differences}
                assert differing == {(Subject.USER, "jmartin"), (Subject.LIMIT, "vm")}
                assert app.screen.table.move_to("dune")
                await pilot.pause()
                await pilot.press("space", "s")
                await until(pilot, lambda: app.plan is not None)
                assert {action.project for action in app.staged} == {"dune"}
                await pilot.press("x", "enter")
                await pilot.pause()
                assert isinstance(app.screen, ReviewScreen), "read-only until it is armed"
                await pilot.press("A")
                await pilot.pause()
                await pilot.press(*"drill", "enter")
                await pilot.pause()
                await confirm(pilot, *(action.id for action in app.staged))
                await pilot.press("x")
                await until(pilot, lambda: phase(app) is RunPhase.FINISHED)
                assert isinstance(app.screen, ExecutionScreen)
                assert set(outcomes(app).values()) == {Outcome.SUCCEEDED}
                assert screen_text(app).count("✓ succeeded") >= 2
                end = app.run_state.ended_at
                await until(pilot, lambda: app.drift.actual_taken_at > end and not list(app.workers))
                after = next(view.row for view in app.views if view.key == "dune")
                assert after.kind is DriftKind.IN_SYNC
                assert app.staged == ()
                await pilot.press("escape")
                assert isinstance(app.screen, OverviewScreen)
        finally:
            session.close()


async def until_read(pilot, app: ConsoleApp) -> None:
    await until(pilot, lambda: app.drift is not None and app.drift.actual.is_complete)


# --- pictures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
def test_picture_of_a_run_in_progress(snap_compare: Callable[..., bool], size) -> None:
    """Two done, two under way, two waiting; the bar at a third, the rate; too few for the time left."""

    async def look(pilot) -> None:
        app = await open_review(pilot)
        plan, clock = app.plan, app.session.clock
        assert plan is not None
        app.run_state = RunState(plan, RunPhase.RUNNING, clock(), run_id=RUN_ID)
        app.open("execution")
        await pilot.pause()
        clock.advance(4)
        for number, action in enumerate(plan.actions[:4]):
            done = ActionResult(action.id, Outcome.SUCCEEDED, seconds=2.0) if number < 2 else None
            step = "done" if done else ("waiting", "submitting")[number % 2]
            app.operations.take_progress(
                ExecutionEvent(clock(), RUN_ID, action.id, step, done, number, len(plan.actions))
            )
        app.now = clock()
        app.screen.list.move_to(plan.actions[2].id)
        await pilot.pause()

    assert snap_compare(console_of(RunSession(INCIDENT)), terminal_size=size, run_before=look)


@pytest.mark.parametrize("size", SIZES)
def test_picture_of_a_run_that_finished_with_a_failure(snap_compare: Callable[..., bool], size) -> None:
    """Counts by outcome, the failure under the cursor with what CloudStack said; no key for a recovery."""
    session = RunSession(INCIDENT)
    session.scripted.results = {
        JMARTIN: (Outcome.SKIPPED, "Somebody else was quicker: the state is “enabled”, not “disabled”."),
        LIMIT: (
            Outcome.FAILED,
            "CloudStack refused updateResourceLimit for ROOT/ci/dune#vm: 431 Maximum domain resource limits "
            "for instance can not exceed the parent's 8. Raise the limit of ROOT/ci first.",
        ),
    }

    async def look(pilot) -> None:
        app = await begin(pilot)
        await ended(pilot)
        app.clear_notifications()
        app.screen.list.move_to(LIMIT)
        await pilot.pause()

    assert snap_compare(console_of(session), terminal_size=size, run_before=look)
