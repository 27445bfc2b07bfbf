"""Resource counts, kept per account and for every domain above it, as CloudStack keeps them in a table."""

from __future__ import annotations

from collections.abc import Callable

RESOURCES: dict[str, tuple[int, str]] = {
    "vm": (0, "user_vm"),
    "ip": (1, "public_ip"),
    "volume": (2, "volume"),
    "snapshot": (3, "snapshot"),
    "template": (4, "template"),
    "project": (5, "project"),
    "network": (6, "network"),
    "vpc": (7, "vpc"),
    "cpu": (8, "cpu"),
    "memory": (9, "memory"),
    "primarystorage": (10, "primary_storage"),
    "secondarystorage": (11, "secondary_storage"),
}
"""Resource → (resourcetype, resourcetypename) that every release has; the rest is in releases.py.

Memory is counted in MiB, the storages in bytes.
"""


class Usage:
    """Counts by owner (account or domain id) and resource."""

    def __init__(self, lineage: Callable[[str], list[str]]) -> None:
        self._lineage = lineage
        self.counts: dict[str, dict[str, int]] = {}

    def add(self, account_id: str, resource: str, amount: int) -> None:
        """Count a resource for an account and for every domain above it; a negative amount takes it back."""
        for owner in (account_id, *self._lineage(account_id)):
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
