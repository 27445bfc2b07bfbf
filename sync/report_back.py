"""What is back of what an incident took, and what is not, with the reason: for the report and its letters.

Pure. The ledger says what was made again or recovered, when and in which run; a capture what it was before;
a reading whether it is there now. What only the ledger says, and the reading does not show, is not back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from sync.corpses import below
from sync.identities import MADE_BY, Identity, by_capture, objects_by_name
from sync.loss_ledger import Fate, Loss, LossLedger
from sync.machine_states import GONE
from sync.model import ActionKind, ActualInventory, Outcome, VirtualMachine, project_key
from sync.object_types import Comeback, object_type
from sync.prediction import EntryLike
from sync.restoration import REBUILD_FIRST, REBUILT, AddressChange, Restoration, moved
from sync.schedule import has_come_about
from sync.stock import PublicAddress

_WORDS = {kind.value.replace(" ", "-"): kind for kind in (*MADE_BY, ActionKind.RECOVER_VM)}
"""How the ids of the actions begin that bring something back."""
_BY_COMEBACK = {
    Comeback.CI_DATABASE: "a rebuild makes it again, and has not yet",
    Comeback.CAPTURE: "a restore makes it again where a capture knows it, and has not yet",
    Comeback.ARCHIVE: "only an archive brings it back, if there is one",
    Comeback.LOST: "nothing brings it back",
}
_SAID_TO_OWNERS = {
    REBUILT: _BY_COMEBACK[Comeback.CI_DATABASE],
    REBUILD_FIRST: "a rebuild makes that first",
}
"""What a restore says to whoever types commands, and what owners are told instead."""


_TRIED = {
    Outcome.FAILED: "making it again was tried, and failed",
    Outcome.UNKNOWN: "making it again was tried, and it is not known yet how that ended",
}
"""What the server said to it is no business of owners: the report has that with what did not succeed."""


class How(Enum):
    """How something came back; the value is the word for it."""

    RECOVERED = "recovered whole"
    MADE = "made again"
    OTHERWISE = "there again, by other hands"
    """The ledger of that time does not say by whose."""


@dataclass(frozen=True, slots=True)
class Back:
    """One object that is there again."""

    type: str
    """A name of `object_types`."""
    project: str
    """Key."""
    name: str
    natural: str
    """Its name with its domain and owner, as the ledger's actions have it."""
    old_id: str
    """Empty where nothing tells it."""
    new_id: str
    how: How
    at: datetime | None = None
    """When the ledger says that it came back."""
    run_id: str = ""
    state: str = ""
    """Of a VM, now."""
    was_at: tuple[str, ...] = ()
    """Addresses that a VM had."""
    is_at: tuple[str, ...] = ()

    @property
    def has_moved(self) -> bool:
        return bool(set(self.was_at) - set(self.is_at))

    @property
    def actions(self) -> tuple[str, ...]:
        """Ids of the actions that would have made it, in lower case."""
        return tuple(f"{word} {self.natural}".casefold() for word in _WORDS if _makes(word, self.type))


@dataclass(frozen=True, slots=True)
class NotBack:
    """One object that was taken and is not there again."""

    type: str
    project: str
    """Key."""
    name: str
    why: str
    """In words, without a full stop."""
    can_be_made: bool = False
    """Whether a restore would make it now."""


@dataclass(frozen=True, slots=True)
class Returned:
    """All of it, over all projects."""

    back: tuple[Back, ...] = ()
    missing: tuple[NotBack, ...] = ()
    moved: tuple[AddressChange, ...] = ()
    """VMs of before that are not at their address, those whose address is somebody else's first."""


@dataclass(frozen=True, slots=True)
class _Recorded:
    """How one action ended that brings something back."""

    kind: ActionKind
    target: str
    outcome: Outcome
    object_id: str
    at: datetime
    run_id: str

    @property
    def type(self) -> str:
        return MADE_BY.get(self.kind, "VM")

    @property
    def is_in_place(self) -> bool:
        return has_come_about(self.outcome, self.object_id)


