"""A lab that is seen in part: the whole product looks at it, and what it concludes is held against
the truth.

The truth is the same product's own full view, taken first. A partial view may know less, never something
else: no row of another kind, nothing missing or unexpected that merely was not read, no repair that the full
view would not propose. What was sent is read in the sandbox's access log, what was lost in the sandbox.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from console.__main__ import main
from console.cli.reading import read_both, verdict
from console.session import Session
from sync.cloudstack import Writer
from sync.cloudstack.client import Connection
from sync.executor import Confirmation, RunReport
from sync.model import Action, Drift, DriftKind, JsonObject
from sync.operations import OPERATIONS
from sync.sandbox.naive_sync import Client
from sync.sandbox.process import Ready, SandboxProcess
from sync.sandbox.worlds import Blueprint, blueprint_for, write_database
from sync.sandbox.worlds.blueprint import Person, Tenant
from sync.settings import load
from tests.cli import NETWORK, Access, Configured, configure
from tests.cloudstack_cloud import Cloud
from tests.deletions import DELETING, PRODUCT

LISTS = {
    "listDomains": "domain",
    "listAccounts": "account",
    "listUsers": "user",
    "listVirtualMachines": "virtualmachine",
    "listVolumes": "volume",
    "listNetworks": "network",
}
"""What is compared, and with it what a lost list could make look missing."""

NEW = "nouveau"
"""A project of the CI database that has no domain yet: what there is to repair, beside what dune lacks."""

Lie = Callable[[str, Mapping[str, str], JsonObject], JsonObject]
"""What something between us and CloudStack makes of an answer: command, parameters, answer → answer."""


def lab_of(count: int) -> Blueprint:
    """So many projects with an owner each, in sync."""
    return Blueprint(
        tenants=tuple(
            Tenant(name=f"project-{number:04}", members=(_person(number),), age_days=2000 - number)
            for number in range(count)
        )
    )


def _person(number: int) -> Person:
    return Person(f"owner{number}", "Owner", f"Number {number}", role="owner")


def is_deletion(action: Action) -> bool:
    """Whether an action takes something away, by its name or by the call that it would send."""
    command = OPERATIONS[action.kind].command
    return bool(DELETING.match(action.kind.value) or DELETING.match(command)) or command not in Writer.ALLOWED


@dataclass(frozen=True)
class View:
    """What the product made of one look."""

    status: str
    """Of the comparison: `in sync`, `drift`, `critical`, `unknown`; or `refused` where it made none."""
    drift: Drift | None = None
    actions: tuple[Action, ...] = ()
    """All proposed repairs, of the session and of `abreast plan`."""
    said: str = ""
    """What the commands said, to people."""
    checked: str = ""
    """The status by `abreast check`, which read for itself."""

    @property
    def is_complete(self) -> bool:
        return self.drift is not None and self.drift.desired.is_complete and self.drift.actual.is_complete


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    scenario: str
    seen: str
    proposed: int
    """Deletions."""
    sent: int
    """Deletions."""
    invented: tuple[str, ...] = ()
    """What was concluded or proposed although it was not read."""
    lost: tuple[str, ...] = ()
    """What was there before and is not there any more."""


@dataclass
class Lab:
    """A sandbox, a CI database, a configuration; views are taken with `look`, and judged at the end."""

    folder: Path
    box: SandboxProcess
    hand: Client
    configured: Configured
    views: list[View] = field(default_factory=list)
    truth: View = field(default_factory=lambda: View("never looked"))
    invented: list[str] = field(default_factory=list)
    before: frozenset[str] = frozenset()
    """Ids of everything that is there."""

    @property
    def cloud(self) -> Cloud:
        return Cloud(self.box, self.hand)

    @property
    def database(self) -> Path:
        return self.folder / "ci.sqlite"

    def configure(self, *, key: str = "", secret: str = "", url: str = "", more: str = "") -> None:
        """Another configuration of the same environment."""
        ready = self.box.ready
        access = Access(url or ready.url, key or ready.key, secret or ready.secret)
        configure(self.folder, access, f"sqlite:///{self.database}", more=NETWORK + more)

    def change_database(self, *statements: str) -> None:
        """Run SQL on the CI database."""
        with contextlib.closing(sqlite3.connect(self.database)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def fault(self, kind: str, command: str = "list*", **described: Any) -> None:
        self.box.control.add_fault(kind, command=command, **described)

    def calm(self) -> None:
        self.box.control.clear_faults()

    # --- looking --------------------------------------------------------------------------------------------

    def session(self, *, clock: Callable[[], datetime] | None = None) -> Session:
        environment = load(self.configured.config).environment(None)
        return Session(environment, operator="ops", **({} if clock is None else {"clock": clock}))

    def look(self, *projects: str, clock: Callable[[], datetime] | None = None) -> View:
        """One look with everything that looks: a session's comparison and repairs, `check`, `plan`."""
        code, out, said = self.run("check", "--format", "json")
        drift: Drift | None = None
        actions: list[Action] = []
        status = checked = f"refused ({code})"
        if out:
            with contextlib.closing(self.session(clock=clock)) as session:
                drift = session.compare(*read_both(session))
                actions = [action for row in drift.rows for action in session.repairs(row)]
            status, checked = verdict(drift)[1], json.loads(out)["status"]
        file = self.folder / "plan.json"
        file.unlink(missing_ok=True)
        _, _, planned = self.run("plan", *projects, "-o", str(file))
        if file.exists():
            from console.cli.planning import read_plan

            actions += [one for one in read_plan(file).actions if one not in actions]
        view = View(status, drift, tuple(actions), said + planned, checked)
        self.views.append(view)
        if self.truth.drift is not None:
            self.invented += invented(view, self.truth)
        return view

    def look_anew(self) -> None:
        """After something was repaired: what is seen in full now is the truth from now on."""
        self.truth = View("never looked")
        self.truth = self.look()
        assert self.truth.is_complete, self.truth.said
        self.views.pop()

    def run(self, *arguments: str, typed: str = "") -> tuple[int, str, str]:
        """A command in this process: exit code, what it printed, and everything it said."""
        out, error = io.StringIO(), io.StringIO()
        with (
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(error),
            patch("sys.stdin", io.StringIO(typed)),
        ):
            code = main(["--config", str(self.configured.config), *arguments])
        said = out.getvalue() + error.getvalue()
        assert "Traceback" not in said, said
        return code, out.getvalue(), said

    def execute(self, view: View) -> RunReport | None:
        """All proposed repairs, armed and confirmed; None where there are none."""
        if not view.actions:
            return None
        with contextlib.closing(self.session()) as session:
            plan = session.plan(view.actions)
            session.arm()
            word = Confirmation(plan.digest, session.operator, session.clock())
            return session.executor().run(
                plan, confirmed=word, on_event=lambda _: None, stop=threading.Event()
            )

    # --- judging --------------------------------------------------------------------------------------------

    def everything(self) -> frozenset[str]:
        """Ids of all domains, accounts, users, VMs, volumes, networks, as the sandbox's admin lists them."""
        found = set()
        for command, key in LISTS.items():
            for extra in ({}, {"projectid": "-1"}):
                page = 1
                while True:
                    answer = self.hand.call(command, listall="true", page=str(page), pagesize="20", **extra)
                    found |= {f"{key} {row['id']}" for row in answer.get(key, [])}
                    if len(answer.get(key, [])) < 20:
                        break
                    page += 1
        return frozenset(found)

    def judge(self, scenario: str) -> Line:
        """What all looks together came to."""
        self.calm()
        self.box.control.log()
        return Line(
            scenario,
            seen=", ".join(dict.fromkeys(view.status for view in self.views)),
            proposed=sum(is_deletion(action) for view in self.views for action in view.actions),
            sent=sum(map(_is_deletion_call, self.box.control.log())),
            invented=tuple(self.invented),
            lost=tuple(sorted(self.before - self.everything())),
        )


