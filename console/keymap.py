"""Keys for people: as they are remapped, as they are called, as the README lists them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from console import commands
from sync.errors import ConfigurationError

KEY_NAMES = {"slash": "/", "question_mark": "?", "escape": "esc", "enter": "enter"}


def shown_keys(command: commands.Command, keymap: Mapping[str, str]) -> str:
    """The keys of a command for people, as `keymap` remaps them: `/`, `ctrl+p`."""
    keys = keymap.get(command.id, command.keys)
    return " ".join(KEY_NAMES.get(key.strip(), key.strip()) for key in keys.split(","))


def checked_keymap(keys: Mapping[str, str]) -> dict[str, str]:
    """The configuration's `keys`, proven. Raises ConfigurationError for an id that no command has."""
    for id in keys:
        if id not in commands.BY_ID:
            near = difflib.get_close_matches(id, commands.BY_ID, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "`?` in the console lists the commands."
            raise ConfigurationError(f"keys: there is no command {id!r}.", next_step=hint)
    return dict(keys)


def markdown_table() -> str:
    """The README's table of keys: id, keys, where, what."""
    lines = ["| id | keys | where | what it does |", "| --- | --- | --- | --- |"]
    for command in commands.COMMANDS:
        keys = " ".join(f"`{_KEY_WORDS.get(key, key)}`" for key in command.keys.split(","))
        where = ", ".join(commands.SCOPES[scope] for scope in command.scopes)
        note = " Only while armed." if command.dangerous else ""
        lines.append(f"| `{command.id}` | {keys} | {where} | {command.help}{note} |")
    return "\n".join(lines)


_KEY_WORDS: Mapping[str, str] = {
    "slash": "/",
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
}
"""Textual's names of keys that people call otherwise."""
