"""The brake against a real MariaDB: who holds the lock, what its loss looks like, how it is given back."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

import sync.brake
from sync.brake import Brake, BrakeState, lock_names
from sync.errors import ConfigurationError
from sync.sandbox.database_locks import DatabaseLocks, LockDatabaseError
from sync.secret import Secret
from tests.cli import ROOT

if TYPE_CHECKING:
    from sqlalchemy import URL

    from tests.databases import Server

pytest_plugins = ["tests.databases"]

LOCK = "DomainCleanup"
PATIENCE = 30.0


@pytest.fixture
def url(mariadb: Server) -> URL:
    """Of somebody who may connect, and nothing else: no right on any table or database."""
    with connect(mariadb.admin) as admin, admin.cursor() as cursor:
        cursor.execute("CREATE USER IF NOT EXISTS brake@'%' IDENTIFIED BY 'only to/connect'")
    return mariadb.admin.set(username="brake", password="only to/connect", database="")


def connect(url: URL) -> Any:
    return pymysql.connect(host=url.host, port=url.port or 0, user=url.username, password=str(url.password))


@pytest.fixture
def cloudstack(mariadb: Server) -> Iterator[Any]:
    """The management server's own session."""
    connection = connect(mariadb.admin)
    yield connection
    connection.close()


def ask(connection: Any, statement: str, *values: object) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        (value,) = cursor.fetchone()
    return value


class Told:
    """The states that a brake went through."""

    def __init__(self) -> None:
        self.states: list[BrakeState] = []
        self.texts: list[str] = []
        self._news = threading.Condition()

    def __call__(self, state: BrakeState, text: str) -> None:
        with self._news:
            self.states.append(state)
            self.texts.append(text)
            self._news.notify_all()

    def wait_for(self, state: BrakeState, times: int = 1) -> None:
        with self._news:
            assert self._news.wait_for(lambda: self.states.count(state) >= times, PATIENCE), self.states


def brake(url: URL, told: Told) -> Brake:
    return Brake(Secret(url.render_as_string(hide_password=False)), LOCK, on_change=told, check_seconds=0.05)


def test_a_held_brake_keeps_everybody_else_from_the_lock_and_release_gives_it_back(
    url: URL, cloudstack: Any
) -> None:
    told = Told()
    with brake(url, told) as held:
        told.wait_for(BrakeState.HELD)
        assert ask(cloudstack, "SELECT GET_LOCK(%s, 0)", LOCK) == 0
    assert held.state is BrakeState.RELEASED
    assert ask(cloudstack, "SELECT GET_LOCK(%s, 0)", LOCK) == 1
    ask(cloudstack, "SELECT RELEASE_LOCK(%s)", LOCK)


def test_who_waits_gets_the_lock_before_anybody_who_asks_later(url: URL, cloudstack: Any) -> None:
    told = Told()
    ask(cloudstack, "SELECT GET_LOCK(%s, 0)", LOCK)
    with brake(url, told):
        told.wait_for(BrakeState.WAITING)
        wait_until_asked(cloudstack)
        ask(cloudstack, "SELECT RELEASE_LOCK(%s)", LOCK)
        assert ask(cloudstack, "SELECT GET_LOCK(%s, 0)", LOCK) == 0, "the next deletion comes too late"
        told.wait_for(BrakeState.HELD)
    assert told.states == [BrakeState.WAITING, BrakeState.HELD, BrakeState.RELEASED]


def wait_until_asked(connection: Any) -> None:
    query = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE %s AND id <> CONNECTION_ID()"
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.02)):
        if ask(connection, query, "%GET_LOCK(%, 600)%"):
            return
        pause.wait(0.02)
    pytest.fail("nobody waits for the lock")


def test_its_loss_is_an_alarm_and_it_is_taken_again(url: URL, cloudstack: Any) -> None:
    told = Told()
    with brake(url, told) as held:
        told.wait_for(BrakeState.HELD)
        with cloudstack.cursor() as cursor:
            cursor.execute("KILL %s", (ask(cloudstack, "SELECT IS_USED_LOCK(%s)", LOCK),))
        told.wait_for(BrakeState.LOST)
        told.wait_for(BrakeState.HELD, times=2)
        assert held.losses == 1
    assert "THE BRAKE IS LOST" in told.texts[told.states.index(BrakeState.LOST)]


