"""Rows become values: those that were recorded of both releases, and those that no server should send."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.cloudstack import parse
from sync.model import Scope

RECORDINGS = Path(__file__).parent / "conformance" / "recordings"


def rows(release: str, command: str, key: str) -> Iterator[dict[str, Any]]:
    """All rows that a list answered with in the recordings of a release."""
    for file in sorted((RECORDINGS / release).glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            exchange = json.loads(line)
            if exchange["params"]["command"] == command and exchange["status"] == 200:
                yield from next(iter(exchange["body"].values())).get(key, ())


@pytest.mark.parametrize("release", ["4.23", "4.18"])
def test_every_recorded_row_becomes_a_value(release: str) -> None:
    paths = parse.Paths({}, {}, "ROOT/ci")
    domains = [parse.domain(row, with_limits=True) for row in rows(release, "listDomains", "domain")]
    assert domains
    assert all(one.id and one.name and one.path.endswith(one.name) for one in domains)
    accounts = [parse.account(row) for row in rows(release, "listAccounts", "account")]
    assert accounts
    assert all(one.id and one.name and one.domain_id and one.state and one.role for one in accounts)
    users = [parse.user(row) for row in rows(release, "listUsers", "user")]
    assert users
    assert all(one.account_id and one.username and one.source == "native" for one in users)

    def all_of(command: str, key: str, make: Any) -> list[Any]:
        found = [parse.placed(row, make) for row in rows(release, command, key)]
        return [one.at(paths.of(one)) for one in found]

    vms = all_of("listVirtualMachines", "virtualmachine", parse.machine)
    assert all(one.id and one.state and one.domain_path.startswith("ROOT") for one in vms)
    assert any(one.addresses for one in vms)
    assert {one.delete_protected for one in vms} <= ({None} if release == "4.18" else {True, False})
    for command, key, shape in (
        ("listVolumes", "volume", parse.VOLUME),
        ("listSnapshots", "snapshot", parse.SNAPSHOT),
        ("listTemplates", "template", parse.TEMPLATE),
    ):
        found = all_of(command, key, shape.made)
        assert found
        assert all(one.id and one.name and one.account for one in found)
        assert any(one.size for one in found)
    jobs = [parse.job(row, {}) for row in rows(release, "listAsyncJobs", "asyncjobs")]
    assert jobs
    assert all(one.command.endswith("DeleteDomainCmd") and one.account for one in jobs)


def test_limits_are_numbers_whatever_they_are_written_as() -> None:
    row = {
        "vmlimit": "5",
        "iplimit": "Unlimited",
        "volumelimit": "-1",
        "primarystoragelimit": "400.0",
        "cpulimit": 40,
        "memorylimit": "many",
        "gpulimit": "1",
    }
    assert parse.limits(row) == {"vm": 5, "ip": -1, "volume": -1, "primarystorage": 400, "cpu": 40}
    assert parse.limits({"secondarystoragetotal": 0.0}) is None
    assert parse.domain({"id": "1", **row}, with_limits=False).limits is None


def test_a_row_of_a_project_has_no_account_and_a_project_has_its_owner() -> None:
    vm = parse.machine({"id": "1", "projectid": "p", "project": "nightly", "domainid": "d"}, "ROOT/ci/x")
    assert (vm.account, vm.project) == (None, "nightly")
    row = {"id": "p", "name": "nightly", "owner": [{"account": "pelagos", "userid": "u"}], "domainid": "d"}
    assert parse.owned(row, "ROOT/ci/pelagos", parse.PROJECT).account == "pelagos"


def test_an_address_is_named_by_itself_and_says_what_it_is_for() -> None:
    """No address was recorded: the fields are those of CloudStack's documentation."""
    row = {
        "id": "a-1", "ipaddress": "203.0.113.7", "allocated": "2026-07-27T05:00:00+0000",
        "state": "Allocated", "account": "dune", "domainid": "d-1", "issourcenat": False,
        "isstaticnat": True, "tags": [],
        "virtualmachineid": "v-1", "virtualmachinename": "dune-1", "associatednetworkid": "n-1",
        "associatednetworkname": "dune-net", "zonename": "zone-1", "networkid": "public",
    }  # fmt: skip
    one = parse.owned(row, "ROOT/ci/dune", parse.ADDRESS)
    assert (one.id, one.name, one.account, one.created) == ("a-1", "203.0.113.7", "dune", row["allocated"])
    assert one.details == {
        "associatednetworkid": "n-1", "associatednetworkname": "dune-net", "isstaticnat": "True",
        "virtualmachineid": "v-1", "virtualmachinename": "dune-1", "zonename": "zone-1",
    }  # fmt: skip


