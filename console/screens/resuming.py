"""Finishing an interrupted run: asked of the operator about the very run that the ledger has now."""

from __future__ import annotations

from console.ledger_run import LedgerRun
from console.recovering import questions
from console.screens.base import ConsoleScreen
from console.screens.confirm import ConfirmScreen
from widgets.cells import counted


class ResumingScreen(ConsoleScreen):
    """Subclasses follow `ledger_fault` with `take_ledger_fault`."""

    def __init__(self) -> None:
        super().__init__()
        self._resuming: ConfirmScreen | None = None
        """What is asked about an interrupted run, or will be when the ledger has answered."""
        self._to_resume: LedgerRun | None = None
        """The run that the question is about."""

    def show(self) -> None:
        """Draw everything anew."""
        raise NotImplementedError

    async def action_resume(self) -> None:
        """Ask the operator, and the ledger once more: what is unknown is read, the rest is sent."""
        self._resuming = ConfirmScreen(
            "Finish the interrupted run?", ["The ledger is asked how it stands."], None, "Finish it"
        )
        await self.console.ask(self._resuming, self._resume_if)
        self.console.operations.ask_ledger(then=self._ask_to_resume)

    def _ask_to_resume(self) -> None:
        """Ask about the very run that the ledger has now."""
        found, question = self.console.ledger_run, self._resuming
        if question is None or not question.is_current:
            return
        if found is None or not found.can_be_finished or found.plan is None:
            question.action_cancel()
            self.notify(found.words if found is not None else "No run was interrupted.", severity="warning")
            return
        run, plan, results = found.latest.run, found.plan, found.results
        left = [action for action in plan.actions if action.id not in results]
        texts = [
            f"Started by {run.operator} at {run.started_at.astimezone():%Y-%m-%d %H:%M}; "
            f"{len(results)} of {counted(len(plan.actions), 'action')} are done.",
            *questions(left),
            "What is unknown is read first; what failed is tried again.",
        ]
        self._to_resume = found
        question.put(f"Finish run {run.run_id}?", texts, str(len(left)))

    def _resume_if(self, confirmed: bool | None) -> None:
        found, self._to_resume, self._resuming = self._to_resume, None, None
        if not confirmed or found is None or found.plan is None:
            return
        if not self.console.operations.resume(found.latest.run.run_id, found.plan, found.results):
            self.notify("Another run is going on: nothing was sent.", severity="warning")

    def take_ledger_fault(self, fault: str) -> None:
        """A question that waits for the ledger says that it could not be asked."""
        if fault and self._resuming is not None and self._to_resume is None and self._resuming.is_current:
            self._resuming.put("The ledger could not be asked.", [fault], None)
        self.show()
