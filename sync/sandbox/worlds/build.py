"""A blueprint put into a World, on top of the fresh cloud: domains, accounts, users, limits.

Writes records directly, not through API commands: thousands of domains must stand within seconds. Machines
and storage are in `build_machines`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sync.sandbox.passwords import hashed
from sync.sandbox.records import Account, Domain, User, World
from sync.sandbox.worlds.blueprint import Blueprint, Tenant, id_for
from sync.sandbox.worlds.build_machines import Machines


def build(world: World, blueprint: Blueprint) -> None:
    """Add everything that CloudStack has of a blueprint to a fresh cloud. The oldest domain comes first."""
    Builder(world).build(blueprint)


class Builder:
    """Adds records to one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.now = world.now()
        self.machines = Machines(world)
        self.admin = next(one for one in world.accounts.values() if one.name == "admin" and one.is_default)
        self.role_id = next(one.id for one in world.roles.values() if one.name == "User")
        self.password = hashed(world.new_secret())
        """Nobody knows it: seeded users do not log in."""

    def build(self, blueprint: Blueprint) -> None:
        """The public templates, the domains above, then every tenant that has a domain."""
        public = self.machines.images(self.admin, blueprint.images, public=True)
        for path in (blueprint.parent, *blueprint.outside):
            self._chain(path)
        parent = self._chain(blueprint.parent)
        for tenant in sorted(blueprint.tenants, key=lambda one: -one.age_days):
            if tenant.has_domain:
                self._tenant(parent, tenant, public)

    def _tenant(self, parent: Domain, tenant: Tenant, public: dict[str, str]) -> None:
        created = self.now - timedelta(days=tenant.age_days, hours=tenant.age_days % 9, minutes=7)
        domain = self._domain(parent, tenant.name, created, network_domain=tenant.network_domain)
        limits = {**tenant.quotas, **tenant.limits}
        if limits:
            self.world.limits[domain.id] = limits
        for name in tenant.subdomains:
            self._domain(domain, name, created + timedelta(days=90))
        if tenant.is_hollow:
            return
        account = self._account(domain, tenant, created)
        users = [self._user(account, domain, tenant, number) for number in range(len(tenant.members))]
        own = self.machines.images(account, tenant.images, public=False)
        self.machines.deploy(account, users[0], domain, tenant, templates=public | own)

    def _chain(self, path: str) -> Domain:
        """The domain of a path, made with those above it where they are not there yet."""
        found = self.world.domains[self.world.root_id]
        for name in path.split("/")[1:]:
            below = {one.name: one for one in self.world.children(found.id)}
            found = below.get(name) or self._domain(found, name, self.now - timedelta(days=3000))
        return found

    def _domain(
        self, parent: Domain, name: str, created: datetime, *, network_domain: str | None = None
    ) -> Domain:
        path = f"{parent.path}/{name}"
        made = Domain(
            id=id_for("domain", path),
            number=self.world.next_number("domains"),
            name=name,
            parent_id=parent.id,
            path=path,
            level=parent.level + 1,
            network_domain=network_domain,
            owner_id=self.admin.id,
            created=created,
        )
        self.world.put("domains", made)
        return made

    def _account(self, domain: Domain, tenant: Tenant, created: datetime) -> Account:
        made = Account(
            id=id_for("account", domain.path, tenant.name),
            number=self.world.next_number("accounts"),
            name=tenant.name,
            domain_id=domain.id,
            role_id=self.role_id,
            type=0,
            state="enabled" if tenant.enabled else "disabled",
            network_domain=None,
            created=created,
        )
        self.world.put("accounts", made)
        return made

    def _user(self, account: Account, domain: Domain, tenant: Tenant, number: int) -> User:
        one = tenant.members[number]
        made = User(
            id=id_for("user", domain.path, one.username),
            number=self.world.next_number("users"),
            account_id=account.id,
            username=one.username,
            firstname=one.firstname,
            lastname=one.lastname,
            email=one.address,
            password=self.password,
            state="enabled" if one.is_enabled_in_cloud else "disabled",
            created=account.created + timedelta(days=3 * number),
        )
        self.world.put("users", made)
        return made
