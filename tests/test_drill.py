"""The drill: what the incident leaves, what the naive sync cannot reach, and that a rebuild mends it."""

from __future__ import annotations

import ast
import configparser
import json
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

import sync
from console.cli.reading import read_both
from console.losses import LossReader
from console.session import Session
from sync import archive_folder, drill_script
from sync import drill as drills
from sync.cloudstack import Writer
from sync.drill import Drill, practice
from sync.drill_script import Rehearsal, exit_code, rehearse
from sync.errors import EXIT_DONE, EXIT_DRIFT, EXIT_UNKNOWN, UnreachableError, UsageError
from sync.loss_ledger import Fate
from sync.model import Drift, DriftKind, Subject
from sync.sandbox import announce
from sync.sandbox.incident import client_of
from sync.sandbox.naive_sync import USER_AGENT, Client, NotASandboxError
from sync.sandbox.process import SandboxError, SandboxProcess
from sync.sandbox.worlds.lab import DYING, HOLLOW, LIMITED_TO, UNEXPECTED

SOURCES = Path(sync.__file__).parent
NO_VM_GONE = {"dune", "ressac", "xylème", "zénith"}


@pytest.fixture(scope="module")
def broken() -> Iterator[tuple[Drill, Drift]]:
    """The incident, and what both sides say of it; nobody changes anything."""
    with practice() as drill:
        yield drill, Rehearsal(drill.environment).assess()


@pytest.fixture(scope="module", params=["4.23", "4.18"])
def mended(request: pytest.FixtureRequest) -> Iterator[tuple[Drill, dict]]:
    """A drill that was played through, on each release."""
    with practice(release=request.param) as drill:
        yield drill, rehearse(drill)


def of_kind(drift: Drift, kind: DriftKind) -> set[str]:
    return {row.name for row in drift.rows if row.kind is kind}


# --- the incident -----------------------------------------------------------------------------------------


def test_most_domains_are_gone_and_every_other_kind_of_drift_is_there(broken):
    _, drift = broken
    assert of_kind(drift, DriftKind.DELETING) == {DYING}
    assert of_kind(drift, DriftKind.HOLLOW) == {HOLLOW}
    assert of_kind(drift, DriftKind.UNEXPECTED) == {UNEXPECTED}
    assert of_kind(drift, DriftKind.DIFFERS) == {LIMITED_TO}
    assert of_kind(drift, DriftKind.IN_SYNC) == {"ressac", "xylème", "zénith"}
    assert len(of_kind(drift, DriftKind.MISSING)) == 34
    assert drift.desired.is_complete and drift.actual.is_complete


def test_the_project_that_was_debugged_still_differs_in_what_people_looked_for(broken):
    row = broken[1].row(LIMITED_TO)
    assert {(part.subject, part.name) for part in row.differences} == {
        (Subject.USER, "jmartin"),
        (Subject.LIMIT, "vm"),
    }


def test_the_dying_domain_keeps_dying_for_minutes(broken):
    drill, drift = broken
    dying = drift.row(DYING).dying
    running = [vm for vm in dying.vms if vm.state == "Running"]
    assert len(running) >= 4
    backups = {(one["kind"], one["domain"]) for one in drill.control.destroyed()}
    assert ("snapshot", f"ROOT/ci/{DYING}") in backups, "the backups go first"
    virtual = len(running) * 270
    assert virtual / drills.SPEED > 100, "real seconds for a person to open the console and see it"


def test_the_hollow_domain_lost_everything_but_its_name(broken):
    view = broken[1].row(HOLLOW).view
    assert view.domain is not None
    assert not (view.accounts or view.vms or view.volumes or view.snapshots or view.templates)


def test_the_stranger_has_all_its_machines(broken):
    view = broken[1].row(UNEXPECTED).view
    assert len(view.vms) == 4
    assert len(view.templates) == 1
    assert len(view.accounts[0].users) == 3


