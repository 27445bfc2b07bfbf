"""Shields: delete protection on one VM of a domain, so that deleting the domain fails.

A shield may be a no-op that answers 200: 4.18 ignores the unknown parameter, and releases in between know the
flag and ignore it when a domain is deleted (measured on 4.18 and 4.23). So nothing is sent, and nothing
claimed, unless listApis names the parameter and the release is known to honour it; each is read back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sync.cloudstack.capabilities import Capabilities
from sync.cloudstack.values import Submission
from sync.contain import Step
from sync.containment_journal import ContainmentJournal, Standing
from sync.deletions import Kind, Situation, Stage
from sync.errors import DataError, GuardError, OutcomeUnknownError, SourceError
from sync.machine_states import WORKING
from sync.model import ActualInventory, Domain, JsonObject, Outcome, VirtualMachine, project_key
from sync.shield_check import honours

AT_ONCE = 8
"""Shields put up at a time; one takes about 20 ms of the server (measured)."""

COMMAND, PARAMETER = "updateVirtualMachine", "deleteprotection"


Item = TypeVar("Item")


class ShieldFence(Protocol):
    """What shields are put up with; `sync.cloudstack.Fence` has it."""

    def submit(self, command: str, parameters: Mapping[str, str], /) -> Submission: ...
    def machine(self, id: str, /) -> JsonObject: ...


def why_no_shield(offered: Capabilities | None) -> str:
    """Why a shield would be worth nothing on this server; empty when it counts."""
    if offered is None:
        return "There is no key for writing."
    if not offered.has(COMMAND):
        return f"The writing key may not call {COMMAND}."
    if not offered.has(COMMAND, PARAMETER):
        return (
            f"CloudStack {offered.release or ''} does not know {PARAMETER}: it would answer 200 and delete "
            "the domain all the same (measured on 4.18). Nothing is sent and nothing is claimed."
        )
    if not honours(offered.release):
        return (
            f"CloudStack {offered.release or 'of an unknown release'} knows {PARAMETER}, but is not known to "
            "heed it when a domain is deleted (4.23 is). Nothing is sent and nothing is claimed."
        )
    return ""


# --- what to shield -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """A domain and the VM that will hold its shield."""

    path: str
    domain_id: str
    vm: VirtualMachine
    vms: int
    """How many VMs the domain has: the more, the sooner it is shielded."""


@dataclass(frozen=True, slots=True)
class Unshielded:
    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Choice:
    candidates: tuple[Candidate, ...]
    """The most valuable first."""
    standing: tuple[str, ...]
    """Paths of domains that have a protected VM already."""
    unshielded: tuple[Unshielded, ...]


def choose(
    world: ActualInventory, situation: Situation, *, parent: str, projects: Collection[str] = ()
) -> Choice:
    """Which domains below `parent` get a shield, on which VM. `projects` are keys; none means all."""
    submitted = {
        one.target_id for one in situation.of(Stage.RUNNING, Stage.QUEUED) if one.kind is Kind.DOMAIN
    }
    dying = {
        one.path.casefold() for one in situation.of(Stage.RUNNING, Stage.QUEUED) if one.kind is Kind.DOMAIN
    }
    by_domain: dict[str, list[VirtualMachine]] = {}
    for vm in world.vms:
        by_domain.setdefault(vm.domain_id, []).append(vm)
    candidates: list[Candidate] = []
    standing: list[str] = []
    unshielded: list[Unshielded] = []
    for domain in _inside(world.domains, parent, projects):
        vms = by_domain.get(domain.id, [])
        if domain.id in submitted or any(above in dying for above in _ancestors(domain.path)):
            why = "its deletion is submitted already: a shield comes too late, only the brake may save it"
            unshielded.append(Unshielded(domain.path, why))
        elif any(vm.delete_protected for vm in vms):
            standing.append(domain.path)
        else:
            best = _best(vms)
            if best is None:
                unshielded.append(Unshielded(domain.path, _why_none(vms)))
            else:
                candidates.append(Candidate(domain.path, domain.id, best, len(vms)))
    candidates.sort(key=lambda one: (-one.vms, one.path))
    return Choice(tuple(candidates), tuple(sorted(standing)), tuple(unshielded))


def _inside(domains: Iterable[Domain], parent: str, projects: Collection[str]) -> list[Domain]:
    prefix = f"{parent.casefold()}/"
    found = []
    for domain in domains:
        folded = domain.path.casefold()
        if not folded.startswith(prefix):
            continue
        if not projects or project_key(folded[len(prefix) :].partition("/")[0]) in projects:
            found.append(domain)
    return sorted(found, key=lambda one: one.path)


def _ancestors(path: str) -> list[str]:
    """Folded paths of the domains above one."""
    parts = path.casefold().split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts))]


def _best(vms: Sequence[VirtualMachine]) -> VirtualMachine | None:
    """A VM of an account, since one of a CloudStack Project was not measured; running, and the oldest."""
    usable = [vm for vm in vms if vm.state.casefold() in WORKING and vm.project is None]
    return min(usable, key=lambda vm: (vm.state.casefold() != "running", vm.created, vm.id), default=None)


def _why_none(vms: Sequence[VirtualMachine]) -> str:
    if not vms:
        return "it has no VM to hold a shield"
    if all(vm.project is not None for vm in vms):
        return "its VMs belong to CloudStack Projects, for which no shield was measured"
    return "none of its VMs is in a state that can hold a shield"


# --- putting up and taking down -----------------------------------------------------------------------------


class Shielding:
    """Puts shields up and takes exactly those down again, each recorded before it is sent."""

    def __init__(
        self,
        fence: ShieldFence,
        journal: ContainmentJournal,
        *,
        at_once: int = AT_ONCE,
        on_step: Callable[[Step], None] = lambda _: None,
    ) -> None:
        """`on_step` is told each change when it is over, from several threads."""
        self._fence = fence
        self._journal = journal
        self._at_once = at_once
        self._on_step = on_step

    def put_up(
        self, candidates: Sequence[Candidate], *, stop: threading.Event | None = None
    ) -> tuple[Step, ...]:
        """Shield the domains, the first ones first. Raises LedgerError when nothing can be recorded."""
        return self._all(candidates, self._shield, stop)

    def take_down(
        self, standing: Sequence[Standing], *, stop: threading.Event | None = None
    ) -> tuple[Step, ...]:
        """Take down what the journal says was set. Raises LedgerError when nothing can be recorded."""
        return self._all(standing, self._lift, stop)

    def _all(
        self, items: Sequence[Item], act: Callable[[Item], Step], stop: threading.Event | None
    ) -> tuple[Step, ...]:
        def unless_stopped(item: Item) -> Step | None:
            if stop is not None and stop.is_set():
                return None
            step = act(item)
            self._on_step(step)
            return step

        with ThreadPoolExecutor(self._at_once, thread_name_prefix="shield") as threads:
            return tuple(step for step in threads.map(unless_stopped, items) if step is not None)

    def _shield(self, candidate: Candidate) -> Step:
        vm = candidate.vm
        action = f"shield {candidate.path} by {vm.name} {vm.id}"
        parameters = {"id": vm.id, PARAMETER: "true"}
        try:
            now = self._fence.machine(vm.id)
        except SourceError as error:
            return Step(action, Outcome.NOT_RUN, f"Its VM cannot be read: {error}")
        if now.get(PARAMETER) is True or now.get("domainid") != candidate.domain_id:
            return Step(
                action, Outcome.SKIPPED, "Its VM was protected, or moved, by somebody else meanwhile."
            )
        self._journal.intent(
            action,
            kind="shield",
            target=candidate.path,
            target_id=vm.id,
            command=COMMAND,
            parameters=parameters,
            before={"vm": vm.name, PARAMETER: "false"},
        )
        outcome, detail = self._send(parameters)
        if outcome is not Outcome.FAILED:
            outcome, detail = self._read_back(vm.id, wanted=True, sent=outcome, detail=detail)
        self._journal.outcome(action, outcome, detail)
        return Step(action, outcome, detail, "abreast shield --lift")

    def _lift(self, standing: Standing) -> Step:
        action = f"lift {standing.action}"
        parameters = {"id": standing.target_id, PARAMETER: "false"}
        self._journal.intent(
            action,
            kind="unshield",
            target=standing.target,
            target_id=standing.target_id,
            command=COMMAND,
            parameters=parameters,
            undoes=standing.action,
        )
        try:
            is_set = self._fence.machine(standing.target_id).get(PARAMETER) is True
        except DataError:
            outcome, detail = Outcome.SUCCEEDED, "Its VM is gone."
        except SourceError as error:
            outcome, detail = Outcome.FAILED, f"Its VM cannot be read: {error}"
        else:
            if not is_set:
                outcome, detail = Outcome.SUCCEEDED, "Somebody else had lifted it already."
            else:
                outcome, detail = self._send(parameters)
                if outcome is not Outcome.FAILED:
                    id = standing.target_id
                    outcome, detail = self._read_back(id, wanted=False, sent=outcome, detail=detail)
        self._journal.outcome(action, outcome, detail)
        return Step(action, outcome, detail)

    def _send(self, parameters: Mapping[str, str]) -> tuple[Outcome, str]:
        try:
            self._fence.submit(COMMAND, parameters)
        except OutcomeUnknownError as error:
            return Outcome.UNKNOWN, str(error)
        except (SourceError, GuardError) as error:
            return Outcome.FAILED, str(error)
        return Outcome.SUCCEEDED, ""

    def _read_back(self, vm_id: str, *, wanted: bool, sent: Outcome, detail: str) -> tuple[Outcome, str]:
        """What a call came to. One that was never answered may still be carried out after this reading: as
        long as that does not show, it stays unknown, and the journal keeps it."""
        try:
            now = self._fence.machine(vm_id)
        except SourceError as error:
            return Outcome.UNKNOWN, f"It was sent and cannot be read back: {error}"
        if (now.get(PARAMETER) is True) == wanted:
            return Outcome.SUCCEEDED, ""
        if sent is Outcome.UNKNOWN:
            return Outcome.UNKNOWN, f"{detail} Reading back does not show it yet.".lstrip()
        return Outcome.FAILED, "CloudStack accepted it, but reading back does not show it."


# --- shields that were lost ---------------------------------------------------------------------------------


def lost(standing: Iterable[Standing], world: ActualInventory) -> tuple[Unshielded, ...]:
    """Shields that the journal says are up and that a complete reading does not show any more."""
    if not world.coverage.is_complete:
        return ()
    vms = {vm.id: vm for vm in world.vms}
    found = []
    for one in standing:
        vm = vms.get(one.target_id)
        if vm is None:
            found.append(Unshielded(one.target, f"its VM {one.before.get('vm', one.target_id)} is gone"))
        elif vm.delete_protected is not True:
            why = (
                "somebody lifted it from" if one.is_answered else "its call was never answered: none shows on"
            )
            found.append(Unshielded(one.target, f"{why} {vm.name}"))
    return tuple(found)
