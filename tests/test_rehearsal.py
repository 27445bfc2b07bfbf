"""The stand-in as a capture was: the same objects under the same ids, read by the same Reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from console.cli.reading import read_both
from console.session import Session
from sync.capture import Capture, captured
from sync.captured_world import release_for, write_world
from sync.ci_db import CiDatabase
from sync.cloudstack import Reader
from sync.drift import compare
from sync.drill import CI_DATABASE
from sync.model import ActualInventory, DriftKind, OwnedResource, Scope
from sync.rehearsal import Rehearsal, rehearse
from sync.sandbox import persistence
from sync.sandbox.announce import database_url
from sync.sandbox.process import SandboxProcess
from sync.sandbox.worlds import blueprint_for, write_database
from sync.secret import Secret
from sync.settings import CiDatabaseSettings, Credentials
from tests import examples as ex
from tests.test_capture import lab

SCOPE = Scope("ROOT/ci")
LISTS = ("vms", "volumes", "snapshots", "templates", "networks", "public_addresses", "projects")


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Capture:
    """The drill's world before the incident, captured."""
    folder = tmp_path_factory.mktemp("captured")
    write_database(blueprint_for("drill"), folder / "ci.sqlite")
    database = CiDatabase(CiDatabaseSettings(Secret(database_url(folder / "ci.sqlite"))))
    with SandboxProcess.start(world="drill", service_times=False) as sandbox:
        ready = sandbox.ready
        with Reader(Credentials(ready.url, Secret(ready.key), Secret(ready.secret))) as reader:
            actual = reader.inventory(SCOPE, limits=True)
    assert actual.coverage.is_complete, actual.coverage.why
    return captured("lab", database.read(SCOPE), actual)


