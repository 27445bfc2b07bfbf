"""The captures of an environment: taken by themselves after complete readings, remembered for the comparison,
and asked by screens. A store that cannot be used is no obstacle to reading: it says so, and why.

Imports nothing heavy.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sync.errors import CaptureError

if TYPE_CHECKING:
    from sync.capture import Capture
    from sync.capture_store import CaptureEntry, CaptureStore
    from sync.model import ActualInventory, Contents, DesiredInventory
    from sync.settings import Environment

BASELINE = timedelta(days=1)
"""How far back a domain that is empty now is compared with what it had."""
_MEMORY = timedelta(seconds=60)
"""How long the baseline is believed, and a store that cannot be read is left alone."""


class Captures:
    """Takes and finds the captures of one environment; usable from several threads."""

    def __init__(self, environment: Environment, *, clock: Callable[[], datetime]) -> None:
        self._environment = environment
        self._clock = clock
        self._lock = threading.RLock()
        self._store: CaptureStore | None = None
        self._last: datetime | None = None
        self._baseline: tuple[datetime, Mapping[str, Contents]] | None = None
        self.problem = ""
        """Why the last attempt to write or read captures failed; empty when it did not."""

    @property
    def is_on(self) -> bool:
        """Whether captures are taken by themselves."""
        return self._environment.capture.is_on and self._environment.captures is not None

    @property
    def store(self) -> CaptureStore:
        """The environment's captures, opened. Raises CaptureError."""
        with self._lock:
            if self._store is None:
                from sync.capture_store import CaptureStore

                path = self._environment.captures
                if path is None:
                    raise CaptureError(f"{self._environment.name} has no file for captures.")
                self._store = CaptureStore(path)
            return self._store

    def history(self) -> CaptureStore:
        """The captures that there are, for reading. Raises CaptureError where there are none yet."""
        path = self._environment.captures
        if path is None or not path.exists():
            raise CaptureError(
                f"Nothing of {self._environment.name} was captured yet.",
                next_step="The console and `abreast watch` do so after each complete refresh.",
            )
        return self.store

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
        with self._lock:
            if not self.is_on or why_not(capture) or not is_due(self._last, capture.taken_at, rules):
                return None
            with self._noting_problems():
                entry = self.store.add(capture, thinning=rules.thinning)
            self._last = capture.taken_at
            return entry

    def baseline(self) -> Mapping[str, Contents]:
        """Domain id → what it had in it when it last had VMs or templates, within a day.

        Blocks. Empty where the captures cannot be read: nothing is concluded then.
        """
        path = self._environment.captures
        with self._lock:
            now = self._clock()
            if self._baseline is not None and abs(now - self._baseline[0]) < _MEMORY:
                return self._baseline[1]
            found: Mapping[str, Contents] = {}
            if self.is_on and path is not None and path.exists():
                with suppress(CaptureError), self._noting_problems():
                    found = self.store.contents(now - BASELINE)
            self._baseline = (now, found)
            return found

    def last_captured(self, ids: Iterable[str]) -> dict[str, datetime]:
        """When each of these objects was last captured; without those that never were.

        Blocks; raises CaptureError.
        """
        path = self._environment.captures
        if path is None or not path.exists():
            return {}
        return self.store.last_captured(ids)

    @contextmanager
    def _noting_problems(self) -> Iterator[None]:
        try:
            yield
        except CaptureError as error:
            self.problem = str(error)
            raise
        self.problem = ""

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            if self._store is not None:
                self._store.close()
            self._store = None
