"""A lab in which a project is to be retired: sandbox, CI database, people with SSH keys, and a clock to step.

Who uses it is named in tests/deletions.py: these are the only tests in which the product itself may delete.
"""

from __future__ import annotations

import functools
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from console.session import Session
from sync.errors import GuardError, OutcomeUnknownError
from sync.retirement import Retirement, Step
from sync.retirement_journal import RetirementJournal
from sync.retirement_steps import Confirmation, word_for
from sync.retirement_text import campaign_text, loss_text
from sync.retiring import Retiring
from sync.sandbox.naive_sync import Client
from sync.sandbox.process import Control, Ready, SandboxProcess
from sync.sandbox.worlds import blueprint_for
from sync.sandbox.worlds.ci_rows import write_database
from sync.settings import Environment, load
from sync.ssh_signature import sign
from tests.signing import Signers

PROPOSER = "jmartin@console-1"
APPROVERS = ("alice", "bob")
PROJECT = "zephyr"
"""Of the drill's world: four VMs, a template and a snapshot, and no project of the CI database."""


@dataclass
class Clock:
    now: datetime

    def __call__(self) -> datetime:
        return self.now


class Box(Protocol):
    """A running sandbox, of this process or of another."""

    @property
    def ready(self) -> Ready: ...
    @property
    def control(self) -> Control: ...


@dataclass
class Lab:
    """One environment. `clock` is the product's, and the sandbox's moves with it."""

    folder: Path
    box: Box
    hand: Client
    clock: Clock
    sessions: list[Session] = field(default_factory=list)
    limits: str = ""
    """Of the configuration's [environments.lab.retirement]."""
    ledger: str = ""
    """URL; a file in the folder where it is empty."""
    runs: bool = False
    """Whether the sandbox's answers bear this machine's time, by which commands run, and not the lab's."""

    # --- making it ------------------------------------------------------------------------------------------

    @property
    def database(self) -> Path:
        return self.folder / "ci.sqlite"

    @property
    def signers(self) -> Signers:
        made = Signers(self.folder)
        if made.allowed.exists():
            made.lines = made.allowed.read_text().splitlines()
        return made

    @property
    def config(self) -> Path:
        return self.folder / "abreast.toml"

    @property
    def ledger_url(self) -> str:
        return self.ledger or f"sqlite:///{self.folder / 'ledger.sqlite'}"

    def configure(self) -> None:
        ready = self.box.ready
        ini = self.folder / "cloudstack.ini"
        ini.touch(mode=0o600)
        ini.write_text(f"[lab]\nendpoint = {ready.url}\nkey = {ready.key}\nsecret = {ready.secret}\n")
        self.config.touch(mode=0o600)
        self.config.write_text(
            f'[environments.lab]\nledger = "{self.ledger_url}"\n'
            '[environments.lab.cloudstack]\nfile = "cloudstack.ini"\nread = "lab"\nwrite = "lab"\n'
            f'[environments.lab.ci_database]\nurl = "sqlite:///{self.database}"\n'
            '[environments.lab.approvals]\nallowed_signers = "allowed_signers"\n'
            f"[environments.lab.retirement]\n{self.limits}\n"
        )

    def sql(self, *statements: str) -> None:
        """What the CI database's owner does."""
        with sqlite3.connect(self.database) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    def retire_in_ci_database(self, *projects: str) -> None:
        for name in projects:
            self.sql(
                f"DELETE FROM projects WHERE name = '{name}'",
                f"DELETE FROM members WHERE project = '{name}'",
                f"DELETE FROM agents WHERE project = '{name}'",
                f"DELETE FROM quotas WHERE project = '{name}'",
                f"INSERT INTO retired VALUES ('{name}', 'cdelorme', '2026-06-30', 'project ended')",
            )

    def environment(self) -> Environment:
        return load(self.config).environment("lab")

    def session(self, operator: str = PROPOSER) -> Session:
        """A console of somebody's, on some machine: nothing is shared with the others but the ledger."""
        made = Session(self.environment(), operator=operator, clock=self.clock)
        if self.runs:
            made.reader.server_time = self.clock  # type: ignore[method-assign]
        self.sessions.append(made)
        return made

    def retiring(self, operator: str = PROPOSER) -> Retiring:
        session = self.session(operator)
        made = session.retiring
        made.sleep = self.wait
        return made

    # --- time -----------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Time passes for all."""
        self.clock.now += timedelta(seconds=seconds)
        self.box.control.advance(seconds)

    def until_today(self) -> None:
        """A quarter of an hour before this machine's time, by which commands run."""
        self.wait((datetime.now(UTC) - self.clock()).total_seconds() - 900)

    def tomorrow(self) -> str:
        """By this machine's time; the day after, where this one is about to end."""
        return f"{(datetime.now(UTC) + timedelta(days=1, minutes=10)).date()}"

    # --- steps that most tests take -------------------------------------------------------------------------

    def read_once(self) -> None:
        """A comparison as `abreast check` makes it: what sides hold is remembered from here on."""
        session = self.session()
        session.compare(session.read_desired(), session.read_actual(limits=False))

    def proposed(self, *projects: str, **options: Any) -> Retirement:
        """From two readings, ten minutes apart."""
        try:
            return self.retiring().propose(projects or (PROJECT,), **options)
        except GuardError as error:
            assert "at least 10 minutes apart" in str(error), error
        self.wait(601)
        return self.retiring().propose(projects or (PROJECT,), **options)

    def approve(self, retirement: Retirement, *people: str) -> None:
        retiring = self.retiring("somebody@console-2")
        for name in people or APPROVERS:
            content = sign(loss_text(retirement.proposal).encode(), self.signers.key(name))
            retiring.sign(retirement, content)

    def approved(self, *projects: str, **options: Any) -> Retirement:
        made = self.proposed(*projects, **options)
        self.approve(made)
        return self.retiring().of(made.proposal.projects[0])

    def sign_campaign(self, id: str, name: str) -> None:
        retiring = self.retiring("somebody@console-2")
        (campaign,) = [one for one in retiring.history().campaigns if one.id == id]
        content = sign(campaign_text(campaign).encode(), self.signers.key(name))
        retiring.sign_campaign(campaign, content)

    def step(self, project: str = PROJECT, *, operator: str = PROPOSER) -> Retirement:
        """The next step, rightly confirmed."""
        retiring = self.retiring(operator)
        retirement = retiring.of(project)
        step = retirement.next_step
        assert step is not None
        return retiring.steps.step(project, confirmed=Confirmation(step, word_for(retirement)))

    def through(self, last: Step, project: str = PROJECT, *, operator: str = PROPOSER) -> Retirement:
        """Every step that is left up to and including this one, with the waits before them."""
        while True:
            retirement = self.retiring(operator).of(project)
            done = retirement.done(last)
            if done is not None and done.ended_at is not None:
                return retirement
            due = retirement.due_at
            if due is not None and due > self.clock():
                self.wait((due - self.clock()).total_seconds() + 1)
            try:
                self.step(project, operator=operator)
            except OutcomeUnknownError:
                # What still runs is read again when it may have ended.
                self.wait(600)

    # --- looking --------------------------------------------------------------------------------------------

    def rows(self, command: str, **parameters: str) -> list[dict[str, Any]]:
        answer = self.hand.call(command, listall="true", **parameters)
        return next((value for value in answer.values() if isinstance(value, list)), [])

    def domain_id(self, name: str = PROJECT) -> str | None:
        found = [row for row in self.rows("listDomains") if row["path"] == f"ROOT/ci/{name}"]
        return found[0]["id"] if found else None

    def machines(self, name: str = PROJECT) -> dict[str, str]:
        rows = self.rows("listVirtualMachines", projectid="-1")
        rows += self.rows("listVirtualMachines", projectid="-1", displayvm="false")
        return {row["name"]: row["state"] for row in rows if row["domainid"] == self.domain_id(name)}

    def accounts(self, name: str = PROJECT) -> dict[str, str]:
        rows = self.rows("listAccounts")
        return {row["name"]: row["state"] for row in rows if row["domainid"] == self.domain_id(name)}

    def run(self, command: str, **parameters: str) -> dict[str, Any]:
        """A call by a hand outside of the product, to its end."""
        answer = self.hand.call(command, **parameters)
        if "jobid" not in answer:
            return answer
        for _ in range(600):
            job = self.hand.call("queryAsyncJobResult", jobid=answer["jobid"])
            if job["jobstatus"]:
                assert job["jobstatus"] == 1, job
                result: dict[str, Any] = job["jobresult"]
                return result
            self.wait(1)
        raise AssertionError(f"{command} does not end")

    def sent(self) -> list[dict[str, Any]]:
        """What the product has sent so far that changes something."""
        log = self.box.control.log()
        return [
            entry
            for entry in log
            if entry["client"].startswith("abreast/")
            and not entry["command"].startswith(("list", "query", "getUser"))
        ]

    def commands(self) -> list[str]:
        return [str(entry["command"]) for entry in self.sent()]

    def journal(self) -> RetirementJournal:
        return RetirementJournal(self.session().ledger)


