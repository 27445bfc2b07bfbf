"""The App's handlers for plans and executions: they take what the threads of `operations` posted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from textual import on
from textual.reactive import var

from console.commands import Mode
from console.messages import (
    ApprovalBroke,
    ApprovalJudged,
    LedgerAsked,
    LedgerUnread,
    PlanBroke,
    PlanMade,
    RadiiComputed,
    RebuildNotRecalled,
    RebuildProven,
    RebuildRecalled,
    RehearsalMoved,
    ReportMoved,
    RestoreMoved,
    RunBroke,
    RunFinished,
    RunNotPlanned,
    RunPlanned,
    RunProgressed,
)
from console.readings import ReadingApp
from sync.errors import AbreastError

if TYPE_CHECKING:
    from textual.widget import AwaitMount

    from console.approvals import ApprovalDesk, Submitted
    from console.confirmations import Confirmations, Radii
    from console.ledger_run import LedgerRun
    from console.operations import Operations
    from console.radii import RadiusKeeper
    from console.recovering import Aftermath
    from console.rehearsing import Rehearsals
    from console.report_state import Reporting
    from console.report_writing import ReportWriter
    from console.restore_state import Restoring
    from console.restoring import Restores
    from console.state import Rehearsing, RunState
    from sync.model import Action, Drift, Plan


class RunningApp(ReadingApp):
    """Keeps fresh what is known, and owns the plan, the execution and what the ledger has of earlier ones."""

    plan: var[Plan | None] = var(None, always_update=True)
    """The plan that was made last; None while it is being made or could not be."""
    plan_fault: var[str] = var("")
    """Why the plan could not be made or run; empty when it could."""
    confirmed: var[Confirmations] = var(dict, always_update=True)
    """What of the staged actions the operator confirmed; the watchers below keep it true to them."""
    submitted: var[Submitted | None] = var(None, always_update=True)
    """The plan that was written last for others to approve; see `console.approvals`."""
    radii: var[Radii] = var(dict, always_update=True)
    """By action id, what of the staged actions was computed last; see `console.radii`."""
    ledger_run: var[LedgerRun | None] = var(None)
    """The newest run, whoever executes it, as the ledger had it when it was asked last; None while one of
    this console is going on."""
    ledger_fault: var[str] = var("")
    """Why the ledger could not be asked; empty when it could."""
    aftermath: var[Aftermath | None] = var(None)
    """What was proven and saved after the last rebuild; None until both sides were read anew."""
    rehearsal: var[Rehearsing | None] = var(None)
    """How the newest rehearsal of a rebuild stands; None while there was none."""
    restoring: var[Restoring | None] = var(None)
    """How the newest restore of this console stands; None while none was looked at."""
    reporting: var[Reporting | None] = var(None)
    """How the newest incident report of this console stands; None while none was asked for."""
    rebuild_run: var[RunState | None] = var(None)
    """The rebuild that goes on here or ended last, whatever ran after it; without one of this console's the
    newest of this incident that the ledger has."""

    @cached_property
    def operations(self) -> Operations:
        """What runs; made after the first frame, which does without the words of plans and runs."""
        from console.operations import Operations

        return Operations(self)

    @cached_property
    def rehearsals(self) -> Rehearsals:
        """Rehearses rebuilds; made when Recovery is first opened."""
        from console.rehearsing import Rehearsals

        return Rehearsals(self)

    @cached_property
    def restores(self) -> Restores:
        """Plans and runs restores; made when Restore is first opened."""
        from console.restoring import Restores

        return Restores(self)

    @cached_property
    def report_writer(self) -> ReportWriter:
        """Writes incident reports; made when the first one is asked for."""
        from console.report_writing import ReportWriter

        return ReportWriter(self)

    def on_unmount(self) -> None:
        """A rehearsal ends with the console, and clears its stand-in away."""
        if self.rehearsal is not None:
            self.rehearsals.end()

    @on(RestoreMoved)
    def _take_restore(self, message: RestoreMoved) -> None:
        self.restores.take(message.state)

    @on(ReportMoved)
    def _take_reporting(self, message: ReportMoved) -> None:
        self.report_writer.take(message.state)

    @on(RehearsalMoved)
    def _take_rehearsal(self, message: RehearsalMoved) -> None:
        self.rehearsals.take(message.state)

    @cached_property
    def radius_keeper(self) -> RadiusKeeper:
        """Computes `radii`; made when Review is first opened."""
        from console.radii import RadiusKeeper

        return RadiusKeeper(self)

    @cached_property
    def approval_desk(self) -> ApprovalDesk:
        """Writes plans for approval and judges their signatures; made when Review is first opened."""
        from console.approvals import ApprovalDesk

        return ApprovalDesk(self)

    @on(ApprovalJudged)
    def _take_approval(self, message: ApprovalJudged) -> None:
        self.approval_desk.take(message)

    @on(ApprovalBroke)
    def _take_approval_breakage(self, message: ApprovalBroke) -> None:
        self.approval_desk.take_breakage(message)

    @on(RadiiComputed)
    def _take_radii(self, message: RadiiComputed) -> None:
        self.radius_keeper.take(message)

    @on(PlanMade)
    def _take_plan(self, message: PlanMade) -> None:
        if self.operations.is_latest_plan(message.generation):
            self.plan_fault = ""
            self.plan = message.plan

    @on(PlanBroke)
    def _take_plan_breakage(self, message: PlanBroke) -> None:
        if self.operations.is_latest_plan(message.generation):
            self.plan = None
            self.plan_fault = str(message.error)
            self.show_error(message.error)

    # --- confirmations ------------------------------------------------------------------------------------

    def watch_run_state(self, run: RunState | None) -> None:
        if run is not None and run.is_rebuild:
            self.rebuild_run = run

    def watch_staged(self, staged: tuple[Action, ...]) -> None:
        """A confirmation only holds for the very action that was confirmed."""
        if not self.confirmed:
            return
        from console.confirmations import still_confirmed
        from widgets.action_details import describe

        kept = still_confirmed(self.confirmed, staged)
        changed = [action.id for action in staged if action.id in self.confirmed and action.id not in kept]
        self._keep_confirmed(kept)
        if changed and not self.operations.is_going_on:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            self.notify(
                f"Changed since it was confirmed, and no longer confirmed: {describe(changed[0])}{more}.",
                severity="warning",
            )

    def watch_console_mode(self, mode: Mode) -> None:
        """A read-only console holds no confirmation."""
        if not mode.armed:
            self._keep_confirmed({})

    def watch_now(self, now: datetime) -> None:
        """A confirmation ends by age, as the executor would refuse it."""
        if self.confirmed:
            from console.confirmations import not_older_than
            from sync.executor import CONFIRMATION_AGE

            self._keep_confirmed(not_older_than(self.confirmed, CONFIRMATION_AGE, now))

    def _keep_confirmed(self, kept: Confirmations) -> None:
        if kept != self.confirmed:
            self.confirmed = kept

    def busy_word(self) -> str:
        """What is being done that is no run, and keeps runs from beginning; empty when nothing is."""
        return ""

    def stop_busy(self) -> None:
        """Send nothing more of that."""

    def what_quitting_ends(self) -> Sequence[str]:
        """What somebody who quits has to know first, in whole sentences; none when nothing goes on."""
        if not self.operations.is_going_on or self.busy_word():
            return ()
        return (
            "A run is going on; the header says how far it is.",
            "Quitting stops following it: what was sent ends in CloudStack, the rest does not run.",
            "The drill ends with it, ledger and all: the next one is a new incident."
            if self.session.environment.name == "drill"
            else "The ledger has every step; the next start resolves what is open and can resume the run.",
        )

    # --- a run --------------------------------------------------------------------------------------------

    def has_run_elsewhere(self) -> bool:
        """Whether there is a run, and its screen is not in front."""
        run = self.run_state
        return run is not None and getattr(self.screen, "SCOPE", "") not in ("execution", run.screen)

    async def action_follow_run(self) -> None:
        """Show the run that goes on or ended last, wherever it was begun."""
        if self.run_state is not None:
            await self.open(self.run_state.screen)

    def open(self, name: str, *arguments: Any) -> AwaitMount:
        """Push the screen of that name; the App knows them."""
        raise NotImplementedError

    @on(RunPlanned)
    def _take_run_plan(self, message: RunPlanned) -> None:
        try:
            self.operations.take_run_plan(message.plan, message.approved)
        except AbreastError as error:
            self.operations.take_run_not_planned(error)

    @on(RunNotPlanned)
    def _take_run_not_planned(self, message: RunNotPlanned) -> None:
        self.operations.take_run_not_planned(message.error)

    @on(RunProgressed)
    def _take_run_progress(self, message: RunProgressed) -> None:
        self.operations.take_progress(message.event)

    @on(RunFinished)
    def _take_report(self, message: RunFinished) -> None:
        self.operations.take_report(message.report)
        self.operations.ask_ledger()

    @on(RunBroke)
    def _take_run_breakage(self, message: RunBroke) -> None:
        self.operations.take_breakage(message.error)
        self.operations.ask_ledger()

    def watch_drift(self, drift: Drift | None) -> None:
        """The first comparison of both sides as they are after a rebuild proves what it did.

        With every comparison the ledger is asked again: what runs elsewhere begins and ends meanwhile.
        """
        if drift is None:
            return
        if not self.operations.prove(drift):
            self.operations.relink(drift)
        if self.restoring is not None:
            self.restores.go_on(drift)
        if self.session.can_arm and not self.console_mode.watching and not self.operations.is_going_on:
            self.operations.ask_ledger()

    @on(RebuildProven)
    def _take_proof(self, message: RebuildProven) -> None:
        run = self.rebuild_run
        if run is not None and not run.is_going_on and run.run_id == message.aftermath.run_id:
            from console.recovering import with_links

            self.aftermath = with_links(message.aftermath, self.aftermath)
            if self.restoring is not None or self.session.captures.exist:
                self.restores.follow_rebuild(run)

    @on(RebuildRecalled)
    def _take_recalled(self, message: RebuildRecalled) -> None:
        """What was rebuilt or finished elsewhere is proven here as if it had been here."""
        from console.recovering import is_unfinished

        run, known = message.run, self.rebuild_run
        if run is None or self.operations.is_going_on:
            return
        if known is not None and known.run_id == run.run_id and not is_unfinished(known):
            return
        self.rebuild_run, self.aftermath = run, None
        if self.drift is not None:
            self.operations.prove(self.drift)

    @on(RebuildNotRecalled)
    def _take_no_recall(self, message: RebuildNotRecalled) -> None:
        """How the newest run stands is another question, which may still be open: its answer stays."""
        if self.ledger_fault != str(message.error):
            self.show_error(message.error)
        self.ledger_fault = str(message.error)

    # --- the newest run in the ledger ---------------------------------------------------------------------

    @on(LedgerUnread)
    def _take_unread_ledger(self, message: LedgerUnread) -> None:
        """What is not known is not offered."""
        if not self.operations.is_latest_answer(message.generation):
            return
        is_asked_for = bool(self.operations.taken_waiting())
        if is_asked_for or self.ledger_fault != str(message.error):
            self.show_error(message.error)
        self.ledger_fault, self.ledger_run = str(message.error), None

    @on(LedgerAsked)
    def _take_ledger_answer(self, message: LedgerAsked) -> None:
        if not self.operations.is_latest_answer(message.generation):
            return
        self.ledger_fault = ""
        waiting = self.operations.taken_waiting()
        if self.operations.is_going_on:
            return
        known, self.ledger_run = self.ledger_run, message.found
        self.operations.let_go()
        self._tell_of(message.found, known)
        for then in waiting:
            then()

    def _tell_of(self, found: LedgerRun | None, known: LedgerRun | None) -> None:
        """Announce once that a run goes on elsewhere, or was interrupted; the recovery shows it by itself."""
        if found is None or found.is_over or getattr(self.screen, "SCOPE", "") == "recovery":
            return
        if known is not None and (known.run_id, known.is_held) == (found.run_id, found.is_held):
            return
        offer = "R opens the recovery, where it can be finished." if found.can_be_finished else ""
        if found.silent is not None:
            offer = "R opens the recovery, where its lease can be broken, by name."
        self.notify(f"{found.words} {offer}".rstrip(), severity="warning", timeout=15)
