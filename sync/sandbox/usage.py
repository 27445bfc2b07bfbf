"""Resource counts, kept per account and for every domain above it, as CloudStack keeps them in a table."""

from __future__ import annotations

from collections.abc import Callable


class Usage:
    """Counts by owner (account or domain id) and resource; memory in MiB, storages in bytes."""

    def __init__(self, lineage: Callable[[str], list[str]], keeps: Callable[[str, str], str | None]) -> None:
        self._lineage = lineage
        self._keeps = keeps
        """Account and resource → the owner, if any, that goes on counting what is taken back."""
        self.counts: dict[str, dict[str, int]] = {}

    def add(self, account_id: str, resource: str, amount: int) -> None:
        """Count a resource for an account and for every domain above it; a negative amount takes it back."""
        kept = self._keeps(account_id, resource) if amount < 0 else None
        for owner in (account_id, *self._lineage(account_id)):
            if owner == kept:
                continue
            counts = self.counts.setdefault(owner, {})
            counts[resource] = max(0, counts.get(resource, 0) + amount)

    def of(self, owner_id: str, resource: str) -> int:
        """How much of a resource an account, or a domain with all below it, uses."""
        return self.counts.get(owner_id, {}).get(resource, 0)

    def forget(self, account_id: str) -> None:
        """Drop what is still counted for a removed account, also in the domains above it."""
        for resource, amount in list(self.counts.get(account_id, {}).items()):
            self.add(account_id, resource, -amount)
        self.counts.pop(account_id, None)
