"""The stages of a restore, with executors that do as they are told: the freeze, what stops it, the end."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from console.cli.restoring_text import print_text, write_json
from console.losses import chosen_capture
from console.restores import Restored, as_one, capture_of, conclude, execute_stages, refuse_other_server
from sync.errors import GuardError, UnreachableError, UsageError
from sync.executor import RunReport
from sync.ledger import EntryKind
from sync.ledger import RunState as LedgerState
from sync.model import (
    Action,
    ActionResult,
    ActualInventory,
    Coverage,
    CoverageState,
    Drift,
    Outcome,
    Plan,
    Scope,
)
from sync.restoration import Restoration
from sync.stock import PublicAddress
from tests.restore_states import ACTUAL, MADE, NOW, ZONE, planned, vm
from tests.screens.world import drift_of

ZONE_ID = "freeze-zone zone-1"


class StagedSession:
    """Runs each stage as it is told, and has in its ledger what came of the zone."""

    def __init__(self, **outcomes: Outcome) -> None:
        self.operator = "anna@ops"
        self.outcomes = {name.replace("_", "-"): outcome for name, outcome in outcomes.items()}
        """By the beginning of an action's id; the rest succeeds."""
        self.states: dict[str, LedgerState] = {}
        self.ran: list[str] = []
        self.entries_of: list[Any] = []
        self.reader = SimpleNamespace(zone=lambda name: replace(ZONE, allocation="Disabled"))
        self.ledger = SimpleNamespace(entries=lambda kinds: self.entries_of)

    def clock(self) -> Any:
        return NOW

    def plan(self, actions: Sequence[Action]) -> Plan:
        return planned(*actions)

    def executor(self, **_: Any) -> Any:
        return SimpleNamespace(run=self._run)

    def _run(self, plan: Plan, *, stop: threading.Event, **_: Any) -> RunReport:
        results = []
        for action in plan.actions:
            begins = action.id.partition(" ")[0]
            outcome = Outcome.NOT_RUN if stop.is_set() else self.outcomes.get(begins, Outcome.SUCCEEDED)
            results.append(ActionResult(action.id, outcome, object_id="x"))
            self.ran.append(begins)
            payload = {"action": action.id, "outcome": outcome.value, "object_id": "x"}
            self.entries_of.append(
                SimpleNamespace(kind=EntryKind.OUTCOME, operator="anna@ops", at=NOW, payload=payload)
            )
        is_stopped = stop.is_set() or any(one.outcome is Outcome.UNKNOWN for one in results)
        state = LedgerState.STOPPED if is_stopped else LedgerState.FINISHED
        return RunReport(f"run-{len(self.ran)}", plan.digest, state, "", tuple(results), NOW, NOW, calls=2)


def execute(session: StagedSession, *, stop: threading.Event | None = None) -> list[Any]:
    done: list[Any] = []
    execute_stages(
        session,  # type: ignore[arg-type]
        MADE.actions,
        ZONE,
        archive=None,
        on_event=lambda _: None,
        stop=stop or threading.Event(),
        on_done=done.append,
    )
    return done


def test_the_zone_is_closed_first_and_opened_last() -> None:
    session = StagedSession()
    done = execute(session)
    assert session.ran == ["freeze-zone", "deploy-VM", "deploy-VM", "thaw-zone"]
    assert len(done) == 3


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.UNKNOWN])
def test_nothing_is_made_where_the_zone_could_not_be_closed(outcome: Outcome) -> None:
    session = StagedSession(freeze_zone=outcome)
    with pytest.raises(GuardError, match="could not be frozen: nothing was restored"):
        execute(session)
    assert session.ran == ["freeze-zone"]


def test_a_zone_stays_closed_while_something_is_left() -> None:
    session = StagedSession(deploy_VM=Outcome.UNKNOWN)
    execute(session)
    assert "thaw-zone" not in session.ran


def test_a_failure_keeps_no_zone_closed() -> None:
    """What failed is told; leaving everybody locked out would not mend it."""
    session = StagedSession(deploy_VM=Outcome.FAILED)
    execute(session)
    assert session.ran[-1] == "thaw-zone"


