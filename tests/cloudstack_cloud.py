"""A sandbox of the drill's world before the incident, a Reader on it, and a hand that changes it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sync.cloudstack import Reader, Writer
from sync.cloudstack_ini import Credentials
from sync.model import ActualInventory, Scope
from sync.sandbox.naive_sync import Client
from sync.sandbox.process import SandboxProcess
from sync.secret import Secret

NOW = datetime(2026, 7, 28, 3, 0, tzinfo=UTC)
SCOPE = Scope("ROOT/ci")
LISTS = (
    "domains", "accounts", "vms", "volumes", "snapshots", "templates", "isos", "networks",
    "public_addresses", "projects",
)  # fmt: skip


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Cloud:
    """A sandbox with the drill's world before the incident, and a hand that changes it."""

    box: SandboxProcess
    hand: Client

    def credentials(self, *, key: str = "", secret: str = "", **changed: Any) -> Credentials:
        ready = self.box.ready
        return Credentials(ready.url, Secret(key or ready.key), Secret(secret or ready.secret), **changed)

    def reader(self, *, clock: Clock | None = None, **changed: Any) -> Reader:
        return Reader(self.credentials(), clock=clock or Clock(), **changed)

    def finish(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The job's state at its end; the answer itself where it was synchronous."""
        if "jobid" not in answer:
            return {"jobresult": answer, "jobstatus": 1}
        for _ in range(600):
            state = self.hand.call("queryAsyncJobResult", jobid=answer["jobid"])
            if state["jobstatus"]:
                return state
            self.box.control.advance(60)
        raise AssertionError("the job does not end")

    def role(self, name: str, type: str, *rules: tuple[str, str]) -> str:
        role_id = self.hand.call("createRole", name=name, type=type)["role"]["id"]
        for rule, permission in rules:
            self.hand.call("createRolePermission", roleid=role_id, rule=rule, permission=permission)
        return str(role_id)

    def caller(self, name: str, role_id: str, **where: str) -> Credentials:
        """The keys of a new account."""
        person = {"email": "a@example.org", "firstname": "A", "lastname": "B", "password": "a password"}
        made = self.hand.call("createAccount", account=name, username=name, roleid=role_id, **person, **where)
        state = self.finish(self.hand.call("registerUserKeys", id=made["account"]["user"][0]["id"]))
        keys = state["jobresult"]["userkeys"]
        return self.credentials(key=keys["apikey"], secret=keys["secretkey"])


@contextlib.contextmanager
def cloud_of(release: str) -> Iterator[Cloud]:
    with SandboxProcess.start(world="drill", release=release, manual_clock=True, service_times=False) as box:
        ready = box.ready
        hand = Client(endpoint=ready.url, key=ready.key, secret=ready.secret, token=ready.token)
        # Signatures expire by this machine's clock: the sandbox's must not run ahead of it.
        box.control.advance(-8 * 3600)
        try:
            yield Cloud(box, hand)
        finally:
            hand.close()


def assert_only_what_may_be_sent(cloud: Cloud) -> None:
    """Of the product's own calls: all POST, and nothing but reading and the Writer's list."""
    entries = [entry for entry in cloud.box.control.log() if entry["client"].startswith("abreast/")]
    assert entries
    assert {entry["method"] for entry in entries} == {"POST"}
    others = {
        entry["command"]
        for entry in entries
        if not entry["command"].startswith(("list", "query", "getUser"))
        and entry["command"] not in Writer.ALLOWED
    }
    assert others == set()


def read(reader: Reader, scope: Scope = SCOPE, **changed: Any) -> ActualInventory:
    return reader.inventory(scope, **{"limits": True, **changed})


def by_id(inventory: ActualInventory) -> dict[str, dict[str, Any]]:
    return {name: {one.id: one for one in getattr(inventory, name)} for name in LISTS}
