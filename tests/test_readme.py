"""The README shows what the program has: the configuration that the tests load, the keys of the one table,
the commands of the command line, the API calls of a role for reading."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatchcase
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


def reading_calls() -> set[str]:
    """The API commands named in what reads: all of `sync.cloudstack` but the clients of the writing key."""
    found = set()
    for path in (ROOT / "sync" / "cloudstack").glob("*.py"):
        if path.stem in ("writer", "fence", "retirer"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= set(re.findall(r"^(?:list|get|query)[A-Z]\w+$", node.value))
    return found


def test_the_calls_of_a_reading_role_are_those_that_are_made() -> None:
    assert set(re.findall(r"`(\w+)`", section("reading-calls"))) == reading_calls()


def test_the_role_for_reading_allows_them_all_and_no_secret_keys() -> None:
    shown = re.search(r"permissions in this order: (.*?); and an account", README, re.DOTALL)
    assert shown
    rules = re.findall(r"(allow|deny)\s+`([^`]+)`", shown[1])
    assert rules[-1] == ("deny", "*")

    def is_allowed(command: str) -> bool:
        """The first rule that fits decides, as in CloudStack."""
        return next(word for word, pattern in rules if fnmatchcase(command, pattern)) == "allow"

    assert [call for call in sorted(reading_calls()) if not is_allowed(call)] == []
    for refused in ("listUserKeys", "getUserKeys", "deleteDomain", "updateDomain", "createAccount"):
        assert not is_allowed(refused)


def test_every_picture_is_there() -> None:
    pictures = re.findall(r"\]\((screenshots/[^)]+)\)", README)
    assert pictures
    assert [path for path in pictures if not (ROOT / path).is_file()] == []


def test_ci_runs_the_command_shown() -> None:
    found = re.search(r"<!-- test-command -->\n```\n(.*?)\n```", README, re.DOTALL)
    assert found
    assert found[1] == "python3 -m pip install uv && python3 -m uv run --group test python -m tests"
