"""The lease: one execution at a time, and nobody locked out by the dead."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

import sync.lease
from sync.errors import AbreastError, GuardError, LeaseHeldError, LedgerError, UsageError
from sync.lease import STALE_SECONDS, machine_identity, process_identity
from sync.ledger import EntryKind, Ledger
from sync.ledger_schema import lease as table

if TYPE_CHECKING:
    from tests.stores import Store

pytest_plugins = ["tests.stores"]


@pytest.fixture
def ledgers(store: Store) -> Iterator[list[Ledger]]:
    made = [store.open(operator="ops") for _ in range(2)]
    yield made
    for ledger in made:
        ledger.close()


def owner_of(ledger: Ledger) -> str | None:
    held = ledger.lease_holder()
    return held.owner if held is not None else None


def pretend(ledger: Ledger, **values: object) -> None:
    """Make the holder somebody else."""
    with ledger._writing() as connection:
        connection.execute(update(table).values(**values))


def silence(ledger: Ledger, seconds: float) -> None:
    """Let the last heartbeat be so long ago, by the clock that heartbeats go by."""
    with ledger._writing() as connection:
        now = ledger._database_now(connection)
        connection.execute(update(table).values(heartbeat=(now - timedelta(seconds=seconds)).isoformat()))


ELSEWHERE = {"host": "another-machine", "machine": "another-boot/1"}


def test_it_names_who_holds_it_and_what_to_do(ledgers: list[Ledger]) -> None:
    with ledgers[0].lease("anna@desk"), pytest.raises(LeaseHeldError) as caught, ledgers[1].lease("ben"):
        pass
    text = str(caught.value)
    held = f"anna@desk, process {os.getpid()} on {socket.gethostname()}, since "
    assert held in text
    assert re.search(r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", text)
    assert caught.value.next_step


def test_it_is_free_again_afterwards(ledgers: list[Ledger]) -> None:
    with ledgers[0].lease("anna"):
        pass
    assert owner_of(ledgers[0]) is None
    with ledgers[1].lease("ben"):
        assert owner_of(ledgers[0]) == "ben"


def test_it_is_free_again_after_an_error(ledgers: list[Ledger]) -> None:
    with pytest.raises(ZeroDivisionError), ledgers[0].lease("anna"):
        raise ZeroDivisionError
    assert owner_of(ledgers[0]) is None


def test_environments_have_leases_of_their_own(store: Store, ledgers: list[Ledger]) -> None:
    with (
        store.open(environment="production") as other,
        ledgers[0].lease("a"),
        other.lease("b"),
    ):
        assert (owner_of(ledgers[0]), owner_of(other)) == ("a", "b")


def test_of_many_that_ask_at_once_one_gets_it(store: Store) -> None:
    """Nobody is told that the ledger is broken: the others are told who has it."""
    made = [store.open() for _ in range(6)]
    start, done, answers = threading.Barrier(6), threading.Event(), []

    def ask(ledger: Ledger) -> None:
        start.wait()
        try:
            with ledger.lease("anna"):
                answers.append("held")
                done.wait(30)
        except AbreastError as error:
            answers.append(type(error).__name__)
        if len(answers) == 6:
            done.set()

    threads = [threading.Thread(target=ask, args=(ledger,)) for ledger in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [*["LeaseHeldError"] * 5, "held"]
    for ledger in made:
        ledger.close()


HOLD = (
    "import sys, time; from sync.ledger import Ledger\n"
    "ledger = Ledger(sys.argv[1], environment='drill', operator='dead').open()\n"
    "with ledger.lease('dead'): print('held', flush=True); time.sleep(60)\n"
)


def test_a_process_killed_on_this_machine_is_taken_over(store: Store, ledgers: list[Ledger]) -> None:
    command = [sys.executable, "-c", HOLD, store.url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(LeaseHeldError, match=f"process {child.pid}"), ledgers[0].lease("anna"):
            pass
        with pytest.raises(GuardError, match="is running on this machine"):
            ledgers[0].break_lease(owner="dead", reason="I want it")
        child.send_signal(signal.SIGKILL)
        # Not waited for: a zombie is dead too.
        while process_identity(child.pid) is not None:
            pass
        with ledgers[0].lease("anna"):
            assert owner_of(ledgers[1]) == "anna"
    taken = ledgers[0].entries()
    assert [(entry.kind, entry.payload["owner"], entry.payload["process"]) for entry in taken] == [
        (EntryKind.LEASE_TAKEN, "dead", child.pid)
    ]


def test_another_process_that_got_the_same_id_later_does_not_hold_it(ledgers: list[Ledger]) -> None:
    with ledgers[0].lease("anna"):
        pretend(ledgers[0], process="an-earlier-boot/123")
        with ledgers[1].lease("ben"):
            assert owner_of(ledgers[0]) == "ben"


# --- across machines ----------------------------------------------------------------------------------------


def test_another_machine_keeps_it_however_long_it_is_silent(ledgers: list[Ledger]) -> None:
    with ledgers[0].lease("anna@desk"):
        pretend(ledgers[0], **ELSEWHERE)
        silence(ledgers[0], 3600)
        with pytest.raises(LeaseHeldError) as caught, ledgers[1].lease("ben"):
            pass
        assert owner_of(ledgers[0]) == "anna@desk"
    assert "no sign of life for 60 min" in str(caught.value)
    assert "`abreast ledger break-lease --environment drill --owner anna@desk --reason …`" in str(
        caught.value
    )


def test_it_is_not_broken_while_heartbeats_arrive(ledgers: list[Ledger]) -> None:
    with ledgers[0].lease("anna"):
        pretend(ledgers[0], **ELSEWHERE)
        for seconds in (0, STALE_SECONDS - 30):
            silence(ledgers[0], seconds)
            with pytest.raises(GuardError, match=r"gave a sign of life \d+ s ago"):
                ledgers[1].break_lease(owner="anna", reason="does not answer the phone")
        assert owner_of(ledgers[0]) == "anna"
    assert ledgers[0].entries() == []


def test_a_machine_of_the_same_name_is_another_machine(ledgers: list[Ledger]) -> None:
    """Cloned machines and containers share a name; a process id of one means nothing in the other."""
    with ledgers[0].lease("anna"):
        pretend(ledgers[0], machine="another-boot/1", pid=2**22 + 1)
        with pytest.raises(LeaseHeldError), ledgers[1].lease("ben"):
            pass
        with pytest.raises(GuardError, match="sign of life"):
            ledgers[1].break_lease(owner="anna", reason="looks dead from here")


def test_after_a_reboot_a_file_is_taken_over_and_a_database_asks(store: Store, ledgers: list[Ledger]) -> None:
    """A file's only machine was started anew: nothing runs of what ran before."""
    with ledgers[0].lease("anna"):
        pretend(ledgers[0], machine="an-earlier-boot/1")
        silence(ledgers[0], STALE_SECONDS + 1)
        if store.is_file:
            with ledgers[1].lease("ben"):
                assert owner_of(ledgers[0]) == "ben"
        else:
            with pytest.raises(LeaseHeldError, match="no sign of life"), ledgers[1].lease("ben"):
                pass


