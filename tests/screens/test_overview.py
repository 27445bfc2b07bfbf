"""Overview: what the operator sees first, and what the keys do to it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from textual.widgets import Input

from console.screens.overview import OverviewScreen
from sync.deletions import Stage
from sync.errors import ConfigurationError
from sync.model import Coverage, CoverageState, DriftKind, DriftRow
from tests.screens.driving import clock_of, console, read_again, said, screen_text, settle
from tests.screens.runs import until
from tests.screens.world import HOSTILE, ROWS, Facts, FakeSession, deletion, in_sync, project, view
from widgets.drift_table import DriftTable

SIZES = [(80, 24), (120, 40)]
REFUSED = Coverage(CoverageState.FAILED, why="the connection was refused. Check that the server runs.")


def shown(screen: OverviewScreen) -> list[str]:
    return list(screen.query_one(DriftTable).keys)


@pytest.mark.parametrize("size", SIZES)
async def test_both_sides_abreast_worst_first(size: tuple[int, int]) -> None:
    app = console()
    async with app.run_test(size=size, notifications=True) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert shown(app.screen) == ["aurora", "boreal", "cirrus", "ember", "zephyr", "dune", "fjord"]  # type: ignore[arg-type]
        assert "DRILL the incident of 28 July" in text
        assert "READ-ONLY" in text
        assert "14" in text and "complete" in text and "0 s" in text
        assert "R recovers" in text
        for words in (
            "! deleting",
            "○ hollow",
            "+ missing",
            "% orphaned",
            "? unexpected",
            "~ 2 differ",
            "~ differs",
        ):
            assert words in text
        assert "ROOT/ci/zephyr" in text
        assert "CloudStack is deleting the domain" in text, "the details of the row under the cursor"
        assert text.splitlines()[-1].rstrip().endswith("? help")


async def test_the_details_follow_the_cursor() -> None:
    app = console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("end", "up")
        await pilot.pause()
        text = screen_text(app)
        assert "── dune" in text
        assert "user jmartin state" in text
        assert "disabled" in text
        assert "has 1 account, 3 VMs, 2 templates" in text


async def test_staging_marks_the_row_and_counts_and_a_second_time_takes_it_out() -> None:
    app = console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("home", "down", "down", "space")
        await pilot.pause()
        assert [action.id for action in app.staged] == [
            "create-domain ROOT/ci/cirrus",
            "create-account ROOT/ci/cirrus:cirrus",
        ]
        assert "staged (2)" in screen_text(app)
        await pilot.press("escape", "escape")
        assert len(app.staged) == 2, "esc never changes anything"
        await pilot.press("up", "space")
        assert app.staged == ()


async def test_what_has_no_repair_says_why_and_stages_nothing() -> None:
    app = console()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        app.screen.query_one(DriftTable).move_to("zephyr")
        await pilot.press("space")
        await pilot.pause()
        assert app.staged == ()
        assert "never deleted" in said(app)


async def test_the_filter_applies_while_typing_and_esc_brings_back_what_was() -> None:
    app = console()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("slash", *"gal")
        await pilot.pause()
        assert shown(app.screen) == ["galaxy"], "a word also finds what is in sync"  # type: ignore[arg-type]
        await pilot.press("escape")
        await pilot.pause()
        assert not app.screen.query(Input)
        assert len(shown(app.screen)) == 7  # type: ignore[arg-type]
        await pilot.press("slash", *":missing", "enter")
        await pilot.pause()
        assert shown(app.screen) == ["cirrus"]  # type: ignore[arg-type]
        assert isinstance(app.focused, DriftTable)
        await pilot.press("escape")
        await pilot.pause()
        assert len(shown(app.screen)) == 7, "esc clears the filter"  # type: ignore[arg-type]


async def test_all_kind_and_order() -> None:
    app = console()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("d")
        await pilot.pause()
        assert len(shown(app.screen)) == len(ROWS)  # type: ignore[arg-type]
        await pilot.press("o")
        await pilot.pause()
        assert shown(app.screen) == sorted(row.key for row in ROWS)  # type: ignore[arg-type]
        assert "by name" in screen_text(app)
        await pilot.press("f")
        await pilot.pause()
        assert shown(app.screen) == ["aurora"]  # type: ignore[arg-type]


async def test_cursor_and_staged_marks_stay_on_their_row_through_a_refresh() -> None:
    session = FakeSession()
    app = console(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        table = app.screen.query_one(DriftTable)
        table.move_to("cirrus")
        await pilot.press("space")
        table.move_to("dune")
        session.rows = (
            DriftRow("abacus", DriftKind.DELETING, project("abacus"), None, reason="new"),
            *(row for row in ROWS if row.key not in ("boreal", "ember")),
        )
        await read_again(pilot)
        assert table.cursor_key == "dune"
        assert "abacus" in table.keys
        assert {action.project for action in app.staged} == {"cirrus"}


MANY = tuple(
    DriftRow(f"m{number:02}", DriftKind.ORPHANED, project(f"m{number:02}"), None, reason="gone")
    for number in range(30)
)
WORSE = tuple(DriftRow(name, DriftKind.MISSING, project(name), None, reason="gone") for name in ("aa", "ab"))


@pytest.mark.parametrize("start", ["overview", "watch"])
async def test_new_worst_rows_are_in_sight_where_nobody_moved_the_cursor(start: str) -> None:
    session = FakeSession(rows=MANY)
    app = console(session, start=start)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        table = app.screen.query_one(DriftTable)
        session.rows = (*WORSE, *MANY)
        await read_again(pilot)
        assert (table.cursor_key, table.scroll_offset.y) == ("aa", 0)
        assert "+ missing" in screen_text(app)
        assert "worse rows above" not in screen_text(app)


@pytest.mark.parametrize("start", ["overview", "watch"])
async def test_where_the_cursor_was_moved_worse_rows_out_of_sight_are_counted(start: str) -> None:
    session = FakeSession(rows=MANY)
    app = console(session, start=start)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        table = app.screen.query_one(DriftTable)
        await pilot.press("end")
        session.rows = (*WORSE, *MANY)
        await read_again(pilot)
        assert table.cursor_key == "m29"
        assert "2 worse rows above" in screen_text(app)
        await read_again(pilot)
        assert "2 worse rows above" in screen_text(app), "until somebody looks"
        await pilot.press("home")
        await pilot.pause()
        assert "worse rows above" not in screen_text(app)
        assert "+ missing" in screen_text(app)


async def test_coming_back_the_worst_rows_are_in_sight_unless_somebody_moved_the_cursor() -> None:
    session = FakeSession()
    app = console(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        table = app.screen.query_one(DriftTable)
        assert table.cursor_key == "aurora"
        await app.open("sources")
        session.rows = tuple(in_sync("aurora") if row.key == "aurora" else row for row in ROWS)
        await read_again(pilot)
        await pilot.press("escape", "d")
        assert (table.cursor_key, table.scroll_offset.y) == ("boreal", 0)
        await pilot.press("down")
        await app.open("sources")
        session.rows = ROWS
        await read_again(pilot)
        await pilot.press("escape")
        assert table.cursor_key == "cirrus"


async def test_a_staged_action_that_is_no_longer_needed_is_taken_out_and_said() -> None:
    session = FakeSession()
    app = console(session)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        app.screen.query_one(DriftTable).move_to("cirrus")
        await pilot.press("space")
        session.rows = tuple(in_sync("cirrus") if row.key == "cirrus" else row for row in ROWS)
        await read_again(pilot)
        assert app.staged == ()
        assert "No longer needed" in said(app)


async def test_a_side_that_fails_makes_rows_unknown_and_keeps_what_was_known() -> None:
    session = FakeSession()
    app = console(session)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        app.screen.query_one(DriftTable).move_to("cirrus")
        await pilot.press("space")
        session.actual_coverage = REFUSED
        await read_again(pilot)
        text = screen_text(app)
        assert all(view.kind is DriftKind.UNKNOWN for view in app.views)
        assert "· was missing" in text
        assert "ROOT/ci/boreal" in text, "the last known columns stay"
        assert "Below is the last known state," in text
        assert "FAILED" in text and "75 s old" in text
        assert "not read since 03:12:44: the connection was refused" in text
        assert len(app.staged) == 2, "what is staged stays while nothing is known"
        await pilot.press("space")
        assert len(app.staged) == 2, "nothing can be staged from what is not known"
        session.actual_coverage = replace(session.desired_coverage)
        await read_again(pilot)
        assert "FAILED" not in screen_text(app)
        assert "+ missing" in screen_text(app)


async def test_never_read_looks_unread_and_not_empty() -> None:
    session = FakeSession()
    session.actual_coverage = REFUSED
    app = console(session)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await settle(pilot)
        text = screen_text(app)
        assert "never read" in text
        assert "· unknown" in text
        assert "missing" not in text


async def test_rows_turn_old_when_time_passes_without_a_reading() -> None:
    session = FakeSession()
    app = console(session)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        table = app.screen.query_one(DriftTable)
        assert not table.is_dimmed
        clock_of(app).advance(50)
        app.now = app.utc_clock()
        await pilot.pause()
        assert table.is_dimmed
        assert "50 s old" in screen_text(app)


async def test_names_from_outside_are_never_markup() -> None:
    rows = (
        DriftRow(
            HOSTILE, DriftKind.MISSING, replace(project("x"), name=HOSTILE), None, reason=f"No {HOSTILE}."
        ),
        DriftRow("[b]y", DriftKind.UNEXPECTED, None, view("[b]y", machines=1), reason="[/]"),
    )
    session = FakeSession(rows)
    app = console(session)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        assert HOSTILE in screen_text(app)
        app.screen.query_one(DriftTable).move_to("[b]y")
        await pilot.press("space")
        await pilot.pause()
        assert "[b]y: the CI database does not know it" in said(app)
        for key in (HOSTILE, "[b]y"):
            app.screen.query_one(DriftTable).move_to(key)
            await pilot.press("enter")
            await pilot.pause()
            assert key in screen_text(app)
            await pilot.press("escape")
        await pilot.press("slash", *"[/x]")
        await pilot.pause()
        assert "“[/x]”" in screen_text(app)
        app.screen.notify(HOSTILE, title=HOSTILE)
        await pilot.pause()
        session.rows = ()
        app.staged = session.repairs(rows[0])
        await read_again(pilot)
        assert "No longer needed" in said(app)


async def test_keys_are_remapped_by_the_ids_of_the_commands() -> None:
    app = console(FakeSession(facts=Facts(keys={"stage": "x", "filter": "ctrl+f"})))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        await pilot.press("space")
        assert app.staged == ()
        await pilot.press("x")
        assert app.staged
        assert " x stage" in screen_text(app)
        assert "^f filter" in screen_text(app)


def test_a_key_for_no_command_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigurationError, match=r"'stag'.*'stage'"):
        console(FakeSession(facts=Facts(keys={"stag": "x"})))


def test_an_unknown_theme_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="high-contrast"):
        console(FakeSession(facts=Facts(theme="solarized")))


@pytest.mark.parametrize("theme", ["dark", "light", "high-contrast", "colour-blind"])
async def test_every_theme_colours_every_kind_differently_from_the_ground(theme: str) -> None:
    app = console(FakeSession(facts=Facts(theme=theme)))
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        table = app.screen.query_one(DriftTable)
        colours = {}
        for y in range(7):
            segment = next(one for one in table.render_line(y) if one.text[0] in "!○+%?~")
            assert segment.style is not None
            colours[segment.text.strip()] = (segment.style.color, segment.style.bgcolor)
        assert len({colour for colour, _ in colours.values()}) == 6
        assert all(colour != ground for colour, ground in colours.values())


async def test_changing_the_theme_repaints_the_rows() -> None:
    app = console()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        table = app.screen.query_one(DriftTable)
        before = [segment.style for segment in table.render_line(3)]
        await pilot.press("t")
        await pilot.pause()
        assert app.theme == "abreast-light"
        assert [segment.style for segment in table.render_line(3)] != before


async def test_without_colour_glyphs_and_words_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = console()
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        assert app.no_color
        for strip in app.screen._compositor.render_strips():
            for segment in strip:
                colour = segment.style.color if segment.style is not None else None
                if colour is not None and colour.triplet is not None:
                    assert len(set(colour.triplet)) == 1, segment
        assert "! deleting" in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_a_deletion_is_in_the_headline_in_its_row_and_in_its_details(size: tuple[int, int]) -> None:
    session = FakeSession()
    app = console(session)
    async with app.run_test(size=size, notifications=True) as pilot:
        await settle(pilot)
        session.found = (
            deletion("aurora", machines=2, snapshots=1),
            deletion("galaxy", Stage.QUEUED, machines=2),
            deletion("harbor", Stage.REFUSED),
        )
        await read_again(pilot)
        text = screen_text(app)
        assert "One domain is being deleted now (2 VMs still alive), 1 more is submitted." in text
        table = app.screen.query_one(DriftTable)
        assert list(table.keys)[:2] == ["aurora", "galaxy"]
        assert "! submitted" in text
        table.move_to("aurora")
        await pilot.pause()
        words = " ".join(screen_text(app).split())
        assert "Being deleted by ci-sync/ci-sync since 03:09:44: 2 VMs still alive." in words
        assert "Next: 1 snapshot, before any VM" in words
        table.move_to("galaxy")
        await pilot.pause()
        assert "it is untouched yet, 2 VMs still alive" in " ".join(screen_text(app).split())

        session.found = (deletion("aurora", Stage.REFUSED), deletion("galaxy", Stage.REFUSED))
        await read_again(pilot)
        text = screen_text(app)
        assert "! submitted" not in text
        assert "galaxy" not in table.keys


async def test_a_deletion_that_was_seen_last_before_cloudstack_fell_silent_is_told_in_the_past() -> None:
    session = FakeSession()
    session.found = (deletion("aurora", machines=2),)
    app = console(session)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await settle(pilot)
        assert "! deleting" in screen_text(app) and "STALE" not in screen_text(app)
        session.actual_coverage = REFUSED
        await read_again(pilot)
        text = screen_text(app)
        assert "STALE: CloudStack 4.23 silent for 75 s. What is shown is old." in text
        assert "one domain was being deleted (2 VMs still alive)." in " ".join(text.split())
        assert "being deleted now" not in text
        assert app.views[0].kind is DriftKind.UNKNOWN and "· was deleting" in text
        session.actual_coverage = session.desired_coverage
        await read_again(pilot)
        assert "STALE" not in screen_text(app) and "! deleting" in screen_text(app)


async def test_deletions_that_are_read_late_still_reach_the_screen() -> None:
    session = FakeSession()
    session.found = (deletion("galaxy", Stage.QUEUED, machines=2),)
    session.told_gate.clear()
    app = console(session)
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.drift is not None)
        assert "submitted" not in screen_text(app)
        session.told_gate.set()
        await settle(pilot)
        assert "The deletion of 1 domain is submitted." in screen_text(app)
        assert "! submitted" in screen_text(app)
