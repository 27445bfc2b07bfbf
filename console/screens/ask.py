"""A modal question answered in words: a path, a reason. Dismissed with None when it is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input

from widgets.confirm import SCROLLING, Facts, Paragraphs


class AskScreen(ModalScreen[str | None]):
    """`title`, the facts, and a line to fill in; an empty line is no answer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", "cancel"), *SCROLLING]
    AUTO_FOCUS = "#ask-answer"

    def __init__(self, title: str, texts: Sequence[str], verb: str, *, placeholder: str = "") -> None:
        super().__init__()
        self._title, self._texts, self._verb = title, tuple(texts), verb
        self._placeholder = placeholder

    def compose(self) -> ComposeResult:
        with Vertical(classes="confirm"):
            yield Paragraphs([self._title], tone="tone--strong", id="question-title")
            yield Facts(self._texts)
            yield Input(id="ask-answer", placeholder=self._placeholder, select_on_focus=False)
            with Horizontal(id="confirm-buttons"):
                yield Button("Cancel", id="ask-cancel")
                yield Button(self._verb, id="ask-go", variant="warning", disabled=True)

    def before_typing(self, event: events.Key | events.Paste) -> bool:
        """An enter in the line takes what stands there now, and nothing that is typed behind it."""
        is_enter = isinstance(event, events.Key) and event.key == "enter" and isinstance(self.focused, Input)
        if is_enter and self.answer:
            self.dismiss(self.answer)
        return is_enter

    @property
    def answer(self) -> str:
        return self.query_one("#ask-answer", Input).value.strip()

    @on(Input.Changed, "#ask-answer")
    def _compare(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one("#ask-go", Button).disabled = not self.answer

    @on(Input.Submitted, "#ask-answer")
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        if self.answer:
            self.dismiss(self.answer)

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(self.answer if event.button.id == "ask-go" and self.answer else None)

    def action_cancel(self) -> None:
        self.dismiss(None)

    def action_scroll_facts(self, lines: int) -> None:
        self.query_one(Facts).scroll_relative(y=lines, animate=False)
