"""Captures: any inventory comes back as it was, any instant of a store is what was stored, nothing secret is
in the file, and a damaged or foreign file is refused."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
import types
import typing
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.state import actual_status
from sync import capture_codec as codec
from sync import model
from sync.capture import Capture, captured, from_parts, head_of, lists_of, parts_of
from sync.capture_database import is_capture
from sync.capture_file import read_file, write_file
from sync.capture_rules import CaptureRules, Thinning
from sync.capture_schedule import is_due, let_go, why_not
from sync.capture_store import CaptureStore
from sync.errors import CaptureError, StorageError, UsageError
from sync.secret import Secret
from tests import examples as ex
from tests import strategies
from tests.benchmarks.captures import measure
from widgets.values import SourceStatus

ANYTHING = st.text(st.characters(), max_size=6)
"""Lone surrogates, NULs and all: what a JSON answer or a database can hold."""
TIMES = st.datetimes(timezones=st.just(UTC))


@cache
def anything(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a type of the vocabulary, with every field drawn, short lists, awkward texts."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(st.none() if one is types.NoneType else anything(one) for one in arguments))
    if origin is tuple:
        return st.lists(anything(arguments[0]), max_size=2).map(tuple)
    if origin is frozenset:
        return st.frozensets(anything(arguments[0]), max_size=2)
    if origin is Mapping:
        return st.dictionaries(anything(arguments[0]), anything(arguments[1]), max_size=2)
    if is_dataclass(hint):
        assert isinstance(hint, type)
        hints = typing.get_type_hints(hint)
        return st.builds(hint, **{one.name: anything(hints[one.name]) for one in fields(hint)})
    return {str: ANYTHING, datetime: TIMES}.get(hint, st.from_type(hint))


ANY_CAPTURE = st.builds(
    captured,
    ANYTHING,
    anything(model.DesiredInventory),
    anything(model.ActualInventory),
    network=anything(model.NetworkRule | None),
)
QUICK = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def lab(*names: str, at: datetime = ex.NOON, vms: int = 2, coverage: model.Coverage = ex.COMPLETE) -> Capture:
    domains = [ex.domain(name, limits={"vm": 5}) for name in names]
    return captured(
        "lab",
        ex.desired(*(ex.project(name, "anna", "bob") for name in names), taken_at=at),
        ex.actual(
            *domains,
            accounts=[ex.account(domain, "anna", "bob") for domain in domains],
            vms=[ex.vm(f"{domain.name}-{number}", domain) for domain in domains for number in range(vms)],
            taken_at=at,
            coverage=coverage,
        ),
    )


# --- as values ----------------------------------------------------------------------------------------------


@QUICK
@given(ANY_CAPTURE)
def test_any_inventory_comes_back_exactly(capture: Capture) -> None:
    head = json.loads(codec.as_text(head_of(capture)))
    parts = {}
    for (name, key, number), row in parts_of(capture).items():
        side, _, field = name.partition(".")
        inventory = model.DesiredInventory if side == "desired" else model.ActualInventory
        of = next(one.of for one in lists_of(inventory) if one.field == field)
        parts[name, key, number] = codec.decode(of, json.loads(codec.as_text(codec.encode(of, row))))
    assert from_parts(head, parts) == capture


@given(strategies.worlds().flatmap(lambda world: st.tuples(st.just(world), strategies.shuffled(world))))
@settings(max_examples=40, deadline=None)
def test_the_order_in_which_it_was_read_makes_no_difference(worlds: Any) -> None:
    (desired, actual), (again_desired, again_actual) = worlds
    one, other = captured("lab", desired, actual), captured("lab", again_desired, again_actual)
    assert [row.id for row in one.actual.vms] == [row.id for row in other.actual.vms]
    assert sorted(row.id for row in one.actual.domains) == [row.id for row in one.actual.domains]


def test_every_list_of_both_inventories_is_captured_by_object() -> None:
    names = {one.field for one in lists_of(model.ActualInventory)}
    assert names == {one.name for one in fields(model.ActualInventory) if str(one.type).startswith("tuple[")}
    assert {one.field for one in lists_of(model.DesiredInventory)} == {"projects", "retired"}


def test_what_is_no_value_of_the_vocabulary_cannot_be_written() -> None:
    hidden = replace(ex.domain("dune"), network_domain=Secret("not for a file"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Secret"):
        codec.encode(model.Domain, hidden)


def test_a_field_that_is_not_known_is_left_out_and_a_wrong_value_refused() -> None:
    found = codec.encode(model.Domain, ex.domain("dune"))
    assert codec.decode(model.Domain, {**found, "of_the_future": 1}) == ex.domain("dune")
    with pytest.raises(codec.CodecError):
        codec.decode(model.Domain, {**found, "level": "two"})
    with pytest.raises(codec.CodecError):
        codec.decode(model.Domain, {"id": "1"})


# --- in a store -------------------------------------------------------------------------------------------


@QUICK
@given(history=st.lists(strategies.worlds(), min_size=1, max_size=6), data=st.data())
def test_any_instant_of_a_store_is_what_was_stored(
    history: list[Any], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Also across processes, and also when some captures were let go."""
    path = tmp_path_factory.mktemp("store") / "captures.sqlite"
    written = {}
    thinning = data.draw(st.sampled_from([None, Thinning(*(timedelta(hours=hours) for hours in (2, 4, 8)))]))
    for hour, (desired, actual) in enumerate(history):
        at = ex.NOON + timedelta(minutes=40 * hour)
        capture = captured("lab", replace(desired, taken_at=at), replace(actual, taken_at=at))
        with CaptureStore(path) as store:
            entry = store.add(capture, thinning=thinning)
        assert entry is not None
        written[entry.id] = capture
    with CaptureStore(path, read_only=True) as store:
        kept = {entry.id for entry in store.entries()}
        assert len(history) in kept
        assert {id: store.read(id) for id in kept} == {id: written[id] for id in kept}
        assert store.verify() == ()
        if thinning is None:
            assert kept == set(written)


