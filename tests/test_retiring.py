"""A retirement against the sandbox, as both releases answer: every step, every way to stop it, and undoing.

People sign with real keys; the clocks of the product and of the sandbox are stepped together.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sync.cloudstack import Capabilities, Retirer
from sync.errors import GuardError, LeaseHeldError, OutcomeUnknownError, StoppedError, UsageError
from sync.model import Side
from sync.retirement import Stage, Step
from sync.retirement_approval import sign_record
from sync.retirement_steps import Confirmation, word_for
from sync.retirement_text import loss_text
from sync.ssh_signature import sign
from sync.unrecorded import DeletionCheck
from tests.retirements import PROJECT, Lab, lab


@pytest.fixture(params=["4.23"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path, release=request.param) as made:
        yield made


@pytest.fixture(params=["4.18", "4.23"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path, release=request.param) as made:
        yield made


def confirmed(lab: Lab, step: Step) -> Confirmation:
    return Confirmation(step, word_for(lab.retiring().of(PROJECT)))


# --- from the proposal to the end ---------------------------------------------------------------------------


def test_a_project_is_retired_step_by_step(both: Lab) -> None:
    made = both.approved()
    domain = both.domain_id()
    assert set(both.machines().values()) == {"Running"}

    quarantined = both.step()
    assert quarantined.stage is Stage.QUARANTINED
    assert set(both.machines().values()) == {"Stopped"}
    assert both.accounts() == {PROJECT: "disabled"}
    assert quarantined.due_at is not None
    assert quarantined.due_at - both.clock() == timedelta(days=14)
    with pytest.raises(GuardError, match="is in quarantine until"):
        both.step()
    both.wait(14 * 86400 - 60)
    with pytest.raises(GuardError, match="is in quarantine until"):
        both.step()
    assert both.commands() == ["disableAccount"]

    both.wait(61)
    assert both.step().stage is Stage.ARCHIVED
    templates = {row["name"]: row for row in both.rows("listTemplates", templatefilter="all")}
    kept = {one.template for one in made.proposal.archives}
    assert len(kept) == 4
    assert all(templates[name]["account"] == "admin" and templates[name]["isready"] for name in kept)

    destroyed = both.step()
    assert destroyed.stage is Stage.DESTROYED
    assert set(both.machines().values()) == {"Destroyed"}
    assert destroyed.due_at is not None
    assert destroyed.due_at - both.clock() == timedelta(seconds=86400 * 1.024)
    with pytest.raises(GuardError, match="until"):
        both.step()
    both.wait(86400 * 1.024 + 1)

    assert both.step().stage is Stage.ACCOUNTS_DELETED
    assert both.accounts() == {}
    assert both.domain_id() == domain
    assert both.step().stage is Stage.DONE
    assert both.domain_id() is None
    assert kept <= {row["name"] for row in both.rows("listTemplates", templatefilter="all")}
    assert both.commands() == [
        "disableAccount",
        *["createTemplate"] * 4,
        *["destroyVirtualMachine"] * 4,
        "deleteAccount",
        "deleteDomain",
    ]
    assert not any(entry["cleanup"] for entry in both.sent())
    signed = {(loss.kind, loss.id) for loss in made.proposal.losses}
    volumes = {row["id"] for row in both.box.control.destroyed() if row["kind"] == "volume"}
    assert volumes <= {id for kind, id in signed if kind == "volume"}
    assert both.session().ledger.verify().is_sound
    # CloudStack's own events of these deletions are accounted for, and of no other.
    assert both.session().deletions.told() == DeletionCheck()
    ci = next(row["id"] for row in both.rows("listDomains") if row["path"] == "ROOT/ci")
    other = both.hand.call("createDomain", name="other", parentdomainid=ci)["domain"]["id"]
    both.run("deleteDomain", id=other, cleanup="false")
    assert [one.target_id for one in both.session().deletions.told().found] == [other]
    with pytest.raises(GuardError, match="there is no next step"):
        both.retiring().steps.step(PROJECT, confirmed=Confirmation(Step.DELETE_DOMAIN, "zephyr 1"))


def test_what_was_deleted_on_purpose_is_not_missed(site: Lab) -> None:
    site.approved(with_archive=False)
    site.through(Step.DELETE_DOMAIN)
    extent = site.session().ledger.extents("ROOT/ci").current(Side.ACTUAL)
    assert extent is not None
    for name in ("domains", "accounts"):
        remembered = extent.lists[name]
        assert not [key for key in (*remembered.present, *remembered.gone) if PROJECT in key]


def test_subdomains_projects_and_hidden_vms_are_on_the_list_and_go(site: Lab) -> None:
    domain = site.domain_id()
    assert domain is not None
    sub = site.hand.call("createDomain", name="sub", parentdomainid=domain)["domain"]["id"]
    person = {"email": "a@example.org", "firstname": "A", "lastname": "B", "password": "a password"}
    role = next(row["id"] for row in site.rows("listRoles") if row["name"] == "User")
    site.hand.call("createAccount", account="sub", username="sub", domainid=sub, roleid=role, **person)
    owner = {"account": PROJECT, "domainid": domain}
    project = site.run("createProject", name="nightly", **owner)["project"]["id"]
    offering, zone = site.rows("listServiceOfferings")[0]["id"], site.rows("listZones")[0]["id"]
    template = site.rows("listTemplates", templatefilter="featured")[0]["id"]
    common = {"serviceofferingid": offering, "zoneid": zone, "templateid": template}
    site.run("deployVirtualMachine", name="of-project", projectid=project, **common)
    hidden = site.rows("listVirtualMachines", domainid=domain)[0]
    site.hand.call("updateVirtualMachine", id=hidden["id"], displayvm="false")

    made = site.approved()
    names = {(loss.kind, loss.name) for loss in made.proposal.losses}
    assert {("sub-domain", "sub"), ("account", "sub"), ("CloudStack Project", "nightly")} <= names
    assert {("VM", "of-project"), ("VM", hidden["name"])} <= names

    assert site.step().stage is Stage.QUARANTINED
    assert set(site.machines().values()) == {"Stopped"}
    (row,) = site.rows("listProjects", id=project)
    assert row["state"] == "Suspended"
    site.wait(14 * 86400 + 1)
    site.through(Step.DESTROY)
    site.wait(86400 * 1.024 + 1)
    with pytest.raises(GuardError, match=r"of-project .* has not been expunged yet"):
        site.step()
    site.wait(86400)
    site.through(Step.DELETE_DOMAIN)
    assert site.domain_id() is None
    assert not [row for row in site.rows("listDomains") if row["id"] in (domain, sub)]
    commands = site.commands()
    assert commands.index("deleteProject") < commands.index("deleteAccount")
    assert "deleteNetwork" in commands
    deleted = [entry["target"] for entry in site.sent() if entry["command"] == "deleteDomain"]
    assert deleted == [sub, domain]
    assert not any(entry["cleanup"] for entry in site.sent())


def test_no_project_is_deleted_where_its_cleanup_could_not_be_forbidden(
    site: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not know the parameter ignores it, and takes everything that the Project owns."""
    site.run("createProject", name="nightly", account=PROJECT, domainid=site.domain_id() or "")
    site.approved(with_archive=False)
    site.through(Step.DESTROY)
    site.wait(86400 * 1.024 + 1)
    asked = Retirer.capabilities

    def without(command: str, *parameters: str) -> None:
        def capabilities(retirer: Retirer) -> Capabilities:
            found = asked(retirer)
            apis = {**found.apis, command: frozenset(parameters)}
            return replace(found, apis={name: known for name, known in apis.items() if known})

        monkeypatch.setattr(Retirer, "capabilities", capabilities)

    before = site.commands()
    without("deleteProject", "id")
    with pytest.raises(GuardError, match="does not know `cleanup` of deleteProject and would ignore it"):
        site.step()
    without("deleteAccount")
    with pytest.raises(GuardError, match="the writing key may not call deleteAccount"):
        site.step()
    assert site.commands() == before
    assert site.retiring().of(PROJECT).stage is Stage.DESTROYED
    # A person has deleted the Project: nothing of it is left to be asked for.
    without("deleteProject", "id")
    (row,) = site.rows("listProjects", name="nightly")
    site.run("deleteProject", id=row["id"])
    assert site.step().stage is Stage.ACCOUNTS_DELETED


