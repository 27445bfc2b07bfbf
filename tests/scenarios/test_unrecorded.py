"""Something deletes past abreast: every reading rings for it, until somebody has looked and says so."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from console.cli.reading import read_all
from console.messages import ActualRead, DeletionsRead, DesiredRead
from console.refresh import Refresher
from console.session import Session
from sync.settings import load
from sync.unrecorded import DeletionCheck
from tests.containment import Incident, start_sandbox
from tests.retirements import clock_of
from tests.test_refresh import SynchronousApp

CRITICAL, DONE, REFUSED, USAGE = 2, 0, 1, 64


def check(incident: Incident) -> tuple[int, dict[str, Any]]:
    ran = incident.abreast.run("check", "--format", "json")
    assert ran.stdout, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout)
    return ran.returncode, found


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger of its own also for a session in this process: another test's has another server pinned."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def delete(incident: Incident, name: str, **parameters: str) -> None:
    incident.sync.call("deleteDomain", id=incident.domains()[name], **parameters)
    incident.pass_time(120, step=2)


@pytest.mark.parametrize("release", ["4.23", "4.18"])
def test_what_was_deleted_past_the_ledger_rings_until_it_is_acknowledged(
    release: str, tmp_path: Path
) -> None:
    with start_sandbox(tmp_path, release=release, scale=0.01, domains=4) as sandbox:
        incident = Incident(sandbox, tmp_path)
        code, found = check(incident)
        assert (code, found["status"]) == (DONE, "in sync"), "nothing was deleted yet"
        assert found["unrecorded_deletions"] == {"found": [], "elsewhere": 0, "problem": ""}

        delete(incident, "p01", cleanup="true")
        delete(incident, "p02")  # refused: it is not empty
        delete(incident, "p03", cleanup="true")
        code, found = check(incident)
        assert (code, found["status"]) == (CRITICAL, "critical")
        assert [one["name"] for one in found["unrecorded_deletions"]["found"]] == ["p01", "p03"]
        assert {one["account"] for one in found["unrecorded_deletions"]["found"]} == {"ci-sync"}
        assert "Two deletions are not in the ledger." in found["headline"], "which, is said below it"
        assert incident.lost() == ["p01", "p03"]

        text = incident.abreast.run("check").stdout
        first, second = (one["id"] for one in found["unrecorded_deletions"]["found"])
        assert "NOT IN THE LEDGER: domain p01 by ci-sync/ci-sync at " in text
        assert f"(event {first})" in text
        options = f"--environment lab --config {incident.abreast.config}"
        assert f"`abreast ledger acknowledge {options} EVENT… --reason …`" in text
        assert headless(incident)["unrecorded_deletions"]["found"] == found["unrecorded_deletions"]["found"]

        listed = incident.abreast.run("ledger", "acknowledge")
        assert (listed.returncode, len(listed.stdout.splitlines())) == (CRITICAL, 3)
        say_so = ("ledger", "acknowledge", first[:8], "--reason", "the sync job, ticket 7")
        unknown = incident.abreast.run("ledger", "acknowledge", "zzzzzzz", "--reason", "x")
        assert (unknown.returncode, "none begins" in unknown.stderr) == (USAGE, True)
        assert incident.abreast.run(*say_so, typed="yes\n").returncode == REFUSED
        assert incident.abreast.run(*say_so, typed="lab\n").returncode == DONE
        code, found = check(incident)
        assert code == CRITICAL
        assert [one["id"] for one in found["unrecorded_deletions"]["found"]] == [second]
        every = ("ledger", "acknowledge", "--all", "--reason", "the same night")
        assert incident.abreast.run(*every, typed="lab\n").returncode == DONE
        _, found = check(incident)
        assert found["unrecorded_deletions"]["found"] == []
        shown = incident.abreast.run("ledger", "show").stdout
        assert "deletion acknowledged" in shown
        assert "the sync job, ticket 7" in shown
        assert incident.abreast.run("ledger", "verify").returncode == DONE


def headless(incident: Incident) -> dict[str, Any]:
    """The first line of the monitoring mode without a screen."""
    process = incident.abreast.start("watch", "--headless")
    assert process.stdout is not None
    line = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    found: dict[str, Any] = json.loads(line)
    return found


def test_events_that_this_key_may_not_read_prove_no_peace(tmp_path: Path) -> None:
    with start_sandbox(tmp_path, release="4.23", scale=0.01, domains=1) as sandbox:
        incident = Incident(sandbox, tmp_path)
        sandbox.control.add_fault("503", command="listEvents")
        code, found = check(incident)
        assert (code, found["status"], found["coverage"]["actual"]["state"]) == (3, "unknown", "complete")
        assert "Whether something was deleted past the ledger is not known" in (
            incident.abreast.run("check").stdout
        )


def test_events_are_read_once_a_refresh_and_tell_both_what_is_deleted_and_what_was(tmp_path: Path) -> None:
    """By the sandbox's own log of what it was asked."""
    with start_sandbox(tmp_path, release="4.23", scale=0.01, domains=2) as sandbox:
        incident = Incident(sandbox, tmp_path)
        clock = clock_of(sandbox)
        session = Session(load(incident.abreast.config).environment("lab"), operator="op@here", clock=clock)

        def events_read(read: Callable[[], object]) -> int:
            before = len(sandbox.control.log())
            read()
            return sum(entry["command"] == "listEvents" for entry in sandbox.control.log()[before:])

        app = SynchronousApp()
        refresher = Refresher(app, session, clock=clock)

        def compared() -> DeletionCheck:
            """What a refresh of the console comes to."""
            app.posted.clear()
            refresher.supersede()
            (told,) = [one for one in app.posted if isinstance(one, DeletionsRead)]
            refresher.deletions_ended(told.generation)
            desired, actual = (
                next(one.inventory for one in app.posted if isinstance(one, kind))
                for kind in (DesiredRead, ActualRead)
            )
            return session.compare(desired, actual).deletions

        try:
            once = events_read(session.read_told)
            assert once >= 2, "of domains, and of accounts"
            assert events_read(lambda: read_all(session)) == once
            assert events_read(compared) == once
            delete(incident, "p01", cleanup="true")
            clock.now = clock_of(sandbox).now
            desired, actual, situation = read_all(session)
            found = session.compare(desired, actual).deletions.found
            assert [one.name for one in found] == ["p01"]
            assert situation is not None
            assert [one.name for one in situation.deletions] == ["p01"]
            delete(incident, "p02", cleanup="true")
            clock.now = clock_of(sandbox).now
            assert [one.name for one in compared().found] == ["p01", "p02"]
            assert [one.has_news for one in app.posted if isinstance(one, DeletionsRead)] == [True]
            compared()
            assert [one.has_news for one in app.posted if isinstance(one, DeletionsRead)] == [False]
            # After a time without readings more is asked for than is told of at every refresh.
            clock.now += timedelta(days=3)
            assert events_read(lambda: read_all(session)) == 2 * once
            assert events_read(lambda: read_all(session)) == once
        finally:
            session.close()
