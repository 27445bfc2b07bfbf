"""Keys for people: as they are remapped, as they are called, as the README lists them.

What is remapped is proven before it is used: every id is a command's, no key of a screen has two commands.
Textual would let one of them silently lose.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from textual.binding import Binding, BindingError, InvalidBinding
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, key_to_character

from console.commands import BY_ID, COMMANDS, SCOPES, Command, in_scope
from sync.errors import ConfigurationError

KEY_NAMES: Mapping[str, str] = {
    "slash": "/",
    "question_mark": "?",
    "exclamation_mark": "!",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
    "enter": "enter",
}
"""Textual's names of keys that people call otherwise, and those that it shows as a sign."""

_MODIFIERS = {"ctrl", "shift", "alt", "super", "hyper", "meta"}
_NAMED_KEYS = frozenset(
    (
        *(key.value for key in Keys if "+" not in key.value and "<" not in key.value),
        *KEY_NAME_REPLACEMENTS.values(),
    )
)

_OWN = {"tab": "goes to the next list", "shift+tab": "goes to the list before", "ctrl+q": "quits"}
"""Keys that Textual has itself, and what they do."""


def checked_keymap(keys: Mapping[str, str]) -> dict[str, str]:
    """The configuration's `keys`, proven. Raises ConfigurationError for an id that no command has, for what
    is no key, and for a key that something else on the same screen has."""
    if not keys:
        return {}
    for id in keys:
        if id not in BY_ID:
            near = difflib.get_close_matches(id, BY_ID, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "`?` in the console lists the commands."
            raise ConfigurationError(f"keys: there is no command {id!r}.", next_step=hint)
    mapped = {one.id: tuple(_keys_of(one, keys)) for one in COMMANDS}
    _refuse_keys_of_lists({id: mapped[id] for id in keys})
    for scope in SCOPES:
        _refuse_twins(scope, mapped)
    return dict(keys)


def _keys_of(found: Command, keys: Mapping[str, str]) -> Iterator[str]:
    """Its keys as Textual names them: `slash` for `/`."""
    text = keys.get(found.id, found.keys)
    try:
        named = [one.key for one in Binding.make_bindings([Binding(text, found.action)])]
    except (BindingError, InvalidBinding):
        named = []
    if not named or not all(map(_is_key, named)):
        raise ConfigurationError(
            f"keys: {text!r} of {found.id!r} is no key.",
            next_step=f"Name one as `{found.keys}`; several are separated by commas.",
        )
    yield from dict.fromkeys(named)


def _is_key(key: str) -> bool:
    """Whether a terminal can send it: `f5`, `slash`, `é`, `ctrl+x`."""
    *modifiers, base = key.split("+")
    return set(modifiers) <= _MODIFIERS and (base in _NAMED_KEYS or key_to_character(base) is not None)


def _refuse_keys_of_lists(mapped: Mapping[str, tuple[str, ...]]) -> None:
    """What moves the cursor in every list is nearer than any command: the command would never run."""
    from widgets.virtual_list import VirtualList

    moves = (binding.key for binding in Binding.make_bindings(VirtualList.BINDINGS))
    taken = {**dict.fromkeys(moves, "moves the cursor in every list"), **_OWN}
    for id, keys in mapped.items():
        own = BY_ID[id]
        for key in keys:
            if key in taken and key not in own.keys.split(","):
                raise ConfigurationError(
                    f"keys: {_shown(key)!r} of {id!r} {taken[key]}.", next_step=f"Give {id!r} another key."
                )


def _refuse_twins(scope: str, mapped: Mapping[str, tuple[str, ...]]) -> None:
    """Within a scope, and between it and what works everywhere, a key belongs to one command."""
    owners: dict[str, str] = {}
    for one in COMMANDS:
        if scope not in one.scopes and "app" not in one.scopes:
            continue
        for key in mapped[one.id]:
            other = owners.setdefault(key, one.id)
            if other != one.id:
                where = SCOPES[scope] if scope != "app" else "every screen"
                raise ConfigurationError(
                    f"keys: {_shown(key)!r} would be {other!r} and {one.id!r} on {where}.",
                    next_step=f"Give {other!r} or {one.id!r} another key.",
                )


def _shown(key: str) -> str:
    return KEY_NAMES.get(key, key)


def by_key(scope: str, key: str) -> Command | None:
    """The command of that scope whose default key this is, by Textual's name or as people call it."""
    return next(
        (
            command
            for command in in_scope(scope)
            if any(key in (one, KEY_NAMES.get(one)) for one in command.keys.split(","))
        ),
        None,
    )


def by_mapped_key(scope: str, key: str, keymap: Mapping[str, str]) -> Command | None:
    """The command of that scope whose key this is, by Textual's name, as `keymap` remaps them."""
    return next((one for one in in_scope(scope) if key in _keys_of(one, keymap)), None)


def shown_keys(command: Command, keymap: Mapping[str, str]) -> str:
    """The keys of a command for people, as `keymap` remaps them: `/`, `ctrl+p`."""
    keys = keymap.get(command.id, command.keys)
    return " ".join(_shown(key.strip()) for key in keys.split(","))


def markdown_table() -> str:
    """The README's table of keys: id, keys, where, what."""
    lines = ["| id | keys | where | what it does |", "| --- | --- | --- | --- |"]
    for command in COMMANDS:
        keys = " ".join(f"`{key}`" for key in shown_keys(command, {}).split(" "))
        where = ", ".join(SCOPES[scope] for scope in command.scopes)
        note = " Only while armed." if command.dangerous else ""
        lines.append(f"| `{command.id}` | {keys} | {where} | {command.help}{note} |")
    return "\n".join(lines)
