"""Lists of owned things are united from every variant that a server may keep apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from sync.cloudstack.capabilities import READING_CALLS, Capabilities
from sync.cloudstack.gathering import Gathering
from sync.cloudstack.paging import Habits, Pager
from sync.errors import RefusedError
from sync.model import ActualInventory, CoverageState, Scope

NOW = datetime(2026, 7, 28, 3, 0, tzinfo=UTC)
DOMAINS = [
    {"id": "root", "name": "ROOT", "path": "ROOT", "level": 0},
    {"id": "ci", "name": "ci", "path": "ROOT/ci", "level": 1, "parentdomainid": "root"},
    {"id": "dune", "name": "dune", "path": "ROOT/ci/dune", "level": 2, "parentdomainid": "ci"},
]
PLAIN = {"id": "vm-1", "name": "plain", "domainid": "dune", "account": "dune"}
OWNED = {"id": "vm-2", "name": "owned", "domainid": "dune", "projectid": "p", "project": "nightly"}
HIDDEN = {"id": "vm-3", "name": "hidden", "domainid": "dune", "account": "dune"}
OWN = {"id": "a", "name": "admin", "username": "admin", "domainid": "root", "accountid": "a"}
ALWAYS = {"listAccounts": [OWN], "listUsers": [OWN]}
"""The caller's own account and user."""
HIDDEN_OWNED = {"id": "vm-4", "name": "both", "domainid": "dune", "projectid": "p", "project": "nightly"}


