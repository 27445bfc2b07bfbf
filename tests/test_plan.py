"""Repairs and plans: what is proposed, in which order, that nothing else is touched, that files are sealed.

`Simulator` is CloudStack as far as repairs go: it refuses what CloudStack would refuse.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sync.drift import compare
from sync.errors import GuardError, StaleError, UsageError
from sync.model import (
    RESOURCE_TYPES,
    Account,
    Action,
    ActionKind,
    ActualInventory,
    Agent,
    DesiredInventory,
    Domain,
    Drift,
    DriftKind,
    NetworkRule,
    OwnedResource,
    Plan,
    Reversibility,
    RunningJob,
    User,
)
from sync.plan import (
    PlanRules,
    build,
    digest_of,
    early,
    from_json,
    is_repairable,
    move,
    refuse_changed,
    refuse_expired,
    repairable,
    repairs,
    take_out,
    text_of,
    to_json,
    totals,
    unique,
    wave_title,
    waves,
    with_needs,
    without_dependents,
)
from tests import examples as ex
from tests import strategies as worlds

RULES = PlanRules(parent=ex.PARENT)
RULE = NetworkRule("DefaultOffering", "Zone 1")
World = tuple[DesiredInventory, ActualInventory]


def proposed(drift: Drift, rules: PlanRules = RULES) -> tuple[Action, ...]:
    return unique(action for row in drift.rows for action in repairs(row, rules=rules, now=ex.NOON))


def plan_of(actions: object, now: datetime = ex.NOON) -> Plan:
    return build(
        actions,
        environment="drill",
        root_id=ex.ROOT_ID,
        endpoint=ex.ENDPOINT,
        author="anna@console",
        now=now,
        notes=["zephyr: left alone"],
    )


def ids(actions: object) -> list[str]:
    return [action.id for action in actions]


def incident() -> Drift:
    """One project in deletion, one hollow, one gone; one domain unexpected."""
    hollow, extra = ex.domain("boreal", limits={"vm": 5}), ex.domain("zephyr")
    return compare(
        ex.desired(
            ex.project("aurora", ex.member("anna", role="owner"), "bob"),
            ex.project("boreal", "anna", quotas={"vm": 10}),
            ex.project("cirrus", "anna", quotas={"vm": 3}, network_domain="c.example.org"),
        ),
        ex.actual(hollow, extra, vms=[ex.vm("v", ex.domain("aurora"))], jobs=[ex.delete_job()]),
    )


# --- repairs of each kind ---------------------------------------------------------------------------------


def test_a_missing_project_is_made_from_the_domain_on() -> None:
    project = ex.project(
        "cirrus",
        ex.member("anna", role="owner"),
        ex.member("bob", enabled=False),
        quotas={"vm": 3, "cpu": -1},
        network_domain="c.example.org",
    )
    rules = replace(RULES, roles={"owner": "Domain Admin"}, network=RULE)
    drift = compare(ex.desired(project), ex.actual(), network_rule=RULE)
    made = proposed(drift, rules)
    assert ids(made) == [
        "create-domain ROOT/ci/cirrus",
        "create-account ROOT/ci/cirrus:cirrus",
        "create-user ROOT/ci/cirrus:cirrus:bob",
        "disable-user ROOT/ci/cirrus:cirrus:bob",
        "update-limit ROOT/ci/cirrus#cpu",
        "update-limit ROOT/ci/cirrus#vm",
        "create-network ROOT/ci/cirrus/cirrus-net",
    ]
    domain, account, user, disabled, cpu, vm, network = made
    assert domain.parameters == {
        "name": "cirrus",
        "parentdomain": "ROOT/ci",
        "networkdomain": "c.example.org",
    }
    assert account.parameters["role"] == "Domain Admin"
    assert account.parameters["username"] == "anna"
    assert [one.needs for one in made] == [
        (),
        (domain.id,),
        (account.id,),
        (user.id,),
        (domain.id,),
        (domain.id,),
        (account.id,),
    ]
    assert (cpu.parameters["resourcetype"], cpu.parameters["max"]) == ("8", "-1")
    assert (vm.precondition, disabled.precondition) == ({}, {"state": "enabled"})
    assert all(one.precondition == {"exists": "no"} for one in (domain, account, user, network))
    assert all("No undoing deletes" in one.undo for one in (domain, account, user, network))
    assert "CloudStack's own deleteDomain without clean-up, while it is empty" in domain.undo
    assert "deleteAccount, while it owns nothing" in account.undo
    assert user.undo.startswith("Disable the user.") and "deleteUser" in user.undo
    assert "deleteNetwork, while no VM is in it" in network.undo


def test_a_role_that_is_not_mapped_is_user() -> None:
    drift = compare(ex.desired(ex.project("cirrus", ex.member("anna", role="owner"))), ex.actual())
    assert proposed(drift)[1].parameters["role"] == "User"


def test_a_project_without_members_gets_its_domain_and_limits() -> None:
    drift = compare(ex.desired(ex.project("bare", quotas={"vm": 1})), ex.actual(), network_rule=RULE)
    made = proposed(drift, replace(RULES, network=RULE))
    assert [one.kind for one in made] == [ActionKind.CREATE_DOMAIN, ActionKind.UPDATE_LIMIT]


def test_a_hollow_project_is_repaired_from_the_account_on() -> None:
    made = [one for one in proposed(incident()) if one.project == "boreal"]
    assert [one.kind for one in made] == [ActionKind.CREATE_ACCOUNT, ActionKind.UPDATE_LIMIT]
    assert made[0].needs == ()
    assert made[1].precondition == {"max": "5"}
    assert made[1].undo == "Set the vm limit back to 5."


def test_a_dying_domain_is_renamed_before_its_name_is_used() -> None:
    made = [one for one in proposed(incident()) if one.project == "aurora"]
    rename, create = made[:2]
    assert rename.kind is ActionKind.RENAME_DOMAIN
    assert rename.target_id == "id:ROOT/ci/aurora"
    assert rename.parameters == {"name": "aurora-deleted-0728-idRO"}
    assert rename.precondition == {"listed": "no", "name": "aurora"}
    assert create.needs == (rename.id,)


def test_later_readings_of_the_day_propose_the_very_same_repairs() -> None:
    for row in incident().rows:
        assert repairs(row, rules=RULES, now=ex.NOON) == repairs(
            row, rules=RULES, now=ex.NOON + timedelta(hours=3)
        )


def test_the_name_of_a_corpse_is_never_too_long() -> None:
    name = "x" * 255
    drift = compare(
        ex.desired(ex.project(name)), ex.actual(vms=[ex.vm("v", ex.domain(name))], jobs=[ex.delete_job()])
    )
    renamed = proposed(drift)[0].parameters["name"]
    assert len(renamed) == 255
    assert renamed.endswith("-deleted-0728-idRO")


@pytest.mark.parametrize("jobs", [[], [ex.delete_job()]], ids=["nothing runs", "another deletion runs"])
def test_what_is_left_of_a_domain_makes_room_whatever_else_is_deleted(jobs: list[RunningJob]) -> None:
    """A server that was killed leaves the domain Inactive: it holds its name until the clean-up comes by."""
    left = ex.actual(vms=[ex.vm("v", ex.domain("aurora"))], jobs=jobs)
    rename, create = proposed(compare(ex.desired(ex.project("aurora")), left))
    assert (rename.kind, create.kind) == (ActionKind.RENAME_DOMAIN, ActionKind.CREATE_DOMAIN)
    assert create.needs == (rename.id,)


def test_a_missing_parent_is_the_visible_first_action_of_the_plan() -> None:
    drift = compare(ex.desired(ex.project("aurora"), ex.project("dune")), ex.actual(has_parent=False))
    for row in drift.rows:
        assert ids(repairs(row, rules=RULES, now=ex.NOON))[0] == "create-domain ROOT/ci"
    plan = plan_of(action for row in drift.rows for action in repairs(row, rules=RULES, now=ex.NOON))
    parent, *rest = plan.actions
    assert (parent.id, parent.project) == ("create-domain ROOT/ci", "")
    assert parent.parameters == {"name": "ci", "parentdomain": "ROOT"}
    assert len(rest) == 2 and all(one.needs == (parent.id,) for one in rest)
    assert ids(waves(plan)[0]) == [parent.id]


def test_only_what_differs_is_updated_and_the_old_value_takes_it_back() -> None:
    domain = ex.domain("dune", limits={"vm": 10, "cpu": 5}, network_domain="old.example.org")
    account = ex.account(domain, ex.user("anna", "dune", domain, email="old@example.org"), "bob")
    project = ex.project(
        "dune", "anna", "bob", quotas={"vm": 10, "cpu": 7}, network_domain="dune.example.org"
    )
    made = proposed(compare(ex.desired(project), ex.actual(domain, accounts=[account])))
    assert ids(made) == [
        "update-domain ROOT/ci/dune",
        "update-user ROOT/ci/dune:dune:anna",
        "update-limit ROOT/ci/dune#cpu",
    ]
    update = made[1]
    assert update.parameters == {"email": "anna@example.org"}
    assert update.precondition == {"email": "old@example.org"}
    assert update.target_id == account.users[0].id
    assert update.undo == "Set email to old@example.org again."
    assert made[0].precondition == {"networkdomain": "old.example.org"}
    assert {one.reversibility for one in made} == {Reversibility.UNDOABLE}


def test_users_are_enabled_only_in_an_enabled_account() -> None:
    domain = ex.domain("dune")
    users = [ex.user("anna", "dune", domain, state="disabled"), ex.user("bob", "dune", domain)]
    project = ex.project("dune", "anna", ex.member("bob", enabled=False))
    enabled = ex.actual(domain, accounts=[ex.account(domain, *users)])
    assert ids(proposed(compare(ex.desired(project), enabled))) == [
        "enable-user ROOT/ci/dune:dune:anna",
        "disable-user ROOT/ci/dune:dune:bob",
    ]
    disabled = ex.actual(domain, accounts=[ex.account(domain, *users, state="disabled")])
    assert ids(proposed(compare(ex.desired(project), disabled))) == [
        "enable-account ROOT/ci/dune:dune",
        "disable-user ROOT/ci/dune:dune:bob",
    ]
    quarantined = replace(project, enabled=False)
    assert ids(proposed(compare(ex.desired(quarantined), disabled))) == ["disable-user ROOT/ci/dune:dune:bob"]


def test_a_user_from_elsewhere_is_never_updated() -> None:
    domain = ex.domain("dune")
    user = ex.user("anna", "dune", domain, source="ldap", email="old@example.org")
    drift = compare(
        ex.desired(ex.project("dune", "anna")), ex.actual(domain, accounts=[ex.account(domain, user)])
    )
    assert drift.rows[0].kind is DriftKind.DIFFERS
    assert proposed(drift) == ()
    assert "ldap" in drift.rows[0].differences[0].note


def test_user_names_held_by_another_account_are_left_out() -> None:
    domain = ex.domain("dune")
    guests = ex.account(domain, "anna", name="guests")
    wanted = ex.project("dune", "anna", "bob")
    made = proposed(compare(ex.desired(wanted), ex.actual(domain, accounts=[guests])))
    assert [one.kind for one in made] == [ActionKind.CREATE_ACCOUNT]
    assert made[0].parameters["username"] == "bob"
    nobody = ex.project("dune", "anna")
    assert proposed(compare(ex.desired(nobody), ex.actual(domain, accounts=[guests]))) == ()


def test_what_only_its_owner_decides_has_no_repair() -> None:
    domain = ex.domain("dune")
    project = ex.project("dune", "anna", domain_id="id:before", enabled=False, agents=[Agent("a", "gone")])
    inventory = ex.actual(domain, accounts=[ex.account(domain, "anna", "mallory")])
    row = compare(ex.desired(project), inventory).rows[0]
    assert row.kind is DriftKind.DIFFERS
    assert repairs(row, rules=RULES, now=ex.NOON) == ()
    assert not is_repairable(row, RULES)
    assert all(part.note for part in row.differences)


def test_a_deletion_is_named_and_not_repaired_while_the_ci_database_is_not_known() -> None:
    wanted = ex.desired(ex.project("aurora", "anna"))
    found = ex.actual(vms=[ex.vm("v", ex.domain("aurora"))], jobs=[ex.delete_job()])
    (row,) = compare(wanted, found).rows
    assert row.kind is DriftKind.DELETING and is_repairable(row, RULES)
    (row,) = compare(replace(wanted, coverage=ex.partial()), found).rows
    assert row.kind is DriftKind.DELETING, "that is certain"
    assert repairs(row, rules=RULES, now=ex.NOON) == ()


@pytest.mark.parametrize("side", ["desired", "actual"])
def test_nothing_counts_as_repairable_while_a_side_is_not_complete(side: str) -> None:
    drift = incident()
    assert repairable(drift, RULES)
    assert repairable(replace(drift, **{side: ex.failed()}), RULES) == ()


# --- properties of repairs --------------------------------------------------------------------------------


def compared(world: World, rules: PlanRules) -> Drift:
    return compare(*world, network_rule=rules.network)


@given(world=worlds.worlds(), rules=worlds.rules, now=worlds.moments)
def test_every_plan_is_sound(world: World, rules: PlanRules, now: datetime) -> None:
    drift = compared(world, rules)
    actions = [action for row in drift.rows for action in repairs(row, rules=rules, now=now)]
    plan = plan_of(actions, now)
    before: set[str] = set()
    for action in plan.actions:
        assert action.id not in before
        assert set(action.needs) <= before
        assert isinstance(action.kind, ActionKind)
        assert action.precondition or action.needs
        assert action.reason and action.undo
        assert not {"password", "cleanup"} & {name.casefold() for name in action.parameters}
        before.add(action.id)
    made_here = {action.target for action in plan.actions if action.target_id is None}
    seen = {domain.id for domain in world[1].domains}
    assert not seen & {value for action in plan.actions for value in action.parameters.values()}
    assert plan.actions == tuple(action for wave in waves(plan) for action in wave)
    for wave in waves(plan):
        assert not {need for action in wave for need in action.needs} & set(ids(wave))
        assert wave_title(wave)
    assert sum(totals(actions).values()) == len(plan.actions) >= len(made_here & before)


@given(world=worlds.worlds(), rules=worlds.rules)
def test_only_repairable_rows_have_actions(world: World, rules: PlanRules) -> None:
    drift = compared(world, rules)
    chosen = {row.key for row in repairable(drift, rules)}
    for row in drift.rows:
        actions = repairs(row, rules=rules, now=ex.NOON)
        assert bool(actions) == is_repairable(row, rules) == (row.key in chosen)
        assert {action.project for action in actions} <= {row.key, ""}
        if (
            row.project is None
            or row.project.problem
            or row.kind.value in ("unexpected", "unknown", "in sync")
        ):
            assert actions == ()


@given(world=worlds.worlds(), rules=worlds.rules, desired=worlds.coverages, actual=worlds.coverages)
def test_nothing_is_proposed_unless_both_sides_are_complete(
    world: World, rules: PlanRules, desired: object, actual: object
) -> None:
    assume(not (desired is actual is ex.COMPLETE))
    wanted, found = world
    drift = compared((replace(wanted, coverage=desired), replace(found, coverage=actual)), rules)
    assert repairable(drift, rules) == ()
    assert proposed(drift, rules) == ()


# --- a pure CloudStack ------------------------------------------------------------------------------------


class Simulator:
    """CloudStack in memory: performs actions and refuses as it does (cloudstack recordings, 4.23)."""

    def __init__(self, start: ActualInventory) -> None:
        self.start = start
        self.domains = {domain.path.casefold(): domain for domain in start.domains}
        self.accounts = {account.id: replace(account, users=()) for account in start.accounts}
        self.users = {user.id: user for account in start.accounts for user in account.users}
        self.networks = list(start.networks)
        self.vms = list(start.vms)
        self.has_parent = start.parent_id is not None
        listed = {domain.id for domain in start.domains}
        self.dying = {vm.domain_id: vm.domain_path for vm in start.vms if vm.domain_id not in listed}
        """Whatever runs: one that is not listed may hold its name for as long as something of it is left."""
        self.touched: set[str] = set()

    def inventory(self) -> ActualInventory:
        accounts = tuple(
            replace(
                account, users=tuple(user for user in self.users.values() if user.account_id == account.id)
            )
            for account in self.accounts.values()
        )
        return replace(
            self.start,
            parent_id="id:ROOT/ci" if self.has_parent else None,
            domains=tuple(self.domains.values()),
            accounts=accounts,
            vms=tuple(self.vms),
            networks=tuple(self.networks),
        )

    def perform(self, action: Action) -> None:
        if action.target_id is not None:
            self.touched.add(action.target_id)
        getattr(self, f"_{action.kind.name.lower()}")(action)

    def _domain(self, path: str) -> Domain:
        return self.domains[path.casefold()]

    def _rename_domain(self, action: Action) -> None:
        assert action.target_id in self.dying
        assert action.target_id not in {domain.id for domain in self.domains.values()}
        new = f"{ex.PARENT}/{action.parameters['name']}"
        assert new.casefold() not in self.domains
        self.dying[action.target_id] = new
        self.vms = [
            replace(vm, domain_path=new) if vm.domain_id == action.target_id else vm for vm in self.vms
        ]

    def _create_domain(self, action: Action) -> None:
        path = f"{action.parameters['parentdomain']}/{action.parameters['name']}"
        assert path == action.target
        if path == ex.PARENT:
            assert not self.has_parent
            self.has_parent = True
            return
        assert self.has_parent
        assert path.casefold() not in self.domains
        if self.start.parent_id is not None:
            assert path.casefold() not in {held.casefold() for held in self.dying.values()}
        limits = dict.fromkeys(RESOURCE_TYPES, -1)
        domain = ex.domain(
            action.parameters["name"],
            limits=limits,
            network_domain=action.parameters.get("networkdomain"),
            id=f"id:new:{path}",
        )
        self.domains[path.casefold()] = domain

    def _update_domain(self, action: Action) -> None:
        domain = self._domain(action.target)
        assert domain.id == action.target_id
        assert {"networkdomain": domain.network_domain} == action.precondition
        self.domains[action.target.casefold()] = replace(
            domain, network_domain=action.parameters["networkdomain"]
        )

    def _create_account(self, action: Action) -> None:
        domain = self._domain(action.parameters["domain"])
        name = action.parameters["account"]
        assert not [
            one
            for one in self.accounts.values()
            if one.domain_id == domain.id and one.name.casefold() == name.casefold()
        ]
        account = Account(f"id:new:{action.target}", name, domain.id, "enabled", action.parameters["role"])
        self.accounts[account.id] = account
        self._add_user(action, account)

    def _account(self, domain: Domain, name: str) -> Account:
        return next(one for one in self.accounts.values() if one.domain_id == domain.id and one.name == name)

    def _create_user(self, action: Action) -> None:
        domain = self._domain(action.parameters["domain"])
        self._add_user(action, self._account(domain, action.parameters["account"]))

    def _add_user(self, action: Action, account: Account) -> None:
        person = {name: action.parameters[name] for name in ("username", "email", "firstname", "lastname")}
        assert all(person.values())
        assert not [
            user
            for user in self.users.values()
            if user.domain_id == account.domain_id
            and user.username.casefold() == person["username"].casefold()
        ]
        user = User(
            id=f"id:new:user:{action.target}",
            state="enabled",
            account_id=account.id,
            account=account.name,
            domain_id=account.domain_id,
            **person,
        )
        self.users[user.id] = user

    def _user(self, action: Action) -> User:
        if action.target_id is not None:
            user = self.users[action.target_id]
        else:
            path, _, username = action.target.rpartition(":")
            path = path.removesuffix(f":{path.rpartition('/')[2].split(':')[-1]}")
            domains = [
                domain for domain in self.domains.values() if action.target.startswith(domain.path + ":")
            ]
            user = next(
                one
                for one in self.users.values()
                if one.domain_id == domains[0].id and one.username == username
            )
        for name, value in action.precondition.items():
            assert getattr(user, name) == value
        return user

    def _update_user(self, action: Action) -> None:
        user = self._user(action)
        assert user.source == "native"
        self.users[user.id] = replace(user, **action.parameters)

    def _enable_user(self, action: Action) -> None:
        user = self._user(action)
        assert self.accounts[user.account_id].state == "enabled"
        self.users[user.id] = replace(user, state="enabled")

    def _disable_user(self, action: Action) -> None:
        user = self._user(action)
        self.users[user.id] = replace(user, state="disabled")

    def _enable_account(self, action: Action) -> None:
        account = self.accounts[str(action.target_id)]
        assert {"state": account.state} == action.precondition
        self.accounts[account.id] = replace(account, state="enabled")

    def _update_limit(self, action: Action) -> None:
        path, _, resource = action.target.rpartition("#")
        domain = self._domain(path)
        assert domain.limits is not None
        assert action.precondition in ({}, {"max": str(domain.limits[resource])})
        assert action.parameters["resourcetype"] == str(RESOURCE_TYPES[resource])
        limits = {**domain.limits, resource: int(action.parameters["max"])}
        self.domains[path.casefold()] = replace(domain, limits=limits)

    def _create_network(self, action: Action) -> None:
        domain = self._domain(action.parameters["domain"])
        assert self._account(domain, action.parameters["account"]).state == "enabled"
        name = action.parameters["name"]
        assert not [one for one in self.networks if one.domain_id == domain.id and one.name == name]
        self.networks.append(
            OwnedResource(f"id:new:{action.target}", name, "Allocated", domain.id, domain.path)
        )


def everything(found: ActualInventory) -> dict[str, object]:
    """All objects by id, each without the objects that it contains."""
    accounts = {account.id: replace(account, users=()) for account in found.accounts}
    users = {user.id: user for account in found.accounts for user in account.users}
    rest = [*found.domains, *found.vms, *found.networks]
    return {**accounts, **users, **{one.id: one for one in rest}}


@given(world=worlds.worlds(), rules=worlds.rules)
def test_the_repairs_lead_to_no_repairable_drift_and_touch_nothing_else(
    world: World, rules: PlanRules
) -> None:
    """In at most two rounds: users of an account that had to be enabled come in the second."""
    wanted, found = world
    simulator = Simulator(found)
    for round_number in (1, 2, 3):
        drift = compare(wanted, simulator.inventory(), network_rule=rules.network)
        actions = proposed(drift, rules)
        if not actions:
            break
        assert round_number < 3, ids(actions)
        if round_number == 2:
            assert {action.kind for action in actions} == {ActionKind.ENABLE_USER}
        for action in plan_of(actions).actions:
            simulator.perform(action)
    assert repairable(drift, rules) == ()
    assert DriftKind.MISSING not in {row.kind for row in drift.rows}
    assert DriftKind.HOLLOW not in {row.kind for row in drift.rows if row.project and not row.project.problem}
    before, after = everything(found), everything(simulator.inventory())
    renamed = {vm.id for vm in found.vms if vm.domain_id in simulator.touched}
    for key, value in before.items():
        if key not in simulator.touched | renamed:
            assert after[key] == value
    assert all(key.startswith("id:new:") for key in after.keys() - before.keys())


@given(world=worlds.worlds(), rules=worlds.rules)
def test_a_second_run_of_the_same_repairs_has_nothing_to_do(world: World, rules: PlanRules) -> None:
    wanted, found = world
    unexpected = {row.key for row in compared(world, rules).rows if row.kind is DriftKind.UNEXPECTED}
    simulator = Simulator(found)
    for action in plan_of(proposed(compared(world, rules), rules)).actions:
        simulator.perform(action)
    after = compare(wanted, simulator.inventory(), network_rule=rules.network)
    assert unexpected <= {row.key for row in after.rows if row.kind is DriftKind.UNEXPECTED}


# --- building ---------------------------------------------------------------------------------------------


def test_a_plan_goes_in_waves() -> None:
    plan = plan_of(proposed(incident()))
    assert [(wave_title(wave), len(wave)) for wave in waves(plan)] == [
        ("renames", 1),
        ("domains", 2),
        ("accounts", 3),
        ("users", 1),
        ("limits", 2),
    ]
    assert totals(plan.actions)[ActionKind.CREATE_ACCOUNT] == 3
    assert ActionKind.CREATE_NETWORK not in totals(plan.actions)


def test_an_action_without_what_it_needs_is_no_plan() -> None:
    actions = proposed(incident())
    with pytest.raises(GuardError, match="not staged"):
        plan_of([action for action in actions if action.kind is ActionKind.CREATE_USER])
    chosen = [action.id for action in actions if action.kind is ActionKind.CREATE_USER]
    assert [one.kind for one in plan_of(with_needs(actions, chosen)).actions] == [
        ActionKind.RENAME_DOMAIN,
        ActionKind.CREATE_DOMAIN,
        ActionKind.CREATE_ACCOUNT,
        ActionKind.CREATE_USER,
    ]


def test_actions_that_need_each_other_are_no_plan() -> None:
    first, second = proposed(incident())[:2]
    circle = [replace(first, needs=(second.id,)), replace(second, needs=(first.id,))]
    with pytest.raises(GuardError):
        plan_of(circle)


def test_two_actions_under_one_id_are_no_plan() -> None:
    action = proposed(incident())[0]
    assert len(plan_of([action, action]).actions) == 1
    with pytest.raises(GuardError, match="Two different"):
        plan_of([action, replace(action, parameters={"name": "other"})])


@pytest.mark.parametrize("name", ["password", "userPassword", "secretkey", "cleanup", "signature"])
def test_no_plan_carries_a_secret_or_a_clean_up(name: str) -> None:
    action = next(one for one in proposed(incident()) if not one.needs)
    with pytest.raises(GuardError, match=name):
        plan_of([replace(action, parameters={name: "hunter2"})])


@pytest.mark.parametrize("name", ["environment", "root_id", "endpoint"])
def test_a_plan_for_no_server_in_particular_is_refused(name: str) -> None:
    binding = {"environment": "drill", "root_id": "r", "endpoint": "e", name: ""}
    with pytest.raises(GuardError):
        build([], **binding, author="anna", now=ex.NOON)


def test_a_plan_expires_after_an_hour_and_is_not_from_the_future() -> None:
    plan = plan_of(proposed(incident()))
    refuse_expired(plan, ex.NOON)
    refuse_expired(plan, ex.NOON + timedelta(minutes=59, seconds=59))
    refuse_expired(plan, ex.NOON - timedelta(minutes=4))
    with pytest.raises(StaleError, match="13:00 UTC"):
        refuse_expired(plan, ex.NOON + timedelta(minutes=60))
    with pytest.raises(StaleError, match="still to come"):
        refuse_expired(plan, ex.NOON - timedelta(minutes=6))


# --- changing ---------------------------------------------------------------------------------------------


def test_taking_out_takes_what_needs_it_too_and_says_so() -> None:
    plan = plan_of(proposed(incident()))
    rename = plan.actions[0]
    smaller = take_out(plan, [rename.id])
    assert {action.project for action in smaller.actions} == {"boreal", "cirrus"}
    assert smaller.digest == digest_of(smaller) != plan.digest
    assert smaller.expires_at == plan.expires_at
    assert f"taken out: {rename.id}" in smaller.notes
    assert any("which needs" in note for note in smaller.notes)
    with pytest.raises(UsageError, match="no action"):
        take_out(plan, ["delete-domain ROOT/ci/zephyr"])


def test_what_needs_it_goes_with_it_in_whatever_order_it_was_staged() -> None:
    actions = plan_of(proposed(incident())).actions
    left = {"boreal", "cirrus"}
    for staged in (actions, actions[::-1]):
        assert {one.project for one in without_dependents(staged, [actions[0].id])} == left
    assert without_dependents(actions, []) == actions


def test_order_may_be_changed_within_a_wave_only() -> None:
    plan = plan_of(proposed(incident()))
    domains = waves(plan)[1]
    moved = move(plan, domains[0].id, 1)
    assert ids(waves(moved)[1]) == [domains[1].id, domains[0].id]
    assert sorted(ids(moved.actions)) == sorted(ids(plan.actions))
    assert moved.digest == digest_of(moved) != plan.digest
    assert move(moved, domains[0].id, -1) == plan
    for by in (-1, 2):
        with pytest.raises(GuardError, match="domains keep their place"):
            move(plan, domains[0].id, by)
    with pytest.raises(UsageError):
        move(plan, "nothing", 1)


@given(world=worlds.worlds(), rules=worlds.rules, data=st.data())
def test_a_changed_plan_is_still_sound(world: World, rules: PlanRules, data: st.DataObject) -> None:
    plan = plan_of(proposed(compared(world, rules), rules))
    assume(plan.actions)
    gone = data.draw(st.sets(st.sampled_from(ids(plan.actions)), max_size=3))
    smaller = take_out(plan, gone)
    assert not gone & set(ids(smaller.actions))
    assert from_json(to_json(smaller)) == smaller


# --- the file ---------------------------------------------------------------------------------------------


@given(world=worlds.worlds(), rules=worlds.rules, now=worlds.moments)
def test_a_plan_comes_back_from_its_file_as_it_was(world: World, rules: PlanRules, now: datetime) -> None:
    plan = plan_of(proposed(compared(world, rules), rules), now)
    text = json.dumps(to_json(plan), ensure_ascii=False)
    again = from_json(json.loads(text))
    assert again == plan == from_json(json.loads(text, object_hook=early))
    assert digest_of(again) == plan.digest == again.digest
    assert len(plan.digest) == 64


@given(world=worlds.worlds(), rules=worlds.rules)
def test_what_is_written_piece_by_piece_is_what_is_written_at_once(world: World, rules: PlanRules) -> None:
    plan = plan_of(proposed(compared(world, rules), rules))
    whole = json.dumps(to_json(plan), sort_keys=True, separators=(",", ":"))
    assert text_of(plan) == whole
    content = to_json(plan)
    del content["digest"]
    spelt = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert digest_of(plan) == hashlib.sha256(spelt.encode("utf-8", "surrogatepass")).hexdigest()


def test_a_plan_that_was_changed_in_memory_is_refused_as_one_in_a_file_is() -> None:
    plan = plan_of(proposed(incident()))
    refuse_changed(plan)
    for changed in (
        replace(plan, author="mallory"),
        replace(plan, actions=plan.actions[1:]),
        replace(plan, notes=("another",)),
    ):
        with pytest.raises(GuardError, match="was changed after it was made"):
            refuse_changed(changed)
    backwards = replace(plan, actions=plan.actions[::-1])
    with pytest.raises(GuardError, match="is not before it"):
        refuse_changed(replace(backwards, digest=digest_of(backwards)))


def test_the_digest_does_not_depend_on_the_zone_or_the_order_of_fields() -> None:
    actions = proposed(incident())
    elsewhere = ex.NOON.astimezone(timezone(timedelta(hours=2)))
    assert plan_of(actions, elsewhere).digest == plan_of(actions).digest
    turned = [replace(one, parameters=dict(reversed(one.parameters.items()))) for one in actions]
    assert plan_of(turned).digest == plan_of(actions).digest
    later = plan_of(actions, ex.NOON + timedelta(seconds=1))
    assert later.digest != plan_of(actions).digest


def leaves(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    if isinstance(value, dict):
        return [path, *(leaf for key, entry in value.items() for leaf in leaves(entry, (*path, key)))]
    if isinstance(value, list):
        return [path, *(leaf for index, entry in enumerate(value) for leaf in leaves(entry, (*path, index)))]
    return [path]


def changed(content: object, path: tuple[object, ...]) -> object:
    """The content with one leaf changed, or one more entry in a list or mapping."""
    copy = json.loads(json.dumps(content))
    place = copy
    for step in path[:-1]:
        place = place[step]
    value = place[path[-1]] if path else copy
    if isinstance(value, dict):
        value["unheard-of"] = "x"
    elif isinstance(value, list):
        value.append("x")
    else:
        place[path[-1]] = f"{value} " if isinstance(value, str) else "x"
    return copy


def test_any_change_to_a_file_is_refused() -> None:
    content = to_json(plan_of(proposed(incident())))
    places = leaves(content)
    assert len(places) > 100
    for path in places:
        altered = changed(content, path)
        with pytest.raises((GuardError, UsageError)) as told:
            from_json(altered)
        with pytest.raises(told.type) as told_early:
            from_json(json.loads(json.dumps(altered), object_hook=early))
        assert str(told_early.value) == str(told.value)


def test_actions_are_made_as_soon_as_they_are_read() -> None:
    plan = plan_of(proposed(incident()))
    read = json.loads(text_of(plan), object_hook=early)
    assert tuple(read["actions"]) == plan.actions
    broken = {**to_json(plan)["actions"][0], "unheard-of": "x"}
    assert early(broken) is broken


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("environment",), "production"),
        (("root_id",), "id:other"),
        (("endpoint",), "https://other.example.org/client/api"),
        (("author",), "bob@console"),
        (("created_at",), "2017-07-28T12:30:00+00:00"),
        (("expires_at",), "2027-07-28T13:00:00+00:00"),
        (("notes",), []),
        (("actions", 0, "kind"), "create domain"),
        (("actions", 0, "project"), "dune"),
        (("actions", 0, "target"), "ROOT/ci/dune"),
        (("actions", 0, "target_id"), None),
        (("actions", 0, "parameters"), {"name": "dune"}),
        (("actions", 0, "precondition"), {}),
        (("actions", 0, "reason"), "because"),
        (("actions", 0, "reversibility"), "irreversible"),
        (("actions", 1, "needs"), []),
        (("actions", 0, "undo"), ""),
    ],
)
def test_another_valid_value_is_a_changed_plan(place: tuple[object, ...], value: object) -> None:
    content = json.loads(json.dumps(to_json(plan_of(proposed(incident())))))
    holder = content
    for step in place[:-1]:
        holder = holder[step]
    assert holder[place[-1]] != value
    holder[place[-1]] = value
    if len(place) > 1:
        action = content["actions"][place[1]]
        action["id"] = f"{action['kind'].replace(' ', '-')} {action['target']}"
    with pytest.raises(GuardError, match="changed after it was made"):
        from_json(content)


def test_a_changed_plan_is_named_as_such() -> None:
    content = to_json(plan_of(proposed(incident())))
    content["actions"][0]["target_id"] = "id:another"
    with pytest.raises(GuardError, match="changed after it was made"):
        from_json(content)
    del content["actions"][0]
    with pytest.raises(GuardError, match="changed after it was made"):
        from_json(content)


def test_a_sealed_but_unsound_plan_is_refused() -> None:
    plan = plan_of(proposed(incident()))
    backwards = replace(plan, actions=plan.actions[::-1])
    resealed = replace(backwards, digest=digest_of(backwards))
    with pytest.raises(GuardError, match="not before it"):
        from_json(to_json(resealed))


@pytest.mark.parametrize(
    "content",
    [None, [], {}, "plan", 7, {"abreast_plan": 2}, {"abreast_plan": 1}, {"abreast_plan": 1, "actions": 3}],
)
def test_what_is_no_plan_is_said_to_be_none(content: object) -> None:
    with pytest.raises(UsageError):
        from_json(content)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("created_at", "yesterday"),
        ("created_at", "2017-07-28T12:00:00"),
        ("actions", [{"kind": "delete domain"}]),
        ("actions", ["create domain"]),
        ("notes", [1]),
        ("environment", None),
    ],
)
def test_a_field_of_another_type_is_named(name: str, value: object) -> None:
    content = {**to_json(plan_of(proposed(incident()))), name: value}
    with pytest.raises(UsageError, match=r"field|does not know"):
        from_json(content)


def test_there_is_no_deletion_among_the_kinds() -> None:
    words = {word for kind in ActionKind for word in kind.value.split()}
    assert not words & {"delete", "destroy", "expunge", "remove", "purge"}


def test_times_are_utc() -> None:
    plan = plan_of([], ex.NOON.astimezone(timezone(timedelta(hours=9))))
    assert plan.created_at == ex.NOON and plan.created_at.tzinfo is UTC
    assert plan.expires_at - plan.created_at == timedelta(minutes=60)
