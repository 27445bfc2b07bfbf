"""What a comparison comes to for the commands: exit code, word, and when they go no further."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from console.__main__ import main
from console.cli.output import clipped, safe
from console.cli.reading import refuse_unread, verdict
from sync.drift import compare
from sync.errors import IncompleteError
from sync.model import Drift, Shrinkage
from tests.examples import COMPLETE, NOON, actual, desired, domain, failed, partial, project

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


@pytest.mark.parametrize("number", ["0", "-3", "two", ""])
def test_a_limit_that_would_show_nothing_is_wrong_usage(
    number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ledger", "show", f"--limit={number}"]) == 64
    assert f"{number} is not a whole number above 0" in capsys.readouterr().err
