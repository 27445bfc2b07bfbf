"""The command palette over the table of commands: every command, those that work here and now first."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from console.commands import COMMANDS, SCOPES, Command

if TYPE_CHECKING:
    from console.app import ConsoleApp

_BY_ITS_SCREEN, _BY_ITS_HELP = 0.6, 0.6
"""How much the screen where a command works, and its sentence, count beside its name."""
_ELSEWHERE = 0.5
"""How much what does not work here counts in a search."""


class CommandTable(Provider):
    """Lists the table; what works only elsewhere comes behind, and says where that is."""

    async def discover(self) -> Hits:
        for command in self._ordered():
            yield DiscoveryHit(self._title(command), self._runner(command), help=command.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command in self._ordered():
            title = self._title(command)
            score = max(
                matcher.match(command.label),
                matcher.match(title) * _BY_ITS_SCREEN,
                matcher.match(command.help) * _BY_ITS_HELP,
            )
            if score > 0:
                score *= 1.0 if self._works_here(command) else _ELSEWHERE
                yield Hit(score, matcher.highlight(title), self._runner(command), help=command.help)

    def _ordered(self) -> list[Command]:
        return sorted(COMMANDS, key=lambda command: not self._works_here(command))

    def _works_here(self, command: Command) -> bool:
        """Whether its key would do something on the screen below, as that stands now."""
        scope = getattr(self.screen, "SCOPE", "app")
        if "app" in command.scopes:
            return self.app.check_action(command.action, ()) is True
        return scope in command.scopes and self.screen.check_action(command.action, ()) is True

    def _title(self, command: Command) -> str:
        if self._works_here(command):
            return command.label
        return f"{command.label} · not now: {', '.join(SCOPES[scope] for scope in command.scopes)}"

    def _runner(self, command: Command) -> Callable[[], Coroutine[Any, Any, None]]:
        app = cast("ConsoleApp", self.app)
        return lambda: app.run_command(command)
