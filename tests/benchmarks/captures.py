"""What captures cost: a lab of 5,000 domains and 15,000 VMs, captured again and again while 1 % of the VMs
change a day, nothing thinned.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from sync.capture import Capture, captured
from sync.capture_store import CaptureStore
from sync.model import (
    Account,
    ActualInventory,
    Coverage,
    CoverageState,
    Domain,
    ListProof,
    Nic,
    OwnedResource,
    User,
    VirtualMachine,
)
from tests import examples

LISTS = ("listDomains", "listAccounts", "listUsers", "listVirtualMachines", "listVolumes", "listNetworks",
         "listPublicIpAddresses")  # fmt: skip
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Cost:
    size: int
    """Bytes, with the log beside it."""
    first: int
    """Bytes after the first capture."""
    captures: int
    seconds: float
    """Of one capture, in the mean."""
    read_seconds: float
    """Until the oldest capture was read and verified."""


def measure(folder: Path, *, domains: int, captures: int, every: timedelta, seed: int = 1) -> Cost:
    """Captures of such a lab, with everything in them that a real reading has."""
    path = folder / "captures.sqlite"
    spent, first = 0.0, 0
    with CaptureStore(path) as store:
        oldest: Capture | None = None
        for capture in _history(domains, captures, every, random.Random(seed)):
            start = time.perf_counter()
            entry = store.add(capture)
            spent += time.perf_counter() - start
            assert entry is not None
            if oldest is None:
                oldest, first = capture, _size(path)
        start = time.perf_counter()
        assert store.read(1) == oldest
        read = time.perf_counter() - start
        size = _size(path)
    return Cost(size, first, captures, spent / captures, read)


def _size(path: Path) -> int:
    return sum(one.stat().st_size for one in path.parent.glob(f"{path.name}*"))


def _history(domains: int, captures: int, every: timedelta, chance: random.Random) -> Iterator[Capture]:
    lab = _Lab(domains, chance)
    due = 0.0
    for number in range(captures):
        yield lab.capture(every * number)
        due += len(lab.vms) * 0.01 * (every / DAY)
        while due >= 1:
            lab.change()
            due -= 1


class _Lab:
    """Three VMs a domain with a disk each, four people, a network; now and then a VM is replaced."""

    def __init__(self, domains: int, chance: random.Random) -> None:
        self._chance = chance
        names = [f"project-{number:05d}" for number in range(domains)]
        self.projects = [
            examples.project(name, *(f"{name}-{place}" for place in range(4)), quotas={"vm": 10})
            for name in names
        ]
        self.domains = [
            replace(examples.domain(name, limits=dict.fromkeys(LIMITS, 20)), id=self._id()) for name in names
        ]
        self.accounts = [self._account(domain) for domain in self.domains]
        self.networks = [self._network(domain) for domain in self.domains]
        self.addresses = [self._address(*one) for one in zip(self.domains, self.networks, strict=True)]
        self.vms: list[VirtualMachine] = []
        self.volumes: list[OwnedResource] = []
        self._shared = [self._id() for _ in range(12)]
        """Ids that many rows name: offerings, templates, zones, pools."""
        for number in range(3 * domains):
            self._deploy(number % domains, number)

    def change(self) -> None:
        """One VM is destroyed with its disk, and another one made in its place."""
        place = self._chance.randrange(len(self.vms))
        vm = self.vms.pop(place)
        self.volumes.pop(place)
        owner = next(number for number, one in enumerate(self.domains) if one.id == vm.domain_id)
        self._deploy(owner, self._chance.randrange(10**6))

    def capture(self, passed: timedelta) -> Capture:
        """One reading after so much time, with coverage as a real one has it."""
        at = examples.NOON + passed
        rows = len(self.vms)
        proofs = tuple(ListProof(name, rows, rows // 500 + 1, rows, rows, rows) for name in LISTS)
        coverage = Coverage(CoverageState.COMPLETE, lists=proofs, caller="admin/admin (Root Admin)")
        desired = examples.desired(*self.projects, coverage=coverage, taken_at=at)
        actual = ActualInventory(
            scope=desired.scope,
            taken_at=at + timedelta(milliseconds=self._chance.randrange(1000)),
            coverage=coverage,
            domains=tuple(self.domains),
            accounts=tuple(self.accounts),
            vms=tuple(self.vms),
            volumes=tuple(self.volumes),
            networks=tuple(self.networks),
            public_addresses=tuple(self.addresses),
            jobs=(),
            release="4.23.0.0",
            limits_taken_at=at,
            users_taken_at=at,
        )
        return captured("lab", desired, actual)

    def _id(self) -> str:
        text = f"{self._chance.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def _account(self, domain: Domain) -> Account:
        id = self._id()
        users = [
            User(self._id(), f"{domain.name}-{place}", f"{domain.name}-{place}@example.org", "Jo", "Doe",
                 "enabled", id, domain.name, domain.id)
            for place in range(4)
        ]  # fmt: skip
        return Account(id, domain.name, domain.id, "enabled", "User", tuple(users))

    def _network(self, domain: Domain) -> OwnedResource:
        details = {"type": "Isolated", "cidr": "10.1.1.0/24", "gateway": "10.1.1.1", "zonename": "zone-1"}
        name = f"{domain.name}-net"
        return OwnedResource(self._id(), name, "Implemented", domain.id, domain.path, domain.name, None,
                             None, "2026-11-23T05:27:17+0000", details)  # fmt: skip

    def _address(self, domain: Domain, network: OwnedResource) -> OwnedResource:
        details = {"associatednetworkid": network.id, "associatednetworkname": network.name,
                   "issourcenat": "True", "zonename": "zone-1"}  # fmt: skip
        name = f"203.0.{self._chance.randrange(256)}.{self._chance.randrange(256)}"
        return OwnedResource(self._id(), name, "Allocated", domain.id, domain.path, domain.name, None,
                             None, "2026-11-23T05:27:17+0000", details)  # fmt: skip

    def _deploy(self, owner: int, number: int) -> None:
        domain, network = self.domains[owner], self.networks[owner]
        name, created = f"agent-{number:06d}", f"2026-11-{1 + number % 28:02d}T05:27:{number % 60:02d}+0000"
        address = f"10.1.{number // 250 % 250}.{number % 250}"
        shared = self._chance.choice
        vm = VirtualMachine(
            self._id(), name, "Running", domain.id, domain.path, domain.name, None, (address,), False,
            created, (Nic(network.id, network.name, address, f"02:01:{number:08x}", True),),
            {
                "instancename": f"i-{owner}-{number}-VM", "displayname": name, "hypervisor": "KVM",
                "hostname": f"host-{number % 200}.example.org", "zonename": "zone-1",
                "serviceofferingname": "Medium Instance", "serviceofferingid": shared(self._shared),
                "cpunumber": "2", "memory": "4096", "templatename": "Debian 12",
                "templateid": shared(self._shared),
            },
        )  # fmt: skip
        self.vms.append(vm)
        self.volumes.append(
            OwnedResource(
                self._id(), f"ROOT-{number}", "Ready", domain.id, domain.path, domain.name, None, 12 << 30,
                created, {
                    "type": "ROOT", "deviceid": "0", "vmname": name, "virtualmachineid": vm.id,
                    "storage": f"pool-{number % 12}", "storageid": shared(self._shared), "path": self._id(),
                    "zonename": "zone-1", "clustername": "cluster-1", "storagetype": "shared",
                },
            )
        )  # fmt: skip


LIMITS = ("vm", "ip", "volume", "snapshot", "template", "network", "vpc", "cpu", "memory")


def report(say: Callable[[Cost, str], str]) -> str:
    """8,640 captures at every refresh of a day, and, of a tenth of the lab, at every hour of 360 days."""
    parts = []
    for domains, every, words in (
        (5_000, timedelta(seconds=10), "5,000 domains, every refresh of a day"),
        (500, timedelta(hours=1), "500 domains, every hour of 360 days"),
    ):
        with tempfile.TemporaryDirectory() as folder:
            parts.append(say(measure(Path(folder), domains=domains, captures=8_640, every=every), words))
    return "; ".join(parts)
