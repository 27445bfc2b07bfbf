"""What a drill does by itself, and at your word, while the console is open on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sync.drill import Drill
from sync.drill_live import LiveSync, limited, of_every_day
from sync.drill_others import run_relink
from sync.drill_scenarios import Later

Tell = Callable[[str], None]
"""Called with a sentence about something that happened, from any thread."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that another person of the scenario does, when you say so."""

    id: str
    label: str
    words: str
    """What it does, in one sentence."""
    play: Callable[[], str]
    """Does it; what came of it, in one sentence. Blocks; raises UsageError."""


class Stage:
    """One drill, from the console's first frame to its last. `end` it."""

    def __init__(self, drill: Drill) -> None:
        self.scenario = drill.scenario
        self._drill = drill
        self._live: LiveSync | None = None
        self._tell: Tell = lambda _: None
        self.turns: tuple[Turn, ...] = (
            Turn(
                "relink",
                "Re-link",
                "Re-link: the owner of the CI database runs the SQL that a rebuild has written.",
                self._relink,
            ),
        )
        if drill.scenario.later is Later.SYNC_AGAIN:
            switch_on = Turn(
                "sync",
                "Switch on",
                "Switch on: somebody switches the sync on again, whether that is wise or not.",
                self._switch_on,
            )
            self.turns = (*self.turns, switch_on)

    def begin(self, tell: Tell) -> None:
        """The console is open. `tell` is told what happens from now on."""
        self._tell = tell
        if self.scenario.later is Later.SYNC_BEGINS:
            self._live = limited(self._drill, on_end=tell)
            self._live.start_when_watched()

    def end(self) -> None:
        """The console is closed; whatever runs is stopped where it is."""
        if self._live is not None:
            self._live.stop()

    def _relink(self) -> str:
        file = run_relink(self._drill.environment, self._drill.ci_database)
        if not file:
            return "There is no SQL yet: a rebuild writes it when both sides were read anew after it."
        return f"The owner of the CI database has run {file}."

    def _switch_on(self) -> str:
        if self._live is not None and self._live.is_running:
            return "The naive sync runs already."
        self._live = of_every_day(self._drill, on_end=self._tell)
        self._live.start()
        return "Somebody has switched the naive sync on."
