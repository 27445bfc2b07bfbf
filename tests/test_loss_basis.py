"""Against which capture losses are told: from before the deletion, by the clock and by what is in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sync.capture_store import CaptureEntry
from sync.deletions import Attempt, Deletion, Kind, Situation, Stage
from sync.loss_basis import Basis, basis_words, began, choose, given, vanished
from sync.model import CoverageState

NOW = datetime(2026, 7, 28, 9, 0, tzinfo=UTC)
WHOLE, CUT = CoverageState.COMPLETE, CoverageState.PARTIAL


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def entry(id: int, minutes: float, *, domains: int = 40, state: CoverageState = WHOLE) -> CaptureEntry:
    return CaptureEntry(id, ago(minutes), WHOLE, state, {"actual.domains": domains}, 0, "")


def deletion(name: str, minutes: float | None, stage: Stage = Stage.ENDED) -> Deletion:
    attempt = None
    if minutes is not None:
        attempt = Attempt(Kind.DOMAIN, f"d-{name}", name, ago(minutes), ago(minutes), None, True)
    return Deletion(Kind.DOMAIN, stage, f"d-{name}", name, f"ROOT/ci/{name}", "", attempt)


def situation(*deletions: Deletion) -> Situation:
    return Situation(NOW, deletions)


MASS = situation(deletion("a", 30), deletion("b", 20), deletion("c", 10, Stage.RUNNING))


def test_an_incident_begins_with_the_first_of_its_deletions_and_refused_ones_are_none() -> None:
    told = situation(*MASS.deletions, deletion("refused", 90, Stage.REFUSED), deletion("long-ago", 60 * 20))
    assert began(told) == ago(30)
    assert vanished(told) == {"d-a", "d-b", "d-c"}
    assert began(situation(deletion("unknown", None))) is None
    assert (began(None), vanished(None)) == (None, frozenset())


def test_a_domain_that_came_back_hollow_tells_nothing_by_its_being_listed() -> None:
    told = situation(deletion("hollow", 30, Stage.HALF_DONE))
    assert (began(told), vanished(told)) == (ago(30), frozenset())


def test_the_newest_complete_one_from_before_is_taken() -> None:
    entries = [entry(1, 50), entry(2, 40), entry(3, 35, state=CUT), entry(4, 25, domains=39), entry(5, 5)]
    found = choose(entries, MASS, last_seen={"d-a": ago(40), "d-b": ago(25)})
    assert (found.id, found.began) == (2, ago(30))
    assert found.why == "the newest complete one from before the deletion began"


def test_a_clock_that_disagrees_is_overruled_by_what_is_in_the_captures() -> None:
    entries = [entry(1, 50), entry(2, 40), entry(3, 25, domains=39)]
    ahead = situation(*(deletion(name, minutes - 25) for name, minutes in (("a", 30), ("b", 26))))
    assert choose(entries, ahead, last_seen={"d-a": ago(40), "d-b": ago(25)}).id == 2
    behind = situation(deletion("a", 300), deletion("b", 290))
    assert choose(entries, behind, last_seen={"d-a": ago(40), "d-b": ago(25)}).id == 2
    assert choose(entries, behind, last_seen={}) == Basis(
        None, "every complete capture is from after the deletion began", ago(300)
    )


@pytest.mark.parametrize(
    ("domains", "expected", "why"),
    [
        ([40, 40, 40], 3, "the newest complete one; no event tells of a deletion"),
        ([40, 40, 12], 2, "the newest with the most in it; no event tells when the deletion began"),
    ],
)
def test_where_no_event_tells_the_fullest_counts(domains: list[int], expected: int, why: str) -> None:
    entries = [entry(id, 60 - 10 * id, domains=count) for id, count in enumerate(domains, 1)]
    found = choose(entries, situation(), last_seen={})
    assert (found.id, found.why) == (expected, why)


def test_what_was_more_than_two_days_ago_is_no_incident_of_now() -> None:
    entries = [entry(1, 60 * 72, domains=80), entry(2, 10)]
    assert choose(entries, None, last_seen={}).id == 2


def test_without_one_it_is_said_why() -> None:
    assert choose([], MASS, last_seen={}).why == "nothing was captured"
    assert choose([entry(1, 50, state=CUT)], MASS, last_seen={}).why == "no capture is complete"
    too_young = choose([entry(1, 50)], MASS, last_seen={}, until=ago(70))
    assert (too_young.taken_at, too_young.why) == (None, "no complete capture is old enough")


def test_that_no_event_could_be_read_is_not_that_none_tells() -> None:
    unread = replace(situation(), is_unread=True)
    for told in (None, unread):
        why = choose([entry(1, 50)], told, last_seen={}).why
        assert why == "the newest complete one; CloudStack's events, which tell of deletions, were not read"
    fuller = choose([entry(1, 50), entry(2, 10, domains=3)], unread, last_seen={})
    assert fuller.why.startswith("the newest with the most in it; CloudStack's events")


def test_where_no_event_tells_and_no_capture_is_old_enough_a_younger_one_does() -> None:
    assert choose([entry(1, 50), entry(2, 40)], situation(), last_seen={}, until=ago(70)).id == 2
    assert choose([entry(1, 50), entry(2, 40)], situation(), last_seen={}, until=ago(45)).id == 1


def test_a_capture_that_has_nothing_of_what_was_deleted_is_not_known_to_be_from_before() -> None:
    """Made after the deletion, where CloudStack's clock is ahead of ours."""
    found = choose([entry(1, 40)], MASS, last_seen={})
    assert (found.id, found.taken_at) == (None, None)
    assert found.why == "no capture has any of the domains that were deleted"


def test_it_is_said_which_one_how_old_and_how_long_before() -> None:
    seen = {"d-a": ago(40)}
    said = basis_words(choose([entry(1, 40)], MASS, last_seen=seen), NOW)
    assert said.endswith(
        ", 40 min old, 10 min before the deletion: the newest complete one from before the deletion began."
    )
    assert "chosen by you, from after the deletion began." in basis_words(given(ago(1), MASS), NOW)
    without = basis_words(choose([], MASS, last_seen={}), NOW)
    assert without == (
        "Without a capture (nothing was captured): told by the CI database and CloudStack's events alone."
    )
