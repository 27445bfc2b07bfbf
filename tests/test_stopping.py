"""What goes on by itself ends in order, however it is told to, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from console.cli.stopping import until_told
from tests.cli import ROOT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_way_to_end_sets_the_event_and_is_given_back(number: signal.Signals) -> None:
    before = signal.signal(number, signal.default_int_handler)  # nohup ignores one
    try:
        with until_told() as stop:
            signal.raise_signal(number)
            assert stop.is_set()
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)


def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with until_told() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_sandbox_whose_terminal_is_closed_leaves_no_folder(tmp_path: Path) -> None:
    variables = os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "console", "sandbox", "--world", "empty"]
    pipe = subprocess.PIPE
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # what a child ignores is its parent's choice
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=variables)
    signal.signal(signal.SIGHUP, before)
    with process:
        try:
            assert process.stderr is not None
            said = next(line for line in process.stderr if "ctrl+c ends it" in line)
            assert said and list(tmp_path.iterdir())
            process.send_signal(signal.SIGHUP)
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert list(tmp_path.iterdir()) == []
