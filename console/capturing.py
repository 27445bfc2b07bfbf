"""The captures of an environment: taken by themselves after complete readings, remembered for the comparison,
and asked by screens. A store that cannot be used is no obstacle to reading: it says so, and why.

Imports nothing heavy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sync.errors import CaptureError

if TYPE_CHECKING:
    from sync.capture import Capture
    from sync.capture_store import CaptureEntry, CaptureStore
    from sync.model import ActualInventory, Contents, DesiredInventory
    from sync.radius import Radius
    from sync.settings import Environment

_PATIENCE_SECONDS = 2.0
"""How long closing waits for a capture that is being written."""
_MEMORY = timedelta(seconds=60)
"""How long the baseline is believed, and a store that cannot be read is left alone."""


class Captures:
    """Takes and finds the captures of one environment; usable from several threads."""

    def __init__(self, environment: Environment, *, clock: Callable[[], datetime]) -> None:
        self._environment = environment
        self._clock = clock
        self._writing = threading.RLock()
        self._reading = threading.RLock()
        """Two locks and two connections: a capture that takes long to write holds up no comparison."""
        self._store: CaptureStore | None = None
        self._history: CaptureStore | None = None
        self._last: datetime | None = None
        self._seen: datetime | None = None
        """When the reading of CloudStack was taken that was captured last."""
        self._is_closed = False
        self._baseline: tuple[datetime, Mapping[str, Contents]] | None = None
        self.problem = ""
        """Why the last capture failed; empty when it did not."""
        self.baseline_problem = ""
        """Why nothing is remembered of what domains had in them; empty when it is."""

    @property
    def is_on(self) -> bool:
        """Whether captures are taken by themselves."""
        return self._environment.capture.is_on and self._environment.captures is not None

    @property
    def exist(self) -> bool:
        """Whether anything was ever captured."""
        path = self._environment.captures
        return path is not None and path.exists()

    @property
    def history(self) -> CaptureStore:
        """The captures that there are, for reading. Raises CaptureError where there are none yet."""
        with self._reading:
            if self._history is None:
                from sync.capture_store import CaptureStore

                path = self._environment.captures
                if path is None or not path.exists():
                    raise CaptureError(
                        f"Nothing of {self._environment.name} was captured yet.",
                        next_step="The console and `abreast watch` do so after each complete refresh.",
                    )
                self._history = CaptureStore(path, read_only=True)
            return self._history

    def _writable(self) -> CaptureStore:
        with self._writing:
            if self._store is None:
                from sync.capture_store import CaptureStore

                path = self._environment.captures
                assert path is not None, "`is_on` was asked"
                self._store = CaptureStore(path)
            return self._store

    def make(self, desired: DesiredInventory, actual: ActualInventory) -> Capture:
        """Both sides as a capture of this environment."""
        from sync.capture import captured

        return captured(self._environment.name, desired, actual, network=self._environment.network)

    def offer(self, desired: DesiredInventory, actual: ActualInventory) -> CaptureEntry | None:
        """Stores the pair where it is complete, of the same minute, and a capture is due; None where not.

        Blocks; raises CaptureError, which `problem` keeps until a capture succeeds.
        """
        from sync.capture_schedule import is_due, why_not

        rules = self._environment.capture
        capture = self.make(desired, actual)
        with self._writing:
            if (
                self._is_closed
                or not self.is_on
                or why_not(capture)
                or not is_due(self._last, capture.taken_at, rules)
            ):
                return None
            if self._seen is not None and actual.taken_at <= self._seen:
                # The CI database was read anew beside the same reading of CloudStack.
                return None
            try:
                entry = self._writable().add(capture, thinning=rules.thinning)
            except CaptureError as error:
                self.problem = str(error)
                raise
            self.problem = ""
            self._last, self._seen = capture.taken_at, actual.taken_at
            return entry

    def baseline(self) -> Mapping[str, Contents]:
        """Domain id → what it had in it when it last had VMs or templates, within a day.

        Blocks. Empty where the captures cannot be read: nothing is concluded then.
        """
        with self._reading:
            now = self._clock()
            if self._baseline is not None and abs(now - self._baseline[0]) < _MEMORY:
                return self._baseline[1]
            found: Mapping[str, Contents] = {}
            if self.is_on and self.exist:
                from sync.hollow import BASELINE

                try:
                    found = self.history.contents(now - BASELINE)
                    self.baseline_problem = ""
                except CaptureError as error:
                    self.baseline_problem = str(error)
            self._baseline = (now, found)
            return found

    def last_captured(self, ids: Iterable[str]) -> dict[str, datetime]:
        """When each of these objects was last captured; without those that never were.

        Blocks; raises CaptureError.
        """
        return self.history.last_captured(ids) if self.exist else {}

    def described(self, radius: Radius) -> Radius:
        """The radius, saying of what is known nowhere else when it was captured last; a note where that is
        not known. Blocks."""
        from sync.radius import with_captures

        try:
            return with_captures(radius, self.last_captured(row.id for row in radius.objects if row.id))
        except CaptureError as error:
            return replace(radius, notes=(*radius.notes, f"what captures know is not told: {error}"))

    def close(self) -> None:
        """Lets go of the file, and writes no more. A capture that is being written is not waited for."""
        self._is_closed = True
        with self._reading:
            if self._history is not None:
                self._history.close()
            self._history = None
        if self._writing.acquire(timeout=_PATIENCE_SECONDS):
            try:
                if self._store is not None:
                    self._store.close()
                self._store = None
            finally:
                self._writing.release()
