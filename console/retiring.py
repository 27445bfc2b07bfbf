"""The App's handlers for retirements: they take what the threads of `console.retirements` posted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from textual import on
from textual.reactive import var

from console.containing import ContainingApp
from console.messages import RetirementEnded, RetirementProgressed, RetirementsBroke, RetirementsRead

if TYPE_CHECKING:
    from console.retirement_state import RetireState
    from console.retirements import Retirements


class RetiringApp(ContainingApp):
    """Owns what is known of retirements, and the step of one that is being done."""

    retire_state: var[RetireState | None] = var(None, always_update=True)
    """None until the Retire screen was opened."""

    @cached_property
    def retirements(self) -> Retirements:
        """Looks at retirements and goes on with them; made when their screen is first opened."""
        from console.retirements import Retirements

        return Retirements(self)

    def busy_word(self) -> str:
        state = self.retire_state
        return state.doing if state is not None else ""

    def stop_busy(self) -> None:
        if self.busy_word():
            self.retirements.stop()

    def what_quitting_ends(self) -> Sequence[str]:
        lines = [*super().what_quitting_ends()]
        if self.busy_word():
            lines += [
                f"Something is being done: {self.busy_word()}.",
                "Quitting sends nothing more of it. What was sent is in the ledger: the next step goes on.",
            ]
        return lines

    @on(RetirementsRead)
    def _take_retirements(self, message: RetirementsRead) -> None:
        if self.retirements.look_ended(message.generation):
            self.retire_state = replace(self.retirements.state, listing=message.listing, fault="")

    @on(RetirementsBroke)
    def _take_retirements_breakage(self, message: RetirementsBroke) -> None:
        if self.retirements.look_ended(message.generation):
            self.retire_state = replace(self.retirements.state, fault=str(message.error))

    @on(RetirementProgressed)
    def _take_retirement_progress(self, message: RetirementProgressed) -> None:
        state = self.retirements.state
        self.retire_state = replace(state, calls=(*state.calls, message.line))

    @on(RetirementEnded)
    def _take_retirement_end(self, message: RetirementEnded) -> None:
        """What was done stays on the screen, and both sides are read anew."""
        error = message.error
        self.retire_state = replace(
            self.retirements.state,
            doing="",
            result=message.result if error is None else str(error),
            is_bad=error is not None,
        )
        if error is not None:
            self.show_error(error)
        self.retirements.end()
        self.refresher.supersede()
