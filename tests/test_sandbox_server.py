"""The sandbox over HTTP: GET and POST, faults that really break connections, control paths behind a token."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer

from sync.sandbox import persistence
from sync.sandbox.auth import sign
from sync.sandbox.clock import WallClock
from sync.sandbox.engine import Answer
from sync.sandbox.faults import KINDS, FaultError, Faults
from sync.sandbox.process import TOKEN_HEADER
from sync.sandbox.server import Sandbox
from tests.sandbox_api import Cloud

TOKEN = "test-token"


class Client:
    """A sandbox behind a socket, and a session to it."""

    def __init__(
        self, cloud: Cloud, sandbox: Sandbox, server: TestServer, session: aiohttp.ClientSession
    ) -> None:
        self.cloud, self.sandbox, self.server, self.session = cloud, sandbox, server, session

    def signed(self, command: str, **params: str) -> dict[str, str]:
        assert self.cloud.admin.api_key and self.cloud.admin.secret_key
        sent = {"command": command, "apiKey": self.cloud.admin.api_key, "response": "json", **params}
        return sent | {"signature": sign(sent, self.cloud.admin.secret_key)}

    async def call(self, command: str, *, post: bool = True, **params: str) -> tuple[int, str]:
        sent = self.signed(command, **params)
        url = self.server.make_url("/client/api")
        request = self.session.post(url, data=sent) if post else self.session.get(url, params=sent)
        async with request as answer:
            return answer.status, await answer.text()

    async def rows(self, command: str, key: str, **params: str) -> Any:
        status, text = await self.call(command, **params)
        assert status == 200, text
        (inner,) = json.loads(text).values()
        return inner.get(key, [])

    async def control(
        self, method: str, path: str, body: Any = None, *, token: str = TOKEN
    ) -> tuple[int, dict[str, Any]]:
        url = self.server.make_url(f"/sandbox/{path}")
        async with self.session.request(method, url, json=body, headers={TOKEN_HEADER: token}) as answer:
            return answer.status, await answer.json()

    async def fault(self, kind: str, **described: Any) -> None:
        status, body = await self.control("POST", "faults", {"kind": kind, **described})
        assert status == 200, body


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    cloud = Cloud()
    sandbox = Sandbox(cloud.engine, TOKEN)
    server = TestServer(sandbox.app())
    await server.start_server()
    async with aiohttp.ClientSession(headers={"User-Agent": "a-test/1"}) as session:
        yield Client(cloud, sandbox, server, session)
    await server.close()


@pytest.mark.parametrize("post", [True, False], ids=["POST", "GET"])
async def test_both_methods_take_any_text(client: Client, post: bool) -> None:
    status, text = await client.call("createDomain", post=post, name="équipe & été + 1")
    assert (status, json.loads(text)["createdomainresponse"]["domain"]["name"]) == (200, "équipe & été + 1")


async def test_other_paths_are_html(client: Client) -> None:
    async with client.session.get(client.server.make_url("/client/apix")) as answer:
        assert (answer.status, answer.content_type) == (404, "text/html")


# --- faults ------------------------------------------------------------------------------------------------


async def names(client: Client) -> list[str]:
    return [row["name"] for row in await client.rows("listDomains", "domain", listall="true")]


@pytest.mark.parametrize(
    ("kind", "done"),
    [
        ("reset_before", False),
        ("reset_after", True),
        ("timeout_before", False),
        ("timeout_after_effect", True),
    ],
)
async def test_a_broken_connection_leaves_the_outcome_open(client: Client, kind: str, done: bool) -> None:
    await client.fault(kind, command="createDomain", count=1, seconds=0.05)
    with pytest.raises(aiohttp.ClientError):
        await client.call("createDomain", name="x")
    assert ("x" in await names(client)) is done
    assert (await client.call("createDomain", name="y"))[0] == 200, "it happened once"


@pytest.mark.parametrize(("kind", "status"), [("401", 401), ("429", 429), ("503", 503), ("html", 200)])
async def test_an_answer_in_place_of_the_engines(client: Client, kind: str, status: int) -> None:
    await client.fault(kind, command="create*", count=1)
    got, text = await client.call("createDomain", name="x")
    assert got == status
    assert text.startswith("<") is (kind in ("503", "html"))
    assert "x" not in await names(client)


async def test_a_slow_answer_is_still_the_answer(client: Client) -> None:
    await client.fault("slow", count=1, seconds=0.2)
    began = time.monotonic()
    assert "ROOT" in await names(client)
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize(
    ("kind", "shown", "count"),
    [
        ("truncated_page", ["ROOT", "a"], 4),
        ("duplicated_row", ["ROOT", "a", "b", "ROOT"], 4),
        ("shifted_page", ["a", "b", "c"], 4),
        ("wrong_count", ["ROOT", "a", "b", "c"], 5),
        ("page_without_list", None, 4),
        ("empty_page", None, None),
    ],
)
async def test_lists_that_lie(client: Client, kind: str, shown: list[str] | None, count: int | None) -> None:
    for name in "abc":
        client.cloud.domain(name)
    await client.fault(kind, command="listDomains", count=1)
    assert (await client.call("listNetworks"))[0] == 200, "an answer without rows does not use it up"
    inner = json.loads((await client.call("listDomains", listall="true"))[1])["listdomainsresponse"]
    assert inner.get("count") == count
    found = [row["name"] for row in inner["domain"]] if "domain" in inner else None
    assert found == shown
    assert await names(client) == ["ROOT", "a", "b", "c"]


async def test_a_body_that_ends_in_the_middle(client: Client) -> None:
    await client.fault("truncated_body", command="listDomains", count=1)
    _, text = await client.call("listDomains")
    with pytest.raises(ValueError, match=r"JSON|Expecting|Unterminated|delimiter"):
        json.loads(text)


async def test_a_lost_job_is_unknown_afterwards_but_runs(client: Client) -> None:
    user = client.cloud.account("u", client.cloud.domain("a"))
    await client.fault("lost_job", count=1)
    job = json.loads((await client.call("disableUser", id=user.id))[1])["disableuserresponse"]["jobid"]
    assert (await client.call("queryAsyncJobResult", jobid=job))[0] == 431
    client.cloud.wait(1)
    assert user.state == "disabled"


async def test_a_clean_up_that_fails_leaves_a_hollow_domain(client: Client) -> None:
    domain = client.cloud.domain("alpha")
    client.cloud.account("u", domain)
    await client.fault("cleanup_fails", domain="ROOT/alpha")
    job = client.cloud.call("deleteDomain", id=domain, cleanup="true")
    client.cloud.wait(120)
    answer = client.cloud.call("queryAsyncJobResult", jobid=job["jobid"])
    assert (answer["jobstatus"], answer["jobresultcode"]) == (2, 530)
    assert "alpha" in await names(client)
    assert client.cloud.call("listAccounts", domainid=domain) == {}


def test_probability_is_seeded() -> None:
    def struck() -> list[bool]:
        faults = Faults(Cloud().engine, seed=3)
        faults.add({"kind": "401", "probability": 0.5})
        return [faults.before("listZones") is not None for _ in range(40)]

    assert struck() == struck()
    assert 5 < sum(struck()) < 35


@pytest.mark.parametrize(
    "described", [{}, {"kind": "meteor"}, {"kind": "401", "colour": "red"}, {"kind": "cleanup_fails"}]
)
def test_a_fault_that_cannot_be_is_refused(described: dict[str, Any]) -> None:
    with pytest.raises(FaultError):
        Faults(Cloud().engine).add(described)


def test_faults_only_touch_answers_that_went_well() -> None:
    faults = Faults(Cloud().engine)
    faults.add({"kind": "wrong_count", "count": 1})
    refusal = Answer(431, {"listdomainsresponse": {"count": 1, "domain": [{}]}})
    assert faults.after("listDomains", refusal) is None


async def test_every_kind_of_fault_can_be_armed_and_cleared(client: Client) -> None:
    for kind in KINDS:
        await client.fault(kind, domain="ROOT/x", command="nothing", count=1)
    armed = (await client.control("GET", "faults"))[1]
    assert {one["kind"] for one in armed["faults"]} | set(armed["armed"]) == set(KINDS)
    await client.control("DELETE", "faults")
    assert (await client.control("GET", "faults"))[1] == {"faults": [], "armed": {}}


# --- control paths -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "log"),
        ("GET", "destroyed"),
        ("POST", "faults"),
        ("POST", "clock"),
        ("POST", "shutdown"),
    ],
)
async def test_control_needs_the_token(client: Client, method: str, path: str) -> None:
    status, body = await client.control(method, path, {}, token="wrong")
    assert status == 403
    assert TOKEN not in json.dumps(body)
    assert not client.sandbox.stopping.is_set()


async def test_the_log_names_the_client_also_of_requests_that_were_cut_off(client: Client) -> None:
    await client.call("listZones")
    await client.fault("reset_before", count=1)
    with pytest.raises(aiohttp.ClientError):
        await client.call("deleteDomain", id="x", cleanup="true")
    _, body = await client.control("GET", "log?limit=2")
    assert body["count"] == 2
    assert [(one["command"], one["user"], one["client"], one["status"]) for one in body["entries"]] == [
        ("listZones", "admin", "a-test/1", 200),
        ("deleteDomain", "admin", "a-test/1", 0),
    ]
    assert (body["entries"][1]["target"], body["entries"][1]["cleanup"]) == ("x", True)
    assert (await client.control("GET", "log?limit=0"))[1]["entries"] == []


async def test_what_was_destroyed_is_told(client: Client) -> None:
    domain = client.cloud.domain("alpha")
    client.cloud.account("u", domain)
    client.cloud.call("deleteDomain", id=domain, cleanup="true")
    client.cloud.wait(120)
    entries = (await client.control("GET", "destroyed"))[1]["entries"]
    assert {(one["kind"], one["name"], one["domain"]) for one in entries} >= {
        ("account", "u", "ROOT/alpha"),
        ("domain", "alpha", "ROOT/alpha"),
    }


async def test_the_clock_can_be_moved_and_what_is_due_happens(client: Client) -> None:
    user = client.cloud.account("u", client.cloud.domain("a"))
    await client.call("disableUser", id=user.id)
    assert user.state == "enabled"
    assert (await client.control("POST", "clock", {"advance": 5}))[1]["speed"] == 0
    assert user.state == "disabled"


@pytest.mark.parametrize("body", [{"kind": "meteor"}, {}])
async def test_a_control_request_that_makes_no_sense_says_why(client: Client, body: dict[str, str]) -> None:
    status, answer = await client.control("POST", "faults", body)
    assert status == 400
    assert "fault" in answer["error"]


async def test_shutdown_saves_the_state(tmp_path: Path) -> None:
    cloud = Cloud()
    sandbox = Sandbox(cloud.engine, TOKEN, tmp_path / "state.json")
    server = TestServer(sandbox.app())
    await server.start_server()
    cloud.domain("kept")
    await server.close()
    world = persistence.load(tmp_path / "state.json", cloud.clock)
    assert "kept" in {domain.name for domain in world.domains.values()}


# --- service times -----------------------------------------------------------------------------------------


async def test_calls_take_their_time_where_the_world_says_so(client: Client) -> None:
    """At a hundredfold speed 2 s of hashing are 20 ms; three at once, so six take twice as long as three."""
    world = client.cloud.world
    world.clock = WallClock(speed=100.0, start=world.clock.now())
    world.service_times.simulate = True
    domain = client.cloud.domain("a")

    async def create(number: int) -> None:
        person = {"firstname": "A", "lastname": "B", "email": "a@b", "password": "x", "accounttype": "0"}
        status, text = await client.call("createAccount", username=f"u{number}", domainid=domain, **person)
        assert status == 200, text

    async def taken(numbers: range) -> float:
        began = time.monotonic()
        await asyncio.gather(*(create(number) for number in numbers))
        return time.monotonic() - began

    assert await taken(range(3)) >= 0.02
    assert await taken(range(10, 16)) >= 0.04
