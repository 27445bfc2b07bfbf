"""The configuration: environments, each a pair of CI database and CloudStack, and how they are worked on.

The file's structure is checked as a whole when it is loaded; the credentials of an environment are read when
it is asked for, so that a broken file of one never keeps an operator from another. Imports nothing heavy.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from platformdirs import user_config_path, user_data_path

from sync.approval_rules import DEFAULT_REQUIRED, MOST, ApprovalRules
from sync.archive_address import host_and_port
from sync.capture_rules import CaptureRules
from sync.cloudstack_ini import Credentials, read_environment, read_section
from sync.database_settings import (
    CiDatabaseSettings,
    anchored,
    read_ci_database,
    read_cloudstack_database,
)
from sync.errors import ConfigurationError, UsageError
from sync.jenkins_settings import JenkinsSettings
from sync.jenkins_settings import read_settings as read_jenkins
from sync.mapping import nearest
from sync.private_file import read_text, refuse_others
from sync.retirement_limits import RetirementLimits
from sync.retirement_limits import read_settings as read_retirement
from sync.reversibility import Reversibility
from sync.secret import Secret, shown_url
from sync.toml_table import Table, only_one, read_table

if TYPE_CHECKING:
    from sync.model import NetworkRule

__all__ = [
    "CiDatabaseSettings",
    "CloudStackCredentials",
    "Configuration",
    "Credentials",
    "Environment",
    "ExecutionLimits",
    "Refresh",
    "configuration_path",
    "load",
]

APPLICATION = "abreast"
DEFAULT_PARENT = "ROOT/ci"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


# --- the values ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CloudStackCredentials:
    """The key that reads and, where there is one, the key that writes."""

    read: Credentials
    write: Credentials | None = None
    """None makes the environment read-only."""


@dataclass(frozen=True, slots=True)
class Refresh:
    """How often each part is read, in seconds; never faster than the last reading took."""

    inventory_seconds: float = 10.0
    users_seconds: float = 60.0
    ci_database_seconds: float = 60.0
    limits_every: int = 10
    """Limits are read at every n-th refresh of the inventory."""


@dataclass(frozen=True, slots=True)
class ExecutionLimits:
    concurrency: int = 4
    """Actions at once, after the first one alone."""
    ceiling: int = 16
    """To so many at once a rebuild may grow while that makes it faster; a staged plan never grows."""
    patience_seconds: float = 300.0
    """How long a server that refuses connections, answers 503 or 429, or nothing, is waited for in a run."""
    budget_failures: int = 3
    """So many failures stop an execution,"""
    budget_fraction: float = 0.02
    """or this share of its actions, whichever is more."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One configured pair of CI database and CloudStack. Can be made without a file, as the drill's is."""

    name: str
    ci_database: CiDatabaseSettings
    cloudstack: CloudStackCredentials
    ledger: Secret
    """SQLAlchemy URL of the record: a password may stand in it."""
    credential_file: Path
    """Where the passwords of new users are kept, 0600."""
    title: str = ""
    """As the header shows it; the name in capitals where it is empty."""
    parent: str = DEFAULT_PARENT
    roles: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The CI database's role of the first member → name of the CloudStack role of the account; else User."""
    network: NetworkRule | None = None
    refresh: Refresh = Refresh()
    capture: CaptureRules = field(default_factory=CaptureRules)
    captures: Path | None = None
    """The file of the automatic captures; None where there are none."""
    own_journal: Path | None = None
    """This machine's own journal, for when the ledger cannot be reached; None for the one of its user."""
    execution: ExecutionLimits = ExecutionLimits()
    jenkins: JenkinsSettings | None = None
    """Where each project's Jenkins is; None where it is not asked."""
    approvals: ApprovalRules = field(default_factory=ApprovalRules)
    retirement: RetirementLimits = field(default_factory=RetirementLimits)
    archive: Path | None = None
    """The folder of the archives (`sync.archive_manifest`); None where no file is kept of what is retired."""
    archive_address: str = ""
    """This machine's `HOST` or `HOST:PORT` as CloudStack reaches it, where a restore serves the archive's
    files; empty where it is only said when restoring."""
    cloudstack_database: Secret | None = None
    """SQLAlchemy URL (MySQL) of CloudStack's own database, for the brake: a lock is held in it, nothing is
    read from or written to a table. None makes the brake impossible."""
    standing_shields: bool = False
    """Whether every domain that can hold a shield is to have one, always."""
    ignore: tuple[object, ...] = ()
    """The tables of the rules that hide drift, as they stand (`sync.ignore` reads them): a malformed one
    hides nothing and says so, and keeps nobody from the rest."""
    runbook: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What only people know, title → text."""
    keys: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Id of a binding → its keys."""
    theme: str | None = None

    @property
    def journal_path(self) -> Path:
        """Where this machine's own journal of it is."""
        return self.own_journal or journal_of(self.name)

    @property
    def read_only(self) -> bool:
        return self.cloudstack.write is None

    @property
    def endpoint(self) -> str:
        """Where its CloudStack is read."""
        return self.cloudstack.read.endpoint

    @property
    def heading(self) -> str:
        """What it is called on screens and in questions."""
        return self.title or self.name.upper()

    def summary(self) -> dict[str, str]:
        """What this environment is, for printing: no user, key or password."""
        write = self.cloudstack.write
        shown = {
            "environment": self.name,
            "title": self.heading,
            "parent": self.parent,
            "CloudStack": self.endpoint,
            "reading as": self.cloudstack.read.source,
            "writing as": "nobody: read-only" if write is None else write.source,
            "CI database": shown_url(self.ci_database.url.reveal()),
            "mapping": ", ".join(self.ci_database.mapping.queries) or "reference schema",
            "ledger": shown_url(self.ledger.reveal()),
            "new passwords": str(self.credential_file),
            "captures": str(self.captures) if self.captures and self.capture.is_on else "none",
            "approvals": _approvals_shown(self.approvals),
        }
        if self.cloudstack_database is not None:
            shown["CloudStack's database"] = shown_url(self.cloudstack_database.reveal())
        if self.jenkins is not None:
            shown["Jenkins"] = self.jenkins.url
        if self.network is not None:
            shown["network"] = f"{self.network.name} ({self.network.offering}, {self.network.zone})"
        return shown


