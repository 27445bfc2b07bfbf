"""The ledger: durable, chained, and found out when somebody changed it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, inspect, select
from sqlalchemy.engine import Connection

from sync import ledger_schema
from sync.errors import ConfigurationError, LedgerError
from sync.ledger import EntryKind, Ledger, RunState
from sync.ledger_check import Chain, Watch
from sync.ledger_database import LATEST_REVISION
from sync.ledger_entries import NO_HASH, Written, canonical, exported, stamp
from sync.model import Outcome
from sync.pins import Server
from tests.fake_cloudstack import START, Clock

if TYPE_CHECKING:
    from tests.stores import Store

pytest_plugins = ["tests.stores"]


@pytest.fixture
def ledger(store: Store) -> Iterator[Ledger]:
    with store.open() as made:
        yield made


def fill(ledger: Ledger, count: int) -> None:
    for number in range(1, count + 1):
        ledger.append(EntryKind.SUBMITTED, {"action": "a", "job_id": str(number)}, run_id="run")


# --- writing and reading ------------------------------------------------------------------------------------


def test_entries_come_back_as_written(ledger: Ledger) -> None:
    payload = {
        "action": "create-domain ROOT/ci/été",
        "text": "[/x] \u0000 \ud800 “”",
        "number": 1,
        "none": None,
    }
    written = ledger.append(EntryKind.INTENT, payload, run_id="run")

    assert ledger.entries() == [written]
    assert written.payload == payload
    assert (written.seq, written.previous_hash, written.operator) == (1, NO_HASH, "ops@console")
    assert written.at == START


def test_entries_can_be_chosen(ledger: Ledger) -> None:
    clock = ledger._clock
    assert isinstance(clock, Clock)
    fill(ledger, 3)
    clock.sleep(60)
    ledger.append(EntryKind.OUTCOME, {"action": "b", "outcome": "failed", "detail": ""}, run_id="other")

    assert [entry.seq for entry in ledger.entries(limit=2)] == [3, 4]
    assert [entry.seq for entry in ledger.entries(run_id="other")] == [4]
    assert [entry.seq for entry in ledger.entries(kinds=[EntryKind.SUBMITTED])] == [1, 2, 3]
    assert [entry.seq for entry in ledger.entries(since=START + timedelta(seconds=1))] == [4]


def test_environments_in_one_database_have_chains_of_their_own(store: Store) -> None:
    with store.open() as drill, store.open(environment="production") as production:
        fill(drill, 2)
        fill(production, 3)
        assert [entry.seq for entry in drill.entries()] == [1, 2]
        assert [entry.seq for entry in production.entries()] == [1, 2, 3]
        assert drill.verify().is_sound and production.verify().is_sound


def test_threads_and_ledgers_append_to_one_chain(store: Store) -> None:
    ledgers = [store.open(), store.open()]
    threads = [threading.Thread(target=fill, args=(ledgers[number % 2], 25)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [entry.seq for entry in ledgers[0].entries()] == list(range(1, 201))
    assert ledgers[1].verify().is_sound
    for ledger in ledgers:
        ledger.close()


def test_what_is_written_as_text_comes_back_as_values(ledger: Ledger) -> None:
    """A plan of thousands of actions: hashed in pieces, which may end anywhere in it."""
    plan = {"notes": ["é" * 50_000, "\u0000", '"quoted"'], "none": None}
    ledger.begin_run("run", {"plan": Written(lambda: canonical(plan)), "policy": "x"}, digest="d", total=1)
    (entry,) = ledger.entries()
    assert entry.payload == {"plan": plan, "policy": "x"}
    fields = [
        *(entry.environment, entry.seq, entry.run_id, entry.kind.value, stamp(entry.at), entry.operator),
        *(canonical(entry.payload), entry.previous_hash),
    ]
    assert entry.hash == hashlib.sha256(canonical(fields).encode("ascii")).hexdigest()
    assert ledger.verify().is_sound


def test_what_is_no_json_is_not_written() -> None:
    with pytest.raises(TypeError, match="set cannot be written"):
        canonical({"a": {1}})


def test_a_long_run_is_read_entry_by_entry(ledger: Ledger) -> None:
    fill(ledger, 1200)
    assert list(ledger.each(kinds=[EntryKind.SUBMITTED])) == ledger.entries()
    assert list(ledger.each(run_id="another")) == []


def test_payloads_have_one_spelling() -> None:
    assert canonical({"b": 1, "a": "é"}) == '{"a":"\\u00e9","b":1}'


def test_every_kind_has_a_summary(ledger: Ledger) -> None:
    payload = {
        "plan": {"actions": [{"kind": "create domain"}, {"kind": "create user"}]},
        "policy": "staged",
        "confirmed": {"by": "anna"},
        "action": "create-domain ROOT/ci/dune",
        "command": "createDomain",
        "job_id": "7",
        "outcome": "failed",
        "detail": "No.",
        "counts": {"succeeded": 2, "failed": 0},
        "taken_over_from": "ben@desk",
        "owner": "ben@desk",
        "process": 12,
        "host": "desk",
        "heartbeat": "2026-07-28T03:12:00.000000Z",
        "reason": "the desk burns",
        "endpoint": "https://cloud.example.org",
        "root_id": "r",
        "side": "CI database",
        "entries": 4,
        "source": "desk:own.sqlite",
        "up_to": 6,
        "words": "domain dune by sync/sync",
        "sightings": [{"project": "zephyr", "kind": "unexpected"}],
        "proposal": {"id": "retire-1", "targets": [{"path": "ROOT/ci/zephyr"}]},
        "campaign": {"id": "campaign-1", "projects": ["zephyr", "dune"]},
        "of": "retire-1",
        "people": ["alice"],
        "step": "quarantine",
    }
    summaries = {kind: ledger.append(kind, payload, run_id="run").summary for kind in EntryKind}
    assert summaries == {
        EntryKind.RUN_STARTED: "2 actions, staged, confirmed by anna",
        EntryKind.RUN_RESUMED: "confirmed by anna, taken over from ben@desk",
        EntryKind.INTENT: "create-domain ROOT/ci/dune: createDomain",
        EntryKind.SUBMITTED: "create-domain ROOT/ci/dune: job 7",
        EntryKind.OUTCOME: "create-domain ROOT/ci/dune: failed No.",
        EntryKind.RUN_ENDED: "2 succeeded",
        EntryKind.LEASE_TAKEN: "from ben@desk, process 12 on desk, which is gone",
        EntryKind.LEASE_BROKEN: "of ben@desk, last heard of 2026-07-28T03:12:00.000000Z: the desk burns",
        EntryKind.PINNED: "https://cloud.example.org with ROOT domain r: the desk burns",
        EntryKind.SHRINKAGE_ACCEPTED: "CI database with 0 failed, 2 succeeded: the desk burns",
        EntryKind.JOURNAL_MERGED: "4 entries of desk:own.sqlite, up to its 6",
        EntryKind.DELETION_ACKNOWLEDGED: "domain dune by sync/sync: the desk burns",
        EntryKind.RETIREMENT_SEEN: "zephyr is unexpected",
        EntryKind.RETIREMENT_PROPOSED: "retire-1: ROOT/ci/zephyr",
        EntryKind.RETIREMENT_SIGNED: "retire-1: alice",
        EntryKind.RETIREMENT_BEGUN: "retire-1: quarantine",
        EntryKind.RETIREMENT_ENDED: "retire-1: quarantine",
        EntryKind.RETIREMENT_STOPPED: "retire-1: quarantine: the desk burns",
        EntryKind.RETIREMENT_CAMPAIGN: "campaign-1: zephyr, dune",
    }


# --- runs ---------------------------------------------------------------------------------------------------


def test_a_run_from_its_start_to_its_end(ledger: Ledger) -> None:
    ledger.begin_run("run-1", {"plan": {}}, digest="d" * 64, total=3)
    interrupted = ledger.interrupted_run()
    assert interrupted is not None
    assert (interrupted.run_id, interrupted.state, interrupted.total) == ("run-1", RunState.RUNNING, 3)

    ledger.end_run("run-1", {"why": ""}, state=RunState.STOPPED, counts={Outcome.SUCCEEDED: 1})
    stopped = ledger.interrupted_run()
    assert stopped is not None and stopped.counts == {Outcome.SUCCEEDED: 1}
    ledger.resume_run("run-1", {})
    ledger.end_run("run-1", {"why": ""}, state=RunState.FINISHED, counts={Outcome.SUCCEEDED: 3})

    assert ledger.interrupted_run() is None
    assert [(run.run_id, run.state, run.ended_at) for run in ledger.runs()] == [
        ("run-1", RunState.FINISHED, START)
    ]


def test_only_the_newest_run_counts_as_interrupted(ledger: Ledger) -> None:
    clock = ledger._clock
    assert isinstance(clock, Clock)
    ledger.begin_run("run-1", {}, digest="", total=1)
    clock.sleep(1)
    ledger.begin_run("run-2", {}, digest="", total=1)
    ledger.end_run("run-2", {}, state=RunState.FINISHED, counts={})
    assert ledger.interrupted_run() is None
    assert [run.run_id for run in ledger.runs()] == ["run-2", "run-1"]


def test_a_run_that_never_began_cannot_end(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="no run"):
        ledger.end_run("nothing", {}, state=RunState.FINISHED, counts={})
    assert ledger.entries() == [], "the entry must not stay without its run"


# --- the chain ----------------------------------------------------------------------------------------------


def test_an_untouched_ledger_is_sound(ledger: Ledger) -> None:
    assert ledger.verify().entries == 0
    fill(ledger, 5)
    verified = ledger.verify()
    assert (verified.is_sound, verified.entries) == (True, 5)
    assert verified.head == ledger.entries()[-1].hash


SWAP = (
    "UPDATE entries SET seq = 99 WHERE seq = 2",
    "UPDATE entries SET seq = 2 WHERE seq = 3",
    "UPDATE entries SET seq = 3 WHERE seq = 99",
)
COPY = (
    "INSERT INTO entries SELECT environment, 6, run_id, kind, at, operator, payload, previous_hash, hash "
    "FROM entries WHERE seq = 5"
)


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        (["UPDATE entries SET payload = '{}' WHERE seq = 3"], "Entry 3 was changed"),
        (["UPDATE entries SET operator = 'other' WHERE seq = 3"], "Entry 3 was changed"),
        (["UPDATE entries SET at = '2020-01-01T00:00:00.000000Z' WHERE seq = 1"], "Entry 1 was changed"),
        (["UPDATE entries SET run_id = NULL WHERE seq = 5"], "Entry 5 was changed"),
        (["DELETE FROM entries WHERE seq = 3"], "Entry 3 was removed"),
        (["DELETE FROM entries WHERE seq IN (2, 3)"], "Entry 2 to 3 was removed"),
        (["DELETE FROM entries WHERE seq = 1"], "Entry 1 was removed"),
        (["DELETE FROM entries WHERE seq = 5"], "its end was altered"),
        (["DELETE FROM entries"], "its end was altered"),
        (["DELETE FROM entries", "DELETE FROM heads"], ""),
        (SWAP, "Entry 2 was changed, moved or inserted"),
        ([COPY], "Entry 6 was changed, moved or inserted"),
    ],
)
def test_tampering_is_found(store: Store, statements: list[str], problem: str) -> None:
    with store.open() as ledger:
        fill(ledger, 5)
    store.tamper(*statements)
    with store.open(operator="x") as ledger:
        verified = ledger.verify()
    if problem:
        assert not verified.is_sound
        assert problem in " ".join(verified.problems)
    else:
        assert verified.entries == 0, "only a head noted elsewhere shows that everything was thrown away"


def test_a_rewritten_entry_with_a_true_hash_breaks_the_chain(store: Store) -> None:
    from sync.ledger import hash_of

    with store.open() as ledger:
        fill(ledger, 4)
        entry = ledger.entries()[1]
    payload = canonical({"forged": True})
    forged = hash_of(
        "drill",
        2,
        run_id=entry.run_id,
        kind=entry.kind.value,
        at="2026-07-28T03:12:00.000000Z",
        operator=entry.operator,
        payload=payload,
        previous_hash=entry.previous_hash,
    )
    store.tamper(f"UPDATE entries SET payload = '{payload}', hash = '{forged}' WHERE seq = 2")
    with store.open() as ledger:
        assert ledger.verify().problems == ("Entry 3 does not follow the one before it.",)


def test_the_end_is_found_missing_even_with_its_head_by_a_hash_noted_elsewhere(store: Store) -> None:
    with store.open() as ledger:
        fill(ledger, 5)
        noted = ledger.verify().head
        third = ledger.entries()[2].hash
    store.tamper("DELETE FROM entries WHERE seq > 3", f"UPDATE heads SET seq = 3, hash = '{third}'")
    with store.open() as ledger:
        assert ledger.verify().is_sound, "the chain alone cannot know"
        assert ledger.verify(noted=third).is_sound
        assert noted in " ".join(ledger.verify(noted=noted).problems)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE runs SET state = 'finished'", "The run run-1 is stopped by its entries, but finished in"),
        ("UPDATE runs SET state = 'gibberish'", "but gibberish in the table of runs"),
        ("DELETE FROM runs", "The run run-1 is stopped by its entries, but not there in the table of runs"),
        ("UPDATE pins SET root_id = 'other'", "pinned to was changed without an entry"),
        ("UPDATE pins SET shares = '[\"production\"]'", "pinned to was changed without an entry"),
        ("DELETE FROM pins", "pinned to was changed without an entry"),
    ],
)
def test_what_is_kept_beside_the_chain_is_compared_with_it(
    store: Store, statement: str, problem: str
) -> None:
    with store.open() as ledger:
        ledger.begin_run("run-1", {}, digest="", total=1)
        ledger.end_run("run-1", {}, state=RunState.STOPPED, counts={})
        ledger.pins.recognise(Server("https://cloud.example.org/client/api", "root"))
        assert ledger.verify().is_sound
        store.tamper(statement)
        assert [problem in found for found in ledger.verify().problems] == [True]


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        (["UPDATE entries SET payload = '{}' WHERE seq = 7"], "Entry 7 was changed, moved or inserted"),
        (
            ["UPDATE entries SET payload = '{}' WHERE seq = 5"],
            "Entry 5 was changed after it had been verified",
        ),
        (["DELETE FROM entries WHERE seq = 6"], "Entry 6 was removed"),
        (["DELETE FROM entries WHERE seq > 3", "UPDATE heads SET seq = 3"], "Entry 5 was removed"),
        (["DELETE FROM entries", "DELETE FROM heads"], "Entry 5 was removed"),
    ],
)
def test_a_watched_ledger_is_verified_from_the_last_entry_on(
    store: Store, statements: list[str], problem: str
) -> None:
    with store.open() as ledger:
        fill(ledger, 5)
        watch = Watch(lambda: ledger)
        assert watch.look() == ""
        fill(ledger, 3)
        store.tamper(*statements)
        assert problem in watch.look()
        assert watch.look() == watch.look(), "it stays altered"


def test_a_watch_misses_entries_that_are_taken_from_the_end(store: Store) -> None:
    with store.open() as ledger:
        fill(ledger, 5)
        watch = Watch(lambda: ledger)
        assert watch.look() == ""
        store.tamper("DELETE FROM entries WHERE seq = 5")
        assert "Entry 5 was removed" in watch.look()


def test_a_watched_ledger_in_which_nothing_is_new_is_not_read_again(
    file: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with file.open() as ledger:
        fill(ledger, 5)
        taken: list[int] = []
        take = Chain.take
        monkeypatch.setattr(Chain, "take", lambda self, row: (taken.append(row.seq), take(self, row)))
        watch = Watch(lambda: ledger)
        assert (watch.look(), watch.look()) == ("", "")
        fill(ledger, 2)
        assert (watch.look(), watch.look()) == ("", "")
        assert taken == [1, 2, 3, 4, 5, 6, 7]


def test_verifying_sees_one_moment_while_others_write(store: Store) -> None:
    """What is appended between two of its queries is no sign of tampering."""
    with store.open() as writer, store.open() as reader:
        thread = threading.Thread(target=fill, args=(writer, 150))
        thread.start()
        verified = []
        while thread.is_alive():
            verified.append(reader.verify())
        thread.join()
        assert reader.verify().entries == 150
    assert [problem for one in verified for problem in one.problems] == []
    assert len({one.entries for one in verified}) > 3, "it verified while entries were written"


def test_an_export_can_be_verified_without_this_code(ledger: Ledger) -> None:
    fill(ledger, 2)
    ledger.append(EntryKind.INTENT, {"action": "été “[/x]”", "n": [1, None, 0.5]}, run_id=None)
    previous = NO_HASH
    for line in [json.dumps(exported(entry)) for entry in ledger.entries()]:
        *values, found = json.loads(line).values()

        def text(value: object) -> str:
            return json.dumps(value, sort_keys=True, separators=(",", ":"))

        assert values[7] == previous
        values[6] = text(values[6])
        previous = hashlib.sha256(text(values).encode()).hexdigest()
        assert found == previous
    assert previous == ledger.verify().head


# --- the database -------------------------------------------------------------------------------------------


def test_it_is_written_ahead_and_fully_synchronous(file: Store) -> None:
    with file.open() as ledger, ledger._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_the_file_is_its_owners_alone(file: Store, tmp_path: Path) -> None:
    with file.open() as ledger:
        fill(ledger, 1)
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("ledger.sqlite*")}
    assert modes == dict.fromkeys(("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"), 0o600)


def test_migrations_make_the_tables_that_the_code_uses(ledger: Ledger) -> None:
    found = inspect(ledger._engine)
    for table in ledger_schema.metadata.sorted_tables:
        columns = {column["name"]: column for column in found.get_columns(table.name)}
        assert list(columns) == [column.name for column in table.columns]
        for column in table.columns:
            assert columns[column.name]["nullable"] == column.nullable, (table.name, column.name)
        assert found.get_pk_constraint(table.name)["constrained_columns"] == [
            column.name for column in table.primary_key
        ]


def test_the_latest_revision_is_the_newest_migration() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    import sync.migrations

    config = Config()
    config.set_main_option("script_location", str(Path(sync.migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == LATEST_REVISION


def test_the_schema_is_made_without_an_alembic_ini_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Ledger(f"sqlite:///{tmp_path / 'deep' / 'down' / 'l.sqlite'}", environment="drill") as ledger:
        fill(ledger, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]


def test_it_can_be_opened_by_many_at_once(store: Store) -> None:
    errors: list[Exception] = []

    def open_one() -> None:
        try:
            store.open().close()
        except LedgerError as error:
            errors.append(error)

    threads = [threading.Thread(target=open_one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_new_file_is_waited_for_while_another_process_makes_it(tmp_path: Path) -> None:
    """SQLite itself does not wait where the log is switched on for the first time."""
    path = tmp_path / "ledger.sqlite"
    with (
        closing(sqlite3.connect(path, isolation_level=None)) as other,
        ThreadPoolExecutor(1) as pool,
    ):
        other.execute("BEGIN IMMEDIATE")
        opened = pool.submit(Ledger(f"sqlite:///{path}", environment="drill").open)
        wait([opened], timeout=0.2)
        other.execute("COMMIT")
        with opened.result() as ledger:
            fill(ledger, 1)
            assert ledger.verify().is_sound


def test_a_ledger_of_a_newer_release_is_refused(store: Store) -> None:
    store.open().close()
    store.tamper("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LedgerError, match="newer abreast"):
        store.open()


def test_what_cannot_be_written_says_so(store: Store) -> None:
    with store.open() as ledger:
        store.tamper("DROP TABLE entries")
        with pytest.raises(LedgerError, match="cannot be written") as caught:
            fill(ledger, 1)
        assert "Nothing is sent to CloudStack" in str(caught.value)
        with pytest.raises(LedgerError, match="cannot be read"):
            ledger.entries()


def test_a_folder_that_cannot_hold_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot be opened"):
        Ledger(f"sqlite:///{tmp_path / 'file' / 'below' / 'l.sqlite'}", environment="drill").open()


def test_no_payload_is_in_an_error(store: Store) -> None:
    with store.open() as ledger:
        store.tamper("DROP TABLE entries")
        with pytest.raises(LedgerError) as caught:
            ledger.append(EntryKind.INTENT, {"action": "visible-nowhere"}, run_id="run")
        assert "visible-nowhere" not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url", ["", "nonsense", "postgresql+nodriver://user:hidden-word@host/name", "oracle://u:hidden-word@h/n"]
)
def test_a_url_that_is_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Ledger(url, environment="drill")
    assert "hidden-word" not in str(caught.value)


def test_what_was_written_is_there_for_another_program(store: Store) -> None:
    """The documented columns, read without this code."""
    with store.open() as ledger:
        fill(ledger, 1)
    engine = create_engine(store.url)
    connection: Connection
    with engine.connect() as connection:
        row = connection.execute(select(ledger_schema.entries)).one()
    engine.dispose()
    assert json.loads(row.payload) == {"action": "a", "job_id": "1"}
    assert row.at == "2026-07-28T03:12:00.000000Z"


def test_a_damaged_file_is_to_be_kept_and_replaced(tmp_path: Path) -> None:
    """Not the disk's space or permissions: they are not what is wrong."""
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database, and long enough to be looked at" * 200)
    with pytest.raises(LedgerError, match="The file is damaged: keep it") as caught:
        Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}", environment="lab", operator="anna").entries()
    assert "permissions" not in str(caught.value)
