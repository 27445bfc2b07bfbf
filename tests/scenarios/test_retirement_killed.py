"""A retirement killed with SIGKILL at any moment is gone on with by somebody else, and ends like any other.

Against a live sandbox: no call that takes something away is sent twice about one object, nothing else is
touched, and the record verifies.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from sync.archive_manifest import read
from sync.ledger import EntryKind
from sync.model import Outcome
from sync.retirement import Stage, Step
from sync.sandbox.storage import content
from tests.deletions import DELETING
from tests.retirements import Lab, lab
from tests.scenarios.killed_retirement import Task

PROJECT = "varech"
"""One VM: five calls, one a step."""
CALLS = 5
MOMENTS = 2 * (3 * CALLS + 2 * 5 + CALLS)
"""Around the three entries of each call, the two of each step, and each call itself."""
SLICE = sorted(random.Random(28).sample(range(1, MOMENTS + 1), 4))
"""The moments that a plain run dies at."""
UNDO_CALLS = 2
UNDO_MOMENTS = 2 * (3 * UNDO_CALLS + 2 + UNDO_CALLS)


@contextmanager
def approved(folder: Path) -> Iterator[Lab]:
    with lab(folder) as made:
        made.retire_in_ci_database(PROJECT)
        made.approved(PROJECT)
        yield made


def run(site: Lab, *, kill_at: int, operator: str, undoes: bool = False) -> subprocess.CompletedProcess[str]:
    task = Task(str(site.folder), vars(site.box.ready), PROJECT, operator, kill_at, undoes)
    return subprocess.run(
        [sys.executable, "-m", "tests.scenarios.killed_retirement"],
        input=json.dumps(asdict(task)),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def shape(site: Lab) -> dict[str, list[tuple[str, ...]]]:
    """What is left in the cloud: every lab begins with the same ids, so they may be compared."""
    templates = site.rows("listTemplates", templatefilter="all")
    return {
        "domains": sorted((row["path"],) for row in site.rows("listDomains")),
        "accounts": sorted((row["domainid"], row["name"], row["state"]) for row in site.rows("listAccounts")),
        "vms": sorted((row["id"], row["state"]) for row in site.rows("listVirtualMachines", projectid="-1")),
        "volumes": sorted((row["id"],) for row in site.rows("listVolumes", projectid="-1")),
        "templates": sorted((row["name"], row.get("account", "")) for row in templates),
    }


def assert_sound(site: Lab, stage: Stage) -> None:
    taken = Counter(
        (entry["command"], entry["target"]) for entry in site.sent() if DELETING.match(entry["command"])
    )
    assert set(taken.values()) <= {1}, taken
    assert not any(entry["cleanup"] for entry in site.sent())
    ledger = site.session().ledger
    assert ledger.verify().is_sound
    assert site.retiring().of(PROJECT).stage is stage
    told = ledger.entries(kinds=[EntryKind.OUTCOME])
    last = {entry.payload["action"]: entry.payload["outcome"] for entry in told}
    assert set(last.values()) <= {Outcome.SUCCEEDED.value, Outcome.SKIPPED.value}, (
        "what was unknown is resolved"
    )


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[str, ...]]]:
    """What a retirement that nobody kills leaves behind."""
    with approved(tmp_path_factory.mktemp("untouched")) as site:
        lived = run(site, kill_at=0, operator="jmartin@console-1")
        assert (lived.returncode, lived.stdout.strip()) == (0, str(MOMENTS)), lived.stderr
        assert_sound(site, Stage.DONE)
        return shape(site)


def die_and_go_on(folder: Path, kill_at: int, untouched: dict[str, list[tuple[str, ...]]]) -> None:
    with approved(folder) as site:
        died = run(site, kill_at=kill_at, operator="jmartin@console-1")
        assert died.returncode == -signal.SIGKILL, died.stderr
        lived = run(site, kill_at=0, operator="alice@console-2")
        assert lived.returncode == 0, lived.stderr
        assert_sound(site, Stage.DONE)
        assert shape(site) == untouched


@pytest.mark.parametrize("kill_at", SLICE)
def test_killed_at_a_moment(
    tmp_path: Path, untouched: dict[str, list[tuple[str, ...]]], kill_at: int
) -> None:
    die_and_go_on(tmp_path, kill_at, untouched)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kill_at", range(1, MOMENTS + 1))
def test_killed_at_every_moment(
    tmp_path: Path, untouched: dict[str, list[tuple[str, ...]]], kill_at: int
) -> None:
    die_and_go_on(tmp_path, kill_at, untouched)


def undo_killed(folder: Path, kill_at: int) -> None:
    with approved(folder) as site:
        before = shape(site)
        site.through(Step.DESTROY, PROJECT)
        died = run(site, kill_at=kill_at, operator="jmartin@console-1", undoes=True)
        assert died.returncode == -signal.SIGKILL, died.stderr
        lived = run(site, kill_at=0, operator="alice@console-2", undoes=True)
        assert lived.returncode == 0, lived.stderr
        assert_sound(site, Stage.UNDONE)
        after = shape(site)
        assert set(site.machines(PROJECT).values()) == {"Stopped"}
        assert (after["accounts"], after["volumes"]) == (before["accounts"], before["volumes"])


def test_an_undoing_killed_at_a_moment(tmp_path: Path) -> None:
    undo_killed(tmp_path, 7)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kill_at", range(1, UNDO_MOMENTS + 1))
def test_an_undoing_killed_at_every_moment(tmp_path: Path, kill_at: int) -> None:
    undo_killed(tmp_path, kill_at)


# --- with an archive of files -------------------------------------------------------------------------------

FILES = 1
"""varech has an ISO, and nothing else that is kept as a file."""
BEFORE = 2 * (2 + 4)
"""Moments of the quarantine: its two entries, and three entries of its call and the call itself."""
ARCHIVING = 2 * (2 + 4 + FILES * (4 + 2) + 1)
"""Of the archive: as above for the template and for each file, which comes and enters the manifest besides;
and the manifest once more, with the template."""


@contextmanager
def approved_with_files(folder: Path) -> Iterator[Lab]:
    with lab(folder) as made:
        text = made.config.read_text()
        made.config.write_text(
            text.replace("[environments.lab]\n", '[environments.lab]\narchive = "archive"\n', 1)
        )
        zone, os = made.rows("listZones")[0]["id"], made.rows("listOsTypes")[0]["id"]
        owner = {"account": PROJECT, "domainid": made.domain_id(PROJECT) or ""}
        file = {"name": "tools", "displaytext": "tools", "url": "http://example.org/tools.iso"}
        made.run("registerIso", zoneid=zone, ostypeid=os, **file, **owner)
        made.wait(600)
        made.retire_in_ci_database(PROJECT)
        made.approved(PROJECT)
        yield made


def archive_killed(folder: Path, kill_at: int) -> None:
    with approved_with_files(folder) as site:
        died = run(site, kill_at=kill_at, operator="jmartin@console-1")
        assert died.returncode == -signal.SIGKILL, died.stderr
        assert not any(entry["command"] == "destroyVirtualMachine" for entry in site.sent())
        lived = run(site, kill_at=0, operator="alice@console-2")
        assert lived.returncode == 0, lived.stderr
        assert_sound(site, Stage.DONE)
        (made,) = site.retiring().history().retirements
        archive = site.folder / "archive" / "lab" / made.id
        found = read(archive)
        assert found is not None
        assert [one.kind for one in found.files] == ["iso"] * FILES
        assert [(archive / one.file).read_bytes() for one in found.files] == [
            content(one.id) for one in found.files
        ]
        assert [one.volume_id for one in found.templates] == [one.volume_id for one in made.proposal.archives]
        assert sorted(file.name for file in archive.iterdir()) == sorted(
            ["manifest.json", *(one.file for one in found.files)]
        ), "nothing half is left"


@pytest.mark.parametrize("kill_at", [BEFORE + 15, BEFORE + 19])
def test_an_archive_killed_at_a_moment(tmp_path: Path, kill_at: int) -> None:
    archive_killed(tmp_path, kill_at)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kill_at", range(BEFORE + 1, BEFORE + ARCHIVING + 1))
def test_an_archive_killed_at_every_moment(tmp_path: Path, kill_at: int) -> None:
    archive_killed(tmp_path, kill_at)
