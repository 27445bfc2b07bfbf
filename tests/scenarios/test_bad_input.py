"""Bad input through the real commands: said what, where, and what next; nothing proposed, nothing half-done.

Every run here is looked through for tracebacks and for secrets, whatever else it is about.
"""

from __future__ import annotations

import dataclasses
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.__main__ import main
from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from tests import reference_schema
from tests.cli import Access, Configured, configure
from tests.cloudstack_cloud import Cloud, cloud_of
from tests.cloudstack_server import KEY, SECRET, Heard, Reply, Server, closed_port

DATABASE_PASSWORD = "p4ss+of the/Database=="
OK, DRIFT, CRITICAL, UNKNOWN, USAGE, CONFIGURATION = 0, 1, 2, 3, 64, 78
PERSON = {"email": "a@example.org", "firstname": "A", "lastname": "B"}
DUNE: reference_schema.Rows = {
    "projects": [{"name": "dune"}, {"name": "aurora"}],
    "members": [{"project": "dune", "username": "jm", **PERSON}],
}


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    error: str

    @property
    def said(self) -> str:
        return self.out + self.error


class Desk:
    """Where the commands are run: a configuration, and what must never show."""

    def __init__(self, configured: Configured, secrets: tuple[str, ...], capture: Any, patch: Any) -> None:
        self.configured = configured
        self._secrets = (*secrets, DATABASE_PASSWORD)
        self._capture = capture
        self._patch = patch
        self._patch.setenv("XDG_DATA_HOME", str(configured.folder / "data"))

    def run(self, *arguments: str, typed: str = "") -> Ran:
        self._patch.setattr(sys, "stdin", io.StringIO(typed))
        self._capture.readouterr()
        code = main(["--config", str(self.configured.config), *arguments])
        out, error = self._capture.readouterr()
        assert "Traceback" not in out + error, out + error
        for secret in self._secrets:
            assert secret not in out + error, f"a secret shows in {arguments}"
        return Ran(code, out, error)

    def plan(self, code: int) -> list[dict[str, Any]]:
        """The actions that `abreast plan` proposes: none where it writes no file."""
        file = self.configured.folder / "plan.json"
        ran = self.run("plan", "-o", str(file))
        assert ran.code == code, ran.said
        if not file.exists():
            return []
        actions: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["actions"]
        file.unlink()
        return actions

    def check(self, code: int) -> dict[str, Any]:
        ran = self.run("check", "--format", "json")
        assert ran.code == code, ran.said
        found: dict[str, Any] = json.loads(ran.out)
        assert found["exit_code"] == code
        return found

    def lines(self, side: str, code: int) -> list[dict[str, Any]]:
        ran = self.run("inventory", side)
        assert ran.code == code, ran.said
        return [json.loads(line) for line in ran.out.splitlines()]

    def assert_nothing_proposed(self, *words: str) -> None:
        """A side is not known, and says so in these words: unknown everywhere, and no action is made."""
        text = self.run("check")
        assert text.code == UNKNOWN, text.said
        assert text.out.startswith("UNKNOWN lab: "), text.out
        for word in words:
            assert re.search(word, text.out), f"{word!r} is not in {text.out!r}"
        counts = self.check(UNKNOWN)["counts"]
        assert {kind for kind, count in counts.items() if count} == {"unknown"}
        assert self.plan(UNKNOWN) == []
        rebuild = self.run("rebuild", typed="lab\n")
        assert rebuild.code == UNKNOWN, rebuild.said
        assert "Type lab to run" not in rebuild.error


MakeDesk = Callable[..., Desk]


