"""What the report and the letters say of a restore: what is back, what is not and why, what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sync import report as reports
from sync.drift import compare
from sync.freezes import freeze, thaw
from sync.ledger import Ledger
from sync.letters import letters, template_from
from sync.loss_ledger import loss_ledger, losses_without_capture
from sync.model import ActionKind, ActualInventory
from sync.recoverable import recoverable, recoveries
from sync.repairs import PlanRules
from sync.report import Report
from sync.report_back import How, Returned, returned
from sync.report_deletions import Deletions
from sync.report_text import markdown
from sync.restoration import Restoration, moved
from tests.engine_cloud import START, desired_of
from tests.restores import Lab


@pytest.fixture
def lost(tmp_path: Path) -> Lab:
    """aurora and boreal are gone and rebuilt, without what was in them."""
    lab = Lab(tmp_path)
    lab.lose("aurora", "boreal")
    lab.rebuild()
    return lab


def told(lab: Lab, *, has_capture: bool = True) -> tuple[Report, Returned]:
    """The report as the command makes it, from the lab's ledger, its capture and a reading of now."""
    now, desired = lab.now(), desired_of(lab.cloud.blueprint)
    before: ActualInventory | None = lab.before if has_capture else None
    planned: Restoration | None = lab.planned() if has_capture else None
    with Ledger(
        f"sqlite:///{lab.folder / 'ledger.sqlite'}", environment="lab", operator="ops", clock=lab.cloud.now
    ) as ledger:
        entries = ledger.entries()
    losses = losses_without_capture(desired, now) if before is None else loss_ledger(before, now)
    back = returned(entries, losses, before=before, now=now, planned=planned)
    made = reports.build(
        entries,
        environment="lab",
        since=START,
        made_at=lab.cloud.now(),
        made_by="ops",
        losses=losses,
        drift=compare(desired, now),
        headline="",
        back=back,
        deletions=Deletions(),
    )
    return made, back


def letter(report: Report, project: str) -> str:
    return dict(letters(report, template_from(None)))[project].get_content()


def test_before_a_restore_it_says_what_one_would_make_and_what_nothing_brings_back(lost: Lab) -> None:
    report, back = told(lost)
    assert {one.type for one in back.back} == {"domain", "account", "user"}
    assert {one.how for one in back.back} == {How.MADE}
    missing = {(one.type, one.name): one for one in back.missing}
    assert missing["VM", "aurora-1"].can_be_made and missing["template", "aurora-gcc"].can_be_made
    assert missing["snapshot", lost.before.snapshots[0].name].why.startswith(
        "a snapshot goes with its volume"
    )
    assert "the CI database does not know it" in missing["domain", "attic"].why
    text = letter(report, "aurora")
    assert "- VM, 3: aurora-1, aurora-2, aurora-3 (a restore can make it again, and has not yet)" in text
    assert "Wait for our next letter" in text
    assert "New users have new passwords" in text


