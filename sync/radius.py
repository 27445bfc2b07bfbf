"""A blast radius as a value, and in words: what is affected, whose it is, how big, what exists elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from sync.reversibility import Reversibility

NOTHING = "stops nothing, destroys nothing"
NO_CAPTURE = "no capture knows it"
IN_CI_DATABASE = "CI database"


class ObjectKind(Enum):
    """In the order in which people read them."""

    DOMAIN = "domain"
    SUBDOMAIN = "sub-domain"
    PROJECT = "CloudStack Project"
    ACCOUNT = "account"
    USER = "user"
    VM = "VM"
    VOLUME = "volume"
    SNAPSHOT = "snapshot"
    TEMPLATE = "template"
    ISO = "ISO"
    NETWORK = "network"

    @property
    def has_size(self) -> bool:
        return self in _SIZED


_SIZED = frozenset({ObjectKind.VOLUME, ObjectKind.SNAPSHOT, ObjectKind.TEMPLATE, ObjectKind.ISO})


class Effect(Enum):
    """What becomes of it, worst first."""

    DESTROYED = "destroyed"
    STOPPED = "stopped"
    NO_ACCESS = "loses access"


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    email: str = ""
    role: str = ""
    """As the CI database has it; empty for a user that only CloudStack knows."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a thing is: an account or a CloudStack Project in a domain, and the people behind it."""

    domain_path: str
    name: str
    is_project: bool = False
    """A CloudStack Project, whose things belong to no account."""
    people: tuple[Person, ...] = ()
    """The project's members by the CI database, else the account's users; empty where nobody is known."""

    @property
    def label(self) -> str:
        return f"{self.domain_path}{' CloudStack Project ' if self.is_project else ':'}{self.name}"


@dataclass(frozen=True, slots=True)
class Affected:
    """One object that would be stopped or destroyed, or somebody who would be locked out."""

    kind: ObjectKind
    effect: Effect
    id: str | None
    """CloudStack's id; None for what the plan itself makes first."""
    name: str
    domain_path: str
    owner: Owner
    state: str = ""
    created: str = ""
    """As CloudStack writes it; empty where it does not say."""
    size: int | None = None
    """Bytes; None where it has none or CloudStack does not say."""
    copies: int = 1
    """Places that have it: a template or an ISO has a copy in each zone. `size` is that of the largest."""
    elsewhere: str = NO_CAPTURE
    """Where else it is known to exist."""

    @property
    def reversibility(self) -> Reversibility:
        """Whether this very object comes back: a domain and its people from the CI database, data from
        nowhere."""
        if self.effect is not Effect.DESTROYED:
            return Reversibility.UNDOABLE
        is_known = self.elsewhere == IN_CI_DATABASE
        return Reversibility.RECREATABLE if is_known else Reversibility.IRREVERSIBLE


@dataclass(frozen=True, slots=True)
class Total:
    count: int
    size: int | None
    """Bytes of those whose size is known; None where the kind has no size."""
    unsized: int = 0
    """Of a kind with sizes, those whose size is not known."""


@dataclass(frozen=True, slots=True)
class Offering:
    """A service, disk, network or VPC offering that is for certain domains only."""

    id: str
    name: str
    domain_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Radius:
    """Everything that one thing would stop or destroy."""

    of: str
    """Id of the action, or path of the domain."""
    statement: str
    """In a sentence."""
    objects: tuple[Affected, ...] = ()
    taken_at: datetime | None = None
    """When the lists were read; None when it was told from the plan alone."""
    notes: tuple[str, ...] = ()
    """What it does not cover, and what to know about it."""

    def totals(self) -> dict[ObjectKind, Total]:
        """By kind, only those that occur, in the order of the kinds."""
        found = {}
        for kind in ObjectKind:
            rows = [row for row in self.objects if row.kind is kind]
            if rows:
                sizes = [row.size for row in rows if row.size is not None]
                size = sum(sizes) if kind.has_size else None
                found[kind] = Total(len(rows), size, len(rows) - len(sizes) if kind.has_size else 0)
        return found

    def by_owner(self) -> dict[Owner, tuple[Affected, ...]]:
        """In the order of the owners' domains and names."""
        found: dict[Owner, list[Affected]] = {}
        for row in sorted(self.objects, key=lambda row: (row.owner.domain_path, row.owner.name)):
            found.setdefault(row.owner, []).append(row)
        return {owner: tuple(rows) for owner, rows in found.items()}


def with_captures(radius: Radius, captured: Mapping[str, datetime]) -> Radius:
    """The same radius, saying of every object that is known nowhere else when it was captured last.

    `captured` is by CloudStack's id. A capture describes an object; it is no copy of what is in it.
    """
    return replace(
        radius,
        objects=tuple(
            replace(row, elsewhere=f"described by the capture of {captured[row.id]:%Y-%m-%d %H:%M} UTC")
            if row.elsewhere == NO_CAPTURE and row.id is not None and row.id in captured
            else row
            for row in radius.objects
        ),
    )


# --- in words -----------------------------------------------------------------------------------------------


def summary(radius: Radius) -> str:
    """`destroyed: 3 VMs, 3 volumes (12.0 GiB)`, or that it is nothing."""
    parts = []
    for effect in Effect:
        rows = tuple(row for row in radius.objects if row.effect is effect)
        if rows:
            totals = replace(radius, objects=rows).totals()
            words = ", ".join(_total_words(kind, total) for kind, total in totals.items())
            parts.append(f"{effect.value}: {words}")
    return "; ".join(parts) or NOTHING


def _total_words(kind: ObjectKind, total: Total) -> str:
    name = kind.value if total.count == 1 else f"{kind.value}s"
    if total.size is None:
        return f"{total.count} {name}"
    if total.unsized == total.count:
        return f"{total.count} {name} (size unknown)"
    unknown = f", {total.unsized} of unknown size" if total.unsized else ""
    return f"{total.count} {name} ({size_words(total.size)}{unknown})"


def size_words(size: int) -> str:
    """Bytes for people: `12.0 GiB`."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def loss_lines(radius: Radius) -> tuple[str, ...]:
    """What would be lost, in plain words with ids, one line an object: for people to read, and to sign."""
    lines = []
    for row in radius.objects:
        facts = [
            row.effect.value,
            row.reversibility.value,
            row.state,
            f"created {row.created}" if row.created else "",
        ]
        if row.kind.has_size:
            facts.append("size unknown" if row.size is None else size_words(row.size))
        if row.copies > 1:
            facts.append(f"{row.copies} copies")
        facts += [f"of {row.owner.label}", f"elsewhere: {row.elsewhere}"]
        known = ", ".join(fact for fact in facts if fact)
        lines.append(f"{row.kind.value} {row.name} ({row.id or 'no id yet'}): {known}")
    return tuple(lines)
