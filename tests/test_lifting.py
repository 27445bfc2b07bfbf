"""Lifting a fence while stored ids are gone takes two people, whoever asks for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from sync.containment import Containment
from sync.errors import GuardError
from sync.lifting import refuse_alone

WHY = "The CI database stores domain ids that CloudStack does not have any more: aurora."
OPERATOR = "jmartin@console-1"


@pytest.mark.parametrize(
    "second", ["jmartin@console-1", "jmartin", "JMartin@console-1", " jmartin ", "JMARTIN@elsewhere.example"]
)
def test_oneself_is_no_second_person(second: str) -> None:
    with pytest.raises(GuardError, match="must be somebody else's"):
        refuse_alone(WHY, OPERATOR, second)


@pytest.mark.parametrize("second", ["", "  "])
def test_nobody_is_no_second_person(second: str) -> None:
    with pytest.raises(GuardError, match="The fence stays: The CI database"):
        refuse_alone(WHY, OPERATOR, second)


def test_somebody_else_may_agree_and_nobody_has_to_where_every_id_is_alive() -> None:
    refuse_alone(WHY, OPERATOR, "bea")
    refuse_alone("", OPERATOR, "")
    refuse_alone("", OPERATOR, "jmartin")


def test_a_disarmed_containment_hands_out_no_client_even_where_one_was_made_meanwhile() -> None:
    write = SimpleNamespace(endpoint="https://c.example.org/client/api")
    containment = Containment(
        cast("Any", SimpleNamespace(name="lab", cloudstack=SimpleNamespace(write=write))),
        reader=cast("Any", None),
        operator=OPERATOR,
    )
    containment._fence = cast("Any", object())
    assert containment.fence is containment._fence
    containment.disarm()
    containment._fence = cast("Any", object())
    with pytest.raises(GuardError, match="read-only"):
        _ = containment.fence
    containment.arm()
    assert containment.fence is containment._fence


def test_this_machines_own_journal_is_opened_once_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[str] = []

    def journal(name: str, **named: object) -> SimpleNamespace:
        return SimpleNamespace(
            close=lambda: closed.append(name), standing=lambda _: [], note="", has_all=False, **named
        )

    opened: list[object] = []

    def earlier(*_: object, **__: object) -> SimpleNamespace:
        opened.append(object())
        return journal("own")

    monkeypatch.setattr("sync.containment.earlier_local", earlier)
    containment = Containment(
        cast("Any", SimpleNamespace(name="lab", journal_path=None)), reader=cast("Any", None), operator="x"
    )
    containment._journal = cast("Any", journal("team"))
    for _ in range(3):
        assert len(containment._journals()) == 2
    containment.close()
    assert (len(opened), closed) == (1, ["team", "own"])


def test_containment_asks_for_both_whatever_front_end_calls_it() -> None:
    containment = object.__new__(Containment)
    containment._operator = OPERATOR
    containment._journal = SimpleNamespace(has_all=True, standing=lambda _kind: [])  # type: ignore[assignment]
    containment._fence = SimpleNamespace()  # type: ignore[assignment]
    for second, words in (("jmartin", "somebody else's"), ("", "The fence stays")):
        with pytest.raises(GuardError, match=words):
            containment.lift_fences(lambda _: True, reason="over", why_keep=WHY, second=second)
    with pytest.raises(GuardError, match="needs a reason"):
        containment.lift_fences(lambda _: True, reason=" ", why_keep="")
