"""Shields that are gone: hooks `sync.shield_drift` into a session's comparisons.

What stands is told by the ledger; one that cannot be read is no obstacle to comparing, and is said. Imports
nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from sync.errors import LedgerError

if TYPE_CHECKING:
    from sync.following import Follower
    from sync.ledger import Ledger
    from sync.model import Drift


class Shields:
    """The shields of one environment; usable from several threads."""

    def __init__(self, *, is_wanted: bool, ledger: Callable[[], Ledger]) -> None:
        """`is_wanted`: the configuration asks for one in every domain that can have one."""
        self._is_wanted = is_wanted
        self._ledger = ledger
        self._follower: Follower | None = None

    def marked(self, drift: Drift, *, release: str) -> Drift:
        """The comparison with the shields that are gone, or lacking."""
        from sync.containment_journal import standing
        from sync.following import Follower
        from sync.shield_check import ShieldCheck
        from sync.shield_drift import Shield, marked

        if self._follower is None:
            self._follower = Follower(lambda entry: entry.payload.get("kind") in ("shield", "unshield"))
        try:
            found = standing(self._follower.entries(self._ledger()), "shield")
        except LedgerError as error:
            return replace(drift, shields=ShieldCheck(note=f"not counted: {error}"))
        shields = [
            Shield(one.target, one.target_id, str(one.before.get("vm", "")), one.is_answered) for one in found
        ]
        return marked(drift, shields, release=release, is_wanted=self._is_wanted)