class _OnDemand(Mapping[str, Environment]):
    """Environments by name, each completed with its credentials when it is first asked for."""

    def __init__(self, makers: Mapping[str, Callable[[], Environment]]) -> None:
        self._makers = makers
        self._made: dict[str, Environment] = {}

    def __getitem__(self, name: str) -> Environment:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


@dataclass(frozen=True)
class Configuration:
    environments: Mapping[str, Environment]
    """By name. Asking for one reads its credentials and raises ConfigurationError when that fails."""
    default: str
    path: Path
    approvals: Mapping[str, ApprovalRules] = field(default_factory=lambda: MappingProxyType({}))
    """By name of the environment, without its credentials: who approves need not have any."""

    def environment(self, name: str | None) -> Environment:
        """The named environment, or the default. Raises UsageError for an unknown one, ConfigurationError."""
        wanted = name or self.default
        if wanted not in self.environments:
            raise UsageError(
                f"{self.path} has no environment {wanted}.",
                next_step=nearest(wanted, list(self.environments), label="It has"),
            )
        return self.environments[wanted]


# --- from the file ------------------------------------------------------------------------------------------


def configuration_path(path: Path | None = None) -> Path:
    """The file that counts: the given one, `ABREAST_CONFIG`, or abreast.toml in the user's configuration."""
    if path is not None:
        return path
    named = os.environ.get("ABREAST_CONFIG", "")
    if named:
        return Path(named).expanduser()
    return user_config_path(APPLICATION) / "abreast.toml"


