"""The header says how old, how complete and how broken each side is, at every width."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sync.model import CoverageState, Side
from tests.screens.world import NOW
from widgets.header import ConsoleHeader, clock_time, problem_line, source_line, warnings
from widgets.identity import Identity
from widgets.values import SourceStatus

SOUND = SourceStatus(Side.ACTUAL, "CloudStack 4.23", "domains", 398, CoverageState.COMPLETE, NOW)


def text(line: list[tuple[str, str]] | None) -> str:
    return "".join(piece for piece, _ in line or [])


def paints(line: list[tuple[str, str]]) -> set[str]:
    return {paint for _, paint in line}


def test_a_sound_source_shows_count_coverage_and_age() -> None:
    line = source_line(SOUND, NOW + timedelta(seconds=3), width=60)
    assert text(line).split() == ["CloudStack", "4.23", "398", "domains", "complete", "3", "s"]
    assert "tone--warning" not in paints(line)


def test_the_age_grows_and_turns_when_a_source_is_silent() -> None:
    line = source_line(SOUND, NOW + timedelta(minutes=5), width=60)
    assert "5 min old" in text(source_line(SOUND, NOW + timedelta(seconds=300), width=60))
    assert "tone--warning" in paints(line)


def test_before_the_first_reading_progress_is_shown() -> None:
    status = SourceStatus(Side.ACTUAL, "CloudStack", "domains", reading="listDomains 1,500")
    assert "being read  listDomains 1,500" in text(source_line(status, NOW, width=60))
    assert problem_line(status, 80) is None


def test_a_failed_source_says_since_when_and_why() -> None:
    failed = replace(
        SOUND, coverage=CoverageState.FAILED, why="refused. Check that the server runs.", failed_at=NOW
    )
    assert "FAILED" in text(source_line(failed, NOW, width=60))
    line = text(problem_line(failed, 100))
    since = clock_time(NOW)
    assert line.strip() == f"CloudStack 4.23 not read since {since}: refused. Check that the server runs."
    never = replace(failed, taken_at=None)
    assert "never read" in text(problem_line(never, 100))


def test_a_partial_source_says_what_is_missing() -> None:
    partial = replace(SOUND, coverage=CoverageState.PARTIAL, why="the role sees one domain")
    assert "PARTIAL" in text(source_line(partial, NOW, width=60))
    assert "read in part: the role sees one domain" in text(problem_line(partial, 100))


@pytest.mark.parametrize("width", [60, 80, 100, 120])
@pytest.mark.parametrize("mode", ["READ-ONLY", "ARMED", "WATCH"])
def test_environment_and_mode_are_there_in_words_at_every_width(width: int, mode: str) -> None:
    header = ConsoleHeader(
        Identity("production", "PRODUCTION ci.example.org", "production"), mode=mode, now=NOW
    )
    header._sources = (replace(SOUND, side=Side.DESIRED, label="CI database"), SOUND)
    lines = header.lines(width)
    assert "PRODUCTION" in text(lines[0])
    assert mode in text(lines[0])
    assert "env--production" in paints(lines[0])
    for line in lines:
        assert len(text(line)) <= width


PINNED = (
    "production was pinned to https://cloudstack.example.org/client/api with ROOT domain "
    "c12f8f1e-8f5e-11ee-a506-1e00d90000aa (2026-03-01, anna@console); this is "
    "https://cloudstack-qa.example.org/client/api with ROOT domain c12f8f1e-8f5e-11ee-a506-1e00d90000bb. "
    "Correct the configuration."
)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_another_server_than_the_pinned_one_is_said_in_red_with_both(width: int) -> None:
    foreign = replace(SOUND, coverage=CoverageState.PARTIAL, why=PINNED, is_foreign=True)
    header = ConsoleHeader(Identity("production", "PRODUCTION", "production"), now=NOW)
    header._sources = (replace(SOUND, side=Side.DESIRED, label="CI database"), foreign)
    lines = header.lines(width)
    red = [line for line in lines if paints(line) == {"banner--text"}]
    said = " ".join(text(line).strip() for line in red)
    assert said.startswith("WRONG SERVER, nothing can be armed or run: production was pinned to https://")
    assert len(red) <= 5
    assert "read in part" not in " ".join(map(text, lines)), "once is enough"
    if width >= 80:
        for words in ("api with ROOT domain c12f8f1e-8f5e-11ee-a506-1e00d90000aa", "this is", "90000bb"):
            assert words in said
    assert all(len(text(line)) <= width for line in lines)


def test_a_server_that_could_not_be_compared_is_said() -> None:
    unknown = replace(SOUND, unrecognised="The ledger cannot be read.")
    (line,) = warnings(unknown, 100)
    assert text(line).strip().startswith("Nothing can be armed: not compared with the pinned server. The led")
    assert paints(line) == {"tone--bad"}


def test_a_side_that_has_shrunk_is_said_once_whatever_its_coverage() -> None:
    words = "37 domains fewer than at 2026-07-28 03:10 UTC"
    for coverage in (CoverageState.COMPLETE, CoverageState.PARTIAL):
        shrunk = replace(SOUND, coverage=coverage, why="It has shrunk: …", shrunk=words)
        (line,) = warnings(shrunk, 100)
        assert text(line).strip() == f"CloudStack 4.23 has SHRUNK: {words}"
        assert problem_line(shrunk, 100) is None
