"""The first frame: the environment, the mode, and that both sides are being read."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from widgets.identity import Identity


class OpeningScreen(Screen[None]):
    """Stands for the moment in which the rest of the program is imported; imports nothing itself."""

    def __init__(self, identity: Identity, mode: str) -> None:
        super().__init__()
        self._identity = identity
        self._console_mode = mode

    def compose(self) -> ComposeResult:
        title = (f" {self._identity.title} ", f"bold $env-text on $env-{self._identity.tone}")
        yield Static(Content.assemble(title, (f"  {self._console_mode}", "bold $tone-muted")))
        yield Static("")
        yield Static(Content(" Reading the CI database and CloudStack."))
