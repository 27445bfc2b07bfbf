"""The mutation run over the guards: its list fits the code, a few guards here, all of them exhaustively."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutation.__main__ import run
from tests.mutation.guard import Guard
from tests.mutation.guards import GUARDS
from tests.mutation.running import ROOT

A_FEW = ("canary", "role proof: the role type is Admin", "no plan is written from readings")


def named(words: str) -> Guard:
    (found,) = (one for one in GUARDS if words in one.name)
    return found


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_the_list_fits_the_code(guard: Guard) -> None:
    """A guard that was reworded or moved is no longer tried: it has to be moved in the list too."""
    assert (ROOT / guard.file).read_text(encoding="utf-8").count(guard.old) == 1
    assert guard.old != guard.new
    assert guard.tests
    for test in guard.tests:
        file, _, name = test.partition("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not name or re.search(rf"^(async )?def {re.escape(name)}\(", text, re.MULTILINE), test


def test_every_guard_has_a_name_of_its_own() -> None:
    assert len({one.name for one in GUARDS}) == len(GUARDS)


def test_a_few_guards_are_missed_when_they_are_gone(tmp_path: Path) -> None:
    results = run([named(words) for words in A_FEW], tmp_path, jobs=1)
    assert [one.has_survived for one in results] == [False] * len(A_FEW), [one.line for one in results]


def test_a_guard_that_nobody_would_miss_is_told(tmp_path: Path) -> None:
    """Removed with tests that do not look at it, or clumsily, or where it is not."""
    canary = named("canary")
    blind = replace(canary, tests=("tests/test_cli_reading.py",))
    broken = replace(canary, new="limit = undefined_name")
    moved = replace(canary, old="limit = 1 if nobody is looking else 4")
    results = run([blind, broken, moved], tmp_path, jobs=1)
    assert [one.has_survived for one in results] == [True] * 3
    assert [one.why_not for one in results] == [
        "",
        "removed clumsily: NameError: name 'undefined_name' is not defined",
        "its text is 0 times in sync/schedule.py",
    ]


@pytest.mark.exhaustive
@pytest.mark.timeout(3600)
def test_every_guard_is_missed_when_it_is_gone(tmp_path: Path) -> None:
    survivors = [one.line for one in run(GUARDS, tmp_path, jobs=2) if one.has_survived]
    assert survivors == []
