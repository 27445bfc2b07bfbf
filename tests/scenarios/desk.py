"""A configuration through which bad input is put to the real commands, and what must never show of it.

Every run is looked through for tracebacks and for secrets, whatever else it is about.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from console.__main__ import main
from tests import reference_schema
from tests.cli import Configured

DATABASE_PASSWORD = "p4ss+of the/Database=="
OK, DRIFT, CRITICAL, UNKNOWN, USAGE, CONFIGURATION = 0, 1, 2, 3, 64, 78
PERSON = {"email": "a@example.org", "firstname": "A", "lastname": "B"}
DUNE: reference_schema.Rows = {
    "projects": [{"name": "dune"}, {"name": "aurora"}],
    "members": [{"project": "dune", "username": "jm", **PERSON}],
}


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    error: str

    @property
    def said(self) -> str:
        return self.out + self.error


class Desk:
    """Where the commands are run: a configuration, and what must never show."""

    def __init__(self, configured: Configured, secrets: tuple[str, ...], capture: Any, patch: Any) -> None:
        self.configured = configured
        self._secrets = (*secrets, DATABASE_PASSWORD)
        self._capture = capture
        self._patch = patch
        self._patch.setenv("XDG_DATA_HOME", str(configured.folder / "data"))

    def run(self, *arguments: str, typed: str = "") -> Ran:
        self._patch.setattr(sys, "stdin", io.StringIO(typed))
        self._capture.readouterr()
        code = main(["--config", str(self.configured.config), *arguments])
        out, error = self._capture.readouterr()
        assert "Traceback" not in out + error, out + error
        for secret in self._secrets:
            assert secret not in out + error, f"a secret shows in {arguments}"
        return Ran(code, out, error)

    def plan(self, code: int) -> list[dict[str, Any]]:
        """The actions that `abreast plan` proposes: none where it writes no file."""
        file = self.configured.folder / "plan.json"
        ran = self.run("plan", "-o", str(file))
        assert ran.code == code, ran.said
        if not file.exists():
            return []
        actions: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["actions"]
        file.unlink()
        return actions

    def check(self, code: int) -> dict[str, Any]:
        ran = self.run("check", "--format", "json")
        assert ran.code == code, ran.said
        found: dict[str, Any] = json.loads(ran.out)
        assert found["exit_code"] == code
        return found

    def lines(self, side: str, code: int) -> list[dict[str, Any]]:
        ran = self.run("inventory", side)
        assert ran.code == code, ran.said
        return [json.loads(line) for line in ran.out.splitlines()]

    def assert_nothing_proposed(self, *words: str) -> None:
        """A side is not known, and says so in these words: unknown everywhere, and no action is made."""
        text = self.run("check")
        assert text.code == UNKNOWN, text.said
        assert text.out.startswith("UNKNOWN lab: "), text.out
        for word in words:
            assert re.search(word, text.out), f"{word!r} is not in {text.out!r}"
        counts = self.check(UNKNOWN)["counts"]
        assert {kind for kind, count in counts.items() if count} == {"unknown"}
        assert self.plan(UNKNOWN) == []
        rebuild = self.run("rebuild", typed="lab\n")
        assert rebuild.code == UNKNOWN, rebuild.said
        assert "Type lab to run" not in rebuild.error


MakeDesk = Callable[..., Desk]
