"""`abreast restore` as a command: from the capture to the last VM, frozen meanwhile, killed in the middle."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from sync.errors import EXIT_DONE, EXIT_DRIFT, EXIT_USAGE
from tests.restore_site import BEFORE, WORD, ZONE, Site, site_in


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with site_in(tmp_path) as made:
        yield made


def lost_of(told: str) -> list[dict[str, Any]]:
    """The objects that are lost, of what `abreast losses --format json` says."""
    return [
        one for found in json.loads(told)["projects"] for one in found["objects"] if one["fate"] == "lost"
    ]


def test_from_the_capture_to_the_last_vm(site: Site) -> None:
    assert site.cli.run("capture", "before.sqlite").returncode == EXIT_DONE
    site.lose("aurora", "boreal")
    early = site.cli.run(*site.command("--capture", "before.sqlite"))
    assert early.returncode == EXIT_DRIFT, "what waits for a rebuild is not restored"
    assert "its domain is not there (rebuild it first)" in early.stdout
    assert site.cli.run("rebuild", "aurora", "boreal", typed=WORD).returncode == EXIT_DONE
    told = site.restore("--capture", "before.sqlite", "--freeze-zone", ZONE, "boreal", "--map", "map.csv")
    assert told["restored"] == {
        "freeze zone": 1, "take address": 1, "register template": 1, "deploy VM": 1, "thaw zone": 1
    }, "the network was rebuilt"  # fmt: skip
    assert told["failed"] == {} and told["frozen"] == []
    [change] = told["addresses"]
    assert (change["vm"], change["old"]) == ("boreal-1", "10.8.0.11"), "rebuilt with the zone's range"
    assert site.allocation() == "Enabled"
    kinds = [line.split(",")[0] for line in (site.cli.folder / "map.csv").read_text().splitlines()[1:]]
    assert Counter(kinds) == dict.fromkeys(
        ("domain", "account", "user", "network", "public address", "template", "VM"), 1
    )
    shown = site.cli.run("ledger", "show")
    assert "freeze-zone Sandbox-simulator: succeeded" in shown.stdout
    assert "thaw-zone Sandbox-simulator: succeeded" in shown.stdout
    site.cli.config.write_text(
        site.cli.config.read_text().replace(
            "[environments.lab]",
            f'[environments.lab]\narchive = "{site.archive}"\narchive_address = "127.0.0.1"',
        )
    )
    losses = site.cli.run("losses", "boreal", "--capture", "before.sqlite", "--format", "json")
    again = set(json.loads(losses.stdout)["made_again"])
    (machine,) = (one["id"] for one in lost_of(losses.stdout) if one["name"] == "boreal-1")
    assert machine in again, "lost, and there again under its name"
    rest = site.cli.run("restore", "--capture", "before.sqlite", typed=WORD)
    assert rest.returncode == EXIT_DONE, rest.stderr
    assert "restored: 1 × take address, 2 × register template, 3 × deploy VM" in rest.stdout
    assert "CloudStack fetches aurora-gcc.qcow2" in rest.stderr
    assert site.machines().keys() == BEFORE.keys()


def test_a_rebuild_that_knows_a_capture_gives_networks_their_ranges_and_vms_their_addresses(
    site: Site,
) -> None:
    watched(site)
    before = site.ids()
    site.lose("aurora", "boreal")
    assert site.cli.run("rebuild", "aurora", "--map", "aurora.csv", typed=WORD).returncode == EXIT_DONE
    done = site.cli.run("rebuild", "boreal", "--map", "boreal.csv", "--format", "json", typed=WORD)
    assert json.loads(done.stdout)["new_ids"] == 4
    for name in ("aurora", "boreal"):
        rows = site.map(f"{name}.csv")
        assert {row["what"] for row in rows} == {"domain", "account", "user", "network"}
        assert {row["project"] for row in rows} == {name}, "each run has its own"
        assert all(before[row["name"]] == row["old_id"] != row["new_id"] for row in rows), rows
    told = site.restore()
    assert told["addresses"] == [] and told["failed"] == {}
    assert site.machines() == BEFORE
    report = site.cli.run("report", "-o", "report")
    assert report.returncode == EXIT_DONE, report.stderr
    folder = site.cli.folder / "report"
    assert {path.name for path in (folder / "letters").iterdir()} == {"aurora.eml", "boreal.eml"}
    mail = message_from_bytes((folder / "letters" / "aurora.eml").read_bytes(), policy=default)
    text = mail.get_content()
    assert "VM, 1: aurora-1 (made again, now Running, at 10.7.0.11)" in text
    assert "template, 2: aurora-gcc, aurora-llvm (made again)" in text
    assert "a snapshot goes with its volume" in text
    written = (folder / "incident-report.md").read_text()
    assert "2 deletions by admin/admin, submitted from " in written
    assert "None of it is in the ledger" in written
    assert written.count("deletion of domain ROOT/ci/") == 2 and written.count("| domain ROOT/ci/") == 2
    assert "actions, restore, confirmed by" in written and "actions, rebuild, confirmed by" in written
    assert "4 × deploy VM" in written and "| VM | 0 | 4 | 0 | 0 | 0 |" in written


def test_a_restore_that_is_killed_is_gone_on_with_and_nothing_is_made_twice(site: Site) -> None:
    site.lose_and_rebuild()
    site.restore_until_killed()
    checked = site.cli.run("check", "--format", "json")
    assert [one["zone"] for one in json.loads(checked.stdout)["frozen_zones"]] == [ZONE]
    assert f"Zone {ZONE} is frozen since" in site.cli.run("check").stdout
    assert [(one["zone"], one["is_certain"]) for one in watched(site)["frozen_zones"]] == [(ZONE, True)]
    assert f"Zone {ZONE} is frozen since" in site.cli.run("rebuild", typed="no\n").stderr
    # Without the archive the run cannot go on: it says so, and that the zone is frozen.
    bare = site.cli.run("restore", "--capture", "before.sqlite", typed=WORD)
    assert "Zone Sandbox-simulator is frozen since" in bare.stderr
    assert bare.returncode == EXIT_DRIFT and "none is served here" in bare.stderr
    gone_on = site.cli.run(*site.command("--capture", "before.sqlite"), typed=WORD)
    assert gone_on.returncode == EXIT_DRIFT
    assert "was interrupted" in gone_on.stderr and "nothing was done" not in gone_on.stderr
    assert "nothing is done beyond the run that was gone on with" in gone_on.stderr
    assert "restored: " in gone_on.stdout
    no = site.cli.run("restore", "--thaw", ZONE, typed="no\n")
    assert "is to be opened" in no.stderr and "Not confirmed: nothing was done." in no.stderr
    done = site.cli.run(*site.command("--capture", "before.sqlite"), typed=WORD)
    assert done.returncode == EXIT_DONE, done.stderr + done.stdout
    assert site.machines().keys() == BEFORE.keys()
    templates = site.hand.call("listTemplates", templatefilter="all", listall="true")["template"]
    assert max(Counter(one["name"] for one in templates).values()) == 1
    assert site.allocation() == "Enabled"
    assert watched(site)["frozen_zones"] == []
    for command, said in ((("restore", "--capture", "before.sqlite"), "restored: "), (("rebuild",), "verif")):
        unwritten = site.cli.run(*command, "--map", "/proc/map.csv")
        assert unwritten.returncode == EXIT_USAGE and said in unwritten.stdout, unwritten.stderr
        assert "The identity map cannot be written to /proc: " in unwritten.stderr


def watched(site: Site) -> Any:
    """The first line of the watch without a screen."""
    watch = site.cli.start("watch", "--headless")
    assert watch.stdout is not None
    line = watch.stdout.readline()
    watch.send_signal(signal.SIGINT)
    watch.communicate(timeout=60)
    return json.loads(line)


def test_a_frozen_zone_is_lifted_by_its_own_command_and_no_other_zone(site: Site) -> None:
    refused = site.cli.run("restore", "--thaw", ZONE, typed=WORD)
    assert refused.returncode == EXIT_DRIFT and "was not frozen by abreast" in refused.stderr
    assert site.cli.run("capture", "before.sqlite").returncode == EXIT_DONE
    stopped = site.cli.run("restore", "--capture", "before.sqlite", "--freeze-zone", ZONE, typed="no\n")
    assert "Not confirmed" in stopped.stderr and site.allocation() == "Enabled"
    zone = site.hand.call("listZones")["zone"][0]["id"]
    site.hand.call("updateZone", id=zone, allocationstate="Disabled")
    theirs = site.cli.run("restore", "--capture", "before.sqlite", "--freeze-zone", ZONE, typed=WORD)
    assert "not by abreast: it is left so" in theirs.stderr
    assert site.allocation() == "Disabled" and site.sent()["updateZone"] == 0


def test_approvals_that_are_needed_are_told_before_the_word_is_asked_for(site: Site) -> None:
    assert site.cli.run("capture", "before.sqlite").returncode == EXIT_DONE
    with site.cli.config.open("a", encoding="utf-8") as file:
        file.write("[environments.lab.approvals.required]\nundoable = 1\n")
    refused = site.cli.run("restore", "--capture", "before.sqlite", "--freeze-zone", ZONE, typed=WORD)
    assert refused.returncode == EXIT_DRIFT and "needs the approval of 1" in refused.stderr
    assert "Type lab" not in refused.stderr and site.sent()["updateZone"] == 0


def test_what_is_asked_for_wrongly_is_wrong_usage(site: Site) -> None:
    for arguments, words in (
        (("--capture", "nowhere"), "There is no file nowhere, and it is no point in time"),
        ((), "It is not known what to restore"),
        (("--serve", "127.0.0.1"), "There is nothing to serve"),
        (("--archive", str(site.cli.folder)), "There is no archive in"),
        (("--capture", "before.sqlite", "--freeze-zone", "nowhere"), "no zone nowhere"),
        (("--capture", "before.sqlite", "nobody"), "no project or domain named nobody"),
    ):
        if "before.sqlite" in arguments and not (site.cli.folder / "before.sqlite").exists():
            assert site.cli.run("capture", "before.sqlite").returncode == EXIT_DONE
        done = site.cli.run("restore", *arguments)
        assert (done.returncode, words in done.stderr) == (EXIT_USAGE, True), done.stderr
