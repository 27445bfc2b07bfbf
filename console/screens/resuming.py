"""Finishing an interrupted run: asked of the operator about the very run that the ledger has now; and, where
somebody who is not heard of may still have hold of it, breaking their lease first."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from textual import on
from textual.message import Message

from console import commands
from console.faults import as_error
from console.ledger_run import LedgerRun
from console.recovering import questions
from console.restores import is_restore
from console.screens.base import ConsoleScreen
from console.screens.confirm import ConfirmScreen
from console.screens.contain_questions import FormScreen
from sync.errors import AbreastError
from widgets.cells import counted


class ResumingScreen(ConsoleScreen):
    """Subclasses follow `ledger_fault` with `take_ledger_fault`."""

    class LeaseBroken(Message):
        """Somebody's lease was ended, or was not: then `error` says why."""

        def __init__(self, words: str, error: AbreastError | None = None) -> None:
            super().__init__()
            self.words = words
            self.error = error

    def __init__(self) -> None:
        super().__init__()
        self._resuming: ConfirmScreen | None = None
        """What is asked about an interrupted run, or will be when the ledger has answered."""
        self.left_run = ""
        """The interrupted run that the operator leaves as it is: what is missing is planned anew."""
        self._to_resume: LedgerRun | None = None
        """The run that the question is about."""

    def show(self) -> None:
        """Draw everything anew."""
        raise NotImplementedError

    def why_not(self, command: commands.Command) -> str:
        mode = self.console.console_mode
        is_read_only = not (mode.armed or mode.watching or mode.replaying)
        if command.dangerous and is_read_only and self.offers(command):
            return f"{command.label}: not while the console is read-only. {self.key_of('arm')} arms it."
        return super().why_not(command)

    def offers_to_finish(self, command: commands.Command) -> bool:
        """Whether there is an interrupted run to resume or to leave, or a lease to break."""
        found = self.console.ledger_run
        if found is None or self.console.operations.is_going_on:
            return False
        if command.id == "break-lease":
            return found.silent is not None
        return found.can_be_finished and (command.id == "resume" or found.run_id != self.left_run)

    def action_leave_run(self) -> None:
        """Nothing of it is sent any more from here; a plan of what is missing now takes its place."""
        found = self.console.ledger_run
        if found is not None and found.can_be_finished:
            self.left_run = found.run_id
            self.notify(
                f"Run {found.run_id} is left as it is. What is chosen is planned anew, and asked about."
            )
            self.show()

    async def action_resume(self) -> None:
        """Ask the operator, and the ledger once more: what is unknown is read, the rest is sent. A restore is
        finished on its own screen, which has its archive."""
        known = self.console.ledger_run
        if (
            known is not None
            and known.plan is not None
            and is_restore(known.plan)
            and self.SCOPE != "restore"
        ):
            await self.console.open("restore")
            self.notify(f"This run is a restore's: {self.key_of('resume')} finishes it here.")
            return
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

    # --- whoever is not heard of ----------------------------------------------------------------------------

    def action_break_lease(self) -> None:
        """Ask for the owner's name and a reason; the ledger refuses while there is any sign of life."""
        found = self.console.ledger_run
        holder = found.silent if found is not None else None
        if found is None or holder is None:
            return
        minutes = max(0, int((self.console.utc_clock() - holder.heartbeat).total_seconds() // 60))
        texts = [
            f"{holder.owner} on host {holder.host}, process {holder.pid}, since "
            f"{holder.since.astimezone():%H:%M:%S}; no sign of life for {minutes} min.",
            "From here nobody can see whether it still runs: make sure by another way that nothing of it "
            "does. What it might still send, it could not record.",
            "It is recorded, with your name and the reason.",
        ]
        fields = {
            "owner": f"whose lease is broken: {holder.owner}",
            "reason": "how you know that nothing runs",
        }
        form = FormScreen(
            f"Break the lease of {self.console.identity.title}?",
            texts,
            fields,
            "Break it",
            refuse=partial(_why_not_owner, holder.owner),
        )
        self.app.push_screen(form, self._break_if)

    def _break_if(self, values: Mapping[str, str] | None) -> None:
        if not values:
            return
        owner, reason = values["owner"], values["reason"]

        def work() -> None:
            try:
                broken = self.console.session.ledger.break_lease(owner=owner, reason=reason)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                problem = as_error(error, doing="breaking the lease", changes=True)
                self.post_message(self.LeaseBroken("", problem))
            else:
                self.post_message(self.LeaseBroken(f"The lease was taken from {broken.words}."))

        self.console.run_in_background(work, name="break the lease")

    @on(LeaseBroken)
    def _take_broken(self, message: LeaseBroken) -> None:
        if message.error is not None:
            self.console.show_error(message.error)
        else:
            self.notify(message.words, timeout=10)
        self.console.operations.ask_ledger()

    def take_ledger_fault(self, fault: str) -> None:
        """A question that waits for the ledger says that it could not be asked."""
        if fault and self._resuming is not None and self._to_resume is None and self._resuming.is_current:
            self._resuming.put("The ledger could not be asked.", [fault], None)
        self.show()


def _why_not_owner(owner: str, id: str, value: str) -> str:
    is_another = id == "owner" and bool(value) and value != owner
    return f"The lease is held by {owner}, not by {value}." if is_another else ""