def test_the_incident_is_over_when_the_drill_begins(broken):
    drill, _ = broken
    log = drill.control.log()
    deletions = [one for one in log if one["command"] == "deleteDomain"]
    assert len(deletions) == 36
    assert {(one["client"], one["account"], one["cleanup"]) for one in deletions} == {
        (USER_AGENT, "ci-sync", True)
    }
    assert max(one["time"] for one in log) < drill.control.now()


def test_its_log_says_what_the_naive_sync_did(broken):
    incident = broken[0].incident
    assert incident.bound == [LIMITED_TO]
    assert len(incident.deleted) == 34
    assert list(incident.failed) == [HOLLOW]
    assert incident.unfinished == DYING
    assert not {*NO_VM_GONE, UNEXPECTED} & {*incident.deleted, *incident.failed}


def test_most_templates_of_the_eve_are_in_its_archive_and_the_losses_say_so(broken):
    drill, _ = broken
    environment, eve = drill.environment, drill.eve
    assert environment.archive is not None and environment.archive.is_relative_to(drill.folder)
    found = archive_folder.read(environment.archive)
    assert archive_folder.checked(found, found.files).problems == {}
    kept = {one.entry.id for one in found.files}
    left_out = {one.name for one in eve.actual.templates if one.id not in kept}
    assert left_out == {"argile-oneapi-2025", "delphinus-julia-1.11", "neurovox-cuda-12.4"}
    assert len(kept) == len(found.files) == len(eve.actual.templates) - len(left_out) > 20
    session = Session(environment)
    try:
        told = LossReader(session).read(*read_both(session), None, until=None)
    finally:
        session.close()
    gone = {one.id for one in told.ledger.objects if one.fate in (Fate.LOST, Fate.DYING)}
    assert told.kept.keys() == kept & gone
    assert told.archive == (
        f"The archive {environment.archive} has {len(told.kept)} of the {len(gone)} objects that are lost or "
        "going."
    )


def test_the_ci_database_is_untouched_by_the_incident(broken):
    drill, _ = broken
    engine = create_engine(drill.environment.ci_database.url.reveal())
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM projects")).scalar() == 40
    engine.dispose()


# --- playing it through -----------------------------------------------------------------------------------


def test_nothing_repairable_is_left(mended):
    _, summary = mended
    assert summary["repairable"] == {"before": 37, "after": 0, "left": []}
    assert exit_code(summary) == EXIT_DONE
    assert summary["not_done"] == []
    assert summary["runs"] == 1


def test_the_summary_counts_what_the_issue_asks_for(mended):
    drill, summary = mended
    assert json.loads(json.dumps(summary)) == summary
    assert summary["projects"] == 40
    assert summary["release"] == drill.release
    before, after = summary["drift"]["before"], summary["drift"]["after"]
    assert before["missing"] == 34 and before["deleting"] == before["hollow"] == before["unexpected"] == 1
    assert after["missing"] == after["hollow"] == after["unknown"] == after["orphaned"] == 0
    assert after["unexpected"] == 1
    assert summary["actions"]["succeeded"] == sum(summary["actions"].values()) > 200
    assert summary["api_calls"] > summary["actions"]["succeeded"]
    assert summary["seconds"] > 0


def test_the_losses_are_told_one_by_one_as_the_sandbox_has_them(mended):
    drill, summary = mended
    assert summary["contradictions"] == [] and summary["ledger_exact"]
    losses = summary["losses"]
    destroyed = [one for one in drill.control.destroyed() if one["kind"] == "vm"]
    told = losses["by_type"]["VM"]
    assert told["lost"] <= len(destroyed) <= told["lost"] + told["being destroyed"]
    assert losses["by_type"]["domain"]["lost"] == 34
    assert drill.eve is not None and drill.eve.is_complete
    assert losses["before"] == drill.eve.taken_at.isoformat(timespec="seconds")
    log = [one for one in drill.control.log() if one["command"] == "deleteDomain"]
    assert losses["before"] < log[0]["time"], "captured before anything was deleted"


