"""The incident of 28 July, rebuilt by the real command, which is killed with SIGKILL at random moments.

Started again on the same sandbox and ledger until it is done, it ends as one that nobody touched: nothing is
made twice, no password is lost. Where every step of the ledger is a moment, see test_sigkill.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import stat
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sync.cloudstack import Reader, Writer
from sync.credentials import CredentialFile
from sync.ledger import EntryKind, Ledger
from sync.model import Outcome, Scope
from sync.sandbox.access_log import VARIABLE
from sync.sandbox.incident import Access as Keys
from sync.sandbox.incident import july28
from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from sync.secret import Secret
from sync.settings import Credentials
from tests.cli import NETWORK, Access, Configured, configure

WORD = "lab\n"
CALLS = 260
"""Changing calls of a rebuild that nobody kills, at least."""
PATIENCE = 90.0
pytestmark = pytest.mark.xdist_group("rebuild killed")
"""They share what a rebuild leaves that nobody kills."""


@dataclass(frozen=True)
class Moment:
    """When to kill: so many seconds after so many changing calls of one process were answered."""

    calls: int
    seconds: float


def moments(seed: int) -> tuple[Moment, ...]:
    """One to three deaths of one rebuild; later ones come sooner, there is less left to do."""
    dice = random.Random(seed)
    first = Moment(dice.randint(1, CALLS), dice.uniform(0, 0.05))
    others = [
        Moment(dice.randint(1, 1 + (CALLS - first.calls) // 4), dice.uniform(0, 0.05))
        for _ in range(dice.randint(0, 2))
    ]
    return (first, *others)


class Incident:
    """A sandbox after the incident, and a configured abreast beside it."""

    def __init__(self, sandbox: SandboxProcess, configured: Configured, state: Path) -> None:
        self.sandbox = sandbox
        self.configured = configured
        self._state = state
        self._log = Path(os.environ[VARIABLE]) / f"sandbox-{sandbox.ready.pid}.jsonl"
        self.users_before = set(self._tables()["users"])

    def changing(self) -> list[dict[str, Any]]:
        """The product's changing calls so far, from the access log."""
        written = self._log.read_text(encoding="utf-8")
        # The sandbox may be in the middle of its last line.
        lines = written[: written.rfind("\n") + 1].splitlines()
        entries = (json.loads(line) for line in lines if '"client": "abreast/' in line)
        return [entry for entry in entries if entry["command"] in Writer.ALLOWED]

    def rebuild_and_die(self, moment: Moment) -> bool:
        """Whether it was killed; False where it had ended before its moment came."""
        target = len(self.changing()) + moment.calls
        process = self.configured.start("rebuild")
        assert process.stdin is not None
        process.stdin.write(WORD * 2)
        process.stdin.close()
        process.stdin = None
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and len(self.changing()) < target:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(moment.seconds)
        process.kill()
        _, said = process.communicate()
        assert "Traceback" not in said, said
        return process.returncode == -signal.SIGKILL

    def rebuild(self) -> None:
        """To its end."""
        ended = self.configured.run("rebuild", typed=WORD * 2)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert "verified: nothing is left to rebuild, both sides read anew" in ended.stdout
        assert "To repair it: abreast rebuild dune\n" in ended.stdout

    def made(self) -> Counter[tuple[str, str]]:
        """How often each creating call was answered with success."""
        return Counter(
            (entry["command"], entry["name"])
            for entry in self.changing()
            if entry["status"] == 200 and entry["command"].startswith("create")
        )

    def shape(self) -> list[tuple[str, ...]]:
        """Everything below the parent without its ids; sorted, so that what was made twice is there twice."""
        ready = self.sandbox.ready
        with Reader(Credentials(ready.url, Secret(ready.key), Secret(ready.secret))) as reader:
            found = reader.inventory(Scope("ROOT/ci"), limits=True)
        assert found.coverage.is_complete, found.coverage.why
        paths = {domain.id: domain.path for domain in found.domains}
        rows: list[tuple[str, ...]] = []
        for domain in found.domains:
            limits = sorted((domain.limits or {}).items())
            rows.append(("domain", domain.path, str(domain.network_domain), str(limits)))
        for account in found.accounts:
            where = paths[account.domain_id]
            rows.append(("account", where, account.name, account.state, account.role))
            for user in account.users:
                person = (user.email, user.firstname, user.lastname)
                rows.append(("user", where, account.name, user.username, user.state, *person))
        rows.extend(("network", network.domain_path, network.name) for network in found.networks)
        # What was renamed out of the way goes on dying at its own pace.
        return sorted(row for row in rows if "-deleted-" not in row[1])

    def assert_record(self) -> None:
        """The ledger is whole, nothing in it is open, and what was unknown has been found out."""
        with Ledger(self.configured.ledger, environment="lab") as ledger:
            assert ledger.verify().is_sound
            assert ledger.interrupted_run() is None
            last = {
                entry.payload["action"]: entry.payload["outcome"]
                for entry in ledger.entries(kinds=[EntryKind.OUTCOME])
            }
        assert set(last.values()) == {Outcome.SUCCEEDED.value}

    def assert_passwords(self) -> None:
        """The password that CloudStack has for every new user is in the file that only we can read.

        Ends the sandbox: its state, hashes of passwords included, is on the disk then.
        """
        self.sandbox.stop()
        file = self.configured.passwords
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        kept = {(one.account, one.username): one.password for one in CredentialFile(file).credentials()}
        tables = self._tables()
        new = [
            user
            for id, user in tables["users"].items()
            if id not in self.users_before and not user["removed"]
        ]
        assert len(new) > 50
        for user in new:
            account = tables["accounts"][user["account_id"]]["name"]
            salt, _, digest = user["password"].partition(":")
            password = kept.pop((account, user["username"]))
            assert hashlib.sha256((salt + password).encode()).hexdigest() == digest, user["username"]
        assert kept == {}

    def _tables(self) -> dict[str, dict[str, dict[str, Any]]]:
        deadline = time.monotonic() + PATIENCE
        while True:
            tables: dict[str, dict[str, dict[str, Any]]] = json.loads(self._state.read_bytes())["tables"]
            if any(user["username"] == "ci-sync" for user in tables["users"].values()):
                return tables
            assert time.monotonic() < deadline
            time.sleep(0.1)


