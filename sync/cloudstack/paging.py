"""Lists, page by page, with the proof that nothing is missing.

Proven means: distinct ids == rows == `count` before == `count` after, and nothing behind the last row: the
second count is taken where the next row would be, because a server that cuts lists may cut its count too.
Rows that come or go while pages are read shift the pages, so a reading that does not add up is repeated. The
traps are measured: 431 above the largest page, pages without a list, `{}` for nothing, and releases that
count per page.

A list that only loses rows while it is read, as under a mass deletion, never adds up. It is read again from
its end: a row that goes then moves others to pages still to come, so none is skipped. Every row that is left
is among those read, once the last reading finds nothing new; which of them have gone meanwhile is not told,
so the list stays unproven, marked as one that only shrank.

A page is made into what is kept of its rows as soon as it has come and is found to be well-formed: as they
come, the rows of a large lab take hundreds of megabytes. The proof needs their ids and the counts alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, TypeVar

from sync.cloudstack.values import Progress
from sync.errors import IncompleteError, RefusedError
from sync.model import JsonObject, ListProof

READINGS = 3
"""How often a list is read before it is called unproven."""

WAVE = 4
"""Pages asked for at a time where nothing tells how many there are."""

Call = Callable[[str, Mapping[str, str]], JsonObject]
Identity = tuple[str, ...]
Row = TypeVar("Row")
"""What is kept of a row."""
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Query:
    """One list: the command, the key of its rows in the answer, and what to ask."""

    command: str
    key: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    identity: tuple[str, ...] = ("id",)
    """The fields that tell two rows apart. A template has a row for each zone it is in."""
    note: str = ""
    """What distinguishes this query from others of the same command, for the proof's name."""

    @property
    def name(self) -> str:
        return f"{self.command} {self.note}".strip()

    def identity_of(self, row: JsonObject) -> Identity:
        """What tells a row from the others of the list."""
        return tuple(str(row.get(name)) for name in self.identity)

    def with_parameters(self, note: str = "", **parameters: str) -> Query:
        return replace(self, parameters={**self.parameters, **parameters}, note=note or self.note)


@dataclass(frozen=True, slots=True)
class Listing(Generic[Row]):
    rows: list[Row]
    ids: list[Identity]
    """What tells the rows apart, in their order."""
    proof: ListProof

    def require(self) -> list[Row]:
        """The rows, if they are proven to be all. Raises IncompleteError."""
        if self.proof.problem:
            raise IncompleteError(f"{self.proof.problem}", next_step="Read again.")
        return self.rows


