"""Takes the looks and the rungs of containment in threads. Owned by the App, never by a screen.

Threads post the messages that `console.containing` takes; there is one look and one rung at a time.
Brakes have threads of their own and stay held until `release` or `close`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from console import messages
from console.faults import as_error

if TYPE_CHECKING:
    from textual.message import Message

    from console.session_protocol import ConsoleSession
    from sync.brake import Brake, BrakeState
    from sync.contain import Step
    from sync.containment import CallerView, Containment
    from sync.shield import Candidate


_PROGRESS_SECONDS = 0.1
"""A rung's progress is told at most this often."""


class Host(Protocol):
    """What is needed of the App."""

    session: ConsoleSession
    utc_clock: Callable[[], datetime]

    def run_in_background(self, work: Callable[[], object], *, name: str) -> object: ...

    def post_message(self, message: Message) -> bool: ...


class Rungs:
    """Containment of the App's environment."""

    def __init__(self, app: Host, *, is_armed: bool) -> None:
        self._app = app
        self._is_armed = is_armed
        self._lock = threading.Lock()
        self._containment: Containment | None = None
        self._looking = 0
        """Generation of the look under way; 0 while none is."""
        self._looks = 0
        self._began_at: datetime | None = None
        self._due_at: datetime | None = None
        self._is_wanted_again = False
        self._is_taking = False
        self._done = 0
        self._told_at = 0.0
        self._stop = threading.Event()
        self._brakes: tuple[Brake, ...] = ()

    # --- what it works with -------------------------------------------------------------------------------

    def _get(self) -> Containment:
        """In a thread: it imports what the first frame did without."""
        with self._lock:
            if self._containment is None:
                self._containment = self._app.session.containment(is_armed=self._is_armed)
            return self._containment

    def arm(self, is_armed: bool) -> None:
        """Follow the console's mode; a disarmed one holds no client that could change anything."""
        if is_armed == self._is_armed:
            return
        with self._lock:
            self._is_armed = is_armed
            known = self._containment
        if known is not None:
            if is_armed:
                known.arm()
            else:
                known.disarm()

    def refuse_strangers(self) -> None:
        """In a thread. Raises GuardError when this is not the pinned server; SourceError, LedgerError."""
        self._get().refuse_strangers()

    def close(self) -> None:
        """Give the brakes back and let go of the journal."""
        self._stop.set()
        self._release()
        with self._lock:
            known, self._containment = self._containment, None
        if known is not None:
            known.close()

    # --- looking ------------------------------------------------------------------------------------------

    def tick(self, now: datetime) -> None:
        """Look again when it is due."""
        if not self._looking and (self._due_at is None or now >= self._due_at):
            self.look()

    def look(self) -> None:
        """Look now; what is under way is left to end, and then done once more."""
        if self._looking:
            self._is_wanted_again = True
            return
        self._looks += 1
        self._looking = generation = self._looks
        self._began_at = self._app.utc_clock()

        def work() -> None:
            try:
                message: Message = messages.LookTaken(generation, self._get().look())
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                problem = as_error(error, doing="looking at the deletions")
                message = messages.ContainBroke(problem, look=generation)
            self._app.post_message(message)

        self._app.run_in_background(work, name=f"look {generation}")

    def look_ended(self, generation: int, now: datetime) -> None:
        """Plan the next one: at the inventory's pace, never faster than this one took."""
        if generation != self._looking or self._began_at is None:
            return
        self._looking = 0
        took = (now - self._began_at).total_seconds()
        period = self._app.session.environment.refresh.inventory_seconds
        self._due_at = now + timedelta(seconds=max(period - took, took))
        if self._is_wanted_again:
            self._is_wanted_again = False
            self.look()

    @property
    def is_looking(self) -> bool:
        """Whether a look is under way, or wanted again."""
        return bool(self._looking)

    # --- taking -------------------------------------------------------------------------------------------

    @property
    def is_taking(self) -> bool:
        """Whether a rung is being taken."""
        return self._is_taking

    def ended(self) -> None:
        """A rung was taken, or failed."""
        self._is_taking = False

    def stop(self) -> None:
        """After the calls that run nothing more is sent. Brakes stay held."""
        self._stop.set()

    def fence(self, views: Sequence[CallerView]) -> bool:
        """Fence each of them. False while another rung is being taken; so do all of these."""
        return self._take(lambda one: one.fence_callers(views, on_step=self._progress), "fencing")

    def shield(self, candidates: Sequence[Candidate]) -> bool:
        """Put up shields, the first candidates first."""
        return self._take(
            lambda one: one.shield(candidates, stop=self._stop, on_step=self._progress), "shielding"
        )

    def lift_shields(self, actions: frozenset[str]) -> bool:
        """Take down what the journals say was set by these actions."""
        return self._take(
            lambda one: one.lift_shields(
                lambda standing: standing.action in actions, stop=self._stop, on_step=self._progress
            ),
            "lifting the shields",
        )

    def lift_fences(self, actions: frozenset[str], *, reason: str, why_keep: str, second: str) -> bool:
        """Undo the fences of these actions; `why_keep` is what the gate said, `second` who agrees."""
        return self._take(
            lambda one: one.lift_fences(
                lambda standing: standing.action in actions, reason=reason, why_keep=why_keep, second=second
            ),
            "lifting the fence",
        )

    def _progress(self, _step: Step) -> None:
        """Of thousands of shields a few are told, not each."""
        with self._lock:
            self._done += 1
            now = time.monotonic()
            is_due = now - self._told_at >= _PROGRESS_SECONDS
            if is_due:
                self._told_at = now
        if is_due:
            self._app.post_message(messages.RungProgressed(self._done))

    def _take(self, act: Callable[[Containment], tuple[Step, ...]], doing: str) -> bool:
        def work() -> None:
            try:
                containment = self._get()
                containment.refuse_strangers()
                message: Message = messages.RungEnded(act(containment))
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                message = messages.ContainBroke(as_error(error, doing=doing, changes=True))
            self._app.post_message(message)

        return self._begin(work, doing)

    def _begin(self, work: Callable[[], None], doing: str) -> bool:
        if self._is_taking:
            return False
        self._is_taking = True
        self._done, self._told_at = 0, time.monotonic()
        self._stop.clear()
        self._app.run_in_background(work, name=doing)
        return True

    # --- the brake ----------------------------------------------------------------------------------------

    def brake(self, release: str) -> bool:
        """Ask for the locks of that release of CloudStack, until `release` is called."""

        def work() -> None:
            try:
                containment = self._get()
                containment.refuse_strangers()
                # Each brake tells its own lock, so that two of them can be told apart.
                made = containment.brakes(release, on_change=self._tell)
                with self._lock:
                    self._brakes = (*self._brakes, *made)
                for one in made:
                    one.start()
                message: Message = messages.RungEnded(())
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                message = messages.ContainBroke(as_error(error, doing="braking", changes=True))
            self._app.post_message(message)

        return self._begin(work, "braking")

    def _tell(self, lock: str, state: BrakeState, text: str) -> None:
        self._app.post_message(messages.BrakeChanged(lock, state, text))

    def release(self) -> None:
        """Give the locks back, in a thread: a session that waits is ended by a second one."""
        self._app.run_in_background(self._release, name="release the brake")

    def _release(self) -> None:
        with self._lock:
            brakes, self._brakes = self._brakes, ()
        for brake in brakes:
            brake.release()

    # --- what else ----------------------------------------------------------------------------------------

    def save_evidence(self, path: Path) -> bool:
        """Write what expires to a file."""

        def work() -> None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                found = self._get().save_evidence(path)
                message: Message = messages.EvidenceSaved(path, found)
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                message = messages.ContainBroke(as_error(error, doing="saving the evidence"))
            self._app.post_message(message)

        return self._begin(work, "saving the evidence")

    def read_fence_gate(self) -> bool:
        """Read both sides anew: may a fence be lifted by one person alone?"""

        def work() -> None:
            try:
                message: Message = messages.FenceGateRead(self._app.session.why_keep_fence())
            except Exception as error:  # noqa: BLE001 - the thread's edge: it has to reach the screen
                message = messages.ContainBroke(as_error(error, doing="reading both sides"))
            self._app.post_message(message)

        return self._begin(work, "reading both sides")
