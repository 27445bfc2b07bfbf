"""What takes long and changes things: owned by the App, never by a screen, and never exclusive.

A screen that is popped, or a refresh that comes in, does not touch it; its truth is in the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.app import ConsoleApp


class Operations:
    """The executions of this console: at most one at a time."""

    def __init__(self, app: ConsoleApp) -> None:
        self._app = app

    @property
    def is_going_on(self) -> bool:
        """Whether an execution is going on."""
        run = self._app.run_state
        return run is not None and run.is_going_on

    @property
    def word(self) -> str:
        """For the header: `running 12/40`; empty when nothing runs."""
        run = self._app.run_state
        if run is None or not run.is_going_on:
            return ""
        return f"{run.phase.value} {len(run.results)}/{run.total}"
