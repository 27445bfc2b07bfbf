"""Which environment a screen is about, in words and in its own colour. Light: the first frame shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tone = Literal["production", "qualification", "drill", "other"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Which environment this is."""

    name: str
    title: str
    tone: Tone = "other"


def identity_of(name: str, title: str) -> Identity:
    """The environment's identity; its colour follows its name."""
    lowered = name.casefold()
    tone: Tone = "other"
    if lowered.startswith("prod"):
        tone = "production"
    elif lowered.startswith("drill"):
        tone = "drill"
    elif lowered.startswith(("qual", "test", "stag", "int")):
        tone = "qualification"
    return Identity(name=name, title=title, tone=tone)
