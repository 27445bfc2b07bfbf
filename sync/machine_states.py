"""In which states CloudStack lists a VM, in groups by what abreast takes them for. Pure; all in lower case.

A state of no group (`Unknown`, what a later release adds) is that of a VM which is there: what is not known
to be gone is not gone, and what is not known to work is not relied on.
"""

from __future__ import annotations

UNDER_WAY = frozenset({"starting", "stopping", "migrating"})
"""Between two others: a job is at work on it."""
AWAKE = UNDER_WAY | {"running"}
"""Not at rest."""
WORKING = AWAKE | {"stopped"}
"""Whole: one that was recovered is back, and it can hold a shield."""
RECOVERABLE = frozenset({"destroyed"})
"""`recoverVirtualMachine` gives it back whole, while its account lives (measured)."""
GOING = frozenset({"expunging", "expunged"})
"""CloudStack removes it, and nothing gives it back."""
DESTROYED = RECOVERABLE | GOING
"""Listed still, and removed by CloudStack itself."""
FAILED = frozenset({"error"})
"""Left by a `deployVirtualMachine` that failed (measured): it never ran, and stays until somebody expunges
it."""
GONE = DESTROYED | FAILED
"""Listed, and nobody's any more: nothing runs in it, and nothing will. Who has to know whether somebody
destroyed it, as the loss ledger and a retirement's last steps do, asks for `GOING` or `DESTROYED`."""
