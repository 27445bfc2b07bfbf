"""The App's handlers for plans and executions: they take what the threads of `operations` posted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from textual import on
from textual.reactive import var

from console.messages import (
    InterruptedRunFound,
    PlanBroke,
    PlanMade,
    RunBroke,
    RunFinished,
    RunProgressed,
)
from console.operations import Operations
from console.readings import ReadingApp
from sync.model import Plan

if TYPE_CHECKING:
    from console.session_protocol import ConsoleSession


class RunningApp(ReadingApp):
    """Keeps fresh what is known, and owns the plan, the execution and what the ledger has of earlier ones."""

    plan: var[Plan | None] = var(None, always_update=True)
    """The plan that was made last; None while it is being made or could not be."""
    plan_fault: var[str] = var("")
    """Why the plan could not be made; empty when it was."""
    interrupted: var[InterruptedRunFound | None] = var(None)
    """A run that was stopped or killed before its end, as the ledger had it at the start."""

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
        self.operations.take_report(message.report)
        self.interrupted = None

    @on(RunBroke)
    def _take_run_breakage(self, message: RunBroke) -> None:
        self.operations.take_breakage(message.error)

    @on(InterruptedRunFound)
    def _take_interrupted(self, message: InterruptedRunFound) -> None:
        if not self.operations.is_going_on:
            self.interrupted = message
            self.notify(
                f"Run {message.run_id} by {message.operator} was interrupted. "
                "R opens the recovery, where it can be finished.",
                severity="warning",
                timeout=15,
            )