def test_it_is_broken_by_name_and_with_a_reason(store: Store, ledgers: list[Ledger]) -> None:
    with store.open(operator="ben@console") as mine, ledgers[0].lease("anna"):
        pretend(ledgers[0], **ELSEWHERE)
        silence(ledgers[0], STALE_SECONDS + 1)
        with pytest.raises(UsageError, match="reason"):
            mine.break_lease(owner="anna", reason=" ")
        with pytest.raises(GuardError, match=r"held by anna, .*, not by carl"):
            mine.break_lease(owner="carl", reason="her desk burnt")
        broken = mine.break_lease(owner="anna", reason="her desk burnt")
        assert (broken.owner, broken.host) == ("anna", "another-machine")

        entry = mine.entries()[-1]
        assert (entry.kind, entry.operator) == (EntryKind.LEASE_BROKEN, "ben@console")
        assert (entry.payload["owner"], entry.payload["reason"]) == ("anna", "her desk burnt")
        assert mine.verify().is_sound
        with pytest.raises(LedgerError, match="was broken"):
            ledgers[0].append(EntryKind.INTENT, {"action": "b"}, run_id="run")
        with mine.lease("ben"):
            assert owner_of(mine) == "ben"
        with pytest.raises(GuardError, match="nothing to break"):
            mine.break_lease(owner="anna", reason="again")


def test_whoever_lost_it_writes_nothing_more(ledgers: list[Ledger]) -> None:
    with ledgers[0].lease("anna"):
        ledgers[0].append(EntryKind.INTENT, {"action": "a"}, run_id="run")
        pretend(ledgers[1], token="somebody-else")
        with pytest.raises(LedgerError, match="taken over"):
            ledgers[0].append(EntryKind.INTENT, {"action": "b"}, run_id="run")
    assert [entry.payload["action"] for entry in ledgers[0].entries()] == ["a"]
    assert owner_of(ledgers[0]) == "anna", "the other one's lease stays"


def test_the_heart_beats_in_a_thread_of_its_own(
    store: Store, ledgers: list[Ledger], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync.lease.Lease.__init__, "__kwdefaults__", {"heartbeat_seconds": 0.01})
    with ledgers[0].lease("anna"):
        first = ledgers[1].lease_holder()
        assert first is not None
        silence(ledgers[1], 600)
        store.clock.sleep(1)
        deadline = time.monotonic() + 30
        while (held := ledgers[1].lease_holder()) is not None and held.heartbeat <= first.heartbeat:
            assert time.monotonic() < deadline
        assert held is not None and held.since == first.since


def test_heartbeats_do_not_go_by_this_machines_clock_where_machines_share_the_ledger(
    store: Store, ledgers: list[Ledger]
) -> None:
    with ledgers[0].lease("anna"):
        pretend(ledgers[0], **ELSEWHERE)
        store.clock.sleep(24 * 3600)
        if store.is_file:
            ledgers[1].break_lease(owner="anna", reason="one clock, one machine")
        else:
            with pytest.raises(GuardError, match="sign of life"):
                ledgers[1].break_lease(owner="anna", reason="my clock is wrong")


# --- who and where ------------------------------------------------------------------------------------------


def test_a_process_is_told_from_a_later_one_of_the_same_id() -> None:
    assert process_identity(os.getpid()) == process_identity(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert process_identity(child.pid) not in (None, process_identity(os.getpid()))
    assert process_identity(child.pid) is None


def test_without_proc_a_living_process_is_only_known_to_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync.lease, "Path", lambda _: Path("/nonexistent"))
    assert process_identity(os.getpid()) == ""
    assert machine_identity() == ""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        pass
    assert process_identity(child.pid) is None
