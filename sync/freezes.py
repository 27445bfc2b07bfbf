"""Zones that a restore closes to everybody but root admins, and which of them are still closed.

Pure. CloudStack says that a zone is disabled; only the ledger says that it was abreast, and so what to open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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

    def words(self, environment: str) -> str:
        verb = "is frozen" if self.is_certain else "may be frozen"
        lift = f"`abreast restore --environment {environment} --thaw {self.zone}` lifts it."
        return (
            f"Zone {self.zone} {verb} since {self.since:%Y-%m-%d %H:%M} UTC by {self.by}: root admins alone "
            f"can deploy or take addresses in it. {lift}"
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
