"""Hypothesis strategies: random CI databases and CloudStacks of a lab where anything may have gone wrong.

Names are few, so that both sides meet often; some are awkward on purpose (markup, case, other scripts).
`worlds()` draws a pair of inventories; whoever needs plans can build them from what `repairs` gives.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from sync.model import (
    Account,
    ActualInventory,
    Agent,
    Coverage,
    DesiredInventory,
    Domain,
    Member,
    NetworkRule,
    OwnedResource,
    Project,
    User,
    VirtualMachine,
)
from sync.repairs import PlanRules
from tests import examples as ex

NAMES = ("aurora", "Boreal", "cirrus", "dune", "été", "p[red]q", "Straße", "zephyr:2")
USERNAMES = ("anna", "Bob", "jmartin", "l'œil", "[red]eve", "zoé")
RESOURCES = ("vm", "cpu", "memory")
LIMITS = (-1, 0, 5, 10)

names = st.sampled_from(NAMES)
usernames = st.sampled_from(USERNAMES)
coverages = st.sampled_from([ex.COMPLETE, ex.partial(), ex.failed()])
incomplete = st.sampled_from([ex.partial(), ex.failed()])
quotas = st.dictionaries(st.sampled_from(RESOURCES), st.sampled_from(LIMITS), max_size=3)
rules = st.builds(
    PlanRules,
    roles=st.sampled_from([{}, {"owner": "Domain Admin"}]),
    network=st.sampled_from([None, NetworkRule("DefaultOffering", "Zone 1")]),
)


def cased(text: str) -> st.SearchStrategy[str]:
    """The text, now and then in another case."""
    return st.sampled_from([text, text, text, text.upper()])


# --- desired ----------------------------------------------------------------------------------------------


@st.composite
def members(draw: st.DrawFn) -> tuple[Member, ...]:
    """Up to four, sometimes the same name twice in another case."""
    chosen = draw(st.lists(usernames.flatmap(cased), max_size=4, unique=True))
    return tuple(
        ex.member(
            name, role="owner" if index == 0 else "", enabled=draw(st.sampled_from([True, True, False]))
        )
        for index, name in enumerate(chosen)
    )


@st.composite
def projects(draw: st.DrawFn, name: str) -> Project:
    troubled = ex.member("refused", email="")
    return Project(
        name=name,
        network_domain=draw(st.sampled_from([None, "ci.example.org"])),
        enabled=draw(st.sampled_from([True, True, True, False])),
        domain_id=draw(st.sampled_from([None, f"id:{ex.PARENT}/{name}", "id:of-before"])),
        members=draw(members()),
        unusable=draw(st.sampled_from([(), (), (replace(troubled, problem="it has no e-mail address"),)])),
        agents=tuple(
            Agent(f"agent-{vm}", vm) for vm in draw(st.lists(st.sampled_from(["web", "build"]), unique=True))
        ),
        quotas=draw(quotas),
        problem=draw(st.sampled_from(["", "", "", "", "the name contains a control character"])),
    )


@st.composite
def desired_inventories(draw: st.DrawFn, coverage: Coverage = ex.COMPLETE) -> DesiredInventory:
    chosen = draw(st.lists(names, unique=True, max_size=6))
    return ex.desired(*(draw(projects(name)) for name in chosen), coverage=coverage)


# --- actual -----------------------------------------------------------------------------------------------


@st.composite
def users(draw: st.DrawFn, account: str, of: Domain, free: list[str]) -> tuple[User, ...]:
    """Users of one account; takes their names out of `free`, because a domain has each once."""
    chosen = [
        name for name in draw(st.lists(st.sampled_from(USERNAMES), unique=True, max_size=4)) if name in free
    ]
    for name in chosen:
        free.remove(name)
    return tuple(
        ex.user(
            name,
            account,
            of,
            state=draw(st.sampled_from(["enabled", "enabled", "disabled", "locked"])),
            source=draw(st.sampled_from(["native", "native", "ldap"])),
            email=draw(st.sampled_from(["", "", "old@example.org"])),
        )
        for name in chosen
    )


@st.composite
def accounts(draw: st.DrawFn, of: Domain) -> list[Account]:
    free = list(USERNAMES)
    called = draw(st.lists(st.sampled_from([of.name, of.name, "guests"]), unique=True, max_size=2))
    return [
        ex.account(
            of,
            *draw(users(name, of, free)),
            name=name,
            state=draw(st.sampled_from(["enabled", "enabled", "disabled"])),
        )
        for name in called
    ]


@st.composite
def machines(draw: st.DrawFn, of: Domain, *, at_least: int = 0) -> list[VirtualMachine]:
    chosen = draw(st.lists(st.sampled_from(["web", "build", "vm-[/x]"]), unique=True, min_size=at_least))
    states = st.sampled_from(["Running", "Stopped", "Destroyed"])
    return [ex.vm(name, of, state=draw(states)) for name in chosen]


@st.composite
def networks(draw: st.DrawFn, of: Domain) -> list[OwnedResource]:
    return [ex.resource(f"{of.name}-net", of)] if draw(st.booleans()) else []


@st.composite
def domains(draw: st.DrawFn, name: str) -> Domain:
    read = {resource: draw(st.sampled_from(LIMITS)) for resource in RESOURCES}
    return ex.domain(
        draw(cased(name)),
        limits=draw(st.sampled_from([read, read, read, None])),
        network_domain=draw(st.sampled_from([None, "ci.example.org", "old.example.org"])),
    )


@st.composite
def mirrored(draw: st.DrawFn, project: Project) -> tuple[Domain, Account, OwnedResource]:
    """What CloudStack has of a project that was in sync, with at most a few things changed since."""
    domain = ex.domain(
        project.name,
        limits={**dict.fromkeys(RESOURCES, 5), **project.quotas, **draw(_seldom(quotas, {}))},
        network_domain=draw(_seldom(st.just("old.example.org"), project.network_domain)),
    )
    first = {member.username.casefold(): member for member in reversed(project.members)}
    owners = [
        replace(
            ex.user(member.username, domain.name, domain),
            state=draw(_seldom(st.just("disabled"), "enabled" if member.enabled else "disabled")),
            email=draw(_seldom(st.just("old@example.org"), member.email)),
            source=draw(_seldom(st.just("ldap"), "native")),
        )
        for member in first.values()
        if draw(_seldom(st.just(False), True))
    ]
    state = draw(
        _seldom(st.sampled_from(["disabled", "locked"]), "enabled" if project.enabled else "disabled")
    )
    return domain, ex.account(domain, *owners, state=state), ex.resource(f"{project.name}-net", domain)


def _seldom(odd: st.SearchStrategy[Any], usual: Any) -> st.SearchStrategy[Any]:
    """One time in six something odd."""
    return st.integers(0, 5).flatmap(lambda number: odd if number == 5 else st.just(usual))


@st.composite
def actual_inventories(
    draw: st.DrawFn, coverage: Coverage = ex.COMPLETE, like: DesiredInventory | None = None
) -> ActualInventory:
    """Domains that live, with sub-domains or without; domains that die; with or without a deletion job.

    Of the projects of `like`, about half are there much as they should be.
    """
    living: list[Domain] = []
    owned_accounts: list[Account] = []
    owned_vms: list[VirtualMachine] = []
    owned_networks: list[OwnedResource] = []
    has_parent = draw(st.sampled_from([True, True, True, True, False]))
    for project in like.projects.values() if like is not None and has_parent else ():
        if draw(st.booleans()):
            domain, account, network = draw(mirrored(project))
            living.append(domain)
            owned_accounts += draw(_seldom(st.just([]), [account]))
            owned_networks += draw(st.sampled_from([[network], []]))
            owned_vms += draw(machines(domain))
    taken = {domain.name.casefold() for domain in living}
    for name in draw(st.lists(names, unique=True, max_size=4)) if has_parent else []:
        if name.casefold() in taken:
            continue
        domain = draw(domains(name))
        living.append(domain)
        owned_accounts += draw(accounts(domain))
        owned_vms += draw(machines(domain))
        owned_networks += draw(networks(domain))
        if draw(st.sampled_from([False, False, True])):
            below = ex.domain("sub", parent=domain.path)
            living.append(below)
            owned_vms += draw(machines(below))
    for name in draw(st.lists(names, unique=True, max_size=2)):
        corpse = ex.domain(name, id=f"id:corpse:{name}")
        owned_vms += draw(machines(corpse, at_least=1))
    return ex.actual(
        *living,
        accounts=owned_accounts,
        vms=owned_vms,
        networks=owned_networks,
        jobs=draw(st.sampled_from([(), (ex.delete_job(),), None])),
        has_parent=has_parent,
        coverage=coverage,
    )


@st.composite
def worlds(
    draw: st.DrawFn, *, desired: Coverage = ex.COMPLETE, actual: Coverage = ex.COMPLETE
) -> tuple[DesiredInventory, ActualInventory]:
    wanted = draw(desired_inventories(desired))
    return wanted, draw(actual_inventories(actual, wanted))


moments = st.integers(0, 60 * 24 * 365).map(lambda minutes: ex.NOON + timedelta(minutes=minutes))


@st.composite
def shuffled(
    draw: st.DrawFn, world: tuple[DesiredInventory, ActualInventory]
) -> tuple[DesiredInventory, ActualInventory]:
    """The same world as another reading of it might give it: every list in another order."""
    wanted, found = world
    return (
        replace(wanted, projects=dict(draw(st.permutations(list(wanted.projects.items()))))),
        replace(
            found,
            domains=tuple(draw(st.permutations(found.domains))),
            accounts=tuple(
                replace(account, users=tuple(draw(st.permutations(account.users))))
                for account in draw(st.permutations(found.accounts))
            ),
            vms=tuple(draw(st.permutations(found.vms))),
            networks=tuple(draw(st.permutations(found.networks))),
        ),
    )
