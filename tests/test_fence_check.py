"""How a fenced caller stands: by what is read of each of its fences, and by what was accepted after them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from sync.fence_check import CLOCKS, NO_FENCES, NOWHERE, Fence, FenceCheck, Hold, checked, is_fenced
from tests.examples import NOON

KEYS = Fence("fence by apikeyaccess", "u-1", "ci-sync/ci-sync in ROOT", "updateUser", "a-1", NOON)
SOURCE = replace(KEYS, action="fence by source list", command="updateConfiguration")


def stands(found: dict[str, bool | str], *later: timedelta, fences: tuple[Fence, ...] = ()) -> FenceCheck:
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


def test_another_callers_deletions_say_nothing() -> None:
    later: datetime = NOON + timedelta(minutes=9)
    assert not checked([KEYS], lambda _: True, accepted={"u-2": [later]}).lost
