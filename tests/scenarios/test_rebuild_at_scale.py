"""A rebuild of many projects on a server that throttles, restarts and loses jobs; one that is handed over.

Against a sandbox in a process of its own, which takes its time and keeps its state over a restart, as
CloudStack's database does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from sync.cloudstack import Reader, Writer
from sync.credentials import CredentialFile
from sync.drift import compare
from sync.errors import LeaseHeldError
from sync.execution import RunReport
from sync.executor import Confirmation, ExecutionEvent, ExecutionPolicy, Executor
from sync.ledger import EntryKind, Ledger, RunState
from sync.model import DesiredInventory, DriftKind, Outcome, Plan, Scope
from sync.patience import SILENT, THROTTLED
from sync.plan import PlanRules
from sync.recovery import plan_rebuild
from sync.sandbox.process import SandboxProcess
from sync.settings import ExecutionLimits
from tests.benchmarks.rebuild_child import MEMBERS, Task, credentials_of
from tests.benchmarks.rebuild_child import desired_of as plain_desired
from tests.examples import COMPLETE, member, project
from tests.scenarios.killed_rebuild import now

PROJECTS = 12
SPEED = 20.0
PATIENCE = 60.0
"""Seconds until a test gives up waiting for something to happen."""


class Cloud:
    """A sandbox that can be restarted: at the same address, with what it had."""

    def __init__(self, folder: Path) -> None:
        self._state = folder / "state.json"
        self.sandbox = SandboxProcess.start(world="empty", speed=SPEED, service_times=True, state=self._state)
        ready = self.sandbox.ready
        self.task = Task(ready.url, ready.key, ready.secret, str(folder), PROJECTS)

    def restart(self) -> None:
        """Refuse connections, then answer 503 for a while, then as ever."""
        ready = self.sandbox.ready
        self.sandbox.stop()
        time.sleep(1.0)
        self.sandbox = SandboxProcess.start(
            world="empty",
            speed=SPEED,
            service_times=True,
            state=self._state,
            port=ready.port,
            token=ready.token,
        )
        self.sandbox.control.add_fault("503", count=12)

    def made(self) -> Counter[str]:
        """What was created, by the sandbox's own log, which outlives its restarts."""
        return Counter(
            entry["command"]
            for entry in self.sandbox.control.log()
            if entry["status"] == 200 and entry["command"].startswith("create")
        )


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.sandbox.stop()


class Desk:
    """An operator's console: own connections, the ledger and the passwords that all share."""

    def __init__(self, task: Task, operator: str) -> None:
        folder = Path(task.folder)
        self.operator = operator
        self.reader = Reader(credentials_of(task))
        url = f"sqlite:///{folder / 'ledger.sqlite'}"
        self.ledger = Ledger(url, environment="drill", operator=operator).open()
        self.events: list[ExecutionEvent] = []
        self.on_done: dict[int, Callable[[], None]] = {}
        """By the number of actions that are done: what happens then, in a thread."""
        self._executor = Executor(
            reader=self.reader,
            writer=Writer(credentials_of(task)),
            ledger=self.ledger,
            vault=CredentialFile(folder / "passwords.jsonl"),
            limits=ExecutionLimits(patience_seconds=PATIENCE),
            policy=ExecutionPolicy.REBUILD,
        )
        self._started: list[threading.Thread] = []

    def _note(self, event: ExecutionEvent) -> None:
        self.events.append(event)
        happening = self.on_done.pop(event.done, None)
        if happening is not None:
            self._started.append(threading.Thread(target=happening))
            self._started[-1].start()

    def plan(self, desired: DesiredInventory) -> Plan:
        capabilities = self.reader.capabilities()
        return plan_rebuild(
            compare(desired, self.reader.inventory(desired.scope, limits=True)),
            rules=PlanRules(),
            environment="drill",
            root_id=capabilities.root_id,
            endpoint=capabilities.endpoint,
            author=self.operator,
            now=now(),
        )

    def run(self, made: Plan) -> RunReport:
        word = Confirmation(made.digest, self.operator, now())
        report = self._executor.run(made, confirmed=word, on_event=self._note, stop=threading.Event())
        for thread in self._started:
            thread.join(PATIENCE)
        return report

    def resume(self) -> RunReport:
        run = self.ledger.runs()[0]
        word = Confirmation(run.digest, self.operator, now())
        return self._executor.resume(run.run_id, confirmed=word, on_event=self._note, stop=threading.Event())

    def assert_rebuilt(self, desired: DesiredInventory) -> None:
        found = self.reader.inventory(desired.scope, limits=True)
        assert {row.kind for row in compare(desired, found).rows} == {DriftKind.IN_SYNC}
        assert self.ledger.verify().is_sound
        assert self.ledger.interrupted_run() is None

    def close(self) -> None:
        self.ledger.close()
        self.reader.close()