@QUICK
@given(ANY_CAPTURE)
def test_any_capture_comes_back_from_a_file(
    tmp_path_factory: pytest.TempPathFactory, capture: Capture
) -> None:
    path = tmp_path_factory.mktemp("file") / "a.capture"
    write_file(capture, path)
    assert read_file(path) == capture


def test_what_stays_the_same_is_written_once(tmp_path: Path) -> None:
    with CaptureStore(tmp_path / "captures.sqlite") as store:
        first = store.add(lab("dune", "ember"))
        assert first is not None and first.changed == 2 + 2 + 2 + 4
        assert first.counts == {
            "desired.projects": 2,
            "actual.domains": 2,
            "actual.accounts": 2,
            "actual.vms": 4,
        }
        again = store.add(lab("dune", "ember", at=ex.NOON + timedelta(seconds=10)))
        assert again is not None and again.changed == 0
        gone = store.add(lab("dune", at=ex.NOON + timedelta(seconds=20)))
        assert gone is not None and gone.changed == 5
        with closing(sqlite3.connect(store.path)) as other:
            assert other.execute("SELECT count(*) FROM versions").fetchone() == (10,)


def test_a_capture_counts_domains_as_every_header_does(tmp_path: Path) -> None:
    """The parent holds them, and is none of them."""
    made = lab("dune", "ember")
    parent = ex.domain("ci", parent="ROOT", id=made.actual.parent_id)
    actual = replace(made.actual, domains=(*made.actual.domains, parent))
    with CaptureStore(tmp_path / "captures.sqlite") as store:
        entry = store.add(replace(made, actual=actual))
        assert entry is not None and store.entries() == (entry,)
    in_header = actual_status(SourceStatus(model.Side.ACTUAL, "CloudStack", "domains"), actual).count
    assert entry.counts["actual.domains"] == in_header == 2


