"""Project: both sides of one project field by field, and every proposed action with its reason."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands
from console.screens.base import ConsoleScreen
from console.state import toggle_staged, why_no_repair
from sync.model import Action, DriftRow
from sync.plan import with_needs, without_dependents
from widgets.action_list import ActionList
from widgets.cells import clean, counted, fit
from widgets.comparison import ComparisonList, comparison, last_known, summary, widths
from widgets.kinds import KIND_CLASSES, kind_text
from widgets.lines import Line, Lines, shortened, spread, wrap
from widgets.rule import Rule
from widgets.values import RowView
from widgets.virtual_list import VirtualList


class ProjectTitle(Lines):
    """Name, kind and reason of the project, and the headings of the two sides."""

    def __init__(self) -> None:
        super().__init__(id="project-title")
        self._view: RowView | None = None
        self._project_name = ""
        self._age = ""

    def show(self, view: RowView | None, name: str, *, now: datetime) -> None:
        """Show this row; without one, that `name` is gone from both sides. `now` tells how old it is."""
        self._view, self._project_name = view, name
        self._age = view.last_known_words(now) if view is not None else ""
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        label, desired, actual = widths(width - 1)
        heads: Line = [
            (" " * (label + 2), ""),
            (fit("CI database", desired), "tone--muted"),
            ("   ", ""),
            (fit("CloudStack", actual), "tone--muted"),
        ]
        view = self._view
        if view is None:
            return [
                [(f" {clean(self._project_name)}", "tone--strong"), ("  on neither side any more", "")],
                heads,
            ]
        row = view.shown
        left: Line = [
            (f" {fit(row.name, min(len(row.name), width // 2))}  ", "tone--strong"),
            (kind_text(view.kind), KIND_CLASSES[view.kind]),
        ]
        title = spread(left, [(f"{summary(row)} ", "tone--muted")], width)
        reasons = wrap(view.row.reason, width - 2)
        lines: list[Line] = [[(f" {line}", "")] for line in reasons[:2]]
        if view.was is not None and self._age:
            words = f"Below is {self._age}: then it was {kind_text(view.was.kind)}."
            lines += [[(f" {line}", "tone--warning")] for line in wrap(words, width - 2)]
        return [title, *lines, heads]


class NoteLine(Lines):
    """What the line under the cursor means, in three lines."""

    DEFAULT_CSS = "NoteLine { height: 3; }"

    def __init__(self) -> None:
        super().__init__(id="note")
        self._text = ""

    def show(self, text: str) -> None:
        """Show this sentence."""
        self._text = text
        self.redraw()

    def lines(self, width: int) -> list[Line]:
        lines = wrap(self._text, width - 2)
        if len(lines) > 3:
            lines = [*lines[:2], shortened(" ".join(lines[2:]), width - 2)]
        return [[(f" {line}", "tone--muted")] for line in lines]


class ProjectScreen(ConsoleScreen):
    """Opened with the key of a row."""

    SCOPE = "project"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("project")]
    AUTO_FOCUS = "#actions"

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key
        self.row: DriftRow | None = None
        self._view: RowView | None = None
        self.offered: tuple[Action, ...] = ()

    def body(self) -> ComposeResult:
        yield ProjectTitle()
        yield ComparisonList(id="comparison")
        yield Rule(id="actions-rule")
        yield ActionList(id="actions")
        yield NoteLine()

    def on_mount(self) -> None:
        self.comparison = self.query_one(ComparisonList)
        self.actions = self.query_one(ActionList)
        self.follow("views", lambda _: self.show_row())
        self.comparison.move_to_first_difference()
        self.follow("now", lambda _: self.show_title())
        self.follow("staged", lambda _: self.show_actions())

    # --- showing ------------------------------------------------------------------------------------------

    def show_row(self) -> None:
        """Show the project as the App knows it now."""
        view = next((view for view in self.console.views if view.key == self.key), None)
        self._view = view
        self.show_title()
        self.row = view.row if view is not None else None
        lines = comparison(view.shown, view.agents) if view is not None else ()
        self.comparison.empty_text = (
            "Neither side has it any more." if view is None else "There is nothing in it."
        )
        self.comparison.show(lines if view is None or view.was is None else last_known(lines))
        can_repair = view is not None and not self.console.console_mode.watching
        self.offered = self.console.session.repairs(view.row) if view is not None and can_repair else ()
        self.actions.empty_text = why_no_repair(view.row) if view is not None else "It is on neither side."
        if not self.offered and self.focused is self.actions:
            self.comparison.focus()
        self.show_actions()

    def show_title(self) -> None:
        """Show what it is, and how old what is shown of it is."""
        name = self.row.name if self.row is not None else self.key
        self.query_one(ProjectTitle).show(self._view, name, now=self.console.now)

    def show_actions(self) -> None:
        """Show what is proposed and what of it is staged."""
        staged = frozenset(action.id for action in self.console.staged)
        self.actions.show(self.offered, staged=staged)
        chosen = sum(action.id in staged for action in self.offered)
        text = f"{counted(len(self.offered), 'action')} proposed, {chosen} staged"
        old, _ = self.console.age_of(self._view)
        shown = text if self.offered else "nothing proposed"
        self.query_one("#actions-rule", Rule).show(f"{shown}; {old}" if old else shown)
        self.actions.styles.height = max(1, min(len(self.offered), 5 if self.app.size.height < 32 else 10))
        self.show_note()
        self.refresh_bindings()

    @on(VirtualList.CursorMoved)
    def show_note(self) -> None:
        """The note of the line, or the reason of the action, whichever list has the focus."""
        action, line = self.actions.current, self.comparison.current
        if self.focused is self.actions and action is not None:
            undo = f" Undo: {action.undo}" if action.undo else ""
            self.query_one(NoteLine).show(f"{action.reason}{undo}")
        elif line is not None and not line.is_heading:
            self.query_one(NoteLine).show(line.note or f"{line.label}: {line.desired or '–'} / {line.actual}")
        else:
            self.query_one(NoteLine).show("")

    def on_descendant_focus(self) -> None:
        self.show_note()

    # --- keys ---------------------------------------------------------------------------------------------

    def offers(self, command: commands.Command) -> bool:
        return bool(self.offered) if command.id == "stage" else True

    def key_label(self, command: commands.Command) -> str:
        if command.id == "staged":
            return f"staged ({len(self.console.staged)})"
        return super().key_label(command)

    def action_stage(self) -> None:
        """In the list of actions the one under the cursor, with what it needs; else all of them."""
        app, action = self.console, self.actions.current
        old = app.why_stale(self._view)
        if old and not any(staged.project == self.key for staged in app.staged):
            self.notify(f"{self.key}: {old}", severity="warning")
            return
        if self.focused is not self.actions or action is None:
            app.staged = toggle_staged(app.staged, self.offered)
            return
        if any(staged.id == action.id for staged in app.staged):
            app.staged = without_dependents(app.staged, [action.id])
        else:
            fresh = with_needs(self.offered, [action.id])
            present = {staged.id for staged in app.staged}
            app.staged = (*app.staged, *(one for one in fresh if one.id not in present))
        self.actions.action_cursor(1)

    async def action_review(self) -> None:
        await self.console.open("review")

    async def action_recover(self) -> None:
        await self.console.open("recovery")

    async def action_sources(self) -> None:
        await self.console.open("sources")

    async def action_retire(self) -> None:
        await self.console.open("retire")
