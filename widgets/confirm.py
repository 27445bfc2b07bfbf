"""Asking before something happens: the text, a typed word, and two buttons of which Cancel has the focus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Button, Input

from widgets.cells import clean
from widgets.lines import Line, Lines, wrap


class Paragraphs(Lines):
    """Lines of text, wrapped."""

    def __init__(self, texts: Sequence[str], *, tone: str = "", id: str | None = None) -> None:
        super().__init__(id=id)
        self._texts = tuple(texts)
        self._tone = tone

    def show(self, texts: Sequence[str]) -> None:
        """Show these instead."""
        self._texts = tuple(texts)
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        return [[(line, self._tone)] for text in self._texts for line in wrap(text, width)]


class Facts(VerticalScroll, can_focus=False):
    """What is asked about, in as many lines as there is room for; the rest is a scroll away."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__(Paragraphs(["", *texts, ""]), classes="confirm-facts")


SCROLLING: tuple[BindingType, ...] = (
    Binding("up", "scroll_facts(-1)", "up", show=False),
    Binding("down", "scroll_facts(1)", "down", show=False),
    Binding("pageup", "scroll_facts(-8)", "page up", show=False),
    Binding("pagedown", "scroll_facts(8)", "page down", show=False),
)
"""Keys for whoever shows `Facts`: the buttons keep the focus."""


class TypedConfirm(Vertical):
    """Confirms only when what was typed is exactly the expected word; everything else is no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", id="confirm.cancel"),
        *SCROLLING,
    ]

    class Decided(Message):
        """The operator decided."""

        def __init__(self, sender: TypedConfirm, confirmed: bool) -> None:
            super().__init__()
            self.sender = sender
            self.confirmed = confirmed

        @property
        def control(self) -> TypedConfirm:
            return self.sender

    def __init__(
        self,
        title: str,
        texts: Sequence[str],
        expected: str,
        *,
        verb: str = "Confirm",
        is_destructive: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id, classes="confirm")
        if not expected:
            raise ValueError("a typed confirmation needs a word to type")
        self._title = clean(title)
        self._texts = tuple(texts)
        self._expected = expected
        self._verb = verb
        self._is_destructive = is_destructive

    def compose(self) -> ComposeResult:
        yield Paragraphs([self._title], tone="tone--strong", id="confirm-title")
        yield Facts(self._texts)
        yield Paragraphs(
            [f"Type {clean(self._expected)} to confirm."], tone="tone--warning", id="confirm-hint"
        )
        yield Input(id="confirm-word", placeholder="esc cancels", select_on_focus=False)
        with Horizontal(id="confirm-buttons"):
            yield Button("Cancel", id="confirm-cancel")
            verb = Button(self._verb, id="confirm-go", disabled=True)
            verb.variant = "error" if self._is_destructive else "warning"
            yield verb

    def on_mount(self) -> None:
        self.query_one("#confirm-cancel", Button).focus()

    def on_key(self, event: events.Key) -> None:
        """A letter typed while a button has the focus is meant for the word: no hunting for the box."""
        box = self.query_one("#confirm-word", Input)
        if event.is_printable and event.character != " " and not box.has_focus:
            event.stop()
            box.focus()
            box.value += event.character or ""
            box.cursor_position = len(box.value)

    @property
    def expected(self) -> str:
        """The word to type."""
        return self._expected

    @property
    def is_right(self) -> bool:
        """Whether the word stands there."""
        return self.query_one("#confirm-word", Input).value.strip() == self._expected.strip()

    @on(Input.Changed, "#confirm-word")
    def _compare(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one("#confirm-go", Button).disabled = not self.is_right

    @on(Input.Submitted, "#confirm-word")
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        if self.is_right:
            self.post_message(self.Decided(self, True))
            return
        typed, expected = clean(event.value.strip()), clean(self._expected)
        wrong = f"“{typed}” is not {expected}. " if typed else ""
        self.query_one("#confirm-hint", Paragraphs).show([f"{wrong}Type {expected} to confirm."])

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        event.stop()
        self.post_message(self.Decided(self, event.button.id == "confirm-go" and self.is_right))

    def action_cancel(self) -> None:
        self.post_message(self.Decided(self, False))

    def action_scroll_facts(self, lines: int) -> None:
        self.query_one(Facts).scroll_relative(y=lines, animate=False)
