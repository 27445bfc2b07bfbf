"""What the Restore screen says: what it goes by, what it would make, what it cannot and why, what came of it.
Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.ledger_words import arm_words, held_words, resume_words
from console.page_lines import heading, pair, wrapped
from console.restore_state import Restoring, kinds
from sync.restoration import REBUILD_FIRST
from widgets.cells import counted
from widgets.header import clock_time
from widgets.lines import Line

if TYPE_CHECKING:
    from console.ledger_run import LedgerRun
    from console.restores import Restored
    from console.state import RunState
    from sync.model import Plan
    from sync.restoration import AddressChange, Restoration

_NAME = 24
"""Cells of the longest kind with its number, `999 × register template`."""
_SAMPLES = 3
"""Objects that are named of each kind and of each reason."""


@dataclass(frozen=True)
class Scene:
    """All that the page depends on."""

    state: Restoring
    key: Callable[[str], str]
    """Id of a command → the key as it is mapped now."""
    is_armed: bool
    can_arm: bool
    run: RunState | None
    """The execution going on or ended last, whatever it is for."""
    ledger_run: LedgerRun | None
    """The newest run as the ledger has it."""
    environment: str


def what_to_do(scene: Scene) -> tuple[str, str]:
    """The next thing to do, or what is being waited for; and its tone."""
    state, key, run = scene.state, scene.key, scene.run
    if run is not None and run.is_going_on:
        mine = "It runs" if run.is_restore else "Another run is going on"
        shows = f"; {key('restore-view')} shows it" if run.is_restore else ""
        return f"{mine}{shows}. {key('stop')} stops after the calls under way.", "tone--strong"
    if waits := _of_the_ledger(scene):
        return waits, "tone--warning"
    if state.problem:
        again = f"{key('restore-by')} changes what it goes by, {key('refresh')} tries again."
        return f"{state.problem} {again}", "tone--bad"
    if state.step:
        return state.step, "tone--muted"
    if state.is_run and state.ended is None:
        return "It has ended. Both sides are read anew: then is shown what came of it.", "tone--strong"
    if state.ended is not None:
        again = f"{key('refresh')} plans what is left anew."
        if state.ended.is_whole and state.ended.unread:
            words = "Everything that was planned is in place; who has which address now is not known in full."
            return f"{words} {again}", "tone--warning"
        if state.ended.is_whole:
            return f"Everything that was planned is in place. {again}", "tone--good"
        return f"Not everything that was planned is in place: mend what failed; {again}", "tone--bad"
    if state.plan is None:
        waiting = rebuilt_first(state.made) if state.made is not None else 0
        if waiting:
            words = f"{counted(waiting, 'object waits', 'objects wait')} for a rebuild: step 3 comes first."
            return words, "tone--strong"
        return "Nothing of it can be made again now; the reasons stand below.", "tone--strong"
    return _how_to_run(scene, state.plan), "tone--key"


def rebuilt_first(made: Restoration) -> int:
    """How many objects wait for a rebuild."""
    return sum(REBUILD_FIRST in one.why for one in made.left)


def _of_the_ledger(scene: Scene) -> str:
    """What has to be done first about the newest run in the ledger; empty when nothing."""
    found = scene.ledger_run
    if found is None or found.is_over:
        return ""
    return held_words(found, scene) if found.is_held else resume_words(found, scene)


def _how_to_run(scene: Scene, plan: Plan) -> str:
    number = counted(len(plan.actions), "action")
    if not scene.is_armed:
        return f"{arm_words(scene)} {number} could be run."
    return f"{scene.key('run-restore')} asks for the number and makes it: {number}. Nothing is deleted."


def page(scene: Scene, width: int) -> list[Line]:
    """The whole page."""
    state = scene.state
    words, tone = what_to_do(scene)
    lines = [*wrapped(words, width, tone=tone), [], *_goes_by(scene, width)]
    for note in state.notes:
        lines += wrapped(f"! {note}", width, tone="tone--warning")
    lines.append([])
    if state.ended is not None:
        run = scene.run
        problem = run.problem if run is not None and run.is_restore else ""
        return lines + _result(state, state.ended, scene.environment, width, problem=problem)
    return lines if state.made is None else lines + _planned(state, state.made, width)


def _goes_by(scene: Scene, width: int) -> list[Line]:
    """Capture, archive, zone and projects, as far as they are known."""
    state, wish = scene.state, scene.state.wish
    zone = f"{wish.zone} is closed to others until the end." if wish.zone else "None is closed meanwhile."
    rows = (
        ("capture", state.basis or wish.capture or "The newest complete one from before the deletion."),
        ("archive", state.archive or wish.archive or "The environment's, where it has one."),
        ("zone", zone),
        ("projects", wish.projects or "All that the capture has."),
    )
    lines = heading(f"It goes by ({scene.key('restore-by')} changes it)")
    for name, text in rows:
        lines += pair(f"  {name}", text, width, tone="tone--muted", name=_NAME)
    return lines


def _planned(state: Restoring, made: Restoration, width: int) -> list[Line]:
    there = sum(made.there.values())
    when = f" by the reading of {clock_time(state.read_at)}" if state.read_at is not None else ""
    text = f"{counted(made.total, 'object')} of the capture{when}: {there} there, "
    text += f"{len(made.actions)} to make again, {len(made.left)} not"
    lines = wrapped(text, width, tone="tone--strong")
    if state.plan is not None:
        lines += [[], *heading("Is made again")]
        for kind, number in kinds(state.plan).items():
            targets = [one.target for one in state.plan.actions if one.kind.value == kind]
            lines += pair(f" {number:3} × {kind}", _some(targets), width, tone="tone--muted", name=_NAME)
    lines += _changes(made.addresses, width)
    return lines + _left(made, width)


def _left(made: Restoration, width: int) -> list[Line]:
    """Everything that is not made again, by its reason."""
    if not made.left:
        return []
    lines: list[Line] = [[], *heading("Is not made again")]
    for type_name, why, names in made.reasons:
        text = f"{why}: {_some(names)}"
        lines += pair(f" {len(names):3} × {type_name}", text, width, tone="tone--muted", name=_NAME)
    return lines


def _changes(found: Iterable[AddressChange], width: int) -> list[Line]:
    """Addresses that change or are somebody else's, the dangerous ones first."""
    changes = sorted(found, key=lambda one: not one.taken_by)
    if not changes:
        return []
    lines: list[Line] = [[], *heading("Addresses: whoever connects with a key has to know")]
    for one in changes:
        lines += wrapped(f"  {one.words}", width, tone="tone--bad" if one.taken_by else "tone--warning")
    return lines


