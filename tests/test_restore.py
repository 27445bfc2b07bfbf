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
from sync.model import Action, ActionKind, ActualInventory, Coverage, CoverageState, OwnedResource
from sync.plan import build, wave_title, waves
from sync.restoration import in_stages, moved
from sync.restore import plan_restoration
from sync.restore_operations import NETWORK_ID
from sync.stock import READY, GuestNetwork, Image
from tests.engine_cloud import ENDPOINT
from tests.restores import Lab

T, V, N = ActionKind.REGISTER_TEMPLATE, ActionKind.DEPLOY_VM, ActionKind.CREATE_NETWORK
A = ActionKind.TAKE_ADDRESS


@pytest.fixture
def lost(tmp_path: Path) -> Lab:
    """aurora and boreal are gone and rebuilt, without what was in them."""
    lab = Lab(tmp_path)
    lab.lose("aurora", "boreal")
    lab.rebuild()
    return lab


def test_what_was_lost_comes_back_as_it_was_where_it_can(lost: Lab) -> None:
    made = lost.planned()
    assert Counter(action.kind for action in made.actions) == {N: 2, A: 2, T: 3, V: 4}
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


def roles(inventory: ActualInventory) -> list[tuple[str, str, str]]:
    """Public address, network, whether it is its source NAT address."""
    return sorted(
        (one.name, one.details["associatednetworkname"], one.details.get("issourcenat", ""))
        for one in inventory.public_addresses
    )


def with_more_addresses(lab: Lab, *addresses: str, name: str = "aurora-net") -> None:
    """A network has more public addresses, of which the capture knows."""
    network = next(one for one in lab.cloud.world.networks.values() if one.name == name)
    for address in addresses:
        lab.cloud.ask("associateIpAddress", {"networkid": network.id, "ipaddress": address}, client="test")
        lab.cloud.sleep(10)
    lab.before = lab.cloud.read()


