"""No deletion can be sent but by the drill's naive sync and a retirement's own client: read from the sources.

What the Writer itself refuses, call by call, is in test_cloudstack_writer.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.cloudstack import Fence, Permit, Retirer, Writer
from sync.errors import GuardError
from sync.model import ActionKind
from tests.cloudstack_server import Reply, Server, wrapped
from tests.deletions import DELETING

ROOT = Path(__file__).parents[1]
CLIENTS = {"cs", "requests", "urllib3", "httpx", "aiohttp", "http", "urllib.request", "socket"}
"""What can be used to talk to a server, from the standard library or from what the product depends on."""
AT_RUN_TIME = {"__import__", "import_module", "eval", "exec"}
MAY_IMPORT = {
    "sync/cloudstack/client.py": {"cs", "requests", "urllib3"},
    "sync/cloudstack/faults.py": {"requests", "urllib3"},  # the types of their errors
    "sync/sandbox/naive_sync.py": {"httpx"},  # reaches its own sandbox only, and proves that it is one
    "sync/sandbox/downloads.py": {
        "urllib.request"
    },  # templates from this machine, as CloudStack's storage VM
    "sync/sandbox/process.py": {"urllib.request"},  # the control paths of its own child
    "sync/sandbox/server.py": {"aiohttp"},
    "sync/sandbox/__main__.py": {"aiohttp"},
    "sync/archive_folder.py": {"http"},  # a server: gives an archive's files to CloudStack
    "sync/lease.py": {"socket"},  # this host's name
    "sync/containment_journal.py": {"socket"},  # this host's name
    "sync/jenkins.py": {"httpx"},  # asks Jenkins, which is not CloudStack
    "sync/download.py": {"httpx"},  # fetches files of archives, from secondary storage
    "sync/drill_live.py": {"httpx"},  # the type of its errors
    "sync/operator_name.py": {"socket"},  # this host's name
}
MAY_IMPORT_BY_NAME = {
    "console/app.py": {"import_module"},  # the screens of its own table
    "console/parsing.py": {"import_module"},  # the commands of its own table
    "sync/sandbox/seed.py": {"import_module"},  # its own other half
    "sync/sandbox/commands/__init__.py": {"import_module"},  # its own modules
}
MAY_CALL = {
    "CloudStack": {"sync/cloudstack/client.py"},
    "Connection": {
        "sync/cloudstack/reader.py",
        "sync/cloudstack/writer.py",
        "sync/cloudstack/fence.py",
        "sync/cloudstack/retirer.py",
    },
    "Writer": {"console/session.py", "sync/drill_script.py", "sync/rehearsing.py"},
    "Fence": {"sync/containment.py"},
    "Retirer": {"sync/retirement_steps.py"},
    "Permit": {"sync/retirement_steps.py"},
    "change": {"sync/cloudstack/writer.py", "sync/cloudstack/fence.py", "sync/cloudstack/retirer.py"},
}
"""Who makes a client, and who sends a changing call through one."""


def sources() -> Iterator[tuple[str, ast.Module]]:
    for package in ("sync", "widgets", "console"):
        for file in sorted((ROOT / package).rglob("*.py")):
            yield file.relative_to(ROOT).as_posix(), ast.parse(file.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> set[str]:
    """Every client library that a module imports anywhere in it, also inside a function."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {client for client in CLIENTS if any(f"{name}.".startswith(f"{client}.") for name in names)}


def called(tree: ast.Module) -> set[str]:
    functions = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {
        function.attr if isinstance(function, ast.Attribute) else function.id
        for function in functions
        if isinstance(function, ast.Attribute | ast.Name)
    }


def test_only_these_modules_can_talk_to_a_server() -> None:
    found = {file: clients for file, tree in sources() if (clients := imported(tree))}
    assert found == MAY_IMPORT


def test_nothing_is_imported_by_a_name_made_up_at_run_time() -> None:
    found = {file: names for file, tree in sources() if (names := called(tree) & AT_RUN_TIME)}
    assert found == MAY_IMPORT_BY_NAME


@pytest.mark.parametrize("name", sorted(MAY_CALL))
def test_only_these_modules_make_a_client(name: str) -> None:
    assert {file for file, tree in sources() if name in called(tree)} == MAY_CALL[name]


@pytest.mark.parametrize("client", [Writer, Fence])
def test_the_allow_lists_have_no_deleting_command(client: type[Writer] | type[Fence]) -> None:
    assert isinstance(client.ALLOWED, frozenset)
    assert not any(DELETING.match(command) for command in client.ALLOWED)
    assert not any(DELETING.match(kind.value) for kind in ActionKind)


def test_containment_sends_each_command_with_its_own_parameters_alone() -> None:
    assert Fence.PARAMETERS.keys() == Fence.ALLOWED
    assert not any("cleanup" in name for names in Fence.PARAMETERS.values() for name in names)
    right = {name: "x" for name in Fence.PARAMETERS["updateVirtualMachine"]}
    with Server(lambda heard: Reply(body=wrapped(heard.command))) as server:
        fence = Fence(server.credentials())
        for command, parameters in (
            ("deleteDomain", {"id": "d-1"}),
            ("destroyVirtualMachine", {"id": "v-1"}),
            ("updateVirtualMachine", {**right, "cleanup": "true"}),
            ("updateVirtualMachine", {"id": "v-1"}),
            ("updateUser", {"id": "u-1", "password": "x"}),
            ("updateConfiguration", {"name": "expunge.delay", "accountid": "a-1", "value": "1"}),
            ("lockUser", {"id": ""}),
        ):
            with pytest.raises(GuardError, match=r"was not sent|not among"):
                fence.submit(command, parameters)
        assert server.heard == []


