"""`abreast contain` and `abreast shield` in an incident: what is said, asked, refused and recorded."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync import evidence
from sync.approval_rules import login
from sync.cloudstack import Reader
from sync.cloudstack_ini import Credentials
from sync.errors import LedgerError
from sync.ledger import Ledger, utc_now
from sync.operator_name import current_operator
from sync.pins import Server
from sync.sandbox.incident import SYNC_USER
from sync.sandbox.naive_sync import CallRefused
from sync.sandbox.process import SandboxProcess
from sync.secret import Secret
from tests.cli import Configured, Run, in_process
from tests.containment import Incident, start_sandbox
from tests.databases import Server as Database
from tests.databases import free_port
from tests.stores import Store

pytest_plugins = ["tests.databases"]


@pytest.fixture
def incident(tmp_path: Path) -> Iterator[Incident]:
    """One domain is gone, one is being deleted, one submitted, three are left."""
    with start_sandbox(tmp_path, release="4.23", scale=1.0, domains=5) as sandbox:
        incident = Incident(sandbox, tmp_path)
        ids = incident.domains()
        incident.sync.call("deleteDomain", id=ids["p01"], cleanup="true")
        incident.pass_time(30, step=1.0)
        for name in ("p02", "p03"):
            incident.sync.call("deleteDomain", id=ids[name], cleanup="true")
        incident.control.advance(2.0)
        yield incident


@pytest.fixture
def sandbox(incident: Incident) -> SandboxProcess:
    return incident.sandbox


@pytest.fixture
def configured(incident: Incident) -> Configured:
    return incident.abreast


@pytest.fixture
def run(configured: Configured, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    return in_process(configured, capsys, monkeypatch)


def changing(sandbox: SandboxProcess) -> list[str]:
    """The changing calls of the product, in the sandbox's own log."""
    reading = ("list", "get", "query")
    return [
        one["command"]
        for one in sandbox.control.log()
        if one["client"].startswith("abreast/") and not one["command"].startswith(reading)
    ]


def test_looking_names_everything_and_changes_nothing(run: Run, sandbox: SandboxProcess) -> None:
    ran = run("contain")
    assert ran.code == 2
    assert (
        "Being deleted now: ROOT/ci/p02 (2 VMs still alive). 1 more deletion submitted. 1 deleted." in ran.out
    )
    assert "who: ci-sync/ci-sync in ROOT, a root admin [enabled]" in ran.out
    assert "submitted      ROOT/ci/p03" in ran.out
    assert "deleted: p01\n" in ran.out
    assert "     stop: systemctl stop ci-sync on ci1.example.org\n" in ran.out
    assert ran.out.count("   does not stop: ") == ran.out.count("   undo: ") == 5
    assert "NOT POSSIBLE: No connection to CloudStack's database" in ran.out
    assert changing(sandbox) == []


def test_the_word_is_the_environments_name(run: Run, sandbox: SandboxProcess) -> None:
    ran = run("contain", "--fence", "--shield", typed="yes\n")
    assert (ran.code, changing(sandbox)) == (1, [])
    assert "Not confirmed: nothing was done." in ran.error
    ran = run("contain", "--fence", "--shield", typed="lab\n")
    assert ran.code == 0
    assert changing(sandbox)[0] == "updateUser"
    assert set(changing(sandbox)[1:]) == {"updateVirtualMachine"}


def test_an_option_that_would_do_nothing_is_refused(run: Run, sandbox: SandboxProcess) -> None:
    for idle in (
        ("--hold", "5"),
        ("--caller", "x"),
        ("--brake", "--caller", "x"),
        ("--shield", "--hold", "5"),
        ("--reason", "over"),
        ("--lift-fence", SYNC_USER, "--reason", "over", "--shield"),
    ):
        ran = run("contain", *idle, "--confirm", "lab")
        assert (ran.code, changing(sandbox)) == (64, []), idle
        assert " does nothing " in ran.error


