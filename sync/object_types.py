"""Every type of object that CloudStack's clean-up of a domain destroys, and where it can come back from.

One table; a type without a row fails the tests. What is destroyed was read in CloudStack's own clean-up (the
accounts' and the domains', 4.18 and 4.23; see operations.md of the project's papers), not measured type by
type: the simulator has only some of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Comeback(Enum):
    """Where an object of a type comes back from; the value is the word on screen."""

    CI_DATABASE = "rebuilt from the CI database"
    CAPTURE = "rebuilt from a capture"
    ARCHIVE = "rebuilt from an archive, if there is one"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class ObjectType:
    """One type of object."""

    name: str
    """In the singular, as it is said to people."""
    comeback: Comeback
    note: str = ""
    """What of it does not come back, or what has to be done by hand."""
    is_read: bool = False
    """Whether an inventory has every one of them; of the others a loss ledger knows no single object."""
    counted_as: str = ""
    """The word that the sandbox's log of destroyed objects has for it; empty where the sandbox has none."""


_C = Comeback
OBJECT_TYPES: tuple[ObjectType, ...] = (
    ObjectType("domain", _C.CI_DATABASE, "With a new id: stored ids have to be re-linked.", True, "domain"),
    ObjectType("account", _C.CI_DATABASE, "With a new id.", True, "account"),
    ObjectType(
        "user",
        _C.CI_DATABASE,
        "With a new password, except where LDAP or SAML has it; two-factor secrets are lost.",
        True,
        "user",
    ),
    ObjectType("resource limit", _C.CI_DATABASE, "Those that the CI database has quotas for."),
    ObjectType("network domain", _C.CI_DATABASE),
    ObjectType(
        "network",
        _C.CI_DATABASE,
        "One a project where the environment asks for it; others, and ranges, from a capture.",
        True,
        "network",
    ),
    ObjectType("VM", _C.CAPTURE, "Anew from its template; its disk only from an archive.", True, "vm"),
    ObjectType("volume", _C.ARCHIVE, "Root volumes go with their VM, data volumes as well.", True, "volume"),
    ObjectType("template", _C.ARCHIVE, "With a new id; sharing has to be set again.", True, "template"),
    ObjectType("ISO", _C.ARCHIVE, "With a new id.", True, "iso"),
    ObjectType("snapshot", _C.LOST, "Destroyed first, while every VM still runs.", True, "snapshot"),
    ObjectType("VM snapshot", _C.LOST, counted_as="vm_snapshot"),
    ObjectType("CloudStack Project", _C.LOST, "A capture has its name; it is made by hand.", True, "project"),
    ObjectType(
        "public address",
        _C.CAPTURE,
        "While it is free; its rules and NAT are set anew. Somebody else's, it is a credential risk.",
        True,
        "address",
    ),
    ObjectType("SSH key pair", _C.LOST, "Its owner registers the public half again.", counted_as="ssh_key"),
    ObjectType("API key", _C.LOST, "New ones have to be given to every Jenkins and script that had them."),
    ObjectType("firewall rule", _C.LOST, "Also port forwarding, load balancing and egress rules."),
    ObjectType("VPC", _C.LOST, "With its tiers, access lists, static routes and VPN connections."),
    ObjectType("VPN user", _C.LOST),
    ObjectType("autoscale group", _C.LOST),
    ObjectType("Kubernetes cluster", _C.LOST, "It is made anew as a whole, not node by node."),
    ObjectType("shared file system", _C.LOST),
    ObjectType("tag", _C.LOST, counted_as="tag"),
    ObjectType("affinity group", _C.LOST),
    ObjectType("instance group", _C.LOST),
    ObjectType("user data", _C.LOST),
    ObjectType("snapshot schedule", _C.LOST, counted_as="snapshot_policy"),
    ObjectType("VM schedule", _C.LOST),
    ObjectType("backup", _C.LOST, "With a backup provider the clean-up of the account fails at it."),
    ObjectType("template sharing", _C.LOST, "By name; the ids are new."),
    ObjectType("domain setting", _C.LOST, "Settings of its accounts too."),
    ObjectType("LDAP link", _C.LOST, "Of the domain and of its accounts."),
    ObjectType("SAML authorisation", _C.LOST),
    ObjectType("domain-scoped offering", _C.LOST, "On 4.23 also one that other domains share."),
    ObjectType("dedicated resource", _C.LOST, "Hosts, clusters, address ranges and VLANs."),
    ObjectType("shared network of the domain", _C.LOST),
    ObjectType("SSL certificate", _C.LOST, "The private key cannot be read back."),
    ObjectType("KMS key", _C.LOST, "Volumes encrypted with it stay unreadable, also from storage."),
    ObjectType("webhook", _C.LOST),
    ObjectType("annotation", _C.LOST),
    ObjectType("quota balance", _C.LOST, "The new account begins at nothing; usage records stay."),
)

NO_ARCHIVE = "No archive is configured: nothing here knows of copies elsewhere."
"""What is said of copies while nothing names a place where they would be."""

READ_TYPES = tuple(one for one in OBJECT_TYPES if one.is_read)
"""What a loss ledger lists object by object."""
NOT_READ_TYPES = tuple(one for one in OBJECT_TYPES if not one.is_read)
"""What it can only name."""


def comeback_words(name: str, *, has_capture: bool) -> str:
    """Where objects of the type of that name come back from, in words. Raises KeyError."""
    comeback = object_type(name).comeback
    if comeback is Comeback.CAPTURE and not has_capture:
        return "lost: no capture"
    return comeback.value


def object_type(name: str) -> ObjectType:
    """The type of that name. Raises KeyError."""
    return _BY_NAME[name]


_BY_NAME = {one.name: one for one in OBJECT_TYPES}
