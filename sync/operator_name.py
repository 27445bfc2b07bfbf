"""Who is at the keyboard, as plans, leases and the ledger name them: one word for one person on one machine.

Where an SSH session came from is no part of it: the name is compared as a whole, for who takes a run over and
whose lease is broken, and a person whose address has changed is still that person.
"""

from __future__ import annotations

import getpass
import os
import socket


def current_operator() -> str:
    """Login and host; the number of the user where the system has no name for it, as in many containers."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
