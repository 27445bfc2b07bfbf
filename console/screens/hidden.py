"""Hidden: what the ignore rules hide, by rule, with owner, reason and end; and the rules that do not work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands
from console.screens.base import ConsoleScreen
from sync.model import Hidden
from widgets.cells import clean, counted, fit
from widgets.kinds import KIND_CLASSES, kind_text
from widgets.lines import Line, wrap
from widgets.pager import Pager

SOON_DAYS = 14
"""A rule that ends within so many days says so."""

_PROJECT = 20
_KIND = 14


def hidden_lines(hidden: Sequence[Hidden], problems: Iterable[str], *, today: date, width: int) -> list[Line]:
    """The page, laid out: rules that do not work first."""
    lines: list[Line] = []
    for problem in problems:
        lines += [[(f" {line}", "tone--bad")] for line in wrap(problem, width - 2)]
    if lines:
        lines.append([])
    rules: dict[str, list[Hidden]] = {}
    for one in hidden:
        rules.setdefault(one.rule, []).append(one)
    total = f"{counted(len(hidden), 'difference')} hidden by {counted(len(rules), 'rule')}."
    nothing = "Nothing is hidden: no ignore rule is in force."
    lines.append([(f" {total} Nothing is proposed for them." if hidden else f" {nothing}", "tone--strong")])
    for found in rules.values():
        lines += _rule_lines(found, today=today, width=width)
    return lines


def _rule_lines(found: Sequence[Hidden], *, today: date, width: int) -> list[Line]:
    """One rule with all that it hides."""
    first = found[0]
    left = (first.expires - today).days
    end = f"until {first.expires}"
    tone = "tone--muted"
    if left <= SOON_DAYS:
        end, tone = f"{end}, {counted(left, 'day')} left" if left else f"{end}, today", "tone--warning"
    lines: list[Line] = [[], [(f" {clean(first.owner)}", "tone--strong"), (f"  {end}", tone)]]
    lines += [[(f"   {line}", "")] for line in wrap(first.reason, width - 4)]
    room = max(8, width - _PROJECT - _KIND - 6)
    lines += [
        [
            (f"   {fit(one.project, _PROJECT)} ", ""),
            (fit(kind_text(one.kind), _KIND) + " ", KIND_CLASSES[one.kind]),
            (fit(one.what, room), "tone--muted"),
        ]
        for one in found
    ]
    return lines


class HiddenScreen(ConsoleScreen):
    """A page on what is not shown elsewhere."""

    SCOPE = "help"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("help")]

    def body(self) -> ComposeResult:
        yield Pager(self.page, id="page")

    def on_mount(self) -> None:
        self.follow("drift", lambda _: self.query_one(Pager).refill())

    def page(self, width: int) -> list[Line]:
        """The whole page, laid out."""
        app = self.console
        if app.drift is None:
            return [[(" Nothing was compared yet.", "tone--muted")]]
        return hidden_lines(
            app.drift.hidden, app.drift.rule_problems, today=app.utc_clock().date(), width=width
        )
