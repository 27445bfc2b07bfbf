"""`abreast losses` and `abreast undelete` against a sandbox: what they say, and what they send."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from sync.sandbox.auth import sign
from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from tests.cli import NETWORK, Access, Configured, configure

pytestmark = pytest.mark.xdist_group("cli")


def ask(access: Access, command: str, **parameters: str) -> dict[str, Any]:
    """A call by somebody who is not the product."""
    sent = {**parameters, "command": command, "response": "json", "apiKey": access.key}
    sent["signature"] = sign(sent, access.secret)
    request = Request(access.url, urlencode(sent).encode(), {"User-Agent": "test"})
    with urlopen(request) as answer:
        inner: dict[str, Any] = next(iter(json.loads(answer.read()).values()))
    return inner


def machines(access: Access) -> dict[str, tuple[str, str]]:
    rows = ask(access, "listVirtualMachines", listall="true").get("virtualmachine", [])
    return {row["name"]: (row["id"], row["state"]) for row in rows}


def destroy(sandbox: SandboxProcess, access: Access, *names: str) -> None:
    """Destroy these VMs recoverably, and wait for it."""
    found = machines(access)
    for name in names:
        ask(access, "destroyVirtualMachine", id=found[name][0])
    while {machines(access)[name][1] for name in names} != {"Destroyed"}:
        sandbox.control.advance(60)


def lab_on(sandbox: SandboxProcess, folder: Path) -> tuple[Configured, Access]:
    ready = sandbox.ready
    access = Access(ready.url, ready.key, ready.secret)
    write_database(blueprint_for("drill"), folder / "ci.sqlite")
    return configure(folder / "lab", access, f"sqlite:///{folder / 'ci.sqlite'}", more=NETWORK), access


def test_what_was_lost_is_told_and_what_can_come_back_is_brought_back(tmp_path: Path) -> None:
    with SandboxProcess.start(world="drill", service_times=False) as sandbox:
        lab, access = lab_on(sandbox, tmp_path)
        assert lab.run("capture", "before.abreast").returncode == 0
        mine = sorted(name for name in machines(access) if name.startswith(("dune", "boreal")))[:3]
        destroy(sandbox, access, *mine)

        told = lab.run("losses", "--capture", "before.abreast", "--format", "json")
        assert told.returncode == 0, told.stderr
        said = json.loads(told.stdout)
        assert said["capture"]["why"] == "chosen by you" and said["archive"]["has"] == {}
        assert said["totals"]["VM"]["recoverable"] == 3
        assert sorted(one["vm"] for one in said["recoverable"]) == mine
        # Of a day, by a clock of the sandbox that was moved on by minutes.
        assert all(85_000 < one["seconds_left"] < 90_000 for one in said["recoverable"])
        without = lab.run("losses")
        assert "Without a capture (nothing was captured)" in without.stdout
        assert "No archive is configured" in without.stdout
        assert all(name in without.stdout for name in mine)

        report = lab.run("report", "--capture", "before.abreast", "--format", "json")
        assert report.returncode == 0 and "There is no capture" not in report.stderr
        told_again = json.loads(report.stdout)["losses"]
        assert told_again["before"] == said["capture"]["taken_at"]
        objects = [one for project in told_again["projects"] for one in project["objects"]]
        back = sorted(one["name"] for one in objects if (one["type"], one["fate"]) == ("VM", "recoverable"))
        assert back == mine
        bare = lab.run("report", "--format", "json")
        assert "There is no capture to compare with: nothing was captured" in bare.stderr

        refused = lab.run("undelete", typed="no\n")
        assert refused.returncode == 1 and "nothing was done" in refused.stderr
        assert {machines(access)[name][1] for name in mine} == {"Destroyed"}
        back = lab.run("undelete", "--format", "json", typed="lab\n")
        assert back.returncode == 0, back.stderr
        assert json.loads(back.stdout)["actions"]["succeeded"] == 3
        assert {machines(access)[name][1] for name in mine} == {"Stopped"}
        again = lab.run("undelete", typed="lab\n")
        assert (again.returncode, "no destroyed VM" in again.stderr) == (0, True)
        written = lab.run("ledger", "show")
        assert written.stdout.count("recover-VM") >= 3
        sent = [one["command"] for one in sandbox.control.log() if one["client"].startswith("abreast/")]
    assert sent.count("recoverVirtualMachine") == 3


def test_a_project_or_moment_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with SandboxProcess.start(world="drill", service_times=False) as sandbox:
        lab, _ = lab_on(sandbox, tmp_path)
        unknown = lab.run("losses", "duen")
        assert (unknown.returncode, "Did you mean dune?" in unknown.stderr) == (64, True)
        nothing = lab.run("losses", "--capture", "soon")
        assert (nothing.returncode, "There is no file soon, and" in nothing.stderr) == (64, True)
        for command in ("losses", "report"):
            none_yet = lab.run(command, "--capture", "1h")
            assert (none_yet.returncode, "captured yet" in none_yet.stderr) == (3, True)
