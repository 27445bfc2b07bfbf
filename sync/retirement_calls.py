"""Which calls a step of a retirement consists of, when each may be sent, and what it has to bring about.

Pure: from what was signed, and from what was so before. An object that is not on the signed list has no call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sync.machine_states import DESTROYED, FAILED, GONE, RECOVERABLE, WORKING
from sync.model import ActualInventory
from sync.radius import ObjectKind
from sync.retirement import Archive, Extract, Loss, Retirement, Step

GOALS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "disableAccount": frozenset({"disabled"}),
        "enableAccount": frozenset({"enabled"}),
        "suspendProject": frozenset({"suspended"}),
        "activateProject": frozenset({"active"}),
        "destroyVirtualMachine": DESTROYED,
        "recoverVirtualMachine": WORKING,
        "startVirtualMachine": frozenset({"running"}),
    }
)
"""Command → states that prove it. What is missing here makes an object, or takes it away."""

BEFORE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "disableAccount": frozenset({"enabled", "locked"}),
        "enableAccount": frozenset({"disabled"}),
        "suspendProject": frozenset({"active"}),
        "activateProject": frozenset({"suspended"}),
        "destroyVirtualMachine": FAILED | {"stopped"},
        "recoverVirtualMachine": RECOVERABLE,
        "startVirtualMachine": frozenset({"stopped"}),
    }
)
"""Command → states in which alone it is sent."""

_DELETES: Mapping[ObjectKind, str] = MappingProxyType(
    {
        ObjectKind.SNAPSHOT: "deleteSnapshot",
        ObjectKind.TEMPLATE: "deleteTemplate",
        ObjectKind.ISO: "deleteIso",
        ObjectKind.VOLUME: "deleteVolume",
        ObjectKind.NETWORK: "deleteNetwork",
    }
)
"""How what a CloudStack Project owns is deleted, in this order: a Project is deleted empty or not at all."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call about one object."""

    command: str
    kind: ObjectKind
    id: str
    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    """But for the id of a VM's OS type, which is read when an archive is made."""
    archive: Archive | None = None
    extract: Extract | None = None

    @property
    def action(self) -> str:
        """Its name in the ledger: the same for the same call, whoever makes it and when."""
        return f"retire: {self.command} {self.id}"

    @property
    def takes_away(self) -> bool:
        """Whether that the object is gone proves it."""
        return self.command.startswith(("delete", "destroy"))


def _call(command: str, loss: Loss, **fixed: str) -> Call:
    return Call(command, ObjectKind(loss.kind), loss.id, loss.name, {"id": loss.id, **fixed})


def calls_of(retirement: Retirement, step: Step, *, listed: Collection[str]) -> tuple[Call, ...]:
    """All calls of a step but undoing, in their order. What is so already is skipped when it is read.

    `listed` are the ids of what accounts and Projects own now: the step that deletes needs them.
    """
    losses = retirement.proposal.losses
    if step is Step.QUARANTINE:
        accounts = [_call("disableAccount", loss, lock="false") for loss in _of(losses, ObjectKind.ACCOUNT)]
        return (*accounts, *(_call("suspendProject", loss) for loss in _of(losses, ObjectKind.PROJECT)))
    if step is Step.ARCHIVE:
        made = (_archive(retirement, one) for one in retirement.proposal.archives)
        return (*made, *map(_extract, retirement.proposal.extracts))
    if step is Step.DESTROY:
        machines = _of(losses, ObjectKind.VM)
        return tuple(_call("destroyVirtualMachine", loss, expunge="false") for loss in machines)
    if step is Step.DELETE_ACCOUNTS:
        projects = [_call("deleteProject", loss, cleanup="false") for loss in _of(losses, ObjectKind.PROJECT)]
        accounts = [_call("deleteAccount", loss) for loss in _of(losses, ObjectKind.ACCOUNT)]
        return (*_of_projects(losses, listed), *projects, *accounts)
    domains = sorted(
        _of(losses, ObjectKind.DOMAIN, ObjectKind.SUBDOMAIN), key=lambda loss: -loss.domain_path.count("/")
    )
    return tuple(_call("deleteDomain", loss, cleanup="false") for loss in domains)


def _of(losses: Iterable[Loss], *kinds: ObjectKind) -> list[Loss]:
    wanted = {kind.value for kind in kinds}
    return [loss for loss in losses if loss.kind in wanted]


