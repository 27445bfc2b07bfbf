"""The App's handlers for plans and executions: they take what the threads of `operations` posted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from textual import on
from textual.reactive import var

from console.messages import (
    InterruptedRunFound,
    LedgerUnread,
    PlanBroke,
    PlanMade,
    RebuildProven,
    RunBroke,
    RunFinished,
    RunProgressed,
)
from console.operations import Operations
from console.readings import ReadingApp
from sync.model import Drift, Plan

if TYPE_CHECKING:
    from console.recovering import Aftermath
    from console.session_protocol import ConsoleSession


class RunningApp(ReadingApp):
    """Keeps fresh what is known, and owns the plan, the execution and what the ledger has of earlier ones."""

    plan: var[Plan | None] = var(None, always_update=True)
    """The plan that was made last; None while it is being made or could not be."""
    plan_fault: var[str] = var("")
    """Why the plan could not be made; empty when it was."""
    interrupted: var[InterruptedRunFound | None] = var(None)
    """A run that was stopped or killed before its end, as the ledger had it when it was asked last."""
    ledger_fault: var[str] = var("")
    """Why the ledger could not be asked; empty when it could."""
    aftermath: var[Aftermath | None] = var(None)
    """What was proven and saved after the last rebuild; None until both sides were read anew."""

    def __init__(self, session: ConsoleSession, *, clock: Callable[[], datetime], is_watching: bool) -> None:
        super().__init__(session, clock=clock, is_watching=is_watching)
        self.operations = Operations(self)

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

    @on(RunProgressed)
    def _take_run_progress(self, message: RunProgressed) -> None:
        self.operations.take_progress(message.event)

    @on(RunFinished)
    def _take_report(self, message: RunFinished) -> None:
        self.interrupted = None
        self.operations.take_report(message.report)
        self.operations.look_for_interrupted()

    @on(RunBroke)
    def _take_run_breakage(self, message: RunBroke) -> None:
        self.operations.take_breakage(message.error)
        self.operations.look_for_interrupted()

    def watch_drift(self, drift: Drift | None) -> None:
        """The first comparison of both sides as they are after a rebuild proves what it did."""
        if drift is not None:
            self.operations.prove(drift)

    @on(RebuildProven)
    def _take_proof(self, message: RebuildProven) -> None:
        if not self.operations.is_going_on:
            self.aftermath = message.aftermath

    @on(LedgerUnread)
    def _take_unread_ledger(self, message: LedgerUnread) -> None:
        self.ledger_fault = str(message.error)
        self.show_error(message.error)

    @on(InterruptedRunFound)
    def _take_interrupted(self, message: InterruptedRunFound) -> None:
        self.ledger_fault = ""
        if not self.operations.is_going_on:
            self.interrupted = message
            self.notify(
                f"Run {message.run_id} by {message.operator} was interrupted. "
                "R opens the recovery, where it can be finished.",
                severity="warning",
                timeout=15,
            )
