"""What is wrong in a row stays with the smallest thing it is about, and is said in words."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from sync.errors import MappingError
from sync.mapping import columns_of
from sync.model import UNLIMITED, Agent, Project
from sync.rows import Assembled, QueryRows, assemble, truth_of, whole_number_of

PERSON = ("project", "username", "email", "firstname", "lastname")


def table(query: str, columns: Sequence[str], *rows: Sequence[Any]) -> QueryRows:
    return QueryRows(query, columns_of(query, columns), rows)


def people(*rows: Sequence[Any]) -> QueryRows:
    return table("members", (*PERSON, "role", "enabled"), *rows)


def assembled(*tables: QueryRows) -> Assembled:
    return assemble({given.query: given for given in tables})


def one(*tables: QueryRows, name: str = "dune") -> Project:
    (project,) = assembled(table("projects", ["name"], [name]), *tables).projects.values()
    return project


def member(username: Any = "jo", email: Any = "jo@example.org", **changes: Any) -> tuple[Any, ...]:
    values = {"project": "dune", "username": username, "email": email, "firstname": "Jo", "lastname": "M"}
    return tuple({**values, "role": "", "enabled": 1, **changes}.values())


# --- names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("dune", ""),
        ("x" * 255, ""),
        ("é" * 255, ""),
        ("Zürich 🚀", ""),
        ("[red]b[bold", ""),
        ("Robert'); DROP TABLE projects;--", ""),
        ("x" * 300, "the name has 300 characters, CloudStack takes 255"),
        ("a/b", "the name contains `/`, which separates domains"),
        ("a\nb", "the name contains a control character"),
        ("a\x00b", "the name contains a control character"),
        ("a\u202eb", "the name contains a character that turns the reading direction (U+202E)"),
        ("a\u2066b", "the name contains a character that turns the reading direction (U+2066)"),
        ("a\u200fb", "the name contains a character that turns the reading direction (U+200F)"),
        ("👩\u200d💻", ""),
        ("👩🏽\u200d❤\ufe0f\u200d👩", ""),
        ("❤\ufe0f lab 1\ufe0f\u20e3", ""),
        ("می\u200cخواهم", ""),
        ("क्\u200dष क्\u200cष", ""),
        ("du\u200bne", "the name contains a character that cannot be seen (U+200B)"),
        ("dune\u200c", "the name contains a character that cannot be seen (U+200C)"),
        ("du\u200cne", "the name contains a character that cannot be seen (U+200C)"),
        ("du\u200dne", "the name contains a character that cannot be seen (U+200D)"),
        ("👩\u200ddune", "the name contains a character that cannot be seen (U+200D)"),
        ("\u2060dune", "the name contains a character that cannot be seen (U+2060)"),
        ("\ufeffdune", "the name contains a character that cannot be seen (U+FEFF)"),
        ("du\u00adne", "the name contains a character that cannot be seen (U+00AD)"),
        ("dune\ufe0f", "the name contains a character that cannot be seen (U+FE0F)"),
        ("dune\u3164", "the name contains a character that cannot be seen (U+3164)"),
        ("dune\U000e0041", "the name contains a character that cannot be seen (U+E0041)"),
    ],
)
def test_names_that_cloudstack_would_refuse_are_a_problem(name: str, problem: str) -> None:
    assert one(name=name).problem == problem
    assert one(name=name).name == name


def with_network_domain(value: Any) -> Project:
    rows = table("projects", ["name", "network_domain"], ["dune", value])
    (project,) = assembled(rows).projects.values()
    return project


FITTING = ".".join(["a" * 63, "b" * 63, "c" * 62])
"""190 characters."""


@pytest.mark.parametrize(
    "value", [None, "", " ", "ci", "dune.example.org", "9.X-1.Org", "a" * 63, FITTING, " dune.example.org "]
)
def test_network_domains_that_cloudstack_takes(value: str | None) -> None:
    assert with_network_domain(value).problem == ""


@pytest.mark.parametrize(
    "value",
    [
        "; drop table",
        "a..b",
        ".a",
        "a.",
        ".",
        "-a.org",
        "a-.org",
        "a_b",
        "é.org",
        "a" * 64,
        "a/b",
        "a\nb",
        "a b",
    ],
)
def test_network_domains_that_cloudstack_would_refuse_are_a_problem(value: str) -> None:
    project = with_network_domain(value)
    assert project.problem.startswith("`network_domain` is “")
    assert "CloudStack takes labels with dots between" in project.problem
    assert "\n" not in project.problem
    assert project.network_domain == value


def test_a_network_domain_that_is_too_long_says_how_much() -> None:
    assert with_network_domain(f"{FITTING}d").problem.endswith("of 191 characters, CloudStack takes 190")


@pytest.mark.parametrize("empty", [None, "", "   "])
def test_a_project_without_a_name_makes_the_list_incomplete(empty: str | None) -> None:
    result = assembled(table("projects", ["name"], [empty], ["dune"]))
    assert list(result.projects) == ["dune"]
    assert result.unkeyed.startswith("1 row has no name in the query `projects`")
    assert "WHERE name IS NOT NULL" in result.unkeyed


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (("dune", "DUNE", "Dune"), ["dune", "dune (2)", "dune (3)"]),
        (("Straße", "STRASSE"), ["strasse", "strasse (2)"]),
        (("dune", "Dune", "dune (2)"), ["dune", "dune (2)", "dune (3)"]),
    ],
)
def test_projects_of_one_name_are_all_flagged(names: tuple[str, ...], keys: list[str]) -> None:
    result = assembled(table("projects", ["name"], *([name] for name in (*names, "other"))))
    assert sorted(result.projects) == sorted([*keys, "other"])
    assert result.projects["other"].problem == ""
    assert result.unkeyed == ""
    clashing = [project for project in result.projects.values() if project.problem]
    assert len(clashing) == len([name for name in names if name != "dune (2)"])
    for project in clashing:
        assert f"{len(clashing)} projects of this name (“" in project.problem


def test_two_projects_of_the_very_same_name_are_one_row_that_says_so() -> None:
    result = assembled(table("projects", ["name"], ["dune"], ["dune"]), people(member()))
    (project,) = result.projects.values()
    assert project.problem == "the CI database has 2 projects of this name (“dune”)"
    assert [person.username for person in project.members] == ["jo"]


def test_projects_that_differ_in_case_alone_say_why_they_clash() -> None:
    result = assembled(table("projects", ["name"], ["dune"], ["Dune"], ["dune"]))
    assert [project.name for project in result.projects.values()] == ["Dune", "dune"]
    for project in result.projects.values():
        assert project.problem.endswith("and CloudStack does not tell upper from lower case")


def test_padding_is_no_part_of_a_name() -> None:
    result = assembled(
        table("projects", ["name", "network_domain", "domain_id"], ["dune  ", "", None]),
        table("agents", ["project", "name", "vm", "address"], ["dune ", "a1 ", "", None]),
    )
    assert dict(result.projects) == {"dune": Project("dune", agents=(Agent("a1"),))}


# --- members ------------------------------------------------------------------------------------------------


def test_the_owner_comes_first_then_the_names() -> None:
    project = one(people(member("zoe", role="Owner"), member("ann"), member("bob", role="developer")))
    assert [person.username for person in project.members] == ["zoe", "ann", "bob"]


@pytest.mark.parametrize("field", ["email", "firstname", "lastname"])
@pytest.mark.parametrize("empty", [None, "", " "])
def test_an_incomplete_member_is_kept_apart_and_blocks_nobody(field: str, empty: str | None) -> None:
    result = assembled(
        table("projects", ["name"], ["dune"]),
        people(member("ann"), member("bob", role="owner", **{field: empty})),
    )
    project = result.projects["dune"]
    assert project.problem == ""
    assert [person.username for person in project.members] == ["ann"]
    (left,) = project.unusable
    assert left.username == "bob"
    assert left.problem == f"“bob” has no `{field}`, which CloudStack requires"
    assert result.notes == (f"1 member left alone: {left.problem}",)


def test_a_member_without_a_username_is_named_by_the_address() -> None:
    project = one(people(member(None), member("ann")))
    assert [person.username for person in project.members] == ["ann"]
    assert project.unusable[0].problem == (
        "a member without a username (“jo@example.org”) has no `username`, which CloudStack requires"
    )


def test_a_project_whose_only_member_is_incomplete_has_the_problem_itself() -> None:
    project = one(people(member("bob", email=None)))
    assert project.members == ()
    assert project.problem == (
        "no member can come with the account: “bob” has no `email`, which CloudStack requires"
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"lastname": "x" * 300}, "“jo” has a `lastname` of 300 characters, CloudStack takes 255"),
        ({"firstname": "a\nb"}, "“jo” has a control character in `firstname`"),
        (
            {"username": "jo\u200b"},
            "“jo\\u{200b}” has a character that cannot be seen (U+200B) in `username`",
        ),
        (
            {"username": "jo\u2067"},
            "“jo\\u{2067}” has a character that turns the reading direction (U+2067) in `username`",
        ),
        ({"enabled": None}, "“jo” has an `enabled` that is neither true nor false"),
        ({"enabled": "perhaps"}, "“jo” has an `enabled` that is neither true nor false"),
    ],
)
def test_members_that_cloudstack_would_refuse(changes: dict[str, Any], problem: str) -> None:
    project = one(people(member(**changes), member("ann")))
    assert [left.problem for left in project.unusable] == [problem]


def test_the_same_member_twice_counts_once() -> None:
    assert len(one(people(member(), member())).members) == 1


@pytest.mark.parametrize("second", [member(email="other@example.org"), member("JO")])
def test_a_member_twice_with_different_values_is_left_alone(second: tuple[Any, ...]) -> None:
    project = one(people(member(), second, member("ann")))
    assert [person.username for person in project.members] == ["ann"]
    (left,) = project.unusable
    assert left.problem == "“jo” is a member 2 times with different values"


def test_markup_accents_and_emoji_stay_as_they_are() -> None:
    (person,) = one(people(member("zoë", firstname="[/x]", lastname="🚀 [bold]"))).members
    assert (person.username, person.firstname, person.lastname) == ("zoë", "[/x]", "🚀 [bold]")


# --- rows of nobody -----------------------------------------------------------------------------------------


def test_rows_of_unknown_projects_are_noted_and_the_reading_is_complete() -> None:
    result = assembled(
        table("projects", ["name"], ["dune"]),
        people(member(project="nowhere"), member(project=None), member(project="gone\n[/x]")),
        table("agents", ["project", "name"], ["nowhere", "a1"]),
        table("quotas", ["project", "resource", "maximum"], ["nowhere", "vm", 3]),
    )
    assert result.unkeyed == ""
    assert result.projects["dune"].problem == ""
    assert result.notes == (
        "3 rows of `members` left out: of projects that `projects` does not have "
        "(“nowhere”, no project at all, “gone\\u{a}[/x]”)",
        "1 row of `agents` left out: of projects that `projects` does not have (“nowhere”)",
        "1 row of `quotas` left out: of projects that `projects` does not have (“nowhere”)",
    )


def test_many_faults_are_counted_and_few_named() -> None:
    result = assembled(
        table("projects", ["name"], ["dune"]),
        people(*(member(project=f"p{number}") for number in range(500))),
    )
    assert result.notes == (
        "500 rows of `members` left out: of projects that `projects` does not have "
        "(“p0”, “p1”, “p2” and 497 more)",
    )


def test_a_member_row_belongs_to_a_project_spelt_in_another_case() -> None:
    assert len(one(people(member(project="DUNE"))).members) == 1


def test_retired_projects_may_be_gone_from_projects() -> None:
    result = assembled(
        table("projects", ["name"], ["dune"]),
        table("retired", ["project", "by", "at", "reason"], ["aurora", "pat", None, "moved"], [None] * 4),
    )
    (record,) = result.retired
    assert (record.project, record.by, record.at, record.reason) == ("aurora", "pat", "", "moved")
    assert result.notes == ("1 of `retired` left out: no project",)


# --- quotas and truths --------------------------------------------------------------------------------------


def quota(resource: Any, maximum: Any) -> Project:
    return one(table("quotas", ["project", "resource", "maximum"], ["dune", resource, maximum]))


@pytest.mark.parametrize(
    ("resource", "maximum", "expected"),
    [
        ("vm", 10, {"vm": 10}),
        ("VM", Decimal("10"), {"vm": 10}),
        ("Primary Storage", "200", {"primarystorage": 200}),
        ("secondary_storage", UNLIMITED, {"secondarystorage": -1}),
        ("ip", 0, {"ip": 0}),
        ("vm", None, {}),
    ],
)
def test_quotas(resource: str, maximum: Any, expected: dict[str, int]) -> None:
    assert quota(resource, maximum).quotas == expected
    assert quota(resource, maximum).problem == ""


def test_an_unknown_resource_names_the_nearest() -> None:
    problem = quota("volumes", 5).problem
    assert "a quota is for “volumes”, which CloudStack has no limit for. Did you mean `volume`?" in problem
    assert "a quota is for “”" in quota(None, 5).problem


@pytest.mark.parametrize("maximum", [-2, 1.5, "many", True, float("inf"), float("nan"), "", 2**63])
def test_a_maximum_that_is_no_number_is_a_problem(maximum: Any) -> None:
    project = quota("vm", maximum)
    assert project.quotas == {}
    assert "a whole number is needed, -1 for no limit" in project.problem


def test_a_quota_given_twice() -> None:
    columns = ["project", "resource", "maximum"]
    assert one(table("quotas", columns, ["dune", "vm", 3], ["dune", "VM", 3])).problem == ""
    problem = one(table("quotas", columns, ["dune", "vm", 3], ["dune", "vm", 4])).problem
    assert problem == "the quota of `vm` is both 3 and 4"


@pytest.mark.parametrize(
    ("value", "truth"),
    [
        (True, True),
        (1, True),
        ("t", True),
        ("YES", True),
        (b"\x01", True),
        (Decimal(1), True),
        (1.0, True),
        (False, False),
        (0, False),
        ("off", False),
        (b"\x00", False),
        (Decimal(0), False),
        (None, None),
        ("", None),
        (2, None),
        ("maybe", None),
    ],
)
def test_truths_are_never_guessed(value: Any, truth: bool | None) -> None:
    assert truth_of(value) is truth


def test_a_project_enabled_by_null_has_a_problem() -> None:
    (project,) = assembled(table("projects", ["name", "enabled"], ["dune", None])).projects.values()
    assert "COALESCE" in project.problem


def test_whole_numbers_of_odd_types() -> None:
    assert whole_number_of([1]) is None
    assert whole_number_of(Decimal("3.0")) == 3
    assert whole_number_of(Decimal("3.5")) is None


def test_ids_of_other_types_become_text() -> None:
    given = uuid.uuid4()
    rows = table("projects", ["name", "domain_id", "network_domain"], [b"dune", given, memoryview(b"x.org")])
    (project,) = assembled(rows).projects.values()
    assert (project.name, project.domain_id, project.network_domain) == ("dune", str(given), "x.org")


def test_binary_columns_name_query_and_column() -> None:
    rows = table("projects", ["name", "domain_id"], ["dune", b"\xff\xfe\x00"])
    with pytest.raises(MappingError, match="`projects` gives binary data in its column `domain_id`"):
        assembled(rows)
