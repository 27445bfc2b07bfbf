"""The commands about the ledger, and two processes at once on one ledger."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from console.__main__ import main
from console.cli.record import moment
from sync.errors import UsageError
from sync.ledger import EntryKind, Ledger, hash_of
from tests.cli import ROOT, Access, configure
from tests.fake_cloudstack import START

if TYPE_CHECKING:
    from tests.stores import Store

pytest_plugins = ["tests.stores"]

OK, REFUSED, CRITICAL, UNKNOWN, USAGE = 0, 1, 2, 3, 64


class Desk:
    """`abreast ledger …` on a ledger, without any server: nothing here asks one."""

    def __init__(self, store: Store, folder: Path, capture: Any, patch: Any) -> None:
        configured = configure(
            folder, Access("http://127.0.0.1:9/client/api", "k", "s"), "sqlite:///ci.sqlite"
        )
        text = configured.config.read_text(encoding="utf-8")
        configured.config.write_text(
            text.replace("[environments.lab]\n", f'[environments.lab]\nledger = "{store.url}"\n', 1)
        )
        self._config = configured.config
        self._capture = capture
        self._patch = patch

    def run(self, *arguments: str, typed: str = "") -> tuple[int, str, str]:
        self._patch.setattr(sys, "stdin", io.StringIO(typed))
        self._capture.readouterr()
        code = main(["--config", str(self._config), "ledger", *arguments])
        out, error = self._capture.readouterr()
        assert "Traceback" not in out + error
        return code, out, error


@pytest.fixture
def desk(store: Store, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(store, tmp_path / "desk", capsys, monkeypatch)


@pytest.fixture
def entries(store: Store) -> None:
    """Four, one an hour."""
    with store.open(environment="lab") as ledger:
        for number in range(1, 5):
            ledger.append(EntryKind.SUBMITTED, {"action": f"a{number}", "job_id": None}, run_id="run")
            store.clock.sleep(3600)


# --- verify and export --------------------------------------------------------------------------------------


def test_one_entry_is_one_entry(store: Store, desk: Desk) -> None:
    with store.open(environment="lab") as ledger:
        ledger.append(EntryKind.SUBMITTED, {"action": "a", "job_id": None}, run_id="run")
    assert desk.run("verify")[1].startswith("sound: 1 entry, the last with hash ")


@pytest.mark.usefixtures("entries")
def test_verify_is_0_when_sound_and_2_when_not(store: Store, desk: Desk) -> None:
    code, out, _ = desk.run("verify")
    assert (code, out.startswith("sound: 4 entries, the last with hash ")) == (OK, True)
    head = out.split()[-1]
    assert desk.run("verify", "--head", head)[0] == OK

    store.tamper("UPDATE entries SET operator = 'nobody' WHERE seq = 2", "DELETE FROM entries WHERE seq = 4")
    code, out, _ = desk.run("verify")
    assert code == CRITICAL
    assert out.splitlines()[0] == "BROKEN: 3 entries, 2 problems"
    assert "Entry 2 was changed" in out
    assert "its end was altered" in out
    code, out, _ = desk.run("verify", "--head", head, "--format", "json")
    found = json.loads(out)
    assert (code, found["sound"], found["entries"], len(found["problems"])) == (CRITICAL, False, 3, 3)


@pytest.mark.usefixtures("entries")
def test_verify_is_3_when_it_cannot_be_read(store: Store, desk: Desk) -> None:
    store.tamper("DROP TABLE entries")
    code, out, error = desk.run("verify")
    assert (code, out) == (UNKNOWN, "")
    assert "cannot be read" in error


@pytest.mark.usefixtures("entries")
def test_export_is_one_line_of_json_an_entry_and_can_be_recomputed(desk: Desk) -> None:
    code, out, _ = desk.run("export")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == OK
    assert [(line["seq"], line["payload"]["action"]) for line in lines] == [
        (number, f"a{number}") for number in range(1, 5)
    ]
    assert lines[0]["at"] == "2026-07-28T03:12:00.000000Z"
    for previous, line in pairwise(lines):
        assert line["previous_hash"] == previous["hash"]
        payload = json.dumps(line["payload"], sort_keys=True, separators=(",", ":"))
        rest = {name: line[name] for name in ("run_id", "kind", "at", "operator", "previous_hash")}
        assert hash_of(line["environment"], line["seq"], payload=payload, **rest) == line["hash"]


# --- show ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("entries")
def test_show_since(desk: Desk) -> None:
    for since, count in (("2026-07-28T05:00", 2), ("2026-07-28T07:00+02:00", 2), ("2026-07-29", 0)):
        code, out, _ = desk.run("show", "--since", since)
        assert (code, len(out.splitlines())) == (OK, 1 + count)
    code, _, error = desk.run("show", "--since", "yesterday")
    assert (code, "no point in time" in error) == (USAGE, True)


def test_points_in_time() -> None:
    assert moment("90m", START) == START - timedelta(minutes=90)
    assert moment("3d", START) == START - timedelta(days=3)
    assert moment("2026-07-28", START) == datetime(2026, 7, 28, tzinfo=UTC)
    assert moment("2026-07-28T03:12+02:00", START) == datetime(2026, 7, 28, 1, 12, tzinfo=UTC)
    for text in ("", "3 days", "h", "28.7.2026", "99999999999d"):
        with pytest.raises(UsageError, match="no point in time"):
            moment(text, START)


@pytest.mark.parametrize(
    "arguments", [(), ("rewrite",), ("break-lease",), ("break-lease", "--owner", "anna")]
)
def test_wrong_usage_is_64(desk: Desk, arguments: tuple[str, ...]) -> None:
    assert desk.run(*arguments)[0] == USAGE


# --- the lease ----------------------------------------------------------------------------------------------


def test_a_lease_is_broken_by_command(store: Store, desk: Desk) -> None:
    break_lease = ("break-lease", "--owner", "anna@desk from 192.0.2.7", "--reason", "her desk burnt")
    code, _, error = desk.run(*break_lease)
    assert (code, "nothing to break" in error) == (REFUSED, True)
    with store.open(environment="lab") as ledger, ledger.lease("anna@desk from 192.0.2.7"):
        code, _, error = desk.run(*break_lease)
        assert (code, "is running on this machine" in error) == (REFUSED, True)
        now = datetime.now(UTC).isoformat()
        store.tamper(f"UPDATE lease SET host = 'desk', machine = 'boot/1', heartbeat = '{now}'")
        code, _, error = desk.run(*break_lease)
        assert (code, "a sign of life" in error) == (REFUSED, True)
        store.tamper("UPDATE lease SET heartbeat = '2026-01-01T00:00:00+00:00'")
        code, _, error = desk.run("break-lease", "--owner", "anna", "--reason", "her desk burnt")
        assert (code, "not by anna" in error) == (REFUSED, True)
        code, out, _ = desk.run(*break_lease)
        assert (code, "was taken from anna@desk from 192.0.2.7" in out) == (OK, True)
        assert ledger.lease_holder() is None
    assert "her desk burnt" in desk.run("show")[1]
    assert desk.run("verify")[0] == OK


# --- two processes ------------------------------------------------------------------------------------------

WRITER = """
import sys, time
from sync.ledger import EntryKind, Ledger
url, name = sys.argv[1:]
with Ledger(url, environment="drill", operator=name) as ledger:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(60):
        ledger.append(EntryKind.SUBMITTED, {"action": name, "job_id": str(number)}, run_id=name)
        time.sleep(0.002)
