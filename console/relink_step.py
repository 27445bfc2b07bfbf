"""The step Re-link of the recovery: which stored ids are of domains that are gone; and its page, with the
files for the CI database's owner and how a fence goes afterwards. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote
from typing import TYPE_CHECKING

from console.page_lines import heading, wrapped
from console.waiting import Step
from widgets.cells import counted, fit
from widgets.lines import Line
from widgets.steps import StepState, StepView

if TYPE_CHECKING:
    from console.recovery_situation import Situation
    from sync.recovery import StaleId, StoredIds

_NAME = 24


def relink_step(situation: Situation) -> StepView:
    """Needed where the CI database stores CloudStack's ids; done when a fresh reading shows them alive."""
    title, found, run = Step.RELINK.value, situation.stored, situation.rebuild
    why = "A sync that misses its ids deletes every rebuilt domain again."
    if run is not None and run.is_going_on:
        do = "Comes by itself when the run has ended."
        return StepView(title, StepState.WAITING, "not done: new ids come of step 3", do, why)
    if found is None:
        return StepView(title, StepState.WAITING, "both sides are being read…", "Wait.", why)
    if found.stale:
        return _to_link(found, situation, why)
    linked = linked_ids(situation)
    lost = [one for one in linked if one.key not in found.alive]
    if lost:
        words = f"{counted(len(lost), 'domain')} went again, with the new id"
        do = f"Step 2 first: {situation.key('rebuild')} there makes them anew, and their ids once more."
        return StepView(title, StepState.BAD, words, do, why, is_alarming=True)
    if linked:
        words = f"{counted(len(linked), 'new id')} stored, and alive by a fresh reading"
        do = f"A fence may go now: {_lifting(situation)}."
        return StepView(title, StepState.DONE, words, do, why)
    if found.gone:
        words = f"not done: {counted(len(found.gone), 'stored id')} of projects that are to be rebuilt"
        return StepView(title, StepState.WAITING, words, "After step 3 the new ones are written here.", why)
    number = counted(len(found.alive), "stored id")
    words = f"{number}, alive" if found.alive else "the CI database stores no ids"
    return StepView(title, StepState.WAITING, f"not needed: {words}", "Nothing.", why)


def _to_link(found: StoredIds, situation: Situation, why: str) -> StepView:
    words = f"{counted(len(found.stale), 'stored id')} of domains that are gone"
    if found.gone:
        words += f"; {counted(len(found.gone), 'project')} to rebuild first"
    if situation.plays_owner:
        do = f"{situation.key('drill')} plays the CI database's owner: Re-link there stores the new ones."
    else:
        do = "Give the file below to the CI database's owner, and wait until the new ids are stored."
    return StepView(Step.RELINK.value, StepState.WAITING, words, do, why, is_alarming=True)


def linked_ids(situation: Situation) -> Sequence[StaleId]:
    """What had to be stored since the rebuild."""
    return situation.aftermath.to_link if situation.aftermath is not None else ()


def _lifting(situation: Situation) -> str:
    return f"{situation.key('contain')} opens Contain, there {situation.key('lift-fence')} lifts it"


def relink_page(situation: Situation, width: int, *, environment: str) -> list[Line]:
    """The files, what to do with them, how a fence goes afterwards, and the ids."""
    found, linked = situation.stored, linked_ids(situation)
    if found is not None and found.stale:
        files = situation.aftermath.relinks if situation.aftermath is not None else ()
        return [
            *_files(files, width, environment=environment),
            *_how(situation, width, environment=environment),
            [],
            *_ids("Stored id → the id that the domain has now", found.stale, width),
        ]
    if not linked:
        text = "There is no new id to store. Where a rebuild makes domains anew, they are listed here."
        return wrapped(text, width, tone="tone--muted")
    return [
        *_fence(situation, width, environment=environment),
        [],
        *_ids("Was stored → had to be stored", linked, width),
    ]


def _files(files: Sequence[str], width: int, *, environment: str) -> list[Line]:
    """The SQL first: it is what the owner runs."""
    if not files:
        lines = heading("No file is written by this console; this writes them")
        command = f"abreast relink --environment {quote(environment)} -o FOLDER"
        return [*lines, *wrapped(command, width, tone="tone--key"), []]
    lines = heading("For the CI database's owner")
    for path in sorted(files, key=lambda path: not path.endswith(".sql")):
        lines += wrapped(path, width, tone="tone--key")
    if not any(path.endswith(".sql") for path in files):
        text = "No SQL: name your statement as `relink` under [environments.….ci_database]."
        lines += wrapped(text, width, tone="tone--warning")
    return [*lines, []]


def _how(situation: Situation, width: int, *, environment: str) -> list[Line]:
    reads = situation.key("refresh")
    lines = wrapped(
        "Each UPDATE asks for the old id: running it twice changes nothing more. When a reading shows the "
        f"new ids, this step is ✓ by itself; {reads} reads at once.",
        width,
    )
    text = "Until then keep a fence: lifting it before takes a second name and a reason."
    lines += [*wrapped(text, width, tone="tone--warning"), []]
    return lines + _fence(situation, width, environment=environment)


def _fence(situation: Situation, width: int, *, environment: str) -> list[Line]:
    lines = heading("The fence, when every stored id is alive")
    lines += wrapped(f"{_lifting(situation)}: both sides are read once more for it.", width)
    if not situation.is_drill:
        command = f"abreast contain --environment {quote(environment)} --lift-fence USER --reason TEXT"
        lines += wrapped(command, width, tone="tone--key")
    return lines


def _ids(title: str, given: Sequence[StaleId], width: int) -> list[Line]:
    lines = heading(f"{title}: {len(given)}")
    room = (width - _NAME - 5) // 2
    for one in given:
        ids = " → ".join(fit(id, min(room, len(id))) for id in (one.stored, one.current))
        lines.append([(f" {fit(one.project, _NAME)} ", ""), (ids, "tone--muted")])
    return lines
