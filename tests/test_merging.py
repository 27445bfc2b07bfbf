"""What was recorded on one machine alone comes into the team's ledger: once, whole, as it was written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine

from sync.containment_journal import (
    ContainmentJournal,
    earlier_local,
    merge_journal,
    open_journal,
    standing,
)
from sync.errors import LedgerError
from sync.ledger import EntryKind, Ledger
from sync.model import Outcome
from sync.settings import journal_of
from tests.cli import ROOT, Access, configure
from tests.fake_cloudstack import START, Clock

if TYPE_CHECKING:
    from tests.stores import Database, Store

pytest_plugins = ["tests.stores"]

OWNER = "ben@laptop"


def own_ledger(path: Path, clock: Clock | None = None) -> Ledger:
    return Ledger(f"sqlite:///{path}", environment="lab", operator=OWNER, clock=clock or Clock()).open()


def shield(journal: ContainmentJournal, name: str, *, lifts: bool = False) -> None:
    """One shield put up, or taken down again."""
    action = f"shield ROOT/ci/{name} by vm-1 v-{name}"
    what = f"lift {action}" if lifts else action
    journal.intent(
        what,
        kind="unshield" if lifts else "shield",
        target=f"ROOT/ci/{name}",
        target_id=f"v-{name}",
        command="updateVirtualMachine",
        parameters={"id": f"v-{name}"},
        before={"vm": "vm-1"},
        undoes=action if lifts else "",
    )
    journal.outcome(what, Outcome.SUCCEEDED)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """This machine's journal: two shields, put up at 03:12 by Ben."""
    path = tmp_path / "own.sqlite"
    with own_ledger(path) as ledger:
        journal = ContainmentJournal(ledger, is_local=True)
        for name in ("aurora", "boreal"):
            shield(journal, name)
    return path


def shields(ledger: Ledger) -> list[str]:
    entries = ledger.entries(kinds=[EntryKind.INTENT, EntryKind.OUTCOME])
    return [one.target for one in standing(entries, "shield")]


# --- what is merged -----------------------------------------------------------------------------------------


def test_it_is_taken_in_with_its_times_and_its_people_and_stands_there(store: Store, own: Path) -> None:
    store.clock.sleep(7200)
    with store.open(environment="lab", operator="anna@desk") as team:
        team.append(EntryKind.INTENT, {"action": "a", "command": "createDomain"}, run_id="r")
        merged = merge_journal(team, own)
        assert merged is not None
        assert (merged.entries, merged.path) == (4, own)
        _, *taken, mark = team.entries()
        with own_ledger(own) as mine:
            originals = mine.entries()
        assert [(one.at, one.operator, one.kind, one.run_id) for one in taken] == [
            (one.at, OWNER, one.kind, one.run_id) for one in originals
        ]
        assert {one.at for one in taken} == {START}
        assert [one.payload["merged_from"]["hash"] for one in taken] == [one.hash for one in originals]
        assert [one.payload["action"] for one in taken] == [one.payload["action"] for one in originals]
        assert (mark.kind, mark.operator, mark.at) == (
            EntryKind.JOURNAL_MERGED, "anna@desk", START + timedelta(seconds=7200)
        )  # fmt: skip
        assert mark.summary.startswith("4 entries of ")
        assert shields(team) == ["ROOT/ci/aurora", "ROOT/ci/boreal"]
        assert team.verify().is_sound


def test_merging_again_adds_nothing_and_what_is_new_later_is_added(store: Store, own: Path) -> None:
    with store.open(environment="lab") as team:
        assert [merge_journal(team, own).entries for _ in range(3)] == [4, 0, 0]  # type: ignore[union-attr]
        assert len(team.entries()) == 5
        with own_ledger(own) as ledger:
            shield(ContainmentJournal(ledger, is_local=True), "aurora", lifts=True)
        assert [merge_journal(team, own).entries for _ in range(2)] == [2, 0]  # type: ignore[union-attr]
        assert shields(team) == ["ROOT/ci/boreal"]
        assert team.verify().is_sound


