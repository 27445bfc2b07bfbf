"""A rebuild killed with SIGKILL at any step, and started again, ends as one that nobody touched.

Against a live sandbox in a process of its own: nothing is made twice, and the passwords that CloudStack has
are the ones in the file.
"""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from sync.cloudstack import Reader
from sync.credentials import CredentialFile
from sync.ledger import EntryKind, Ledger
from sync.model import ActualInventory, DriftKind, Outcome
from sync.sandbox.process import SandboxProcess
from tests.scenarios.killed_rebuild import Task, credentials_of, desired_of, drift_of

ACTIONS = 12
STEPS = 2 * (2 + 3 * ACTIONS + ACTIONS + 4)
"""Around the run's two entries, the three of each action, each call, and each of four passwords."""

SLICE = sorted(random.Random(28).sample(range(1, STEPS + 1), 6))
"""The steps that a plain run dies at."""


class World:
    """One sandbox for all deaths; every lab in it has names of its own."""

    def __init__(self, sandbox: SandboxProcess, state: Path) -> None:
        self.sandbox = sandbox
        self.state = state

    def task(self, folder: Path, tag: str, *, kill_at: int = 0) -> Task:
        ready = self.sandbox.ready
        return Task(ready.url, ready.key, ready.secret, str(folder), tag, kill_at)

    def passwords(self, users: set[str]) -> dict[str, str]:
        """User name → salted hash, once the sandbox has written its state with all of these users."""
        deadline = time.monotonic() + 30
        while True:
            state = json.loads(self.state.read_text(encoding="utf-8"))
            found = {user["username"]: user["password"] for user in state["tables"]["users"].values()}
            if users <= found.keys():
                return {name: found[name] for name in users}
            assert time.monotonic() < deadline, f"the sandbox never wrote {users - found.keys()}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    state = tmp_path_factory.mktemp("sandbox") / "state.json"
    with SandboxProcess.start(world="empty", speed=50, state=state) as sandbox:
        yield World(sandbox, state)


@pytest.fixture(scope="module", autouse=True)
def untouched(world: World, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, ...]]:
    """What a rebuild that nobody kills leaves behind; it also makes the parent that all labs share."""
    folder = tmp_path_factory.mktemp("untouched")
    first = run(world.task(folder, "first"))
    assert first.returncode == 0, first.stderr
    second = run(world.task(folder, "other"))
    assert (second.returncode, second.stdout.strip()) == (0, str(STEPS)), second.stderr
    assert_sound(world, folder, "other")
    return shape(world, "other")


def run(task: Task) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.scenarios.killed_rebuild"],
        input=json.dumps(asdict(task)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def inventory(world: World, tag: str) -> ActualInventory:
    with Reader(credentials_of(world.task(Path(), tag))) as reader:
        found = reader.inventory(desired_of(tag).scope, limits=True)
    assert found.coverage.is_complete, found.coverage.why
    return found


def shape(world: World, tag: str) -> list[tuple[str, ...]]:
    """Everything of one lab without its ids; sorted, so that something made twice is there twice."""
    found = inventory(world, tag)
    rows: list[tuple[str, ...]] = []
    for domain in found.domains:
        limits = (domain.limits or {}).get("vm")
        rows.append(("domain", domain.path, str(domain.network_domain), str(limits)))
    for account in found.accounts:
        rows.append(("account", account.name, account.state, account.role))
        rows.extend(("user", account.name, user.username, user.state, user.email) for user in account.users)
    rows.extend(("network", network.domain_path, network.name) for network in found.networks)
    return sorted(tuple(value.replace(tag, "TAG") for value in row) for row in rows)


def assert_sound(world: World, folder: Path, tag: str) -> None:
    """Nothing made twice, no password lost, nothing left open, the record whole."""
    made = Counter(
        entry["command"]
        for entry in world.sandbox.control.log()
        if entry["status"] == 200 and entry["command"].startswith("create") and tag in entry["name"]
    )
    assert made == {"createDomain": 2, "createAccount": 2, "createUser": 2, "createNetwork": 2}
    with Reader(credentials_of(world.task(folder, tag))) as reader:
        assert {row.kind for row in drift_of(reader, tag).rows} == {DriftKind.IN_SYNC}
    assert_passwords(world, folder, tag)
    with Ledger(f"sqlite:///{folder / 'ledger.sqlite'}", environment="drill") as ledger:
        assert ledger.verify().is_sound
        assert ledger.interrupted_run() is None
        outcomes = {entry.payload["outcome"] for entry in ledger.entries(kinds=[EntryKind.OUTCOME])}
        assert outcomes == {Outcome.SUCCEEDED.value}


def assert_passwords(world: World, folder: Path, tag: str) -> None:
    in_file = {
        one.username: one.password
        for one in CredentialFile(folder / "passwords.jsonl").credentials()
        if tag in one.username
    }
    assert len(in_file) == 4
    for username, kept in world.passwords(set(in_file)).items():
        salt, _, digest = kept.partition(":")
        assert hashlib.sha256((salt + in_file[username]).encode()).hexdigest() == digest, username


def die_and_go_on(world: World, folder: Path, tag: str, *, kill_at: int) -> None:
    died = run(world.task(folder, tag, kill_at=kill_at))
    assert died.returncode == -signal.SIGKILL, died.stderr
    finished = run(world.task(folder, tag))
    assert finished.returncode == 0, finished.stderr


@pytest.mark.parametrize("kill_at", SLICE)
def test_killed_at_a_step(
    world: World, untouched: list[tuple[str, ...]], tmp_path: Path, kill_at: int
) -> None:
    die_and_go_on(world, tmp_path, f"s{kill_at:03}", kill_at=kill_at)
    assert shape(world, f"s{kill_at:03}") == untouched
    assert_sound(world, tmp_path, f"s{kill_at:03}")


@pytest.mark.exhaustive
@pytest.mark.parametrize("kill_at", range(1, STEPS + 1))
def test_killed_at_every_step(
    world: World, untouched: list[tuple[str, ...]], tmp_path: Path, kill_at: int
) -> None:
    die_and_go_on(world, tmp_path, f"e{kill_at:03}", kill_at=kill_at)
    assert shape(world, f"e{kill_at:03}") == untouched
    assert_sound(world, tmp_path, f"e{kill_at:03}")


def test_killed_again_and_again(world: World, untouched: list[tuple[str, ...]], tmp_path: Path) -> None:
    """Every start gets a little further; at last one lives."""
    deaths = 0
    while (child := run(world.task(tmp_path, "again", kill_at=23))).returncode != 0:
        assert child.returncode == -signal.SIGKILL, child.stderr
        deaths += 1
        assert deaths < 20
    assert deaths >= 3
    assert shape(world, "again") == untouched
    assert_sound(world, tmp_path, "again")
