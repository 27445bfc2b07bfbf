"""A naive synchronization against 40 domains, contained: what it loses with and without each rung.

Time stands still but for what the scenario lets pass, so that every count is exact. What is lost is read from
the sandbox's own log of what it destroyed, and printed.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from sync.sandbox.incident import SYNC_USER
from sync.sandbox.naive_sync import CallRefused, synchronize
from sync.sandbox.process import SandboxProcess
from tests.containment import KEPT, Incident, of_stage, start_sandbox

if TYPE_CHECKING:
    from tests.databases import Server

pytest_plugins = ["tests.databases"]

DOMAINS = 40
AS_RECORDED = 1.0
IN_TIME = 1 / 20
"""With the recorded times most of 40 deletions would give up by themselves, waiting 30 s for the lock."""
PATIENCE = 60.0

releases = pytest.mark.parametrize("release", ["4.23", "4.18"])


Start = Callable[..., Incident]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[SandboxProcess] = []

    def make(release: str, scale: float, *, lock_database: str = "") -> Incident:
        sandbox = start_sandbox(
            tmp_path, release=release, scale=scale, domains=DOMAINS, lock_database=lock_database
        )
        running.append(sandbox)
        return Incident(sandbox, tmp_path, lock_database=lock_database)

    yield make
    for sandbox in running:
        sandbox.stop()


@pytest.fixture
def count(capsys: pytest.CaptureFixture[str]) -> Callable[[str, str, list[str]], None]:
    def show(release: str, what: str, lost: list[str]) -> None:
        with capsys.disabled():
            print(f"\n{release}  {what}: {len(lost)} of {DOMAINS} domains lost")

    return show


@releases
def test_a_sync_that_waits_and_is_contained_after_the_third_loses_no_other(
    start: Start, release: str, count: Any
) -> None:
    incident = start(release, AS_RECORDED)
    begun: list[str] = []
    seen: list[dict[str, Any]] = []

    def pause(_seconds: float, domain: str) -> None:
        if domain not in begun:
            begun.append(domain)
        if len(begun) == 3 and not seen:
            incident.control.advance(2.0)
            code, document = incident.contain()
            assert code == 2
            seen.append(document)
            code, document = incident.contain("--fence", "--confirm", "lab")
            assert code == 0
            seen.append(document)
        incident.control.advance(5.0)

    with pytest.raises(CallRefused, match="401"):
        synchronize(incident.sync, incident.folder / "ci.sqlite", parent="ROOT/ci", only=KEPT, pause=pause)
    incident.pass_time(120, step=2.0)
    lost = incident.lost()
    count(release, "waits for each job, contained during the third", lost)
    assert lost == sorted(begun) == ["p01", "p02", "p03"]
    assert sorted(incident.domains()) == [f"p{number:02d}" for number in range(4, DOMAINS + 1)]

    looked, fenced = seen
    assert of_stage(looked, "being deleted") == ["p03"]
    assert of_stage(looked, "deleted") == ["p01", "p02"]
    (deletion,) = [one for one in looked["deletions"] if one["stage"] == "being deleted"]
    assert deletion["path"] == "ROOT/ci/p03"
    assert deletion["by"] == f"{SYNC_USER}/{SYNC_USER}"
    assert len(deletion["alive"]) == 2, deletion
    assert deletion["snapshots"] == 0, "snapshots go first"
    (caller,) = looked["callers"]
    assert (caller["username"], caller["ask"], caller["refusal"]) == (SYNC_USER, "", "")
    first = {"4.23": "apikeyaccess", "4.18": "lockUser"}[release]
    assert caller["methods"][0] == first
    assert [step["outcome"] for step in fenced["steps"]] == ["succeeded"]
    assert fenced["steps"][0]["action"].endswith(first)


@releases
def test_a_sync_that_submits_all_loses_what_it_submitted_and_contain_says_so_by_name(
    start: Start, release: str, count: Any
) -> None:
    incident = start(release, IN_TIME)
    names = sorted(incident.domains())
    jobs = incident.submit_all()
    incident.control.advance(0.1)
    code, document = incident.contain("--fence", "--confirm", "lab")
    assert code == 0
    running, queued = of_stage(document, "being deleted"), of_stage(document, "submitted")
    assert sorted(running + queued) == names, "every one, by name"
    assert len(running) == 1
    fence, brake = document["ladder"][1], document["ladder"][2]
    assert "already submitted" in fence["does_not_stop"]
    assert "cloudstack_database" in brake["why_not"]
    with pytest.raises(CallRefused, match="401"):
        incident.sync.call("listDomains")

    incident.pass_time(60, step=0.5)
    lost = incident.lost()
    count(release, "submits all at once, fenced, no brake", lost)
    assert lost == names
    assert all(incident.job(job)["jobstatus"] == 1 for job in jobs.values())
    code, document = incident.contain()
    assert code == 0
    assert of_stage(document, "deleted") == names


@releases
def test_with_the_brake_it_loses_only_the_one_that_was_running(
    start: Start, release: str, count: Any, mariadb: Server
) -> None:
    url = mariadb.create_database()
    incident = start(release, IN_TIME, lock_database=url.render_as_string(hide_password=False))
    names = sorted(incident.domains())
    jobs = incident.submit_all()
    incident.control.advance(0.1)
    with Held(incident, url.password or "") as held:
        held.wait_for("brake: waiting")
        wait_for_waiter(url)
        incident.pass_time(10)
        held.wait_for("brake: held")
        incident.pass_time(50, step=0.5)
        lost = incident.lost()
        states = {name: incident.job(job) for name, job in jobs.items()}
        code, document = held.end()
    count(release, "submits all at once, fenced and braked", lost)
    assert code == 0
    assert len(lost) == 1
    assert sorted(incident.domains()) == [name for name in names if name not in lost]
    refused = {name: state for name, state in states.items() if state["jobstatus"] == 2}
    assert sorted(refused) == [name for name in names if name not in lost]
    assert {state["jobresult"]["errorcode"] for state in refused.values()} == {530}
    assert of_stage(document, "deleted") == lost
    assert of_stage(document, "refused") == sorted(refused)
    (brake,) = document["brakes"]
    lock = {"4.23": "DomainCleanup", "4.18": "AccountCleanup"}[release]
    assert (brake["lock"], brake["losses"], brake["state"]) == (lock, 0, "released")
    untouched = [row for row in incident.control.destroyed() if row["domain"] not in (f"ROOT/ci/{lost[0]}",)]
    assert untouched == [], "nothing of the others was touched"


def test_without_fence_and_brake_shields_save_what_is_not_submitted(start: Start, count: Any) -> None:
    incident = start("4.23", IN_TIME)
    names = sorted(incident.domains())
    first = dict(list(incident.domains().items())[:2])
    for id in first.values():
        incident.sync.call("deleteDomain", id=id, cleanup="true")
    incident.control.advance(0.1)
    code, document = incident.contain("--shield", "--confirm", "lab")
    assert code == 0
    assert len(document["steps"]) == DOMAINS + 1 - 2, "all others, the kept one too"
    jobs = [
        incident.sync.call("deleteDomain", id=id, cleanup="true")["jobid"]
        for name, id in incident.domains().items()
        if name not in first
    ]
    incident.pass_time(60, step=0.5)
    lost = incident.lost()
    count("4.23", "submits two, shielded, submits the rest", lost)
    assert lost == sorted(first)
    assert {incident.job(job)["jobresult"]["errorcode"] for job in jobs} == {431}
    _, document = incident.contain()
    assert of_stage(document, "refused") == [name for name in names if name not in first]
    assert not document["is_happening"]

    lifted = incident.abreast.run("shield", "--lift", "--confirm", "lab", "--format", "json")
    assert lifted.returncode == 0, lifted.stderr
    rows = incident.admin.call("listVirtualMachines", listall="true")["virtualmachine"]
    assert not any(row["deleteprotection"] for row in rows)


def test_on_4_18_a_shield_is_neither_sent_nor_claimed(start: Start) -> None:
    incident = start("4.18", IN_TIME)
    ran = incident.abreast.run("shield", "--confirm", "lab", "--format", "json")
    assert ran.returncode == 1
    document = json.loads(ran.stdout)
    assert document["claimed"] is False
    assert document["shielded"] == []
    assert "does not know deleteprotection" in document["why_not"]
    assert not [one for one in incident.control.log() if one["command"] == "updateVirtualMachine"]


# --- a brake that is held by a process ----------------------------------------------------------------------


class Held:
    """`abreast contain --fence --brake` in a process, until it is told to end."""

    def __init__(self, incident: Incident, secret: str) -> None:
        self._process = incident.abreast.start(
            "contain", "--fence", "--brake", "--confirm", "lab", "--format", "json"
        )
        self._secret = secret
        self._said: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._listen, daemon=True)

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._news:
                self._said.append(line)
                self._news.notify_all()

    def wait_for(self, words: str) -> None:
        def is_said() -> bool:
            return any(words in line for line in self._said)

        with self._news:
            assert self._news.wait_for(is_said, PATIENCE), "".join(self._said)

    def end(self) -> tuple[int, dict[str, Any]]:
        """ctrl+c; its exit code and what it says at the end."""
        self._process.send_signal(signal.SIGINT)
        assert self._process.stdout is not None
        out = self._process.stdout.read()
        code = self._process.wait(PATIENCE)
        assert self._secret not in out + "".join(self._said)
        return code, json.loads(out)

    def __enter__(self) -> Held:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._reader.join(PATIENCE)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


def wait_for_waiter(url: Any) -> None:
    """Until a session waits for a lock in the database itself."""
    connection = pymysql.connect(host=url.host, port=url.port, user=url.username, password=url.password)
    deadline = time.monotonic() + PATIENCE
    with connection, connection.cursor() as cursor:
        while True:
            cursor.execute(
                "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%GET_LOCK(%600)'"
            )
            (waiting,) = cursor.fetchone()
            if waiting:
                return
            assert time.monotonic() < deadline, "nobody waits for the lock"
            time.sleep(0.02)