def test_lost_machines_are_listed_as_losses_and_are_no_drift(mended):
    _, summary = mended
    lost = {one["project"] for one in summary["losses"]["list"]}
    assert summary["losses"]["machines"] == len(summary["losses"]["list"]) > 70
    assert not lost & NO_VM_GONE
    assert "cirrus" in lost
    drift = Rehearsal(mended[0].environment).assess()
    row = drift.row("cirrus")
    assert row.losses
    assert all(part.subject is Subject.STORED_ID for part in row.differences)


def test_the_stranger_is_untouched_and_listed(mended):
    drill, summary = mended
    assert summary["unexpected"] == [{"domain": UNEXPECTED, "untouched": True}]
    gone = [one for one in drill.control.destroyed() if one["domain"].startswith(f"ROOT/ci/{UNEXPECTED}")]
    assert gone == []


def test_stored_ids_are_left_to_the_owner_of_the_database(mended):
    drill, summary = mended
    drift = Rehearsal(drill.environment).assess()
    stale = [row for row in drift.rows if row.kind is DriftKind.DIFFERS]
    agents = summary["agents"]
    assert agents["unread"] == []
    assert 0 < agents["online"] < agents["total"]
    assert agents["addresses_changed"] >= summary["losses"]["machines"]
    assert summary["to_relink"] == len(stale) == summary["drift"]["after"]["differs"]
    assert all(part.subject is Subject.STORED_ID for row in stale for part in row.differences)


def test_the_corpse_was_renamed_out_of_the_way_and_its_project_lives_again(mended):
    drift = Rehearsal(mended[0].environment).assess()
    alive = drift.row(DYING)
    assert alive.view.domain is not None
    standing = {vm.name for row in drift.rows if row.old_domain_of == DYING for vm in row.dying.vms}
    assert not {loss.name for loss in alive.losses if loss.actual is None} & standing
    assert alive.view.accounts[0].name == DYING
    corpses = [row for row in drift.rows if row.key.startswith(f"{DYING}-deleted-")]
    assert [row.project for row in corpses] == [None]


def test_only_the_naive_sync_deletes_and_abreast_sends_only_what_rebuilds(mended):
    ours = [one for one in mended[0].control.log() if one["client"] != USER_AGENT]
    assert all(one["client"].startswith("abreast/") and one["method"] == "POST" for one in ours)
    changing = {one["command"] for one in ours if not one["command"].startswith(("list", "get", "query"))}
    assert changing <= Writer.ALLOWED
    assert "createDomain" in changing
    assert not any(one["cleanup"] for one in ours)
    naive = [one for one in mended[0].control.log() if one["client"] == USER_AGENT]
    assert naive


def test_every_new_user_has_a_password_in_a_file_only_we_can_read(mended):
    file = mended[0].environment.credential_file
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    people = [json.loads(line) for line in file.read_text().splitlines()]
    created = [one for one in mended[0].control.log() if one["command"] in ("createAccount", "createUser")]
    assert len(people) == len([one for one in created if one["client"] != USER_AGENT])


def test_the_ledger_verifies_and_names_the_drill(mended):
    from sync.ledger import Ledger

    ledger = Ledger(mended[0].environment.ledger.reveal(), environment="drill", operator="reader")
    ledger.open()
    try:
        assert ledger.verify().is_sound
        assert len(ledger.runs()) == 1
    finally:
        ledger.close()


# --- exit codes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, EXIT_DONE),
        ({"repairable": {"after": 1}}, EXIT_DRIFT),
        ({"unexpected": [{"domain": "zephyr", "untouched": False}]}, EXIT_DRIFT),
        ({"ledger_exact": False}, EXIT_DRIFT),
        ({"promise": {"held": False}}, EXIT_DRIFT),
        ({"restored": {"failed": {}}}, EXIT_DONE),
        ({"restored": {"failed": {"deploy-VM aurora": "no room"}}}, EXIT_DRIFT),
        ({"is_complete": False}, EXIT_UNKNOWN),
        ({"is_complete": False, "repairable": {"after": 1}}, EXIT_UNKNOWN),
    ],
)
def test_the_exit_code_can_be_believed(changes: dict, code: int):
    fine = {
        "is_complete": True,
        "repairable": {"after": 0},
        "unexpected": [{"domain": "zephyr", "untouched": True}],
        "ledger_exact": True,
        "promise": {"held": True},
        "restored": None,
    }
    assert exit_code(fine | changes) == code


