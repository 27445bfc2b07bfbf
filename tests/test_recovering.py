"""What the recovery decides from values: the choice, the waves, the pace, what proves a run, the words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import console.recovering
from console.ledger_run import LedgerRun, ask
from console.recovering import (
    SAMPLES,
    Aftermath,
    Choice,
    action_count,
    chosen,
    conclude,
    done_count,
    failures,
    groups,
    is_read_after,
    is_unfinished,
    left_open,
    not_rebuilt,
    noteworthy,
    questions,
    still_repairable,
    waves,
)
from console.recovery_pages import proof_page
from console.recovery_steps import Situation, Step, current, steps
from console.state import RunPhase, RunState
from sync.journal import Journal
from sync.latest_run import LatestRun
from sync.lease import Holder, Standing
from sync.ledger import Ledger, RunSummary
from sync.ledger import RunState as LedgerState
from sync.model import (
    Action,
    ActionResult,
    CoverageState,
    DesiredInventory,
    Drift,
    DriftKind,
    Outcome,
    Plan,
    Scope,
)
from sync.plan import PlanRules, build, to_json
from sync.recovery import Assessment, assess, verify
from tests.screens.world import COMPLETE, NOW, ROWS, drift_of
from tests.screens.world import view as view_of
from widgets.steps import StepState

RULES = PlanRules(parent="ROOT/ci")
DRIFT = drift_of()


@pytest.fixture
def found() -> Assessment:
    return assess(DRIFT, RULES, now=NOW)


def plan_of(actions: Iterable[Action]) -> Plan:
    return build(actions, environment="drill", root_id="1", endpoint="http://x", author="a", now=NOW)


@pytest.fixture
def run(found: Assessment) -> RunState:
    """A rebuild of everything critical, of which nothing has happened yet."""
    plan = plan_of(action for finding in found.to_rebuild for action in finding.actions)
    return RunState(plan, RunPhase.RUNNING, NOW, is_rebuild=True, drift_before=DRIFT)


def ended(run: RunState, outcome: Outcome = Outcome.SUCCEEDED, *, of: int | None = None) -> RunState:
    """With the first so many actions ended that way."""
    results = {action.id: ActionResult(action.id, outcome) for action in run.plan.actions[:of]}
    return replace(run, results={**run.results, **results})


def finished(run: RunState, *, why: str = "") -> RunState:
    return replace(
        run, phase=RunPhase.FINISHED, ended_at=NOW + timedelta(minutes=1), problem=why, report=object()
    )


def holder(run_id: str) -> Holder:
    return Holder("anna@desk", "desk", 4711, "", "", NOW, NOW, run_id=run_id)


def in_ledger(
    run: RunState, *, holder: Holder | None = None, standing: Standing | None = None, **values: Any
) -> LedgerRun:
    """The run as the ledger has it: interrupted, unless somebody holds it or it has ended."""
    summary = RunSummary("run-1", "drill", "night@console", "", run.total, NOW, None, LedgerState.RUNNING)
    latest = LatestRun(replace(summary, **values), 7, "night@console", NOW, holder, standing)
    return LedgerRun(latest, run.plan if latest.is_interrupted else None)


def situation(**values: object) -> Situation:
    return replace(
        Situation(key=lambda id: f"<{id}>", is_armed=True, can_arm=True, is_drill=False),
        **values,  # type: ignore[arg-type]
    )


# --- the choice ---------------------------------------------------------------------------------------------


def names(found: Assessment, choice: Choice) -> list[str]:
    return [finding.name for finding in chosen(found, choice)]


def test_what_is_critical_is_chosen_and_what_merely_differs_is_not(found: Assessment) -> None:
    assert names(found, Choice()) == ["aurora", "boreal", "cirrus", "ember"]
    everything = Choice().toggled(found.differing)
    assert names(found, everything) == ["aurora", "boreal", "cirrus", "ember", "dune"]


def test_toggling_some_takes_them_all_in_before_it_leaves_them_out(found: Assessment) -> None:
    one_out = Choice().toggled(found.missing)
    assert names(found, one_out) == ["aurora", "boreal", "ember"]
    assert names(found, one_out.toggled(found.to_rebuild)) == ["aurora", "boreal", "cirrus", "ember"]
    assert names(found, one_out.toggled(found.to_rebuild).toggled(found.to_rebuild)) == []


def test_what_has_no_action_cannot_be_chosen(found: Assessment) -> None:
    assert found.for_people
    assert Choice().toggled(found.for_people) == Choice()
    assert not any(Choice().has(finding) for finding in found.for_people)


def test_a_project_left_out_stays_out_when_it_only_differs_any_more(found: Assessment) -> None:
    choice = Choice().toggled(found.missing)
    (cirrus,) = found.missing
    (dune,) = found.differing
    assert not choice.has(replace(dune, key=cirrus.key))


def test_groups_are_worst_first_and_empty_ones_are_left_out(found: Assessment) -> None:
    titles = [group.title for group in groups(found)]
    assert titles == ["dying", "hollow", "missing", "orphaned", "differs", "for people"]
    assert [group.title for group in groups(replace(found, hollow=(), dying=()))] == titles[2:]


def test_what_was_emptied_is_a_group_of_its_own_and_nothing_to_rebuild() -> None:
    boreal = next(row for row in ROWS if row.name == "boreal")
    emptied = replace(boreal, parts=(), view=view_of("boreal", accounts=1), reason="It is empty.")
    found = assess(replace(DRIFT, rows=(emptied,)), RULES, now=NOW)
    assert (found.to_rebuild, found.stuck, found.for_people, found.projects) == ((), (), (), 1)
    (group,) = groups(found)
    assert group.title == "emptied"
    step = steps(situation(assessment=found), viewed=Step.ASSESS)[1]
    assert step.found == "nothing to rebuild; 1 emptied"
    assert step.do.startswith("Nothing to rebuild: step 4")


def test_an_action_that_several_need_counts_once(found: Assessment) -> None:
    (cirrus,) = found.missing
    assert action_count((cirrus, cirrus)) == len(cirrus.actions)


def test_the_question_has_totals_and_five_samples_of_all_sorts(run: RunState) -> None:
    totals, samples, promise = questions(run.plan.actions)
    # the dying aurora and the orphaned ember: what is left of either may hold the name
    assert totals.startswith("2 × rename domain, 3 × create domain, 4 × create account, ")
    assert samples.count(",") == SAMPLES - 1
    assert "rename domain aurora" in samples and "create user" in samples
    assert "Nothing is deleted" in promise
    assert questions(())[1] == "For example ."


# --- the run ------------------------------------------------------------------------------------------------


def test_waves_come_in_the_order_in_which_they_run(run: RunState) -> None:
    first = run.plan.actions[0]
    shown = waves(run.plan.actions, {first.id: ActionResult(first.id, Outcome.FAILED)}, {})
    assert [wave.title for wave in shown[:4]] == ["renames", "domains", "accounts", "users"]
    assert (shown[0].total, shown[0].done, shown[0].failed, shown[0].glyph) == (2, 1, 1, "✗")
    assert shown[1].glyph == "·"
    running = waves(run.plan.actions, {}, {run.plan.actions[2].id: "submitting"})
    assert (running[1].active, running[1].glyph) == (1, "▸")


def test_what_did_not_run_is_not_done(run: RunState) -> None:
    stopped = ended(ended(run, Outcome.NOT_RUN), of=2)
    assert done_count(stopped) == 2
    assert sum(wave.done for wave in waves(run.plan.actions, stopped.results, {})) == 2


def test_failures_come_before_what_is_going_on(run: RunState) -> None:
    first, second, third = run.plan.actions[:3]
    state = replace(
        run,
        results={third.id: ActionResult(third.id, Outcome.UNKNOWN)},
        active={first.id: "reading"},
    )
    assert [action.id for action in noteworthy(state)] == [third.id, first.id]
    assert failures(state) == 1
    assert second.id not in {action.id for action in noteworthy(state)}


@pytest.mark.parametrize(
    ("outcome", "why", "expected"),
    [
        (Outcome.SUCCEEDED, "", False),
        (Outcome.FAILED, "", False),
        (Outcome.UNKNOWN, "", True),
        (Outcome.NOT_RUN, "the operator stopped the execution", True),
        (Outcome.NOT_RUN, "", False),
    ],
)
def test_a_run_is_unfinished_when_resuming_may_achieve_something(
    run: RunState, outcome: Outcome, why: str, expected: bool
) -> None:
    assert is_unfinished(finished(ended(run, outcome), why=why)) is expected


def test_a_run_that_broke_is_unfinished_and_one_that_goes_on_is_not(run: RunState) -> None:
    assert is_unfinished(replace(run, phase=RunPhase.FAILED))
    assert not is_unfinished(run)


def later(drift: Drift = DRIFT, **values: object) -> Drift:
    at = NOW + timedelta(minutes=2)
    fresh = replace(drift, desired_taken_at=at, actual_taken_at=at, limits_taken_at=at)
    return replace(fresh, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["desired_taken_at", "actual_taken_at", "limits_taken_at"])
def test_a_reading_from_before_the_end_proves_nothing(run: RunState, field: str) -> None:
    over = finished(run)
    assert is_read_after(over, later())
    assert not is_read_after(over, later(**{field: NOW}))
    assert not is_read_after(run, later()), "the run goes on"


@pytest.mark.parametrize("side", ["desired", "actual"])
def test_a_reading_that_is_not_complete_proves_nothing(run: RunState, side: str) -> None:
    partial = replace(COMPLETE, state=CoverageState.PARTIAL)
    assert not is_read_after(finished(run), later(**{side: partial}))
    assert not is_read_after(finished(run), later(limits_taken_at=None))


# --- the words ----------------------------------------------------------------------------------------------


def proven(run: RunState, after: Drift) -> Aftermath:
    return Aftermath(run.run_id, after.actual_taken_at, verify(DRIFT, after, rules=RULES))


def rebuilt() -> Drift:
    """Afterwards: what was critical is gone from the drift."""
    return later(drift_of(tuple(row for row in ROWS if not row.kind.is_critical)))


def afterwards() -> Assessment:
    return assess(rebuilt(), RULES, now=NOW)


def test_the_current_step_follows_the_run(found: Assessment, run: RunState) -> None:
    now = situation(assessment=found)
    assert current(now) is Step.ASSESS
    assert current(replace(now, run=replace(run, is_rebuild=False))) is Step.ASSESS
    assert current(replace(now, run=run)) is Step.REBUILD
    over = finished(ended(run))
    assert current(replace(now, run=over, is_fresh=False)) is Step.VERIFY
    again = replace(now, run=over, aftermath=proven(over, rebuilt()))
    assert current(again) is Step.ASSESS, "what went missing again is to be rebuilt first"
    assert "Step 2 has 4 projects more." in steps(again, viewed=Step.REBUILD)[2].do
    failed = finished(ended(run, Outcome.FAILED))
    assert current(replace(again, run=failed)) is Step.VERIFY, "why it failed is read first"
    fine = replace(now, assessment=afterwards(), run=over, aftermath=proven(over, rebuilt()))
    assert current(fine) is Step.HAND_OVER
    stopped = finished(ended(ended(run, Outcome.NOT_RUN), of=2), why="stopped")
    assert current(replace(now, run=stopped, aftermath=proven(over, later()))) is Step.REBUILD


def test_what_was_left_out_is_told_apart_from_what_is_left(run: RunState) -> None:
    mine, others = still_repairable(run, proven(run, later()).proof)  # type: ignore[arg-type]
    assert {row.key for row in mine} == {"aurora", "boreal", "cirrus", "ember"}
    assert {row.key for row in others} == {"dune"}


SITUATIONS = [
    "reading",
    "unproven",
    "read-only",
    "armed",
    "none chosen",
    "running",
    "stopped",
    "over",
    "done",
]


@pytest.mark.parametrize(("accounts", "left"), [(1, []), (0, ["boreal"])])
def test_a_domain_that_has_its_accounts_again_and_stays_empty_is_a_loss_and_not_left_undone(
    run: RunState, accounts: int, left: list[str]
) -> None:
    (boreal,) = [row for row in ROWS if row.name == "boreal"]
    reason = "The domain ROOT/ci/boreal is empty; the capture had 3 VMs in it."
    emptied = replace(boreal, parts=(), view=view_of("boreal", accounts=accounts), reason=reason)
    proof = verify(DRIFT, later(), rules=RULES)
    found = not_rebuilt(finished(run), replace(proof, repairable=(), for_people=(emptied,)))
    assert [row.name for row in found] == left


def of_kind(kind: str, found: Assessment, run: RunState) -> Situation:
    over = finished(ended(run))
    interrupted = in_ledger(run)
    saved = replace(proven(over, rebuilt()), passwords=2)
    return {
        "reading": situation(),
        "unproven": situation(assessment=replace(found, unproven="CloudStack was read partial.")),
        "read-only": situation(assessment=found, is_armed=False),
        "armed": situation(assessment=found),
        "none chosen": situation(assessment=found, choice=Choice().toggled(found.to_rebuild)),
        "running": situation(assessment=found, run=ended(run, of=3)),
        "stopped": situation(
            assessment=found, run=finished(ended(run, Outcome.NOT_RUN), why="stop"), ledger_run=interrupted
        ),
        "over": situation(assessment=found, run=over, is_fresh=False),
        "done": situation(assessment=afterwards(), run=over, aftermath=saved, is_drill=True),
    }[kind]


@pytest.mark.parametrize("kind", SITUATIONS)
def test_every_step_always_says_what_it_found_what_to_do_and_why(
    kind: str, found: Assessment, run: RunState
) -> None:
    for viewed in Step:
        shown = steps(of_kind(kind, found, run), viewed=viewed)
        assert [step.title for step in shown] == [step.value for step in Step]
        assert all(step.found and step.do and step.why for step in shown)
        assert [step.title for step in shown if step.is_viewed] == [viewed.value]


NEXT = {
    "reading": "Wait",
    "unproven": "<refresh>",
    "read-only": "<arm>",
    "armed": "<rebuild>",
    "none chosen": "<choose>",
    "running": "<stop>",
    "stopped": "<resume>",
    "over": "Wait",
    "done": "<write-report>",
}


@pytest.mark.parametrize("kind", SITUATIONS)
def test_the_current_step_names_the_next_key(kind: str, found: Assessment, run: RunState) -> None:
    now = of_kind(kind, found, run)
    (view,) = [step for step in steps(now, viewed=current(now)) if step.is_viewed]
    assert NEXT[kind] in view.do
    assert view.state is not StepState.WAITING


def test_an_interrupted_run_is_offered_before_a_new_one(found: Assessment, run: RunState) -> None:
    view = steps(situation(assessment=found, ledger_run=in_ledger(run)), viewed=Step.ASSESS)[1]
    assert "Run run-1 by night@console was interrupted. <resume> finishes it" in view.do
    words = "after asking. The list below does not change that: <leave-run> leaves it as it is and plans"
    assert f"{words} that anew." in view.do


def test_what_is_chosen_by_hand_beside_an_interrupted_run_is_said_to_be_another_run(
    found: Assessment, run: RunState
) -> None:
    mine = Choice(left_out=frozenset({"cirrus"}))
    view = steps(situation(assessment=found, ledger_run=in_ledger(run), choice=mine), viewed=Step.ASSESS)[1]
    assert "does not change that: <rebuild> rebuilds it as a run of its own." in view.do


def test_a_run_that_somebody_stopped_is_not_said_to_be_interrupted(found: Assessment, run: RunState) -> None:
    stopped = in_ledger(run, state=LedgerState.STOPPED, ended_at=NOW)
    assert stopped.words == "Run run-1 by night@console was stopped before its end."
    view = steps(situation(assessment=found, ledger_run=stopped), viewed=Step.ASSESS)[1]
    assert "<resume> finishes it" in view.do


def test_what_a_stopped_run_left_is_finished_and_not_tried_again(found: Assessment, run: RunState) -> None:
    over = finished(ended(ended(run, Outcome.NOT_RUN), of=2), why="stopped")
    left = situation(assessment=found, run=over, aftermath=proven(over, later()))
    verify_view = steps(left, viewed=Step.VERIFY)[4]
    assert "can still be repaired" in verify_view.found and "<rebuild> tries again" in verify_view.do
    stopped = in_ledger(run, state=LedgerState.STOPPED, ended_at=NOW)
    verify_view = steps(replace(left, ledger_run=stopped), viewed=Step.VERIFY)[4]
    assert "<resume> finishes it" in verify_view.do and "<rebuild>" not in verify_view.do


def test_a_run_that_goes_on_elsewhere_is_told_and_not_offered(found: Assessment, run: RunState) -> None:
    for standing in (Standing.ALIVE, Standing.BEATING):
        elsewhere = in_ledger(run, holder=holder("run-1"), standing=standing)
        assert not elsewhere.can_be_finished
        _, assess_view, rebuild_view, *_ = steps(
            situation(assessment=found, ledger_run=elsewhere), viewed=Step.ASSESS
        )
        for view in (assess_view, rebuild_view):
            assert "Run run-1 is running, by anna@desk since " in view.do
            assert "on host desk" in view.do and "<history>" in view.do
            assert "interrupted" not in view.do and "<resume>" not in view.do
        assert rebuild_view.found == "goes on elsewhere"


def test_before_anything_ran_here_the_rebuild_step_says_how_far_an_interrupted_run_came(
    found: Assessment, run: RunState
) -> None:
    done = replace(in_ledger(run), results=dict(list(ended(run, Outcome.SUCCEEDED).results.items())[:1]))
    view = steps(situation(assessment=found, ledger_run=done), viewed=Step.ASSESS)[2]
    assert view.found == f"interrupted: 1 of {len(run.plan.actions)} actions done"
    assert "<resume> finishes it" in view.do
    fresh = steps(situation(assessment=found), viewed=Step.ASSESS)[2]
    assert fresh.found.startswith("not started")


def test_of_a_run_whose_machine_is_silent_nobody_says_that_it_was_interrupted(
    found: Assessment, run: RunState
) -> None:
    silent = in_ledger(run, holder=holder("run-1"), standing=Standing.SILENT)
    assert not silent.can_be_finished
    assert "Whether run run-1 goes on is not known: held by anna@desk" in silent.words
    given = situation(assessment=found, ledger_run=silent)
    for view in steps(given, viewed=Step.ASSESS)[1:3]:
        assert "If nothing of it runs, <break-lease> breaks its lease, by name" in view.do
    assert steps(given, viewed=Step.ASSESS)[2].found == "may go on elsewhere: not heard of"


def test_an_interrupted_run_is_not_offered_while_something_else_is_executed(
    found: Assessment, run: RunState
) -> None:
    waiting = in_ledger(run, holder=holder(""), standing=Standing.ALIVE)
    view = steps(situation(assessment=found, ledger_run=waiting), viewed=Step.ASSESS)[1]
    assert "Run run-1 was interrupted, but something else is executed now, by anna@desk" in view.do
    assert "<resume>" not in view.do


def test_what_another_console_finished_is_not_called_unfinished_here(
    found: Assessment, run: RunState
) -> None:
    stopped = replace(finished(ended(run, Outcome.NOT_RUN), why="stop"), run_id="run-1")
    over = in_ledger(run, state=LedgerState.FINISHED, counts={Outcome.SUCCEEDED: 5, Outcome.FAILED: 0})
    now = situation(assessment=found, run=stopped, ledger_run=over)
    view = steps(now, viewed=Step.REBUILD)[2]
    assert view.found == "finished in another console by night@console: 5 succeeded"
    assert view.state is StepState.WAITING
    assert current(now) is Step.ASSESS
    assert current(replace(now, ledger_run=in_ledger(run))) is Step.REBUILD


def test_only_results_that_stand_are_taken_over_from_an_interrupted_run(
    tmp_path: Path, run: RunState
) -> None:
    ids = [action.id for action in run.plan.actions[:4]]
    outcomes = (Outcome.SUCCEEDED, Outcome.SKIPPED, Outcome.FAILED, Outcome.UNKNOWN)
    with Ledger(f"sqlite:///{tmp_path / 'ledger'}", environment="drill", operator="o") as ledger:
        assert ask(ledger, None) is None
        ledger.begin_run("r", {"plan": to_json(run.plan)}, digest="", total=4)
        for id, outcome in zip(ids, outcomes, strict=True):
            Journal(ledger, "r").outcome(ActionResult(id, outcome))
        asked = ask(ledger, None)
        assert asked is not None and asked.plan == run.plan
        assert set(asked.results) == set(ids[:2])
        again = ask(ledger, asked)
        assert again is not None and again.plan is asked.plan, "what did not change is read once"
        Journal(ledger, "r").outcome(ActionResult(ids[2], Outcome.SUCCEEDED))
        later = ask(ledger, asked)
        assert later is not None and set(later.results) == set(ids[:3])
        ledger.end_run("r", {}, state=LedgerState.FINISHED, counts={})
        over = ask(ledger, later)
        assert over is not None and over.is_over and over.plan is None


def states(now: Situation) -> list[StepState]:
    """Of the steps that are about the run alone."""
    views = zip(Step, steps(now, viewed=Step.ASSESS), strict=True)
    return [view.state for step, view in views if step in (Step.ASSESS, Step.REBUILD, Step.VERIFY)]


def test_a_step_is_ticked_only_when_it_was_seen_to_hold(found: Assessment, run: RunState) -> None:
    over = finished(ended(run))
    done = situation(assessment=afterwards(), run=over, aftermath=proven(over, rebuilt()))
    tick = StepState.DONE
    assert states(done) == [tick, tick, tick]
    assert states(situation(run=over))[0] is not tick, "nothing was compared yet"
    unread = replace(afterwards(), unproven="CloudStack: partial.")
    assert states(replace(done, assessment=unread))[0] is StepState.BAD
    stale = replace(done, assessment=found, is_fresh=False, aftermath=None)
    assert states(stale)[0] is not tick
    assert steps(stale, viewed=Step.ASSESS)[1].found == "both sides are being read anew…"
    assert states(stale)[2] is not tick


def test_a_rebuild_in_which_something_did_not_run_is_not_ticked(found: Assessment, run: RunState) -> None:
    part = finished(ended(ended(run, Outcome.NOT_RUN), of=3))
    view = steps(situation(assessment=found, run=part), viewed=Step.REBUILD)[2]
    assert view.state is StepState.BAD
    assert f"3 of {run.total} actions succeeded, {run.total - 3} not run" in view.found
    skipped = finished(ended(ended(run), Outcome.SKIPPED, of=2))
    view = steps(situation(assessment=found, run=skipped), viewed=Step.REBUILD)[2]
    assert view.state is StepState.DONE
    assert view.found.endswith("actions succeeded, 2 skipped")


def test_what_is_not_known_or_gone_again_is_not_verified(found: Assessment, run: RunState) -> None:
    over = finished(ended(run))
    (cirrus,) = [row for row in ROWS if row.key == "cirrus"]
    unknown = replace(cirrus, kind=DriftKind.UNKNOWN, project=None)
    kept = [row for row in ROWS if not row.kind.is_critical]
    after = later(drift_of((*kept, unknown)))
    now = situation(assessment=assess(after, RULES, now=NOW), run=over, aftermath=proven(over, after))
    view = steps(now, viewed=Step.VERIFY)[4]
    assert (view.state, view.found) == (StepState.BAD, "1 project not rebuilt; 1 machine without a VM")
    again = situation(assessment=found, run=over, aftermath=proven(over, rebuilt()))
    view = steps(again, viewed=Step.VERIFY)[4]
    assert view.state is StepState.BAD
    assert "was proven, but 4 projects went missing again since" in view.found
    proof = replace(verify(DRIFT, rebuilt(), rules=RULES), unproven="CloudStack: partial.")
    unproven = replace(again, aftermath=Aftermath("r", NOW, proof))
    view = steps(unproven, viewed=Step.VERIFY)[4]
    assert (view.state, view.found) == (StepState.BAD, "not proven. CloudStack: partial.")
    assert "Not proven." in text_of(proof_page(over, Aftermath("r", NOW, proof), 78))


def test_a_corpse_that_is_left_alone_is_not_counted_as_dying(found: Assessment, run: RunState) -> None:
    corpse = next(row for row in ROWS if row.kind is DriftKind.DELETING)
    corpse = replace(corpse, key="aurora-deleted-1", project=None)
    seen = assess(drift_of((*ROWS, corpse)), RULES, now=NOW)
    assert [one.key for one in seen.dying] == ["aurora"]
    assert "aurora-deleted-1" in {one.key for one in seen.for_people}
    words = steps(situation(assessment=seen), viewed=Step.ASSESS)[1].found
    assert words.startswith("4 to rebuild: 1 dying, 1 hollow, 1 missing, 1 orphaned")
    only = assess(drift_of((corpse,)), RULES, now=NOW)
    assert steps(situation(assessment=only), viewed=Step.ASSESS)[1].found == "nothing to rebuild"


def text_of(lines: list[list[tuple[str, str]]]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


@pytest.mark.parametrize("width", [60, 78, 118])
def test_the_pages_fit_and_say_what_is_left_lost_and_untouched(run: RunState, width: int) -> None:
    over = finished(ended(run))
    proof = proof_page(over, proven(over, rebuilt()), width)
    assert all(sum(len(text) for text, _ in line) <= width for line in proof)
    said = " ".join(text_of(proof).split())
    assert "Nothing repairable is left of what was chosen." in said
    assert "1 left out, can still be repaired" in said
    assert "untouched: zephyr" in said
    assert "1 machine of 1 project without a VM, by the CI database" in said


def test_a_proof_that_cannot_even_begin_is_told(run: RunState, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its thread has nobody who would catch what it raises: the proof would be waited for for ever."""

    def broken(_: object) -> None:
        raise KeyError("boreal")

    monkeypatch.setattr(console.recovering, "changed_addresses", broken)
    session: Any = None
    ended_ = replace(finished(run), run_id="run-1")
    found = conclude(
        session, ended_, DRIFT, DesiredInventory(Scope(), NOW, COMPLETE), now=None, situation=None
    )
    assert (found.run_id, found.proof) == ("run-1", None)
    assert "concluding the rebuild" in found.problem


def test_of_an_interrupted_run_its_own_figures_are_shown_and_of_no_other(run: RunState) -> None:
    found = in_ledger(run)
    done = {action.id: ActionResult(action.id, Outcome.SUCCEEDED) for action in run.plan.actions[:3]}
    shown = left_open(replace(found, results=done))
    assert shown is not None and (done_count(shown), shown.total) == (3, run.total)
    assert (shown.started_at, shown.ended_at) == (NOW, found.latest.last_at), "it does not grow older"
    assert is_unfinished(shown)
    ended_elsewhere = in_ledger(run, state=LedgerState.FINISHED, ended_at=NOW)
    assert left_open(ended_elsewhere) is left_open(None) is None


def test_a_rebuild_that_was_refused_is_neither_verified_nor_a_reason_to_tick_a_step(
    found: Assessment, run: RunState
) -> None:
    refused = replace(run, phase=RunPhase.FAILED, ended_at=NOW, problem="Another execution is running.")
    shown = steps(situation(assessment=found, run=refused), viewed=Step.REBUILD)
    assert shown[1].state is not StepState.DONE
    assert shown[2].found == "not begun: Another execution is running."
    assert shown[4].found.startswith("not done")
