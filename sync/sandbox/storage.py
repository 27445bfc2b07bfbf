"""What secondary storage serves: a small content of each object's own, the same each time, by range too.

Nothing of it was recorded. The content stands for the object and is far smaller than its size.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

PATH = "/userdata/{name}"
SIZE = 100_000
"""Bytes of each."""
_RANGE = re.compile(r"bytes=(\d+)-")


def content(id: str) -> bytes:
    """What is behind the address of an object."""
    return hashlib.shake_256(id.encode()).digest(SIZE)


def answer(id: str | None, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of an answer; `id` is None for an address that nobody was given."""
    if id is None:
        return 404, {}, b""
    whole, tag = content(id), f'"{hashlib.sha256(id.encode()).hexdigest()[:16]}"'
    made = {"ETag": tag, "Accept-Ranges": "bytes"}
    wanted = _RANGE.fullmatch(headers.get("Range", ""))
    if wanted is None or headers.get("If-Range", tag) != tag:
        return 200, made, whole
    start = int(wanted[1])
    if start >= len(whole):
        return 416, made | {"Content-Range": f"bytes */{len(whole)}"}, b""
    return 206, made | {"Content-Range": f"bytes {start}-{len(whole) - 1}/{len(whole)}"}, whole[start:]
