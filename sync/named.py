"""What a plan names and no inventory lists (roles, zones, network offerings): whether the server has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sync.errors import DataError, SourceError
from sync.lookup import ReaderLike
from sync.model import Action

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Named:
    """Name → id on the server; an empty id where it has none of that name."""

    roles: Mapping[str, str] = field(default_factory=lambda: _NONE)
    zones: Mapping[str, str] = field(default_factory=lambda: _NONE)
    network_offerings: Mapping[str, str] = field(default_factory=lambda: _NONE)
    problem: str = ""
    """Why not everything was asked; empty when it was."""


def ask_for_named(reader: ReaderLike, actions: Iterable[Action]) -> Named:
    """Ask the server for each name once; reads only. What could not be asked is left out, and said."""
    wanted: dict[str, set[str]] = {"role": set(), "zone": set(), "offering": set()}
    for action in actions:
        for name, values in wanted.items():
            if name in action.parameters:
                values.add(action.parameters[name])
    found: dict[str, dict[str, str]] = {name: {} for name in wanted}
    asks = {"role": reader.role_id, "zone": reader.zone_id, "offering": reader.network_offering_id}
    problem = ""
    for name, values in wanted.items():
        for value in sorted(values):
            try:
                found[name][value] = _id(asks[name], value)
            except SourceError as error:
                problem = str(error)
    return Named(found["role"], found["zone"], found["offering"], problem)


def _id(ask: Callable[[str], str], name: str) -> str:
    try:
        return ask(name)
    except DataError:
        return ""
