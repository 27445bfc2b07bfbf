"""Everything that must hold before a change lands: `python -m tests [--all] [PYTEST ARGUMENTS]`.

Installs the Debian packages that the tests run for real (databases, fonts, tmux), then lints, checks types
and layers, and runs the tests. `--all` also runs what a plain run takes fixed-seed slices of.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "tests" / "debian-packages.txt"


def wanted_packages() -> list[str]:
    lines = (line.partition("#")[0].strip() for line in PACKAGES.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def is_installed(package: str) -> bool:
    query = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    return answer.stdout == "installed"


def install_packages() -> bool:
    """Debian packages that are missing; True when all are there afterwards."""
    if shutil.which("dpkg-query") is None:
        print("Not a Debian system: see tests/debian-packages.txt for what the tests need.", file=sys.stderr)
        return True
    missing = [package for package in wanted_packages() if not is_installed(package)]
    if not missing:
        return True
    become = [] if os.geteuid() == 0 else ["sudo", "-n"]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print(f"Installing Debian packages: {' '.join(missing)}", flush=True)
    subprocess.run([*become, "apt-get", "-q", "update"], env=quiet, check=False, stdout=subprocess.DEVNULL)
    install = [*become, "apt-get", "-q", "-y", "--no-install-recommends", "install", *missing]
    done = subprocess.run(install, env=quiet, check=False, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        print(f"Could not install {' '.join(missing)}: install them, then run again.", file=sys.stderr)
    return done.returncode == 0


def step(name: str, *command: str) -> bool:
    print(f"--- {name}", flush=True)
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, check=False)
    verdict = "ok" if done.returncode == 0 else "FAILED"
    print(f"--- {name}: {verdict}, {time.monotonic() - started:.0f} s", flush=True)
    return done.returncode == 0


def main(arguments: list[str]) -> int:
    everything = "--all" in arguments
    rest = [argument for argument in arguments if argument != "--all"]
    if not install_packages():
        return 1
    python = sys.executable
    selection = [] if everything else ["-m", "not exhaustive"]
    checks = [
        step("lint", python, "-m", "ruff", "check", "."),
        step("format", python, "-m", "ruff", "format", "--check", "."),
        step("types", python, "-m", "mypy"),
        step("layers", str(Path(python).parent / "lint-imports")),
        step("tests", python, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", *selection, *rest),
    ]
    return 0 if all(checks) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
