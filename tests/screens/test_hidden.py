"""What ignore rules hide: its number is always on screen, and a page has each with owner, reason and end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from textual.pilot import Pilot

from sync.ignore import parse
from sync.model import DriftKind
from tests.screens.driving import console, read_again, said, screen_text, settle
from tests.screens.world import HOSTILE, Facts, FakeSession

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
RULES = parse(
    [
        {
            "project": "zephyr",
            "kind": "unexpected",
            "owner": "storage team",
            "reason": "Test machines of the storage team, until they have a domain of their own.",
            "expires": date(2026, 8, 5),
        },
        {
            "project": "*",
            "kind": "differs",
            "field": "limit *",
            "owner": f"anna {HOSTILE}",
            "reason": "Limits were raised by hand for the summer school.",
            "expires": date(2026, 10, 1),
        },
    ]
).rules
PROBLEMS = (
    "The ignore rule 3 hides nothing: it has no owner and no reason.",
    "An ignore rule has expired and hides nothing any more: differs dune (network domain), by bob until "
    "2026-06-30: the old name stays until the move.",
)


def hiding() -> FakeSession:
    session = FakeSession()
    session.hidden = (
        RULES[0].hides("zephyr", "the domain", DriftKind.UNEXPECTED),
        RULES[1].hides("dune", "limit vm", DriftKind.DIFFERS),
        RULES[1].hides("fjord", "limit cpu", DriftKind.DIFFERS),
    )
    session.rule_problems = PROBLEMS
    return session


@SIZES
@pytest.mark.parametrize("start", ["overview", "watch"])
async def test_the_number_hidden_is_always_on_screen(start: str, size: tuple[int, int]) -> None:
    session = hiding()
    app = console(session, start=start)
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        for keys in ((), ("d",), ("slash", *"harbor", "enter")):
            await pilot.press(*keys)
            await pilot.pause()
            assert "3 hidden  2 rules hide nothing  i lists them" in screen_text(app)
        session.hidden, session.rule_problems = (), ()
        await read_again(pilot)
        await pilot.pause()
        assert "hidden" not in screen_text(app)


@pytest.mark.parametrize("start", ["overview", "watch"])
async def test_the_page_has_owner_reason_and_end_of_each_and_what_does_not_work(start: str) -> None:
    app = console(hiding(), start=start)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        await pilot.press("i")
        await pilot.pause()
        lines = [line.strip() for line in screen_text(app).splitlines()]
        assert PROBLEMS[0] in lines
        assert "3 differences hidden by 2 rules. Nothing is proposed for them." in lines
        assert "storage team  until 2026-08-05, 8 days left" in lines
        assert f"anna {HOSTILE}  until 2026-10-01" in lines
        assert "Test machines of the storage team, until they have a domain of their own." in lines
        assert any(line.split() == ["dune", "~", "differs", "limit", "vm"] for line in lines)
        await pilot.press("escape")
        await pilot.pause()
        assert getattr(app.screen, "SCOPE", "") == start


async def test_the_page_follows_and_says_when_nothing_is_hidden_any_more() -> None:
    session = hiding()
    app = console(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await pilot.press("i")
        await pilot.pause()
        session.hidden, session.rule_problems = (), ()
        await read_again(pilot)
        assert "Nothing is hidden: no ignore rule is in force." in screen_text(app)
        await pilot.press("escape", "i")
        await pilot.pause()
        assert getattr(app.screen, "SCOPE", "") == "overview", "there is nothing to list"
        assert said(app) == "No ignore rule hides anything here."


async def test_the_key_is_named_as_it_is_mapped() -> None:
    session = hiding()
    session.environment = Facts(keys={"hidden": "f9"})
    app = console(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "f9 lists them" in screen_text(app)


@SIZES
def test_picture_of_the_page(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    """Rules that hide nothing first, in red; then each rule with owner, end, reason, and what it hides."""

    async def look(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        await pilot.press("i")
        await pilot.pause()

    assert snap_compare(console(hiding()), terminal_size=size, run_before=look)


@SIZES
def test_picture_of_the_overview(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    """Beside the counts by kind: how much is hidden, and that two rules hide nothing."""
    assert snap_compare(console(hiding()), terminal_size=size, run_before=settle)
