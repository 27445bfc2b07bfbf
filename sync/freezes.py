"""Zones that a restore closes to everybody but root admins, and which of them are still closed.

Pure. CloudStack says that a zone is disabled; only the ledger says that it was abreast, and so what to open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sync.model import Action, ActionKind, JsonObject, Outcome, Reversibility
from sync.stock import Zone

_FREEZE, _THAW = "freeze-zone ", "thaw-zone "


class Recorded(Protocol):
    """An intent or an outcome, as the ledger has them."""

    @property
    def operator(self) -> str: ...
    @property
    def at(self) -> datetime: ...
    @property
    def payload(self) -> JsonObject: ...


@dataclass(frozen=True, slots=True)
class Freeze:
    """A zone that was closed and, by the ledger, not opened again."""

    zone: str
    by: str
    since: datetime
    is_certain: bool = True
    """Whether it is known to have taken effect; only reading the zone tells otherwise."""
    is_in_run: bool = False
    """Whether a run goes on, which may be the one that closed it and opens it again."""

    def words(self, environment: str) -> str:
        return (
            f"Zone {self.zone} {self._verb} since {self.since:%Y-%m-%d %H:%M} UTC by {self.by}: root admins "
            f"alone can deploy or take addresses in it. {self.lift(environment)}"
        )

    @property
    def in_short(self) -> str:
        """For one line, what matters most at its beginning."""
        return (
            f"Zone {self.zone} {self._verb}: root admins alone can deploy. "
            f"Since {self.since:%m-%d %H:%M} UTC by {self.by}"
        )

    def lift(self, environment: str) -> str:
        """What opens it."""
        command = f"`abreast restore --environment {environment} --thaw {self.zone}`"
        if self.is_in_run:
            return f"A run goes on. If it leaves the zone so: {command}"
        return f"{command} lifts it."

    @property
    def _verb(self) -> str:
        return "is frozen" if self.is_certain else "may be frozen"


def concerns_zones(payload: str) -> bool:
    """Whether an intent or an outcome, as JSON, can be about a zone that is closed or opened."""
    return _FREEZE in payload or _THAW in payload


def beside(found: Iterable[Freeze], allocations: Mapping[str, str], *, is_in_run: bool) -> tuple[Freeze, ...]:
    """What the ledger says of closed zones, beside what CloudStack says of them now, by the zone's name: one
    that is open has been opened by hand, one of which CloudStack says nothing may be closed still."""
    return tuple(
        replace(one, is_certain=one.zone in allocations, is_in_run=is_in_run)
        for one in found
        if allocations.get(one.zone, "").casefold() != "enabled"
    )


def frozen(entries: Iterable[Recorded]) -> tuple[Freeze, ...]:
    """The zones that are still closed, decided from intents and outcomes in their order."""
    found: dict[str, Freeze] = {}
    for entry in entries:
        action = str(entry.payload["action"])
        outcome = entry.payload.get("outcome", Outcome.UNKNOWN.value)
        if action.startswith(_FREEZE):
            _note_freeze(found, action.removeprefix(_FREEZE), outcome, entry)
        elif action.startswith(_THAW) and _is_open(outcome, entry.payload):
            found.pop(action.removeprefix(_THAW), None)
    return tuple(found.values())


def _note_freeze(found: dict[str, Freeze], zone: str, outcome: str, entry: Recorded) -> None:
    if outcome == Outcome.SUCCEEDED.value:
        found[zone] = Freeze(zone, entry.operator, entry.at)
    elif outcome == Outcome.UNKNOWN.value:
        found.setdefault(zone, Freeze(zone, entry.operator, entry.at, is_certain=False))
    elif zone in found and not found[zone].is_certain:
        del found[zone]


def _is_open(outcome: str, payload: JsonObject) -> bool:
    """Whether the zone is open: by this action, or already before it."""
    is_so_already = outcome == Outcome.SKIPPED.value and payload.get("object_id")
    return bool(outcome == Outcome.SUCCEEDED.value or is_so_already)


def freeze(zone: Zone) -> Action:
    """Close it. VMs go on running."""
    return Action(
        ActionKind.FREEZE_ZONE,
        project="",
        target=zone.name,
        target_id=zone.id,
        parameters={},
        precondition={"allocationstate": "enabled"},
        reason="What is freed must not go to others while it is restored: addresses, VLANs, capacity.",
        reversibility=Reversibility.UNDOABLE,
        undo=f"`abreast restore --thaw {zone.name}`, or `updateZone allocationstate=Enabled`.",
    )


def thaw(zone: Zone) -> Action:
    """Open it again."""
    return Action(
        ActionKind.THAW_ZONE,
        project="",
        target=zone.name,
        target_id=zone.id,
        parameters={},
        precondition={"allocationstate": "disabled"},
        reason="It was closed for a restore.",
        reversibility=Reversibility.UNDOABLE,
        undo="`updateZone allocationstate=Disabled`.",
    )
