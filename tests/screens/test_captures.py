"""The captures on screen: a time line, either side at an instant, what changed between two or until now."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from console.app import ConsoleApp
from console.capture_lines import change_lines, side_lines
from console.screens.captures import CapturesScreen, ChangesScreen, InstantScreen, TitleLine
from console.screens.history import HistoryScreen
from sync.capture import Capture
from sync.capture_store import CaptureStore
from sync.changes import changes
from sync.errors import CaptureError
from sync.model import Side
from tests import examples as ex
from tests.screens.driving import console, said, screen_text, settle
from tests.screens.runs import until
from tests.screens.test_capturing import capturing
from tests.screens.world import HOSTILE, NOW, FakeSession
from tests.test_capture import lab
from widgets.capture_list import CaptureLine, TimeLine, bars

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])


def history() -> list[Capture]:
    """An hour in which a VM was stopped, and then a project was deleted."""
    whole = lab("dune", "ember", "fjord", vms=2, at=NOW - timedelta(hours=1))
    stopped = lab("dune", "ember", "fjord", vms=2, at=NOW - timedelta(minutes=30))
    vms = tuple(replace(vm, state="Stopped") if vm.name == "dune-1" else vm for vm in stopped.actual.vms)
    stopped = replace(stopped, actual=replace(stopped.actual, vms=vms))
    gone = lab("dune", "fjord", vms=2, at=NOW - timedelta(minutes=10))
    return [whole, stopped, replace(gone, desired=replace(stopped.desired, taken_at=gone.desired.taken_at))]


def with_history(tmp_path: Path, *captures: Capture) -> FakeSession:
    session = FakeSession()
    capturing(tmp_path, session).exist  # noqa: B018 - only to show that nothing is made by asking
    with CaptureStore(tmp_path / "captures.sqlite") as store:
        for capture in captures:
            store.add(capture)
    return session


async def open_captures(pilot: Pilot[Any]) -> CapturesScreen:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    await settle(pilot)
    await pilot.press("H")
    await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
    await pilot.press("c")
    await until(pilot, lambda: isinstance(app.screen, CapturesScreen))
    await settle(pilot)
    assert isinstance(app.screen, CapturesScreen)
    return app.screen


async def test_captures_come_newest_first_below_what_is_now(tmp_path: Path) -> None:
    app = console(with_history(tmp_path, *history()))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await open_captures(pilot)
        await until(pilot, lambda: len(screen.list.keys) == 5)
        assert list(screen.list.keys) == ["", "4", "3", "2", "1"], "the console took one itself"
        shown = screen_text(app)
        assert "4 captures, the bars say how much changed" in shown
        assert "3 projects, 3 domains, 6 VMs" in shown
        assert "3 projects, 2 domains, 4 VMs" in shown


async def test_either_side_at_an_instant(tmp_path: Path) -> None:
    app = console(with_history(tmp_path, *history()))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await open_captures(pilot)
        await until(pilot, lambda: "1" in screen.list.keys)
        screen.list.move_to("1")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, InstantScreen))
        await pilot.pause()
        shown = screen_text(app)
        assert "CloudStack as it was at" in shown and "complete" in shown
        assert "ROOT/ci/ember" in shown and "VM dune-1  Running" in shown
        await pilot.press("tab")
        await pilot.pause()
        assert "CI database as it was at" in screen_text(app)
        assert "member anna  Anna Doe  anna@example.org" in screen_text(app)
        await pilot.press("slash", *"fjord bob", "enter")
        await pilot.pause()
        shown = screen_text(app)
        assert "member bob" in shown and "member anna" not in shown and "dune" not in shown
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert app.screen is screen


async def test_what_changed_between_two_instants_and_since(tmp_path: Path) -> None:
    app = console(with_history(tmp_path, *history()))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await open_captures(pilot)
        await until(pilot, lambda: "1" in screen.list.keys)
        screen.list.move_to("1")
        await pilot.press("space")
        screen.list.move_to("3")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ChangesScreen))
        await pilot.pause()
        shown = screen_text(app)
        assert "1 row: 4 gone" in shown
        assert "~ VM dune-1 state: Running → Stopped" not in shown, "it is gone again in the third"
        await pilot.press("escape")
        screen.list.move_to("2")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ChangesScreen))
        await pilot.pause()
        assert "~ VM dune-1 state: Running → Stopped" in screen_text(app)
        await pilot.press("escape", "space", "d")
        await pilot.pause()
        assert "Mark another capture" in said(app)
        await pilot.press("space")
        screen.list.move_to("")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, ChangesScreen))


async def test_what_is_read_late_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow first capture: neither over what was opened since, nor over where somebody went on to."""
    gate, read = threading.Event(), CaptureStore.read

    def slow(store: CaptureStore, number: int) -> Capture:
        if number == 1:
            gate.wait(60)
        return read(store, number)

    monkeypatch.setattr(CaptureStore, "read", slow)
    app = console(with_history(tmp_path, *history()))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        screen = await open_captures(pilot)
        await until(pilot, lambda: "1" in screen.list.keys)
        screen.post_message(CapturesScreen.EntriesListed(0, ()))
        screen.post_message(CapturesScreen.NotListed(0, CaptureError("An older list could not be read.")))
        screen.list.move_to("1")
        await pilot.press("enter")
        screen.list.move_to("3")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, InstantScreen))
        gate.set()
        await settle(pilot)
        assert sum(isinstance(one, InstantScreen) for one in app.screen_stack) == 1
        await pilot.press("escape")
        await settle(pilot)
        assert len(screen.list.keys) == 5
        assert "An older list" not in screen_text(app)
        gate.clear()
        screen.list.move_to("1")
        await pilot.press("enter", "escape")
        await until(pilot, lambda: isinstance(app.screen, HistoryScreen))
        gate.set()
        await settle(pilot)
        assert isinstance(app.screen, HistoryScreen)


