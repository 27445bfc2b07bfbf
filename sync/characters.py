"""Which characters of a text from outside a terminal would obey, or not show at all; said here alone. No I/O.

Control characters, the further ends of a line, halves of a character, what turns the reading direction, and
what takes no room: with one of those a name reads as another one. What joins an emoji, or letters of a
script that joins them, is left in it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

JOINER = "\N{ZERO WIDTH JOINER}"
NON_JOINER = "\N{ZERO WIDTH NON-JOINER}"
PICTURE_STYLE = "\N{VARIATION SELECTOR-16}"

_DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSEEN = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2064\u206a-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"
)
"""What Unicode calls default ignorable: it takes no room, or looks like a space."""
_DIRECTIONS = re.compile(f"[{_DIRECTION}]")
_UNSEEN_ONES = re.compile(f"[{_UNSEEN}]")
_SUSPECT = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{_DIRECTION}{_UNSEEN}]")
_SKIN_TONES = "\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"
_KEY_CAP = "\N{COMBINING ENCLOSING KEYCAP}"
_VIRAMA = 9
"""Combining class of the sign that joins two consonants of an Indic script, or with a joiner does not."""


def is_obeyed(text: str, place: int) -> bool:
    """Whether the character there would be obeyed, or not be seen."""
    return _SUSPECT.match(text, place) is not None and not is_in_use(text, place)


def obeyed_words(text: str) -> str:
    """What is in it that a terminal would obey, or not show, in words; empty where nothing is."""
    found = next((one for one in _obeyed(text) if not _is_control(one)), "") or next(_obeyed(text), "")
    if not found:
        return ""
    if _DIRECTIONS.match(found):
        return f"a character that turns the reading direction (U+{ord(found):04X})"
    if is_unseen(found):
        return f"a character that cannot be seen (U+{ord(found):04X})"
    return "a control character"


def escaped(text: str, *, kept: str = "") -> str:
    r"""With each such character as what can be seen, `\u{202e}`; those in `kept` stay."""

    def shown(one: re.Match[str]) -> str:
        return one[0] if one[0] in kept or _is_in_use(one) else _code(one[0])

    return _SUSPECT.sub(shown, text)


def spelled_out(text: str) -> str:
    r"""One line from which the text can be told to the letter: every character of Unicode's category C, every
    further end of a line and every backslash is written out, whether it is in use or not."""
    return "".join(map(_spelled_out, text))


def with_unseen(text: str) -> str:
    r"""With every character that takes no room, or looks like a space, as what can be seen, `\u{3164}`."""
    return _UNSEEN_ONES.sub(lambda one: _code(one[0]), text)


def _spelled_out(character: str) -> str:
    if character == "\\":
        return "\\\\"
    category = unicodedata.category(character)
    return _code(character) if category[0] == "C" or category in ("Zl", "Zp") else character


def _code(character: str) -> str:
    return f"\\u{{{ord(character):x}}}"


def escaped_json(text: str) -> str:
    r"""JSON in which each such character is written as JSON has it, `\u202e`; its own lines stay."""

    def shown(one: re.Match[str]) -> str:
        if one[0] == "\n" or _is_in_use(one):
            return one[0]
        code = ord(one[0])
        if code > 0xFFFF:
            high, low = divmod(code - 0x10000, 0x400)
            return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
        return f"\\u{code:04x}"

    return _SUSPECT.sub(shown, text)


def is_in_use(text: str, place: int) -> bool:
    """Whether the joiner, non-joiner or variation selector there does what it is for, so that it is seen by
    what is beside it: one picture of two, letters joined or kept apart, the coloured form of a sign."""
    character, before, after = text[place], text[:place][-1:], text[place + 1 : place + 2]
    if character in (JOINER, NON_JOINER) and before and unicodedata.combining(before) == _VIRAMA:
        return True
    if character == JOINER:
        # A picture may have been told to be coloured before it is joined.
        return _is_picture(text[:place].rstrip(PICTURE_STYLE)[-1:]) and _is_picture(after)
    if character == NON_JOINER:
        return _joins_letters(before) and _joins_letters(after)
    if "\ufe00" <= character <= PICTURE_STYLE:
        return after == _KEY_CAP or (bool(before) and unicodedata.category(before)[0] in "SP")
    return False


def is_unseen(character: str) -> bool:
    """Whether it takes no room by itself, or looks like a space."""
    return _UNSEEN_ONES.match(character) is not None


def _is_in_use(one: re.Match[str]) -> bool:
    return is_in_use(one.string, one.start())


def _obeyed(text: str) -> Iterator[str]:
    return (one[0] for one in _SUSPECT.finditer(text) if not _is_in_use(one))


def _is_control(character: str) -> bool:
    return _DIRECTIONS.match(character) is None and not is_unseen(character)


def _is_picture(character: str) -> bool:
    return bool(character) and (unicodedata.category(character) == "So" or character in _SKIN_TONES)


def _joins_letters(character: str) -> bool:
    """Whether it is a letter of a script whose letters join, as those of Arabic and Syriac do."""
    return bool(character) and unicodedata.bidirectional(character) == "AL"