def _result(state: Restoring, ended: Restored, environment: str, width: int, *, problem: str) -> list[Line]:
    named = ", ".join(f"{number} × {kind}" for kind, number in ended.counts.items())
    lines = wrapped(f"✓ Succeeded: {named}.", width, tone="tone--good") if named else []
    if problem:
        lines += wrapped(f"✗ It did not come to its end: {problem}", width, tone="tone--bad")
    for action, why in ended.failed.items():
        lines += wrapped(f"✗ {action}: {why}", width, tone="tone--bad")
    if ended.unreached:
        text = f"✗ {counted(len(ended.unreached), 'action')} not reached: {_some(ended.unreached)}"
        lines += wrapped(text, width, tone="tone--bad")
    for zone in ended.frozen:
        lines += wrapped(f"! {zone.words(environment)}", width, tone="tone--warning")
    for sentence in ended.unread:
        lines += wrapped(f"· Not known: {sentence}", width, tone="tone--warning")
    if ended.unread:
        lines += wrapped("  The incident report reads it again, and lists every address that changed.", width)
    lines += _changes(ended.addresses, width)
    if ended.agents:
        lines += [[], *heading("For Jenkins: agents whose address is not what the CI database says")]
        for agent in ended.agents:
            lines += wrapped(f"  {agent.words}", width, tone="tone--warning")
    if state.files:
        lines += [[], *heading(f"Identity map, old ids to new ones: {len(ended.identities)}")]
        for path in state.files:
            lines += wrapped(path, width, tone="tone--key")
    return lines + _left(ended.made, width)


def _some(names: Iterable[str]) -> str:
    given = [name.removeprefix("ROOT/") for name in names]
    more = f" and {len(given) - _SAMPLES} more" if len(given) > _SAMPLES else ""
    return f"{', '.join(given[:_SAMPLES])}{more}"