@contextmanager
def incident(folder: Path) -> Iterator[Incident]:
    """A sandbox in which 28 July has just happened."""
    state, database = folder / "state.json", folder / "ci.sqlite"
    write_database(blueprint_for("drill"), database)
    with SandboxProcess.start(world="drill", speed=50, state=state, service_times=False) as sandbox:
        ready = sandbox.ready
        july28(Keys(ready.url, ready.key, ready.secret, ready.token), sandbox.control, database)
        access = Access(ready.url, ready.key, ready.secret)
        yield Incident(sandbox, configure(folder, access, f"sqlite:///{database}", more=NETWORK), state)


@dataclass(frozen=True)
class Ended:
    shape: list[tuple[str, ...]]
    made: Counter[tuple[str, str]]


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """What a rebuild that nobody kills leaves behind."""
    with incident(tmp_path_factory.mktemp("untouched")) as one:
        one.rebuild()
        assert len(one.changing()) > CALLS
        ended = Ended(one.shape(), one.made())
        one.assert_record()
        one.assert_passwords()
    return ended


def die_and_go_on(folder: Path, untouched: Ended, *deaths: Moment) -> None:
    with incident(folder) as one:
        died = [one.rebuild_and_die(moment) for moment in deaths]
        assert died[0]
        one.rebuild()
        assert one.shape() == untouched.shape
        assert one.made() == untouched.made
        one.assert_record()
        one.assert_passwords()


@pytest.mark.parametrize("seed", [28, 7, 2017])
def test_killed_at_random_moments(tmp_path: Path, untouched: Ended, seed: int) -> None:
    die_and_go_on(tmp_path, untouched, *moments(seed))


@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", range(100, 120))
def test_killed_at_many_random_moments(tmp_path: Path, untouched: Ended, seed: int) -> None:
    die_and_go_on(tmp_path, untouched, *moments(seed))