def test_public_addresses_are_taken_again_by_value_and_in_their_role(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    with_more_addresses(lab, "192.168.3.7", "192.168.3.8")
    lab.lose("aurora")
    lab.rebuild()
    somebody = next(one for one in lab.cloud.world.networks.values() if one.name == "dune-net")
    taking = {"networkid": somebody.id, "ipaddress": "192.168.3.8"}
    lab.cloud.ask("associateIpAddress", taking, client="test")
    lab.cloud.sleep(10)
    made = lab.planned()
    why = lab.left(made, "public address")
    assert why == {"192.168.3.8": "it belongs to account dune of ROOT/ci/dune now"}
    [risk] = made.addresses
    assert (risk.old, risk.taken_by, risk.network) == (
        "192.168.3.8", "account dune of ROOT/ci/dune", "aurora-net"
    )  # fmt: skip
    assert "a credential risk" in risk.words
    outcomes = lab.outcomes(made.actions)
    assert set(outcomes.values()) == {"succeeded"}, outcomes
    now = lab.now()
    kept = [one for one in roles(lab.before) if one[0] != "192.168.3.8" or one[1] != "aurora-net"]
    assert roles(now) == sorted([*kept, ("192.168.3.8", "dune-net", "")])
    [told] = [one for one in moved(lab.before, now) if one.network is not None]
    assert told == risk
    unread = replace(now, public_addresses=(), coverage=Coverage(CoverageState.PARTIAL, "not read"))
    assert not any(one.network is not None for one in moved(lab.before, unread)), "not read is not lost"
    again = lab.planned()
    assert again.actions == () and again.there["public address"] == len(lab.before.public_addresses) - 1


def test_without_its_old_source_nat_address_the_others_wait_for_a_vm(tmp_path: Path) -> None:
    """CloudStack would make the first one that comes the source NAT address."""
    lab = Lab(tmp_path)
    with_more_addresses(lab, "192.168.3.7")
    source = next(one for one in roles(lab.before) if one[1:] == ("aurora-net", "True"))[0]
    lab.lose("aurora")
    lab.rebuild()
    somebody = next(one for one in lab.cloud.world.networks.values() if one.name == "dune-net")
    lab.cloud.ask("associateIpAddress", {"networkid": somebody.id, "ipaddress": source}, client="test")
    lab.cloud.sleep(10)
    made = lab.planned()
    [take] = [action for action in made.actions if action.kind is A]
    assert take.target == "ROOT/ci/aurora:aurora:192.168.3.7"
    assert any(need.startswith("deploy-VM ROOT/ci/aurora:aurora:aurora-") for need in take.needs)
    only = [action for action in made.actions if action.kind is N]
    lab.execute(only)
    [words] = lab.outcomes([_alone(take)]).values()
    assert words.startswith("skipped: Not sent: the network aurora-net has no source NAT address yet")
    lab.execute(lab.planned().actions)
    mine = [one for one in roles(lab.now()) if one[1] == "aurora-net"]
    assert ("192.168.3.7", "aurora-net", "") in mine and len(mine) == 2


def test_addresses_are_taken_before_vms_start_and_hold_none_up(lost: Lab) -> None:
    actions = lost.planned().actions
    first, rest = in_stages(actions)
    assert [one.kind for one in first] == [N, N, A, A]
    assert {one.id for one in (*first, *rest)} == {one.id for one in actions}
    assert not {need for one in rest for need in one.needs} & {one.id for one in first}
    assert in_stages(rest) == (rest,) and in_stages(()) == ()
    for account in lost.cloud.world.accounts.values():
        lost.cloud.world.limits[account.id] = {"ip": 0}
    outcomes = lost.outcomes(actions)
    assert {words.split(":")[0] for id, words in outcomes.items() if id.startswith("take")} == {"failed"}
    assert {words for id, words in outcomes.items() if not id.startswith("take")} == {"succeeded"}


def test_a_network_with_another_source_nat_address_keeps_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.lose("aurora")
    lab.rebuild()
    made = lab.planned()
    lab.execute([action for action in made.actions if action.kind is N])
    [take] = [action for action in made.actions if action.kind is A]
    somebody = next(one for one in lab.cloud.world.networks.values() if one.name == "dune-net")
    taking = {"networkid": somebody.id, "ipaddress": take.parameters["ipaddress"]}
    lab.cloud.ask("associateIpAddress", taking, client="test")
    lab.cloud.sleep(10)
    lab.execute([_alone(action) for action in made.actions if action.kind is V and not action.needs[1:]])
    held = next(one for one in lab.cloud.world.addresses.values() if one.name == taking["ipaddress"])
    lab.cloud.ask("disassociateIpAddress", {"id": held.id}, client="test")
    lab.cloud.sleep(10)
    [now] = [one for one in roles(lab.now()) if one[1] == "aurora-net"]
    again = lab.planned()
    assert not any(action.kind is A for action in again.actions)
    [why] = lab.left(again, "public address").values()
    assert why == f"its network has the source NAT address {now[0]} now, and has only one"
    [words] = lab.outcomes([_alone(take)]).values()
    assert words == f"skipped: Not sent: the network aurora-net has the source NAT address {now[0]} already."


def test_an_address_taken_by_somebody_after_the_plan_is_not_asked_for(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.lose("aurora")
    lab.rebuild()
    actions = lab.planned().actions
    [take] = [action for action in actions if action.kind is A]
    lab.execute([action for action in actions if action.kind is N])
    with_more_addresses(lab, take.target.rpartition(":")[2], name="dune-net")
    [words] = lab.outcomes([_alone(take)]).values()
    assert words.startswith("skipped: Changed since it was planned: holder is “account dune of ROOT/ci/dune")
    assert "associateIpAddress" not in [command for command, _, _ in lab.cloud.sent()]


@pytest.mark.parametrize("release", ["4.13.1.0", ""])
def test_where_another_address_might_come_none_is_taken(lost: Lab, release: str) -> None:
    made = plan_restoration(lost.before, replace(lost.now(), release=release), lost.means())
    assert not any(action.kind is A for action in made.actions)
    assert all("not one by its value" in why for why in lost.left(made, "public address").values())
    assert len(lost.left(made, "public address")) == 2


def test_a_network_whose_offering_asks_for_a_vlan_has_its_own_again(lost: Lab) -> None:
    for offering in lost.cloud.world.network_offerings.values():
        offering.row["specifyvlan"] = True
    vlans = {one.name: one.details["vlan"] for one in lost.before.networks}
    made = lost.planned()
    planned = {one.parameters["name"]: one.parameters["vlan"] for one in made.actions if one.kind is N}
    assert planned == {name: vlans[name] for name in ("aurora-net", "boreal-net")}
    bare = tuple(replace(one, details={**one.details, "vlan": ""}) for one in lost.before.networks)
    without = plan_restoration(replace(lost.before, networks=bare), lost.now(), lost.means())
    assert lost.left(without, "network") == dict.fromkeys(
        ("aurora-net", "boreal-net"), "its offering asks for a VLAN, and the capture has none"
    )
    lost.execute([action for action in made.actions if action.kind is N])
    assert {one.name: one.details["vlan"] for one in lost.now().networks} == vlans


def test_nothing_is_skipped_silently(lost: Lab) -> None:
    made = lost.planned()
    before = lost.before
    lists = (before.accounts, before.vms, before.volumes, before.snapshots, before.templates, before.isos)
    objects = sum(map(len, lists)) + len(before.networks) + len(before.projects)
    objects += len(before.public_addresses)
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
    assert [wave_title(wave) for wave in waves(plan)] == [
        "networks", "public addresses", "templates", "new VMs"
    ]  # fmt: skip
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
    assert {action.kind for action in made.actions} == {N, A, V}
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
    assert all("ipaddress" not in action.parameters for action in made.actions if action.kind is V)


def test_what_has_no_home_is_not_made_elsewhere(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.lose("aurora")
    made = lab.planned()
    assert made.actions == ()
    assert set(lab.left(made, "VM").values()) == {"its domain is not there (rebuild it first)"}
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
        "domain": 2, "account": 2, "user": 2, "network": 2, "public address": 2, "template": 3, "VM": 4
    }  # fmt: skip
    row = next(row for row in rows if row.name == "ROOT/ci/aurora:aurora:aurora-2")
    assert row.old_id == next(vm.id for vm in lost.before.vms if vm.name == "aurora-2")
    assert row.new_id == next(vm.id for vm in now.vms if vm.name == "aurora-2")
    assert not any(row.project == "dune" for row in rows)


class Died(BaseException):
    """Stands for SIGKILL: nothing of the process' own code runs any more."""


@pytest.mark.parametrize("call", [1, 3, 4, 5, 8, 11])
@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
def test_a_process_that_dies_at_a_call_is_gone_on_with_and_nothing_is_made_twice(
    lost: Lab, monkeypatch: pytest.MonkeyPatch, call: int, is_done: bool
) -> None:
    """Of 11 calls: two networks, two addresses, three templates, four VMs. `after`: CloudStack has it, nobody
    was told."""
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
    rest = lost.planned().actions
    assert bool(rest) is (call <= 4), "only a second run that was not begun is left"
    if rest:
        assert set(lost.outcomes(rest).values()) == {"succeeded"}
    now = lost.now()
    assert Counter(vm.name for vm in now.vms) == dict.fromkeys((vm.name for vm in lost.before.vms), 1)
    assert Counter(one.name for one in now.templates) == dict.fromkeys(
        (one.name for one in lost.before.templates), 1
    )
    assert Counter(one.name for one in now.networks) == dict.fromkeys(
        (one.name for one in lost.before.networks), 1
    )
    assert roles(now) == roles(lost.before)


def test_what_is_left_in_a_dying_domain_is_not_used_by_the_new_one(lost: Lab) -> None:
    """A domain that CloudStack still deletes was renamed out of the way: its network, template and address
    are there for some minutes yet, and nobody in the new domain may use them."""
    made, means, now = lost.planned(), lost.means(), lost.now()
    old = next(one for one in lost.before.domains if one.name == "aurora")

    def left_of(rows: tuple[OwnedResource, ...]) -> tuple[OwnedResource, ...]:
        path = "ROOT/ci/aurora-deleted"
        return tuple(replace(one, domain_path=path) for one in rows if one.domain_id == old.id)

    dying = replace(
        now,
        networks=(*now.networks, *left_of(lost.before.networks)),
        templates=(*now.templates, *left_of(lost.before.templates)),
        public_addresses=(*now.public_addresses, *left_of(lost.before.public_addresses)),
    )
    stock = replace(
        means.stock,
        networks=(
            *means.stock.networks,
            *(GuestNetwork(one.id, one.name, old.id, "aurora") for one in left_of(lost.before.networks)),
        ),
        templates=(
            *means.stock.templates,
            *(Image(one.id, one.name, READY, old.id, "aurora") for one in left_of(lost.before.templates)),
        ),
    )
    again = plan_restoration(lost.before, dying, replace(means, stock=stock))
    assert again.actions == made.actions


def test_a_shared_network_of_another_domain_is_used_as_before(lost: Lab) -> None:
    """What a domain above owns outlives the deletion, and is had by its id."""
    means, now = lost.means(), lost.now()
    old = next(one for one in lost.before.networks if one.name.startswith("boreal"))
    shared = GuestNetwork(old.id, old.name, "somewhere-above", "system", old.details["cidr"])
    stock = replace(means.stock, networks=(*means.stock.networks, shared))
    made = plan_restoration(lost.before, now, replace(means, stock=stock))
    machine = next(one for one in made.actions if one.target.endswith(":boreal-1"))
    assert machine.parameters["networks"] == f"{NETWORK_ID}{old.id}"
