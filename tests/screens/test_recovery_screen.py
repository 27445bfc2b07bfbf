"""Recovery: what it offers and when, and that a rebuild is confirmed, followed, proven and handed over."""

from __future__ import annotations

import csv
import socket
import stat
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from console.app import ConsoleApp
from console.recovery_steps import Step
from console.screens import recovery
from console.screens.confirm import ConfirmScreen
from console.screens.recovery import RecoveryScreen
from sync.errors import LedgerError, RefusedError
from sync.executor import Confirmation
from sync.ledger import Ledger, RunState
from sync.model import Coverage, CoverageState, Outcome, Plan, Project, Shrinkage
from sync.plan import to_json
from tests.executions import execution
from tests.fake_cloudstack import Fault, Limits, plan, project
from tests.screens import recoveries
from tests.screens.driving import read_again, said, screen_text
from tests.screens.recoveries import (
    DamagedSession,
    answer,
    console_on,
    open_recovery,
    rest,
    run_ends,
    start_rebuild,
)
from tests.screens.runs import until
from tests.screens.world import COMPLETE, NOW, Facts
from tests.signing import Signers
from widgets.confirm import TypedConfirm

ALL = 23
"""Actions that everything needs."""
CREATIONS = {"createDomain", "createAccount", "createUser", "updateResourceLimit", "updateDomain"}

Compare = Callable[..., bool]
SMALL, LARGE = (80, 24), (120, 40)
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "120x40"])


def started_with(session: DamagedSession) -> dict[str, Any]:
    """The first entry of a run of something else than this console's."""
    create = project("cirrus", "anna")[0]
    return {
        "plan": to_json(plan(create, now=session.clock())),
        "policy": "rebuild",
        "confirmed": {"by": "anna@desk"},
    }


def screen_of(app: ConsoleApp) -> RecoveryScreen:
    assert isinstance(app.screen, RecoveryScreen)
    return app.screen


def words_of(app: ConsoleApp) -> str:
    """What stands on the screen, as if it were one line."""
    return " ".join(screen_text(app).replace("▌", " ").split())


def commands_sent(session: DamagedSession) -> list[str]:
    return [command for command, _ in session.cloud.log]


# --- assess -------------------------------------------------------------------------------------------------


async def test_the_first_screen_says_what_was_found_and_which_key_is_next(tmp_path: Path) -> None:
    app = console_on(DamagedSession(tmp_path))
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        text = screen_text(app)
        assert "5 to rebuild: 1 dying, 1 hollow, 3 missing; 5 VMs lost" in text
        assert "A arms the console; x then asks about 5 projects." in words_of(app)
        for step in Step:
            assert step.value in text
        assert "Nothing is deleted." in text


async def test_a_read_only_console_has_no_rebuild(tmp_path: Path) -> None:
    app = console_on(DamagedSession(tmp_path))
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        assert " rebuild " not in screen_text(app).splitlines()[-1]
        await pilot.press("x")
        await rest(pilot)
        assert isinstance(app.screen, RecoveryScreen)
        assert app.run_state is None
        assert "rebuild: not while the console is read-only. A arms it." in said(app)


async def test_a_console_without_write_credentials_says_so(tmp_path: Path) -> None:
    app = console_on(DamagedSession(tmp_path, can_arm=False))
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        assert "the configuration names no section as `write`" in words_of(app)


async def test_one_a_group_and_all_are_chosen_and_left_out(tmp_path: Path) -> None:
    app = console_on(DamagedSession(tmp_path, armed=True))
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        screen = screen_of(app)
        names = [finding.name for finding in screen.chosen]
        assert names == ["aurora", "boreal", "cirrus", "dorado", "ember"]
        await pilot.press("space")
        assert [finding.name for finding in screen.chosen] == names[1:]
        assert "x rebuild 4" in screen_text(app)
        screen.findings.move_to("group missing")
        await pilot.press("space")
        assert [finding.name for finding in screen.chosen] == ["boreal"]
        await pilot.press("a")
        assert [finding.name for finding in screen.chosen] == names
        await pilot.press("a")
        assert not screen.chosen
        assert "rebuild 0" not in screen_text(app)
        screen.findings.move_to("zephyr")
        await pilot.press("space")
        assert not screen.chosen, "what has no repair cannot be chosen"


