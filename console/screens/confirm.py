"""Modal questions, answered by typing a word or by a button; dismissed with True only when confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button

from widgets.confirm import SCROLLING, Facts, Paragraphs, TypedConfirm


class ConfirmScreen(ModalScreen[bool]):
    """`title`, the facts, and the word to type. Cancel has the focus, esc cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel")]
    AUTO_FOCUS = "#confirm-cancel"

    def __init__(
        self,
        title: str,
        texts: Sequence[str],
        expected: str,
        verb: str = "Confirm",
        *,
        is_destructive: bool = False,
    ) -> None:
        super().__init__()
        self._question = TypedConfirm(title, texts, expected, verb=verb, is_destructive=is_destructive)

    def compose(self) -> ComposeResult:
        yield self._question

    @on(TypedConfirm.Decided)
    def _decide(self, event: TypedConfirm.Decided) -> None:
        self.dismiss(event.confirmed)

    def action_cancel(self) -> None:
        self.dismiss(False)


class QuestionScreen(ModalScreen[bool]):
    """A modal question answered by a button; Cancel has the focus, esc cancels."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel"),
        Binding("left,right", "app.focus_next", "other button", show=False),
        *SCROLLING,
    ]
    AUTO_FOCUS = "#question-cancel"

    def __init__(self, title: str, texts: Sequence[str], verb: str) -> None:
        super().__init__()
        self._title, self._texts, self._verb = title, tuple(texts), verb

    def compose(self) -> ComposeResult:
        with Vertical(classes="confirm"):
            yield Paragraphs([self._title], tone="tone--strong", id="question-title")
            yield Facts(self._texts)
            with Horizontal(id="confirm-buttons"):
                yield Button("Cancel", id="question-cancel")
                yield Button(self._verb, id="question-go", variant="warning")

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(event.button.id == "question-go")

    def action_cancel(self) -> None:
        self.dismiss(False)

    def action_scroll_facts(self, lines: int) -> None:
        self.query_one(Facts).scroll_relative(y=lines, animate=False)
