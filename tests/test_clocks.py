"""Several clocks at one moment: when no wait may be judged, and that the most cautious of them decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.clocks import TOLERANCE, Clocks, latest_of, refuse_apart, why_apart
from sync.cloudstack import faults
from sync.errors import GuardError, StaleError
from sync.retirement import BEGUN_CLOCKS, ENDED_CLOCKS, Done, Retirement, Step
from sync.retirement_history import History, sighting_from, sighting_json
from sync.retirement_proposal import APART, LIFETIME, View, propose, sightings_of
from sync.retirement_rules import destroyed_lately, refuse_early
from tests.examples import NOON
from tests.retirement_examples import LIMITS, actual_side, desired_side, history, sighting, view, wish

SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3600, 86_400))
SOME = st.timedeltas(min_value=-timedelta(days=400), max_value=timedelta(days=400))
SMALL = st.timedeltas(min_value=-TOLERANCE, max_value=TOLERANCE)


def clocks(own: timedelta, *, ledger: timedelta | None = timedelta(0)) -> Clocks:
    """This machine's is so far ahead of the true time, which CloudStack has."""
    return Clocks(NOON + own, NOON, NOON + ledger if ledger is not None else None)


# --- what differs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (clocks(2 * HOUR), "2 h ahead of CloudStack's and the ledger database's"),
        (clocks(15 * DAY, ledger=None), "15 days ahead of CloudStack's"),
        (clocks(-20 * MINUTE), "20 min behind CloudStack's and the ledger database's"),
        (clocks(31 * SECOND), "31 s ahead of CloudStack's and the ledger database's"),
        (clocks(timedelta(0), ledger=-5 * MINUTE), "5 min ahead of the ledger database's"),
        (
            clocks(HOUR, ledger=2 * HOUR),
            "60 min ahead of CloudStack's and 60 min behind the ledger database's",
        ),
    ],
)
def test_clocks_that_differ_are_named(found: Clocks, words: str) -> None:
    assert why_apart(found) == f"this machine's clock is {words}"
    with pytest.raises(GuardError, match="No wait of a retirement can be judged: this machine's clock is"):
        refuse_apart(found)


def test_clocks_that_agree_are_no_reason() -> None:
    for by in (timedelta(0), TOLERANCE, -TOLERANCE):
        refuse_apart(clocks(by))
        refuse_apart(clocks(by, ledger=None))


def test_a_server_that_names_no_time_is_a_reason() -> None:
    with pytest.raises(GuardError, match="names no time"):
        refuse_apart(Clocks(NOON, None, NOON))


@pytest.mark.parametrize("header", [None, "", "yesterday", "Mon, 32 Jan 2026 00:00:00 GMT"])
def test_a_date_that_is_none_is_no_time(header: str | None) -> None:
    assert faults.moment(header) is None


def test_a_date_is_read() -> None:
    assert faults.moment("Thu, 26 Nov 2026 11:00:05 GMT") == datetime.fromisoformat("2026-11-26T11:00:05Z")
    assert faults.moment("Thu, 26 Nov 2026 11:00:05 -0000") is None, "it does not say where"


def test_what_the_ledger_keeps_tells_the_latest() -> None:
    kept = clocks(-5 * SECOND, ledger=3 * SECOND).json()
    assert sorted(kept) == ["cloudstack", "ledger", "own"]
    assert latest_of(kept, NOON) == NOON + 3 * SECOND
    assert latest_of(kept, NOON + HOUR) == NOON + HOUR
    assert latest_of(None, NOON) == NOON
    assert "ledger" not in clocks(timedelta(0), ledger=None).json()


def test_the_most_cautious_clock_decides() -> None:
    found = clocks(5 * SECOND, ledger=-3 * SECOND)
    assert (found.earliest, found.latest) == (NOON - 3 * SECOND, NOON + 5 * SECOND)
    assert clocks(-5 * SECOND, ledger=None).latest == NOON
    assert clocks(5 * SECOND, ledger=None).earliest == NOON


# --- two readings -------------------------------------------------------------------------------------------


def seen(before: Clocks, after: Clocks) -> View:
    """Read by this machine's clock between the two."""
    return View(desired_side(at=before.own), actual_side(at=before.own), (), before, after)


@pytest.mark.parametrize("ahead", [20 * MINUTE, -20 * MINUTE, 300 * DAY])
def test_from_readings_while_clocks_differ_nothing_is_concluded(ahead: timedelta) -> None:
    wrong, right = clocks(ahead), clocks(timedelta(0))
    for before, after in ((wrong, wrong), (right, wrong), (wrong, right)):
        with pytest.raises(GuardError, match="No wait of a retirement can be judged"):
            sightings_of(seen(before, after), ["zephyr"])
        with pytest.raises(GuardError, match="No wait of a retirement can be judged"):
            propose(wish(), seen(before, after), history(), LIMITS)


def test_a_reading_that_one_clock_alone_dated_is_none_of_the_two() -> None:
    assert propose(wish(), view(), history(), LIMITS)
    for changes in ({"until": None}, {"until": None, "since": None}):
        with pytest.raises(GuardError, match="at least 10 minutes apart"):
            propose(wish(), view(), history(replace(sighting(), **changes)), LIMITS)


