"""A plan put into a file with the text to sign beside it, and signatures that came back put beside both."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import quote

from sync import atomic_file
from sync.approval import write_objects
from sync.errors import UsageError, unwritable
from sync.model import Plan
from sync.plan_file import to_json
from sync.ssh_signature import LONGEST_SIGNATURE

_LONGEST_NAME = 120
"""Characters of what a signature is called."""
_MOST = 50
"""Signatures taken in at once."""


def write_plan(plan: Plan, folder: Path) -> Path:
    """Write plan and text into the folder, which is made. The same plan has the same name, and its
    signatures stay beside it. Raises UsageError, StorageError when it cannot be written."""
    path = folder / f"plan-{plan.digest[:12]}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(f"{folder} cannot be made", error) from None
    text = json.dumps(to_json(plan), ensure_ascii=False, indent=2) + "\n"
    atomic_file.share(path, text)
    write_objects(plan, path)
    return path


def take_in(plan_file: Path, source: Path) -> tuple[Path, ...]:
    """Copy a signature file, or all `*.sig` files of a folder, beside the plan, where they are judged.

    Nothing there is replaced by something else. Raises UsageError as `signatures_in`, StorageError.
    """
    found = signatures_in(source)
    try:
        return tuple(_take(plan_file, file, content) for file, content in found.items())
    except OSError as error:
        raise UsageError(f"What lies beside {plan_file} cannot be read: {error.strerror}.") from None


def signatures_in(source: Path) -> dict[Path, bytes]:
    """What is in a signature file, or in all `*.sig` files of a folder.

    Raises UsageError when there is none, there are too many, or one is no signature by its size.
    """
    try:
        files = sorted(source.glob("*.sig")) if source.is_dir() else [source]
        if not files:
            raise UsageError(f"{source} has no file that ends in .sig.")
        if len(files) > _MOST:
            raise UsageError(f"{source} has {len(files)} files that end in .sig: too many at once.")
        return {file: signature_in(file) for file in files}
    except OSError as error:
        raise UsageError(f"{source} cannot be read: {error.strerror}.") from None


def signature_in(file: Path) -> bytes:
    """What is in one signature file. Raises UsageError when it cannot be read, or is none by its size."""
    try:
        with file.open("rb") as stream:
            content = stream.read(LONGEST_SIGNATURE + 1)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from None
    if len(content) > LONGEST_SIGNATURE:
        raise UsageError(f"{file} is no signature: it is longer than {LONGEST_SIGNATURE // 1024} KiB.")
    return content


def _take(plan_file: Path, source: Path, content: bytes) -> Path:
    name = source.name.removesuffix(".sig").removeprefix(f"{plan_file.name}.")
    name = quote(name, safe="@+")[:_LONGEST_NAME] or "signature"
    number = 1
    while True:
        suffix = "" if number == 1 else f"-{number}"
        path = plan_file.with_name(f"{plan_file.name}.{name}{suffix}.sig")
        if not os.path.lexists(path):
            atomic_file.share(path, content)
            return path
        if path.read_bytes() == content:
            return path
        number += 1
