"""Passwords are kept as salted hashes; their slowness is simulated in virtual time, not burnt."""

from __future__ import annotations

import hashlib
import secrets


def hashed(password: str) -> str:
    """A salted hash of a password."""
    salt = secrets.token_hex(8)
    return f"{salt}:{hashlib.sha256((salt + password).encode()).hexdigest()}"
