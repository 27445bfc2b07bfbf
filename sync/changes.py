"""What changed between two captures, by row and object. Pure.

What only one of them shows has appeared or gone only where the other one is complete on that side; else it
was not seen, which says nothing.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from itertools import chain

from sync.capture import Capture, PartKey, parts_of
from sync.model import Account, Domain, Side, project_key


class Turn(Enum):
    """What became of it; the value is the word on screen."""

    GONE = "gone"
    APPEARED = "appeared"
    CHANGED = "changed"
    NOT_SEEN = "not seen"

    @property
    def glyph(self) -> str:
        return {"gone": "-", "appeared": "+", "changed": "~", "not seen": "·"}[self.value]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it was."""

    row: str
    """Key of the project or domain; empty for what belongs to none."""
    side: Side
    what: str
    """`VM`, `user`, …"""
    name: str
    turn: Turn
    field: str = ""
    """Which field of it, where it changed."""
    before: str | None = None
    after: str | None = None


NOUNS: Mapping[str, str] = {
    "desired.projects": "project",
    "desired.retired": "retirement",
    "actual.domains": "domain",
    "actual.elsewhere": "domain elsewhere",
    "actual.accounts": "account",
    "actual.vms": "VM",
    "actual.volumes": "volume",
    "actual.snapshots": "snapshot",
    "actual.templates": "template",
    "actual.isos": "ISO",
    "actual.networks": "network",
    "actual.public_addresses": "public address",
    "actual.projects": "CloudStack Project",
    "actual.jobs": "job",
}
"""List of a capture → what one of it is called; a list that is not here is called by its own name."""
_NESTED = {
    "users": "user",
    "members": "member",
    "unusable": "unusable member",
    "agents": "agent",
    "nics": "NIC",
}
"""Fields of objects that hold objects themselves → what one of those is called."""
_SIDES = {"desired": Side.DESIRED, "actual": Side.ACTUAL}
_RANKS = {turn: rank for rank, turn in enumerate(Turn)}


def changes(before: Capture, after: Capture) -> tuple[Change, ...]:
    """Everything that differs, by row, then what is gone first, then by what it is and its name."""
    found = chain.from_iterable(
        _of_part(key, old.get(key), new.get(key), worlds)
        for old, new, worlds in [(parts_of(before), parts_of(after), _Worlds(before, after))]
        for key in {**old, **new}
        if old.get(key) != new.get(key)
    )
    return tuple(sorted(found, key=_order))


def _order(one: Change) -> tuple[str, int, str, str, str, str]:
    return one.row, _RANKS[one.turn], one.side.value, one.what, one.name, one.field


class _Worlds:
    """Both captures, for the questions whose a thing is and what its absence proves."""

    def __init__(self, before: Capture, after: Capture) -> None:
        self._parent = after.actual.scope.parent.casefold().split("/")
        self._paths = {domain.id: domain.path for one in (before, after) for domain in one.actual.domains}
        self._keys = {
            row: project_key(key)
            for one in (before, after)
            for key, project in one.desired.projects.items()
            for row in (key, project.name)
        }
        self._proves = {
            (side, when): coverage.is_complete
            for when, one in (("before", before), ("after", after))
            for side, coverage in one.coverages()
        }

    def row_of(self, side: Side, key: str, part: object) -> str:
        """The key of the row that an object belongs to."""
        if side is Side.DESIRED:
            return self._keys.get(key, project_key(key))
        path = part.path if isinstance(part, Domain) else getattr(part, "domain_path", "")
        if isinstance(part, Account):
            path = self._paths.get(part.domain_id, "")
        names = path.split("/")
        if [name.casefold() for name in names[: len(self._parent)]] != self._parent:
            return path
        return project_key(names[len(self._parent)]) if len(names) > len(self._parent) else ""

    def turn(self, side: Side, *, is_gone: bool) -> Turn:
        """What it means that only one of them shows an object."""
        if not self._proves[side, "after" if is_gone else "before"]:
            return Turn.NOT_SEEN
        return Turn.GONE if is_gone else Turn.APPEARED


def _of_part(key: PartKey, old: object, new: object, worlds: _Worlds) -> Iterator[Change]:
    name, id, _ = key
    side = _SIDES[name.partition(".")[0]]
    row = worlds.row_of(side, id, new if new is not None else old)
    yield from _of_object(row, side, NOUNS.get(name, name), old, new, worlds)


def _of_object(
    row: str, side: Side, what: str, old: object, new: object, worlds: _Worlds
) -> Iterator[Change]:
    one = new if new is not None else old
    called = _name_of(one)
    if old is None or new is None:
        yield Change(row, side, what, called, worlds.turn(side, is_gone=new is None))
        return
    assert is_dataclass(one)
    for field in fields(one):
        earlier, later = getattr(old, field.name), getattr(new, field.name)
        if earlier == later:
            continue
        if field.name in _NESTED:
            yield from _of_rows(row, side, _NESTED[field.name], (earlier, later), worlds)
        elif isinstance(earlier or later, Mapping):
            yield from _of_mapping(row, side, what, called, field.name, (earlier or {}, later or {}))
        else:
            yield Change(row, side, what, called, Turn.CHANGED, field.name, _text(earlier), _text(later))


def _of_rows(
    row: str, side: Side, what: str, both: tuple[typing.Any, typing.Any], worlds: _Worlds
) -> Iterator[Change]:
    old, new = ({_key_of(one): one for one in rows} for rows in both)
    for key in {**old, **new}:
        if old.get(key) != new.get(key):
            yield from _of_object(row, side, what, old.get(key), new.get(key), worlds)


def _of_mapping(
    row: str, side: Side, what: str, name: str, field: str, both: tuple[typing.Any, typing.Any]
) -> Iterator[Change]:
    old, new = both
    for key in {**old, **new}:
        if old.get(key) != new.get(key):
            label = f"{field} {key}"
            yield Change(row, side, what, name, Turn.CHANGED, label, _text(old.get(key)), _text(new.get(key)))


def _key_of(one: object) -> str:
    return str(getattr(one, "id", None) or _name_of(one))


def _name_of(one: object) -> str:
    for field in ("name", "username", "project", "address", "id"):
        name = getattr(one, field, None)
        if name:
            return str(name)
    return "?"


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value)
    return str(value)
