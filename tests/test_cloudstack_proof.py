"""The Reader against callers who see too little and answers that are spoilt: what is not proven is said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from sync.cloudstack import Reader
from sync.errors import (
    ForbiddenError,
    IncompleteError,
    SourceError,
    UnreachableError,
)
from sync.model import CoverageState
from tests.cloudstack_cloud import (
    LISTS,
    Clock,
    Cloud,
    assert_only_what_may_be_sent,
    by_id,
    cloud_of,
    read,
)
from tests.cloudstack_server import closed_port, credentials


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


# --- callers who see too little ---------------------------------------------------------------------------


READ_ONLY = [("listUserKeys", "deny"), ("getUserKeys", "deny"), ("list*", "allow")]
WATCHER = [*READ_ONLY, ("queryAsyncJobResult", "allow"), ("getUser", "allow"), ("*", "deny")]


def test_a_watching_role_sees_everything(cloud: Cloud) -> None:
    keys = cloud.caller("watcher", cloud.role("watching", "Admin", *WATCHER))
    with Reader(keys) as reader, cloud.reader() as admin:
        inventory = read(reader)
        assert inventory.coverage.why == ""
        assert inventory.coverage.caller == "watcher/watcher (watching)"
        assert by_id(inventory) == by_id(read(admin))
        assert not reader.capabilities().has("createDomain")


def test_a_domain_admin_sees_a_small_world_and_it_is_said(cloud: Cloud) -> None:
    with cloud.reader() as admin:
        domain = admin.domain_by_path("ROOT/ci/dune")
        assert domain is not None
        keys = cloud.caller("lord", admin.role_id("Domain Admin"), domainid=domain.id)
        with Reader(keys) as reader:
            inventory = read(reader)
            assert inventory.coverage.state is CoverageState.PARTIAL
            assert "lord/lord (Domain Admin) has role type DomainAdmin in dune" in inventory.coverage.why
            assert {one.path for one in inventory.domains} <= {"ROOT/ci/dune"}
            with pytest.raises(IncompleteError, match="cannot be proven"):
                reader.domain_by_path("ROOT/ci/abaque")


def test_a_role_that_may_not_list_something_is_named(cloud: Cloud) -> None:
    rules = [("listIsos", "deny"), ("listSnapshots", "deny"), *WATCHER]
    keys = cloud.caller("half", cloud.role("half-blind", "Admin", *rules))
    with Reader(keys) as reader:
        inventory = read(reader)
        assert inventory.coverage.state is CoverageState.PARTIAL
        assert "The role half-blind may not call listSnapshots, listIsos" in inventory.coverage.why
        assert len(inventory.domains) == 43
        # Without these lists nothing is missing.
        assert read(reader, everything=False).coverage.is_complete


def test_a_role_without_jobs_has_an_inventory_without_jobs(cloud: Cloud) -> None:
    keys = cloud.caller("jobless", cloud.role("jobless", "Admin", ("listAsyncJobs", "deny"), *WATCHER))
    with Reader(keys) as reader:
        inventory = read(reader)
        assert inventory.coverage.is_complete
        assert inventory.jobs is None


def test_a_role_that_cannot_be_asked_for_proves_nothing(cloud: Cloud) -> None:
    keys = cloud.caller("mute", cloud.role("mute", "Admin", *READ_ONLY, ("*", "deny")))
    with Reader(keys) as reader:
        inventory = read(reader)
        assert inventory.coverage.state is CoverageState.PARTIAL
        assert "The role mute may not call getUser" in inventory.coverage.why


def test_a_role_that_may_not_list_domains_has_no_inventory(cloud: Cloud) -> None:
    keys = cloud.caller("blind", cloud.role("blind", "Admin", ("listDomains", "deny"), *WATCHER))
    with Reader(keys) as reader:
        inventory = read(reader)
        assert inventory.coverage.state is CoverageState.FAILED
        assert "may not call listDomains" in inventory.coverage.why
        with pytest.raises(ForbiddenError):
            reader.domain_by_path("ROOT/ci/dune")


def test_a_wrong_key_is_a_failed_inventory(cloud: Cloud) -> None:
    with Reader(cloud.credentials(key="wrong-key"), clock=Clock()) as reader:
        inventory = read(reader)
    assert inventory.coverage.state is CoverageState.FAILED
    assert "401" in inventory.coverage.why
    assert by_id(inventory) == {name: {} for name in LISTS}


def test_a_server_that_is_not_there_is_a_failed_inventory() -> None:
    with Reader(credentials(f"http://127.0.0.1:{closed_port()}/client/api")) as reader:
        inventory = read(reader)
        assert inventory.coverage.state is CoverageState.FAILED
        assert "refuses connections" in inventory.coverage.why
        with pytest.raises(UnreachableError):
            reader.capabilities()


def test_what_the_server_can_do_is_asked_again_after_a_while_and_after_a_refusal(cloud: Cloud) -> None:
    clock = Clock()
    with cloud.reader(clock=clock) as reader:
        first = reader.capabilities()
        assert first.has("listVirtualMachines", "DisplayVM")
        assert not first.has("listVirtualMachines", "nonsense")
        assert not first.has("frobnicate")
        assert reader.capabilities() is first
        clock.now += timedelta(minutes=6)
        second = reader.capabilities()
        assert second == first
        assert second is not first
        cloud.box.control.add_fault("401", command="listZones", count=1)
        with pytest.raises(SourceError):
            reader.zone_id("Sandbox-simulator")
        assert reader.capabilities() is not second


# --- injected faults --------------------------------------------------------------------------------------


TRANSIENT = (
    "truncated_page", "duplicated_row", "shifted_page", "wrong_count", "empty_page", "page_without_list",
    "reset_before", "reset_after", "429",
)  # fmt: skip


@pytest.mark.parametrize("kind", TRANSIENT)
def test_a_fault_that_passes_leaves_no_trace(cloud: Cloud, kind: str) -> None:
    with cloud.reader() as reader:
        expected = read(reader)
        for command in ("listDomains", "listUsers", "listVirtualMachines"):
            cloud.box.control.add_fault(kind, command=command, count=1)
        inventory = read(reader)
        assert inventory.coverage.why == ""
        assert by_id(inventory) == by_id(expected)


LASTING = [
    ("truncated_page", "listAccounts", CoverageState.PARTIAL, "listAccounts"),
    ("duplicated_row", "listUsers", CoverageState.PARTIAL, "listUsers"),
    ("shifted_page", "listVirtualMachines", CoverageState.PARTIAL, "listVirtualMachines"),
    ("wrong_count", "listDomains", CoverageState.PARTIAL, "listDomains"),
    ("page_without_list", "listVolumes", CoverageState.PARTIAL, "listVolumes"),
    ("truncated_body", "listNetworks", CoverageState.PARTIAL, "listNetworks"),
    ("html", "listTemplates", CoverageState.PARTIAL, "web page"),
    ("503", "listProjects", CoverageState.PARTIAL, "503"),
    ("401", "listAccounts", CoverageState.PARTIAL, "401"),
    ("reset_after", "listSnapshots", CoverageState.PARTIAL, "closed the connection"),
    ("html", "listDomains", CoverageState.FAILED, "web page"),
    ("503", "*", CoverageState.FAILED, "503"),
    ("401", "*", CoverageState.FAILED, "disabled or locked"),
    ("html", "*", CoverageState.FAILED, "web page"),
    ("reset_before", "*", CoverageState.FAILED, "closed the connection"),
]


@pytest.mark.parametrize(("kind", "command", "state", "word"), LASTING)
def test_a_fault_that_stays_is_said(
    cloud: Cloud, kind: str, command: str, state: CoverageState, word: str
) -> None:
    with cloud.reader() as reader:
        reader.capabilities()
        cloud.box.control.add_fault(kind, command=command)
        inventory = read(reader)
        assert inventory.coverage.state is state
        assert word in inventory.coverage.why
        cloud.box.control.clear_faults()
        assert read(reader, previous=inventory, users=False, limits=False).coverage.is_complete


def test_a_slow_list_is_a_partial_inventory(cloud: Cloud) -> None:
    with Reader(cloud.credentials(timeout_seconds=1), clock=Clock()) as reader:
        reader.capabilities()
        cloud.box.control.add_fault("slow", command="listIsos", seconds=5)
        inventory = read(reader)
        assert inventory.coverage.state is CoverageState.PARTIAL
        assert "did not answer listIsos in 1 s" in inventory.coverage.why


@pytest.mark.parametrize("kind", ["401", "503", "html", "wrong_count", "truncated_body", "reset_before"])
def test_jobs_that_cannot_be_read_are_no_failed_inventory(cloud: Cloud, kind: str) -> None:
    with cloud.reader() as reader:
        domain = reader.domain_by_path("ROOT/ci/dune")
        assert domain is not None
        answer = cloud.hand.call("deleteDomain", id=domain.id, cleanup="false")
        jobs = read(reader).jobs
        assert jobs is not None
        assert [job.id for job in jobs] == [answer["jobid"]]
        cloud.box.control.add_fault(kind, command="listAsyncJobs")
        inventory = read(reader)
        assert inventory.coverage.is_complete
        assert inventory.jobs == (jobs if kind == "wrong_count" else None), "that one runs, however many do"
        cloud.finish(answer)


def test_absence_is_not_concluded_from_a_spoilt_list(cloud: Cloud) -> None:
    with cloud.reader() as reader:
        cloud.box.control.add_fault("page_without_list", command="listDomains")
        with pytest.raises(IncompleteError):
            reader.domain_by_path("ROOT/ci/dune")
        cloud.box.control.clear_faults()
        cloud.box.control.add_fault("empty_page", command="listDomains", count=1)
        assert reader.domain_by_path("ROOT/ci/dune") is not None