# --- what stops it ------------------------------------------------------------------------------------------


def test_from_one_reading_nothing_is_proposed(site: Lab) -> None:
    with pytest.raises(GuardError, match="two readings, at least 10 minutes apart"):
        site.retiring().propose([PROJECT])
    with pytest.raises(GuardError, match="two readings"):
        site.retiring().propose([PROJECT])
    assert len(site.retiring().history().sightings) == 2
    site.wait(601)
    assert site.retiring("another@console-2").propose([PROJECT]).stage is Stage.PROPOSED


def test_without_a_record_nothing_is_proposed_and_one_by_hand_is_enough(site: Lab) -> None:
    site.sql("DELETE FROM retired")
    with pytest.raises(GuardError, match="no evidence"):
        site.retiring().propose([PROJECT])
    environment = site.environment()
    with pytest.raises(GuardError, match="would not count"):
        sign_record(
            "lab", PROJECT, by="jmartin", reason="ended", key=site.signers.key("mallory"),
            rules=environment.approvals, now=site.clock(),
        )  # fmt: skip
    hand = sign_record(
        "lab", PROJECT, by="jmartin", reason="ended", key=site.signers.key("jmartin"),
        rules=environment.approvals, now=site.clock(),
    )  # fmt: skip
    made = site.approved(by_hand={PROJECT: hand})
    assert made.proposal.targets[0].evidence.is_by_hand
    assert site.step().stage is Stage.QUARANTINED
    site.wait(14 * 86400 + 1)
    signers = site.signers
    signers.allowed.write_text("\n".join(line for line in signers.lines if "jmartin" not in line) + "\n")
    with pytest.raises(GuardError, match="could not be told"):
        site.step()


