"""Machines of the sandbox beyond what the recordings show: counts, limits, addresses, states, owners."""

from __future__ import annotations

import pytest

from sync.sandbox.commands.networks import DEFAULT_OFFERING
from tests.sandbox_cloud import Cloud, RefusedError


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def test_counts_rise_in_every_domain_above_and_fall_again(cloud: Cloud) -> None:
    tenant = cloud.project("aurora", machines=2)
    root = next(row for row in cloud.rows("listDomains") if row["name"] == "ROOT")
    for row in (tenant.counts(), tenant.domain(), root):
        assert row is not None
        assert (row["vmtotal"], row["cputotal"], row["memorytotal"]) == (2, 2, 1024)
        assert (row["volumetotal"], row["primarystoragetotal"]) == (2, 4)
        assert (row["networktotal"], row["iptotal"]) == (1, 1)
    vm = cloud.rows("listVirtualMachines")[0]["id"]
    cloud.run("destroyVirtualMachine", id=vm)
    assert tenant.counts()["vmtotal"] == 1
    assert tenant.counts()["volumetotal"] == 2
    cloud.call("recoverVirtualMachine", id=vm)
    assert tenant.counts()["vmtotal"] == 2
    cloud.run("destroyVirtualMachine", id=vm, expunge="true")
    assert (tenant.counts()["vmtotal"], tenant.counts()["volumetotal"]) == (1, 1)
    assert [(one.kind, one.name) for one in cloud.world.destroyed] == [
        ("volume", "ROOT-3"),
        ("vm", "aurora-0"),
    ]


def test_a_vm_goes_through_its_states(cloud: Cloud) -> None:
    tenant = cloud.project("aurora")
    asked = tenant.ask_for_machine("agent")
    assert tenant.machines() == {"agent": "Starting"}
    cloud.finish(asked["jobid"])
    assert tenant.machines() == {"agent": "Running"}
    stop = cloud.call("stopVirtualMachine", id=asked["id"])["jobid"]
    cloud.step(0.25)
    row = cloud.rows("listVirtualMachines")[0]
    assert (row["state"], row["jobid"]) == ("Stopping", stop)
    cloud.finish(stop)
    assert tenant.machines() == {"agent": "Stopped"}
    with pytest.raises(RefusedError, match="is not in the right state"):
        cloud.call("recoverVirtualMachine", id=asked["id"])


def test_a_destroyed_vm_is_expunged_after_the_delay_and_not_before(cloud: Cloud) -> None:
    tenant = cloud.project("aurora", machines=1)
    vm = cloud.rows("listVirtualMachines")[0]["id"]
    cloud.run("destroyVirtualMachine", id=vm)
    cloud.step(15)
    assert tenant.machines() == {"aurora-0": "Destroyed"}
    cloud.step(45)
    assert tenant.machines() == {}
    assert cloud.call("listVirtualMachines", id=vm, listall="true") == {}
    with pytest.raises(RefusedError, match=r"431 Unable to find an Instance with id \d+"):
        cloud.call("recoverVirtualMachine", id=vm)


def test_a_service_time_can_be_overridden_by_a_world(cloud: Cloud) -> None:
    cloud.project("aurora", machines=1)
    vm = cloud.rows("listVirtualMachines")[0]["id"]
    cloud.world.service_times.overrides["stop_vm"] = 240.0
    job = cloud.call("stopVirtualMachine", id=vm)["jobid"]
    cloud.step(239)
    assert cloud.job(job)["jobstatus"] == 0
    cloud.step(2)
    assert cloud.job(job)["jobstatus"] == 1


@pytest.mark.parametrize("release", ["4.23", "4.18"])
def test_protection_holds_on_one_release_and_is_silently_ignored_on_the_other(release: str) -> None:
    cloud = Cloud(release)
    cloud.project("aurora", machines=1)
    vm = cloud.rows("listVirtualMachines")[0]["id"]
    row = cloud.call("updateVirtualMachine", id=vm, deleteprotection="true")["virtualmachine"]
    if release == "4.18":
        assert "deleteprotection" not in row
        assert cloud.run("destroyVirtualMachine", id=vm)["virtualmachine"]["state"] == "Destroyed"
    else:
        assert row["deleteprotection"] is True
        with pytest.raises(RefusedError, match=r"431 .*has delete protection enabled"):
            cloud.run("destroyVirtualMachine", id=vm)


def test_a_taken_address_leaves_a_vm_in_error_that_does_not_count(cloud: Cloud) -> None:
    tenant = cloud.project("aurora")
    tenant.machine("first", ipaddress="10.1.1.57")
    for address in ("10.1.1.57", "192.168.99.1", "10.1.1.255", "nonsense"):
        with pytest.raises(RefusedError, match="530 Unable to acquire Guest IP address"):
            tenant.ask_for_machine(f"second-{len(tenant.machines())}", ipaddress=address)
    assert sorted(tenant.machines().values()) == ["Error"] * 4 + ["Running"]
    assert tenant.counts()["vmtotal"] == 1
    cloud.step(60)
    assert tenant.machines() == {"first": "Running"}


