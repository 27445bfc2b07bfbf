"""The step Restore of the recovery in words: what is lost, what can be made again, what came of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.recovering import done_count
from console.restore_pages import rebuilt_first
from console.waiting import Step, restorable
from widgets.cells import counted
from widgets.steps import StepState, StepView

if TYPE_CHECKING:
    from console.recovery_situation import Situation
    from console.restores import Restored
    from sync.restoration import Restoration


def restore_step(situation: Situation) -> StepView:
    """What a rebuild does not make; done on a screen of its own."""
    title, losses, key = Step.RESTORE.value, situation.losses, situation.key
    why = "A rebuild makes domains and people; what they worked with is in captures and archives."
    run, state = situation.run, situation.restoring
    if run is not None and run.is_restore and run.is_going_on:
        found = f"{done_count(run)} of {counted(run.total, 'action')} done"
        return StepView(title, StepState.CURRENT, found, f"{key('restore')} shows it.", why)
    if state is not None and state.ended is not None:
        return _restored(state.ended, f"{key('restore')} shows it, and plans what is left anew.", why)
    if state is not None and state.made is not None and not state.problem:
        return _to_restore(state.made, situation, why)
    if losses is None:
        return StepView(title, StepState.WAITING, "what was lost is being told…", "Wait.", why)
    lost = restorable(losses)
    if losses.basis.taken_at is None:
        do = f"Nobody knows what to make again. {key('restore')} takes a file of `abreast capture`."
        return StepView(title, StepState.WAITING, "not known: there is no capture", do, why)
    if not lost:
        return StepView(title, StepState.WAITING, "nothing of it was lost", "Nothing.", why)
    named = ", ".join(counted(number, one) for one, number in lost.items())
    do = f"After step 3: {key('restore')} shows what can be made again and what not, and asks."
    return StepView(title, StepState.WAITING, f"lost: {named}", do, why)


def _to_restore(made: Restoration, situation: Situation, why: str) -> StepView:
    """What was planned, and is not run yet."""
    title, key = Step.RESTORE.value, situation.key
    found = f"{len(made.actions)} can be made again, {len(made.left)} cannot"
    if made.actions:
        do = f"{key('restore')} shows all of it with its reasons; there it is confirmed and runs."
        return StepView(title, StepState.WAITING, found, do, why)
    waiting = rebuilt_first(made)
    words = counted(waiting, "object waits", "objects wait")
    first = f"{words} for a rebuild: step 3 first. " if waiting else ""
    return StepView(title, StepState.WAITING, found, f"{first}{key('restore')} shows the reasons.", why)


def _restored(ended: Restored, do: str, why: str) -> StepView:
    """What came of it, both sides read anew."""
    made = ", ".join(f"{number} × {kind}" for kind, number in ended.counts.items()) or "nothing"
    bad, left = len(ended.failed) + len(ended.unreached), len(ended.made.left)
    found = f"made: {made}" + (f"; {bad} not in place" if bad else "")
    found += f"; {counted(left, 'object')} cannot be" if left else ""
    if ended.frozen:
        found += f"; zone {ended.frozen[0].zone} is closed still"
    state = StepState.DONE if ended.is_whole else StepState.BAD
    return StepView(Step.RESTORE.value, state, found, do, why, is_alarming=bool(bad))
