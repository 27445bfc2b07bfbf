"""The sandbox as a child process: it starts, says where it is, keeps its state, and dies with its parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cs import CloudStack

from sync.sandbox.process import SandboxError, SandboxProcess

PATIENCE = 20.0


def cloudstack(sandbox: SandboxProcess) -> CloudStack:
    ready = sandbox.ready
    return CloudStack(
        endpoint=ready.url,
        key=ready.key,
        secret=ready.secret,
        method="post",
        poll_interval=0.05,
        headers={"User-Agent": "sandbox-test"},
    )


def eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return False


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_it_serves_logs_and_stops() -> None:
    with SandboxProcess.start() as sandbox:
        client = cloudstack(sandbox)
        assert client.listDomains()["count"] == 1
        assert [one["command"] for one in sandbox.control.log()] == ["listDomains"]
        pid = sandbox.pid
    assert not is_running(pid)


def test_the_library_follows_its_jobs_in_fast_time() -> None:
    with SandboxProcess.start(speed=50.0, service_times=False) as sandbox:
        client = cloudstack(sandbox)
        domain = client.createDomain(name="alpha")["domain"]["id"]
        assert client.deleteDomain(id=domain, fetch_result=True) == {"success": True}
        assert [one["name"] for one in sandbox.control.destroyed()] == ["alpha"]


def test_a_manual_clock_only_moves_when_told() -> None:
    with SandboxProcess.start(manual_clock=True) as sandbox:
        before = sandbox.control.now()
        assert sandbox.control.now() == before
        sandbox.control.advance(60)
        assert sandbox.control.now() > before


@pytest.mark.parametrize("ended", ["stop", "kill"])
def test_the_state_outlives_the_process(tmp_path: Path, ended: str) -> None:
    state = tmp_path / "state.json"
    with SandboxProcess.start(state=state) as sandbox:
        cloudstack(sandbox).createDomain(name="kept")
        keys = (sandbox.ready.key, sandbox.ready.secret)
        if ended == "kill":
            assert eventually(lambda: b"kept" in state.read_bytes())
            sandbox.kill()
    with SandboxProcess.start(state=state) as sandbox:
        assert (sandbox.ready.key, sandbox.ready.secret) == keys
        assert cloudstack(sandbox).listDomains(name="kept")["count"] == 1


def test_a_sigterm_saves_and_ends_it(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    sandbox = SandboxProcess.start(state=state)
    cloudstack(sandbox).createDomain(name="kept")
    os.kill(sandbox.pid, signal.SIGTERM)
    assert eventually(lambda: not is_running(sandbox.pid))
    assert b"kept" in state.read_bytes()
    sandbox.stop()


def test_it_dies_with_the_process_that_started_it() -> None:
    program = (
        "import os, sys\n"
        "from sync.sandbox.process import SandboxProcess\n"
        "sandbox = SandboxProcess.start()\n"
        "print(sandbox.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert parent.returncode == -signal.SIGKILL
    pid = int(parent.stdout)
    assert eventually(lambda: not is_running(pid)), "the sandbox outlived its parent"


def test_it_is_on_the_loopback_only_and_its_ready_line_is_json() -> None:
    with SandboxProcess.start(release="4.18", token="chosen") as sandbox:
        assert sandbox.ready.url.startswith("http://127.0.0.1:")
        assert json.loads(sandbox.ready.line())["token"] == "chosen"
        assert sandbox.ready.release == "4.18"
        assert cloudstack(sandbox).listCapabilities()["capability"]["cloudstackversion"].startswith("4.18")


def test_nothing_that_is_printed_by_accident_holds_a_secret() -> None:
    with SandboxProcess.start(token="chosen-token") as sandbox:
        text = f"{sandbox.ready!r} {sandbox.control!r}"
        assert sandbox.ready.secret not in text
        assert "chosen-token" not in text


def test_its_command_line_holds_no_secret_and_what_it_complains_of_stops_it_never() -> None:
    with SandboxProcess.start(token="chosen-token") as sandbox:
        process = Path(f"/proc/{sandbox.pid}")
        assert b"env:" in (process / "cmdline").read_bytes()
        assert b"chosen-token" not in (process / "cmdline").read_bytes()
        assert not str((process / "fd" / "2").readlink()).startswith("pipe:"), "nobody reads that"
        assert isinstance(sandbox.control.log(), list)


def test_why_it_did_not_start_is_said(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("no state")
    with pytest.raises(SandboxError, match=r"wrong\.json"):
        SandboxProcess.start(state=wrong)
    with pytest.raises(SandboxError, match="nowhere"):
        SandboxProcess.start(world="nowhere")


def test_a_port_in_use_is_said() -> None:
    with (
        SandboxProcess.start() as first,
        pytest.raises(SandboxError, match=r"cannot serve|in use"),
        SandboxProcess.start(port=first.ready.port),
    ):
        raise AssertionError("two sandboxes on one port")


def test_a_sandbox_that_is_gone_is_said() -> None:
    with SandboxProcess.start() as sandbox:
        control = sandbox.control
    with pytest.raises(SandboxError, match="does not answer"):
        control.log()


def test_a_fault_that_cannot_be_is_said() -> None:
    with SandboxProcess.start() as sandbox, pytest.raises(SandboxError, match="meteor"):
        sandbox.control.add_fault("meteor")
