"""`abreast rebuild` a second time: after failures that were mended, and after a run that was interrupted."""

from __future__ import annotations

import io
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.__main__ import main
from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from tests.cli import NETWORK, Access, Configured, configure
from tests.executions import execution

pytestmark = pytest.mark.xdist_group("cli")
RIGHT, WRONG = "Sandbox-simulator", "Elsewhere"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(world="drill", service_times=False) as started:
        yield started


@pytest.fixture(scope="module")
def lab(sandbox: SandboxProcess, tmp_path_factory: pytest.TempPathFactory) -> Configured:
    """The drill's world before the incident, and a zone that is not there."""
    folder = tmp_path_factory.mktemp("again")
    write_database(blueprint_for("drill"), folder / "ci.sqlite")
    access = Access(sandbox.ready.url, sandbox.ready.key, sandbox.ready.secret)
    more = NETWORK.replace(RIGHT, WRONG)
    return configure(folder / "lab", access, f"sqlite:///{folder / 'ci.sqlite'}", more=more)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    error: str


Run = Callable[..., Ran]


@pytest.fixture
def run(lab: Configured, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command in this process, on the lab."""
    monkeypatch.setenv("XDG_DATA_HOME", str(lab.folder / "data"))

    def call(*arguments: str, typed: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        code = main(["--config", str(lab.config), *arguments])
        return Ran(code, *capsys.readouterr())

    return call


def add_project(lab: Configured, name: str) -> None:
    with closing(sqlite3.connect(lab.folder.parent / "ci.sqlite")) as database, database:
        database.execute("INSERT INTO projects VALUES (?, NULL, 1, NULL)", (name,))
        row = (name, "anna", "anna@example.org", "Anna", "Doe", "member", 1)
        database.execute("INSERT INTO members VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def set_zone(lab: Configured, zone: str) -> None:
    text = lab.config.read_text(encoding="utf-8")
    lab.config.write_text(text.replace(WRONG, zone).replace(RIGHT, zone), encoding="utf-8")


def test_what_failed_and_was_mended_is_part_of_the_next_rebuild(run: Run, lab: Configured) -> None:
    add_project(lab, "nova")
    failed = run("rebuild", typed="lab\n")
    assert failed.code == 1
    assert "not all is rebuilt: 1 can still be repaired. Mend what failed, then run it again:" in failed.out
    assert "no zone named" in failed.out

    unmended = run("rebuild", typed="no\n")
    assert "create network: ROOT/ci/nova/nova-net" in unmended.error
    assert unmended.code == 1

    set_zone(lab, RIGHT)
    mended = run("rebuild", typed="lab\n")
    assert mended.code == 0, mended.out
    assert "1 × create network: ROOT/ci/nova/nova-net" in mended.error

    again = run("rebuild")
    assert again.code == 0
    assert "There is nothing to rebuild." in again.error
    assert "nova" not in again.out


def test_what_only_differs_and_was_never_begun_is_left_alone_and_said_to_be(run: Run) -> None:
    ran = run("rebuild")
    assert ran.code == 0
    assert "because it is there and only differs" in ran.out or "nothing repairable is left" in ran.out
    assert "not chosen" not in ran.out


def test_an_interrupted_run_with_a_plan_from_before_the_configuration_was_changed(
    run: Run, lab: Configured, tmp_path: Path
) -> None:
    add_project(lab, "tarn")
    set_zone(lab, WRONG)
    file = tmp_path / "plan.json"
    assert run("plan", "tarn", "-o", str(file)).code == 0
    plan = json.loads(file.read_text(encoding="utf-8"))
    payload = {"plan": plan, "policy": "rebuild", "confirmed": {"by": "anna@desk"}}
    with execution(lab.ledger, environment="lab", payload=payload) as other:
        other.begin()
        other.end("STOPPED")

    same = run("rebuild", typed="no\n")
    assert "before the configuration was changed" not in same.error
    set_zone(lab, RIGHT)
    left = run("rebuild", typed="no\nno\n")
    assert left.code == 1
    assert (
        "The plan of that run is from before the configuration was changed: "
        f"it has the zone “{WRONG}”, now it is “{RIGHT}”." in left.error
    )
    assert "`abreast rebuild --anew` leaves that run as it is" in left.error

    refused = run("rebuild", "--anew", typed="no\n")
    assert "run-1 by anna@desk is left as it is" in refused.error
    assert "before the configuration was changed" not in refused.error
    anew = run("rebuild", typed="anew\nno\n")
    assert "Type lab to run them" in anew.error and "Not confirmed: nothing was done." in anew.error

    gone_on = run("rebuild", typed="go on\nlab\nno\n")
    assert gone_on.code == 1
    assert "nothing was done" not in gone_on.error
    assert "Not confirmed: nothing is done beyond the run that was gone on with." in gone_on.error
    assert "run run-1: " in gone_on.out and "not all is rebuilt: 1 can still be repaired" in gone_on.out
    ran = run("rebuild", typed="lab\n")
    assert ran.code == 0, ran.error
    assert "1 action in " in ran.error
    assert "new passwords" not in ran.out, "only a network was made"


def test_what_was_never_compared_is_neither_proven_nor_a_success(run: Run, lab: Configured) -> None:
    add_project(lab, "up/down")
    ran = run("rebuild")
    assert ran.code == 3
    assert "neither proven nor rebuilt: 1 project that could not be compared: up/down" in ran.out
    assert run("rebuild", "nova").code == 0
