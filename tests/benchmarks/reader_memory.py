"""How much memory the Reader takes for the sandbox's large world, in a process that does nothing but read.

The child reads the endpoint and the keys as JSON on standard input and prints the figures as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from sync.cloudstack import Reader
from sync.model import ActualInventory, Scope
from sync.sandbox.process import SandboxProcess
from sync.secret import Secret
from sync.settings import Credentials


@dataclass(frozen=True)
class Figures:
    objects: int
    """In one inventory: domains, accounts, users, VMs and what they own."""
    start_mib: float
    """Resident before the first reading, everything imported."""
    peak_mib: float
    """The most until the first inventory was there."""
    resting_mib: float
    """With that inventory kept and nothing under way."""
    again_mib: float
    """The most until a second inventory was there beside the first, as at every refresh."""
    cpu_seconds: float
    """Of one reading, without the sandbox."""


def measure() -> Figures:
    with SandboxProcess.start(world="large", service_times=False) as sandbox:
        ready = sandbox.ready
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.reader_memory"],
            input=json.dumps([ready.url, ready.key, ready.secret]),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return Figures(**json.loads(done.stdout))


def mib(field: str) -> float:
    """What this process has of memory now (`VmRSS`), or had at most (`VmHWM`)."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"/proc/self/status has no {field}.")


def _objects(inventory: ActualInventory) -> int:
    users = sum(len(account.users) for account in inventory.accounts)
    others = (inventory.volumes, inventory.snapshots, inventory.templates, inventory.isos,
              inventory.networks, inventory.public_addresses, inventory.projects)  # fmt: skip
    return sum(map(len, (inventory.domains, inventory.accounts, inventory.vms, *others))) + users


def _read(reader: Reader) -> ActualInventory:
    inventory = reader.inventory(Scope("ROOT/ci"), limits=True)
    assert inventory.coverage.is_complete, inventory.coverage.why
    return inventory


def main() -> None:
    url, key, secret = json.load(sys.stdin)
    # A busy machine makes the sandbox slow, which must not change what is measured.
    with Reader(Credentials(url, Secret(key), Secret(secret), timeout_seconds=600)) as reader:
        reader.capabilities()
        start, began = mib("VmRSS"), time.process_time()
        inventory = _read(reader)
        spent = time.process_time() - began
        peak, resting = mib("VmHWM"), mib("VmRSS")
        second = _read(reader)
        again = mib("VmHWM")
    assert second.domains == inventory.domains
    figures = Figures(_objects(inventory), start, peak, resting, again, spent)
    sys.stdout.write(json.dumps(asdict(figures)) + "\n")


if __name__ == "__main__":
    main()
