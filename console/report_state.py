"""How the incident report and the letters of this console stand. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Reporting:
    """How the incident report and the letters of this console stand."""

    generation: int
    at: datetime
    """When they were asked for."""
    step: str = ""
    """What is being read or written; empty when nothing is."""
    folder: str = ""
    files: tuple[str, ...] = ()
    """Paths, the report first; empty until all of them are written."""
    without_owner: tuple[str, ...] = ()
    """Names of projects that were hit, and of which the CI database names nobody to write to."""
    unsure: tuple[str, ...] = ()
    """What the report cannot know, in whole sentences."""
    problem: str = ""
    """Why they could not be made or written; empty when they were."""

    @property
    def is_going_on(self) -> bool:
        return bool(self.step)

    @property
    def letters(self) -> tuple[str, ...]:
        """Paths of the letters."""
        return tuple(path for path in self.files if path.endswith(".eml"))
