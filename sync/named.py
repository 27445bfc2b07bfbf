"""What a plan names and no inventory lists (roles, zones, network offerings): whether the server has it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from sync.errors import DataError, GuardError, SourceError
from sync.lookup import ReaderLike
from sync.model import Action, ActionKind

_NONE: Mapping[str, str] = MappingProxyType({})
_NAMING: Mapping[ActionKind, tuple[str, ...]] = MappingProxyType(
    {ActionKind.CREATE_ACCOUNT: ("role",), ActionKind.CREATE_NETWORK: ("zone", "offering")}
)
"""Which parameters are such names; the `offering` of a VM is one of another kind."""


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
    wanted = _wanted(actions)
    found: dict[str, dict[str, str]] = {name: {} for name in wanted}
    asks = _asks(reader)
    problem = ""
    for name, values in wanted.items():
        for value in sorted(values):
            try:
                found[name][value] = _id(asks[name], value)
            except SourceError as error:
                problem = str(error)
    return Named(found["role"], found["zone"], found["offering"], problem)


def refuse_unnamed(actions: Iterable[Action], reader: ReaderLike) -> None:
    """Raises GuardError where actions name what the server does not have, with all such names: found only
    when it is sent, half of the plan would be made before. SourceError where it cannot be asked.
    """
    given, missing = tuple(actions), []
    for name, values in _wanted(given).items():
        for value in sorted(values):
            try:
                _asks(reader)[name](value)
            except DataError as error:
                count = sum(_names(action).get(name) == value for action in given)
                missing.append(f"{error.what} Actions of the plan that need it: {count}.")
    if missing:
        raise GuardError(
            " ".join(missing),
            next_step="Nothing was sent. Correct the name in abreast.toml, then make the plan again.",
        )


def _wanted(actions: Iterable[Action]) -> dict[str, set[str]]:
    """The names that must be there, by the parameter that has them."""
    wanted: dict[str, set[str]] = {"role": set(), "zone": set(), "offering": set()}
    for action in actions:
        for name, value in _names(action).items():
            wanted[name].add(value)
    return wanted


def _names(action: Action) -> dict[str, str]:
    names = _NAMING.get(action.kind, ())
    return {name: action.parameters[name] for name in names if name in action.parameters}


def _asks(reader: ReaderLike) -> dict[str, Callable[[str], str]]:
    return {"role": reader.role_id, "zone": reader.zone_id, "offering": reader.network_offering_id}


def _id(ask: Callable[[str], str], name: str) -> str:
    try:
        return ask(name)
    except DataError:
        return ""
