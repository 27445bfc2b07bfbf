"""Reads whether what containment has fenced is fenced still."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from sync.containment_journal import Standing
from sync.errors import SourceError
from sync.fence_check import FenceCheck, StandingFence, checked, is_fenced
from sync.model import JsonObject


class Witness(Protocol):
    """Who shows how a user stands: `sync.cloudstack.Reader` and `Fence`."""

    def user_access(self, user_id: str, /) -> JsonObject: ...
    def source_list(self, account_id: str, /) -> str: ...


def seen(
    standing: Iterable[Standing],
    witness: Witness | None,
    *,
    accepted: Mapping[str, Sequence[datetime]],
) -> FenceCheck:
    """Every standing fence compared with what CloudStack shows now: one call a user, or a source list.

    Never raises SourceError: what could not be read is not known, and so is everything without a `witness`.
    """
    known: dict[tuple[str, str], JsonObject | str] = {}

    def state(fence: StandingFence) -> JsonObject | str:
        is_list = fence.command == "updateConfiguration"
        key = ("list", fence.account_id) if is_list else ("user", fence.target_id)
        if key not in known:
            try:
                if witness is None:
                    known[key] = "CloudStack could not be read."
                elif is_list:
                    known[key] = {"source_list": witness.source_list(fence.account_id)}
                else:
                    known[key] = witness.user_access(fence.target_id)
            except SourceError as error:
                known[key] = str(error)
        return known[key]

    def read(fence: StandingFence) -> bool | str:
        found = state(fence)
        if isinstance(found, str):
            return found
        holds = is_fenced(fence.command, found)
        return (
            f"CloudStack does not show this key what {fence.command} has changed." if holds is None else holds
        )

    return checked([as_fence(one) for one in standing], read, accepted=accepted)


def as_fence(one: Standing) -> StandingFence:
    """As far as comparing it needs."""
    seen_to = str(one.before.get("seen_to", ""))
    return StandingFence(
        one.action,
        one.target_id,
        one.target,
        one.command,
        str(one.before.get("account_id", "")),
        one.at,
        datetime.fromisoformat(seen_to) if seen_to else None,
        one.is_answered,
    )
