"""Has complete pairs of readings captured, in a thread, one at a time; what fails is posted.

What comes while a capture is being written is not waited for: the next reading comes soon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.faults import as_error
from console.messages import CaptureEnded
from console.refresh import Background
from sync.errors import AbreastError

if TYPE_CHECKING:
    from console.session_protocol import ConsoleSession
    from sync.capture_store import CaptureEntry
    from sync.model import ActualInventory, DesiredInventory


class CaptureWatch:
    """Owned by the App, which offers every pair of readings that was compared."""

    def __init__(self, app: Background, session: ConsoleSession) -> None:
        self._app = app
        self._captures = session.captures
        self._is_busy = False

    def offer(self, desired: DesiredInventory, actual: ActualInventory) -> None:
        """Have both sides captured, where that is due and none is being written."""
        if not self._captures.is_on or self._is_busy:
            return
        self._is_busy = True

        def work() -> None:
            entry: CaptureEntry | None = None
            error: AbreastError | None = None
            try:
                entry = self._captures.offer(desired, actual)
            except Exception as problem:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                error = as_error(problem, doing="capturing both sides")
            self._app.post_message(CaptureEnded(entry, error))

        self._app.run_in_background(work, name="capture")

    def ended(self) -> None:
        """The capture under way was written, or was not."""
        self._is_busy = False