def _is_deletion_call(entry: Mapping[str, Any]) -> bool:
    return str(entry["client"]).startswith(PRODUCT) and bool(
        DELETING.match(str(entry["command"])) or entry["cleanup"]
    )


def invented(view: View, truth: View) -> Iterator[str]:
    """What a view says that the full view does not: rows, parts of rows, repairs."""
    assert truth.drift is not None
    for row in view.drift.rows if view.drift is not None else ():
        if row.kind is DriftKind.UNKNOWN:
            continue
        true = truth.drift.row(row.key)
        if true is None or true.kind is not row.kind:
            yield f"{row.name} is said to be {row.kind.value}"
            continue
        for part in row.differences + row.losses:
            if part.kind is not DriftKind.UNKNOWN and part not in true.parts:
                yield f"{row.name}: {part.subject.value} {part.name} is said to be {part.kind.value}"
    known = {action.id for action in truth.actions}
    for action in view.actions:
        if action.id not in known:
            yield f"{action.id} is proposed"


# --- what stands between ----------------------------------------------------------------------------------


@contextlib.contextmanager
def between(lie: Lie, *, drop: tuple[str, ...] = ()) -> Iterator[None]:
    """Something between us and CloudStack that drops parameters of lists and changes what comes back."""
    plain = Connection.read

    def read(self: Connection, command: str, parameters: Mapping[str, str] | None = None) -> JsonObject:
        asked = dict(parameters or {})
        if not command.startswith("list") or command in ("listApis", "listCapabilities"):
            return plain(self, command, asked)
        sent = {name: value for name, value in asked.items() if name not in drop}
        return lie(command, asked, plain(self, command, sent))

    with patch.object(Connection, "read", read):
        yield