@pytest.fixture
def make_desk(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> MakeDesk:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    def make(
        access: Access, rows: reference_schema.Rows = DUNE, *, database: str = "", more: str = ""
    ) -> Desk:
        url = database or reference_schema.create_sqlite(tmp_path / "ci.sqlite", rows)
        configured = configure(tmp_path, access, url, more=more)
        return Desk(configured, (access.key, access.secret), capsys, monkeypatch)

    return make


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with cloud_of("4.23") as one:
        yield one


@pytest.fixture
def access(cloud: Cloud) -> Iterator[Access]:
    """Where the drill's world is, before the incident."""
    yield Access(cloud.box.ready.url, cloud.box.ready.key, cloud.box.ready.secret)
    cloud.box.control.clear_faults()


# --- CloudStack cannot be read ------------------------------------------------------------------------------


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


# --- the CI database cannot be read -------------------------------------------------------------------------


def test_a_mapping_with_a_missing_column(make_desk: MakeDesk, access: Access) -> None:
    """What is wrong is ours to mend, and said so before anything is compared: exit code 78."""
    mapping = (
        "[environments.lab.ci_database.mapping]\n"
        'projects = "SELECT name FROM projects"\n'
        'members = "SELECT project, username AS user_name, email, firstname, lastname FROM members"\n'
    )
    desk = make_desk(access, more=mapping)
    for command in (("check",), ("inventory", "desired"), ("plan",), ("rebuild",)):
        ran = desk.run(*command, typed="lab\n")
        assert ran.code == CONFIGURATION
        assert ran.out == ""
        assert "query `members` gives no column `username`" in ran.error
        assert "Write `user_name AS username`? Its columns are: project, user_name" in ran.error
    assert desk.lines("actual", OK)[0]["coverage"]["state"] == "complete"


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ('projects = "SELECT slug AS name FROM project"', ("projects", "no such table: project")),
        ('projects = "DELETE FROM projects"', ("query `projects` is not a SELECT",)),
        ('project = "SELECT 1"', ("Did you mean `projects`",)),
        ('members = "SELECT 1"', ("has no query `projects`",)),
        ('projects = "SELECT name, name FROM projects"', ("two columns named `name`",)),
    ],
)
def test_a_mapping_that_cannot_be(
    make_desk: MakeDesk, access: Access, mapping: str, words: tuple[str, ...]
) -> None:
    desk = make_desk(access, more=f"[environments.lab.ci_database.mapping]\n{mapping}\n")
    ran = desk.run("check")
    assert ran.code == CONFIGURATION, ran.said
    for word in words:
        assert word in ran.error
    assert desk.plan(CONFIGURATION) == []


@pytest.mark.parametrize(
    ("database", "words"),
    [
        ("sqlite:////nowhere/ci.sqlite", ("CI database: failed", "/nowhere/ci.sqlite")),
        (
            "postgresql://abreast:{password}@127.0.0.1:{port}/ci",
            ("CI database: failed", r"postgresql.*127\.0\.0\.1:\d+/ci"),
        ),
        ("mysql://abreast:{password}@127.0.0.1:{port}/ci", ("CI database: failed", r"127\.0\.0\.1:\d+/ci")),
    ],
    ids=["no file", "PostgreSQL refuses", "MariaDB refuses"],
)
def test_a_ci_database_that_cannot_be_reached(
    make_desk: MakeDesk, access: Access, database: str, words: tuple[str, ...]
) -> None:
    from urllib.parse import quote

    desk = make_desk(
        access, database=database.format(password=quote(DATABASE_PASSWORD, safe=""), port=closed_port())
    )
    desk.assert_nothing_proposed(*words)
    (first,) = desk.lines("desired", UNKNOWN)
    assert first["coverage"]["state"] == "failed"


def test_a_ci_database_that_is_none(make_desk: MakeDesk, access: Access, tmp_path: Path) -> None:
    (tmp_path / "none.sqlite").write_text("not a database, but long enough to be looked at" * 100)
    desk = make_desk(access, database=f"sqlite:///{tmp_path / 'none.sqlite'}")
    desk.assert_nothing_proposed(
        "CI database: failed", "none.sqlite", "The file is damaged or no SQLite database"
    )


def test_rows_without_a_name_make_the_side_partial(make_desk: MakeDesk, access: Access) -> None:
    """Such a row may be any project: nothing can be called unexpected, and nothing is proposed."""
    rows = DUNE | {"projects": [*DUNE["projects"], {"name": None}]}
    desk = make_desk(access, rows)
    desk.assert_nothing_proposed(
        "CI database: partial", "1 row has no name in the query `projects`", "WHERE name IS NOT NULL"
    )


