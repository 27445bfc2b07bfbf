"""A replay: the console on a capture, visibly of then, with nothing in it that could change anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from console.app import ConsoleApp
from console.replaying import ReplaySession
from console.screens.history import HistoryScreen
from sync.capture import Capture
from sync.capture_file import read_file, write_file
from sync.capture_store import CaptureStore
from sync.errors import GuardError, LedgerError, UnreachableError
from sync.model import ActionKind, DriftKind
from tests import examples as ex
from tests.screens.driving import console, said, screen_text, settle
from tests.screens.runs import until
from tests.screens.world import Clock
from tests.test_capture import lab


def damaged() -> Capture:
    """Two projects of which one has no domain any more, with VMs in the other."""
    whole = lab("dune", "ember", vms=2)
    left = tuple(domain for domain in whole.actual.domains if domain.name == "dune")
    vms = tuple(vm for vm in whole.actual.vms if vm.domain_id == left[0].id)
    return replace(whole, actual=replace(whole.actual, domains=left, vms=vms))


def replaying(capture: Capture, *, later: timedelta = timedelta(days=3)) -> ConsoleApp:
    clock = Clock(capture.taken_at + later)
    return console(ReplaySession(capture, Path("lab.capture"), clock=clock))  # type: ignore[arg-type]


async def test_it_shows_what_was_and_says_so() -> None:
    app = replaying(damaged())
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        shown = screen_text(app)
        assert " REPLAY " in shown
        assert "LAB as of 2017-07-28" in shown
        assert "3 d old" in shown
        assert "1 of 2 projects has no domain." in shown
        assert app.drift is not None
        assert {row.key: row.kind for row in app.drift.rows}["ember"] is DriftKind.MISSING


async def test_it_offers_no_key_that_it_could_only_refuse_and_says_why_it_does_not() -> None:
    app = replaying(damaged())
    async with app.run_test(size=(160, 60), notifications=True) as pilot:
        await settle(pilot)
        assert " arm" not in screen_text(app).splitlines()[-1]
        app.open("recovery")
        await until(pilot, lambda: getattr(app.screen, "assessment", None) is not None)
        await settle(pilot)
        text = screen_text(app)
        footer = text.splitlines()[-1]
        offered = ("rehearse", "choose", "restore", "report", "arm", "rebuild", "stop", "contain")
        assert not [word for word in offered if f" {word}" in footer]
        assert "[x]" not in text and "[ ]" not in text, "nothing is chosen where nothing can be done"
        assert "This is a replay: what was is read here" in text
        assert "rehearses it" not in text and "opens it" not in text
        for key in ("A", "e", "space", "a", "m", "W", "x", "!", "S"):
            app.clear_notifications()
            await pilot.press(key)
            assert "This is a replay: what was cannot be changed" in said(app), key
        app.clear_notifications()
        await pilot.press("?")
        await pilot.pause()
        helped = app.screen.page(160)  # type: ignore[attr-defined]
        ids = {"".join(text for text, _ in line).rpartition(" ")[2] for line in helped}
        named = {
            "".join(text for text, _ in line).split()[-1] for line in helped if line and line[-1][0].strip()
        }
        assert "history" in ids | named
        assert not {"arm", "rehearse", "choose", "restore", "write-report", "contain"} & (ids | named)


async def test_its_rows_say_what_the_live_ones_said() -> None:
    """Whether a retirement keeps a user disabled is not asked where nothing can be enabled."""
    whole = lab("dune")
    accounts = tuple(
        replace(one, users=(*one.users[:1], *(replace(user, state="disabled") for user in one.users[1:])))
        for one in whole.actual.accounts
    )
    app = replaying(replace(whole, actual=replace(whole.actual, accounts=accounts)))
    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert app.drift is not None
        (row,) = app.drift.rows
        assert [action.kind for action in app.session.repairs(row)] == [ActionKind.ENABLE_USER]


async def test_nothing_in_it_can_change_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a client was made")

    monkeypatch.setattr("sync.cloudstack.client.Connection.__init__", never)
    app = replaying(damaged())
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("A")
        await pilot.pause()
        assert "what was cannot be changed" in said(app)
        assert app.console_mode.word == "REPLAY" and not app.console_mode.armed
        await pilot.press("H")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        await settle(pilot)
        assert "A replay has no ledger." in screen_text(app)
        await pilot.press("escape", "space", "s")
        await settle(pilot)
        assert app.plan is None


def test_every_way_to_a_server_is_refused() -> None:
    session = ReplaySession(damaged(), Path("lab.capture"))
    assert not session.can_arm
    with pytest.raises(GuardError, match="replay"):
        session.arm()
    with pytest.raises(GuardError):
        session.executor()
    for name in ("reader", "ci_database"):
        with pytest.raises(UnreachableError, match="replay"):
            getattr(session, name)
    with pytest.raises(UnreachableError):
        session.plan(())
    with pytest.raises(LedgerError):
        _ = session.ledger
    assert session.captures.is_on is False
    session.close()


def test_a_file_with_several_captures_is_replayed_at_a_moment(tmp_path: Path) -> None:
    with CaptureStore(tmp_path / "captures.sqlite") as store:
        store.add(lab("dune", "ember"))
        store.add(lab("dune", at=ex.NOON + timedelta(hours=1)))
    earlier = read_file(tmp_path / "captures.sqlite", at=ex.NOON + timedelta(minutes=30))
    assert set(earlier.desired.projects) == {"dune", "ember"}
    assert set(read_file(tmp_path / "captures.sqlite").desired.projects) == {"dune"}
    write_file(earlier, tmp_path / "one.capture")
    assert read_file(tmp_path / "one.capture") == earlier


async def test_the_captures_of_its_file_are_listed_and_none_is_called_now(tmp_path: Path) -> None:
    path = tmp_path / "captures.sqlite"
    with CaptureStore(path) as store:
        store.add(lab("dune", "ember"))
        store.add(lab("dune", at=ex.NOON + timedelta(hours=1)))
    app = console(ReplaySession(read_file(path), path, clock=Clock(ex.NOON + timedelta(days=1))))  # type: ignore[arg-type]
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        app.open("captures")
        await until(pilot, lambda: "2 captures" in screen_text(app))
        assert " now " not in screen_text(app)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_picture_of_a_replay(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    """The overview three days later: REPLAY in the header, both sides old."""

    async def look(pilot: Pilot[Any]) -> None:
        await settle(pilot)

    assert snap_compare(replaying(damaged()), terminal_size=size, run_before=look)
