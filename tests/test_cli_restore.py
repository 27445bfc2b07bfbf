"""`abreast restore` as a command: from the capture to the last VM, frozen meanwhile, killed in the middle."""

from __future__ import annotations

import csv
import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from sync.errors import EXIT_DONE, EXIT_DRIFT, EXIT_USAGE
from sync.sandbox import persistence
from sync.sandbox.downloads import SETTING
from sync.sandbox.naive_sync import Client
from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import write_database
from tests.cli import ENVIRONMENT, NETWORK, Access, Configured, configure
from tests.engine_cloud import EngineCloud
from tests.restores import Lab, lab

ZONE = "Sandbox-simulator"
WORD = f"{ENVIRONMENT}\n"


@dataclass
class Site:
    """A sandbox with the small lab in it, its archive, and the command line."""

    box: SandboxProcess
    hand: Client
    cli: Configured
    archive: Path

    def lose(self, *names: str) -> None:
        """Their domains are deleted with all that is in them."""
        for domain in self.hand.call("listDomains", listall="true")["domain"]:
            if domain["name"] in names:
                job = self.hand.call("deleteDomain", id=domain["id"], cleanup="true")["jobid"]
                while self.hand.call("queryAsyncJobResult", jobid=job)["jobstatus"] == 0:
                    self.box.control.advance(5)

    def restore(self, *arguments: str, typed: str = WORD) -> Any:
        """What it says as JSON; it must end well."""
        done = self.cli.run(*self.command(*arguments, "--format", "json"), typed=typed)
        assert done.returncode == EXIT_DONE, done.stderr + done.stdout
        return json.loads(done.stdout)

    def command(self, *arguments: str) -> tuple[str, ...]:
        return ("restore", "--archive", str(self.archive), "--serve", "127.0.0.1", *arguments)

    def machines(self) -> dict[str, str]:
        """Name → address of what runs."""
        rows = self.hand.call("listVirtualMachines", listall="true")["virtualmachine"]
        assert len({row["name"] for row in rows}) == len(rows), "nothing is there twice"
        return {row["name"]: row["nic"][0]["ipaddress"] for row in rows if row["state"] == "Running"}

    def delete_what_was_not_fetched(self) -> None:
        """What CloudStack was fetching when the process went, and the server with it, failed there. A person
        deletes that, as the product says where it finds one."""
        deleted = set()
        while True:
            rows = self.hand.call("listTemplates", templatefilter="all", listall="true")["template"]
            waiting = {row["id"]: row.get("status", "") for row in rows if not row["isready"]}
            if not waiting:
                return
            for id, status in waiting.items():
                if "Unable to connect" in status and id not in deleted:
                    deleted.add(id)
                    self.hand.call("deleteTemplate", id=id)

    def ids(self) -> dict[str, str]:
        """Natural key → id of the domains, accounts, users and networks that are there."""
        domains = {row["id"]: row for row in self.hand.call("listDomains", listall="true")["domain"]}
        found = {row["path"]: row["id"] for row in domains.values()}
        for row in self.hand.call("listAccounts", listall="true")["account"]:
            own = f"{domains[row['domainid']]['path']}:{row['name']}"
            found |= {own: row["id"], **{f"{own}:{user['username']}": user["id"] for user in row["user"]}}
        for row in self.hand.call("listNetworks", listall="true")["network"]:
            found[f"{domains[row['domainid']]['path']}/{row['name']}"] = row["id"]
        return found

    def map(self, name: str) -> list[dict[str, str]]:
        with (self.cli.folder / name).open(newline="") as file:
            return list(csv.DictReader(file))

    def allocation(self) -> str:
        return str(self.hand.call("listZones")["zone"][0]["allocationstate"])

    def sent(self) -> Counter[str]:
        """Changing calls of the product that were answered, by command."""
        return Counter(
            entry["command"]
            for entry in self.box.control.log()
            if entry["client"].startswith("abreast/")
            and not entry["command"].startswith(("list", "get", "query"))
        )


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    seeded = Lab(tmp_path, cloud=EngineCloud(lab(), start=datetime.now(UTC)))
    seeded.cloud.world.settings[SETTING] = "true"
    persistence.save(seeded.cloud.world, tmp_path / "world.json")
    write_database(seeded.cloud.blueprint, tmp_path / "ci.sqlite")
    with SandboxProcess.start(state=tmp_path / "world.json", speed=20, service_times=False) as box:
        ready = box.ready
        access = Access(ready.url, ready.key, ready.secret)
        cli = configure(tmp_path / "cli", access, f"sqlite:///{tmp_path / 'ci.sqlite'}", more=NETWORK)
        hand = Client(endpoint=ready.url, key=ready.key, secret=ready.secret, token=ready.token)
        with closing(hand):
            yield Site(box, hand, cli, seeded.archive)


