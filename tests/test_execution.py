"""How a run gets on with the server and with the operator: pause, throttling, restarts, how many at once."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from sync.errors import OutcomeUnknownError, RefusedError, ThrottledError, UnreachableError
from sync.execution import RunReport
from sync.executor import ExecutionEvent, ExecutionPolicy
from sync.ledger import EntryKind, RunState
from sync.model import ActionKind, Outcome
from sync.patience import SILENT, THROTTLED
from tests.fake_cloudstack import PARENT, START, Fault, action, create_domain, plan, project
from tests.test_executor import Bench, details, outcomes

S, F, U, N = Outcome.SUCCEEDED, Outcome.FAILED, Outcome.UNKNOWN, Outcome.NOT_RUN

REBUILD = ExecutionPolicy.REBUILD
DOWN = UnreachableError("https://cloud.example.org refuses connections.")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.ledger.close()


class Ticks(threading.Event):
    """A stop that tells how often a run has waited for it, which it does where there is nothing to send."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = threading.Semaphore(0)

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.release()
        return super().wait(timeout)


class Paused:
    """A run in a thread that is paused, or stopped, when the call of so many is under way."""

    def __init__(self, bench: Bench, *names: str, at_call: int) -> None:
        self.bench = bench
        self.ticks = bench.stop = Ticks()
        self.pause = threading.Event()
        self.is_quiet = threading.Event()
        self.reports: list[RunReport] = []
        self._at_call = at_call
        bench.cloud.before_submit = self._look
        self._plan = plan(*(create_domain(name) for name in names), now=bench.clock())
        self._thread = threading.Thread(target=self._run)

    def _look(self, command: str, parameters: Mapping[str, str]) -> None:
        if len(self.bench.cloud.log) == self._at_call - 1:
            self.pause.set()

    def _note(self, event: ExecutionEvent) -> None:
        self.bench.events.append(event)
        if event.phase == "paused":
            self.is_quiet.set()

    def _run(self) -> None:
        self.reports.append(
            self.bench.executor(policy=REBUILD).run(
                self._plan,
                confirmed=self.bench.confirmation(self._plan),
                on_event=self._note,
                stop=self.bench.stop,
                pause=self.pause,
            )
        )

    def until_quiet(self) -> None:
        self._thread.start()
        assert self.is_quiet.wait(60)
        for _ in range(3):
            assert self.ticks.waited.acquire(timeout=20), "it went on instead of waiting"

    def to_its_end(self) -> RunReport:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self.reports[0]


# --- pause ------------------------------------------------------------------------------------------------


def test_a_pause_follows_what_runs_and_then_sends_nothing_until_it_goes_on(bench: Bench) -> None:
    run = Paused(bench, "a", "b", "c", at_call=1)
    run.until_quiet()
    assert [parameters["name"] for _, parameters in bench.cloud.log] == ["a"]
    assert bench.ledger.lease_holder() is not None, "nobody else may begin meanwhile"
    assert [entry.payload["outcome"] for entry in bench.ledger.entries(kinds=[EntryKind.OUTCOME])] == [
        "succeeded"
    ]

    bench.clock.sleep(60)
    run.pause.clear()
    assert outcomes(run.to_its_end()) == [S, S, S]
    (end,) = bench.ledger.entries(kinds=[EntryKind.RUN_ENDED])
    assert end.payload["paused_seconds"] >= 60
    phases = [event.phase for event in bench.events if event.action_id is None]
    assert phases == ["paused", "going on", "finished"]


def test_a_run_can_be_stopped_while_it_is_paused(bench: Bench) -> None:
    run = Paused(bench, "a", "b", "c", at_call=1)
    run.until_quiet()
    bench.stop.set()
    report = run.to_its_end()
    assert outcomes(report) == [S, N, N]
    assert report.state is RunState.STOPPED
    assert bench.ledger.lease_holder() is None


def test_a_pause_at_the_last_call_does_not_keep_the_run_from_ending(bench: Bench) -> None:
    run = Paused(bench, "a", at_call=1)
    run._thread.start()
    assert outcomes(run.to_its_end()) == [S]
    assert not run.is_quiet.is_set()


# --- throttling -------------------------------------------------------------------------------------------


