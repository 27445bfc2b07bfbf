"""The Writer sends what is on its allow-list, once, and nothing that could delete."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sync.cloudstack import Writer
from sync.errors import GuardError
from tests.cloudstack_server import Reply, Server, wrapped


def answer(command: str) -> Reply:
    return Reply(body=wrapped(command, jobid="j-1"))


def test_the_allow_list_is_what_rebuilds() -> None:
    assert set(Writer.ALLOWED) == {
        "createDomain",
        "updateDomain",
        "createAccount",
        "enableAccount",
        "createUser",
        "updateUser",
        "enableUser",
        "disableUser",
        "updateResourceLimit",
        "createNetwork",
        "associateIpAddress",
        "recoverVirtualMachine",
        "registerTemplate",
        "registerIso",
        "deployVirtualMachine",
        "updateZone",
    }
    for word in ("delete", "destroy", "expunge", "remove", "cleanup"):
        assert not any(word in command.lower() for command in Writer.ALLOWED)


@pytest.mark.parametrize(
    "command",
    [
        "deleteDomain",
        "deleteAccount",
        "deleteUser",
        "disableAccount",
        "destroyVirtualMachine",
        "expungeVirtualMachine",
        "registerUserKeys",
        "listDomains",
        "DELETEDOMAIN",
        "createdomain",
        "createDomain ",
        "_request",
        "session",
        "",
    ],
)
def test_anything_else_is_refused_before_it_is_sent(command: str) -> None:
    with Server(lambda heard: answer(heard.command)) as server:
        with pytest.raises(GuardError, match="not among the calls"):
            Writer(server.credentials()).submit(command, {"id": "d-1"})
        assert server.heard == []


@pytest.mark.parametrize("name", ["cleanup", "CLEANUP", "Cleanup"])
@pytest.mark.parametrize("command", sorted(Writer.ALLOWED))
def test_cleanup_is_refused_on_every_call(command: str, name: str) -> None:
    with Server(lambda heard: answer(heard.command)) as server:
        with pytest.raises(GuardError, match="never sends a parameter"):
            allowed = min(Writer.ONLY_WITH.get(command, {"id"}))
            Writer(server.credentials()).submit(command, {allowed: "d-1", name: "false"})
        assert server.heard == []


@pytest.mark.parametrize(
    "name",
    ["command", "Command", "apiKey", "signature", "response", "json", "headers", "fetch_result", "fetch_list",
     "opcode_name", "page", "expires"],
)  # fmt: skip
def test_a_parameter_cannot_turn_one_call_into_another(name: str) -> None:
    with Server(lambda heard: answer(heard.command)) as server:
        with pytest.raises(GuardError, match="no parameter of it"):
            Writer(server.credentials()).submit("createDomain", {name: "deleteDomain"})
        assert server.heard == []


@pytest.mark.parametrize("command", sorted(Writer.ALLOWED))
def test_every_allowed_call_is_sent_once_as_it_is(command: str) -> None:
    with Server(lambda heard: answer(heard.command)) as server:
        writer = Writer(server.credentials())
        first, second = sorted(Writer.ONLY_WITH.get(command, {"name", "max"}))
        submission = writer.submit(command, {first: "été & <b>[/x]", second: "-1"})
        assert submission.job_id == "j-1"
        assert writer.calls == 1
        [heard] = server.heard
        assert heard.command == command
        assert heard.params[first.lower()] == "été & <b>[/x]"
        assert heard.params[second.lower()] == "-1"


@pytest.mark.parametrize("name", ["dns1", "details", "domainid", "Id", "allocationState"])
def test_a_zone_is_opened_and_closed_and_nothing_else_of_it_is_changed(name: str) -> None:
    with Server(lambda heard: answer(heard.command)) as server:
        with pytest.raises(GuardError, match="sends no"):
            Writer(server.credentials()).submit("updateZone", {"id": "z-1", name: "x"})
        assert server.heard == []


@pytest.mark.parametrize("name", ["zoneid", "account", "isportable", "vpcid", "ipAddress"])
def test_an_address_is_taken_for_a_network_by_its_value_and_in_no_other_way(name: str) -> None:
    with Server(lambda heard: answer(heard.command)) as server:
        wanted = {"networkid": "n-1", "ipaddress": "203.0.113.7", name: "x"}
        with pytest.raises(GuardError, match="sends no"):
            Writer(server.credentials()).submit("associateIpAddress", wanted)
        assert server.heard == []


def test_a_synchronous_answer_has_no_job() -> None:
    with Server(lambda heard: Reply(body=wrapped(heard.command, domain={"id": "d-2"}))) as server:
        submission = Writer(server.credentials()).submit("createDomain", {"name": "dune"})
    assert submission.job_id is None
    assert submission.body == {"domain": {"id": "d-2"}}
    assert "d-2" not in repr(submission)


def test_the_package_can_be_imported_without_the_libraries_that_take_time() -> None:
    code = "import sys, sync.cloudstack; print({'cs', 'requests', 'urllib3', 'httpx'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert shown.strip() == "set()"
