"""The world of the practice incident: the lab, on hardware where destroying a VM takes minutes."""

from __future__ import annotations

import dataclasses

from sync.sandbox.worlds.blueprint import Blueprint
from sync.sandbox.worlds.lab import lab

SECONDS_ON_HARDWARE = {"stop_vm": 120.0, "destroy_vm": 20.0, "expunge_vm": 150.0, "clean_vm": 10.0}
"""About five minutes a VM: guests that shut down properly, volumes that are wiped."""


def drill() -> Blueprint:
    """The lab with the times of hardware."""
    return dataclasses.replace(lab(), service_seconds=SECONDS_ON_HARDWARE)
