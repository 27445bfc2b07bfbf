"""The step Hand over of the recovery: passwords, letters, the report; and its page, which says where they
are. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from shlex import quote
from typing import TYPE_CHECKING

from console.page_lines import heading, wrapped
from console.waiting import Step
from widgets.cells import counted
from widgets.header import clock_time
from widgets.lines import Line
from widgets.steps import StepState, StepView

if TYPE_CHECKING:
    from console.recovering import Aftermath
    from console.recovery_situation import Situation
    from console.report_state import Reporting

_PRACTICE = "This is a drill: all of it lies in a temporary folder, which goes when the drill ends."


def hand_over_step(situation: Situation) -> StepView:
    """Done when report and letters are written, and nothing ran since."""
    after, state = situation.aftermath, situation.reporting
    title, why = Step.HAND_OVER.value, "Who was hit does not know yet what is back and what is not."
    problem = after.problem if after is not None else ""
    if problem:
        return StepView(title, StepState.BAD, problem, f"See below. {_do(situation)}", why, is_alarming=True)
    if state is not None and state.problem:
        found = f"{_saved(after)}; no report: {state.problem}"
        return StepView(title, StepState.BAD, found, _do(situation), why, is_alarming=True)
    is_done = state is not None and bool(state.files) and not _is_older(state, situation)
    found = f"{_saved(after)}{_written(state)}"
    return StepView(title, StepState.DONE if is_done else StepState.WAITING, found, _do(situation), why)


def _saved(after: Aftermath | None) -> str:
    """What a rebuild has left beside it."""
    if after is None or after.proof is None:
        return "not done: identity map, new passwords"
    new_ids = sum(after.new_ids.values())
    if not new_ids and not after.passwords:
        return "no new id, no new password"
    return f"saved: {counted(new_ids, 'new id')}, {counted(after.passwords, 'password')}{_of_several(after)}"


def _of_several(after: Aftermath) -> str:
    """Nothing tells what of an earlier rebuild was handed over already: it is named again."""
    return f" of {after.rebuilds} rebuilds" if after.rebuilds > 1 else ""


def _written(state: Reporting | None) -> str:
    if state is None:
        return "; no report yet"
    if state.is_going_on:
        return f"; {state.step}"
    return f"; report, {counted(len(state.letters), 'letter')} at {clock_time(state.at)[:5]}"


def _do(situation: Situation) -> str:
    """In the order in which people need it."""
    after, state, key = situation.aftermath, situation.reporting, situation.key("write-report")
    practice = " Practice: all of it goes when the drill ends." if situation.is_drill else ""
    if state is not None and state.is_going_on:
        return "Wait: both sides are read for the report."
    has_passwords = after is not None and bool(after.passwords)
    order = "letters to the owners, then the report"
    order = f"Passwords to their users, {order}" if has_passwords else order.capitalize()
    if state is None or not state.files:
        return f"{key} writes letters and report. {order}.{practice}"
    if _is_older(state, situation):
        return f"{key} writes letters and report anew: something ran since. {order}.{practice}"
    return f"{order}.{practice}"


def _is_older(state: Reporting, situation: Situation) -> bool:
    """Whether something ran after they were asked for."""
    run = situation.run
    return run is not None and (run.is_going_on or (run.ended_at is not None and run.ended_at > state.at))


def hand_over_page(situation: Situation, width: int, *, environment: str) -> list[Line]:
    """Where everything is, in the order in which people need it."""
    after, state = situation.aftermath, situation.reporting
    lines: list[Line] = []
    if after is not None and after.problem:
        lines += [*heading("Not everything was saved"), *wrapped(after.problem, width, tone="tone--bad"), []]
    if after is not None and after.password_file and after.passwords:
        users = f"{counted(after.passwords, 'user')}{_of_several(after)}"
        title = f"New passwords: {users}; for your eyes and each user's own"
        lines += [*wrapped(title, width, tone="tone--strong"), *_paths((after.password_file,), width), []]
    if state is not None and state.files:
        lines += _report(state, width)
    else:
        lines += _no_report(situation, width, environment=environment)
    if after is not None and after.files:
        words = ", ".join(counted(number, what) for what, number in after.new_ids.items())
        title = f"Identity map{_of_several(after)}, old ids to new ones: {words}"
        lines += [*wrapped(title, width, tone="tone--strong"), *_paths(after.files, width), []]
    made = situation.restoring
    if made is not None and made.ended is not None and made.files:
        title = f"The same after the restore, with all {len(made.ended.identities)} that have a new id"
        lines += [*wrapped(title, width, tone="tone--strong"), *_paths(made.files, width), []]
    if situation.is_drill:
        lines += wrapped(_PRACTICE, width, tone="tone--warning")
    return lines + _letters(state, width)


def _no_report(situation: Situation, width: int, *, environment: str) -> list[Line]:
    """How they are written, how far that is, or why it failed."""
    state, key = situation.reporting, situation.key("write-report")
    lines = heading("Incident report, a letter to each project's owners, a first message")
    if state is not None and state.problem:
        lines += wrapped(f"Not written: {state.problem}", width, tone="tone--bad")
    if state is not None and state.is_going_on:
        return [*lines, *wrapped(state.step, width, tone="tone--muted"), []]
    text = f"{key} writes them into a folder: what was destroyed, what is back, what is not and why."
    lines += wrapped(f"{text} After a restore once more.", width)
    if not situation.is_drill:
        command = f"abreast report --environment {quote(environment)} -o FOLDER"
        lines += wrapped(command, width, tone="tone--key")
    return [*lines, []]


def _report(state: Reporting, width: int) -> list[Line]:
    """The files, and a first look at what is in them."""
    title = f"Report, first message and {counted(len(state.letters), 'letter')}, of {clock_time(state.at)}"
    lines = [*heading(title), *wrapped(state.folder, width, tone="tone--key")]
    names = [PurePath(path).name for path in state.files if path not in state.letters]
    if state.letters:
        names.append(f"{PurePath(state.letters[0]).parent.name}/")
    lines += wrapped(f"  {'  '.join(names)}", width)
    if not state.letters:
        lines += wrapped("No letter: nothing is known to be lost of any project with owners.", width)
    if state.without_owner:
        text = f"! Nobody is named to write to: {', '.join(state.without_owner)}."
        lines += wrapped(text, width, tone="tone--warning")
    if state.unsure:
        more = f" (and {len(state.unsure) - 1} more)" if len(state.unsure) > 1 else ""
        text = f"! The report says what it cannot know: {state.unsure[0]}{more}"
        lines += wrapped(text, width, tone="tone--warning")
    return [*lines, []]


def _letters(state: Reporting | None, width: int) -> list[Line]:
    """Every letter by its file's name; one is sent as it is, or changed before."""
    if state is None or not state.letters:
        return []
    names = ", ".join(PurePath(path).name for path in state.letters)
    return [[], *heading("Letters: mail files, to be read and sent by you"), *wrapped(names, width)]


def _paths(paths: Sequence[str], width: int) -> list[Line]:
    lines: list[Line] = []
    for path in paths:
        lines += wrapped(path, width, tone="tone--key")
    return lines
