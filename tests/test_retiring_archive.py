"""The archive of a retirement: data volumes, templates and ISOs as files, with a manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sync.archive_manifest import Manifest, read
from sync.cloudstack import Capabilities, retirer
from sync.errors import GuardError, OutcomeUnknownError
from sync.radius import ObjectKind
from sync.retirement import Retirement, Stage, Step
from sync.retirement_history import proposal_from, proposal_json
from sync.retirement_proposal import propose
from sync.retirement_text import loss_text
from sync.sandbox.storage import SIZE, content
from tests.examples import resource
from tests.retirement_examples import LIMITS, ZEPHYR, actual_side, history, view, wish
from tests.retirements import PROJECT, Lab, lab

SECONDS = {"timeout_before": {"seconds": 1.0}}
EXTRACTABLE = frozenset({ObjectKind.VOLUME, ObjectKind.TEMPLATE, ObjectKind.ISO})


# --- what is proposed ---------------------------------------------------------------------------------------


def test_what_can_be_fetched_is_kept_as_a_file_and_the_rest_is_lost() -> None:
    made = actual_side()
    data = replace(resource("DATA-2/../x", ZEPHYR), state="Ready", details={"type": "DATADISK"})
    raw = replace(resource("DATA-3", ZEPHYR), state="Allocated", details={"type": "DATADISK"})
    template = replace(resource("base", ZEPHYR), state="Download Complete")
    half = replace(resource("half", ZEPHYR), state="50% Downloaded")
    iso = replace(resource("tools", ZEPHYR), state="Ready")
    seen = view(
        actual=replace(made, volumes=(*made.volumes, data, raw), templates=(template, half), isos=(iso,))
    )
    found = propose(wish(extractable=EXTRACTABLE), seen, history(), LIMITS)
    kept = {loss.name: loss.kept_as for loss in found.losses if loss.is_file}
    assert set(kept) == {"DATA-2/../x", "base", "tools"}
    assert all("/" not in name and name.isascii() for name in kept.values())
    assert {one.file for one in found.extracts} == set(kept.values())
    text = loss_text(found)
    assert f"kept as file {kept['base']}: template base" in text
    assert "lost: volume DATA-3" in text
    assert "lost: template half" in text
    assert "lost: snapshot nightly" in text
    assert proposal_from(proposal_json(found)) == found
    assert found.lost == len(found.losses) - 2 - 3

    some = propose(wish(extractable=frozenset({ObjectKind.ISO})), seen, history(), LIMITS)
    assert [loss.name for loss in some.losses if loss.is_file] == ["tools"]
    none = propose(wish(why_not_extracted="no file is kept: x"), seen, history(), LIMITS)
    assert none.extracts == ()
    assert "note: no file is kept: x" in loss_text(none)
    assert propose(wish(with_archive=False, extractable=EXTRACTABLE), seen, history(), LIMITS).extracts == ()


def test_a_proposal_of_an_earlier_abreast_has_no_files() -> None:
    earlier = proposal_json(propose(wish(), view(), history(), LIMITS))
    del earlier["extracts"]
    for loss in earlier["targets"][0]["losses"]:
        del loss["is_file"]
    assert proposal_from(earlier).extracts == ()


# --- what is kept -------------------------------------------------------------------------------------------


@pytest.fixture(params=["4.23", "4.18"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    """zephyr with a data volume and an ISO besides its template, and a folder for archives."""
    with lab(tmp_path, release=request.param) as made:
        text = made.config.read_text()
        made.config.write_text(
            text.replace("[environments.lab]\n", '[environments.lab]\narchive = "archive"\n', 1)
        )
        zone, owner = (
            made.rows("listZones")[0]["id"],
            {"account": PROJECT, "domainid": made.domain_id() or ""},
        )
        offering = made.rows("listDiskOfferings")[0]["id"]
        volume = made.run("createVolume", name="results", diskofferingid=offering, zoneid=zone, **owner)[
            "volume"
        ]
        machine = made.rows("listVirtualMachines", domainid=owner["domainid"])[0]["id"]
        made.run("attachVolume", id=volume["id"], virtualmachineid=machine)
        os = made.rows("listOsTypes")[0]["id"]
        made.run("registerIso", name="tools", displaytext="tools", url="http://example.org/t.iso",
                 zoneid=zone, ostypeid=os, **owner)  # fmt: skip
        made.wait(600)
        yield made


def folder_of(site: Lab, made: Retirement) -> Path:
    return site.folder / "archive" / "lab" / made.id


def manifest_of(site: Lab, made: Retirement) -> Manifest:
    found = read(folder_of(site, made))
    assert found is not None
    return found


def test_data_volumes_templates_and_isos_are_fetched_before_anything_is_destroyed(site: Lab) -> None:
    made = site.approved()
    files = {(loss.kind, loss.name): loss for loss in made.proposal.losses if loss.is_file}
    assert {kind for kind, _ in files} == {"volume", "template", "ISO"}
    assert ("volume", "results") in files
    assert site.through(Step.ARCHIVE).stage is Stage.ARCHIVED

    found, folder = manifest_of(site, made), folder_of(site, made)
    assert (found.environment, found.project, found.origin) == ("lab", PROJECT, made.id)
    assert {(one.kind, one.name) for one in found.files} == {(kind.lower(), name) for kind, name in files}
    for one in found.files:
        assert (folder / one.file).read_bytes() == content(one.id)
        assert (one.size, one.sha256) == (SIZE, hashlib.sha256(content(one.id)).hexdigest())
        assert one.checked == ("length",)
        assert one.facts["id"] == one.id
        assert one.owner == PROJECT
    assert len(found.templates) == 4
    assert {one.template_id for one in found.templates} <= {
        row["id"] for row in site.rows("listTemplates", templatefilter="all") if row["account"] == "admin"
    }
    assert json.loads((folder / "manifest.json").read_text())["version"] == 1
    commands = site.commands()
    assert sorted(commands[5:]) == sorted(
        {"volume": "extractVolume", "template": "extractTemplate", "ISO": "extractIso"}[kind]
        for kind, _ in files
    )

    # What is not there any more, or not whole, stops the destruction.
    (volume,) = [one for one in found.files if one.name == "results"]
    whole = (folder / volume.file).read_bytes()
    for change in (lambda: (folder / volume.file).write_bytes(whole[:-1]), (folder / volume.file).unlink):
        change()
        with pytest.raises(GuardError, match="of the volume results is not in the archive"):
            site.step()
    (folder / volume.file).write_bytes(whole)
    assert site.step().stage is Stage.DESTROYED
    assert "destroyVirtualMachine" not in commands


@pytest.mark.parametrize("fault", ["429", "reset_after", "timeout_before", "lost_job"])
def test_what_fails_is_fetched_again_and_what_is_kept_is_not(site: Lab, fault: str) -> None:
    made = site.approved()
    due = site.step().due_at
    assert due is not None
    site.wait((due - site.clock()).total_seconds() + 1)
    site.box.control.add_fault(fault, command="extractIso", count=1, **SECONDS.get(fault, {}))
    with pytest.raises((GuardError, OutcomeUnknownError), match="extractIso tools"):
        site.step()
    assert site.retiring().of(PROJECT).stage is Stage.ARCHIVING
    before = site.commands()
    kept = {one.kind for one in manifest_of(site, made).files}
    assert "iso" not in kept
    assert site.step().stage is Stage.ARCHIVED
    again = site.commands()[len(before) :]
    assert again.count("extractIso") == 1
    assert not {f"extract{kind.title()}" for kind in kept} & set(again)
    assert {one.kind for one in manifest_of(site, made).files} == {"volume", "template", "iso"}


def test_what_the_writing_key_is_not_offered_stays_on_the_list_of_losses(
    site: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = retirer._asked

    def without(connection: object) -> Capabilities:
        found = asked(connection)  # type: ignore[arg-type]
        return replace(
            found, apis={name: known for name, known in found.apis.items() if name != "extractIso"}
        )

    monkeypatch.setattr(retirer, "_asked", without)
    made = site.proposed()
    assert not [loss for loss in made.proposal.losses if loss.is_file and loss.kind == "ISO"]
    text = loss_text(made.proposal)
    assert "lost: ISO tools" in text
    assert "note: no file is kept of ISO: the writing key is not offered their extraction" in text
    assert not [loss for loss in site.proposed(with_files=False).proposal.losses if loss.is_file]


def test_without_an_archive_the_files_are_lost_and_the_list_says_why(site: Lab) -> None:
    site.config.write_text(site.config.read_text().replace('archive = "archive"\n', ""))
    made = site.proposed()
    assert made.proposal.extracts == ()
    assert "data volumes, templates and ISOs: the environment names no archive" in loss_text(made.proposal)
    assert sum(bool(loss.kept_as) for loss in made.proposal.losses) == 4
