"""The steps of a guided path, always all of them: where one is, what each found, what to do, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from widgets.cells import fit
from widgets.lines import Line, Lines, shortened, wrap

_TITLE = 10
_INDENT = 5
_TALL = 32
"""Rows of the screen from which all steps are shown with what to do."""
_AIRY = 44
"""Rows of the screen from which they stand apart."""
_SHORT = 16
"""Rows of the screen from which more than the step that is looked at is shown."""


class StepState(Enum):
    """The value is the glyph on screen; the words stand beside it."""

    WAITING = "·"
    CURRENT = "▶"
    DONE = "✓"
    BAD = "✗"


_TONES = {
    StepState.WAITING: "tone--muted",
    StepState.CURRENT: "tone--key",
    StepState.DONE: "tone--good",
    StepState.BAD: "tone--bad",
}


@dataclass(frozen=True, slots=True)
class StepView:
    """One step."""

    title: str
    state: StepState
    found: str
    """What it found or did, in one line."""
    do: str
    """What to do: which key, and what happens then."""
    why: str
    wait: str = ""
    """What happens if one waits, with deadlines where they are known."""
    is_alarming: bool = False
    """Whether what it found is bad."""
    is_viewed: bool = False
    """Whether the rest of the screen is about this step."""


class Steps(Lines):
    """Given the steps; the viewed one is opened, on a tall screen all of them are."""

    def __init__(self) -> None:
        super().__init__(id="steps")
        self._steps: Sequence[StepView] = ()

    def show(self, steps: Sequence[StepView]) -> None:
        """Show these, in this order."""
        if steps != self._steps:
            self._steps = steps
            self.redraw()

    def lines(self, width: int) -> list[Line]:
        height = self.screen.size.height
        is_tall, is_tiny = height >= _TALL, height < _SHORT
        if is_tiny:
            viewed = next((pair for pair in enumerate(self._steps, 1) if pair[1].is_viewed), None)
            return _head(*viewed, width)[:1] if viewed is not None else []
        result: list[Line] = []
        for number, step in enumerate(self._steps, 1):
            if height >= _AIRY and result:
                result.append([])
            result += _head(number, step, width)
            if step.is_viewed:
                result += _labelled("do", step.do, width, tone="tone--key")
                for label, text in (("why", step.why), ("if I wait", step.wait)):
                    # Where there is little room one line has to do; the page for the phone has it in full.
                    words = text if is_tall else shortened(text, max(10, width - _INDENT - _TITLE - 1))
                    result += _labelled(label, words, width, tone="tone--muted") if text else []
            elif is_tall and step.do:
                result += _labelled("do", step.do, width, tone="tone--muted")
        return result


def _head(number: int, step: StepView, width: int) -> list[Line]:
    """One line; of the viewed step as many as it takes."""
    tone = "tone--bad" if step.is_alarming else "" if step.is_viewed else "tone--muted"
    name_tone = "tone--strong" if step.is_viewed else _TONES[step.state]
    room = max(10, width - _INDENT - _TITLE - 1)
    texts = wrap(step.found, room) if step.is_viewed else [fit(step.found, room)]
    first: Line = [
        (f" {step.state.value} ", _TONES[step.state]),
        (f"{number} ", name_tone),
        (fit(step.title, _TITLE), name_tone),
        (texts[0], tone),
    ]
    return [first, *([(" " * (_INDENT + _TITLE) + text, tone)] for text in texts[1:])]


def _labelled(label: str, text: str, width: int, *, tone: str) -> list[Line]:
    """A label and the text, which goes on in the same column."""
    room = max(10, width - _INDENT - _TITLE - 1)
    return [
        [
            (" " * _INDENT + f"{label if index == 0 else '':<{_TITLE}}", "tone--muted"),
            (line, tone),
        ]
        for index, line in enumerate(wrap(text, room))
    ]
