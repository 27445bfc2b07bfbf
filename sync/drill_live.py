"""The naive synchronization while the drill is open: in a thread of its own, at the practice cloud's pace.

It stops where it is when the drill ends, or when it is refused: that is what a fence does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime

import httpx

from sync.drill import Drill
from sync.sandbox.incident import SPARED, client_of
from sync.sandbox.naive_sync import CallRefused, SyncAborted, SyncLog, synchronize
from sync.sandbox.process import SandboxError
from sync.sandbox.worlds.lab import LIMITED_TO

PRODUCT = "abreast/"
"""How the User-Agent of whoever watches begins."""
DELAY_SECONDS = 60.0
"""Of the practice cloud, between the first reading and the first deletion."""
_LOOK_SECONDS = 0.5


class LiveSync:
    """One run of the synchronization. `stop` it before the drill ends."""

    def __init__(
        self, drill: Drill, *, only: str | None, on_end: Callable[[str], None] = lambda _: None
    ) -> None:
        """`only` limits it to one project; without, it takes all of them, by their stored ids. `on_end` is
        told in a sentence, from its thread, how it ended; not when it was stopped."""
        self.log = SyncLog()
        self.submitted_at: float | None = None
        """When its first deletion had been submitted, by the monotonic clock."""
        self.ending = ""
        """How it ended, in a sentence."""
        self._drill = drill
        self._only = only
        self._on_end = on_end
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="naive sync", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def start_when_watched(self) -> None:
        """Begin a minute of the practice cloud after somebody with the product has read it for the first
        time from now on."""
        opened = datetime.fromisoformat(self._drill.control.now())
        waiting = threading.Thread(target=self._wait, args=(opened,), name="naive sync waits", daemon=True)
        waiting.start()

    def stop(self) -> None:
        """End it where it is; whatever it has submitted goes on."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended by itself within so many real seconds."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _wait(self, opened: datetime) -> None:
        while not self._stop.wait(_LOOK_SECONDS):
            try:
                calls = self._drill.control.log(limit=50)
            except SandboxError:
                return
            if any(
                one["client"].startswith(PRODUCT) and datetime.fromisoformat(one["time"]) > opened
                for one in calls
            ):
                break
        if not self._stop.wait(DELAY_SECONDS / self._drill.speed):
            self.start()

    def _run(self) -> None:
        if self._stop.is_set():
            return
        try:
            self._synchronize()
            self.ending = self._ended()
        except CallRefused as refusal:
            self.ending = f"The naive sync was refused, and has given up: {refusal}"
        except httpx.HTTPError:
            self.ending = "The naive sync could not reach the practice cloud any more."
        if not self._stop.is_set():
            self._on_end(self.ending)

    def _synchronize(self) -> None:
        client = client_of(self._drill.keys)
        try:
            synchronize(
                client,
                self._drill.ci_database,
                parent=self._drill.environment.parent,
                only=self._only,
                spared=SPARED,
                pause=self._pause,
                log=self.log,
            )
        finally:
            client.close()

    def _pause(self, seconds: float, _domain: str) -> None:
        if self.submitted_at is None:
            self.submitted_at = time.monotonic()
        if self._stop.wait(seconds / self._drill.speed):
            raise SyncAborted

    def _ended(self) -> str:
        log = self.log
        lost = f"deleted {len(log.deleted)} domains" if log.deleted else "deleted nothing"
        return f"The naive sync is through: {len(log.bound)} domains were bound to projects, it {lost}."


def limited(drill: Drill, *, on_end: Callable[[str], None] = lambda _: None) -> LiveSync:
    """The sync as on 28 July: limited to one project."""
    return LiveSync(drill, only=LIMITED_TO, on_end=on_end)


def of_every_day(drill: Drill, *, on_end: Callable[[str], None] = lambda _: None) -> LiveSync:
    """The sync of all projects, which finds domains by the ids that the CI database stores."""
    return LiveSync(drill, only=None, on_end=on_end)
