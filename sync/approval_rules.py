"""How many people must have signed a plan before it may run, by what it would take to undo it. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from sync.errors import GuardError
from sync.reversibility import Reversibility

if TYPE_CHECKING:
    from sync.model import Plan

MOST = 20
"""Signatures that may be asked for."""

DEFAULT_REQUIRED: Mapping[Reversibility, int] = MappingProxyType(
    {
        Reversibility.UNDOABLE: 0,
        Reversibility.RECREATABLE: 1,
        Reversibility.RECOVERABLE: 1,
        Reversibility.IRREVERSIBLE: 2,
    }
)
"""What holds where an environment says nothing: silence never lets anything through that cannot be undone."""


def login(name: str) -> str:
    """Who a principal or an author is: `jmartin` for `jmartin@example.org` and for `JMartin@console-1`."""
    return (name.partition("@")[0] or name).casefold()


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """Who may approve in an environment, and how many must."""

    allowed_signers: Path | None = None
    """OpenSSH's file of people and their keys; None where the environment names none."""
    required: Mapping[Reversibility, int] = field(default_factory=lambda: DEFAULT_REQUIRED)

    def needed_for(self, plan: Plan) -> int:
        """Signatures by different people that this plan needs: those of its gravest action."""
        return max((self.required[grade] for grade in self.grades(plan)), default=0)

    def grades(self, plan: Plan) -> tuple[Reversibility, ...]:
        """The classes of reversibility that occur in the plan, gravest last."""
        found = {action.reversibility for action in plan.actions}
        return tuple(grade for grade in Reversibility if grade in found)


@dataclass(frozen=True, slots=True)
class Approved:
    """The people whose verified signatures are under exactly one plan."""

    digest: str
    people: tuple[str, ...] = ()
    """One name a person, however many keys that person signed with."""
    keys: tuple[str, ...] = ()
    """Fingerprints of all keys whose signatures count."""
    at: datetime | None = None
    """When the signatures were verified."""


def refuse_unapproved(
    plan: Plan, rules: ApprovalRules, *, digest: str | None, people: Collection[str]
) -> None:
    """Raises GuardError when fewer people approved this very plan than the environment asks for."""
    needed = rules.needed_for(plan)
    if not needed:
        return
    if digest is not None and digest != plan.digest:
        raise GuardError(
            "What was approved is not this plan.", next_step="Have this one reviewed and signed."
        )
    names = sorted({name.casefold(): name for name in people}.values()) if digest is not None else []
    if len(names) < needed:
        who = f": {', '.join(names)}" if names else ""
        raise GuardError(
            f"The plan needs the approval of {needed} in {plan.environment} and has {len(names)}{who}.",
            next_step="Write it with `abreast plan -o FILE`, have it signed with `abreast approve FILE`, "
            "and run it with `abreast apply FILE`.",
        )
