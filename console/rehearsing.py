"""The rehearsal of a rebuild: run in the background, owned by the App, told in a line wherever it matters.

It changes nothing outside of its own stand-in, so that a read-only console has it too. A prediction holds for
the very actions that were rehearsed: as soon as others are proposed or chosen, the line says so.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from console.faults import as_error
from console.messages import RehearsalMoved
from console.rebuild_plan import plan_for
from console.recovering import Choice, chosen
from console.state import Rehearsing
from sync.prediction import Prediction, fits, subject_of
from sync.recovery import assess

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.running import RunningApp
    from sync.deletions import Situation
    from sync.model import ActualInventory, DesiredInventory, Drift, Plan
    from sync.recovery import Assessment, Finding

TOLD_EVERY = 50
"""Of so many parts of a rehearsal, each is told: drawing takes its time too."""
MOST_NAMED = 3
"""Actions not expected to succeed that a question names."""


class Rehearsals:
    """The rehearsals of this console, one at a time; the newest counts."""

    def __init__(self, app: RunningApp) -> None:
        self._app = app
        self._generation = 0
        self._stop = threading.Event()
        self._asked: tuple[Assessment, Choice, str] | None = None
        """What was asked about last, and the `subject_of` its actions."""

    def begin(self, drift: Drift, keys: frozenset[str]) -> None:
        """Rehearse the rebuild of these rows, by what both sides were when they were read last; a rehearsal
        that goes on is ended. RehearsalMoved tells of it."""
        app = self._app
        desired, actual = app.desired, app.whole or app.actual
        if desired is None or actual is None:
            return
        self.end()
        self._generation += 1
        self._stop = threading.Event()
        state, stop, now = Rehearsing(self._generation), self._stop, app.utc_clock()
        situation = app.situation
        app.rehearsal = state

        def work() -> None:
            try:
                ended = self._rehearsed(
                    state, drift, keys, (desired, actual), situation=situation, now=now, stop=stop
                )
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                ended = replace(state, problem=str(as_error(error, doing="rehearsing the rebuild")))
            app.post_message(RehearsalMoved(ended))

        # Not a daemon: its stand-in and its folder are cleared away also when the console ends meanwhile.
        app.run_worker(
            work, name="rehearsal", group="rehearsal", thread=True, exclusive=False, exit_on_error=False
        )

    def _rehearsed(
        self,
        state: Rehearsing,
        drift: Drift,
        keys: frozenset[str],
        sides: tuple[DesiredInventory, ActualInventory],
        *,
        situation: Situation | None,
        now: datetime,
        stop: threading.Event,
    ) -> Rehearsing:
        """In a thread: plan and rehearse. Raises AbreastError."""
        from console.rehearsals import rehearse

        session: Any = self._app.session
        found = assess(drift, session.rules, now=now)
        subject = _subject(one for one in (*found.to_rebuild, *found.differing) if one.key in keys)
        plan = plan_for(session, drift, keys, now=now, situation=situation)
        told = -1

        def tell(done: int, total: int) -> None:
            nonlocal told
            part = TOLD_EVERY * done // total
            if part != told:
                told = part
                self._app.post_message(RehearsalMoved(replace(state, done=done, total=total)))

        prediction = rehearse(session, plan, *sides, on_progress=tell, stop=stop)
        total = len(plan.actions)
        return replace(state, done=total, total=total, prediction=prediction, subject=subject)

    def take(self, state: Rehearsing) -> None:
        """Show how the newest rehearsal stands."""
        if state.generation == self._generation:
            self._app.rehearsal = state

    def end(self) -> None:
        """Let a rehearsal that goes on end; what it came to is not told any more."""
        self._stop.set()
        self._generation += 1

    def forget(self) -> None:
        """What was rehearsed is run now: the ledger has the prediction beside the run."""
        self.end()
        self._app.rehearsal = None

    # --- what is told -------------------------------------------------------------------------------------

    def words(self, assessment: Assessment | None, choice: Choice) -> str:
        """How the rehearsal of what is chosen stands, in a line; empty while there was none."""
        state = self._app.rehearsal
        if state is None or assessment is None:
            return ""
        if state.problem:
            return f"not rehearsed: {state.problem}"
        if state.prediction is None:
            return f"rehearsing: {state.done} of {state.total}" if state.total else "the rehearsal begins"
        if self._subject_of(assessment, choice) != state.subject:
            return self._stale(state.prediction)
        return self._summary(state.prediction)

    def said_of(self, plan: Plan) -> list[str]:
        """For the question about a plan: what is predicted of it, in sentences."""
        state, prediction = self._app.rehearsal, self.of(plan)
        if state is None:
            return []
        if prediction is None:
            stale = self._stale(state.prediction) if state.prediction is not None else "not rehearsed yet"
            return [_sentence(stale)]
        bad = (_sentence(f"Expected: {one.action_id} {one.outcome.value}") for one in prediction.doubtful)
        return [_sentence(self._summary(prediction)), *islice(bad, MOST_NAMED)]

    def of(self, plan: Plan) -> Prediction | None:
        """The prediction for exactly this plan, if there is one."""
        state = self._app.rehearsal
        prediction = state.prediction if state is not None else None
        return prediction if prediction is not None and fits(prediction, plan) else None

    def _summary(self, prediction: Prediction) -> str:
        return f"rehearsed {self._ago(prediction)}: {prediction.summary}"

    def _ago(self, prediction: Prediction) -> str:
        minutes = int((self._app.utc_clock() - prediction.at).total_seconds() // 60)
        if minutes < 1:
            return "just now"
        return "1 minute ago" if minutes == 1 else f"{minutes} minutes ago"

    def _stale(self, prediction: Prediction) -> str:
        return f"rehearsed {self._ago(prediction)}, but not these actions: rehearse again"

    def _subject_of(self, assessment: Assessment, choice: Choice) -> str:
        known = self._asked
        if known is None or known[0] is not assessment or known[1] != choice:
            known = self._asked = (assessment, choice, _subject(chosen(assessment, choice)))
        return known[2]


def _subject(findings: Iterable[Finding]) -> str:
    """Of what would be done about them, by the list alone."""
    return subject_of({one.id: one for found in findings for one in found.actions}.values())


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