def test_everything_is_recorded_before_it_is_sent(run: Run) -> None:
    run("contain", "--fence", "--confirm", "lab")
    ran = run("ledger", "show", "--format", "json")
    entries = [one for one in map(json.loads, ran.out.splitlines()) if one["kind"] in ("intent", "outcome")]
    assert [one["kind"] for one in entries] == ["intent", "outcome"]
    assert entries[0]["payload"]["before"]["apikeyaccess"] == "INHERIT"
    assert entries[1]["payload"]["outcome"] == "succeeded"


def test_a_caller_can_be_named_and_nobody_else(run: Run, sandbox: SandboxProcess) -> None:
    ran = run("contain", "--fence", "--caller", "nobody", "--confirm", "lab")
    assert ran.code == 64
    assert "ci-sync/ci-sync in ROOT" in ran.error
    assert changing(sandbox) == []
    assert run("contain", "--fence", "--caller", "ci-sync/ci-sync", "--confirm", "lab").code == 0


def test_the_user_that_abreast_itself_calls_as_is_never_fenced(
    run: Run, configured: Configured, sandbox: SandboxProcess
) -> None:
    ini = configured.folder / "cloudstack.ini"
    state = json.loads(sandbox_keys(sandbox))
    ini.write_text(
        ini.read_text() + f"[sync]\nendpoint = {sandbox.ready.url}\n"
        f"key = {state['apikey']}\nsecret = {state['secretkey']}\n"
    )
    configured.config.write_text(configured.config.read_text().replace('write = "lab"', 'write = "sync"'))
    ran = run("contain", "--fence", "--confirm", "lab")
    assert ran.code == 1
    assert "nothing was done" in ran.error
    assert "fence: ci-sync/ci-sync in ROOT: abreast itself calls with this user's key" in ran.error
    assert "use --caller" not in ran.error, "naming it would be refused as well"
    assert "must not be fenced: abreast itself calls with this user's key" in ran.out
    assert "NOT POSSIBLE: ci-sync/ci-sync in ROOT: abreast itself calls with this user's key" in ran.out
    assert run("contain", "--fence", "--caller", "ci-sync", "--confirm", "lab").code == 1
    assert changing(sandbox) == []


def sandbox_keys(sandbox: SandboxProcess) -> str:
    """The sync's keys, asked for as an admin may."""
    from cs import CloudStack

    ready = sandbox.ready
    admin = CloudStack(endpoint=ready.url, key=ready.key, secret=ready.secret)
    user = next(one for one in admin.listUsers(listall=True)["user"] if one["username"] == SYNC_USER)
    return json.dumps(admin.getUserKeys(id=user["id"])["userkeys"])


def test_a_read_only_environment_looks_and_says_what_it_lacks(
    run: Run, configured: Configured, sandbox: SandboxProcess
) -> None:
    configured.config.write_text(configured.config.read_text().replace('write = "lab"\n', ""))
    assert run("contain").code == 2
    ran = run("contain", "--all", "--confirm", "lab")
    assert ran.code == 1
    assert "read-only" in ran.error
    assert changing(sandbox) == []


