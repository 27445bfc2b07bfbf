"""The console ends when it is told to, and when its terminal is closed: in order, and surely."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.errors import EXIT_STOPPED
from sync.sandbox.worlds import blueprint_for, write_database
from tests.cli import ROOT, Access, Configured, configure
from tests.databases import free_port

PATIENCE = 90.0
STUCK = """
import signal, sys, threading
from console.ending import ended_by_signals
said = []
at_last = lambda: print("at last", len(said), flush=True)
with ended_by_signals(lambda: said.append(1), at_last=at_last, patience=0.2):
    print("ready", flush=True)
    while True:
        threading.Event().wait(60)
"""


@pytest.fixture
def lab(tmp_path: Path) -> Configured:
    """A CI database that is there, and a CloudStack that refuses every connection."""
    write_database(blueprint_for("drill"), tmp_path / "ci.sqlite")
    access = Access(f"http://127.0.0.1:{free_port()}/client/api", "k", "s")
    return configure(tmp_path / "lab", access, f"sqlite:///{tmp_path / 'ci.sqlite'}")


class Console:
    """A console in a pseudo-terminal of its own, as its session's leader."""

    def __init__(self, lab: Configured) -> None:
        self.process, self.master = pty.fork()
        if self.process == 0:
            os.chdir(lab.folder)
            command = [sys.executable, "-m", "console", "--config", str(lab.config)]
            os.execve(sys.executable, command, lab.variables | {"TERM": "xterm-256color"})
        self.seen = b""

    def read_until(self, text: bytes) -> None:
        until = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < until, self.seen[-2000:]
            self.read()

    def read(self) -> None:
        if select.select([self.master], [], [], 0.1)[0]:
            with contextlib.suppress(OSError):
                self.seen += os.read(self.master, 65536)

    def exit_code(self, *, reading: bool) -> int:
        until = time.monotonic() + PATIENCE
        while True:
            ended, status = os.waitpid(self.process, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < until, "it does not end"
            if reading:
                self.read()
            else:
                time.sleep(0.05)


@pytest.fixture
def console(lab: Configured) -> Iterator[Console]:
    made = Console(lab)
    yield made
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(made.process, signal.SIGKILL)
        os.waitpid(made.process, 0)
    with contextlib.suppress(OSError):
        os.close(made.master)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_gives_the_terminal_back(console: Console, number: signal.Signals) -> None:
    console.read_until(b"CI database")
    os.kill(console.process, number)
    assert console.exit_code(reading=True) == EXIT_STOPPED
    console.read()
    assert b"\x1b[?1049l" in console.seen, "the terminal's own screen is back"


@pytest.mark.parametrize("text", [b"\x1b[?1049h", b"CI database", b"refuses"])
def test_a_closed_terminal_ends_it_at_any_moment(console: Console, text: bytes) -> None:
    console.read_until(text)
    os.close(console.master)
    assert console.exit_code(reading=False) == EXIT_STOPPED


def test_what_cannot_end_in_order_ends_all_the_same() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == EXIT_STOPPED
    assert process.stdout.read() == "at last 1\n", "what nobody else clears away is cleared away"
    process.stdout.close()
