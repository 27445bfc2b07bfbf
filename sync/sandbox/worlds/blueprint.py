"""What a world consists of, as plain values: tenants with what the CI database says of them and what
CloudStack has of them. A blueprint becomes a World (`build`) and the rows of a CI database (`ci_rows`), and
can be kept in a JSON file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class WorldFileError(ValueError):
    """A world's name or file cannot be used; the text says which, where and what to do."""


@dataclass(frozen=True, slots=True)
class Person:
    """One member of one project."""

    username: str
    firstname: str
    lastname: str
    email: str = ""
    """`username@example.org` when empty."""
    role: str = "member"
    """What the CI database says: `owner`, `admin` or `member`."""
    enabled: bool = True
    enabled_in_cloud: bool | None = None
    """CloudStack's view; None: as in the CI database."""

    @property
    def address(self) -> str:
        """The e-mail address."""
        return self.email or f"{self.username}@example.org"

    @property
    def is_enabled_in_cloud(self) -> bool:
        """Whether CloudStack's user is enabled."""
        return self.enabled if self.enabled_in_cloud is None else self.enabled_in_cloud


@dataclass(frozen=True, slots=True)
class Machine:
    """A VM, and the Jenkins agent on it."""

    name: str
    template: str
    """Name of a template of the tenant or of the blueprint's public ones."""
    address: str
    agent: str = ""
    """Name of the Jenkins agent that the CI database knows on it; empty for none."""
    offering: str = "Medium Instance"
    state: str = "Running"
    disk_gib: int = 12
    data_gib: int = 0
    """Size of a second volume; 0 for none."""
    age_days: int = 100
    snapshot_ages: tuple[int, ...] = ()
    """Days since each snapshot of its root volume was taken."""
    project: str = ""
    """Name of the CloudStack Project that owns it; empty: the tenant's account does."""


@dataclass(frozen=True, slots=True)
class Image:
    """A template."""

    name: str
    os: str = "Other Linux (64-bit)"
    size_gib: int = 8
    age_days: int = 60


@dataclass(frozen=True, slots=True)
class Tenant:
    """A CI project and the domain that belongs to it."""

    name: str
    members: tuple[Person, ...] = ()
    machines: tuple[Machine, ...] = ()
    images: tuple[Image, ...] = ()
    quotas: Mapping[str, int] = field(default_factory=dict)
    """What the CI database says, by resource: -1 for no limit."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Where CloudStack's domain limit is another than the quota, by resource."""
    network_domain: str | None = None
    enabled: bool = True
    """False: disabled in the CI database, and the account is disabled."""
    is_known: bool = True
    """False: the CI database does not know it, CloudStack has it."""
    has_domain: bool = True
    """False: the CI database knows it, CloudStack does not have it."""
    has_account: bool = True
    """False: the domain is there and empty."""
    stores_id: bool = True
    """Whether the CI database keeps the domain's id."""
    physical_agents: tuple[tuple[str, str], ...] = ()
    """Agents that are no VM: name and address."""
    subdomains: tuple[str, ...] = ()
    cidr: str = "10.1.1.0/24"
    """Of its guest network."""
    age_days: int = 1000
    """Since when the domain has existed; the list order follows it."""

    @property
    def is_hollow(self) -> bool:
        """Whether CloudStack has a bare domain of it."""
        return not self.has_account or not self.members


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A whole world."""

    tenants: tuple[Tenant, ...]
    parent: str = "ROOT/ci"
    images: tuple[Image, ...] = ()
    """Public templates, owned by the root admin."""
    outside: tuple[str, ...] = ()
    """Paths of domains that have nothing to do with CI."""
    service_seconds: Mapping[str, float] = field(default_factory=dict)
    """Virtual seconds of single steps, where they are not the measured ones of the simulator."""
    retired: tuple[tuple[str, str, str, str], ...] = ()
    """Rows of the CI database's `retired`: project, by, at, reason."""

    def path_of(self, tenant: Tenant) -> str:
        """The path of a tenant's domain."""
        return f"{self.parent}/{tenant.name}"


def id_for(kind: str, *names: str) -> str:
    """The id of a seeded object: the same in the World and in the CI database, on every start."""
    digest = hashlib.sha256("\0".join((kind, *names)).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))


# --- as a file --------------------------------------------------------------------------------------------


def save(blueprint: Blueprint, path: Path) -> None:
    """Write a blueprint as JSON."""
    path.write_text(json.dumps(dataclasses.asdict(blueprint), ensure_ascii=False, indent=1), encoding="utf-8")


def load(path: Path) -> Blueprint:
    """Read a blueprint from JSON. Raises WorldFileError naming the file and the place in it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise WorldFileError(f"The world file {path} cannot be read: {reason}.") from None
    except ValueError as problem:
        raise WorldFileError(f"The world file {path} is no JSON: {problem}.") from None
    try:
        blueprint = _value(Blueprint, found, "world")
    except WorldFileError as problem:
        raise WorldFileError(f"The world file {path} does not fit: {problem}") from None
    assert isinstance(blueprint, Blueprint)
    return blueprint


def _value(wanted: Any, found: Any, where: str) -> Any:
    """Turn decoded JSON into what a field's type asks for."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        return _record(wanted, found, where)
    if origin is tuple and isinstance(found, list):
        kinds = [arguments[0]] * len(found) if arguments[-1] is ... else list(arguments)
        if len(kinds) != len(found):
            raise WorldFileError(f"{where} must have {len(kinds)} values, not {len(found)}.")
        return tuple(
            _value(kind, one, f"{where}[{n}]") for n, (kind, one) in enumerate(zip(kinds, found, strict=True))
        )
    if origin is Mapping and isinstance(found, dict):
        return {key: _value(arguments[1], one, f"{where}.{key}") for key, one in found.items()}
    if isinstance(wanted, types.UnionType):
        return found if found is None else _value(arguments[0], found, where)
    if wanted is float and type(found) is int:
        return float(found)
    if isinstance(wanted, type) and type(found) is wanted:
        return found
    raise WorldFileError(f"{where} must be {getattr(wanted, '__name__', wanted)}, not {found!r:.40}.")


def _record(wanted: type, found: Any, where: str) -> Any:
    if not isinstance(found, dict):
        raise WorldFileError(f"{where} must be an object, not {found!r:.40}.")
    hints = typing.get_type_hints(wanted)
    unknown = sorted(found.keys() - hints.keys())
    if unknown:
        raise WorldFileError(f"{where} has no field {unknown[0]!r}; there are {', '.join(hints)}.")
    values = {name: _value(hints[name], one, f"{where}.{name}") for name, one in found.items()}
    try:
        return wanted(**values)
    except TypeError as problem:
        raise WorldFileError(f"{where}: {str(problem).rpartition('() ')[2]}.") from None
