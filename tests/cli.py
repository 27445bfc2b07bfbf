"""The command line under test: a configuration in a folder, and `abreast` in a child process."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.__main__ import main
from sync.sandbox.worlds.build_machines import OFFERING

ROOT = Path(__file__).parents[1]
ENVIRONMENT = "lab"
NETWORK = f'[environments.lab.network]\noffering = "{OFFERING}"\nzone = "Sandbox-simulator"\n'


@dataclass(frozen=True)
class Access:
    """Where CloudStack is, and the keys to it."""

    url: str
    key: str
    secret: str


@dataclass(frozen=True)
class Configured:
    """A folder with everything of one environment in it: configuration, ledger, new passwords."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "abreast.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data" / "abreast"

    @property
    def ledger(self) -> str:
        return f"sqlite:///{self.data / 'lab.sqlite'}"

    @property
    def passwords(self) -> Path:
        return self.data / "lab-credentials.jsonl"

    @property
    def variables(self) -> dict[str, str]:
        """The variables of a child: this folder's data, and what the suite set for all."""
        return os.environ | {"XDG_DATA_HOME": str(self.folder / "data"), "PYTHONPATH": str(ROOT)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`abreast` in a child process, all three streams piped."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [sys.executable, "-m", "console", "--config", str(self.config), *arguments],
            stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=self.variables, cwd=self.folder,
        )  # fmt: skip

    def run(self, *arguments: str, typed: str = "", within: float = 120) -> subprocess.CompletedProcess[str]:
        """`abreast` to its end; `typed` is what it reads."""
        process = self.start(*arguments)
        out, error = process.communicate(typed, timeout=within)
        return subprocess.CompletedProcess(arguments, process.returncode, out, error)


@dataclass(frozen=True)
class Ran:
    """What came of a command in this process."""

    code: int
    out: str
    error: str


Run = Callable[..., Ran]


def in_process(lab: Configured, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs commands in this process, on the lab; `typed` is what stands on stdin."""
    monkeypatch.setenv("XDG_DATA_HOME", str(lab.folder / "data"))

    def call(*arguments: str, typed: str = "") -> Ran:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        capsys.readouterr()
        code = main(["--config", str(lab.config), *arguments])
        return Ran(code, *capsys.readouterr())

    return call


def configure(folder: Path, access: Access, ci_database: str, *, more: str = "") -> Configured:
    """Write the configuration of one environment: reads and writes with the same key."""
    folder.mkdir(parents=True, exist_ok=True)
    ini = folder / "cloudstack.ini"
    ini.touch(mode=0o600)
    ini.write_text(f"[lab]\nendpoint = {access.url}\nkey = {access.key}\nsecret = {access.secret}\n")
    toml = folder / "abreast.toml"
    toml.touch(mode=0o600)
    toml.write_text(
        '[environments.lab]\n[environments.lab.cloudstack]\nfile = "cloudstack.ini"\nread = "lab"\n'
        f'write = "lab"\n[environments.lab.ci_database]\nurl = "{ci_database}"\n{more}'
    )
    return Configured(folder)