def test_an_older_reading_than_the_newest_is_not_stored(tmp_path: Path) -> None:
    with CaptureStore(tmp_path / "captures.sqlite") as store:
        store.add(lab("dune"))
        assert store.add(lab("dune")) is None
        assert store.add(lab("dune", at=ex.NOON - timedelta(seconds=1))) is None
        assert len(store.entries()) == 1


def test_two_processes_write_to_one_store(tmp_path: Path) -> None:
    path = tmp_path / "captures.sqlite"
    with CaptureStore(path) as one, CaptureStore(path) as other:
        for number, store in enumerate((one, other, one, other)):
            names = ("dune", "ember", "fjord")[: 1 + number % 3]
            store.add(lab(*names, at=ex.NOON + timedelta(minutes=number)))
        assert [entry.changed for entry in one.entries()] == [5, 5, 5, 10]
        assert other.verify() == ()
        assert other.read(3) == lab("dune", "ember", "fjord", at=ex.NOON + timedelta(minutes=2))


def test_threads_share_a_store(tmp_path: Path) -> None:
    with CaptureStore(tmp_path / "captures.sqlite") as store:
        threads = [
            threading.Thread(target=store.add, args=(lab("dune", at=ex.NOON + timedelta(minutes=number)),))
            for number in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert store.verify() == ()
        assert store.at().taken_at == ex.NOON + timedelta(minutes=7)


def test_an_instant_is_the_newest_capture_until_then(tmp_path: Path) -> None:
    with CaptureStore(tmp_path / "captures.sqlite") as store:
        with pytest.raises(CaptureError, match="has no capture"):
            store.at()
        for minutes in (0, 10):
            store.add(lab("dune", at=ex.NOON + timedelta(minutes=minutes)))
        assert store.at(ex.NOON + timedelta(minutes=9)).taken_at == ex.NOON
        assert store.at().taken_at == ex.NOON + timedelta(minutes=10)
        with pytest.raises(CaptureError, match="of 2017-07-28 11:00:00 UTC or before"):
            store.at(ex.NOON - timedelta(hours=1))
        with pytest.raises(CaptureError, match="no capture 7 any more"):
            store.read(7)


def test_the_last_capture_of_each_object(tmp_path: Path) -> None:
    with CaptureStore(tmp_path / "captures.sqlite") as store:
        assert store.last_captured(["x"]) == {}
        store.add(lab("dune", "ember"))
        later = ex.NOON + timedelta(minutes=1)
        store.add(lab("dune", at=later))
        dune, ember = ex.domain("dune"), ex.domain("ember")
        user, vm = ex.user("bob", "dune", dune), ex.vm("ember-1", ember)
        found = store.last_captured([dune.id, ember.id, user.id, vm.id, "nobody", "dune"])
        assert found == {dune.id: later, ember.id: ex.NOON, user.id: later, vm.id: ex.NOON}


def test_what_a_domain_had_in_it_when_it_last_had_anything(tmp_path: Path) -> None:
    with CaptureStore(tmp_path / "captures.sqlite") as store:
        assert store.contents(ex.NOON) == {}
        store.add(lab("dune", "ember", vms=3))
        store.add(lab("dune", "ember", vms=2, at=ex.NOON + timedelta(minutes=1)))
        store.add(lab("dune", "ember", vms=0, at=ex.NOON + timedelta(minutes=2)))
        partial = lab("dune", vms=9, at=ex.NOON + timedelta(minutes=3), coverage=ex.partial())
        store.add(partial)
        found = store.contents(ex.NOON)
        dune = ex.domain("dune").id
        assert set(found) == {dune, ex.domain("ember").id}
        [account] = lab("dune").actual.accounts
        assert found[dune] == model.Contents(
            vms=2, templates=0, at=ex.NOON + timedelta(minutes=1), accounts=frozenset({account.id})
        )
        assert store.contents(ex.NOON + timedelta(minutes=2)) == {}


def test_the_accounts_that_a_domain_had_until_it_last_had_anything(tmp_path: Path) -> None:
    """Not those that were made in it when it was empty; those that CloudStack hides meanwhile, too."""
    full, empty = lab("dune", vms=2), lab("dune", vms=0, at=ex.NOON + timedelta(minutes=2))
    hidden = lab("dune", vms=1, at=ex.NOON + timedelta(minutes=1))
    hidden = replace(hidden, actual=replace(hidden.actual, accounts=()))
    [old] = full.actual.accounts
    anew = replace(empty, actual=replace(empty.actual, accounts=(replace(old, id="new"),)))
    with CaptureStore(tmp_path / "captures.sqlite") as store:
        for one in (full, hidden, anew):
            store.add(one)
        found = store.contents(ex.NOON)[ex.domain("dune").id]
        assert (found.at, found.accounts) == (hidden.taken_at, {old.id})


# --- thinning ---------------------------------------------------------------------------------------------


def test_all_of_a_day_one_an_hour_of_a_week_one_a_day_of_a_year() -> None:
    now = ex.NOON
    taken = [(number, now - timedelta(minutes=10 * number)) for number in range(6 * 24 * 400)]
    gone = set(let_go(taken, now, Thinning()))
    kept = [now - moment for number, moment in taken if number not in gone]
    day, week, year = timedelta(days=1), timedelta(days=7), timedelta(days=365)
    assert sum(age <= day for age in kept) == 6 * 24 + 1
    assert sum(day < age <= week for age in kept) == 6 * 24
    assert 358 <= sum(week < age <= year for age in kept) <= 359
    assert not [age for age in kept if age > year]


@given(st.lists(strategies.moments, min_size=1, max_size=40))
def test_thinning_keeps_the_newest_and_is_done_at_once(moments: list[datetime]) -> None:
    taken = list(enumerate(sorted(set(moments))))
    now = taken[-1][1] + timedelta(days=3)
    gone = set(let_go(taken, now, Thinning()))
    left = [one for one in taken if one[0] not in gone]
    assert taken[-1] in left
    assert let_go(left, now, Thinning()) == []


def test_the_newest_of_an_hour_is_the_one_that_stays() -> None:
    now = ex.NOON + timedelta(days=2)
    taken = [(1, ex.NOON), (2, ex.NOON + timedelta(minutes=59)), (3, now)]
    assert let_go(taken, now, Thinning()) == [1]


def test_when_a_capture_is_due() -> None:
    rules = CaptureRules(interval_seconds=60)
    assert is_due(None, ex.NOON, rules)
    assert not is_due(ex.NOON, ex.NOON + timedelta(seconds=59), rules)
    assert is_due(ex.NOON, ex.NOON + timedelta(seconds=60), rules)
    assert is_due(ex.NOON + timedelta(hours=1), ex.NOON, rules), "the clock was set back"
    assert not is_due(None, ex.NOON, CaptureRules(is_on=False))


def test_only_complete_readings_of_the_same_minute_are_captured_by_themselves() -> None:
    assert why_not(lab("dune")) == ""
    assert "CloudStack was not read" in why_not(lab("dune", coverage=ex.partial()))
    old = lab("dune")
    late = replace(old, actual=replace(old.actual, taken_at=ex.NOON + timedelta(hours=1)))
    assert "same time" in why_not(late)
    some = replace(old, desired=ex.desired(only=["dune"]))
    assert "some projects" in why_not(some)


# --- the file ---------------------------------------------------------------------------------------------


def test_a_file_is_its_owners_alone_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a.capture"
    earlier = os.umask(0)
    try:
        write_file(lab("dune"), path)
    finally:
        os.umask(earlier)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["a.capture"]
    assert is_capture(path)
    with pytest.raises(UsageError, match="never written over"):
        write_file(lab("ember"), path)
    assert read_file(path) == lab("dune")
    path.chmod(0o644)
    with pytest.raises(CaptureError, match="chmod 600"):
        read_file(path)


def test_a_failing_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sync.capture_file.os.fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        write_file(lab("dune"), tmp_path / "a.capture")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match="there is no folder"):
        write_file(lab("dune"), tmp_path / "no" / "such" / "a.capture")


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with CaptureStore(tmp_path / "captures.sqlite") as store:
        store.add(lab("dune"))
    with CaptureStore(tmp_path / "captures.sqlite", read_only=True) as store:
        with pytest.raises(CaptureError, match="cannot be written: attempt to write a readonly database"):
            store.add(lab("dune", at=ex.NOON + timedelta(minutes=1)))
        assert store.verify() == ()
    with pytest.raises(CaptureError, match="cannot be opened"):
        CaptureStore(tmp_path / "nothing", read_only=True)


