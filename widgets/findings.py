"""What a recovery found, in groups: which of it is chosen, what is done about it, what of it is lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from sync.model import Action, ActionKind, DriftKind
from sync.recovery import Finding
from widgets.cells import counted, fit
from widgets.kinds import KIND_CLASSES, kind_text
from widgets.lines import Line, Lines, wrap
from widgets.virtual_list import Piece, VirtualList

_MACHINES = 18
"""Cells of the column of VMs that are alive and lost, as long as losses are not told."""

_WIDE = 100
"""From this width on the columns of what was lost have their full names."""
_FATES = (("lost", "lost"), ("being destroyed", "dying"), ("recoverable", "back"), ("unknown", "?"))
_FATE_TONES = {"lost": "tone--bad", "being destroyed": "tone--warning", "recoverable": "tone--good"}
"""Fate, by its word → its column where there is little room, and how its number is painted."""
_LAST = ("survives", "alive")

_NOUNS = {
    ActionKind.RENAME_DOMAIN: ("rename", "renames"),
    ActionKind.CREATE_DOMAIN: ("domain", "domains"),
    ActionKind.CREATE_ACCOUNT: ("account", "accounts"),
    ActionKind.CREATE_USER: ("user", "users"),
    ActionKind.UPDATE_LIMIT: ("limit", "limits"),
    ActionKind.CREATE_NETWORK: ("network", "networks"),
    ActionKind.RECOVER_VM: ("VM", "VMs"),
}


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """Findings of one kind."""

    title: str
    treatment: str
    """What is done about them, in words."""
    findings: tuple[Finding, ...]

    @property
    def key(self) -> str:
        return f"group {self.title}"

    @property
    def rebuildable(self) -> tuple[Finding, ...]:
        """Those that something can be done about."""
        return tuple(finding for finding in self.findings if finding.actions)


def work_of(actions: Sequence[Action]) -> str:
    """`rename, domain, account, 4 users, 2 limits, network`: each kind with its count."""
    counts: dict[ActionKind, int] = {}
    for action in actions:
        counts[action.kind] = counts.get(action.kind, 0) + 1
    words = []
    for kind, count in counts.items():
        one, many = _NOUNS.get(kind, (kind.value, kind.value))
        words.append(one if count == 1 else f"{count} {many}")
    return ", ".join(words)


FateCounts = Mapping[str, int]
"""Word of a fate (`sync.loss_ledger.Fate`) → how many objects."""


def fate_columns(width: int) -> list[tuple[str, str, int]]:
    """Fate, title and cells of each column of what was lost."""
    is_wide = width >= _WIDE
    cells = {"lost": 6, "being destroyed": 17, "recoverable": 13, "unknown": 9, "survives": 10}
    return [
        (fate, fate if is_wide else short, cells[fate] if is_wide else 6 if short != "?" else 4)
        for fate, short in (*_FATES, _LAST)
    ]


def machines_of(finding: Finding) -> str:
    """`8 alive, 3 lost`; empty where there were none."""
    alive = f"{finding.machines_alive} alive" if finding.machines_alive else ""
    lost = f"{finding.machines_lost} lost" if finding.machines_lost else ""
    return ", ".join(part for part in (alive, lost) if part)


class FindingList(VirtualList):
    """Given the groups and the keys of what is chosen. A group is a line of its own."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, empty_text="Both sides are being read.")
        self._items: list[FindingGroup | Finding] = []
        self._chosen: Collection[str] = ()
        self._losses: Mapping[str, FateCounts] = MappingProxyType({})
        self._has_boxes = True

    def show(
        self,
        groups: Sequence[FindingGroup],
        *,
        chosen: Collection[str],
        losses: Mapping[str, FateCounts] = MappingProxyType({}),
        has_boxes: bool = True,
    ) -> None:
        """Show these groups; `chosen` are keys of findings, `losses` what became of their objects, by key.
        Without boxes where what is chosen has no effect."""
        is_new = not self._items
        self._chosen, self._losses = chosen if has_boxes else (), losses
        self._has_boxes = has_boxes
        self._items = []
        for group in groups:
            self._items += [group, *group.findings]
        self.set_keys([item.key for item in self._items])
        if is_new and len(self._items) > 1:
            self.cursor = 1

    @property
    def current(self) -> tuple[Finding, ...]:
        """The finding under the cursor, or all of the group."""
        item = self.item
        if item is None:
            return ()
        return item.findings if isinstance(item, FindingGroup) else (item,)

    @property
    def item(self) -> FindingGroup | Finding | None:
        """What is under the cursor."""
        return self._items[self.cursor] if 0 <= self.cursor < len(self._items) else None

    def line(self, index: int, width: int) -> list[Piece]:
        item = self._items[index]
        return self._group_line(item, width) if isinstance(item, FindingGroup) else self._line(item, width)

    def _group_line(self, group: FindingGroup, width: int) -> list[Piece]:
        can = group.rebuildable
        kind = KIND_CLASSES[group.findings[0].kind] if len({one.kind for one in group.findings}) == 1 else ""
        number = f"{len(group.findings)}"
        if can and self._has_boxes:
            number = f"{sum(one.key in self._chosen for one in can)}/{number}"
        head = f" {group.title} {number} "
        columns = fate_columns(width) if self._losses else []
        room = width - len(head) - sum(cells for _, _, cells in columns)
        return [
            (head, kind or "tone--strong"),
            (fit(f" {group.treatment}", room), "tone--muted"),
            *((fit(title, cells, align="right"), "tone--muted") for _, title, cells in columns),
        ]

    def _line(self, finding: Finding, width: int) -> list[Piece]:
        is_chosen = finding.key in self._chosen
        mark = ("[x]" if is_chosen else "[ ]") if finding.actions and self._has_boxes else "   "
        name = min(30, max(14, width // 5))
        numbers = self._numbers(finding, width)
        room = max(0, width - 8 - name - sum(len(text) for text, _ in numbers))
        alone = finding.reason if finding.kind is DriftKind.IN_SYNC else f"left alone: {finding.reason}"
        does = work_of(finding.actions) if finding.actions else alone
        return [
            (f"  {mark} ", "tone--key" if is_chosen else "tone--muted"),
            (f"{finding.kind.glyph} ", KIND_CLASSES[finding.kind]),
            (fit(finding.name, name), "tone--strong" if is_chosen else ""),
            (fit(f" {does}", room), "" if is_chosen else "tone--muted"),
            *numbers,
        ]

    def _numbers(self, finding: Finding, width: int) -> list[Piece]:
        """What became of its objects; until that is told, of its machines."""
        if not self._losses:
            machines = machines_of(finding) if finding.actions else ""
            return [(fit(f"  {machines}", _MACHINES), "tone--muted")] if machines else []
        counts = self._losses.get(finding.key, {})
        return [
            (
                fit(str(counts.get(fate) or "–") if counts else "", cells, align="right"),
                _FATE_TONES.get(fate, "") if counts.get(fate) else "tone--muted",
            )
            for fate, _, cells in fate_columns(width)
        ]


class FindingNote(Lines):
    """What is under the cursor: why it is in the list, and what is done about it; two lines."""

    DEFAULT_CSS = "FindingNote { height: 2; }"

    def __init__(self) -> None:
        super().__init__(id="finding-note")
        self._item: FindingGroup | Finding | None = None
        self._more = ""

    def show(self, item: FindingGroup | Finding | None, more: str = "") -> None:
        """Show this; `more` is said of it behind what is lost."""
        if (item, more) != (self._item, self._more):
            self._item, self._more = item, more
            self.redraw()

    def lines(self, width: int) -> list[Line]:
        item = self._item
        if item is None:
            return []
        if isinstance(item, FindingGroup):
            text = f"{item.title}: {item.treatment}."
        else:
            return _note(item, self._more, width)
        return [[(f" {line}", "")] for line in wrap(text, width - 2)[:2]]


def _note(finding: Finding, more: str, width: int) -> list[Line]:
    """Why it is in the list; what is done about it and what cannot be."""
    kind = f" {kind_text(finding.kind)} "
    done = f"to do: {work_of(finding.actions)}" if finding.actions else "nothing is done about it"
    lost = f"; {counted(finding.machines_lost, 'machine')} without a VM" if finding.machines_lost else ""
    return [
        [(kind, KIND_CLASSES[finding.kind]), (fit(f" {finding.reason}", width - len(kind)), "")],
        [(fit(f" {more or f'{done}{lost}'}", width), "tone--good" if more else "tone--muted")],
    ]
