"""A world of small projects, a naive synchronization that deletes them, and abreast configured on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sync.sandbox.incident import SYNC_USER
from sync.sandbox.lifecycle import SECONDS
from sync.sandbox.naive_sync import Client
from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import write_database
from sync.sandbox.worlds.blueprint import Blueprint, Image, Machine, Person, Tenant, save
from tests.cli import Access, Configured, configure

KEPT = "kept"
"""The project that the synchronization is limited to: it is bound, so it stays."""
ADMIN_ACCOUNT = {"firstname": "CI", "lastname": "Synchronization", "email": "ci-sync@example.org"}


def blueprint(scale: float, domains: int) -> Blueprint:
    """Projects of two VMs, a template and a snapshot each; and the one that the sync is limited to.

    `scale` is of the times that the steps of a deletion take.
    """
    image = Image("debian", os="Other Linux (64-bit)")

    def tenant(number: int, name: str) -> Tenant:
        machines = tuple(
            Machine(f"{name}-{vm}", "debian", f"10.1.1.{10 + vm}", snapshot_ages=(3,) if vm == 0 else ())
            for vm in range(2)
        )
        owner = Person(f"owner-{name}", "O", "W", role="owner")
        own_image = Image(f"{name}-build")
        return Tenant(name, (owner,), machines, (own_image,), age_days=1000 - number)

    names = [KEPT, *(f"p{number:02d}" for number in range(1, domains + 1))]
    return Blueprint(
        tenants=tuple(tenant(number, name) for number, name in enumerate(names)),
        images=(image,),
        service_seconds={step: seconds * scale for step, seconds in SECONDS.items()},
    )


class Incident:
    """A sandbox with 41 domains, the keys of a sync that deletes 40 of them, and abreast configured on it."""

    def __init__(
        self, sandbox: SandboxProcess, folder: Path, *, lock_database: str = "", ledger: str = ""
    ) -> None:
        ready = sandbox.ready
        self.sandbox = sandbox
        self.control = sandbox.control
        self.folder = folder
        more = '[environments.lab.runbook]\nstop = "systemctl stop ci-sync on ci1.example.org"\n'
        self.abreast: Configured = configure(
            folder, Access(ready.url, ready.key, ready.secret), f"sqlite:///{folder / 'ci.sqlite'}", more=more
        )
        for key, url in (("cloudstack_database", lock_database), ("ledger", ledger)):
            if url:
                text = self.abreast.config.read_text()
                line = f'[environments.lab]\n{key} = "{url}"\n'
                self.abreast.config.write_text(text.replace("[environments.lab]\n", line, 1))
        self.admin = Client(endpoint=ready.url, key=ready.key, secret=ready.secret, token=ready.token)
        self.sync = self._sync_client()
        self.destroyed_before = len(self.control.destroyed())

    def _sync_client(self) -> Client:
        role = next(one["id"] for one in self.admin.call("listRoles")["role"] if one["name"] == "Root Admin")
        account = self.admin.call(
            "createAccount", account=SYNC_USER, username=SYNC_USER, password="x", roleid=role, **ADMIN_ACCOUNT
        )["account"]
        answer = self.admin.call("registerUserKeys", id=account["user"][0]["id"])
        while "jobid" in answer and "userkeys" not in answer:
            self.control.advance(1.0)
            state = self.admin.call("queryAsyncJobResult", jobid=answer["jobid"])
            answer = state["jobresult"] if state["jobstatus"] == 1 else answer
        keys, ready = answer["userkeys"], self.sandbox.ready
        return Client(endpoint=ready.url, key=keys["apikey"], secret=keys["secretkey"], token=ready.token)

    def domains(self) -> dict[str, str]:
        """Name → id of the listed domains below the parent, the kept one aside."""
        rows = self.admin.call("listDomains", listall="true").get("domain", [])
        return {
            row["name"]: row["id"]
            for row in sorted(rows, key=lambda row: row["name"])
            if row["path"].startswith("ROOT/ci/") and row["name"] != KEPT
        }

    def lost(self) -> list[str]:
        """Names of the domains in the sandbox's own log of what was destroyed."""
        return sorted(one["name"] for one in self.control.destroyed() if one["kind"] == "domain")

    def pass_time(self, seconds: float, step: float = 0.25) -> None:
        for _ in range(int(seconds / step)):
            self.control.advance(step)

    def submit_all(self) -> dict[str, str]:
        """Delete everything without waiting for anything: name → job."""
        return {
            name: self.sync.call("deleteDomain", id=id, cleanup="true")["jobid"]
            for name, id in self.domains().items()
        }

    def job(self, job_id: str) -> dict[str, Any]:
        return self.admin.call("queryAsyncJobResult", jobid=job_id)

    def contain(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        ran = self.abreast.run("contain", "--format", "json", *arguments)
        assert ran.stdout, ran.stderr
        return ran.returncode, json.loads(ran.stdout)


def start_sandbox(
    folder: Path, *, release: str, scale: float, domains: int, lock_database: str = ""
) -> SandboxProcess:
    """A sandbox of that world, whose time stands still, and its CI database beside it."""
    world = blueprint(scale, domains)
    save(world, folder / "world.json")
    write_database(world, folder / "ci.sqlite")
    return SandboxProcess.start(
        world=str(folder / "world.json"),
        release=release,
        manual_clock=True,
        lock_database=lock_database or None,
    )


def of_stage(document: dict[str, Any], stage: str) -> list[str]:
    return sorted(one["name"] for one in document["deletions"] if one["stage"] == stage)