@dataclass(slots=True)
class Habits:
    """What was learnt about a server: shared by all that read it."""

    page_size: int = 500
    counts_per_page: set[str] = field(default_factory=set)
    """Commands whose `count` is the number of rows of this page: all of them in some old releases, only
    listPublicIpAddresses in some later ones (read in CloudStack's source)."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class Pager:
    """Reads lists. With a pool, pages are fetched concurrently in it; without, one after another."""

    def __init__(self, call: Call, *, habits: Habits, pool: Executor | None = None) -> None:
        self._call = call
        self._habits = habits
        self._pool = pool

    def read(self, query: Query, progress: Progress | None = None) -> Listing[JsonObject]:
        """All rows of the list, with the proof; `proof.problem` says why it is none. Raises SourceError."""
        return self.read_as(query, as_it_came, progress)

    def read_as(
        self, query: Query, make: Callable[[JsonObject], Row], progress: Progress | None = None
    ) -> Listing[Row]:
        """The same, of each row what `make` keeps of it; `make` is called in the pool. Raises SourceError."""
        largest = None
        readings: list[Listing[Row]] = []
        for _ in range(READINGS):
            reading = _Reading(
                self, query, make, progress, largest=largest, backwards=any(map(_lost_rows, readings))
            )
            listing = reading.listing()
            if not listing.proof.problem:
                return listing
            readings.append(listing)
            # A page that was not filled is perhaps all that this server gives at a time, whatever is asked.
            largest = reading.first_rows or None
        return _together(query, readings)

    # --- pages ---------------------------------------------------------------------------------------------

    def first(
        self, query: Query, make: Callable[[JsonObject], Made], largest: int | None = None
    ) -> tuple[Made, int]:
        """The first page, of `largest` rows at most, and the size that the server accepted for it."""
        while True:
            size = min(self._habits.page_size, largest or self._habits.page_size)
            try:
                return self.pages(query, make, [1], size)[0], size
            except RefusedError as refused:
                if refused.code != 431 or size == 1:
                    raise
                # 431 may be about anything, and its text must not decide: a page of one row tells.
                self.pages(query, make, [1], 1)
            largest = None
            with self._habits.lock:
                if self._habits.page_size == size:
                    self._habits.page_size = max(1, size // 2)

    def pages(
        self, query: Query, make: Callable[[JsonObject], Made], numbers: list[int], size: int
    ) -> list[Made]:
        """Several pages, in the order of `numbers`, each made into what is kept of it where it is fetched."""

        def fetch(number: int) -> Made:
            asked = {**query.parameters, "page": str(number), "pagesize": str(size)}
            return make(self._call(query.command, asked))

        if self._pool is None:
            return list(map(fetch, numbers))
        futures = [self._pool.submit(fetch, number) for number in numbers]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()

    def counts_per_page(self, query: Query) -> bool:
        return query.command in self._habits.counts_per_page

    def learn_that_count_is_per_page(self, query: Query) -> None:
        self._habits.counts_per_page.add(query.command)


@dataclass(frozen=True, slots=True)
class _Page(Generic[Row]):
    """What is kept of one well-formed answer."""

    rows: list[Row]
    ids: list[Identity]
    told: int | None
    """Its `count`; None where it has none."""

    @property
    def count(self) -> int:
        """A list without a `count` counts as its rows; `{}` is an empty result."""
        return len(self.rows) if self.told is None else self.told


class _Reading(Generic[Row]):
    """One attempt at one list."""

    def __init__(
        self,
        pager: Pager,
        query: Query,
        make: Callable[[JsonObject], Row],
        progress: Progress | None,
        *,
        largest: int | None = None,
        backwards: bool = False,
    ) -> None:
        self._pager = pager
        self._query = query
        self._keep = partial(_page_of, query, make)
        self._progress = progress
        self._largest = largest
        self._backwards = backwards
        self.first_rows = 0
        """How many rows the first page had."""
        self._rows: list[Row] = []
        self._ids: list[Identity] = []
        self._pages = 0

    def listing(self) -> Listing[Row]:
        first, size = self._pager.first(self._query, self._keep, self._largest)
        self._take(first)
        self.first_rows = len(first.rows)
        if self._pager.counts_per_page(self._query):
            return self._until_short(len(first.rows), size)
        before = first.count
        if len(first.rows) == size == before and self._page_two_counts_itself(size):
            self._pager.learn_that_count_is_per_page(self._query)
            return self._until_short(len(self._rows) - size, size)
        # A server that does not page this list has shown all of it by now.
        last = -(-before // size) if len(first.rows) < before else 1
        if self._backwards and last > 1:
            self._take_backwards(last, size)
        else:
            self._take_forwards(last, size)
        behind = self._row_behind()
        after = behind.count
        if after < before and after <= 1:
            # Nothing is counted there: either all rows went meanwhile, or each page is counted on its own.
            after = self._page(1, 1).count
            if after == 1 < before and self._second_row_counts_itself():
                self._pager.learn_that_count_is_per_page(self._query)
                return self._by_ids(behind)
        return self._proven(before, after, behind)

    def _page(self, number: int, size: int) -> _Page[Row]:
        return self._wave([number], size)[0]

    def _wave(self, numbers: list[int], size: int) -> list[_Page[Row]]:
        return self._pager.pages(self._query, self._keep, numbers, size)

    def _take_forwards(self, last: int, size: int) -> None:
        for start in range(self._pages + 1, last + 1, WAVE):
            for page in self._wave(list(range(start, min(start + WAVE, last + 1))), size):
                self._take(page)

    def _take_backwards(self, last: int, size: int) -> None:
        """One page after another from the last to the first, which is read anew: it was read too early."""
        self._rows.clear()
        self._ids.clear()
        for number in range(last, 0, -1):
            self._take(self._page(number, size))

    def _row_behind(self) -> _Page[Row]:
        """The page of one row that follows all rows: past the end it has no list, only the count (measured
        on 4.18 and 4.23)."""
        return self._page(len(self._rows) + 1, 1)

    def _page_two_counts_itself(self, size: int) -> bool:
        """A full page whose `count` is its own size is all there is, or of a release that counts per page."""
        page = self._page(2, size)
        self._take(page)
        return bool(page.rows) and page.told == len(page.rows)

    def _second_row_counts_itself(self) -> bool:
        page = self._page(2, 1)
        return bool(page.rows) and page.told == 1

    def _until_short(self, last: int, size: int) -> Listing[Row]:
        """Reads on until a page is not full: all that can be done where `count` tells nothing."""
        while last == size:
            unique = self._unique()
            for page in self._wave(list(range(self._pages + 1, self._pages + 1 + WAVE)), size):
                self._take(page)
                last = min(last, len(page.rows))
            if self._unique() == unique:
                break  # the same rows again and again: this server does not page
        return self._by_ids(self._row_behind())

    def _take(self, page: _Page[Row]) -> None:
        self._rows += page.rows
        self._ids += page.ids
        self._pages += 1
        if self._progress is not None:
            self._progress(self._query.name, len(self._rows))

    def _unique(self) -> int:
        return len(set(self._ids))

    def _cut_off(self, behind: _Page[Row]) -> str:
        """Why the rows are not all, when the one behind them is there; empty when it is not."""
        if set(behind.ids) <= set(self._ids):
            return ""
        return (
            f"{self._query.name}: {len(self._rows)} rows were given as all, but there is another behind "
            "them: the list is cut off, so read again"
        )

    def _proven(self, before: int, after: int, behind: _Page[Row]) -> Listing[Row]:
        unique = self._unique()
        problem = self._cut_off(behind)
        if not len(self._rows) == unique == before == after:
            problem = (
                f"{self._query.name}: {len(self._rows)} rows with {unique} ids, but a count of {before} "
                f"before and {after} after; rows came or went while it was read, so read again"
            )
        return self._listing(unique, before=before, after=after, problem=problem)

    def _by_ids(self, behind: _Page[Row]) -> Listing[Row]:
        unique = self._unique()
        problem = self._cut_off(behind)
        if unique != len(self._rows):
            problem = f"{self._query.name}: {len(self._rows)} rows with {unique} ids; read again"
        note = "each page is counted on its own here: read until a page was not full, ids distinct"
        return self._listing(unique, problem=problem, note=note)

    def _listing(
        self,
        unique: int,
        *,
        before: int | None = None,
        after: int | None = None,
        problem: str,
        note: str = "",
    ) -> Listing[Row]:
        proof = ListProof(
            name=self._query.name,
            rows=len(self._rows),
            pages=self._pages,
            count_before=before,
            count_after=after,
            unique=unique,
            problem=problem,
            note=note,
        )
        return Listing(self._rows, self._ids, proof)


def _together(query: Query, readings: list[Listing[Row]]) -> Listing[Row]:
    """What several readings of one list come to, none of which adds up: each row once, as seen last."""
    earlier = {id: row for one in readings[:-1] for id, row in zip(one.ids, one.rows, strict=True)}
    last = dict(zip(readings[-1].ids, readings[-1].rows, strict=True))
    united = {id: row for id, row in earlier.items() if id not in last} | last
    proof = readings[-1].proof
    only_shrank = last.keys() <= earlier.keys() and _counts_fell([one.proof for one in readings], len(united))
    if only_shrank:
        problem = (
            f"{query.name}: it lost rows all the time, from {readings[0].proof.count_before} to "
            f"{proof.count_after} in {len(readings)} readings: those read were there, which of them are left "
            "is not proven"
        )
    else:
        problem = f"{proof.problem} ({len(readings)} times)"
    only_grew = not only_shrank and _only_grew([one.proof for one in readings])
    proof = replace(proof, problem=problem, only_shrank=only_shrank, only_grew=only_grew)
    return Listing(list(united.values()), list(united), proof)


def _lost_rows(listing: Listing[Row]) -> bool:
    before, after = listing.proof.count_before, listing.proof.count_after
    return before is not None and after is not None and after < before


def _counts_fell(proofs: list[ListProof], rows: int) -> bool:
    """Whether the list never grew from count to count, did shrink, and no more is left than was read."""
    counts = [count for proof in proofs for count in (proof.count_before, proof.count_after)]
    told = [count for count in counts if count is not None]
    return (
        len(told) == len(counts)
        and told == sorted(told, reverse=True)
        and told[0] > told[-1]
        and (0 < told[-1] <= rows)
    )


def _only_grew(proofs: list[ListProof]) -> bool:
    """Whether the list grew within each reading, lost nothing in between, and as many rows were read as were
    counted, or more."""
    known = 0
    for proof in proofs:
        before, unique, after = proof.count_before, proof.unique, proof.count_after
        if before is None or unique is None or after is None:
            return False
        if not (known <= before <= unique <= after and before < after):
            return False
        known = after
    return True


def _rows_of(query: Query, page: JsonObject) -> list[JsonObject]:
    """The rows of a page; none where there is no list: `{}`, and `{"count": N}` past the end.

    Raises IncompleteError when the answer holds something else instead.
    """
    rows = page.get(query.key)
    if rows is None:
        others = sorted(set(page) - {"count"})
        if others:
            raise IncompleteError(f"{query.name} answered with {', '.join(others)} instead of {query.key}.")
        return []
    identity = query.identity[0]
    if not isinstance(rows, list) or not all(isinstance(row, dict) and row.get(identity) for row in rows):
        raise IncompleteError(f"{query.name} answered with rows that have no {identity}.")
    return rows


def _page_of(query: Query, make: Callable[[JsonObject], Row], answer: JsonObject) -> _Page[Row]:
    """What is kept of an answer. Raises IncompleteError when it holds something else than the list."""
    rows, count = _rows_of(query, answer), answer.get("count")
    return _Page(
        rows=list(map(make, rows)),
        ids=list(map(query.identity_of, rows)),
        told=count if isinstance(count, int) else None,
    )


def as_it_came(row: JsonObject) -> JsonObject:
    """Keeps all of a row."""
    return row