def test_of_many_that_open_a_new_store_at_once_one_makes_it(tmp_path: Path) -> None:
    """SQLite itself does not wait where its log is switched on for the first time."""
    path = tmp_path / "captures.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as other, ThreadPoolExecutor(4) as pool:
        path.chmod(0o600)
        other.execute("BEGIN IMMEDIATE")
        opened = [pool.submit(CaptureStore, path) for _ in range(4)]
        wait(opened, timeout=0.2)
        other.execute("COMMIT")
        for one in opened:
            with one.result() as store:
                assert store.verify() == ()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE captures SET digest = 'f00'",
        "UPDATE captures SET head = x'00'",
        "UPDATE versions SET until = 1 WHERE key LIKE '%dune-0'",
        "DELETE FROM versions WHERE list = 'actual.domains'",
        "UPDATE versions SET content = (SELECT content FROM versions WHERE list = 'actual.accounts') "
        "WHERE list = 'actual.domains'",
        "UPDATE versions SET key = 'id:other' WHERE list = 'actual.domains'",
        "DELETE FROM meta WHERE name = 'parts'",
        "UPDATE meta SET value = x'00' WHERE name = 'parts'",
    ],
)
def test_a_changed_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.capture"
    write_file(lab("dune"), path)
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(damage).rowcount
    with pytest.raises(CaptureError, match="damaged"):
        read_file(path)
    with CaptureStore(path, read_only=True) as store:
        assert len(store.verify()) == 1


