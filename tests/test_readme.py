"""The README shows what the program has: the configuration that the tests load, the keys of the one table,
the commands of the command line."""

from __future__ import annotations

import re
from pathlib import Path

from console import keymap
from console.__main__ import build_parser

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", README, re.DOTALL)
    assert found, f"README.md has no section {name}"
    return found[1]


def test_the_configuration_shown_is_the_one_that_the_tests_load() -> None:
    shown = (ROOT / "tests" / "data" / "abreast.toml").read_text(encoding="utf-8")
    assert section("configuration-example") == f"```toml\n{shown}```\n"


def test_the_keys_shown_are_those_of_the_table() -> None:
    assert section("keys") == keymap.markdown_table() + "\n"


def test_every_command_is_shown() -> None:
    parser = build_parser()
    names = next(action.choices for action in parser._actions if isinstance(action.choices, dict))
    missing = [name for name in names if f"`abreast {name}" not in README]
    assert not missing, f"README.md does not show {missing}"


def test_every_picture_is_there() -> None:
    pictures = re.findall(r"\]\((screenshots/[^)]+)\)", README)
    assert pictures
    assert [path for path in pictures if not (ROOT / path).is_file()] == []


def test_ci_runs_the_command_shown() -> None:
    found = re.search(r"<!-- test-command -->\n```\n(.*?)\n```", README, re.DOTALL)
    assert found
    assert found[1] == "python3 -m pip install uv && python3 -m uv run --group test python -m tests"