def clock_of(box: Box) -> Clock:
    return Clock(datetime.fromisoformat(box.control.now()).astimezone(UTC))


@functools.cache
def _past(release: str) -> Path:
    """The state of the drill's world, whose clock was put back: signatures expire by this machine's clock, so
    the sandbox's may run ahead of its own past only. Its timers begin when a lab is made of it."""
    state = Path(tempfile.mkdtemp(dir=os.environ.get("ABREAST_TESTS"))) / "state.json"
    with SandboxProcess.start(
        world="drill", release=release, manual_clock=True, service_times=False, state=state
    ) as box:
        box.control.advance(-200 * 86400)
        box.control.shutdown()
        while box.is_running:
            time.sleep(0.01)
    return state


@contextmanager
def lab(
    folder: Path, *, release: str = "4.23", limits: str = "", ledger: str = "", runs: bool = False
) -> Iterator[Lab]:
    """The drill's world before the incident, with the retirement of zephyr in the CI database.

    The sandbox's time `runs` for commands, which wait for it; otherwise it stands still until it is stepped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state.json"
    shutil.copyfile(_past(release), state)
    with SandboxProcess.start(
        manual_clock=not runs, speed=50, service_times=False, release=release, state=state
    ) as box:
        ready = box.ready
        hand = Client(endpoint=ready.url, key=ready.key, secret=ready.secret, token=ready.token)
        clock = clock_of(box)
        made = Lab(folder, box, hand, clock, limits=limits, ledger=ledger, runs=runs)
        write_database(blueprint_for("drill"), made.database)
        made.retire_in_ci_database(PROJECT)
        made.configure()
        signers = made.signers
        for name in ("jmartin", *APPROVERS, "carol"):
            signers.allow(f"{name}@example.org", name)
        hand.call("updateConfiguration", name="expunge.delay", value="86400")
        try:
            made.read_once()
            yield made
        finally:
            for session in made.sessions:
                session.close()
            hand.close()
