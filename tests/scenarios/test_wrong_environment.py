"""The wrong environment, through the real commands: another server behind the name, one server behind two
names, a restored dump of production. Reading says so, nothing is armed, nothing is sent.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from console.__main__ import main
from console.cli.sessions import open_session
from console.session import Session
from sync.cloudstack import Writer
from sync.errors import LedgerError
from sync.ledger import EntryKind, Ledger
from sync.sandbox.process import Ready, SandboxProcess
from tests import reference_schema
from tests.cli import Access

OK, REFUSED, UNKNOWN, USAGE = 0, 1, 3, 64
PERSON = {"email": "a@example.org", "firstname": "A", "lastname": "B"}
ROWS: reference_schema.Rows = {
    "projects": [{"name": "dune"}],
    "members": [{"project": "dune", "username": "jm", **PERSON}],
}


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    error: str


class Desk:
    """A configuration with `production` and `qualification`, and the commands on it."""

    def __init__(self, folder: Path, capture: Any, patch: Any) -> None:
        self.folder = folder
        self._capture = capture
        self._patch = patch
        self._patch.setenv("XDG_DATA_HOME", str(folder / "data"))
        self._database = reference_schema.create_sqlite(folder / "ci.sqlite", ROWS)

    def configure(self, more: str = "", **servers: Ready | Access) -> None:
        """One environment for each server, by name."""
        ini, toml = "", 'default = "production"\n'
        for name, at in servers.items():
            ini += f"[{name}]\nendpoint = {at.url}\nkey = {at.key}\nsecret = {at.secret}\n"
            toml += (
                f'[environments.{name}.cloudstack]\nfile = "cloudstack.ini"\nread = "{name}"\n'
                f'write = "{name}"\n[environments.{name}.ci_database]\nurl = "{self._database}"\n'
            )
        for file, text in (("cloudstack.ini", ini), ("abreast.toml", toml + more)):
            (self.folder / file).touch(mode=0o600)
            (self.folder / file).write_text(text, encoding="utf-8")

    def run(self, *arguments: str, typed: str = "", environment: str = "production") -> Ran:
        self._patch.setattr(sys, "stdin", io.StringIO(typed))
        self._capture.readouterr()
        options = ("--config", str(self.folder / "abreast.toml"), "--environment", environment)
        code = main([*options, *arguments])
        out, error = self._capture.readouterr()
        assert "Traceback" not in out + error
        return Ran(code, out, error)

    def session(self, environment: str = "production") -> Session:
        return open_session(argparse.Namespace(config=self.folder / "abreast.toml", environment=environment))

    def check(self, environment: str = "production") -> dict[str, Any]:
        ran = self.run("check", "--format", "json", environment=environment)
        found: dict[str, Any] = json.loads(ran.out)
        assert found["exit_code"] == ran.code
        return found

    def ledger(self, environment: str = "production") -> Ledger:
        file = self.folder / "data" / "abreast" / f"{environment}.sqlite"
        return Ledger(f"sqlite:///{file}", environment=environment)

    def assert_refused(self, *words: str, environment: str = "production") -> None:
        """Reading is possible and marked; nothing can be armed or run, on whichever path."""
        found = self.check(environment)
        assert (found["status"], found["exit_code"]) == ("unknown", UNKNOWN)
        coverage = found["coverage"]["actual"]
        assert (coverage["state"], coverage["is_foreign"]) == ("partial", True)
        assert coverage["lists"], "it was read"
        text = self.run("check", environment=environment)
        assert "CloudStack is not proven to be this environment's: " in text.out
        assert "\nserver: REFUSED, nothing can be armed or run here: " in text.out
        rebuild = self.run("rebuild", typed=f"{environment}\n", environment=environment)
        assert rebuild.code == REFUSED
        plan = self.run("plan", environment=environment)
        assert (plan.code, plan.out) == (UNKNOWN, "")
        for said in (coverage["why"], found["server"]["refused"], text.out, rebuild.error):
            for word in words:
                assert word in said, f"{word!r} is not in {said!r}"


def changes(*sandboxes: SandboxProcess) -> list[str]:
    """The product's changing calls so far."""
    log = [entry for sandbox in sandboxes for entry in sandbox.control.log()]
    return [
        entry["command"]
        for entry in log
        if entry["client"].startswith("abreast/") and entry["command"] in Writer.ALLOWED
    ]


