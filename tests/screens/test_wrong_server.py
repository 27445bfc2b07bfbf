"""Another server than the pinned one, or one that cannot be compared: in red on every screen, never armed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from console.app import ConsoleApp
from sync.errors import GuardError, LedgerError
from sync.model import Coverage, CoverageState
from tests.screens.driving import console, said, screen_text, settle
from tests.screens.world import COMPLETE, Facts, FakeSession

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
PRODUCTION = Facts(name="production", title="PRODUCTION ci.example.org")
WHY = (
    "production was pinned to https://cloudstack.example.org/client/api with ROOT domain "
    "c12f8f1e-8f5e-11ee-a506-1e00d90000aa (2026-03-01, anna@console); this is "
    "https://cloudstack-qa.example.org/client/api with ROOT domain c12f8f1e-8f5e-11ee-a506-1e00d90000bb. "
    "Correct the configuration. If the server was replaced: "
    "`abreast ledger pin --environment production --reason …`."
)
FOREIGN = Coverage(CoverageState.PARTIAL, WHY, COMPLETE.lists, COMPLETE.caller, "1", is_foreign=True)
WHERE: dict[str, tuple[str, ...]] = {
    "overview": (),
    "project": ("enter",),
    "review": ("s",),
    "sources": ("e",),
    "recovery": ("R",),
    "history": ("H",),
    "help": ("question_mark",),
}


def stranger() -> FakeSession:
    session = FakeSession(facts=PRODUCTION)
    session.actual_coverage = FOREIGN
    return session


@SIZES
@pytest.mark.parametrize("screen", [*WHERE, "watch"])
async def test_every_screen_shows_what_was_pinned_and_what_is_seen(
    screen: str, size: tuple[int, int]
) -> None:
    app = console(stranger(), start="watch" if screen == "watch" else "overview")
    async with app.run_test(size=size) as pilot:
        await settle(pilot)
        await pilot.press(*WHERE.get(screen, ()))
        await pilot.pause()
        assert getattr(app.screen, "SCOPE", "") in (screen, "help")
        text = " ".join(screen_text(app).replace("▌", " ").split())
        for words in (
            "WRONG SERVER, nothing can be armed or run",
            "pinned to https://cloudstack.example.org/client/api with ROOT domain",
            "c12f8f1e-8f5e-11ee-a506-1e00d90000aa",
            "this is https://cloudstack-qa.example.org/client/api with ROOT domain",
            "c12f8f1e-8f5e-11ee-a506-1e00d90000bb",
        ):
            assert words in text


@pytest.mark.parametrize("start", ["overview", "watch"])
async def test_on_a_very_low_screen_it_takes_one_line_and_leaves_a_row(start: str) -> None:
    app = console(stranger(), start=start)
    async with app.run_test(size=(40, 10)) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert text.count("WRONG SERVER") == 1
        assert "aurora" in text


@pytest.mark.parametrize(
    "error",
    [
        GuardError("production was pinned to another server.", next_step="Correct the configuration."),
        LedgerError("The ledger cannot be read.", next_step="Nothing is sent without it."),
    ],
)
async def test_it_is_not_armed_and_reading_goes_on(error: Exception) -> None:
    session = FakeSession(facts=PRODUCTION)

    def refuse() -> None:
        raise error

    session.arm = refuse  # type: ignore[method-assign]
    app = console(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("A", "shift+tab", *"production", "enter")
        await settle(pilot)
        assert not app.console_mode.armed
        assert str(error) in said(app)
        before = session.actual_readings
        await pilot.press("r")
        await settle(pilot)
        assert session.actual_readings > before


async def test_arming_is_refused_before_a_word_is_asked_for() -> None:
    app = console(stranger())
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        before = app.screen
        await pilot.press("A")
        await pilot.pause()
        assert app.screen is before
        assert "Not armed: production was pinned to" in said(app)
        assert not app.session.is_armed


async def test_a_server_that_could_not_be_compared_is_named_until_it_can_be() -> None:
    session = FakeSession(facts=PRODUCTION)
    session.actual_coverage = replace(COMPLETE, unrecognised="The ledger cannot be read: disk I/O error.")
    app = console(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert "Nothing can be armed: not compared with the pinned server. The ledger" in screen_text(app)
        session.actual_coverage = COMPLETE
        await pilot.press("r")
        await settle(pilot)
        assert "Nothing can be armed" not in screen_text(app)


@SIZES
def test_picture(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    """Below the sources a red block has both addresses and both ids; nothing is concluded."""

    async def ready(pilot: Pilot[Any]) -> None:
        await settle(pilot)
        assert isinstance(pilot.app, ConsoleApp)
        pilot.app.clear_notifications()
        await pilot.pause()

    assert snap_compare(console(stranger()), terminal_size=size, run_before=ready)
