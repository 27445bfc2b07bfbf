"""Arming: production needs it, by its own name; the name of another environment arms nothing."""

from __future__ import annotations

import pytest

from console.screens.confirm import ConfirmScreen
from sync.errors import GuardError
from tests.screens.driving import console, said, screen_text, settle
from tests.screens.world import Facts, FakeSession

PRODUCTION = Facts(name="production", title="PRODUCTION")
QUALIFICATION = Facts(name="qualification", title="QUALIFICATION")


@pytest.mark.parametrize(("facts", "other"), [(PRODUCTION, QUALIFICATION), (QUALIFICATION, PRODUCTION)])
async def test_the_word_is_the_environments_own(facts: Facts, other: Facts) -> None:
    session = FakeSession(facts=facts)
    app = console(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        assert not session.is_armed
        assert "READ-ONLY" in screen_text(app)
        await pilot.press("A", "shift+tab", *other.name, "enter")
        await settle(pilot)
        assert not session.is_armed
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("escape", "A", "shift+tab", *facts.name, "enter")
        await settle(pilot)
        assert session.is_armed


async def test_a_server_that_is_not_the_pinned_one_leaves_the_console_read_only() -> None:
    class Stranger(FakeSession):
        def arm(self) -> None:
            raise GuardError("production was pinned to another server.", next_step="Correct it.")

    app = console(Stranger(facts=PRODUCTION))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("A", "shift+tab", *"production", "enter")
        await settle(pilot)
        assert "pinned to another server" in said(app)
        assert not app.console_mode.armed
        assert "READ-ONLY" in screen_text(app)
