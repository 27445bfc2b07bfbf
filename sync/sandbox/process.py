"""The sandbox as a child process: start, find, control and stop it. It dies with its parent."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

TOKEN_HEADER = "X-Sandbox-Token"
STOP_SECONDS = 10.0
LOCK_VARIABLE = "ABREAST_SANDBOX_LOCK_DATABASE"
TOKEN_VARIABLE = "ABREAST_SANDBOX_TOKEN"
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class SandboxError(Exception):
    """The sandbox did not start, or refused a control request."""


@dataclass(frozen=True)
class Ready:
    """What a sandbox says when it listens: one line of JSON on its standard output."""

    url: str
    """The API's endpoint."""
    port: int
    key: str
    secret: str
    token: str
    """Of the control paths."""
    release: str
    world: str
    pid: int

    def line(self) -> str:
        """As JSON."""
        return json.dumps(self.__dict__)

    def __repr__(self) -> str:
        """Without the keys."""
        return f"Ready(url={self.url!r}, release={self.release!r}, world={self.world!r}, pid={self.pid})"


@dataclass(frozen=True)
class Control:
    """The control paths of a running sandbox. Every method raises SandboxError."""

    base: str
    """`http://127.0.0.1:PORT`."""
    token: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"Control({self.base!r})"

    def log(self, *, limit: int | None = None) -> list[dict[str, Any]]:
        """The access log, oldest first: time, command, account, user, client, method, status, target …"""
        query = "" if limit is None else f"?limit={limit}"
        entries: list[dict[str, Any]] = self._send("GET", f"log{query}")["entries"]
        return entries

    def destroyed(self) -> list[dict[str, Any]]:
        """What was destroyed for good: kind, id, name, domain, time."""
        entries: list[dict[str, Any]] = self._send("GET", "destroyed")["entries"]
        return entries

    def add_fault(self, kind: str, **described: Any) -> None:
        """Arm a fault (see faults.Fault): `command`, `count`, `probability`, `seconds`, `domain`."""
        self._send("POST", "faults", {"kind": kind, **described})

    def clear_faults(self) -> None:
        """Disarm all faults."""
        self._send("DELETE", "faults")

    def arm_failing_cleanup(self, domain_path: str) -> None:
        """Let the next clean-up of a domain fail at its end."""
        self.add_fault("cleanup_fails", domain=domain_path)

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock by virtual seconds; what is due in them happens."""
        self._send("POST", "clock", {"advance": seconds})

    def tell_real_time(self) -> None:
        """From now on the API tells of what happens at the real time, however fast the clock runs."""
        self._send("POST", "clock", {"tells": "real"})

    def now(self) -> str:
        """The sandbox's virtual time, ISO 8601."""
        return str(self._send("GET", "clock")["now"])

    def shutdown(self) -> None:
        """Ask the server to save its state and end."""
        self._send("POST", "shutdown", {})

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - the base is a loopback http address of our own
            f"{self.base}/sandbox/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={TOKEN_HEADER: self.token, "Content-Type": "application/json"},
        )
        try:
            with _OPENER.open(request, timeout=60) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as problem:
            with contextlib.suppress(ValueError, KeyError):
                raise SandboxError(str(json.loads(problem.read())["error"])) from None
            raise SandboxError(f"The sandbox refused {method} {path}: HTTP {problem.code}.") from None
        except (urllib.error.URLError, OSError) as problem:
            reason = getattr(problem, "reason", problem)
            raise SandboxError(f"The sandbox at {self.base} does not answer: {reason}.") from None


class SandboxProcess:
    """A sandbox in a process of its own. A context manager; leaving it stops the sandbox."""

    def __init__(self, process: subprocess.Popen[str], ready: Ready) -> None:
        self._process = process
        self.ready = ready
        self.control = Control(f"http://127.0.0.1:{ready.port}", ready.token)

    @classmethod
    def start(
        cls,
        *,
        world: str = "empty",
        release: str = "4.23",
        speed: float = 1.0,
        state: Path | None = None,
        port: int = 0,
        token: str | None = None,
        manual_clock: bool = False,
        service_times: bool | None = None,
        lock_database: str | None = None,
    ) -> SandboxProcess:
        """Start one and wait until it listens. Raises SandboxError with what it said if it does not.

        `lock_database` is the URL of a MySQL or MariaDB that has the locks; it may hold a password.
        """
        command = [sys.executable, "-m", "sync.sandbox", "--until-stdin-closes", "--world", world]
        command += ["--release", release, "--speed", str(speed), "--port", str(port)]
        if state is not None:
            command += ["--state", str(state)]
        # Not on the command line, where every user of the machine could read it.
        variables = dict(os.environ)
        if token is not None:
            command += ["--token", f"env:{TOKEN_VARIABLE}"]
            variables[TOKEN_VARIABLE] = token
        if manual_clock:
            command.append("--manual-clock")
        if service_times is not None:
            command.append("--service-times" if service_times else "--no-service-times")
        if lock_database is not None:
            command += ["--lock-database", f"env:{LOCK_VARIABLE}"]
            variables[LOCK_VARIABLE] = lock_database
        # A file takes whatever it says; a pipe that nobody reads would fill up, and stop it.
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=variables,
            )
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                code = process.wait()
                _close(process)
                stderr.seek(0)
                said = stderr.read().strip().splitlines()
                raise SandboxError(
                    f"The sandbox did not start (exit {code}): {said[-1] if said else 'it said nothing'}"
                )
        return cls(process, Ready(**json.loads(line)))

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is still there."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once, as a crash would; its state file stays as it was last written."""
        self._process.kill()
        self._process.wait()
        _close(self._process)

    def stop(self) -> None:
        """Let it save its state and end; kill it if it takes too long."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        _close(self._process)

    def __enter__(self) -> SandboxProcess:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the sandbox."""
        self.stop()


def _close(process: subprocess.Popen[str]) -> None:
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
