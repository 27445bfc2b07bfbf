"""The pane below the table: why the row under the cursor is what it is, and its differences."""

from __future__ import annotations

from datetime import datetime

from sync.deletions import Deletion, Stage
from sync.machine_states import DESTROYED
from sync.model import DriftKind, DriftRow, Part
from sync.parts import alive
from widgets.cells import clean, counted, fit
from widgets.header import clock_time
from widgets.kinds import KIND_CLASSES, LOSS_GLYPH, kind_text
from widgets.labels import part_label
from widgets.lines import Line, Lines, wrap
from widgets.values import RowView
from widgets.virtual_list import Piece


def part_line(part: Part, width: int, *, is_old: bool = False) -> Line:
    """One compared thing: what it is, both values, the glyph between them; what is old has none of today."""
    label = min(30, max(16, width // 3))
    values = max(8, (width - label - 5) // 2)
    kind = DriftKind.UNKNOWN if is_old else part.kind
    tone = "tone--stale" if is_old else ""
    return [
        (" " + fit(part_label(part), label) + " ", tone),
        (fit(part.desired if part.desired is not None else "–", values), tone),
        (f" {LOSS_GLYPH if part.is_loss and not is_old else kind.glyph} ", KIND_CLASSES[kind]),
        (fit(part.actual if part.actual is not None else "–", values), tone),
    ]


def belongings(row: DriftRow) -> str:
    """What CloudStack has of it, in one line."""
    view = row.view if row.view is not None else row.dying
    if view is None:
        return ""
    living = len(alive(view.vms))
    destroyed = sum(vm.state.casefold() in DESTROYED for vm in view.vms)
    found = [
        (len(view.accounts), "account", ""),
        (living, "VM", ""),
        (destroyed, "destroyed VM", ""),
        (len(view.vms) - living - destroyed, "VM in Error", "VMs in Error"),
        (len(view.templates), "template", ""),
        (len(view.isos), "ISO", ""),
        (len(view.snapshots), "snapshot", ""),
        (len(view.volumes), "volume", ""),
        (len(view.networks), "network", ""),
    ]
    return ", ".join(counted(number, noun, plural) for number, noun, plural in found if number)


def deletion_words(deletion: Deletion, *, past: bool = False) -> str:
    """By whom, since when, what is still alive, and what goes next; or all of it as it was."""
    by = f" by {deletion.by}" if deletion.by else ""
    since = f" since {clock_time(deletion.since)}" if deletion.since is not None else ""
    alive = f"{counted(len(deletion.alive), 'VM')} {'' if past else 'still '}alive"
    if past and deletion.stage is Stage.QUEUED:
        return f"Its deletion was submitted{by}{since}; it was untouched, {alive} then."
    if past:
        return f"Was being deleted{by}{since}: {alive} then. Next was: {deletion.next_to_die}."
    if deletion.stage is Stage.QUEUED:
        return f"Its deletion is submitted{by}{since}; it is untouched yet, {alive}."
    return f"Being deleted{by}{since}: {alive}. Next: {deletion.next_to_die}."


class DetailsPane(Lines):
    """Given the row under the cursor; shows as many of its differences as there is room for."""

    DEFAULT_CSS = "DetailsPane { height: 6; }"

    def __init__(self) -> None:
        super().__init__(id="details")
        self._view: RowView | None = None
        self._staged = 0
        self._known = ""
        self._age: Piece = ("", "")

    def show(self, view: RowView | None, *, staged: int, now: datetime, age: Piece = ("", "")) -> None:
        """Show this row, of which `staged` actions are staged. `now` tells how old what is known of it is,
        `age` how old its oldest part is."""
        words = view.last_known_words(now) if view is not None else ""
        if (view, staged, words, age) != (self._view, self._staged, self._known, self._age):
            self._view, self._staged, self._known, self._age = view, staged, words, age
            self.redraw()

    def lines(self, width: int) -> list[Line]:
        view = self._view
        if view is None:
            return [[("─" * width, "tone--muted")]]
        row = view.shown
        title = f"── {clean(row.name)} "
        staged = f" {counted(self._staged, 'action')} staged ──" if self._staged else ""
        age = f" {self._age[0]} ──" if self._age[0] else ""
        rule = max(1, width - len(title) - len(age) - len(staged))
        head: Line = [(title, "tone--strong"), ("─" * rule, "tone--muted"), (staged, "tone--key")]
        if age:
            head.insert(2, (age, self._age[1]))
        lines = [head]
        word = f" {kind_text(view.kind)}  "
        reason = wrap(self._reason(view), width - len(word)) if len(word) < width else []
        shown_reason = (
            reason if len(reason) <= 2 else [reason[0], fit(" ".join(reason[1:]), width - len(word))]
        )
        for number, text in enumerate(shown_reason):
            lines.append([(word if number == 0 else " " * len(word), KIND_CLASSES[view.kind]), (text, "")])
        parts = [*row.differences, *row.losses, *row.leaving]
        has = belongings(row)
        room = max(1, self.size.height - len(lines) - (1 if has else 0))
        shown = parts if len(parts) <= room else parts[: max(0, room - 1)]
        lines += [part_line(part, width, is_old=view.was is not None) for part in shown]
        if len(shown) < len(parts):
            lines.append([(f" … {len(parts) - len(shown)} more: enter shows all", "tone--muted")])
        if has:
            lines.append([(f" {'had' if view.was is not None else 'has'} {has}", "tone--muted")])
        return lines

    def _reason(self, view: RowView) -> str:
        if view.deletion is not None:
            return clean(deletion_words(view.deletion))
        if view.was is not None and view.was.kind is not DriftKind.UNKNOWN:
            was = f"{kind_text(view.was.kind)}. {view.was.reason}"
            return clean(f"{view.row.reason} Below is {self._known}: {was}")
        return clean(view.row.reason)