def rows_of(answer: JsonObject) -> tuple[str, list[JsonObject]]:
    """The key of an answer's rows, and the rows."""
    return next(((key, value) for key, value in answer.items() if isinstance(value, list)), ("", []))


@contextlib.contextmanager
def database_that_goes_away(after: str) -> Iterator[None]:
    """The CI database is gone after one of its queries."""
    from sqlalchemy.exc import OperationalError

    from sync import ci_db

    plain = ci_db._run
    gone = False

    def run(connection: Any, query: str, sql: str, **more: Any) -> Any:
        nonlocal gone
        if gone and query != "projects":
            raise OperationalError(sql, None, sqlite3.OperationalError("disk I/O error"))
        gone = query == after
        return plain(connection, query, sql, **more)

    with patch.object(ci_db, "_run", run):
        yield


# --- starting ---------------------------------------------------------------------------------------------


def start_of(box: SandboxProcess) -> None:
    """Signatures expire by this machine's clock: the sandbox's must not run ahead of it."""
    box.control.advance(-8 * 3600)


def client_of(ready: Ready) -> Client:
    return Client(endpoint=ready.url, key=ready.key, secret=ready.secret, token=ready.token)


@contextlib.contextmanager
def lab(folder: Path, *, projects: int = 0, release: str = "4.23") -> Iterator[Lab]:
    """The drill's lab before the incident, or one of so many plain projects; seen in full once."""
    folder.mkdir(parents=True, exist_ok=True)
    blueprint = lab_of(projects) if projects else blueprint_for("drill")
    database = folder / "ci.sqlite"
    write_database(blueprint, database)
    world = str(database) if projects else "drill"
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with contextlib.ExitStack() as stack:
        box = stack.enter_context(
            SandboxProcess.start(world=world, release=release, manual_clock=True, service_times=False)
        )
        start_of(box)
        hand = client_of(box.ready)
        stack.callback(hand.close)
        stack.enter_context(
            patch.dict(os.environ, kept | {"XDG_DATA_HOME": str(folder / "data")}, clear=True)
        )
        made = Lab(folder, box, hand, Configured(folder))
        made.change_database(
            f"INSERT INTO projects VALUES ('{NEW}', NULL, 1, NULL)",
            f"INSERT INTO members VALUES ('{NEW}', 'neuf', 'n@example.org', 'N', 'Euf', 'owner', 1)",
        )
        made.configure()
        made.look_anew()
        assert {action.project for action in made.truth.actions} >= {NEW}
        made.before = made.everything()
        yield made


def at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


def utc_now() -> datetime:
    return datetime.now(UTC)
