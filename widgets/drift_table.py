"""The two sides abreast, one line a project: CI database left, drift in the middle, CloudStack right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from sync.agents import reach
from sync.deletions import Deletion, Stage
from sync.model import DriftKind, DriftRow
from sync.parts import alive
from widgets.cells import fit
from widgets.kinds import KIND_CLASSES, kind_text
from widgets.paint import style_of
from widgets.values import RowView
from widgets.virtual_list import Piece, VirtualList

_NONE = "–"
_WIDE = 100
"""From this width on the columns have their full names and templates a column of their own."""
_NARROW = 64
"""Below this width there is room for the name and the drift alone; the details pane has the rest."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths in cells, for one width of the table."""

    project: int
    members: int
    agents: int
    drift: int
    domain: int
    accounts: int
    machines: int
    templates: int
    """0 where the column is folded away, as all numbers are on a narrow screen: the details pane has it."""
    is_wide: bool


def columns_for(width: int) -> Columns:
    """How the columns share `width` cells: names get what the numbers leave."""
    is_wide = width >= _WIDE
    members, agents, accounts, machines = (9, 13, 10, 6) if is_wide else (5, 5, 5, 5)
    templates, drift = (11, 18) if is_wide else (0, 17)
    if width < _NARROW:
        return Columns(max(8, width - 3 - 2 - drift), 0, 0, drift, 0, 0, 0, 0, is_wide)
    names = max(16, width - 3 - members - agents - 2 - drift - accounts - machines - templates - 1)
    project = min(names // 2, 40)
    return Columns(
        project, members, agents, drift, min(names - project, 60), accounts, machines, templates, is_wide
    )


def heading(columns: Columns) -> tuple[list[Piece], list[Piece]]:
    """The two lines above the table: whose side it is, and the names of the columns."""
    left = 3 + columns.project + columns.members + columns.agents + 2
    right = columns.domain + columns.accounts + columns.machines + columns.templates
    if not columns.domain:
        names = fit("   project", left) + fit("drift", columns.drift)
        return [(fit("", len(names)), "")], [(names, "tone--strong")]
    sides: list[Piece] = [
        (fit("   CI database", left), "tone--muted"),
        (fit("drift", columns.drift), "tone--muted"),
        (fit("CloudStack", right), "tone--muted"),
    ]
    words = (
        ("members", "agents", "accounts", "VMs", "templates")
        if columns.is_wide
        else ("mem", "agt", "acc", "VMs", "")
    )
    names = (
        fit("   project", 3 + columns.project)
        + fit(words[0], columns.members, align="right")
        + fit(words[1], columns.agents, align="right")
        + " " * (2 + columns.drift)
        + fit("domain", columns.domain)
        + fit(words[2], columns.accounts, align="right")
        + fit(words[3], columns.machines, align="right")
        + fit(words[4], columns.templates, align="right")
    )
    return sides, [(names, "tone--strong")]


def drift_cell(view: RowView) -> str:
    """Glyph and word, with the number of differences, or what it was when last known."""
    if view.deletion is not None and view.deletion.stage is Stage.QUEUED:
        return f"{view.kind.glyph} {Stage.QUEUED.value}"
    if view.kind is DriftKind.UNKNOWN and view.was is not None and view.was.kind is not DriftKind.UNKNOWN:
        was = "differing" if view.was.kind is DriftKind.DIFFERS else view.was.kind.value
        return f"{view.kind.glyph} was {was}"
    if view.kind is DriftKind.DIFFERS:
        count = len(view.row.differences)
        return f"{view.kind.glyph} {count} differ" if count > 1 else f"{view.kind.glyph} differs"
    return kind_text(view.kind)


def agents_cell(view: RowView, *, is_wide: bool) -> str:
    """How many agents are online; only how many there are where Jenkins was not asked."""
    project = view.shown.project
    if project is None:
        return ""
    if not view.agents:
        return str(len(project.agents)) if project.agents else _NONE
    found = reach(view.agents)
    if is_wide:
        return found.words
    return f"{found.online}/{found.total}" if found.is_read else f"?/{found.total}"


def _desired_cells(row: DriftRow) -> tuple[str, str]:
    return (row.project.name, str(len(row.project.members))) if row.project is not None else (_NONE, "")


def _actual_cells(row: DriftRow, deletion: Deletion | None) -> tuple[str, str, str, str]:
    view = row.view if row.view is not None else row.dying
    # A corpse that is no project's own has its name nowhere else in the row.
    gone = "(gone)" if row.project is not None else f"(gone) {row.name}"
    if deletion is not None and deletion.stage is Stage.RUNNING and (view is None or view.domain is None):
        return gone, _NONE, str(len(deletion.alive)), _NONE
    if view is None:
        return (_NONE if row.kind is not DriftKind.UNKNOWN else "", "", "", "")
    if view.domain is None:
        return gone, _NONE, str(len(alive(view.vms))), _NONE
    return view.path, str(len(view.accounts)), str(len(alive(view.vms))), str(len(view.templates))


def row_pieces(view: RowView, columns: Columns, *, mark: str, is_dim: bool = False) -> list[Piece]:
    """One line of the table. `mark` is three cells wide: the cursor's sign, the staged one, a gap."""
    row = view.shown
    project, members = _desired_cells(row)
    agents = agents_cell(view, is_wide=columns.is_wide)
    is_reached = not view.agents or reach(view.agents).is_whole
    domain, accounts, machines, templates = _actual_cells(row, view.deletion)
    if not columns.domain:
        project = row.name
    tone = "tone--stale" if view.is_dim or is_dim else ""
    return [
        (mark, "tone--key" if mark.strip() else ""),
        (
            fit(project, columns.project) + fit(members, columns.members, align="right"),
            tone,
        ),
        (fit(agents, columns.agents, align="right") + "  ", tone or ("" if is_reached else "tone--warning")),
        (fit(drift_cell(view), columns.drift), tone or KIND_CLASSES[view.kind]),
        (
            fit(domain, columns.domain, keep_end=domain.startswith("ROOT"))
            + fit(accounts, columns.accounts, align="right")
            + fit(machines, columns.machines, align="right")
            + fit(templates, columns.templates, align="right"),
            tone,
        ),
    ]


class DriftTable(VirtualList):
    """The rows of the overview. Given views and the keys of rows with staged actions."""

    class WorseAbove(Message):
        """Another number of rows that turned worse is above what is in sight."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._views: Sequence[RowView] = ()
        self._staged: frozenset[str] = frozenset()
        self._is_dimmed = False
        self._is_moved = False
        """Whether a person moved the cursor since it was at the top."""
        self._unseen: frozenset[str] = frozenset()
        """Keys of rows that came in worse above what is in sight, and were not in sight since."""

    def action_cursor(self, step: int) -> None:
        self._is_moved = True
        super().action_cursor(step)

    def action_page(self, direction: int) -> None:
        self._is_moved = True
        super().action_page(direction)

    def action_edge(self, direction: int) -> None:
        self._is_moved = direction > 0
        super().action_edge(direction)

    def move_to(self, key: str) -> bool:
        self._is_moved = True
        return super().move_to(key)

    def on_click(self, event: events.Click) -> None:
        """The list's own handler is called by Textual as well, whatever is done here."""
        del event
        self._is_moved = True

    def to_top_unless_moved(self) -> None:
        """Put the worst row under the cursor and in sight, where nobody has put the cursor elsewhere."""
        if not self._is_moved:
            self.cursor = 0
            self.scroll_to(y=0, animate=False, force=True, immediate=True)

    @property
    def is_dimmed(self) -> bool:
        """Whether all rows look old."""
        return self._is_dimmed

    @is_dimmed.setter
    def is_dimmed(self, dim: bool) -> None:
        if dim != self._is_dimmed:
            self._is_dimmed = dim
            self.redraw()

    @property
    def worse_above(self) -> int:
        """How many rows that turned worse than the one under the cursor are above what is in sight."""
        return len(self._unseen)

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._keep_unseen(self._unseen)

    def show(self, views: Sequence[RowView]) -> None:
        """Show these rows, in this order; cursor and marks stay on their keys.

        Where nobody moved the cursor the list begins at its top: on a wall the worst is in sight.
        """
        before = {view.key: view.kind for view in self._views}
        self._views = views
        self.set_keys([view.key for view in views])
        self.to_top_unless_moved()
        fresh: set[str] = set()
        if self._is_moved and self.current is not None:
            rank = self.current.kind.rank
            fresh = {
                view.key
                for view in views[: self.scroll_offset.y]
                if view.kind.rank < rank and before.get(view.key) is not view.kind
            }
        self._keep_unseen(self._unseen | fresh)

    def _keep_unseen(self, unseen: frozenset[str]) -> None:
        """Of these, those that are above what is in sight now."""
        kept = unseen & {view.key for view in self._views[: self.scroll_offset.y]} if unseen else unseen
        if kept != self._unseen:
            self._unseen = kept
            self.post_message(self.WorseAbove())

    def mark(self, staged: frozenset[str]) -> None:
        """Mark the rows of these keys as having staged actions."""
        if staged != self._staged:
            self._staged = staged
            self.redraw()

    @property
    def current(self) -> RowView | None:
        """The row under the cursor."""
        return self._views[self.cursor] if 0 <= self.cursor < len(self._views) else None

    def line(self, index: int, width: int) -> list[Piece]:
        view = self._views[index]
        mark = ("▸" if index == self.cursor else " ") + ("● " if view.key in self._staged else "  ")
        return row_pieces(view, columns_for(width), mark=mark, is_dim=self._is_dimmed)


class DriftHeading(Widget):
    """The names of the columns, in step with the table below it."""

    DEFAULT_CSS = "DriftHeading { height: 2; }"

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y > 1:
            return Strip.blank(width, self.rich_style)
        pieces = heading(columns_for(width - 1))[y]
        segments = [Segment(text, self.rich_style + style_of(self, paint)) for text, paint in pieces]
        return Strip(segments).adjust_cell_length(width, self.rich_style)
