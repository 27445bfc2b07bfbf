"""What is read aloud on the phone: one page of plain sentences, to be copied or kept in a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands
from console.screens.base import ConsoleScreen
from sync.errors import unwritable
from widgets.lines import Line, wrap
from widgets.pager import Pager

FILE = "read-aloud.txt"


class PhoneScreen(ConsoleScreen):
    """Shows the paragraphs that `say` answers, anew at every second."""

    SCOPE = "phone"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("phone")]
    AUTO_FOCUS = "#page"

    def __init__(self, say: Callable[[], tuple[str, ...]]) -> None:
        super().__init__()
        self._say = say
        self._shown: tuple[str, ...] = ()

    def body(self) -> ComposeResult:
        yield Pager(self.page, id="page")

    def on_mount(self) -> None:
        self.follow("now", lambda _: self._refill())

    def _refill(self) -> None:
        if self._say() != self._shown:
            self.query_one(Pager).refill()

    def page(self, width: int) -> list[Line]:
        """One sentence after the other, with a line between paragraphs."""
        self._shown = self._say()
        lines: list[Line] = []
        for text in self._shown:
            lines += [[(f" {line}", "")] for line in wrap(text, min(76, width - 2))] + [[]]
        return lines[:-1]

    def action_copy_page(self) -> None:
        """Into the terminal's clipboard, and beside the new passwords, where nobody else reads it."""
        from sync import atomic_file

        text = "\n\n".join(self._shown) + "\n"
        self.app.copy_to_clipboard(text)
        path = self.console.session.environment.credential_file.with_name(FILE)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            atomic_file.replace(path, text)
        except OSError as error:
            where = "It is in the clipboard, where there is one."
            problem = unwritable(f"The page cannot be written to {path}", error, next_step=where)
            self.console.show_error(problem)
        else:
            self.notify(f"Copied, if this terminal has a clipboard for programs; written to {path}.")
