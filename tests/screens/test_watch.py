"""Watch: rings for what is new and critical, looks old when it is, remembers a bounded amount."""

from __future__ import annotations

import gc
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from console import desktop
from console.alarms import KEPT_ALARMS, AlarmLog, fence_alarms, known_kinds, row_alarms, unrecorded_alarms
from console.screens.watch import WatchScreen
from sync.deletion_attempts import Kind
from sync.deletions import Stage
from sync.errors import LedgerError, UnreachableError
from sync.fence_check import NO_FENCES, FenceCheck, Fenced, Hold
from sync.ledger import EntryKind
from sync.model import Coverage, CoverageState, DriftKind, DriftRow
from sync.stock import Zone
from sync.unrecorded import DeletionCheck, Unrecorded
from tests.screens.driving import clock_of, console, read_again, screen_text, settle
from tests.screens.world import HOSTILE, NOW, ROWS, FakeSession, deletion, in_sync, project
from widgets.values import RowView

if TYPE_CHECKING:
    from tests.stores import Store

pytest_plugins = ["tests.stores"]

REFUSED = Coverage(CoverageState.FAILED, why="refused")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the desktop was told."""
    messages: list[str] = []
    monkeypatch.setattr(desktop, "notify", lambda title, body: not messages.append(body))
    return messages


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr("console.app.ConsoleApp.bell", lambda self: found.append("bell"))
    return found


def sound() -> tuple[DriftRow, ...]:
    return tuple(in_sync(name) for name in ("galaxy", "harbor", "isotope"))


def with_missing(name: str) -> tuple[DriftRow, ...]:
    return (*sound(), DriftRow(name, DriftKind.MISSING, project(name), None, reason="gone"))


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_the_wall_shows_counts_trend_and_alarms_and_no_key_that_changes(
    size: tuple[int, int], told: list[str], rings: list[str]
) -> None:
    app = console(start="watch")
    async with app.run_test(size=size, notifications=True) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert " WATCH " in text
        assert "in the first minute: at most 7 drifting rows" in text
        assert "4 rows critical at the start" in text
        assert "stage" not in text and "recover " not in text
        before = app.staged
        await pilot.press("space", "s", "R", "A")
        await pilot.pause()
        assert isinstance(app.screen, WatchScreen)
        assert app.staged == before
        assert not app.session.is_armed
        await pilot.press("enter")
        await pilot.pause()
        assert "nothing proposed" in screen_text(app)
        assert rings == ["bell"]
        assert len(told) == 1


async def test_while_a_side_cannot_be_read_the_wall_shows_dashes_for_no_zeros() -> None:
    session = FakeSession(sound())
    app = console(session, start="watch")

    def zeros() -> int:
        return sum(line.count("█ █") for line in screen_text(app).splitlines())

    async with app.run_test(size=(120, 40)) as pilot:
        await settle(pilot)
        assert zeros() == len(DriftKind) - 1
        session.actual_coverage = REFUSED
        await read_again(pilot)
        assert zeros() == 0
        assert "▀▀▀" in screen_text(app)


async def test_it_rings_once_for_each_new_critical_row(told: list[str], rings: list[str]) -> None:
    session = FakeSession(sound())
    app = console(session, start="watch")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        assert rings == []
        session.rows = with_missing(HOSTILE)
        await read_again(pilot)
        assert rings == ["bell"]
        assert told == [f"{HOSTILE} is missing"]
        assert f"{HOSTILE} is missing" in screen_text(app)
        await read_again(pilot)
        assert rings == ["bell"], "what is known does not ring again"
        session.rows = (*sound(), in_sync(HOSTILE))
        await read_again(pilot)
        assert rings == ["bell"]
        assert "in sync again" in screen_text(app)


async def test_a_silent_source_rings_and_looks_stale_but_is_no_new_drift(
    told: list[str], rings: list[str]
) -> None:
    session = FakeSession(with_missing("cirrus"))
    app = console(session, start="watch")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        rings.clear()
        session.actual_coverage = REFUSED
        await read_again(pilot)
        text = screen_text(app)
        assert "STALE: CloudStack 4.23 silent for 75 s" in text
        assert app.screen.has_class("-stale")
        assert rings == ["bell"]
        session.actual_coverage = session.desired_coverage
        await read_again(pilot)
        assert rings == ["bell"], "cirrus was missing before the source fell silent"
        assert "STALE" not in screen_text(app)
        assert "read in full again" in screen_text(app)


async def test_weeks_of_refreshes_do_not_leak(told: list[str], rings: list[str]) -> None:
    session = FakeSession(sound())
    app = console(session, start="watch")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)

        async def refresh(times: int) -> int:
            for number in range(times):
                session.rows = with_missing("cirrus") if number % 2 else sound()
                await read_again(pilot)
            gc.collect()
            return len(gc.get_objects())

        await refresh(20)
        before = await refresh(20)
        after = await refresh(20)
        again = await refresh(20)
        # Alarms and the trend grow up to their bound: a few objects a refresh. Whatever is kept of whole
        # readings would be hundreds.
        assert again - after <= 20 * 12, (before, after, again)


@pytest.mark.parametrize("start", ["overview", "watch"])
async def test_an_altered_ledger_is_in_red_on_the_screen_and_rings(
    start: str, told: list[str], rings: list[str], file: Store
) -> None:
    session = FakeSession(sound())
    with file.open() as ledger:
        session.ledger = ledger
        for number in range(4):
            ledger.append(EntryKind.OUTCOME, {"number": number}, run_id=None)
        app = console(session, start=start)
        async with app.run_test(size=(120, 40)) as pilot:
            await settle(pilot)
            assert app.tampering == "" and not rings
            ledger.append(EntryKind.OUTCOME, {"number": 9}, run_id=None)
            file.tamper("DELETE FROM entries WHERE seq = 4")
            app.utc_clock.advance(60)  # type: ignore[attr-defined]
            app.ledger_watch.tick()
            await settle(pilot)
            words = "The ledger of drill was altered: Entry 4 was removed."
            assert words in screen_text(app)
            assert "Nothing can be armed but containing." in screen_text(app)
            assert (len(rings), any(words in one for one in told)) == (
                int(start == "watch"),
                start == "watch",
            )
            app.utc_clock.advance(60)  # type: ignore[attr-defined]
            app.ledger_watch.tick()
            await settle(pilot)
            assert len(rings) == int(start == "watch"), "it rings once"
            session.ledger = Unreadable()
            app.utc_clock.advance(60)  # type: ignore[attr-defined]
            app.ledger_watch.tick()
            await settle(pilot)
            assert words in screen_text(app), "a ledger that cannot be read is no sound one"


@dataclass
class Zones:
    """CloudStack's side of it: how the only zone stands, or that nobody can ask."""

    allocation: str = "Disabled"

    def zone(self, name: str) -> Zone:
        if not self.allocation:
            raise UnreachableError("CloudStack does not answer.")
        return Zone("z", name, self.allocation)


