"""The command palette over the table of commands: every command, wherever it works."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from console.commands import COMMANDS, SCOPES, Command

if TYPE_CHECKING:
    from console.app import ConsoleApp


class CommandTable(Provider):
    """Lists the table; those that work here come first."""

    async def discover(self) -> Hits:
        for command in self._ordered():
            yield DiscoveryHit(self._title(command), self._runner(command), help=command.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command in self._ordered():
            title = self._title(command)
            score = max(matcher.match(title), matcher.match(command.help) * 0.8)
            if score > 0:
                yield Hit(score, matcher.highlight(title), self._runner(command), help=command.help)

    def _ordered(self) -> list[Command]:
        scope = getattr(self.screen, "SCOPE", "app")
        return sorted(
            COMMANDS, key=lambda command: scope not in command.scopes and "app" not in command.scopes
        )

    def _title(self, command: Command) -> str:
        where = ", ".join(SCOPES[scope] for scope in command.scopes)
        return f"{command.label} · {where}"

    def _runner(self, command: Command) -> Callable[[], Coroutine[Any, Any, None]]:
        app = cast("ConsoleApp", self.app)
        return lambda: app.run_command(command)
