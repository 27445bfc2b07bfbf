"""A CloudStack that cannot be read, or shows too little: said what, where, and what next; nothing is done."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from sync.sandbox.process import SandboxProcess
from tests.cli import Access
from tests.cloudstack_cloud import Cloud
from tests.cloudstack_server import KEY, SECRET, Heard, Reply, Server, closed_port
from tests.scenarios.desk import (
    OK,
    UNKNOWN,
    Desk,
    MakeDesk,
)


def unreadable(desk: Desk, *words: str) -> None:
    """CloudStack cannot be read at all: every command says why, the other side is as readable as ever."""
    desk.assert_nothing_proposed(*words)
    (first,) = desk.lines("actual", UNKNOWN)
    assert first["coverage"]["state"] == "failed"
    for word in words:
        assert re.search(word, first["coverage"]["why"])
    assert len(desk.lines("desired", OK)) == 3


@pytest.mark.parametrize("wrong", ["key", "secret"])
def test_a_wrong_key(make_desk: MakeDesk, access: Access, wrong: str) -> None:
    desk = make_desk(dataclasses.replace(access, **{wrong: "not-the-right/one+AtAll=="}))
    unreadable(
        desk,
        re.escape(access.url),
        r"did not accept \w+ \(401\)",
        r"wrong key or secret in \S+/cloudstack\.ini \[lab\]",
    )


def test_a_wrong_path(make_desk: MakeDesk, access: Access) -> None:
    desk = make_desk(dataclasses.replace(access, url=access.url.replace("/client/api", "/clients")))
    unreadable(desk, "no CloudStack API at http://.*/clients", "usually ends in /client/api")


def test_a_name_that_does_not_resolve(make_desk: MakeDesk) -> None:
    desk = make_desk(Access("http://cloudstack.invalid/client/api", KEY, SECRET))
    unreadable(desk, "cloudstack.invalid", "cannot be resolved", "Check `endpoint`, the resolver")


def test_no_route(make_desk: MakeDesk, tmp_path: Path) -> None:
    """192.0.2.0/24 is for documentation: no route there, or one that swallows or refuses everything."""
    desk = make_desk(Access("http://192.0.2.1/client/api", KEY, SECRET))
    with (tmp_path / "cloudstack.ini").open("a") as file:
        file.write("timeout = 1\n")
    unreadable(desk, "192.0.2.1", "no way to|could not be reached within 1 s|refuses connections")


def test_a_server_that_refuses_connections(make_desk: MakeDesk) -> None:
    desk = make_desk(Access(f"http://127.0.0.1:{closed_port()}/client/api", KEY, SECRET))
    unreadable(desk, "refuses connections", r"down, or starting \(a minute\)")
    said = desk.run("check").out
    assert said.count("refuses connections") == 1, "the same sentence is not said line after line"
    assert "could not be read: as said above." in said


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(503, "<html>starting</html>"), (r"not ready \(HTTP 503\)", "Wait a minute")),
        (
            Reply(200, "<html><b>[/Log in]</b></html>"),
            ("a web page instead of CloudStack's JSON", "login page"),
        ),
        (Reply(404, "<html>no</html>"), ("no CloudStack API", "usually ends in /client/api")),
        (Reply(502, "<html>bad</html>"), ("gateway in front of", "management server behind it")),
        (Reply(200, "{"), ("answered listApis with “{”", "Check `endpoint`")),
        (Reply(200, {"listapisresponse": []}), ("answered listApis", "Check `endpoint`")),
        (Reply(None), ("closed the connection", "has gone")),
        (Reply(302, "", {"Location": "/login"}), ("sends listApis on to another address", "login page")),
    ],
    ids=["503", "a page", "404", "502", "half an answer", "another form", "hangs up", "redirects"],
)
def test_something_else_answers(make_desk: MakeDesk, reply: Reply, words: tuple[str, ...]) -> None:
    def answer(_: Heard) -> Reply:
        return reply

    with Server(answer) as server:
        unreadable(make_desk(Access(server.endpoint, KEY, SECRET)), *words)


def test_a_server_that_repeats_the_key_and_the_secret(make_desk: MakeDesk) -> None:
    """Whatever comes back, in whatever form: they do not show."""

    def answer(heard: Heard) -> Reply:
        return Reply(500, f"{KEY} {SECRET} {heard.params}")

    with Server(answer) as server:
        unreadable(make_desk(Access(server.endpoint, KEY, SECRET)), "HTTP 500", "any proxy on the way")


def test_an_expired_clock(make_desk: MakeDesk) -> None:
    """The sandbox's clock is an hour ahead: the signature has expired when it comes."""
    with SandboxProcess.start(world="empty", manual_clock=True) as sandbox:
        sandbox.control.advance(3600)
        ready = sandbox.ready
        unreadable(
            make_desk(Access(ready.url, ready.key, ready.secret)), "401", "expired", "this machine's clock"
        )


