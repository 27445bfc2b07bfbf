"""A side that shrank is noticed by every process, until what went is back or a person accepts it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.agreeing import Agreement
from console.cli.reading import verdict
from sync.agreement import (
    KEPT,
    LATE,
    Extent,
    Lists,
    compared,
    doubt_at_first,
    first_extent,
    from_json,
    lists_of,
    marked,
    to_json,
)
from sync.drift import compare, headline
from sync.errors import EXIT_CRITICAL, LedgerError, UsageError
from sync.extents import TOLD_EVERY
from sync.ledger import EntryKind, Ledger
from sync.model import ActionKind, CoverageState, DriftKind, Scope, Side
from sync.repairs import PlanRules, repairs
from tests import examples as ex

AT = datetime(2026, 7, 28, 3, 10, tzinfo=UTC)
SOON = timedelta(seconds=10)


def things(*names: str) -> Lists:
    return {"domains": frozenset(names)}


def numbered(count: int, start: int = 0) -> Lists:
    return things(*(f"d{number}" for number in range(start, count)))


# --- what counts as shrunk ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "is_shrunk"),
    [
        (40, 40, False),
        (40, 38, False),
        (40, 37, True),
        (60, 57, False),
        (60, 56, True),
        (2, 0, False),
        (3, 0, True),
        (5000, 4750, False),
        (5000, 4749, True),
        (40, 60, False),
    ],
)
def test_more_than_five_percent_and_at_least_three(before: int, after: int, is_shrunk: bool) -> None:
    _, shrunk = compared(first_extent(numbered(before), AT), numbered(after), AT + SOON)
    assert bool(shrunk) is is_shrunk
    if is_shrunk:
        (one,) = shrunk
        assert (one.what, one.lost, one.of, one.since) == ("domains", before - after, before, AT)


def test_as_many_others_are_no_replacement() -> None:
    """Another database has as many rows; they are not the same."""
    _, shrunk = compared(first_extent(numbered(10), AT), numbered(20, start=10), AT + SOON)
    assert shrunk[0].lost == 10


def test_one_after_another_is_shrunk_as_well_and_says_since_when() -> None:
    """A deletion takes one domain after another: no single reading shrinks by three."""
    extent, found = first_extent(numbered(40), AT), []
    for taken in range(1, 8):
        extent, shrunk = compared(extent, numbered(40, start=taken), AT + taken * SOON)
        found.append(shrunk[0].lost if shrunk else 0)
    assert found == [0, 0, 3, 4, 5, 6, 7]
    assert shrunk[0].since == AT


def test_what_went_long_ago_is_forgotten_but_never_while_it_is_shrunk() -> None:
    extent, _ = compared(first_extent(numbered(40), AT), numbered(38), AT + SOON)
    extent, shrunk = compared(extent, numbered(38), AT + KEPT + 2 * SOON)
    assert shrunk == ()
    extent, shrunk = compared(extent, numbered(36), AT + KEPT + 3 * SOON)
    assert shrunk == ()
    extent, shrunk = compared(extent, numbered(30), AT + KEPT + 4 * SOON)
    assert shrunk[0].lost == 8
    extent, shrunk = compared(extent, numbered(30), AT + 30 * KEPT)
    assert shrunk[0].lost == 8


def test_what_is_back_is_not_lost_and_a_stranger_is_not_remembered_meanwhile() -> None:
    extent, shrunk = compared(first_extent(numbered(40), AT), things("stranger"), AT + SOON)
    assert shrunk[0].lost == 40
    extent, shrunk = compared(extent, numbered(40), AT + 2 * SOON)
    assert shrunk == ()
    assert extent.lists["domains"].present == numbered(40)["domains"]
    assert extent.lists["domains"].gone == {}


def test_a_slow_reading_that_comes_late_is_judged_and_not_remembered() -> None:
    extent = first_extent(numbered(40), AT)
    assert compared(extent, numbered(45), AT - SOON)[0] == extent
    after, _ = compared(extent, numbered(45), AT - 2 * LATE)
    assert len(after.lists["domains"].present) == 45


keys = st.frozensets(st.sampled_from([f"d{number}" for number in range(12)]))


@given(st.lists(keys, min_size=1, max_size=8))
def test_nothing_is_forgotten_within_a_day(readings: list[frozenset[str]]) -> None:
    """Whatever was there and believed is there now or counted as gone; as JSON it stays the same."""
    extent: Extent = first_extent({"domains": readings[0]}, AT)
    for number, present in enumerate(readings[1:], start=1):
        at = AT + number * SOON
        before = extent.lists["domains"]
        extent, shrunk = compared(extent, {"domains": present}, at)
        now = extent.lists["domains"]
        assert before.present | before.gone.keys() <= now.present | now.gone.keys()
        assert not now.present & now.gone.keys()
        assert now.present <= present
        assert bool(shrunk) is (len(now.gone) >= 3)
        assert from_json(at, to_json(extent)) == extent


# --- what follows -------------------------------------------------------------------------------------------


def test_a_ci_database_that_shrank_is_partial_and_nothing_is_unexpected() -> None:
    _, shrunk = compared(first_extent(things("a", "b", "c", "dune"), AT), things("dune"), AT)
    desired = ex.desired(ex.project("dune"))
    desired = replace(
        desired, coverage=marked(desired.coverage, Side.DESIRED, shrunk, environment="production")
    )
    assert desired.coverage.state is CoverageState.PARTIAL
    assert not desired.coverage.agreed
    assert "3 domains fewer than at 2026-07-28 03:10 UTC (a, b, c)" in desired.coverage.why
    assert "`abreast ledger accept desired --environment production --reason …`" in desired.coverage.why
    drift = compare(desired, ex.actual(ex.domain("a"), ex.domain("dune")))
    assert {row.kind for row in drift.rows} == {DriftKind.UNKNOWN}


def test_a_cloudstack_that_shrank_is_the_incident_and_can_be_rebuilt() -> None:
    _, shrunk = compared(first_extent(numbered(40), AT), numbered(6), AT)
    actual = ex.actual(ex.domain("dune"))
    actual = replace(actual, coverage=marked(actual.coverage, Side.ACTUAL, shrunk, environment="production"))
    assert actual.coverage.is_complete
    assert not actual.coverage.agreed
    drift = compare(ex.desired(ex.project("dune"), ex.project("cirrus", "anna")), actual)
    assert [row.kind for row in drift.rows] == [DriftKind.MISSING, DriftKind.IN_SYNC]
    assert verdict(drift) == (EXIT_CRITICAL, "critical")
    text = headline(drift).text
    assert text.startswith("CloudStack has shrunk: 34 domains fewer than at 2026-07-28 03:10 UTC. 1 of 2")
    assert [action.kind for action in repairs(drift.rows[0], rules=PlanRules(), now=AT)] == [
        ActionKind.CREATE_DOMAIN,
        ActionKind.CREATE_ACCOUNT,
    ]


def test_what_only_cloudstack_knew_is_critical_as_well_when_it_goes() -> None:
    """No row tells of it any more: neither side has it."""
    _, shrunk = compared(first_extent(things("a", "b", "c", "dune"), AT), things("dune"), AT)
    actual = ex.actual(ex.domain("dune"))
    actual = replace(actual, coverage=marked(actual.coverage, Side.ACTUAL, shrunk, environment="production"))
    drift = compare(ex.desired(ex.project("dune")), actual)
    assert {row.kind for row in drift.rows} == {DriftKind.IN_SYNC}
    assert verdict(drift) == (EXIT_CRITICAL, "critical")
    assert "3 domains fewer" in headline(drift).text


def test_what_agrees_says_so() -> None:
    assert marked(ex.COMPLETE, Side.ACTUAL, (), environment="production").agreed
    assert not ex.COMPLETE.agreed


@pytest.mark.parametrize(
    ("known", "there", "words"),
    [
        ((), ("a",), "knows no project"),
        ((), (), ""),
        (("a",), ("a", "b", "c", "d"), "knows 1 of them"),
        (("x", "y", "z"), ("a", "b", "c"), "knows 0 of them"),
        (("a", "b"), ("a", "b", "c", "d"), ""),
        (("a",), ("a", "b", "c"), ""),
        (("a", "b", "c"), ("a",), ""),
    ],
)
def test_a_first_ci_database_is_held_against_cloudstack(
    known: tuple[str, ...], there: tuple[str, ...], words: str
) -> None:
    doubt = doubt_at_first(
        ex.desired(*map(ex.project, known)), ex.actual(*map(ex.domain, there)), environment="production"
    )
    assert words in doubt
    assert bool(doubt) is bool(words)


def test_what_is_counted() -> None:
    dune = ex.domain("dune")
    assert lists_of(ex.actual(dune, accounts=[ex.account(dune)]))["accounts"] == {"root/ci/dune:dune"}
    project = replace(ex.project("Dune", "Anna"), unusable=(ex.member("bob"),))
    assert lists_of(ex.desired(project)) == {
        "projects": {"dune"},
        "members": {"dune/anna", "dune/bob"},
    }


# --- between processes --------------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(f"sqlite:///{tmp_path / 'l.sqlite'}", environment="production", operator="ops") as one:
        yield one


def test_every_process_remembers_and_accepting_needs_a_reason(ledger: Ledger, tmp_path: Path) -> None:
    extents = ledger.extents("ROOT/ci")
    assert extents.compare(Side.ACTUAL, numbered(40), AT) is None
    extents.begin(Side.ACTUAL, numbered(40), AT)
    extents.begin(Side.ACTUAL, numbered(3), AT)
    with Ledger(f"sqlite:///{tmp_path / 'l.sqlite'}", environment="production", operator="other") as second:
        other = second.extents("ROOT/ci")
        for _ in range(2):
            (one,) = other.compare(Side.ACTUAL, numbered(6), AT + SOON) or ()
            assert one.lost == 34
        assert other.compare(Side.DESIRED, numbered(6), AT) is None
        assert second.extents("ROOT/lab").current(Side.ACTUAL) is None
        with pytest.raises(UsageError, match="needs a reason"):
            other.accept(Side.ACTUAL, numbered(6), AT + SOON, reason=" ")
        entry = other.accept(Side.ACTUAL, numbered(6), AT + SOON, reason="the pilot is over")
        assert entry.summary == "CloudStack with 6 domains: the pilot is over"
        assert entry.payload["lost"] == {"domains": 34}
    assert extents.compare(Side.ACTUAL, numbered(6), AT + 2 * SOON) == ()
    assert [one.kind for one in ledger.entries()] == [EntryKind.SHRINKAGE_ACCEPTED]
    assert ledger.verify().is_sound


def test_a_reading_that_changes_nothing_is_written_once_a_minute(ledger: Ledger) -> None:
    extents = ledger.extents("ROOT/ci")
    extents.begin(Side.ACTUAL, numbered(4), AT)
    for number in range(1, 12):
        assert extents.compare(Side.ACTUAL, numbered(4), AT + number * SOON) == ()
    known = extents.current(Side.ACTUAL)
    assert known is not None
    assert known.seen_at == AT + TOLD_EVERY


def test_a_ledger_that_cannot_be_used_hides_nothing_and_is_left_alone_for_a_while() -> None:
    asked = 0

    def broken() -> Ledger:
        nonlocal asked
        asked += 1
        raise LedgerError("The disk is full.")

    agreement = Agreement("production", "ROOT/ci", ledger=broken, clock=lambda: AT)
    desired, actual = ex.desired(), ex.actual(*map(ex.domain, "abc"))
    assert agreement.marked(Side.DESIRED, desired) == desired
    assert agreement.marked(Side.ACTUAL, actual) == actual
    doubted, _ = agreement.first(desired, actual)
    assert doubted.coverage.state is CoverageState.PARTIAL
    assert asked == 1


def test_only_complete_readings_of_the_whole_are_remembered(ledger: Ledger) -> None:
    agreement = Agreement("production", "ROOT/ci", ledger=lambda: ledger, clock=lambda: AT)
    whole = ex.desired(*map(ex.project, "abcd"))
    agreement.first(whole, ex.actual(*map(ex.domain, "abcd")))
    for part in (
        replace(whole, projects={}, coverage=ex.partial()),
        replace(whole, projects={}, coverage=ex.failed()),
        replace(whole, projects={}, scope=Scope("ROOT/ci", frozenset({"a"}))),
    ):
        assert agreement.marked(Side.DESIRED, part) == part
    again = agreement.marked(Side.DESIRED, whole)
    assert again.coverage.agreed
    assert not agreement.marked(Side.DESIRED, replace(whole, projects={})).coverage.is_complete
