"""How the threads of an execution wait for a server that is busy, silent or restarting, and what they tell.

A call that changes nothing is asked again until it is answered or patience ends; what was refused with 429
was not carried out, and is waited for alike. Nothing here repeats a changing call: reading decides that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sync.errors import AbreastError, OutcomeUnknownError, ThrottledError, UnreachableError

Answer = TypeVar("Answer")

THROTTLED = "429: CloudStack throttles"
SILENT = "no answer in time, or the server is not ready"

TRIES = 3
"""So often a call is repeated even after a stop: a hiccup leaves nothing unknown."""

_WAITS = (0.5, 1.0, 2.0, 4.0)
_LONGEST_WAIT = 5.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server could not be asked, or did not want to be, just now."""

    why: str
    """THROTTLED or SILENT."""
    retry_after_seconds: float = 0.0


class Patience:
    """Of one execution. All its threads share it."""

    def __init__(
        self,
        seconds: float,
        *,
        stop: threading.Event,
        sleep: Callable[[float], None],
        clock: Callable[[], datetime],
        on_change: Callable[[bool], None],
    ) -> None:
        """`seconds` is how long a server that does not answer is waited for, in all, by each call.

        `on_change` is called by the thread that is the first to wait for a silent server, and by the last.
        """
        self.seconds = seconds
        self.ended_because = ""
        """Why waiting was given up; empty while it was not. Nothing more is worth sending then."""
        self._stop = stop
        self._sleep = sleep
        self._clock = clock
        self._on_change = on_change
        self._lock = threading.Lock()
        self._refusals: list[Refusal] = []
        self._waiting: dict[int, str] = {}
        """What keeps a thread waiting, by its id."""

    # --- told to whoever schedules ------------------------------------------------------------------------

    def refusals(self) -> list[Refusal]:
        """What was refused since this was last asked."""
        with self._lock:
            taken, self._refusals = self._refusals, []
            return taken

    @property
    def waits_for(self) -> str:
        """Why the server is being waited for, in its own words; empty while it answers."""
        with self._lock:
            return next(iter(self._waiting.values()), "")

    def note(self, error: AbreastError) -> None:
        """A call was refused for now, or not answered: too much is asked of the server."""
        if isinstance(error, ThrottledError):
            refusal = Refusal(THROTTLED, error.retry_after_seconds)
        elif isinstance(error, UnreachableError):
            refusal = Refusal(SILENT, error.retry_after_seconds)
        elif isinstance(error, OutcomeUnknownError):
            refusal = Refusal(SILENT)
        else:
            return
        with self._lock:
            self._refusals.append(refusal)

    def _silent(self, why: str) -> None:
        """This thread waits for a server that is silent, or (without a reason) does not any more."""
        with self._lock:
            was_waiting = bool(self._waiting)
            self._waiting.pop(threading.get_ident(), None)
            if why:
                self._waiting[threading.get_ident()] = why
            is_waiting = bool(self._waiting)
        if was_waiting != is_waiting:
            self._on_change(is_waiting)

    # --- waiting ------------------------------------------------------------------------------------------

    def ask(self, call: Callable[[], Answer]) -> Answer:
        """The answer to a call that changes nothing, asked again while the server is busy or silent.

        Raises SourceError: what the last try said when patience has ended, or after a stop.
        """
        wait = Wait(self)
        try:
            while True:
                try:
                    return call()
                except (ThrottledError, UnreachableError) as error:
                    if not wait.on(error):
                        raise
        finally:
            wait.end()

    def wait(self) -> Wait:
        """The waiting of one action for one call of its own; to be ended."""
        return Wait(self)


class Wait:
    """One thread's waiting for one answer."""

    def __init__(self, patience: Patience) -> None:
        self._of = patience
        self._began = patience._clock()
        self._waited = 0.0
        self._tries = 0

    def on(self, error: ThrottledError | UnreachableError) -> bool:
        """Wait before the next try; False, without waiting, where there shall be none."""
        of = self._of
        of.note(error)
        spent = max(self._waited, (of._clock() - self._began).total_seconds())
        if self._tries >= TRIES and (of._stop.is_set() or of.ended_because):
            return False
        if spent >= of.seconds:
            of.ended_because = of.ended_because or f"CloudStack was waited for {spent:.0f} s in vain: {error}"
            return False
        if isinstance(error, UnreachableError) and self._tries:
            of._silent(error.what)
        wait = _WAITS[self._tries] if self._tries < len(_WAITS) else _LONGEST_WAIT
        wait = max(wait, min(error.retry_after_seconds, of.seconds))
        self._tries += 1
        self._waited += wait
        of._sleep(wait)
        return True

    def end(self) -> None:
        """Answered, or given up."""
        if self._tries:
            self._of._silent("")
