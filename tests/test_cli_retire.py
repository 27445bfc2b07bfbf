"""`abreast retire` as people and programs use it: what it shows, asks, refuses, and its exit codes."""

from __future__ import annotations

import getpass
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.errors import EXIT_DONE, EXIT_DRIFT, EXIT_USAGE, GuardError
from sync.retirement import Stage, Step
from sync.ssh_signature import NAMESPACE
from tests.retirements import PROJECT, Lab, lab

ROOT = Path(__file__).parents[1]
ME = getpass.getuser()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Lab]:
    """Who runs the tests is among those whose signatures could count, so they may propose."""
    with lab(tmp_path, runs=True) as made:
        made.signers.allow(f"{ME}@example.org", "tester")
        yield made


def run(site: Lab, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "console", "--config", str(site.config), "retire", *arguments],
        input=typed,
        capture_output=True,
        text=True,
        cwd=site.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        timeout=200,
        check=False,
    )


def shown(site: Lab, *arguments: str) -> Any:
    done = run(site, *arguments, "--format", "json")
    assert done.returncode == EXIT_DONE, done.stderr
    return json.loads(done.stdout)


def test_from_the_proposal_into_the_quarantine_and_back(site: Lab) -> None:
    site.until_today()
    with pytest.raises(GuardError, match="two readings"):
        site.retiring().propose([PROJECT])
    early = run(site, PROJECT)
    assert early.returncode == EXIT_USAGE
    assert "--propose` begins one" in early.stderr

    proposed = run(site, PROJECT, "--propose")
    assert proposed.returncode == EXIT_DONE, proposed.stderr
    assert "evidence (CI database): cdelorme" in proposed.stdout
    assert "lost: snapshot" in proposed.stdout
    assert "kept as template retired-" in proposed.stdout
    assert "approvals: 0 of 2 (2 missing)" in proposed.stdout

    refused = run(site, PROJECT, typed="zephyr 15\n")
    assert refused.returncode == EXIT_DRIFT
    assert "needs the approval of 2 and has 0" in refused.stderr

    printed = run(site, PROJECT, "--approve", "--print")
    assert printed.stdout.startswith(f"ssh-keygen -Y sign -f ~/.ssh/id_ed25519 -n {NAMESPACE} ")
    text = site.folder / f"{PROJECT}.retire.txt"
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-f", str(site.signers.key("alice")), "-n", NAMESPACE, str(text)],
        check=True,
    )
    handed_in = run(site, PROJECT, "--approve", "--signature", f"{text}.sig")
    assert handed_in.returncode == EXIT_DONE, handed_in.stderr
    assert "Signed by alice@example.org" in handed_in.stderr
    word = shown(site, PROJECT, "--show")["confirm"]
    own = run(site, PROJECT, "--approve", "--key", str(site.signers.key("tester")), "--confirm", word)
    assert own.returncode == EXIT_DRIFT
    assert "nobody approves a retirement of their own" in own.stderr
    unasked = run(site, PROJECT, "--approve", "--key", str(site.signers.key("bob")))
    assert (unasked.returncode, "nothing was signed" in unasked.stderr) == (EXIT_DRIFT, True)
    bob = run(site, PROJECT, "--approve", "--key", str(site.signers.key("bob")), typed=f"{word}\n")
    assert bob.returncode == EXIT_DONE, bob.stderr

    state = shown(site, PROJECT, "--show")
    assert (state["stage"], state["next"], state["approvals"]["missing"]) == ("proposed", "quarantine", 0)
    assert re.fullmatch(r"zephyr \d+", state["confirm"])
    assert all(loss["id"] for loss in state["targets"][0]["losses"])

    mistyped = run(site, PROJECT, typed="zephyr\n")
    assert mistyped.returncode == EXIT_DRIFT
    assert site.commands() == []
    done = run(site, PROJECT, typed=f"{state['confirm']}\n")
    assert done.returncode == EXIT_DONE, done.stderr
    assert "Nothing is destroyed; undoing takes it back." in done.stderr
    assert re.search(r"next: archive, from [-\d]+ [:\d]+ UTC on \(in 1[34] days\)", done.stdout)
    waiting = run(site, PROJECT, "--confirm", state["confirm"])
    assert waiting.returncode == EXIT_DRIFT
    assert "is in quarantine until" in waiting.stderr
    listed = run(site, "--list")
    assert "in quarantine" in listed.stdout
    assert "ceiling: 0 of 3 projects in 30 days" in listed.stdout

    undone = run(site, PROJECT, "--undo", typed=f"{PROJECT}\n")
    assert undone.returncode == EXIT_DONE, undone.stderr
    assert "VMs that ran before and are stopped: zephyr-deb12-1" in undone.stdout
    assert " lost" not in undone.stdout, "nothing of it is"
    assert site.commands() == ["disableAccount", "enableAccount"]


def test_the_last_steps_from_the_command_line(site: Lab) -> None:
    site.approved()
    site.through(Step.DESTROY)
    site.wait(3 * 86400)
    state = shown(site, PROJECT, "--show")
    for step in ("delete accounts", "delete domain"):
        done = run(site, PROJECT, "--confirm", state["confirm"])
        assert done.returncode == EXIT_DONE, done.stderr
        assert f"{step}:" in done.stderr
        assert "This cannot be undone." in done.stderr
    assert site.domain_id() is None
    assert site.retiring().of(PROJECT).stage is Stage.DONE
    again = run(site, PROJECT)
    assert again.returncode == EXIT_DONE
    assert "next: nothing" in again.stdout
    assert run(site, PROJECT, "--undo", "--confirm", PROJECT).returncode == EXIT_DRIFT


def test_a_campaign_and_options_that_do_not_belong_together(site: Lab) -> None:
    assert run(site).returncode == EXIT_USAGE
    assert run(site, "a", "b").returncode == EXIT_USAGE
    assert run(site, "a", "--campaign").returncode == EXIT_USAGE
    assert run(site, "a", "--propose", "--reason", "ended").returncode == EXIT_USAGE
    assert run(site, "a", "--propose", "--undo").returncode == EXIT_USAGE
    for idle in (
        (PROJECT, "--no-archive"),
        (PROJECT, "--start"),
        (PROJECT, "--undo", "--reason", "x"),
        (PROJECT, "--propose", "--key", "k"),
        (PROJECT, "--approve", "--print", "--key", "k"),
        (PROJECT, "--list"),
    ):
        refused = run(site, *idle)
        assert refused.returncode == EXIT_USAGE, idle
        assert "does nothing" in refused.stderr or "shows all of them" in refused.stderr
    site.until_today()
    until = f"{site.clock().date().replace(day=1)}"
    past = run(site, "a", "--campaign", "--until", until, "--reason", "closing")
    assert past.returncode == EXIT_DRIFT
    campaign = shown(site, "a", "b", "--campaign", "--until", site.tomorrow(), "--reason", "closing")
    assert campaign["projects"] == ["a", "b"]
    signing = (campaign["id"], "--approve", "--key", str(site.signers.key("alice")))
    signed = run(site, *signing, typed=f"{campaign['id']}\n")
    assert signed.returncode == EXIT_DONE, signed.stderr
    assert "1. a" in signed.stdout
    (listed,) = shown(site, "--list")["campaigns"]
    assert len(listed["signatures"]) == 1
