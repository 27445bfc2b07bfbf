"""The values of `sync.model` as JSON has them and back, by their types. Pure.

Fields that have their default are left out, so that a capture can be read by a later abreast whose values
have more fields. What is no value of the vocabulary (a `Secret` first of all) cannot be written.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any

Convert = Callable[[Any], Any]


class CodecError(ValueError):
    """What is there is not what the type asks for."""


def encode(hint: Any, value: object) -> Any:
    """`value`, which is of the type `hint`, as JSON has it. Raises TypeError for what may not be written."""
    return _encoder(hint)(value)


def decode(hint: Any, found: Any) -> Any:
    """The value of the type `hint` that `encode` wrote. Raises CodecError."""
    try:
        return _decoder(hint)(found)
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        raise CodecError(f"{getattr(hint, '__name__', hint)}: {problem}") from None


def as_text(value: object) -> bytes:
    """Canonical JSON: the same value is always the same bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode("ascii")


# --- writing ----------------------------------------------------------------------------------------------


@cache
def _encoder(hint: Any) -> Convert:
    hint = _without_none(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in _PLAIN:
        return _plain
    if origin is tuple:
        return _optional(_sequence(_encoder(arguments[0])))
    if origin is frozenset:
        return _optional(sorted)
    if origin is Mapping:
        return _optional(_dictionary(_encoder(arguments[1])))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _optional(lambda value: value.value)
    if hint is datetime:
        return _optional(lambda value: value.isoformat())
    if is_dataclass(hint):
        return _optional(_record_encoder(hint))
    raise TypeError(f"{hint} cannot be written into a capture")


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"{type(value).__name__} cannot be written into a capture")


def _sequence(one: Convert) -> Convert:
    return lambda values: [one(value) for value in values]


def _tuple(one: Convert) -> Convert:
    return lambda values: tuple([one(value) for value in values])


def _dictionary(one: Convert) -> Convert:
    return lambda values: {key: one(value) for key, value in values.items()}


def _optional(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _record_encoder(cls: Any) -> Convert:
    hints = typing.get_type_hints(cls)
    columns = [(one.name, _default_of(one), _encoder(hints[one.name])) for one in fields(cls)]

    def convert(value: Any) -> dict[str, Any]:
        made = {}
        for name, default, one in columns:
            held = getattr(value, name)
            if held is not default and held != default:
                made[name] = one(held)
        return made

    return convert


def _default_of(one: Field[Any]) -> Any:
    if one.default is not MISSING:
        return one.default
    return one.default_factory() if one.default_factory is not MISSING else MISSING


# --- reading ----------------------------------------------------------------------------------------------

_PLAIN = (str, int, float, bool)


@cache
def _decoder(hint: Any) -> Convert:
    optional = hint is not _without_none(hint)
    hint = _without_none(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    convert: Convert
    if hint in _PLAIN:
        convert = _checked(hint)
    elif origin is tuple:
        convert = _tuple(_decoder(arguments[0]))
    elif origin is frozenset:
        convert = frozenset
    elif origin is Mapping:
        convert = _dictionary(_decoder(arguments[1]))
    elif isinstance(hint, type) and issubclass(hint, Enum):
        convert = hint
    elif hint is datetime:
        convert = datetime.fromisoformat
    elif is_dataclass(hint):
        convert = _record_decoder(hint)
    else:
        raise TypeError(f"{hint} cannot be read from a capture")
    return _optional(convert) if optional else convert


def _checked(wanted: type) -> Convert:
    kinds = (int, float) if wanted is float else (wanted,)

    def check(found: Any) -> Any:
        if type(found) not in kinds:
            raise TypeError(f"{found!r:.40} is no {wanted.__name__}")
        return found

    return check


def _record_decoder(cls: Any) -> Convert:
    hints = typing.get_type_hints(cls)
    columns = {one.name: _decoder(hints[one.name]) for one in fields(cls)}

    def convert(found: dict[str, Any]) -> Any:
        return cls(**{name: columns[name](value) for name, value in found.items() if name in columns})

    return convert


def _without_none(hint: Any) -> Any:
    """`X` of `X | None`; any other type as it is."""
    if typing.get_origin(hint) in (typing.Union, UnionType):
        others = [one for one in typing.get_args(hint) if one is not NoneType]
        if len(others) == 1:
            return others[0]
    return hint
