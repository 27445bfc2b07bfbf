"""The classes of reversibility, apart: settings are read without the whole vocabulary."""

from __future__ import annotations

from enum import Enum


class Reversibility(Enum):
    """Mildest first; the value is the word on screen, in plans and in the configuration."""

    UNDOABLE = "undoable"
    RECREATABLE = "recreatable"
    RECOVERABLE = "recoverable"
    IRREVERSIBLE = "irreversible"
