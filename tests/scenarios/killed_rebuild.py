"""The child of test_sigkill: rebuilds a small lab and kills itself with SIGKILL at a given step.

A step is any moment around what must not be lost: before and after each entry of the ledger, each password,
each changing call. Reads its task as JSON on standard input; prints how many steps it made.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sync.cloudstack import Reader, Submission, Writer
from sync.cloudstack_ini import Credentials
from sync.credentials import CredentialFile
from sync.drift import compare
from sync.executor import Confirmation, ExecutionPolicy, Executor
from sync.ledger import Entry, EntryKind, Ledger, RunState
from sync.model import DesiredInventory, Drift, NetworkRule, Outcome, Scope
from sync.plan import PlanRules
from sync.recovery import plan_rebuild
from sync.secret import Secret
from tests.examples import COMPLETE, member, project
from tests.fake_cloudstack import Limits

RULE = NetworkRule("DefaultIsolatedNetworkOfferingWithSourceNatService", "Sandbox-simulator")
RULES = PlanRules(network=RULE)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Task:
    endpoint: str
    key: str
    secret: str
    folder: str
    """Where the ledger and the passwords are."""
    tag: str
    """What makes the names of this lab its own."""
    kill_at: int
    """The step at which to die; 0 for never."""


def desired_of(tag: str) -> DesiredInventory:
    """Two projects with everything that a rebuild makes."""
    names = (f"aurora-{tag}", f"boreal-{tag}")
    projects = [
        project(
            name,
            member(f"{name}-anna", role="owner"),
            member(f"{name}-ben", enabled=False),
            quotas={"vm": 10},
            network_domain=f"{name}.example.org",
        )
        for name in names
    ]
    scope = Scope("ROOT/ci", frozenset(one.key for one in projects))
    return DesiredInventory(scope, now(), COMPLETE, {one.key: one for one in projects})


def drift_of(reader: Reader, tag: str) -> Drift:
    """Both sides, read anew."""
    desired = desired_of(tag)
    return compare(desired, reader.inventory(desired.scope, limits=True), network_rule=RULE)


def credentials_of(task: Task) -> Credentials:
    return Credentials(endpoint=task.endpoint, key=Secret(task.key), secret=Secret(task.secret))


class Steps:
    """Counts, and kills the process at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.made = 0
        self._kill_at = kill_at
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def step(self) -> None:
        with self._lock:
            self.made = next(self._numbers)
            if self.made == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)


class KillingLedger(Ledger):
    """Dies before or after an entry is on the disk."""

    steps: Steps

    def append(self, kind: EntryKind, payload: dict[str, object], *, run_id: str | None) -> Entry:
        self.steps.step()
        entry = super().append(kind, payload, run_id=run_id)
        self.steps.step()
        return entry

    def begin_run(self, run_id: str, payload: dict[str, object], *, digest: str, total: int) -> Entry:
        self.steps.step()
        entry = super().begin_run(run_id, payload, digest=digest, total=total)
        self.steps.step()
        return entry

    def end_run(
        self, run_id: str, payload: dict[str, object], *, state: RunState, counts: Mapping[Outcome, int]
    ) -> Entry:
        self.steps.step()
        entry = super().end_run(run_id, payload, state=state, counts=counts)
        self.steps.step()
        return entry


class KillingWriter(Writer):
    """Dies before a call is sent, or when it was answered and nobody has noted it."""

    steps: Steps

    def submit(self, command: str, parameters: Mapping[str, str]) -> Submission:
        self.steps.step()
        submission = super().submit(command, parameters)
        self.steps.step()
        return submission


class KillingVault(CredentialFile):
    """Dies before or after a password is on the disk."""

    steps: Steps

    def password_for(self, domain_path: str, account: str, username: str) -> str:
        self.steps.step()
        password = super().password_for(domain_path, account, username)
        self.steps.step()
        return password


def rebuild(task: Task) -> int:
    """What `abreast rebuild` does: finish what was interrupted, then what is still missing."""
    steps = Steps(task.kill_at)
    folder = Path(task.folder)
    reader, writer = Reader(credentials_of(task)), KillingWriter(credentials_of(task))
    ledger = KillingLedger(f"sqlite:///{folder / 'ledger.sqlite'}", environment="drill", operator="ops")
    vault = KillingVault(folder / "passwords.jsonl")
    writer.steps = ledger.steps = vault.steps = steps
    executor = Executor(
        reader=reader,
        writer=writer,
        ledger=ledger.open(),
        vault=vault,
        limits=Limits(),
        policy=ExecutionPolicy.REBUILD,
        # The sandbox does at once what it is going to do at all: nothing has to settle for seconds.
        sleep=lambda seconds: time.sleep(min(seconds, 0.05)),
    )
    stop = threading.Event()
    interrupted = ledger.interrupted_run()
    if interrupted is not None:
        word = Confirmation(interrupted.digest, "ops", now())
        executor.resume(interrupted.run_id, confirmed=word, on_event=lambda _: None, stop=stop)
    capabilities = reader.capabilities()
    made = plan_rebuild(
        drift_of(reader, task.tag),
        rules=RULES,
        environment="drill",
        root_id=capabilities.root_id,
        endpoint=capabilities.endpoint,
        author="ops",
        now=now(),
    )
    if made.actions:
        word = Confirmation(made.digest, "ops", now())
        executor.run(made, confirmed=word, on_event=lambda _: None, stop=stop)
    return steps.made


if __name__ == "__main__":
    print(rebuild(Task(**json.loads(sys.stdin.read()))))
