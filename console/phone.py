"""A step of the recovery, as it is read aloud on the phone: plain sentences, numbers in words. Pure."""

from __future__ import annotations

import re

from console.recovery_steps import Situation, Step, steps
from sync.loss_basis import basis_spoken
from sync.loss_ledger import Fate, fate_totals

_SMALL = (
    *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
    *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_MOST = 1_000_000


def spoken(situation: Situation, step: Step) -> tuple[str, ...]:
    """Paragraphs: where one is, what was found, what to do next, why, and what happens if one waits."""
    views = steps(situation, viewed=step)
    place = list(Step).index(step)
    view = views[place]
    others = [
        f"Step {number(index + 1)}, {one.title.lower()}, is {_STATES[one.state.name]}."
        for index, one in enumerate(views)
        if index != place and one.state.name in ("CURRENT", "BAD", "DONE")
    ]
    where = (
        f"We are in the recovery, at the {_ORDINALS[place + 1]} of {number(len(views))} steps: {view.title}."
    )
    return tuple(
        aloud(text)
        for text in (
            where,
            f"Found: {view.found}{_lost(situation, step)}",
            f"Next: {view.do}",
            f"Why: {view.why}",
            f"If we wait: {view.wait}",
            " ".join(others),
        )
        if text
    )


def _lost(situation: Situation, step: Step) -> str:
    """What was lost in all, and how that is known."""
    found = situation.losses
    if step is not Step.ASSESS or found is None or situation.now is None:
        return ""
    totals = fate_totals(found.ledger)
    named = (f"{count} {_fate_word(fate, count)}" for fate, count in totals.items() if count)
    return f". Objects in all: {', '.join(named) or 'none'}. {basis_spoken(found.basis, situation.now)}"


def _fate_word(fate: str, count: int) -> str:
    return "survive" if fate == Fate.SURVIVES.value and count != 1 else fate


_STATES = {"CURRENT": "going on", "BAD": "in trouble", "DONE": "done"}


def number(value: int) -> str:
    """In words: `no`, `one`, `one hundred and twenty-three`; from a million on in digits."""
    if value < 0 or value >= _MOST:
        return f"{value:,}"
    if value < len(_SMALL):
        return _SMALL[value]
    if value < 100:
        tens, ones = divmod(value, 10)
        return _TENS[tens] + (f"-{_SMALL[ones]}" if ones else "")
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if value >= size:
            head, rest = divmod(value, size)
            joint = " and " if rest and rest < 100 else " "
            return f"{number(head)} {name}{joint + number(rest) if rest else ''}"
    raise AssertionError(value)


_UNITS = (("h", "hour"), ("min", "minute"), ("s", "second"))
_ID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{20,}\b", re.IGNORECASE)
_RUN = re.compile(r"\b([Rr])un \d{8}-\d{6}-[0-9a-f]+\b")
_TIME = re.compile(r"\b(\d{1,2}):(\d{2})(?::\d{2})?\b")
_AMOUNT = re.compile(r"\b(\d{1,3}(?:,\d{3})+|\d+)( ?)(h|min|s)?\b(?!\.\d|[-\w])")
_NAME = re.compile(r"\S*[A-Za-z_./-]\d\S*|\S*\d[A-Za-z_/]\S*")
"""A word with digits in it is a name, and said as it is written."""
_KEPT = 0xE000
"""Code from which on a character stands for a name while the numbers are put into words."""
_SIGNS = (
    ("→", "to"),
    ("…", ""),
    (";", ","),
    ("×", "times"),
    ("VMs", "virtual machines"),
    ("VM", "virtual machine"),
)


def aloud(text: str) -> str:
    """A text without what cannot be said: ids go, times and counts become words, names stay as written."""
    text = re.sub(r"(^|\s)! ", r"\1the exclamation mark ", _ID.sub("its id", text))
    text = _RUN.sub(lambda found: "The run" if found[1] == "R" else "the run", text)
    text = re.sub(r"( h) 00 min\b", r"\1", text)
    text = _TIME.sub(lambda found: f"{_clock(int(found[1]), int(found[2]))}", text)
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[0])
        return chr(_KEPT + len(kept) - 1)

    text = _NAME.sub(keep, text)
    text = _AMOUNT.sub(_amount, text)
    for sign, word in _SIGNS:
        text = re.sub(rf"\b{sign}\b", word, text) if sign.isalpha() else text.replace(sign, word)
    text = "".join(kept[ord(one) - _KEPT] if 0 <= ord(one) - _KEPT < len(kept) else one for one in text)
    text = re.sub(r"\s+", " ", text).strip()
    # A sentence begins with a capital; a letter alone is a key, which is written as it is pressed.
    text = re.sub(r"(?<=[.!?] )[a-z](?=[a-z])", lambda found: found[0].upper(), text)
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _amount(found: re.Match[str]) -> str:
    value = int(found[1].replace(",", ""))
    unit = dict(_UNITS).get(found[3] or "", "")
    if not unit:
        return f"{number(value)}{found[2]}"
    return f"{number(value)} {unit}{'' if value == 1 else 's'}"


def _clock(hour: int, minute: int) -> str:
    """`03:07` → `three oh seven`."""
    if hour > 23 or minute > 59:
        return f"{hour}:{minute:02d}"
    hours = "midnight" if (hour, minute) == (0, 0) else "zero" if hour == 0 else number(hour)
    if minute == 0:
        return hours if hours == "midnight" else f"{hours} o'clock"
    return f"{hours} {'oh ' if minute < 10 else ''}{number(minute)}"
