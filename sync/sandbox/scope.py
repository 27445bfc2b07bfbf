"""Whose objects a list shows: `account`, `domainid`, `listall`, `projectid` … against the caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sync.sandbox.errors import invalid, not_permitted
from sync.sandbox.permissions import ACCOUNT_TYPES, may_see
from sync.sandbox.records import Account, World

PROJECT = 5
"""Account type of a Project's own account."""


@dataclass(frozen=True)
class Scope:
    """The answer to "may this owner's objects be shown here?"."""

    world: World
    caller: Account
    account_id: str | None = None
    """Only this account."""
    domain_id: str | None = None
    """Only this domain …"""
    recursive: bool = False
    """… and what is below it."""
    own_only: bool = False
    projects: bool = False
    """What Projects own is shown."""
    only_projects: bool = False
    """Nothing but what Projects own is shown."""

    def admits(self, account_id: str) -> bool:
        """Whether what this account owns belongs in the list."""
        if self.account_id is not None:
            return account_id == self.account_id
        owner = self.world.find("accounts", account_id)
        if owner is None:
            return False
        if (owner.type == PROJECT and not self.projects) or (owner.type != PROJECT and self.only_projects):
            return False
        if self.own_only:
            return bool(owner.id == self.caller.id)
        return self._in_domain(owner) and (owner.type == PROJECT or may_see(self.world, self.caller, owner))

    def select(self, records: Any) -> list[Any]:
        """The records (with `account_id`) that belong in the list."""
        known: dict[str, bool] = {}
        found = []
        for one in records:
            if one.account_id not in known:
                known[one.account_id] = self.admits(one.account_id)
            if known[one.account_id]:
                found.append(one)
        return found

    def _in_domain(self, owner: Account) -> bool:
        if self.domain_id is None:
            return True
        if self.recursive:
            return self.world.is_within(owner.domain_id, self.domain_id)
        return owner.domain_id == self.domain_id

    @staticmethod
    def of(
        world: World,
        caller: Account,
        params: dict[str, str],
        *,
        find: Callable[[str, str], Any],
    ) -> Scope:
        """Read the parameters of a list command.

        Raises ApiError: 431 for a domain or account that is not there, 531 for one out of sight.
        """
        everything = params.get("listall", "").lower() == "true"
        recursive = params.get("isrecursive", "").lower() == "true"
        in_project = params.get("projectid")
        if in_project == "-1":
            projects = only = True
            only = not everything
        elif in_project:
            project = find("projectid", "projects")
            return Scope(world, caller, account_id=project.account_id)
        else:
            projects = only = False
        domain = find("domainid", "domains")
        if domain is not None and domain.removed is not None:
            raise invalid(f"Unable to find domain by id {domain.number}")
        if domain is not None and not may_see(world, caller, domain):
            raise not_permitted(
                f"Account {caller.name} does not have permission to operate within domain id={domain.id}"
            )
        if "account" in params:
            return _one_account(world, caller, params["account"], domain)
        if domain is not None:
            return Scope(world, caller, domain_id=domain.id, recursive=recursive, projects=projects)
        privileged = caller.type in (ACCOUNT_TYPES["Admin"], ACCOUNT_TYPES["DomainAdmin"])
        own_only = not everything or not privileged
        return Scope(
            world,
            caller,
            own_only=own_only and not only,
            recursive=recursive,
            projects=projects,
            only_projects=only,
        )


def _one_account(world: World, caller: Account, name: str, domain: Any) -> Scope:
    domain_id = domain.id if domain is not None else caller.domain_id
    found = world.account_named(name, domain_id)
    if found is None:
        raise invalid(f"Unable to find account by name {name} in domain {domain_id}")
    if not may_see(world, caller, found):
        raise not_permitted(f"{caller.name} does not have permission to operate with account {name}")
    return Scope(world, caller, account_id=found.id)