@pytest.mark.parametrize("start", ["overview", "watch", "recovery"])
async def test_a_zone_that_a_restore_left_closed_is_told_until_it_is_seen_open(
    start: str, told: list[str], rings: list[str], file: Store
) -> None:
    session, zones = FakeSession(sound()), Zones()
    session.reader = zones  # type: ignore[attr-defined]
    lift = "`abreast restore --environment drill --thaw zone-1` lifts it."
    with file.open() as ledger:
        session.ledger = ledger
        done = {"action": "freeze-zone zone-1", "outcome": "succeeded", "object_id": "z"}
        ledger.append(EntryKind.OUTCOME, done, run_id=None)
        app = console(session, start=start)

        async def look_again() -> str:
            clock_of(app).advance(60)
            app.ledger_watch.tick()
            await settle(pilot)
            return screen_text(app)

        async with app.run_test(size=(80, 24)) as pilot:
            await settle(pilot)
            text = screen_text(app)
            assert " Zone zone-1 is frozen: root admins alone can deploy. Since " in text and lift in text
            assert len(rings) == int(start == "watch")
            zones.allocation = ""
            assert " Zone zone-1 may be frozen: root admins alone can deploy. Since " in await look_again()
            session.ledger = Unreadable()
            assert " Zone zone-1 may be frozen" in await look_again(), "what is not read is not open"
            session.ledger, zones.allocation = ledger, "Enabled"
            assert "may be frozen" not in await look_again()
            assert ("Zone zone-1 is open again" in screen_text(app)) == (start == "watch")
            assert len(rings) == int(start == "watch"), "it rings once"


class Unreadable:
    """A ledger whose database is gone."""

    def ends(self) -> None:
        raise LedgerError("The ledger cannot be read: the disk is gone.")

    latest_run = ends


def test_the_log_of_alarms_is_bounded() -> None:
    log = AlarmLog()
    views = [
        RowView(DriftRow(f"p{number}", DriftKind.MISSING, None, None)) for number in range(KEPT_ALARMS + 50)
    ]
    log.add(row_alarms({}, views, at=NOW, is_first=False))
    assert len(log) == KEPT_ALARMS


def test_unknown_is_no_change_of_kind() -> None:
    missing = RowView(DriftRow("a", DriftKind.MISSING, None, None))
    unknown = RowView(DriftRow("a", DriftKind.UNKNOWN, None, None))
    known = known_kinds({}, [missing])
    assert row_alarms(known, [unknown], at=NOW, is_first=False) == []
    known = known_kinds(known, [unknown])
    assert known == {"a": DriftKind.MISSING}
    assert row_alarms(known, [missing], at=NOW, is_first=False) == []
    worse = RowView(DriftRow("a", DriftKind.DELETING, None, None))
    (alarm,) = row_alarms(known, [worse], at=NOW, is_first=False)
    assert (alarm.text, alarm.rings) == ("a is deleting, was missing", True)