def test_a_reading_of_an_earlier_release_is_read_back_and_is_none_of_the_two() -> None:
    old = {name: at for name, at in sighting_json(sighting()).items() if name not in ("since", "until")}
    with pytest.raises(GuardError, match="at least 10 minutes apart"):
        propose(wish(), view(), history(sighting_from(old)), LIMITS)
    assert sighting_from(sighting_json(sighting())) == sighting()


def test_ten_minutes_are_over_when_all_clocks_say_so() -> None:
    """A clock that gained 20 s of the tolerance has not shortened them."""
    (earlier,) = sightings_of(seen(clocks(timedelta(0)), clocks(timedelta(0))), ["zephyr"])

    def at(passed: timedelta) -> View:
        found = Clocks(NOON + passed + 20 * SECOND, NOON + passed)
        return seen(found, found)

    with pytest.raises(GuardError, match="at least 10 minutes apart"):
        propose(wish(), at(APART - SECOND), History(sightings=(earlier,)), LIMITS)
    assert propose(wish(), at(APART), History(sightings=(earlier,)), LIMITS)


@given(st.timedeltas(min_value=APART - MINUTE, max_value=APART + MINUTE), SOME | SMALL, SOME | SMALL)
def test_two_readings_are_as_far_apart_as_the_true_clock_says(
    passed: timedelta, first: timedelta, second: timedelta
) -> None:
    """Whatever this machine's clock did before, between and since: CloudStack's is right here."""

    def at(true: datetime, own: timedelta) -> View:
        found = Clocks(true + own, true)
        return seen(found, found)

    try:
        (earlier,) = sightings_of(at(NOON, first), ["zephyr"])
        made = propose(wish(), at(NOON + passed, second), History(sightings=(earlier,)), LIMITS)
    except GuardError:
        return
    assert passed >= APART
    assert made.targets[0].sightings[0] == earlier


# --- the waits of steps -------------------------------------------------------------------------------------

UNTIL = NOON + 14 * DAY


def retirement(*steps: Done) -> Retirement:
    return Retirement(propose(wish(), view(), history(), LIMITS), steps=steps)


def quarantined(**facts: object) -> Done:
    return Done(Step.QUARANTINE, NOON, "op", {"until": UNTIL.isoformat(), **facts}, NOON)


def archived(at: datetime) -> Done:
    return Done(Step.ARCHIVE, at, "op", {}, at)


def test_a_step_that_is_dated_in_the_future_is_waited_for() -> None:
    """What a clock that was ahead has let begin, by an earlier release too."""
    one = retirement(quarantined(), archived(UNTIL + DAY))
    with pytest.raises(GuardError, match="which is still to come: the clock that dated it was ahead"):
        refuse_early(one, UNTIL)
    refuse_early(one, UNTIL + DAY)
    stamped = retirement(quarantined(**{ENDED_CLOCKS: {"own": (NOON + HOUR).isoformat()}}))
    with pytest.raises(GuardError, match="still to come"):
        refuse_early(stamped, NOON)


def test_the_quarantine_is_judged_again_before_what_destroys() -> None:
    """An archive that was made too early does not shorten it."""
    one = retirement(quarantined(), archived(NOON + MINUTE))
    with pytest.raises(GuardError, match="until 2017-08-11 12:00 UTC"):
        refuse_early(one, UNTIL - SECOND)
    refuse_early(one, UNTIL)


@given(SOME | SMALL, SOME | SMALL, st.timedeltas(min_value=14 * DAY - MINUTE, max_value=14 * DAY + MINUTE))
def test_no_quarantine_is_shorter_than_by_the_true_clock(
    first: timedelta, second: timedelta, passed: timedelta
) -> None:
    """A step ends, and the next begins, only while the clocks agree; then the cautious ones are taken."""
    ended, begins = Clocks(NOON + first, NOON), Clocks(NOON + passed + second, NOON + passed)
    done = Done(
        Step.QUARANTINE, ended.own, "op",
        {"until": (ended.latest + 14 * DAY).isoformat(), ENDED_CLOCKS: ended.json()}, ended.own,
    )  # fmt: skip
    try:
        refuse_apart(ended)
        refuse_apart(begins)
        refuse_early(retirement(done), begins.earliest)
    except GuardError:
        return
    assert passed >= 14 * DAY


def test_what_is_too_late_by_the_latest_clock_is_too_late() -> None:
    refuse_early(retirement(), NOON + LIFETIME - SECOND, latest=NOON + LIFETIME - SECOND)
    with pytest.raises(StaleError, match="approvals have expired"):
        refuse_early(retirement(), NOON + LIFETIME - SECOND, latest=NOON + LIFETIME)


def test_the_ceiling_counts_by_the_latest_of_the_clocks() -> None:
    facts = {BEGUN_CLOCKS: clocks(-5 * SECOND).json()}
    one = retirement(Done(Step.DESTROY, NOON - 5 * SECOND, "op", facts, NOON))
    assert destroyed_lately(History(retirements=(one,)), NOON + 30 * DAY - SECOND) == ("zephyr",)
    assert destroyed_lately(History(retirements=(one,)), NOON + 30 * DAY) == ()
