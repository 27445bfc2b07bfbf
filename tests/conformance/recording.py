"""Reading recordings: a folder a release, with the exchanges and a manifest that says how to replay them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Exchange:
    """One recorded request with its answer."""

    release: str
    file: str
    number: int
    """Counted from 1, as the manifest does."""
    caller: str
    method: str
    params: dict[str, str]
    status: int
    body: Any
    cut: bool

    @property
    def name(self) -> str:
        """`4.23/identity:12`."""
        return f"{self.release}/{self.file}:{self.number}"

    @property
    def reads(self) -> bool:
        """Whether the replay may let time pass for it."""
        return self.params["command"].lower().startswith(("list", "get", "query"))


@dataclass(frozen=True)
class Recording:
    """All that is to be replayed of one release."""

    release: str
    folder: Path
    order: tuple[str, ...]
    settings: dict[str, str]
    before: dict[str, dict[str, str]]
    open: frozenset[str]

    @classmethod
    def read(cls, folder: Path) -> Recording:
        """Read a release's manifest."""
        known = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        return cls(
            release=known["release"],
            folder=folder,
            order=tuple(known["order"]),
            settings={name: str(value) for name, value in known["settings"].items()},
            before=known["before"],
            open=frozenset(known["open"]),
        )

    def exchanges(self, file: str) -> Iterator[Exchange]:
        """The exchanges of one file, in order."""
        lines = (self.folder / f"{file}.jsonl").read_text(encoding="utf-8").splitlines()
        for number, line in enumerate((line for line in lines if line.strip()), 1):
            one = json.loads(line)
            yield Exchange(
                release=self.release,
                file=file,
                number=number,
                caller=one["caller"],
                method=one["method"],
                params=one["params"],
                status=one["status"],
                body=one["body"],
                cut=bool(one.get("cut")),
            )

    def start(self) -> datetime:
        """The first `created` of the release, at which the replay's clock starts."""
        for file in self.order:
            for exchange in self.exchanges(file):
                found = re.search(r'"created": "([^"]+)"', json.dumps(exchange.body))
                if found:
                    return datetime.strptime(found[1], "%Y-%m-%dT%H:%M:%S%z")
        raise ValueError(f"{self.folder} records no object that was created, so its clock cannot be set")

    def settings_from(self, file: str) -> dict[str, str]:
        """What changes in the server's settings when a file begins; all of them with the first file."""
        changed: dict[str, str] = {}
        first = file == self.order[0]
        for name, value in self.settings.items():
            later = re.search(rf"\bfrom {re.escape(file)} on\b|(\d+) from {re.escape(file)} on\b", value)
            if name == "api.throttling":
                limit = re.search(r"(\d+) calls a second", value)
                if limit and (later or (first and not value.startswith("off"))):
                    changed |= {"api.throttling.enabled": "true", "api.throttling.max": limit[1]}
            elif later:
                changed[name] = re.findall(rf"(\d+) from {re.escape(file)} on", value)[0]
            elif first:
                plain = re.fullmatch(r"(\S+) in force.*", value)
                changed[name] = plain[1] if plain else value
        return changed


def releases(folder: Path) -> list[Recording]:
    """The recordings in a folder, by release. Raises FileNotFoundError if there are none."""
    found = sorted(path.parent for path in folder.glob("*/manifest.json"))
    if not found:
        raise FileNotFoundError(f"{folder} has no folder with a manifest.json in it")
    return [Recording.read(one) for one in found]
