"""How captures stand in the rows of their file: what is packed, the keys, and the digests. Pure."""

from __future__ import annotations

import hashlib
import json
import zlib
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sync.capture import PartKey, type_of
from sync.capture_codec import as_text, encode

Pack = Callable[[bytes], bytes]


@dataclass(slots=True)
class State:
    """What a capture has in it, and the sum of the digests of all that."""

    id: int
    parts: dict[PartKey, object]
    total: int


MODULUS = 1 << 256


def digest_of(key: PartKey, content: bytes) -> int:
    """Of one object. Their sum is that of a capture: it can be carried on from one capture to the next."""
    named = as_text(list(key))
    return int.from_bytes(hashlib.sha256(named + b"\0" + content).digest(), "big")


def sealed(head: bytes, total: int) -> str:
    return hashlib.sha256(head + b"\0" + total.to_bytes(32, "big")).hexdigest()


def content_of(key: PartKey, row: object) -> bytes:
    of = type_of(key[0])
    assert of is not None, key
    return as_text(encode(of, row))


def safe(text: str) -> str:
    """A key that SQLite keeps as it is, whatever is in it: escaped as JSON has it, in ASCII."""
    return json.dumps(text)[1:-1]


def unsafe(text: str) -> str:
    key = json.loads(f'"{text}"')
    assert isinstance(key, str)
    return key


def stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def last_seen(ids: list[int], first: int, until: int | None) -> int | None:
    """The newest of the captures (ascending ids) that shows what was there from `first` until `until`."""
    place = len(ids) if until is None else bisect_left(ids, until)
    return ids[place - 1] if place and ids[place - 1] >= first else None


def packer(dictionary: bytes) -> Pack:
    """Deflates; the dictionary has the texts that are to be expected."""

    def pack(content: bytes) -> bytes:
        made = zlib.compressobj(6, zlib.DEFLATED, -15, 8, zlib.Z_DEFAULT_STRATEGY, dictionary)
        return made.compress(content) + made.flush()

    return pack


def unpacker(dictionary: bytes) -> Pack:
    """Takes apart what `packer` made with the same dictionary. Raises zlib.error."""

    def unpack(packed: bytes) -> bytes:
        made = zlib.decompressobj(-15, dictionary)
        return made.decompress(packed) + made.flush()

    return unpack
