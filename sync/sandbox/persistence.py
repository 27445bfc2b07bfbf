"""Keeping a world in a file over a restart: JSON, moved into place when whole, mode 0600 (it holds keys).

Jobs that were running when the server went down are failed when it comes back, as a management server does;
what they had done so far stays done.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import deque
from datetime import datetime
from pathlib import Path
from typing import Any

from sync.sandbox.clock import Clock
from sync.sandbox.persistable import RECORDS
from sync.sandbox.records import TABLES, World

FORMAT = 2
INTERRUPTED = "job cancelled because of management server restart or shutdown"
KEPT = (
    *("release", "settings", "account_settings", "service_times", "limits", "numbers", "access_log"),
    *("destroyed", "armed", "jenkins", "server_id", "started", "root_id", "graveyard"),
)
"""Attributes of the World beside its tables."""


class StateFileError(ValueError):
    """A state file that cannot be read, or is none."""


def save(world: World, path: Path) -> None:
    """Write a world. Raises OSError; an earlier file is then untouched."""
    state: dict[str, Any] = {"format": FORMAT, "now": world.clock.now(), "usage": world.usage.counts}
    state |= {name: getattr(world, name) for name in KEPT}
    state["tables"] = {name: world.table(name) for name in TABLES}
    text = json.dumps(state, default=_plain, ensure_ascii=False, separators=(",", ":"))
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def saved_at(path: Path) -> datetime:
    """The virtual time at which a file was saved: the clock of the world goes on from it."""
    moment = _read(path)["now"]
    assert isinstance(moment, datetime)
    return moment


def load(path: Path, clock: Clock) -> World:
    """Read a world; its running jobs are failed. Raises StateFileError."""
    state = _read(path)
    world = World(release=state["release"], clock=clock)
    longest = world.access_log.maxlen
    for name in KEPT:
        setattr(world, name, state[name])
    world.access_log = deque(state["access_log"], maxlen=longest)
    world.graveyard = {table: state["graveyard"].get(table, {}) for table in TABLES}
    world.usage.counts = state["usage"]
    for name in TABLES:
        world.table(name).update(state["tables"].get(name, {}))
    world.rebuild_indexes()
    for job in world.jobs.values():
        if job.status == 0:
            job.status, job.result_code, job.completed = 2, 530, world.now()
            job.result = {"errorcode": 530, "errortext": INTERRUPTED}
    return world


def _read(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_text(encoding="utf-8"), object_hook=_live)
    except OSError as problem:
        raise StateFileError(f"The state file {path} cannot be read: {problem.strerror}.") from None
    except (ValueError, KeyError, TypeError) as problem:
        raise StateFileError(
            f"{path} is not a state file of the sandbox ({type(problem).__name__}). Name another file, or "
            "delete it to begin anew."
        ) from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise StateFileError(
            f"{path} is not a state file of this version of the sandbox. Delete it to begin anew."
        )
    return state


def _plain(value: Any) -> Any:
    """A value that JSON does not know, as one that it does."""
    if type(value).__name__ in RECORDS:
        return {"$record": type(value).__name__} | vars(value)
    if isinstance(value, datetime):
        return {"$time": value.isoformat()}
    if isinstance(value, set | frozenset):
        return {"$set": sorted(value)}
    if isinstance(value, deque):
        return list(value)
    raise TypeError(f"{type(value).__name__} cannot be kept in a state file")


def _live(value: dict[str, Any]) -> Any:
    """The value that `_plain` made an object of."""
    if "$time" in value:
        return datetime.fromisoformat(value["$time"])
    if "$set" in value:
        return set(value["$set"])
    if "$record" in value:
        return RECORDS[value.pop("$record")](**value)
    return value
