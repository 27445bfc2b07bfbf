"""Drift of shields: protection that was put up and is gone, and domains that should have one and have none.

Pure. Told from a complete reading only, and only where the release is known to heed delete protection when a
domain is deleted: elsewhere nothing is counted, and that is said. There is no repair among the plan's: a
shield is put up by `abreast shield`, which reads it back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sync.machine_states import WORKING
from sync.model import DomainView, Drift, DriftKind, DriftRow, Part, Subject, VirtualMachine
from sync.shield_check import HONOURED_SINCE, ShieldCheck, honours


@dataclass(frozen=True, slots=True)
class Shield:
    """One that the ledger says is up."""

    path: str
    """Of the domain that it is for."""
    vm_id: str
    vm: str
    """Name of the VM that holds it."""
    is_answered: bool = True
    """False where its call was never answered, so that it may never have been up."""


def marked(drift: Drift, shields: Iterable[Shield], *, release: str, is_wanted: bool) -> Drift:
    """The drift with the shields that are gone, and with `is_wanted` the domains that have none."""
    known = tuple(shields)
    if not known and not is_wanted:
        return drift
    if not drift.actual.is_complete:
        return replace(drift, shields=ShieldCheck(note="not counted: CloudStack was not read completely"))
    if not honours(release):
        note = (
            f"nothing is counted: CloudStack {release or 'of an unknown release'} is not known to heed "
            f"delete protection when a domain is deleted ({'.'.join(map(str, HONOURED_SINCE))} is)"
        )
        return replace(drift, shields=ShieldCheck(note=note))
    by_path: dict[str, list[Shield]] = {}
    for shield in known:
        by_path.setdefault(shield.path.casefold(), []).append(shield)
    rows, checks = [], []
    for row in drift.rows:
        found = _Row(row, by_path, is_wanted=is_wanted)
        rows.append(found.marked())
        checks.append(found)
    rows.sort(key=lambda row: (row.kind.rank, row.key))
    check = ShieldCheck(
        standing=sum(one.standing for one in checks),
        lost=tuple(sorted(path for one in checks for path in one.lost)),
        lacking=tuple(sorted(path for one in checks for path in one.lacking)),
    )
    return replace(drift, rows=tuple(rows), shields=check)


class _Row:
    """One row and the shields of its domains."""

    def __init__(self, row: DriftRow, by_path: dict[str, list[Shield]], *, is_wanted: bool) -> None:
        self._row = row
        self.standing = 0
        self.lost: list[str] = []
        self.lacking: list[str] = []
        self.parts: list[Part] = []
        view = row.view
        if view is None or (not row.parts and row.project is not None):
            # Not listed, or not compared: what is there is not known, or gone altogether.
            return
        for domain_id, path in _domains(view):
            machines = [vm for vm in view.vms if vm.domain_id == domain_id]
            mine = by_path.get(path.casefold(), ())
            self.standing += len(mine)
            for shield in mine:
                self._compare(shield, path, machines)
            if is_wanted and row.project is not None and path not in self.lost:
                self._ask_for_one(path, machines)

    def _compare(self, shield: Shield, path: str, machines: list[VirtualMachine]) -> None:
        vm = next((vm for vm in machines if vm.id == shield.vm_id), None)
        if vm is not None and vm.delete_protected is True:
            return
        if vm is None:
            why = f"Its VM {shield.vm} is gone"
        elif shield.is_answered:
            why = f"Somebody lifted the delete protection of {vm.name}"
        else:
            why = f"The call for the delete protection of {vm.name} was never answered, and none shows"
        if any(one.delete_protected for one in machines):
            why += ", and another VM of the domain is protected still"
        self.lost.append(path)
        self._add(
            shield.vm, "delete protection", None if vm is None else "none", f"{why}. {_what_to_do(path)}"
        )

    def _ask_for_one(self, path: str, machines: list[VirtualMachine]) -> None:
        usable = [vm for vm in machines if vm.state.casefold() in WORKING and vm.project is None]
        if usable and not any(vm.delete_protected for vm in machines):
            self.lacking.append(path)
            note = f"No VM of {path} has delete protection, and standing shields are asked for. "
            self._add("", "a standing shield", None, note + _what_to_do(path))

    def _add(self, name: str, desired: str, actual: str | None, note: str) -> None:
        self.parts.append(
            Part(Subject.SHIELD, name, "deleteprotection", DriftKind.DIFFERS, desired, actual, note)
        )

    def marked(self) -> DriftRow:
        if not self.parts:
            return self._row
        row = self._row
        said = "Its shield is gone." if self.lost else "It has no shield."
        is_new = row.kind is DriftKind.IN_SYNC
        return replace(
            row,
            kind=DriftKind.DIFFERS if is_new else row.kind,
            parts=(*row.parts, *self.parts),
            reason=said if is_new else f"{row.reason} {said}".strip(),
        )


def _domains(view: DomainView) -> Iterator[tuple[str, str]]:
    """Id and path of the project's domain and of those below it."""
    yield view.domain_id, view.path
    for domain in view.subdomains:
        yield domain.id, domain.path


def _what_to_do(path: str) -> str:
    return f"Find out who it was, and put it up again: `abreast shield {path.rpartition('/')[2]}`."
