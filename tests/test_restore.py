"""Restoring: templates from an archive, VMs from a capture, and what does not come back, listed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from sync.cloudstack import Submission, Writer
from sync.identities import by_capture
from sync.model import Action, ActionKind
from sync.plan import build, wave_title, waves
from sync.restoration import moved
from tests.engine_cloud import ENDPOINT
from tests.restores import Lab

T, V, N = ActionKind.REGISTER_TEMPLATE, ActionKind.DEPLOY_VM, ActionKind.CREATE_NETWORK


@pytest.fixture
def lost(tmp_path: Path) -> Lab:
    """aurora and boreal are gone and rebuilt, without what was in them."""
    lab = Lab(tmp_path)
    lab.lose("aurora", "boreal")
    lab.rebuild()
    return lab


def test_what_was_lost_comes_back_as_it_was_where_it_can(lost: Lab) -> None:
    made = lost.planned()
    assert Counter(action.kind for action in made.actions) == {N: 2, T: 3, V: 4}
    outcomes = lost.outcomes(made.actions)
    assert set(outcomes.values()) == {"succeeded"}, outcomes
    assert lost.machines() == {
        "aurora-1": ("Running", ("10.7.0.11",)),
        "aurora-2": ("Running", ("10.7.0.12",)),
        "aurora-3": ("Stopped", ("10.7.0.13",)),
        "boreal-1": ("Running", ("10.8.0.11",)),
        "dune-1": ("Running", ("10.9.0.11",)),
    }
    now = lost.now()
    old = {one.name: one for one in lost.before.templates}
    assert {one.name for one in now.templates} == set(old)
    made_anew = next(one for one in now.templates if one.name == "aurora-gcc")
    assert made_anew.size == (lost.archive / "aurora-gcc.qcow2").stat().st_size, "CloudStack fetched the file"
    assert made_anew.details["ostypename"] == old["aurora-gcc"].details["ostypename"]
    ranges = {one.name: one.details["cidr"] for one in now.networks}
    assert ranges == {one.name: one.details["cidr"] for one in lost.before.networks}
    machine = {vm.name: vm for vm in now.vms}
    before = {vm.name: vm for vm in lost.before.vms}
    for name in machine:
        for field in ("serviceofferingid", "templatename", "displayname", "zonename"):
            assert machine[name].details.get(field) == before[name].details.get(field)
    again = lost.planned()
    assert again.actions == ()
    assert (again.there["VM"], again.there["template"], again.there["network"]) == (5, 3, 3)


def test_nothing_is_skipped_silently(lost: Lab) -> None:
    made = lost.planned()
    before = lost.before
    lists = (before.accounts, before.vms, before.volumes, before.snapshots, before.templates, before.isos)
    objects = sum(map(len, lists)) + len(before.networks) + len(before.projects)
    objects += sum(len(account.users) for account in before.accounts)
    objects += sum(domain.path != "ROOT/ci" for domain in before.domains)
    assert made.total == objects
    assert lost.left(made, "domain") == {"attic": "the CI database does not know it: make it by hand"}
    assert lost.left(made, "snapshot").keys() == {one.name for one in before.snapshots}
    assert set(lost.left(made, "volume").values()) == {
        "a VM that is made again has a new one, with what its template has",
        "what was on it is lost, unless an archive or the storage has it",
    }


def test_the_plan_goes_in_waves_and_needs_what_it_makes(lost: Lab) -> None:
    made = lost.planned()
    plan = build(
        made.actions, environment="lab", root_id="r", endpoint=ENDPOINT, author="ops", now=lost.cloud.now()
    )
    assert [wave_title(wave) for wave in waves(plan)] == ["networks", "templates", "new VMs"]
    needs = {action.target: action.needs for action in plan.actions if action.kind is V}
    network = "create-network ROOT/ci/aurora/aurora-net"
    assert needs["ROOT/ci/aurora:aurora:aurora-1"] == (network,), "its template belongs to everybody"
    assert needs["ROOT/ci/aurora:aurora:aurora-2"] == (
        network, "register-template ROOT/ci/aurora:aurora:aurora-gcc"
    )  # fmt: skip


def test_a_file_with_another_checksum_is_not_given_to_cloudstack(lost: Lab) -> None:
    file = lost.archive / "aurora-gcc.qcow2"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    made = lost.planned()
    assert "another checksum than the manifest says" in lost.left(made, "template")["aurora-gcc"]
    left = lost.left(made, "VM")
    assert left.keys() == {"aurora-2", "aurora-3"}
    assert left["aurora-2"] == "its template aurora-gcc is not there and is not made again"
    assert set(lost.outcomes(made.actions).values()) == {"succeeded"}


def test_a_file_that_changes_after_the_plan_fails_by_itself(lost: Lab) -> None:
    made = lost.planned()
    (lost.archive / "aurora-gcc.qcow2").write_bytes(b"something else")
    outcomes = lost.outcomes(made.actions)
    failed = {name: words for name, words in outcomes.items() if not words.startswith("succeeded")}
    assert failed.keys() == {
        "register-template ROOT/ci/aurora:aurora:aurora-gcc",
        "deploy-VM ROOT/ci/aurora:aurora:aurora-2",
        "deploy-VM ROOT/ci/aurora:aurora:aurora-3",
    }
    assert "Nothing is served" in failed["register-template ROOT/ci/aurora:aurora:aurora-gcc"]
    assert "registerTemplate" in [command for command, _, _ in lost.cloud.sent()]
    assert "aurora-gcc" not in {one.name for one in lost.now().templates}


def test_a_download_that_cloudstack_finds_wrong_is_reported_and_stands_in_the_way(
    lost: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = lost.planned()
    monkeypatch.setattr("sync.sandbox.downloads._DIGESTS", {"SHA-256": "sha512"})
    only = [action for action in made.actions if action.kind is T and action.target.endswith("aurora-gcc")]
    [words] = lost.outcomes(only).values()
    assert words.startswith("failed: ") and "CloudStack could not fetch it and says “checksum" in words
    assert "Delete that in CloudStack" in words
    monkeypatch.undo()
    again = lost.planned()
    assert "of that name is there and CloudStack says “checksum" in lost.left(again, "template")["aurora-gcc"]
    [words] = lost.outcomes(only).values()
    assert words.startswith("failed: Not sent. CloudStack could not fetch it")
    assert [command for command, _, _ in lost.cloud.sent()].count("registerTemplate") == 1


def test_without_anybody_who_serves_the_files_they_are_listed(lost: Lab) -> None:
    lost.is_served = False
    made = lost.planned()
    assert {action.kind for action in made.actions} == {N, V}
    assert "--serve" in lost.left(made, "template")["aurora-gcc"]


def test_an_offering_that_is_gone_is_named(lost: Lab) -> None:
    offerings = lost.cloud.world.offerings
    del offerings[next(id for id, one in offerings.items() if one.name == "Small Instance")]
    made = lost.planned()
    assert lost.left(made, "VM") == {"boreal-1": "its offering Small Instance is gone"}
    assert not any(change.vm == "boreal-1" for change in made.addresses)


def test_an_address_that_was_taken_is_a_risk_and_another_one_is_given(lost: Lab) -> None:
    lost.execute([action for action in lost.planned().actions if action.kind is N])
    network = next(one for one in lost.now().networks if one.name == "aurora-net")
    world = lost.cloud.world
    taker = {
        "name": "somebody", "ipaddress": "10.7.0.11", "networkids": network.id, "account": "aurora",
        "domainid": network.domain_id, "zoneid": next(iter(world.zones)),
        "serviceofferingid": next(iter(world.offerings)),
        "templateid": next(one.id for one in world.templates.values() if one.type == "BUILTIN"),
    }  # fmt: skip
    assert lost.cloud.ask("deployVirtualMachine", taker, client="test").status == 200
    lost.cloud.sleep(60)
    made = lost.planned()
    [change] = made.addresses
    assert (change.vm, change.old) == ("aurora-1", "10.7.0.11")
    assert change.taken_by == "VM somebody of ROOT/ci/aurora"
    assert "a credential risk" in change.words
    assert set(lost.outcomes(made.actions).values()) == {"succeeded"}
    state, [address] = lost.machines()["aurora-1"]
    assert state == "Running" and address != "10.7.0.11"
    [told] = [one for one in moved(lost.before, lost.now()) if one.vm == "aurora-1"]
    assert (told.old, told.now, told.taken_by) == ("10.7.0.11", address, "VM somebody of ROOT/ci/aurora")


def test_an_address_taken_between_plan_and_call_is_not_asked_for(lost: Lab) -> None:
    lost.execute([action for action in lost.planned().actions if action.kind is N])
    made = lost.planned()
    first = next(action for action in made.actions if action.target.endswith("aurora-1"))
    [words] = lost.outcomes([first]).values()
    assert words == "succeeded"
    stolen = lost.cloud.world
    vm = next(one for one in stolen.vms.values() if one.name == "aurora-1")
    vm.name = "thief"
    [words] = lost.outcomes([first]).values()
    assert (
        words
        == "skipped: Changed since it was planned: holder is “VM thief of ROOT/ci/aurora” instead of empty."
    )


def test_a_network_with_another_range_costs_the_addresses(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.lose("aurora")
    lab.rebuild(ranges=False)
    made = lab.planned()
    assert {(one.vm, one.why) for one in made.addresses} == {
        ("aurora-1", "its network has 10.1.1.0/24 now"),
        ("aurora-2", "its network has 10.1.1.0/24 now"),
        ("aurora-3", "its network has 10.1.1.0/24 now"),
    }
    assert all("ipaddress" not in action.parameters for action in made.actions)


def test_what_has_no_home_is_not_made_elsewhere(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.lose("aurora")
    made = lab.planned()
    assert made.actions == ()
    assert set(lab.left(made, "VM").values()) == {"the domain ROOT/ci/aurora is not there (rebuild it first)"}
    assert lab.left(made, "domain") == {"aurora": "`abreast rebuild` makes it"}


def test_only_the_chosen_projects(lost: Lab) -> None:
    made = lost.planned(projects=frozenset({"boreal"}))
    assert {action.project for action in made.actions} == {"boreal"}
    assert {one.project for one in made.left} == {"boreal"}


def test_a_lost_answer_is_resolved_by_reading_and_nothing_is_made_twice(lost: Lab) -> None:
    made = lost.planned()
    for command in ("registerTemplate", "deployVirtualMachine", "createNetwork"):
        lost.cloud.faults.add({"command": command, "kind": "truncated_body", "count": 1})
    outcomes = lost.outcomes(made.actions)
    assert set(outcomes.values()) == {"succeeded"}, outcomes
    names = Counter(vm.name for vm in lost.now().vms)
    assert set(names.values()) == {1}
    assert set(Counter(one.name for one in lost.now().templates).values()) == {1}


def test_a_vm_in_error_is_named_and_not_joined_by_another(lost: Lab) -> None:
    actions = lost.planned().actions
    first = next(action for action in actions if action.target.endswith("boreal-1"))
    lost.execute([action for action in actions if action.kind in (N, T)])
    network = next(one for one in lost.cloud.world.networks.values() if one.name == "boreal-net")
    network.gateway = "10.8.0.11"
    [words] = lost.outcomes([_alone(first)]).values()
    assert words.startswith("failed: ") and "in state Error" in words
    [words] = lost.outcomes([_alone(first)]).values()
    assert words.startswith("failed: Not sent. A VM of that name is there in state Error")
    assert "in state Error" in lost.left(lost.planned(), "VM")["boreal-1"]
    assert [command for command, _, _ in lost.cloud.sent()].count("deployVirtualMachine") == 1


def _alone(action: Action) -> Action:
    return replace(action, needs=())


def test_the_identity_map_has_every_type_that_is_there_again(lost: Lab) -> None:
    lost.execute(lost.planned().actions)
    now = lost.now()
    rows = by_capture(lost.before, now)
    assert Counter(row.what for row in rows) == {
        "domain": 2, "account": 2, "user": 2, "network": 2, "template": 3, "VM": 4
    }  # fmt: skip
    row = next(row for row in rows if row.name == "ROOT/ci/aurora:aurora:aurora-2")
    assert row.old_id == next(vm.id for vm in lost.before.vms if vm.name == "aurora-2")
    assert row.new_id == next(vm.id for vm in now.vms if vm.name == "aurora-2")
    assert not any(row.project == "dune" for row in rows)


class Died(BaseException):
    """Stands for SIGKILL: nothing of the process' own code runs any more."""


