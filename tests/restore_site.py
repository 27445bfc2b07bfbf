"""A sandbox of its own with a small lab in it, its archive, and abreast configured on it: for restores."""

from __future__ import annotations

import csv
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sync.errors import EXIT_DONE
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

    def lose_and_rebuild(self) -> None:
        """aurora and boreal are captured into `before.sqlite`, deleted and rebuilt."""
        assert self.cli.run("capture", "before.sqlite").returncode == EXIT_DONE
        self.lose("aurora", "boreal")
        assert self.cli.run("rebuild", "aurora", "boreal", typed=WORD).returncode == EXIT_DONE

    def restore_until_killed(self) -> None:
        """A restore with the zone closed, whose process dies once the first VM is deployed."""
        child = self.cli.start(*self.command("--capture", "before.sqlite", "--freeze-zone", ZONE))
        assert child.stdin is not None
        child.stdin.write(WORD)
        child.stdin.flush()
        end = time.monotonic() + 120
        while not self.sent()["deployVirtualMachine"]:
            assert child.poll() is None and time.monotonic() < end
        child.kill()
        child.communicate()
        self.delete_what_was_not_fetched()
        assert self.allocation() == "Disabled"

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


@contextmanager
def site_in(tmp_path: Path, *, more: str = NETWORK) -> Iterator[Site]:
    """The site, with everything that it writes in a folder; `more` is put into its configuration."""
    seeded = Lab(tmp_path, cloud=EngineCloud(lab(), start=datetime.now(UTC)))
    seeded.cloud.world.settings[SETTING] = "true"
    persistence.save(seeded.cloud.world, tmp_path / "world.json")
    write_database(seeded.cloud.blueprint, tmp_path / "ci.sqlite")
    with SandboxProcess.start(state=tmp_path / "world.json", speed=20, service_times=False) as box:
        ready = box.ready
        access = Access(ready.url, ready.key, ready.secret)
        cli = configure(tmp_path / "cli", access, f"sqlite:///{tmp_path / 'ci.sqlite'}", more=more)
        hand = Client(endpoint=ready.url, key=ready.key, secret=ready.secret, token=ready.token)
        with closing(hand):
            yield Site(box, hand, cli, seeded.archive)


BEFORE = {
    "aurora-1": "10.7.0.11", "aurora-2": "10.7.0.12", "boreal-1": "10.8.0.11", "dune-1": "10.9.0.11",
}  # fmt: skip
