"""Deletion in the sandbox: what goes when, what fails, what comes back, what is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.sandbox import persistence
from sync.sandbox.clock import ManualClock
from sync.sandbox.jobs import MemoryLocks
from tests.sandbox_cloud import Cloud, RefusedError, Tenant

RELEASES = pytest.mark.parametrize("release", ["4.23", "4.18"])


def full_project(
    cloud: Cloud, name: str = "aurora", *, machines: int = 3, parent: str | None = None
) -> Tenant:
    """A project with VMs, a snapshot, a template and a data volume."""
    tenant = cloud.project(name, machines=machines, parent=parent)
    volume = cloud.rows("listVolumes", domainid=tenant.domain_id)[0]["id"]
    shot = cloud.run("createSnapshot", volumeid=volume, name="nightly")["snapshot"]
    cloud.run("createTemplate", snapshotid=shot["id"], name=f"{name}-image", displaytext="x", **tenant.owner)
    disk = next(one.id for one in cloud.world.disk_offerings.values() if one.name == "Small")
    cloud.run("createVolume", name="data", diskofferingid=disk, zoneid=cloud.zone, **tenant.owner)
    return tenant


def until_gone(cloud: Cloud, tenant: Tenant, jobid: str) -> list[tuple[str, ...]]:
    """The states of the VMs, by name, as a deletion goes on."""
    seen: list[tuple[str, ...]] = []
    while cloud.job(jobid)["jobstatus"] == 0:
        rows = cloud.rows("listVirtualMachines")
        mine = [row for row in rows if row["domainid"] == tenant.domain_id]
        states = tuple(f"{row['name']} {row['state']}" for row in sorted(mine, key=lambda row: row["name"]))
        if not seen or seen[-1] != states:
            seen.append(states)
        cloud.step(0.25)
    return seen


@RELEASES
def test_a_domain_goes_in_the_measured_order(release: str) -> None:
    cloud = Cloud(release)
    parent = cloud.call("createDomain", name="ci")["domain"]["id"]
    tenant = full_project(cloud, machines=2, parent=parent)
    job = cloud.call("deleteDomain", id=tenant.domain_id, cleanup="true")["jobid"]
    assert tenant.domain() is None
    assert cloud.rows("listAccounts", id=tenant.account_id) == []
    assert set(tenant.machines().values()) == {"Running"}
    cloud.step(2)
    assert cloud.rows("listSnapshots") == []
    assert "Running" in tenant.machines().values()
    seen = until_gone(cloud, tenant, job)
    assert [one for one in seen if one and one[0].startswith("aurora-0")][-1] == (
        "aurora-0 Expunging",
        "aurora-1 Running",
    )
    order = ["Running", "Stopping", "Stopped", "Destroyed", "Expunging"]
    alone = [states[0].split()[1] for states in seen if len(states) == 1]
    assert alone == order
    assert cloud.job(job)["jobresult"] == {"success": True}
    with pytest.raises(RefusedError, match="431 Unable to find domain by id"):
        cloud.rows("listVirtualMachines", domainid=tenant.domain_id)
    root, above = sorted(cloud.rows("listDomains"), key=lambda row: row["level"])
    assert not any(value for key, value in above.items() if key.endswith("total"))
    assert root["vmtotal"] == (2 if release == "4.23" else 0)
    kinds = [entry.kind for entry in cloud.world.destroyed]
    first = {kind: kinds.index(kind) for kind in ("account", "snapshot", "vm", "network", "domain")}
    assert list(first) == sorted(first, key=first.__getitem__)
    assert {entry.domain for entry in cloud.world.destroyed} == {"ROOT/ci/aurora"}


@RELEASES
def test_a_failed_clean_up_brings_back_a_hollow_domain(release: str) -> None:
    cloud = Cloud(release)
    tenant = full_project(cloud)
    cloud.world.armed["cleanup_fails"] = ["ROOT/aurora"]
    with pytest.raises(RefusedError, match="530 Failed to clean up domain resources and sub domains"):
        cloud.run("deleteDomain", id=tenant.domain_id, cleanup="true")
    domain = tenant.domain()
    assert domain is not None and domain["state"] == "Active"
    assert (domain["vmtotal"], domain["snapshottotal"], domain["templatetotal"]) == (0, 0, 0)
    assert cloud.rows("listAccounts", domainid=tenant.domain_id) == []
    assert tenant.machines() == {}
    with pytest.raises(RefusedError, match=r"431 .*already exists"):
        cloud.call("createDomain", name="aurora")
    assert cloud.run("deleteDomain", id=tenant.domain_id, cleanup="true") == {"success": True}


def test_a_failed_clean_up_is_resumed_in_the_background_and_the_domain_stays() -> None:
    cloud = Cloud(settings={"account.cleanup.interval": "60"})
    tenant = full_project(cloud, machines=1)
    cloud.world.armed["cleanup_fails"] = ["ROOT/aurora"]
    with pytest.raises(RefusedError):
        cloud.run("deleteDomain", id=tenant.domain_id, cleanup="true")
    account = cloud.world.graveyard["accounts"][tenant.account_id]
    assert account.needs_cleanup
    cloud.step(130)
    assert not account.needs_cleanup
    assert tenant.domain() is not None


def test_the_corpse_is_renamed_and_its_name_is_free() -> None:
    cloud = Cloud()
    tenant = cloud.project("aurora", machines=2)
    job = cloud.call("deleteDomain", id=tenant.domain_id, cleanup="true")["jobid"]
    cloud.step(2)
    with pytest.raises(RefusedError, match=r"431 .*already exists"):
        cloud.call("createDomain", name="aurora")
    cloud.call("updateDomain", id=tenant.domain_id, name="aurora-dying")
    reborn = cloud.call("createDomain", name="aurora")["domain"]
    assert {row["domain"] for row in cloud.rows("listVirtualMachines")} == {"aurora-dying"}
    assert cloud.finish(job) == {"success": True}
    assert [row["id"] for row in cloud.rows("listDomains") if row["level"] == 1] == [reborn["id"]]


@RELEASES
def test_rescue_attempts_on_a_dying_domain_are_accepted_and_useless(release: str) -> None:
    cloud = Cloud(release)
    tenant = cloud.project("aurora", machines=3)
    rows = {row["name"]: row["id"] for row in cloud.rows("listVirtualMachines")}
    job = cloud.call("deleteDomain", id=tenant.domain_id, cleanup="true")["jobid"]
    cloud.call("updateVirtualMachine", id=rows["aurora-2"], deleteprotection="true")
    stop = cloud.call("stopVirtualMachine", id=rows["aurora-1"])["jobid"]
    volume = cloud.rows("listVolumes", virtualmachineid=rows["aurora-2"])[0]["id"]
    snapshot = cloud.call("createSnapshot", volumeid=volume)["jobid"]
    with pytest.raises(RefusedError, match="530"):
        cloud.finish(snapshot)
    assert cloud.finish(stop)["virtualmachine"]["state"] == "Stopped"
    with pytest.raises(RefusedError, match=r"431 Failed to move Instance due to \[\d+\]"):
        cloud.call("assignVirtualMachine", virtualmachineid=rows["aurora-1"], domainid=cloud.world.root_id)
    with pytest.raises(RefusedError, match="530 The account cannot be created as domain aurora is being"):
        person = {"firstname": "A", "lastname": "B", "email": "a@b.org", "password": "p", "username": "z"}
        role = next(one.id for one in cloud.world.roles.values() if one.name == "User")
        cloud.call("createAccount", account="z", domainid=tenant.domain_id, roleid=role, **person)
    assert cloud.finish(job) == {"success": True}
    assert cloud.rows("listVirtualMachines") == []


def test_one_protected_vm_holds_its_whole_domain_and_account() -> None:
    cloud = Cloud()
    tenant = cloud.project("aurora", machines=2)
    sub = cloud.call("createDomain", name="sub", parentdomainid=tenant.domain_id)["domain"]
    vm = cloud.rows("listVirtualMachines")[0]["id"]
    cloud.call("updateVirtualMachine", id=vm, deleteprotection="true")
    with pytest.raises(RefusedError, match="431 Cannot delete Domain 'aurora'"):
        cloud.run("deleteDomain", id=tenant.domain_id, cleanup="true")
    with pytest.raises(RefusedError, match="431 Cannot delete Account 'aurora'"):
        cloud.run("deleteAccount", id=tenant.account_id)
    assert set(tenant.machines().values()) == {"Running"}
    assert tenant.domain() is not None
    assert cloud.run("deleteDomain", id=sub["id"], cleanup="false") == {"success": True}


def test_protection_set_on_a_queued_deletion_comes_too_late() -> None:
    cloud = Cloud()
    first, second = cloud.project("aurora", machines=1), cloud.project("boreal", machines=1)
    cloud.call("deleteDomain", id=first.domain_id, cleanup="true")
    queued = cloud.call("deleteDomain", id=second.domain_id, cleanup="true")["jobid"]
    cloud.step(1)
    vm = cloud.rows("listVirtualMachines", domainid=second.domain_id)[0]["id"]
    cloud.call("updateVirtualMachine", id=vm, deleteprotection="true")
    assert cloud.finish(queued) == {"success": True}
    assert cloud.world.vms == {}


def test_sub_domains_and_projects_go_with_their_domain() -> None:
    cloud = Cloud()
    tenant = cloud.project("aurora", machines=1)
    cloud.call("createDomain", name="sub", parentdomainid=tenant.domain_id)
    project = cloud.run("createProject", name="shared", **tenant.owner)["project"]
    tenant.machine("in-project", projectid=project["id"])
    with pytest.raises(RefusedError, match=r"530 Delete failed on domain .*all users and sub domains"):
        cloud.run("deleteDomain", id=tenant.domain_id, cleanup="false")
    assert tenant.domain() is not None
    assert cloud.run("deleteDomain", id=tenant.domain_id, cleanup="true") == {"success": True}
    gone = {(entry.kind, entry.name) for entry in cloud.world.destroyed}
    assert {("domain", "sub"), ("project", "shared"), ("vm", "in-project"), ("vm", "aurora-0")} <= gone
    assert cloud.rows("listProjects") == [] and cloud.rows("listVirtualMachines", projectid="-1") == []


def test_a_vm_destroyed_recoverably_goes_with_its_account() -> None:
    cloud = Cloud(settings={"expunge.delay": "86400"})
    tenant = cloud.project("aurora", machines=1)
    vm = cloud.rows("listVirtualMachines")[0]["id"]
    cloud.run("destroyVirtualMachine", id=vm)
    job = cloud.call("deleteAccount", id=tenant.account_id)["jobid"]
    cloud.step(0.5)
    with pytest.raises(RefusedError, match="530 Unable to recover VM as the account is deleted"):
        cloud.call("recoverVirtualMachine", id=vm)
    assert cloud.finish(job) == {"success": True}
    with pytest.raises(RefusedError, match=r"431 Unable to find an Instance with id \d+"):
        cloud.call("recoverVirtualMachine", id=vm)
    assert cloud.run("deleteDomain", id=tenant.domain_id, cleanup="false") == {"success": True}


def test_an_archive_of_the_root_admin_survives_the_domain() -> None:
    cloud = Cloud()
    tenant = full_project(cloud, machines=1)
    vm = cloud.rows("listVirtualMachines")[0]["id"]
    cloud.run("stopVirtualMachine", id=vm)
    volume = cloud.rows("listVolumes", virtualmachineid=vm)[0]["id"]
    archive = cloud.run("createTemplate", volumeid=volume, name="archive", displaytext="x")["template"]
    cloud.run("deleteDomain", id=tenant.domain_id, cleanup="true")
    names = [row["name"] for row in cloud.rows("listTemplates", templatefilter="all")]
    assert archive["name"] in names and "aurora-image" not in names


@pytest.mark.parametrize(("release", "early"), [("4.23", True), ("4.18", False)])
def test_the_background_takes_a_dying_domains_row_only_where_it_has_no_common_lock(
    release: str, early: bool
) -> None:
    cloud = Cloud(release, settings={"account.cleanup.interval": "20"})
    tenant = cloud.project("aurora", machines=8)
    job = cloud.call("deleteDomain", id=tenant.domain_id, cleanup="true")["jobid"]
    cloud.step(41)
    assert cloud.job(job)["jobstatus"] == 0
    left = [row["name"] for row in cloud.rows("listVirtualMachines")]
    assert left and {row["domainid"] for row in cloud.rows("listVirtualMachines")} == {tenant.domain_id}
    status, _ = cloud.ask("listVirtualMachines", domainid=tenant.domain_id, listall="true")
    assert status == (431 if early else 200)
    assert cloud.finish(job) == {"success": True}
    assert cloud.rows("listVirtualMachines") == []


def test_a_killed_server_leaves_orphans(tmp_path: Path) -> None:
    cloud = Cloud(settings={"account.cleanup.interval": "60"})
    tenant = cloud.project("aurora", machines=3)
    job = cloud.call("deleteDomain", id=tenant.domain_id, cleanup="true")["jobid"]
    cloud.step(8)
    persistence.save(cloud.world, tmp_path / "state")
    clock = ManualClock(persistence.saved_at(tmp_path / "state"))
    again = Cloud(world=persistence.load(tmp_path / "state", clock))
    assert again.job(job)["jobstatus"] == 2
    left = {row["name"]: row["state"] for row in again.rows("listVirtualMachines")}
    assert "aurora-2" in left and left["aurora-2"] == "Running" and "aurora-0" not in left
    again.step(180)
    assert tenant.domain_id not in again.world.domains
    rows = again.rows("listVirtualMachines")
    assert {row["name"] for row in rows} == set(left)
    assert {(row["domainid"], row["domain"]) for row in rows} == {(tenant.domain_id, "aurora")}
    assert again.call("createDomain", name="aurora")["domain"]["id"] != tenant.domain_id


class DatabaseLocks(MemoryLocks):
    """Locks that a session on the database takes as soon as they are free: it waits in front of all."""

    def __init__(self) -> None:
        super().__init__()
        self.braked: set[str] = set()

    def acquire(self, name: str, holder: int) -> bool:
        """Take the lock unless the session waits for it."""
        if name in self.braked and self.holders.get(name) != holder:
            return False
        return super().acquire(name, holder)


@pytest.mark.parametrize(("release", "name"), [("4.23", "DomainCleanup"), ("4.18", "AccountCleanup")])
def test_the_brake_saves_what_is_queued_but_not_what_runs(release: str, name: str) -> None:
    locks = DatabaseLocks()
    cloud = Cloud(release, locks=locks)
    tenants = [cloud.project(f"lq3{number}", machines=1) for number in range(6)]
    jobs = [cloud.call("deleteDomain", id=one.domain_id, cleanup="true")["jobid"] for one in tenants]
    cloud.step(1)
    locks.braked.add(name)
    assert cloud.finish(jobs[0]) == {"success": True}
    for jobid in jobs[1:]:
        with pytest.raises(RefusedError, match=r"530 Failed to delete domain$"):
            cloud.finish(jobid)
        job = cloud.world.jobs[jobid]
        assert job.completed is not None and (job.completed - job.created).total_seconds() == 30
    for tenant in tenants[1:]:
        domain = tenant.domain()
        assert domain is not None and domain["state"] == "Active"
        assert list(tenant.machines().values()) == ["Running"]
    locks.braked.clear()
    assert cloud.run("deleteDomain", id=tenants[1].domain_id, cleanup="true") == {"success": True}


def test_the_brake_does_not_hold_delete_account() -> None:
    locks = DatabaseLocks()
    cloud = Cloud(locks=locks)
    tenant = cloud.project("aurora", machines=1)
    locks.braked.add("DomainCleanup")
    assert cloud.run("deleteAccount", id=tenant.account_id) == {"success": True}


def test_deletions_run_one_after_another_whatever_happens_to_their_caller() -> None:
    cloud = Cloud()
    tenants = [cloud.project(f"q1{number}", machines=1) for number in range(3)]
    jobs = [cloud.call("deleteDomain", id=one.domain_id, cleanup="true")["jobid"] for one in tenants]
    cloud.step(3)
    assert [tenant.domain() is None for tenant in tenants] == [True, False, False]
    assert [cloud.finish(jobid) for jobid in jobs] == [{"success": True}] * 3


def test_root_and_removed_domains_are_refused_in_the_job() -> None:
    cloud = Cloud()
    with pytest.raises(RefusedError, match="530 Can't delete ROOT domain"):
        cloud.run("deleteDomain", id=cloud.world.root_id, cleanup="true")
    gone = cloud.call("createDomain", name="gone")["domain"]["id"]
    cloud.run("deleteDomain", id=gone, cleanup="false")
    with pytest.raises(RefusedError, match=r"431 Failed to delete domain \d+, domain not found"):
        cloud.run("deleteDomain", id=gone, cleanup="false")
    admin = next(one.id for one in cloud.world.accounts.values() if one.name == "admin")
    with pytest.raises(RefusedError, match="431 The account is default"):
        cloud.run("deleteAccount", id=admin)


def test_an_expunge_takes_minutes_on_a_world_that_says_so() -> None:
    cloud = Cloud()
    tenant = cloud.project("aurora", machines=2)
    cloud.world.service_times.overrides["expunge_vm"] = 180.0
    job = cloud.call("deleteDomain", id=tenant.domain_id, cleanup="true")["jobid"]
    cloud.step(170)
    assert tenant.machines() == {"aurora-0": "Destroyed", "aurora-1": "Running"}
    assert cloud.finish(job, within=400) == {"success": True}