def test_signatures_that_do_not_count_are_not_kept(site: Lab) -> None:
    made = site.proposed()
    text = loss_text(made.proposal).encode()
    retiring, signers = site.retiring(), site.signers
    for name, why in (("jmartin", "nobody approves a retirement of their own"), ("mallory", "not among")):
        with pytest.raises(GuardError, match=why):
            retiring.sign(made, sign(text, signers.key(name)))
    with pytest.raises(GuardError, match="forged, or over something else"):
        retiring.sign(made, sign(text + b"x", signers.key("alice")))
    with pytest.raises(GuardError, match="it was made for “git”"):
        retiring.sign(made, sign(text, signers.key("alice"), namespace="git"))
    with pytest.raises(GuardError, match="cut off or damaged"):
        retiring.sign(made, sign(text, signers.key("alice"))[:200])
    assert retiring.of(PROJECT).signatures == ()


def test_two_people_whatever_the_configuration_says(site: Lab) -> None:
    with site.config.open("a") as file:
        file.write("[environments.lab.approvals.required]\nirreversible = 0\n")
    made = site.proposed()
    with pytest.raises(GuardError, match="needs the approval of 2 and has 0"):
        site.step()
    site.approve(made, "alice", "alice")
    with pytest.raises(GuardError, match="needs the approval of 2 and has 1: alice"):
        site.step()
    site.approve(made, "bob")
    assert site.commands() == []
    assert site.step().stage is Stage.QUARANTINED