"""

HOLDER = """
import sys, time
from sync.errors import LeaseHeldError
from sync.ledger import EntryKind, Ledger
url, name = sys.argv[1:]
with Ledger(url, environment="drill", operator=name) as ledger:
    print("ready", flush=True)
    sys.stdin.readline()
    for turn in range(15):
        while True:
            try:
                with ledger.lease(name):
                    for kind in (EntryKind.INTENT, EntryKind.SUBMITTED):
                        payload = {"action": f"{name} {turn}", "command": "c", "job_id": None}
                        ledger.append(kind, payload, run_id=name)
                break
            except LeaseHeldError:
                time.sleep(0.002)
        time.sleep(0.002)
"""


def together(script: str, url: str) -> None:
    """Two processes that begin at the same moment, to their ends."""
    pipe = subprocess.PIPE
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script, url, name],
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            text=True,
            cwd=ROOT,
        )
        for name in ("anna", "ben")
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        _, error = child.communicate(timeout=120)
        assert child.returncode == 0, error


def test_two_processes_open_and_write_one_chain(store: Store) -> None:
    """The schema is made by one of them, and no entry is lost or out of order."""
    together(WRITER, store.url)
    with Ledger(store.url, environment="drill") as ledger:
        found = ledger.entries()
        assert ledger.verify().is_sound
    assert len(found) == 120
    for name in ("anna", "ben"):
        jobs = [int(entry.payload["job_id"]) for entry in found if entry.run_id == name]
        assert jobs == list(range(60))
    turns = sum(one.run_id != other.run_id for one, other in pairwise(found))
    assert turns > 1, "they wrote at the same time"


def test_two_processes_hold_the_lease_one_after_the_other(store: Store) -> None:
    together(HOLDER, store.url)
    with Ledger(store.url, environment="drill") as ledger:
        actions = [entry.payload["action"] for entry in ledger.entries()]
        assert ledger.verify().is_sound
        assert ledger.lease_holder() is None
    assert len(actions) == 60
    assert actions[::2] == actions[1::2], "nobody writes between the two entries of one holder"
