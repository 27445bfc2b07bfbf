"""A sandbox in memory for tests: signed calls, a clock that stands still until it is stepped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sync.sandbox.auth import sign
from sync.sandbox.clock import ManualClock
from sync.sandbox.engine import Engine, Request
from sync.sandbox.jobs import LockTable
from sync.sandbox.records import World
from sync.sandbox.seed import admin_of, fresh_cloud

START = datetime(2026, 7, 28, 3, 0, tzinfo=UTC)
SETTINGS = {"expunge.delay": "20", "expunge.interval": "20", "account.cleanup.interval": "86400"}


class RefusedError(Exception):
    """An answer that is an error, or a job that failed."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text}")
        self.status = status
        self.text = text


class Cloud:
    """One sandbox with the root admin's key."""

    def __init__(
        self,
        release: str = "4.23",
        *,
        settings: dict[str, str] | None = None,
        locks: LockTable | None = None,
        world: World | None = None,
    ) -> None:
        if world is None:
            world = World(release=release, clock=ManualClock(START), seed=7)
            world.settings = SETTINGS | (settings or {})
            fresh_cloud(world)
        self.world = world
        self.engine = Engine(world, locks=locks)

    def ask(self, command: str, **params: Any) -> tuple[int, dict[str, Any]]:
        """Send a call as the root admin: status and the inner object."""
        admin = admin_of(self.world)
        assert admin.api_key and admin.secret_key
        sent = {"command": command, "response": "json", "apiKey": admin.api_key}
        sent |= {name.replace("__", "."): str(value) for name, value in params.items()}
        sent["signature"] = sign(sent, admin.secret_key)
        answer = self.engine.handle(Request(params=sent, method="POST", client="tests"))
        return answer.status, next(iter(answer.body.values()))

    def call(self, command: str, **params: Any) -> dict[str, Any]:
        """Send a call that must be answered. Raises RefusedError."""
        status, inner = self.ask(command, **params)
        if status != 200:
            raise RefusedError(status, inner["errortext"])
        return inner

    def rows(self, command: str, **params: Any) -> list[dict[str, Any]]:
        """The rows of a list."""
        inner = self.call(command, listall="true", **params)
        return next((value for value in inner.values() if isinstance(value, list)), [])

    def step(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.world.clock.advance(seconds)
        self.engine.tick()

    def job(self, jobid: str) -> dict[str, Any]:
        """A job as it stands."""
        return self.call("queryAsyncJobResult", jobid=jobid)

    def finish(self, jobid: str, *, within: float = 300.0) -> dict[str, Any]:
        """Let time pass until a job is done; its result. Raises RefusedError if it failed."""
        waited = 0.0
        while (job := self.job(jobid))["jobstatus"] == 0:
            assert waited < within, f"{job['cmd']} still runs after {waited} s"
            self.step(0.25)
            waited += 0.25
        result: dict[str, Any] = job["jobresult"]
        if job["jobstatus"] == 2:
            raise RefusedError(result["errorcode"], result["errortext"])
        return result

    def run(self, command: str, **params: Any) -> dict[str, Any]:
        """An asynchronous call, followed to its end: its result. Raises RefusedError."""
        return self.finish(self.call(command, **params)["jobid"])

    # --- things to have ----------------------------------------------------------------------------

    @property
    def zone(self) -> str:
        """The only zone's id."""
        return next(iter(self.world.zones))

    def project(self, name: str, *, machines: int = 0, parent: str | None = None) -> Tenant:
        """A domain of its own with an account, and VMs; below ROOT, or below the domain of an id."""
        domain = self.call("createDomain", name=name, parentdomainid=parent or self.world.root_id)["domain"]
        person = {"firstname": "A", "lastname": "B", "email": "a@example.org", "password": "p"}
        role = next(one.id for one in self.world.roles.values() if one.name == "User")
        account = self.call(
            "createAccount", username=name, account=name, domainid=domain["id"], roleid=role, **person
        )["account"]
        tenant = Tenant(self, name, domain["id"], account["id"])
        for number in range(machines):
            tenant.machine(f"{name}-{number}")
        return tenant


class Tenant:
    """A project's domain and account in a sandbox."""

    def __init__(self, cloud: Cloud, name: str, domain_id: str, account_id: str) -> None:
        self.cloud = cloud
        self.name = name
        self.domain_id = domain_id
        self.account_id = account_id

    @property
    def owner(self) -> dict[str, str]:
        """The parameters that make something this tenant's."""
        return {"account": self.name, "domainid": self.domain_id}

    def ask_for_machine(self, name: str, **params: Any) -> dict[str, Any]:
        """Ask for a VM: id and jobid. Raises RefusedError."""
        world = self.cloud.world
        template = next(one.id for one in world.templates.values() if one.type == "BUILTIN")
        return self.cloud.call(
            "deployVirtualMachine",
            name=name,
            serviceofferingid=next(iter(world.offerings)),
            templateid=template,
            zoneid=self.cloud.zone,
            **({} if "projectid" in params else self.owner),
            **params,
        )

    def machine(self, name: str, **params: Any) -> str:
        """A running VM; its id."""
        asked = self.ask_for_machine(name, **params)
        self.cloud.finish(asked["jobid"])
        return str(asked["id"])

    def machines(self, **params: Any) -> dict[str, str]:
        """State by name of the VMs in the domain."""
        rows = self.cloud.rows("listVirtualMachines", domainid=self.domain_id, **params)
        return {row["name"]: row["state"] for row in rows}

    def counts(self) -> dict[str, Any]:
        """The account's row."""
        return self.cloud.rows("listAccounts", id=self.account_id)[0]

    def domain(self) -> dict[str, Any] | None:
        """The domain's row, if a list shows it."""
        rows = [row for row in self.cloud.rows("listDomains") if row["id"] == self.domain_id]
        return rows[0] if rows else None
