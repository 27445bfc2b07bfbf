"""Work that takes virtual time: jobs, named locks, and steps that run at the moment they were due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sync.sandbox.clock import ManualClock, WallClock
from sync.sandbox.errors import failed
from sync.sandbox.jobs import Lock, Queued, Tasks, Unlock, Work
from sync.sandbox.records import World
from tests.sandbox_api import NOON, Cloud, RefusedError

Trace = list[tuple[str, float]]


class Bench:
    """Tasks on a world of their own."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOON)
        self.world = World(clock=self.clock)
        self.tasks = Tasks(self.world)
        self.trace: Trace = []

    def note(self, what: str) -> None:
        self.trace.append((what, (self.world.now() - NOON).total_seconds()))

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.tasks.run_due()


def worker(bench: Bench, name: str, seconds: float, lock: Lock | None = None) -> Work:
    if lock is not None:
        got = yield lock
        bench.note(f"{name} {'has' if got else 'gave up'}")
        if not got:
            return None
    yield seconds
    bench.note(f"{name} done")
    return None


@pytest.mark.parametrize("steps", [[100.0], [0.25] * 400], ids=["one jump", "many steps"])
def test_a_jump_of_the_clock_and_many_steps_end_alike(steps: list[float]) -> None:
    bench = Bench()
    bench.tasks.spawn(worker(bench, "slow", 10))
    bench.tasks.spawn(worker(bench, "quick", 3), delay=2)
    for seconds in steps:
        bench.wait(seconds)
    assert bench.trace == [("quick done", 5.0), ("slow done", 10.0)]


def test_a_lock_is_held_by_one_and_given_up_after_its_time() -> None:
    bench = Bench()
    for number in range(3):
        bench.tasks.spawn(worker(bench, f"w{number}", 20, Lock("L", timeout=30)))
    for _ in range(400):
        bench.wait(0.25)
    assert bench.trace == [
        ("w0 has", 0.0),
        ("w0 done", 20.0),
        ("w1 has", 20.0),
        ("w2 gave up", 30.0),
        ("w1 done", 40.0),
    ]


def test_a_lock_given_back_early_goes_to_the_next() -> None:
    bench = Bench()

    def polite() -> Work:
        assert (yield Lock("L"))
        yield 1.0
        yield Unlock("L")
        yield 50.0
        return None

    bench.tasks.spawn(polite())
    bench.tasks.spawn(worker(bench, "next", 1, Lock("L")))
    bench.wait(10)
    assert bench.trace[-1] == ("next done", 2.0)


def test_a_task_that_fails_gives_its_locks_back() -> None:
    bench = Bench()
    ended: list[object] = []

    def failing() -> Work:
        yield Lock("L")
        raise failed("no")

    bench.tasks.spawn(failing(), done=lambda result, error: ended.append(error and error.text))
    bench.tasks.spawn(worker(bench, "next", 1, Lock("L")))
    bench.wait(5)
    assert ended == ["no"]
    assert bench.trace[0][0] == "next has"


def test_somebody_from_outside_can_hold_the_lock_of_deletions() -> None:
    """The database brake: deletions already submitted fail untouched after 30 s (recorded in lock, 4.23)."""
    cloud = Cloud()
    domain = cloud.domain("a")
    cloud.account("u", domain)
    assert cloud.engine.tasks.locks.acquire("DomainCleanup", -1)
    job = cloud.call("deleteDomain", id=domain, cleanup="true")
    cloud.wait(20)
    assert cloud.call("queryAsyncJobResult", jobid=job["jobid"])["jobstatus"] == 0
    with pytest.raises(RefusedError, match="530: Failed to delete domain"):
        cloud.finished(job)
    assert cloud.call("listDomains", id=domain)["domain"][0]["state"] == "Active"
    assert cloud.call("listAccounts", domainid=domain)["count"] == 1


def test_the_code_before_queued_is_the_requests_own_answer() -> None:
    cloud = Cloud()
    with pytest.raises(RefusedError, match="431"):
        cloud.call("disableUser", id="nobody")
    assert not cloud.world.jobs


def test_jobs_submitted_run_to_their_end_whatever_happens_to_their_user() -> None:
    cloud = Cloud()
    bot = cloud.account("bot", cloud.world.root_id, role="Root Admin")
    domains = [cloud.domain(f"d{number}") for number in range(3)]
    for domain in domains:
        cloud.account("u", domain)
    for domain in domains:
        cloud.call("deleteDomain", caller=bot, id=domain, cleanup="true")
    cloud.call("lockUser", id=bot.id)
    assert cloud.call("listAsyncJobs", listall="true")["count"] >= 2, (
        "one may be done, the others wait for it"
    )
    cloud.wait(120)
    assert not any(domain in cloud.world.domains for domain in domains)
    assert cloud.call("listAsyncJobs", listall="true") == {}


def test_queued_is_only_ever_the_first_yield() -> None:
    bench = Bench()

    def wrong() -> Work:
        yield 1.0
        yield Queued()
        return None

    bench.tasks.spawn(wrong())
    with pytest.raises(TypeError, match="first thing"):
        bench.wait(5)


def test_a_clock_runs_at_its_speed_and_can_be_moved() -> None:
    clock = WallClock(speed=1000.0, start=NOON)
    first: datetime = clock.now()
    clock.advance(-3600)
    assert clock.now() < first - timedelta(minutes=50)
    with pytest.raises(ValueError, match="above 0"):
        WallClock(speed=0)


def test_a_fast_clock_can_tell_of_what_is_new_in_real_time_and_never_of_a_time_to_come() -> None:
    clock = WallClock(speed=1000.0, start=datetime.now(UTC) - timedelta(hours=1))
    assert clock.told(clock.now() + timedelta(hours=9)) > datetime.now(UTC) + timedelta(hours=7)
    night = clock.now()
    clock.tell_real_time()
    came = datetime.now(UTC)
    clock.advance(3600.0)
    assert clock.told(night) == night, "what was before keeps its time"
    assert clock.told(night - timedelta(days=1)) == night - timedelta(days=1)
    new = clock.told(clock.now())
    assert came - timedelta(seconds=1) < new <= datetime.now(UTC) + timedelta(seconds=3600 / 1000)
    assert clock.told(night + timedelta(microseconds=1)) >= night
    fast = WallClock(speed=1000.0, start=datetime.now(UTC) + timedelta(hours=1))
    fast.tell_real_time()
    assert fast.told(datetime.now(UTC) + timedelta(minutes=50)) <= datetime.now(UTC), "nor what came before"
