"""Options that would do nothing are refused: whoever gave one expects it to do something."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence

from sync.errors import UsageError

_WORDS = {"projects": "naming projects"}
_PLAIN = "text"
"""The `--format` that everything has."""


def refuse_idle(
    arguments: argparse.Namespace, options: Sequence[str], *, used: Collection[str], here: str
) -> None:
    """Raises UsageError for those of the `options` that were given and not `used` `here` (`with --undo`)."""
    idle = [
        _WORDS.get(name, f"--{name.replace('_', '-')}")
        for name in options
        if name not in used and getattr(arguments, name) not in (None, False, [], _PLAIN)
    ]
    if idle:
        verb = "does" if len(idle) == 1 else "do"
        raise UsageError(
            f"{' and '.join(idle)} {verb} nothing {here}, so nothing was done.",
            next_step="Leave it out; --help says what each option is for.",
        )