def test_an_address_is_free_again_after_its_vm_is_expunged(cloud: Cloud) -> None:
    tenant = cloud.project("aurora")
    first = tenant.machine("first", ipaddress="10.1.1.57")
    cloud.run("destroyVirtualMachine", id=first, expunge="true")
    second = tenant.machine("first", ipaddress="10.1.1.57")
    row = next(row for row in cloud.rows("listVirtualMachines") if row["id"] == second)
    assert row["ipaddress"] == "10.1.1.57"


def test_names_are_unique_in_a_network_domain_and_must_be_host_names(cloud: Cloud) -> None:
    tenant = cloud.project("aurora", machines=1)
    with pytest.raises(RefusedError, match="431 The vm with hostName aurora-0 already exists"):
        tenant.ask_for_machine("aurora-0")
    for name in ("bad_name!", "-x", "x-", "1st", "x" * 64):
        with pytest.raises(RefusedError, match=r"431 .*ASCII letters"):
            tenant.ask_for_machine(name)
    other = cloud.project("boreal")
    assert other.machine("aurora-0")


@pytest.mark.parametrize(
    ("level", "text"), [("account", "Account Name = aurora"), ("domain", "Domain Id = ")]
)
def test_limits_of_the_account_and_of_the_domain_hold(cloud: Cloud, level: str, text: str) -> None:
    tenant = cloud.project("aurora", machines=1)
    owner = tenant.owner if level == "account" else {"domainid": tenant.domain_id}
    cloud.call("updateResourceLimit", resourcetype=0, max=1, **owner)
    with pytest.raises(RefusedError, match=f"535 .*'user_vm'.*{text}"):
        tenant.ask_for_machine("one-too-many")
    assert list(tenant.machines()) == ["aurora-0"]


def test_what_a_project_owns_is_hidden_without_projectid(cloud: Cloud) -> None:
    tenant = cloud.project("aurora", machines=1)
    project = cloud.run("createProject", name="shared", **tenant.owner)["project"]
    vm = tenant.machine("in-project", projectid=project["id"])
    assert list(tenant.machines()) == ["aurora-0"]
    assert sorted(tenant.machines(projectid="-1")) == ["aurora-0", "in-project"]
    assert list(tenant.machines(projectid=project["id"])) == ["in-project"]
    volumes = [row["virtualmachineid"] for row in cloud.rows("listVolumes", projectid="-1")]
    assert vm in volumes and vm not in [row["virtualmachineid"] for row in cloud.rows("listVolumes")]
    domain = tenant.domain()
    assert domain is not None and domain["vmtotal"] == 2
    assert tenant.counts()["vmtotal"] == 1
    with pytest.raises(RefusedError, match=r"431 The account id=.* manages project"):
        cloud.run("deleteAccount", id=tenant.account_id)
    cloud.run("suspendProject", id=project["id"])
    assert tenant.machines(projectid="-1")["in-project"] == "Stopped"
    cloud.run("deleteProject", id=project["id"])
    assert sorted(tenant.machines(projectid="-1")) == ["aurora-0"]
    assert tenant.counts()["projecttotal"] == 0


def test_a_hidden_vm_shows_only_where_it_is_asked_for(cloud: Cloud) -> None:
    tenant = cloud.project("aurora", machines=2)
    vm = cloud.rows("listVirtualMachines", name="aurora-1")[0]["id"]
    cloud.call("updateVirtualMachine", id=vm, displayvm="false")
    assert list(tenant.machines()) == ["aurora-0"]
    assert list(tenant.machines(displayvm="false")) == ["aurora-1"]


def test_disabling_an_account_stops_its_vms_and_starting_one_fails(cloud: Cloud) -> None:
    tenant = cloud.project("aurora", machines=2)
    cloud.run("disableAccount", id=tenant.account_id, lock="false")
    assert set(tenant.machines().values()) == {"Stopped"}
    vm = cloud.rows("listVirtualMachines")[0]["id"]
    with pytest.raises(RefusedError, match=r"530 The owner of VM instance .* is disabled"):
        cloud.run("startVirtualMachine", id=vm)
    cloud.call("enableAccount", id=tenant.account_id)
    assert set(tenant.machines().values()) == {"Stopped"}
    assert cloud.run("startVirtualMachine", id=vm)["virtualmachine"]["state"] == "Running"


@pytest.mark.parametrize("release", ["4.23", "4.18"])
def test_a_template_of_a_snapshot_belongs_to_whom_the_release_says(release: str) -> None:
    cloud = Cloud(release)
    tenant = cloud.project("aurora", machines=1)
    volume = cloud.rows("listVolumes")[0]["id"]
    with pytest.raises(RefusedError, match="not stopped"):
        cloud.call("createTemplate", volumeid=volume, name="live", displaytext="live")
    shot = cloud.run("createSnapshot", volumeid=volume, name="nightly")["snapshot"]
    made = cloud.run(
        "createTemplate", snapshotid=shot["id"], name="image", displaytext="image", **tenant.owner
    )["template"]
    assert made["account"] == ("aurora" if release == "4.23" else "admin")
    assert tenant.counts()["templatetotal"] == (1 if release == "4.23" else 0)
    assert tenant.counts()["snapshottotal"] == 1