def load(path: Path | None = None) -> Configuration:
    """Read and check the configuration. Raises ConfigurationError with the file and the key or line."""
    file = configuration_path(path).absolute()
    if not file.exists():
        raise ConfigurationError(
            f"There is no configuration at {file}.",
            next_step="Write it (the README has an example), name it with --config or ABREAST_CONFIG, "
            "or try `abreast drill`, which needs none.",
        )
    text, mode = read_text(file, what="the configuration")
    root = read_table(file, text)
    root.allow("default", "environments")
    tables = root.table("environments")
    if not tables.values:
        root.fail("environments", "is missing", next_step="Write a table [environments.production].")
    makers = {}
    approvals = {}
    for name in tables.values:
        if not _NAME.fullmatch(name):
            tables.fail(name, "must be lower-case letters, digits, `-` and `_`")
        if name == "drill":
            tables.fail(name, "is the name of the practice environment", next_step="Choose another name.")
        approvals[name] = _approvals(tables.table(name).table("approvals"))
        makers[name] = _environment(tables.table(name), name, mode=mode)
    default = root.text("default") or next(iter(makers))
    if default not in makers:
        root.fail(
            "default",
            f"names the environment {default}, which is not there",
            next_step=nearest(default, list(makers), label="The environments are"),
        )
    return Configuration(_OnDemand(makers), default, file, MappingProxyType(approvals))


_KEYS = (
    *("title", "parent", "ledger", "theme", "cloudstack", "cloudstack_database", "ci_database", "roles"),
    *("network", "refresh", "capture", "execution", "jenkins", "approvals", "shields", "retirement"),
    *("archive", "archive_address", "ignore", "runbook", "keys"),
)


def _environment(table: Table, name: str, *, mode: int) -> Callable[[], Environment]:
    """Everything of one environment but its credentials, which are read by calling what comes back."""
    table.allow(*_KEYS)
    credentials = _cloudstack(table.table("cloudstack"))
    capture, captures = _capture(table.table("capture"))
    folder = user_data_path(APPLICATION)
    make = partial(
        Environment,
        name=name,
        ci_database=read_ci_database(table.table("ci_database"), mode=mode),
        cloudstack_database=read_cloudstack_database(table, mode=mode),
        ledger=Secret(_ledger(table, mode=mode) or f"sqlite:///{folder / f'{name}.sqlite'}"),
        credential_file=folder / f"{name}-credentials.jsonl",
        title=table.text("title"),
        parent=_parent(table),
        roles=MappingProxyType(table.table("roles").texts()),
        network=_network(table),
        refresh=_refresh(table.table("refresh")),
        capture=capture,
        captures=captures or folder / f"{name}-captures.sqlite",
        execution=_execution(table.table("execution")),
        jenkins=read_jenkins(table.table("jenkins")),
        approvals=_approvals(table.table("approvals")),
        retirement=read_retirement(table.table("retirement")),
        archive=table.file_named("archive") if table.text("archive") else None,
        archive_address=_archive_address(table),
        standing_shields=_standing_shields(table.table("shields")),
        ignore=table.tables("ignore"),
        runbook=MappingProxyType(table.table("runbook").texts()),
        keys=MappingProxyType(table.table("keys").texts()),
        theme=table.text("theme") or None,
    )
    return lambda: make(cloudstack=credentials())


def journal_of(environment: str) -> Path:
    """Where this user's own journal of an environment is, on this machine."""
    return user_data_path("abreast") / f"{environment}-containment.sqlite"


def _ledger(table: Table, *, mode: int) -> str:
    ledger = table.text("ledger")
    if "@" in ledger:
        refuse_others(table.file, mode, what="the configuration, with a ledger's user in it,")
    return anchored(ledger, table.file.parent)


def _standing_shields(table: Table) -> bool:
    table.allow("standing")
    return table.truth("standing", default=False)


def _archive_address(table: Table) -> str:
    address = table.text("archive_address")
    if "archive_address" not in table.values:
        return ""
    if not table.text("archive"):
        table.fail(
            "archive_address", "is given, and no `archive`", next_step='Write archive = "FOLDER" beside it.'
        )
    try:
        host_and_port(address)
    except UsageError as problem:
        table.fail(
            "archive_address",
            f"is {address!r}, which is no address to serve at",
            next_step=problem.next_step,
        )
    return address


def _parent(table: Table) -> str:
    parent = table.text("parent", default=DEFAULT_PARENT)
    names = parent.split("/")
    if names[0] != "ROOT" or not all(name.strip() for name in names):
        table.fail(
            "parent", f"is {parent!r}, which is no path of a domain", next_step='Write it as "ROOT/ci".'
        )
    return parent


