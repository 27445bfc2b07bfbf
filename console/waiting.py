"""What happens if one waits, step by step of the recovery, with the deadlines that are known. Pure."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING

from console.recovering import is_unfinished
from sync.deletions import Stage
from sync.loss_basis import began
from sync.loss_ledger import Fate
from sync.recoverable import left_words
from widgets.cells import counted

if TYPE_CHECKING:
    from console.losses import Losses
    from console.recovery_situation import Situation

JOBS_ARE_KEPT = timedelta(days=1)
"""`job.expire.minutes` as it is by default [source]: what ended longer ago is no evidence any more."""


class Step(Enum):
    """The value is the title on screen."""

    CONTAIN = "Contain"
    ASSESS = "Assess"
    REBUILD = "Rebuild"
    RESTORE = "Restore"
    VERIFY = "Verify"
    RELINK = "Re-link"
    HAND_OVER = "Hand over"


def if_one_waits(step: Step, situation: Situation) -> str:
    """In one to three sentences, the most urgent first."""
    waits = {
        Step.CONTAIN: _contain,
        Step.ASSESS: _assess,
        Step.REBUILD: _rebuild,
        Step.RESTORE: _restore,
        Step.VERIFY: _verify,
        Step.RELINK: _relink,
        Step.HAND_OVER: _hand_over,
    }
    return waits[step](situation)


def _contain(situation: Situation) -> str:
    found = situation.deletions
    if found is None:
        return "Nobody knows: what is being deleted is still being read."
    if not situation.can_tell_deletions:
        goes_on = "What was being deleted may go on meanwhile" if found.is_happening else "Nobody knows"
        evidence = _evidence(situation)
        return f"{goes_on}: CloudStack could not be read. {evidence}".rstrip()
    said = []
    if found.is_happening:
        alive = sum(len(one.alive) for one in found.busy)
        first = next((one for one in found.busy), None)
        if first is not None:
            said.append(f"It goes on: next is {first.next_to_die}, of {first.label}.")
        said.append(f"{counted(alive, 'VM')} still alive. What is submitted is deleted, whoever sleeps.")
    evidence = _evidence(situation)
    said += [evidence] if evidence else []
    dying = situation.assessment.dying if situation.assessment is not None else ()
    if dying and not found.is_happening:
        said.append(f"{counted(len(dying), 'project')} dying by the lists: their VMs go one by one.")
    if found.of(Stage.HALF_DONE):
        said.append("What is half deleted may be taken up again by the next clean-up, in a day at most.")
    return " ".join(said) or "Nothing: nothing is being deleted."


def _evidence(situation: Situation) -> str:
    """Until when CloudStack still has the jobs that show who did it."""
    start = began(situation.deletions)
    if start is None or situation.now is None:
        return ""
    left = start + JOBS_ARE_KEPT - situation.now
    if left <= timedelta(0):
        return "CloudStack has forgotten the first jobs by now: save what evidence is left."
    return f"CloudStack forgets the first jobs, the evidence, {_about(left)} from now."


def _assess(situation: Situation) -> str:
    losses, now = situation.losses, situation.now
    said = []
    found = losses.returnable if losses is not None else ()
    if found and now is not None:
        first = found[0]
        left = left_words(first.until, now)
        said.append(f"{left[0].upper()}{left[1:]} for {first.label}, the first of {_destroyed(len(found))}.")
    assessment = situation.assessment
    if assessment is None and not said:
        return "Nobody knows yet: both sides are being read."
    if assessment is not None and assessment.dying:
        said.append(f"{counted(len(assessment.dying), 'project')} dying: fewer VMs with every minute.")
    if assessment is not None and assessment.to_rebuild:
        said.append("Names and addresses that are free now can be taken by others. Users wait.")
    if not said and situation.deletions is not None and situation.deletions.is_happening:
        goes_on = (
            "is being deleted now goes on" if situation.can_tell_deletions else "was being deleted may go on"
        )
        return f"Nothing of what is here gets worse; what {goes_on}, as step 1 says."
    return " ".join(said) or "Nothing gets worse that is known of."


def _destroyed(number: int) -> str:
    return counted(number, "VM that can still come back", "VMs that can still come back")


def _rebuild(situation: Situation) -> str:
    run = situation.rebuild
    if run is not None and run.is_held:
        return "Nothing goes on before you say so: nobody else can run anything here meanwhile. Users wait."
    if run is not None and run.is_going_on and run.is_waiting:
        return "It waits for CloudStack, which does not answer; when that answers, it goes on by itself."
    if run is not None and run.is_going_on:
        return "It goes on by itself. Leaving the screen stops nothing."
    if situation.held is not None and situation.held.silent is not None:
        return "Nothing is learnt by waiting: whoever has its lease is not heard of, and keeps it."
    if situation.held is not None:
        return "It goes on elsewhere; when it has ended, this screen says so."
    if situation.unfinished is not None or (run is not None and is_unfinished(run)):
        return "Nothing is undone by waiting: the ledger has every step. Half-made projects stay half-made."
    if run is not None:
        return "Nothing: what was rebuilt stays."
    if situation.assessment is not None and situation.assessment.to_rebuild:
        count = counted(len(situation.assessment.to_rebuild), "project")
        return f"{count} stay as they are: nobody of them can work. Nothing more is lost by that."
    return "Nothing: there is nothing to rebuild."


def _restore(situation: Situation) -> str:
    if situation.losses is None or not restorable(situation.losses):
        return "Nothing: nothing is known that could be made again."
    return (
        "Others take addresses and names that are free now; an agent's key is offered to whoever has its "
        "address then."
    )


def restorable(losses: Losses) -> dict[str, int]:
    """Type → how many are lost and not there again, of what a restore can make again."""
    lost = [one.type for one in losses.ledger.of(Fate.LOST) if one.id not in losses.again]
    return {one: lost.count(one) for one in ("network", "template", "ISO", "VM") if one in lost}


def _verify(situation: Situation) -> str:
    if situation.aftermath is not None and situation.aftermath.proof is not None:
        return "The proof grows old: what changes from now on is not in it."
    return "Until it is done nobody knows whether the rebuild holds."


def _relink(situation: Situation) -> str:
    found = situation.stored
    if found is None:
        return "Nobody knows yet: both sides are being read."
    if found.stale:
        return "A sync that runs before that deletes the rebuilt domains again."
    if found.gone:
        return "Nothing by that: there is no new id to store before step 3."
    return "Nothing: a sync finds every domain by its stored id."


def _hand_over(situation: Situation) -> str:
    after = situation.aftermath
    if after is not None and after.passwords:
        return "Users cannot log in before they have their new passwords."
    return "Nothing is lost; the owners do not know yet what happened."


def _about(span: timedelta) -> str:
    hours, minutes = divmod(int(span.total_seconds()) // 60, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
