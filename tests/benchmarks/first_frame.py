"""The first frame of `abreast` against that of a Textual app with a single Static, in the same run."""

from __future__ import annotations

import os
import pty
import select
import signal
import statistics
import sys
import time
from pathlib import Path

STATIC = """
from textual.app import App
from textual.widgets import Static
class Single(App):
    def compose(self):
        yield Static("FIRST FRAME")
Single().run()
"""
CONSOLE = """
import sys
sys.argv = ["abreast", "--config", "{configuration}"]
from console.__main__ import main
main()
"""
CONFIGURATION = """
[environments.qualification]
title = "FIRST FRAME"
[environments.qualification.cloudstack]
file = "{folder}/cloudstack.ini"
read = "reader"
[environments.qualification.ci_database]
url = "sqlite:///{folder}/ci.sqlite"
"""
CREDENTIALS = "[reader]\nendpoint = http://127.0.0.1:9/client/api\nkey = key\nsecret = secret\n"
ROUNDS = 9


def seconds_to_first_frame(code: str, *, bytecode: Path) -> float:
    """From the start of the process to the moment when its words stand on a terminal of 120x40.

    Modules are compiled once, into `bytecode`, as on any machine where it was started before.
    """
    environment = dict(os.environ, TERM="xterm-256color", COLUMNS="120", LINES="40")
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(bytecode)
    start = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-c", code], environment)
    seen = b""
    try:
        while b"FIRST FRAME" not in seen:
            ready, _, _ = select.select([terminal], [], [], 30)
            assert ready, f"no frame: {seen[-400:]!r}"
            try:
                seen += os.read(terminal, 65536)
            except OSError as error:
                raise AssertionError(f"it ended before its first frame: {seen[-400:]!r}") from error
        return time.perf_counter() - start
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


def measure(folder: Path) -> tuple[float, float]:
    """Seconds to the first frame of one Static and of `abreast`, by turns: medians of nine."""
    configuration, credentials = folder / "abreast.toml", folder / "cloudstack.ini"
    configuration.write_text(CONFIGURATION.format(folder=folder))
    credentials.touch(mode=0o600)
    credentials.write_text(CREDENTIALS)
    console = CONSOLE.format(configuration=configuration)
    times: dict[str, list[float]] = {STATIC: [], console: []}
    for _ in range(1 + ROUNDS):
        for code, seconds in times.items():
            seconds.append(seconds_to_first_frame(code, bytecode=folder / "bytecode"))
    static, own = (statistics.median(seconds[1:]) for seconds in times.values())
    return static, own
