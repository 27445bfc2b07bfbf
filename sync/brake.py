"""The brake: CloudStack's own database lock, held by us so that queued deletions fail untouched.

`deleteDomain` takes a named MySQL lock before it touches anything and gives up after 30 s (measured on 4.23).
Nothing is read from or written to a table. The lock is waited for in the database, not polled: who asks
while a deletion runs comes next.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Any, Self

from sync.errors import ConfigurationError, UnreachableError
from sync.secret import Secret, without_secrets

WAIT_SECONDS = 600
"""How long one GET_LOCK waits; it is asked again for as long as the brake is wanted."""
CHECK_SECONDS = 1.0
"""Between two looks at whether the lock is still ours."""
CONNECT_SECONDS = 5
REFUSED_SECONDS = 10.0
"""Between two tries at a database that refuses: too many would lock the user out for good."""
_KEEP_ALIVE = 10
"""Looks between two words to the session that holds the lock: firewalls forget silent ones."""

_REFUSALS = frozenset({1044, 1045, 1049, 1130, 1227, 1251, 1524, 1698, 1820, 1862, 2059, 3118})
"""Error numbers of a server that answers and lets nobody in: the user, its password or host, the database."""

_RELEASE = re.compile(r"(\d+)\.(\d+)")


class BrakeState(Enum):
    STARTING = "starting"
    WAITING = "waiting"
    """A deletion that runs now, or another brake, has the lock."""
    HELD = "held"
    REFUSED = "refused"
    """The database answers and does not let us in: no brake, until somebody mends that."""
    LOST = "lost"
    """It was held and is not any more: an alarm. It is asked for again."""
    RELEASED = "released"


OnChange = Callable[[BrakeState, str], None]
"""Told each change of state with a sentence, from the brake's own thread."""


def lock_names(release: str) -> tuple[str, ...]:
    """The locks that deleteDomain takes in a release; both where it is not known which.

    4.23: DomainCleanup (measured); 4.18: AccountCleanup [source].
    """
    found = _RELEASE.match(release)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version >= (4, 23):
        return ("DomainCleanup",)
    if (4, 0) <= version <= (4, 18):
        return ("AccountCleanup",)
    return ("DomainCleanup", "AccountCleanup")


