"""Replaying recordings: one sandbox a release, all in order; time passes only while a reading waits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sync.sandbox.auth import sign
from sync.sandbox.clock import ManualClock
from sync.sandbox.engine import Engine, Request
from sync.sandbox.gateway import API_PATH, Gateway
from sync.sandbox.records import World
from sync.sandbox.seed import admin_of, fresh_cloud
from tests.conformance.compare import Comparison, Pairs
from tests.conformance.recording import Exchange, Recording

STEP = 0.25
LONGEST = 600.0
ROOT_ADMIN = "root admin"


class Server(Protocol):
    """A sandbox to replay on."""

    world: World

    def send(self, path: str, params: Mapping[str, str]) -> tuple[int, Any]:
        """Send a signed request; its status and decoded body."""

    def step(self, seconds: float) -> bool:
        """Let virtual time pass; whether anything may have changed."""


class InProcess:
    """The sandbox's own request path, without sockets."""

    def __init__(self, recording: Recording) -> None:
        self.world = World(release=recording.release, clock=ManualClock(recording.start()), seed=1)
        self.world.settings = recording.settings_from(recording.order[0])
        fresh_cloud(self.world)
        self.engine = Engine(self.world)
        self.gateway = Gateway(self.engine)

    def send(self, path: str, params: Mapping[str, str]) -> tuple[int, Any]:
        """Send a signed request; its status and body."""
        answer = self.gateway.answer(path, Request(params=params, client="replay"))
        return answer.status, answer.body

    def step(self, seconds: float) -> bool:
        """Let virtual time pass; whether anything is due in it. It happens during the next request."""
        self.world.clock.advance(seconds)
        due = self.engine.tasks.next_due()
        return due is not None and due <= self.world.clock.now()


@dataclass(frozen=True)
class Result:
    """How one exchange went."""

    exchange: Exchange
    differences: tuple[str, ...]
    waited: float
    answer: Any = None


@dataclass
class Replay:
    """One release being replayed."""

    recording: Recording
    server: Server
    pairs: Pairs = field(default_factory=Pairs)
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    """API key and secret by caller."""
    names: dict[str, str] = field(default_factory=dict)
    """User name by the sandbox's user id, as its answers told."""

    def __post_init__(self) -> None:
        admin = admin_of(self.server.world)
        assert admin.api_key and admin.secret_key
        self.keys[ROOT_ADMIN] = (admin.api_key, admin.secret_key)

    def run(self, files: tuple[str, ...] | None = None) -> Iterator[Result]:
        """Replay the files in the manifest's order, all of them or up to the last one wanted."""
        for file in files or self.recording.order:
            if file != self.recording.order[0]:
                self.server.world.settings.update(self.recording.settings_from(file))
            for exchange in self.recording.exchanges(file):
                self._prepare(exchange)
                yield self._exchange(exchange)

    def _exchange(self, exchange: Exchange) -> Result:
        params = {key: self.pairs.rewrite(value) for key, value in exchange.params.items()}
        waited, worth_asking = 0.0, True
        differences: list[str] = []
        body: Any = None
        while True:
            if worth_asking:
                status, body = self._send(exchange, params)
                trial = self.pairs.copy()
                differences = self._compare(exchange, status, body, trial)
            if not differences:
                self.pairs = trial
                break
            if not exchange.reads or waited >= LONGEST:
                self.pairs = trial
                break
            worth_asking = self.server.step(STEP)
            waited += STEP
        self._learn(body, params)
        return Result(exchange, tuple(differences), waited, body)

    def _compare(self, exchange: Exchange, status: int, body: Any, pairs: Pairs) -> list[str]:
        made = Comparison(
            pairs,
            open=f"{exchange.file}:{exchange.number}" in self.recording.open,
            cut=exchange.cut,
        )
        if status != exchange.status:
            made.differences.append(f"status: recorded {exchange.status}, sandbox {status}")
        made.compare(exchange.body, body)
        return made.differences

    def _send(self, exchange: Exchange, params: Mapping[str, str]) -> tuple[int, Any]:
        caller, _, special = exchange.caller.partition(", ")
        api_key, secret = self.keys.get(caller, ("no-such-key", "no-such-secret"))
        if special == "wrong secret":
            secret = "wrong"
        signed = dict(params) | {"apiKey": api_key}
        signed["signature"] = sign(signed, secret)
        return self.server.send("/client/apix" if special == "wrong path" else API_PATH, signed)

    def _learn(self, body: Any, params: Mapping[str, str]) -> None:
        """Remember the users' names, and the keys that were made for them."""
        if isinstance(body, list):
            for one in body:
                self._learn(one, params)
        if not isinstance(body, dict):
            return
        if "username" in body and "id" in body:
            self.names[body["id"]] = body["username"]
        if "apikey" in body and "secretkey" in body:
            user = body.get("username") or self.names.get(params.get("id", ""))
            if user and user != "admin":
                self.keys[user] = (body["apikey"], body["secretkey"])
        for value in body.values():
            self._learn(value, params)

    def _prepare(self, exchange: Exchange) -> None:
        """Do what the manifest says was done before an exchange."""
        entry = self.recording.before.get(f"{exchange.file}:{exchange.number}", {})
        for kind, text in entry.items():
            {"fault": self._arm, "made": self._make, "done": self._do}[kind](text)

    def _arm(self, text: str) -> None:
        path = re.search(r"clean-up of (\S+) fails", text)
        assert path, text
        self.server.world.armed.setdefault("cleanup_fails", []).append(path[1])

    def _do(self, text: str) -> None:
        assert "was enabled again" in text, text
        admin_of(self.server.world).state = "enabled"

    def _make(self, text: str) -> None:
        """Many projects: domains below ROOT/ci, an account with two users in some of them."""
        counted = {
            word: int(number.replace(",", "")) for number, word in re.findall(r"(\d[\d,]*) (\w+)", text)
        }
        world = self.server.world
        parent = next(domain for domain in world.domains.values() if domain.path == "ROOT/ci")
        role = next(role for role in world.roles.values() if role.name == "User" and role.is_default)
        for number in range(counted["domains"]):
            name = f"proj{number:05d}"
            made = self._admin("createDomain", name=name, parentdomainid=parent.id)
            if number < counted["accounts"]:
                person = {
                    "email": f"{name}@example.org",
                    "firstname": "A",
                    "lastname": "B",
                    "password": "password",
                    "account": name,
                    "domainid": made["domain"]["id"],
                }
                self._admin("createAccount", username=f"{name}-admin", roleid=role.id, **person)
                self._admin("createUser", username=f"{name}-u2", **person)

    def _admin(self, command: str, **params: str) -> Any:
        api_key, secret = self.keys[ROOT_ADMIN]
        signed = {"command": command, "response": "json", "apiKey": api_key} | params
        signed["signature"] = sign(signed, secret)
        status, body = self.server.send(API_PATH, signed)
        assert status == 200, body
        return body[f"{command.lower()}response"]
