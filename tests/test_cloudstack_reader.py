"""The Reader against the sandbox of both releases: what is there, single objects, and writing beside it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sync.cloudstack import Reader, Writer
from sync.errors import (
    DataError,
    OutcomeUnknownError,
    RefusedError,
)
from sync.model import CoverageState, Scope
from tests.cloudstack_cloud import (
    LISTS,
    NOW,
    Clock,
    Cloud,
    assert_only_what_may_be_sent,
    by_id,
    cloud_of,
    read,
)
from tests.cloudstack_server import Server, refused


@pytest.fixture(scope="module", params=["4.23", "4.18"])
def shared(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    with cloud_of(request.param) as cloud:
        yield cloud
        assert_only_what_may_be_sent(cloud)


@pytest.fixture
def cloud(shared: Cloud) -> Iterator[Cloud]:
    """The sandbox of the module, whose objects in ROOT/ci nobody changes, without faults."""
    yield shared
    shared.box.control.clear_faults()


@pytest.fixture(params=["4.23", "4.18"])
def own_cloud(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    with cloud_of(request.param) as cloud:
        yield cloud
        assert_only_what_may_be_sent(cloud)


# --- whole inventories ------------------------------------------------------------------------------------


def test_an_inventory_is_complete_and_proven(cloud: Cloud) -> None:
    before = len(cloud.box.control.log())
    with cloud.reader() as reader:
        inventory = read(reader)
        assert reader.calls == len(cloud.box.control.log()) - before
    assert inventory.coverage.why == ""
    assert inventory.coverage.state is CoverageState.COMPLETE
    assert inventory.coverage.caller == "admin/admin (Root Admin)"
    assert inventory.coverage.root_id
    proofs = {proof.name: proof for proof in inventory.coverage.lists}
    assert {"listDomains", "listVirtualMachines", "listVirtualMachines displayvm=false"} <= set(proofs)
    for proof in proofs.values():
        assert proof.rows == proof.unique == proof.count_before == proof.count_after
    assert inventory.taken_at == inventory.limits_taken_at == inventory.users_taken_at == NOW
    assert inventory.release.startswith(cloud.box.ready.release)
    assert inventory.jobs == ()


def test_an_inventory_has_everything_below_the_parent_and_nothing_else(cloud: Cloud) -> None:
    with cloud.reader() as reader:
        inventory = read(reader)
    paths = {domain.id: domain.path for domain in inventory.domains}
    assert inventory.parent_id in paths
    assert len(paths) == 43
    assert all(path == "ROOT/ci" or path.startswith("ROOT/ci/") for path in paths.values())
    for name in ("vms", "volumes", "snapshots", "templates", "networks", "projects"):
        rows = getattr(inventory, name)
        assert rows, name
        assert all(paths[row.domain_id] == row.domain_path for row in rows)
    assert all(domain.limits and domain.limits["vm"] for domain in inventory.domains)
    assert len(inventory.accounts) == 40
    for account in inventory.accounts:
        assert account.users
        assert all(user.account_id == account.id for user in account.users)


def test_what_projects_of_cloudstack_own_is_there(cloud: Cloud) -> None:
    with cloud.reader() as reader:
        inventory = read(reader)
    [project] = inventory.projects
    owned = [vm for vm in inventory.vms if vm.project == project.name]
    assert owned
    assert all(vm.account is None for vm in owned)
    assert project.account == "pelagos"


def test_small_pages_give_the_same_inventory(cloud: Cloud) -> None:
    with cloud.reader() as reader, cloud.reader(page_size=7, pool=2) as slow:
        inventory, paged = read(reader), read(slow)
        assert by_id(paged) == by_id(inventory)
        assert paged.coverage.is_complete
        assert max(proof.pages for proof in paged.coverage.lists) > 20


def test_a_page_size_that_the_server_refuses_is_halved_and_remembered(cloud: Cloud) -> None:
    with cloud.reader(page_size=3000) as reader:
        assert read(reader).coverage.is_complete
        before = len(cloud.box.control.log())
        assert read(reader).coverage.is_complete
        assert {entry["status"] for entry in cloud.box.control.log()[before:]} == {200}


def test_a_scope_of_some_projects(cloud: Cloud) -> None:
    with cloud.reader() as reader:
        everything = read(reader)
        some = read(reader, Scope("root/CI", frozenset({"dune", "xylème"})))
    assert {domain.path for domain in some.domains} == {
        "ROOT/ci", "ROOT/ci/dune", "ROOT/ci/xylème", "ROOT/ci/xylème/formation"
    }  # fmt: skip
    assert some.parent_id == everything.parent_id
    assert {vm.id for vm in some.vms} == {
        vm.id for vm in everything.vms if vm.domain_path.split("/")[2] in ("dune", "xylème")
    }
    assert some.coverage.is_complete


def test_a_parent_that_does_not_exist(cloud: Cloud) -> None:
    with cloud.reader() as reader:
        inventory = read(reader, Scope("ROOT/nowhere"))
    assert inventory.coverage.is_complete
    assert inventory.parent_id is None
    assert by_id(inventory) == {name: {} for name in LISTS}


def test_progress_names_the_lists(cloud: Cloud) -> None:
    seen: dict[str, int] = {}
    with cloud.reader(page_size=20) as reader:
        inventory = read(reader, progress=seen.__setitem__)
    assert seen == {proof.name: proof.rows for proof in inventory.coverage.lists}


def test_lists_can_be_taken_over_with_their_own_times(cloud: Cloud) -> None:
    clock = Clock()
    with cloud.reader(clock=clock) as reader:
        first = read(reader)
        clock.now += timedelta(seconds=10)
        calls = reader.calls
        second = read(reader, limits=False, users=False, everything=False, previous=first)
        assert reader.calls - calls == 10
    assert by_id(second) == by_id(first)
    assert second.taken_at == NOW + timedelta(seconds=10)
    assert second.limits_taken_at == second.users_taken_at == NOW
    assert second.coverage.is_complete
    assert {proof.name.split()[0] for proof in second.coverage.lists} == {
        "listDomains", "listAccounts", "listVirtualMachines", "listAsyncJobs"
    }  # fmt: skip


def test_nothing_is_taken_over_where_there_is_nothing_to_take(cloud: Cloud) -> None:
    with cloud.reader() as reader:
        inventory = read(reader, limits=False, users=False, everything=False)
        assert inventory.users_taken_at == NOW
        assert all(account.users for account in inventory.accounts)
        assert inventory.limits_taken_at is None
        assert all(domain.limits is None for domain in inventory.domains)
        assert inventory.volumes == ()
        other = read(reader, Scope("ROOT/ci", frozenset({"dune"})), users=False, previous=inventory)
        assert other.accounts[0].users
        unproven = replace(inventory, coverage=replace(inventory.coverage, state=CoverageState.PARTIAL))
        assert read(reader, everything=False, previous=unproven).volumes


def test_a_new_account_has_its_users_also_when_users_are_taken_over(own_cloud: Cloud) -> None:
    with own_cloud.reader() as reader:
        first = read(reader)
        parent = first.parent_id
        assert parent is not None
        domain = own_cloud.hand.call("createDomain", name="new", parentdomainid=parent)["domain"]["id"]
        role = reader.role_id("User")
        own_cloud.caller("new", role, domainid=domain)
        second = read(reader, limits=False, users=False, everything=False, previous=first)
    [account] = [one for one in second.accounts if one.name == "new"]
    assert [user.username for user in account.users] == ["new"]


def test_hidden_machines_are_seen(own_cloud: Cloud) -> None:
    with own_cloud.reader() as reader:
        before = read(reader)
        hidden = before.vms[0].id
        own_cloud.hand.call("updateVirtualMachine", id=hidden, displayvm="false")
        after = read(reader)
    assert {vm.id for vm in after.vms} == {vm.id for vm in before.vms}
    proofs = {proof.name: proof.rows for proof in after.coverage.lists}
    assert proofs["listVirtualMachines displayvm=false"] == 1


# --- while a domain is being deleted ----------------------------------------------------------------------


def test_a_domain_in_deletion_is_told_by_its_machines_and_its_job(own_cloud: Cloud) -> None:
    cloud = own_cloud
    with cloud.reader() as knowing, cloud.reader() as fresh:
        before = read(knowing)
        domain = next(one for one in before.domains if one.name == "aurora")
        machines = {vm.id for vm in before.vms if vm.domain_id == domain.id}
        assert len(machines) > 1
        answer = cloud.hand.call("deleteDomain", id=domain.id, cleanup="true")
        cloud.box.control.advance(1)
        for reader in (knowing, fresh):
            inventory = read(reader)
            assert inventory.coverage.is_complete
            assert domain.id not in {one.id for one in inventory.domains}
            dying = [vm for vm in inventory.vms if vm.domain_id == domain.id]
            assert dying
            assert {vm.domain_path for vm in dying} == {"ROOT/ci/aurora"}
            assert inventory.jobs is not None
            [job] = inventory.jobs
            assert job.command.endswith("DeleteDomainCmd")
            assert job.id == answer["jobid"]
            assert job.account == "admin"
            assert not [one for one in inventory.accounts if one.domain_id == domain.id]
            assert reader.domain_by_id(domain.id) is None
            assert reader.domain_by_path("ROOT/ci/aurora") is None
            assert reader.account(domain.id, "aurora") is None
            assert reader.user(domain.id, "nobody") is None
            assert reader.network(domain.id, "nothing") is None
            assumed = [proof.note for proof in inventory.coverage.lists if "taken to be" in proof.note]
            says_no_paths = cloud.box.ready.release == "4.18" and reader is fresh
            assert bool(assumed) is says_no_paths
        assert knowing.job(answer["jobid"]).status == "pending"
        cloud.finish(answer)
        assert knowing.job(answer["jobid"]).status == "succeeded"
        assert knowing.domain_by_id(domain.id) is None
        assert read(knowing).jobs == ()


def test_a_failed_job_carries_code_and_words(cloud: Cloud) -> None:
    with cloud.reader() as reader:
        domain = reader.domain_by_path("ROOT/ci/dune")
        assert domain is not None
        answer = cloud.hand.call("deleteDomain", id=domain.id, cleanup="false")
        cloud.finish(answer)
        state = reader.job(answer["jobid"])
        assert (state.id, state.status, state.code) == (answer["jobid"], "failed", 530)
        assert "Delete failed on domain" in state.text
        assert reader.domain_by_path("ROOT/ci/dune") == domain
        with pytest.raises(RefusedError):
            reader.job("00000000-0000-0000-0000-000000000000")


# --- single objects ---------------------------------------------------------------------------------------


def test_single_reads_agree_with_the_inventory(cloud: Cloud) -> None:
    with cloud.reader() as reader:
        inventory = read(reader)
        domain = next(one for one in inventory.domains if one.name == "dune")
        assert reader.domain_by_id(domain.id) == domain
        assert reader.domain_by_path("root/CI/Dune", limits=True) == domain
        assert reader.domain_by_path(domain.path) == replace(domain, limits=None)
        account = next(one for one in inventory.accounts if one.domain_id == domain.id)
        assert reader.account(domain.id, "DUNE") == account
        for user in account.users:
            assert reader.user(domain.id, user.username) == user
        network = next(one for one in inventory.networks if one.domain_id == domain.id)
        assert reader.network(domain.id, network.name) == network


def test_what_is_not_there_is_proven_not_to_be_there(cloud: Cloud) -> None:
    with cloud.reader() as reader:
        domain = reader.domain_by_path("ROOT/ci/dune")
        assert domain is not None
        assert reader.domain_by_path("ROOT/dune") is None
        assert reader.domain_by_path("ROOT/ci/dune/dune") is None
        assert reader.domain_by_path("ROOT/ci/[/x] & été") is None
        assert reader.domain_by_id("00000000-0000-0000-0000-000000000000") is None
        assert reader.account(domain.id, "nobody") is None
        assert reader.account("00000000-0000-0000-0000-000000000000", "dune") is None
        assert reader.user(domain.id, "nobody") is None
        assert reader.network(domain.id, "nothing") is None


def test_names_of_other_things_become_ids_or_an_error_that_lists_them(cloud: Cloud) -> None:
    with cloud.reader() as reader:
        assert reader.role_id("User") != reader.role_id("Root Admin")
        assert reader.zone_id("Sandbox-simulator")
        assert reader.network_offering_id("DefaultIsolatedNetworkOfferingWithSourceNatService")
        with pytest.raises(DataError, match=r"no role named 'Usr'; it has: .*User"):
            reader.role_id("Usr")


def test_single_reads_from_many_threads(cloud: Cloud) -> None:
    found: list[Any] = []
    with cloud.reader() as reader:
        inventory = read(reader)
        threads = [
            threading.Thread(target=lambda one=one: found.append(reader.domain_by_id(one.id) == one))
            for one in inventory.domains[:8]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [True] * 8


# --- writing to the sandbox -------------------------------------------------------------------------------


def test_a_write_that_took_effect_without_an_answer_is_unknown_and_can_be_read_back(own_cloud: Cloud) -> None:
    writer = Writer(own_cloud.credentials(timeout_seconds=1), clock=Clock())
    with own_cloud.reader() as reader:
        parent = reader.domain_by_path("ROOT/ci")
        assert parent is not None
        for number, kind in enumerate(
            ("timeout_after_effect", "reset_after", "truncated_body", "reset_before")
        ):
            name = f"domain-{number}"
            own_cloud.box.control.add_fault(kind, command="createDomain", count=1, seconds=5)
            with pytest.raises(OutcomeUnknownError, match="createDomain was sent"):
                writer.submit("createDomain", {"name": name, "parentdomainid": parent.id})
            there = reader.domain_by_path(f"ROOT/ci/{name}")
            assert (there is None) is (kind == "reset_before")
    assert writer.calls == 4


def test_a_user_is_written_and_read_back_with_accents(own_cloud: Cloud) -> None:
    writer = Writer(own_cloud.credentials(), clock=Clock())
    with own_cloud.reader() as reader:
        domain = reader.domain_by_path("ROOT/ci/dune")
        assert domain is not None
        person = {"firstname": "Zoë [/x]", "lastname": "D'Été & Fils", "email": "zoe+ci@example.org"}
        person |= {"username": "zoe", "account": "dune", "domainid": domain.id, "password": "pässwörd ~*+&=%"}
        submission = writer.submit("createUser", person)
        assert submission.job_id is None
        user = reader.user(domain.id, "zoe")
        assert user is not None
        assert (user.firstname, user.lastname, user.email) == (
            person["firstname"], person["lastname"], person["email"]
        )  # fmt: skip
        job = writer.submit("disableUser", {"id": user.id}).job_id
        assert job is not None
        own_cloud.box.control.advance(5)
        assert reader.job(job).status == "succeeded"
        with pytest.raises(RefusedError) as caught:
            writer.submit("createUser", person)
        assert caught.value.code == 530


def test_a_closed_reader_says_nothing_new_to_the_server() -> None:
    with Server(lambda heard: refused(heard.command, 431, "no")) as server:
        reader = Reader(server.credentials())
        reader.close()
        assert server.heard == []
        assert "127.0.0.1" in repr(reader)
