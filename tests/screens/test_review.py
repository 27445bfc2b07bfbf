"""Review: what is confirmed, how, when a confirmation ends, and that nothing else ever runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from console.app import ConsoleApp
from console.screens.confirm import ConfirmScreen, QuestionScreen
from console.screens.execution import ExecutionScreen
from console.screens.review import ReviewScreen
from sync.errors import SourceError, UnreachableError
from sync.plan import digest_of
from tests.screens.driving import read_again, said, screen_text, settle
from tests.screens.runs import (
    CIRRUS,
    CIRRUS_ACCOUNT,
    DORADO,
    INCIDENT,
    JMARTIN,
    LIMIT,
    RunSession,
    confirm,
    confirm_under_cursor,
    console_of,
    irreversible,
    missing,
    open_review,
    phase,
    run_to_end,
    until,
)
from tests.screens.world import HOSTILE, in_sync

SIZES = [pytest.param((80, 24), id="80x24"), pytest.param((120, 40), id="120x40")]
WIDE = {"size": (120, 40), "notifications": True}
MANY = tuple(missing(f"p{number:02}") for number in range(8))


def keys(app: ConsoleApp) -> str:
    """The footer."""
    return screen_text(app).splitlines()[-1]


# --- what is shown ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_the_actions_in_their_order_with_what_the_one_under_the_cursor_does(size) -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_review(pilot)
        app.screen.list.move_to(JMARTIN)
        await pilot.pause()
        text = screen_text(app)
        assert "6 actions staged, 0 confirmed" in text
        assert f"digest {app.plan.digest[:12]}, expires in 60 min" in text
        assert [action.kind.value for action in app.staged][:2] == ["create domain"] * 2
        assert "state disabled → enabled" in text
        assert "The CI database has jmartin enabled." in text
        assert "disable the user" in text
        assert "u-jmartin" not in text, "CloudStack's ids mean nothing to people"


async def test_without_colour_a_sign_is_at_the_cursor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_review(pilot)

        def marked() -> list[str]:
            return [line[:5] for line in screen_text(app).splitlines() if line.startswith("▸")]

        await pilot.press("home")
        assert marked() == ["▸  1 "]
        await pilot.press("down")
        assert marked() == ["▸  2 "]


async def test_the_last_action_that_is_not_confirmed_stays_alone() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(size=(120, 40)) as pilot:
        await open_review(pilot)
        for number in range(len(app.staged) - 1):
            await pilot.press("home", *["down"] * number, "enter", "tab", "enter")
        await pilot.pause()
        assert "; the other one stays staged." in screen_text(app)


async def test_what_an_action_needs_is_named_in_words() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        app.screen.list.move_to(CIRRUS_ACCOUNT)
        await pilot.pause()
        assert "create domain ROOT/ci/cirrus (not confirmed)" in screen_text(app)
        await confirm(pilot, CIRRUS)
        app.screen.list.move_to(CIRRUS_ACCOUNT)
        await pilot.pause()
        assert "create domain ROOT/ci/cirrus" in screen_text(app)
        assert "(not confirmed)" not in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_nothing_staged_says_how_to_stage(size) -> None:
    app = console_of(RunSession((in_sync("galaxy"),)))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_review(pilot)
        assert "Nothing is staged." in screen_text(app)
        assert "space there stages the row" in screen_text(app)
        await pilot.press("enter", "K", "x", "delete", "left_square_bracket")
        assert isinstance(app.screen, ReviewScreen)


async def test_a_plan_that_cannot_be_made_says_why_and_keeps_saying_it() -> None:
    session = RunSession(INCIDENT)
    session.plan_fault = UnreachableError("CloudStack does not answer.", next_step="Is the VPN up?")
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        app.clear_notifications()
        await pilot.pause()
        assert "CloudStack does not answer. Is the VPN up?" in screen_text(app)


async def test_the_order_is_one_that_can_be_executed_however_it_was_staged() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await settle(pilot)
        proposed = [action for view in app.views for action in app.session.repairs(view.row)]
        app.staged = tuple(reversed(proposed))
        app.open("review")
        await until(pilot, lambda: app.plan is not None)
        kinds = [action.kind.value for action in app.staged]
        assert kinds == ["create domain"] * 2 + ["create account"] * 2 + ["enable user", "update limit"]
        assert app.staged == app.plan.actions


# --- confirming one ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_each_is_asked_about_on_its_own_with_cancel_in_focus(size) -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_review(pilot)
        app.screen.list.move_to(LIMIT)
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, QuestionScreen)
        assert app.focused is not None and app.focused.id == "question-cancel"
        text = screen_text(app)
        for words in ("Update limit dune#vm?", "vm limit 5 → 10", "Why: The CI database has 10", "Undo:"):
            assert words in text
        await pilot.press("enter")
        await pilot.pause()
        assert dict(app.confirmed) == {}, "enter on Cancel is no"
        await confirm_under_cursor(pilot)
        assert list(app.confirmed) == [LIMIT]
        assert "✓ confirmed" in screen_text(app)
        assert "6 actions staged, 1 confirmed" in screen_text(app)


async def test_escape_at_the_question_confirms_nothing() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await pilot.press("enter")
        await pilot.pause()
        await pilot.press("tab", "escape")
        await pilot.pause()
        assert isinstance(app.screen, ReviewScreen)
        assert dict(app.confirmed) == {}


async def test_enter_on_a_confirmed_action_takes_the_confirmation_back() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, LIMIT)
        app.screen.list.move_to(LIMIT)
        await pilot.pause()
        assert "enter take back" in keys(app)
        await pilot.press("enter")
        assert dict(app.confirmed) == {}
        assert isinstance(app.screen, ReviewScreen)


async def test_the_cursor_goes_on_to_the_next_action() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm_under_cursor(pilot)
        await confirm_under_cursor(pilot)
        assert set(app.confirmed) == {CIRRUS, DORADO}
        assert app.screen.list.cursor == 2


async def test_what_cannot_be_undone_asks_for_the_name_of_the_object() -> None:
    session = RunSession(INCIDENT)
    session.extra = (irreversible("ROOT/ci/dune:dune:kchen"),)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        app.screen.list.move_to(session.extra[0].id)
        await pilot.pause()
        await pilot.press("K")
        await pilot.pause()
        assert isinstance(app.screen, ReviewScreen), "never many at once"
        assert "each is confirmed by itself" in said(app)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press(*"jmartin", "enter")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press(*["backspace"] * 7, *"kchen", "enter")
        await pilot.pause()
        assert list(app.confirmed) == [session.extra[0].id]


# --- confirming many --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_many_of_a_kind_are_confirmed_by_their_typed_count_with_five_samples(size) -> None:
    app = console_of(RunSession((*MANY, *INCIDENT[2:])))
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_review(pilot)
        await pilot.press("K")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        assert app.focused is not None and app.focused.id == "confirm-cancel"
        text = screen_text(app)
        assert "Confirm 8 × create domain?" in text
        assert [f"ROOT/ci/p{number:02}" in text for number in range(8)] == [True] * 5 + [False] * 3
        assert "… and 3 more" in text
        assert "Type 8 to confirm." in text
        await pilot.press("8", "enter")
        await pilot.pause()
        assert len(app.confirmed) == 8
        assert {one.action.kind.value for one in app.confirmed.values()} == {"create domain"}
        assert app.screen.list.cursor == 0


@pytest.mark.parametrize("typed", ["7", "88", "eight", "8 8", ""])
async def test_a_wrong_count_confirms_nothing(typed: str) -> None:
    app = console_of(RunSession(MANY))
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await pilot.press("K")
        await pilot.pause()
        app.screen.query_one("#confirm-word").focus()
        await pilot.press(*("space" if letter == " " else letter for letter in typed), "enter")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        assert app.screen.query_one("#confirm-go").disabled
        await pilot.press("escape")
        await pilot.pause()
        assert dict(app.confirmed) == {}


# --- when a confirmation ends -----------------------------------------------------------------------------


async def test_a_reading_that_changes_a_staged_action_ends_its_confirmation() -> None:
    session = RunSession(INCIDENT)
    session.extra = (replace(irreversible("ROOT/ci/dune:dune:kchen"), needs=()),)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        app.screen._confirm(app.staged)
        assert len(app.confirmed) == 7
        changed = replace(session.extra[0], precondition={"email": "other@example.org"})
        session.extra = (changed,)
        await read_again(pilot)
        assert changed in app.staged
        assert changed.id not in app.confirmed
        assert len(app.confirmed) == 6, "the others are what they were"
        assert "Changed since it was confirmed" in said(app)


async def test_a_reading_that_changes_nothing_ends_no_confirmation() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, LIMIT)
        await read_again(pilot)
        assert list(app.confirmed) == [LIMIT]


async def test_what_is_no_longer_needed_is_neither_staged_nor_confirmed() -> None:
    session = RunSession(INCIDENT)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, JMARTIN, LIMIT)
        session.rows = (*INCIDENT[:2], in_sync("dune"), INCIDENT[3])
        await read_again(pilot)
        assert len(app.staged) == 4
        assert dict(app.confirmed) == {}
        assert "No longer needed" in said(app)


async def test_an_action_that_changes_while_it_is_asked_about_is_not_confirmed() -> None:
    session = RunSession(INCIDENT)
    session.extra = (irreversible("ROOT/ci/dune:dune:kchen"),)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        app.screen.list.move_to(session.extra[0].id)
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        session.extra = (replace(session.extra[0], parameters={"email": "third@example.org"}),)
        await read_again(pilot)
        await pilot.press(*"kchen", "enter")
        await pilot.pause()
        assert dict(app.confirmed) == {}
        assert "changed while you were asked" in said(app)


async def test_confirmations_outlive_the_screen_but_not_the_armed_console() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, LIMIT)
        await pilot.press("escape")
        await pilot.press("s")
        await pilot.pause()
        assert list(app.confirmed) == [LIMIT]
        assert "✓ confirmed" in screen_text(app)
        await pilot.press("A")
        await pilot.pause()
        assert dict(app.confirmed) == {}
        assert "READ-ONLY" in screen_text(app)


async def test_a_confirmation_ends_by_age() -> None:
    session = RunSession(INCIDENT)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, LIMIT)
        session.clock.advance(60 * 60)
        app.now = session.clock()
        assert list(app.confirmed) == [LIMIT]
        session.clock.advance(1)
        app.now = session.clock()
        assert dict(app.confirmed) == {}


# --- changing the plan ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["delete", "backspace"])
async def test_taken_out_goes_with_what_needs_it(key: str) -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, CIRRUS, CIRRUS_ACCOUNT, LIMIT)
        app.screen.list.move_to(CIRRUS)
        await pilot.pause()
        await pilot.press(key)
        await until(pilot, lambda: app.plan is not None and len(app.plan.actions) == 4)
        assert {CIRRUS, CIRRUS_ACCOUNT}.isdisjoint(action.id for action in app.staged)
        assert list(app.confirmed) == [LIMIT]
        assert "Taken out, with 1 action that needed it." in said(app)


async def test_an_action_moves_where_the_order_permits() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        before = app.plan.digest
        await pilot.press("right_square_bracket")
        await pilot.pause()
        assert [action.id for action in app.staged][:2] == [DORADO, CIRRUS]
        assert app.screen.list.cursor_key == CIRRUS, "the cursor goes along"
        assert app.plan.digest != before
        assert app.plan.digest == digest_of(app.plan)
        await pilot.press("right_square_bracket")
        await pilot.pause()
        assert [action.id for action in app.staged][:2] == [DORADO, CIRRUS]
        assert "cannot be moved there" in said(app)
        await pilot.press("left_square_bracket")
        await pilot.pause()
        assert [action.id for action in app.staged][:2] == [CIRRUS, DORADO]
        assert app.plan.digest == before


async def test_moving_keeps_confirmations() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, CIRRUS)
        await pilot.press("left_square_bracket")
        await pilot.pause()
        assert [action.id for action in app.staged][:2] == [DORADO, CIRRUS]
        assert list(app.confirmed) == [CIRRUS]


# --- read-only --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_without_arming_confirming_and_running_do_not_exist(size) -> None:
    session = RunSession(INCIDENT, armed=False)
    app = console_of(session)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_review(pilot)
        await pilot.press("enter", "K", "x")
        await pilot.pause()
        assert isinstance(app.screen, ReviewScreen)
        assert dict(app.confirmed) == {}
        assert not {"enter", "K", "x"} & {
            key for key, bound in app.screen.active_bindings.items() if bound.enabled
        }
        assert "confirm" not in keys(app) and "run" not in keys(app)
        assert "Read-only: A arms the console" in screen_text(app)
        app.screen._confirm(app.staged)
        assert dict(app.confirmed) == {}
        await pilot.press("delete")
        assert len(app.staged) == 4, "taking out changes nothing in CloudStack"
        assert session.scripted.runs == []


async def test_what_cannot_be_armed_says_so() -> None:
    app = console_of(RunSession(INCIDENT, armed=False, can_arm=False))
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        assert "names no section as `write`" in screen_text(app)


# --- running ----------------------------------------------------------------------------------------------


async def test_only_what_was_confirmed_is_handed_to_the_executor_under_its_own_digest() -> None:
    session = RunSession(INCIDENT)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        wanted = [action for action in app.staged if action.id in (CIRRUS, CIRRUS_ACCOUNT, LIMIT)]
        await confirm(pilot, CIRRUS, CIRRUS_ACCOUNT)
        session.clock.advance(90)
        await confirm(pilot, LIMIT)
        assert "x run 3" in keys(app)
        await run_to_end(pilot)
        ((plan, word),) = session.scripted.runs
        assert list(plan.actions) == wanted
        assert word.digest == plan.digest == digest_of(plan)
        assert word.by == "night@console"
        assert word.at == session.clock() - timedelta(seconds=90), "the oldest of the confirmations"
        assert isinstance(app.screen, ExecutionScreen)


async def test_the_order_the_operator_chose_is_the_order_of_the_run() -> None:
    session = RunSession(INCIDENT)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await pilot.press("right_square_bracket")
        await confirm(pilot, CIRRUS, DORADO)
        await run_to_end(pilot)
        assert [action.id for action in session.scripted.runs[0][0].actions] == [DORADO, CIRRUS]


async def test_what_is_needed_and_not_confirmed_blocks_the_run_with_words() -> None:
    session = RunSession(INCIDENT)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, CIRRUS_ACCOUNT)
        planned = len(session.planned)
        await pilot.press("x")
        await settle(pilot)
        assert "confirm “create domain ROOT/ci/cirrus” first" in said(app)
        assert len(session.planned) == planned and session.scripted.runs == []
        await confirm(pilot, CIRRUS)
        await run_to_end(pilot)
        assert len(session.scripted.runs) == 1


async def test_nothing_confirmed_means_there_is_no_key_to_run() -> None:
    session = RunSession(INCIDENT)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await pilot.press("x")
        await settle(pilot)
        assert session.scripted.runs == []
        assert "run" not in keys(app)


async def test_moving_while_the_run_is_planned_does_not_run_the_whole_of_what_is_staged() -> None:
    session = RunSession(INCIDENT)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, LIMIT)
        app.screen.list.move_to(CIRRUS)
        await pilot.pause()
        session.plan_gate.clear()
        await pilot.press("x", "right_square_bracket")
        await pilot.pause()
        assert phase(app) is None
        session.plan_gate.set()
        await until(pilot, lambda: bool(session.scripted.runs))
        assert [action.id for action in session.scripted.runs[0][0].actions] == [LIMIT]


async def test_taking_a_confirmation_back_while_the_run_is_planned_stops_it() -> None:
    session = RunSession(INCIDENT)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, LIMIT, JMARTIN)
        app.screen.list.move_to(LIMIT)
        await pilot.pause()
        session.plan_gate.clear()
        await pilot.press("x", "enter")
        session.plan_gate.set()
        await until(pilot, lambda: bool(app.plan_fault))
        assert session.scripted.runs == []
        assert "Nothing was sent: meanwhile the confirmation of “update limit" in screen_text(app)
        assert isinstance(app.screen, ReviewScreen)
        await run_to_end(pilot)
        assert [action.id for action in session.scripted.runs[0][0].actions] == [JMARTIN]


async def test_a_plan_of_anything_else_than_was_confirmed_is_refused() -> None:
    class Wrong(RunSession):
        def plan(self, actions, *, notes=()):
            everything = [action for row in self.rows for action in self.repairs(row)]
            return super().plan(everything if len(actions) == 1 else actions, notes=notes)

    session = Wrong(INCIDENT)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, LIMIT)
        await pilot.press("x")
        await until(pilot, lambda: bool(app.plan_fault))
        assert session.scripted.runs == []
        assert "not of exactly what was confirmed: nothing was sent" in screen_text(app)


async def test_a_run_whose_plan_cannot_be_made_is_none_and_its_confirmations_stay() -> None:
    session = RunSession(INCIDENT)
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, LIMIT)
        session.plan_fault = SourceError("CloudStack is starting up.", next_step="Wait a minute.")
        await pilot.press("x")
        await until(pilot, lambda: bool(app.plan_fault))
        assert "CloudStack is starting up. Wait a minute." in screen_text(app)
        assert list(app.confirmed) == [LIMIT]
        assert not app.operations.is_going_on
        session.plan_fault = None
        await run_to_end(pilot)
        assert len(session.scripted.runs) == 1
        assert app.plan_fault == ""


async def test_a_second_run_is_refused_while_one_goes_on() -> None:
    session = RunSession(INCIDENT)
    session.scripted.holds = frozenset({LIMIT})
    app = console_of(session)
    async with app.run_test(**WIDE) as pilot:
        await open_review(pilot)
        await confirm(pilot, LIMIT)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ExecutionScreen))
        await pilot.press("escape")
        await confirm(pilot, JMARTIN)
        await pilot.press("x")
        await pilot.pause()
        assert "A run is going on" in screen_text(app)
        assert not app.operations.run_confirmed([one.action for one in app.confirmed.values()])
        assert not app.operations.execute(app.plan)
        session.scripted.gate.set()
        await until(pilot, lambda: not app.operations.is_going_on)
        await settle(pilot)
        assert len(session.scripted.runs) == 1
        assert list(app.confirmed) == [JMARTIN]
        await run_to_end(pilot)
        assert [action.id for action in session.scripted.runs[1][0].actions] == [JMARTIN]


# --- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [HOSTILE, "p[red]q", "two\nlines", "x" * 300, "ü日本🚀"])
async def test_names_are_never_markup_and_never_break_a_line(name: str) -> None:
    session = RunSession((missing(name), *(missing(f"{name}{number}") for number in range(2))))
    app = console_of(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_review(pilot)
        assert len(app.staged) == 6
        await pilot.press("enter")
        await pilot.pause()
        assert "Cancel" in screen_text(app), "also a long name leaves room for the buttons"
        await pilot.press("escape")
        await pilot.press("K")
        await pilot.pause()
        assert "Cancel" in screen_text(app)
        await pilot.press("3", "enter")
        await pilot.pause()
        assert len(app.confirmed) == 3
        account = next(action for action in app.staged if action.needs)
        await confirm(pilot, account.id)
        app.confirmed = {id: one for id, one in app.confirmed.items() if id == account.id}
        await pilot.press("x")
        await pilot.pause()
        assert "What is confirmed needs what is not" in said(app)
        await pilot.press("home", "delete")
        await pilot.pause()
        assert len(app.staged) == 4
        for line in screen_text(app).splitlines():
            assert len(line) <= 80


# --- pictures ---------------------------------------------------------------------------------------------

Compare = Callable[..., bool]


@pytest.mark.parametrize("size", SIZES)
def test_picture_of_a_review_with_some_confirmed(snap_compare: Compare, size) -> None:
    """Ten actions, three of them confirmed, the account of cirrus under the cursor with what it needs."""

    async def look(pilot) -> None:
        app = await open_review(pilot)
        await confirm(pilot, CIRRUS, JMARTIN, LIMIT)
        app.screen.list.move_to(CIRRUS_ACCOUNT)
        await pilot.pause()

    rows = (*INCIDENT, missing("eclipse"), missing("fable"))
    assert snap_compare(console_of(RunSession(rows)), terminal_size=size, run_before=look)


@pytest.mark.parametrize("size", SIZES)
def test_picture_of_a_read_only_review(snap_compare: Compare, size) -> None:
    """READ-ONLY in the header, no key that confirms or runs, and how to arm."""

    async def look(pilot) -> None:
        app = await open_review(pilot)
        app.screen.list.move_to(LIMIT)
        await pilot.pause()

    app = console_of(RunSession(INCIDENT, armed=False))
    assert snap_compare(app, terminal_size=size, run_before=look)


@pytest.mark.parametrize("size", SIZES)
def test_picture_of_the_question_about_one(snap_compare: Compare, size) -> None:
    """What changes from what to what, why, and the undo; Cancel has the focus."""

    async def look(pilot) -> None:
        app = await open_review(pilot)
        app.screen.list.move_to(LIMIT)
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()

    assert snap_compare(console_of(RunSession(INCIDENT)), terminal_size=size, run_before=look)


@pytest.mark.parametrize("size", SIZES)
def test_picture_of_the_question_about_many(snap_compare: Compare, size) -> None:
    """The total, five samples, how many more, and the count to type."""

    async def look(pilot) -> None:
        await open_review(pilot)
        await pilot.press("K")
        await pilot.pause()

    assert snap_compare(console_of(RunSession(MANY)), terminal_size=size, run_before=look)