def _cloudstack(table: Table) -> Callable[[], CloudStackCredentials]:
    if not table.values:
        table.fail("", "is missing", next_step='Write file = "~/.cloudstack.ini" and read = "SECTION" in it.')
    table.allow("file", "read", "write", "credentials")
    only_one(table, ("credentials", "file"))
    if "credentials" in table.values:
        if table.text("credentials") != "environment":
            table.fail(
                "credentials", 'can only be "environment"', next_step="Otherwise name a file and a section."
            )
        for key in ("read", "write"):
            if key in table.values:
                table.fail(key, 'cannot be used with credentials = "environment", which only reads')
        return lambda: CloudStackCredentials(read_environment())
    table.required_text("file", example="~/.cloudstack.ini")
    file = table.file_named("file")
    read = table.required_text("read", example="production")
    write = table.text("write")

    def credentials() -> CloudStackCredentials:
        reading = read_section(file, read)
        writing = read_section(file, write) if write else None
        if writing is not None and writing.endpoint != reading.endpoint:
            table.fail(
                "write",
                f"names a section for another server ({writing.endpoint}) than `read` ({reading.endpoint})",
                next_step="What is read and what is changed must be the same server.",
            )
        return CloudStackCredentials(reading, writing)

    return credentials


def _network(table: Table) -> NetworkRule | None:
    if "network" not in table.values:
        return None
    rule = table.table("network")
    rule.allow("offering", "zone", "name")
    name = rule.text("name", default="{project}-net")
    if "{project}" not in name:
        rule.fail("name", "must contain {project}", next_step='Write name = "{project}-net".')
    from sync.model import NetworkRule

    return NetworkRule(
        offering=rule.required_text("offering", example="DefaultIsolatedNetworkOfferingWithSourceNatService"),
        zone=rule.required_text("zone", example="zone-1"),
        name=name,
    )


def _refresh(table: Table) -> Refresh:
    table.allow("inventory_seconds", "users_seconds", "ci_database_seconds", "limits_every")
    standard = Refresh()
    return Refresh(
        table.number("inventory_seconds", default=standard.inventory_seconds, least=1, most=3600),
        table.number("users_seconds", default=standard.users_seconds, least=1, most=3600),
        table.number("ci_database_seconds", default=standard.ci_database_seconds, least=1, most=3600),
        table.whole("limits_every", default=standard.limits_every, least=1, most=1000),
    )


def _capture(table: Table) -> tuple[CaptureRules, Path | None]:
    """The rules of automatic captures, and the file that is named for them."""
    table.allow("automatic", "interval_seconds", "thin", "file")
    standard = CaptureRules()
    rules = CaptureRules(
        is_on=table.truth("automatic", default=True),
        interval_seconds=table.number(
            "interval_seconds", default=standard.interval_seconds, least=0, most=86_400
        ),
        thinning=standard.thinning if table.truth("thin", default=True) else None,
    )
    return rules, table.file_named("file") if table.text("file") else None


def _execution(table: Table) -> ExecutionLimits:
    table.allow("concurrency", "ceiling", "patience_seconds", "budget_failures", "budget_fraction")
    standard = ExecutionLimits()
    return ExecutionLimits(
        table.whole("concurrency", default=standard.concurrency, least=1, most=32),
        table.whole("ceiling", default=standard.ceiling, least=1, most=64),
        table.number("patience_seconds", default=standard.patience_seconds, least=5, most=3600),
        table.whole("budget_failures", default=standard.budget_failures, least=1, most=1000),
        table.number("budget_fraction", default=standard.budget_fraction, least=0, most=1),
    )


def _approvals(table: Table) -> ApprovalRules:
    table.allow("allowed_signers", "required")
    required = table.table("required")
    required.allow(*(grade.value for grade in Reversibility))
    return ApprovalRules(
        allowed_signers=table.file_named("allowed_signers") if table.text("allowed_signers") else None,
        required=MappingProxyType(
            {
                grade: required.whole(grade.value, default=DEFAULT_REQUIRED[grade], least=0, most=MOST)
                for grade in Reversibility
            }
        ),
    )


def _approvals_shown(rules: ApprovalRules) -> str:
    required = ", ".join(f"{rules.required[grade]} × {grade.value}" for grade in Reversibility)
    return f"{required}; signers in {rules.allowed_signers or 'no file: nobody can approve'}"
