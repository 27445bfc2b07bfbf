"""Approvals in the console: the plan written for others to sign, and how its signatures stand.

Owned by the App. What takes a process or the disk is done in a thread; the App takes what it found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from console.faults import as_error
from console.messages import ApprovalBroke, ApprovalJudged
from sync.errors import GuardError
from sync.model import Action, Plan

if TYPE_CHECKING:
    from console.running import RunningApp
    from console.session_protocol import ConsoleSession
    from sync.approval import Standing
    from sync.approval_rules import Approved

LOOK_AGAIN = timedelta(seconds=5)
"""Between two looks at the signatures beside the plan, while somebody watches."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A plan that was written for approval."""

    plan: Plan
    file: Path
    standing: Standing
    fault: str = ""
    """Why the signatures could not be judged again; empty when they could."""


class ApprovalDesk:
    """Keeps the App's `submitted` plan true to what lies beside its file."""

    def __init__(self, app: RunningApp) -> None:
        self._app = app
        self._generation = 0
        self._is_at_work = False
        """Whether the newest of what was begun has not ended; no look supersedes it."""
        self._looked_at: datetime | None = None

    def needed(self, plan: Plan) -> int:
        """How many people have to approve the plan here."""
        return self._app.session.environment.approvals.needed_for(plan)

    def of(self, plan: Plan | None) -> Submitted | None:
        """What was submitted of this very plan."""
        found = self._app.submitted
        return found if found is not None and plan is not None and found.plan.digest == plan.digest else None

    def submit(self, plan: Plan) -> None:
        """Write the plan for others to sign."""
        session = self._app.session

        def work() -> Submitted:
            file = session.write_plan(plan)
            return Submitted(plan, file, session.standing(plan, file))

        self._work(work, "writing the plan")

    def take_in(self, found: Submitted, source: Path) -> None:
        """Copy signatures beside the plan, and judge all there are."""
        session = self._app.session

        def work() -> Submitted:
            session.take_signatures(found.file, source)
            return replace(found, standing=session.standing(found.plan, found.file), fault="")

        self._work(work, "taking in signatures")

    def look(self, *, now: datetime | None = None) -> None:
        """Judge the signatures again, unless something is under way; with `now` only where the last look is a
        while ago."""
        found = self._app.submitted
        if (
            found is None
            or self._is_at_work
            or (now and self._looked_at and now - self._looked_at < LOOK_AGAIN)
        ):
            return
        session, known = self._app.session, found

        def work() -> Submitted:
            return replace(known, standing=session.standing(known.plan, known.file), fault="")

        self._work(work, "judging the signatures")

    def _work(self, work: Callable[[], Submitted], doing: str) -> None:
        app = self._app
        self._generation += 1
        generation = self._generation
        self._is_at_work = True
        self._looked_at = app.utc_clock()

        def thread() -> None:
            try:
                message: ApprovalJudged | ApprovalBroke = ApprovalJudged(generation, work())
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                message = ApprovalBroke(generation, as_error(error, doing=doing))
            app.post_message(message)

        app.run_in_background(thread, name=f"{doing} {generation}")

    def take(self, message: ApprovalJudged) -> None:
        """What was found; an older look is dropped."""
        if self._has_ended(message.generation):
            self._app.submitted = message.submitted

    def take_breakage(self, message: ApprovalBroke) -> None:
        """It could not be written or judged: said, and kept where the plan was submitted before."""
        app = self._app
        app.show_error(message.error)
        if self._has_ended(message.generation) and app.submitted is not None:
            app.submitted = replace(app.submitted, fault=str(message.error))

    def _has_ended(self, generation: int) -> bool:
        """Whether it was the newest that ended; what is older counts for nothing."""
        is_newest = generation == self._generation
        self._is_at_work = self._is_at_work and not is_newest
        return is_newest


def plan_to_run(
    session: ConsoleSession, wanted: tuple[Action, ...], submitted: Submitted | None
) -> tuple[Plan, Approved | None]:
    """The plan of exactly these actions, with its approval where the environment asks for one: then it is
    the one that was signed, and a new one is none.

    Blocks. Raises GuardError where approvals are missing: who signed, who is missing, what to send them.
    """
    from sync.approval import require

    rules = session.environment.approvals
    if submitted is not None and submitted.plan.actions == wanted and rules.needed_for(submitted.plan):
        return submitted.plan, require(session.standing(submitted.plan, submitted.file))
    plan = session.plan(wanted)
    needed = rules.needed_for(plan)
    if not needed:
        return plan, None
    if submitted is None:
        what, step = "", "Review writes the plan for them to sign, and shows who is missing."
    else:
        what = " What was written for approval is another plan than what is confirmed."
        step = "Confirm exactly that, or have this one signed."
    raise GuardError(f"The plan needs the approval of {needed} in {plan.environment}.{what}", next_step=step)
