"""How old a row is: its oldest part decides; what is too old is not staged, and says which part it is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from console.app import ConsoleApp
from console.freshness import age_words, freshness, why_stale
from sync.model import Drift
from tests.screens.driving import clock_of, console, said, screen_text, settle
from tests.screens.world import NOW, FakeSession, Rates, drift_of, dune
from widgets.drift_table import DriftTable

SECONDS, MINUTES = timedelta(seconds=1), timedelta(minutes=1)


def read_at(**ago: timedelta) -> Drift:
    """A comparison whose parts were read so long ago."""
    times = {"users_taken_at": NOW} | {f"{name}_taken_at": NOW - age for name, age in ago.items()}
    return replace(drift_of(), **times)  # type: ignore[arg-type]


def test_only_the_parts_that_a_row_has_count() -> None:
    drift = read_at()
    rows = {row.key: set(freshness(row, drift, Rates()).times) for row in drift.rows}
    assert rows["dune"] == {"CI database", "CloudStack", "users", "limits"}
    assert rows["boreal"] == {"CI database", "CloudStack", "limits"}, "it has no account, so no users"
    assert rows["cirrus"] == {"CI database", "CloudStack"}, "what is missing has nothing in CloudStack"
    assert rows["zephyr"] == {"CloudStack", "users"}, "the CI database does not know it"


def test_the_oldest_part_decides() -> None:
    young = freshness(dune(), read_at(), Rates())
    assert age_words(young, NOW) == ("", "")
    mixed = freshness(dune(), read_at(limits=95 * SECONDS, desired=30 * SECONDS), Rates())
    assert age_words(mixed, NOW) == ("limits 95 s old", "tone--muted")
    assert why_stale(mixed, NOW) == ""


@pytest.mark.parametrize(
    ("part", "name"),
    [("desired", "CI database"), ("actual", "CloudStack"), ("users", "users"), ("limits", "limits")],
)
def test_each_part_can_be_too_old(part: str, name: str) -> None:
    found = freshness(dune(), read_at(**{part: 12 * MINUTES}), Rates())
    assert why_stale(found, NOW) == (
        f"what is shown is old ({name} 12 min), so nothing of it is staged. Read both sides now first."
    )
    assert age_words(found, NOW) == (f"{name} 12 min old", "tone--warning")


def test_what_is_read_seldom_may_be_older() -> None:
    rates = Rates(limits_every=60)
    assert why_stale(freshness(dune(), read_at(limits=25 * MINUTES), rates), NOW) == ""
    assert why_stale(freshness(dune(), read_at(limits=31 * MINUTES), rates), NOW)


class Seldom(FakeSession):
    """Reads limits once only, and never anew."""

    def read_actual(self, **named: Any) -> Any:
        found = super().read_actual(**named)
        return replace(found, limits_taken_at=NOW)


async def on(app: ConsoleApp, pilot: Any, key: str) -> None:
    app.screen.query_one(DriftTable).move_to(key)
    await pilot.pause()


@pytest.mark.parametrize("where", ["overview", "project"])
async def test_a_row_that_is_too_old_is_not_staged_and_says_why(where: str) -> None:
    app = console(Seldom())
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        await on(app, pilot, "dune")
        clock_of(app).advance(20 * 60)
        app.refresher.tick()
        await settle(pilot)
        app.now = app.utc_clock()
        await pilot.pause()
        assert "limits 20 min old" in screen_text(app)
        if where == "project":
            await pilot.press("enter")
            await pilot.pause()
            assert "limits 20 min old" in screen_text(app)
        await pilot.press("space")
        await pilot.pause()
        assert app.staged == ()
        assert "dune: what is shown is old (limits 20 min), so nothing of it is staged." in said(app)


async def test_what_was_staged_in_time_can_be_taken_out_later() -> None:
    app = console(Seldom())
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        await on(app, pilot, "dune")
        await pilot.press("space")
        assert app.staged
        clock_of(app).advance(20 * 60)
        app.refresher.tick()
        await settle(pilot)
        await on(app, pilot, "dune")
        await pilot.press("space")
        await pilot.pause()
        assert app.staged == ()


async def test_a_row_without_limits_is_as_young_as_its_own_parts() -> None:
    app = console(Seldom())
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        clock_of(app).advance(20 * 60)
        app.refresher.tick()
        await settle(pilot)
        await on(app, pilot, "cirrus")
        await pilot.press("space")
        assert {action.project for action in app.staged} == {"cirrus"}
