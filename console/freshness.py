"""How old what a row shows is: its parts are read at different times, and the oldest decides. Pure.

A row whose oldest part is staler than it may be is not staged: what was true then may not be now.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from widgets.cells import age
from widgets.values import Freshness

if TYPE_CHECKING:
    from console.session_protocol import RefreshRates
    from sync.model import Drift, DriftRow

DESIRED, ACTUAL, USERS, LIMITS = "CI database", "CloudStack", "users", "limits"


LEAST = 180.0
"""Seconds that everything may be old: a slow server is no reason to stage nothing."""


def patience(rates: RefreshRates) -> Mapping[str, float]:
    """Seconds after which each part is stale: when it should have been read for the third time."""
    periods = {
        DESIRED: rates.ci_database_seconds,
        ACTUAL: rates.inventory_seconds,
        USERS: max(rates.users_seconds, rates.inventory_seconds),
        LIMITS: max(1, rates.limits_every) * rates.inventory_seconds,
    }
    return {name: max(3 * seconds, LEAST) for name, seconds in periods.items()}


def freshness(row: DriftRow, drift: Drift, rates: RefreshRates) -> Freshness:
    """When each part of the row was read; only those that it has."""
    times: dict[str, datetime] = {ACTUAL: drift.actual_taken_at}
    if row.project is not None:
        times[DESIRED] = drift.desired_taken_at
    has_accounts = row.view is not None and bool(row.view.accounts)
    if has_accounts and drift.users_taken_at is not None:
        times[USERS] = drift.users_taken_at
    has_quotas = row.project is not None and bool(row.project.quotas)
    if has_quotas and row.view is not None and drift.limits_taken_at is not None:
        times[LIMITS] = drift.limits_taken_at
    return Freshness(times, patience(rates))


def age_words(found: Freshness, now: datetime) -> tuple[str, str]:
    """How old the oldest part is, with the tone; nothing while all parts are of one reading and young."""
    stale = found.stale(now)
    if not stale and not found.is_mixed:
        return ("", "")
    name, seconds = found.oldest(now)
    return (f"{name} {age(seconds)} old", "tone--warning" if stale else "tone--muted")


def why_stale(found: Freshness, now: datetime) -> str:
    """Why a row is too old to act upon; empty when it is not."""
    stale = found.stale(now)
    if not stale:
        return ""
    ages = ", ".join(f"{name} {age(seconds)}" for name, seconds in stale.items())
    return f"what is shown is old ({ages}), so nothing of it is staged. Read both sides now first."
