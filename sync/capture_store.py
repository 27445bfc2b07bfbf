"""Captures in a SQLite file: those of an environment over time, or a single one to take along.

An object is written once for as long as it stays the same, with the captures between which it was so: an
instant is read by one query, and what is let go takes with it only what no other capture shows. Every capture
has a digest over all that is in it, which is compared whenever it is read. The file is its owner's alone.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from sync.capture import Capture, PartKey, from_parts, head_of, parts_of, type_of
from sync.capture_codec import CodecError, as_text, decode
from sync.capture_database import connect, transaction
from sync.capture_rows import (
    MODULUS,
    State,
    content_of,
    digest_of,
    last_seen,
    packer,
    safe,
    sealed,
    stamp,
    unpacker,
    unsafe,
)
from sync.capture_rules import Thinning
from sync.capture_schedule import let_go
from sync.errors import CaptureError
from sync.model import Contents, CoverageState

_DICTIONARY_SIZE = 4096


@dataclass(frozen=True, slots=True)
class CaptureEntry:
    """One capture of a store, without what is in it."""

    id: int
    taken_at: datetime
    desired: CoverageState
    actual: CoverageState
    counts: Mapping[str, int]
    """Name of the list (`actual.vms`) → objects in it, without the parent domain, which holds the others and
    is counted nowhere; only those that have any."""
    changed: int
    """Objects that appeared, went or changed since the capture before."""
    digest: str

    @property
    def is_complete(self) -> bool:
        return CoverageState.COMPLETE is self.desired is self.actual


class CaptureStore:
    """The captures in one file. Threads may share it; several processes may write to the same one."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Opens the file, and makes it where it is to be written. Raises CaptureError."""
        self.path = path
        self._lock = threading.RLock()
        self._state: State | None = None
        """What the newest capture has in it, as far as this process knows."""
        self._users: tuple[int, frozenset[str]] | None = None
        """The newest capture, and the ids of the users in it."""
        with self._guarded("opened"):
            self._connection = connect(path, read_only=read_only)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file."""
        with self._lock:
            self._connection.close()
            self._state = None

    # --- writing ------------------------------------------------------------------------------------------

    def add(self, capture: Capture, *, thinning: Thinning | None = None) -> CaptureEntry | None:
        """Writes a capture, and lets older ones go; None where the store has a newer one, by whomever.

        Raises CaptureError; nothing of the capture is written then.
        """
        with self._lock, self._guarded("written"), self._transaction():
            newest = self._newest()
            if newest is not None and newest[1] >= capture.taken_at:
                return None
            self._remember_dictionaries(capture)
            before = self._state_of(newest[0] if newest is not None else 0)
            id = before.id + 1
            after, changed = self._write_parts(before, parts_of(capture), id)
            entry = self._write_entry(capture, after, changed=changed, id=id)
            if thinning is not None:
                self._drop(let_go(self._times(), capture.taken_at, thinning))
        self._state = after
        return entry

    def _write_parts(self, before: State, parts: dict[PartKey, object], id: int) -> tuple[State, int]:
        ended, begun, total = [], [], before.total
        held = before.parts
        for key, row in held.items():
            if key not in parts:
                ended.append(key)
                total -= digest_of(key, content_of(key, row))
        for key, row in parts.items():
            earlier = held.get(key)
            if earlier is row or earlier == row:
                continue
            if earlier is not None:
                ended.append(key)
                total -= digest_of(key, content_of(key, earlier))
            content = content_of(key, row)
            total += digest_of(key, content)
            begun.append((key, row, content))
        self._connection.executemany(
            f"UPDATE versions SET until = {id} WHERE list = ? AND key = ? AND number = ? AND until IS NULL",  # noqa: S608 - a number of our own
            [(name, safe(key), number) for name, key, number in ended],
        )
        pack = packer(self._dictionary("parts"))
        self._connection.executemany(
            "INSERT INTO versions VALUES (?, ?, ?, ?, NULL, ?, ?)",
            [
                (name, safe(key), number, id, safe(getattr(row, "domain_id", "")), pack(content))
                for (name, key, number), row, content in begun
            ],
        )
        changed = len(begun) + sum(key not in parts for key in ended)
        return State(id, parts, total % MODULUS), changed

    def _write_entry(self, capture: Capture, state: State, *, changed: int, id: int) -> CaptureEntry:
        head = as_text(head_of(capture))
        parent = ("actual.domains", capture.actual.parent_id or "")
        counts: dict[str, int] = {}
        for name, key, _ in state.parts:
            if (name, key) != parent:
                counts[name] = counts.get(name, 0) + 1
        entry = CaptureEntry(
            id=id,
            taken_at=capture.taken_at,
            desired=capture.desired.coverage.state,
            actual=capture.actual.coverage.state,
            counts=counts,
            changed=changed,
            digest=sealed(head, state.total),
        )
        self._connection.execute(
            "INSERT INTO captures VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                id,
                stamp(capture.taken_at),
                entry.desired.value,
                entry.actual.value,
                json.dumps(counts),
                changed,
                packer(self._dictionary("head"))(head),
                entry.digest,
            ),
        )
        return entry

    def _drop(self, ids: Iterable[int]) -> None:
        gone = [(id,) for id in ids]
        if not gone:
            return
        self._connection.executemany("DELETE FROM captures WHERE id = ?", gone)
        self._connection.execute(
            "DELETE FROM versions WHERE until IS NOT NULL AND NOT EXISTS "
            "(SELECT 1 FROM captures WHERE id >= versions.first AND id < versions.until)"
        )

    # --- reading ------------------------------------------------------------------------------------------

    def entries(self) -> tuple[CaptureEntry, ...]:
        """Every capture there is, the oldest first. Raises CaptureError."""
        query = "SELECT id, taken_at, desired, actual, counts, changed, digest FROM captures ORDER BY id"
        with self._lock, self._guarded("read"):
            return tuple(
                CaptureEntry(
                    id=id,
                    taken_at=datetime.fromisoformat(taken_at),
                    desired=CoverageState(desired),
                    actual=CoverageState(actual),
                    counts=json.loads(counts),
                    changed=changed,
                    digest=digest,
                )
                for id, taken_at, desired, actual, counts, changed, digest in self._connection.execute(query)
            )

    def at(self, moment: datetime | None = None) -> CaptureEntry:
        """The newest capture that was taken at that moment or before; without one, the newest of all.

        Raises CaptureError where there is none.
        """
        found = [one for one in self.entries() if moment is None or one.taken_at <= moment]
        if not found:
            when = "" if moment is None else f" of {moment:%Y-%m-%d %H:%M:%S} UTC or before"
            raise CaptureError(
                f"{self.path} has no capture{when}.", next_step="`abreast capture FILE` takes one now."
            )
        return found[-1]

    def read(self, id: int) -> Capture:
        """What was captured. Raises CaptureError where it is not there, or is not what was written."""
        with self._lock, self._guarded("read"):
            row = self._connection.execute("SELECT head, digest FROM captures WHERE id = ?", (id,)).fetchone()
            if row is None:
                raise CaptureError(f"{self.path} has no capture {id} any more.", next_step="Choose another.")
            head = unpacker(self._dictionary("head"))(row[0])
            state = self._read_state(id)
            if sealed(head, state.total) != row[1]:
                raise self._damaged(f"capture {id} is not what was written")
            return from_parts(json.loads(head), state.parts)

    def verify(self) -> tuple[str, ...]:
        """What is wrong with the file and with each capture in it; nothing when it is sound."""
        problems: list[str] = []
        try:
            problems += self.check()
            for entry in self.entries():
                self.read(entry.id)
        except CaptureError as error:
            problems.append(error.what)
        return tuple(problems)

    def check(self) -> tuple[str, ...]:
        """What SQLite finds wrong with the file; nothing when it is sound. Raises CaptureError."""
        with self._lock, self._guarded("read"):
            found = [row[0] for row in self._connection.execute("PRAGMA integrity_check")]
        return tuple(one for one in found if one != "ok")

    def last_captured(self, ids: Iterable[str]) -> dict[str, datetime]:
        """When each of these objects of CloudStack was last in a capture; without those that never were.

        Raises CaptureError.
        """
        with self._lock, self._guarded("read"):
            newest = self._newest()
            if newest is None:
                return {}
            times = dict(self._times())
            captures = sorted(times)
            found: dict[str, datetime] = {}
            nested = []
            for id in ids:
                rows = self._connection.execute(
                    "SELECT first, until FROM versions WHERE key = ? AND list LIKE 'actual.%'", (safe(id),)
                ).fetchall()
                seen = [last for first, until in rows if (last := last_seen(captures, first, until))]
                if seen:
                    found[id] = times[max(seen)]
                else:
                    nested.append(id)
            users = self._newest_users(newest[0]) if nested else frozenset()
            return found | {id: newest[1] for id in nested if id in users}

    def _newest_users(self, newest: int) -> frozenset[str]:
        """The ids of all users in the newest capture: they stand within their accounts."""
        if self._users is None or self._users[0] != newest:
            rows = self._read_state(newest, "actual.accounts").parts.values()
            self._users = (newest, frozenset(user.id for row in rows for user in getattr(row, "users", ())))
        return self._users[1]

    def contents(self, since: datetime) -> dict[str, Contents]:
        """Domain id → the VMs and templates in it when it last had any, by complete captures since then, and
        the accounts that it had until that moment.

        Raises CaptureError.
        """
        with self._lock, self._guarded("read"):
            times = {
                one.id: one.taken_at
                for one in self.entries()
                if one.taken_at >= since and one.actual is CoverageState.COMPLETE
            }
            if not times:
                return {}
            ids = sorted(times)
            rows = self._connection.execute(
                "SELECT owner, list, key, first, until FROM versions "
                "WHERE list IN ('actual.vms', 'actual.templates', 'actual.accounts') "
                "AND (until IS NULL OR until > ?)",
                (ids[0],),
            ).fetchall()
            newest: dict[str, int] = {}
            for owner, name, _, first, until in rows:
                last = last_seen(ids, first, until) if name != "actual.accounts" else None
                if last is not None:
                    newest[owner] = max(last, newest.get(owner, 0))
            counts: dict[tuple[str, str], int] = {}
            accounts: dict[str, set[str]] = {}
            for owner, name, key, first, until in rows:
                at = newest.get(owner, 0)
                if first <= at and name == "actual.accounts":
                    accounts.setdefault(owner, set()).add(unsafe(key))
                elif first <= at and (until is None or at < until):
                    counts[owner, name] = counts.get((owner, name), 0) + 1
            return {
                unsafe(owner): Contents(
                    vms=counts.get((owner, "actual.vms"), 0),
                    templates=counts.get((owner, "actual.templates"), 0),
                    at=times[at],
                    accounts=frozenset(accounts.get(owner, ())),
                )
                for owner, at in newest.items()
            }

    # --- what is in a capture -------------------------------------------------------------------------------

    def _state_of(self, id: int) -> State:
        """What the capture of that id has in it; of the newest it is remembered."""
        if self._state is None or self._state.id != id:
            self._state = self._read_state(id) if id else State(0, {}, 0)
        return self._state

    def _read_state(self, id: int, only: str = "%") -> State:
        unpack = unpacker(self._dictionary("parts"))
        parts: dict[PartKey, object] = {}
        total = 0
        query = (
            "SELECT list, key, number, content FROM versions "
            "WHERE list LIKE ? AND first <= ? AND (until IS NULL OR until > ?)"
        )
        rows = self._connection.execute(query, (only, id, id))
        for name, safe_key, number, packed in rows:
            key = (name, unsafe(safe_key), number)
            content = unpack(packed)
            total += digest_of(key, content)
            of = type_of(name)
            if of is not None:
                parts[key] = decode(of, json.loads(content))
        return State(id, parts, total % MODULUS)

    def _newest(self) -> tuple[int, datetime] | None:
        query = "SELECT id, taken_at FROM captures ORDER BY id DESC LIMIT 1"
        row = self._connection.execute(query).fetchone()
        return None if row is None else (row[0], datetime.fromisoformat(row[1]))

    def _times(self) -> list[tuple[int, datetime]]:
        rows = self._connection.execute("SELECT id, taken_at FROM captures")
        return [(id, datetime.fromisoformat(taken_at)) for id, taken_at in rows]

    # --- packing ------------------------------------------------------------------------------------------

    def _remember_dictionaries(self, capture: Capture) -> None:
        """The first capture says what texts to expect; they are in the file, which so explains itself."""
        if self._connection.execute("SELECT count(*) FROM meta").fetchone()[0]:
            return
        samples: dict[str, bytes] = {}
        for key, row in parts_of(capture).items():
            samples.setdefault(key[0], content_of(key, row))
        parts = b"".join(samples.values())[-_DICTIONARY_SIZE:]
        head = as_text(head_of(capture))[-_DICTIONARY_SIZE:]
        self._connection.executemany(
            "INSERT INTO meta VALUES (?, ?)", [("parts", parts or b"{}"), ("head", head)]
        )

    def _dictionary(self, name: str) -> bytes:
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise self._damaged(f"the dictionary of {name} is missing")
        return bytes(row[0])

    # --- errors ---------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with transaction(self._connection):
                yield
        except BaseException:
            self._state = None
            raise

    @contextmanager
    def _guarded(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (zlib.error, CodecError, json.JSONDecodeError) as problem:
            raise self._damaged(f"{type(problem).__name__}: {problem}") from None
        except sqlite3.DatabaseError as problem:
            if "malformed" in str(problem) or "not a database" in str(problem):
                raise self._damaged(str(problem)) from None
            raise self._unusable(doing, str(problem)) from None
        except OSError as problem:
            raise self._unusable(doing, problem.strerror or str(problem)) from None

    def _unusable(self, doing: str, why: str) -> CaptureError:
        return CaptureError(
            f"The captures in {self.path} cannot be {doing}: {why}.",
            next_step="Check the path, its permissions, and the room on the disk.",
        )

    def _damaged(self, why: str) -> CaptureError:
        return CaptureError(
            f"The captures in {self.path} are damaged: {why}.",
            next_step="Move the file away and keep it; other captures are not affected.",
        )