def test_a_changed_list_voids_every_signature(site: Lab) -> None:
    old = site.approved()
    volume = site.rows("listVolumes", domainid=str(site.domain_id()))[0]["id"]
    site.run("createSnapshot", volumeid=volume)
    with pytest.raises(GuardError, match="is not on the list that was signed"):
        site.step()
    stopped = site.retiring().of(PROJECT)
    assert "is not on the list that was signed" in stopped.stopped
    new = site.proposed()
    assert new.proposal.lost == old.proposal.lost + 1
    with pytest.raises(GuardError, match="over another version of the retirement"):
        site.retiring().sign(new, sign(loss_text(old.proposal).encode(), site.signers.key("alice")))
    with pytest.raises(GuardError, match="has 0"):
        site.step()
    assert site.retiring().history().find(old.id).stage is Stage.REPLACED  # type: ignore[union-attr]
    assert site.commands() == []


def test_a_signer_who_was_struck_off_counts_no_more(site: Lab) -> None:
    site.approved()
    signers = site.signers
    signers.allowed.write_text("\n".join(line for line in signers.lines if "bob" not in line) + "\n")
    with pytest.raises(GuardError, match="has 1: alice"):
        site.step()
    assert site.commands() == []


def test_a_proposal_ends_after_sixty_days(site: Lab) -> None:
    site.approved()
    site.wait(60 * 86400)
    with pytest.raises(GuardError, match="approvals have expired"):
        site.step()
    assert site.proposed().stage is Stage.PROPOSED


def test_the_typed_word_is_the_name_and_the_number_of_what_is_lost(site: Lab) -> None:
    site.approved()
    retiring = site.retiring()
    for step, word in ((Step.QUARANTINE, PROJECT), (Step.QUARANTINE, ""), (Step.QUARANTINE, "zephyr 1"),
                       (Step.DESTROY, word_for(retiring.of(PROJECT)))):  # fmt: skip
        with pytest.raises(GuardError, match="is not what confirms"):
            retiring.steps.step(PROJECT, confirmed=Confirmation(step, word))
    assert site.commands() == []


@pytest.mark.parametrize(
    ("command", "why"),
    [("enableAccount", "the account zephyr .* is enabled, not at rest"), ("startVirtualMachine", "Running")],
)
def test_what_leaves_the_quarantine_stops_it(site: Lab, command: str, why: str) -> None:
    site.approved()
    site.step()
    site.wait(14 * 86400 + 1)
    account = site.rows("listAccounts", domainid=str(site.domain_id()))[0]["id"]
    site.run("enableAccount", id=account)
    if command == "startVirtualMachine":
        machine = site.rows("listVirtualMachines", domainid=str(site.domain_id()))[0]["id"]
        site.run(command, id=machine)
        site.run("disableAccount", id=account, lock="true")
    sent = len(site.commands())
    with pytest.raises(GuardError, match=why):
        site.step()
    assert len(site.commands()) == sent
    assert site.retiring().of(PROJECT).stage is Stage.QUARANTINED


def test_a_record_that_is_withdrawn_stops_it(site: Lab) -> None:
    site.approved()
    site.step()
    site.wait(14 * 86400 + 1)
    site.sql("DELETE FROM retired")
    with pytest.raises(GuardError, match="record that zephyr is retired is gone"):
        site.step()
    site.sql("INSERT INTO projects VALUES ('zephyr', NULL, 1, NULL)")
    with pytest.raises(GuardError, match="not unexpected"):
        site.step()
    assert site.commands() == ["disableAccount"]


def test_a_list_that_is_cut_stops_it(site: Lab) -> None:
    site.approved()
    site.box.control.add_fault("truncated_page", command="listVirtualMachines", count=50)
    with pytest.raises(GuardError, match="Nothing is retired from this reading"):
        site.step()
    assert site.commands() == []


