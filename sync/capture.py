"""A capture as a value: a desired and an actual inventory of the same minute, and how it falls into parts.

Every object that an inventory lists is a part of its own, with a key under which it is found again in the
next capture; all else is the head. The lists are found by the inventories' types, so that whatever is read
in addition is captured with the rest. Pure; what writes captures is `capture_store`.
"""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Any

from sync.capture_codec import decode, encode
from sync.model import ActualInventory, Coverage, DesiredInventory, JsonObject, NetworkRule, Side

PartKey = tuple[str, str, int]
"""Name of the list (`actual.vms`), id or key of the object, and which of several with the same."""


@dataclass(frozen=True, slots=True)
class Capture:
    """Make it with `captured`: only then do equal readings make equal captures."""

    environment: str
    desired: DesiredInventory
    actual: ActualInventory
    network: NetworkRule | None = None
    """What network every project must have, where the environment asks for one."""

    @property
    def taken_at(self) -> datetime:
        """When the later of the two sides was read."""
        return max(self.desired.taken_at, self.actual.taken_at)

    @property
    def is_complete(self) -> bool:
        return self.desired.coverage.is_complete and self.actual.coverage.is_complete

    def coverages(self) -> tuple[tuple[Side, Coverage], ...]:
        return ((Side.DESIRED, self.desired.coverage), (Side.ACTUAL, self.actual.coverage))


def captured(
    environment: str,
    desired: DesiredInventory,
    actual: ActualInventory,
    *,
    network: NetworkRule | None = None,
) -> Capture:
    """Both sides as one, each list by the ids of what is in it: CloudStack promises no order."""
    return Capture(environment, _ordered(desired), _ordered(actual), network)


def _ordered(inventory: Any) -> Any:
    changed = {}
    of: type = DesiredInventory if isinstance(inventory, DesiredInventory) else ActualInventory
    for one in lists_of(of):
        rows = getattr(inventory, one.field)
        if rows is not None and not one.is_mapping:
            changed[one.field] = tuple(sorted(rows, key=one.key_of))
    return replace(inventory, **changed)


# --- in parts -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListField:
    """A field of an inventory that lists objects."""

    field: str
    of: type
    is_mapping: bool
    key: str
    """The field of the object that tells it from the others."""

    def key_of(self, row: object) -> str:
        return str(getattr(row, self.key))


@cache
def lists_of(inventory: type) -> tuple[ListField, ...]:
    """The lists of an inventory's type, in the order of its fields."""
    hints = typing.get_type_hints(inventory)
    return tuple(found for one in fields(inventory) if (found := _list_field(one.name, hints[one.name])))


def _list_field(name: str, hint: Any) -> ListField | None:
    if typing.get_origin(hint) in (typing.Union, UnionType):
        hint = next(one for one in typing.get_args(hint) if one is not NoneType)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin not in (tuple, Mapping) or not is_dataclass(arguments[origin is Mapping]):
        return None
    of = arguments[origin is Mapping]
    assert isinstance(of, type)
    names = [one.name for one in fields(of)]
    return ListField(name, of, origin is Mapping, "id" if "id" in names else names[0])


_SIDES: Mapping[str, type] = {"desired": DesiredInventory, "actual": ActualInventory}


def parts_of(capture: Capture) -> dict[PartKey, object]:
    """Every listed object of both sides."""
    found: dict[PartKey, object] = {}
    for side, inventory in _SIDES.items():
        for one in lists_of(inventory):
            name = f"{side}.{one.field}"
            for key, row in _keyed(one, getattr(getattr(capture, side), one.field)):
                number = 0
                while (name, key, number) in found:
                    number += 1
                found[name, key, number] = row
    return found


def _keyed(one: ListField, rows: Any) -> Iterator[tuple[str, object]]:
    if one.is_mapping:
        yield from rows.items()
    elif rows is not None:
        for row in rows:
            yield one.key_of(row), row


def head_of(capture: Capture) -> JsonObject:
    """All that is no listed object: scope, times, coverage, which lists were not read at all."""
    head: JsonObject = {
        "environment": capture.environment,
        "network": encode(NetworkRule | None, capture.network),
    }
    for side, inventory in _SIDES.items():
        value = getattr(capture, side)
        hints = typing.get_type_hints(inventory)
        lists = {one.field for one in lists_of(inventory)}
        head[side] = {
            one.name: encode(hints[one.name], getattr(value, one.name))
            for one in fields(inventory)
            if one.name not in lists
        }
        head[f"{side} unread"] = [name for name in sorted(lists) if getattr(value, name) is None]
    return head


def from_parts(head: JsonObject, parts: Mapping[PartKey, object]) -> Capture:
    """The capture that `head_of` and `parts_of` took apart."""
    rows: dict[str, dict[str, object] | list[object]] = {}
    for (name, key, _), row in sorted(parts.items(), key=lambda part: part[0]):
        side, _, field = name.partition(".")
        if next(one for one in lists_of(_SIDES[side]) if one.field == field).is_mapping:
            rows.setdefault(name, {})[key] = row  # type: ignore[call-overload]
        else:
            rows.setdefault(name, []).append(row)  # type: ignore[union-attr]
    sides = {side: _inventory(side, head, rows) for side in _SIDES}
    network = decode(NetworkRule | None, head["network"])
    return Capture(head["environment"], sides["desired"], sides["actual"], network)


def _inventory(side: str, head: JsonObject, rows: Mapping[str, Any]) -> Any:
    inventory = _SIDES[side]
    hints = typing.get_type_hints(inventory)
    unread = set(head[f"{side} unread"])
    values = {name: decode(hints[name], value) for name, value in head[side].items() if name in hints}
    for one in lists_of(inventory):
        found = rows.get(f"{side}.{one.field}", {} if one.is_mapping else ())
        made = found if one.is_mapping else tuple(found)
        values[one.field] = None if one.field in unread else made
    return inventory(**values)


def type_of(list_name: str) -> type | None:
    """The type of the objects in a list (`actual.vms`); None for a list that this abreast does not know."""
    side, _, field = list_name.partition(".")
    return next((one.of for one in lists_of(_SIDES[side]) if one.field == field), None)
