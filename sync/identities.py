"""Objects that have a new id: what they are called, and which of a capture are there again under their name.

Pure. `identity_map` makes the map of a run and writes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sync.corpses import below
from sync.machine_states import GONE
from sync.model import ActionKind, ActualInventory, Outcome, project_key
from sync.prediction import EntryLike

MADE_BY = {
    ActionKind.CREATE_DOMAIN: "domain",
    ActionKind.CREATE_ACCOUNT: "account",
    ActionKind.CREATE_USER: "user",
    ActionKind.CREATE_NETWORK: "network",
    ActionKind.TAKE_ADDRESS: "public address",
    ActionKind.REGISTER_TEMPLATE: "template",
    ActionKind.REGISTER_ISO: "ISO",
    ActionKind.DEPLOY_VM: "VM",
}
"""What each kind of action makes."""
_MAKING = frozenset(kind.value.replace(" ", "-") for kind in MADE_BY)
"""How the ids of those actions begin."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One object that has a new id."""

    what: str
    """`domain`, `account`, `user`, `network`, `public address`, `template`, `ISO` or `VM`."""
    project: str
    name: str
    """The natural key, e.g. `ROOT/ci/dune:dune:jmartin`."""
    old_id: str
    """Empty where nobody kept it."""
    new_id: str


def made_ids(entries: Iterable[EntryLike]) -> frozenset[str]:
    """The ids of what the ledger says to have been made; what was there already is not among them."""
    return frozenset(
        str(entry.payload["object_id"])
        for entry in entries
        if entry.kind.value == "outcome"
        and entry.payload["outcome"] == Outcome.SUCCEEDED.value
        and entry.payload.get("object_id")
        and str(entry.payload["action"]).partition(" ")[0] in _MAKING
    )


def by_capture(before: ActualInventory, now: ActualInventory) -> tuple[Identity, ...]:
    """Everything of a capture that is there again under its name and with another id, whoever made it."""
    known, ids = objects_by_name(now), living(now)
    parent = before.scope.parent
    rows = []
    for key, (what, old_id, name) in objects_by_name(before).items():
        found = known.get(key)
        path = name.partition(":")[0] if what != "network" else name.rpartition("/")[0]
        names = below(path, parent)
        if found is not None and names and found[1] != old_id and old_id not in ids:
            rows.append(Identity(what, project_key(names[0]), found[2], old_id, found[1]))
    return tuple(sorted(rows, key=lambda row: (row.project, _ORDER.index(row.what), row.name)))


_ORDER = ("domain", "account", "user", "network", "public address", "template", "ISO", "VM")


def living(now: ActualInventory) -> frozenset[str]:
    """The ids of what is there, but for what is left of domains that are not listed any more: that goes."""
    listed = {domain.id for domain in now.domains}
    owned = (*now.networks, *now.public_addresses, *now.templates, *now.isos)
    going = {one.id for one in owned if one.domain_id not in listed}
    going |= {vm.id for vm in now.vms if vm.domain_id not in listed}
    return frozenset(id for _, id, _ in objects_by_name(now).values()) - going


def objects_by_name(inventory: ActualInventory) -> dict[tuple[str, str], tuple[str, str, str]]:
    """(what, natural key in lower case) → what, id, natural key. Of several with one key, the first."""
    paths = {domain.id: domain.path for domain in inventory.domains}
    rows: list[tuple[str, str, str]] = [("domain", domain.id, domain.path) for domain in inventory.domains]
    for account in inventory.accounts:
        own = f"{paths.get(account.domain_id, '')}:{account.name}"
        rows.append(("account", account.id, own))
        rows += [("user", user.id, f"{own}:{user.username}") for user in account.users]
    rows += [("network", one.id, f"{one.domain_path}/{one.name}") for one in inventory.networks]
    for what, owned in (
        ("public address", inventory.public_addresses),
        ("template", inventory.templates),
        ("ISO", inventory.isos),
    ):
        rows += [
            (what, one.id, f"{one.domain_path}:{one.project or one.account}:{one.name}") for one in owned
        ]
    rows += [
        ("VM", vm.id, f"{vm.domain_path}:{vm.project or vm.account}:{vm.name}")
        for vm in inventory.vms
        if vm.state.casefold() not in GONE
    ]
    found: dict[tuple[str, str], tuple[str, str, str]] = {}
    for row in rows:
        found.setdefault((row[0], row[2].casefold()), row)
    return found
