"""Contain: what it shows, that rungs ask and are read back, that a brake is seen everywhere, and undoing."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Button

from console.app import ConsoleApp
from console.containing_state import ContainState, result_of, with_brake, with_look, without_look
from console.screens.confirm import ConfirmScreen
from console.screens.contain import ContainScreen
from console.screens.contain_questions import CallersScreen, FormScreen
from sync.brake import BrakeState
from sync.contain import Step
from sync.containment import Containment, Look
from sync.deletions import Stage
from sync.errors import GuardError, LedgerError
from sync.fence_check import FenceCheck, Fenced, Hold
from sync.model import Outcome
from sync.shield import Unshielded
from tests.screens.containments import (
    DELETIONS,
    FENCE,
    LAST_ADMIN,
    SHIELD,
    SURE,
    UNSURE,
    ContainSession,
    confirm,
    contain_console,
    look,
    open_contain,
    rest,
)
from tests.screens.driving import said, screen_text
from tests.screens.runs import until
from tests.screens.world import HOSTILE, NOW, Facts, deletion
from widgets.header import ConsoleHeader

Compare = Callable[..., bool]
SMALL, LARGE = (80, 24), (120, 40)
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])


def words_of(app: ConsoleApp) -> str:
    """What stands on the screen, as if it were one line without frames."""
    return " ".join(screen_text(app).replace("▌", " ").replace("│", " ").split())


def names(session: ContainSession) -> list[str]:
    return [name for name, _ in session.fake.calls]


def armed() -> ContainSession:
    return ContainSession(armed=True)


# --- what it shows ------------------------------------------------------------------------------------------


@SIZES
async def test_all_of_it_is_on_one_screen(size: tuple[int, int]) -> None:
    app = contain_console(armed())
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_contain(pilot)
        text, words = screen_text(app), words_of(app)
        assert "Being deleted now: ROOT/ci/aurora (3 VMs still alive). 2 more deletions submitted." in words
        assert "by ci-sync/ci-sync in ROOT, a root admin: 5 deletions in an hour, 3 not ended" in words
        for row in ("! being deleted", "» submitted", "ROOT/ci/boreal"):
            assert row in text
        assert re.findall(r"^▌ ([1-5] . [a-z ]+?)  ", text, re.MULTILINE) == [
            "1   stop the job itself",
            "2 f fence the caller",
            "3 b brake",
            "4 s shield",
            "5   the running deletion",
        ]
        assert "possible: ci-sync/ci-sync by apikeyaccess" in text
        assert "– No connection to CloudStack's database" in text
        assert "possible in 3 domains, 1 cannot" in text
        assert "only killing all management servers stops it" in text
        assert "systemctl stop ci-sync on ci1.example.org" in text, "the first rung can be read aloud at once"
        assert "then call +49 30 1234" in text


async def test_every_rung_says_what_it_does_not_stop_and_how_it_is_undone() -> None:
    app = contain_console(armed())
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_contain(pilot)
        for _ in range(5):
            words = words_of(app)
            assert "does NOT stop" in words and " undo " in words
            await pilot.press("down")
            await pilot.pause()
        await pilot.press("home", "down", "down")
        await pilot.pause()
        assert "NOT HERE No connection to CloudStack's database is configured" in words_of(app)


async def test_what_is_under_the_cursor_can_be_read_whole() -> None:
    app = contain_console(armed())
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        screen = await open_contain(pilot)
        await pilot.press("tab")
        assert app.focused is screen.deletions or app.focused is screen.ladder
        screen.set_focus(screen.deletions)
        await pilot.press("enter")
        await pilot.pause()
        words = words_of(app)
        assert "still alive aurora-vm-0 (Running), aurora-vm-1 (Running), aurora-vm-2 (Running)" in words
        assert "by ci-sync/ci-sync, on server ms1" in words
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, ContainScreen)


async def test_a_refused_attempt_is_shown_as_refused_and_nothing_rings(monkeypatch: Any) -> None:
    rings: list[str] = []
    monkeypatch.setattr("console.app.ConsoleApp.bell", lambda self: rings.append("bell"))
    session = armed()
    session.fake.now = look(DELETIONS[4], callers=())
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        text = screen_text(app)
        assert "Nothing is being deleted. 1 refused." in text
        assert "✓ refused" in text
        assert "nobody deletes, by the events and the jobs" in text
        assert rings == []


async def test_it_is_looked_at_again_at_the_inventorys_pace_while_the_screen_is_in_front() -> None:
    session = armed()
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        assert session.fake.looks == 1
        session.clock.advance(5)
        app.now = app.utc_clock()
        await rest(pilot)
        assert session.fake.looks == 1
        session.fake.now = look(deletion("aurora", Stage.ENDED))
        session.clock.advance(6)
        app.now = app.utc_clock()
        await rest(pilot)
        assert session.fake.looks == 2
        assert "Nothing is being deleted. 1 deleted." in screen_text(app)
        await pilot.press("escape")
        session.clock.advance(60)
        app.now = app.utc_clock()
        await rest(pilot)
        assert session.fake.looks == 2


async def test_names_from_outside_are_text() -> None:
    session = armed()
    session.fake.now = look(deletion(HOSTILE, machines=1), callers=(SURE,), notes=("[/x] is gone",))
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        screen = await open_contain(pilot)
        screen.set_focus(screen.deletions)
        await pilot.press("enter")
        await pilot.pause()
        assert HOSTILE in screen_text(app)


async def test_that_only_this_machine_records_it_is_said() -> None:
    session = armed()
    note = (
        "The environment's ledger cannot be used: it did not answer within 5 s. This is recorded in /x alone."
    )
    session.fake.now = look(*DELETIONS, notes=(note,))
    app = contain_console(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_contain(pilot)
        assert "! The environment's ledger cannot be used" in screen_text(app)


# --- read-only ----------------------------------------------------------------------------------------------


async def test_a_read_only_console_shows_all_of_it_and_takes_no_rung() -> None:
    session = ContainSession()
    app = contain_console(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_contain(pilot)
        assert not session.fake.is_armed
        text = screen_text(app)
        assert "read-only: A arms" in text
        assert "ROOT/ci/boreal" in text and "systemctl stop ci-sync" in text
        keys = text.splitlines()[-1]
        assert " fence" not in keys and " brake" not in keys and " shield" not in keys
        await pilot.press("f", "b", "s", "F", "L")
        await rest(pilot)
        assert isinstance(app.screen, ContainScreen)
        assert session.fake.calls == []


async def test_the_wall_opens_it_and_can_take_nothing() -> None:
    session = ContainSession()
    app = contain_console(session, start="watch")
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        assert "the wall only shows" in screen_text(app)
        await pilot.press("f", "b", "s", "A", "e")
        await rest(pilot)
        assert isinstance(app.screen, ContainScreen)
        assert session.fake.calls == [] and not session.is_armed


async def test_arming_arms_it_and_disarming_drops_the_client() -> None:
    session = ContainSession()
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        await pilot.press("A")
        await confirm(pilot)
        assert session.fake.was_armed == [True]
        assert "f fence" in screen_text(app).splitlines()[-1]
        await pilot.press("A")
        await rest(pilot)
        assert session.fake.was_armed == [True, False]
        assert " fence" not in screen_text(app).splitlines()[-1]


async def test_a_key_pressed_right_after_arming_waits_for_what_cloudstack_offers() -> None:
    session = ContainSession()
    session.fake.now = look(*DELETIONS, offered=False)
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        session.fake.look_gate.clear()
        await pilot.press("A")
        await until(pilot, lambda: bool(app.screen.query("#confirm-word")))
        await pilot.press(*"drill", "enter")
        await until(pilot, lambda: app.console_mode.armed)
        await pilot.press("f")
        await pilot.pause()
        assert "this goes on by itself" in said(app)
        assert not isinstance(app.screen, ConfirmScreen)
        session.fake.now = look(*DELETIONS)
        session.fake.look_gate.set()
        await confirm(pilot)
        assert names(session) == ["fence"]


async def test_without_the_ledger_containing_alone_can_be_armed_and_only_here() -> None:
    class NoLedger(ContainSession):
        def arm(self) -> None:
            raise LedgerError("The ledger cannot be opened.", next_step="Start its database.")

    session = NoLedger()
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, lambda: app.drift is not None)
        await pilot.press("A")
        await confirm(pilot)
        assert "READ-ONLY" in screen_text(app), "elsewhere nothing may be done without the ledger"
        await open_contain(pilot)
        await pilot.press("A")
        await confirm(pilot)
        assert "CONTAINING" in screen_text(app)
        assert not app.console_mode.armed
        await pilot.press("f")
        await confirm(pilot)
        assert names(session) == ["fence"]
        await pilot.press("A")
        await rest(pilot)
        assert "READ-ONLY" in screen_text(app)
        assert not session.fake.is_armed


@pytest.mark.parametrize("refusal", ["arm", "contain"])
async def test_another_server_than_the_pinned_one_is_not_contained(refusal: str) -> None:
    class Stranger(ContainSession):
        def arm(self) -> None:
            if refusal == "arm":
                raise GuardError("drill was pinned to another server.")
            raise LedgerError("The ledger cannot be opened.")

    session = Stranger()
    session.fake.refusal = GuardError("Another environment is that server.")
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        await pilot.press("A")
        await confirm(pilot)
        assert "READ-ONLY" in screen_text(app)
        assert not session.fake.is_armed


# --- fencing ------------------------------------------------------------------------------------------------


async def test_a_fence_is_asked_for_typed_and_its_outcome_shown() -> None:
    session = armed()
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        await pilot.press("f")
        await pilot.pause()
        question = app.screen
        assert isinstance(question, ConfirmScreen)
        assert isinstance(app.focused, Button) and app.focused.id == "confirm-cancel"
        assert "ci-sync/ci-sync in ROOT: by apikeyaccess" in words_of(app)
        assert "Does not stop: jobs that are already submitted" in words_of(app)
        await pilot.press("enter")
        await rest(pilot)
        assert session.fake.calls == [], "Cancel has the focus"

        session.fake.now = look(*DELETIONS, fences_standing=(FENCE,))
        await pilot.press("f")
        await confirm(pilot)
        assert session.fake.calls == [("fence", ("fence ci-sync/ci-sync in ROOT by apikeyaccess",))]
        text = screen_text(app)
        assert "✓ fence ci-sync/ci-sync in ROOT by apikeyaccess: done and read back." in text
        assert "✓ fenced: ci-sync/ci-sync" in text
        assert "FENCED" in text


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_fence_that_was_taken_away_is_an_alarm_and_f_fences_anew(size: tuple[int, int]) -> None:
    session = armed()
    session.fake.now = look(*DELETIONS, fences_standing=(FENCE,))
    app = contain_console(session)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_contain(pilot)
        assert "✓ fenced: ci-sync/ci-sync" in screen_text(app)
        gone = Fenced("u-sync", FENCE.target, NOW, Hold.GONE, "somebody took it away, the caller has access")
        session.fake.now = look(*DELETIONS, fences_standing=(FENCE,), fences=FenceCheck((gone,)))
        app.rungs.look()
        await rest(pilot)
        text = screen_text(app)
        assert "✗ fence GONE, ci-sync/ci-sync has access again" in text
        assert "ci-sync/ci-sync in ROOT, FENCE GONE" in text and "FENCED" not in text
        await pilot.press("f")
        await confirm(pilot)
        assert session.fake.calls == [("fence", ("fence ci-sync/ci-sync in ROOT by apikeyaccess",))]


async def test_a_fence_that_cannot_be_read_is_not_known_to_hold() -> None:
    session = armed()
    unread_fence = Fenced("u-sync", FENCE.target, NOW, Hold.UNKNOWN, "listUsers was refused.")
    session.fake.now = look(*DELETIONS, fences_standing=(FENCE,), fences=FenceCheck((unread_fence,)))
    app = contain_console(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_contain(pilot)
        text = screen_text(app)
        assert "fenced: ci-sync/ci-sync; whether it holds is NOT KNOWN" in text
        assert "FENCE NOT KNOWN" in text and "✓ fenced" not in text


async def test_the_word_of_another_environment_fences_nobody() -> None:
    session = ContainSession(armed=True, facts=Facts(name="production", title="PRODUCTION"))
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        await pilot.press("f")
        await confirm(pilot, "drill")
        assert isinstance(app.screen, ConfirmScreen)
        assert session.fake.calls == []
        await pilot.press("escape")


@pytest.mark.parametrize("callers", [(UNSURE,), (SURE, UNSURE), (SURE, LAST_ADMIN)])
async def test_where_it_is_not_certain_who_it_is_somebody_has_to_say(callers: tuple[Any, ...]) -> None:
    session = armed()
    session.fake.now = look(*DELETIONS, callers=callers)
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        await pilot.press("f")
        await pilot.pause()
        assert isinstance(app.screen, CallersScreen)
        chosen = {view.caller.user_id for view in callers if view is SURE}
        assert app.screen._list.chosen == chosen, "only whom events and jobs name alike is chosen"
        await pilot.press("enter")
        await pilot.pause()
        if not chosen:
            assert isinstance(app.screen, CallersScreen), "nobody chosen, nobody asked about"
            assert "Nobody is chosen, so nobody would be fenced: space chooses" in words_of(app)
            await pilot.press("space", "enter")
            await pilot.pause()
        await confirm(pilot)
        assert names(session) == ["fence"]


async def test_the_choice_says_why_it_asks_and_never_takes_who_must_not_be_fenced() -> None:
    session = armed()
    session.fake.now = look(*DELETIONS, callers=(UNSURE, LAST_ADMIN))
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        await pilot.press("f")
        await pilot.pause()
        assert "Only a job names this user" in words_of(app)
        await pilot.press("space", "down", "space")
        await pilot.pause()
        assert "It is the last enabled root admin." in words_of(app)
        await pilot.press("enter")
        await confirm(pilot)
        assert session.fake.calls == [("fence", ("fence ops/anna in ROOT by lockUser",))]


async def test_a_rung_that_is_not_possible_says_why() -> None:
    session = armed()
    why = "CloudStack 4.18 does not know deleteprotection."
    session.fake.now = look(*DELETIONS, callers=(LAST_ADMIN,), shield_why_not=why)
    app = contain_console(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_contain(pilot)
        await pilot.press("b", "f", "s")
        await rest(pilot)
        assert isinstance(app.screen, ContainScreen)
        told = said(app)
        assert "Not possible here: No connection to CloudStack's database is configured" in told
        assert "Not possible here: admin/admin in ROOT: It is the last enabled root admin." in told
        assert "fence the caller – admin/admin in ROOT: It is the last enabled root admin." in words_of(app)
        assert why in told
        assert session.fake.calls == []


async def test_a_drill_offers_no_brake_that_it_does_not_have_and_says_so() -> None:
    session = armed()
    why = "The drill has no CloudStack database whose lock could be held."
    session.fake.now = look(*DELETIONS, brake_why_not=why)
    app = contain_console(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_contain(pilot)
        await until(pilot, lambda: "f fence" in screen_text(app).splitlines()[-1])
        assert "b brake" not in screen_text(app).splitlines()[-1]
        await pilot.press("b")
        assert f"Not possible here: {why}" in said(app)
        assert isinstance(app.screen, ContainScreen)
        session.fake.now = look(*DELETIONS, brake_why_not="")
        app.rungs.look()
        await rest(pilot)
        assert "b brake" in screen_text(app).splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "words"),
    [("drill", "The drill has no CloudStack database"), ("lab", "write cloudstack_database =")],
)
def test_it_is_the_drill_that_has_no_database_for_the_brake(name: str, words: str) -> None:
    environment = SimpleNamespace(name=name, cloudstack_database=None)
    containment = Containment.__new__(Containment)
    containment.environment = environment  # type: ignore[assignment]
    assert words in containment._brake_why_not()


async def test_a_key_with_nothing_to_act_on_says_so_also_read_only() -> None:
    app = contain_console(ContainSession())
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_contain(pilot)
        for key, words in (("B", "No brake is held"), ("S", "Nothing is being sent.")):
            await pilot.press(key)
            assert words in said(app)


async def test_what_failed_or_is_unknown_is_never_said_to_be_done() -> None:
    session = armed()
    session.fake.outcome = Outcome.UNKNOWN
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        await pilot.press("f")
        await confirm(pilot)
        assert "✗ 1 not: fence ci-sync/ci-sync in ROOT by apikeyaccess is unknown. No." in words_of(app)


async def test_a_refusal_stands_on_the_screen() -> None:
    session = armed()
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        session.fake.refusal = GuardError("drill was pinned to another server.")
        await pilot.press("f")
        await confirm(pilot)
        assert session.fake.calls == []
        assert "drill was pinned to another server" in said(app)


# --- shields ------------------------------------------------------------------------------------------------


async def test_a_fault_in_the_middle_of_a_rung_never_says_that_nothing_was_changed() -> None:
    session = with_database()
    session.fake.breakage = KeyError("apikeyaccess")
    app = contain_console(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_contain(pilot)
        for key, doing in (("f", "fencing"), ("s", "shielding"), ("b", "braking")):
            app.clear_notifications()
            await pilot.press(key)
            await confirm(pilot)
            told = said(app)
            assert f"abreast failed while {doing}: KeyError at " in told
            assert "something may have been changed" in told and "nothing was changed" not in told


async def test_shields_show_their_progress_and_are_counted() -> None:
    session = armed()
    session.fake.gate.clear()
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        await pilot.press("s")
        await until(pilot, lambda: bool(app.screen.query("#confirm-word")))
        assert "Delete protection on one VM in each of 3 domains" in words_of(app)
        await pilot.press(*"drill", "enter")
        await until(pilot, lambda: "▶ shielding 0/3…" in screen_text(app))
        await pilot.press("f")
        await confirm_or_wait(pilot)
        assert names(session) == ["shield"], "one rung at a time"
        session.fake.gate.set()
        await rest(pilot)
        assert "✓ 3 done, each read back." in screen_text(app)


async def confirm_or_wait(pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: bool(pilot.app.screen.query("#confirm-word")))
    await pilot.press(*"drill", "enter")
    await pilot.pause()


async def test_a_lost_shield_is_an_alarm_and_those_that_stand_can_be_lifted() -> None:
    session = armed()
    lost = (Unshielded("ROOT/ci/ember", "somebody lifted it from ember-vm-1"),)
    session.fake.now = look(*DELETIONS, shields_standing=(SHIELD,), shields_lost=lost)
    app = contain_console(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_contain(pilot)
        assert "✗ 1 shield LOST: ROOT/ci/ember, somebody lifted it from ember-vm-1" in screen_text(app)
        await pilot.press("L")
        await confirm(pilot)
        assert session.fake.calls == [("lift shields", (f"lift {SHIELD.action}",))]


# --- while CloudStack is silent -----------------------------------------------------------------------------

UNREAD = "the connection was refused. Check that the server runs."


def unread(**named: Any) -> Look:
    """A look that CloudStack did not answer."""
    found = look(callers=(), **named)
    return replace(found, situation=replace(found.situation, problems=(UNREAD,), is_unread=True))


async def test_what_an_earlier_look_told_is_told_in_the_past_while_cloudstack_is_silent() -> None:
    session = armed()
    app = contain_console(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_contain(pilot)
        silent = Fenced("u-sync", FENCE.target, NOW, Hold.UNKNOWN, "CloudStack could not be read.")
        session.fake.now = unread(fences_standing=(FENCE,), fences=FenceCheck((silent,)))
        app.rungs.look()
        await rest(pilot)
        words = words_of(app)
        when = "When CloudStack was last read, at 03:12:44 UTC, "
        assert f"{when}this was being deleted: ROOT/ci/aurora (3 VMs still alive)." in words
        assert "2 more deletions were submitted." in words
        assert "last read 0 s ago" in words and f"! {UNREAD}" in words
        assert "what was deleted: 5" in words
        assert "! was under way" in words and "» was submitted" in words and "was untouched" in words
        assert "3 had not ended" in words and "whether it goes on is not known" in words
        assert "fenced: ci-sync/ci-sync" in words, "what this console did meanwhile is of now"
        assert "being deleted now" not in words.replace("being deleted now: kill", "")
        session.fake.now = look(*DELETIONS)
        app.rungs.look()
        await rest(pilot)
        assert "Being deleted now: ROOT/ci/aurora" in words_of(app) and UNREAD not in words_of(app)


async def test_a_first_look_at_a_silent_cloudstack_says_that_nothing_is_known() -> None:
    session = armed()
    session.fake.now = unread()
    app = contain_console(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await until(pilot, lambda: app.drift is not None)
        app.situation = None
        await pilot.press("exclamation_mark")
        await until(pilot, lambda: app.containing is not None and app.containing.look is not None)
        await rest(pilot)
        words = words_of(app)
        assert "CloudStack could not be read: whether anything is being deleted is not known." in words
        assert "Not known: CloudStack could not be read." in words
        assert "who deletes is not known" in words
        for wrong in ("Nothing is being deleted.", "nobody deletes", "Nothing: no event"):
            assert wrong not in words


def test_the_last_situation_known_otherwise_stands_in_for_a_first_look_that_told_nothing() -> None:
    known = look(*DELETIONS).situation
    state = with_look(ContainState(), unread(), known)
    assert state.look is not None and state.look.situation is known
    assert (state.is_past, state.problem) == (True, UNREAD)
    assert without_look(state, "No route to host.").is_past
    assert not without_look(ContainState(), "No route to host.").is_past


# --- lifting a fence ----------------------------------------------------------------------------------------


async def test_a_fence_is_lifted_with_a_reason_after_a_reading() -> None:
    session = armed()
    session.fake.now = look(*DELETIONS, fences_standing=(FENCE,))
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        assert not app.screen.query("#second"), "the stored ids are alive: one person may"
        await pilot.press(*"sync mended", "enter")
        await confirm(pilot)
        assert session.fake.calls == [
            ("reason", ("sync mended", "", "")),
            ("lift fences", (f"lift {FENCE.action}",)),
        ]


async def test_while_stored_ids_are_gone_it_takes_a_second_name_that_is_not_ones_own() -> None:
    session = armed()
    session.why_keep = "The CI database stores domain ids that CloudStack does not have any more: aurora."
    session.fake.now = look(*DELETIONS, fences_standing=(FENCE,))
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await until(pilot, lambda: "stores domain ids that CloudStack" in words_of(app))
        await pilot.press(*"mended", "enter")
        for own in (("night", "at", "console"), ("Night",), ("NIGHT", "at", "elsewhere")):
            keys = [key for word in own for key in ([word] if word == "at" else word)]
            await pilot.press("ctrl+u", *keys, "enter")
            await pilot.pause()
            assert isinstance(app.screen, FormScreen), "a refusal keeps the box, the reason and the keys"
            assert "somebody else's" in screen_text(app)
            assert session.fake.calls == []
        await pilot.press("ctrl+u", *"bea", "enter")
        await pilot.pause()
        await confirm(pilot)
        assert ("reason", ("mended", session.why_keep, "bea")) in session.fake.calls


async def test_leaving_the_form_lifts_nothing() -> None:
    session = armed()
    session.fake.now = look(*DELETIONS, fences_standing=(FENCE,))
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        await pilot.press("F")
        await until(pilot, lambda: isinstance(app.screen, FormScreen))
        await pilot.press("escape")
        await rest(pilot)
        assert isinstance(app.screen, ContainScreen)
        assert session.fake.calls == []


# --- the brake ----------------------------------------------------------------------------------------------


async def held(pilot: Pilot[Any], session: ContainSession) -> None:
    """Take the brake, and let it be held."""
    await open_contain(pilot)
    await pilot.press("b")
    await confirm(pilot)
    assert "BRAKE WAITING" in screen_text(pilot.app)  # type: ignore[arg-type]
    session.fake.brakes_made[-1].tell(BrakeState.HELD, "The lock DomainCleanup is held.")
    await rest(pilot)


def with_database() -> ContainSession:
    session = armed()
    session.fake.now = look(*DELETIONS, brake_why_not="")
    return session


async def test_a_brake_is_seen_on_every_screen_until_it_is_released_at_one_key() -> None:
    session = with_database()
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await held(pilot, session)
        assert session.fake.calls == [("brake", "4.23.0")]
        assert "✓ HELD since 03:12:44: DomainCleanup" in screen_text(app)
        await pilot.press("escape")
        await pilot.pause()
        assert "BRAKE HELD" in screen_text(app).splitlines()[0]
        await pilot.press("exclamation_mark")
        await rest(pilot)
        assert "B release brake" in screen_text(app)
        await pilot.press("B")
        await rest(pilot)
        assert names(session) == ["brake", "release"]
        assert "BRAKE" not in screen_text(app).splitlines()[0]
        assert "possible: saves what is queued" in screen_text(app)


async def test_its_loss_rings_wherever_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    rings: list[str] = []
    monkeypatch.setattr("console.app.ConsoleApp.bell", lambda self: rings.append("bell"))
    session = with_database()
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await held(pilot, session)
        await pilot.press("escape")
        session.fake.brakes_made[-1].tell(BrakeState.LOST, "THE BRAKE IS LOST. Its session was ended.")
        await rest(pilot)
        assert rings == ["bell"]
        assert "BRAKE LOST" in screen_text(app).splitlines()[0]
        assert "THE BRAKE IS LOST" in said(app)
        header = app.screen.query_one(ConsoleHeader)
        assert ("banner--text") in [tone for _, tone in header.lines(80)[0]]


async def test_a_second_brake_is_given_back_together_with_the_first() -> None:
    session = with_database()
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        for _ in range(2):
            assert app.rungs.brake("4.23.0")
            await rest(pilot)
        assert len(session.fake.brakes_made) == 2
        app.rungs.release()
        await rest(pilot)
        assert session.fake.calls.count(("release", ())) == 2


async def test_a_database_that_refuses_is_said_to_refuse_and_not_to_wait(monkeypatch: Any) -> None:
    session = with_database()
    app = contain_console(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await held(pilot, session)
        session.fake.brakes_made[-1].tell(BrakeState.REFUSED, "CloudStack's database refuses: (1045).")
        await rest(pilot)
        text = screen_text(app)
        assert "NOT HELD. CloudStack's database refuses: (1045)." in text and "BRAKE REFUSED" in text
        assert "waiting since" not in text
        assert not any("brake" in line for line in app.what_quitting_ends())


async def test_quitting_asks_while_it_is_held_and_gives_it_back() -> None:
    session = with_database()
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await held(pilot, session)
        await pilot.press("q")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        assert "The brake is held: DomainCleanup." in words_of(app)
        await pilot.press("escape", "q", *"quit", "enter")
        await pilot.pause()
    assert names(session) == ["brake", "release"]
    assert session.fake.is_closed


async def test_disarming_keeps_the_brake_and_its_release() -> None:
    session = with_database()
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await held(pilot, session)
        await pilot.press("A")
        await rest(pilot)
        assert "BRAKE HELD" in screen_text(app)
        await pilot.press("B")
        await rest(pilot)
        assert names(session) == ["brake", "release"]


async def test_a_console_that_looked_and_holds_nothing_quits_at_once() -> None:
    session = armed()
    app = contain_console(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_contain(pilot)
        await pilot.press("q")
        await pilot.pause()
        assert not isinstance(app.screen, ConfirmScreen)
    assert session.fake.is_closed


def test_the_worst_of_several_brakes_speaks() -> None:
    state = ContainState()
    assert state.brake_mark == ("", False)
    for lock, now, mark in (
        ("DomainCleanup", BrakeState.HELD, ("BRAKE HELD", False)),
        ("AccountCleanup", BrakeState.WAITING, ("BRAKE WAITING", False)),
        ("AccountCleanup", BrakeState.REFUSED, ("BRAKE REFUSED", True)),
        ("DomainCleanup", BrakeState.LOST, ("BRAKE LOST", True)),
        ("AccountCleanup", BrakeState.HELD, ("BRAKE LOST", True)),
        ("DomainCleanup", BrakeState.RELEASED, ("BRAKE HELD", False)),
        ("AccountCleanup", BrakeState.RELEASED, ("", False)),
    ):
        state = with_brake(state, lock, now, text="", at=NOW)
        assert state.brake_mark == mark
    assert [brake.losses for brake in state.brakes] == [1, 0]


def test_a_way_that_failed_before_one_that_held_is_no_failure() -> None:
    steps = (
        Step("fence a/b in ROOT by apikeyaccess", Outcome.FAILED, "432", target="u-1"),
        Step("fence a/b in ROOT by lockUser", Outcome.SUCCEEDED, target="u-1"),
    )
    assert result_of(steps) == ("fence a/b in ROOT by lockUser: done and read back.", True)
    assert result_of(steps[:1])[1] is False
    lifted = tuple(replace(step, action=f"lift {step.action}", target="") for step in steps)
    assert result_of(lifted)[1] is False, "each fence is lifted for itself"
    both = (*steps, Step("fence a/c by d in ROOT by lockUser", Outcome.FAILED, "432", target="u-2"))
    assert result_of(both)[1] is False


# --- evidence -----------------------------------------------------------------------------------------------


async def test_the_evidence_is_saved_at_one_key_also_read_only(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    facts = Facts(credential_file=folder / "new-passwords.jsonl")
    app = contain_console(ContainSession(facts=facts))
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_contain(pilot)
        await pilot.press("e")
        await rest(pilot)
        (path,) = folder.glob("drill-evidence-*.json")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_ISREG(path.stat().st_mode)
        told = f"{path} (listEvents 12 rows, listAsyncJobs 3 rows)"
        # Wherever the lines end: the folder's name may be long.
        assert told.replace(" ", "") in words_of(app).replace(" ", "")


async def test_what_came_of_two_steps_pushes_nothing_off_a_small_screen(tmp_path: Path) -> None:
    folder = tmp_path / ("a-long-name-" * 4)
    app = contain_console(ContainSession(armed=True, facts=Facts(credential_file=folder / "new.jsonl")))
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        screen = await open_contain(pilot)
        await pilot.press("e")
        await rest(pilot)
        await pilot.press("f")
        await confirm(pilot)
        await rest(pilot)
        app.clear_notifications()
        await pilot.pause()
        (path,) = folder.glob("drill-evidence-*.json")
        text = screen_text(app)
        assert str(path) in "".join(text.replace("▌", "").split())
        assert "✓ fence ci-sync/ci-sync in ROOT by apikeyaccess" in text
        assert screen.max_scroll_y == 0
        assert " CONTAIN  each step asks first" in text and "5   the running deletion" in text


# --- pictures -----------------------------------------------------------------------------------------------


@SIZES
def test_contain(snap_compare: Compare, size: tuple[int, int]) -> None:
    """What is deleted by name, who, and the five rungs; the runbook's text below, ready to be read aloud."""
    assert snap_compare(contain_console(armed()), terminal_size=size, run_before=opened)


