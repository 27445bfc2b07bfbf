"""Retirements as values: what is to go, on what evidence, what would be lost, and how far it has come.

Pure. A retirement is nothing but its entries in the ledger (`retirement_history`): whoever reads those,
wherever, knows what has been done and what is next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from sync.clocks import latest_of
from sync.radius import ObjectKind

OFFERING = "offering"
"""What goes with a domain besides the kinds of the blast radius."""


class Step(Enum):
    """What is done in one go, confirmed by a person. The value is the word on screen and in the ledger."""

    QUARANTINE = "quarantine"
    ARCHIVE = "archive"
    DESTROY = "destroy"
    DELETE_ACCOUNTS = "delete accounts"
    DELETE_DOMAIN = "delete domain"
    UNDO = "undo"


STEPS = (Step.QUARANTINE, Step.ARCHIVE, Step.DESTROY, Step.DELETE_ACCOUNTS, Step.DELETE_DOMAIN)
"""The way of a project, in order."""
STEPS_OF_EMPTY = (Step.QUARANTINE, Step.DELETE_ACCOUNTS, Step.DELETE_DOMAIN)
"""The way of a domain that owns nothing: disabled first, so that nothing is made in it meanwhile."""
DESTRUCTIVE = frozenset({Step.DESTROY, Step.DELETE_ACCOUNTS, Step.DELETE_DOMAIN})


class Stage(Enum):
    """How far it has come. The value is the word on screen."""

    PROPOSED = "proposed"
    QUARANTINING = "going into quarantine"
    QUARANTINED = "in quarantine"
    ARCHIVING = "being archived"
    ARCHIVED = "archived"
    DESTROYING = "VMs being destroyed"
    DESTROYED = "VMs destroyed, recoverable until expunged"
    DELETING_ACCOUNTS = "accounts being deleted"
    ACCOUNTS_DELETED = "accounts deleted"
    DELETING_DOMAIN = "domain being deleted"
    DONE = "done"
    UNDOING = "being undone"
    UNDONE = "undone"
    REPLACED = "replaced by a newer proposal"


_STAGES: Mapping[Step, tuple[Stage, Stage]] = {
    Step.QUARANTINE: (Stage.QUARANTINING, Stage.QUARANTINED),
    Step.ARCHIVE: (Stage.ARCHIVING, Stage.ARCHIVED),
    Step.DESTROY: (Stage.DESTROYING, Stage.DESTROYED),
    Step.DELETE_ACCOUNTS: (Stage.DELETING_ACCOUNTS, Stage.ACCOUNTS_DELETED),
    Step.DELETE_DOMAIN: (Stage.DELETING_DOMAIN, Stage.DONE),
    Step.UNDO: (Stage.UNDOING, Stage.UNDONE),
}
CLOSED = frozenset({Stage.DONE, Stage.UNDONE, Stage.REPLACED})


# --- what is proposed ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why a project may go: a record of the CI database, or one that a person signed. Never its absence."""

    project: str
    """As the record writes it."""
    by: str
    at: str
    reason: str
    signature: str = ""
    """Over `retirement_text.record_text`, where it was made by hand; empty for the CI database's own."""
    shows_unseen: bool = False
    """Whether its text shows what cannot be seen: not so of one that was signed before abreast did."""

    @property
    def is_by_hand(self) -> bool:
        return bool(self.signature)


@dataclass(frozen=True, slots=True)
class Sighting:
    """What two complete readings said of a project at one moment."""

    project: str
    """Key."""
    kind: str
    """The word of its drift; `in neither` where no side has it."""
    domain_id: str
    """Empty where CloudStack has no domain."""
    desired_at: datetime
    """When the CI database was read,"""
    actual_at: datetime
    """and CloudStack; both by the clock of whoever read them."""
    since: datetime | None = None
    """By all clocks it was this late at least when they began to be read,"""
    until: datetime | None = None
    """and no later than this when they had been; None where one clock alone told."""


@dataclass(frozen=True, slots=True)
class Loss:
    """One object that goes, as it was when the list was made."""

    kind: str
    """Value of an ObjectKind, or `offering`."""
    id: str
    name: str
    domain_path: str
    owner: str
    """Label of the account or CloudStack Project."""
    is_of_project: bool = False
    """Whether a CloudStack Project owns it, and not an account."""
    state: str = ""
    created: str = ""
    size: int | None = None
    """Bytes; None where it has none or CloudStack does not say."""
    kept_as: str = ""
    """Name of the template that is made of it before, or of the file; empty for what is lost."""
    is_file: bool = False
    """Whether it is kept as a file of the archive's folder."""

    @property
    def key(self) -> tuple[str, str]:
        return (self.kind, self.id)


@dataclass(frozen=True, slots=True)
class Target:
    """One domain with everything in it."""

    project: str
    """Key."""
    domain_id: str
    path: str
    evidence: Evidence
    sightings: tuple[Sighting, ...]
    """The two readings in which nothing but CloudStack had it."""
    losses: tuple[Loss, ...]
    """All of it, the domain first."""
    notes: tuple[str, ...] = ()
    """What the list does not have, and what to know about it."""

    def of(self, *kinds: ObjectKind) -> tuple[Loss, ...]:
        wanted = {kind.value for kind in kinds}
        return tuple(loss for loss in self.losses if loss.kind in wanted)


@dataclass(frozen=True, slots=True)
class Archive:
    """A root volume of which a template of the archive account is to be made."""

    volume_id: str
    machine_id: str
    machine: str
    template: str
    """Its name."""


