"""The steps of the recovery in words: where one is, what was found, what to do, and why.

Pure: a `Situation` goes in, lines come out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from console.handing_over import hand_over_step
from console.ledger_words import arm_words, held_words, resume_words
from console.recovering import (
    Choice,
    action_count,
    chosen,
    done_count,
    failures,
    is_unfinished,
    not_rebuilt,
    still_repairable,
    waves,
)
from console.recovery_situation import Situation as Situation
from console.relink_step import relink_step
from console.restore_step import restore_step
from console.state import RunPhase, RunState
from console.waiting import Step as Step
from console.waiting import if_one_waits
from sync.deletion_text import situation_text
from sync.drift import Loss
from sync.loss_ledger import Fate
from sync.model import STANDS, Outcome
from sync.recovery import Assessment, Verification
from widgets.cells import counted
from widgets.steps import StepState, StepView

if TYPE_CHECKING:
    from console.ledger_run import LedgerRun
    from console.losses import Losses

WAVE_TITLES = ("VMs", "renames", "domains", "accounts", "users", "limits", "networks")
"""In the order in which they run."""


_IN_REPLAY = "This is a replay: what was is read here, and done in the live console."


def current(situation: Situation) -> Step:
    """The step that is going on, or the next one to do."""
    run = situation.rebuild
    if run is None or situation.is_finished_elsewhere:
        return _without_a_rebuild(situation)
    if run.is_going_on or is_unfinished(run):
        return Step.REBUILD
    if left_out(situation):
        return Step.ASSESS
    if situation.is_to_restore:
        return Step.RESTORE
    if _verify(situation).state is not StepState.DONE:
        return Step.VERIFY
    return Step.RELINK if situation.is_to_link else Step.HAND_OVER


def _without_a_rebuild(situation: Situation) -> Step:
    """Of this console: as long as there may be something to rebuild, that comes first."""
    found, run, losses = situation.assessment, situation.run, situation.losses
    if run is not None and run.is_restore and run.is_going_on:
        return Step.RESTORE
    is_open = situation.held is not None or situation.unfinished is not None
    if found is None or found.unproven or found.to_rebuild or is_open:
        return Step.ASSESS
    if losses is not None and losses.returnable:
        return Step.ASSESS
    if situation.is_to_restore:
        return Step.RESTORE
    return Step.RELINK if situation.is_to_link else Step.ASSESS


def left_out(situation: Situation) -> int:
    """How many projects are to be rebuilt by what was read after the rebuild, and were not in it, or were all
    made by it and have gone again since.
    """
    run, assessment = situation.rebuild, situation.assessment
    if run is None or run.is_going_on or assessment is None or not situation.is_fresh:
        return 0
    stands = {id for id, result in run.results.items() if result.outcome in STANDS}
    undone = {action.project for action in run.plan.actions if action.id not in stands}
    return sum(one.key not in undone for one in assessment.to_rebuild)


def steps(situation: Situation, *, viewed: Step) -> tuple[StepView, ...]:
    """All of them, each with what it found, what to do, and why."""
    made = {
        Step.CONTAIN: _contain(situation),
        Step.ASSESS: _assess(situation),
        Step.REBUILD: _rebuild(situation),
        Step.RESTORE: restore_step(situation),
        Step.VERIFY: _verify(situation),
        Step.RELINK: relink_step(situation),
        Step.HAND_OVER: hand_over_step(situation),
    }
    now = current(situation)
    shown = []
    for step, view in made.items():
        is_now = step is now and view.state is StepState.WAITING
        state = StepState.CURRENT if is_now else view.state
        wait = if_one_waits(step, situation)
        do = view.do
        if situation.is_replay:
            do = _IN_REPLAY if step is viewed else ""
        shown.append(replace(view, state=state, do=do, is_viewed=step is viewed, wait=wait))
    return tuple(shown)


def _contain(situation: Situation) -> StepView:
    """The deletions, as the Contain screen shows them; what can be done about them is done there."""
    found, key = situation.deletions, situation.key
    title, why = Step.CONTAIN.value, "What is deleted now is lost for as long as nobody stops it."
    if found is None:
        return StepView(title, StepState.WAITING, "events and jobs are being read…", "Wait.", why)
    past = not situation.can_tell_deletions
    if found.is_happening:
        do = f"{key('contain')} opens it: who, what goes next, and what can be done."
        words = situation_text(found, past=past)
        return StepView(title, StepState.BAD, words, do, why, is_alarming=True)
    do = f"{key('contain')} shows it, and what can be undone."
    if situation.assessment is not None and situation.assessment.dying:
        words = f"{len(situation.assessment.dying)} dying by the lists, and no event or job that says by whom"
        return StepView(title, StepState.BAD, words, do, why, is_alarming=True)
    if found.only_grew and _is_of_run(found.taken_at, situation.run):
        words = f"being read while our own run changes it: {found.problems[0]}"
        do = f"Nothing: it is read again by itself. {key('contain')} shows what was seen."
        return StepView(title, StepState.WAITING, words, do, why)
    if found.problems:
        words = f"not seen in full: {found.problems[0]}"
        return StepView(title, StepState.BAD, words, do, why, is_alarming=True)
    state = StepState.WAITING if past else StepState.DONE
    return StepView(title, state, situation_text(found, past=past), do, why)


def _is_of_run(at: datetime, run: RunState | None) -> bool:
    """Whether the run of this console that goes on, or ended last, was under way at that time."""
    if run is None or run.has_not_begun or at < run.started_at:
        return False
    return run.is_going_on or (run.ended_at is not None and at <= run.ended_at)


def _assess(situation: Situation) -> StepView:
    found, is_alarming = _assess_found(situation)
    return StepView(
        Step.ASSESS.value,
        _assess_state(situation),
        found,
        do=_assess_do(situation),
        why="Nothing is deleted. For lost VMs and templates there is step 4.",
        is_alarming=is_alarming,
    )


def _assess_state(situation: Situation) -> StepState:
    """Done once a rebuild stands on it, and as long as it is known."""
    assessment = situation.assessment
    if situation.rebuild is None or situation.rebuild.has_not_begun or assessment is None:
        return StepState.WAITING
    if assessment.unproven:
        return StepState.BAD
    return StepState.DONE if situation.is_fresh and not left_out(situation) else StepState.WAITING


def _assess_found(situation: Situation) -> tuple[str, bool]:
    """In words, and whether it is bad."""
    assessment = situation.assessment
    if assessment is None:
        return "both sides are being read…", False
    if assessment.unproven:
        return f"not known. {assessment.unproven}", True
    if not situation.is_fresh:
        return "both sides are being read anew…", False
    named = (
        ("dying", assessment.dying),
        ("hollow", assessment.hollow),
        ("missing", assessment.missing),
        ("orphaned", assessment.orphaned),
        ("half-made", assessment.half_made),
    )
    counts = ", ".join(f"{len(found)} {word}" for word, found in named if found)
    lost = _machines_lost(assessment.losses) if situation.losses is None else _vms_lost(situation.losses)
    run = situation.rebuild
    if run is not None and run.is_going_on:
        projects = len({action.project for action in run.plan.actions})
        return f"{counted(projects, 'project')} in this rebuild", False
    vms = situation.losses.returnable if situation.losses is not None else ()
    stuck = f"; {len(assessment.emptied)} emptied" if assessment.emptied else ""
    stuck += f"; {len(assessment.stuck)} not repairable here" if assessment.stuck else ""
    total = len(assessment.to_rebuild)
    if not total:
        return f"nothing to rebuild{stuck}{lost}", bool(stuck or vms)
    return f"{total} to rebuild: {counts}{stuck}{lost}", True


def _vms_do(situation: Situation) -> str:
    """Destroyed VMs that can come back come before everything else: they alone have a deadline."""
    number = len(situation.losses.returnable) if situation.losses is not None else 0
    if not number:
        return ""
    key, which = situation.key, "the destroyed VM" if number == 1 else f"all {number} destroyed VMs"
    rest = situation.assessment is not None and situation.assessment.to_rebuild
    then = f" Then {key('rebuild')} rebuilds." if rest else ""
    if situation.is_armed:
        return f"First {key('recover-all-vms')} brings {which} back.{then}"
    if situation.can_arm:
        return f"{key('arm')} arms the console; {key('recover-all-vms')} then brings {which} back.{then}"
    return arm_words(situation)


def _vms_lost(losses: Losses) -> str:
    """Of all VMs that there were, as far as that is known; against which capture, the bar below says."""
    lost = [one for one in losses.ledger.of(Fate.LOST) if one.type == "VM"]
    again = sum(one.id in losses.again for one in lost)
    back = f", {again} made again" if again else ""
    return f"; {counted(len(lost), 'VM')} lost{back}" if lost else ""


def _machines_lost(found: Sequence[Loss]) -> str:
    """Of the CI database's machines alone; it knows not every VM."""
    return f"; {counted(len(found), 'machine')} without a VM" if found else ""