async def test_without_captures_and_with_damaged_ones_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_captures(pilot)
        assert "Nothing was captured yet." in screen_text(app)

    def damaged(_: CaptureStore) -> None:
        raise CaptureError("The captures are damaged: [/x].", next_step="Keep the file.")

    session = with_history(tmp_path, *history())
    monkeypatch.setattr(CaptureStore, "entries", damaged)
    app = console(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await open_captures(pilot)
        assert "The captures are damaged: [/x]. Keep the file." in screen_text(app)


def test_why_captures_cannot_be_read_is_said_to_its_end() -> None:
    line = TimeLine()
    line.say(
        "/home/night/.local/share/abreast/lab-captures.sqlite is no file of captures. THE END", "tone--bad"
    )
    assert " ".join("".join(text for text, _ in one).strip() for one in line.lines(40)).endswith("THE END")


def test_a_side_shows_all_that_a_storage_team_needs() -> None:
    capture = lab("dune", vms=1)
    disk = replace(
        ex.resource("ROOT-1", ex.domain("dune")),
        size=12 << 30,
        details={"storage": "netapp-7", "path": "5a15d473", "vmname": "dune-0"},
    )
    vm = replace(capture.actual.vms[0], name=HOSTILE, details={"instancename": "i-3-4-VM"})
    capture = replace(capture, actual=replace(capture.actual, volumes=(disk,), vms=(vm,)))
    text = "\n".join("".join(piece for piece, _ in line) for line in side_lines(capture, Side.ACTUAL))
    assert "volume ROOT-1  Ready  12 GiB  netapp-7  5a15d473  dune-0" in text
    assert f"VM {HOSTILE}  Running  i-3-4-VM" in text
    only = side_lines(capture, Side.ACTUAL, "netapp-7")
    assert len(only) == 2, "the row's heading and the disk"


def test_a_partial_side_says_that_more_may_have_been_there() -> None:
    capture = lab("dune", coverage=ex.partial())
    assert "may have been there" in side_lines(capture, Side.ACTUAL)[0][0][0]
    assert "may have been there" not in side_lines(capture, Side.DESIRED)[0][0][0]


def test_words_filter_changes_and_keep_their_row() -> None:
    first, _, last = history()
    found = changes(first, last)
    lines = change_lines(found, "account")
    assert ["".join(piece for piece, _ in line) for line in lines] == [
        " ember  4 gone",
        "   - account ember gone (CloudStack)",
    ]
    assert change_lines(found, "nothing of the kind") == []


def test_the_time_line_is_highest_where_most_changed() -> None:
    lines = [
        CaptureLine(str(number), NOW + timedelta(minutes=number), "complete", {}, changed=changed)
        for number, changed in enumerate((500, 0, 8, 1))
    ]
    assert bars(lines[::-1], 4) == "▁▁█▂"
    assert bars([], 10) == ""
    assert bars(lines[:1], 3).strip() == "▁"


@SIZES
def test_picture_of_the_captures(
    snap_compare: Callable[..., bool], size: tuple[int, int], tmp_path: Path
) -> None:
    """The list with a marked capture, the time line above it."""

    async def look(pilot: Pilot[Any]) -> None:
        screen = await open_captures(pilot)
        await until(pilot, lambda: len(screen.list.keys) == 5)
        screen.list.move_to("1")
        await pilot.press("space", "up")
        await pilot.pause()

    assert snap_compare(console(with_history(tmp_path, *history())), terminal_size=size, run_before=look)


@SIZES
def test_picture_of_what_changed(
    snap_compare: Callable[..., bool], size: tuple[int, int], tmp_path: Path
) -> None:
    """Between the first capture and the third: by row, what is gone in red."""

    async def look(pilot: Pilot[Any]) -> None:
        screen = await open_captures(pilot)
        await until(pilot, lambda: len(screen.list.keys) == 5)
        screen.list.move_to("2")
        await pilot.press("space")
        screen.list.move_to("3")
        await pilot.press("d")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChangesScreen))
        await pilot.pause()

    assert snap_compare(console(with_history(tmp_path, *history())), terminal_size=size, run_before=look)


def test_a_heading_that_does_not_fit_is_seen_to_be_cut() -> None:
    title = TitleLine()
    title._left, title._right = "17 rows: 223 gone, 72 appeared, 20 changed", "filter: none"
    for width in (60, 30):
        text = "".join(part for part, _ in title.lines(width)[0])
        assert len(text) <= width
        assert text.endswith("…") == (width == 30)