async def test_the_choice_outlives_a_new_reading(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    app = console_on(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        screen_of(app).findings.move_to("cirrus")
        await pilot.press("space")
        session.cloud.add_project("dorado")
        session.clock.advance(60)
        app.refresher.supersede()
        await rest(pilot)
        found = {finding.name: finding.kind.value for finding in screen_of(app).chosen}
        assert found == {"aurora": "deleting", "boreal": "hollow", "dorado": "hollow", "ember": "missing"}


async def test_nothing_is_offered_from_readings_that_are_not_complete(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    session.actual_coverage = Coverage(CoverageState.PARTIAL, why="listDomains gave 3 of 4.")
    app = console_on(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        text = words_of(app)
        assert "not known. CloudStack: partial. listDomains gave 3 of 4." in text
        assert "r reads both sides again." in text
        await pilot.press("x")
        await rest(pilot)
        assert not app.screen.query("#confirm-word")
        assert not session.cloud.log


async def test_names_from_outside_are_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = Project("p[red]q", members=recoveries.PROJECTS[0].members, quotas={})
    monkeypatch.setattr(recoveries, "PROJECTS", (*recoveries.PROJECTS, hostile))
    session = DamagedSession(tmp_path, armed=True)
    session.cloud.faults = [Fault("createDomain", RefusedError("No [/x] for you."), about="p[red]q", times=9)]
    app = console_on(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        await pilot.press("a")
        screen_of(app).findings.move_to("p[red]q")
        await pilot.press("space")
        assert "p[red]q" in screen_text(app)
        await start_rebuild(pilot, 3)
        await run_ends(pilot)
        screen_of(app)._viewed = Step.REBUILD
        screen_of(app).show()
        await pilot.pause()
        assert "No [/x] for you." in screen_text(app)


# --- rebuild ------------------------------------------------------------------------------------------------


async def test_cancel_has_the_focus_and_sends_nothing(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    app = console_on(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert app.focused is not None and app.focused.id == "confirm-cancel"
        text = screen_text(app)
        assert "4 × create domain" in text and "1 × rename domain" in text
        assert f"Type {ALL} to confirm." in text
        await pilot.press("shift+tab", *str(ALL - 1), "enter")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen), "a wrong number confirms nothing"
        await pilot.press("escape")
        await rest(pilot)
        assert app.run_state is None
        assert not session.cloud.log
        assert not session.ledger.runs()


async def test_neither_an_older_refusal_nor_an_assessment_that_breaks_answers_for_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, plan_for = threading.Event(), recovery.plan_for

    def slow(*arguments: Any, **named: Any) -> Plan:
        gate.wait(60)
        return plan_for(*arguments, **named)

    monkeypatch.setattr(recovery, "plan_for", slow)
    app = console_on(DamagedSession(tmp_path, armed=True))
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        screen = screen_of(app)
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        screen.post_message(RecoveryScreen.Refused(0, LedgerError("An older plan was refused.")))
        screen.post_message(RecoveryScreen.NotAssessed(screen._assessing, LedgerError("It broke.")))
        await until(pilot, lambda: "It broke." in said(app))
        assert "There is no plan." not in screen_text(app)
        assert "An older plan" not in said(app)
        gate.set()
        await until(pilot, lambda: f"Type {ALL} to confirm." in screen_text(app))


async def test_approvals_are_told_to_be_missing_before_anything_is_asked(tmp_path: Path) -> None:
    signers = Signers(tmp_path)
    for name in ("alice", "night"):
        signers.allow(f"{name}@example.org", name)
    session = DamagedSession(tmp_path, armed=True, facts=Facts(approvals=signers.rules()))
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        await pilot.press("x")
        await rest(pilot)
        text = " ".join(screen_text(app).split())
        assert "There is no plan." in text
        assert "Missing: 1 of alice@example.org" in text
        assert "p there has it signed" in text, screen_text(app)
        assert not [one for one in app.screen.query(TypedConfirm) if one.expected]
        assert session.cloud.log == []


async def test_all_is_rebuilt_proven_and_handed_over(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    (dying,) = {vm.domain_id for vm in session.cloud.vms if vm.account == "aurora"}
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await run_ends(pilot)
        assert set(commands_sent(session)) == CREATIONS
        assert app.run_state is not None and app.aftermath is not None
        assert {result.outcome for result in app.run_state.results.values()} == {Outcome.SUCCEEDED}
        proof = app.aftermath.proof
        assert proof is not None and (proof.unproven, proof.repairable) == ("", ())
        assert proof.untouched == ("zephyr",)
        assert {stale.project for stale in proof.stale_ids} == {"aurora", "cirrus", "dorado", "ember"}
        text = screen_text(app)
        assert f"{ALL} of {ALL} actions succeeded" in text
        assert "nothing of it is left to repair; 5 machines without a VM" in text
        assert "▶ 6 Re-link   4 stored ids of domains that are gone" in text
        await pilot.press("7")
        await pilot.pause()
        text = screen_text(app)
        assert "Practice: all of it goes when the drill ends." in words_of(app)
        assert str(tmp_path / "new-passwords.jsonl") in text.replace("\n", "")
        as_csv, as_json = map(Path, app.aftermath.files)
        assert as_csv.name == f"identity-map-{app.run_state.run_id}.csv"
        assert as_json.exists()
        with as_csv.open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["what"] == "domain"]
        ids = {domain.name: domain.id for domain in session.cloud.domains.values()}
        assert {(row["project"], row["old_id"], row["new_id"]) for row in rows} == {
            ("aurora", "old-aurora", ids["aurora"]),
            ("aurora", dying, ids["aurora"]),
            ("cirrus", "old-cirrus", ids["cirrus"]),
            ("dorado", "old-dorado", ids["dorado"]),
            ("ember", "old-ember", ids["ember"]),
        }, "aurora has two old ids: that which is stored, and that of the domain which was renamed"
        assert app.aftermath.new_ids["domain"] == 4
        assert [Path(path).name for path in app.aftermath.relinks] == [
            "relink-drill.csv",
            "relink-drill.sql",
        ]
        sql = Path(app.aftermath.relinks[1]).read_text()
        assert f"SET domain_id = '{ids['cirrus']}' WHERE name = 'cirrus'" in sql
        assert stat.S_IMODE(session.vault.path.stat().st_mode) == 0o600
        assert app.aftermath.passwords == len(session.cloud.passwords) == 13
        await pilot.press("5")
        assert "Unexpected before and untouched: zephyr." in screen_text(app)


async def test_the_ids_to_store_are_those_of_the_newest_reading(tmp_path: Path) -> None:
    """The owner has run what an earlier rebuild wrote: its files name domains that are gone since."""
    session = DamagedSession(tmp_path, armed=True)
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await run_ends(pilot)
        ids = {domain.name: domain.id for domain in session.cloud.domains.values()}
        session.stored = {"aurora": ids["aurora"], "cirrus": "of-the-first-wave"}
        await pilot.press("r")
        await rest(pilot)
        assert app.aftermath is not None and app.aftermath.proof is not None
        stale = {one.project: (one.stored, one.current) for one in app.aftermath.proof.stale_ids}
        assert stale == {
            "cirrus": ("of-the-first-wave", ids["cirrus"]),
            "dorado": ("old-dorado", ids["dorado"]),
            "ember": ("old-ember", ids["ember"]),
        }
        assert [Path(path).name for path in app.aftermath.relinks] == ["relink-drill.csv", "relink-drill.sql"]
        sql = Path(app.aftermath.relinks[1]).read_text()
        now = ids["cirrus"]
        wanted = f"SET domain_id = '{now}' WHERE name = 'cirrus' AND domain_id = 'of-the-first-wave'"
        assert wanted in sql and "aurora" not in sql and "old-cirrus" not in sql
        session.stored = {name: ids[name] for name in ("aurora", "cirrus", "dorado", "ember")}
        await pilot.press("r")
        await rest(pilot)
        assert app.aftermath is not None and app.aftermath.proof is not None
        assert (app.aftermath.proof.stale_ids, app.aftermath.relinks) == ((), ())


async def test_some_are_rebuilt_and_the_rest_is_left_alone(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        await pilot.press("a")
        screen_of(app).findings.move_to("dorado")
        await pilot.press("space")
        await start_rebuild(pilot, 4)
        await run_ends(pilot)
        assert [one["name"] for one in session.cloud.sent("createDomain")] == ["dorado"]
        text = screen_text(app)
        assert "nothing of it is left to repair; 4 left out" in text
        assert "4 to rebuild: 1 dying, 1 hollow, 2 missing" in text


async def test_leaving_the_screen_changes_nothing_of_the_run(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    session.hold_after = 4
    app = console_on(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await until(pilot, lambda: len(session.cloud.log) == 4)
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, RecoveryScreen)
        session.door.set()
        await run_ends(pilot)
        assert app.aftermath is not None and len(app.aftermath.files) == 2
        await pilot.press("R")
        await rest(pilot)
        assert "saved: " in screen_text(app)


async def test_a_failure_stays_in_sight_and_can_be_tried_again(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    session.cloud.faults = [
        Fault("createAccount", RefusedError("The management server said no."), about="ember", times=2)
    ]
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await run_ends(pilot)
        assert "1 project can still be repaired" in screen_text(app)
        await pilot.press("3")
        text = screen_text(app)
        assert "1 failed" in text and "The management server said no." in text
        await pilot.press("n")
        assert "The management server said no." in screen_text(app)
        await pilot.press("2")
        assert [finding.name for finding in screen_of(app).chosen] == ["ember"]
        await start_rebuild(pilot, 4)
        await run_ends(pilot)
        assert app.aftermath is not None and app.aftermath.proof is not None
        assert not app.aftermath.proof.unproven and not app.aftermath.proof.repairable
        assert len(list(tmp_path.glob("identity-map-*.csv"))) == 2, "no map is written over another"


async def test_the_reason_of_a_failure_is_whole_below_a_banner_on_a_small_screen(tmp_path: Path) -> None:
    """The list of failures gives way: a reason that is cut in its line stands below it, or nowhere."""
    session = DamagedSession(tmp_path, armed=True)
    reason = "CloudStack refused createAccount with 530: the management server has no room for one more."
    session.cloud.faults = [
        Fault("createAccount", RefusedError(reason), about=name, times=2) for name in ("ember", "cirrus")
    ]
    app = console_on(session)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await run_ends(pilot)
        session.actual_coverage = replace(
            session.actual_coverage, why="Why.", shrunk=(Shrinkage("domains", 3, 9, NOW, ()),)
        )
        await pilot.press("r")
        await rest(pilot)
        await pilot.press("3", "n")
        await pilot.pause()
        assert "has SHRUNK" in words_of(app)
        assert reason in words_of(app)


async def test_what_a_rebuild_left_half_made_is_named_counted_and_taken_up_again(tmp_path: Path) -> None:
    """Its domain and account are there: it merely differs, and is not done."""
    session = DamagedSession(tmp_path, armed=True)
    refusal = RefusedError("The management server said no.")
    (boreal,) = (one.id for one in session.cloud.domains.values() if one.name == "boreal")
    session.cloud.faults = [Fault("updateResourceLimit", refusal, about=boreal, times=2)]
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await run_ends(pilot)
        text = screen_text(app)
        assert "2 Assess    1 to rebuild: 1 half-made" in text
        assert "5 Verify    1 project can still be repaired" in text
        await pilot.press("2")
        assert "half-made" in screen_text(app) and "a rebuild began it and was cut off" in screen_text(app)
        assert [finding.name for finding in screen_of(app).chosen] == ["boreal"]
        await start_rebuild(pilot, 1)
        await run_ends(pilot)
        assert app.aftermath is not None and app.aftermath.proof is not None
        assert not app.aftermath.proof.repairable
        assert "half-made" not in screen_text(app)


async def test_what_a_stopped_run_left_half_made_is_told_by_the_next_console(tmp_path: Path) -> None:
    first = DamagedSession(tmp_path, armed=True)
    first.hold_after = ALL - 1
    app = console_on(first)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await until(pilot, lambda: len(first.cloud.log) == ALL - 1 and first.cloud.in_flight == 1)
        # The last action is refused where it waits, and the run ends with it.
        first.cloud.faults = [Fault("updateResourceLimit", RefusedError("It is going down."), times=5)]
        app.operations.stop()
        first.door.set()
        await run_ends(pilot)
    second = DamagedSession(tmp_path)
    second.cloud, second.is_deleting = first.cloud, False
    again = console_on(second)
    async with again.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        text = words_of(again)
        assert "1 to rebuild: 1 half-made" in text and "Nothing gets worse" not in text
        # Where the ledger cannot be read any more, what was known stays.
        second.ledger.close()
        await read_again(pilot)
        assert "1 to rebuild: 1 half-made" in words_of(again)


@SIZES
async def test_enter_on_a_failure_opens_all_that_came_of_it(tmp_path: Path, size: tuple[int, int]) -> None:
    session = DamagedSession(tmp_path, armed=True)
    reason = "CloudStack refused createAccount with 530: " + "the server has no room. " * 20 + "THE END"
    session.cloud.faults = [Fault("createAccount", RefusedError(reason), about="ember", times=2)]
    app = console_on(session)
    async with app.run_test(size=size, notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await run_ends(pilot)
        await pilot.press("3", "n")
        await pilot.pause()
        text = screen_text(app)
        assert "THE END" not in text and "…" in text and "enter open" in text
        await pilot.press("enter")
        await pilot.pause()
        page = words_of(app)
        assert " ".join(reason.split()) in page and "create account ROOT/ci/ember" in page
        await pilot.press("escape")
        assert isinstance(app.screen, RecoveryScreen)


async def test_stopping_ends_the_run_after_the_call_and_resuming_asks_anew(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    session.hold_after = 6
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await until(pilot, lambda: len(session.cloud.log) == 6 and session.cloud.in_flight == 1)
        await pilot.press("S")
        await until(pilot, lambda: "stopping" in screen_text(app))
        session.door.set()
        await run_ends(pilot)
        assert len(session.cloud.log) == 7, "the call that was under way is ended, no other is sent"
        await until(pilot, lambda: app.ledger_run is not None and app.ledger_run.can_be_finished)
        await rest(pilot)
        text = screen_text(app)
        assert "not finished: the operator stopped the execution" in text
        assert f"7/{ALL}" in text, "what did not run is not done"
        assert " c finishes it, after asking." in text
        await pilot.press("c")
        await answer(pilot, str(ALL - 7))
        await run_ends(pilot)
        assert app.aftermath is not None and app.aftermath.proof is not None
        assert not app.aftermath.proof.unproven and not app.aftermath.proof.repairable
        assert len(session.cloud.log) == ALL, "nothing twice"
        assert len(session.ledger.runs()) == 1
        assert app.ledger_run is not None and app.ledger_run.is_over


async def test_a_run_that_an_earlier_console_left_is_announced_and_finished(tmp_path: Path) -> None:
    first = DamagedSession(tmp_path, armed=True)
    first.hold_after = 3
    app = console_on(first)
    async with app.run_test(size=SMALL, notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await until(pilot, lambda: len(first.cloud.log) == 3)
        app.operations.stop()
        first.door.set()
        await run_ends(pilot)
    (run,) = first.ledger.runs()
    assert run.state is RunState.STOPPED
    second = DamagedSession(tmp_path, armed=True)
    second.cloud = first.cloud
    again = console_on(second)
    async with again.run_test(size=SMALL, notifications=True) as pilot:
        await until(pilot, lambda: again.ledger_run is not None)
        assert f"Run {run.run_id} by {run.operator} was stopped before its end." in said(again)
        again.clear_notifications()
        await open_recovery(pilot)
        text = words_of(again)
        assert f"Run {run.run_id} by {run.operator} was stopped before its end. c finishes it" in text
        await pilot.press("c")
        await answer(pilot, str(ALL - 4))
        await run_ends(pilot)
        assert again.aftermath is not None and again.aftermath.new_ids["domain"] == 4
        assert len(first.cloud.sent("createDomain")) == 4


async def test_what_another_process_executes_is_told_to_run_and_offered_to_nobody(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    app = console_on(session)
    with execution(session.url, payload=started_with(session)) as other:
        other.begin()
        async with app.run_test(size=LARGE, notifications=True) as pilot:
            await until(pilot, lambda: app.ledger_run is not None)
            assert "Run run-1 is running, by anna@desk since " in said(app)
            assert "interrupted" not in said(app)
            app.clear_notifications()
            await open_recovery(pilot)
            text = words_of(app)
            assert "Run run-1 is running, by anna@desk since " in text
            assert f"on host {socket.gethostname()}. H shows its steps" in text
            assert "3 Rebuild goes on elsewhere" in text
            assert "interrupted" not in text and "resume" not in text and "x rebuild" not in text
            await pilot.press("c", "x")
            await rest(pilot)
            assert not app.screen.query("#confirm-word")

            other.end("FINISHED")
            await read_again(pilot)
            await pilot.press("2")
            await rest(pilot)
            text = words_of(app)
            assert "run-1 is running" not in text and "interrupted" not in text
            assert "x shows the plan for 5 projects" in text and "x rebuild 5" in text
    assert not session.cloud.log


async def test_what_is_killed_elsewhere_is_offered_and_what_somebody_goes_on_with_no_more(
    tmp_path: Path,
) -> None:
    session = DamagedSession(tmp_path, armed=True)
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        with execution(session.url, payload=started_with(session)) as other:
            other.begin()
            await read_again(pilot)
            assert "Run run-1 is running" in words_of(app)
            other.kill()
            await read_again(pilot)
            text = words_of(app)
            assert "Run run-1 by anna@desk was interrupted. c finishes it, after asking." in text
            assert "c resume" in text and "x rebuild" not in text, "one way on is offered, not two"
            assert "[x]" not in text and "[ ]" not in text, "no row looks chosen for what it does not change"
            await pilot.press("space")
            assert "x rebuild 4" in words_of(app), "rows that were chosen by hand can be rebuilt beside it"
            assert "[x]" in words_of(app) and "[ ]" in words_of(app)
            assert "as a run of its own" in words_of(app)
            await pilot.press("up", "space")
            assert "x rebuild" not in words_of(app) and "[x]" not in words_of(app)
        with execution(session.url) as another:
            another.resume()
            assert "c finishes it" in words_of(app), "the screen does not know yet"
            await pilot.press("c")
            await rest(pilot)
            assert not app.screen.query("#confirm-word"), "the ledger is asked before the operator is"
            assert "Run run-1 is running, by anna@desk" in said(app)
            app.clear_notifications()
            await pilot.pause()
            assert "c finishes it" not in words_of(app)
            another.end("FINISHED")
            await read_again(pilot)
            assert "run-1 is running" not in words_of(app)


async def test_what_this_console_stopped_and_another_finished_is_over_here_too(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    session.hold_after = 3
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await until(pilot, lambda: len(session.cloud.log) == 3)
        app.operations.stop()
        session.door.set()
        await run_ends(pilot)
        assert " c finishes it, after asking." in words_of(app)

        second = DamagedSession(tmp_path, armed=True)
        second.operator, second.clock = "day@console", session.clock
        second.ledger = Ledger(
            second.url, environment="drill", operator=second.operator, clock=second.clock
        ).open()
        second.cloud = session.cloud
        (run,) = second.ledger.runs()
        second.executor(rebuild=True).resume(
            run.run_id,
            confirmed=Confirmation(run.digest, second.operator, second.clock()),
            on_event=lambda _: None,
            stop=threading.Event(),
        )
        await read_again(pilot)
        await until(pilot, lambda: app.aftermath is not None)
        await rest(pilot)
        text = words_of(app)
        assert f"{ALL} of {ALL} actions succeeded, in run {run.run_id} by day@console" in text
        assert "nothing of it is left to repair" in text, text
        assert "was interrupted" not in text and "c finishes it" not in text


async def test_what_could_not_go_on_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = DamagedSession(tmp_path, armed=True)
    session.limits = Limits(concurrency=1)
    app = console_on(session)

    def full(*_: Any, **__: Any) -> None:
        raise LedgerError("The ledger cannot be written: no space left.", next_step="Make room.")

    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        monkeypatch.setattr(session.ledger, "begin_run", full)
        await start_rebuild(pilot, ALL)
        await run_ends(pilot)
        assert "not begun: The ledger cannot be written: no space left. Make room." in screen_text(app)
        assert not session.cloud.log
        assert app.aftermath is None


async def test_a_ledger_that_cannot_be_read_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = DamagedSession(tmp_path, armed=True)

    def broken() -> None:
        raise LedgerError("The ledger cannot be read: disk I/O error.", next_step="Check the disk.")

    monkeypatch.setattr(session.ledger, "latest_run", broken)
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        assert "The ledger cannot be read: disk I/O error. Check the disk." in screen_text(app)


# --- verify -------------------------------------------------------------------------------------------------


async def test_only_a_reading_after_the_end_proves_anything(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        session.hold_after = ALL - 1
        await start_rebuild(pilot, ALL)
        await until(pilot, lambda: len(session.cloud.log) == ALL - 1)
        session.gate.clear()
        session.clock.advance(30)
        session.door.set()
        await until(pilot, lambda: app.run_state is not None and not app.run_state.is_going_on)
        assert app.aftermath is None
        assert "both sides are being read anew…" in screen_text(app)
        session.actual_coverage = Coverage(CoverageState.PARTIAL, why="a page is missing.")
        session.gate.set()
        await rest(pilot)
        assert app.aftermath is None, "a partial reading proves nothing"
        session.actual_coverage = COMPLETE
        session.clock.advance(60)
        app.refresher.tick()
        await until(pilot, lambda: app.aftermath is not None)


async def test_a_map_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    session = DamagedSession(tmp_path, armed=True)
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        session.hold_after = ALL - 1
        await start_rebuild(pilot, ALL)
        await until(pilot, lambda: len(session.cloud.log) == ALL - 1)
        (run,) = session.ledger.runs()
        (tmp_path / f"identity-map-{run.run_id}.csv").mkdir()
        session.door.set()
        await run_ends(pilot)
        await until(pilot, lambda: app.aftermath is not None)
        assert "The identity map cannot be written" in screen_text(app)
        assert app.aftermath is not None and app.aftermath.proof is not None
        proof = app.aftermath.proof
        assert not proof.unproven and not proof.repairable, "the proof stands on its own"


# --- pictures -----------------------------------------------------------------------------------------------


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Paths and run ids that are the same every time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sync.executor.secrets.token_hex", lambda size: "1a2b3c")
    return Path("drill")


@SIZES
def test_picture_of_the_assessment(snap_compare: Compare, size: tuple[int, int], in_folder: Path) -> None:
    """Seven steps, the second opened; aurora dying under the cursor; one project left out."""
    in_folder.mkdir()

    async def look(pilot: Pilot[Any]) -> None:
        app = await open_recovery(pilot)
        screen_of(app).findings.move_to("cirrus")
        await pilot.press("space", "up", "up", "up", "up", "up")
        await pilot.pause()

    app = console_on(DamagedSession(in_folder, armed=True))
    assert snap_compare(app, terminal_size=size, run_before=look)


@SIZES
def test_picture_of_a_rebuild(snap_compare: Compare, size: tuple[int, int], in_folder: Path) -> None:
    """Bars of the waves, one failure that stays, one action under way, rate and time left."""
    in_folder.mkdir()
    session = DamagedSession(in_folder, armed=True)
    session.hold_after = 15
    session.seconds_a_call = 0.1
    session.cloud.faults = [
        Fault("createAccount", RefusedError("The management server said no."), about="dorado")
    ]

    async def look(pilot: Pilot[Any]) -> None:
        app = await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await until(pilot, lambda: session.cloud.in_flight == 1 and len(session.cloud.log) == 15)
        await until(pilot, lambda: "15 of 23" in screen_text(app) and "▸ submitting" in screen_text(app))
        session.clock.advance(8)
        app.now = session.clock()
        await pilot.pause()

    assert snap_compare(console_on(session), terminal_size=size, run_before=look)


@SIZES
def test_picture_of_the_end(snap_compare: Compare, size: tuple[int, int], in_folder: Path) -> None:
    """Rebuilt and proven; the ids to re-link, and their files for the CI database's owner."""
    in_folder.mkdir()

    async def look(pilot: Pilot[Any]) -> None:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await run_ends(pilot)
        pilot.app.clear_notifications()
        await pilot.pause()

    app = console_on(DamagedSession(in_folder, armed=True))
    assert snap_compare(app, terminal_size=size, run_before=look)


async def test_a_run_that_cannot_be_finished_any_more_is_left_and_what_is_missing_is_planned_anew(
    tmp_path: Path,
) -> None:
    """What it made is gone again: resuming would fail for ever, as it takes that for done."""
    session = DamagedSession(tmp_path, armed=True)
    session.hold_after = 8
    app = console_on(session)
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        await start_rebuild(pilot, ALL)
        await until(pilot, lambda: len(session.cloud.log) == 8)
        app.operations.stop()
        session.door.set()
        await run_ends(pilot)
        made = [one.id for one in session.cloud.domains.values() if one.name in ("cirrus", "dorado", "ember")]
        assert made
        for id in made:
            del session.cloud.domains[id]
        session.hold_after = None
        await read_again(pilot)
        await pilot.press("2")
        await rest(pilot)
        assert "N leaves it as it is and plans that anew." in words_of(app) and "x rebuild" not in words_of(
            app
        )
        await pilot.press("N")
        await rest(pilot)
        assert "is left as it is" in said(app) and "x rebuild" in words_of(app)
        await pilot.press("x")
        await until(pilot, lambda: any(one.expected for one in app.screen.query(TypedConfirm)))
        (question,) = app.screen.query(TypedConfirm)
        await answer(pilot, str(question.expected))
        await run_ends(pilot)
        assert {"cirrus", "dorado", "ember"} <= {one.name for one in session.cloud.domains.values()}
        assert "interrupted" not in words_of(app)


async def test_after_a_rebuild_of_some_the_path_points_at_the_others(tmp_path: Path) -> None:
    app = console_on(DamagedSession(tmp_path, armed=True))
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await open_recovery(pilot)
        await pilot.press("a")
        screen_of(app).findings.move_to("cirrus")
        await pilot.press("space", "x")
        await until(pilot, lambda: any(one.expected for one in app.screen.query(TypedConfirm)))
        (question,) = app.screen.query(TypedConfirm)
        await answer(pilot, str(question.expected))
        await run_ends(pilot)
        text = words_of(app)
        assert "▶ 2 Assess" in text and "Step 2 has 4 projects more." in text
        assert "✓ 3 Rebuild" in text
