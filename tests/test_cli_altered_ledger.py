"""A ledger that somebody altered: nothing is executed on it, check says so, and containing goes on."""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.__main__ import main
from console.cli.sessions import open_session
from console.session import Session
from sync.containment_journal import ContainmentJournal, merge_journal, open_journal
from sync.errors import LedgerError
from sync.ledger import EntryKind, Ledger
from sync.model import Outcome
from sync.sandbox.process import SandboxProcess
from tests import reference_schema
from tests.cli import Access, Configured, configure
from tests.stores import Store

PERSON = {"email": "a@example.org", "firstname": "A", "lastname": "B"}
ROWS: reference_schema.Rows = {
    "projects": [{"name": "dune"}],
    "members": [{"project": "dune", "username": "jm", **PERSON}],
}


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    error: str


Run = Callable[..., Ran]


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(service_times=False, speed=50) as sandbox:
        yield sandbox


@pytest.fixture
def lab(tmp_path: Path, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Configured:
    database = reference_schema.create_sqlite(tmp_path / "ci.sqlite", ROWS)
    made = configure(tmp_path, Access(sandbox.ready.url, sandbox.ready.key, sandbox.ready.secret), database)
    monkeypatch.setenv("XDG_DATA_HOME", str(made.folder / "data"))
    return made


@pytest.fixture
def run(lab: Configured, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(*arguments: str, typed: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        code = main(["--config", str(lab.config), *arguments])
        return Ran(code, *capsys.readouterr())

    return call


@pytest.fixture
def file(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'team.sqlite'}")


def session_of(lab: Configured) -> Session:
    return open_session(argparse.Namespace(config=lab.config, environment="lab"))


def alter(url: str, environment: str = "lab") -> int:
    """Write three entries and take the one in the middle out; which that was."""
    with Ledger(url, environment=environment) as ledger:
        for number in range(3):
            ledger.append(EntryKind.INTENT, {"action": f"a{number}", "command": "x"}, run_id=None)
        gone = ledger.entries()[-2].seq
    Store(url).tamper(f"DELETE FROM entries WHERE seq = {gone}")
    return gone


def sent(sandbox: SandboxProcess) -> list[str]:
    """The changing calls so far."""
    names = [entry["command"] for entry in sandbox.control.log()]
    return [name for name in names if not name.startswith(("list", "query", "get"))]


def test_nothing_is_executed_on_an_altered_ledger(run: Run, lab: Configured, sandbox: SandboxProcess) -> None:
    plan = str(lab.folder / "plan.json")
    assert run("plan", "-o", plan).code == 0
    gone = alter(lab.ledger)
    for arguments in (("rebuild",), ("apply", plan), ("undelete",)):
        ran = run(*arguments, typed="lab\n")
        assert ran.code == 3
        assert f"The ledger of lab was altered: Entry {gone} was removed. Nothing is executed" in ran.error
        assert "`abreast ledger verify` lists all." in ran.error
        assert "Type lab" not in ran.error, "it is refused before anything is asked"
    assert sent(sandbox) == []


def test_check_warns_of_an_altered_ledger(run: Run, lab: Configured) -> None:
    before = json.loads(run("check", "--format", "json").out)
    assert before["ledger_problem"] == ""
    gone = alter(lab.ledger)
    words = f"The ledger of lab was altered: Entry {gone} was removed."
    ran = run("check", "--format", "json")
    after = json.loads(ran.out)
    assert after["ledger_problem"].startswith(words)
    assert (ran.code, after["exit_code"], after["status"]) == (2, 2, "critical"), "dune is missing"
    assert words in run("check").out


def test_check_tells_drift_where_only_the_ledger_is_wrong(
    run: Run, lab: Configured, sandbox: SandboxProcess
) -> None:
    assert run("rebuild", typed="lab\n").code == 0
    assert run("check").code == 0
    alter(lab.ledger)
    ran = run("check", "--format", "json")
    found = json.loads(ran.out)
    assert (ran.code, found["exit_code"], found["status"]) == (1, 1, "drift")
    assert run("check").out.startswith("DRIFT lab: 1 in sync")


def test_neither_armed_nor_run_nor_retired_by_a_session(lab: Configured, sandbox: SandboxProcess) -> None:
    with closing(session_of(lab)) as session:
        session.arm()
        alter(lab.ledger)
        with pytest.raises(LedgerError, match="was altered"):
            session.executor()
        with pytest.raises(LedgerError, match="was altered"):
            session.retiring.recognise()
        session.disarm()
        with pytest.raises(LedgerError, match="was altered"):
            session.arm()
        assert not session.is_armed


# --- containing ---------------------------------------------------------------------------------------------


def set_up(journal: ContainmentJournal, kind: str, name: str, *, undoes: str = "") -> None:
    """As containment writes it: an intent and its outcome."""
    action = f"{'lift ' if undoes else ''}{kind} {name}"
    journal.intent(
        action, kind=kind, target=name, target_id=name, command="updateUser", parameters={}, undoes=undoes
    )
    journal.outcome(action, Outcome.SUCCEEDED)


def test_containment_goes_on_in_a_file_of_its_own_and_undoes_what_stood(file: Store, tmp_path: Path) -> None:
    own = tmp_path / "own.sqlite"

    def opened() -> ContainmentJournal:
        return open_journal(file.url, environment="lab", operator="op@host", local=own, patience=60)

    journal = opened()
    assert (journal.is_local, journal.note) == (False, "")
    set_up(journal, "fence", "ci-sync")
    journal.close()
    gone = alter(file.url)

    journal = opened()
    assert (journal.is_local, journal.is_recognising) == (True, True)
    assert f"The ledger of lab was altered: Entry {gone} was removed." in journal.note
    assert f"This is recorded in {own} alone." in journal.note
    assert [one.target for one in journal.standing("fence")] == ["ci-sync"]
    set_up(journal, "shield", "p04")
    set_up(journal, "fence", "ci-sync", undoes="fence ci-sync")
    journal.close()

    with Ledger(file.url, environment="lab") as ledger:
        merge_journal(ledger, own)
    journal = opened()
    assert [one.target for one in journal.standing("shield")] == ["p04"], "also merged, it stands once"
    assert journal.standing("fence") == []
    journal.close()


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM heads", "UPDATE entries SET payload = 'gibberish'", "UPDATE entries SET kind = 'other'"],
)
def test_containment_goes_on_whatever_was_altered(file: Store, tmp_path: Path, statement: str) -> None:
    alter(file.url)
    file.tamper(statement)
    own = tmp_path / "own.sqlite"
    journal = open_journal(file.url, environment="lab", operator="op@host", local=own, patience=60)
    assert "was altered" in journal.note
    set_up(journal, "fence", "ci-sync")
    assert [one.target for one in journal.standing("fence")] == ["ci-sync"]
    journal.close()
