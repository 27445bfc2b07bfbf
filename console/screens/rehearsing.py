"""Rehearsing what is chosen for a rebuild, and running it with what was predicted beside it."""

from __future__ import annotations

from console.rehearsal_page import comparison_lines
from console.screens.base import ConsoleScreen
from sync.model import Drift, Plan
from widgets.lines import Line


class RehearsingScreen(ConsoleScreen):
    """Subclasses follow `rehearsal`, and say what would be rebuilt."""

    def to_rebuild(self) -> tuple[Drift | None, frozenset[str]]:
        """The comparison that was assessed, and the keys of the rows that are chosen."""
        raise NotImplementedError

    def action_rehearse(self) -> None:
        """Run it in a stand-in, in the background: nothing is sent to the server."""
        drift, keys = self.to_rebuild()
        if drift is not None:
            self.console.rehearsals.begin(drift, keys)

    def run_rebuild(self, plan: Plan) -> None:
        """Execute what was just confirmed; the ledger gets what was predicted of exactly that."""
        predicted = self.console.rehearsals.of(plan)
        if self.console.operations.execute(plan, rebuild=True, predicted=predicted):
            self.console.rehearsals.forget()
        else:
            self.notify("Another run is going on: nothing was sent.", severity="warning")

    def compared(self, width: int) -> list[Line]:
        """What was predicted of the newest run against what was; nothing where it was not rehearsed."""
        return comparison_lines(self.console.ledger_run, width)