def server(
    machines: Callable[[Mapping[str, str]], list[dict[str, Any]]], **lists: list[dict[str, Any]]
) -> Callable[[str, Mapping[str, str]], dict[str, Any]]:
    def call(command: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        if command == "listVirtualMachines":
            key, rows = "virtualmachine", machines(parameters)
        elif command == "listDomains":
            key, rows = "domain", DOMAINS
        else:
            key = command.removeprefix("list").lower().removesuffix("s")
            rows = (ALWAYS | lists).get(command, [])
        start = (int(parameters["page"]) - 1) * int(parameters["pagesize"])
        return {"count": len(rows), key: rows[start : start + int(parameters["pagesize"])]} if rows else {}

    return call


def capabilities(**known: frozenset[str]) -> Capabilities:
    return Capabilities(
        endpoint="https://cloud.example.org/client/api",
        role_type="Admin",
        user="admin",
        account="admin",
        domain_id="root",
        root_id="root",
        apis={name: frozenset() for name in ("getUser", *READING_CALLS)} | known,
    )


def gather(
    call: Callable[[str, Mapping[str, str]], dict[str, Any]], server_can: Capabilities | None = None
) -> ActualInventory:
    return Gathering(
        Scope("ROOT/ci"),
        NOW,
        capabilities=server_can or capabilities(listVirtualMachines=frozenset({"displayvm"})),
        pager=Pager(call, habits=Habits()),
        limits=True,
        users=True,
        everything=True,
        previous=None,
        progress=None,
    ).inventory({})


def union(parameters: Mapping[str, str]) -> list[dict[str, Any]]:
    """As measured on 4.23: `projectid=-1` adds the Projects' rows."""
    hidden = parameters.get("displayvm") == "false"
    rows = [HIDDEN] if hidden else [PLAIN]
    return rows + ([HIDDEN_OWNED if hidden else OWNED] if parameters.get("projectid") == "-1" else [])


def apart(parameters: Mapping[str, str]) -> list[dict[str, Any]]:
    """A server on which `projectid=-1` means nothing but the Projects' rows."""
    hidden = parameters.get("displayvm") == "false"
    if parameters.get("projectid") == "-1":
        return [HIDDEN_OWNED if hidden else OWNED]
    return [HIDDEN if hidden else PLAIN]


@pytest.mark.parametrize("machines", [union, apart])
def test_machines_of_projects_and_hidden_ones_are_united(machines: Any) -> None:
    inventory = gather(server(machines))
    assert {vm.id for vm in inventory.vms} == {"vm-1", "vm-2", "vm-3", "vm-4"}
    assert inventory.coverage.is_complete


def test_hidden_rows_are_asked_for_only_where_the_server_knows_the_parameter() -> None:
    asked: list[Mapping[str, str]] = []

    def machines(parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        asked.append(parameters)
        return union(parameters)

    inventory = gather(server(machines), capabilities())
    assert {vm.id for vm in inventory.vms} == {"vm-1", "vm-2"}
    assert not any("displayvm" in parameters or "details" in parameters for parameters in asked)
    assert all(parameters["listall"] == "true" for parameters in asked)


def test_a_template_in_two_zones_is_one_template() -> None:
    template = {
        "id": "t",
        "name": "deb12",
        "domainid": "dune",
        "account": "dune",
        "status": "Download Complete",
    }
    rows = [
        {**template, "zoneid": "z1", "zonename": "north"},
        {**template, "zoneid": "z2", "zonename": "south"},
    ]
    inventory = gather(server(union, listTemplates=rows))
    assert [one.id for one in inventory.templates] == ["t"]
    assert inventory.coverage.is_complete
    [proof] = [proof for proof in inventory.coverage.lists if proof.name == "listTemplates"]
    assert proof.unique == 2


def test_without_root_in_the_list_nothing_is_complete() -> None:
    def rootless(command: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        answer = server(union)(command, parameters)
        if command == "listDomains":
            answer = {"count": len(DOMAINS) - 1, "domain": DOMAINS[1:]}
        return answer

    inventory = gather(rootless)
    assert inventory.coverage.state is CoverageState.PARTIAL
    assert "ROOT itself is not among the domains" in inventory.coverage.why


@pytest.mark.parametrize("field", ["path", "name"])
def test_domains_without_a_path_are_not_a_complete_list(field: str) -> None:
    """A proxy may take a field away: every project would be missing and its VMs left without a domain."""

    def stripped(command: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        answer = server(union)(command, parameters)
        if command == "listDomains" and answer:
            rows = [{key: row[key] for key in row if key != field or row["id"] == "root"} for row in DOMAINS]
            answer = {**answer, "domain": rows}
        return answer

    inventory = gather(stripped)
    assert inventory.coverage.state is CoverageState.PARTIAL
    assert "2 of 3 domains were listed without a path or a name" in inventory.coverage.why


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ({"listAccounts": []}, "The caller itself, admin/admin .* is not among the accounts"),
        ({"listUsers": [{**OWN, "username": "other"}]}, "is not among the users that were listed"),
        ({"listUsers": [{**OWN, "domainid": "dune"}]}, "is not among the users that were listed"),
        ({"listNetworks": [{"id": "n"}]}, "1 running VMs were listed, but no volumes"),
        ({"listVolumes": [{"id": "v"}]}, "1 running VMs were listed, but no networks"),
    ],
)
def test_a_list_that_got_lost_on_its_way_is_not_an_empty_one(
    lost: dict[str, list[dict[str, Any]]], words: str
) -> None:
    """`{}` means nothing, and is what is left of a list that was cut away: what else was read tells."""
    running = {**PLAIN, "state": "Running"}
    inventory = gather(server(lambda _: [running], **lost), capabilities())
    assert inventory.coverage.state is CoverageState.PARTIAL
    assert re.search(words, inventory.coverage.why)


def test_volumes_without_their_machines_are_not_believed() -> None:
    volumes = [{"id": "v", "name": "ROOT-1", "domainid": "dune", "virtualmachineid": "vm-1"}]
    inventory = gather(server(lambda _: [], listVolumes=volumes), capabilities())
    assert "Volumes of VMs were listed, but no VMs" in inventory.coverage.why
    detached = [{"id": "v", "name": "DATA-1", "domainid": "dune"}]
    assert gather(server(lambda _: [], listVolumes=detached), capabilities()).coverage.is_complete


@pytest.mark.parametrize(
    ("counted", "what"),
    [
        ("vmtotal", "vms"),
        ("volumetotal", "volumes"),
        ("snapshottotal", "snapshots"),
        ("networktotal", "networks"),
    ],
)
def test_an_empty_list_of_what_cloudstack_counts_is_not_believed(
    counted: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ROOT's own count is no witness: it goes on counting what a removed account had."""
    monkeypatch.setitem(DOMAINS[2], counted, 2)
    inventory = gather(server(lambda _: []), capabilities())
    assert inventory.coverage.state is CoverageState.PARTIAL
    assert f"CloudStack counts 2 {what} in a domain, but none were listed" in inventory.coverage.why
    monkeypatch.setitem(DOMAINS[2], counted, 0)
    monkeypatch.setitem(DOMAINS[0], counted, 2)
    assert gather(server(lambda _: []), capabilities()).coverage.is_complete


def test_many_lists_that_end_alike_are_said_once() -> None:
    def broken(command: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        if command == "listDomains":
            return server(union)(command, parameters)
        return {"count": 1, "other": [{"id": "1"}]}

    inventory = gather(broken)
    assert inventory.coverage.state is CoverageState.PARTIAL
    assert "And 7 more lists." in inventory.coverage.why


def test_a_machine_of_an_unlisted_domain_below_the_parent_is_kept_and_others_are_not() -> None:
    rows = [
        {"id": "a", "name": "a", "domainid": "gone", "domainpath": "ROOT/ci/aurora"},
        {"id": "b", "name": "b", "domainid": "else", "domainpath": "ROOT/shop/aurora"},
        {"id": "c", "name": "c", "domainid": "root", "account": "admin"},
        {"id": "d", "name": "d", "domainid": "old", "domain": "boreal"},
    ]
    inventory = gather(server(lambda _: rows), capabilities())
    assert {(vm.id, vm.domain_path) for vm in inventory.vms} == {
        ("a", "ROOT/ci/aurora"),
        ("d", "ROOT/ci/boreal"),
    }
    [proof] = [proof for proof in inventory.coverage.lists if proof.name == "listVirtualMachines"]
    assert "1 rows name a domain that is not listed" in proof.note


def shrinking(command: str, *, rows: int = 60) -> Callable[[str, Mapping[str, str]], dict[str, Any]]:
    """A server one of whose lists loses its fourth row after every answer; aurora, with VMs, is not there."""
    machines = [{"id": f"vm-{number}", "name": "v", "domainid": "gone", "domainpath": "ROOT/ci/aurora"}
                for number in range(rows)]  # fmt: skip
    more = [{"id": f"d-{number}", "name": f"d-{number}", "path": f"ROOT/ci/d-{number}", "level": 2}
            for number in range(rows)]  # fmt: skip
    lists = {"listVirtualMachines": machines, "listDomains": [*DOMAINS, *more]}
    keys = {"listVirtualMachines": "virtualmachine", "listDomains": "domain"}
    plain = server(lambda _: machines)

    def call(name: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        if name not in lists:
            return plain(name, parameters)
        found, size = lists[name], int(parameters["pagesize"])
        start = (int(parameters["page"]) - 1) * size
        answer = {"count": len(found), keys[name]: found[start : start + size]}
        if name == command:
            lists[name] = [*found[:3], *found[4:]]
        return answer

    return call


def gather_small(call: Callable[[str, Mapping[str, str]], dict[str, Any]]) -> ActualInventory:
    """In pages of ten."""
    gathering = Gathering(
        Scope("ROOT/ci"), NOW, capabilities=capabilities(), pager=Pager(call, habits=Habits(page_size=10)),
        limits=True, users=True, everything=True, previous=None, progress=None,
    )  # fmt: skip
    return gathering.inventory({})


@pytest.mark.parametrize("command", ["listVirtualMachines", "listDomains"])
def test_while_a_list_shrinks_all_domains_are_known_but_nothing_is_complete(command: str) -> None:
    inventory = gather_small(shrinking(command))
    assert inventory.coverage.state is CoverageState.PARTIAL
    assert f"{command}: it lost rows all the time" in inventory.coverage.why
    assert inventory.has_all_domains
    assert {vm.domain_path for vm in inventory.vms} == {"ROOT/ci/aurora"}


def test_domains_that_never_add_up_are_not_all_domains() -> None:
    def call(command: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        answer = shrinking("none")(command, parameters)
        return {**answer, "domain": answer["domain"][:-1]} if answer.get("domain") else answer

    inventory = gather_small(call)
    assert inventory.coverage.state is CoverageState.PARTIAL
    assert not inventory.has_all_domains


def test_of_jobs_that_do_not_add_up_those_that_delete_domains_are_told() -> None:
    running = {"cmd": "x.DeployVMCmd", "jobstatus": 0}
    deleting = {"cmd": "x.DeleteDomainCmd", "jobstatus": 0}

    def jobs_of(*rows: dict[str, Any]) -> Any:
        def call(command: str, parameters: Mapping[str, str]) -> dict[str, Any]:
            if command != "listAsyncJobs":
                return server(union)(command, parameters)
            return {"count": 9, "asyncjobs": [{"jobid": str(place), **row} for place, row in enumerate(rows)]}

        return gather(call, capabilities(listAsyncJobs=frozenset())).jobs

    assert jobs_of(running) is None
    assert [job.command for job in jobs_of(running, deleting)] == ["x.DeleteDomainCmd"]


def growing(*commands: str) -> Callable[[str, Mapping[str, str]], dict[str, Any]]:
    """A server on which each of these lists has one row more at every call."""
    made: dict[str, int] = dict.fromkeys(commands, 0)

    def call(command: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        if command in made:
            made[command] += 1
        more = [{**OWN, "id": f"new-{number}", "username": "new"} for number in range(made.get(command, 0))]
        return server(lambda _: [], **{command: [OWN, *more]} if command in made else {})(command, parameters)

    return call


def test_a_reading_in_which_lists_only_grew_is_as_partial_as_any_other_and_says_so() -> None:
    coverage = gather(growing("listUsers")).coverage
    assert coverage.state is CoverageState.PARTIAL and "listUsers" in coverage.why
    assert coverage.only_grew
    assert gather(growing("listUsers", "listAccounts")).coverage.only_grew


def test_what_else_is_wrong_with_a_reading_is_not_hidden_by_a_list_that_grew() -> None:
    less = capabilities(listVirtualMachines=frozenset({"displayvm"}))
    less.apis.pop("listSnapshots")  # type: ignore[attr-defined]
    assert not gather(growing("listUsers"), less).coverage.only_grew

    def refusing(command: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        if command == "listAccounts":
            raise RefusedError("No.", code=530)
        return growing("listUsers")(command, parameters)

    assert not gather(refusing).coverage.only_grew
    assert not gather(server(lambda _: [])).coverage.only_grew