def _assess_do(situation: Situation) -> str:
    key, assessment = situation.key, situation.assessment
    if situation.problem:
        return situation.problem
    if situation.run is not None and situation.run.is_going_on:
        return "A run is going on; what is chosen here can run when it has ended."
    if assessment is None:
        return "Wait: the list appears when both sides have been compared."
    if situation.held is not None:
        return held_words(situation.held, situation)
    if situation.unfinished is not None:
        return f"{resume_words(situation.unfinished, situation)}{_beside_resume(situation)}"
    if assessment.unproven:
        return f"{key('refresh')} reads both sides again. Nothing is rebuilt from what was not fully read."
    return _vms_do(situation) or _choice_do(assessment, situation)


def _choice_do(assessment: Assessment, situation: Situation) -> str:
    """What is chosen, and the key that rebuilds it."""
    key = situation.key
    picked = chosen(assessment, situation.choice)
    if not picked and not assessment.to_rebuild and not assessment.differing:
        nothing = "Nothing to rebuild: step 4 makes again what can be." if assessment.emptied else "Nothing."
        return f"{nothing} {key('back')} goes back to the overview."
    if not picked and not assessment.to_rebuild:
        return f"Nothing has to be done; {key('choose')} takes in what merely differs."
    if not picked:
        return f"{key('choose')} chooses the project under the cursor, {key('choose-all')} all of them."
    what = counted(len(picked), "project")
    if situation.is_armed:
        actions = counted(action_count(picked), "action")
        return f"{_rehearse_words(situation)}{key('rebuild')} shows the plan for {what} ({actions}) and asks."
    if situation.can_arm:
        arming = f"{key('arm')} arms the console; {key('rebuild')} then asks about {what}."
        return f"{_rehearse_words(situation)}{arming}"
    return f"{_rehearse_words(situation)}{arm_words(situation)}"


