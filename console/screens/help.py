"""Help: the keys that work on the screen it was opened from, everywhere else, and what the signs mean."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from console import commands, keymap
from console.screens.base import ConsoleScreen
from sync.model import DriftKind
from widgets.cells import fit
from widgets.kinds import KIND_CLASSES, kind_text
from widgets.lines import Line, wrap
from widgets.pager import Pager

_MEANINGS = {
    DriftKind.DELETING: "CloudStack is deleting the domain now, or has it queued; its VMs still tell of it.",
    DriftKind.HOLLOW: "The domain is there, what belongs in it is gone.",
    DriftKind.MISSING: "The CI database has the project, CloudStack has no domain for it.",
    DriftKind.ORPHANED: "VMs whose domain is gone, and no deletion runs.",
    DriftKind.UNEXPECTED: "CloudStack has a domain that the CI database does not know. It is left alone.",
    DriftKind.DIFFERS: "Both sides have it; fields differ.",
    DriftKind.UNKNOWN: "A side could not be read: not seen is not absent.",
    DriftKind.IN_SYNC: "Both sides agree.",
}


_WIDE = 100
"""From this width on the ids of the commands have a column."""


class HelpScreen(ConsoleScreen):
    """Opened with the scope whose keys come first."""

    SCOPE = "help"
    BINDINGS: ClassVar[list[BindingType]] = [*commands.bindings("help")]

    def __init__(self, scope: str = "app") -> None:
        super().__init__()
        self._scope = scope

    def body(self) -> ComposeResult:
        yield Pager(self.page, id="page")

    def page(self, width: int) -> list[Line]:
        """The whole help, laid out."""
        lines: list[Line] = []
        scopes = [self._scope, *(scope for scope in commands.SCOPES if scope != self._scope)]
        for scope in scopes:
            lines += self._scope_lines(scope, width)
        lines = lines[1:]
        lines += [[], [(" Signs", "tone--strong")]]
        for kind, meaning in _MEANINGS.items():
            for number, text in enumerate(wrap(meaning, width - 21)):
                sign = kind_text(kind) if number == 0 else ""
                lines.append([(f"   {fit(sign, 16)} ", KIND_CLASSES[kind]), (text, "")])
        where = "ids stand on the right" if width >= _WIDE else "a window of 100 columns shows the ids"
        remapping = f"Keys are remapped by id under `keys` in the configuration; {where}."
        return [*lines, [], *([(f" {text}", "")] for text in wrap(remapping, width - 2))]

    def _scope_lines(self, scope: str, width: int) -> list[Line]:
        allowed = [c for c in commands.in_scope(scope) if self.console.console_mode.allows(c)]
        found = [c for c in allowed if c.id != "drill" or self.console.stage is not None]
        if not found:
            return []
        name = commands.SCOPES[scope]
        lines: list[Line] = [[], [(f" {name[0].upper()}{name[1:]}", "tone--strong")]]
        remapped = self.console.session.environment.keys
        key_width = max(len(keymap.shown_keys(command, remapped)) for command in commands.COMMANDS)
        id_width = max(len(command.id) for command in commands.COMMANDS) + 2 if width >= _WIDE else 0
        room = width - key_width - id_width - 6
        for command in found:
            keys = keymap.shown_keys(command, remapped)
            for number, text in enumerate(wrap(command.help, max(20, room))):
                first = number == 0
                lines.append(
                    [
                        (f"   {fit(keys if first else '', key_width)}  ", "tone--key"),
                        (fit(text, room), ""),
                        (fit(f"  {command.id}" if first and id_width else "", id_width), "tone--muted"),
                    ]
                )
        return lines
