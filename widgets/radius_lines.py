"""A blast radius laid out: what would be stopped or destroyed, by owner, each object with size and class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sync.blast import merged
from sync.errors import AbreastError
from sync.model import Action
from sync.radius import Affected, Effect, Owner, Radius, size_words
from widgets.action_list import REVERSIBILITY_TONES
from widgets.cells import clean, counted, fit
from widgets.header import clock_time
from widgets.lines import Line, wrap
from widgets.virtual_list import Piece

EFFECT_TONES = {Effect.DESTROYED: "tone--bad", Effect.STOPPED: "tone--warning", Effect.NO_ACCESS: ""}
NAMED = 5
"""Objects of one owner that a question names; the page has all."""

_KIND = 19
_SIZE = 10
_CLASS = 13


Radii = Mapping[str, Radius | AbreastError]
"""By action id: a radius, or why there is none."""


def effects_of(action: Action, radii: Radii) -> Piece:
    """What one action would stop or destroy, in words, with their tone."""
    found = radii.get(action.id)
    if found is None:
        return ("its blast radius is being computed", "tone--muted")
    if isinstance(found, AbreastError):
        return (str(found), "tone--bad")
    return (found.statement, "tone--warning" if found.objects else "")


def effects_of_all(actions: Sequence[Action], radii: Radii) -> Piece:
    """The same of all of them together, in one line."""
    if not actions:
        return ("", "")
    found = [radii.get(action.id) for action in actions]
    refused = sum(isinstance(one, AbreastError) for one in found)
    if refused:
        return (f"blast radius: could not be computed for {counted(refused, 'action')}", "tone--bad")
    if None in found:
        return ("blast radius: being computed", "tone--muted")
    whole = merged((one for one in found if isinstance(one, Radius)), of="")
    when = f", as read at {clock_time(whole.taken_at)}" if whole.taken_at is not None else ""
    return (f"blast radius{when}: {whole.statement}", "tone--bad" if _destroys(whole) else "")


def _destroys(radius: Radius) -> bool:
    return any(row.effect is Effect.DESTROYED for row in radius.objects)


def effect_texts(actions: Sequence[Action], radii: Radii) -> list[str]:
    """What a person has to know of the effects before saying yes: the sum, then owner by owner."""
    found = [one for action in actions if isinstance(one := radii.get(action.id), Radius)]
    if len(found) == 1 and not found[0].objects:
        return [f"Blast radius: {found[0].statement}."]
    whole = merged(found, of="")
    texts = [f"Blast radius: {whole.statement}."]
    for owner, rows in whole.by_owner().items():
        names = ", ".join(f"{row.kind.value} {row.name}" for row in rows[:NAMED])
        texts.append(f"  {owner.label}: {names}{' …' if len(rows) > NAMED else ''}")
    return texts + [f"  {note}" for note in whole.notes]


def radius_lines(radius: Radius, width: int) -> list[Line]:
    """The statement, what to know about it, then owner by owner each object."""
    tone = "tone--bad" if radius.objects else ""
    lines: list[Line] = [[(f" {line}", tone)] for line in wrap(radius.statement, width - 2)]
    lines += [[(f"   {line}", "tone--muted")] for note in radius.notes for line in wrap(note, width - 4)]
    for owner, rows in radius.by_owner().items():
        lines += _owner_lines(owner, rows, width)
    return lines


def _owner_lines(owner: Owner, rows: Sequence[Affected], width: int) -> list[Line]:
    lines: list[Line] = [
        [],
        [(f" {clean(owner.label)}", "tone--strong"), (f"  {counted(len(rows), 'object')}", "")],
    ]
    people = ", ".join(
        f"{one.username}{f' <{one.email}>' if one.email else ''}{f' ({one.role})' if one.role else ''}"
        for one in owner.people
    )
    lines += [[(f"   {line}", "tone--muted")] for line in wrap(people or "nobody is known", width - 4)]
    return [*lines, *(line for row in rows for line in _object_lines(row, width))]


def _object_lines(row: Affected, width: int) -> list[Line]:
    """Two lines: what it is and what becomes of it; then what else is known of it."""
    size = "" if not row.kind.has_size else "size ?" if row.size is None else size_words(row.size)
    name = max(8, width - _KIND - _SIZE - _CLASS - 19)
    facts = [
        row.id or "no id yet",
        row.state,
        f"created {row.created}" if row.created else "",
        f"{row.copies} copies" if row.copies > 1 else "",
        f"elsewhere: {row.elsewhere}",
    ]
    known = ", ".join(fact for fact in facts if fact)
    return [
        [
            (f"   {fit(row.kind.value, _KIND)} ", ""),
            (fit(row.name, name) + " ", "tone--strong"),
            (fit(row.effect.value, 12) + " ", EFFECT_TONES[row.effect]),
            (fit(size, _SIZE), ""),
            (fit(row.reversibility.value, _CLASS), REVERSIBILITY_TONES[row.reversibility]),
        ],
        [(f"     {fit(known, width - 6)}", "tone--muted")],
    ]