def test_what_is_throttled_again_and_again_is_no_failure(bench: Bench) -> None:
    """More often than an action is sent at most, and more often than failures are let pass."""
    throttled = ThrottledError("Too fast.", retry_after_seconds=0.5)
    bench.cloud.faults.append(Fault("createDomain", throttled, times=6))
    report = bench.run(*project("dune", "anna"), policy=REBUILD)

    assert outcomes(report) == [S, S, S]
    assert len(bench.cloud.sent("createDomain")) == 7
    assert sum(report.back_offs.values()) == report.back_offs[THROTTLED] >= 1
    assert bench.clock() - START >= timedelta(seconds=3)


def test_each_repeated_call_is_intended_anew_and_only_after_a_reading(bench: Bench) -> None:
    read: list[str] = []
    plain = bench.cloud.domain_by_path

    def reading(path: str, /, *, limits: bool = False) -> object:
        read.append("read")
        return plain(path, limits=limits)

    bench.cloud.domain_by_path = reading  # type: ignore[assignment, method-assign]
    bench.cloud.before_submit = lambda command, _: read.append(command)
    bench.cloud.faults.append(Fault("createNetwork", ThrottledError("Too fast."), times=2))
    bench.cloud.faults.append(Fault("createDomain", ThrottledError("Too fast."), times=2))
    bench.run(create_domain("dune"))
    assert read == ["read", "read", "createDomain", "read", "createDomain", "read", "createDomain", "read"]
    assert len(bench.ledger.entries(kinds=[EntryKind.INTENT])) == 3


def test_a_throttled_call_whose_effect_shows_is_not_sent_again(bench: Bench) -> None:
    """Whatever stood in between said 429 and had passed it on all the same."""
    bench.cloud.faults.append(Fault("createDomain", ThrottledError("Too fast."), has_effect=True))
    assert outcomes(bench.run(create_domain("dune"))) == [S]
    assert len(bench.cloud.log) == 1


def test_a_throttled_network_is_made_once(bench: Bench) -> None:
    bench.cloud.add_project("dune", "anna")
    bench.cloud.faults.append(Fault("createNetwork", ThrottledError("Too fast."), times=2))
    network = action(
        ActionKind.CREATE_NETWORK,
        f"{PARENT}/dune/dune-net",
        parameters={"name": "dune-net", "zone": "z", "offering": "o", "account": "dune"},
    )
    assert outcomes(bench.run(network)) == [S]
    assert len(bench.cloud.networks) == 1


def test_without_end_throttling_stops_the_run_and_fails_nothing(bench: Bench) -> None:
    bench.cloud.faults.append(Fault("createDomain", ThrottledError("Too fast."), times=10**6))
    report = bench.run(*project("dune"), create_domain("earth"), policy=REBUILD)
    assert report.counts[F] == 0
    assert report.counts[N] == 3
    assert report.state is RunState.STOPPED
    assert "in vain" in report.why
    assert bench.clock() - START < timedelta(seconds=120)
    bench.cloud.faults.clear()
    assert outcomes(bench.resume()) == [S, S, S]


def test_readings_that_were_throttled_ask_for_less_as_well(bench: Bench) -> None:
    """The Reader waits by itself; that it had to is told by its count."""

    def throttle(command: str, _: Mapping[str, str]) -> None:
        bench.cloud.throttled += 1

    bench.cloud.before_submit = throttle
    report = bench.run(create_domain("dune"), policy=REBUILD)
    assert report.back_offs == {THROTTLED: 1}


# --- a server that restarts -------------------------------------------------------------------------------


def go_down(bench: Bench, seconds: float, *, at_call: int) -> None:
    """The server takes that call, answers nothing any more, and is back after so long."""
    until = [START + timedelta(days=1)]

    def look(command: str, parameters: Mapping[str, str]) -> None:
        if len(bench.cloud.log) >= at_call - 1 and bench.cloud.is_readable and until[0] > bench.clock():
            bench.cloud.is_readable = False
            until[0] = bench.clock() + timedelta(seconds=seconds)
            bench.cloud.faults.append(Fault(command, OutcomeUnknownError("Gone."), has_effect=True))

    plain = bench.clock.sleep

    def sleep(seconds: float) -> None:
        plain(seconds)
        if bench.clock() >= until[0]:
            bench.cloud.is_readable = True

    bench.cloud.before_submit = look
    bench.clock.sleep = sleep  # type: ignore[method-assign]