def test_a_download_takes_the_time_the_world_says(cloud: Cloud) -> None:
    cloud.world.service_times.overrides["download"] = 30.0
    wanted = {"format": "QCOW2", "hypervisor": "Simulator", "zoneid": cloud.zone}
    made = cloud.call("registerTemplate", name="img", url="http://10.0.0.9/img.qcow2", **wanted)["template"][
        0
    ]
    assert made["isready"] is False
    cloud.step(31)
    row = cloud.rows("listTemplates", templatefilter="all", id=made["id"])[0]
    assert (row["isready"], row["status"]) == (True, "Download Complete")
    for url in ("http://127.0.0.1/x", "http://localhost/x", "http://169.254.1.1/x"):
        with pytest.raises(RefusedError, match="431 Illegal host"):
            cloud.call("registerTemplate", name="img", url=url, **wanted)


def test_assigning_a_vm_moves_it_with_its_volume_and_counts(cloud: Cloud) -> None:
    old, new = cloud.project("aurora", machines=1), cloud.project("boreal")
    vm = cloud.rows("listVirtualMachines")[0]["id"]
    with pytest.raises(RefusedError, match="431 Failed to move Instance"):
        cloud.call("assignVirtualMachine", virtualmachineid=vm, **new.owner)
    cloud.run("stopVirtualMachine", id=vm)
    cloud.call("assignVirtualMachine", virtualmachineid=vm, **new.owner)
    assert (old.counts()["vmtotal"], old.counts()["volumetotal"]) == (0, 0)
    assert (new.counts()["vmtotal"], new.counts()["volumetotal"]) == (1, 1)
    assert list(new.machines()) == ["aurora-0"]


def test_markup_in_names_is_text(cloud: Cloud) -> None:
    tenant = cloud.project("aurora", machines=1)
    vm = cloud.rows("listVirtualMachines")[0]["id"]
    cloud.call("updateVirtualMachine", id=vm, displayname="vm-[/x]")
    assert cloud.rows("listVirtualMachines")[0]["displayname"] == "vm-[/x]"
    assert list(tenant.machines()) == ["aurora-0"]


def test_in_a_closed_zone_only_root_admins_get_anything(cloud: Cloud) -> None:
    """Read in CloudStack's source, not recorded."""
    tenant = cloud.project("alpha", machines=1)
    user = next(one for one in cloud.world.users.values() if one.account_id == tenant.account_id)
    cloud.world.set_keys(user, "alpha-key", "alpha-secret")
    assert (
        cloud.call("updateZone", id=cloud.zone, allocationstate="Disabled")["zone"]["allocationstate"]
        == "Disabled"
    )
    from sync.sandbox.auth import sign
    from sync.sandbox.engine import Request

    wanted = {
        "command": "deployVirtualMachine", "response": "json", "apiKey": "alpha-key", "zoneid": cloud.zone,
        "serviceofferingid": next(iter(cloud.world.offerings)), "name": "more",
        "templateid": next(one.id for one in cloud.world.templates.values() if one.type == "BUILTIN"),
    }  # fmt: skip
    wanted["signature"] = sign(wanted, "alpha-secret")
    refused = cloud.engine.handle(Request(params=wanted, method="POST"))
    assert refused.status == 531
    assert "currently disabled" in str(refused.body)
    tenant.machine("by-the-admin")
    assert tenant.machines() == {"alpha-0": "Running", "by-the-admin": "Running"}
    with pytest.raises(RefusedError, match="431"):
        cloud.call("updateZone", id=cloud.zone, allocationstate="Maybe")


def test_a_public_address_can_be_asked_for_where_it_is_free(cloud: Cloud) -> None:
    tenant = cloud.project("alpha", machines=1)
    network = cloud.rows("listNetworks", domainid=tenant.domain_id)[0]["id"]
    made = cloud.run("associateIpAddress", networkid=network, ipaddress="192.168.3.7")["ipaddress"]
    assert made["ipaddress"] == "192.168.3.7"
    for taken in ("192.168.3.7", "10.0.0.1", "nonsense"):
        with pytest.raises(RefusedError, match="533"):
            cloud.call("associateIpAddress", networkid=network, ipaddress=taken)


def test_the_first_address_of_a_network_is_its_source_nat_address_and_stays_it(cloud: Cloud) -> None:
    """Read in CloudStack's source, not recorded."""
    tenant = cloud.project("alpha")
    offerings = cloud.world.network_offerings.values()
    network = cloud.call(
        "createNetwork",
        **tenant.owner,
        name="alpha-net",
        zoneid=cloud.zone,
        networkofferingid=next(one.id for one in offerings if one.name == DEFAULT_OFFERING),
    )["network"]["id"]
    first = cloud.run("associateIpAddress", networkid=network, ipaddress="192.168.3.7")["ipaddress"]
    second = cloud.run("associateIpAddress", networkid=network, ipaddress="192.168.3.8")["ipaddress"]
    assert (first["issourcenat"], second["issourcenat"]) == (True, False)
    assert {first["associatednetworkid"], second["associatednetworkid"]} == {network}
