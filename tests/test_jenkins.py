"""Jenkins over real HTTP: the sandbox's, and servers that refuse, redirect, drip or lie."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sync.errors import ConfigurationError
from sync.jenkins import LARGEST, Jenkins
from sync.jenkins_settings import JenkinsSettings, read_settings
from sync.model import Agent, Project
from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from sync.toml_table import Table
from tests.databases import free_port

TOKEN = "11aa22bb33cc-token"
AURORA = Project("aurora", agents=(Agent("linux"),))
GOOD = {
    "computer": [
        {"_class": "hudson.model.Hudson$MasterComputer", "displayName": "Built-In Node", "offline": False},
        {"_class": "hudson.slaves.SlaveComputer", "displayName": "Linux", "offline": False},
        {
            "displayName": "mac",
            "offline": True,
            "temporarilyOffline": True,
            "offlineCauseReason": "\n moved \nx",
        },
    ]
}

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def serving(answer: Answer) -> Iterator[tuple[str, list[BaseHTTPRequestHandler]]]:
    """A server on a loopback port: its address pattern, and the requests it has had."""
    asked: list[BaseHTTPRequestHandler] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self)
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{{project}}/", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sending(status: int, body: str | bytes = "", **headers: str) -> Answer:
    data = body.encode() if isinstance(body, str) else body

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    return answer


def problem_of(settings: JenkinsSettings, project: Project = AURORA) -> str:
    with Jenkins(settings) as jenkins:
        return jenkins.read([project])[project.key].problem


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_nodes_are_read_with_the_token_in_a_header_and_nowhere_else(tmp_path: Path) -> None:
    with serving(sending(200, json.dumps(GOOD))) as (url, asked):
        settings = JenkinsSettings(url, user="abreast", token_file=private(tmp_path / "token", f"{TOKEN}\n"))
        with Jenkins(settings) as jenkins:
            found = jenkins.read([AURORA, Project("empty")])
        assert set(found) == {"aurora"}
        nodes = found["aurora"].nodes
        assert {name: (node.is_online, node.is_paused, node.reason) for name, node in nodes.items()} == {
            "linux": (True, False, ""),
            "mac": (False, True, "moved"),
        }
        (request,) = asked
        login = base64.b64encode(f"abreast:{TOKEN}".encode()).decode()
        assert request.headers["Authorization"] == f"Basic {login}"
        assert request.path.startswith("/aurora/computer/api/json?tree=computer")
        assert TOKEN not in request.path
        assert TOKEN not in repr(settings)


def test_each_project_has_its_own_token_and_the_others_none(tmp_path: Path) -> None:
    file = private(tmp_path / "tokens.toml", f'[Aurora]\nuser = "a"\ntoken = "{TOKEN}"\n')
    with serving(sending(200, json.dumps(GOOD))) as (url, asked):
        with Jenkins(JenkinsSettings(url, tokens_file=file, concurrency=1)) as jenkins:
            jenkins.read([AURORA, Project("écume/été", agents=(Agent("x"),))])
        assert [one.headers["Authorization"] is not None for one in asked] == [True, False]
        assert asked[1].path.startswith("/%C3%A9cume%2F%C3%A9t%C3%A9/computer/")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (sending(401), "refuses to say (HTTP 401). Configure a user and a token for it."),
        (sending(403), "refuses to say (HTTP 403)"),
        (
            sending(302, Location="https://sso.example.org/login?from=x"),
            "sends on to sso.example.org (HTTP 302)",
        ),
        (sending(404), "has no Jenkins (HTTP 404)"),
        (sending(503, "<html>"), "answered HTTP 503"),
        (sending(200, "<html>Sign in"), "is not Jenkins' list of nodes"),
        (
            sending(200, '{"computer": [{"displayName": 7, "offline": true}]}'),
            "is not Jenkins' list of nodes",
        ),
        (sending(200, '{"computer": [{"displayName": "x"}]}'), "is not Jenkins' list of nodes"),
        (sending(200, "[]"), "is not Jenkins' list of nodes"),
        (sending(200, b" " * (LARGEST + 1)), "did not answer within"),
    ],
)
def test_what_is_no_list_of_nodes_leaves_the_agents_unread(answer: Answer, said: str) -> None:
    with serving(answer) as (url, _):
        problem = problem_of(JenkinsSettings(url))
    assert said in problem
    assert problem.startswith("http://127.0.0.1:")


def test_a_login_is_not_taken_along_to_where_a_redirect_leads(tmp_path: Path) -> None:
    with serving(sending(200, json.dumps(GOOD))) as (elsewhere, asked):
        target = elsewhere.replace("{project}/", "steal")
        with serving(sending(302, Location=target)) as (url, _):
            token = private(tmp_path / "token", TOKEN)
            problem = problem_of(JenkinsSettings(url, user="abreast", token_file=token))
    assert "sends on to 127.0.0.1" in problem
    assert TOKEN not in problem
    assert asked == []


def test_one_that_drips_and_one_that_is_down_cost_the_others_nothing() -> None:
    released = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> None:
        if "/slow/" not in request.path:
            sending(200, json.dumps(GOOD))(request)
            return
        request.send_response(200)
        request.end_headers()
        while not released.wait(0.05):
            try:
                request.wfile.write(b" ")
            except OSError:
                return

    slow = Project("slow", agents=(Agent("x"),))
    counts: list[int] = []
    with serving(drip) as (url, _):
        try:
            with Jenkins(JenkinsSettings(url, timeout_seconds=1.0)) as jenkins:
                found = jenkins.read([AURORA, slow], progress=counts.append)
        finally:
            released.set()
    assert found["aurora"].problem == ""
    assert "did not answer within 1 s" in found["slow"].problem
    assert counts == [1, 2]
    down = problem_of(JenkinsSettings(f"http://127.0.0.1:{free_port()}/{{project}}"))
    assert "cannot be reached" in down


def test_a_token_file_that_others_can_read_leaves_all_agents_unread(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o644)
    problem = problem_of(JenkinsSettings("http://127.0.0.1:1/{project}", user="a", token_file=file))
    assert "chmod 600" in problem
    assert TOKEN not in problem


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"url": "ci.example.org"}, "is no address of a Jenkins"),
        ({"url": "https://a:b@ci.example.org/"}, "has a login in it"),
        ({"url": "http://ci.example.org/", "tokens_file": "t"}, "would send the token in clear"),
        ({"url": "https://ci.example.org/", "token_file": "t"}, "belong together"),
        ({"url": "https://ci.example.org/", "token_file": "t", "tokens_file": "u"}, "are both given"),
        ({"url": "https://ci.example.org/", "tokenfile": "t"}, "Did you mean `token_file`?"),
        ({"user": "x"}, "is missing or empty"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_key(values: dict[str, str], said: str) -> None:
    table = Table(Path("abreast.toml"), "environments.production.jenkins", values)
    with pytest.raises(ConfigurationError) as caught:
        read_settings(table)
    assert said in str(caught.value)
    assert "environments.production.jenkins" in str(caught.value)
    assert read_settings(Table(Path("abreast.toml"), "x", {})) is None


def test_the_sandbox_answers_for_jenkins_by_what_runs_where_it_was(tmp_path: Path) -> None:
    write_database(blueprint_for("drill"), tmp_path / "ci.sqlite")
    from sync.ci_db import CiDatabase
    from sync.model import Scope
    from sync.secret import Secret
    from sync.settings import CiDatabaseSettings

    database = CiDatabase(CiDatabaseSettings(Secret(f"sqlite:///{tmp_path / 'ci.sqlite'}")))
    projects = list(database.read(Scope()).projects.values())
    state = tmp_path / "state.json"
    with SandboxProcess.start(world="drill", state=state) as sandbox:
        settings = JenkinsSettings(f"http://127.0.0.1:{sandbox.ready.port}/jenkins/{{project}}")
        with Jenkins(settings, clock=lambda: datetime(2026, 7, 28, tzinfo=UTC)) as jenkins:
            before = jenkins.read(projects)
    assert not [one.problem for one in before.values() if one.problem]
    known = {(project.key, agent.name.casefold()) for project in projects for agent in project.agents}
    assert {(key, name) for key, one in before.items() for name in one.nodes} == known
    assert any(node.is_online for one in before.values() for node in one.nodes.values())
    with SandboxProcess.start(state=state) as again:
        settings = JenkinsSettings(f"http://127.0.0.1:{again.ready.port}/jenkins/{{project}}")
        with Jenkins(settings) as jenkins:
            after = jenkins.read(projects)
            nowhere = jenkins.read([Project("nowhere", agents=(Agent("x"),))])
    assert {key: one.nodes for key, one in after.items()} == {key: one.nodes for key, one in before.items()}
    assert "has no Jenkins" in nowhere["nowhere"].problem