class Brake:
    """One named lock, held from `start` to `release`, or to the end of the process."""

    def __init__(
        self,
        url: Secret,
        lock: str,
        *,
        on_change: OnChange = lambda _state, _text: None,
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        """`url` is SQLAlchemy's. Raises ConfigurationError when it is none, or PyMySQL is missing."""
        self.lock = lock
        self._arguments = _arguments(url)
        self._password = str(self._arguments.get("password") or "")
        self._on_change = on_change
        self._check_seconds = check_seconds
        self._changing = threading.Lock()
        self._stop = threading.Event()
        self._state = BrakeState.STARTING
        self._text = ""
        self._losses = 0
        self._refusal = ""
        self._was_held = False
        self._session_id: int | None = None
        self._thread = threading.Thread(target=self._run, name=f"brake {lock}", daemon=True)

    def __repr__(self) -> str:
        return f"<Brake {self.lock}: {self._state.value}>"

    @property
    def state(self) -> BrakeState:
        return self._state

    @property
    def text(self) -> str:
        """The state in a sentence."""
        return self._text

    @property
    def losses(self) -> int:
        """How often it was lost since it was started."""
        return self._losses

    @property
    def refusal(self) -> str:
        """Why the database does not let it in, as far as it was not held since; empty where it does."""
        return self._refusal

    @property
    def was_held(self) -> bool:
        """Whether it was held at any time since it was started."""
        return self._was_held

    def start(self) -> Self:
        """Ask for the lock, in a thread of its own."""
        self._thread.start()
        return self

    def release(self) -> None:
        """Give the lock back. A session that still waits for it is ended by a second one."""
        self._stop.set()
        session_id = self._session_id
        if self._thread.is_alive() and self._state is not BrakeState.HELD and session_id is not None:
            self._end_session(session_id)
        if self._thread.is_alive():
            self._thread.join(CONNECT_SECONDS + 2 * self._check_seconds)
        self._set(BrakeState.RELEASED, f"The lock {self.lock} is given back.")

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    # --- the thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        driver = _driver()
        while not self._stop.is_set():
            pause = self._check_seconds
            try:
                self._hold_once()
            except (driver.err.MySQLError, OSError, RuntimeError) as error:
                if self._stop.is_set():
                    return
                if _is_refusal(error):
                    pause *= REFUSED_SECONDS / CHECK_SECONDS
                    self._refuse(_said(error, self._password))
                else:
                    self._refusal = ""
                    self._lose(f"{_said(error, self._password)} It is tried again.")
            self._session_id = None
            self._stop.wait(pause)

    def _lose(self, why: str, otherwise: BrakeState = BrakeState.WAITING) -> None:
        """An alarm where it was held; otherwise what keeps it from being held. Told when it changes."""
        if self._state is BrakeState.HELD:
            self._losses += 1
            self._set(BrakeState.LOST, f"{_LOST} {why}")
        elif self._state is BrakeState.LOST:
            self._set(BrakeState.LOST, f"{_LOST} {why}")
        else:
            self._set(otherwise, why)

    def _refuse(self, why: str) -> None:
        self._refusal = f"{why} {_MEND}"
        self._lose(self._refusal, BrakeState.REFUSED)

    def _hold_once(self) -> None:
        """Connect, wait for the lock, hold it until it is lost or given back."""
        session = self._connect(WAIT_SECONDS + 60)
        try:
            self._session_id = session.thread_id()
            if not self._acquire(session):
                return
            watch = self._connect(CONNECT_SECONDS)
            try:
                self._refusal, self._was_held = "", True
                self._set(BrakeState.HELD, f"The lock {self.lock} is held: deletions that wait for it fail.")
                self._watch(session, watch)
            finally:
                _close(watch)
                self._give_back(session)
        finally:
            _close(session)

    def _acquire(self, session: Any) -> bool:
        if _ask(session, "SELECT GET_LOCK(%s, 0)", self.lock) == 1:
            return True
        if self._state is not BrakeState.LOST:
            self._set(
                BrakeState.WAITING,
                f"The lock {self.lock} is taken by the deletion that runs now, or by another brake; this one "
                "comes next.",
            )
        while not self._stop.is_set():
            if _ask(session, "SELECT GET_LOCK(%s, %s)", self.lock, WAIT_SECONDS) == 1:
                return not self._stop.is_set()
        return False

    def _watch(self, session: Any, watch: Any) -> None:
        looks = 0
        while not self._stop.wait(self._check_seconds):
            if _ask(watch, "SELECT IS_USED_LOCK(%s)", self.lock) != self._session_id:
                self._lose(
                    f"The session that held {self.lock} was ended at the database. It is asked for again."
                )
                return
            looks += 1
            if looks % _KEEP_ALIVE == 0:
                _ask(session, "SELECT 1")

    def _give_back(self, session: Any) -> None:
        """In a call that is answered: a server may hold the lock of a closed session for a while longer."""
        with suppress(_driver().err.MySQLError, OSError):
            _ask(session, "SELECT RELEASE_LOCK(%s)", self.lock)

    def _connect(self, read_seconds: int) -> Any:
        return _connected(self._arguments, read_seconds)

    def _end_session(self, session_id: int) -> None:
        with suppress(_driver().err.MySQLError, OSError):
            other = self._connect(CONNECT_SECONDS)
            try:
                with other.cursor() as cursor:
                    cursor.execute("KILL %s", (session_id,))
            finally:
                _close(other)

    def _set(self, state: BrakeState, text: str) -> None:
        with self._changing:
            if self._state is BrakeState.RELEASED or (self._state, self._text) == (state, text):
                return
            self._state, self._text = state, text
        self._on_change(state, text)


def holder(url: Secret, lock: str) -> int | None:
    """Who holds a lock now, by the id of the session; None where nobody does.

    Raises ConfigurationError as Brake does, UnreachableError where the database does not answer.
    """
    arguments = _arguments(url)
    driver = _driver()
    try:
        session = _connected(arguments, CONNECT_SECONDS)
        try:
            found = _ask(session, "SELECT IS_USED_LOCK(%s)", lock)
        finally:
            _close(session)
    except (driver.err.MySQLError, OSError, RuntimeError) as error:
        raise UnreachableError(_said(error, str(arguments.get("password") or ""))) from None
    return int(str(found)) if found is not None else None


_LOST = "THE BRAKE IS LOST."
_MEND = (
    "The brake is NOT held, and nothing that is queued is saved. Mend `cloudstack_database` in abreast.toml, "
    "or let its user in at the database: it has to connect, and needs no right on anything."
)


def _is_refusal(error: Exception) -> bool:
    """Whether the server answered that it lets nobody in. PyMySQL raises RuntimeError where it lacks what
    the server's way to log in takes."""
    return isinstance(error, RuntimeError) or (bool(error.args) and error.args[0] in _REFUSALS)


def _said(error: Exception, password: str) -> str:
    """What the database said, or that it said nothing."""
    why = without_secrets(str(error), (password,)) or type(error).__name__
    verb = "refuses" if _is_refusal(error) else "does not answer"
    return f"CloudStack's database {verb}: {why}."


def _connected(arguments: dict[str, Any], read_seconds: int) -> Any:
    return _driver().connect(
        **{
            **arguments,
            "autocommit": True,
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": read_seconds,
            "write_timeout": CONNECT_SECONDS,
            "init_command": "SET SESSION wait_timeout = 604800",
        }
    )


def _driver() -> Any:
    """PyMySQL, which comes with abreast[mysql] only. Raises ModuleNotFoundError."""
    import pymysql  # type: ignore[import-untyped]

    return pymysql


def _arguments(url: Secret) -> dict[str, Any]:
    """What PyMySQL connects with. Raises ConfigurationError, without the URL's password."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        _driver()
        parsed = make_url(url.reveal()).set(drivername="mysql+pymysql")
        arguments, options = parsed.get_dialect()().create_connect_args(parsed)
    except ModuleNotFoundError:
        raise ConfigurationError(
            "The brake needs PyMySQL, which is not installed.", next_step="Install abreast[mysql]."
        ) from None
    except (SQLAlchemyError, ValueError, TypeError):
        raise ConfigurationError(
            "`cloudstack_database` is not a URL that SQLAlchemy understands.",
            next_step="Write it as mysql://USER:PASSWORD@HOST.",
        ) from None
    assert not arguments
    # The lock is the server's: a right on CloudStack's own database is neither needed nor asked for.
    return {name: value for name, value in options.items() if name not in ("database", "db")}


def _ask(connection: Any, statement: str, *values: object) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        row = cursor.fetchone()
    return row[0] if row else None


def _close(connection: Any) -> None:
    with suppress(_driver().err.MySQLError, OSError):
        connection.close()
