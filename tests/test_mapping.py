"""A mapping is SELECTs whose columns are the fields; everything else is refused in words."""

from __future__ import annotations

import pytest

from sync.errors import EXIT_CONFIGURATION, MappingError
from sync.mapping import QUERIES, Mapping, check_select, columns_of, nearest

READING = [
    "SELECT name FROM projects",
    "  select name from projects ;  ",
    "(SELECT name FROM a) UNION (SELECT name FROM b)",
    "WITH p AS (SELECT 1 AS name) SELECT name FROM p",
    "-- delete what?\nSELECT name /* insert; */ FROM projects",
    "SELECT 'INSERT; it''s a text' AS name",
    'SELECT "update" AS name, `delete`, [insert] FROM projects',
    "SELECT $x$ drop; delete $x$ AS name",
    "SELECT last_update AS name, replace(name, 'a', 'b') FROM projects",
    "SELECT slug::text AS name FROM p WHERE slug LIKE '%:a%'",
]


@pytest.mark.parametrize("sql", READING)
def test_selects_are_accepted(sql: str) -> None:
    check_select("projects", sql)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("", "is empty"),
        ("-- SELECT name FROM projects", "is empty"),
        ("DELETE FROM projects", "is not a SELECT: it begins 'DELETE FROM projects'"),
        ("  update projects set name = 'x'", "is not a SELECT"),
        ("PRAGMA writable_schema = 1", "is not a SELECT"),
        ("EXPLAIN SELECT 1", "is not a SELECT"),
        ("SELECT 1 AS name; DROP TABLE projects", "more than one statement"),
        ("SELECT 1 AS name; COMMIT; SELECT 2", "more than one statement"),
        ("WITH gone AS (DELETE FROM projects RETURNING *) SELECT name FROM gone", "contains DELETE"),
        ("SELECT name INTO backup FROM projects", "contains INTO"),
        ("SELECT name FROM projects FOR UPDATE", "contains UPDATE"),
        ("SELECT name /*! , 1 */ FROM projects", "executable comment"),
    ],
)
def test_everything_else_is_refused(sql: str, words: str) -> None:
    with pytest.raises(MappingError) as caught:
        Mapping({"projects": sql})
    assert words in str(caught.value)
    assert "`projects`" in str(caught.value)
    assert caught.value.next_step
    assert caught.value.exit_code == EXIT_CONFIGURATION


def test_projects_alone_is_required() -> None:
    assert not Mapping({"projects": "SELECT name FROM p"}).is_default
    assert Mapping().is_default
    with pytest.raises(MappingError, match="no query `projects`"):
        Mapping({"members": "SELECT * FROM m"})


def test_an_unknown_query_names_the_nearest() -> None:
    with pytest.raises(MappingError, match="`project`") as caught:
        Mapping({"project": "SELECT name FROM p"})
    assert "Did you mean `projects`?" in caught.value.next_step
    assert all(query in caught.value.next_step for query in QUERIES)


def test_columns_are_found_in_any_order_and_case() -> None:
    columns = ["Domain_ID", "ENABLED", "Name"]
    assert columns_of("projects", columns) == {"domain_id": 0, "enabled": 1, "name": 2}


def test_a_table_of_its_owner_may_have_more_columns_than_are_read() -> None:
    columns = ["Spare", "ENABLED", "Name", "name_long"]
    assert columns_of("projects", columns, is_whole_table=True) == {"enabled": 1, "name": 2}


@pytest.mark.parametrize("is_whole_table", [False, True])
@pytest.mark.parametrize(
    ("query", "wrong", "meant"),
    [("members", "enabeld", "enabled"), ("projects", "network_domian", "network_domain")],
)
def test_a_column_with_a_typing_error_is_not_silently_lost(
    query: str, wrong: str, meant: str, is_whole_table: bool
) -> None:
    """Its default would hold for everybody: members who are disabled would be enabled."""
    columns = [*QUERIES[query].required, wrong]
    with pytest.raises(MappingError, match=f"Write `{wrong} AS {meant}`") as caught:
        columns_of(query, columns, is_whole_table=is_whole_table)
    assert f"`{query}` gives no column `{meant}`" in caught.value.what
    assert caught.value.exit_code == EXIT_CONFIGURATION


def test_a_column_of_a_query_that_is_no_field_is_refused() -> None:
    with pytest.raises(MappingError, match="`members` gives a column `active`, which is no field") as caught:
        columns_of("members", [*QUERIES["members"].required, "active"])
    assert caught.value.next_step.startswith("The fields of `members` are: project, username")


@pytest.mark.parametrize("query", QUERIES)
def test_every_required_column_is_required(query: str) -> None:
    fields = QUERIES[query]
    assert set(columns_of(query, list(fields.all))) == set(fields.all)
    assert set(columns_of(query, list(fields.required))) == set(fields.required)
    for missing in fields.required:
        there = [name for name in fields.all if name != missing]
        with pytest.raises(MappingError) as caught:
            columns_of(query, [*there, "something"])
        assert f"`{query}` gives no column `{missing}`" in caught.value.what
        assert f"Its columns are: {', '.join([*there, 'something'])}." in caught.value.next_step


def test_the_nearest_column_is_proposed() -> None:
    with pytest.raises(MappingError, match="Write `usr_name AS username`"):
        columns_of("members", ["project", "usr_name", "email", "firstname", "lastname"])


def test_a_misspelt_optional_column_is_not_silently_lost() -> None:
    with pytest.raises(MappingError, match="Write `DomainID AS domain_id`"):
        columns_of("projects", ["name", "DomainID"])


def test_a_field_given_twice_is_refused() -> None:
    with pytest.raises(MappingError, match="two columns named `name`"):
        columns_of("projects", ["name", "NAME"])


def test_nearest_says_nothing_where_nothing_is_near() -> None:
    assert nearest("xyzzy", ["name"], label="There are") == "There are: name."
    assert nearest("x", [], label="There are") == "There are: none."
