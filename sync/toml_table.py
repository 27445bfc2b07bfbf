"""One table of the configuration file, read key by key, with the key's path in every complaint."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from sync.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Table:
    """A TOML table, the file it is in and its path there. All readers raise ConfigurationError."""

    file: Path
    path: str
    values: Mapping[str, Any]

    def where(self, key: str = "") -> str:
        """`file: path.of.key`, as every message begins."""
        dotted = ".".join(part for part in (self.path, key) if part)
        return f"{self.file}: {dotted}" if dotted else f"{self.file}"

    def fail(self, key: str, what: str, *, next_step: str = "") -> NoReturn:
        raise ConfigurationError(f"{self.where(key)} {what}.", next_step=next_step)

    def allow(self, *known: str) -> None:
        """Refuse every key that is not known, naming the nearest one that is."""
        for key in self.values:
            if key in known:
                continue
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            guess = f"Did you mean `{near[0]}`? " if near else ""
            self.fail(key, "is not a key that is known", next_step=f"{guess}Known here: {', '.join(known)}.")

    def text(self, key: str, *, default: str = "") -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str):
            self.fail(key, "must be a text in quotes")
        return value

    def required_text(self, key: str, *, example: str) -> str:
        value = self.text(key).strip()
        if not value:
            self.fail(key, "is missing or empty", next_step=f'Write {key} = "{example}".')
        return value

    def number(self, key: str, *, default: float, least: float, most: float = math.inf) -> float:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            upper = f" and at most {most:g}" if most < math.inf else ""
            self.fail(key, f"must be a number of at least {least:g}{upper}, without quotes")
        return float(value)

    def truth(self, key: str, *, default: bool) -> bool:
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            self.fail(key, "must be true or false, without quotes")
        return value

    def whole(self, key: str, *, default: int, least: int, most: int) -> int:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.fail(key, f"must be a whole number from {least} to {most}, without quotes")
        return value

    def table(self, key: str) -> Table:
        """A table below this one; empty when it is not there."""
        value = self.values.get(key, {})
        dotted = f"{self.path}.{key}" if self.path else key
        if not isinstance(value, dict):
            self.fail(key, "must be a table", next_step=f"Write [{dotted}] and its keys on the lines below.")
        return Table(self.file, dotted, value)

    def tables(self, key: str) -> tuple[object, ...]:
        """An array of tables, as it stands; empty when it is not there."""
        value = self.values.get(key, [])
        dotted = f"{self.path}.{key}" if self.path else key
        if not isinstance(value, list):
            self.fail(key, "must be a list", next_step=f"Write [[{dotted}]] and its keys on the lines below.")
        return tuple(value)

    def texts(self) -> dict[str, str]:
        """The whole table as key → text."""
        return {key: self.text(key) for key in self.values}

    def file_named(self, key: str) -> Path:
        """A file, `~` expanded, relative to the folder of the configuration file."""
        return self.file.parent / Path(self.text(key)).expanduser()


def read_table(file: Path, text: str) -> Table:
    """The root table of a configuration file. Raises ConfigurationError with the line where it is no TOML."""
    try:
        return Table(file, "", tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{file}: not valid TOML: {error}.",
            next_step="Text stands in double quotes, and [table] names on a line of their own.",
        ) from None


def only_one(table: Table, keys: Iterable[str]) -> None:
    """Refuse two keys that say the same thing."""
    given = [key for key in keys if key in table.values]
    if len(given) > 1:
        table.fail(given[1], f"and `{given[0]}` are both given", next_step="Keep one of them.")
