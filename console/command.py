"""One thing the operator can ask for, as the table of `console.commands` has it, and when it exists."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One thing the operator can ask for."""

    id: str
    keys: str
    """Comma-separated, as Textual names them."""
    label: str
    """One or two words for the footer."""
    help: str
    """One sentence for help, palette and README."""
    action: str
    scopes: tuple[str, ...]
    dangerous: bool = False
    """Leads to a change in CloudStack: exists only while armed."""
    watch: bool = False
    """Exists in the monitoring mode too."""
    footer: bool = True

    @property
    def action_name(self) -> str:
        return self.action.partition("(")[0].rpartition(".")[2]


_NOT_IN_REPLAY = frozenset(
    {
        "contain",
        "arm",
        "accept",
        "choose",
        "choose-all",
        "rehearse",
        "restore",
        "write-report",
        "verify",
        "retire",
        "stop",
        "pause",
        "next-failure",
        "follow-run",
    }
)
"""Ids of commands that could only be refused where no server is asked and no ledger is there."""


@dataclass(frozen=True, slots=True)
class Mode:
    """What decides which commands exist."""

    armed: bool = False
    watching: bool = False
    replaying: bool = False
    containing: bool = False
    """Only what contains a deletion may be done: armed while the team's ledger cannot be reached."""

    @property
    def word(self) -> str:
        """For the header."""
        if self.replaying:
            return "REPLAY"
        if self.watching:
            return "WATCH"
        return "ARMED" if self.armed else "CONTAINING" if self.containing else "READ-ONLY"

    @property
    def may_contain(self) -> bool:
        """Whether the rungs of containment may be taken."""
        return not self.watching and not self.replaying and (self.armed or self.containing)

    def allows(self, command: Command) -> bool:
        """Whether the command exists in this mode."""
        if self.watching and not command.watch:
            return False
        if self.replaying and command.id in _NOT_IN_REPLAY:
            return False
        if command.scopes == ("contain",):
            return self.may_contain or not command.dangerous
        return self.armed or not command.dangerous