def test_journals_of_several_machines_are_merged_each_for_itself(
    store: Store, own: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.sqlite"
    with own_ledger(other) as ledger:
        shield(ContainmentJournal(ledger, is_local=True), "cirrus")
    with store.open(environment="lab") as team:
        for path in (own, other, own, other):
            merge_journal(team, path)
        assert shields(team) == ["ROOT/ci/aurora", "ROOT/ci/boreal", "ROOT/ci/cirrus"]
        assert len(team.entries(kinds=[EntryKind.JOURNAL_MERGED])) == 2


def test_where_there_is_none_nothing_is_made(store: Store, tmp_path: Path) -> None:
    with store.open(environment="lab") as team:
        assert merge_journal(team, tmp_path / "none.sqlite") is None
        own_ledger(tmp_path / "empty.sqlite").close()
        merged = merge_journal(team, tmp_path / "empty.sqlite")
        assert merged is not None
        assert merged.entries == 0
        assert team.entries() == []
    assert not (tmp_path / "none.sqlite").exists()


# --- what is refused ----------------------------------------------------------------------------------------


def tamper(path: Path, *statements: str) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_one_that_was_altered_is_not_merged(file: Store, own: Path) -> None:
    tamper(own, "UPDATE entries SET operator = 'nobody' WHERE seq = 2")
    with file.open(environment="lab") as team:
        with pytest.raises(LedgerError, match="does not verify: Entry 2 was changed"):
            merge_journal(team, own)
        assert team.entries() == []


def test_one_that_was_cut_and_written_anew_is_not_merged(file: Store, own: Path) -> None:
    with file.open(environment="lab") as team:
        merge_journal(team, own)
        with own_ledger(own) as ledger:
            third = ledger.entries()[1]
        tamper(
            own,
            "DELETE FROM entries WHERE seq > 2",
            f"UPDATE heads SET seq = 2, hash = '{third.hash}'",
        )
        with pytest.raises(LedgerError, match="was merged up to its entry 4: it was rewritten"):
            merge_journal(team, own)
        with own_ledger(own, Clock()) as ledger:
            for name in ("cirrus", "dune"):
                shield(ContainmentJournal(ledger, is_local=True), name)
        with pytest.raises(LedgerError, match="it was rewritten"):
            merge_journal(team, own)
        assert len(team.entries()) == 5


def test_a_whole_ledger_is_no_journal(file: Store, tmp_path: Path) -> None:
    with own_ledger(tmp_path / "other.sqlite") as other:
        other.append(EntryKind.LEASE_TAKEN, {}, run_id=None)
    with (
        file.open(environment="lab") as team,
        pytest.raises(LedgerError, match="no journal of containment: its entry 1 is “lease taken”"),
    ):
        merge_journal(team, tmp_path / "other.sqlite")


# --- killed -------------------------------------------------------------------------------------------------

KILLED = textwrap.dedent(
    """
    import os, signal, sys
    from pathlib import Path
    from sync.containment_journal import merge_journal
    from sync.ledger import Ledger

    url, path, at = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    plain, calls = Ledger._append, 0

    def append(self, *arguments, **more):
        global calls
        if calls == at:
            os.kill(os.getpid(), signal.SIGKILL)
        calls += 1
        return plain(self, *arguments, **more)

    Ledger._append = append
    with Ledger(url, environment="lab", operator="anna@desk") as team:
        merge_journal(team, path)
        os.kill(os.getpid(), signal.SIGKILL)
    """
)


@pytest.mark.parametrize("at", [0, 1, 3, 4, 99], ids=lambda at: f"before entry {at}")
def test_killed_at_any_moment_it_is_merged_once(store: Store, own: Path, at: int) -> None:
    store.open(environment="lab").close()
    command = [sys.executable, "-c", KILLED, store.url, str(own), str(at)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with store.open(environment="lab", operator="anna@desk") as team:
        assert len(team.entries()) == (5 if at == 99 else 0), "all of it or nothing"
        merged = merge_journal(team, own)
        assert merged is not None
        assert merged.entries == (0 if at == 99 else 4)
        assert len(team.entries()) == 5
        assert shields(team) == ["ROOT/ci/aurora", "ROOT/ci/boreal"]
        assert team.verify().is_sound


# --- by itself ----------------------------------------------------------------------------------------------


def test_while_the_database_is_away_it_is_local_and_afterwards_in_the_ledger(
    database: Database, tmp_path: Path
) -> None:
    url, own = database.url.render_as_string(hide_password=False), tmp_path / "own.sqlite"

    def journal(operator: str = OWNER) -> ContainmentJournal:
        return open_journal(url, environment="lab", operator=operator, local=own, patience=30)

    first = journal()
    assert (first.is_local, first.has_all, own.exists()) == (False, True, False)
    shield(first, "dune")
    first.close()
    database.go()
    alone = journal()
    assert alone.is_local
    shield(alone, "aurora")
    shield(alone, "boreal")
    alone.close()
    database.come_back()
    again = journal("anna@desk")
    assert (again.is_local, again.has_all, again.note) == (False, True, "")
    assert [(one.target, one.operator) for one in again.standing("shield")] == [
        ("ROOT/ci/dune", OWNER), ("ROOT/ci/aurora", OWNER), ("ROOT/ci/boreal", OWNER)
    ]  # fmt: skip
    shield(again, "aurora", lifts=True)
    again.close()
    database.go()
    late = journal()
    assert late.is_local
    shield(late, "cirrus")
    late.close()
    database.come_back()
    last = journal()
    assert [one.target for one in last.standing("shield")] == [
        "ROOT/ci/dune", "ROOT/ci/boreal", "ROOT/ci/cirrus"
    ]  # fmt: skip
    last.close()
    with Ledger(url, environment="lab") as team:
        assert team.verify().is_sound
        assert [one.payload["entries"] for one in team.entries(kinds=[EntryKind.JOURNAL_MERGED])] == [4, 2]


def test_where_the_database_hangs_it_goes_on_in_its_own_file_and_knows_what_stood(
    database: Database, tmp_path: Path
) -> None:
    """The disk of the database died while the console was open: containing may not wait for it."""
    url, own = database.url.render_as_string(hide_password=False), tmp_path / "own.sqlite"
    journal = open_journal(url, environment="lab", operator=OWNER, local=own)
    journal._patience = 1.0
    shield(journal, "dune")
    assert [one.target for one in journal.standing("shield")] == ["ROOT/ci/dune"]
    with database.hanging():
        shield(journal, "aurora")
        assert (journal.is_local, journal.is_recognising) == (True, False)
        assert "cannot be used: it did not answer within 1 s. This is recorded in" in journal.note
        shield(journal, "dune", lifts=True)
        assert [one.target for one in journal.standing("shield")] == ["ROOT/ci/aurora"]
    journal.close()
    again = open_journal(url, environment="lab", operator=OWNER, local=own)
    assert (again.is_local, again.note) == (False, "")
    assert [one.target for one in again.standing("shield")] == ["ROOT/ci/aurora"]
    again.close()
    with Ledger(url, environment="lab") as team:
        assert team.verify().is_sound


def test_it_goes_on_in_its_own_file_where_the_database_goes_away(database: Database, tmp_path: Path) -> None:
    url, own = database.url.render_as_string(hide_password=False), tmp_path / "own.sqlite"
    journal = open_journal(url, environment="lab", operator=OWNER, local=own)
    shield(journal, "dune")
    assert [one.target for one in journal.standing("shield")] == ["ROOT/ci/dune"]
    shield(journal, "boreal")
    database.go()
    assert [one.target for one in journal.standing("shield")] == ["ROOT/ci/dune", "ROOT/ci/boreal"]
    shield(journal, "aurora")
    assert (journal.is_local, str(own) in journal.note) == (True, True)
    assert [one.target for one in journal.standing("shield")] == [
        "ROOT/ci/dune", "ROOT/ci/boreal", "ROOT/ci/aurora"
    ]  # fmt: skip
    journal.close()
    database.come_back()


def test_one_that_cannot_be_merged_keeps_standing_beside_the_ledger(file: Store, own: Path) -> None:
    tamper(own, "UPDATE entries SET operator = 'nobody' WHERE seq = 2")
    journal = open_journal(file.url, environment="lab", operator=OWNER, local=own)
    assert (journal.is_local, journal.has_all) == (False, False)
    assert "is not merged" in journal.note
    journal.close()
    beside = earlier_local("lab", operator=OWNER, local=own)
    assert beside is not None
    assert len(beside.standing("shield")) == 2
    beside.close()


def test_the_command_and_every_start(own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here asks a server."""
    lab = configure(
        tmp_path / "desk", Access("http://127.0.0.1:9/client/api", "k", "s"), "sqlite:///ci.sqlite"
    )
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "desk" / "data"))
    nothing = lab.run("ledger", "merge")
    assert (nothing.returncode, "no journal of its own" in nothing.stdout) == (0, True)
    by_file = lab.run("ledger", "merge", "--file", str(own))
    assert by_file.stdout == f"4 entries of {own} are now in the ledger.\n"
    assert lab.run("ledger", "merge", "--file", str(tmp_path / "x")).returncode == 64

    mine = journal_of("lab")
    with own_ledger(mine) as ledger:
        shield(ContainmentJournal(ledger, is_local=True), "cirrus")
    shown = lab.run("ledger", "show", "--format", "json").stdout.splitlines()
    assert [json.loads(line)["kind"] for line in shown] == [
        "intent", "outcome", "intent", "outcome", "journal merged", "intent", "outcome", "journal merged"
    ]  # fmt: skip
    tamper(mine, "UPDATE entries SET operator = 'nobody' WHERE seq = 2")
    refused = lab.run("ledger", "merge")
    assert (refused.returncode, "does not verify" in refused.stderr) == (3, True)
    assert lab.run("ledger", "verify").returncode == 0
