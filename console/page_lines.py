"""The lines that pages are made of: a heading, a paragraph, a name with what is said of it. Pure."""

from __future__ import annotations

from widgets.cells import fit
from widgets.lines import Line, wrap

_NAME = 19
"""Cells that a name has, where it is not said."""


def heading(text: str) -> list[Line]:
    """One line that stands out."""
    return [[(f" {text}", "tone--strong")]]


def wrapped(text: str, width: int, *, tone: str = "") -> list[Line]:
    """A paragraph."""
    return [[(f" {line}", tone)] for line in wrap(text, max(10, width - 2))]


def pair(label: str, text: str, width: int, *, tone: str, name: int = _NAME) -> list[Line]:
    """A name in `name` cells, and beside it what is said of it, in as many lines as that takes."""
    texts = wrap(text, max(10, width - name - 3))
    return [
        [(f" {fit(label if index == 0 else '', name)} ", ""), (line, tone)]
        for index, line in enumerate(texts)
    ]
