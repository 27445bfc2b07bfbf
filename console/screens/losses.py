"""Losses: what was lost of one project or of all; and the choice of the capture that tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands
from console.loss_lines import loss_lines
from console.losses import Losses
from console.screens.captures import CapturesScreen, TitleLine
from console.screens.filtered import FilteredScreen
from widgets.cells import counted
from widgets.lines import Line
from widgets.pager import Pager

if TYPE_CHECKING:
    from sync.loss_ledger import ProjectLosses

BY_ITSELF = -1
"""The answer of who lets the capture be chosen by rule again."""


class LossesScreen(FilteredScreen):
    """A page of one project; of everything where no project is given or the other is asked for."""

    SCOPE = "losses"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("losses")]
    AUTO_FOCUS = "#page"
    FILTERS = "#page"
    FILTER_HINT = "words: lost, VM, a name, an owner …"

    def __init__(self, found: Losses, key: str = "") -> None:
        super().__init__()
        self._found = found
        self._project = next((one for one in found.ledger.projects if one.key == key), None)
        self._is_whole = self._project is None

    def body(self) -> ComposeResult:
        yield TitleLine()
        yield Pager(self.page, id="page")

    def on_mount(self) -> None:
        self.show_filtered()

    @property
    def projects(self) -> tuple[ProjectLosses, ...]:
        """What the page is about."""
        if self._project is not None and not self._is_whole:
            return (self._project,)
        return self._found.ledger.projects

    def show_filtered(self) -> None:
        self.query_one(Pager).refill()
        number = len(self.projects)
        one = self._project.name if self._project is not None and not self._is_whole else ""
        right = f"filter: “{self.words}”" if self.words else ""
        self.query_one(TitleLine).show(f"Losses of {one or counted(number, 'project')}", right)

    def page(self, width: int) -> list[Line]:
        return loss_lines(self._found, self.projects, self.words, now=self.console.utc_clock(), width=width)

    def offers(self, command: commands.Command) -> bool:
        if command.id == "whole":
            return self._project is not None
        return super().offers(command)

    def action_whole(self) -> None:
        self._is_whole = not self._is_whole
        self.show_filtered()


class ChooseCaptureScreen(CapturesScreen):
    """The time line of captures, of which one is taken; dismissed with its number, or `BY_ITSELF`."""

    SCOPE = "choose-capture"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("choose-capture")]
    HAS_NOW = False

    def offers(self, command: commands.Command) -> bool:
        if command.id == "take-capture":
            return self.is_mounted and self.list.current is not None
        return True

    def action_open_instant(self) -> None:
        """Who clicks twice takes it, too."""
        self.action_take_capture()

    def action_take_capture(self) -> None:
        line = self.list.current
        if line is not None:
            self.dismiss(int(line.key))

    def action_take_default(self) -> None:
        self.dismiss(BY_ITSELF)
