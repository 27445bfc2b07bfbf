"""The lease: one execution at a time, and nobody locked out by the dead."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

import sync.lease
from sync.errors import LeaseHeldError, LedgerError
from sync.lease import Lease, current_operator, process_identity
from sync.ledger import EntryKind, Ledger
from sync.ledger_schema import lease as table
from tests.fake_cloudstack import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledgers(tmp_path: Path, clock: Clock) -> Iterator[list[Ledger]]:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    made = [Ledger(url, environment="drill", operator="ops", clock=clock).open() for _ in range(2)]
    yield made
    for ledger in made:
        ledger.close()


def holder_of(ledger: Ledger) -> dict[str, object] | None:
    with ledger._reading() as connection:
        row = connection.execute(select(table)).one_or_none()
    return row._asdict() if row is not None else None


def pretend(ledger: Ledger, **values: object) -> None:
    """Make the holder somebody else."""
    with ledger._writing() as connection:
        connection.execute(update(table).values(**values))


def test_it_names_who_holds_it_and_what_to_do(ledgers: list[Ledger]) -> None:
    with ledgers[0].lease("anna@desk"), pytest.raises(LeaseHeldError) as caught, ledgers[1].lease("ben"):
        pass
    text = str(caught.value)
    assert f"anna@desk, process {os.getpid()} on {socket.gethostname()}" in text
    assert "since 2026-07-28 03:12:00 UTC" in text
    assert caught.value.next_step


def test_it_is_free_again_afterwards(ledgers: list[Ledger]) -> None:
    with ledgers[0].lease("anna"):
        pass
    assert holder_of(ledgers[0]) is None
    with ledgers[1].lease("ben"):
        held = holder_of(ledgers[0])
        assert held is not None and held["owner"] == "ben"


def test_it_is_free_again_after_an_error(ledgers: list[Ledger]) -> None:
    with pytest.raises(ZeroDivisionError), ledgers[0].lease("anna"):
        raise ZeroDivisionError
    assert holder_of(ledgers[0]) is None


def test_environments_have_leases_of_their_own(tmp_path: Path, ledgers: list[Ledger]) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    with (
        Ledger(url, environment="production", operator="ops") as other,
        ledgers[0].lease("a"),
        other.lease("b"),
    ):
        assert other.environment == "production"


def test_a_process_killed_on_this_machine_is_taken_over(tmp_path: Path, ledgers: list[Ledger]) -> None:
    script = (
        "import sys, time; from sync.ledger import Ledger\n"
        "ledger = Ledger(sys.argv[1], environment='drill', operator='dead').open()\n"
        "with ledger.lease('dead'): print('held', flush=True); time.sleep(60)\n"
    )
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    with subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(LeaseHeldError, match=f"process {child.pid}"), ledgers[0].lease("anna"):
            pass
        child.send_signal(signal.SIGKILL)
        # Not waited for: a zombie is dead too.
        while process_identity(child.pid) is not None:
            pass
        with ledgers[0].lease("anna"):
            held = holder_of(ledgers[1])
            assert held is not None and held["owner"] == "anna"


def test_another_process_that_got_the_same_id_later_does_not_hold_it(ledgers: list[Ledger]) -> None:
    with ledgers[0].lease("anna"):
        pretend(ledgers[0], process="an-earlier-boot/123")
        with ledgers[1].lease("ben"):
            assert holder_of(ledgers[0]) is not None


def test_another_machine_is_believed_as_long_as_its_heart_beats(ledgers: list[Ledger], clock: Clock) -> None:
    with ledgers[0].lease("anna"):
        pretend(ledgers[0], host="another-machine")
        clock.sleep(119)
        with pytest.raises(LeaseHeldError, match="another-machine"), ledgers[1].lease("ben"):
            pass
        clock.sleep(2)
        with ledgers[1].lease("ben"):
            held = holder_of(ledgers[0])
            assert held is not None and held["owner"] == "ben"


def test_whoever_lost_it_writes_nothing_more(ledgers: list[Ledger]) -> None:
    with ledgers[0].lease("anna"):
        ledgers[0].append(EntryKind.INTENT, {"action": "a"}, run_id="run")
        pretend(ledgers[1], token="somebody-else")
        with pytest.raises(LedgerError, match="taken over"):
            ledgers[0].append(EntryKind.INTENT, {"action": "b"}, run_id="run")
    assert [entry.payload["action"] for entry in ledgers[0].entries()] == ["a"]
    assert holder_of(ledgers[0]) is not None, "the other one's lease stays"


def test_the_heart_beats_in_a_thread_of_its_own(ledgers: list[Ledger], clock: Clock) -> None:
    start = clock()
    with Lease("drill", "anna", writing=ledgers[0]._writing, clock=clock, heartbeat_seconds=0.01):
        clock.sleep(30)
        while (held := holder_of(ledgers[1])) is not None and held["heartbeat"] == start.isoformat():
            pass
        assert held is not None
        assert held["heartbeat"] == (start + timedelta(seconds=30)).isoformat()
        assert held["since"] == start.isoformat()


def test_a_process_is_told_from_a_later_one_of_the_same_id() -> None:
    assert process_identity(os.getpid()) == process_identity(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert process_identity(child.pid) not in (None, process_identity(os.getpid()))
    assert process_identity(child.pid) is None


def test_without_proc_a_living_process_is_only_known_to_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync.lease, "Path", lambda _: Path("/nonexistent"))
    assert process_identity(os.getpid()) == ""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    assert process_identity(child.pid) is None


def test_the_operator_is_user_host_and_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "anna")
    monkeypatch.delenv("SSH_CLIENT", raising=False)
    assert current_operator() == f"anna@{socket.gethostname()}"
    monkeypatch.setenv("SSH_CLIENT", "192.0.2.7 50000 22")
    assert current_operator() == f"anna@{socket.gethostname()} from 192.0.2.7"
