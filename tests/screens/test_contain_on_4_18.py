"""Contain on a server of release 4.18, which ignores delete protection with a 200: no shield is claimed, and
the caller is fenced by what listApis offers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from console.app import ConsoleApp
from console.screens.confirm import ConfirmScreen
from console.screens.contain import ContainScreen
from console.session import Session
from sync.cloudstack import Capabilities
from sync.contain import Method
from sync.model import ActualInventory
from sync.settings import load
from sync.shield import why_no_shield
from tests.containment import Incident, start_sandbox
from tests.retirements import clock_of
from tests.screens.containments import (
    DELETIONS,
    SURE,
    ContainSession,
    contain_console,
    look,
    open_contain,
    rest,
)
from tests.screens.driving import screen_text
from tests.screens.runs import until


@pytest.fixture
def incident(tmp_path: Path) -> Iterator[Incident]:
    """Three deletions submitted: one runs, two wait."""
    with start_sandbox(tmp_path, release="4.18", scale=1.0, domains=6) as sandbox:
        made = Incident(sandbox, tmp_path)
        for name in ("p01", "p02", "p03"):
            made.sync.call("deleteDomain", id=made.domains()[name], cleanup="true")
        made.pass_time(1)
        yield made


def console_on(incident: Incident) -> ConsoleApp:
    clock = clock_of(incident.sandbox)
    session = Session(load(incident.abreast.config).environment("lab"), operator="op@here", clock=clock)
    session.arm()
    return ConsoleApp(session, clock=clock)


def words_of(app: ConsoleApp) -> str:
    return " ".join(screen_text(app).replace("▌", " ").replace("│", " ").split())


async def test_no_shield_is_claimed_and_the_caller_is_fenced_by_what_is_offered(incident: Incident) -> None:
    app = console_on(incident)
    try:
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            await until(pilot, lambda: app.drift is not None)
            await pilot.press("exclamation_mark")
            await until(pilot, lambda: isinstance(app.screen, ContainScreen))
            await until(pilot, lambda: app.containing is not None and app.containing.look is not None)
            await pilot.pause()
            words = words_of(app)
            assert "does not know deleteprotection" in words
            assert "possible: ci-sync/ci-sync by lockUser" in words
            assert "possible in" not in words.partition("shield")[2].partition("the running deletion")[0]
            await pilot.press("home", "down", "down", "down")
            await pilot.pause()
            assert "Nothing is sent and nothing is claimed." in words_of(app)
            assert "can have one" not in words_of(app)
            await pilot.press("s")
            await pilot.pause()
            assert isinstance(app.screen, ContainScreen), (
                "no question is asked for what would be worth nothing"
            )
            await pilot.press("f")
            await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
            assert "lockUser" in words_of(app)
            await pilot.press(*"lab", "enter")
            await until(pilot, lambda: app.containing is not None and bool(app.containing.steps))
            await until(pilot, lambda: not app.rungs.is_looking)
    finally:
        app.session.close()
    sent = [entry["command"] for entry in incident.control.log() if entry["client"].startswith("abreast/")]
    changing = [command for command in sent if not command.startswith(("list", "get", "query"))]
    assert changing == ["lockUser"]
    (user,) = incident.admin.call("listUsers", listall="true", username="ci-sync")["user"]
    assert user["state"] == "locked"
    incident.pass_time(600, step=2)
    assert incident.lost() == ["p01", "p02", "p03"], "what was submitted runs on; nothing else was"


# --- the picture --------------------------------------------------------------------------------------------

RELEASE = "4.18.2.1"
OFFERED = Capabilities(
    "https://cloud.example.org/client/api",
    release=RELEASE,
    apis={"updateVirtualMachine": frozenset({"id", "displayname"}), "lockUser": frozenset({"id"})},
)


class OldSession(ContainSession):
    """On a server of release 4.18."""

    def read_actual(self, **named: Any) -> ActualInventory:
        return replace(super().read_actual(**named), release="4.18")


def test_contain_on_4_18(snap_compare: Callable[..., bool]) -> None:
    """The shield is not claimed and says why, whole below the list; the caller is fenced by lockUser."""
    session = OldSession(armed=True)
    caller = replace(SURE, methods=(Method.LOCK, Method.DISABLE))
    made = look(*DELETIONS[:3], callers=(caller,), shield_why_not=why_no_shield(OFFERED))
    session.fake.now = replace(made, release=RELEASE)

    async def shield(pilot: Pilot[Any]) -> None:
        await open_contain(pilot)
        await pilot.press("home", "down", "down", "down")
        await rest(pilot)

    assert snap_compare(contain_console(session), terminal_size=(120, 40), run_before=shield)