def desired() -> DesiredInventory:
    """Projects with three users, one of them disabled, and a limit."""
    made = [
        project(
            f"p{number}",
            member(f"p{number}-0", role="owner"),
            member(f"p{number}-1"),
            member(f"p{number}-2", enabled=False),
            quotas={"vm": 10},
        )
        for number in range(PROJECTS)
    ]
    return DesiredInventory(Scope("ROOT/ci"), now(), COMPLETE, {one.key: one for one in made})


def test_a_server_that_throttles_restarts_and_loses_jobs_is_got_on_with(cloud: Cloud) -> None:
    desk, wanted = Desk(cloud.task, "ops@console"), desired()
    made = desk.plan(wanted)

    def throttle() -> None:
        cloud.sandbox.control.add_fault("429", command="create*", count=8)
        cloud.sandbox.control.add_fault("429", command="list*", count=4)

    def lose_jobs() -> None:
        cloud.sandbox.control.add_fault("lost_job", command="disableUser", count=2)

    desk.on_done = {8: throttle, 16: lose_jobs, 34: cloud.restart}
    report = desk.run(made)

    assert report.state is RunState.FINISHED, report.why
    assert report.counts[Outcome.SUCCEEDED] == len(made.actions), report.results
    assert desk.on_done == {}
    assert report.back_offs[THROTTLED] >= 1
    assert report.back_offs[SILENT] >= 1
    phases = [event.phase for event in desk.events]
    assert phases.index("waiting") < phases.index("answered")
    assert cloud.made() == {
        "createDomain": PROJECTS + 1,
        "createAccount": PROJECTS,
        "createUser": 2 * PROJECTS,
    }
    desk.assert_rebuilt(wanted)
    desk.close()


def test_a_second_operator_takes_over_from_one_whose_process_died(cloud: Cloud) -> None:
    night = Desk(cloud.task, "night@console")
    day = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.rebuild_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert day.stdin is not None
    with day.stdin as task:
        task.write(json.dumps(asdict(cloud.task)))
    deadline = time.monotonic() + PATIENCE
    while len(night.ledger.entries(kinds=[EntryKind.OUTCOME])) < 10:
        assert day.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)

    with pytest.raises(LeaseHeldError, match=f"ops, process {day.pid}"):
        night.resume()
    day.kill()
    day.wait()
    report = night.resume()

    total = (MEMBERS + 1) * PROJECTS + 1
    assert report.counts[Outcome.SUCCEEDED] == total
    assert 0 < len([event for event in night.events if event.phase == "done"]) < total
    (resumed,) = night.ledger.entries(kinds=[EntryKind.RUN_RESUMED])
    assert (resumed.operator, resumed.payload["taken_over_from"]) == ("night@console", "ops")
    assert cloud.made() == {
        "createDomain": PROJECTS + 1,
        "createAccount": PROJECTS,
        "createUser": (MEMBERS - 1) * PROJECTS,
    }
    night.assert_rebuilt(plain_desired(PROJECTS))
    night.close()