def _rehearse_words(situation: Situation) -> str:
    """Before the rebuild: what the rehearsal came to, or the key that begins one."""
    told = situation.rehearsal
    if not told:
        return f"{situation.key('rehearse')} rehearses it. "
    return f"{told[:1].upper()}{told[1:]}. "


def _beside_resume(situation: Situation) -> str:
    """That the list of findings is not what an interrupted run is finished with; what is chosen in it by hand
    is another run."""
    found = situation.unfinished
    if found is None or not found.can_be_finished:
        return ""
    if situation.choice == Choice():
        anew = f"{situation.key('leave-run')} leaves it as it is and plans that anew."
        return f" The list below does not change that: {anew}"
    then = f"{situation.key('rebuild')} rebuilds it" if situation.is_armed else "it is rebuilt"
    return f" What is chosen below does not change that: {then} as a run of its own."


def _held_state(found: LedgerRun) -> str:
    return "goes on elsewhere" if found.silent is None else "may go on elsewhere: not heard of"


def _rebuild(situation: Situation) -> StepView:
    run, key = situation.rebuild, situation.key
    why = "One action first, then several; each is in the ledger first."
    if run is None:
        found, do = _ahead(situation), "Comes after step 2."
        if situation.held is not None:
            found, do = _held_state(situation.held), held_words(situation.held, situation)
        elif situation.unfinished is not None and situation.unfinished.plan is not None:
            done, plan = len(situation.unfinished.results), situation.unfinished.plan
            found = f"interrupted: {done} of {counted(len(plan.actions), 'action')} done"
            do = resume_words(situation.unfinished, situation)
        return StepView(Step.REBUILD.value, StepState.WAITING, found, do, why)
    bad = failures(run)
    found = f"{done_count(run)} of {run.total} actions done" + (f", {bad} failed" if bad else "")
    if run.phase is RunPhase.RUNNING:
        do = f"{key('stop')} stops after the running calls; {key('back')} leaves and it runs on."
        if run.is_waiting:
            # The reason has a line of its own below, which a small terminal cuts.
            found, do = f"{found}; waiting for CloudStack", f"Get CloudStack to answer. {do}"
        return StepView(Step.REBUILD.value, StepState.CURRENT, found, do, why, is_alarming=bool(bad))
    if run.is_held:
        do = f"{key('pause')} goes on, {key('stop')} ends it; nothing more is sent until then."
        return StepView(Step.REBUILD.value, StepState.CURRENT, f"{run.phase.value}, {found}", do, why)
    if run.phase is RunPhase.STOPPING:
        do = "Wait: nothing more is sent, what runs is followed to its end."
        return StepView(Step.REBUILD.value, StepState.CURRENT, f"stopping, {found}", do, why)
    if is_unfinished(run):
        return _unfinished(run, situation, why)
    outcomes = Counter(result.outcome for result in run.results.values())
    rest = {"failed": bad, "not run": outcomes[Outcome.NOT_RUN], "skipped": outcomes[Outcome.SKIPPED]}
    found = f"{outcomes[Outcome.SUCCEEDED]} of {run.total} actions succeeded"
    found += "".join(f", {count} {word}" for word, count in rest.items() if count)
    found += f", in run {run.run_id} by {run.recalled_of}" if run.recalled_of else ""
    is_all = outcomes[Outcome.SUCCEEDED] + outcomes[Outcome.SKIPPED] == run.total
    state = StepState.DONE if is_all else StepState.BAD
    others = left_out(situation)
    more = f"Step 2 has {counted(others, 'project')} more." if others else "Nothing more."
    do = more if is_all else f"Read the reasons below; step 2 and {key('rebuild')} try again."
    return StepView(Step.REBUILD.value, state, found, do, why, is_alarming=bool(bad))


