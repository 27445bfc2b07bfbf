"""Other people's tools against the sandbox, unchanged: the `cs` command line, and Ansible's modules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sync.sandbox.announce import announcement
from sync.sandbox.process import Ready, SandboxProcess

TOOLS = Path(sys.executable).parent
TIMEOUT_SECONDS = 90


@pytest.fixture(scope="module", params=["4.23", "4.18"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[SandboxProcess]:
    with SandboxProcess.start(
        world="drill", release=request.param, service_times=False, speed=1000
    ) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder that holds nothing of the developer's."""
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def isolated(home: Path, **more: str) -> dict[str, str]:
    """An environment in which a tool finds only what the test gives it."""
    kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "SYSTEMROOT") if name in os.environ}
    path = os.pathsep.join((str(TOOLS), os.environ.get("PATH", os.defpath)))
    return kept | {"PATH": path, "HOME": str(home), "TMPDIR": str(home), "NO_PROXY": "127.0.0.1"} | more


# --- cs -----------------------------------------------------------------------------------------------------


def cs(ready: Ready, home: Path, *arguments: str, code: int = 0) -> Any:
    """Run `cs` with the sandbox's announcement as its cloudstack.ini; its answer, None if it prints none."""
    said = announcement(
        endpoint=ready.url, key=ready.key, secret=ready.secret, ci_database=home / "ci.sqlite"
    )
    (home / "cloudstack.ini").write_text(said)
    done = subprocess.run(
        [TOOLS / "cs", *arguments],
        cwd=home,
        env=isolated(home),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == code, done.stderr
    if code != 0:
        return done.stdout + done.stderr
    return json.loads(done.stdout) if done.stdout else None


def test_cs_lists_the_domains(sandbox, home):
    found = cs(sandbox.ready, home, "listDomains", "listall=true", "details=min")
    assert found["count"] == 45
    assert {"ROOT/ci/dune", "ROOT/ci/zephyr", "ROOT/ci/écluse"} < {one["path"] for one in found["domain"]}


def test_cs_follows_a_job_to_its_result(sandbox, home):
    (vm,) = cs(sandbox.ready, home, "listVirtualMachines", "listall=true", "name=dune-deb12-1")[
        "virtualmachine"
    ]
    stopped = cs(sandbox.ready, home, "stopVirtualMachine", f"id={vm['id']}")
    assert stopped["virtualmachine"]["state"] == "Stopped"
    started = cs(sandbox.ready, home, "startVirtualMachine", f"id={vm['id']}")
    assert started["virtualmachine"]["state"] == "Running"


def test_cs_creates_by_post(sandbox, home):
    (ci,) = cs(sandbox.ready, home, "listDomains", "name=ci")["domain"]
    made = cs(sandbox.ready, home, "--post", "createDomain", "name=par-cs", f"parentdomainid={ci['id']}")
    assert made["domain"]["path"] == "ROOT/ci/par-cs"


def test_cs_shows_a_refusal(sandbox, home):
    said = cs(sandbox.ready, home, "createDomain", "name=ci", code=1)
    assert "431" in said and "already exists" in said


def test_cs_with_a_wrong_secret_is_refused(sandbox, home):
    ready = Ready(**(vars(sandbox.ready) | {"secret": "wrong"}))
    assert "401" in cs(ready, home, "listDomains", code=1)


# --- Ansible ------------------------------------------------------------------------------------------------

CREATE: list[dict[str, Any]] = [
    {
        "name": "the project's domain",
        "ngine_io.cloudstack.cs_domain": {
            "path": "ROOT/ci/lagune",
            "network_domain": "lagune.ci.example.org",
        },
    },
    {
        "name": "its account with its first user",
        "ngine_io.cloudstack.cs_account": {
            "name": "lagune",
            "domain": "ROOT/ci/lagune",
            "username": "eleroy",
            "first_name": "Éloïse",
            "last_name": "Leroy",
            "email": "eleroy@example.org",
            "password": "only-a-test",
            "role": "User",
        },
    },
]
STEPS: list[tuple[str, bool, list[dict[str, Any]]]] = [
    ("create", True, CREATE),
    ("create again", False, CREATE),
    (
        "change",
        True,
        [
            {
                "name": "another network domain",
                "ngine_io.cloudstack.cs_domain": {
                    "path": "ROOT/ci/lagune",
                    "network_domain": "l.example.org",
                },
            },
            {
                "name": "a disabled account",
                "ngine_io.cloudstack.cs_account": {
                    "name": "lagune",
                    "domain": "ROOT/ci/lagune",
                    "state": "disabled",
                },
            },
            {
                "name": "and enabled",
                "ngine_io.cloudstack.cs_account": {
                    "name": "lagune",
                    "domain": "ROOT/ci/lagune",
                    "state": "enabled",
                },
            },
        ],
    ),
    (
        "remove",
        True,
        [
            {
                "name": "no account",
                "ngine_io.cloudstack.cs_account": {
                    "name": "lagune",
                    "domain": "ROOT/ci/lagune",
                    "state": "absent",
                },
            },
            {
                "name": "no domain",
                "ngine_io.cloudstack.cs_domain": {"path": "ROOT/ci/lagune", "state": "absent"},
            },
        ],
    ),
]


def play(ready: Ready, home: Path, tasks: list[dict[str, Any]]) -> Mapping[str, Any]:
    """Run a playbook of these tasks on this machine; Ansible's own JSON report."""
    playbook = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": tasks,
        }
    ]
    file = home / "playbook.yml"
    file.write_text(json.dumps(playbook), encoding="utf-8")
    (home / "ansible.cfg").write_text("[defaults]\nretry_files_enabled = False\n")
    done = subprocess.run(
        [TOOLS / "ansible-playbook", "-i", "localhost,", file],
        cwd=home,
        env=isolated(
            home,
            LC_ALL="C.UTF-8",
            ANSIBLE_CONFIG=str(home / "ansible.cfg"),
            ANSIBLE_HOME=str(home / ".ansible"),
            ANSIBLE_LOCAL_TEMP=str(home / "local"),
            ANSIBLE_REMOTE_TEMP=str(home / "remote"),
            ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
            CLOUDSTACK_ENDPOINT=ready.url,
            CLOUDSTACK_KEY=ready.key,
            CLOUDSTACK_SECRET=ready.secret,
        ),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    report: Mapping[str, Any] = json.loads(done.stdout)
    return report


def changes(report: Mapping[str, Any]) -> dict[str, bool]:
    """Task → whether it changed something."""
    (run,) = report["plays"]
    return {one["task"]["name"]: one["hosts"]["localhost"]["changed"] for one in run["tasks"]}


def test_ansible_makes_keeps_changes_and_removes_a_project(sandbox, home):
    for step, changed, tasks in STEPS:
        report = play(sandbox.ready, home, tasks)
        assert changes(report) == {task["name"]: changed for task in tasks}, step
        if step == "create":
            found = cs(sandbox.ready, home, "listAccounts", "listall=true", "name=lagune")["account"][0]
            assert found["rolename"] == "User"
            assert [one["firstname"] for one in found["user"]] == ["Éloïse"]
        if step == "change":
            found = cs(sandbox.ready, home, "listDomains", "name=lagune")["domain"][0]
            assert found["networkdomain"] == "l.example.org"
    assert cs(sandbox.ready, home, "listDomains", "name=lagune") is None


def test_the_log_names_the_tools(sandbox, home):
    cs(sandbox.ready, home, "listZones")
    last = sandbox.control.log(limit=1)[0]
    assert last["command"] == "listZones"
    assert (last["account"], last["user"]) == ("admin", "admin")
    assert "python" in last["client"]