async def opened(pilot: Pilot[Any]) -> None:
    await open_contain(pilot)


def test_contain_read_only(snap_compare: Compare) -> None:
    """The same, with no key of a rung, and what to press to get them."""
    assert snap_compare(contain_console(), terminal_size=SMALL, run_before=opened)


def test_contain_with_fence_and_brake(snap_compare: Compare) -> None:
    """FENCED, BRAKE HELD in the header, both rungs with their sign."""
    session = with_database()

    async def take(pilot: Pilot[Any]) -> None:
        session.fake.now = look(*DELETIONS, brake_why_not="", fences_standing=(FENCE,))
        await held(pilot, session)
        pilot.app.clear_notifications()
        await pilot.press("down")
        await pilot.pause()

    assert snap_compare(contain_console(session), terminal_size=LARGE, run_before=take)


def test_who_is_to_be_fenced(snap_compare: Compare) -> None:
    """Two callers, one of them not certain: it says why somebody has to choose."""
    session = armed()
    session.fake.now = look(*DELETIONS, callers=(SURE, UNSURE, LAST_ADMIN))

    async def ask(pilot: Pilot[Any]) -> None:
        await open_contain(pilot)
        await pilot.press("f", "down")
        await pilot.pause()

    assert snap_compare(contain_console(session), terminal_size=SMALL, run_before=ask)


def test_the_question_before_a_fence(snap_compare: Compare) -> None:
    """By which way, what it does not stop, how it is undone; Cancel has the focus."""

    async def ask(pilot: Pilot[Any]) -> None:
        await open_contain(pilot)
        await pilot.press("f")
        await pilot.pause()

    assert snap_compare(contain_console(armed()), terminal_size=SMALL, run_before=ask)
