"""Who may delete in the sandboxes of the test suite: the drill's naive sync, and retirements in their tests.

Every sandbox that a test starts, in this process or in a child of a child, writes who asked it for what into
a folder named after the test module (conftest sets that up); when the session ends, `offences` judges it all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sync.cloudstack import Fence, Retirer, Writer
from sync.sandbox.incident import SYNC_USER
from sync.sandbox.naive_sync import USER_AGENT

DELETING = re.compile(r"(delete|destroy|expunge|remove|purge|archive|clean|drop|release)", re.IGNORECASE)
"""How the names of API commands begin that take something away."""
READING = re.compile(r"(list|get|query)[A-Z]\w*")
PRODUCT = "abreast/"
"""How the product's own User-Agent begins."""
REPLAY = "tests.conformance"
"""The recorded exchanges delete, which is what they recorded; they are not judged."""


@dataclass(frozen=True)
class Direct:
    """A test module that talks to a sandbox with a client of its own, and may delete with it."""

    module: str
    client: str
    """Pattern of the whole User-Agent; it can never be the product's."""
    why: str


DIRECT = (
    Direct(r"tests\.test_sandbox_\w+", "tests?|a-test/1|sandbox-test", "how the sandbox itself deletes"),
    Direct(
        r"tests\.test_peers",
        r"python-(requests|urllib3)/.*",
        "`cs` and Ansible work unchanged, also to delete",
    ),
    Direct(r"tests\.test_cloudstack_(reader|proof)", re.escape(USER_AGENT), "the hand that lets things go"),
    Direct(
        r"tests\.test_(loss_ledger|report|report_back|recoverable|cli_losses|restore|freezes)",
        "test",
        "what a loss ledger is about",
    ),
    Direct(
        r"tests\.(test_cli_restore|screens\.test_restore_screen)",
        re.escape(USER_AGENT),
        "the loss of what is restored",
    ),
    Direct(r"tests\.scenarios\.test_undelete_killed", re.escape(USER_AGENT), "VMs that are recovered"),
    Direct(r"tests\.scenarios\.test_wrong_parent", re.escape(USER_AGENT), "the loss of the parent itself"),
    Direct(r"tests\.test_retiring\w*", re.escape(USER_AGENT), "the hand that interferes with a retirement"),
)

RETIREMENTS = frozenset(
    {
        "tests.test_retiring",
        "tests.test_retiring_archive",
        "tests.test_retiring_clocks",
        "tests.test_retiring_contained",
        "tests.test_retiring_limits",
        "tests.test_cli_retire",
        "tests.screens.test_retire",
        "tests.scenarios.test_retirement_killed",
    }
)
"""The test modules in which the product retires projects: there, and nowhere else, may it send a deletion."""


@dataclass(frozen=True)
class Offence:
    """A call that nobody but the naive sync may have sent."""

    module: str
    entry: Mapping[str, Any]
    why: str

    def __str__(self) -> str:
        one = self.entry
        what = f"{one['command']} {one['target'] or one['name']}{' cleanup=true' if one['cleanup'] else ''}"
        return f"{self.module}  {one['client']} as {one['account']}/{one['user']}: {what} ({self.why})"


def read_logs(folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Module and entry of everything that was logged below a folder: `FOLDER/MODULE/*.jsonl`."""
    for file in sorted(folder.glob("*/*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            yield file.parent.name, json.loads(line)


def fault_of(module: str, entry: Mapping[str, Any]) -> str:
    """Why an entry should not be there; empty where it may."""
    command, client = str(entry["command"]), str(entry["client"])
    if client.startswith(PRODUCT):
        allowed = Writer.ALLOWED | Fence.ALLOWED | (Retirer.ALLOWED if module in RETIREMENTS else frozenset())
        known = READING.fullmatch(command) or command in allowed
        return "" if known and not entry["cleanup"] else "not a call of the product"
    if not (DELETING.match(command) or entry["cleanup"]):
        return ""
    if client == USER_AGENT and entry["user"] == SYNC_USER:
        return ""
    for direct in DIRECT:
        if re.fullmatch(direct.module, module) and re.fullmatch(direct.client, client):
            return ""
    return "only the naive sync deletes"


def offences(folder: Path) -> tuple[int, list[Offence]]:
    """How many entries were judged, and those that should not be there."""
    judged, found = 0, []
    for module, entry in read_logs(folder):
        if module.startswith(REPLAY):
            continue
        judged += 1
        why = fault_of(module, entry)
        if why:
            found.append(Offence(module, entry, why))
    return judged, found