HOLDER = """
import sys
from sync.brake import Brake
from sync.secret import Secret
url = Secret(sys.stdin.readline().strip())
brake = Brake(url, "DomainCleanup", on_change=lambda state, text: print(state.value, flush=True)).start()
sys.stdin.read()
"""


def test_it_ends_with_its_process_even_when_that_is_killed(url: URL, cloudstack: Any) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(url.render_as_string(hide_password=False) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == f"{BrakeState.HELD.value}\n"
        assert ask(cloudstack, "SELECT GET_LOCK(%s, 0)", LOCK) == 0
        process.kill()
    assert ask(cloudstack, "SELECT GET_LOCK(%s, 10)", LOCK) == 1
    ask(cloudstack, "SELECT RELEASE_LOCK(%s)", LOCK)


def test_a_brake_that_still_waits_is_given_up_at_once(url: URL, cloudstack: Any) -> None:
    told = Told()
    ask(cloudstack, "SELECT GET_LOCK(%s, 0)", LOCK)
    held = brake(url, told).start()
    told.wait_for(BrakeState.WAITING)
    wait_until_asked(cloudstack)
    held.release()
    assert not held._thread.is_alive()
    ask(cloudstack, "SELECT RELEASE_LOCK(%s)", LOCK)
    assert ask(cloudstack, "SELECT GET_LOCK(%s, 0)", LOCK) == 1
    ask(cloudstack, "SELECT RELEASE_LOCK(%s)", LOCK)


def test_a_database_that_does_not_let_us_in_refuses_once_without_the_password(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, tries = Told(), threading.Semaphore(0)
    connected = sync.brake._connected

    def counted(arguments: dict[str, Any], seconds: int) -> Any:
        tries.release()
        return connected(arguments, seconds)

    monkeypatch.setattr("sync.brake._connected", counted)
    monkeypatch.setattr("sync.brake.REFUSED_SECONDS", 0.05)
    with brake(url.set(password="wrong-pass/word"), told) as refused:
        for _ in range(4):
            assert tries.acquire(timeout=PATIENCE)
        assert "`cloudstack_database`" in refused.refusal
    assert told.states == [BrakeState.REFUSED, BrakeState.RELEASED], "told once, however often it is tried"
    assert told.texts[0].startswith("CloudStack's database refuses: (1045, ")
    assert "The brake is NOT held" in told.texts[0]
    assert "wrong-pass" not in "".join(told.texts)
    assert refused.refusal, "for the exit code, after it was given up"


def test_what_was_refused_is_held_as_soon_as_somebody_lets_it_in(
    url: URL, mariadb: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.brake.REFUSED_SECONDS", 0.05)
    told = Told()
    with brake(url.set(username="late"), told) as late:
        told.wait_for(BrakeState.REFUSED)
        with connect(mariadb.admin) as admin, admin.cursor() as cursor:
            cursor.execute("CREATE USER late@'%' IDENTIFIED BY 'only to/connect'")
        told.wait_for(BrakeState.HELD)
        assert late.refusal == ""
    assert told.states == [BrakeState.REFUSED, BrakeState.HELD, BrakeState.RELEASED]
    with connect(mariadb.admin) as admin, admin.cursor() as cursor:
        cursor.execute("DROP USER late@'%'")


def test_no_right_on_the_database_of_the_url_is_needed(url: URL, mariadb: Server) -> None:
    told = Told()
    with brake(url.set(database=mariadb.create_database().database), told):
        told.wait_for(BrakeState.HELD)


def test_a_way_to_log_in_that_the_driver_lacks_is_a_refusal(
    url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(_arguments: dict[str, Any], _seconds: int) -> Any:
        raise RuntimeError("'cryptography' package is required for caching_sha2_password auth methods")

    monkeypatch.setattr("sync.brake._connected", lacking)
    told = Told()
    with brake(url, told):
        told.wait_for(BrakeState.REFUSED)
    assert "'cryptography' package is required" in told.texts[0]


def test_a_database_that_is_away_is_waited_for_and_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told, tries = Told(), threading.Semaphore(0)

    def away(_arguments: dict[str, Any], _seconds: int) -> Any:
        tries.release()
        raise pymysql.err.OperationalError(2003, "Can't connect to MySQL server")

    monkeypatch.setattr("sync.brake._connected", away)
    waiting = Brake(Secret("mysql://u:p@127.0.0.1:1"), LOCK, on_change=told, check_seconds=0.01)
    with waiting:
        for _ in range(4):
            assert tries.acquire(timeout=PATIENCE)
    assert told.states == [BrakeState.WAITING, BrakeState.RELEASED]
    assert "does not answer" in told.texts[0] and waiting.refusal == ""


def test_a_url_that_is_none() -> None:
    with pytest.raises(ConfigurationError, match="cloudstack_database"):
        Brake(Secret("mysql://host:port-is-no-number/x"), LOCK)


@pytest.mark.parametrize(
    ("release", "names"),
    [
        ("4.23.0.0-SNAPSHOT", ("DomainCleanup",)),
        ("4.18.0.0", ("AccountCleanup",)),
        ("4.11.3.0", ("AccountCleanup",)),
        ("4.20.1.0", ("DomainCleanup", "AccountCleanup")),
        ("", ("DomainCleanup", "AccountCleanup")),
    ],
)
def test_the_locks_of_a_release(release: str, names: tuple[str, ...]) -> None:
    assert lock_names(release) == names


# --- the sandbox's side -------------------------------------------------------------------------------------


def test_the_sandbox_takes_its_locks_there_too(mariadb: Server, cloudstack: Any) -> None:
    locks = DatabaseLocks(mariadb.create_database().render_as_string(hide_password=False))
    assert locks.acquire(LOCK, 1)
    assert locks.acquire(LOCK, 1)
    assert not locks.acquire(LOCK, 2)
    assert ask(cloudstack, "SELECT GET_LOCK(%s, 0)", LOCK) == 0
    locks.release(LOCK, 2)
    assert ask(cloudstack, "SELECT GET_LOCK(%s, 0)", LOCK) == 0
    locks.release_all(1)
    assert ask(cloudstack, "SELECT GET_LOCK(%s, 0)", LOCK) == 1
    assert not locks.acquire(LOCK, 2)
    ask(cloudstack, "SELECT RELEASE_LOCK(%s)", LOCK)
    assert locks.acquire(LOCK, 2)
    locks.close()


def test_a_database_that_is_away_gives_the_sandbox_no_lock(mariadb: Server, cloudstack: Any) -> None:
    locks = DatabaseLocks(mariadb.create_database().render_as_string(hide_password=False))
    locks.acquire(LOCK, 1)
    with cloudstack.cursor() as cursor:
        cursor.execute("KILL %s", (ask(cloudstack, "SELECT IS_USED_LOCK(%s)", LOCK),))
    locks.release(LOCK, 1)
    assert locks.acquire("Other", 2), "the next session is a new one"
    locks.close()


@pytest.mark.parametrize(
    "url", ["sqlite:///x", "mysql:///x", "mysql://u:p-4711@127.0.0.1:{port}/x", "mysql://h:x"]
)
def test_a_lock_database_that_cannot_be_used(url: str) -> None:
    from tests.databases import free_port

    with pytest.raises(LockDatabaseError) as refused:
        DatabaseLocks(url.format(port=free_port()))
    assert "p-4711" not in str(refused.value)


def test_a_lock_that_another_session_holds_is_lost_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[BrakeState] = []
    brake = Brake(
        Secret("mysql://u:p@127.0.0.1:1/cloud"),
        "DomainCleanup",
        on_change=lambda state, _: told.append(state),
        check_seconds=0.001,
    )
    brake._state, brake._session_id = BrakeState.HELD, 7
    answers = iter([7, 7, 8])

    def ask(_connection: Any, _statement: str, *_values: object) -> int:
        answer = next(answers, None)
        if answer is None:
            brake._stop.set()
        return answer or 0

    monkeypatch.setattr("sync.brake._ask", ask)
    brake._watch(object(), object())
    assert (brake.state, brake.losses, told) == (BrakeState.LOST, 1, [BrakeState.LOST])
