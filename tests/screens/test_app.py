"""The App: modes, arming, quitting, the palette, faults in threads, superseded readings."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest

from console import commands, ledger_run, past_rebuild
from console.commands import COMMANDS, Mode
from console.messages import ActualRead, DriftCompared
from console.palette import CommandTable
from console.screens.confirm import ConfirmScreen
from console.state import RunPhase, RunState
from sync.errors import ConfigurationError, LedgerError
from sync.headline import headline
from sync.model import ActualInventory, CoverageState, Scope
from tests.screens.driving import console, read_again, said, screen_text, settle
from tests.screens.runs import until
from tests.screens.world import COMPLETE, NOW, Facts, FakeSession, drift_of, in_sync
from widgets.confirm import TypedConfirm


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.id)
def test_what_changes_something_exists_only_while_armed_and_never_on_the_wall(
    command: commands.Command,
) -> None:
    assert Mode(armed=True).allows(command)
    assert Mode().allows(command) is not command.dangerous
    assert Mode(armed=True, watching=True).allows(command) is command.watch
    assert not (command.dangerous and command.watch)


def test_ids_are_unique_and_keys_do_not_clash_within_a_scope() -> None:
    assert len({command.id for command in COMMANDS}) == len(COMMANDS)
    for scope in commands.SCOPES:
        keys = [
            key
            for one in COMMANDS
            if scope in one.scopes or "app" in one.scopes
            for key in one.keys.split(",")
        ]
        assert len(set(keys)) == len(keys), scope


async def test_arming_needs_the_name_and_cancel_has_the_focus() -> None:
    session = FakeSession()
    app = console(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("A")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        assert app.focused is not None and app.focused.id == "confirm-cancel"
        await pilot.press("enter")
        await pilot.pause()
        assert not session.is_armed
        await pilot.press("A", "shift+tab", *"dril", "enter")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen), "a wrong word confirms nothing"
        await pilot.press(*"drill", "enter")
        await settle(pilot)
        assert session.is_armed
        assert "ARMED" in screen_text(app)
        await pilot.press("A")
        await pilot.pause()
        assert not session.is_armed
        assert "READ-ONLY" in screen_text(app)


async def test_an_environment_without_write_credentials_says_so() -> None:
    app = console(FakeSession(can_arm=False))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("A")
        await pilot.pause()
        assert "names no section as `write`" in said(app)


def test_a_confirmation_without_a_word_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a word"):
        TypedConfirm("title", [], "")


@pytest.mark.parametrize(
    ("name", "told"),
    [("production", "the next start"), ("drill", "The drill ends")],
)
async def test_quitting_asks_while_something_runs(name: str, told: str) -> None:
    session = FakeSession(armed=True, facts=Facts(name=name))
    app = console(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        plan = session.plan(session.repairs(session.rows[5]))
        app.run_state = RunState(plan, RunPhase.RUNNING, NOW)
        await pilot.press("q")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        assert told in " ".join(screen_text(app).split())
        assert ("next start" in screen_text(app)) is (name == "production")
        await pilot.press("escape")
        await pilot.pause()
        assert app.is_running
        app.run_state = None
        await pilot.press("q")
        await pilot.pause()
    assert app.return_value == 0


async def test_the_palette_has_every_command() -> None:
    app = console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        provider = CommandTable(app.screen)
        hits = [hit async for hit in provider.discover()]
        assert len(hits) == len(COMMANDS)
        found = [hit async for hit in provider.search("stage every")]
        assert found[0].help == "Stage every repair of the row under the cursor, or take it out again."
        for name in ("retire", "recover", "contain", "history", "sources", "arm"):
            by_score = sorted([hit async for hit in provider.search(name)], key=lambda hit: -hit.score)
            assert str(by_score[0].text).split(" · ")[0] == name, "a command is found by its name"
        by_score = sorted([hit async for hit in provider.search("history")], key=lambda hit: -hit.score)
        texts = [str(hit.text) for hit in by_score]
        assert "not now" not in texts[0]
        assert any("not now: " in text for text in texts)
        review = commands.command("switch")
        assert review is not None
        await app.run_command(review)
        await pilot.pause()
        assert "works on Project" in said(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_help_lists_the_keys_of_the_screen_first(size: tuple[int, int]) -> None:
    app = console()
    async with app.run_test(size=size, notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        text = screen_text(app)
        assert "Overview" in text.splitlines()[2]
        assert "Stage every repair" in text
        await pilot.press("end")
        await pilot.pause()
        assert "= in sync" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.screen_stack[0]


async def test_the_sources_page_shows_the_proof() -> None:
    app = console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("e")
        await pilot.pause()
        text = screen_text(app)
        assert "listVirtualMachines" in text
        (proof,) = {" ".join(line.split()) for line in text.splitlines() if "listVirtualMachines" in line}
        assert proof == "listVirtualMachines 61 61 1 61", "rows, ids, pages, count"
        assert "ci-console/watcher" in text


async def test_a_superseded_reading_is_dropped() -> None:
    app = console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        current, views = app.actual, app.views
        app.post_message(ActualRead(1, ActualInventory(Scope(), NOW, COMPLETE)))
        late = drift_of((in_sync("late"),))
        app.post_message(DriftCompared(0, late, headline(late), (), ()))
        await pilot.pause()
        assert app.actual is current
        assert app.views is views


async def test_a_rebuild_that_cannot_be_recalled_is_no_answer_about_the_newest_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That question is still open: what waits for its answer is done when it comes."""
    gate, ask = threading.Event(), ledger_run.ask
    done: list[str] = []

    def slow(*arguments: Any) -> Any:
        gate.wait(60)
        return ask(*arguments)

    def broken(*_: Any, **__: Any) -> None:
        raise LedgerError("The ledger broke off.")

    app = console()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        monkeypatch.setattr(ledger_run, "ask", slow)
        monkeypatch.setattr(past_rebuild, "recall", broken)
        app.operations.ask_ledger(lambda: done.append("gone on"))
        app.operations.recall()
        await until(pilot, lambda: "The ledger broke off." in said(app))
        assert app.ledger_fault and not done
        gate.set()
        await until(pilot, lambda: bool(done))
        assert not app.ledger_fault


