"""The drill in the console as a person plays it: arm, rebuild all, believe only what is read anew."""

from __future__ import annotations

import csv
import email
import email.policy
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from console.app import ConsoleApp
from console.screens.confirm import ConfirmScreen
from console.session import Session
from sync.drill import practice
from sync.drill_script import Rehearsal
from sync.drill_stage import Stage
from sync.model import ActionKind, DriftKind, Outcome
from sync.plan import repairable
from sync.recovery import stale_ids
from tests.screens.driving import screen_text
from tests.screens.recoveries import answer


async def patiently(pilot: Pilot[Any], holds: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for what a real sandbox brings about."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, screen_text(pilot.app)  # type: ignore[arg-type]
        await pilot.pause(0.02)
    await pilot.pause()


async def test_the_drill_is_recovered_in_the_console() -> None:
    with practice() as drill:
        session, stage = Session(drill.environment), Stage(drill)
        try:
            await _play(session, stage)
            after = Rehearsal(drill.environment).assess()
            assert [row.name for row in repairable(after, session.rules)] == ["dune"]
            assert not stale_ids(after), "the owner of the CI database has stored them"
            lost = {DriftKind.MISSING, DriftKind.HOLLOW, DriftKind.ORPHANED}
            assert not [row.name for row in after.rows if row.kind in lost]
            assert [row.name for row in after.rows if row.kind is DriftKind.UNEXPECTED] == ["zephyr"]
        finally:
            stage.end()
            session.close()


async def _play(session: Session, stage: Stage) -> None:
    app = ConsoleApp(session, start="recovery", stage=stage)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await patiently(pilot, lambda: "36 to rebuild: 1 dying, 1 hollow, 34 missing" in screen_text(app))
        assert "A arms the console" in screen_text(app)
        await pilot.press("A")
        await answer(pilot, "drill")
        await patiently(pilot, lambda: session.is_armed and app.console_mode.armed)
        await pilot.press("x")
        await patiently(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        assert "35 × create domain" in screen_text(app)
        total = sum(len(finding.actions) for finding in app.screen_stack[-2].chosen)  # type: ignore[attr-defined]
        await answer(pilot, str(total))
        await patiently(pilot, lambda: "S stops after the running calls" in screen_text(app))
        await patiently(pilot, lambda: app.aftermath is not None)
        run, after = app.run_state, app.aftermath
        assert run is not None and after is not None and after.proof is not None
        assert {result.outcome for result in run.results.values()} == {Outcome.SUCCEEDED}
        assert not after.problem
        assert after.proof.untouched == ("zephyr",)
        assert not after.proof.disappeared
        assert "nothing of it is left to repair; 1 left out" in screen_text(app)
        _check_files(session, after.files, after.passwords)
        await _restore(pilot, app)
        await pilot.press("escape")
        await _relink(pilot, app)
        await _hand_over(pilot, app)
        await pilot.press("H")
        await patiently(pilot, lambda: "✓ chain intact" in screen_text(app))


async def _restore(pilot: Pilot[Any], app: ConsoleApp) -> None:
    """The step after the rebuild: planned by itself, confirmed by its number, read anew."""
    await patiently(pilot, lambda: "▶ 4 Restore" in screen_text(app))
    assert "can be made again" in screen_text(app)
    before, proven = app.session.read_actual(), app.aftermath
    await pilot.press("m")
    await patiently(pilot, lambda: "x asks for the number and makes it" in screen_text(app))
    plan = app.restoring.plan if app.restoring is not None else None
    assert plan is not None
    await pilot.press("x")
    await patiently(pilot, lambda: isinstance(app.screen, ConfirmScreen))
    await answer(pilot, str(len(plan.actions)))
    await patiently(pilot, lambda: app.run_state is not None and app.run_state.is_restore)
    assert "S stop" in screen_text(app)
    await patiently(pilot, lambda: app.restoring is not None and app.restoring.ended is not None)
    ended = app.restoring.ended if app.restoring is not None else None
    assert ended is not None and ended.is_whole, ended.failed if ended is not None else ""
    assert "✓ Succeeded: " in screen_text(app)
    made = ended.counts["deploy VM"]
    assert made == sum(action.kind is ActionKind.DEPLOY_VM for action in plan.actions) > 20
    there = {(vm.domain_id, vm.name) for vm in before.vms}
    now = {(vm.domain_id, vm.name) for vm in app.session.read_actual().vms}
    assert len(now - there) == made
    await patiently(pilot, lambda: app.aftermath is not None and app.aftermath is not proven)
    assert app.aftermath is not None and app.aftermath.proof is not None and not app.aftermath.problem


async def _relink(pilot: Pilot[Any], app: ConsoleApp) -> None:
    """The drill plays the owner of the CI database; the step is done when the new ids are read there."""
    await patiently(pilot, lambda: "▶ 6 Re-link   33 stored ids of domains that are gone" in screen_text(app))
    assert "relink-drill.sql" in screen_text(app)
    await pilot.press("D", "right", "enter")
    await patiently(pilot, lambda: "✓ 6 Re-link   33 new ids stored, and alive" in screen_text(app))


async def _hand_over(pilot: Pilot[Any], app: ConsoleApp) -> None:
    """Report, letters and first message, of what was restored too."""
    await patiently(pilot, lambda: "▶ 7 Hand over" in screen_text(app))
    assert "W writes letters and report. Passwords to their users, letters" in screen_text(app)
    await pilot.press("W")
    await patiently(pilot, lambda: "✓ 7 Hand over" in screen_text(app))
    state = app.reporting
    assert state is not None and state.letters and not state.problem
    folder = Path(state.folder)
    assert folder.parent == app.session.environment.credential_file.parent
    assert {Path(path) for path in state.files} == {path for path in folder.rglob("*") if path.is_file()}
    assert "deploy VM" in (folder / "incident-report.md").read_text(encoding="utf-8")
    mail = email.message_from_bytes(Path(state.letters[0]).read_bytes(), policy=email.policy.default)
    assert mail["To"] and "made again" in mail.get_content()


def _check_files(session: Session, files: tuple[str, ...], passwords: int) -> None:
    vault = session.environment.credential_file
    assert stat.S_IMODE(vault.stat().st_mode) == 0o600
    assert passwords == len(session.vault.credentials()) > 100
    as_csv = next(Path(name) for name in files if name.endswith(".csv"))
    assert as_csv.parent == vault.parent
    with as_csv.open(newline="") as file:
        domains = [row for row in csv.DictReader(file) if row["what"] == "domain"]
    assert len(domains) == 35
    assert all(row["new_id"] and row["new_id"] != row["old_id"] for row in domains)
