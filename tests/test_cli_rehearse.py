"""`abreast rebuild --rehearse`: what is predicted first, then compared with what happened."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from sync.sandbox.process import SandboxError, SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from tests.cli import NETWORK, Access, Configured, Run, configure, in_process
from tests.executions import execution

pytestmark = pytest.mark.xdist_group("cli")
NEW = ("nova", "tarn")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(world="drill", service_times=False) as started:
        yield started


@pytest.fixture(scope="module")
def lab(sandbox: SandboxProcess, tmp_path_factory: pytest.TempPathFactory) -> Configured:
    """The drill's world before the incident; its CI database has two projects more."""
    folder = tmp_path_factory.mktemp("rehearsed")
    write_database(blueprint_for("drill"), folder / "ci.sqlite")
    with closing(sqlite3.connect(folder / "ci.sqlite")) as database, database:
        for name in NEW:
            database.execute("INSERT INTO projects VALUES (?, NULL, 1, NULL)", (name,))
            for person in ("anna", "bob"):
                row = (name, person, f"{person}@example.org", person.title(), "Doe", "member", 1)
                database.execute("INSERT INTO members VALUES (?, ?, ?, ?, ?, ?, ?)", row)
    access = Access(sandbox.ready.url, sandbox.ready.key, sandbox.ready.secret)
    return configure(folder / "lab", access, f"sqlite:///{folder / 'ci.sqlite'}", more=NETWORK)


@pytest.fixture
def run(lab: Configured, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    return in_process(lab, capsys, monkeypatch)


def changing(sandbox: SandboxProcess) -> int:
    names = [entry["command"] for entry in sandbox.control.log()]
    return sum(not name.startswith(("list", "query", "get")) for name in names)


def test_a_rehearsal_alone_sends_nothing_and_says_what_is_predicted(
    run: Run, lab: Configured, sandbox: SandboxProcess
) -> None:
    before = changing(sandbox)
    ran = run("rebuild", "nova", "--rehearse-only", "--format", "json", typed="lab\n")
    assert ran.code == 0, ran.error
    assert "Type lab" not in ran.error
    predicted = json.loads(ran.out)["predicted"]
    assert predicted["is_good"] is True
    assert {one["outcome"] for one in predicted["actions"]} == {"succeeded"}
    assert predicted["calls"] == sum(one["calls"] for one in predicted["actions"]) > 0
    assert any(text.startswith("Concurrency: rehearsed one action") for text in predicted["differs"])
    assert changing(sandbox) == before
    assert not lab.passwords.exists()


def test_a_rehearsal_in_which_something_fails_ends_with_1(run: Run, lab: Configured) -> None:
    """The project may have no network: making one fails as it would in reality."""
    file = lab.folder.parent / "ci.sqlite"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("INSERT INTO quotas VALUES ('nova', 'network', 0)")
    try:
        ran = run("rebuild", "nova", "--rehearse-only")
    finally:
        with closing(sqlite3.connect(file)) as database, database:
            database.execute("DELETE FROM quotas WHERE project = 'nova'")
    assert ran.code == 1
    assert "failed: create-network ROOT/ci/nova/nova-net" in ran.error
    assert "Maximum amount of resources" in ran.error
    assert "1 failure" in ran.out and "nothing was sent to the server" in ran.out


def test_a_read_only_environment_can_rehearse(run: Run, lab: Configured) -> None:
    text = lab.config.read_text()
    lab.config.write_text(text.replace('write = "lab"\n', ""))
    try:
        assert run("rebuild", "nova", "--rehearse-only").code == 0
        refused = run("rebuild", "nova", "--rehearse", typed="lab\n")
    finally:
        lab.config.write_text(text)
    assert refused.code == 1
    assert "read-only: it has no credentials for writing" in refused.error
    assert "Rehears" not in refused.error


def test_predicted_then_asked_then_compared(run: Run, sandbox: SandboxProcess) -> None:
    before = changing(sandbox)
    left = run("rebuild", "nova", "--rehearse", typed="no\n")
    assert left.code == 1
    assert left.error.index("Rehearsed on a stand-in of release 4.23:") < left.error.index("Type lab")
    assert changing(sandbox) == before

    ran = run("rebuild", "nova", "--rehearse", "--format", "json", typed="lab\n")
    assert ran.code == 0, ran.error
    (compared,) = json.loads(ran.out)["predicted"]
    assert compared["as_predicted"] is True and compared["differences"] == []
    assert compared["calls"]["actual"] >= compared["calls"]["predicted"] > 0
    assert compared["seconds"]["predicted"] > 2.0, "hashing a password alone takes as long on a real server"

    said = run("report", "--since", "1h")
    assert said.code == 0, said.error
    assert "was rehearsed at" in said.out
    assert "4 of 4 actions ended as rehearsed" in said.out


def test_without_anything_to_rebuild_there_is_nothing_to_rehearse(run: Run) -> None:
    ran = run("rebuild", "aurora", "--rehearse-only")
    assert (ran.code, ran.out) == (0, "nothing to rebuild, nothing to rehearse\n")
    json_ran = run("rebuild", "aurora", "--rehearse-only", "--format", "json")
    assert json.loads(json_ran.out) == {"nothing_to_rebuild": True, "predicted": None}


def test_one_of_the_two_options_at_a_time(run: Run) -> None:
    assert run("rebuild", "--rehearse", "--rehearse-only").code == 64


def test_without_a_stand_in_the_run_is_asked_about_all_the_same(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise SandboxError("no room")

    monkeypatch.setattr("sync.rehearsal.SandboxProcess.start", refuse)
    ran = run("rebuild", "tarn", "--rehearse", typed="no\n")
    assert "Not rehearsed: The practice cloud did not start: no room" in ran.error
    assert "Type lab to run them" in ran.error
    assert run("rebuild", "tarn", "--rehearse-only").code == 3


def test_what_an_interrupted_run_has_left_is_rehearsed_as_it_was_read(run: Run, lab: Configured) -> None:
    """Last: the run stays interrupted."""
    with execution(lab.ledger, environment="lab") as other:
        other.begin()
        other.end("STOPPED")
    ran = run("rebuild", "tarn", "--rehearse-only")
    assert ran.code == 0, ran.error
    assert "Run run-1 was interrupted: what is left of it by this reading is rehearsed too." in ran.error