def test_a_server_that_restarts_is_waited_for_and_what_was_sent_is_found_by_reading(bench: Bench) -> None:
    go_down(bench, 20, at_call=3)
    actions = [one for name in ("a", "b", "c") for one in project(name, f"{name}-user")]
    report = bench.run(*actions, policy=REBUILD)

    assert outcomes(report) == [S] * 9
    assert max(Counter(str(sorted(sent.items())) for _, sent in bench.cloud.log).values()) == 1
    assert report.back_offs[SILENT] >= 1
    told = [event for event in bench.events if event.phase == "waiting"]
    assert told
    assert "waiting for the server" in told[0].note
    assert "answered" in [event.phase for event in bench.events]
    assert bench.events[-1].note != told[0].note


def test_a_server_that_stays_away_stops_the_run_within_its_patience(bench: Bench) -> None:
    go_down(bench, 10**6, at_call=2)
    report = bench.run(*(create_domain(f"p{number}") for number in range(9)), policy=REBUILD)

    assert report.state is RunState.STOPPED
    assert "waited for" in report.why
    assert report.counts[F] == 0, "nothing is wrong with any project"
    assert report.counts[S] == 1
    assert report.counts[U] >= 1
    assert bench.clock() - START < timedelta(seconds=5 * 30)

    bench.cloud.is_readable = True
    bench.cloud.before_submit = lambda command, _: None
    assert outcomes(bench.resume()) == [S] * 9
    assert len(bench.cloud.log) <= 9 + report.counts[U]


def test_a_stop_ends_the_waiting(bench: Bench) -> None:
    go_down(bench, 10**6, at_call=2)
    plain = bench.clock.sleep

    def sleep(seconds: float) -> None:
        plain(seconds)
        if bench.clock() - START > timedelta(seconds=12):
            bench.stop.set()

    bench.clock.sleep = sleep  # type: ignore[method-assign]
    report = bench.run(*(create_domain(f"p{number}") for number in range(3)), policy=REBUILD)
    assert "the operator stopped" in report.why
    assert bench.clock() - START < timedelta(seconds=25)
    assert report.counts[F] == 0


# --- how many at once -------------------------------------------------------------------------------------


def test_a_staged_plan_stays_at_its_number_and_waits_all_the_same(bench: Bench) -> None:
    throttled = ThrottledError("Too fast.", retry_after_seconds=3)
    bench.cloud.faults.append(Fault("createDomain", throttled, about="p5"))
    report = bench.run(*(create_domain(f"p{number}") for number in range(60)), ceiling=16)
    assert report.counts[S] == 60
    assert report.most_at_once == 4
    assert {event.at_once for event in bench.events} == {4}


def test_a_rebuild_grows_where_more_at_once_goes_faster(bench: Bench) -> None:
    """Each call takes as long however many there are: the clock of the bench stands still meanwhile."""

    def take_time(command: str, _: Mapping[str, str]) -> None:
        bench.clock.sleep(1.0 / max(1, bench.cloud.in_flight))

    bench.cloud.before_submit = take_time
    report = bench.run(*(create_domain(f"p{number}") for number in range(300)), policy=REBUILD, ceiling=16)
    assert report.counts[S] == 300
    assert 4 < report.most_at_once <= 16
    assert "adapted" in [event.phase for event in bench.events]
    ended = bench.ledger.entries(kinds=[EntryKind.RUN_ENDED])[0].payload
    assert ended["most_at_once"] == report.most_at_once


def test_a_bad_project_among_many_is_set_aside_and_tried_once_more(bench: Bench) -> None:
    bench.cloud.faults.append(Fault("createAccount", RefusedError("No.", code=530), about="p7", times=9))
    actions = [one for number in range(40) for one in project(f"p{number}", f"p{number}-user")]
    report = bench.run(*actions, policy=REBUILD, ceiling=16)

    assert report.counts == {**dict.fromkeys(Outcome, 0), S: 118, F: 1, N: 1}
    bad = [one for one in report.results if one.outcome is F]
    assert [(one.action_id, one.detail) for one in bad] == [(f"create-account {PARENT}/p7:p7", "No.")]
    sent = [parameters["account"] for parameters in bench.cloud.sent("createAccount")]
    assert sent.count("p7") == 2
    assert sent[-1] == "p7", "what failed is tried again after everything else"
    assert details(report)[actions.index(next(one for one in actions if "p7-user" in one.id))].startswith(
        "Needs"
    )