def test_before_a_rebuild_owners_are_told_what_comes_and_no_command(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.lose("aurora")
    report, back = told(lab)
    assert back.back == ()
    why = {(one.type, one.name): one.why for one in back.missing}
    assert why["account", "aurora"] == why["domain", "aurora"] == "a rebuild makes it again, and has not yet"
    assert why["VM", "aurora-1"] == "its domain is not there (a rebuild makes that first)"
    text = letter(report, "aurora")
    assert "abreast" not in text and "rebuild it first" not in text


def test_after_a_restore_the_letter_says_what_is_back_where_and_what_is_not(lost: Lab) -> None:
    gcc = next(one for one in lost.before.templates if one.name == "aurora-gcc")
    lost.write_archive([one for one in lost.before.templates if one != gcc])
    lost.execute(lost.planned().actions)
    report, back = told(lost)
    machines = {one.name: one for one in back.back if one.type == "VM"}
    assert machines.keys() == {"aurora-1", "boreal-1"}
    assert machines["aurora-1"].how is How.MADE and not machines["aurora-1"].has_moved
    assert machines["aurora-1"].old_id != machines["aurora-1"].new_id
    missing = {(one.type, one.name): one.why for one in back.missing}
    assert missing["VM", "aurora-2"] == "its template aurora-gcc is not there and is not made again"
    text = letter(report, "aurora")
    assert "- VM, 1: aurora-1 (made again, now Running, at 10.7.0.11)" in text
    assert "- template, 1: aurora-llvm (made again)" in text
    assert "- network, 1: aurora-net (made again)" in text
    assert "- VM, 2: aurora-2, aurora-3 (its template aurora-gcc is not there" in text
    assert "- template, 1: aurora-gcc (no archive has it" in text
    assert "set them up again" in text and "Change what names an old id" in text
    ids = {one.name: f"{one.type} {one.name}: {one.old_id} → {one.new_id}" for one in back.back}
    for name in ("aurora-llvm", "aurora-net", "aurora-1"):
        assert f"- {ids[name]}" in text.splitlines()
    assert "boreal" not in text.split("new id")[1].split("What of it")[0]
    assert "Make the VMs that are not back anew" in text
    written = markdown(report)
    assert "| VM | 0 | 2 | 0 | 0 | 2 |" in written
    assert "2 × VM: its template aurora-gcc is not there" in written
    kinds = [one.what for one in report.timeline if one.what.startswith("run started")]
    assert "2 × deploy VM" in kinds[-1] and "2 × create domain" in kinds[0]


def test_a_changed_address_and_whose_the_old_one_is_are_a_credential_risk(lost: Lab) -> None:
    networks = (ActionKind.CREATE_NETWORK, ActionKind.TAKE_ADDRESS)
    lost.execute([one for one in lost.planned().actions if one.kind in networks])
    network = next(one for one in lost.now().networks if one.name == "boreal-net")
    world = lost.cloud.world
    taker = {
        "name": "somebody", "ipaddress": "10.8.0.11", "networkids": network.id, "account": "boreal",
        "domainid": network.domain_id, "zoneid": next(iter(world.zones)),
        "serviceofferingid": next(iter(world.offerings)),
        "templateid": next(one.id for one in world.templates.values() if one.type == "BUILTIN"),
    }  # fmt: skip
    assert lost.cloud.ask("deployVirtualMachine", taker, client="test").status == 200
    lost.cloud.sleep(60)
    lost.execute(lost.planned().actions)
    report, back = told(lost)
    [machine] = [one for one in back.back if one.name == "boreal-1"]
    assert machine.has_moved and machine.was_at == ("10.8.0.11",)
    text = letter(report, "boreal")
    assert f"at {machine.is_at[0]} (was at 10.8.0.11)" in text
    assert "10.8.0.11 belongs to VM somebody of ROOT/ci/boreal now" in text
    assert "change every key and password" in text
    assert "change every key" not in letter(report, "aurora")
    written = markdown(report)
    risks = written.split("## Addresses that somebody else has now")[1]
    assert "boreal-1" in risks and "10\\.8" not in risks and "somebody" in risks


def test_an_address_that_the_old_domain_still_has_is_nobody_elses(lost: Lab) -> None:
    old = next(one for one in lost.before.public_addresses if one.domain_path == "ROOT/ci/aurora")
    now = lost.now()
    corpse = replace(old, domain_path="ROOT/ci/aurora-deleted-0728-d0ae")
    stranger = replace(corpse, domain_id="id:other", domain_path="ROOT/ci/other")
    for holder, is_risk in ((corpse, False), (stranger, True)):
        others = tuple(one for one in now.public_addresses if one.name != old.name)
        found = moved(lost.before, replace(now, public_addresses=(*others, holder)))
        assert (old.name in {one.old for one in found}) is is_risk


def test_what_failed_and_is_done_later_says_so(lost: Lab) -> None:
    made = lost.planned()
    file = lost.archive / "aurora-gcc.qcow2"
    whole = file.read_bytes()
    file.write_bytes(b"something else")
    lost.execute(made.actions)
    report, back = told(lost)
    action = "register-template ROOT/ci/aurora:aurora:aurora-gcc"
    (problem,) = [one for one in report.problems if one.action == action]
    assert problem.later is None and not problem.is_there_now
    (missing,) = [one for one in back.missing if one.name == "aurora-gcc"]
    assert missing.why == "making it again was tried, and failed"
    assert "Nothing is served" in markdown(report) and "Nothing is served" not in letter(report, "aurora")
    file.write_bytes(whole)
    lost.execute(lost.planned().actions)
    report, back = told(lost)
    (problem,) = [one for one in report.problems if one.action == action]
    assert problem.later is not None and problem.later.is_by_it
    assert "Succeeded later" in markdown(report)
    assert not [one for one in back.missing if one.type in ("VM", "template")]


def test_what_was_made_and_is_gone_again_is_not_back(lost: Lab) -> None:
    lost.execute(lost.planned().actions)
    machine = next(one for one in lost.now().vms if one.name == "boreal-1")
    gone = lost.cloud.ask("destroyVirtualMachine", {"id": machine.id, "expunge": "true"}, client="test")
    assert gone.status == 200
    lost.cloud.sleep(600)
    _, back = told(lost)
    (missing,) = [one for one in back.missing if one.name == "boreal-1"]
    assert missing.why.startswith("it was made again at ") and "not there any more" in missing.why
    assert "boreal-1" not in {one.name for one in back.back}


def test_what_others_made_again_is_back_and_not_by_the_ledger(lost: Lab) -> None:
    lost.execute(lost.planned().actions)
    now = lost.now()
    losses = loss_ledger(lost.before, now)
    back = returned((), losses, before=lost.before, now=now)
    assert {one.how for one in back.back} == {How.OTHERWISE}
    assert {one.at for one in back.back} == {None}


def test_a_destroyed_vm_that_was_recovered_is_told_and_its_project_gets_a_letter(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    machine = next(one for one in lab.before.vms if one.name == "dune-1")
    assert lab.cloud.ask("destroyVirtualMachine", {"id": machine.id}, client="test").status == 200
    lab.cloud.sleep(60)
    lab.execute(recoveries(recoverable(lab.now(), PlanRules(retiring=frozenset()))))
    report, back = told(lab)
    (one,) = back.back
    assert (one.name, one.how, one.old_id, one.new_id) == ("dune-1", How.RECOVERED, machine.id, machine.id)
    assert [project.name for project in report.projects if project.is_hit] == ["dune"]
    text = letter(report, "dune")
    assert "- VM, 1: dune-1 (recovered whole, now Stopped, at 10.9.0.11)" in text
    assert "start those that you need" in text and "passwords" not in text
    assert "| VM | 1 | 0 | 0 | 0 | 0 |" in markdown(report)


def test_without_a_capture_the_ledger_alone_tells_what_was_made_again(lost: Lab) -> None:
    report, back = told(lost, has_capture=False)
    made = {(one.type, one.name, one.how) for one in back.back}
    assert {("domain", "aurora", How.MADE), ("user", "ben", How.MADE)} <= made
    assert all(one.old_id == "" and one.run_id for one in back.back)
    why = {one.name: one.why for one in back.missing if one.type == "VM"}
    assert why["aurora-1"] == "no capture tells how it was, so nothing here makes it again"
    (line,) = [one for one in markdown(report).splitlines() if one.endswith("lost: no capture |")]
    assert line.startswith("| VM |")
    assert back.moved == ()
    assert "aurora-1" in letter(report, "aurora")


def test_a_zone_that_is_still_frozen_stands_in_the_report(lost: Lab) -> None:
    lost.execute([freeze(lost.cloud.stock().zones[0])])
    report, _ = told(lost)
    assert "--thaw Sandbox-simulator" in report.frozen[0]
    assert "is frozen since" in markdown(report)
    lost.execute([thaw(lost.cloud.stock().zones[0])])
    report, _ = told(lost)
    assert report.frozen == ()
