"""The console ends when it is told to, and when its terminal is closed: in order, and surely."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sync.cloudstack.capabilities import READING_CALLS
from sync.errors import EXIT_DONE, EXIT_STOPPED
from sync.sandbox.worlds import blueprint_for, write_database
from tests.cli import ROOT, Access, Configured, configure
from tests.cloudstack_server import Heard, Reply, Server, wrapped
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
    """A CloudStack that refuses every connection."""
    return lab_at(f"http://127.0.0.1:{free_port()}/client/api", tmp_path)


def lab_at(url: str, folder: Path) -> Configured:
    """A CI database that is there, and a CloudStack at that address."""
    write_database(blueprint_for("drill"), folder / "ci.sqlite")
    return configure(folder / "lab", Access(url, "k", "s"), f"sqlite:///{folder / 'ci.sqlite'}")


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
        self.read_while(lambda: text not in self.seen)

    def read_while(self, is_missing: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while is_missing():
            assert time.monotonic() < until, self.seen[-2000:]
            self.read()

    def read(self) -> None:
        if select.select([self.master], [], [], 0.1)[0]:
            with contextlib.suppress(OSError):
                self.seen += os.read(self.master, 65536)

    def end(self) -> None:
        """However it goes: no process and no terminal is left."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        with contextlib.suppress(OSError):
            os.close(self.master)

    def press(self, key: str) -> None:
        os.write(self.master, key.encode())

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


@contextlib.contextmanager
def console_on(lab: Configured) -> Iterator[Console]:
    made = Console(lab)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def console(lab: Configured) -> Iterator[Console]:
    with console_on(lab) as made:
        yield made


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


@pytest.mark.parametrize("hangs_at", ["the lists", "a look at the deletions"])
def test_quitting_does_not_wait_for_a_server_that_accepts_and_never_answers(
    tmp_path: Path, hangs_at: str
) -> None:
    """The calls' own time-out is longer than the test's patience: one that is waited for fails it."""
    is_over = threading.Event()
    apis = [{"name": name} for name in ("getUser", *READING_CALLS)]

    def answer(heard: Heard) -> Reply:
        if hangs_at == "the lists" and "page" not in heard.params:
            return Reply(body=wrapped(heard.command, api=apis))
        is_over.wait()
        return Reply(None)

    with Server(answer) as server:
        lab = lab_at(server.endpoint, tmp_path)
        with (lab.folder / "cloudstack.ini").open("a") as ini:
            ini.write(f"timeout = {10 * PATIENCE:.0f}\n")
        try:
            with console_on(lab) as console:
                console.read_until(b"contain")
                if hangs_at == "the lists":
                    console.read_while(lambda: not any("page" in one.params for one in server.heard))
                else:
                    console.read_while(lambda: not server.heard)
                    console.press("!")
                    console.read_until(b"Looking at events")
                console.press("q")
                assert console.exit_code(reading=True) == EXIT_DONE
        finally:
            is_over.set()


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