def _unfinished(run: RunState, situation: Situation, why: str) -> StepView:
    """Of a run that ended before its end here; another console may have gone on with it since."""
    title, held, key = Step.REBUILD.value, situation.held, situation.key
    if situation.is_finished_elsewhere and situation.ledger_run is not None:
        summary = situation.ledger_run.latest.run
        named = (f"{count} {outcome.value}" for outcome, count in summary.counts.items() if count)
        by = situation.ledger_run.latest.last_operator
        found = f"finished in another console by {by}: {', '.join(named)}"
        do = f"{key('history')} has its steps; step 2 has what is left."
        return StepView(title, StepState.WAITING, found, do, why)
    if held is not None and held.run_id == run.run_id:
        return StepView(title, StepState.WAITING, _held_state(held), held_words(held, situation), why)
    problem = run.problem or "some outcomes are unknown"
    found, do = f"not finished: {problem}", "The ledger has every step."
    if run.has_not_begun:
        found, do = f"not begun: {problem}", "Nothing was sent. Step 2 tries again."
    if held is not None:
        do = held_words(held, situation)
    elif situation.unfinished is not None:
        do = resume_words(situation.unfinished, situation)
    return StepView(title, StepState.BAD, found, do, why, is_alarming=True)


def _ahead(situation: Situation) -> str:
    if situation.assessment is None:
        return "not started"
    picked = chosen(situation.assessment, situation.choice)
    actions = {action.id: action for finding in picked for action in finding.actions}.values()
    found = {wave.title: wave.total for wave in waves(actions, {}, {})}
    named = ", ".join(counted(found[one], one[:-1]) for one in WAVE_TITLES if one in found)
    if named and situation.rehearsal:
        return f"not started; {situation.rehearsal}"
    return f"not started: {named}" if named else "not started"


def _verify(situation: Situation) -> StepView:
    run, after, key = situation.rebuild, situation.aftermath, situation.key
    why = "Reports are not believed: only what both sides say counts."
    title = Step.VERIFY.value
    if run is None or run.is_going_on or run.has_not_begun:
        do = "Comes by itself when the run has ended."
        return StepView(title, StepState.WAITING, "not done: both sides are read anew", do, why)
    if situation.is_finished_elsewhere:
        do = "Step 2 has what both sides say now."
        return StepView(title, StepState.WAITING, "done by the console that finished the run", do, why)
    if after is None:
        do = "Wait: it takes one complete reading of both sides."
        return StepView(title, StepState.WAITING, "both sides are being read anew…", do, why)
    if after.proof is None or after.proof.unproven:
        problem = after.problem if after.proof is None else f"not proven. {after.proof.unproven}"
        do = "Report this." if after.proof is None else f"{key('refresh')} reads both sides again."
        return StepView(title, StepState.BAD, problem, do, why, is_alarming=True)
    lost = _machines_lost(after.proof.losses)
    found, do = _left_of(run, after.proof, situation)
    if found:
        return StepView(title, StepState.BAD, f"{found}{lost}", do, why, is_alarming=True)
    others = still_repairable(run, after.proof)[1]
    rest = f"; {len(others)} left out" if others else ""
    return StepView(
        title,
        StepState.DONE,
        f"nothing of it is left to repair{rest}{lost}",
        _lost_do(after.proof, situation),
        why,
    )


def _lost_do(proof: Verification, situation: Situation) -> str:
    """Step 4 is named only where it still has something to make."""
    if not proof.losses:
        return "Nothing more."
    if situation.is_to_restore:
        return "Read what is lost below; step 4 makes VMs and templates anew."
    return "Read what is lost below: step 7 tells the owners."


def _left_of(run: RunState, proof: Verification, situation: Situation) -> tuple[str, str]:
    """What of the run does not hold, and what to do about it; empty when all of it was seen to hold."""
    tries = f"Step 2 lists them; there {situation.key('rebuild')} tries again, after asking."
    if situation.unfinished is not None:
        tries = resume_words(situation.unfinished, situation)
    if mine := still_repairable(run, proof)[0]:
        return f"{counted(len(mine), 'project')} can still be repaired", tries
    if stuck := not_rebuilt(run, proof):
        do = "They have no repair here: the reasons stand below."
        return f"{counted(len(stuck), 'project')} not rebuilt", do
    projects = {action.project for action in run.plan.actions}
    known = situation.assessment.to_rebuild if situation.assessment and situation.is_fresh else ()
    if again := [finding for finding in known if finding.key in projects]:
        return f"was proven, but {counted(len(again), 'project')} went missing again since", tries
    return "", ""
