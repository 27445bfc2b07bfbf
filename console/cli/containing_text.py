"""What containment found and did, as lines for people."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from console.cli.output import result, result_lines, say, table
from sync.deletion_text import situation_text
from sync.deletions import Deletion, Stage
from sync.fence_check import Hold
from widgets.cells import counted

if TYPE_CHECKING:
    from sync.contain import Rung, Step
    from sync.containment import Look
    from sync.settings import Environment

_IN_FULL = (Stage.RUNNING, Stage.QUEUED, Stage.HALF_DONE, Stage.ORPHANED)
_BUSY = (Stage.RUNNING, Stage.QUEUED)


def show_look(environment: Environment, look: Look, *, brief: bool = False) -> None:
    """The situation; unless `brief`, also who does it and the whole ladder."""
    title = environment.heading
    result(f"{title}  CloudStack {look.release or '(release unknown)'}")
    result(situation_text(look.situation))
    for problem in (*look.situation.problems, *look.notes):
        result(f"! {problem}")
    for lost in look.fences.lost:
        result(
            f"! {lost.target}: fence {lost.hold.value}: {lost.why}. `abreast contain --fence` fences anew."
        )
    _deletions(look.situation.deletions)
    if look.situation.elsewhere:
        result(f"{look.situation.elsewhere} more deletions outside of {environment.parent}.")
    if brief:
        return
    _callers(look)
    for one in look.fences_standing:
        held = look.fences.of(one.target_id)
        doubt = "" if held is None or held.hold is Hold.HOLDS else f"; now {held.hold.value}: {held.why}"
        result(f"fenced: {one.target} by {one.command}, {one.at:%Y-%m-%d %H:%M} by {one.operator}{doubt}")
    result("")
    for number, rung in enumerate(look.ladder, start=1):
        _rung(number, rung)
        if rung is look.ladder[1] and look.fences.words:
            result(f"   now: {look.fences.words}")
    show_shields(look, ())


def _deletions(deletions: Sequence[Deletion]) -> None:
    rows = [
        (
            one.stage.value,
            one.label,
            f"{one.since:%m-%d %H:%M:%S}" if one.since else "?",
            one.by or "?",
            str(len(one.alive)),
            one.next_to_die if one.stage in _BUSY else one.why,
        )
        for one in deletions
        if one.stage in _IN_FULL
    ]
    if rows:
        result_lines(table(rows, header=("stage", "what", "since", "by", "VMs alive", "dies next, or why")))
    for one in deletions:
        if one.stage in _BUSY and one.below:
            result(f"with {one.label}: {', '.join(one.below)}")
    for stage in (Stage.ENDED, Stage.REFUSED):
        names = [one.label for one in deletions if one.stage is stage]
        if names:
            result(f"{stage.value}: {', '.join(names)}")


def _callers(look: Look) -> None:
    for view in look.callers:
        caller = view.caller
        admin = ", a root admin" if caller.is_root_admin else ""
        state = f" [{caller.state}]" if caller.state else ""
        number = counted(len(caller.deletions), "deletion")
        words = f"{number} in an hour, {caller.open_deletions} not ended"
        fence = look.fences.of(caller.user_id)
        fenced = "" if fence is None else f", FENCE {fence.hold.value}"
        if fence is not None and fence.hold is Hold.HOLDS:
            fenced = ", FENCED"
        result(f"who: {caller.label}{fenced}{admin}{state}: {words}")
        if caller.ask:
            result(f"     ask: {caller.ask} Name it with --caller to fence it.")
        if view.refusal:
            result(f"     must not be fenced: {view.refusal}")
        elif view.methods and fenced != ", FENCED":
            result(f"     can be fenced by {', '.join(method.value for method in view.methods)}")
        if view.other_calls:
            calls = ", ".join(f"{type_} {times}" for type_, times, _ in view.other_calls)
            result(f"     also called in the last hour: {calls}")
        elif view.other_calls_problem:
            result(f"     what else it called could not be read: {view.other_calls_problem}")
        elif not view.refusal:
            result("     called nothing else in the last hour, by the events")


def _rung(number: int, rung: Rung) -> None:
    result(f"{number}. {rung.name}: {rung.what}")
    for title, text in rung.text:
        first, *more = text.strip().split("\n")
        result(f"     {title}: {first}")
        for line in more:
            result(f"       {line}")
    result(f"   does not stop: {rung.does_not_stop}")
    result(f"   undo: {rung.undo}")
    result(f"   known from: {rung.known}")
    if rung.why_not:
        result(f"   NOT POSSIBLE: {rung.why_not}")


def show_steps(steps: Sequence[Step]) -> None:
    """One line a change; many of one kind that all went well as one line."""
    failed = [step for step in steps if step.outcome.value != "succeeded"]
    done = [step for step in steps if step.outcome.value == "succeeded"]
    for kind, group in groupby(done, key=lambda step: step.action.partition(" ")[0]):
        same = list(group)
        if len(same) > 3:
            say(f"{len(same)} done: {kind}")
        else:
            for step in same:
                say(f"done: {step.action}" + (f" ({step.detail})" if step.detail else ""))
    for step in failed:
        say(f"{step.outcome.value}: {step.action}: {step.detail}")
    for undo in dict.fromkeys(step.undo for step in done if step.undo):
        say(f"undo: {undo}")


def show_shields(look: Look, steps: Sequence[Step]) -> None:
    """Which domains have a tripwire, which could, and which cannot."""
    show_steps(steps)
    if look.shield_why_not:
        result(f"shields: none is claimed. {look.shield_why_not}")
        return
    choice = look.shields
    possible = 0 if steps else len(choice.candidates)
    result(
        f"shields: {len(choice.standing)} domains have one, {possible} more can, "
        f"{len(choice.unshielded)} cannot."
    )
    for one in look.shields_lost:
        result(f"LOST shield: {one.path}: {one.why}")
    ordered = sorted(choice.unshielded, key=lambda one: one.why)
    for why, group in groupby(ordered, key=lambda one: one.why):
        result(f"  without: {', '.join(one.path for one in group)}: {why}")
