"""Of the newest run: whether it goes on in another process, was interrupted, or is over."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from sync.errors import LeaseHeldError
from sync.latest_run import LatestRun
from sync.lease import STALE_SECONDS
from sync.ledger import Ledger
from sync.ledger_schema import lease as table
from tests.executions import execution

if TYPE_CHECKING:
    from tests.stores import Store

pytest_plugins = ["tests.stores"]


@pytest.fixture
def ledger(store: Store) -> Iterator[Ledger]:
    with store.open(operator="ben@console") as made:
        yield made


def latest(ledger: Ledger) -> LatestRun:
    found = ledger.latest_run()
    assert found is not None
    return found


def test_a_ledger_without_runs_has_none(ledger: Ledger) -> None:
    assert ledger.latest_run() is None
    assert ledger.interrupted_run() is None


def test_what_another_process_executes_is_not_interrupted_and_over_when_it_ends(
    store: Store, ledger: Ledger
) -> None:
    with execution(store.url) as other:
        other.begin()
        running = latest(ledger)
        assert running.is_held and not running.is_interrupted and not running.is_silent
        assert ledger.interrupted_run() is None
        assert running.holder is not None
        assert (running.holder.owner, running.holder.pid) == ("anna@desk", other.pid)
        assert running.holder.host == socket.gethostname()
        with pytest.raises(LeaseHeldError, match="Run run-1 is running, it was not interrupted: anna@desk"):
            running.refuse_held()
        other.end("FINISHED")
    over = latest(ledger)
    assert not over.is_held and not over.is_interrupted
    assert over.last_operator == "anna@desk"
    over.refuse_held()


def test_what_was_stopped_is_interrupted_once_it_is_let_go(store: Store, ledger: Ledger) -> None:
    with execution(store.url) as other:
        other.begin()
        other.end("STOPPED")
    stopped = latest(ledger)
    assert stopped.is_interrupted and stopped.holder is None
    stopped.refuse_held()


def test_what_was_killed_is_interrupted_at_once(store: Store, ledger: Ledger) -> None:
    with execution(store.url) as other:
        other.begin()
        assert not latest(ledger).is_interrupted
        other.kill()
        killed = latest(ledger)
        assert killed.is_interrupted and killed.holder is None
        assert killed.last_at == ledger.entries(run_id="run-1")[-1].at
        killed.refuse_held()


def test_an_interrupted_run_that_somebody_goes_on_with_runs_again(store: Store, ledger: Ledger) -> None:
    ledger.begin_run("run-1", {}, digest="", total=3)
    assert latest(ledger).is_interrupted
    with execution(store.url) as other:
        guarding = latest(ledger)
        assert guarding.is_interrupted, "it is not resumed yet"
        with pytest.raises(LeaseHeldError, match="interrupted, but another execution is running now"):
            guarding.refuse_held()
        other.resume()
        again = latest(ledger)
        assert again.is_held and again.last_seq > guarding.last_seq
        assert (again.run.operator, again.last_operator) == ("ben@console", "anna@desk")
        other.end("FINISHED")
    assert not latest(ledger).is_interrupted


def test_an_earlier_run_is_not_what_the_holder_executes(store: Store, ledger: Ledger) -> None:
    ledger.begin_run("run-0", {}, digest="", total=3)
    with execution(store.url) as other:
        assert latest(ledger).run.run_id == "run-0"
        assert not latest(ledger).is_held
        other.begin()
        assert latest(ledger).run.run_id == "run-1"
        assert latest(ledger).is_held


def test_of_a_machine_that_is_not_heard_of_nobody_knows(store: Store, ledger: Ledger) -> None:
    with execution(store.url) as other:
        other.begin()
        with ledger._writing() as connection:
            now = ledger._database_now(connection)
            long_ago = (now - timedelta(seconds=STALE_SECONDS + 1)).isoformat()
            connection.execute(
                update(table).values(host="another", machine="another-boot/1", heartbeat=long_ago)
            )
        silent = latest(ledger)
        assert silent.is_held and silent.is_silent and not silent.is_interrupted
        with pytest.raises(LeaseHeldError, match="goes on is not known") as caught:
            silent.refuse_held()
        assert "`abreast ledger break-lease --environment drill --owner anna@desk" in str(caught.value)
        with ledger._writing() as connection:
            now = ledger._database_now(connection)
            connection.execute(update(table).values(heartbeat=now.isoformat()))
        beating = latest(ledger)
        assert beating.is_held and not beating.is_silent