def test_strange_rows_are_no_error() -> None:
    assert parse.domain({"id": 7, "level": "x"}, with_limits=True).id == "7"
    assert parse.machine({"nic": [{}, {"ipaddress": "10.1.1.9"}]}, "").addresses == ("10.1.1.9",)
    assert parse.machine({"nic": None}, "").addresses == ()
    assert (
        parse.owned({"owner": ["x"], "size": True, "isready": False}, "", parse.TEMPLATE).state == "Not ready"
    )
    assert parse.user({"usersource": "ldap"}).source == "ldap"


def test_users_are_grouped_by_account_and_ordered_by_name() -> None:
    rows = [
        {"username": name, "accountid": account} for name, account in (("b", "1"), ("a", "1"), ("c", "2"))
    ]
    grouped = parse.users_by_account(map(parse.user, rows))
    assert [user.username for user in grouped["1"]] == ["a", "b"]
    assert [user.username for user in grouped["2"]] == ["c"]


@pytest.mark.parametrize(
    ("path", "covered"),
    [
        ("ROOT/ci", True),
        ("root/CI", True),
        ("ROOT/ci/Dune", True),
        ("ROOT/ci/dune/sub/deeper", True),
        ("ROOT/ci/dune2", False),
        ("ROOT/ci2/dune", False),
        ("ROOT", False),
        ("", False),
        ("ROOT/other/dune", False),
    ],
)
def test_scope(path: str, covered: bool) -> None:
    assert parse.in_scope(Scope("ROOT/ci", frozenset({"dune"})))(path) is covered
    assert parse.in_scope(Scope("ROOT/ci"))(path) is (covered or path == "ROOT/ci/dune2")


def test_the_path_of_a_domain_is_the_listed_one_then_the_rows_then_the_remembered_then_assumed() -> None:
    paths = parse.Paths({"1": "ROOT/ci/new-name"}, {"1": "old", "3": "ROOT/ci/deep/er"}, "ROOT/ci")

    def path_of(**row: str) -> str:
        one = parse.placed(row, parse.machine)
        path = paths.of(one)
        assert one.at(path) == parse.machine(row, path)
        return path

    assert path_of(domainid="1", domainpath="ROOT/ci/old-name") == "ROOT/ci/new-name"
    assert path_of(domainid="2", domainpath="ROOT/ci/gone") == "ROOT/ci/gone"
    assert path_of(domainid="3", domain="er") == "ROOT/ci/deep/er"
    assert paths.assumed == 0
    assert path_of(domainid="4", domain="dying") == "ROOT/ci/dying"
    assert path_of(domainid="5") == "ROOT/ci/5"
    assert paths.assumed == 2


def test_equal_texts_of_two_answers_are_one_object() -> None:
    """Ids of domains, names and zones are in tens of thousands of rows, and in the next inventory again."""
    answer = '{"id": "v", "domainid": "d-1", "account": "dune", "zonename": "zone-1", "memory": 512}'
    one, other = (parse.machine(json.loads(answer), "ROOT/ci/dune") for _ in range(2))
    assert one.domain_id is other.domain_id
    assert one.account is other.account
    assert all(value is other.details[name] for name, value in one.details.items())
    assert one.details.keys() == {"zonename", "memory"}


@pytest.mark.parametrize("release", ["4.23", "4.18"])
def test_what_the_storage_team_needs_is_kept_of_every_recorded_disk_and_vm(release: str) -> None:
    volumes = [parse.owned(row, "ROOT/ci", parse.VOLUME) for row in rows(release, "listVolumes", "volume")]
    assert volumes
    for volume in volumes:
        assert volume.size
        assert volume.details.keys() >= {"type", "storage", "storageid", "path", "virtualmachineid"}
    vms = [parse.machine(row, "ROOT/ci") for row in rows(release, "listVirtualMachines", "virtualmachine")]
    assert all(vm.details["instancename"].startswith("i-") for vm in vms)
    whole = [vm for vm in vms if vm.nics]
    assert whole
    for vm in whole:
        assert vm.details.keys() >= {"serviceofferingname", "serviceofferingid", "templatename", "templateid"}
        assert vm.addresses == tuple(nic.address for nic in vm.nics)
        assert vm.nics[0].network_id and vm.nics[0].network


def test_passwords_in_a_vms_details_and_in_urls_are_not_kept() -> None:
    row = {"id": "1", "name": "web", "details": {"Encrypted.Password": "hush"}, "password": "hush"}
    assert "hush" not in repr(parse.machine(row, "ROOT/ci"))
    row = {"id": "1", "name": "golden", "url": "https://me:hush@repo.example.org/a.qcow2?token=hush"}
    assert parse.owned(row, "ROOT/ci", parse.TEMPLATE).details["url"] == "https://repo.example.org/a.qcow2"
