"""Driving the console in tests: start it on a world, wait for what runs, read what is on the screen."""

from __future__ import annotations

from typing import Any

from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from console.app import ConsoleApp
from tests.screens.world import Clock, FakeSession


def console(session: FakeSession | None = None, **named: Any) -> ConsoleApp:
    """A console on this session, with its clock."""
    session = session or FakeSession()
    return ConsoleApp(session, clock=session.clock, **named)


def clock_of(app: ConsoleApp) -> Clock:
    """The clock that the console and its session share."""
    clock = app.utc_clock
    assert isinstance(clock, Clock)
    return clock


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until the readings are in, compared and shown, and nothing runs any more."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    for _ in range(50):
        await pilot.pause()
        if app.drift is not None and not list(app.workers):
            await pilot.pause()
            return
        await app.workers.wait_for_complete()
    raise AssertionError("the console does not come to rest")


async def read_again(pilot: Pilot[Any], *, seconds: float = 75) -> None:
    """Let time pass until both sides are due, and wait for what comes of it."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    clock_of(app).advance(seconds)
    app.refresher.tick()
    await settle(pilot)
    app.now = app.utc_clock()
    await pilot.pause()


async def read_desired_first(pilot: Pilot[Any], session: FakeSession) -> None:
    """As `read_again`, with the CI database read and compared before CloudStack answers: which is first shows
    in how old the last comparison of both is."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    clock_of(app).advance(75)
    session.gate.clear()
    app.refresher.tick()
    while app.drift is None or app.drift.desired_taken_at != app.utc_clock():
        await pilot.pause(0.01)
    session.gate.set()
    await settle(pilot)
    app.now = app.utc_clock()
    await pilot.pause()


def screen_text(app: ConsoleApp) -> str:
    """What stands on the screen, line by line."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def said(app: ConsoleApp) -> str:
    """The notifications that stand on the screen, unwrapped, and those that wait for an answer."""
    shown = (notification.message for notification in app._notifications)
    return "\n".join((*shown, *(text for text, _ in app._waiting)))


async def burst(pilot: Pilot[Any], *keys: str) -> None:
    """Type all of this at once, as a slow line delivers it: no key waits for what came of another."""
    app = pilot.app
    for key in keys:
        character = key if len(key) == 1 else {"enter": "\r", "space": " "}.get(key)
        app.post_message(events.Key(_character_to_key(key) if len(key) == 1 else key, character))
    await pilot.pause()
    await pilot.pause()