@pytest.fixture
def desk(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return Desk(tmp_path, capsys, monkeypatch)


Start = Callable[..., SandboxProcess]


@pytest.fixture
def start() -> Iterator[Start]:
    started = []

    def one(**options: Any) -> SandboxProcess:
        started.append(SandboxProcess.start(service_times=False, speed=50, **options))
        return started[-1]

    yield one
    for sandbox in started:
        sandbox.stop()


def test_it_is_pinned_by_the_first_reading_and_recognised_afterwards(desk: Desk, start: Start) -> None:
    production = start()
    desk.configure(production=production.ready)
    first = desk.check()
    pin = first["server"]["pin"]
    assert (pin["endpoint"], pin["root_id"]) == (first["server"]["endpoint"], first["server"]["root_id"])
    assert first["server"]["refused"] == first["server"]["unproven"] == ""
    assert desk.run("rebuild", typed="production\n").code == OK
    shown = desk.run("ledger", "pin")
    assert shown.code == OK
    assert "at first use" in shown.out
    assert "They are the same." in shown.out
    with desk.ledger() as ledger:
        assert len(ledger.entries(kinds=[EntryKind.PINNED])) == 1
        assert ledger.verify().is_sound


def test_another_server_behind_the_name_is_refused_until_it_is_pinned_anew(desk: Desk, start: Start) -> None:
    """The pin is the first server's; the configuration was changed to the second."""
    old, new = start(), start()
    desk.configure(production=old.ready)
    plan = desk.folder / "plan.json"
    assert desk.run("plan", "-o", str(plan)).code == OK
    pin = desk.check()["server"]["pin"]

    desk.configure(production=new.ready)
    desk.assert_refused(
        f"production was pinned to {old.ready.url} with ROOT domain {pin['root_id']}",
        f"this is {new.ready.url} with ROOT domain ",
        "`abreast ledger pin --environment production --reason …`",
    )
    applied = desk.run("apply", str(plan), typed="production\n")
    assert applied.code == REFUSED
    assert "was pinned to" in applied.error
    assert desk.run("ledger", "pin").code == REFUSED
    assert desk.run("ledger", "pin", "--reason", "new hardware", typed="no\n").code == REFUSED
    assert desk.run("ledger", "pin", "--reason", " ", typed="production\n").code == USAGE
    assert changes(old, new) == []

    moved = desk.run("ledger", "pin", "--reason", "new hardware", typed="production\n")
    assert moved.code == OK
    assert "because: new hardware" in moved.out
    assert desk.check()["server"]["refused"] == ""
    assert desk.run("rebuild", typed="production\n").code == OK
    assert changes(old) == []
    assert changes(new)
    shown = desk.run("ledger", "show")
    assert "environment pinned" in shown.out
    assert "new hardware" in shown.out
    verified = desk.run("ledger", "verify")
    assert (verified.code, verified.out.startswith("sound: ")) == (OK, True)


def test_a_new_server_at_the_same_address_is_refused(desk: Desk, start: Start) -> None:
    """As a new sandbox is on the ledger of an earlier one."""
    first = start()
    desk.configure(production=first.ready)
    root = desk.check()["server"]["root_id"]
    port = int(first.ready.url.split(":")[2].split("/")[0])
    first.stop()
    second = start(port=port)
    assert second.ready.url == first.ready.url
    desk.configure(production=second.ready)
    desk.assert_refused(f"ROOT domain {root}", "this is ")
    assert changes(second) == []


def test_a_server_that_was_restarted_is_the_same(desk: Desk, start: Start, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    first = start(state=state)
    desk.configure(production=first.ready)
    assert desk.check()["server"]["refused"] == ""
    port = int(first.ready.url.split(":")[2].split("/")[0])
    first.stop()
    second = start(state=state, port=port)
    desk.configure(production=second.ready)
    assert desk.check()["server"]["refused"] == ""
    assert desk.run("rebuild", typed="production\n").code == OK
    assert changes(second)


def test_two_environments_with_one_endpoint_are_both_refused(desk: Desk, start: Start) -> None:
    """Whoever types `qualification` means to harm nobody."""
    server = start()
    desk.configure(production=server.ready, qualification=server.ready)
    for name, other in (("production", "qualification"), ("qualification", "production")):
        desk.assert_refused(
            f"{name} and {other} have the same endpoint: {server.ready.url}. One server has one name.",
            "Correct or remove one of them",
            environment=name,
        )
    forced = desk.run("ledger", "pin", "--reason", "let me", typed="production\n")
    assert forced.code == REFUSED
    assert changes(server) == []


def test_a_restored_dump_of_production_is_refused_until_somebody_says_that_it_is_one(
    desk: Desk, start: Start, tmp_path: Path
) -> None:
    """A cloned qualification system: another address, production's ids and production's keys."""
    state, dump = tmp_path / "state.json", tmp_path / "dump.json"
    production = start(state=state)
    desk.configure(production=production.ready)
    root = desk.check()["server"]["root_id"]
    production.stop()
    shutil.copy(state, dump)
    production, clone = start(state=state), start(state=dump)
    desk.configure(production=production.ready)
    assert desk.run("ledger", "pin", "--reason", "another port", typed="production\n").code == OK

    desk.configure(production=production.ready, qualification=clone.ready)
    desk.assert_refused(
        f"qualification ({clone.ready.url}) has the ROOT domain {root}",
        f"as production has, pinned to {production.ready.url}",
        "restored dump",
        environment="qualification",
    )
    assert desk.check()["server"]["refused"] == "", "the original is not kept from its work"
    assert changes(production, clone) == []

    pin = ("ledger", "pin", "--reason", "restored on Monday")
    accepted = desk.run(*pin, typed="qualification\n", environment="qualification")
    assert accepted.code == OK
    assert "it shares its ROOT domain id with production" in accepted.out
    assert desk.run("rebuild", typed="qualification\n", environment="qualification").code == OK
    assert changes(production) == []
    assert changes(clone)
    assert desk.check()["server"]["refused"] == ""

    desk.configure(production=clone.ready)
    desk.assert_refused("production was pinned to", "this is")


def test_the_word_that_confirms_is_the_environments_own(desk: Desk, start: Start) -> None:
    production, qualification = start(), start()
    desk.configure(production=production.ready, qualification=qualification.ready)
    plan = desk.folder / "plan.json"
    assert desk.run("plan", "-o", str(plan)).code == OK
    for word in ("qualification", "PRODUCTION", "yes", "y", ""):
        for command in (("rebuild",), ("apply", str(plan))):
            ran = desk.run(*command, typed=f"{word}\n")
            assert ran.code == REFUSED
            assert "Type production to run them" in ran.error
            assert "Not confirmed: nothing was done." in ran.error
    assert (
        "The plan is for production"
        in desk.run("apply", str(plan), typed="qualification\n", environment="qualification").error
    )
    assert changes(production, qualification) == []


def test_without_its_ledger_reading_goes_on_and_nothing_can_run(desk: Desk, start: Start) -> None:
    """The team's database may be a VM of the cloud that is dying."""
    server = start()
    desk.configure(production=server.ready)
    text = (desk.folder / "abreast.toml").read_text(encoding="utf-8")
    gone = '[environments.production]\nledger = "postgresql://nobody@127.0.0.1:9/none"\n'
    (desk.folder / "abreast.toml").write_text(text + gone, encoding="utf-8")
    found = desk.check()
    assert found["status"] == "critical"
    assert "cannot be written" in found["server"]["unproven"]
    assert "not compared with what it was pinned to" in desk.run("check").out
    rebuild = desk.run("rebuild", typed="production\n")
    assert rebuild.code == UNKNOWN
    session = desk.session()
    with pytest.raises(LedgerError, match="cannot be written"):
        session.arm()
    assert not session.is_armed, "a guard that is absent refuses"
    assert changes(server) == []


def _break(file: Path) -> None:
    file.write_bytes(b"not a database, and long enough to be looked at" * 200)


def _mislay(file: Path) -> None:
    """The section with its key is gone, and with it the environment's address."""
    ini = file.parents[2] / "cloudstack.ini"
    text = ini.read_text(encoding="utf-8")
    ini.write_text(text.replace("[production]", "[elsewhere]"), encoding="utf-8")


@pytest.mark.parametrize("spoil", [_break, _mislay])
def test_beside_an_environment_that_cannot_be_read_a_new_one_is_read_but_not_changed(
    desk: Desk, start: Start, spoil: Callable[[Path], None]
) -> None:
    """Production's ledger, or its key, is broken here: qualification may be its server, or a copy of it."""
    production, qualification = start(), start()
    desk.configure(production=production.ready, qualification=qualification.ready)
    assert desk.check()["server"]["unproven"] == ""
    spoil(desk.folder / "data" / "abreast" / "production.sqlite")

    found = desk.check("qualification")
    assert found["coverage"]["actual"]["state"] == "complete", "reading goes on"
    assert "what production is pinned to cannot be read" in found["server"]["unproven"]
    assert found["coverage"]["actual"]["unrecognised"] == found["server"]["unproven"]
    refused = desk.run("rebuild", typed="qualification\n", environment="qualification")
    assert refused.code == UNKNOWN
    assert "what production is pinned to cannot be read" in refused.error
    assert changes(production, qualification) == []

    pin = ("ledger", "pin", "--reason", "a machine of its own")
    assert desk.run(*pin, typed="qualification\n", environment="qualification").code == OK
    assert desk.check("qualification")["server"]["unproven"] == ""
    assert desk.run("rebuild", typed="qualification\n", environment="qualification").code == OK
    assert changes(production) == []
    assert changes(qualification)