def test_the_stages_are_told_as_one_and_what_was_not_reached_was_not_run() -> None:
    session = StagedSession(deploy_VM=Outcome.UNKNOWN)
    plan = planned(*MADE.actions, vm("a3"))
    report = as_one(plan, execute(session), started_at=NOW)
    assert {one.action_id: one.outcome for one in report.results} == {
        vm("a1").id: Outcome.UNKNOWN, vm("a2").id: Outcome.UNKNOWN, vm("a3").id: Outcome.NOT_RUN,
    }  # fmt: skip
    assert (report.state, report.digest, report.calls) == (LedgerState.STOPPED, plan.digest, 4)
    assert as_one(plan, [], started_at=NOW).run_id == ""


def actual(root: str, parent: str = "ROOT/ci") -> ActualInventory:
    return ActualInventory(Scope(parent), NOW, Coverage(CoverageState.COMPLETE, root_id=root), "d-ci")


def test_a_moment_means_the_newest_complete_capture_as_losses_have_it() -> None:
    """One that was cut off is no basis of a restore: what it does not have would look as if it never was."""
    entries = [
        SimpleNamespace(id=number, is_complete=is_complete, taken_at=NOW - timedelta(minutes=minutes))
        for number, is_complete, minutes in ((1, True, 30), (2, True, 20), (3, False, 15), (4, True, 1))
    ]
    history = SimpleNamespace(entries=lambda: entries, read=lambda number: f"capture {number}")
    session: Any = SimpleNamespace(clock=lambda: NOW, captures=SimpleNamespace(history=history))
    assert capture_of(session, "10m") == "capture 2"
    assert chosen_capture(session, "10m") == 2
    with pytest.raises(UsageError, match="no complete capture"):
        capture_of(session, "2h")


def test_a_capture_of_another_server_or_parent_is_refused() -> None:
    def capture(then: ActualInventory) -> Any:
        return SimpleNamespace(environment="qualification", actual=then)

    refuse_other_server(capture(actual("r1")), actual("r1"))
    for then in (actual("r2"), actual("r1", "ROOT/other")):
        with pytest.raises(GuardError, match="of another server or parent domain"):
            refuse_other_server(capture(then), actual("r1"))


# --- what came of it ----------------------------------------------------------------------------------------


def concluded(after: Drift, *, refusal: str = "") -> Restored:
    """What is told after a restore, whose last look at the public addresses of the cloud may be refused."""

    def public_addresses() -> tuple[PublicAddress, ...]:
        if refusal:
            raise UnreachableError(refusal)
        return ()

    session: Any = SimpleNamespace(
        reader=SimpleNamespace(public_addresses=public_addresses),
        ledger=SimpleNamespace(entries=lambda kinds: []),
    )
    return conclude(session, ACTUAL, Restoration(), (), after=after, now=ACTUAL, keys=None)


def test_what_could_not_be_read_for_the_conclusion_is_said_with_what_it_means(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert concluded(drift_of()).unread == ()
    blind = concluded(drift_of(), refusal="No route to host.")
    assert blind.unread == (
        "Who has which public address in the whole cloud could not be read: No route to host. An address "
        "that is not named here may belong to somebody else all the same.",
    )
    assert blind.is_whole, "what was planned is in place all the same"
    print_text(blind, "lab", ())
    told = capsys.readouterr().out
    assert f"not known: {blind.unread[0]}" in told and "`abreast report` reads it again" in told
    capture: Any = SimpleNamespace(environment="lab", taken_at=NOW)
    write_json(blind, capture, ())
    assert json.loads(capsys.readouterr().out)["not_known"] == list(blind.unread)
    print_text(concluded(drift_of()), "lab", ())
    assert "not known" not in capsys.readouterr().out


def test_a_side_that_was_not_read_whole_afterwards_leaves_more_unknown() -> None:
    partial = Coverage(CoverageState.PARTIAL, why="a page is missing")
    drift = drift_of()
    actual_, desired = concluded(replace(drift, actual=partial)), concluded(replace(drift, desired=partial))
    assert [one.partition(" Wh")[0] for one in (*actual_.unread, *desired.unread)] == [
        "CloudStack was read in part only: a page is missing.",
        "The CI database was read in part only: a page is missing.",
    ]
    assert "Whose addresses changed" in actual_.unread[0] and "agents" in desired.unread[0]
