"""What the console knows of containment: the last look, what is being done, what came of it, the brakes.

Pure values and the functions that make the next ones; `console.rungs` makes them happen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sync.brake import BrakeState
from sync.model import STANDS

if TYPE_CHECKING:
    from sync.contain import Step
    from sync.containment import CallerView, Look
    from sync.deletions import Situation

_ENGAGED = (
    BrakeState.STARTING,
    BrakeState.WAITING,
    BrakeState.REFUSED,
    BrakeState.HELD,
    BrakeState.LOST,
)


@dataclass(frozen=True, slots=True)
class BrakeView:
    """One brake of this console."""

    lock: str
    state: BrakeState
    text: str = ""
    since: datetime | None = None
    """When this state began."""
    losses: int = 0

    @property
    def is_engaged(self) -> bool:
        """Whether it is held or asked for: it has to be released by somebody."""
        return self.state in _ENGAGED


@dataclass(frozen=True, slots=True)
class ContainState:
    """All of it."""

    look: Look | None = None
    is_past: bool = False
    """Whether `look` is an earlier one, because the newest could not be taken or told nothing."""
    problem: str = ""
    """Why the last look or the last rung failed as a whole; empty when neither did."""
    doing: str = ""
    """The rung that is being taken, in words; empty while none is."""
    done: int = 0
    total: int = 0
    steps: tuple[Step, ...] = ()
    """What came of the rung that was taken last."""
    brakes: tuple[BrakeView, ...] = ()
    evidence: str = ""
    """Where it was saved, and what of it."""

    @property
    def is_braking(self) -> bool:
        return any(brake.is_engaged for brake in self.brakes)

    @property
    def locks_held_or_next(self) -> tuple[str, ...]:
        """Those that quitting gives up; not those whose database lets nobody in."""
        return tuple(
            one.lock for one in self.brakes if one.is_engaged and one.state is not BrakeState.REFUSED
        )

    @property
    def brake_mark(self) -> tuple[str, bool]:
        """For the header: a word, and whether it is an alarm. The worst of the brakes speaks."""
        states = {brake.state for brake in self.brakes if brake.is_engaged}
        if BrakeState.LOST in states:
            return "BRAKE LOST", True
        if BrakeState.REFUSED in states:
            return "BRAKE REFUSED", True
        if states & {BrakeState.STARTING, BrakeState.WAITING}:
            return "BRAKE WAITING", False
        return ("BRAKE HELD", False) if states else ("", False)


def with_look(state: ContainState, look: Look, last: Situation | None) -> ContainState:
    """With a new look. One that told nothing leaves the earlier one, or at least the `last` situation that is
    known otherwise, and adds what the journals say now."""
    if not look.situation.is_unread:
        return replace(state, look=look, is_past=False, problem="")
    known = state.look
    if known is None or known.situation.is_unread:
        known = replace(look, situation=last) if last is not None else None
    if known is None:
        return replace(state, look=look, is_past=False, problem="")
    known = replace(
        known,
        fences_standing=look.fences_standing,
        fences=look.fences,
        shields_standing=look.shields_standing,
        notes=look.notes,
    )
    return replace(state, look=known, is_past=True, problem=" ".join(look.situation.problems[:1]))


def without_look(state: ContainState, problem: str) -> ContainState:
    """After a look that broke: what is known is of before it."""
    return replace(state, is_past=state.look is not None, problem=problem)


def with_brake(state: ContainState, lock: str, now: BrakeState, *, text: str, at: datetime) -> ContainState:
    """With the new state of one brake."""
    known = {brake.lock: brake for brake in state.brakes}
    before = known.get(lock, BrakeView(lock, now))
    since = before.since if before.state is now and before.since is not None else at
    losses = before.losses + (now is BrakeState.LOST and before.state is not BrakeState.LOST)
    known[lock] = BrakeView(lock, now, text, since, losses)
    return replace(state, brakes=tuple(known.values()))


def sure_callers(views: Sequence[CallerView]) -> tuple[CallerView, ...]:
    """Those whom events and jobs name alike and who may be fenced."""
    return tuple(view for view in views if not view.caller.ask and view.may_be_fenced)


def must_choose(views: Sequence[CallerView]) -> bool:
    """Whether a person has to say who is meant: several callers, or one of whom events and jobs disagree."""
    return len(views) > 1 or any(view.caller.ask for view in views)


def result_of(steps: Sequence[Step]) -> tuple[str, bool]:
    """What came of a rung in one line, and whether all of it is as it was meant to be."""
    from sync.contain import last_of

    if not steps:
        return "Nothing had to be done.", True
    last = last_of(steps)
    good = [one for one in last if one.outcome in STANDS]
    bad = [one for one in last if one not in good]
    if bad:
        first = bad[0]
        done = f"{len(good)} done and read back, " if good else ""
        more = f" And {len(bad) - 1} more." if len(bad) > 1 else ""
        return f"{done}{len(bad)} not: {first.action} is {first.outcome.value}. {first.detail}{more}", False
    if len(good) == 1:
        one = good[0]
        return f"{one.action}: {one.detail or 'done and read back.'}", True
    return f"{len(good)} done, each read back.", True
