"""The parts of the Contain screen that hold no list: title, what is under the cursor, what came of a rung."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from console.containing_state import ContainState, result_of
from console.containing_text import laid_out, who_lines
from sync.deletion_text import situation_text
from widgets.cells import age, fit
from widgets.lines import Line, Lines, spread, wrap

_CALLERS = 3
"""How many are shown; the rung has all of them."""
_EVIDENCE_LINES = 3


class ContainTitle(Lines):
    """That this is no ordinary screen, how old what it shows is, and the state in plain words."""

    def __init__(self) -> None:
        super().__init__(id="contain-title")
        self._state = ContainState()
        self._now: datetime | None = None
        self._hint = ""

    def show(self, state: ContainState, *, now: datetime, hint: str) -> None:
        """`hint` is what the console's mode means here."""
        if (state, now, hint) != (self._state, self._now, self._hint):
            self._state, self._now, self._hint = state, now, hint
            self.redraw()

    def lines(self, width: int) -> list[Line]:
        look = self._state.look
        right = ""
        if look is not None and self._now is not None:
            looked = "last read" if self._state.is_past else "looked"
            right = f"{looked} {age((self._now - look.situation.taken_at).total_seconds())} ago "
        head = spread(
            [(" CONTAIN ", "recovery--title"), (f" {self._hint}", "tone--muted")],
            [(right, "tone--bad" if self._state.is_past else "tone--muted")],
            width,
        )
        lines = [head]
        if look is None:
            words = self._state.problem or "Looking at events, jobs and lists of CloudStack…"
            return [*lines, *([(f" {text}", "tone--strong")] for text in wrap(words, width - 2)[:3])]
        tone = "tone--bad" if look.situation.is_happening else "tone--strong"
        said = situation_text(look.situation, past=self._state.is_past)
        lines += [[(f" {text}", tone)] for text in _two(said, width - 2)]
        callers = who_lines(look, past=self._state.is_past)
        for text, caller_tone in callers[:_CALLERS]:
            lines.append([(" by ", "tone--muted"), (fit(text, width - 5), caller_tone)])
        if len(callers) > _CALLERS:
            lines.append([(f"    and {len(callers) - _CALLERS} more callers", "tone--warning")])
        unseen = () if self._state.is_past else look.situation.problems
        troubles = [self._state.problem, *unseen, *look.notes]
        for text in [one for one in troubles if one][:2]:
            lines += [[(f" {line}", "tone--warning")] for line in _two(f"! {text}", width - 2)]
        return lines


def _two(text: str, width: int) -> list[str]:
    """A text in at most two lines."""
    found = wrap(text, width)
    return found if len(found) <= 2 else [found[0], fit(" ".join(found[1:]), width)]


class Closer(Lines):
    """As much as there is room for of what is under the cursor."""

    def __init__(self) -> None:
        super().__init__(id="closer")
        self._texts: Sequence[tuple[str, str]] = ()

    def show(self, texts: Sequence[tuple[str, str]]) -> None:
        """Show these labels and texts."""
        if texts != self._texts:
            self._texts = texts
            self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        found = laid_out(self._texts, width)
        room = self.size.height or len(found)
        if len(found) > room > 0:
            found = [*found[: room - 1], [(" " * 16 + "… enter reads all of it", "tone--muted")]]
        return found


class ResultLine(Lines):
    """What is being done, or what came of it; nothing before anything was."""

    def __init__(self) -> None:
        super().__init__(id="contain-result")
        self._state = ContainState()

    def show(self, state: ContainState) -> None:
        """Show this."""
        self._state = state
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        state = self._state
        lines: list[Line] = []
        if state.doing:
            counts = f" {state.done}/{state.total}" if state.total else ""
            lines.append([(fit(f" ▶ {state.doing}{counts}…", width), "tone--key")])
        elif state.steps:
            text, is_good = result_of(state.steps)
            glyph, tone = ("✓", "tone--good") if is_good else ("✗", "tone--bad")
            lines += [[(f" {one}", tone)] for one in _two(f"{glyph} {text}", width - 2)]
        if state.evidence:
            # Nobody finds a file of which half the path is on screen: the counts behind it give way.
            said = wrap(f"✓ {state.evidence}", width - 2, at_hyphens=False)[:_EVIDENCE_LINES]
            lines += [[(f" {one}", "tone--good")] for one in said]
        return lines
