"""Asks every project's Jenkins for its agents, at a pace of its own and beside the readings of both sides.

Not before the CI database was read: it says which projects have agents. Threads only post; what is superseded
is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from console.faults import as_error
from console.messages import AgentsBroke, AgentsRead
from console.refresh import Background, Cadence

if TYPE_CHECKING:
    from textual.message import Message

    from console.session_protocol import ConsoleSession
    from sync.model import DesiredInventory


class AgentWatch:
    """Owned by the App, which calls `tick` every second with the last reading of the CI database."""

    def __init__(self, app: Background, session: ConsoleSession, *, clock: Callable[[], datetime]) -> None:
        settings = session.environment.jenkins
        self._app = app
        self._session = session
        self._clock = clock
        self._cadence = Cadence(settings.refresh_seconds) if settings is not None else None

    def tick(self, desired: DesiredInventory | None) -> None:
        """Ask, where that is due."""
        now = self._clock()
        if self._cadence is not None and desired is not None and self._cadence.is_due(now):
            generation = self._cadence.begin(now)
            self._app.run_in_background(self._work(generation, desired), name=f"ask Jenkins {generation}")

    def ended(self, generation: int) -> bool:
        """Whether what came back is what was asked for last."""
        return self._cadence is not None and self._cadence.accept(generation, self._clock())

    def _work(self, generation: int, desired: DesiredInventory) -> Callable[[], None]:
        def ask() -> None:
            message: Message
            try:
                message = AgentsRead(generation, self._session.read_agents(desired))
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                message = AgentsBroke(generation, as_error(error, doing="asking Jenkins for its agents"))
            self._app.post_message(message)

        return ask
