"""How a fenced caller stands: by what is read of each of its fences, and by what was accepted after them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from console.cli.reading import verdict
from console.fences import Fences
from sync.containment_journal import ContainmentJournal
from sync.drift import compare, headline
from sync.errors import EXIT_CRITICAL, EXIT_DONE, LedgerError
from sync.fence_check import CLOCKS, NO_FENCES, NOWHERE, FenceCheck, Hold, StandingFence, checked, is_fenced
from sync.model import CoverageState, JsonObject, Outcome
from tests.examples import NOON, actual, desired

if TYPE_CHECKING:
    from sync.ledger import Ledger
    from tests.stores import Store

pytest_plugins = ["tests.stores"]

KEYS = StandingFence("fence by apikeyaccess", "u-1", "ci-sync/ci-sync in ROOT", "updateUser", "a-1", NOON)
SOURCE = replace(KEYS, action="fence by source list", command="updateConfiguration")


def stands(
    found: dict[str, bool | str], *later: timedelta, fences: tuple[StandingFence, ...] = ()
) -> FenceCheck:
    """What is read by action, with deletions accepted so long after the fence."""
    mine = fences or tuple(one for one in (KEYS, SOURCE) if one.action in found)
    return checked(mine, lambda one: found[one.action], accepted={"u-1": [NOON + one for one in later]})


@pytest.mark.parametrize(
    ("command", "state", "holds"),
    [
        ("updateUser", {"apikeyaccess": "DISABLED"}, True),
        ("updateUser", {"apikeyaccess": "INHERIT"}, False),
        ("updateUser", {"apikeyaccess": "ENABLED"}, False),
        ("updateUser", {"state": "locked"}, None),
        ("lockUser", {"state": "locked"}, True),
        ("lockUser", {"state": "disabled"}, True),
        ("disableUser", {"state": "enabled"}, False),
        ("lockUser", {}, None),
        ("updateConfiguration", {"source_list": NOWHERE}, True),
        ("updateConfiguration", {"source_list": "0.0.0.0/0"}, False),
        ("updateConfiguration", {}, None),
    ],
)
def test_each_way_is_told_by_what_it_changes(
    command: str, state: dict[str, object], holds: bool | None
) -> None:
    assert is_fenced(command, state) is holds


def test_a_caller_is_fenced_while_one_of_its_fences_holds() -> None:
    (one,) = stands({KEYS.action: False, SOURCE.action: True}).callers
    assert (one.hold, one.holding) == (Hold.HOLDS, ("updateConfiguration",))
    (one,) = stands({KEYS.action: False, SOURCE.action: False}).callers
    assert one.hold is Hold.GONE
    (one,) = stands({KEYS.action: False, SOURCE.action: "It could not be read."}).callers
    assert (one.hold, one.why) == (Hold.UNKNOWN, "It could not be read.")


def test_one_that_was_never_answered_and_does_not_hold_is_no_theft() -> None:
    fence = replace(KEYS, is_answered=False)
    (one,) = stands({KEYS.action: False}, fences=(fence,)).callers
    assert (one.hold, "never answered" in one.why) == (Hold.GONE, True)


@pytest.mark.parametrize("read", [True, "It could not be read."])
def test_a_deletion_accepted_after_it_is_an_alarm_whatever_is_read(read: bool | str) -> None:
    (one,) = stands({KEYS.action: read}, timedelta(minutes=2), timedelta(minutes=3)).callers
    assert (one.hold, one.is_lost) == (Hold.PASSED, True)
    assert "2 deletions of its were accepted after it, the last at 12:03:00 UTC" in one.why
    assert ("It could not be read." in one.why) == (read is not True)
    (gone,) = stands({KEYS.action: False}, timedelta(minutes=2)).callers
    assert (gone.hold, "1 deletion of its was accepted after it" in gone.why) == (Hold.GONE, True)


def test_clocks_that_differ_and_what_was_known_before_are_no_alarm() -> None:
    assert not stands({KEYS.action: True}, -timedelta(hours=1), CLOCKS).lost
    ahead = NOON + timedelta(minutes=5)
    fence = replace(KEYS, seen_to=ahead)
    assert not stands({KEYS.action: True}, timedelta(minutes=5), fences=(fence,)).lost
    assert stands({KEYS.action: True}, timedelta(minutes=6), fences=(fence,)).lost


def test_one_line_for_people() -> None:
    assert NO_FENCES.words == ""
    assert stands({KEYS.action: True}).words == "ci-sync/ci-sync fenced, read just now"
    assert stands({KEYS.action: False}).words.startswith("the fence on ci-sync/ci-sync is GONE: somebody")
    assert stands({KEYS.action: "No."}).words == (
        "whether the fence on ci-sync/ci-sync holds is not known: No."
    )
    assert FenceCheck(note="not known: why").words == "not known: why"


# --- in a comparison ----------------------------------------------------------------------------------------


def test_one_that_is_gone_is_critical_and_first_in_the_headline() -> None:
    calm = compare(desired(), actual())
    assert verdict(calm) == (EXIT_DONE, "in sync")
    lost = replace(calm, fences=stands({KEYS.action: False}))
    assert verdict(lost) == (EXIT_CRITICAL, "critical")
    head = headline(lost)
    assert head.text.startswith("The fence on ci-sync/ci-sync is GONE: somebody took it away")
    assert [str(key) for key in head.next_keys] == ["! fences anew"]
    for read in (True, "It could not be read."):
        known = replace(calm, fences=stands({KEYS.action: read}))
        assert verdict(known) == (EXIT_DONE, "in sync")
        assert headline(known) == headline(calm)


class Cloud:
    """What CloudStack shows of one user, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.access = "DISABLED"

    def user_access(self, _id: str, /) -> JsonObject:
        self.asked += 1
        return {"apikeyaccess": self.access}