def test_without_notify_send_there_is_only_the_bell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert desktop.notify("title", "body") is False


def test_the_desktop_gets_text_and_never_markup_or_options(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "arguments"
    script = tmp_path / "notify-send"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {record}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert desktop.notify("--title", "<b>dune</b> & more")
    assert record.read_text().splitlines()[-3:] == ["--", "--title", "&lt;b&gt;dune&lt;/b&gt; &amp; more"]


def test_the_first_comparison_is_one_alarm() -> None:
    views = [RowView(row) for row in ROWS]
    (alarm,) = row_alarms({}, views, at=NOW, is_first=True)
    assert alarm.text == "4 rows critical at the start: aurora, boreal, cirrus …"


async def test_before_anything_was_read_the_wall_says_that_nothing_is_known(
    told: list[str], rings: list[str]
) -> None:
    session = FakeSession(())
    session.actual_coverage = session.desired_coverage = REFUSED
    app = console(session, start="watch")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert "Nothing is known yet." in text
        assert "Nothing can be compared before both sides are read." in text
        assert "e shows what was read and what went wrong" in text
        assert rings


def test_a_deletion_past_the_ledger_rings_once() -> None:
    found = [
        Unrecorded(f"e-{name}", Kind.DOMAIN, f"d-{name}", name, "", NOW, "sync", "sync")
        for name in ("dune", "aurora")
    ]
    (alarm,) = unrecorded_alarms((), found, at=NOW, is_first=True)
    assert alarm.text.startswith("2 deletions not in the ledger, the last: domain aurora by sync/sync at ")
    (alarm,) = unrecorded_alarms({"e-dune"}, found, at=NOW, is_first=False)
    assert alarm.rings
    assert alarm.text.startswith("Not in the ledger: domain aurora by sync/sync at ")
    assert unrecorded_alarms({"e-dune", "e-aurora"}, found, at=NOW, is_first=False) == []


GONE = Fenced("u-1", "ci-sync/ci-sync in ROOT", NOW, Hold.GONE, "somebody took it away")


async def test_a_fence_that_is_gone_rings_once_and_leads_to_contain(
    told: list[str], rings: list[str]
) -> None:
    session = FakeSession(sound())
    app = console(session, start="watch")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        assert rings == []
        session.fences = FenceCheck((GONE,))
        for _ in range(2):
            await read_again(pilot)
        assert len(rings) == 1
        text = screen_text(app)
        assert "The fence on ci-sync/ci-sync is GONE: somebody took it away" in text
        assert "fences anew" in text
        session.fences = FenceCheck((replace(GONE, hold=Hold.HOLDS, why=""),))
        await read_again(pilot)
        assert len(rings) == 1
        assert "ci-sync/ci-sync in ROOT is fenced again" in screen_text(app)


def test_a_fence_rings_again_when_it_becomes_another_kind_of_lost() -> None:
    passed = FenceCheck((replace(GONE, hold=Hold.PASSED),))
    unread = FenceCheck((replace(GONE, hold=Hold.UNKNOWN),))
    assert len(fence_alarms(passed, FenceCheck((GONE,)), at=NOW)) == 1
    assert fence_alarms(NO_FENCES, unread, at=NOW) == [], "not known is no alarm, and is said elsewhere"


async def test_the_wall_rings_for_a_deletion_past_the_ledger(told: list[str], rings: list[str]) -> None:
    session = FakeSession(sound())
    app = console(session, start="watch")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        assert rings == []
        one = Unrecorded("e-1", Kind.DOMAIN, "d-1", HOSTILE, "", NOW, "sync", "sync")
        session.deletions = DeletionCheck((one,))
        for _ in range(2):
            await read_again(pilot)
        assert rings == ["bell"]
        assert told == [f"Not in the ledger: {one.words}"]
        assert f"Not in the ledger: domain {HOSTILE} by sync/sync" in screen_text(app)


async def test_a_deletion_rings_before_anything_is_gone(told: list[str], rings: list[str]) -> None:
    session = FakeSession(sound())
    app = console(session, start="watch")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        session.found = (deletion("harbor", Stage.REFUSED),)
        await read_again(pilot)
        assert rings == [], "a refused attempt is no alarm"
        assert "1 deletion was refused." in screen_text(app)
        session.found = (deletion("galaxy", Stage.QUEUED), deletion("harbor", Stage.REFUSED))
        await read_again(pilot)
        assert rings == ["bell"]
        assert told == ["ROOT/ci/galaxy: its deletion is submitted by ci-sync/ci-sync"]
        assert "The deletion of 1 domain is submitted." in screen_text(app)
        await read_again(pilot)
        assert rings == ["bell"]
