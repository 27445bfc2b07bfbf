"""28 July, replayed through the API: a synchronization limited to one project, and aborted too late.

The sandbox's clock is moved while the naive sync waits, so that a night of deletions takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sync.sandbox.naive_sync import Client, SyncAborted, SyncLog, synchronize
from sync.sandbox.worlds.lab import DYING, HOLLOW, LIMITED_TO

SYNC_USER = "ci-sync"
"""Whose keys the synchronization uses: an account of its own, as containment has to find."""
LOOKS_BEFORE_ABORT = 6
"""How often the sync had looked at its last deletion when somebody pulled the plug."""
HEAD_START_SECONDS = 7.9 * 3600.0
"""So long before now the incident begins: it takes about eight hours, and must not end in the future."""


class Control(Protocol):
    """What the incident does to the sandbox besides calling its API."""

    def advance(self, seconds: float) -> None:
        """Move the sandbox's clock."""

    def arm_failing_cleanup(self, domain_path: str) -> None:
        """Let the next clean-up of a domain fail at its end."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where a sandbox is and the keys to it."""

    endpoint: str
    key: str
    secret: str
    token: str
    """Of its control path."""


def july28(
    access: Access,
    control: Control,
    ci_database: Path,
    *,
    parent: str = "ROOT/ci",
    on_step: Callable[[str], None] = lambda _: None,
) -> SyncLog:
    """Play the incident; afterwards most domains are gone, one is dying, one is hollow, a few are untouched.

    `on_step` is called with the domain in deletion. Raises NotASandboxError, before anything is sent, when
    the endpoint is not the sandbox of that token.
    """
    admin = _client(access)
    try:
        control.advance(-HEAD_START_SECONDS)
        control.arm_failing_cleanup(f"{parent}/{HOLLOW}")
        sync_access = _give_keys(admin, access, control)
    finally:
        admin.close()
    looks = 0

    def pause(seconds: float, domain: str) -> None:
        nonlocal looks
        looks += domain == DYING
        if looks > LOOKS_BEFORE_ABORT:
            raise SyncAborted
        on_step(domain)
        control.advance(seconds)

    client = _client(sync_access)
    try:
        return synchronize(client, ci_database, parent=parent, only=LIMITED_TO, pause=pause)
    finally:
        client.close()


def _client(access: Access) -> Client:
    return Client(endpoint=access.endpoint, key=access.key, secret=access.secret, token=access.token)


def _give_keys(admin: Client, access: Access, control: Control) -> Access:
    """The account that the synchronization runs as, with API keys."""
    role = next(one["id"] for one in admin.call("listRoles")["role"] if one["name"] == "Root Admin")
    account = admin.call(
        "createAccount",
        account=SYNC_USER,
        username=SYNC_USER,
        firstname="CI",
        lastname="Synchronization",
        email="ci-sync@example.org",
        password=access.token,
        roleid=role,
    )["account"]
    keys = _finished(admin, admin.call("registerUserKeys", id=account["user"][0]["id"]), control)["userkeys"]
    return Access(access.endpoint, keys["apikey"], keys["secretkey"], access.token)


def _finished(client: Client, answer: Mapping[str, Any], control: Control) -> Mapping[str, Any]:
    """The result of a call that is asynchronous in some releases."""
    if "jobid" not in answer:
        return answer
    while (state := client.call("queryAsyncJobResult", jobid=str(answer["jobid"])))["jobstatus"] == 0:
        control.advance(1.0)
    result: Mapping[str, Any] = state["jobresult"]
    return result
