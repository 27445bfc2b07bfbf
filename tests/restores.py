"""A lab that is lost and restored: a world in memory, its archive on the disk, what a restore makes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sync import archive_folder, archive_manifest
from sync.archive_folder import ArchiveServer
from sync.archive_manifest import ArchivedFile, Manifest
from sync.archives import Archives
from sync.drift import compare
from sync.executor import RunReport
from sync.model import Action, ActualInventory, NetworkRule, OwnedResource
from sync.plan import PlanRules
from sync.recovery import plan_rebuild
from sync.restoration import Restoration, in_stages
from sync.restore import plan_restoration, wanted_files
from sync.restore_scene import Means
from sync.sandbox.downloads import SETTING
from sync.sandbox.worlds.blueprint import Blueprint, Image, Machine, Person, Tenant
from sync.sandbox.worlds.build_machines import OFFERING
from tests.engine_cloud import ENDPOINT, EngineCloud, desired_of

ANNA = Person("anna", "Anna", "Anders", role="owner")
RULE = NetworkRule(OFFERING, "Sandbox-simulator")


def lab() -> Blueprint:
    """Two projects with VMs of their own templates, and one that nothing happens to."""
    return Blueprint(
        tenants=(
            Tenant(
                "aurora",
                members=(ANNA,),
                machines=(
                    Machine("aurora-1", "debian-13", "10.7.0.11", agent="a1"),
                    Machine("aurora-2", "aurora-gcc", "10.7.0.12", agent="a2", data_gib=5),
                    Machine("aurora-3", "aurora-gcc", "10.7.0.13", state="Stopped", snapshot_ages=(3,)),
                ),
                images=(Image("aurora-gcc"), Image("aurora-llvm")),
                cidr="10.7.0.0/24",
                age_days=900,
            ),
            Tenant(
                "boreal",
                members=(replace(ANNA, username="ben"),),
                machines=(Machine("boreal-1", "boreal-esmf", "10.8.0.11", offering="Small Instance"),),
                images=(Image("boreal-esmf"),),
                cidr="10.8.0.0/24",
                subdomains=("attic",),
                age_days=800,
            ),
            Tenant(
                "dune",
                members=(replace(ANNA, username="dora"),),
                machines=(Machine("dune-1", "debian-13", "10.9.0.11"),),
                cidr="10.9.0.0/24",
                age_days=700,
            ),
        ),
        images=(Image("debian-13"),),
    )


@dataclass
class Lab:
    """The world, what it was before, and the archive of its templates."""

    folder: Path
    cloud: EngineCloud = field(default_factory=lambda: EngineCloud(lab()))
    is_served: bool = True

    def __post_init__(self) -> None:
        self.cloud.world.settings[SETTING] = "true"
        self.before = self.cloud.read()
        self.archive = self.folder / "archive"
        self.archive.mkdir()
        self.write_archive(self.before.templates)

    def write_archive(self, images: Sequence[OwnedResource], *, kind: str = "template") -> None:
        """One folder with a file of each."""
        files = []
        for one in images:
            content = f"image of {one.name} ".encode() * 50
            name = f"{one.name}.qcow2"
            (self.archive / name).write_bytes(content)
            files.append(
                ArchivedFile(
                    kind, one.id, one.name, one.account or "", one.domain_path, name, len(content),
                    hashlib.sha256(content).hexdigest(), self.cloud.now(), facts={"format": "QCOW2"},
                )
            )  # fmt: skip
        made = Manifest(
            "lab", ENDPOINT, self.cloud.world.root_id, "retire-1", "", "", "ROOT/ci", tuple(files)
        )
        archive_manifest.write(self.archive, made)

    # --- what happens ---------------------------------------------------------------------------------------

    def lose(self, *names: str) -> None:
        """Their domains are deleted with all that is in them."""
        for domain in self.cloud.read().domains:
            if domain.name in names:
                self.cloud.ask("deleteDomain", {"id": domain.id, "cleanup": "true"}, client="test")
        for _ in range(400):
            self.cloud.sleep(10)
            gone = {one.name for one in self.cloud.world.destroyed if one.kind == "domain"}
            if gone >= set(names):
                return
        raise AssertionError("the deletion does not end")

    def rebuild(self, *, ranges: bool = True) -> None:
        """From the CI database alone; `ranges`: without networks, whose ranges only the capture has."""
        rules = PlanRules(network=None if ranges else RULE)
        drift = compare(desired_of(self.cloud.blueprint), self.now(), network_rule=rules.network)
        plan = plan_rebuild(
            drift, rules=rules, environment="lab", root_id=self.cloud.world.root_id, endpoint=ENDPOINT,
            author="ops", now=self.cloud.now(),
        )  # fmt: skip
        report = self.cloud.execute(plan.actions, self.folder)
        assert {one.outcome.value for one in report.results} <= {"succeeded"}, report.results

    def now(self) -> ActualInventory:
        return self.cloud.read()

    # --- restoring ------------------------------------------------------------------------------------------

    def archives(self) -> Archives:
        return archive_folder.read(self.archive)

    def means(self, **changed: object) -> Means:
        """As the command finds them: the files that are needed are checked first."""
        means = Means(self.cloud.stock(), self.archives(), self.is_served)
        means = replace(means, **changed)  # type: ignore[arg-type]
        files = wanted_files(self.before, self.now(), means)
        return replace(means, archives=archive_folder.checked(means.archives, files))

    def planned(self, **changed: object) -> Restoration:
        return plan_restoration(self.before, self.now(), self.means(**changed))

    def execute(self, actions: Sequence[Action]) -> RunReport:
        with ArchiveServer(self.archives(), "127.0.0.1") as server:
            reports = [self.cloud.execute(stage, self.folder, archive=server) for stage in in_stages(actions)]
        return replace(reports[-1], results=tuple(one for report in reports for one in report.results))

    def resume(self) -> RunReport:
        """Go on with the run that was interrupted, in another process."""
        with ArchiveServer(self.archives(), "127.0.0.1") as server:
            return self.cloud.resume(self.folder, archive=server)

    def outcomes(self, actions: Sequence[Action]) -> dict[str, str]:
        """Outcome by the action's id, with its words where it did not succeed."""
        report = self.execute(actions)
        return {
            one.action_id: one.outcome.value + (f": {one.detail}" if one.detail else "")
            for one in report.results
        }

    def left(self, restoration: Restoration, type_name: str) -> dict[str, str]:
        """Name → why, of what is not restored of a type."""
        return {one.name: one.why for one in restoration.left if one.type == type_name}

    def machines(self) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Name → state and addresses of the VMs that are there."""
        return {vm.name: (vm.state, vm.addresses) for vm in self.now().vms}
