"""Modal questions, answered by typing a word or by a button; dismissed with True only when confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button

from widgets.confirm import SCROLLING, Facts, Paragraphs, TypedConfirm


class ConfirmScreen(ModalScreen[bool]):
    """`title`, the facts, and the word to type. Cancel has the focus, esc cancels, letters go into the box.

    Without a word the question is still being made; `put` completes it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel")]
    AUTO_FOCUS = "#confirm-cancel"

    def __init__(
        self,
        title: str,
        texts: Sequence[str],
        expected: str | None,
        verb: str = "Confirm",
        *,
        is_destructive: bool = False,
    ) -> None:
        super().__init__()
        self._question = TypedConfirm(title, texts, expected, verb=verb, is_destructive=is_destructive)

    def compose(self) -> ComposeResult:
        yield self._question

    def put(self, title: str, texts: Sequence[str], expected: str | None) -> None:
        """Show what is asked, now that it is known; without a word why it is not."""
        self._question.put(title, texts, expected)

    def before_typing(self, event: events.Key | events.Paste) -> bool:
        """Text is for the box, from its first letter on; an enter is judged at once, by what stands there
        now: what is typed behind it is for the screen behind."""
        if isinstance(event, events.Paste) or is_text(event):
            self._question.take_typing()
            return False
        if event.key not in ("enter", "escape"):
            return False
        answer = self._question.judge(event) if event.key == "enter" else False
        if answer is not None:
            self.dismiss(answer)
        return True

    @on(TypedConfirm.Decided)
    def _decide(self, event: TypedConfirm.Decided) -> None:
        self.dismiss(event.confirmed)

    def action_cancel(self) -> None:
        self.dismiss(False)


_BY_BUTTON = "tab goes to the other button, enter presses it, esc cancels."


class QuestionScreen(ModalScreen[bool]):
    """A modal question answered by a button; Cancel has the focus, esc cancels. Who types a word is told how
    to answer, and the enter behind it cancels nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel"),
        Binding("left,right", "app.focus_next", "other button", show=False),
        *SCROLLING,
    ]
    AUTO_FOCUS = "#question-cancel"

    def __init__(self, title: str, texts: Sequence[str], verb: str) -> None:
        super().__init__()
        self._title, self._texts, self._verb = title, tuple(texts), verb
        self._has_typed = False
        """Whether letters were typed since a button was chosen."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="confirm"):
            yield Paragraphs([self._title], tone="tone--strong", id="question-title")
            yield Facts(self._texts)
            yield Paragraphs([_BY_BUTTON], tone="tone--muted", id="question-hint")
            with Horizontal(id="confirm-buttons"):
                yield Button("Cancel", id="question-cancel")
                yield Button(self._verb, id="question-go", variant="warning")

    def before_typing(self, event: events.Key | events.Paste) -> bool:
        """Letters are no answer, and an enter behind them is meant to end them, not to press a button."""
        if isinstance(event, events.Paste) or is_text(event):
            self._has_typed = True
            self.query_one("#question-hint", Paragraphs).show([f"Nothing is typed here: {_BY_BUTTON}"])
            return True
        if event.key != "enter":
            self._has_typed = False
            return False
        if not self._has_typed and isinstance(self.focused, Button):
            self.dismiss(self.focused.id == "question-go")
        return True

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(event.button.id == "question-go")

    def action_cancel(self) -> None:
        self.dismiss(False)

    def action_scroll_facts(self, lines: int) -> None:
        self.query_one(Facts).scroll_relative(y=lines, animate=False)


def is_text(event: events.Key) -> bool:
    """Whether the key writes something; a space alone does not begin a word."""
    return event.is_printable and event.character != " "