def owned_ids(actual: ActualInventory) -> frozenset[str]:
    """Ids of what accounts and CloudStack Projects own, but VMs."""
    lists = (actual.snapshots, actual.templates, actual.isos, actual.volumes, actual.networks)
    return frozenset(row.id for rows in lists for row in rows)


def _of_projects(losses: Collection[Loss], listed: Collection[str]) -> Iterable[Call]:
    """What CloudStack Projects still own, of what was signed: VMs and their root volumes are gone by now."""
    for kind, command in _DELETES.items():
        for loss in _of(losses, kind):
            if loss.is_of_project and loss.id in listed:
                yield _call(command, loss)


def _archive(retirement: Retirement, archive: Archive) -> Call:
    text = f"{archive.machine} of {retirement.proposal.name}, {retirement.id}, volume {archive.volume_id}"
    return Call(
        "createTemplate",
        ObjectKind.VOLUME,
        archive.volume_id,
        archive.machine,
        {"volumeid": archive.volume_id, "name": archive.template, "displaytext": text},
        archive,
    )


EXTRACTS: Mapping[ObjectKind, str] = MappingProxyType(
    {
        ObjectKind.VOLUME: "extractVolume",
        ObjectKind.TEMPLATE: "extractTemplate",
        ObjectKind.ISO: "extractIso",
    }
)
"""How CloudStack makes one ready to be downloaded. It makes an address and changes nothing, so it may be sent
as often as it takes."""


def _extract(one: Extract) -> Call:
    """But for the zone, which is read when it is sent."""
    kind = ObjectKind(one.kind)
    parameters = {"id": one.id, "mode": "HTTP_DOWNLOAD"}
    return Call(EXTRACTS[kind], kind, one.id, one.name, parameters, extract=one)


def not_offered(calls: Iterable[Call], has: Callable[[str, str | None], bool]) -> str:
    """Why one of the calls cannot be sent as it is meant; empty where all can.

    `has` says whether the writing key may call a command here, and whether the server knows a parameter of
    it: one that it does not know is ignored without a word, and `deleteProject` without its `cleanup` takes
    everything that the Project owns.
    """
    for call in calls:
        if not has(call.command, None):
            return f"the writing key may not call {call.command}: allow it in its role"
        for name in call.parameters:
            if not has(call.command, name):
                return (
                    f"CloudStack does not know `{name}` of {call.command} and would ignore it: "
                    f"{call.kind.value} {call.name} ({call.id}) has to be seen to by hand"
                )
    return ""


# --- undoing ------------------------------------------------------------------------------------------------


def before_quarantine(retirement: Retirement, actual: ActualInventory) -> dict[str, object]:
    """What undoing has to know: states of accounts and Projects, and which VMs ran. As JSON."""
    listed = {account.id: account.state.casefold() for account in actual.accounts}
    projects = {project.id: project.state.casefold() for project in actual.projects}
    machines = {loss.id for loss in _of(retirement.proposal.losses, ObjectKind.VM)}
    running = {vm.id: vm.name for vm in actual.vms if vm.id in machines and vm.state.casefold() == "running"}
    losses = retirement.proposal.losses
    return {
        "accounts": {loss.id: listed.get(loss.id, "") for loss in _of(losses, ObjectKind.ACCOUNT)},
        "projects": {loss.id: projects.get(loss.id, "") for loss in _of(losses, ObjectKind.PROJECT)},
        "running": running,
    }


def calls_to_undo(retirement: Retirement, *, start: bool) -> tuple[Call, ...]:
    """What takes back everything that this retirement has done: recover, enable, activate, and if wanted
    start again. What was disabled before the quarantine stays so."""
    quarantine, losses = retirement.done(Step.QUARANTINE), retirement.proposal.losses
    if quarantine is None:
        return ()
    before = quarantine.facts["before"]
    assert isinstance(before, dict)
    machines = _of(losses, ObjectKind.VM)
    calls: list[Call] = []
    if retirement.done(Step.DESTROY) is not None:
        calls += [
            _call("recoverVirtualMachine", loss) for loss in machines if loss.state.casefold() not in GONE
        ]
    calls += [
        _call("enableAccount", loss)
        for loss in _of(losses, ObjectKind.ACCOUNT)
        if before["accounts"].get(loss.id) == "enabled"
    ]
    calls += [
        _call("activateProject", loss)
        for loss in _of(losses, ObjectKind.PROJECT)
        if before["projects"].get(loss.id) == "active"
    ]
    if start:
        calls += [_call("startVirtualMachine", loss) for loss in machines if loss.id in before["running"]]
    return tuple(calls)