def returned(
    entries: Iterable[EntryLike],
    losses: LossLedger,
    *,
    before: ActualInventory | None,
    now: ActualInventory,
    planned: Restoration | None = None,
    elsewhere: Iterable[PublicAddress] = (),
) -> Returned:
    """What came back, by `entries` or by other hands, and why the rest did not.

    `before` is the capture that the losses were told by, `planned` what a restore of it would do now;
    `elsewhere` are the public addresses of the whole cloud, where they were read.
    """
    recorded = tuple(_recorded(entries))
    teller = _Teller(recorded, before, now)
    rows = () if before is None else by_capture(before, now)
    made = teller.by_ledger() if before is None else map(teller.again, rows)
    back = (*teller.recovered(), *made)
    reasons = _Reasons(recorded, planned, has_capture=before is not None)
    gone = _not_back(losses, back)
    return Returned(
        back=back,
        missing=tuple(reasons.of(one, key) for key, one in gone),
        moved=() if before is None else moved(before, now, elsewhere=elsewhere),
    )


def _recorded(entries: Iterable[EntryLike]) -> Iterator[_Recorded]:
    """The last outcome of each such action, over all runs."""
    last: dict[str, _Recorded] = {}
    for entry in entries:
        if entry.kind.value != "outcome":
            continue
        word, _, target = str(entry.payload["action"]).partition(" ")
        kind = _WORDS.get(word)
        if kind is not None:
            last[entry.payload["action"]] = _Recorded(
                kind,
                target,
                Outcome(entry.payload["outcome"]),
                str(entry.payload.get("object_id") or ""),
                entry.at,
                entry.run_id or "",
            )
    yield from last.values()


def _makes(word: str, type_name: str) -> bool:
    kind = _WORDS[word]
    return MADE_BY.get(kind, "VM") == type_name


class _Teller:
    """Says of single objects that they are there again, and since when."""

    def __init__(
        self, recorded: Sequence[_Recorded], before: ActualInventory | None, now: ActualInventory
    ) -> None:
        self._recorded = recorded
        made = [one for one in recorded if one.outcome is Outcome.SUCCEEDED]
        self._made = {one.object_id: one for one in made if one.kind is not ActionKind.RECOVER_VM}
        self._accounts = {one.target.casefold(): one for one in made if one.kind is ActionKind.CREATE_ACCOUNT}
        self._there = objects_by_name(now).values()
        self._machines = {vm.id: vm for vm in now.vms}
        self._machines_before = {vm.id: vm for vm in before.vms} if before is not None else {}
        self._parent = now.scope.parent

    def again(self, row: Identity) -> Back:
        """What a capture has and the reading too, with another id."""
        made = self._made_as(row.what, row.new_id, row.name)
        how = How.OTHERWISE if made is None else How.MADE
        return self._back(row.what, row.name, row.old_id, row.new_id, how, made)

    def by_ledger(self) -> Iterator[Back]:
        """Without a capture: what the ledger says to have been made, where the reading has it."""
        for what, id, natural in self._there:
            made = self._made_as(what, id, natural)
            if made is not None:
                yield self._back(what, natural, "", id, How.MADE, made)

    def _made_as(self, what: str, id: str, natural: str) -> _Recorded | None:
        """The action that made it. An account comes with its first user, whose id the ledger has not."""
        if what == "user":
            return self._made.get(id) or self._accounts.get(natural.rpartition(":")[0].casefold())
        return self._made.get(id)

    def recovered(self) -> Iterator[Back]:
        """VMs that were Destroyed and are whole again, under the id that they had."""
        for one in self._recorded:
            machine = self._machines.get(one.object_id)
            if one.kind is not ActionKind.RECOVER_VM or not one.is_in_place or machine is None:
                continue
            if machine.state.casefold() not in GONE:
                natural = f"{machine.domain_path}:{machine.project or machine.account}:{machine.name}"
                yield self._back("VM", natural, one.object_id, one.object_id, How.RECOVERED, one)

    def _back(
        self, type_name: str, natural: str, old_id: str, new_id: str, how: How, made: _Recorded | None
    ) -> Back:
        was, now = self._machines_before.get(old_id), self._machines.get(new_id)
        names = below(natural.partition(":")[0], self._parent)
        return Back(
            type=type_name,
            project=project_key(names[0]) if names else "",
            name=natural.rpartition("/" if type_name in ("domain", "network") else ":")[2],
            natural=natural,
            old_id=old_id,
            new_id=new_id,
            how=how,
            at=made.at if made is not None else None,
            run_id=made.run_id if made is not None else "",
            state=now.state if now is not None else "",
            was_at=_addresses(was),
            is_at=_addresses(now),
        )