def test_the_allow_list_stands_once_and_is_never_changed() -> None:
    """Nobody assigns to ALLOWED but the classes that have it."""
    found = []
    for file, tree in sources():
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            found += [
                file for one in targets if "ALLOWED" in (getattr(one, "id", ""), getattr(one, "attr", ""))
            ]
    assert found == ["sync/cloudstack/fence.py", "sync/cloudstack/retirer.py", "sync/cloudstack/writer.py"]


@pytest.mark.parametrize(
    "spelling",
    ["cleanup", "CLEANUP", "cleanUp", "clean_up", "clean-up", " cleanup", "cleanup ", "cleanup\t",
     "cleanup[0]", "_cleanup", "cleanup\0", "forcecleanup"],
)  # fmt: skip
def test_cleanup_is_refused_in_any_spelling(spelling: str) -> None:
    with Server(lambda heard: Reply(body=wrapped(heard.command))) as server:
        with pytest.raises(GuardError, match="never sends a parameter"):
            Writer(server.credentials()).submit("updateDomain", {"id": "d-1", spelling: "true"})
        assert server.heard == []


@pytest.mark.parametrize("spelling", ["ｃｌｅａｎｕｐ", "", "id&cleanup", "id=1&command", "naïve", "id[0].x"])
def test_a_name_that_no_parameter_has_is_refused(spelling: str) -> None:
    with Server(lambda heard: Reply(body=wrapped(heard.command))) as server:
        with pytest.raises(GuardError, match="was not sent"):
            Writer(server.credentials()).submit("updateDomain", {"id": "d-1", spelling: "true"})
        assert server.heard == []


# --- the client of retirements ------------------------------------------------------------------------------

PERMIT = Permit(
    "retire-1",
    "a step",
    frozenset({(command, "x-1") for command in Retirer.ALLOWED}),
)


def parameters_of(command: str, **changed: str) -> dict[str, str]:
    """Everything as it has to be, about x-1."""
    right = dict.fromkeys(Retirer.PARAMETERS[command], "x-1") | dict(Retirer.FIXED.get(command, {}))
    return right | changed


def test_what_deletes_is_named_nowhere_else_in_the_product() -> None:
    """The two calls that take a project away stand in the code of retirements, and in the stand-in's."""
    names = {"deleteAccount", "deleteDomain"}
    found = set()
    for file, tree in sources():
        strings = {
            node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and node.value in names
        }
        if strings and not file.startswith("sync/sandbox/"):
            found.add(file)
    assert found == {
        "sync/cloudstack/retirer.py",
        "sync/retirement_calls.py",
        "sync/retirement_sending.py",
        "sync/unrecorded.py",  # which compares CloudStack's events with the ledger, and sends nothing
    }


def test_a_retirement_sends_each_command_with_its_own_parameters_alone() -> None:
    assert Retirer.PARAMETERS.keys() == Retirer.ALLOWED
    assert all(fixed.keys() <= Retirer.PARAMETERS[name] for name, fixed in Retirer.FIXED.items())
    assert not any("cleanup" in name and value != "false" for fixed in Retirer.FIXED.values()
                   for name, value in fixed.items())  # fmt: skip
    with Server(lambda heard: Reply(body=wrapped(heard.command))) as server:
        for command in sorted(Retirer.ALLOWED):
            Retirer(server.credentials(), PERMIT).submit(command, parameters_of(command))
        assert {heard.command for heard in server.heard} == Retirer.ALLOWED


@pytest.mark.parametrize(
    "value", ["true", "True", "TRUE", "1", "yes", "", " true", "false ", "maybe", "False"]
)
@pytest.mark.parametrize("command", ["deleteDomain", "deleteProject"])
def test_cleanup_is_false_whoever_asks(command: str, value: str) -> None:
    with Server(lambda heard: Reply(body=wrapped(heard.command))) as server:
        retirer = Retirer(server.credentials(), PERMIT)
        with pytest.raises(GuardError, match="was not sent"):
            retirer.submit(command, parameters_of(command, cleanup=value))
        with pytest.raises(GuardError, match="was not sent"):
            retirer.submit(command, {"id": "x-1"})
        assert server.heard == []


@pytest.mark.parametrize(
    ("command", "changed"),
    [
        ("destroyVirtualMachine", {"expunge": "true"}),
        ("disableAccount", {"lock": "true"}),
        ("deleteAccount", {"cleanup": "true"}),
        ("deleteDomain", {"Cleanup": "true"}),
        ("createTemplate", {"account": "zephyr"}),
        ("deleteDomain", {"id": "x-2"}),
        ("deleteDomain", {"id": ""}),
        ("expungeVirtualMachine", {"id": "x-1"}),
        ("updateVirtualMachine", {"id": "x-1"}),
    ],
)
def test_nothing_else_leaves_the_client_of_retirements(command: str, changed: dict[str, str]) -> None:
    with Server(lambda heard: Reply(body=wrapped(heard.command))) as server:
        sent = parameters_of(command, **changed) if command in Retirer.ALLOWED else changed
        with pytest.raises(GuardError):
            Retirer(server.credentials(), PERMIT).submit(command, sent)
        assert server.heard == []


@pytest.mark.parametrize(
    "permit",
    [
        Permit("", "a step", PERMIT.calls),
        Permit("retire-1", "", PERMIT.calls),
        Permit("retire-1", "a step", frozenset()),
        Permit("retire-1", "a step", frozenset({("expungeVirtualMachine", "x-1")})),
        Permit("retire-1", "a step", frozenset({("deleteDomain", "")})),
    ],
)
def test_without_a_permit_there_is_no_client(permit: Permit) -> None:
    with Server(lambda heard: Reply(body=wrapped(heard.command))) as server:
        with pytest.raises(GuardError):
            Retirer(server.credentials(), permit)
        assert server.heard == []