def test_an_archive_that_is_gone_keeps_the_vms(site: Lab) -> None:
    site.approved()
    site.through(Step.ARCHIVE)
    made = site.retiring().of(PROJECT).done(Step.ARCHIVE)
    assert made is not None
    site.run("deleteTemplate", id=next(iter(made.facts["templates"].values())))  # type: ignore[attr-defined]
    with pytest.raises(GuardError, match="is not there any more"):
        site.step()
    assert "destroyVirtualMachine" not in site.commands()


def test_a_shield_keeps_the_vms(site: Lab) -> None:
    site.approved(with_archive=False)
    site.through(Step.ARCHIVE)
    machine = site.rows("listVirtualMachines", domainid=str(site.domain_id()))[0]["id"]
    site.hand.call("updateVirtualMachine", id=machine, deleteprotection="true")
    with pytest.raises(GuardError, match="abreast shield --lift zephyr"):
        site.step()
    assert set(site.machines().values()) == {"Stopped"}
    site.hand.call("updateVirtualMachine", id=machine, deleteprotection="false")
    assert site.step().stage is Stage.DESTROYED


def test_a_longer_expunge_delay_is_waited_for(site: Lab) -> None:
    site.approved(with_archive=False)
    site.through(Step.DESTROY)
    site.hand.call("updateConfiguration", name="expunge.delay", value=str(10 * 86400))
    site.wait(2 * 86400)
    with pytest.raises(GuardError, match="can be recovered until"):
        site.step()
    assert "deleteAccount" not in site.commands()


def test_two_people_never_execute_at_once(site: Lab) -> None:
    site.approved()
    with site.session("other@console-2").ledger.lease("other@console-2"), pytest.raises(LeaseHeldError):
        site.step()
    assert site.commands() == []


def test_what_was_never_proposed_cannot_go_on(site: Lab) -> None:
    with pytest.raises(UsageError, match="There is no retirement of zephyr"):
        site.step()


# --- calls that fail or are never answered ------------------------------------------------------------------


def test_a_refused_call_stops_the_step_and_is_gone_on_with(site: Lab) -> None:
    site.approved(with_archive=False)
    site.through(Step.ARCHIVE)
    site.box.control.add_fault("503", command="destroyVirtualMachine", count=1)
    with pytest.raises((GuardError, OutcomeUnknownError)):
        site.step()
    assert site.retiring().of(PROJECT).stage is Stage.DESTROYING
    assert site.step(operator="alice@console-9").stage is Stage.DESTROYED
    assert set(site.machines().values()) == {"Destroyed"}


@pytest.mark.parametrize("step", [Step.DESTROY, Step.DELETE_ACCOUNTS, Step.DELETE_DOMAIN])
def test_a_call_that_took_effect_without_an_answer_is_not_repeated(site: Lab, step: Step) -> None:
    site.approved(with_archive=False)
    before = {Step.DESTROY: Step.ARCHIVE, Step.DELETE_ACCOUNTS: Step.DESTROY,
              Step.DELETE_DOMAIN: Step.DELETE_ACCOUNTS}[step]  # fmt: skip
    site.through(before)
    site.wait(2 * 86400)
    command = {Step.DESTROY: "destroyVirtualMachine", Step.DELETE_ACCOUNTS: "deleteAccount",
               Step.DELETE_DOMAIN: "deleteDomain"}[step]  # fmt: skip
    site.box.control.add_fault("reset_after", command=command, count=1)
    try:
        ended = site.step()
    except OutcomeUnknownError:
        site.wait(600)
        ended = site.step()
    assert ended.last is not None and ended.last.step is step and ended.last.ended_at is not None
    targets = [entry["target"] for entry in site.sent() if entry["command"] == command]
    assert len(targets) == len(set(targets))


