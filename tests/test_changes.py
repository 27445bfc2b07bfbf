"""What changed between two captures: by row and object, and never from what was not seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.capture import Capture, captured
from sync.changes import Change, Turn, changes
from sync.model import Side
from tests import examples as ex
from tests import strategies
from tests.test_capture import lab


def shown(found: tuple[Change, ...]) -> list[tuple[str, str, str, str, str]]:
    return [(one.row, one.turn.value, one.what, one.name, one.field) for one in found]


def test_nothing_changed() -> None:
    assert changes(lab("dune", "ember"), lab("dune", "ember")) == ()


def test_a_project_that_went_with_all_in_it() -> None:
    assert shown(changes(lab("dune", "ember", vms=1), lab("dune", vms=1))) == [
        ("ember", "gone", "project", "ember", ""),
        ("ember", "gone", "VM", "ember-0", ""),
        ("ember", "gone", "account", "ember", ""),
        ("ember", "gone", "domain", "ember", ""),
    ]


def test_what_is_within_an_object_is_told_one_by_one() -> None:
    before = lab("Dune")
    domain = replace(ex.domain("Dune", limits={"vm": 9, "ip": 1}), network_domain="dune.example.org")
    project = ex.project("Dune", "anna", ex.member("carl"), quotas={"vm": 9})
    after = captured(
        "lab",
        ex.desired(project),
        ex.actual(
            domain,
            accounts=[ex.account(domain, ex.user("anna", "Dune", domain, state="disabled"), "carl")],
            vms=[ex.vm("Dune-0", domain, state="Stopped"), ex.vm("Dune-1", domain)],
        ),
    )
    found = changes(before, after)
    assert {one.row for one in found} == {"dune"}
    assert [(one.side, one.what, one.name, one.field, one.before, one.after) for one in found] == [
        (Side.DESIRED, "member", "bob", "", None, None),
        (Side.ACTUAL, "user", "bob", "", None, None),
        (Side.DESIRED, "member", "carl", "", None, None),
        (Side.ACTUAL, "user", "carl", "", None, None),
        (Side.DESIRED, "project", "Dune", "quotas vm", None, "9"),
        (Side.ACTUAL, "VM", "Dune-0", "state", "Running", "Stopped"),
        (Side.ACTUAL, "domain", "Dune", "limits ip", None, "1"),
        (Side.ACTUAL, "domain", "Dune", "limits vm", "5", "9"),
        (Side.ACTUAL, "domain", "Dune", "network_domain", None, "dune.example.org"),
        (Side.ACTUAL, "user", "anna", "state", "enabled", "disabled"),
    ]
    assert [one.turn for one in found[:4]] == [Turn.GONE, Turn.GONE, Turn.APPEARED, Turn.APPEARED]


def test_what_was_not_seen_is_not_gone() -> None:
    whole, part = lab("dune", "ember"), lab("dune", coverage=ex.partial())
    after = {one.turn for one in changes(whole, part) if one.side is Side.ACTUAL}
    before = {one.turn for one in changes(part, whole) if one.side is Side.ACTUAL}
    assert after == before == {Turn.NOT_SEEN}
    assert {one.turn for one in changes(whole, part) if one.side is Side.DESIRED} == {Turn.GONE}


def test_things_of_a_domain_that_is_not_listed_any_more_stay_in_its_row() -> None:
    gone = ex.domain("ember")
    before = lab("ember")
    after = captured("lab", ex.desired(), ex.actual(vms=[ex.vm("ember-0", gone)]))
    assert {one.row for one in changes(before, after)} == {"ember"}


@given(st.tuples(strategies.worlds(), strategies.worlds()))
@settings(max_examples=60, deadline=None)
def test_forth_and_back_tell_the_same_things(worlds: Any) -> None:
    one, other = (captured("lab", *world) for world in worlds)
    forth, back = changes(one, other), changes(other, one)
    mirrored = {Turn.GONE: Turn.APPEARED, Turn.APPEARED: Turn.GONE}
    turned = [
        replace(one, turn=mirrored.get(one.turn, one.turn), before=one.after, after=one.before)
        for one in back
    ]
    assert sorted(map(repr, turned)) == sorted(map(repr, forth))
    assert (forth == ()) == (_without_times(one) == _without_times(other))


def _without_times(capture: Capture) -> tuple[object, ...]:
    from sync.capture import parts_of

    return tuple(sorted(map(repr, parts_of(capture).items())))
