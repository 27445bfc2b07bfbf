"""Destroyed VMs recovered by a process that is killed with SIGKILL at any step, and by the one after it.

Against a live sandbox in a process of its own: each VM is back under its id, each call was made once, and the
record is whole.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sync.ledger import EntryKind, Ledger
from sync.model import Outcome
from sync.sandbox import persistence
from sync.sandbox.naive_sync import Client
from sync.sandbox.process import SandboxProcess
from tests.engine_cloud import EngineCloud
from tests.restores import lab
from tests.scenarios.killed_rebuild import Task

DESTROYED = ("aurora-1", "aurora-3", "boreal-1")
STEPS = 2 * (2 + 3 * len(DESTROYED) + len(DESTROYED))
"""Around the run's two entries, the three of each action, and each call."""
SLICE = (5, 6, 15)
"""The steps that a plain run dies at: an intent written, a call answered that nobody noted, a later one."""


@dataclass
class World:
    """One sandbox for all deaths, and a hand that destroys the same VMs before each."""

    sandbox: SandboxProcess
    hand: Client

    def machines(self) -> dict[str, tuple[str, str]]:
        """Name → id and state of every VM."""
        rows = self.hand.call("listVirtualMachines", listall="true")["virtualmachine"]
        found = {row["name"]: (row["id"], row["state"]) for row in rows}
        assert len(found) == len(rows), "nothing is there twice"
        return found

    def destroy(self) -> dict[str, tuple[str, str]]:
        """What the machines are once those are Destroyed."""
        for name in DESTROYED:
            job = self.hand.call("destroyVirtualMachine", id=self.machines()[name][0])["jobid"]
            end = time.monotonic() + 60
            while self.hand.call("queryAsyncJobResult", jobid=job)["jobstatus"] == 0:
                assert time.monotonic() < end, f"{name} is not destroyed"
        return self.machines()

    def recoveries(self) -> list[Any]:
        """The ids that a recovery was asked for and answered, in order."""
        return [
            entry["target"]
            for entry in self.sandbox.control.log()
            if entry["command"] == "recoverVirtualMachine" and entry["status"] == 200
        ]

    def run(self, folder: Path, *, kill_at: int = 0) -> subprocess.CompletedProcess[str]:
        ready = self.sandbox.ready
        return subprocess.run(
            [sys.executable, "-m", "tests.scenarios.killed_undelete"],
            input=json.dumps(asdict(Task(ready.url, ready.key, ready.secret, str(folder), "", kill_at))),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    state = tmp_path_factory.mktemp("sandbox") / "world.json"
    persistence.save(EngineCloud(lab(), start=datetime.now(UTC)).world, state)
    with SandboxProcess.start(state=state, speed=20, service_times=False) as sandbox:
        ready = sandbox.ready
        hand = Client(endpoint=ready.url, key=ready.key, secret=ready.secret, token=ready.token)
        with closing(hand):
            yield World(sandbox, hand)


def die_and_go_on(world: World, folder: Path, *, kill_at: int) -> None:
    before, asked = world.destroy(), len(world.recoveries())
    assert {before[name][1] for name in DESTROYED} == {"Destroyed"}
    died = world.run(folder, kill_at=kill_at)
    assert died.returncode == -signal.SIGKILL, died.stderr
    finished = world.run(folder)
    assert finished.returncode == 0, finished.stderr
    wanted = {name: (id, "Stopped" if name in DESTROYED else state) for name, (id, state) in before.items()}
    assert world.machines() == wanted
    assert sorted(world.recoveries()[asked:]) == sorted(before[name][0] for name in DESTROYED)
    with Ledger(f"sqlite:///{folder / 'ledger.sqlite'}", environment="drill") as ledger:
        assert ledger.verify().is_sound
        assert ledger.interrupted_run() is None
        outcomes = {entry.payload["outcome"] for entry in ledger.entries(kinds=[EntryKind.OUTCOME])}
        assert outcomes == {Outcome.SUCCEEDED.value}


def test_a_recovery_that_nobody_kills_has_so_many_steps(world: World, tmp_path: Path) -> None:
    world.destroy()
    done = world.run(tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, str(STEPS)), done.stderr


@pytest.mark.parametrize("kill_at", SLICE)
def test_killed_at_a_step(world: World, tmp_path: Path, kill_at: int) -> None:
    die_and_go_on(world, tmp_path, kill_at=kill_at)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kill_at", range(1, STEPS + 1))
def test_killed_at_every_step(world: World, tmp_path: Path, kill_at: int) -> None:
    die_and_go_on(world, tmp_path, kill_at=kill_at)
