"""Executing against a live sandbox that fails in every way it knows: all is made, and made once."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sync.cloudstack import Reader, Writer
from sync.cloudstack_ini import Credentials
from sync.credentials import CredentialFile
from sync.drift import compare
from sync.errors import UnreachableError
from sync.executor import Confirmation, ExecutionEvent, ExecutionPolicy, Executor, RunReport
from sync.ledger import Ledger, RunState
from sync.model import DriftKind, Outcome, Plan
from sync.plan import PlanRules
from sync.recovery import plan_rebuild
from sync.sandbox.process import SandboxProcess
from sync.secret import Secret
from tests.fake_cloudstack import Limits
from tests.scenarios.killed_rebuild import RULE, desired_of, now

COMMANDS = (
    "createDomain",
    "createAccount",
    "createUser",
    "updateResourceLimit",
    "disableUser",
    "createNetwork",
)
CUTS = ("timeout_before", "timeout_after_effect", "reset_before", "reset_after")
REFUSALS = ("429", "503", "html", "401", "truncated_body")

SLICE = [
    *itertools.product(COMMANDS, CUTS[:2]),
    *itertools.product(["createAccount"], (*CUTS[2:], *REFUSALS)),
]
ALL = list(itertools.product(COMMANDS, (*CUTS, *REFUSALS)))

_tags = itertools.count(100)


class Lab:
    """Two projects of their own in a sandbox, and an executor that never waits long."""

    def __init__(self, sandbox: SandboxProcess, folder: Path) -> None:
        self.sandbox = sandbox
        self.tag = f"f{next(_tags)}"
        ready = sandbox.ready
        credentials = Credentials(ready.url, Secret(ready.key), Secret(ready.secret), timeout_seconds=0.7)
        self.reader, self.writer = Reader(credentials), Writer(credentials)
        url = f"sqlite:///{folder / 'ledger.sqlite'}"
        self.ledger = Ledger(url, environment="drill", operator="ops").open()
        self.executor = Executor(
            reader=self.reader,
            writer=self.writer,
            ledger=self.ledger,
            vault=CredentialFile(folder / "passwords.jsonl"),
            limits=Limits(),
            policy=ExecutionPolicy.REBUILD,
            sleep=lambda seconds: time.sleep(min(seconds, 0.05)),
        )

    def plan(self) -> Plan:
        desired = desired_of(self.tag)
        inventory = self.reader.inventory(desired.scope, limits=True)
        capabilities = self.reader.capabilities()
        return plan_rebuild(
            compare(desired, inventory, network_rule=RULE),
            rules=PlanRules(network=RULE),
            environment="drill",
            root_id=capabilities.root_id,
            endpoint=capabilities.endpoint,
            author="ops",
            now=now(),
        )

    def run(
        self,
        made: Plan,
        *,
        stop: threading.Event | None = None,
        on_first: tuple[str, Callable[[], None]] = ("", lambda: None),
    ) -> RunReport:
        """`on_first` is a phase and what to do when it comes for the first time."""
        phases: list[str] = []

        def note(event: ExecutionEvent) -> None:
            phases.append(event.phase)
            if event.phase == on_first[0] and phases.count(event.phase) == 1:
                on_first[1]()

        word = Confirmation(made.digest, "ops", now())
        return self.executor.run(made, confirmed=word, on_event=note, stop=stop or threading.Event())

    def resume(self) -> RunReport:
        interrupted = self.ledger.interrupted_run()
        assert interrupted is not None
        word = Confirmation(interrupted.digest, "ops", now())
        return self.executor.resume(
            interrupted.run_id, confirmed=word, on_event=lambda _: None, stop=threading.Event()
        )

    def assert_made_once(self) -> None:
        desired = desired_of(self.tag)
        inventory = self.reader.inventory(desired.scope, limits=True)
        rows = compare(desired, inventory, network_rule=RULE).rows
        assert {row.kind for row in rows} == {DriftKind.IN_SYNC}
        assert Counter(network.name for network in inventory.networks) == {
            f"aurora-{self.tag}-net": 1,
            f"boreal-{self.tag}-net": 1,
        }
        assert len([one for one in inventory.domains if self.tag in one.name]) == 2
        assert len(inventory.accounts) == 2
        assert sum(len(account.users) for account in inventory.accounts) == 4
        assert self.ledger.verify().is_sound

    def close(self) -> None:
        self.ledger.close()
        self.reader.close()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(world="empty", speed=50) as running:
        first = Lab(running, tmp_path_factory.mktemp("first"))
        first.run(first.plan())
        first.close()
        yield running


@pytest.fixture
def lab(sandbox: SandboxProcess, tmp_path: Path) -> Iterator[Lab]:
    made = Lab(sandbox, tmp_path)
    yield made
    sandbox.control.clear_faults()
    made.close()


def strike(lab: Lab, command: str, kind: str) -> None:
    made = lab.plan()
    lab.sandbox.control.add_fault(kind, command=command, count=1, seconds=3)
    report = lab.run(made)
    if report.state is RunState.STOPPED:
        assert Outcome.UNKNOWN in {result.outcome for result in report.results}
        report = lab.resume()
    assert report.counts[Outcome.SUCCEEDED] == len(made.actions), report.results
    lab.assert_made_once()


@pytest.mark.parametrize(("command", "kind"), SLICE)
def test_one_fault_of_a_call_is_got_over(lab: Lab, command: str, kind: str) -> None:
    strike(lab, command, kind)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("command", "kind"), ALL)
def test_every_fault_of_every_call_is_got_over(lab: Lab, command: str, kind: str) -> None:
    strike(lab, command, kind)


def test_a_lost_job_is_resolved_by_reading(lab: Lab) -> None:
    strike(lab, "disableUser", "lost_job")


@pytest.mark.parametrize("kind", ["429", "503", "reset_before", "slow"])
def test_readings_that_fail_now_and_then_hold_nothing_up(lab: Lab, kind: str) -> None:
    made = lab.plan()

    def strike_lists() -> None:
        lab.sandbox.control.add_fault(kind, command="list*", count=3, seconds=0.1)

    report = lab.run(made, on_first=("reading", strike_lists))
    assert report.counts[Outcome.SUCCEEDED] == len(made.actions)
    lab.assert_made_once()


def test_a_server_that_goes_away_stops_the_run_and_it_goes_on_later(lab: Lab) -> None:
    made = lab.plan()

    def go_away() -> None:
        lab.sandbox.control.add_fault("timeout_after_effect", command="create*", count=2, seconds=3)
        lab.sandbox.control.add_fault("503", command="list*")

    report = lab.run(made, on_first=("submitting", go_away))
    assert report.state is RunState.STOPPED
    assert report.counts[Outcome.SUCCEEDED] == 0
    assert report.counts[Outcome.UNKNOWN] == 1
    lab.sandbox.control.clear_faults()

    assert lab.resume().counts[Outcome.SUCCEEDED] == len(made.actions)
    lab.assert_made_once()


def test_nothing_starts_on_a_server_that_cannot_be_read(lab: Lab) -> None:
    made = lab.plan()
    lab.sandbox.control.add_fault("503", command="list*")
    with pytest.raises(UnreachableError):
        lab.run(made)
    assert lab.ledger.entries() == []


def test_after_a_stop_nothing_is_sent(lab: Lab) -> None:
    """The access log shows no changing call that began later than 100 ms after the stop."""
    made = lab.plan()
    stop, stopped_at = threading.Event(), []

    def pull() -> None:
        stopped_at.append(time.monotonic())
        stop.set()

    sent_at: list[float] = []
    plain = lab.writer.submit

    def submit(command, parameters):  # type: ignore[no-untyped-def]
        sent_at.append(time.monotonic())
        if len(sent_at) == 5:
            threading.Timer(0.01, pull).start()
        return plain(command, parameters)

    lab.writer.submit = submit  # type: ignore[method-assign]
    report = lab.run(made, stop=stop)
    assert report.state is RunState.STOPPED
    assert report.counts[Outcome.NOT_RUN] > 0
    assert report.counts[Outcome.NOT_RUN] + report.counts[Outcome.SUCCEEDED] == len(made.actions)
    assert max(sent_at) - stopped_at[0] < 0.1
    assert len(sent_at) == report.counts[Outcome.SUCCEEDED]

    lab.writer.submit = plain  # type: ignore[method-assign]
    assert lab.resume().counts[Outcome.SUCCEEDED] == len(made.actions)
    lab.assert_made_once()