def test_evidence_is_for_its_owner_alone_and_has_no_keys(
    run: Run, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    file = tmp_path / "evidence.json"
    assert run("contain", "--evidence", str(file)).code == 2
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    lists = json.loads(text)["lists"]
    assert len(lists["listAsyncJobs"]["rows"]) == 2
    assert lists["listEvents"]["rows"] and lists["listManagementServers"]["rows"]
    assert any("vmlimit" in row for row in lists["listDomains"]["rows"])
    assert sandbox.ready.key not in text
    assert sandbox.ready.secret not in text
    assert run("contain", "--evidence", str(tmp_path / "no" / "where")).code == 64
    full = run("contain", "--evidence", "/dev/full", "--fence", "--confirm", "lab")
    assert full.code == 3 and "The evidence cannot be written to /dev/full: No space" in full.error
    assert changing(sandbox) == ["updateUser"], "it is fenced all the same"


def test_times_to_come_are_said_to_be_of_another_clock(run: Run, incident: Incident) -> None:
    assert "clock is at least" not in run("contain").out
    incident.control.advance(180.0)
    incident.sync.call("deleteDomain", id=incident.domains()["p05"], cleanup="true")
    assert "! CloudStack's clock is at least " in run("contain").out


def test_the_report_tells_from_saved_evidence_what_cloudstack_tells_of_no_more(
    run: Run, sandbox: SandboxProcess, configured: Configured, tmp_path: Path
) -> None:
    named, own = tmp_path / "evidence.json", evidence.file_for(configured.data, "lab", utc_now())
    assert run("contain", "--evidence", str(named)).code == 2
    before = json.loads(run("report", "--format", "json").out)["deletions"]["found"]
    both = json.loads(run("report", "--evidence", str(named), "--format", "json").out)["deletions"]
    assert [one["label"] for one in both["found"]] == [one["label"] for one in before], "nothing twice"
    assert [one["file"] for one in both["recordings"]] == [str(named)]
    sandbox.control.add_fault("503", command="listEvents")
    assert json.loads(run("report", "--format", "json").out)["deletions"]["found"] == []
    told = run("report", "--evidence", str(named), "--evidence", str(named))
    assert told.out.count(", not in the ledger, by the evidence that ") == len(before) == 3
    assert "Who deleted, and when, is known in part only: " in told.out
    named.rename(own)
    assert run("report").out.count(", not in the ledger, by the evidence that ") == 3, "saved by this console"
    own.write_text(own.read_text()[:500])
    spoilt = run("report")
    assert spoilt.code == 0 and f"- {own} is damaged, or no evidence" in spoilt.out.replace("\\", "")
    refused = run("report", "--evidence", str(own))
    assert (refused.code, refused.out) == (3, "") and "is damaged, or no evidence" in refused.error
    assert run("report", "--evidence", str(named)).code == 64


def test_without_the_teams_ledger_it_goes_on_with_its_own(
    run: Run, configured: Configured, sandbox: SandboxProcess
) -> None:
    dead = f"postgresql+psycopg://ledger@127.0.0.1:{free_port()}/ledger"
    text = configured.config.read_text().replace(
        "[environments.lab]\n", f'[environments.lab]\nledger = "{dead}"\n', 1
    )
    configured.config.write_text(text)
    ran = run("contain", "--fence", "--shield", "--confirm", "lab")
    assert ran.code == 0, ran.error
    own = configured.data / "lab-containment.sqlite"
    assert f"recorded in {own} alone" in ran.out
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    ran = run("shield", "--lift", "--confirm", "lab", "--format", "json")
    assert ran.code == 0
    assert len(json.loads(ran.out)["lifted"]) == changing(sandbox).count("updateVirtualMachine") / 2


def test_an_altered_ledger_blocks_no_rung_and_is_told_at_each(
    run: Run, configured: Configured, sandbox: SandboxProcess
) -> None:
    assert run("contain", "--fence", "--confirm", "lab").code == 0
    Store(configured.ledger).tamper("DELETE FROM entries WHERE seq = 1")
    words, own = (
        "The ledger of lab was altered: Entry 1 was removed.",
        configured.data / "lab-containment.sqlite",
    )

    shielding = run("contain", "--shield", "--confirm", "lab")
    assert (shielding.code, words in shielding.out) == (0, True), shielding.error
    assert f"recorded in {own} alone" in shielding.out
    assert f"fenced: {SYNC_USER}/{SYNC_USER} in ROOT" in run("contain").out, "what stood is not forgotten"
    lifting = run("shield", "--lift", "--confirm", "lab")
    assert (lifting.code, words in lifting.error) == (0, True)
    assert changing(sandbox).count("updateVirtualMachine") % 2 == 0
    lift = ("contain", "--lift-fence", SYNC_USER, "--confirm", "lab", "--reason", "over", "--second", "bob")
    unfenced = run(*lift)
    assert (unfenced.code, words in unfenced.out) == (0, True), unfenced.error
    assert changing(sandbox)[-1] == "updateUser"
    assert run(*lift).code == 64, "nothing stands any more"

    refused = run("rebuild", typed="lab\n")
    assert (refused.code, words in refused.error) == (3, True)
    assert changing(sandbox)[-1] == "updateUser"


def test_a_fence_that_somebody_took_away_is_gone_and_can_be_put_up_anew(run: Run, incident: Incident) -> None:
    run("contain", "--fence", "--confirm", "lab")
    ran = run("contain")
    assert "fenced: ci-sync/ci-sync in ROOT by updateUser" in ran.out and "GONE" not in ran.out
    root = incident.admin.call("listDomains", listall="true", name="ROOT")["domain"][0]["id"]
    users = incident.admin.call("listUsers", listall="true", domainid=root)["user"]
    (user,) = [one["id"] for one in users if one["username"] == SYNC_USER]
    incident.admin.call("updateUser", id=user, apikeyaccess="inherit")

    ran = run("contain")
    assert ran.code == 2
    assert "! ci-sync/ci-sync in ROOT: fence GONE: somebody took it away, the caller has access" in ran.out
    checked = run("check")
    assert checked.code == 2
    assert "The fence on ci-sync/ci-sync is GONE: somebody took it away" in checked.out
    assert "\nfences: the fence on ci-sync/ci-sync is GONE" in checked.out
    incident.pass_time(120, step=1.0)
    incident.sync.call("deleteDomain", id=incident.domains()["p04"], cleanup="true")
    document = json.loads(run("contain", "--format", "json").out)
    (fenced,) = document["fenced"]
    assert (fenced["target_id"], fenced["hold"]) == (user, "GONE")
    assert "1 deletion of its was accepted after it" in fenced["why"]

    assert run("contain", "--fence", "--confirm", "lab").code == 0
    with pytest.raises(CallRefused, match="401"):
        incident.sync.call("listDomains", listall="true")
    document = json.loads(run("contain", "--format", "json").out)
    assert [one["hold"] for one in document["fenced"]] == ["holds"]
    document = json.loads(run("check", "--format", "json").out)
    assert [one["hold"] for one in document["fences"]["callers"]] == ["holds"]


def test_a_fence_is_lifted_by_two_names_while_stored_ids_are_gone(run: Run, sandbox: SandboxProcess) -> None:
    run("contain", "--fence", "--confirm", "lab")
    lift = ("contain", "--lift-fence", SYNC_USER, "--confirm", "lab")
    for other in ("sync", "ROOT", "in", f"{SYNC_USER}/", f"other/{SYNC_USER}"):
        assert run("contain", "--lift-fence", other, "--reason", "x", "--confirm", "lab").code == 64, other
    assert run(*lift).code == 64, "without a reason"
    ran = run(*lift, "--reason", "over")
    assert (ran.code, len(changing(sandbox))) == (1, 1)
    assert "stores domain ids that CloudStack does not have any more" in ran.error
    me = current_operator()
    for own in (me, login(me), login(me).upper(), f"{login(me)}@elsewhere", " "):
        alone = run(*lift, "--reason", "over", "--second", own)
        assert alone.code == 1, own
        assert ("must be somebody else's" in alone.error) == bool(own.strip())
    assert len(changing(sandbox)) == 1
    assert run(*lift, "--reason", "over", "--second", "bob").code == 0
    ready = sandbox.ready
    with Reader(Credentials(ready.url, Secret(ready.key), Secret(ready.secret))) as reader:
        root = reader.capabilities().root_id
        user = reader.user(root, SYNC_USER)
    assert user is not None
    assert user.state == "enabled"
    assert run(*lift, "--reason", "over", "--second", "bob").code == 64, "nothing stands any more"


def test_a_rung_that_breaks_gives_the_brake_back_and_tells_what_was_done(
    run: Run, configured: Configured, mariadb: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = mariadb.admin
    text = configured.config.read_text()
    line = f'[environments.lab]\ncloudstack_database = "{url.render_as_string(hide_password=False)}"\n'
    configured.config.write_text(text.replace("[environments.lab]\n", line, 1))

    def broken(*_: Any, **__: Any) -> Any:
        raise LedgerError("The ledger cannot be written.")

    monkeypatch.setattr("sync.containment.Containment.shield", broken)
    ran = run("contain", "--all", "--hold", "60", "--confirm", "lab")
    assert ran.code == LedgerError.exit_code
    assert "done: fence ci-sync/ci-sync in ROOT by apikeyaccess" in ran.error
    assert "The lock DomainCleanup is given back." in ran.error
    entries = map(json.loads, run("ledger", "show", "--format", "json").out.splitlines())
    brakes = [one["payload"] for one in entries if str(one["payload"].get("action", "")).startswith("brake")]
    assert brakes[-1]["outcome"] == "not run", "the journal says that it is off"


def test_a_brake_that_the_database_refuses_is_not_done_and_said_once(
    run: Run, configured: Configured, mariadb: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.brake.REFUSED_SECONDS", 0.05)
    url = mariadb.admin.set(username="nobody", password="not this one")
    text = configured.config.read_text()
    line = f'[environments.lab]\ncloudstack_database = "{url.render_as_string(hide_password=False)}"\n'
    configured.config.write_text(text.replace("[environments.lab]\n", line, 1))
    ran = run("contain", "--brake", "--hold", "1", "--confirm", "lab", "--format", "json")
    assert ran.code == 1
    (brake,) = json.loads(ran.out)["brakes"]
    assert brake["refusal"].startswith("CloudStack's database refuses: (1045, ")
    assert ran.error.count("brake: refused. ") == 1 and "brake: waiting" not in ran.error
    assert "Mend `cloudstack_database` in abreast.toml" in ran.error
    assert "not this one" not in ran.out + ran.error


def test_a_server_that_does_not_answer_is_unknown(run: Run, sandbox: SandboxProcess) -> None:
    sandbox.stop()
    ran = run("contain", "--format", "json")
    assert ran.code == 3
    document = json.loads(ran.out)
    assert document["problems"]
    assert (document["deletions"], document["is_happening"]) == ([], None)
    ran = run("contain")
    assert ran.code == 3
    assert "whether anything is being deleted is not known" in ran.out
    assert "NOT POSSIBLE: What is being deleted is not known: CloudStack could not be read." in ran.out
    assert "Nothing is being deleted" not in ran.out
    assert run("shield", "--confirm", "lab").code == 3, "no guard has refused"


@pytest.mark.parametrize("rung", [("contain", "--fence"), ("shield",)])
def test_nothing_is_sent_to_another_server_than_the_pinned_one(
    rung: tuple[str, ...], run: Run, configured: Configured, sandbox: SandboxProcess
) -> None:
    with Ledger(configured.ledger, environment="lab") as ledger:
        ledger.pins.recognise(Server("https://elsewhere.example.org/client/api", "another-root"), ())
    ran = run(*rung, "--confirm", "lab")
    assert (ran.code, changing(sandbox)) == (1, [])
    assert "elsewhere.example.org" in ran.error


def test_a_shield_for_a_project_that_is_not_there(run: Run, sandbox: SandboxProcess) -> None:
    ran = run("shield", "p04", "nowhere", "--confirm", "lab")
    assert ran.code == 64
    assert "nowhere" in ran.error
    assert changing(sandbox) == []
    ran = run("shield", "p04", "--confirm", "lab")
    assert (ran.code, changing(sandbox)) == (0, ["updateVirtualMachine"])
    assert "shield ROOT/ci/p04 by" in ran.error
