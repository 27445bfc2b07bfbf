"""Sources: the proof of each list, by whose eyes; what shrank, and how it is accepted with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from console.accepting import Acceptable, accept
from console.app import ConsoleApp
from console.screens.ask import AskScreen
from console.screens.confirm import ConfirmScreen
from console.screens.sources import SourcesScreen
from sync.agreement import compared, first_extent
from sync.errors import IncompleteError
from sync.ledger import EntryKind, Ledger
from sync.model import Coverage, CoverageState, DesiredInventory, Drift, ListProof, Shrinkage, Side
from tests.screens.driving import console, said, screen_text, settle
from tests.screens.runs import until
from tests.screens.world import COMPLETE, NOW, Facts, FakeSession

SIZES = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
WIDE = {"size": (120, 40), "notifications": True}
EARLIER = NOW - timedelta(minutes=40)
SHRUNK = (Shrinkage("domains", 37, 40, EARLIER, ("root/ci/aurora", "root/ci/boreal")),)
WHY = (
    "It has shrunk: 37 domains fewer than at 2026-07-28 02:32 UTC (root/ci/aurora and 36 more). If that is "
    "right: `abreast ledger accept actual --environment production --reason …`."
)
PROVEN = Coverage(
    CoverageState.COMPLETE,
    lists=(
        ListProof("listDomains", 38, 1, 38, 38, 38),
        ListProof("listVirtualMachines projectid=-1", 2061, 5, 2060, 2061, 2061, note="read twice, united"),
        ListProof("listSnapshots projectid=-1", 500, 1, 812, 812, 500, problem="812 by count, 500 came."),
    ),
    caller="ci-console/watcher (Watcher)",
    root_id="c12f8f1e-8f5e-11ee-a506-1e00d90000aa",
    agreed=True,
)


class Shrinking(FakeSession):
    """CloudStack has 3 domains of 40; a real ledger remembers."""

    def __init__(self, folder: Path) -> None:
        super().__init__(facts=Facts(name="production", title="PRODUCTION"))
        self.ledger = Ledger(
            f"sqlite:///{folder / 'l.sqlite'}", environment="production", operator="night", clock=self.clock
        )
        self.ledger.open()
        self.actual_coverage = replace(COMPLETE, why=WHY, shrunk=SHRUNK)
        self.refusal: Exception | None = None
        self.before = {"domains": frozenset(f"root/ci/p{number}" for number in range(40))}
        self.left = {"domains": frozenset(f"root/ci/p{number}" for number in range(3))}
        self.ledger.extents("ROOT/ci").begin(Side.ACTUAL, self.before, EARLIER)

    def acceptable(self, side: Side) -> Acceptable:
        assert side is Side.ACTUAL
        if self.refusal is not None:
            raise self.refusal
        earlier = first_extent(self.before, EARLIER)
        _, shrunk = compared(earlier, self.left, self.clock())
        return Acceptable(side, self.left, self.clock(), earlier, shrunk)

    def accept(self, found: Acceptable, *, reason: str) -> str:
        said = accept(self, found, reason=reason)  # type: ignore[arg-type]
        self.actual_coverage = replace(COMPLETE, agreed=True)
        return said


async def open_sources(pilot: Pilot[Any]) -> None:
    await settle(pilot)
    await pilot.press("e")
    await pilot.pause()
    assert isinstance(pilot.app.screen, SourcesScreen)


@SIZES
async def test_each_list_has_rows_ids_pages_and_counts_and_whose_eyes_saw_them(size: tuple[int, int]) -> None:
    session = FakeSession()
    session.actual_coverage = PROVEN
    app = console(session)
    async with app.run_test(size=size) as pilot:
        await open_sources(pilot)
        lines = [" ".join(line.split()) for line in screen_text(app).splitlines()]
        for line in (
            "listDomains 38 38 1 38",
            "listVirtualMachines projectid=-1 2,061 2,061 5 2060→2061",
            "read twice, united",
            "listSnapshots projectid=-1 500 500 1 812",
            "812 by count, 500 came.",
            "agrees with the readings before",
        ):
            assert line in lines
        whole = " ".join(lines)
        assert "read as ci-console/watcher (Watcher), ROOT domain c12f8f1e-8f5e-11ee" in whole
        assert "users at 03:12:44, 0 s ago" in lines
        assert "limits at 03:12:44, 0 s ago" in lines


async def test_what_shrank_is_on_every_screen_and_accepted_here_with_a_reason(tmp_path: Path) -> None:
    session = Shrinking(tmp_path)
    app = console(session)
    async with app.run_test(**WIDE) as pilot:
        await settle(pilot)
        assert "CloudStack 4.23 has SHRUNK: 37 domains fewer than at 2026-07-28 02:32 UTC" in screen_text(app)
        await open_sources(pilot)
        text = screen_text(app)
        assert "37 of 40 domains went, seen last at 2026-07-28 02:32 UTC: root/ci/aurora" in text
        assert "`abreast ledger accept actual --environment production --reason …`" in text
        assert "a accepts it as it is now, with a reason" in text

        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        assert "CloudStack: 3 domains" in screen_text(app)
        assert "37 domains fewer than at 2026-07-28 02:32 UTC: root/ci/p" in screen_text(app)
        await pilot.press("enter")
        assert isinstance(app.screen, AskScreen), "without a reason there is no answer"
        await pilot.press(*"pilot over", "enter")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        assert "Because: pilot over" in screen_text(app)
        await pilot.press(*"production", "enter")
        await until(pilot, lambda: "accepted by night: CloudStack with 3 domains: pilot over" in said(app))
        await settle(pilot)
        assert "SHRUNK" not in screen_text(app)
        assert "agrees with the readings before" in screen_text(app)
        (entry,) = session.ledger.entries(kinds=[EntryKind.SHRINKAGE_ACCEPTED])
        assert entry.payload["reason"] == "pilot over"
        assert session.ledger.verify().is_sound
        assert not app.screen.offers(next(one for one in _commands() if one.id == "accept"))
    session.ledger.close()


def _commands() -> Any:
    from console.commands import COMMANDS

    return COMMANDS


@pytest.mark.parametrize(
    "leave", [("escape",), (*"why", "enter", "escape"), (*"why", "enter", *"yes", "enter")]
)
async def test_it_can_be_left_at_every_step_and_nothing_is_accepted(
    leave: tuple[str, ...], tmp_path: Path
) -> None:
    session = Shrinking(tmp_path)
    app = console(session)
    async with app.run_test(**WIDE) as pilot:
        await open_sources(pilot)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, AskScreen))
        await pilot.press(*leave)
        await pilot.pause()
        assert session.ledger.entries() == []
    session.ledger.close()


async def test_a_side_that_cannot_be_read_is_not_accepted(tmp_path: Path) -> None:
    session = Shrinking(tmp_path)
    session.refusal = IncompleteError(
        "CloudStack was not read completely: refused.", next_step="Nothing was accepted."
    )
    app = console(session)
    async with app.run_test(**WIDE) as pilot:
        await open_sources(pilot)
        await pilot.press("a")
        await until(pilot, lambda: "Nothing was accepted." in said(app))
        assert isinstance(app.screen, SourcesScreen)
    session.ledger.close()


async def test_a_first_reading_that_is_hard_to_believe_is_partial_in_the_header_too() -> None:
    """Only beside the other side it is doubted: by itself it was complete."""

    class Doubting(FakeSession):
        def compare(self, desired: DesiredInventory, actual: Any) -> Drift:
            found = super().compare(desired, actual)
            coverage = replace(
                found.desired,
                state=CoverageState.PARTIAL,
                why="It may be empty or filtered.",
                is_doubted=True,
            )
            return replace(found, desired=coverage)

    app = console(Doubting())
    async with app.run_test(**WIDE) as pilot:
        await settle(pilot)
        assert "CI database read in part: It may be empty or filtered." in screen_text(app)
        await open_sources(pilot)
        assert "a accepts it as it is now" in screen_text(app)


@SIZES
def test_picture(snap_compare: Callable[..., bool], size: tuple[int, int], tmp_path: Path) -> None:
    """Both sides with their lists; CloudStack has shrunk: what went, since when, the key that accepts it."""

    async def look(pilot: Pilot[Any]) -> None:
        await open_sources(pilot)
        assert isinstance(pilot.app, ConsoleApp)

    session = Shrinking(tmp_path)
    session.actual_coverage = replace(PROVEN, why=WHY, shrunk=SHRUNK, agreed=False)
    assert snap_compare(console(session), terminal_size=size, run_before=look)
