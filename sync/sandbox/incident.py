"""28 July, replayed through the API: a synchronization limited to one project, and aborted too late; and what
else might have become of that night.

The sandbox's clock is moved while the naive sync waits, so that a night of deletions takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sync.sandbox.naive_sync import Client, SyncAborted, SyncLog, synchronize
from sync.sandbox.worlds.lab import DYING, HOLLOW, LIMITED_TO, PROJECTS, UNEXPECTED

SYNC_USER = "ci-sync"
"""Whose keys the synchronization uses: an account of its own, as containment has to find."""
LOOKS_BEFORE_ABORT = 6
"""How often the sync had looked at its last deletion when somebody pulled the plug."""
SPARED = (UNEXPECTED,)
"""The synchronization's own list of domains that it leaves alone, or the stranger would not be there."""
BOOT_SECONDS = 60.0
"""Between the synchronization's keys and its first call: meanwhile all is as it was."""


@dataclass(frozen=True, slots=True)
class Course:
    """How a night goes."""

    hours: float
    """So long before now it begins: a little longer than it takes, so that it does not end in the future."""
    failing: tuple[str, ...] = ()
    """The domains whose clean-up fails at its end."""
    aborted_in: str = ""
    """The domain in deletion when somebody pulls the plug; empty where nobody does."""


JULY_28 = Course(7.9, failing=(HOLLOW,), aborted_in=DYING)
ABORTED_EARLY = Course(0.8, aborted_in="argile")
EVERYTHING_FAILS = Course(8.4, failing=tuple(one.name for one in PROJECTS if one.name != LIMITED_TO))


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
    keys = before(access, control, hours=JULY_28.hours)
    return play(JULY_28, keys, control, ci_database, parent=parent, on_step=on_step)


def before(access: Access, control: Control, *, hours: float = 0.0) -> Access:
    """Turn the clock back to the eve, and give the synchronization an account and keys; the keys.

    Raises NotASandboxError, before anything is sent, when the endpoint is not the sandbox of that token.
    """
    admin = client_of(access)
    try:
        control.advance(-hours * 3600.0)
        return _give_keys(admin, access, control)
    finally:
        admin.close()


def play(
    course: Course,
    keys: Access,
    control: Control,
    ci_database: Path,
    *,
    parent: str = "ROOT/ci",
    on_step: Callable[[str], None] = lambda _: None,
) -> SyncLog:
    """Let a night go its course with the synchronization's own keys; `on_step` is called with the domain in
    deletion."""
    for name in course.failing:
        control.arm_failing_cleanup(f"{parent}/{name}")
    looks = 0

    def pause(seconds: float, domain: str) -> None:
        nonlocal looks
        looks += domain == course.aborted_in
        if looks > LOOKS_BEFORE_ABORT:
            raise SyncAborted
        on_step(domain)
        control.advance(seconds)

    client = client_of(keys)
    try:
        control.advance(BOOT_SECONDS)
        return synchronize(client, ci_database, parent=parent, only=LIMITED_TO, spared=SPARED, pause=pause)
    finally:
        client.close()


def client_of(access: Access) -> Client:
    """A client of the synchronization's own. Raises NotASandboxError."""
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
