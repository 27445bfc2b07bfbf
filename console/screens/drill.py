"""What a drill is about, and the buttons with which the other people in it are told to act."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button

from widgets.confirm import SCROLLING, Facts, Paragraphs

if TYPE_CHECKING:
    from sync.drill_scenarios import Scenario
    from sync.drill_stage import Turn


class DrillScreen(ModalScreen["Turn | None"]):
    """Dismissed with what was chosen, or with nothing. Close has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "close"),
        Binding("left", "app.focus_previous", "other button", show=False),
        Binding("right", "app.focus_next", "other button", show=False),
        *SCROLLING,
    ]
    AUTO_FOCUS = "#drill-close"

    def __init__(self, scenario: Scenario, turns: Sequence[Turn]) -> None:
        super().__init__()
        self._scenario, self._turns = scenario, {turn.id: turn for turn in turns}

    def compose(self) -> ComposeResult:
        from sync.drill_scenarios import PACE

        one = self._scenario
        promise = f"At the end: nothing repairable is left, the losses are told exactly, and {one.promise}."
        with Vertical(classes="confirm"):
            yield Paragraphs([f"Drill: {one.name}"], tone="tone--strong", id="question-title")
            turns = (turn.words for turn in self._turns.values())
            yield Facts([one.sentence, *turns, *one.notes, PACE, promise])
            is_alone = not self._turns
            keys = (
                "enter closes." if is_alone else "tab goes to the next button, enter presses it, esc closes."
            )
            yield Paragraphs([keys], tone="tone--muted")
            with Horizontal(id="confirm-buttons"):
                yield Button("Close", id="drill-close")
                for turn in self._turns.values():
                    yield Button(turn.label, id=f"drill-{turn.id}", variant="warning")

    @on(Button.Pressed)
    def _press(self, event: Button.Pressed) -> None:
        event.stop()
        self.dismiss(self._turns.get((event.button.id or "").removeprefix("drill-")))

    def action_close(self) -> None:
        self.dismiss(None)

    def action_scroll_facts(self, lines: int) -> None:
        self.query_one(Facts).scroll_relative(y=lines, animate=False)
