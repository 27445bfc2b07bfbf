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

    def show(self, texts: Sequence[str]) -> None:
        """Show these instead."""
        self.query_one(Paragraphs).show(["", *texts, ""])


SCROLLING: tuple[BindingType, ...] = (
    Binding("up", "scroll_facts(-1)", "up", show=False),
    Binding("down", "scroll_facts(1)", "down", show=False),
    Binding("pageup", "scroll_facts(-8)", "page up", show=False),
    Binding("pagedown", "scroll_facts(8)", "page down", show=False),
)
"""Keys for whoever shows `Facts`: the buttons keep the focus."""


_HASTY = "Typed before this stood here: enter confirms what is shown."


class TypedConfirm(Vertical):
    """Confirms only when what was typed is exactly the expected word; everything else is no.

    Without a word yet it is a question that is still being put: what is typed already stays in its box, and
    nothing is confirmed before `put` has shown what is asked.
    """

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
        expected: str | None,
        *,
        verb: str = "Confirm",
        is_destructive: bool = False,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id, classes="confirm")
        _check(expected)
        self._title = clean(title)
        self._texts = tuple(texts)
        self._expected = expected
        self._verb = verb
        self._is_destructive = is_destructive
        self._put_at = 0.0
        """When the question was put, on the clock of Textual's messages; 0 where it stood there at once."""
        self._was_hasty = False
        """Whether an enter came before that: it was told not to count."""

    def compose(self) -> ComposeResult:
        yield Paragraphs([self._title], tone="tone--strong", id="confirm-title")
        yield Facts(self._texts)
        yield Paragraphs([self._hint()], tone="tone--warning", id="confirm-hint")
        yield Input(id="confirm-word", placeholder="esc cancels", select_on_focus=False)
        with Horizontal(id="confirm-buttons"):
            yield Button("Cancel", id="confirm-cancel")
            verb = Button(self._verb, id="confirm-go", disabled=True)
            verb.variant = "error" if self._is_destructive else "warning"
            yield verb

    def _hint(self) -> str:
        if self._expected:
            return f"Type {clean(self._expected)} to confirm."
        return "Nothing to confirm: esc goes back." if self._put_at else "One moment: nothing to confirm yet."

    def put(self, title: str, texts: Sequence[str], expected: str | None) -> None:
        """Show what is asked, now that it is known; without a word why it is not. What was typed before
        stays, and confirms nothing yet."""
        _check(expected)
        self._put_at = Message().time
        self._title, self._texts, self._expected = clean(title), tuple(texts), expected
        self.query_one("#confirm-title", Paragraphs).show([self._title])
        self.query_one(Facts).show(self._texts)
        is_typed = self.is_right or self._was_hasty
        self._say(_HASTY if is_typed and expected else self._wrong(self._box.value.strip()))
        self.query_one("#confirm-go", Button).disabled = not self.is_right

    def judge(self, enter: events.Key) -> bool | None:
        """What this enter answers, by what stands there now; None where it is no answer, and is told why.

        One that ends a word typed before there was anything to confirm does not count.
        """
        focused = self.screen.focused
        if isinstance(focused, Button):
            return focused.id == "confirm-go" and self.is_right
        if self._expected is None or enter.time < self._put_at:
            self._was_hasty = True
            self._say(_HASTY if self._expected else self._hint())
            return None
        if not self.is_right:
            self._refuse()
            return None
        return True

    def _refuse(self) -> None:
        """Say that it is not the word, and have the next letter take its place."""
        self._say(self._wrong(self._box.value.strip()))
        self._box.select_all()

    def take_typing(self) -> None:
        """Something is about to be typed: it is meant for the word, whichever button has the focus."""
        if self.screen.focused is not self._box:
            self.screen.set_focus(self._box)
            if self._box.selection.is_empty:
                self._box.cursor_position = len(self._box.value)

    @property
    def _box(self) -> Input:
        return self.query_one("#confirm-word", Input)

    def _say(self, hint: str) -> None:
        self.query_one("#confirm-hint", Paragraphs).show([hint])

    def _wrong(self, typed: str) -> str:
        wrong = f"“{clean(typed)}” is not {clean(self.expected)}. " if typed and self._expected else ""
        return wrong + self._hint()

    @property
    def expected(self) -> str:
        """The word to type; empty while it is not known."""
        return self._expected or ""

    @property
    def is_right(self) -> bool:
        """Whether the word stands there."""
        return self._is_the_word(self._box.value)

    def _is_the_word(self, typed: str) -> bool:
        return self._expected is not None and typed.strip() == self._expected.strip()

    @on(Input.Changed, "#confirm-word")
    def _compare(self, event: Input.Changed) -> None:
        event.stop()
        self.query_one("#confirm-go", Button).disabled = not self.is_right

    @on(Input.Submitted, "#confirm-word")
    def _submit(self, event: Input.Submitted) -> None:
        event.stop()
        if self._is_the_word(event.value):
            self.post_message(self.Decided(self, True))
            return
        self._refuse()

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        event.stop()
        self.post_message(self.Decided(self, event.button.id == "confirm-go" and self.is_right))

    def action_cancel(self) -> None:
        self.post_message(self.Decided(self, False))

    def action_scroll_facts(self, lines: int) -> None:
        self.query_one(Facts).scroll_relative(y=lines, animate=False)


def _check(expected: str | None) -> None:
    if expected == "":
        raise ValueError("a typed confirmation needs a word to type")
