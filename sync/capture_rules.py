"""How an environment is captured, as its configuration says. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Thinning:
    """How long captures are kept, and how densely."""

    all_for: timedelta = timedelta(days=1)
    hourly_for: timedelta = timedelta(days=7)
    daily_for: timedelta = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class CaptureRules:
    """How an environment is captured."""

    is_on: bool = True
    interval_seconds: float = 0.0
    """At least so long between two; 0 is every complete refresh."""
    thinning: Thinning | None = Thinning()
    """None keeps all of them."""
