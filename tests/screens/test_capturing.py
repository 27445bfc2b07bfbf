"""Captures by themselves: one for each complete pair of readings, never in the way, failures in sight."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from console.capturing import Captures
from sync.capture import Capture
from sync.capture_rules import CaptureRules
from sync.capture_store import CaptureStore
from sync.errors import CaptureError
from sync.model import Coverage, CoverageState, DriftKind
from sync.radius import NO_CAPTURE, Affected, Effect, ObjectKind, Owner, Radius
from tests import examples as ex
from tests.screens.driving import console, read_again, screen_text, settle
from tests.screens.runs import until
from tests.screens.world import FakeSession
from tests.test_capture import lab

PARTIAL = Coverage(CoverageState.PARTIAL, why="3 of 5 rows")


def capturing(tmp_path: Path, session: FakeSession, rules: CaptureRules | None = None) -> Captures:
    environment: Any = SimpleNamespace(
        name="lab", capture=rules or CaptureRules(), captures=tmp_path / "captures.sqlite", network=None
    )
    session.captures = Captures(environment, clock=session.clock)
    return session.captures


async def test_every_complete_refresh_is_captured_and_no_other(tmp_path: Path) -> None:
    session = FakeSession()
    captures = capturing(tmp_path, session)
    app = console(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(pilot)
        await until(pilot, lambda: app.last_capture is not None)
        session.actual_coverage = PARTIAL
        await read_again(pilot)
        session.actual_coverage = ex.COMPLETE
        await read_again(pilot)
        await until(pilot, lambda: len(captures.history.entries()) == 2)
        taken = [entry.taken_at for entry in captures.history.entries()]
        assert taken[1] - taken[0] >= timedelta(seconds=100), "the partial one in between is not there"
        assert captures.history.verify() == ()
        assert app.capture_problem == ""


async def test_a_capture_that_takes_long_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = FakeSession()
    captures = capturing(tmp_path, session)
    gate, begun = threading.Event(), []
    add = CaptureStore.add

    def slow(self: CaptureStore, capture: Capture, **named: Any) -> Any:
        begun.append(capture)
        gate.wait(20)
        return add(self, capture, **named)

    monkeypatch.setattr(CaptureStore, "add", slow)
    app = console(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: len(begun) == 1)
        before = app.drift
        session.clock.advance(75)
        app.refresher.tick()
        await until(pilot, lambda: app.drift is not before)
        assert len(begun) == 1, "readings go on, and no second capture waits behind the first"
        gate.set()
        await until(pilot, lambda: app.last_capture is not None)
        await read_again(pilot)
        await until(pilot, lambda: len(captures.history.entries()) == 2)


async def test_a_failing_capture_stays_in_sight_until_one_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = FakeSession()
    capturing(tmp_path, session)
    add = CaptureStore.add

    def full(self: CaptureStore, *_: Any, **__: Any) -> None:
        raise CaptureError("The captures cannot be written: [disk] full.", next_step="Make room.")

    monkeypatch.setattr(CaptureStore, "add", full)
    app = console(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await until(pilot, lambda: app.capture_problem != "")
        assert "The captures cannot be written: [disk] full. Make room." in screen_text(app)
        app.clear_notifications()
        await read_again(pilot)
        assert "[disk] full" in screen_text(app), "the header still says so"
        monkeypatch.setattr(CaptureStore, "add", add)
        await read_again(pilot)
        await until(pilot, lambda: app.capture_problem == "")
        assert "[disk] full" not in screen_text(app)


def test_an_interval_is_kept_and_switching_off_is_obeyed(tmp_path: Path) -> None:
    session = FakeSession()
    captures = capturing(tmp_path, session, CaptureRules(interval_seconds=60))
    for seconds in (0, 30, 59, 60, 90):
        capture = lab("dune", at=ex.NOON + timedelta(seconds=seconds))
        captures.offer(capture.desired, capture.actual)
    assert [entry.taken_at for entry in captures.history.entries()] == [
        ex.NOON,
        ex.NOON + timedelta(seconds=60),
    ]
    off = capturing(tmp_path / "off", session, CaptureRules(is_on=False))
    capture = lab("dune")
    assert off.offer(capture.desired, capture.actual) is None
    assert off.baseline() == {}
    assert off.last_captured(["x"]) == {}
    assert not (tmp_path / "off").exists()


def test_what_a_capture_knew_makes_an_emptied_domain_hollow(tmp_path: Path) -> None:
    session = FakeSession()
    session.clock.now = ex.NOON
    captures = capturing(tmp_path, session)
    full, empty = lab("dune", vms=2), lab("dune", vms=0, at=ex.NOON + timedelta(minutes=2))
    captures.offer(full.desired, full.actual)
    assert captures.baseline()[ex.domain("dune").id].vms == 2
    captures.offer(empty.desired, empty.actual)
    session.clock.advance(120)
    from sync.drift import compare

    (row,) = compare(empty.desired, empty.actual, before=captures.baseline()).rows
    assert row.kind is DriftKind.HOLLOW, "also when captures went on since"
    session.clock.advance(25 * 3600)
    (row,) = compare(empty.desired, empty.actual, before=captures.baseline()).rows
    assert row.kind is not DriftKind.HOLLOW, "after a day it is what is usual there"


def test_after_closing_nothing_is_written_any_more(tmp_path: Path) -> None:
    captures = capturing(tmp_path / "gone", FakeSession())
    captures.close()
    capture = lab("dune")
    assert captures.offer(capture.desired, capture.actual) is None
    assert not (tmp_path / "gone").exists(), "the folder of a drill that ended is not made anew"


def test_a_radius_says_what_captures_know(tmp_path: Path) -> None:
    captures = capturing(tmp_path, FakeSession())
    capture = lab("dune")
    owner = Owner("ROOT/ci/dune", "dune")
    user = capture.actual.accounts[0].users[0]
    kinds = (ObjectKind.VM, ObjectKind.USER, ObjectKind.VM)
    rows = tuple(
        Affected(kind, Effect.DESTROYED, id, "x", "ROOT/ci/dune", owner)
        for kind, id in zip(kinds, (capture.actual.vms[0].id, user.id, "new"), strict=True)
    )
    radius = Radius("x", "", rows)
    assert captures.described(radius) == radius, "nothing was captured yet"
    captures.offer(capture.desired, capture.actual)
    told = [row.elsewhere for row in captures.described(radius).objects]
    assert told == ["described by the capture of 2017-07-28 12:00 UTC"] * 2 + [NO_CAPTURE]
    captures.close()
    (tmp_path / "captures.sqlite").write_bytes(b"no database any more, and too short to be taken for one")
    assert "what captures know is not told" in captures.described(radius).notes[0]


def test_a_damaged_store_is_said_and_concluded_from_never(tmp_path: Path) -> None:
    session = FakeSession()
    captures = capturing(tmp_path, session)
    (tmp_path / "captures.sqlite").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    (tmp_path / "captures.sqlite").chmod(0o600)
    assert captures.baseline() == {}
    assert "damaged" in captures.baseline_problem or "cannot be" in captures.baseline_problem
    capture = lab("dune")
    with pytest.raises(CaptureError):
        captures.offer(capture.desired, capture.actual)
    assert captures.problem
