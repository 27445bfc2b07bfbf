"""The access log on disk: written as it happens, by option or for all sandboxes below, without secrets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cs import CloudStack

from sync.sandbox.access_log import VARIABLE, wanted_file
from sync.sandbox.process import Ready, SandboxProcess


def call(ready: Ready) -> None:
    client = CloudStack(
        endpoint=ready.url, key=ready.key, secret=ready.secret, headers={"User-Agent": "sandbox-test"}
    )
    client.createDomain(name="écluse")


def entries(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_every_sandbox_below_writes_a_file_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with SandboxProcess.start() as first, SandboxProcess.start() as second:
        call(first.ready)
        call(second.ready)
        secrets = (first.ready.key, first.ready.secret, first.ready.token)
        first.kill()
    files = sorted(tmp_path.iterdir())
    assert {file.name for file in files} == {
        f"sandbox-{first.ready.pid}.jsonl",
        f"sandbox-{second.ready.pid}.jsonl",
    }
    for file in files:
        (one,) = entries(file)
        assert one | {"time": ""} == {
            "time": "",
            "command": "createDomain",
            "account": "admin",
            "user": "admin",
            "client": "sandbox-test",
            "method": "GET",
            "status": 200,
            "target": "",
            "name": "écluse",
            "cleanup": False,
            "seconds": 0.03,
            "hashing": False,
        }
        assert not any(secret in file.read_text(encoding="utf-8") for secret in secrets)


def test_a_file_that_is_named_is_appended_to(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    for count in (1, 2):
        command = [sys.executable, "-m", "sync.sandbox", "--access-log", str(file), "--until-stdin-closes"]
        with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
            assert process.stdout is not None
            call(Ready(**json.loads(process.stdout.readline())))
            process.communicate("", timeout=20)
        assert process.returncode == 0
        assert len(entries(file)) == count


def test_a_log_that_cannot_be_written_is_said_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "nowhere" / "log.jsonl"
    command = [sys.executable, "-m", "sync.sandbox", "--access-log", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"The sandbox cannot serve: No such file or directory ({file}).\n"


def test_without_either_nothing_is_written() -> None:
    assert wanted_file(None, {}) is None
    assert wanted_file(Path("a"), {VARIABLE: "folder"}) == Path("a")
