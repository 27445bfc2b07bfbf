"""What judges the suite's sandboxes can fail: a deletion by anybody but the naive sync fails the run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.deletions import DIRECT, PRODUCT, RETIREMENTS, fault_of

SUITE = '''
import subprocess, sys
from cs import CloudStack
from sync.sandbox.process import SandboxProcess

CHILD = """
from cs import CloudStack
from sync.sandbox.process import SandboxProcess
with SandboxProcess.start() as sandbox:
    ready = sandbox.ready
    hand = CloudStack(endpoint=ready.url, key=ready.key, secret=ready.secret, headers={"User-Agent": "%s"})
    domain = hand.createDomain(name="aurora")["domain"]["id"]
    if "%s":
        hand.deleteDomain(id=domain)
"""

def test_that_passes():
    subprocess.run([sys.executable, "-c", CHILD % ("somebody/1", "ACT")], check=True)
'''
"""A suite of one test; the sandbox belongs to a child of the test's process."""


def run_suite(folder: Path, act: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_suite.py").write_text(SUITE.replace("ACT", act), encoding="utf-8")
    root = Path(__file__).parents[2]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", ROOT))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env=kept | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["one process", "workers"])
def test_a_deletion_by_another_client_fails_the_run(tmp_path: Path, options: tuple[str, ...]) -> None:
    ended = run_suite(tmp_path, "delete", *options)
    assert "1 passed" in ended.stdout, ended.stdout + ended.stderr
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert re.search(
        r"test_suite  somebody/1 as admin/admin: deleteDomain \S+ \(only the naive", ended.stdout
    )


def test_a_run_without_a_deletion_passes(tmp_path: Path) -> None:
    ended = run_suite(tmp_path, "")
    assert ended.returncode == pytest.ExitCode.OK, ended.stdout + ended.stderr
    assert "1 calls to sandboxes: nothing was deleted" in ended.stdout


def entry(command: str, **changed: Any) -> dict[str, Any]:
    who = {"account": "admin", "user": "admin", "client": "abreast/0.1.0"}
    return {"command": command, "target": "d-1", "name": "", "cleanup": False} | who | changed


NAIVE = {"account": "ci-sync", "user": "ci-sync", "client": "naive-sync/2017"}


@pytest.mark.parametrize("command", ["listDomains", "queryAsyncJobResult", "getUser", "createUser"])
def test_what_the_product_may_send(command: str) -> None:
    assert fault_of("tests.test_drill", entry(command)) == ""


@pytest.mark.parametrize(
    "wrong",
    [
        entry("deleteDomain"),
        entry("stopVirtualMachine"),
        entry("disableAccount"),
        entry("updateDomain", cleanup=True),
        entry("listdomains"),
    ],
    ids=lambda one: one["command"],
)
@pytest.mark.parametrize("module", ["tests.test_drill", "tests.test_sandbox_deletion", "tests.test_peers"])
def test_what_the_product_may_not_send_whatever_the_test(module: str, wrong: dict[str, Any]) -> None:
    assert fault_of(module, wrong) != ""


@pytest.mark.parametrize(
    ("changed", "is_fine"),
    [
        (NAIVE, True),
        (NAIVE | {"user": "admin"}, False),
        (NAIVE | {"client": "python-requests/2"}, False),
    ],
)
@pytest.mark.parametrize("command", ["deleteDomain", "destroyVirtualMachine", "expungeVirtualMachine"])
def test_only_the_naive_syncs_own_user_and_client_delete(
    command: str, changed: dict[str, str], is_fine: bool
) -> None:
    assert (fault_of("tests.test_drill", entry(command, **changed)) == "") is is_fine


def test_no_test_of_its_own_client_can_pass_as_the_product() -> None:
    for direct in DIRECT:
        assert not re.fullmatch(direct.client, f"{PRODUCT}0.1.0")


@pytest.mark.parametrize("command", ["deleteDomain", "deleteAccount", "destroyVirtualMachine"])
def test_the_product_deletes_in_the_tests_of_retirements_alone(command: str) -> None:
    for module in RETIREMENTS:
        assert fault_of(module, entry(command)) == ""
        assert fault_of(module, entry(command, cleanup=True)) != ""
        assert fault_of(module, entry("expungeVirtualMachine")) != ""
    assert fault_of("tests.test_retirement_rules", entry(command)) != ""


def test_the_modules_that_may_delete_are_there() -> None:
    """A name that no module has any more would be a licence for whoever takes it next."""
    folder = Path(__file__).parents[2]
    assert all((folder / f"{module.replace('.', '/')}.py").is_file() for module in RETIREMENTS)
