"""The ledger fails in the middle of an execution: its database gone, its disk full, its file read-only.

Nothing runs unrecorded: of every call that reached CloudStack the intent is in the ledger, none is sent after
the failure but those whose intents were written, and once the ledger is back the run goes on where it was.
"""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import make_url

from sync import ledger_database
from sync.credentials import CredentialFile
from sync.errors import EXIT_UNKNOWN, GuardError, LeaseHeldError, LedgerError
from sync.executor import Confirmation, Executor, RunReport
from sync.ledger import EntryKind, Ledger
from sync.model import Action, ActionKind, Outcome
from tests.fake_cloudstack import (
    Clock,
    FakeCloudStack,
    Limits,
    action,
    create_domain,
    plan,
)

if TYPE_CHECKING:
    from tests.stores import Database, Store

pytest_plugins = ["tests.stores"]

ACTIONS = 12
NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user could get into, unlike pytest's."""
    made = Path(tempfile.mkdtemp(prefix="abreast-gone-"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


class Desk:
    """An operator with a ledger and a cloud."""

    def __init__(self, url: str, folder: Path, *, operator: str = "anna@desk", cloud: FakeCloudStack) -> None:
        self.clock = Clock()
        self.cloud = cloud
        self.operator = operator
        self.ledger = Ledger(url, environment="drill", operator=operator, clock=self.clock).open()
        self.vault = CredentialFile(folder / f"{operator}.jsonl")

    def run(self, *actions: Action) -> RunReport:
        made = plan(*actions, now=self.clock())
        return self._executor().run(
            made, confirmed=self._word(made.digest), on_event=lambda _: None, stop=threading.Event()
        )

    def resume(self) -> RunReport:
        run = self.ledger.interrupted_run()
        assert run is not None
        return self._executor().resume(
            run.run_id, confirmed=self._word(run.digest), on_event=lambda _: None, stop=threading.Event()
        )

    def _executor(self) -> Executor:
        return Executor(
            reader=self.cloud,
            writer=self.cloud,
            ledger=self.ledger,
            vault=self.vault,
            limits=Limits(),
            clock=self.clock,
            sleep=self.clock.sleep,
        )

    def _word(self, digest: str) -> Confirmation:
        return Confirmation(digest=digest, by=self.operator, at=self.clock())

    def intended(self) -> set[str]:
        entries = self.ledger.entries(kinds=[EntryKind.INTENT])
        return {entry.payload["parameters"]["name"] for entry in entries}


class Failure:
    """Something that happens to a ledger just before the n-th call reaches CloudStack."""

    def __init__(self, at: int, break_it: Callable[[], None]) -> None:
        self._at = at
        self._break_it = break_it
        self._calls = 0
        self._lock = threading.Lock()

    def __call__(self, command: str, parameters: Mapping[str, str]) -> None:
        with self._lock:
            self._calls += 1
            if self._calls == self._at:
                self._break_it()


def break_and_mend(
    desk: Desk, at: int, break_it: Callable[[], None], mend: Callable[[], None]
) -> LedgerError:
    """A run during which the ledger fails; afterwards it is mended, and the run finished."""
    desk.cloud.before_submit = Failure(at, break_it)
    actions = [create_domain(f"p{number}") for number in range(ACTIONS)]
    try:
        with pytest.raises(LedgerError) as caught:
            desk.run(*actions)
        sent = [parameters["name"] for _, parameters in desk.cloud.log]
    finally:
        mend()
    assert at <= len(sent) <= at + Limits().concurrency
    assert len(sent) == len(set(sent))
    assert set(sent) <= desk.intended()
    assert desk.ledger.verify().is_sound

    report = desk.resume()
    assert {result.outcome for result in report.results} == {Outcome.SUCCEEDED}
    names = [parameters["name"] for _, parameters in desk.cloud.log]
    assert sorted(names) == sorted(f"p{number}" for number in range(ACTIONS))
    assert desk.ledger.verify().is_sound
    assert desk.ledger.lease_holder() is None
    return caught.value


# --- PostgreSQL went away -----------------------------------------------------------------------------------


def desk_on(database: Database, folder: Path) -> Desk:
    return Desk(database.url.render_as_string(hide_password=False), folder, cloud=FakeCloudStack())


@pytest.mark.parametrize("at", [1, 2, 7, ACTIONS])
def test_its_database_is_gone(database: Database, folder: Path, at: int) -> None:
    desk = desk_on(database, folder)
    error = break_and_mend(desk, at, database.go, database.come_back)
    assert "cannot be written" in str(error)
    assert "Nothing is sent to CloudStack without it" in str(error)
    assert str(make_url(database.url).password) not in str(error)
    assert error.exit_code == EXIT_UNKNOWN
    desk.ledger.close()


def test_a_database_that_was_gone_between_two_entries_is_connected_to_again(
    database: Database, folder: Path
) -> None:
    """A restart of the server loses sessions, not the run: an entry is either written or it is not."""
    desk = desk_on(database, folder)
    desk.cloud.before_submit = Failure(1, database.restart)
    report = desk.run(*(create_domain(f"p{number}") for number in range(3)))
    assert {result.outcome for result in report.results} == {Outcome.SUCCEEDED}
    assert desk.ledger.verify().is_sound
    desk.ledger.close()


@pytest.mark.parametrize("at", [1, 7])
def test_its_database_takes_nothing_any_more(database: Database, folder: Path, at: int) -> None:
    desk = desk_on(database, folder)
    error = break_and_mend(desk, at, database.stand_still, database.move_again)
    assert "read-only transaction" in str(error)
    desk.ledger.close()


def test_sessions_that_hang_are_given_up_for_new_ones(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network acknowledges what is sent, nothing ever answers: nobody waits for that for ever."""
    monkeypatch.setattr(ledger_database, "_ANSWER_SECONDS", 1.0)
    desk = desk_on(database, folder)
    with database.hanging():
        report = desk.run(create_domain("dune"))
    assert [result.outcome for result in report.results] == [Outcome.SUCCEEDED]
    assert desk.ledger.verify().is_sound
    desk.ledger.close()


@pytest.mark.parametrize("at", [1, 2, 7, ACTIONS])
def test_its_databases_disk_is_full(database: Database, folder: Path, at: int) -> None:
    """The server's table cannot grow any more: the kernel refuses the next page of it."""
    desk = desk_on(database, folder)
    database.make_full("entries")
    error = break_and_mend(desk, at, lambda: database.fill("entries"), database.make_room)
    assert "could not extend file" in str(error)
    assert "Nothing is sent to CloudStack without it" in str(error)
    desk.ledger.close()


@pytest.mark.parametrize("at", [1, 7])
def test_its_database_crashes_and_recovers_by_itself(database: Database, folder: Path, at: int) -> None:
    """Whether the run outlives it depends on how quickly: nothing is sent twice, and nothing unrecorded."""
    desk = desk_on(database, folder)
    desk.cloud.before_submit = Failure(at, database.crash)
    actions = [create_domain(f"p{number}") for number in range(ACTIONS)]
    try:
        report = desk.run(*actions)
    except LedgerError:
        sent = [parameters["name"] for _, parameters in desk.cloud.log]
        database.wait_until_it_answers()
        assert set(sent) <= desk.intended()
        report = desk.resume()
    assert {result.outcome for result in report.results} == {Outcome.SUCCEEDED}
    names = [parameters["name"] for _, parameters in desk.cloud.log]
    assert sorted(names) == sorted(f"p{number}" for number in range(ACTIONS))
    assert desk.ledger.verify().is_sound
    assert desk.ledger.lease_holder() is None
    desk.ledger.close()


def test_nothing_starts_while_its_database_is_gone(database: Database, folder: Path) -> None:
    desk = desk_on(database, folder)
    database.go()
    with pytest.raises(LedgerError, match="cannot be written"):
        desk.run(create_domain("dune"))
    assert desk.cloud.log == []
    database.come_back()
    desk.ledger.close()


# --- the disk ----------------------------------------------------------------------------------------------


@contextmanager
def restoring_the_limit() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        yield before
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("at", [1, 2, 7, ACTIONS])
def test_its_disk_is_full(folder: Path, at: int) -> None:
    """No file may grow any more: the kernel refuses the write, in the middle of a page too."""
    file = folder / "ledger.sqlite"
    desk = Desk(f"sqlite:///{file}", folder, cloud=FakeCloudStack())
    with restoring_the_limit() as before:

        def fill() -> None:
            size = file.with_name("ledger.sqlite-wal").stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, before[1]))

        def make_room() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

        error = break_and_mend(desk, at, fill, make_room)
    assert "cannot be written" in str(error)
    desk.ledger.close()


@pytest.mark.parametrize("at", [1, 7])
def test_its_file_cannot_be_written_any_more(folder: Path, at: int) -> None:
    file = folder / "ledger.sqlite"
    desk = Desk(f"sqlite:///{file}", folder, cloud=FakeCloudStack())

    def protect() -> None:
        with desk.ledger._lock:  # no connection may stay open, with which another thread could still write
            desk.ledger._engine.dispose()
            for one in folder.iterdir():
                one.chmod(0o444)
            folder.chmod(0o555)
            if os.getuid() == 0:
                os.seteuid(NOBODY)

    def release() -> None:
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o777)
        for one in folder.iterdir():
            one.chmod(0o600)

    error = break_and_mend(desk, at, protect, release)
    assert "cannot be written" in str(error)
    desk.ledger.close()