def test_what_was_fenced_is_told_by_the_ledger_and_how_it_stands_by_cloudstack(store: Store) -> None:
    cloud, calm = Cloud(), compare(desired(), actual())
    with store.open() as ledger:
        fences = Fences(reader=lambda: cast("Any", cloud), ledger=lambda: ledger)
        assert fences.marked(calm) == calm, "nothing was read yet"
        fences.read()
        assert (fences.marked(calm), cloud.asked) == (calm, 0), "nobody was fenced: nothing is asked"
        journal = ContainmentJournal(ledger, is_local=False)
        intent = {"target": KEYS.target, "target_id": KEYS.target_id, "command": KEYS.command}
        journal.intent(KEYS.action, kind="fence", parameters={}, **intent)
        journal.outcome(KEYS.action, Outcome.SUCCEEDED)
        fences.read()
        assert [one.hold for one in fences.marked(calm).fences.callers] == [Hold.HOLDS]
        cloud.access = "INHERIT"
        fences.read()
        assert [one.hold for one in fences.marked(calm).fences.lost] == [Hold.GONE]
        foreign = replace(calm, actual=replace(calm.actual, state=CoverageState.FAILED, is_foreign=True))
        assert fences.marked(foreign) == foreign
        journal.intent("lift", kind="unfence", parameters={}, undoes=KEYS.action, **intent)
        journal.outcome("lift", Outcome.SUCCEEDED)
        fences.read()
        assert fences.marked(calm).fences == NO_FENCES


def test_a_ledger_that_cannot_be_read_leaves_the_fences_unknown() -> None:
    def broken() -> Ledger:
        raise LedgerError("The ledger does not answer.")

    fences = Fences(reader=lambda: cast("Any", Cloud()), ledger=broken)
    fences.read()
    drift = fences.marked(compare(desired(), actual()))
    assert drift.fences.words == "not known: The ledger does not answer."
    assert verdict(drift) == (EXIT_DONE, "in sync")


def test_another_callers_deletions_say_nothing() -> None:
    later: datetime = NOON + timedelta(minutes=9)
    assert not checked([KEYS], lambda _: True, accepted={"u-2": [later]}).lost
