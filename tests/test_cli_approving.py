"""approve, review and apply on the command line, against a sandbox and with real ssh-keygen."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from sync.model import ActionKind
from sync.plan import build, from_json
from sync.plan_file import to_json
from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from tests.cli import NETWORK, Access, Configured, configure
from tests.signing import Signers

APPROVALS = '[environments.lab.approvals]\nallowed_signers = "allowed_signers"\nrequired = {undoable = 2}\n'


@dataclass(frozen=True)
class Lab:
    sandbox: SandboxProcess
    configured: Configured
    signers: Signers
    file: Path
    """A plan by jmartin that disables one user of dune."""

    def run(
        self, *arguments: str, typed: str = "", code: int | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = self.configured.run(*arguments, typed=typed)
        assert code in (None, done.returncode), done.stderr + done.stdout
        return done

    def changing(self) -> list[str]:
        log = self.sandbox.control.log()
        return [
            entry["command"] for entry in log if not entry["command"].startswith(("list", "query", "get"))
        ]

    def restore(self) -> None:
        for file in self.file.parent.glob("plan.json.*"):
            file.unlink()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("approving")
    database = folder / "ci.sqlite"
    write_database(blueprint_for("drill"), database)
    with pytest.MonkeyPatch.context() as patch, SandboxProcess.start(
        world="drill", speed=50, service_times=False
    ) as sandbox:  # fmt: skip
        patch.setenv("LOGNAME", "jmartin")
        with sqlite3.connect(database) as connection:
            (username,) = connection.execute(
                "SELECT username FROM members WHERE project = 'dune' AND enabled ORDER BY username LIMIT 1"
            ).fetchone()
            connection.execute(
                "UPDATE members SET enabled = 0 WHERE project = 'dune' AND username = ?", (username,)
            )
        connection.close()
        access = Access(sandbox.ready.url, sandbox.ready.key, sandbox.ready.secret)
        configured = configure(folder, access, f"sqlite:///{database}", more=NETWORK + APPROVALS)
        signers = Signers(folder)
        for name in ("jmartin", "alice", "bob"):
            signers.allow(f"{name}@example.org", name)
        lab = Lab(sandbox, configured, signers, folder / "plan.json")
        lab.run("plan", "dune", "-o", str(lab.file), code=0)
        yield lab


@pytest.fixture
def lab(whole: Lab) -> Iterator[Lab]:
    text = whole.file.read_bytes()
    yield whole
    whole.file.write_bytes(text)
    whole.restore()


def disabled(lab: Lab) -> str:
    (action,) = [one for one in read(lab.file)["actions"] if one["kind"] == "disable user"]
    return str(action["target"])


def read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def rewrite(lab: Lab, **changes: Any) -> None:
    """As somebody does who edits a plan and mends its digest: that alone keeps nobody out."""
    content = {key: value for key, value in {**read(lab.file), **changes}.items() if key != "digest"}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    content["digest"] = hashlib.sha256(text.encode()).hexdigest()
    lab.file.write_text(json.dumps(content))


# --- approve ------------------------------------------------------------------------------------------------


def test_approve_shows_what_is_signed_and_says_how_it_stands(lab: Lab) -> None:
    done = lab.run("approve", str(lab.file), "--key", str(lab.signers.key("alice")), typed="lab\n", code=0)
    assert disabled(lab) in done.stderr
    assert done.stdout.startswith("signed by alice@example.org (SHA256:")
    assert "approvals: 1 of 2 (2 for undoable): 1 missing" in done.stdout
    assert "Missing: 1 of bob@example.org." in done.stdout
    assert lab.file.with_name("plan.json.alice@example.org.sig").exists()
    key, digest = str(lab.signers.key("bob")), read(lab.file)["digest"]
    again = lab.run("approve", str(lab.file), "--key", key, "--confirm", digest, "--format", "json", code=0)
    found = json.loads(again.stdout)
    assert (found["signed_by"], found["approvals"]["approved"]) == ("bob@example.org", True)


@pytest.mark.parametrize(
    ("more", "typed"), [((), ""), ((), "yes\n"), (("--format", "json"), "y\n"), (("--confirm", "lab"), "")]
)
def test_approve_signs_nothing_before_the_word(lab: Lab, more: tuple[str, ...], typed: str) -> None:
    key = str(lab.signers.key("alice"))
    done = lab.run("approve", str(lab.file), "--key", key, *more, typed=typed, code=1)
    assert disabled(lab) in done.stderr or "--confirm" in more
    assert done.stdout == ""
    assert not list(lab.file.parent.glob("plan.json.*.sig"))


def test_approve_prints_one_line_for_others(lab: Lab) -> None:
    done = lab.run("approve", str(lab.file), "--print", code=0)
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("ssh-keygen -Y sign -f ")
    text = lab.file.with_name("plan.json.objects.txt").read_text(encoding="utf-8")
    assert disabled(lab) in text
    assert json.loads(lab.run("approve", str(lab.file), "--print", "--format", "json").stdout)["command"]


def test_approve_refuses_one_s_own_plan_and_writes_nothing(lab: Lab) -> None:
    done = lab.run("approve", str(lab.file), "--key", str(lab.signers.key("jmartin")), typed="lab\n", code=1)
    assert "nobody approves a plan of their own" in done.stderr
    assert not list(lab.file.parent.glob("plan.json.*"))


def test_an_approver_needs_no_credentials(lab: Lab) -> None:
    ini = lab.configured.folder / "cloudstack.ini"
    kept = ini.rename(ini.with_suffix(".away"))
    try:
        lab.run("approve", str(lab.file), "--key", str(lab.signers.key("alice")), typed="lab\n", code=0)
        shown = lab.run("review", str(lab.file), "--format", "json", code=0)
    finally:
        kept.rename(ini)
    assert json.loads(shown.stdout)["approvals"]["people"] == ["alice@example.org"]


def test_wrong_usage(lab: Lab) -> None:
    lab.run("approve", str(lab.file), code=64)
    lab.run("approve", str(lab.file), "--key", "k", "--print", code=64)
    idle = lab.run("approve", str(lab.file), "--print", "--confirm", "x", code=64)
    assert "--confirm does nothing with --print" in idle.stderr
    done = lab.run(
        "approve", str(lab.file), "--key", str(lab.file.with_name("no-key")), typed="lab\n", code=64
    )
    assert "ssh-keygen did not sign" in done.stderr
    done = lab.run("--environment", "other", "approve", str(lab.file), "--print", code=1)
    assert "The plan is for lab, this is other." in done.stderr


# --- review -------------------------------------------------------------------------------------------------


def test_review_offline_tells_the_radius_from_the_plan(lab: Lab) -> None:
    before = len(lab.sandbox.control.log())
    done = lab.run("review", str(lab.file), code=0)
    assert len(lab.sandbox.control.log()) == before
    assert "blast radius, told from the plan alone: loses access: 1 user" in done.stdout
    assert f"user {disabled(lab)}" in done.stdout
    assert "--fresh` computes it from CloudStack" in done.stdout
    assert "approvals: 0 of 2 (2 for undoable): 2 missing" in done.stdout


def test_review_fresh_computes_it_from_both_sides(lab: Lab) -> None:
    done = lab.run("review", str(lab.file), "--fresh", "--format", "json", code=0)
    radius = json.loads(done.stdout)["blast_radius"]
    assert radius["source"] == "CloudStack"
    assert radius["taken_at"]
    (row,) = [one for action in radius["actions"] for one in action["objects"]]
    assert row["effect"] == "loses access"
    assert row["state"] == "enabled"
    assert row["name"] == disabled(lab).rpartition(":")[2]
    assert len(row["owner"]["people"]) > 1
    text = lab.run("review", str(lab.file), "--fresh", code=0).stdout
    assert "blast radius, from CloudStack as read at" in text


def test_review_fresh_refuses_what_it_cannot_compute_after_showing_the_plan(lab: Lab) -> None:
    rewrite(lab, endpoint="https://elsewhere.example.org/client/api")
    done = lab.run("review", str(lab.file), "--fresh", code=1)
    assert disabled(lab) in done.stdout
    assert "blast radius" not in done.stdout
    assert "its blast radius there is not known here" in done.stderr
    found = json.loads(lab.run("review", str(lab.file), "--fresh", "--format", "json", code=1).stdout)
    assert "not known here" in found["blast_radius"]["refused"]


def test_review_fresh_names_the_offerings_that_list_a_domain_or_refuses(lab: Lab) -> None:
    plan = from_json(read(lab.file))
    action = replace(plan.actions[0], kind=ActionKind.UPDATE_DOMAIN, target="ROOT/ci/dune")
    made = build([action], environment=plan.environment, root_id=plan.root_id, endpoint=plan.endpoint,
                 author=plan.author, now=plan.created_at)  # fmt: skip
    lab.file.write_text(json.dumps(to_json(made)))
    lab.run("review", str(lab.file), "--fresh", code=0)
    asked = {entry["command"] for entry in lab.sandbox.control.log()}
    assert {"listServiceOfferings", "listDiskOfferings", "listNetworkOfferings"} <= asked
    lab.sandbox.control.add_fault("wrong_count", command="listDiskOfferings", count=20)
    refused = lab.run("review", str(lab.file), "--fresh", code=1)
    lab.sandbox.control.clear_faults()
    assert "the offerings that list the domain cannot be read" in refused.stderr


def test_review_without_any_configuration_still_shows_the_plan(lab: Lab, tmp_path: Path) -> None:
    for config in (tmp_path / "none.toml", tmp_path / "broken.toml"):
        (tmp_path / "broken.toml").write_text("[environments")
        done = lab.run("--config", str(config), "review", str(lab.file), code=0)
        assert disabled(lab) in done.stdout
        assert str(config) in done.stdout


# --- apply --------------------------------------------------------------------------------------------------


def apply(lab: Lab, *, code: int) -> subprocess.CompletedProcess[str]:
    return lab.run("apply", str(lab.file), typed="lab\n", code=code)


def sign(lab: Lab, *names: str) -> None:
    for name in names:
        lab.run("approve", str(lab.file), "--key", str(lab.signers.key(name)), typed="lab\n", code=0)


def cut_off(lab: Lab) -> None:
    sign(lab, "alice", "bob")
    path = lab.file.with_name("plan.json.bob@example.org.sig")
    path.write_bytes(path.read_bytes()[:-40])


def edit(lab: Lab) -> None:
    sign(lab, "alice", "bob")
    rewrite(lab, notes=["one more"])


def paste(lab: Lab) -> None:
    sign(lab, "alice")
    path = lab.file.with_name("plan.json.alice@example.org.sig")
    lab.file.with_name("plan.json.bob@example.org.sig").write_bytes(path.read_bytes())


def own(lab: Lab) -> None:
    sign(lab, "alice")
    lab.signers.folder.joinpath("plan.json.objects.txt").unlink()
    bare(lab, "jmartin")


def stranger(lab: Lab) -> None:
    sign(lab, "alice")
    bare(lab, "mallory")


def bare(lab: Lab, name: str) -> None:
    """As with ssh-keygen alone, which refuses nobody."""
    lab.signers.sign(from_json(read(lab.file)), name)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda lab: None, "has 0. Missing: 2 of alice@example.org, bob@example.org."),
        (lambda lab: sign(lab, "alice"), "has 1: alice@example.org. Missing: 1 of bob@example.org."),
        (cut_off, "cut off or damaged"),
        (edit, "over another version of the plan"),
        (paste, "has 1: alice@example.org"),
        (own, "nobody approves a plan of their own"),
        (stranger, "is not among the allowed signers"),
    ],
    ids=["none", "one", "cut off", "edited", "copied", "own", "stranger"],
)
def test_apply_refuses_before_it_asks(lab: Lab, prepare: Callable[[Lab], None], words: str) -> None:
    prepare(lab)
    before = lab.changing()
    done = apply(lab, code=1)
    assert words in done.stderr
    assert "Type lab to run them" not in done.stderr
    assert lab.changing() == before


def test_rebuild_is_no_way_around_it(lab: Lab) -> None:
    before = lab.changing()
    text = lab.configured.config.read_text()
    done = lab.run("rebuild", "dune", "--rehearse", typed="lab\n")
    assert done.returncode == 1
    missing = "Missing: 2 of alice@example.org, bob@example.org."
    assert f"needs the approval of 2 in lab and has 0. {missing}" in done.stderr
    assert "Type lab" not in done.stderr and "ehears" not in done.stderr
    assert "`abreast approve FILE`" in done.stderr
    assert lab.changing() == before
    assert lab.configured.config.read_text() == text


def test_apply_runs_with_two_signatures_and_records_who_signed(lab: Lab) -> None:
    """Last: afterwards the user is disabled."""
    sign(lab, "alice", "bob")
    done = lab.run("apply", str(lab.file), "--confirm", read(lab.file)["digest"], code=0)
    assert "succeeded" in done.stdout
    assert "disableUser" in lab.changing()
    entries = [
        json.loads(line) for line in lab.run("ledger", "show", "--format", "json", code=0).stdout.splitlines()
    ]
    (started,) = [entry for entry in entries if "approved" in entry["payload"]]
    assert started["payload"]["approved"]["people"] == ["alice@example.org", "bob@example.org"]
    assert len(started["payload"]["approved"]["keys"]) == 2
