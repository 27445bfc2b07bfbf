"""An engine of one's own to call in the tests of the sandbox: signed calls, a clock stepped by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sync.sandbox.auth import sign
from sync.sandbox.clock import ManualClock
from sync.sandbox.engine import Engine, Request
from sync.sandbox.gateway import API_PATH, Gateway
from sync.sandbox.records import User, World
from sync.sandbox.seed import admin_of, fresh_cloud

NOON = datetime(2026, 7, 28, 12, 0, tzinfo=UTC)


class RefusedError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, inner: dict[str, Any]) -> None:
        super().__init__(f"{status}: {inner.get('errortext')}")
        self.status, self.inner = status, inner


class Cloud:
    """A fresh cloud; calls are made as its admin unless another user is named."""

    def __init__(self, release: str = "4.23", **settings: str) -> None:
        self.clock = ManualClock(NOON)
        self.world = World(release=release, clock=self.clock, seed=7)
        self.world.settings = {name.replace("_", "."): value for name, value in settings.items()}
        fresh_cloud(self.world)
        self.engine = Engine(self.world)
        self.gateway = Gateway(self.engine)
        self.admin = admin_of(self.world)

    def send(
        self, params: dict[str, str], *, path: str = API_PATH, remote: str = "127.0.0.1"
    ) -> tuple[int, Any]:
        """An already signed request; status and body."""
        answer = self.gateway.answer(path, Request(params=params, remote=remote, client="test"))
        return answer.status, answer.body

    def call(self, command: str, *, caller: User | None = None, **params: Any) -> dict[str, Any]:
        """A signed call; the inner object. Raises RefusedError."""
        user = caller or self.admin
        assert user.api_key and user.secret_key
        sent = {"command": command, "apiKey": user.api_key, "response": "json"}
        sent |= {key: str(value) for key, value in params.items()}
        sent["signature"] = sign(sent, user.secret_key)
        status, body = self.send(sent)
        (inner,) = body.values()
        if status != 200:
            raise RefusedError(status, inner)
        assert isinstance(inner, dict)
        return inner

    def wait(self, seconds: float) -> None:
        """Let virtual time pass."""
        self.clock.advance(seconds)
        self.engine.tick()

    def finished(self, answer: dict[str, Any], *, within: float = 60.0) -> dict[str, Any]:
        """The result of a job once it has ended. Raises RefusedError with that of a failed one."""
        for _ in range(int(within * 4)):
            job = self.call("queryAsyncJobResult", jobid=answer["jobid"])
            if job["jobstatus"]:
                break
            self.wait(0.25)
        if job["jobstatus"] != 1:
            raise RefusedError(job["jobresult"]["errorcode"], job["jobresult"])
        result: dict[str, Any] = job["jobresult"]
        return result

    def role(self, name: str) -> str:
        """The id of a role."""
        return next(role.id for role in self.world.roles.values() if role.name == name)

    def domain(self, name: str, **params: Any) -> str:
        """A new domain's id."""
        return str(self.call("createDomain", name=name, **params)["domain"]["id"])

    def account(self, name: str, domain_id: str, *, role: str = "User", **params: Any) -> User:
        """A new account; its first user, with keys."""
        person = {"firstname": "A", "lastname": "B", "email": "a@example.org", "password": "secret"}
        made = self.call(
            "createAccount",
            **{"username": name, "account": name, "domainid": domain_id, "roleid": self.role(role)}
            | person
            | params,
        )["account"]
        user = self.world.users[made["user"][0]["id"]]
        self.world.set_keys(user, self.world.new_secret(), self.world.new_secret())
        return user
