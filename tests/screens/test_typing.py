"""What is typed faster than the screen can follow: it reaches the question that its first key opens."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.app import App
from textual.widgets import Input

from console.screens.confirm import ConfirmScreen, QuestionScreen
from console.screens.recovery import RecoveryScreen
from sync.model import ActionKind
from tests.screens.driving import burst, console, screen_text, settle
from tests.screens.recoveries import DamagedSession, console_on, open_recovery, rest
from tests.screens.runs import CIRRUS, INCIDENT, RunSession, console_of, open_review, until
from tests.screens.world import Facts, FakeSession

PRODUCTION = Facts(name="production", title="PRODUCTION")
ALL = "23"
"""Actions that everything needs in the damaged world."""


def word(app: App[Any]) -> str:
    """What stands in the box of the question."""
    return app.screen.query_one("#confirm-word", Input).value


@pytest.mark.parametrize("before", [(), ("down", "down", "up"), ("d", "o")])
async def test_a_name_typed_behind_the_key_arms(before: tuple[str, ...]) -> None:
    session = FakeSession(facts=PRODUCTION)
    app = console(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await burst(pilot, *before, "A", *"production", "enter")
        await settle(pilot)
        assert session.is_armed


async def test_a_name_typed_in_pieces_arrives_in_its_order() -> None:
    app = console(FakeSession(facts=PRODUCTION))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        for key in ("A", *"productioninorder"):
            app.post_message(events.Key(key, key))
            await asyncio.sleep(0)
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert word(app) == "productioninorder"


async def test_another_name_typed_behind_the_key_is_told_and_kept() -> None:
    session = FakeSession(facts=PRODUCTION)
    app = console(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await burst(pilot, "A", *"prodction", "enter")
        await settle(pilot)
        assert isinstance(app.screen, ConfirmScreen)
        assert word(app) == "prodction"
        assert "“prodction” is not production." in screen_text(app)
        assert not session.is_armed


async def test_an_enter_alone_behind_the_key_cancels() -> None:
    session = FakeSession(facts=PRODUCTION)
    app = console(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await burst(pilot, "A", "enter")
        await settle(pilot)
        assert not isinstance(app.screen, ConfirmScreen)
        assert not session.is_armed


async def test_a_name_that_is_pasted_goes_into_the_box() -> None:
    session = FakeSession(facts=PRODUCTION)
    app = console(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.post_message(events.Key("A", "A"))
        app.post_message(events.Paste("production"))
        app.post_message(events.Key("enter", "\r"))
        await settle(pilot)
        assert session.is_armed


@pytest.mark.parametrize("behind", ["n", "q", "space", "A"])
async def test_what_is_typed_behind_the_enter_does_not_complete_the_word(behind: str) -> None:
    session = FakeSession(facts=PRODUCTION)
    app = console(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await burst(pilot, "A", *"productio", "enter", behind)
        await settle(pilot)
        assert not session.is_armed
        assert "“productio” is not production." in screen_text(app)


async def test_what_is_typed_behind_the_right_word_and_its_enter_does_not_spoil_it() -> None:
    session = FakeSession(facts=PRODUCTION)
    app = console(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await burst(pilot, "A", *"production", "enter", "e")
        await settle(pilot)
        assert session.is_armed
        assert app.screen.SCOPE == "sources"  # type: ignore[attr-defined]


async def test_a_refused_word_is_replaced_by_the_next_letters() -> None:
    session = FakeSession(facts=PRODUCTION)
    app = console(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await burst(pilot, "A", *"prodction", "enter", *"production", "enter")
        await settle(pilot)
        assert session.is_armed


async def test_a_word_pasted_with_its_enter_behind_it_is_judged_whole() -> None:
    session = FakeSession(facts=PRODUCTION)
    app = console(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("A")
        app.post_message(events.Paste("production\nand more"))
        await burst(pilot, "enter")
        await settle(pilot)
        assert session.is_armed


async def test_the_enter_behind_the_filters_opens_the_row_that_it_found() -> None:
    app = console(FakeSession(facts=PRODUCTION))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await burst(pilot, "slash", *"dune", "enter", "enter")
        await settle(pilot)
        assert app.screen.SCOPE == "project"  # type: ignore[attr-defined]
        assert "dune" in screen_text(app)


async def test_letters_in_the_filter_are_no_commands() -> None:
    session = FakeSession(facts=PRODUCTION)
    app = console(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await burst(pilot, "slash", *"Aq?")
        assert app.screen.query_one("#filter-box", Input).value == "Aq?"


async def test_the_number_typed_behind_the_key_confirms_the_kind_under_the_cursor() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_review(pilot)
        app.screen.list.move_to(CIRRUS)  # type: ignore[attr-defined]
        await pilot.pause()
        await burst(pilot, "K", "2", "enter")
        assert [one.action.kind for one in app.confirmed.values()] == [ActionKind.CREATE_DOMAIN] * 2


async def test_the_cursor_has_moved_before_the_key_behind_it_asks() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_review(pilot)
        second = app.staged[1]
        await burst(pilot, "home", "down", "enter", "tab", "enter")
        assert [one.action for one in app.confirmed.values()] == [second]


async def test_words_typed_at_a_question_with_buttons_do_not_cancel_it_silently() -> None:
    app = console_of(RunSession(INCIDENT))
    async with app.run_test(size=(80, 24)) as pilot:
        await open_review(pilot)
        await burst(pilot, "home", "enter", *"yes", "enter")
        assert isinstance(app.screen, QuestionScreen)
        assert "Nothing is typed here" in screen_text(app)
        await burst(pilot, "tab", "enter")
        assert len(app.confirmed) == 1


async def test_the_number_typed_behind_the_rebuilds_key_waits_for_its_plan(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    app = console_on(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await open_recovery(pilot)
        await burst(pilot, "x", *ALL, "enter")
        await until(pilot, lambda: "enter confirms what is shown" in screen_text(app))
        assert word(app) == ALL
        assert session.cloud.log == []
        await pilot.press("enter")
        await until(pilot, lambda: app.run_state is not None)
        await rest(pilot)
        assert session.cloud.log != []


async def test_a_rebuild_that_cannot_be_planned_says_so_in_its_question(tmp_path: Path, monkeypatch) -> None:
    session = DamagedSession(tmp_path, armed=True)
    app = console_on(session)

    def broken(*given: Any, **named: Any) -> None:
        raise RuntimeError("no plan today")

    monkeypatch.setattr("console.screens.recovery.plan_for", broken)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_recovery(pilot)
        await burst(pilot, "x", *ALL, "enter")
        await until(pilot, lambda: "There is no plan." in screen_text(app))
        assert "RuntimeError" in screen_text(app)
        assert "Nothing to confirm: esc goes back." in screen_text(app)
        await pilot.press("enter", "escape")
        assert isinstance(app.screen, RecoveryScreen)
        assert app.run_state is None


async def test_words_typed_behind_the_palettes_key_are_searched_for() -> None:
    app = console()
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await burst(pilot, "ctrl+p", *"history")
        assert app.screen.query_one(Input).value == "history"


async def test_an_escape_with_a_letter_right_behind_it_is_both() -> None:
    """A terminal that delivers both at once is read as alt with the letter."""
    app = console(FakeSession(facts=PRODUCTION))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await burst(pilot, "e")
        assert app.screen.SCOPE == "sources"  # type: ignore[attr-defined]
        app.post_message(events.Key("alt+shift+h", "H"))
        await burst(pilot)
        assert [screen.SCOPE for screen in app.screen_stack[1:]] == ["history"]  # type: ignore[attr-defined]
        await burst(pilot, "escape", "slash", *"dune")
        app.post_message(events.Key("alt+e", "e"))
        await burst(pilot)
        assert not app.screen_stack[0].query("#filter-box")
        assert app.screen.SCOPE == "sources"  # type: ignore[attr-defined]


async def test_ctrl_c_leaves_the_palette_and_a_box() -> None:
    app = console(FakeSession(facts=PRODUCTION))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await burst(pilot, "ctrl+p", "x")
        assert len(app.screen_stack) == 2
        await burst(pilot, "ctrl+c")
        assert len(app.screen_stack) == 1
        await burst(pilot, "slash", "ctrl+c")
        assert not app.screen.query("#filter-box")


async def test_the_palette_runs_what_it_has_found() -> None:
    app = console(FakeSession(facts=PRODUCTION))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await burst(pilot, "ctrl+p", *"every intent,")
        await until(pilot, lambda: "Find any" not in screen_text(app) and "The ledger" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: getattr(app.screen, "SCOPE", "") == "history")


async def test_what_is_typed_behind_the_slash_is_kept_however_late_the_box_hears_of_its_focus() -> None:
    """It would select what stands in it by then, and the next letter would take the place of the first."""
    app = console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("slash", "d")
        box = app.screen.query_one("#filter-box", Input)
        box.post_message(events.Focus())
        await pilot.pause()
        await pilot.press("u", "n", "e")
        assert box.value == "dune"
        await pilot.press("enter", "slash", "x")
        assert app.screen.query_one("#filter-box", Input).value == "x", "opened again, it is typed over"