def _addresses(machine: VirtualMachine | None) -> tuple[str, ...]:
    return machine.addresses if machine is not None else ()


def _not_back(losses: LossLedger, back: Iterable[Back]) -> Iterator[tuple[str, Loss]]:
    """What was lost, or is going, and is not there under another id; with the key of its project."""
    old_ids = {one.old_id for one in back}
    for project in losses.projects:
        for loss in project.objects:
            if loss.fate in (Fate.LOST, Fate.DYING) and (not loss.id or loss.id not in old_ids):
                yield project.key, loss


class _Reasons:
    """Says why something is not back: by the ledger first, then by what a restore says of it."""

    def __init__(
        self, recorded: Iterable[_Recorded], planned: Restoration | None, *, has_capture: bool
    ) -> None:
        self._has_capture = has_capture
        self._recorded: dict[tuple[str, str], _Recorded] = {}
        for one in recorded:
            self._recorded[one.type, one.target.casefold()] = one
        self._left = {
            (one.type, one.path.casefold(), one.name): _for_owners(one.why)
            for one in (planned.left if planned is not None else ())
        }
        self._can = {
            (MADE_BY.get(one.kind, ""), one.target.casefold())
            for one in (planned.actions if planned is not None else ())
        }

    def of(self, loss: Loss, project: str) -> NotBack:
        natural = _natural(loss)
        can_be_made = (loss.type, natural) in self._can
        return NotBack(
            loss.type, project, loss.name, self._why(loss, natural, can_be_made=can_be_made), can_be_made
        )

    def _why(self, loss: Loss, natural: str, *, can_be_made: bool) -> str:
        tried = self._recorded.get((loss.type, natural))
        if loss.fate is Fate.DYING:
            return loss.why or "it is being destroyed"
        if tried is not None and not tried.is_in_place:
            return _TRIED.get(tried.outcome, "it was to be made again, and was left out")
        if tried is not None:
            return f"it was made again at {tried.at:%Y-%m-%d %H:%M} UTC, and is not there any more"
        if can_be_made:
            return "a restore can make it again, and has not yet"
        left = self._left.get((loss.type, loss.path.casefold(), loss.name))
        comeback = object_type(loss.type).comeback
        if comeback is Comeback.CAPTURE and not self._has_capture:
            return left or "no capture tells how it was, so nothing here makes it again"
        return left or _BY_COMEBACK[comeback]


def _for_owners(why: str) -> str:
    """A restore speaks to whoever types commands; owners have none."""
    for typed, said in _SAID_TO_OWNERS.items():
        why = why.replace(typed, said)
    return why


def _natural(loss: Loss) -> str:
    """As the ids of actions name it, in lower case."""
    if loss.type == "domain":
        return loss.path.casefold()
    if loss.type == "network":
        return f"{loss.path}/{loss.name}".casefold()
    owner = loss.owner.removeprefix("Project ")
    is_account = loss.type == "account"
    return (f"{loss.path}:{loss.name}" if is_account else f"{loss.path}:{owner}:{loss.name}").casefold()


def numbers(found: Returned) -> Mapping[str, Mapping[str, int]]:
    """Type → how it came back, or that it did not → how many, in the words of `COLUMNS`."""
    counts: dict[str, Counter[str]] = {}
    for one in found.back:
        counts.setdefault(one.type, Counter())[one.how.value] += 1
    for missing in found.missing:
        counts.setdefault(missing.type, Counter())[_CAN_BE if missing.can_be_made else _NOT_BACK] += 1
    return counts


_CAN_BE = "can be made again"
_NOT_BACK = "not back"
COLUMNS = (*(how.value for how in How), _CAN_BE, _NOT_BACK)
