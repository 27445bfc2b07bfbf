"""What widgets make of values: counts, headline, details, the two sides of a project, the wall, progress."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from textual.app import App, ComposeResult

from sync.model import DriftKind, DriftRow, Member, Project
from tests.screens.world import HOSTILE, NOW, ROWS, dune, in_sync
from widgets.action_list import object_of
from widgets.big_counts import BigCounts, big
from widgets.comparison import ComparisonLine, comparison, machine_text, summary
from widgets.details import belongings, part_line
from widgets.lines import wrap
from widgets.pager import Pager
from widgets.progress import ProgressLine, bar, duration
from widgets.summary import CountsBar, HeadlineBar
from widgets.trend import KEPT_MINUTES, Sample, Trend, TrendLine, spark

COUNTS = {kind: 412 for kind in DriftKind}


def texts(lines: list[list[tuple[str, str]]]) -> list[str]:
    return ["".join(piece for piece, _ in line) for line in lines]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_counts_name_every_kind_and_never_overflow(width: int) -> None:
    counts = CountsBar()
    counts._counts, counts._filter = COUNTS, "filter: drift"
    lines = texts(counts.lines(width))
    assert all(len(line) <= width for line in lines)
    for kind in DriftKind:
        assert any(kind.glyph in line for line in lines)
    assert "filter: drift" in lines[-1]


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_headline_never_loses_its_keys(width: int) -> None:
    bar = HeadlineBar()
    bar._text, bar._keys = "One domain is being deleted now. " * 9, "R recovers"
    lines = texts(bar.lines(width))
    assert len(lines) == 2
    assert lines[-1].endswith("R recovers")
    assert all(len(line) <= width for line in lines)


def test_what_a_domain_has_tells_destroyed_vms_apart() -> None:
    row = dune()
    assert row.view is not None
    first, *others = row.view.vms
    vms = (replace(first, state="Destroyed"), *others)
    found = belongings(replace(row, view=replace(row.view, vms=vms)))
    assert f"{len(others)} VMs, 1 destroyed VM" in found
    broken = (replace(first, state="Error"), *others)
    found = belongings(replace(row, view=replace(row.view, vms=broken)))
    assert f"{len(others)} VMs, 1 VM in Error" in found and "destroyed" not in found
    assert f"{len(row.view.vms)} VMs" in belongings(row) and "destroyed" not in belongings(row)


def test_wrap_keeps_every_word_and_no_line_is_too_wide() -> None:
    assert wrap("one two three", 7) == ["one two", "three"]
    assert all(len(line) <= 4 for line in wrap("雪雪雪雪雪", 8))
    assert wrap("", 10) == [""]


def test_the_comparison_has_every_part_and_what_cloudstack_has_more() -> None:
    lines = comparison(dune())
    labels = [line.label for line in lines]
    assert "user jmartin state" in labels
    assert "vm limit" in labels
    assert "VM dune-vm-2" in labels, "a VM that the CI database does not know"
    assert "dune-golden-0" in labels
    lost = next(line for line in lines if line.is_loss)
    assert (lost.label, lost.actual) == ("VM dune-vm-1", "–")
    assert "is gone" in lost.note
    assert len({line.key for line in lines}) == len(lines), "keys are unique"


def test_headings_stand_only_above_something() -> None:
    lines = comparison(in_sync("galaxy", machines=0, templates=0))
    headings = [line.label for line in lines if line.is_heading]
    assert headings == ["Domain"]
    assert not isinstance(lines[-1], ComparisonLine) or not lines[-1].is_heading


def test_a_project_that_is_compared_with_nothing_shows_its_own_row_and_what_is_wrong_with_it() -> None:
    bad = Member("anna", "", "Anna", "Doe", role="owner", problem="anna has no email")
    project = Project("a/b", unusable=(bad,), quotas={"vm": 5}, problem="the name contains `/`")
    row = DriftRow("a/b", DriftKind.UNKNOWN, project, None, reason=project.problem)
    lines = comparison(row)
    assert lines[0].is_heading
    assert {line.label: line.desired for line in lines[1:]} == {
        "to be mended": "the name contains `/`",
        "name": "a/b",
        "network domain": "–",
        "stored id": "–",
        "state": "enabled",
        "member anna": "Anna Doe owner",
        "vm limit": "5",
    }
    assert [line.note for line in lines if line.kind is DriftKind.UNKNOWN] == [
        "the name contains `/`. Mend it in the CI database.",
        "member anna: anna has no email",
    ]
    assert summary(row) == "to be mended in the CI database, 1 member, 0 agents"


def test_a_machine_shows_state_protection_and_address() -> None:
    fjord = next(row for row in ROWS if row.key == "fjord")
    assert fjord.view is not None
    machine = fjord.view.vms[0]
    assert machine.name == HOSTILE
    assert machine_text(machine) == "Running unprotected 10.1.0.1"


def test_a_difference_in_the_details_shows_both_values() -> None:
    pieces = part_line(dune().differences[0], 80)
    line = "".join(text for text, _ in pieces)
    assert line.split() == ["user", "jmartin", "state", "enabled", "~", "disabled"]


def test_the_object_of_an_action_is_the_last_name() -> None:
    from tests.screens.world import FakeSession

    enable, limit = FakeSession().repairs(dune())
    assert object_of(enable) == "jmartin"
    assert object_of(limit) == "dune#vm"


def test_big_digits_give_way_to_plain_ones() -> None:
    assert len(big(7, 9)[0]) == 9
    assert "█" in big(412, 12)[0]
    assert big(12345, 8)[1].strip() == "12345"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_what_is_not_known_is_no_zero_on_the_wall(width: int) -> None:
    wall = BigCounts()
    wall.show({DriftKind.UNKNOWN: 7}, is_stale=True, is_known=False)
    unknown = "\n".join(texts(wall.lines(width)))
    assert "0" not in unknown and "█▀█" not in unknown
    assert "▀▀▀" in unknown
    wall.show({DriftKind.IN_SYNC: 7}, is_stale=False, is_known=True)
    assert "–" not in "\n".join(texts(wall.lines(width)))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_wall_names_every_kind_that_has_rows(width: int) -> None:
    wall = BigCounts()
    wall._counts = COUNTS
    lines = texts(wall.lines(width))
    for kind in DriftKind:
        assert any(kind.value in line for line in lines), kind
    assert all(len(line) <= width for line in lines)


def test_the_trend_keeps_the_worst_of_a_minute_and_forgets_old_ones() -> None:
    trend = Trend(kept=3)
    for seconds, drifting in ((0, 1), (20, 5), (40, 2), (60, 0), (120, 4), (180, 3)):
        trend.add(Sample(NOW.replace(second=0) + timedelta(seconds=seconds), 0, drifting, True))
    assert len(trend) == 3
    recent = trend.recent(5, NOW.replace(second=0) + timedelta(seconds=180))
    assert [sample.drifting if sample else None for sample in recent] == [None, None, 0, 4, 3]
    assert KEPT_MINUTES == 1440


def test_a_minute_that_became_unknown_says_so_only_if_nothing_was_known_of_it() -> None:
    trend = Trend()
    trend.add(Sample(NOW, 0, 3, True))
    trend.add(Sample(NOW, 0, 0, False))
    assert trend.recent(1, NOW)[0] == Sample(NOW.replace(second=0), 0, 3, True)


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        ((), "in the first minute: nothing is known"),
        ((0,), "in the first minute: at most 3 drifting rows"),
        ((0, 1), "in the last 2 minutes: at most 3 drifting rows"),
        ((0, 7), "in the last 8 minutes: at most 3 drifting rows"),
        (range(200), "in the last 78 minutes: at most 3 drifting rows"),
    ],
)
def test_the_trend_says_how_far_back_it_goes(minutes: Iterable[int], words: str) -> None:
    trend, at = Trend(), NOW
    for minute in minutes:
        at = NOW + timedelta(minutes=minute)
        trend.add(Sample(at, 0, 3, True))
    line = TrendLine()
    line._trend, line._now = trend, at
    assert texts(line.lines(80))[0].strip() == words


def test_the_sparkline_tells_zero_unknown_and_unread_apart() -> None:
    known = [Sample(NOW, 0, drifting, True) for drifting in (0, 4, 8)]
    assert spark([None, Sample(NOW, 0, 0, False), *known]) == " ·▁▅█"
    assert spark([Sample(NOW, 0, 0, True)]) == "▁"


def test_progress_in_words() -> None:
    assert duration(3723) == "1:02:03"
    assert duration(7) == "0:07"
    assert bar(1, 2, 4) == "██  "
    assert bar(0, 0, 4) == "    "
    line = ProgressLine()
    line.show(3, 12, elapsed=6.0, failed=1, left=18.0)
    text = texts(line.lines(80))[0]
    assert "0.5/s" in text
    assert "3/12" in text
    assert "1 failed" in text
    assert "0:18 left" in text
    line.show(3, 12, elapsed=6.0, done_here=2)
    text = texts(line.lines(80))[0]
    assert "0.3/s" in text, "what was done before this time is not in the rate"
    assert "left" not in text, "what cannot be told is not said"
    assert len(text) <= 80


async def test_a_page_is_laid_out_for_its_width_from_its_first_frame_on() -> None:
    """Not as a narrow column until the screen has a layout, which a busy machine takes its time for."""
    widths: list[int] = []

    class Paged(App[None]):
        def compose(self) -> ComposeResult:
            yield Pager(lambda width: widths.append(width) or [[("a page", "")]])

    async with Paged().run_test(size=(90, 10)) as pilot:
        await pilot.pause()
    assert widths and min(widths) >= 88
