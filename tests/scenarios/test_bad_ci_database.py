"""A CI database that cannot be read, or has what CloudStack would refuse: named, and nothing half-done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.sandbox.process import SandboxProcess
from tests import reference_schema
from tests.cli import Access
from tests.cloudstack_server import closed_port
from tests.scenarios.desk import (
    CONFIGURATION,
    CRITICAL,
    DATABASE_PASSWORD,
    DRIFT,
    DUNE,
    OK,
    PERSON,
    UNKNOWN,
    MakeDesk,
)

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
    "gpj.\u202eexe": "contains a character that turns the reading direction (U+202E)",
    "dune\u200b": "contains a character that cannot be seen (U+200B)",
    "Twin": "2 projects of this name",
    "tWIN": "2 projects of this name",
}
FINE = [
    "[b]bold[@click=app.quit] \\[red",
    "<script>alert(1)<br> &amp;",
    "écluse Ångström",
    "日本語 ラボ",
    "🚀 lab",
    "👩\u200d💻 lab",
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
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e\u200b]", ran.said), (
        "a control character reaches the terminal"
    )
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