@pytest.mark.parametrize("call", [1, 3, 4, 6, 9])
@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
def test_a_process_that_dies_at_a_call_is_gone_on_with_and_nothing_is_made_twice(
    lost: Lab, monkeypatch: pytest.MonkeyPatch, call: int, is_done: bool
) -> None:
    """Of 9 calls: two networks, three templates, four VMs. `after`: CloudStack has it, nobody was told."""
    actions = lost.planned().actions
    submit, numbers = Writer.submit, itertools.count(1)

    def dying(writer: Writer, command: str, parameters: Mapping[str, str]) -> Submission:
        number = next(numbers)
        if number < call:
            return submit(writer, command, parameters)
        if number == call and is_done:
            submit(writer, command, parameters)
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "submit", dying)
        with pytest.raises(Died):
            lost.execute(actions)
    report = lost.resume()
    assert {one.outcome.value for one in report.results} == {"succeeded"}, report.results
    now = lost.now()
    assert Counter(vm.name for vm in now.vms) == dict.fromkeys((vm.name for vm in lost.before.vms), 1)
    assert Counter(one.name for one in now.templates) == dict.fromkeys(
        (one.name for one in lost.before.templates), 1
    )
    assert Counter(one.name for one in now.networks) == dict.fromkeys(
        (one.name for one in lost.before.networks), 1
    )
