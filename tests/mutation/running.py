"""Removes guards one at a time in a copy of the tree and runs the tests that have to notice."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.mutation.guard import Guard

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("console", "sync", "tests", "widgets")

_FAILED = re.compile(r"^FAILED (.+?)(?: - (.*))?$", re.MULTILINE)
_OF_THE_REMOVAL = ("NameError", "UnboundLocalError", "SyntaxError", "ImportError", "IndentationError")
"""What a guard that is removed clumsily fails with: that shows nothing of the tests."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one guard's removal."""

    guard: Guard
    noticed_by: str = ""
    """The first test that failed; empty where none did."""
    why_not: str = ""
    """Why nothing is shown, where it is not that all tests passed."""

    @property
    def has_survived(self) -> bool:
        return not self.noticed_by

    @property
    def line(self) -> str:
        if self.noticed_by:
            return f"noticed   {self.guard.name}  ({self.noticed_by})"
        return f"SURVIVED  {self.guard.name}{f'  ({self.why_not})' if self.why_not else ''}"


class Tree:
    """A copy of the sources and the tests, in which guards are removed and tests run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for package in PACKAGES:
            ignore = shutil.ignore_patterns("__pycache__", "__snapshots__")
            shutil.copytree(ROOT / package, folder / package, ignore=ignore)
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, folder / name)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.mutation.zygote"],
            cwd=folder,
            env=kept | {"PYTHONPATH": str(folder), "COLUMNS": "1000"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._zygote.stdin is not None
        self._zygote.stdin.close()
        self._zygote.wait()

    def run(self, tests: Iterable[str], *options: str) -> tuple[int, str]:
        """pytest's exit code and output."""
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        arguments = ["-q", "--tb=no", "-p", "no:cacheprovider", *options, *tests]
        self._zygote.stdin.write(json.dumps(arguments) + "\n")
        self._zygote.stdin.flush()
        code, said = json.loads(self._zygote.stdout.readline())
        return code, said

    def without(self, guard: Guard) -> Result:
        """Remove one guard, run its tests until one fails, put the guard back."""
        file = self.folder / guard.file
        original = file.read_text(encoding="utf-8")
        if original.count(guard.old) != 1:
            return Result(guard, why_not=f"its text is {original.count(guard.old)} times in {guard.file}")
        _write(file, original.replace(guard.old, guard.new))
        try:
            code, said = self.run(guard.tests, "-x", "-k", guard.select)
        finally:
            _write(file, original)
        return _judged(guard, code, said)

    def not_passing(self, results: Sequence[Result]) -> frozenset[str]:
        """Of the tests that noticed something those that fail with all guards in place: they show nothing."""
        noticing = sorted({one.noticed_by for one in results if one.noticed_by})
        if not noticing:
            return frozenset()
        code, said = self.run(noticing)
        if code == 0:
            return frozenset()
        return frozenset(failed[1] for failed in _FAILED.finditer(said)) or frozenset(noticing)


def _judged(guard: Guard, code: int, said: str) -> Result:
    failed = _FAILED.search(said)
    if code == 1 and failed is not None:
        if (failed[2] or "").startswith(_OF_THE_REMOVAL):
            return Result(guard, why_not=f"removed clumsily: {failed[2]}")
        return Result(guard, noticed_by=failed[1])
    if code == 0:
        return Result(guard)
    last = said.strip().splitlines()[-1:] or ["no output"]
    return Result(guard, why_not=f"the tests could not be run ({code}): {last[0]}")


def _write(file: Path, text: str) -> None:
    """Compiled files are told apart by time and size: within one second that is not enough."""
    file.write_text(text, encoding="utf-8")
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()