def test_a_side_that_cannot_be_read_is_no_success(broken, monkeypatch: pytest.MonkeyPatch):
    """Everything is UNKNOWN, so nothing is repairable: that must not end as 0."""
    drill, _ = broken
    drill.control.add_fault("wrong_count", command="listDomains")
    monkeypatch.setattr(drill_script.Rehearsal, "rebuild", lambda *_: pytest.fail("nothing may be rebuilt"))
    try:
        summary = rehearse(drill)
    finally:
        drill.control.clear_faults()
    assert summary["repairable"]["after"] == 0
    assert exit_code(summary) == EXIT_UNKNOWN


# --- starting and ending ----------------------------------------------------------------------------------


QUIET = "while-you-watch"
"""Nothing happens before it opens."""


def test_the_drill_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with practice(scenario=QUIET) as drill:
        assert drill.folder.parent == tmp_path
        pid = drill.ready.pid
        assert Path(f"/proc/{pid}").exists()
    assert list(tmp_path.iterdir()) == []
    assert not Path(f"/proc/{pid}").exists()


def test_what_happens_in_a_drill_is_told_in_the_time_of_who_looks() -> None:
    with practice(scenario=QUIET, speed=3600.0) as drill:
        drill.control.advance(7200.0)
        client = client_of(drill.keys)
        root = next(one["id"] for one in client.call("listDomains")["domain"] if one["name"] == "ROOT")
        client.call("createDomain", name="late", parentdomainid=root)
        asked = {"type": "DOMAIN.CREATE", "startdate": f"{datetime.now(UTC):%Y-%m-%d}"}
        told = client.call("listEvents", listall="true", **asked)["event"]
        lives_in = datetime.fromisoformat(drill.control.now())
        client.close()
    (at,) = (datetime.fromisoformat(one["created"]) for one in told if "late" in json.dumps(one))
    now = datetime.now(UTC)
    assert now - timedelta(minutes=5) < at <= now + timedelta(seconds=3)
    assert lives_in > now + timedelta(hours=1), "it lives faster all the same"


def test_an_error_inside_ends_the_sandbox_too(tmp_path: Path):
    with pytest.raises(KeyError), practice(scenario=QUIET, folder=tmp_path) as drill:
        raise KeyError
    assert not Path(f"/proc/{drill.ready.pid}").exists()
    assert (tmp_path / "ci.sqlite").exists(), "a folder that was given is kept"


def test_an_unknown_scenario_is_a_usage_error():
    with pytest.raises(UsageError, match="no scenario june1"), practice(scenario="june1"):
        pass


def test_a_sandbox_that_does_not_start_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(**_: object) -> None:
        raise SandboxError("The sandbox did not start (exit 1): no memory")

    monkeypatch.setattr(SandboxProcess, "start", fail)
    with pytest.raises(UnreachableError, match="no memory"), practice(folder=tmp_path):
        pass


def test_the_drill_is_never_mistaken_for_production(broken):
    environment = broken[0].environment
    assert environment.name == "drill"
    assert environment.title.startswith("DRILL")
    assert environment.cloudstack.read.endpoint.startswith("http://127.0.0.1:")


def test_nothing_secret_shows_in_a_drill(broken):
    drill, _ = broken
    shown = repr(drill) + repr(drill.environment)
    assert drill.ready.secret not in shown
    assert drill.ready.key not in shown
    assert drill.ready.token not in shown


# --- the naive sync stays in its sandbox --------------------------------------------------------------------


class Bystander(BaseHTTPRequestHandler):
    """A server on this machine that is no sandbox of ours."""

    paths: list[str] = []
    status = 404

    def do_GET(self) -> None:
        self.paths.append(self.path)
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def bystander() -> Iterator[tuple[str, type[Bystander]]]:
    handler = type("Handler", (Bystander,), {"paths": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/client/api", handler
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://cloudstack.example.org/client/api",
        "http://192.0.2.7:8080/client/api",
        "http://localhost:8080/client/api",
        "http://127.0.0.1.example.org/client/api",
        "http://127.0.0.1@192.0.2.7/client/api",
        "http://[2001:db8::1]/client/api",
        "",
    ],
)
def test_it_refuses_every_other_machine_before_it_sends_anything(endpoint: str, monkeypatch):
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("it connected"))
    with pytest.raises(NotASandboxError, match="Nothing was sent"):
        Client(endpoint=endpoint, key="k", secret="s", token="t")


