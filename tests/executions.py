"""Another process that executes a run on a ledger, one step at a time, as the test tells it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sync.lease import process_identity

EXECUTION = """
import json, sys
from sync.ledger import Ledger, RunState
url, environment, payload = sys.argv[1:]
with Ledger(url, environment=environment, operator="anna@desk") as ledger:
    with ledger.lease("anna@desk"):
        print("guarding", flush=True)
        if sys.stdin.readline().strip() == "resume":
            ledger.resume_run("run-1", {"confirmed": {"by": "anna@desk"}})
        else:
            given = json.loads(payload)
            total = len(given["plan"]["actions"]) or 3
            ledger.begin_run("run-1", given, digest="", total=total)
        print("running", flush=True)
        state = RunState[sys.stdin.readline().strip()]
        ledger.end_run("run-1", {"why": ""}, state=state, counts={})
"""
"""By anna@desk, run-1: `begin` or `resume`, then how it ends."""


_NOTHING = {"plan": {"actions": []}, "policy": "rebuild", "confirmed": {"by": "anna@desk"}}


class Execution:
    """The process; it holds the lease from the beginning."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self.pid = child.pid
        self._expect("guarding")

    def begin(self) -> None:
        """Start run-1."""
        self._say("begin")
        self._expect("running")

    def resume(self) -> None:
        """Go on with run-1."""
        self._say("resume")
        self._expect("running")

    def end(self, state: str) -> None:
        """Let the run end as FINISHED or STOPPED, and the process with it."""
        self._say(state)
        assert self._child.wait(30) == 0

    def kill(self) -> None:
        """With SIGKILL. Not waited for: a zombie is dead too."""
        self._child.send_signal(signal.SIGKILL)
        while process_identity(self.pid) is not None:
            pass

    def _say(self, line: str) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()

    def _expect(self, line: str) -> None:
        assert self._child.stdout is not None
        assert self._child.stdout.readline().strip() == line


@contextmanager
def execution(url: str, *, environment: str = "drill", payload: Any = None) -> Iterator[Execution]:
    """`payload` is the run's first entry, by default of a plan of nothing."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", EXECUTION, url, environment, json.dumps(payload or _NOTHING)]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as child:
        try:
            yield Execution(child)
        finally:
            child.kill()