async def test_a_reading_that_hangs_is_overtaken_by_one_that_began_later() -> None:
    session = FakeSession()
    app = console(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        session.gate.clear()
        assert app.refresher.read_now()
        await pilot.pause()
        hanging = session.actual_readings
        session.rows = session.rows[:3]
        app.refresher.supersede()
        session.gate.set()
        await settle(pilot)
        assert session.actual_readings == hanging + 1
        assert len(app.views) == 3


async def test_a_fault_in_a_thread_has_a_place_and_never_its_text() -> None:
    session = FakeSession()
    app = console(session)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        session.fault = RuntimeError("password=hunter2")
        await read_again(pilot)
        text = screen_text(app)
        assert app.sources[1].coverage is CoverageState.FAILED
        assert "RuntimeError" in app.sources[1].why
        assert "hunter2" not in text
        assert "please report" in app.sources[1].why
        session.fault = ConfigurationError("The mapping has no query.", next_step="Write one.")
        await read_again(pilot)
        assert app.sources[1].why == "The mapping has no query. Write one."


def test_nothing_heavy_is_imported_before_the_first_frame() -> None:
    code = """
import asyncio, sys
from datetime import UTC, datetime
from types import SimpleNamespace
from console.__main__ import build_parser
from console.session import Session
from sync.settings import load
from console.app import ConsoleApp
environment = SimpleNamespace(name="drill", title="DRILL", theme=None, keys={})
session = SimpleNamespace(environment=environment, is_armed=False, can_arm=False, is_replay=False)
async def first_frame():
    app = ConsoleApp(session)
    async def begin():
        pass
    app._begin = begin
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        print(app.screen._compositor.render_strips()[0].text.split())
asyncio.run(first_frame())
heavy = {"sqlalchemy", "cs", "httpx", "aiohttp", "alembic", "requests", "sqlite3", "sync.model", "sync.plan"}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["['DRILL', 'READ-ONLY']", "[]"]


@pytest.mark.parametrize(
    ("hangs", "ask"),
    [
        ("session.read_actual = hang", "pass"),
        ("session.plan = hang", "pilot.app.operations.make_plan(())"),
        ("session.ledger.latest_run = hang", "pilot.app.operations.ask_ledger()"),
    ],
    ids=["a reading", "a plan", "the ledger"],
)
def test_what_hangs_and_changes_nothing_does_not_keep_the_shell_from_coming_back(
    hangs: str, ask: str
) -> None:
    code = f"""
import sys, time
from tests.screens.world import FakeSession
from console.app import ConsoleApp
begun = []
def hang(*_, **__):
    begun.append(1)
    time.sleep(600)
session = FakeSession()
{hangs}
async def quit(pilot):
    await pilot.pause()
    {ask}
    while not begun:
        await pilot.pause(0.05)
    await pilot.press("q")
print(ConsoleApp(session).run(headless=True, auto_pilot=quit), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stderr.strip() == "0"
