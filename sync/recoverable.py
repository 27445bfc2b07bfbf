"""VMs that are Destroyed and can be brought back, the most urgent first, and the actions that do it.

Pure. Only where their account lives: with it they go at once, and `recoverVirtualMachine` is refused then
(measured on 4.23). How long one has left is known where the server tells its delay and when it was destroyed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sync.corpses import below
from sync.loss_ledger import Expunging
from sync.machine_states import RECOVERABLE
from sync.model import (
    Action,
    ActionKind,
    ActualInventory,
    Reversibility,
    VirtualMachine,
    project_key,
)
from sync.repairs import PlanRules

_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Recoverable:
    """One VM that can be brought back."""

    vm: VirtualMachine
    key: str
    """Of the project or domain that it is of."""
    project: str
    """Its name."""
    until: datetime | None = None
    """When it is expunged at the earliest; None where that is not known."""
    kept_back: str = ""
    """Why it is not offered, in words; empty when it is."""

    @property
    def label(self) -> str:
        return f"{self.project}/{self.vm.name}"


def recoverable(
    actual: ActualInventory, rules: PlanRules, *, expunging: Expunging | None = None
) -> tuple[Recoverable, ...]:
    """What can be brought back of the projects, the most urgent first; of unknown time after the others.

    A VM of a project whose retirement is open was destroyed on purpose, after signatures: it is kept back.
    Of an inventory that is not complete only what it shows is told, which is there for certain.
    """
    times = expunging or Expunging()
    domains = {domain.id for domain in actual.domains}
    accounts = {(account.domain_id, account.name.casefold()) for account in actual.accounts}
    found = []
    for vm in actual.vms:
        names = below(vm.domain_path, actual.scope.parent)
        has_owner = vm.project is not None or (vm.domain_id, (vm.account or "").casefold()) in accounts
        is_destroyed = vm.state.casefold() in RECOVERABLE
        if not (is_destroyed and vm.domain_id in domains and names and has_owner):
            continue
        key = project_key(names[0])
        kept_back = "" if rules.may_enable(key) else _why_kept_back(rules)
        found.append(Recoverable(vm, key, names[0], times.until(vm.id), kept_back))
    return tuple(sorted(found, key=lambda one: (one.until or _LAST, one.key, one.vm.name, one.vm.id)))


def _why_kept_back(rules: PlanRules) -> str:
    if rules.retiring is None:
        return "whether the project is being retired is not known: the ledger cannot be read"
    return "the project is being retired, and its VMs were destroyed on purpose"


def recoveries(found: Iterable[Recoverable]) -> tuple[Action, ...]:
    """The actions that bring them back, in the order given; none for what is kept back.

    `recoverVirtualMachine` is sent only where a fresh reading shows the VM Destroyed.
    """
    wanted = [one for one in found if not one.kept_back]
    names = Counter(_target(one) for one in wanted)
    return tuple(_action(one, is_alone=names[_target(one)] == 1) for one in wanted)


def _target(one: Recoverable) -> str:
    owner = f"Project {one.vm.project}" if one.vm.project else one.vm.account
    return f"{one.vm.domain_path}:{owner}:{one.vm.name}"


def _action(one: Recoverable, *, is_alone: bool) -> Action:
    """Two destroyed VMs of an account may have had one name: then the id tells them apart."""
    left = f"; CloudStack expunges it from {one.until:%Y-%m-%d %H:%M} UTC on" if one.until else ""
    return Action(
        kind=ActionKind.RECOVER_VM,
        project=one.key,
        target=_target(one) if is_alone else f"{_target(one)} ({one.vm.id})",
        target_id=one.vm.id,
        parameters={"domain": one.vm.domain_path},
        precondition={"state": one.vm.state},
        reason=f"The VM is {one.vm.state} and its owner is there{left}.",
        reversibility=Reversibility.UNDOABLE,
        undo="Nothing in abreast destroys: its owner destroys the VM again, in CloudStack.",
    )


def left_words(until: datetime | None, now: datetime) -> str:
    """How long one has: `23 h 10 min left`; what has passed is said as what it is."""
    if until is None:
        return "time left not known"
    seconds = int((until - now).total_seconds())
    if seconds <= 0:
        return "its time is over: it goes any moment"
    days, hours, minutes = seconds // 86400, seconds // 3600, seconds // 60
    if days >= 2:
        return f"{days} days left"
    if hours:
        return f"{hours} h {minutes % 60:02d} min left"
    return f"{minutes} min {seconds % 60:02d} s left" if minutes else f"{seconds} s left"
