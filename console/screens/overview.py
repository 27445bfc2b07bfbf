"""Overview: both sides abreast, worst first, with a headline, a filter and the details of one row."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands
from console.screens.table import TableScreen
from console.state import toggle_staged, why_no_repair
from widgets.banner import Banner
from widgets.details import DetailsPane
from widgets.drift_table import DriftHeading, DriftTable
from widgets.summary import CountsBar, HeadlineBar
from widgets.virtual_list import VirtualList

if TYPE_CHECKING:
    from sync.model import Action
    from widgets.values import RowView


class OverviewScreen(TableScreen):
    """The table of drift."""

    SCOPE = "overview"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("overview")]

    def body(self) -> ComposeResult:
        yield Banner()
        yield HeadlineBar()
        yield CountsBar()
        yield DriftHeading(id="heading")
        yield DriftTable(id="table")
        yield DetailsPane()

    def on_mount(self) -> None:
        self.begin()
        self.follow("staged", self._show_staged)
        self.follow("now", lambda _: self._show_age())

    def on_screen_resume(self) -> None:
        """What got worse or better meanwhile, a recovery's end above all, has changed the order."""
        for table in self.query(DriftTable):
            table.to_top_unless_moved()

    # --- showing ------------------------------------------------------------------------------------------

    def _show_staged(self, staged: tuple[Action, ...]) -> None:
        self.table.mark(frozenset(action.project for action in staged))
        self._show_details()

    @on(VirtualList.CursorMoved)
    def _show_details(self) -> None:
        self._show_age()
        self.refresh_bindings()

    def _show_age(self) -> None:
        """How old the row under the cursor is goes on while nothing is read."""
        view = self.table.current
        self.query_one(DetailsPane).show(
            view, staged=self.staged_of(view), now=self.console.now, age=self.console.age_of(view)
        )

    def staged_of(self, view: RowView | None) -> int:
        """How many actions of this row are staged."""
        return 0 if view is None else sum(action.project == view.key for action in self.console.staged)

    # --- keys ---------------------------------------------------------------------------------------------

    def offers(self, command: commands.Command) -> bool:
        if command.id in ("stage", "open"):
            return self.table.current is not None if self.is_mounted else False
        return super().offers(command)

    def key_label(self, command: commands.Command) -> str:
        if command.id == "staged":
            return f"staged ({len(self.console.staged)})"
        return super().key_label(command)

    def action_stage(self) -> None:
        view = self.table.current
        if view is None:
            return
        old = self.console.why_stale(view)
        if old and not self.staged_of(view):
            self.notify(f"{view.row.name}: {old}", severity="warning")
            return
        offered = self.console.session.repairs(view.row)
        if not offered:
            self.notify(f"{view.row.name}: {why_no_repair(view.row)}", severity="warning")
            return
        self.console.staged = toggle_staged(self.console.staged, offered)
        self.table.action_cursor(1)

    async def action_review(self) -> None:
        await self.console.open("review")

    async def action_recover(self) -> None:
        await self.console.open("recovery")

    async def action_history(self) -> None:
        await self.console.open("history")

    async def action_retire(self) -> None:
        await self.console.open("retire")