@dataclass(frozen=True, slots=True)
class Extract:
    """A data volume, template or ISO that is to be fetched into the archive's folder."""

    kind: str
    """Value of an ObjectKind."""
    id: str
    name: str
    file: str
    """Its name in the archive, without the ending that comes with it."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What people sign: these domains with these objects, on this server."""

    id: str
    environment: str
    endpoint: str
    root_id: str
    author: str
    created_at: datetime
    expires_at: datetime
    """Until when signatures count, and the quarantine may begin."""
    quarantine_days: int
    is_empty: bool
    """Of the class of empty domains: no waiting, in batches, outside the ceiling."""
    targets: tuple[Target, ...]
    """One; several only where they are empty."""
    archives: tuple[Archive, ...] = ()
    extracts: tuple[Extract, ...] = ()
    shows_unseen: bool = False
    """Whether its text shows what cannot be seen: not so of one that was signed before abreast did."""

    @property
    def losses(self) -> tuple[Loss, ...]:
        return tuple(loss for target in self.targets for loss in target.losses)

    @property
    def lost(self) -> int:
        """How many objects nothing is kept of."""
        return sum(not loss.kept_as for loss in self.losses)

    @property
    def projects(self) -> tuple[str, ...]:
        return tuple(target.project for target in self.targets)

    @property
    def name(self) -> str:
        """What has to be typed: the project, or how many."""
        first = self.targets[0].path.rpartition("/")[2]
        return first if len(self.targets) == 1 else f"{len(self.targets)} empty domains"


@dataclass(frozen=True, slots=True)
class Campaign:
    """A dated permission to go beyond the ceiling, for a named list of projects."""

    id: str
    environment: str
    author: str
    created_at: datetime
    starts_at: datetime
    ends_at: datetime
    projects: tuple[str, ...]
    """Keys."""
    reason: str
    signatures: tuple[Signed, ...] = ()
    shows_unseen: bool = False
    """Whether its text shows what cannot be seen: not so of one that was signed before abreast did."""


# --- what has been done -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature as it was handed in; what it is worth is judged anew whenever it matters."""

    content: str
    at: datetime
    by: str
    """Operator who put it into the ledger, not who signed."""


BEGUN_CLOCKS, ENDED_CLOCKS = "begun_clocks", "ended_clocks"
"""Facts of a step: what all clocks said when it began, and when it ended."""


@dataclass(frozen=True, slots=True)
class Done:
    """One step, begun and perhaps ended."""

    step: Step
    begun_at: datetime
    by: str
    facts: Mapping[str, object] = field(default_factory=dict)
    """What has to be known later: what was so before, until when to wait, what is left."""
    ended_at: datetime | None = None

    @property
    def begun_by(self) -> datetime:
        """It had begun then, by the latest of the clocks that were kept."""
        return latest_of(self.facts.get(BEGUN_CLOCKS), self.begun_at)

    @property
    def ended_by(self) -> datetime | None:
        """It had ended then, by the latest of the clocks that were kept; None where it has not ended."""
        return None if self.ended_at is None else latest_of(self.facts.get(ENDED_CLOCKS), self.ended_at)

    @property
    def waits_until(self) -> datetime | None:
        """Until when whatever comes after it has to wait; None where it has not, or this has not ended."""
        until = self.facts.get("until") if self.ended_at is not None else None
        return datetime.fromisoformat(until) if isinstance(until, str) else None


@dataclass(frozen=True, slots=True)
class Retirement:
    """One retirement as the ledger has it."""

    proposal: Proposal
    signatures: tuple[Signed, ...] = ()
    steps: tuple[Done, ...] = ()
    stopped: str = ""
    """Why the last step did not end; empty where it did, or is under way."""
    is_replaced: bool = False

    @property
    def id(self) -> str:
        return self.proposal.id

    @property
    def last(self) -> Done | None:
        return self.steps[-1] if self.steps else None

    @property
    def stage(self) -> Stage:
        if self.is_replaced:
            return Stage.REPLACED
        if self.last is None:
            return Stage.PROPOSED
        return _STAGES[self.last.step][self.last.ended_at is not None]

    def done(self, step: Step) -> Done | None:
        return next((one for one in self.steps if one.step is step), None)

    def is_open(self, now: datetime) -> bool:
        """Whether it still concerns the project: a proposal that nobody acted on ends by itself."""
        if self.stage in CLOSED:
            return False
        return bool(self.steps) or now < self.proposal.expires_at

    @property
    def next_step(self) -> Step | None:
        """What is to be done or gone on with; None where nothing is left, or it is being undone."""
        if self.stage in CLOSED or self.stage is Stage.UNDOING:
            return None
        order = STEPS_OF_EMPTY if self.proposal.is_empty else STEPS
        if self.last is None:
            return order[0]
        if self.last.ended_at is None:
            return self.last.step
        return order[order.index(self.last.step) + 1]

    @property
    def due_at(self) -> datetime | None:
        """Until when the next step has to wait; None where it has not."""
        return self.last.waits_until if self.last is not None else None

    @property
    def can_be_undone(self) -> bool:
        """Whether what was done can still be taken back, at least in part."""
        is_deleted = self.done(Step.DELETE_ACCOUNTS) or self.done(Step.DELETE_DOMAIN)
        return self.stage not in CLOSED and not is_deleted

    @property
    def has_stopped_short(self) -> bool:
        """Whether a step was begun and has not ended: killed, or stopped with a reason."""
        return self.last is not None and self.last.ended_at is None
