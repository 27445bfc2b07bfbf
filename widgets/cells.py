"""Text from outside made safe and fitted to columns.

Nothing here (or in any widget) reads markup: names go into cells as plain text, measured in terminal cells.
"""

from __future__ import annotations

import unicodedata
from typing import Literal

from rich.cells import cell_len, set_cell_size

from sync.characters import JOINER, NON_JOINER, is_obeyed, is_unseen

Alignment = Literal["left", "right"]

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_OF_NO_CERTAIN_WIDTH = ("Cf", "Co")


def clean(text: str) -> str:
    """One line without characters that move the cursor, change direction or have no certain width."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_clean_character(text, place) for place in range(len(text)))


def _clean_character(text: str, place: int) -> str:
    character = text[place]
    if character in "\n\r\t":
        return " "
    if is_obeyed(text, place):
        return _REPLACEMENT
    if is_unseen(character):
        return character if character in (JOINER, NON_JOINER) else ""
    return _REPLACEMENT if unicodedata.category(character) in _OF_NO_CERTAIN_WIDTH else character


def fit(text: str, width: int, *, align: Alignment = "left", keep_end: bool = False) -> str:
    """`text` in exactly `width` terminal cells, shortened with an ellipsis where it does not fit.

    `keep_end` shortens at the front: the end of a path tells more than its beginning.
    """
    if width <= 0:
        return ""
    text = clean(text)
    length = cell_len(text)
    if length > width:
        return _shorten(text, width, keep_end=keep_end)
    padding = " " * (width - length)
    return padding + text if align == "right" else text + padding


def _shorten(text: str, width: int, *, keep_end: bool) -> str:
    if not keep_end:
        return _trim(text, width - 1) + "…" if width > 1 else "…"
    tail = ""
    for character in reversed(text):
        if cell_len(character + tail) > width - 1:
            break
        tail = character + tail
    tail = tail.removeprefix(JOINER)
    return " " * (width - 1 - cell_len(tail)) + "…" + tail if width > 1 else "…"


def _trim(text: str, width: int) -> str:
    return set_cell_size(text, width)


def age(seconds: float) -> str:
    """An age in words of fixed size: `8 s`, `3 min`, `2 h 05`, `4 d`."""
    whole = max(0, int(seconds))
    if whole < 100:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 100:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d}"
    return f"{hours // 24} d"


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 project`, `3 projects`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def size(octets: int | None) -> str:
    """Bytes in binary units: `12 GiB`; `–` when not known."""
    if octets is None:
        return "–"
    value = float(octets)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
