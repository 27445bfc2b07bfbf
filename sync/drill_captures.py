"""The capture on the eve of a practice incident, dated by the practice cloud's own clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from sync.capture import Capture, captured
from sync.capture_store import CaptureStore
from sync.ci_db import CiDatabase
from sync.cloudstack import Reader
from sync.model import Scope
from sync.settings import Environment


def capture_of_the_eve(environment: Environment, *, at: str) -> Capture:
    """Read both sides, and store them where the environment's captures are, as taken at `at` (ISO 8601), or
    now where that is yet to come.

    The readings are real, their time is the cloud's: it was turned back for the incident to have happened.
    Raises AbreastError.
    """
    assert environment.captures is not None, "a drill has captures"
    scope = Scope(parent=environment.parent)
    when = min(datetime.fromisoformat(at), datetime.now(UTC))
    reader = Reader(environment.cloudstack.read)
    try:
        actual = reader.inventory(scope, limits=True)
    finally:
        reader.close()
    desired = CiDatabase(environment.ci_database).read(scope)
    made = captured(
        environment.name,
        replace(desired, taken_at=when),
        replace(actual, taken_at=when, limits_taken_at=when, users_taken_at=when),
        network=environment.network,
    )
    with CaptureStore(environment.captures) as store:
        store.add(made)
    return made