def test_a_torn_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.capture"
    write_file(lab(*(f"project-{number}" for number in range(200))), path)
    whole = path.read_bytes()
    path.write_bytes(whole[:12_000] + b"\xff" * 20_000 + whole[32_000:])
    with pytest.raises(CaptureError, match="damaged"):
        read_file(path)


def test_what_is_no_capture_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE projects (name TEXT)")
    path.chmod(0o600)
    assert not is_capture(path)
    with pytest.raises(CaptureError, match="is no file of captures"):
        read_file(path)
    path.write_bytes(b"not a database at all, and long enough to be looked at, and a little longer than that")
    assert not is_capture(path)
    with pytest.raises(CaptureError):
        read_file(path)
    write_file(lab("dune"), tmp_path / "a.capture")
    with closing(sqlite3.connect(tmp_path / "a.capture")) as connection, connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(CaptureError, match="format 99"):
        read_file(tmp_path / "a.capture")


# --- what it costs ----------------------------------------------------------------------------------------


def test_a_day_of_captures_costs_little_more_than_one(tmp_path: Path) -> None:
    """A hundredth of the lab that must stay below 500 MiB (`python -m tests.benchmarks captures`), with more
    change in it: 50 domains with 150 VMs, of which a third is replaced in 400 captures."""
    cost = measure(tmp_path, domains=50, captures=400, every=timedelta(hours=2))
    assert cost.size < 5 << 20
