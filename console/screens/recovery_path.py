"""The path of the recovery, without what is drawn of it: which step is looked at, all that the steps depend
on, their pages, and the keys that lead elsewhere."""

from __future__ import annotations

from console import commands
from console.handing_over import hand_over_page
from console.phone import spoken
from console.recovering import Choice, is_read_after
from console.recovery_pages import NOTHING_YET, deletions_page, proof_page, restore_page
from console.recovery_steps import Situation, Step
from console.relink_step import relink_page
from console.screens.assessing import LossScreen
from console.screens.phone import PhoneScreen
from console.screens.rehearsing import RehearsingScreen
from console.screens.resuming import ResumingScreen
from console.state import RunState
from sync.model import Drift
from sync.recovery import Assessment
from widgets.lines import Line


class PathScreen(LossScreen, RehearsingScreen, ResumingScreen):
    """Subclasses assess, and draw the steps and their panels in `show`."""

    def __init__(self) -> None:
        super().__init__()
        self.choice = Choice()
        self.assessment: Assessment | None = None
        self._drift: Drift | None = None
        """The comparison that was assessed."""
        self._problem = ""
        self._current = Step.ASSESS
        self._viewed = Step.ASSESS

    @property
    def rebuild_run(self) -> RunState | None:
        """The newest rebuild of this console."""
        return self.console.rebuild_run

    def situation(self) -> Situation:
        """All that the steps depend on, as the App has it now."""
        app = self.console
        return Situation(
            key=self.key_of,
            is_armed=app.console_mode.armed,
            can_arm=app.session.can_arm,
            is_drill=app.session.environment.name == "drill",
            is_replay=app.session.is_replay,
            deletions=app.situation,
            can_tell_deletions=app.can_tell_deletions,
            assessment=self.assessment,
            is_fresh=self._is_fresh(),
            choice=self.choice,
            run=app.run_state,
            ledger_run=app.ledger_run,
            aftermath=app.aftermath,
            problem=self._problem or app.ledger_fault,
            losses=self.losses,
            now=app.utc_clock(),
            rehearsal=app.rehearsals.words(self.assessment, self.choice),
            last_rebuild=app.rebuild_run,
            restoring=app.restoring,
            left_run=self.left_run,
            reporting=app.reporting,
            plays_owner=app.plays_owner,
        )

    def _is_fresh(self) -> bool:
        """Whether what was assessed was read after the rebuild that ended last."""
        run = self.rebuild_run
        if run is None or run.is_going_on:
            return True
        return self._drift is not None and is_read_after(run, self._drift)

    def page(self, width: int) -> list[Line]:
        """The page of the first step and of the last four."""
        name, situation = self.console.session.environment.name, self.situation()
        if self._viewed is Step.CONTAIN:
            return deletions_page(self.console.situation, width, past=not self.console.can_tell_deletions)
        if situation.is_replay and self._viewed in (Step.RESTORE, Step.HAND_OVER):
            return [[(" Nothing is made, and nothing is written, from a replay.", "tone--muted")]]
        if self._viewed is Step.RESTORE:
            return restore_page(self.losses, name, width, key=self.key_of, is_drill=situation.is_drill)
        compared = self.compared(width)
        if self._viewed is Step.RELINK:
            return relink_page(situation, width, environment=name)
        if self._viewed is Step.HAND_OVER:
            return compared + hand_over_page(situation, width, environment=name)
        run, after = self.rebuild_run, self.console.aftermath
        if run is None or after is None:
            return [*compared, *NOTHING_YET]
        return compared + proof_page(run, after, width)

    # --- keys ---------------------------------------------------------------------------------------------

    def has_hint(self, command: commands.Command) -> bool:
        """The numbers stand before the steps already."""
        return not command.id.startswith("step-") and super().has_hint(command)

    def action_next_step(self) -> None:
        """Look at the next step; after the last one at the first."""
        order = list(Step)
        self._viewed = order[(order.index(self._viewed) + 1) % len(order)]
        self.show()

    def action_go_step(self, number: int) -> None:
        """Look at the step of that number, whatever comes before it."""
        self._viewed = list(Step)[number - 1]
        self.show()

    async def action_read_aloud(self) -> None:
        """The step in plain sentences."""
        await self.app.push_screen(PhoneScreen(lambda: spoken(self.situation(), self._viewed)))

    def action_write_report(self) -> None:
        """Report, letters and first message into a folder, in the background, told against the capture that
        Assess goes by; the last step shows where."""
        self.console.report_writer.begin(chosen=self.chosen_capture)
        self._viewed = Step.HAND_OVER
        self.show()

    async def action_restore(self) -> None:
        await self.console.open("restore")

    async def action_history(self) -> None:
        await self.console.open("history")
