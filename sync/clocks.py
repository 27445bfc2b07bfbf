"""What several clocks say at one moment: this machine's, CloudStack's, that of the ledger's database.

Pure. This machine's clock may be ahead, so it proves of no wait that it is over: where the clocks differ, or
CloudStack's is not known, nothing counts, and where they agree the one that is most cautious decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.errors import GuardError

TOLERANCE = timedelta(seconds=30)
"""How far clocks may be apart: those that are set by NTP are within a second of each other."""
OWN, CLOUDSTACK, LEDGER = "own", "cloudstack", "ledger"
_NAMES = {CLOUDSTACK: "CloudStack's", LEDGER: "the ledger database's"}


@dataclass(frozen=True, slots=True)
class Clocks:
    """All that are known, read one after the other."""

    own: datetime
    server: datetime | None
    """CloudStack's, by the Date of an answer, in whole seconds; None where it names none."""
    ledger: datetime | None = None
    """Of the database that several machines share; None where the ledger is a file of this machine."""

    @property
    def _known(self) -> list[datetime]:
        return [one for one in (self.own, self.server, self.ledger) if one is not None]

    @property
    def earliest(self) -> datetime:
        """It is this late at least: by it a wait is judged that has to be over."""
        return min(self._known)

    @property
    def latest(self) -> datetime:
        """It is no later than this: by it a wait begins."""
        return max(self._known)

    def ahead(self) -> dict[str, timedelta]:
        """By how much this machine's clock is ahead of each other one that is known."""
        others = {CLOUDSTACK: self.server, LEDGER: self.ledger}
        return {name: self.own - other for name, other in others.items() if other is not None}

    def json(self) -> dict[str, str]:
        """As the ledger keeps it."""
        named = {OWN: self.own, CLOUDSTACK: self.server, LEDGER: self.ledger}
        return {name: at.isoformat() for name, at in named.items() if at is not None}


def latest_of(content: object, *others: datetime) -> datetime:
    """The latest of what `Clocks.json` kept and the others; what was not kept leaves the others."""
    kept = content.values() if isinstance(content, Mapping) else ()
    return max([*others, *(datetime.fromisoformat(str(at)) for at in kept)])


def refuse_apart(clocks: Clocks) -> None:
    """Raises GuardError unless every clock is known and they agree."""
    why = why_apart(clocks)
    if why:
        raise GuardError(
            f"No wait of a retirement can be judged: {why}.",
            next_step="Set the clocks right (NTP), and do it again.",
        )


def why_apart(clocks: Clocks) -> str:
    """Why no wait may be judged by these; empty where it may."""
    if clocks.server is None:
        return (
            "CloudStack's answer names no time (it has no Date), so nothing shows that this machine's "
            "clock is right"
        )
    return apart_words(clocks.ahead())


def apart_words(ahead: Mapping[str, timedelta]) -> str:
    """`this machine's clock is 2 h ahead of CloudStack's and the ledger database's`; empty where it is not
    further from any than is tolerated."""
    by_words: dict[str, list[str]] = {}
    for name, by in ahead.items():
        if abs(by) > TOLERANCE:
            words = f"{_span(abs(by))} {'ahead of' if by > timedelta(0) else 'behind'}"
            by_words.setdefault(words, []).append(_NAMES[name])
    if not by_words:
        return ""
    return f"this machine's clock is {_and(f'{by} {_and(names)}' for by, names in by_words.items())}"


def _and(words: Iterable[str]) -> str:
    return " and ".join(words)


def _span(span: timedelta) -> str:
    """`40 s`, `12 min`, `2 h`, `15 days`: of two units the one that says enough."""
    seconds = round(span.total_seconds())
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h" if seconds < 172_800 else f"{round(seconds / 86_400)} days"
