"""How long operations take on a real management server, as measured on 4.23. No I/O."""

from __future__ import annotations

from dataclasses import field

from sync.sandbox.persistable import record

HASHING_AT_ONCE = 3
"""Passwords hashed at the same time, so that concurrency pays as measured on 4.23."""


@record
class ServiceTimes:
    """Virtual seconds that operations take, measured as `ms` and as polls in the recordings of 4.23."""

    simulate: bool = False
    """Synchronous calls take their time too; off where a test or replay owns the clock."""
    job_start: float = 0.1
    hash_account: float = 2.0
    hash_user: float = 0.25
    keys: float = 1.0
    create_domain: float = 0.03
    read: float = 0.02
    read_domain_row: float = 0.003
    read_domain_row_min: float = 0.0012
    write: float = 0.02
    create_network: float = 0.3
    overrides: dict[str, float] = field(default_factory=dict)
    """Seconds by free name ("deploy", "stop_vm" …): wins over the default that the asker brings."""

    def of(self, name: str, default: float) -> float:
        """Seconds for a named step: the world's override, else the asker's default."""
        return self.overrides.get(name, default)
