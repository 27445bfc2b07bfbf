"""Wrong usage and wrong configuration: named, with the documented exit code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sync.sandbox.worlds import blueprint_for, write_database
from tests.cli import Access
from tests.cloudstack_server import KEY, SECRET
from tests.scenarios.desk import (
    CONFIGURATION,
    UNKNOWN,
    USAGE,
    MakeDesk,
)


@pytest.mark.parametrize(
    "arguments",
    [
        ("chek",),
        ("inventory",),
        ("inventory", "both"),
        ("check", "--format", "xml"),
        ("apply",),
        ("--nonsense",),
    ],
)
def test_wrong_usage(make_desk: MakeDesk, arguments: tuple[str, ...]) -> None:
    ran = make_desk(Access("http://127.0.0.1:9/client/api", KEY, SECRET)).run(*arguments)
    assert ran.code == USAGE
    assert ran.out == ""
    assert "usage: abreast" in ran.error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sandbox", "--speed", "0"), "cannot run at the speed 0"),
        (("sandbox", "--speed", "-1"), "cannot run at the speed -1"),
        (("sandbox", "--speed", "nan"), "cannot run at the speed nan"),
        (("sandbox", "--port", "99999"), "99999 is no port"),
        (("capture", "/nonexistent/capture"), "there is no folder /nonexistent"),
        (("drill", "--from", "/nonexistent"), "There is no capture /nonexistent"),
        (("ledger", "show", "--run", "nope"), "The ledger of lab has no run nope"),
    ],
)
def test_what_is_not_there_or_cannot_be_is_wrong_usage(
    make_desk: MakeDesk, arguments: tuple[str, ...], words: str
) -> None:
    ran = make_desk(Access("http://127.0.0.1:9/client/api", KEY, SECRET)).run(*arguments)
    assert (ran.code, ran.out) == (USAGE, "")
    assert words in ran.error


def test_keys_that_cannot_be_are_named_by_the_check(make_desk: MakeDesk) -> None:
    """Only the console uses them: the verdict is still that of the two sides."""
    access = Access("http://127.0.0.1:9/client/api", KEY, SECRET)
    desk = make_desk(access, more='[environments.lab.keys]\nstage = "nokey+"\n')
    ran = desk.run("check")
    assert ran.code == UNKNOWN
    assert "The console will not open: keys: 'nokey+' of 'stage' is no key." in ran.out


@pytest.mark.parametrize(
    "command", [("check",), ("plan",), ("inventory", "desired"), ("rebuild",), ("watch", "--headless")]
)
def test_an_environment_that_is_not_there(make_desk: MakeDesk, command: tuple[str, ...]) -> None:
    desk = make_desk(Access("http://127.0.0.1:9/client/api", KEY, SECRET))
    ran = desk.run("--environment", "lap", *command)
    assert (ran.code, ran.out) == (USAGE, "")
    assert "abreast.toml has no environment lap. Did you mean `lab`?" in ran.error


def test_a_project_that_is_not_there(make_desk: MakeDesk, access: Access, tmp_path: Path) -> None:
    write_database(blueprint_for("drill"), tmp_path / "lab.sqlite")
    desk = make_desk(access, database=f"sqlite:///{tmp_path / 'lab.sqlite'}")
    for command in ("plan", "rebuild"):
        ran = desk.run(command, "dunes", typed="lab\n")
        assert (ran.code, ran.out) == (USAGE, ""), ran.error
        assert "There is no project or domain named dunes. Did you mean dune?" in ran.error


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda folder: (folder / "abreast.toml").unlink(),
            ("There is no configuration at", "abreast drill"),
        ),
        (
            lambda folder: (folder / "abreast.toml").write_text("[environments"),
            ("abreast.toml", "not valid TOML"),
        ),
        (
            lambda folder: (folder / "abreast.toml").write_text("[environmens.lab]\n"),
            ("environmens", "environments"),
        ),
        (lambda folder: (folder / "cloudstack.ini").unlink(), ("cloudstack.ini",)),
        (lambda folder: (folder / "cloudstack.ini").chmod(0o644), ("cloudstack.ini", "chmod 600")),
        (lambda folder: (folder / "cloudstack.ini").write_text("[lap]\n"), ("no section [lab]", "lap")),
        (
            lambda folder: (folder / "cloudstack.ini").write_text("[lab]\nkey = k\n"),
            ("`endpoint` is missing",),
        ),
    ],
    ids=["no file", "no TOML", "unknown key", "no credentials", "open to all", "no section", "no endpoint"],
)
def test_a_configuration_that_is_wrong(
    make_desk: MakeDesk, tmp_path: Path, change: Callable[[Path], object], words: tuple[str, ...]
) -> None:
    desk = make_desk(Access("http://127.0.0.1:9/client/api", KEY, SECRET))
    change(tmp_path)
    for command in (("check",), ("inventory", "actual"), ("plan",), ("rebuild",), ("ledger", "show")):
        ran = desk.run(*command)
        assert (ran.code, ran.out) == (CONFIGURATION, ""), ran.said
        for word in words:
            assert word in ran.error