@pytest.mark.parametrize("status", [404, 403, 302, 500])
def test_it_refuses_a_server_of_this_machine_that_is_no_sandbox(bystander, status: int):
    endpoint, handler = bystander
    handler.status = status
    with pytest.raises(NotASandboxError, match="Nothing was sent to its API"):
        Client(endpoint=endpoint, key="k", secret="s", token="t")
    assert all(path.startswith("/sandbox/log") for path in handler.paths)
    assert len(handler.paths) == 1


@pytest.mark.parametrize("token", ["", "wrong"])
def test_it_refuses_a_sandbox_whose_token_it_was_not_given(broken, token: str):
    ready = broken[0].ready
    calls = len(broken[0].control.log())
    with pytest.raises(NotASandboxError):
        Client(endpoint=ready.url, key=ready.key, secret=ready.secret, token=token)
    assert len(broken[0].control.log()) == calls


def test_nothing_is_sent_where_nobody_listens():
    with pytest.raises(NotASandboxError):
        Client(endpoint="http://127.0.0.1:9/client/api", key="k", secret="s", token="t")


def importers_of(module: str) -> set[str]:
    """The product's modules that import one, at any depth of a file."""
    found = set()
    root = SOURCES.parent
    for package in ("sync", "widgets", "console"):
        for file in (root / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                names: list[str] = []
                if isinstance(node, ast.Import):
                    names = [one.name for one in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names = [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
                if module in names:
                    found.add(file.relative_to(root).as_posix())
    return found


def test_only_the_drill_can_reach_the_naive_sync():
    drill = {f"sync/drill{name}.py" for name in ("", "_live", "_wave")}
    told = {f"sync/drill{name}.py" for name in ("_plays", "_script")}
    assert importers_of("sync.sandbox.naive_sync") == {"sync/sandbox/incident.py", *drill, *told}
    assert importers_of("sync.sandbox.incident") == drill


def test_nothing_but_the_naive_sync_the_sandbox_and_the_retirement_names_a_deleting_call():
    root = SOURCES.parent
    names = ("deleteDomain", "deleteAccount", "destroyVirtualMachine", "expungeVirtualMachine", "deleteUser")
    guilty = set()
    for package in ("sync", "widgets", "console"):
        for file in (root / package).rglob("*.py"):
            strings = {
                node.value
                for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            }
            if strings & set(names):
                guilty.add(file.relative_to(root).as_posix())
    # What compares CloudStack's events with the ledger names the calls, and imports nothing that could send.
    assert {one for one in guilty if not one.startswith("sync/sandbox/commands/")} == {
        "sync/cloudstack/retirer.py",
        "sync/retirement_calls.py",
        "sync/retirement_sending.py",
        "sync/sandbox/naive_sync.py",
        "sync/unrecorded.py",
    }


# --- what a sandbox announces -----------------------------------------------------------------------------


def test_the_announcement_is_a_cloudstack_ini_and_names_the_database(tmp_path: Path):
    said = announce.announcement(
        endpoint="http://127.0.0.1:4711/client/api",
        key="k-1",
        secret="s_2",
        ci_database=tmp_path / "ci.sqlite",
    )
    parser = configparser.ConfigParser()
    parser.read_string(said)
    assert dict(parser["cloudstack"]) == {
        "endpoint": "http://127.0.0.1:4711/client/api",
        "key": "k-1",
        "secret": "s_2",
    }
    assert f"sqlite:///{tmp_path.as_posix()}/ci.sqlite" in said


def test_the_section_can_be_named():
    assert announce.ini_section(endpoint="e", key="k", secret="s", name="practice").startswith("[practice]\n")
