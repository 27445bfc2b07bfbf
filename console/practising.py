"""The App's part in a drill: it says what the scenario is about, and plays the other people when told to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on

from console.faults import as_error
from console.messages import DrillBroke, DrillTold
from console.retiring import RetiringApp

if TYPE_CHECKING:
    from sync.drill_stage import Stage, Turn

_TOAST_SECONDS = 20.0


class PractisingApp(RetiringApp):
    """Owns the stage of a drill; None where this is none."""

    stage: Stage | None = None

    def begin_practice(self) -> None:
        """The first screen is there."""
        if self.stage is None:
            return
        self.stage.begin(self._hear)
        scenario = self.stage.scenario
        if scenario.notes:
            self.notify(f"{scenario.sentence} D tells more.", timeout=_TOAST_SECONDS)

    @property
    def plays_owner(self) -> bool:
        """Whether it plays the owner of the CI database, who stores new ids."""
        return self.stage is not None and any(turn.id == "relink" for turn in self.stage.turns)

    def _hear(self, text: str) -> None:
        """From the stage's own threads."""
        self.post_message(DrillTold(text))

    async def action_drill(self) -> None:
        """What the scenario is about, and what the others in it can be told to do."""
        if self.stage is None:
            self.notify("This is no drill: `abreast drill` opens one.")
            return
        from console.screens.drill import DrillScreen

        await self.push_screen(DrillScreen(self.stage.scenario, self.stage.turns), self._play)

    def _play(self, turn: Turn | None) -> None:
        if turn is not None:
            self.run_in_background(lambda: self._do(turn), name=f"drill: {turn.id}")

    def _do(self, turn: Turn) -> None:
        try:
            said = turn.play()
        except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
            self.post_message(DrillBroke(as_error(error, doing=turn.words)))
        else:
            self.post_message(DrillTold(said, is_turn=True))

    @on(DrillTold)
    def _take_telling(self, message: DrillTold) -> None:
        self.notify(message.text, timeout=_TOAST_SECONDS)
        if message.is_turn:
            self.refresher.supersede()

    @on(DrillBroke)
    def _take_drill_breakage(self, message: DrillBroke) -> None:
        self.show_error(message.error)
