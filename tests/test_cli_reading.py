"""What a comparison comes to for the commands: exit code, word, and when they go no further."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from console.__main__ import main
from console.cli.output import ask, clipped, result, result_lines, safe, say, table
from console.cli.planning import show
from console.cli.reading import console_problem, refuse_unread, verdict
from console.cli.rebuilding import show_samples
from sync.drift import compare
from sync.errors import IncompleteError
from sync.model import ActionKind, Drift, Shrinkage
from tests.examples import COMPLETE, NOON, actual, desired, domain, failed, partial, project
from tests.fake_cloudstack import action, create_domain, plan

SHRUNK = Shrinkage("domains", 12, 40, NOON - timedelta(minutes=3), ("aurora",))


def drift(**changed: object) -> Drift:
    return replace(compare(desired(project("dune")), actual(domain("dune"))), **changed)


def test_whatever_is_not_read_whole_is_unknown() -> None:
    assert verdict(drift())[0] == 0
    for side in ("desired", "actual"):
        for coverage in (partial(), failed()):
            assert verdict(drift(**{side: coverage})) == (3, "unknown")
    assert verdict(drift(actual=replace(COMPLETE, shrunk=(SHRUNK,)))) == (2, "critical")


@pytest.mark.parametrize("side", ["desired", "actual"])
@pytest.mark.parametrize("coverage", [partial(), failed()], ids=["partial", "failed"])
def test_nothing_is_made_from_a_side_that_was_not_read_whole(side: str, coverage: object) -> None:
    refuse_unread(drift(), "Nothing was written.")
    with pytest.raises(IncompleteError, match="Nothing was written"):
        refuse_unread(drift(**{side: coverage}), "Nothing was written.")


def test_a_name_that_is_too_long_or_has_a_tab_leaves_the_columns_where_they_are() -> None:
    assert clipped("x" * 60) == "x" * 60
    assert clipped("x" * 300) == "x" * 59 + "…"
    assert safe("a\tb") == "a\\u{9}b"


def test_a_review_tells_a_change_by_what_is_and_what_will_be(capsys: pytest.CaptureFixture[str]) -> None:
    limit = action(
        ActionKind.UPDATE_LIMIT,
        "ROOT/ci/dune#vm",
        parameters={"domain": "ROOT/ci/dune", "resourcetype": "0", "max": "10"},
        precondition={"max": "5"},
    )
    show(plan(limit, create_domain("fjord", networkdomain="f.example.org")))
    out = capsys.readouterr().out
    assert "vm limit 5 → 10" in out and "resourcetype" not in out
    assert "name=fjord, networkdomain=f.example.org" in out


def test_check_tells_what_of_the_configuration_keeps_the_console_closed() -> None:
    def problem(*, theme: str | None = None, **keys: str) -> str:
        environment: Any = SimpleNamespace(keys=keys, theme=theme)
        return console_problem(environment)

    assert problem() == problem(theme="light") == ""
    assert problem(theme="nope").startswith("The console will not open: theme: there is no theme 'nope'.")
    assert problem(nothing="x").startswith("The console will not open: keys")


def test_a_name_with_an_end_of_line_writes_no_line_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It could say what it likes before the operator types the word."""
    name = "nl\nnothing is wrong\r\x1b[2Jhere"
    shown = "nl\\u{a}nothing is wrong\\u{d}\\u{1b}[2Jhere"
    say(f"{name} is left alone: it is unknown")
    result(f"neither proven nor rebuilt: {name}")
    result_lines(table([(name, "why")], header=("project", "why")))
    monkeypatch.setattr("sys.stdin", io.StringIO("no\n"))
    ask(f"Type {name}:")
    out, error = capsys.readouterr()
    assert error == f"{shown} is left alone: it is unknown\nType {shown}: "
    first, header, row, rest = out.split("\n")
    assert first == f"neither proven nor rebuilt: {shown}"
    assert header.split() == ["project", "why"]
    assert (row, rest) == (f"{shown}  why", "")


def test_a_plan_notes_such_a_name_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_samples([create_domain("a\nb" + "x" * 300)], ["c\nd is left alone"])
    first, second = capsys.readouterr().err.splitlines()
    assert "ROOT/ci/a\\u{a}bxxx" in first and first.endswith("x…")
    assert second == "  c\\u{a}d is left alone"


@pytest.mark.parametrize("number", ["0", "-3", "two", ""])
def test_a_limit_that_would_show_nothing_is_wrong_usage(
    number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ledger", "show", f"--limit={number}"]) == 64
    assert f"{number} is not a whole number above 0" in capsys.readouterr().err
