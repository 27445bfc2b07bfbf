"""A real terminal for tests: tmux on a socket of its own, keys sent as typed, the screen read back."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_SECONDS = 90.0
"""How long a text is waited for; it is never slept for."""


class Terminal:
    """One tmux session."""

    def __init__(self, socket: str) -> None:
        self._socket = socket

    def screen(self) -> str:
        """What is on the screen now, without colours."""
        return self._tmux("capture-pane", "-p")

    def press(self, *keys: str) -> None:
        """Keys as tmux names them: `Enter`, `Escape`, `Down`, or characters."""
        self._tmux("send-keys", *keys)

    def wait_for(self, text: str, *, gone: bool = False) -> str:
        """The screen, once the text is on it (or gone from it). Fails with the screen as it was."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            screen = self.screen()
            if (text in screen) != gone:
                return screen
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"waited in vain for {text!r} to be {'gone' if gone else 'there'}:\n{screen}"
                )
            time.sleep(0.05)

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-L", self._socket, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def terminal(command: Sequence[str], *, columns: int, rows: int) -> Iterator[Terminal]:
    """Run a command of the product's environment in a terminal of this size, until the block is left."""
    if shutil.which("tmux") is None:
        raise AssertionError("tmux is missing: tests/debian-packages.txt names what the tests need")
    socket = f"abreast-{uuid.uuid4().hex[:12]}"
    told = shlex.join([sys.executable, "-m", *command])
    start = ["tmux", "-L", socket, "-f", os.devnull, "new-session", "-d", "-x", str(columns), "-y", str(rows)]
    environment = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
    shell = f"{told}; echo exit $?; exec sleep 600"
    subprocess.run([*start, shell], check=True, cwd=ROOT, env=environment)
    try:
        yield Terminal(socket)
    finally:
        subprocess.run(["tmux", "-L", socket, "kill-server"], check=False, capture_output=True)