# --- names --------------------------------------------------------------------------------------------------

LONG = "ab" * 150
REFUSED = {
    "one/two": "contains `/`, which separates domains",
    LONG: "300 characters, CloudStack takes 255",
    "[/x] [b]bold[/b]": "contains `/`, which separates domains",
    "bell\x07": "contains a control character",
    "esc\x1b[31mred": "contains a control character",
    "Twin": "2 projects of this name",
    "tWIN": "2 projects of this name",
}
FINE = [
    "[b]bold[@click=app.quit] \\[red",
    "<script>alert(1)<br> &amp;",
    "écluse Ångström",
    "日本語 ラボ",
    "🚀 lab",
    'o\'brien "x" %s {y} $(z)',
]


def members_of(names: list[str]) -> list[dict[str, Any]]:
    return [{"project": name, "username": f"u{place}", **PERSON} for place, name in enumerate(names)]


@pytest.fixture(scope="module")
def empty() -> Iterator[SandboxProcess]:
    with SandboxProcess.start(world="empty", speed=50, service_times=False) as sandbox:
        yield sandbox


def test_names_that_cloudstack_would_refuse(make_desk: MakeDesk, empty: SandboxProcess) -> None:
    """Each bad row says what is wrong with it and is left alone; the good one beside them is planned."""
    ready = empty.ready
    names = [*REFUSED, "good-one"]
    rows = {"projects": [{"name": name} for name in names], "members": members_of(names)}
    desk = make_desk(Access(ready.url, ready.key, ready.secret), rows)
    ran = desk.run("check")
    assert ran.code == CRITICAL
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", ran.said), "a control character reaches the terminal"
    for why in REFUSED.values():
        assert why in ran.out
    found = desk.check(CRITICAL)
    assert (found["counts"]["unknown"], found["counts"]["missing"]) == (len(REFUSED), 1)
    assert {action["project"] for action in desk.plan(OK)} == {"", "good-one"}  # and the parent
    problems = {line["name"]: line["problem"] for line in desk.lines("desired", OK)[1:]}
    for name, why in REFUSED.items():
        assert why in problems[name]


@pytest.mark.parametrize("value", ["; drop table", "a..b"])
def test_network_domains_that_cloudstack_would_refuse(
    make_desk: MakeDesk, empty: SandboxProcess, value: str
) -> None:
    """Found at reading, not by the call: nothing is planned for it."""
    ready = empty.ready
    rows = {"projects": [{"name": "bad", "network_domain": value}], "members": members_of(["bad"])}
    desk = make_desk(Access(ready.url, ready.key, ready.secret), rows)
    ran = desk.run("check")
    assert ran.code == UNKNOWN
    assert f"`network_domain` is “{value}”" in ran.out
    assert desk.plan(OK) == []


def test_two_projects_of_one_name(make_desk: MakeDesk, empty: SandboxProcess) -> None:
    ready = empty.ready
    rows = {"projects": [{"name": "same"}, {"name": "same"}], "members": members_of(["same"])}
    desk = make_desk(Access(ready.url, ready.key, ready.secret), rows)
    ran = desk.run("check")
    assert ran.code == UNKNOWN
    assert "the CI database has 2 projects of this name (“same”)" in ran.out
    assert desk.plan(OK) == []


