"""Makes the README's pictures from the drill: `python -m screenshots.make`.

Plays the drill's incident in a sandbox of its own, drives the console through it, and writes one PNG for each
screen and theme. Needs `rsvg-convert` (Debian: librsvg2-bin) and a monospaced font (fonts-firacode).
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from console.app import ConsoleApp
from console.session import Session
from sync.drill import practice
from sync.model import DriftKind
from widgets.confirm import TypedConfirm

HERE = Path(__file__).resolve().parent
SIZE = (120, 40)
THEMES = {"dark": "abreast-dark", "light": "abreast-light"}
PATIENCE_SECONDS = 60.0


async def until(pilot: Pilot[int], condition: Callable[[], bool], what: str) -> None:
    """Let the app work until the condition holds. Raises TimeoutError naming what did not come."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PATIENCE_SECONDS
    while not condition():
        if loop.time() > deadline:
            raise TimeoutError(f"waited in vain for {what}")
        await pilot.pause(0.1)


def save(app: ConsoleApp, name: str) -> None:
    """The screen as it is now, as PNG, without the place where it was made."""
    # Without it rsvg-convert drops the spaces at the start of a text, and columns shift.
    svg = app.export_screenshot(title="abreast").replace("<text ", '<text xml:space="preserve" ')
    path = HERE / f"{name}.png"
    subprocess.run(
        ["rsvg-convert", "--width", "1240", "--output", str(path), "/dev/stdin"],
        input=svg.encode(),
        check=True,
    )
    print(path.name)  # noqa: T201 - a script


async def in_both_themes(app: ConsoleApp, pilot: Pilot[int], name: str) -> None:
    for suffix, theme in THEMES.items():
        app.theme = theme
        await pilot.pause(0.3)
        save(app, f"{name}-{suffix}")
    app.theme = THEMES["dark"]
    await pilot.pause(0.2)


async def tour(app: ConsoleApp) -> None:
    """Overview, project, review, recovery in progress: as the README's five minutes go."""
    async with app.run_test(size=SIZE, notifications=False) as pilot:
        await until(pilot, lambda: bool(app.views), "the first comparison")
        await in_both_themes(app, pilot, "overview")
        await pilot.press(*_down_to(app, DriftKind.DIFFERS), "enter")
        await pilot.pause(0.5)
        await in_both_themes(app, pilot, "project")
        await pilot.press("escape", "space", "s")
        await until(pilot, lambda: app.plan is not None, "the plan")
        await _arm(app, pilot)
        await pilot.press("enter", "tab", "enter")
        await pilot.pause(0.3)
        await in_both_themes(app, pilot, "review")
        await pilot.press("escape", "R")
        await pilot.pause(1.0)
        await _rebuild(app, pilot)


def _down_to(app: ConsoleApp, kind: DriftKind) -> list[str]:
    """The keys that move the cursor to the first row of a kind."""
    shown = [view for view in app.views if view.kind is not DriftKind.IN_SYNC]
    return ["down"] * next(index for index, view in enumerate(shown) if view.kind is kind)


async def _arm(app: ConsoleApp, pilot: Pilot[int]) -> None:
    await pilot.press("A")
    await pilot.pause(0.3)
    await pilot.press(*app.identity.name, "enter")
    await until(pilot, lambda: app.console_mode.armed, "the armed console")


async def _rebuild(app: ConsoleApp, pilot: Pilot[int]) -> None:
    """Confirm the rebuild of everything, and take the pictures when a good part of it is done."""
    await pilot.press("x")
    await until(pilot, lambda: any(one.expected for one in app.screen.query(TypedConfirm)), "the question")
    await pilot.press(*app.screen.query_one(TypedConfirm).expected, "enter")
    await until(pilot, lambda: app.run_state is not None and _share_done(app) > 0.3, "progress")
    await in_both_themes(app, pilot, "recovery")
    await until(pilot, lambda: not app.operations.is_going_on, "the end of the run")


def _share_done(app: ConsoleApp) -> float:
    run = app.run_state
    return len(run.results) / run.total if run is not None else 0.0


def main() -> int:
    with practice() as drill:
        session = Session(drill.environment, operator="operator@console")
        try:
            asyncio.run(tour(ConsoleApp(session)))
        finally:
            session.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