BEFORE = {
    "aurora-1": "10.7.0.11", "aurora-2": "10.7.0.12", "boreal-1": "10.8.0.11", "dune-1": "10.9.0.11",
}  # fmt: skip


def test_from_the_capture_to_the_last_vm(site: Site) -> None:
    assert site.cli.run("capture", "before.sqlite").returncode == EXIT_DONE
    site.lose("aurora", "boreal")
    early = site.cli.run(*site.command("--capture", "before.sqlite"))
    assert early.returncode == EXIT_DONE
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
    rest = site.cli.run("restore", "--capture", "before.sqlite", typed=WORD)
    assert rest.returncode == EXIT_DONE, rest.stderr
    assert "restored: 1 × take address, 2 × register template, 3 × deploy VM" in rest.stdout
    assert "CloudStack fetches aurora-gcc.qcow2" in rest.stderr
    assert site.machines().keys() == BEFORE.keys()


def test_a_rebuild_that_knows_a_capture_gives_networks_their_ranges_and_vms_their_addresses(
    site: Site,
) -> None:
    watch = site.cli.start("watch", "--headless")
    assert watch.stdout is not None
    watch.stdout.readline()
    watch.send_signal(signal.SIGINT)
    watch.communicate(timeout=60)
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
    assert "4 × deploy VM" in written and "| VM | 0 | 4 | 0 | 0 | 0 |" in written


def test_a_restore_that_is_killed_is_gone_on_with_and_nothing_is_made_twice(site: Site) -> None:
    assert site.cli.run("capture", "before.sqlite").returncode == EXIT_DONE
    site.lose("aurora", "boreal")
    assert site.cli.run("rebuild", "aurora", "boreal", typed=WORD).returncode == EXIT_DONE
    child = site.cli.start(*site.command("--capture", "before.sqlite", "--freeze-zone", ZONE))
    assert child.stdin is not None
    child.stdin.write(WORD)
    child.stdin.flush()
    end = time.monotonic() + 120
    while not site.sent()["deployVirtualMachine"]:
        assert child.poll() is None and time.monotonic() < end
    child.kill()
    child.communicate()
    site.delete_what_was_not_fetched()
    assert site.allocation() == "Disabled"
    # Without the archive the run cannot go on: it says so, and that the zone is frozen.
    bare = site.cli.run("restore", "--capture", "before.sqlite", typed=WORD)
    assert "Zone Sandbox-simulator is frozen since" in bare.stderr
    assert bare.returncode == EXIT_DRIFT and "none is served here" in bare.stderr
    done = site.cli.run(*site.command("--capture", "before.sqlite"), typed=WORD + WORD)
    assert done.returncode == EXIT_DONE, done.stderr + done.stdout
    assert "was interrupted" in done.stderr
    assert site.machines().keys() == BEFORE.keys()
    templates = site.hand.call("listTemplates", templatefilter="all", listall="true")["template"]
    assert max(Counter(one["name"] for one in templates).values()) == 1
    assert site.allocation() == "Enabled"


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


def test_what_is_asked_for_wrongly_is_wrong_usage(site: Site) -> None:
    for arguments, words in (
        (("--capture", "nowhere"), "neither a file nor a point in time"),
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