def test_fields_that_cloudstack_would_refuse(make_desk: MakeDesk, empty: SandboxProcess) -> None:
    """NULLs and texts of 300 characters: named with the member, who is left out; the others are planned."""
    ready = empty.ready
    rows: reference_schema.Rows = {
        "projects": [{"name": "mixed"}, {"name": "nobody"}, {"name": "undecided", "enabled": None}],
        "members": [
            {"project": "mixed", "username": "fine", **PERSON},
            {"project": "mixed", "username": "no-mail", **PERSON, "email": None},
            {"project": "mixed", "username": LONG, **PERSON},
            {"project": "mixed", "username": None, **PERSON},
            {"project": "nobody", "username": "only", **PERSON, "lastname": None},
            {"project": None, "username": "lost", **PERSON},
            {"project": "elsewhere", "username": "lost", **PERSON},
        ],
        "agents": [{"project": "mixed", "name": None, "vm": None}],
        "quotas": [
            {"project": "mixed", "resource": "vm", "maximum": None},
            {"project": "nobody", "resource": None, "maximum": 3},
        ],
    }
    desk = make_desk(Access(ready.url, ready.key, ready.secret), rows)
    ran = desk.run("check")
    assert ran.code == CRITICAL
    for words in (
        "“no-mail” has no `email`, which CloudStack requires",
        "has a `username` of 300 characters, CloudStack takes 255",
        "no member can come with the account: “only” has no `lastname`",
        "`enabled` is neither true nor false",
        "2 rows of `members` left out: of projects that `projects` does not have",
    ):
        assert words in ran.out, words
    planned = desk.plan(OK)
    assert {action["project"] for action in planned} == {"", "mixed"}  # and the parent
    assert {action["parameters"].get("username") for action in planned} <= {"fine", None}


def test_names_that_only_look_bad_are_rebuilt(make_desk: MakeDesk) -> None:
    """Markup, quotes, accents, other scripts, emoji: made as they are, shown as they are, then in sync."""
    with SandboxProcess.start(world="empty", speed=50, service_times=False) as sandbox:
        ready = sandbox.ready
        names = [*FINE, "x" * 255]
        rows = {"projects": [{"name": name} for name in names], "members": members_of(names)}
        desk = make_desk(Access(ready.url, ready.key, ready.secret), rows)
        before = desk.run("check")
        assert before.code == CRITICAL
        for name in names:
            assert name in before.out
        rebuilt = desk.run("rebuild", "--format", "json", typed="lab\n")
        assert rebuilt.code == OK, rebuilt.said
        assert desk.check(OK)["counts"]["in sync"] == len(names)
        found = {line["path"] for line in desk.lines("actual", OK) if line["kind"] == "domain"}
        assert {f"ROOT/ci/{name}" for name in names} <= found
        assert desk.run("ledger", "show").code == OK


def test_what_cloudstack_goes_on_refusing_is_named_as_what_to_mend(make_desk: MakeDesk) -> None:
    """Running it again is no advice where the same call is refused again."""
    with SandboxProcess.start(world="empty", speed=50, service_times=False) as sandbox:
        ready = sandbox.ready
        rows = {"projects": [{"name": "one"}], "members": members_of(["one"])}
        desk = make_desk(Access(ready.url, ready.key, ready.secret), rows)
        sandbox.control.add_fault("401", command="createDomain", count=100)
        ran = desk.run("rebuild", typed="lab\n")
        assert ran.code == DRIFT, ran.said
        assert (
            "1 can still be repaired. Mend what failed, then run it again:\n  create-domain ROOT/ci: "
            in ran.out
        )


def test_a_name_that_cloudstack_refuses_although_it_looks_good(make_desk: MakeDesk) -> None:
    """What only the server knows: its refusal is reported with the object, and another start ends it."""
    with SandboxProcess.start(world="empty", speed=50, service_times=False) as sandbox:
        ready = sandbox.ready
        rows = {"projects": [{"name": "one"}, {"name": "two"}], "members": members_of(["one", "two"])}
        desk = make_desk(Access(ready.url, ready.key, ready.secret), rows)
        sandbox.control.add_fault("401", command="createDomain", count=1)
        ran = desk.run("rebuild", typed="lab\n")
        assert ran.code in (OK, DRIFT), ran.said
        again = desk.run("rebuild", typed="lab\n")
        assert again.code == OK, again.said
        assert desk.check(OK)["counts"]["in sync"] == 2


