"""The sandbox answers as the recorded management servers did; the replay notices where it does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer

from sync.sandbox.engine import Engine
from sync.sandbox.records import World
from sync.sandbox.server import Sandbox
from tests.conformance.__main__ import main
from tests.conformance.allowed import ALLOWED, allowed
from tests.conformance.compare import Comparison, Pairs
from tests.conformance.recording import Recording, releases
from tests.conformance.replay import InProcess, Replay, Result

RECORDINGS = Path(__file__).parent / "recordings"
EXCHANGES = {"4.18": 302, "4.23": 574}


def replayed(
    recording: Recording, server: Any | None = None, files: tuple[str, ...] | None = None
) -> list[Result]:
    return list(Replay(recording, server or InProcess(recording)).run(files))


@pytest.mark.parametrize("recording", releases(RECORDINGS), ids=lambda one: one.release)
def test_every_recorded_exchange_is_answered_alike(recording: Recording) -> None:
    results = replayed(recording)
    assert len(results) == EXCHANGES[recording.release]
    differing = [one for one in results if one.differences and not allowed(one)]
    assert {one.exchange.name: one.differences for one in differing} == {}
    used = {one.exchange.name for one in results if one.differences}
    assert used == {name for name in ALLOWED if name.startswith(recording.release)}, "an entry is not needed"


def test_the_command_counts_what_it_replayed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(RECORDINGS), "--file", "4.18/identity", "--file", "4.23/identity"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("4.18/identity: 67 exchanges, 0 differ, 0 allowed")
    assert lines[-1] == "136 exchanges, 0 differ, 0 allowed"


class Altered(InProcess):
    """A sandbox with one answer changed."""

    def __init__(self, recording: Recording, command: str, change: Any) -> None:
        super().__init__(recording)
        self.command, self.change = command, change

    def send(self, path: str, params: Mapping[str, str]) -> tuple[int, Any]:
        status, body = super().send(path, params)
        if params["command"] == self.command:
            return self.change(status, json.loads(json.dumps(body)))
        return status, body


def other_text(status: int, body: Any) -> tuple[int, Any]:
    inner = next(iter(body.values()))
    if "errortext" in inner:
        inner["errortext"] += "!"
    return status, body


def other_status(status: int, body: Any) -> tuple[int, Any]:
    return (432 if status == 431 else status), body


def other_count(status: int, body: Any) -> tuple[int, Any]:
    inner = next(iter(body.values()))
    if "count" in inner:
        inner["count"] += 1
    return status, body


def missing_row(status: int, body: Any) -> tuple[int, Any]:
    inner = next(iter(body.values()))
    if "domain" in inner:
        inner["domain"] = inner["domain"][1:]
    return status, body


def missing_key(status: int, body: Any) -> tuple[int, Any]:
    for row in next(iter(body.values())).get("domain", []):
        row.pop("haschild", None)
    return status, body


def other_type(status: int, body: Any) -> tuple[int, Any]:
    for row in next(iter(body.values())).get("domain", []):
        row["level"] = str(row["level"])
    return status, body


def swapped_ids(status: int, body: Any) -> tuple[int, Any]:
    rows = next(iter(body.values())).get("domain", [])
    if len(rows) > 1:
        rows[0]["id"], rows[1]["id"] = rows[1]["id"], rows[0]["id"]
    return status, body


@pytest.mark.parametrize(
    ("command", "change"),
    [
        ("createDomain", other_text),
        ("createUser", other_status),
        ("listDomains", other_count),
        ("listDomains", missing_row),
        ("listDomains", missing_key),
        ("listDomains", other_type),
        ("listDomains", swapped_ids),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_a_changed_answer_is_noticed(command: str, change: Any) -> None:
    recording = Recording.read(RECORDINGS / "4.23")
    results = replayed(recording, Altered(recording, command, change), ("identity",))
    differing = {one.exchange.params["command"] for one in results if one.differences}
    assert command in differing


def test_time_never_passes_before_a_change() -> None:
    recording = Recording.read(RECORDINGS / "4.18")
    assert not any(one.waited for one in replayed(recording) if not one.exchange.reads)


def test_internal_numbers_and_ids_are_placeholders_other_numbers_are_not() -> None:
    def differs(recorded: Any, ours: Any) -> bool:
        made = Comparison(Pairs())
        made.compare({"errortext": recorded}, {"errortext": ours})
        return bool(made.differences)

    assert not differs("Unable to find domain by id 250", "Unable to find domain by id 7")
    assert not differs("i-3-3-VM", "i-9-12-VM")
    assert differs("Account Resource Limit = 2", "Account Resource Limit = 3")
    assert differs("slave-1", "slave-2")


class OverHttp:
    """A sandbox behind real sockets; the replay itself runs in a thread beside the server's loop."""

    def __init__(self, sandbox: Sandbox, base: str, loop: asyncio.AbstractEventLoop) -> None:
        self.world: World = sandbox.engine.world
        self._engine: Engine = sandbox.engine
        self._base, self._loop = base, loop
        self._session = aiohttp.ClientSession()
        self.posted = 0

    def send(self, path: str, params: Mapping[str, str]) -> tuple[int, Any]:
        return asyncio.run_coroutine_threadsafe(self._send(path, params), self._loop).result()

    async def _send(self, path: str, params: Mapping[str, str]) -> tuple[int, Any]:
        """GET and POST by turns: the server must take both."""
        self.posted += 1
        if self.posted % 2:
            request = self._session.post(self._base + path, data=dict(params))
        else:
            request = self._session.get(self._base + path, params=dict(params))
        async with request as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else text

    def step(self, seconds: float) -> bool:
        self.world.clock.advance(seconds)
        due = self._engine.tasks.next_due()
        return due is not None and due <= self.world.clock.now()

    async def close(self) -> None:
        await self._session.close()


@pytest_asyncio.fixture
async def over_http() -> AsyncIterator[tuple[Recording, OverHttp]]:
    recording = Recording.read(RECORDINGS / "4.23")
    sandbox = Sandbox(InProcess(recording).engine, "token")
    server = TestServer(sandbox.app())
    await server.start_server()
    client = OverHttp(sandbox, str(server.make_url("")).rstrip("/"), asyncio.get_running_loop())
    yield recording, client
    await client.close()
    await server.close()


async def test_the_replay_agrees_over_real_http(over_http: tuple[Recording, OverHttp]) -> None:
    recording, client = over_http
    results = await asyncio.to_thread(replayed, recording, client, ("identity",))
    assert len(results) == 69
    assert {one.exchange.name: one.differences for one in results if one.differences} == {}
