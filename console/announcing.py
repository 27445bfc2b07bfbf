"""What is announced at the edge of the screen: in short, never over a question, and kept to be read whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from textual.screen import ModalScreen

from console import keymap
from console.commands import BY_ID
from console.keystrokes import KeystrokesApp

if TYPE_CHECKING:
    from sync.errors import AbreastError

KEPT = 100
"""Announcements that can be read again."""
_WAITING = 3
"""Announcements that wait for the answer to a question; of more, the earlier ones are read in the list."""
_MOST = 190
"""Letters that three lines of a small terminal have room for, with what says where the rest is."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """One of them, in full."""

    at: datetime
    text: str
    severity: str
    """`information`, `warning` or `error`."""


def in_short(text: str, key: str) -> str:
    """At most as long as a note at the edge may be; `key` is the one that shows all of it."""
    if len(text) <= _MOST:
        return text
    return f"{text[:_MOST].rstrip()}… {key} has all of it."


class AnnouncingApp(KeystrokesApp[int]):
    """An App that announces."""

    def __init__(self, *, clock: Callable[[], datetime], keys: Mapping[str, str]) -> None:
        """`keys` are those that the configuration maps anew."""
        super().__init__()
        self.utc_clock = clock
        self.announced: deque[Announcement] = deque(maxlen=KEPT)
        """The latest ones, the newest last."""
        self._waiting: deque[tuple[str, Mapping[str, Any]]] = deque(maxlen=_WAITING)
        self._key = keymap.shown_keys(BY_ID["messages"], keys).partition(" ")[0]

    def notify(self, message: str, **options: Any) -> None:
        """As Textual's, but text is never markup, a long one is shortened, and while a question is open it
        waits: it would lie over the buttons, or over what is asked."""
        severity = options.get("severity", "information")
        self.announced.append(Announcement(self.utc_clock(), message, severity))
        if self._is_asking:
            self._waiting.append((message, options))
        else:
            self._announce(message, options)

    def announce_waiting(self) -> None:
        """Announce what waited for the answer to a question."""
        while self._waiting and not self._is_asking:
            self._announce(*self._waiting.popleft())

    def _announce(self, message: str, options: Mapping[str, Any]) -> None:
        """Unless it stands there already."""
        short = in_short(message, self._key)
        if not any(one.message == short for one in self._notifications):
            super().notify(short, **{**options, "markup": False})

    @property
    def _is_asking(self) -> bool:
        return bool(self.screen_stack) and isinstance(self.screen, ModalScreen)

    def show_error(self, error: AbreastError) -> None:
        """Announce an error. It must have a lasting place elsewhere: a source's status, a row, the ledger."""
        self.notify(str(error), severity="error", timeout=10)
