"""How fast an environment retires projects, as its configuration says; it can only be made slower. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sync.toml_table import Table

SHORTEST_QUARANTINE = 14
"""Days."""
LONGEST_QUARANTINE = 365
CEILING = 3
"""Projects that may be destroyed within the window, without a campaign."""
WINDOW = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class RetirementLimits:
    quarantine_days: int = SHORTEST_QUARANTINE
    """Between quarantine and archive; the default is the least."""
    ceiling: int = CEILING
    """Projects in 30 days; the default is the most."""


def read_settings(table: Table) -> RetirementLimits:
    """The [environments.NAME.retirement] table. Raises ConfigurationError."""
    table.allow("quarantine_days", "ceiling")
    return RetirementLimits(
        table.whole(
            "quarantine_days", default=SHORTEST_QUARANTINE, least=SHORTEST_QUARANTINE, most=LONGEST_QUARANTINE
        ),
        table.whole("ceiling", default=CEILING, least=0, most=CEILING),
    )
