"""How a restore of this console stands: what was wanted, what it would make, what came of it. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sync.errors import UsageError
from sync.model import Plan

if TYPE_CHECKING:
    from console.restores import Restored
    from sync.capture import Capture
    from sync.restoration import Restoration
    from sync.stock import Zone


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants a restore to go by; what is empty is chosen by itself."""

    capture: str = ""
    """A file of `abreast capture`, or when an automatic one was taken; else the newest complete one from
    before the deletion."""
    archive: str = ""
    """The folder of the archives; else the environment's."""
    serve: str = ""
    """This machine's address as CloudStack reaches it, `HOST[:PORT]`; else the environment's."""
    zone: str = ""
    """Closed to others meanwhile."""
    projects: str = ""
    """Names, between spaces, in quotes where they have some; else all of the capture."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the projects. Raises UsageError where a quotation mark is missing."""
        try:
            return tuple(shlex.split(self.projects))
        except ValueError as error:
            raise UsageError(f"{self.projects} names no projects: {error}.") from None

    @property
    def folder(self) -> Path | None:
        return Path(self.archive).expanduser() if self.archive else None


@dataclass(frozen=True)
class Restoring:
    """One restore, from what was wanted to what came of it."""

    generation: int
    wish: Wish
    step: str = ""
    """What is being read or checked; empty when nothing is."""
    is_waiting: bool = False
    """Whether it is planned as soon as both sides were read."""
    notes: tuple[str, ...] = ()
    """What was found beside the plan, in whole sentences."""
    basis: str = ""
    """Against which capture, in words."""
    read_at: datetime | None = None
    """When the reading began that the plan goes by."""
    before: Capture | None = field(default=None, repr=False, compare=False)
    made: Restoration | None = None
    plan: Plan | None = None
    """All that would be sent, the freeze and the opening of zones with it; None where nothing would be."""
    zone: Zone | None = None
    """The one that is closed first."""
    keys: frozenset[str] | None = None
    archive: str = ""
    """What the files come from and how they get to CloudStack, in words."""
    problem: str = ""
    """Why there is no plan, or it was not seen what came of it; empty otherwise."""
    is_run: bool = False
    """Whether it was confirmed and begun."""
    ended: Restored | None = None
    """None until both sides were read anew after it."""
    files: tuple[str, ...] = ()
    """Paths of the identity map."""

    @property
    def is_ready(self) -> bool:
        """Whether there is something to confirm."""
        return self.plan is not None and not self.is_run and not self.problem and not self.step

    def is_overtaken_by(self, end: datetime | None) -> bool:
        """Whether it is planned by a reading from before a rebuild ended, was not run, and waits for none."""
        is_after = self.read_at is not None and end is not None and self.read_at >= end
        return not (self.is_run or self.is_waiting or is_after)


def kinds(plan: Plan) -> Mapping[str, int]:
    """Kind of action → how many, in the plan's order."""
    found: dict[str, int] = {}
    for action in plan.actions:
        found[action.kind.value] = found.get(action.kind.value, 0) + 1
    return found
