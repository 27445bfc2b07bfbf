"""The footer: the keys that work here and now, as many as fit, the most useful first."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.message import Message

from widgets.lines import Line, Lines


@dataclass(frozen=True, slots=True)
class KeyHint:
    """One key of the footer."""

    key: str
    """As shown: `space`, `?`, `ctrl+p`."""
    label: str
    command: str
    """Id of the command, posted when the hint is clicked."""


class KeyBar(Lines):
    """One line of hints; a click on one runs it."""

    DEFAULT_CSS = "KeyBar { dock: bottom; height: 1; }"

    class Clicked(Message):
        """A hint was clicked."""

        def __init__(self, command: str) -> None:
            super().__init__()
            self.command = command

    def __init__(self) -> None:
        super().__init__(id="keys")
        self._hints: tuple[KeyHint, ...] = ()
        self._spans: list[tuple[int, int, str]] = []

    def show(self, hints: tuple[KeyHint, ...]) -> None:
        """Show these hints; the last one is kept even where the others do not fit."""
        if hints != self._hints:
            self._hints = hints
            self.redraw()

    def lines(self, width: int) -> list[Line]:
        pieces: Line = []
        self._spans = []
        at = 0
        last = self._hints[-1] if self._hints else None
        reserve = self._width(last) if last is not None else 0
        for hint in self._hints:
            wanted = self._width(hint)
            if hint is not last and at + wanted + reserve > width:
                continue
            pieces += [(f" {hint.key}", "tone--key"), (f" {hint.label} ", "")]
            self._spans.append((at, at + wanted, hint.command))
            at += wanted
        return [pieces]

    def _width(self, hint: KeyHint) -> int:
        return len(hint.key) + len(hint.label) + 3

    def on_click(self, event: events.Click) -> None:
        for start, end, command in self._spans:
            if start <= event.x < end:
                self.post_message(self.Clicked(command))
