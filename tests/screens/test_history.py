"""History: the ledger newest first and by runs, filtered, in whole, and whether its chain is intact."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from textual.pilot import Pilot

from console.app import ConsoleApp
from console.screens.history import EntryScreen, HistoryScreen
from sync.errors import LedgerError, RefusedError
from sync.ledger import EntryKind, RunState
from sync.model import Outcome
from tests.fake_cloudstack import Fault
from tests.screens.driving import screen_text
from tests.screens.recoveries import (
    DamagedSession,
    console_on,
    open_recovery,
    rest,
    run_ends,
    start_rebuild,
)
from tests.screens.runs import until

Compare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])


def write_run(session: DamagedSession, run_id: str, *names: str) -> None:
    """A run of creations, as the executor would write it."""
    ledger = session.ledger
    plan = {"actions": [{"id": name, "kind": "create domain"} for name in names]}
    confirmed = {"by": "night@console", "digest": "d" * 64, "at": session.clock().isoformat()}
    started = {"plan": plan, "policy": "rebuild", "confirmed": confirmed}
    ledger.begin_run(run_id, started, digest="d" * 64, total=len(names))
    for name in names:
        action = f"create-domain ROOT/ci/{name}"
        session.clock.advance(1)
        ledger.append(
            EntryKind.INTENT, {"action": action, "command": "createDomain", "attempt": 1}, run_id=run_id
        )
        ledger.append(EntryKind.SUBMITTED, {"action": action, "job_id": None}, run_id=run_id)
        outcome = "failed" if name.startswith("bad") else "succeeded"
        detail = "No [/x] for you." if outcome == "failed" else ""
        ledger.append(
            EntryKind.OUTCOME, {"action": action, "outcome": outcome, "detail": detail}, run_id=run_id
        )
    counts = {Outcome.SUCCEEDED: len(names)}
    ledger.end_run(run_id, {"why": ""}, state=RunState.FINISHED, counts=counts)


async def open_history(pilot: Pilot[Any]) -> HistoryScreen:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await until(pilot, lambda: app.drift is not None)
    app.open("history")
    await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
    await rest(pilot)
    assert isinstance(app.screen, HistoryScreen)
    return app.screen


async def test_an_empty_ledger_says_so(tmp_path: Path) -> None:
    app = console_on(DamagedSession(tmp_path))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_history(pilot)
        assert "✓ chain intact, 0 entries" in screen_text(app)
        assert "Nothing yet." in screen_text(app)


async def test_runs_come_newest_first_with_their_entries_newest_first(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path)
    write_run(session, "run-1", "cirrus", "dorado")
    write_run(session, "run-2", "p[red]q", "bad")
    app = console_on(session)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await open_history(pilot)
        keys = list(screen.list.keys)
        assert keys[:3] == ["run run-2", "16", "15"]
        assert keys.index("run run-1") == 9
        assert keys[-1] == "1"
        shown = screen_text(app)
        assert "✓ chain intact, 16 entries (at 03:12:48)" in shown
        assert "run run-2 by night@console, 2 actions, finished" in shown
        assert "create-domain ROOT/ci/p[red]q" in shown
        assert "✗ failed" in shown and "No [/x] for you." in shown


async def test_a_containment_is_no_run_that_never_ended(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path)
    action = "fence sync/sync in ROOT by lockUser"
    sent = {"action": action, "kind": "fence", "command": "lockUser", "attempt": 1}
    session.ledger.append(EntryKind.INTENT, sent, run_id="contain-8d14")
    ended = {"action": action, "outcome": "succeeded", "detail": ""}
    session.ledger.append(EntryKind.OUTCOME, ended, run_id="contain-8d14")
    app = console_on(session)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await open_history(pilot)
        shown = screen_text(app)
        assert "containment contain-8d14 by night@console: 1 succeeded" in shown
        assert "not ended" not in shown


async def test_words_filter_and_escape_clears_them_first(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path)
    write_run(session, "run-1", "cirrus", "dorado")
    app = console_on(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        screen = await open_history(pilot)
        await pilot.press("slash", *"DORADO outc")
        await pilot.pause()
        assert list(screen.list.keys) == ["run run-1", "7"]
        await pilot.press("enter")
        await pilot.pause()
        assert "filter: “DORADO outc”, 1 entry" in screen_text(app)
        await pilot.press("slash", *"zzz", "enter")
        await pilot.pause()
        assert "No entry matches. esc clears the filter." in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert len(screen.list.keys) == 9
        assert isinstance(app.screen, HistoryScreen)
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, HistoryScreen)


async def test_an_entry_opens_in_whole_as_plain_text(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path)
    write_run(session, "run-1", "bad[/x]")
    app = console_on(session)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await open_history(pilot)
        screen.list.move_to("4")
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, EntryScreen)
        shown = screen_text(app)
        assert '"action": "create-domain ROOT/ci/bad[/x]"' in shown
        assert '"detail": "No [/x] for you."' in shown
        assert session.ledger.entries()[3].hash in shown
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is screen
        screen.list.move_to("run run-1")
        await pilot.press("enter")
        await pilot.pause()
        assert '"policy": "rebuild"' in screen_text(app), "a run opens with what it was started with"


async def test_a_changed_entry_breaks_the_chain_in_sight(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path)
    write_run(session, "run-1", "cirrus")
    app = console_on(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_history(pilot)
        assert "✓ chain intact" in screen_text(app)
        engine = create_engine(session.url)
        with engine.begin() as connection:
            connection.execute(text("UPDATE entries SET payload = '{}' WHERE seq = 2"))
        engine.dispose()
        await pilot.press("v")
        await rest(pilot)
        shown = screen_text(app)
        assert "✗ chain BROKEN, 5 entries. Entry 2 was changed, moved or inserted" in " ".join(shown.split())


async def test_it_follows_a_run_that_goes_on(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    session.hold_after = 3
    app = console_on(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, 23)
        await until(pilot, lambda: len(session.cloud.log) == 3)
        await pilot.press("H")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen) and bool(app.screen.list.keys))
        screen = app.screen
        assert isinstance(screen, HistoryScreen)
        before = len(screen.list.keys)
        session.hold_after = 6
        session.door.set()
        session.door.clear()
        await until(pilot, lambda: len(session.cloud.log) == 6)
        await until(pilot, lambda: len(screen.list.keys) > before)
        session.door.set()
        await run_ends(pilot)
        total = session.ledger.verify().entries
        assert len(screen.list.keys) == total + 2, "the pinning of the server stands outside of the run"
        assert "outside of any run" in [line.text for line in screen.list._lines]
        assert f"✓ chain intact, {total} entries" in screen_text(app)


async def test_a_ledger_that_cannot_be_read_keeps_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = DamagedSession(tmp_path)

    def broken(**_: Any) -> None:
        raise LedgerError("The ledger cannot be read: disk I/O error.", next_step="Check the disk.")

    monkeypatch.setattr(session.ledger, "entries", broken)
    monkeypatch.setattr(session.ledger, "verify", broken)
    app = console_on(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_history(pilot)
        assert "The ledger cannot be read: disk I/O error. Check the disk." in screen_text(app)
        assert "The ledger could not be read." in screen_text(app)


@SIZES
def test_picture_of_the_history(
    snap_compare: Compare,
    size: tuple[int, int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A finished run with one failure: its line, its entries newest first, and the chain's line above."""
    monkeypatch.setattr("sync.executor.secrets.token_hex", lambda size: "1a2b3c")
    session = DamagedSession(tmp_path, armed=True)
    session.cloud.faults = [
        Fault("createAccount", RefusedError("The management server said no."), about="ember", times=2)
    ]

    async def look(pilot: Pilot[Any]) -> None:
        await open_recovery(pilot)
        await start_rebuild(pilot, 23)
        await run_ends(pilot)
        await pilot.press("H")
        await until(pilot, lambda: isinstance(pilot.app.screen, HistoryScreen))
        await rest(pilot)
        pilot.app.clear_notifications()
        await pilot.press("down", "down")
        await pilot.pause()

    assert snap_compare(console_on(session), terminal_size=size, run_before=look)
