"""Which characters of a text from outside a terminal would obey instead of showing; said here alone. No I/O.

Control characters, the further ends of a line, halves of a character, and what turns the reading direction:
with one of those a name reads as another one.
"""

from __future__ import annotations

import re

_DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_DIRECTIONS = re.compile(f"[{_DIRECTION}]")
_OBEYED = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{_DIRECTION}]")


def obeyed_words(text: str) -> str:
    """What is in it that a terminal would obey, in words; empty where nothing is."""
    if _OBEYED.search(text) is None:
        return ""
    turning = _DIRECTIONS.search(text)
    if turning is None:
        return "a control character"
    return f"a character that turns the reading direction (U+{ord(turning[0]):04X})"


def escaped(text: str, *, kept: str = "") -> str:
    r"""With each such character as what can be seen, `\u{202e}`; those in `kept` stay."""
    return _OBEYED.sub(lambda one: one[0] if one[0] in kept else f"\\u{{{ord(one[0]):x}}}", text)


def escaped_json(text: str) -> str:
    r"""JSON in which each such character is written as JSON has it, `\u202e`; its own lines stay."""
    return _OBEYED.sub(lambda one: one[0] if one[0] == "\n" else f"\\u{ord(one[0]):04x}", text)
