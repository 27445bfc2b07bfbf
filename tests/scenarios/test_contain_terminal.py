"""Containing in a real terminal while a naive synchronization deletes, at the smallest and the design size.

Time at the sandbox stands still but for what the test lets pass, so that what is lost is exact; the brake is
held in a real MariaDB, in which the sandbox takes its deletion lock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sync.sandbox.naive_sync import CallRefused, synchronize
from tests.containment import KEPT, Incident, start_sandbox
from tests.scenarios.test_containment import IN_TIME, wait_for_waiter
from tests.scenarios.test_terminal import assert_fits
from tests.terminal import Terminal, terminal

if TYPE_CHECKING:
    from tests.databases import Server
    from tests.stores import Database

pytest_plugins = ["tests.stores"]

SIZES = pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
DOMAINS = 6
PATIENCE = 120.0


@contextmanager
def console_on(incident: Incident, columns: int, rows: int) -> Iterator[Terminal]:
    command = ["console", "--config", str(incident.abreast.config)]
    with terminal(command, columns=columns, rows=rows) as shown:
        yield shown


@pytest.fixture(autouse=True)
def own_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def arm(shown: Terminal) -> None:
    shown.press("A")
    shown.wait_for("Type lab")
    shown.press(*"lab", "Enter")
    shown.wait_for("ARMED")
    shown.wait_for("f fence")


class NaiveSync:
    """Deletes one domain after the other; during the third it waits until somebody lets it go on."""

    def __init__(self, incident: Incident) -> None:
        self._incident = incident
        self._begun: list[str] = []
        self.is_in_the_third = threading.Event()
        self.go_on = threading.Event()
        self.refused = ""
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _pause(self, _seconds: float, domain: str) -> None:
        if domain not in self._begun:
            self._begun.append(domain)
        if len(self._begun) == 3 and not self.is_in_the_third.is_set():
            self._incident.control.advance(2.0)
            self.is_in_the_third.set()
            assert self.go_on.wait(PATIENCE)
        self._incident.control.advance(5.0)

    def _run(self) -> None:
        folder = self._incident.folder
        try:
            synchronize(
                self._incident.sync, folder / "ci.sqlite", parent="ROOT/ci", only=KEPT, pause=self._pause
            )
        except CallRefused as error:
            self.refused = str(error)

    def __enter__(self) -> NaiveSync:
        self._thread.start()
        assert self.is_in_the_third.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on.set()
        self._thread.join(PATIENCE)


@SIZES
def test_a_running_sync_is_seen_fenced_and_loses_no_other(columns: int, rows: int, tmp_path: Path) -> None:
    with (
        start_sandbox(tmp_path, release="4.23", scale=1.0, domains=DOMAINS) as sandbox,
        NaiveSync(Incident(sandbox, tmp_path)) as sync,
        console_on(sync._incident, columns, rows) as shown,
    ):
        incident = sync._incident
        overview = shown.wait_for("is being deleted now (2 VMs still alive)")
        assert_fits(overview, columns, rows)
        shown.press("!")
        seen = shown.wait_for("by ci-sync/ci-sync in ROOT")
        assert_fits(seen, columns, rows)
        assert "Being deleted now: ROOT/ci/p03" in seen
        assert "stop the job itself" in seen and "systemctl stop ci-sync" in seen
        assert "No connection to CloudStack's database" in seen
        assert "read-only: A arms" in seen
        arm(shown)
        shown.press("f")
        question = shown.wait_for("to confirm.")
        assert "ci-sync/ci-sync in ROOT: by apikeyaccess" in question
        assert_fits(question, columns, rows)
        shown.press(*"lab", "Enter")
        shown.wait_for("done and read back.")
        fenced = shown.wait_for("FENCED")
        assert_fits(fenced, columns, rows)

        sync.go_on.set()
        sync._thread.join(PATIENCE)
        incident.pass_time(120, step=2.0)
        assert "401" in sync.refused
        assert incident.lost() == ["p01", "p02", "p03"]
        assert sorted(incident.domains()) == ["p04", "p05", "p06"]

        shown.press("s")
        shown.wait_for("to confirm.")
        shown.press(*"lab", "Enter")
        shown.wait_for("4 done, each read back.")
        rows_of_vms = incident.admin.call("listVirtualMachines", listall="true")["virtualmachine"]
        assert sum(bool(row.get("deleteprotection")) for row in rows_of_vms) == 4

        shown.press("e")
        shown.wait_for("evidence saved")
        (evidence,) = (tmp_path / "data" / "abreast").glob("lab-evidence-*.json")
        assert "DOMAIN.DELETE" in evidence.read_text()
        shown.press("L")
        shown.wait_for("to confirm.")
        shown.press(*"lab", "Enter")
        shown.wait_for("possible in 4 domains")
        shown.press("q")
        shown.wait_for("exit 0")


def test_it_is_fenced_while_the_teams_database_hangs(tmp_path: Path, database: Database) -> None:
    """The database is a VM in the cloud that is dying: its disk hangs with the console open."""
    url = database.url.render_as_string(hide_password=False)
    with (
        start_sandbox(tmp_path, release="4.23", scale=1.0, domains=DOMAINS) as sandbox,
        NaiveSync(Incident(sandbox, tmp_path, ledger=url)) as sync,
        console_on(sync._incident, 80, 24) as shown,
    ):
        shown.wait_for("is being deleted now (2 VMs still alive)")
        shown.press("!")
        shown.wait_for("by ci-sync/ci-sync in ROOT")
        arm(shown)
        with database.hanging(also_new=True):
            shown.press("f")
            shown.wait_for("to confirm.")
            shown.press(*"lab", "Enter")
            shown.wait_for("FENCED")
            shown.wait_for("cannot be used")
            sync.go_on.set()
            sync._thread.join(PATIENCE)
            assert "401" in sync.refused
            shown.press("q")
            shown.wait_for("exit 0")
        sync._incident.pass_time(120, step=2.0)
        assert sync._incident.lost() == ["p01", "p02", "p03"]


def test_the_brake_saves_what_is_submitted_and_is_given_back(tmp_path: Path, mariadb: Server) -> None:
    url = mariadb.create_database()
    database = url.render_as_string(hide_password=False)
    with start_sandbox(
        tmp_path, release="4.23", scale=IN_TIME, domains=DOMAINS, lock_database=database
    ) as sandbox:
        incident = Incident(sandbox, tmp_path, lock_database=database)
        names = sorted(incident.domains())
        incident.submit_all()
        incident.control.advance(0.1)
        with console_on(incident, 80, 24) as shown:
            shown.wait_for("5 more are submitted.")
            shown.press("!")
            shown.wait_for("by ci-sync/ci-sync in ROOT")
            arm(shown)
            shown.press("b")
            shown.wait_for("to confirm.")
            shown.press(*"lab", "Enter")
            shown.wait_for("BRAKE WAITING")
            wait_for_waiter(url)
            incident.pass_time(10)
            held = shown.wait_for("BRAKE HELD")
            assert_fits(held, 80, 24)
            incident.pass_time(50, step=0.5)
            shown.wait_for("5 refused.")
            lost = incident.lost()
            assert len(lost) == 1
            assert sorted(incident.domains()) == [name for name in names if name not in lost]

            shown.press("q")
            asked = shown.wait_for("The brake is held: DomainCleanup.")
            assert_fits(asked, 80, 24)
            shown.press("Escape")
            # Two at once would be one key for the terminal: alt and B.
            shown.wait_for("The brake is held", gone=True)
            shown.press("B")
            shown.wait_for("BRAKE HELD", gone=True)
            assert str(url.password) not in shown.screen()
            shown.press("q")
            shown.wait_for("exit 0")
