"""`abreast rebuild` a second time: after failures that were mended, and after a run that was interrupted."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sync.plan import build, from_json, to_json
from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from sync.sandbox.worlds.build_machines import OFFERING
from tests.cli import NETWORK, Access, Configured, Run, configure, in_process
from tests.executions import execution

pytestmark = pytest.mark.xdist_group("cli")
OTHER_OFFERING = "DefaultIsolatedNetworkOffering"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(world="drill", service_times=False) as started:
        yield started


@pytest.fixture(scope="module")
def lab(sandbox: SandboxProcess, tmp_path_factory: pytest.TempPathFactory) -> Configured:
    """The drill's world before the incident."""
    folder = tmp_path_factory.mktemp("again")
    write_database(blueprint_for("drill"), folder / "ci.sqlite")
    access = Access(sandbox.ready.url, sandbox.ready.key, sandbox.ready.secret)
    return configure(folder / "lab", access, f"sqlite:///{folder / 'ci.sqlite'}", more=NETWORK)


@pytest.fixture
def run(lab: Configured, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    return in_process(lab, capsys, monkeypatch)


def add_project(lab: Configured, name: str) -> None:
    with closing(sqlite3.connect(lab.folder.parent / "ci.sqlite")) as database, database:
        database.execute("INSERT INTO projects VALUES (?, NULL, 1, NULL)", (name,))
        row = (name, "anna", "anna@example.org", "Anna", "Doe", "member", 1)
        database.execute("INSERT INTO members VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def remove_project(lab: Configured, name: str) -> None:
    with closing(sqlite3.connect(lab.folder.parent / "ci.sqlite")) as database, database:
        database.execute("DELETE FROM members WHERE project = ?", (name,))
        database.execute("DELETE FROM projects WHERE name = ?", (name,))


def changing(sandbox: SandboxProcess) -> int:
    """How many calls were made that change something."""
    names = [entry["command"] for entry in sandbox.control.log()]
    return sum(not name.startswith(("list", "query", "get")) for name in names)


def set_quota(lab: Configured, name: str, networks: int) -> None:
    """How many networks the project may have."""
    with closing(sqlite3.connect(lab.folder.parent / "ci.sqlite")) as database, database:
        database.execute("DELETE FROM quotas WHERE project = ? AND resource = 'network'", (name,))
        database.execute("INSERT INTO quotas VALUES (?, 'network', ?)", (name, networks))


@contextmanager
def configured(lab: Configured, text: str, instead: str) -> Iterator[None]:
    """The configuration with another text in one place, for a while."""
    right = lab.config.read_text(encoding="utf-8")
    assert text in right
    lab.config.write_text(right.replace(text, instead), encoding="utf-8")
    try:
        yield
    finally:
        lab.config.write_text(right, encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "instead", "what"),
    [
        ('"Sandbox-simulator"', '"zone-1"', "no zone named 'zone-1'; it has: Sandbox-simulator."),
        (f'"{OFFERING}"', '"Nope"', "no network offering named 'Nope'; it has: Default"),
        (NETWORK, f'[environments.lab.roles]\nmember = "Usr"\n{NETWORK}', "no role named 'Usr'; it has: "),
    ],
    ids=["zone", "offering", "role"],
)
def test_a_name_that_cloudstack_does_not_have_is_found_before_anything_is_sent(
    run: Run, lab: Configured, tmp_path: Path, sandbox: SandboxProcess, text: str, instead: str, what: str
) -> None:
    add_project(lab, "comet")
    before = changing(sandbox)
    file = tmp_path / "plan.json"
    try:
        with configured(lab, text, instead):
            for command in (("rebuild",), ("rebuild", "--rehearse-only"), ("plan", "comet", "-o", str(file))):
                refused = run(*command, typed="lab\n")
                assert refused.code == 1, command
                assert f"CloudStack has {what}" in refused.error
                assert "Actions of the plan that need it: 1." in refused.error
                assert "Nothing was sent." in refused.error and "Type lab" not in refused.error
    finally:
        remove_project(lab, "comet")
    assert changing(sandbox) == before and not file.exists()


def test_a_plan_of_elsewhere_with_a_name_that_is_not_there_is_not_applied(
    run: Run, lab: Configured, tmp_path: Path, sandbox: SandboxProcess
) -> None:
    """It was the zone's name when the plan was made: another digest than an altered plan would have."""
    add_project(lab, "comet")
    file = tmp_path / "plan.json"
    try:
        assert run("plan", "comet", "-o", str(file)).code == 0
    finally:
        remove_project(lab, "comet")
    plan = from_json(json.loads(file.read_text(encoding="utf-8")))
    actions = [
        replace(one, parameters={**one.parameters, "zone": "zone-1"}) if "zone" in one.parameters else one
        for one in plan.actions
    ]
    made = build(
        actions, environment=plan.environment, root_id=plan.root_id, endpoint=plan.endpoint,
        author=plan.author, now=plan.created_at,
    )  # fmt: skip
    file.write_text(json.dumps(to_json(made)), encoding="utf-8")
    before = changing(sandbox)
    refused = run("apply", str(file), typed="lab\n")
    assert refused.code == 1 and "no zone named 'zone-1'" in refused.error
    assert "Type lab" not in refused.error and changing(sandbox) == before


def test_what_failed_and_was_mended_is_part_of_the_next_rebuild(run: Run, lab: Configured) -> None:
    add_project(lab, "nova")
    set_quota(lab, "nova", 0)
    failed = run("rebuild", typed="lab\n")
    assert failed.code == 1
    assert "not all is rebuilt: 1 can still be repaired. Mend what failed, then run it again:" in failed.out
    assert "Maximum amount of resources" in failed.out

    unmended = run("rebuild", typed="no\n")
    assert "create network: ROOT/ci/nova/nova-net" in unmended.error
    assert unmended.code == 1

    set_quota(lab, "nova", 5)
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
    set_quota(lab, "tarn", 0)
    file = tmp_path / "plan.json"
    with configured(lab, f'"{OFFERING}"', f'"{OTHER_OFFERING}"'):
        assert run("plan", "tarn", "-o", str(file)).code == 0
    plan = json.loads(file.read_text(encoding="utf-8"))
    payload = {"plan": plan, "policy": "rebuild", "confirmed": {"by": "anna@desk"}}
    with execution(lab.ledger, environment="lab", payload=payload) as other:
        other.begin()
        other.end("STOPPED")

    with configured(lab, f'"{OFFERING}"', f'"{OTHER_OFFERING}"'):
        same = run("rebuild", typed="no\n")
    assert "before the configuration was changed" not in same.error
    left = run("rebuild", typed="no\nno\n")
    assert left.code == 1
    assert (
        "The plan of that run is from before the configuration was changed: "
        f"it has the offering “{OTHER_OFFERING}”, now it is “{OFFERING}”." in left.error
    )
    assert "`abreast rebuild --anew` leaves that run as it is" in left.error

    assert "No part of that run" not in left.error
    named = run("rebuild", "tarn", "aurora", "dune", typed="go on\nno\n")
    assert named.error.index(
        "No part of that run, as they were named now: aurora, dune."
    ) < named.error.index("Type lab to run them")
    assert "`abreast rebuild --anew aurora dune` leaves that run as it is" in named.error

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
    set_quota(lab, "tarn", 5)
    ran = run("rebuild", typed="lab\n")
    assert ran.code == 0, ran.error
    assert "2 actions in " in ran.error
    assert "new passwords" not in ran.out, "only a limit was set and a network made"


def test_what_was_never_compared_is_neither_proven_nor_a_success(run: Run, lab: Configured) -> None:
    add_project(lab, "up/down")
    ran = run("rebuild")
    assert ran.code == 3
    assert "neither proven nor rebuilt: 1 project that could not be compared: up/down" in ran.out
    assert run("rebuild", "nova").code == 0