def test_stopping_ends_after_the_call_that_runs(site: Lab) -> None:
    site.approved(with_archive=False)
    site.through(Step.ARCHIVE)
    stop, retiring = threading.Event(), site.retiring()
    with pytest.raises(StoppedError):
        retiring.steps.step(
            PROJECT, confirmed=confirmed(site, Step.DESTROY), stop=stop, report=lambda *_: stop.set()
        )
    assert list(site.machines().values()).count("Destroyed") == 1
    assert site.step().stage is Stage.DESTROYED
    assert site.commands().count("destroyVirtualMachine") == 4


# --- undoing ------------------------------------------------------------------------------------------------


def test_a_proposal_is_taken_back(site: Lab) -> None:
    site.approved()
    assert site.retiring().steps.undo(PROJECT).stage is Stage.UNDONE
    with pytest.raises(GuardError, match="there is no next step"):
        site.retiring().steps.step(PROJECT, confirmed=Confirmation(Step.QUARANTINE, "zephyr 15"))
    assert site.commands() == []


def test_a_quarantine_is_undone_and_vms_stay_stopped_and_are_named(site: Lab) -> None:
    site.approved()
    site.step()
    undone = site.retiring("alice@console-2").steps.undo(PROJECT)
    assert undone.stage is Stage.UNDONE
    assert site.accounts() == {PROJECT: "enabled"}
    assert set(site.machines().values()) == {"Stopped"}
    assert undone.last is not None
    assert undone.last.facts["stopped"] == sorted(site.machines())
    assert site.commands() == ["disableAccount", "enableAccount"]
    assert site.proposed().stage is Stage.PROPOSED


def test_vms_that_ran_before_are_started_on_request(site: Lab) -> None:
    stopped = site.rows("listVirtualMachines", domainid=str(site.domain_id()))[0]
    site.run("stopVirtualMachine", id=stopped["id"])
    site.approved()
    site.step()
    undone = site.retiring().steps.undo(PROJECT, start=True)
    states = site.machines()
    assert states.pop(stopped["name"]) == "Stopped"
    assert set(states.values()) == {"Running"}
    assert undone.last is not None and undone.last.facts["stopped"] == []


def test_destroyed_vms_are_recovered(both: Lab) -> None:
    both.approved(with_archive=False)
    both.through(Step.DESTROY)
    undone = both.retiring().steps.undo(PROJECT)
    assert undone.stage is Stage.UNDONE
    assert set(both.machines().values()) == {"Stopped"}
    assert both.accounts() == {PROJECT: "enabled"}
    assert undone.last is not None and undone.last.facts["lost"] == []


def test_what_was_expunged_is_named_as_lost(site: Lab) -> None:
    site.approved(with_archive=False)
    site.through(Step.DESTROY)
    names = sorted(site.machines())
    site.wait(3 * 86400)
    undone = site.retiring().steps.undo(PROJECT)
    assert undone.last is not None and undone.last.facts["lost"] == names
    assert site.accounts() == {PROJECT: "enabled"}


def test_an_account_that_was_disabled_before_stays_so(site: Lab) -> None:
    account = site.rows("listAccounts", domainid=str(site.domain_id()))[0]["id"]
    site.run("disableAccount", id=account, lock="false")
    site.approved()
    site.step()
    site.retiring().steps.undo(PROJECT)
    assert site.accounts() == {PROJECT: "disabled"}
    assert site.commands() == []


def test_from_deleting_on_nothing_is_undone(site: Lab) -> None:
    site.approved(with_archive=False)
    site.through(Step.DELETE_ACCOUNTS)
    with pytest.raises(GuardError, match="nothing can be undone"):
        site.retiring().steps.undo(PROJECT)


def test_another_server_is_never_acted_on(site: Lab, tmp_path: Path) -> None:
    site.approved()
    with lab(tmp_path / "other") as other:
        ini = (other.folder / "cloudstack.ini").read_text()
        (site.folder / "cloudstack.ini").write_text(ini)
        with pytest.raises(GuardError, match="pinned"):
            site.step()
        with pytest.raises(GuardError, match="pinned"):
            site.retiring().steps.undo(PROJECT)
        assert other.commands() == []
