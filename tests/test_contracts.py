"""What a module says of itself is what import-linter holds it to."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

from sync import blast, plan
from sync.model import ActionKind
from sync.operations import OPERATIONS
from sync.pace import PRIOR_SECONDS

ROOT = Path(__file__).parent.parent
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
SAYS_SO = re.compile(r"\bPure\b|\b(?:[Nn]o|without) I/O\b")
IO = {"sqlalchemy", "cs", "httpx", "aiohttp", "socket", "subprocess", "psycopg", "pymysql"}


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def says_that_it_does_no_io(file: Path) -> bool:
    words = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    return SAYS_SO.search(words or "") is not None


def test_every_module_of_sync_that_says_it_does_no_io_is_held_to_it() -> None:
    held = {
        module
        for contract in CONTRACTS["contracts"]
        if contract["type"] == "forbidden" and set(contract["forbidden_modules"]) >= IO
        for module in contract["source_modules"]
    }
    says = {module_of(file) for file in (ROOT / "sync").rglob("*.py") if says_that_it_does_no_io(file)}
    assert len(says) > 60, "they are not found any more"
    assert says - held == set(), "say so, and no contract in pyproject.toml holds them"
    assert {module for module in held if not (ROOT / f"{module.replace('.', '/')}.py").exists()} == set()


def test_what_contributing_names_is_there() -> None:
    """And what it calls a place of every action has every action."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:sync|widgets|console|tests)/[^`\s:]*)`", text))
    assert len(named) > 40, "they are not found any more"
    assert {name for name in named if not list(ROOT.glob(name.rstrip("/")))} == set()
    kinds = set(ActionKind)
    assert {kind for _, wave in plan._WAVES for kind in wave} == kinds
    assert {*blast._HARMLESS, *blast._radii} == kinds
    assert {*PRIOR_SECONDS} == {*OPERATIONS} == kinds