def test_the_same_process_writes_again_once_its_file_may_be_written(folder: Path) -> None:
    """What a connection opened for reading alone never learns by itself."""
    with Ledger(f"sqlite:///{folder / 'ledger.sqlite'}", environment="drill") as ledger:
        ledger._engine.dispose()
        owners = NOBODY if os.getuid() == 0 else os.getuid()
        for one in (folder, *folder.iterdir()):
            os.chown(one, owners, -1)
        (folder / "ledger.sqlite").chmod(0o444)
        try:
            os.seteuid(owners)
            with pytest.raises(LedgerError, match="attempt to write a readonly database"):
                ledger.append(EntryKind.INTENT, {"action": "one"}, run_id=None)
            for one in folder.iterdir():
                one.chmod(0o600)
            ledger.append(EntryKind.INTENT, {"action": "two"}, run_id=None)
        finally:
            os.seteuid(os.getuid())
        assert [entry.payload["action"] for entry in ledger.entries(kinds=[EntryKind.INTENT])] == ["two"]


def test_nothing_starts_on_a_read_only_file(folder: Path) -> None:
    file = folder / "ledger.sqlite"
    Desk(f"sqlite:///{file}", folder, cloud=FakeCloudStack()).ledger.close()
    file.chmod(0o444)
    folder.chmod(0o555)
    try:
        if os.getuid() == 0:
            os.seteuid(NOBODY)
        with pytest.raises(LedgerError, match="cannot be opened: Permission denied") as caught:
            Ledger(f"sqlite:///{file}", environment="drill").open()
        assert "Nothing is sent to CloudStack" in str(caught.value)
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o777)


