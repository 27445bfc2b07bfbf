"""The questions before something happens: Cancel in focus, only the exact word is yes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from console.keystrokes import KeystrokesApp
from console.screens.confirm import ConfirmScreen, QuestionScreen
from tests.screens.driving import screen_text
from tests.screens.world import HOSTILE
from widgets.confirm import Facts, TypedConfirm

SIZES = [(80, 24), (120, 40)]


class Asking(KeystrokesApp[None]):
    """Asks one question and keeps the answers."""

    CSS_PATH = "../../console/console.tcss"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (16, "-short"), (32, "-tall")]

    def __init__(self, question: Callable[[], Screen[bool]]) -> None:
        super().__init__()
        from console import themes

        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = themes.named(None)
        self.question = question
        self.answers: list[bool | None] = []

    def on_mount(self) -> None:
        self.push_screen(self.question(), self.answers.append)


def typed(expected: str = "dune", *, texts: tuple[str, ...] = ("It is about dune.",), **named: Any):
    return lambda: ConfirmScreen("Really?", texts, expected, **named)


def asked(*texts: str):
    return lambda: QuestionScreen("Really?", texts or ("It is about dune.",), "Confirm")


async def shown(pilot: Pilot[Any], app: Asking) -> str:
    await pilot.pause()
    return screen_text(app)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", SIZES)
async def test_cancel_has_the_focus_and_the_question_is_whole(size) -> None:
    app = Asking(typed())
    async with app.run_test(size=size) as pilot:
        text = await shown(pilot, app)
        for words in ("Really?", "It is about dune.", "Type dune to confirm.", "Cancel", "Confirm"):
            assert words in text
        assert app.focused is not None and app.focused.id == "confirm-cancel"
        assert app.screen.query_one("#confirm-go").disabled
        await pilot.press("enter")
        assert app.answers == [False]


async def test_the_exact_word_is_yes_typed_anywhere() -> None:
    app = Asking(typed())
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.press(*"dune")
        assert not app.screen.query_one("#confirm-go").disabled
        await pilot.press("enter")
        assert app.answers == [True]


async def test_the_button_is_yes_only_once_the_word_stands_there() -> None:
    app = Asking(typed())
    async with app.run_test() as pilot:
        await pilot.pause()
        await pilot.click("#confirm-go")
        assert app.answers == []
        await pilot.press(*"dune")
        await pilot.click("#confirm-go")
        await pilot.pause()
        assert app.answers == [True]


@pytest.mark.parametrize("word", ["Dune", "dun", "dunes", "yes", "d une"])
async def test_another_word_is_no_and_is_told(word: str) -> None:
    app = Asking(typed())
    async with app.run_test() as pilot:
        await pilot.pause()
        app.screen.query_one("#confirm-word").focus()
        await pilot.press(*("space" if letter == " " else letter for letter in word), "enter")
        assert app.answers == []
        assert f"“{word}” is not dune. Type dune to confirm." in await shown(pilot, app)
        await pilot.press("tab", "tab", "enter")
        assert app.answers in ([], [False])


@pytest.mark.parametrize("question", [typed(), asked()])
async def test_escape_is_no_from_everywhere(question) -> None:
    for presses in ((), ("tab",), ("tab", "tab")):
        app = Asking(question)
        async with app.run_test() as pilot:
            await pilot.pause()
            await pilot.press(*presses, "escape")
            assert app.answers == [False]


def test_a_question_without_a_word_to_type_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a word"):
        TypedConfirm("Really?", ["text"], "")


@pytest.mark.parametrize("size", SIZES)
async def test_a_button_answers_a_plain_question(size) -> None:
    for presses, answer in ((("enter",), False), (("tab", "enter"), True), (("right", "enter"), True)):
        app = Asking(asked())
        async with app.run_test(size=size) as pilot:
            assert "It is about dune." in await shown(pilot, app)
            assert app.focused is not None and app.focused.id == "question-cancel"
            await pilot.press(*presses)
            assert app.answers == [answer]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", [lambda texts: typed(texts=texts), lambda texts: asked(*texts)])
async def test_what_is_longer_than_the_terminal_scrolls_and_leaves_the_buttons(size, make) -> None:
    app = Asking(make(tuple(f"fact number {number}" for number in range(60))))
    async with app.run_test(size=size) as pilot:
        text = await shown(pilot, app)
        assert "fact number 0" in text and "fact number 59" not in text
        assert "Cancel" in text and "Confirm" in text
        await pilot.press(*["pagedown"] * 9)
        assert "fact number 59" in await shown(pilot, app)
        await pilot.press(*["pageup"] * 9, "down", "up")
        assert app.screen.query_one(Facts).scroll_offset.y == 0
        assert app.answers == []


@pytest.mark.parametrize("name", [HOSTILE, "p[red]q", "[bold]", "a\nb", "x" * 300])
async def test_names_are_plain_text_in_every_part(name: str) -> None:
    app = Asking(lambda: ConfirmScreen(name, (name,), name))
    async with app.run_test(size=(80, 24)) as pilot:
        text = await shown(pilot, app)
        assert "Cancel" in text
        assert text.count(name[:20].replace("\n", " ")) >= 3