@pytest.fixture(scope="module")
def rehearsal(capture: Capture, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    with rehearse(capture, folder=tmp_path_factory.mktemp("rehearsal")) as found:
        yield found


@pytest.fixture(scope="module")
def again(rehearsal: Rehearsal) -> Iterator[Capture]:
    """What the Reader finds in the stand-in."""
    session = Session(rehearsal.environment)
    yield captured("drill", *read_both(session))
    session.close()


def test_nothing_is_left_out(rehearsal: Rehearsal) -> None:
    assert rehearsal.notes == ()
    assert "DRILL as lab was at" in rehearsal.environment.title


def test_domains_accounts_and_people_are_the_same(capture: Capture, again: Capture) -> None:
    assert again.actual.coverage.is_complete, again.actual.coverage.why
    ours = [one for one in again.actual.domains if one.path != SCOPE.parent]
    assert ours == [one for one in capture.actual.domains if one.path != SCOPE.parent]
    assert again.actual.parent_id == capture.actual.parent_id
    assert again.actual.coverage.root_id != capture.actual.coverage.root_id, "it never passes for the server"
    assert again.actual.accounts == capture.actual.accounts


@pytest.mark.parametrize("name", LISTS)
def test_everything_that_is_owned_is_the_same(capture: Capture, again: Capture, name: str) -> None:
    before, after = ({row.id: _facts(row) for row in getattr(one.actual, name)} for one in (capture, again))
    assert before
    assert after == before


def _facts(row: Any) -> tuple[object, ...]:
    """What must be the same: all that identifies, sizes and places it."""
    details = dict(row.details)
    for changing in ("hostname", "userid", "username", "projectaccountname", "diskofferingid"):
        details.pop(changing, None)
    nics = [(nic.network_id, nic.address, nic.mac) for nic in getattr(row, "nics", ())]
    size = row.size if isinstance(row, OwnedResource) else row.addresses
    return (row.name, row.state, row.domain_id, row.account, row.project, size, row.created, nics, details)


def test_the_ci_database_is_the_same(capture: Capture, again: Capture, rehearsal: Rehearsal) -> None:
    assert dict(again.desired.projects) == dict(capture.desired.projects)
    assert (rehearsal.folder / CI_DATABASE).exists()


def test_what_drifted_drifts(capture: Capture, again: Capture) -> None:
    before, after = (
        {row.key: row.kind for row in compare(one.desired, one.actual).rows} for one in (capture, again)
    )
    assert after == before
    assert DriftKind.IN_SYNC in before.values()


def test_passwords_are_new_and_each_its_own(capture: Capture, tmp_path: Path) -> None:
    from sync.sandbox.clock import ManualClock

    write_world(capture, tmp_path / "world.json", now=datetime.now(UTC))
    assert (tmp_path / "world.json").stat().st_mode & 0o077 == 0
    world = persistence.load(tmp_path / "world.json", ManualClock(datetime.now(UTC)))
    ids = {user.id for account in capture.actual.accounts for user in account.users}
    hashes = [world.users[id].password for id in ids]
    assert len(set(hashes)) == len(hashes) > 40


def test_what_has_no_owner_is_counted_as_left_out(tmp_path: Path) -> None:
    whole = lab("dune")
    of_nobody = [replace(ex.vm(name, ex.domain("dune")), account="nobody") for name in ("left", "over")]
    actual = replace(whole.actual, vms=(*whole.actual.vms, *of_nobody))
    notes = write_world(replace(whole, actual=actual), tmp_path / "world.json", now=ex.NOON)
    assert notes == ("2 VMs left out: their domain or account is not in the capture",)


@pytest.mark.parametrize("is_dying", [True, False])
def test_what_is_left_of_an_unlisted_domain_is_there_and_holds_its_name_while_it_dies(
    tmp_path: Path, is_dying: bool
) -> None:
    from sync.sandbox.clock import ManualClock

    whole = lab("dune")
    corpse = ex.domain("gone", id="id:corpse")
    below = ex.domain("below", parent="ROOT/ci/gone", id="id:below")
    left = (ex.vm("left", corpse), ex.vm("over", corpse), ex.vm("under", below))
    jobs = (ex.delete_job(),) if is_dying else ()
    actual = replace(whole.actual, vms=(*whole.actual.vms, *left), jobs=jobs)
    notes = write_world(replace(whole, actual=actual), tmp_path / "world.json", now=ex.NOON)
    assert notes == ()
    world = persistence.load(tmp_path / "world.json", ManualClock(ex.NOON))
    found = world.find("domains", "id:corpse")
    assert found is not None
    assert (found.path, found.state) == ("ROOT/ci/gone", "Inactive")
    names = {vm.name for vm in world.vms.values() if world.domain_of(vm).path.startswith(found.path)}
    assert names == {"left", "over", "under"}
    assert (world.child_named(found.parent_id or "", "gone") is found) is is_dying
    assert ("id:corpse" in world.domains) is is_dying


def test_what_the_zone_does_not_have_is_made_under_its_name(tmp_path: Path) -> None:
    from sync.sandbox.clock import ManualClock

    whole = lab("dune", vms=1)
    details = {
        "serviceofferingid": "off-1",
        "serviceofferingname": "Huge",
        "cpunumber": "32",
        "memory": "1024",
    }
    details |= {"templateid": "tmpl-1", "templatename": "Golden", "zoneid": "z-9", "zonename": "zone-9"}
    vm = replace(whole.actual.vms[0], details=details)
    disk = replace(
        ex.resource("ROOT-1", ex.domain("dune")),
        details={
            "type": "ROOT",
            "virtualmachineid": vm.id,
            "storage": "netapp-7",
            "storageid": "p-7",
            "path": "x",
        },
    )
    actual: ActualInventory = replace(whole.actual, vms=(vm,), volumes=(disk,))
    write_world(replace(whole, actual=actual), tmp_path / "world.json", now=ex.NOON)
    world = persistence.load(tmp_path / "world.json", ManualClock(ex.NOON))
    assert world.offerings["off-1"].row["cpunumber"] == 32
    assert (world.templates["tmpl-1"].name, world.templates["tmpl-1"].public) == ("Golden", True)
    assert world.zones["z-9"].name == "zone-9"
    assert world.pools["p-7"].row["storage"] == "netapp-7"
    assert world.volumes[disk.id].pool_id == "p-7"


@pytest.mark.parametrize(
    ("release", "chosen"),
    [("4.23.0.0", "4.23"), ("4.18.2", "4.18"), ("4.11", "4.18"), ("4.20", "4.23"), ("", "4.23")],
)
def test_the_nearest_release_is_chosen(release: str, chosen: str) -> None:
    whole = lab("dune")
    assert release_for(replace(whole, actual=replace(whole.actual, release=release))) == chosen


def test_captured_public_addresses_are_taken_and_every_other_one_is_free(
    capture: Capture, tmp_path: Path
) -> None:
    from sync.sandbox.clock import ManualClock
    from sync.sandbox.lifecycle import is_free_public_address

    first, *others = capture.actual.public_addresses
    vm = capture.actual.vms[0]
    nat = replace(first, name="203.0.113.7", details={"virtualmachineid": vm.id})
    actual = replace(capture.actual, public_addresses=(nat, *others))
    write_world(replace(capture, actual=actual), tmp_path / "world.json", now=ex.NOON)
    world = persistence.load(tmp_path / "world.json", ManualClock(ex.NOON))
    assert (world.addresses[first.id].name, world.addresses[first.id].vm_id) == (nat.name, vm.id)
    assert not is_free_public_address(world, "203.0.113.7")
    assert is_free_public_address(world, "203.0.113.8"), "nobody knows the ranges of the captured zone"