# --- somebody else goes on ----------------------------------------------------------------------------------


class DyingLedger(Ledger):
    """Its process ends after CloudStack has given a job for a call."""

    def append(self, kind, payload, *, run_id):  # type: ignore[no-untyped-def]
        if kind is EntryKind.OUTCOME:
            raise LedgerError("The machine lost its power.")
        return super().append(kind, payload, run_id=run_id)


def disable_user(cloud: FakeCloudStack) -> Action:
    domain = cloud.add_project("dune", "jmartin")
    user = cloud.user(domain.id, "jmartin")
    assert user is not None
    return action(
        ActionKind.DISABLE_USER,
        "ROOT/ci/dune:dune:jmartin",
        target_id=user.id,
        precondition={"state": "enabled"},
    )


def test_another_operator_breaks_the_lease_and_adopts_the_run_with_its_job(
    store: Store, folder: Path
) -> None:
    cloud = FakeCloudStack()
    anna = Desk(store.url, folder, cloud=cloud)
    anna.ledger.close()
    anna.ledger = DyingLedger(store.url, environment="drill", operator="anna@desk", clock=anna.clock).open()
    with pytest.raises(LedgerError, match="lost its power"):
        anna.run(disable_user(cloud), create_domain("boreal"))
    assert [command for command, _ in cloud.log] == ["disableUser"]
    jobs = dict(cloud.jobs)
    _leave_lease_behind(store, anna.ledger)

    ben = Desk(store.url, folder, operator="ben@console", cloud=cloud)
    with pytest.raises(LeaseHeldError, match="no sign of life"):
        ben.resume()
    with pytest.raises(GuardError, match="not by carl"):
        ben.ledger.break_lease(owner="carl@desk", reason="her desk burnt")
    ben.ledger.break_lease(owner="anna@desk", reason="her desk burnt")
    report = ben.resume()

    assert [result.outcome for result in report.results] == [Outcome.SUCCEEDED] * 2
    assert [command for command, _ in cloud.log] == ["disableUser", "createDomain"], "sent once, by anna"
    assert report.results[0].job_id in jobs
    resumed = ben.ledger.entries(kinds=[EntryKind.RUN_RESUMED])[0]
    assert (resumed.operator, resumed.payload["taken_over_from"]) == ("ben@console", "anna@desk")
    assert resumed.summary == "confirmed by ben@console, taken over from anna@desk"
    broken = ben.ledger.entries(kinds=[EntryKind.LEASE_BROKEN])[0]
    assert broken.payload["reason"] == "her desk burnt"
    with pytest.raises(LedgerError, match="was broken"), anna.ledger.lease("x"):
        store.tamper("DELETE FROM lease")
        anna.ledger.append(EntryKind.INTENT, {"action": "late"}, run_id=report.run_id)
    assert ben.ledger.verify().is_sound
    for desk in (anna, ben):
        desk.ledger.close()


def _leave_lease_behind(store: Store, ledger: Ledger) -> None:
    """As a machine does that lost its power an hour ago."""
    with ledger.lease(ledger.operator):
        held = ledger.lease_holder()
        assert held is not None
        hour = held.heartbeat.replace(year=held.heartbeat.year - 1).isoformat()
        store.tamper(
            f"UPDATE lease SET host = 'desk', machine = 'boot/1', token = 'gone', heartbeat = '{hour}'"
        )
