"""Whether what was fenced is fenced still, by what is read now: a fence that somebody took away is an alarm.

Pure. A root admin can take its own fence away by one call, so none is believed because the ledger has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

CLOCKS = timedelta(seconds=60)
"""So far may the clocks of CloudStack, which dates a deletion, and of this machine, which dates a fence, be
apart before a deletion counts as accepted after the fence."""

NOWHERE = "203.0.113.1/32"
"""An address of the range for documentation (RFC 5737): nobody calls from there."""


class Hold(Enum):
    """How a fenced caller stands; the value is the word on screen."""

    HOLDS = "holds"
    GONE = "GONE"
    """Read now: it has access again."""
    PASSED = "PASSED"
    """Deletions of its were accepted after the fence."""
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class StandingFence:
    """One that the journal has."""

    action: str
    target_id: str
    target: str
    command: str
    account_id: str
    at: datetime
    seen_to: datetime | None = None
    """The newest deletion that was known when it was put up, by CloudStack's clock."""
    is_answered: bool = True
    """False where its call was never answered, so that it may never have held."""


@dataclass(frozen=True, slots=True)
class Fenced:
    """One caller that was fenced, and how it stands now."""

    target_id: str
    target: str
    at: datetime
    """When it was fenced last."""
    hold: Hold
    why: str = ""
    """What shows it; empty where the fence holds."""
    holding: tuple[str, ...] = ()
    """The commands of those of its fences that hold."""

    @property
    def is_lost(self) -> bool:
        return self.hold in (Hold.GONE, Hold.PASSED)

    @property
    def words(self) -> str:
        """One line for people, of a fence that does not hold for certain."""
        name = self.target.partition(" in ")[0]
        if self.hold is Hold.UNKNOWN:
            return f"whether the fence on {name} holds is not known: {self.why}"
        return f"the fence on {name} {'is GONE' if self.hold is Hold.GONE else 'was PASSED'}: {self.why}"


@dataclass(frozen=True, slots=True)
class FenceCheck:
    """How the fences stand. The empty value says that there are none."""

    callers: tuple[Fenced, ...] = ()
    note: str = ""
    """Why nothing is known of fences at all; empty where it is."""

    @property
    def lost(self) -> tuple[Fenced, ...]:
        return tuple(one for one in self.callers if one.is_lost)

    @property
    def unread(self) -> tuple[Fenced, ...]:
        return tuple(one for one in self.callers if one.hold is Hold.UNKNOWN)

    def of(self, target_id: str) -> Fenced | None:
        """How one caller stands; None where it was not fenced."""
        return next((one for one in self.callers if one.target_id == target_id), None)

    def passed_by(self, target_id: str) -> tuple[str, ...]:
        """The commands whose fences hold and that a caller has passed all the same: try another."""
        found = self.of(target_id)
        return found.holding if found is not None and found.hold is Hold.PASSED else ()

    @property
    def words(self) -> str:
        """One line for people; empty where there is nothing to say."""
        if self.note:
            return self.note
        said = [one.words for one in (*self.lost, *self.unread)]
        holding = [one.target.partition(" in ")[0] for one in self.callers if one.hold is Hold.HOLDS]
        return "; ".join([f"{', '.join(holding)} fenced, read just now", *said] if holding else said)


NO_FENCES = FenceCheck()


def is_fenced(command: str, state: Mapping[str, object]) -> bool | None:
    """Whether what is read of a user, or of its account's source list, is what the command makes of it; None
    where it does not tell: 4.18 shows no `apikeyaccess`, and later releases show it to root admins alone."""
    if command == "updateUser":
        shown = str(state.get("apikeyaccess") or "")
        return shown.casefold() == "disabled" if shown else None
    if command == "updateConfiguration":
        return state["source_list"] == NOWHERE if "source_list" in state else None
    shown = str(state.get("state") or "")
    return shown.casefold() in ("locked", "disabled") if shown else None


def checked(
    fences: Sequence[StandingFence],
    read: Callable[[StandingFence], bool | str],
    *,
    accepted: Mapping[str, Sequence[datetime]],
) -> FenceCheck:
    """How each fenced caller stands. `read` says of a fence whether it holds, or in words why that cannot be
    told; `accepted` are the times of deletions by the caller's id.

    A caller is fenced while one of its fences holds: another may never have been carried out.
    """
    by_target: dict[str, list[StandingFence]] = {}
    for fence in fences:
        by_target.setdefault(fence.target_id, []).append(fence)
    return FenceCheck(tuple(_fenced(mine, read, accepted.get(id, ())) for id, mine in by_target.items()))


def _fenced(
    fences: Sequence[StandingFence], read: Callable[[StandingFence], bool | str], accepted: Sequence[datetime]
) -> Fenced:
    found = [(fence, read(fence)) for fence in fences]
    last = max(fence.at for fence in fences)
    holding = tuple(fence.command for fence, holds in found if holds is True)
    problems = list(dict.fromkeys(holds for _, holds in found if isinstance(holds, str)))
    known = max((fence.seen_to for fence in fences if fence.seen_to is not None), default=last)
    later = sorted(at for at in accepted if at > max(last + CLOCKS, known))
    after = ""
    if later:
        number = f"{len(later)} deletion{'' if len(later) == 1 else 's'}"
        verb = "was" if len(later) == 1 else "were"
        after = f"{number} of its {verb} accepted after it, the last at {later[-1]:%H:%M:%S} UTC"
    one = fences[-1]
    if holding:
        hold, why = (Hold.PASSED, f"{after}: it calls in another way") if later else (Hold.HOLDS, "")
    elif problems:
        hold, why = (Hold.PASSED if later else Hold.UNKNOWN), ". ".join([*filter(None, [after]), *problems])
    else:
        never = not any(fence.is_answered for fence in fences)
        taken = "its call was never answered, and it does not hold" if never else "somebody took it away"
        hold, why = Hold.GONE, f"{taken}, the caller has access{f'; {after}' if after else ''}"
    return Fenced(one.target_id, one.target, last, hold, why, holding)
