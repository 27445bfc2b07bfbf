"""The sandbox's engine in this process, behind the product's own Reader, Writer and Executor: no HTTP, no
waiting. For properties over many worlds: random ones, with random faults."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sync.cloudstack import Reader, Writer, faults
from sync.cloudstack.client import Connection
from sync.cloudstack_ini import Credentials
from sync.credentials import CredentialFile
from sync.errors import AbreastError
from sync.executor import Confirmation, ExecutionPolicy, Executor, RunReport
from sync.ledger import Ledger
from sync.lookup import ArchiveLike
from sync.model import Action, ActualInventory, Coverage, CoverageState, DesiredInventory, JsonObject, Scope
from sync.plan import build
from sync.rows import QueryRows, assemble
from sync.sandbox.auth import sign
from sync.sandbox.clock import ManualClock
from sync.sandbox.engine import Answer, Engine, Request
from sync.sandbox.faults import Faults, refusal
from sync.sandbox.records import World
from sync.sandbox.seed import admin_of, fresh_cloud
from sync.sandbox.worlds import Blueprint, rows_of
from sync.sandbox.worlds.build import build as build_world
from sync.sandbox.worlds.ci_rows import SCHEMA
from sync.secret import Secret
from sync.stock import Stock
from tests.fake_cloudstack import Limits

START = datetime(2026, 7, 28, 3, 0, tzinfo=UTC)
ENDPOINT = "http://127.0.0.1:8080/client/api"
SCOPE = Scope("ROOT/ci")
CLIENT = "abreast/engine"

KEPT = {
    "domains": ("id", "name", "path", "state", "network_domain"),
    "accounts": ("id", "name", "domain_id", "state"),
    "users": ("id", "username", "email", "firstname", "lastname", "state", "account_id"),
    "vms": ("id", "name", "state"),
    "volumes": ("id", "name", "state"),
    "networks": ("id", "name", "state"),
    "projects": ("id", "name", "state"),
}
"""Tables of the sandbox, and what of their records must not change by itself."""


class EngineCloud:
    """One world. Time passes only when the product sleeps."""

    def __init__(
        self, blueprint: Blueprint, *, release: str = "4.23", seed: int = 0, start: datetime = START
    ) -> None:
        self.clock = ManualClock(start)
        self.world = World(release=release, clock=self.clock, seed=seed)
        fresh_cloud(self.world)
        build_world(self.world, blueprint)
        self.blueprint = blueprint
        self.engine = Engine(self.world)
        self.faults = Faults(self.engine, seed=seed)
        self._lock = threading.RLock()

    # --- the way there --------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def reachable(self) -> Iterator[None]:
        """Every Connection leads here."""
        cloud = self

        def attempt(
            connection: Connection, command: str, parameters: Mapping[str, str], *, changes: bool
        ) -> JsonObject | AbreastError:
            answer = cloud.ask(command, parameters)
            call = faults.Call(command, ENDPOINT, changes, 10, secrets=())
            if answer.status != 200:
                text = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
                return faults.refusal(call, answer.status, text)
            if isinstance(answer.body, str):
                return faults.unreadable(call, answer.body)
            (inner,) = answer.body.values()
            assert isinstance(inner, dict)
            return json.loads(json.dumps(inner))  # type: ignore[no-any-return]

        with patch.object(Connection, "_attempt", attempt):
            yield

    def ask(self, command: str, parameters: Mapping[str, str], *, client: str = CLIENT) -> Answer:
        """One call by the root admin, with the faults that are armed."""
        admin = admin_of(self.world)
        assert admin.api_key and admin.secret_key
        sent = {**parameters, "command": command, "response": "json", "apiKey": admin.api_key}
        sent["signature"] = sign(sent, admin.secret_key)
        with self._lock:
            fault = self.faults.before(command)
            refused = None if fault is None else refusal(fault, f"{command.lower()}response")
            if refused is not None:
                return refused
            answer = self.engine.handle(Request(params=sent, method="POST", client=client))
            self.faults.after(command, answer)
            return answer

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.clock.advance(max(seconds, 0.1))
            self.engine.tick()

    def now(self) -> datetime:
        return self.world.now()

    # --- looking --------------------------------------------------------------------------------------------

    def credentials(self) -> Credentials:
        admin = admin_of(self.world)
        return Credentials(ENDPOINT, Secret(admin.api_key or ""), Secret(admin.secret_key or ""))

    def read(self, *, page_size: int = 500) -> ActualInventory:
        with self.reachable(), Reader(self.credentials(), clock=self.now, page_size=page_size) as reader:
            return reader.inventory(SCOPE, limits=True)

    def stock(self) -> Stock:
        with self.reachable(), Reader(self.credentials(), clock=self.now) as reader:
            return reader.stock()

    def state(self) -> dict[str, tuple[Any, ...]]:
        """Everything that is there, by id."""
        found: dict[str, tuple[Any, ...]] = {}
        for table, fields in KEPT.items():
            for record in getattr(self.world, table).values():
                found[record.id] = (table, *(getattr(record, name, None) for name in fields))
        for owner, limits in self.world.limits.items():
            found[f"limits {owner}"] = tuple(sorted(limits.items()))
        return found

    def sent(self) -> list[tuple[str, str, bool]]:
        """Calls that change something: command, id, `cleanup`."""
        return [
            (entry.command, entry.target, entry.cleanup)
            for entry in self.world.access_log
            if entry.client == CLIENT and not entry.command.startswith(("list", "get", "query"))
        ]

    # --- acting ---------------------------------------------------------------------------------------------

    def execute(
        self, actions: Sequence[Action], folder: Path, *, archive: ArchiveLike | None = None
    ) -> RunReport:
        """Confirm and run them all, as a rebuild does."""
        root_id = self.world.root_id
        made = build(
            actions, environment="lab", root_id=root_id, endpoint=ENDPOINT, author="ops", now=self.now()
        )
        with self._executing(folder, archive) as (executor, _):
            word = Confirmation(made.digest, "ops", self.now())
            return executor.run(made, confirmed=word, on_event=lambda _: None, stop=threading.Event())

    def resume(self, folder: Path, *, archive: ArchiveLike | None = None) -> RunReport:
        """Go on with the run that was interrupted."""
        with self._executing(folder, archive) as (executor, ledger):
            run = ledger.interrupted_run()
            assert run is not None
            word = Confirmation(run.digest, "ops", self.now())
            return executor.resume(
                run.run_id, confirmed=word, on_event=lambda _: None, stop=threading.Event()
            )

    @contextlib.contextmanager
    def _executing(self, folder: Path, archive: ArchiveLike | None) -> Iterator[tuple[Executor, Ledger]]:
        with (
            self.reachable(),
            Reader(self.credentials(), clock=self.now) as reader,
            Ledger(
                f"sqlite:///{folder / 'ledger.sqlite'}", environment="lab", operator="ops", clock=self.now
            ) as ledger,
        ):
            yield (
                Executor(
                    reader=reader,
                    writer=Writer(self.credentials(), clock=self.now),
                    ledger=ledger,
                    vault=CredentialFile(folder / "passwords.jsonl"),
                    limits=Limits(),
                    policy=ExecutionPolicy.REBUILD,
                    archive=archive,
                    clock=self.now,
                    sleep=self.sleep,
                ),
                ledger,
            )


def desired_of(blueprint: Blueprint) -> DesiredInventory:
    """What the CI database of a blueprint says."""
    tables = {}
    for table, rows in rows_of(blueprint).items():
        parts = SCHEMA[table].split(", PRIMARY KEY")[0].split(", ")
        positions = {part.split()[0].strip('"'): place for place, part in enumerate(parts)}
        tables[table] = QueryRows(table, positions, rows)
    assembled = assemble(tables)
    assert not assembled.unkeyed
    coverage = Coverage(CoverageState.COMPLETE, caller="the blueprint")
    return DesiredInventory(SCOPE, START, coverage, assembled.projects, assembled.retired)