# --- our own command line -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("chek",),
        ("inventory",),
        ("inventory", "both"),
        ("check", "--format", "xml"),
        ("apply",),
        ("--nonsense",),
    ],
)
def test_wrong_usage(make_desk: MakeDesk, arguments: tuple[str, ...]) -> None:
    ran = make_desk(Access("http://127.0.0.1:9/client/api", KEY, SECRET)).run(*arguments)
    assert ran.code == USAGE
    assert ran.out == ""
    assert "usage: abreast" in ran.error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sandbox", "--speed", "0"), "cannot run at the speed 0"),
        (("sandbox", "--speed", "-1"), "cannot run at the speed -1"),
        (("sandbox", "--speed", "nan"), "cannot run at the speed nan"),
        (("sandbox", "--port", "99999"), "99999 is no port"),
        (("capture", "/nonexistent/capture"), "there is no folder /nonexistent"),
        (("drill", "--from", "/nonexistent"), "There is no capture /nonexistent"),
        (("ledger", "show", "--run", "nope"), "The ledger of lab has no run nope"),
    ],
)
def test_what_is_not_there_or_cannot_be_is_wrong_usage(
    make_desk: MakeDesk, arguments: tuple[str, ...], words: str
) -> None:
    ran = make_desk(Access("http://127.0.0.1:9/client/api", KEY, SECRET)).run(*arguments)
    assert (ran.code, ran.out) == (USAGE, "")
    assert words in ran.error


def test_keys_that_cannot_be_are_named_by_the_check(make_desk: MakeDesk) -> None:
    """Only the console uses them: the verdict is still that of the two sides."""
    access = Access("http://127.0.0.1:9/client/api", KEY, SECRET)
    desk = make_desk(access, more='[environments.lab.keys]\nstage = "nokey+"\n')
    ran = desk.run("check")
    assert ran.code == UNKNOWN
    assert "The console will not open: keys: 'nokey+' of 'stage' is no key." in ran.out


@pytest.mark.parametrize(
    "command", [("check",), ("plan",), ("inventory", "desired"), ("rebuild",), ("watch", "--headless")]
)
def test_an_environment_that_is_not_there(make_desk: MakeDesk, command: tuple[str, ...]) -> None:
    desk = make_desk(Access("http://127.0.0.1:9/client/api", KEY, SECRET))
    ran = desk.run("--environment", "lap", *command)
    assert (ran.code, ran.out) == (USAGE, "")
    assert "abreast.toml has no environment lap. Did you mean `lab`?" in ran.error


def test_a_project_that_is_not_there(make_desk: MakeDesk, access: Access, tmp_path: Path) -> None:
    write_database(blueprint_for("drill"), tmp_path / "lab.sqlite")
    desk = make_desk(access, database=f"sqlite:///{tmp_path / 'lab.sqlite'}")
    for command in ("plan", "rebuild"):
        ran = desk.run(command, "dunes", typed="lab\n")
        assert (ran.code, ran.out) == (USAGE, ""), ran.error
        assert "There is no project or domain named dunes. Did you mean dune?" in ran.error


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda folder: (folder / "abreast.toml").unlink(),
            ("There is no configuration at", "abreast drill"),
        ),
        (
            lambda folder: (folder / "abreast.toml").write_text("[environments"),
            ("abreast.toml", "not valid TOML"),
        ),
        (
            lambda folder: (folder / "abreast.toml").write_text("[environmens.lab]\n"),
            ("environmens", "environments"),
        ),
        (lambda folder: (folder / "cloudstack.ini").unlink(), ("cloudstack.ini",)),
        (lambda folder: (folder / "cloudstack.ini").chmod(0o644), ("cloudstack.ini", "chmod 600")),
        (lambda folder: (folder / "cloudstack.ini").write_text("[lap]\n"), ("no section [lab]", "lap")),
        (
            lambda folder: (folder / "cloudstack.ini").write_text("[lab]\nkey = k\n"),
            ("`endpoint` is missing",),
        ),
    ],
    ids=["no file", "no TOML", "unknown key", "no credentials", "open to all", "no section", "no endpoint"],
)
def test_a_configuration_that_is_wrong(
    make_desk: MakeDesk, tmp_path: Path, change: Callable[[Path], object], words: tuple[str, ...]
) -> None:
    desk = make_desk(Access("http://127.0.0.1:9/client/api", KEY, SECRET))
    change(tmp_path)
    for command in (("check",), ("inventory", "actual"), ("plan",), ("rebuild",), ("ledger", "show")):
        ran = desk.run(*command)
        assert (ran.code, ran.out) == (CONFIGURATION, ""), ran.said
        for word in words:
            assert word in ran.error
