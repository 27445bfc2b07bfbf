"""Lists are proven complete, read again, or called unproven: every measured trap, without a network."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from sync.cloudstack.paging import READINGS, Habits, Pager, Query
from sync.errors import IncompleteError, RefusedError

QUERY = Query("listThings", "thing", {"listall": "true"})


class ListServer:
    """Answers one list as CloudStack does, and misbehaves as told."""

    def __init__(self, rows: int, *, largest: int = 500, per_page: bool = False, cut: int = 500) -> None:
        self.rows = [{"id": f"id-{number}"} for number in range(rows)]
        self.largest = largest
        self.per_page = per_page
        self.cut = cut
        """At most so many rows a page, without a word about it."""
        self.asked: list[tuple[int, int]] = []
        self.spoil: list[Any] = []
        """Functions of (page, size, answer), each used once, in the order of calls; None leaves it alone."""

    def __call__(self, command: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        assert command == "listThings"
        assert parameters["listall"] == "true"
        page, size = int(parameters["page"]), int(parameters["pagesize"])
        self.asked.append((page, size))
        if size > self.largest:
            raise RefusedError("Page size can't exceed max", code=431)
        rows = self.rows[(page - 1) * size : page * size][: self.cut]
        answer: dict[str, Any] = {} if not self.rows else {"count": len(rows if self.per_page else self.rows)}
        if rows:
            answer["thing"] = rows
        if self.per_page and not rows:
            answer = {}
        spoil = self.spoil.pop(0) if self.spoil else None
        return spoil(answer) if spoil else answer


def read(server: ListServer, *, size: int = 10, habits: Habits | None = None) -> Any:
    return Pager(server, habits=habits or Habits(page_size=size)).read(QUERY)


@pytest.mark.parametrize("rows", [0, 1, 9, 10, 11, 20, 95])
def test_a_list_is_read_whole_and_proven(rows: int) -> None:
    server = ListServer(rows)
    listing = read(server)
    assert [row["id"] for row in listing.rows] == [row["id"] for row in server.rows]
    proof = listing.proof
    assert (proof.rows, proof.unique, proof.count_before, proof.count_after) == (rows,) * 4
    assert proof.problem == ""
    assert proof.note == ""
    assert proof.name == "listThings"


def test_pages_are_read_in_the_pool_and_keep_their_order() -> None:
    server = ListServer(95)
    with ThreadPoolExecutor(4) as pool:
        listing = Pager(server, habits=Habits(page_size=10), pool=pool).read(QUERY)
    assert listing.rows == server.rows
    assert listing.proof.pages == 10


def test_progress_names_the_list_and_the_rows_so_far() -> None:
    seen: list[tuple[str, int]] = []
    Pager(ListServer(25), habits=Habits(page_size=10)).read(
        QUERY, lambda name, rows: seen.append((name, rows))
    )
    assert seen == [("listThings", 10), ("listThings", 20), ("listThings", 25)]


def test_a_page_size_that_is_refused_is_halved_and_remembered() -> None:
    server = ListServer(30, largest=120)
    habits = Habits(page_size=500)
    assert read(server, habits=habits).proof.problem == ""
    assert habits.page_size == 62
    server.asked.clear()
    assert read(server, habits=habits).proof.problem == ""
    assert server.asked == [(1, 62), (31, 1)]


def test_a_431_about_something_else_is_passed_on_without_halving() -> None:
    def refuse(*_: object) -> dict[str, Any]:
        raise RefusedError("Unable to find domain by id 13", code=431)

    habits = Habits(page_size=500)
    with pytest.raises(RefusedError):
        Pager(refuse, habits=habits).read(QUERY)
    assert habits.page_size == 500


def drop_last(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "thing": answer["thing"][:-1]}


def repeat_first(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "thing": [*answer["thing"][:-1], answer["thing"][0]]}


def without_list(answer: dict[str, Any]) -> dict[str, Any]:
    return {"count": answer["count"]}


def count_one_more(answer: dict[str, Any]) -> dict[str, Any]:
    return {**answer, "count": answer["count"] + 1}


def nothing(_: dict[str, Any]) -> dict[str, Any]:
    return {}


SPOILT = [
    [drop_last],
    [repeat_first],
    [without_list],
    [nothing],
    [None, drop_last],
    [None, repeat_first],
    [None, without_list],
    [None, nothing],
    [None, None, None, count_one_more],
]


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_reading_that_does_not_add_up_is_repeated(spoil: list[Any]) -> None:
    server = ListServer(25)
    server.spoil = list(spoil)
    listing = read(server)
    assert listing.proof.problem == ""
    assert listing.rows == server.rows
    assert len(server.asked) > 4


def test_a_list_that_never_adds_up_is_unproven_after_three_readings() -> None:
    server = ListServer(25)
    server.spoil = [drop_last, None, None, None] * READINGS
    listing = read(server)
    assert server.spoil == []
    assert listing.proof.problem == (
        "listThings: 24 rows with 24 ids, but a count of 25 before and 25 after; "
        "rows came or went while it was read, so read again (3 times)"
    )
    with pytest.raises(IncompleteError, match="24 rows"):
        listing.require()


def test_a_row_that_goes_between_two_pages_is_noticed() -> None:
    server = ListServer(25)

    def go(answer: dict[str, Any]) -> dict[str, Any]:
        del server.rows[0]
        return answer

    server.spoil = [go]
    listing = read(server)
    assert sorted(row["id"] for row in listing.rows) == sorted(row["id"] for row in server.rows)
    assert listing.proof.problem == ""
    assert listing.proof.count_before == 24


@pytest.mark.parametrize("rows", [0, 1, 5, 10, 11, 20, 25, 40, 55])
def test_a_release_that_counts_per_page_is_detected_and_said(rows: int) -> None:
    server = ListServer(rows, per_page=True)
    habits = Habits(page_size=10)
    listing = read(server, habits=habits)
    assert listing.rows == server.rows
    assert listing.proof.problem == ""
    # Up to one row, nothing tells the two apart, and nothing needs to.
    told_apart = rows > 1
    assert bool(habits.counts_per_page) is told_apart
    assert ("each page is counted" in listing.proof.note) is told_apart
    again = read(server, habits=habits)
    assert again.rows == server.rows


def test_that_one_list_counts_per_page_says_nothing_of_the_others() -> None:
    """As on releases that count only the public addresses of the page."""
    odd, sound, habits = ListServer(3, per_page=True), ListServer(3), Habits(page_size=10)
    assert "each page is counted" in read(odd, habits=habits).proof.note
    other = replace(QUERY, command="listOthers")
    pager = Pager(lambda _, parameters: sound("listThings", parameters), habits=habits)
    assert pager.read(other).proof.note == ""


def test_a_full_page_that_grows_meanwhile_is_no_per_page_count() -> None:
    server = ListServer(10)

    def grow(answer: dict[str, Any]) -> dict[str, Any]:
        server.rows.append({"id": "new"})
        return answer

    server.spoil = [grow]
    habits = Habits(page_size=10)
    listing = read(server, habits=habits)
    assert not habits.counts_per_page
    assert len(listing.rows) == 11
    assert listing.proof.problem == ""


def test_a_list_that_shrinks_to_one_row_is_no_per_page_count() -> None:
    server = ListServer(5)

    def shrink(answer: dict[str, Any]) -> dict[str, Any]:
        del server.rows[1:]
        return answer

    server.spoil = [shrink]
    habits = Habits(page_size=10)
    listing = read(server, habits=habits)
    assert not habits.counts_per_page
    assert len(listing.rows) == 1


@pytest.mark.parametrize("rows", [4, 5, 7, 10, 11, 20, 95])
@pytest.mark.parametrize("per_page", [True, False], ids=["counts each page", "counts all"])
def test_a_server_that_gives_less_than_was_asked_for_is_read_in_its_own_pages(
    rows: int, per_page: bool
) -> None:
    """Pages cut to 5 rows where 10 are asked for: without the row behind, 5 of 7 would pass for all."""
    server = ListServer(rows, per_page=per_page, cut=5)
    habits = Habits(page_size=10)
    for _ in range(2):
        listing = read(server, habits=habits)
        assert listing.proof.problem == ""
        assert listing.rows == server.rows
    assert habits.page_size == 10


@pytest.mark.parametrize("size", [5, 10, 20])
def test_a_list_cut_off_together_with_its_count_is_never_taken_for_all(size: int) -> None:
    """`count` says 10 on every page, whatever is there: all 25 are found, or it is said that they are not."""
    server = ListServer(25)

    def cut(command: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        answer = server(command, parameters)
        return {**answer, "count": 10} if answer else answer

    listing = Pager(cut, habits=Habits(page_size=size)).read(QUERY)
    assert listing.proof.problem != "" or len(listing.rows) == 25


@pytest.mark.parametrize("size", [5, 10, 20])
def test_a_server_that_ignores_pages_and_cuts_ends(size: int) -> None:
    """Every page is the first 10 rows of 25, with a `count` of 10: it can be told from nothing but a full
    list of 10 that is not paged, and it is not read for ever."""
    server = ListServer(25)

    def cut(_: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        return {"count": 10, "thing": server.rows[:10]}

    listing = Pager(cut, habits=Habits(page_size=size)).read(QUERY)
    assert len(listing.rows) >= 10


def test_repeated_ids_where_count_tells_nothing_are_a_problem() -> None:
    server = ListServer(25, per_page=True)
    server.rows[12] = server.rows[3]
    listing = read(server)
    assert "25 rows with 24 ids" in listing.proof.problem


def test_a_server_that_does_not_page_the_list_has_shown_all() -> None:
    def everything(_: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        return {"count": 25, "thing": [{"id": str(number)} for number in range(25)]}

    listing = Pager(everything, habits=Habits(page_size=10)).read(QUERY)
    assert listing.proof.problem == ""
    assert len(listing.rows) == 25


@pytest.mark.parametrize(
    "body", [{"count": 1, "thing": [{"name": "x"}]}, {"count": 1, "thing": "x"}, {"count": 1, "thing": [7]}]
)
def test_rows_that_are_none_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(IncompleteError, match="no id"):
        Pager(lambda *_: body, habits=Habits()).read(QUERY)


def test_another_list_than_the_one_asked_for_is_refused() -> None:
    with pytest.raises(IncompleteError, match="answered with other instead of thing"):
        Pager(lambda *_: {"count": 1, "other": [{"id": "1"}]}, habits=Habits()).read(QUERY)


class Raw(dict[str, Any]):
    """A row of which it can be told whether anybody still has it."""


@pytest.mark.parametrize("per_page", [False, True])
def test_of_rows_only_what_is_made_of_them_outlives_their_page(per_page: bool) -> None:
    server = ListServer(100, per_page=per_page)
    given: list[weakref.ref[Raw]] = []

    def call(command: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        assert not any(row() for row in given)
        answer = server(command, parameters)
        rows = [Raw(row) for row in answer.get("thing", ())]
        given.extend(map(weakref.ref, rows))
        return {**answer, "thing": rows} if rows else answer

    pager = Pager(call, habits=Habits(page_size=10))
    listing = pager.read_as(QUERY, lambda row: row["id"])
    assert len(given) >= 100
    assert listing.rows == [row["id"] for row in server.rows]
    assert listing.ids == [(row["id"],) for row in server.rows]
    assert listing.proof.problem == ""


def test_what_is_made_of_rows_that_never_add_up_is_there_once() -> None:
    """What tells rows apart are the fields of the query, whatever is made of them."""
    server = ListServer(30)
    server.spoil = [count_one_more] * 100
    listing = Pager(server, habits=Habits(page_size=10)).read_as(QUERY, lambda _: "same")
    assert listing.rows == ["same"] * 30
    assert len(set(listing.ids)) == 30
    assert listing.proof.problem


def test_rows_of_several_places_are_told_apart_by_all_their_fields() -> None:
    rows = [{"id": "a", "zoneid": "1"}, {"id": "a", "zoneid": "2"}]
    answer = {"count": 2, "thing": rows}
    query = Query("listThings", "thing", identity=("id", "zoneid"))
    assert Pager(lambda *_: answer, habits=Habits()).read(query).proof.problem == ""
    assert Pager(lambda *_: answer, habits=Habits()).read(QUERY).proof.problem != ""


# --- a list that only loses rows ----------------------------------------------------------------------------


def lose_first(server: ListServer) -> Any:
    """After an answer the first row goes, so that what follows moves up."""

    def spoil(answer: dict[str, Any]) -> dict[str, Any]:
        server.rows = server.rows[1:]
        return answer

    return spoil


def without(*numbers: int) -> Any:
    ids = {f"id-{number}" for number in numbers}
    return lambda answer: {**answer, "thing": [row for row in answer["thing"] if row["id"] not in ids]}


def test_a_list_that_loses_rows_all_the_time_has_every_row_that_is_left() -> None:
    server = ListServer(100)
    server.spoil = [lose_first(server)] * 100
    listing = read(server)
    assert listing.proof.only_shrank
    assert listing.proof.problem == (
        "listThings: it lost rows all the time, from 100 to 69 in 3 readings: those read were there, which "
        "of them are left is not proven"
    )
    read_ids = [row["id"] for row in listing.rows]
    assert len(read_ids) == len(set(read_ids)) <= 100
    assert {row["id"] for row in server.rows} <= set(read_ids)
    with pytest.raises(IncompleteError):
        listing.require()


def gain_some(server: ListServer, number: int) -> Any:
    """An answer after which so many rows are made, at the end of the list."""

    def gain(answer: dict[str, Any]) -> dict[str, Any]:
        first = len(server.rows)
        server.rows = [*server.rows, *({"id": f"new-{first + index}"} for index in range(number))]
        return answer

    return gain


def test_a_list_that_only_gains_rows_is_unproven_and_says_that_it_grew() -> None:
    server = ListServer(25)
    server.spoil = [gain_some(server, 1), None, None, None] * READINGS
    proof = read(server).proof
    assert proof.only_grew and not proof.only_shrank
    assert proof.problem and proof.count_after == proof.count_before + 1


def test_a_list_that_grew_and_gave_too_few_rows_or_lost_some_says_it_not() -> None:
    server = ListServer(25)
    server.spoil = [gain_some(server, 1), drop_last, drop_last, None] * READINGS
    assert not read(server).proof.only_grew, "a row that was counted at first is not among those read"
    server = ListServer(25)
    grow, lose = gain_some(server, 1), lose_first(server)
    server.spoil = [grow, None, None, None, grow, None, None, None, lose, None, None, None]
    listing = read(server)
    assert listing.proof.problem and not listing.proof.only_grew


def test_a_list_that_also_gains_a_row_is_just_unproven() -> None:
    server = ListServer(100)
    gain = gain_some(server, 30)
    server.spoil = [*[lose_first(server)] * 14, gain, *[lose_first(server)] * 80]
    listing = read(server)
    assert not listing.proof.only_shrank
    assert "(3 times)" in listing.proof.problem


def test_a_last_reading_that_finds_a_new_row_proves_nothing() -> None:
    """What two readings missed, a third may have missed as well."""
    server = ListServer(25)
    lose = lose_first(server)
    server.spoil = [None, without(18), None, lose, None, without(18), None, lose, None, lose, None, None]
    listing = read(server)
    assert "id-18" in {row["id"] for row in listing.rows}
    assert not listing.proof.only_shrank


def test_readings_that_miss_rows_while_the_count_falls_prove_nothing() -> None:
    """The count is above what all readings together have."""
    server = ListServer(25)
    lose = lose_first(server)
    missing = without(*range(14, 19))
    server.spoil = [None, missing, None, lose] * READINGS
    listing = read(server)
    assert len(listing.rows) == 20
    assert not listing.proof.only_shrank


def test_a_steady_list_that_never_adds_up_has_not_shrunk() -> None:
    server = ListServer(25)
    server.spoil = [drop_last, None, None, None] * READINGS
    assert not read(server).proof.only_shrank


def test_a_release_that_counts_per_page_tells_nothing_of_shrinking() -> None:
    server = ListServer(25, per_page=True)
    server.rows[12] = server.rows[3]
    assert not read(server).proof.only_shrank