def test_a_clock_that_the_server_proves_wrong(make_desk: MakeDesk) -> None:
    """The server's own Date header says by how much."""
    body = {"listapisresponse": {"errorcode": 401, "errortext": "unable to verify user credentials"}}
    reply = Reply(401, body, {"Date": "Wed, 01 Jan 2020 00:00:00 GMT"})
    with Server(lambda _: reply) as server:
        desk = make_desk(Access(server.endpoint, KEY, SECRET))
        unreadable(desk, r"clock is \d+ hours ahead of the server's: set it first")


# --- CloudStack shows too little ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "words"),
    [
        ("Domain Admin", ("DomainAdmin", "ROOT/ci/dune|dune", "use a key of an account in ROOT")),
        ("User", ("unknown role type", "use a key of an account in ROOT", "may not call getUser")),
        ("Read-Only User - Default", ("may not call listDomains", "Allow the call in that role")),
    ],
)
def test_a_role_that_sees_too_little(
    cloud: Cloud, make_desk: MakeDesk, role: str, words: tuple[str, ...]
) -> None:
    """It sees a small world without any error: its rows are unknown, never missing."""
    role_id = next(one["id"] for one in cloud.hand.call("listRoles")["role"] if one["name"] == role)
    domain = cloud.hand.call("listDomains", listall="true", name="dune")["domain"][0]["id"]
    keys = cloud.caller(f"small-{role_id[:8]}", role_id, domainid=domain)
    desk = make_desk(Access(cloud.box.ready.url, keys.key.reveal(), keys.secret.reveal()))
    desk.assert_nothing_proposed("CloudStack: (partial|failed)", *words)
    first, *_ = desk.lines("actual", UNKNOWN)
    assert first["coverage"]["state"] in ("partial", "failed")


def test_a_role_in_root_that_may_not_call_everything(cloud: Cloud, make_desk: MakeDesk) -> None:
    role = cloud.role("half blind", "Admin", ("listAccounts", "deny"), ("*", "allow"))
    keys = cloud.caller("half-blind", role)
    desk = make_desk(Access(cloud.box.ready.url, keys.key.reveal(), keys.secret.reveal()))
    desk.assert_nothing_proposed("The role half blind may not call listAccounts: allow it there")


@pytest.mark.parametrize("kind", ["truncated_page", "duplicated_row", "wrong_count", "empty_page"])
def test_a_list_that_cannot_be_proven_complete(
    cloud: Cloud, make_desk: MakeDesk, access: Access, kind: str
) -> None:
    cloud.box.control.add_fault(kind, command="listDomains")
    make_desk(access).assert_nothing_proposed("CloudStack: (partial|failed)", "listDomains|domains|ROOT")


@pytest.mark.parametrize("kind", ["401", "503", "html", "reset_before", "truncated_body"])
def test_one_list_that_fails_makes_the_side_unknown(
    cloud: Cloud, make_desk: MakeDesk, access: Access, kind: str
) -> None:
    cloud.box.control.add_fault(kind, command="listAccounts")
    make_desk(access).assert_nothing_proposed("CloudStack: (partial|failed)", "listAccounts|is not ready")
