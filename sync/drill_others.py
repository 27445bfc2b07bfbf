"""The other people of a drill: who fenced the sync before you came, whose terminal died in the rebuild, who
owns the CI database.

Operators use the product's own code, under their own names, in the same ledger.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from sync.cloudstack import Reader
from sync.contain import Step
from sync.containment import Containment
from sync.errors import GuardError, UnreachableError, UsageError
from sync.model import Outcome
from sync.relink import file_name
from sync.sandbox.process import Ready
from sync.settings import Environment

DIES_AFTER = 90
"""How many actions of the first operator's rebuild have ended when its process is killed."""


def fence_the_sync(environment: Environment, *, operator: str) -> tuple[Step, ...]:
    """Fence whoever deletes by events and jobs alike, as `abreast contain --fence` does.

    Raises GuardError where nobody can be fenced or a fence does not hold, SourceError, LedgerError.
    """
    reader = Reader(environment.cloudstack.read)
    containment = Containment(environment, reader=reader, operator=operator)
    try:
        views = [one for one in containment.look().callers if not one.caller.ask and one.may_be_fenced]
        steps = containment.fence_callers(views)
    finally:
        containment.close()
        reader.close()
    if not steps or any(step.outcome is not Outcome.SUCCEEDED for step in steps):
        said = "; ".join(f"{step.action}: {step.outcome.value}" for step in steps) or "nobody was found"
        raise GuardError(f"The naive sync is not fenced: {said}.")
    return steps


def rebuild_until_killed(ready: Ready, folder: Path, *, operator: str, dies_after: int = DIES_AFTER) -> int:
    """Rebuild everything in a process of its own, which is killed in mid-run; how many actions had ended.

    Raises UnreachableError where it ends by itself before that.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "sync.drill_operator"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    done = 0
    try:
        process.stdin.write(f"{json.dumps([ready.line(), str(folder), operator])}\n")
        process.stdin.flush()
        for line in process.stdout:
            done += line.startswith("[")
            if done == dies_after:
                break
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    if done < dies_after:
        raise UnreachableError(f"The rebuild of {operator} ended by itself after {done} actions.")
    return done


def run_relink(environment: Environment, ci_database: Path) -> str:
    """What the owner of the CI database does with the newest SQL of a re-link; the file's name, empty where
    there is none.

    Running it again changes nothing more: each update asks for the old id. Raises UsageError.
    """
    file = environment.credential_file.with_name(file_name(environment.name, ".sql"))
    if not file.exists():
        return ""
    try:
        with closing(sqlite3.connect(ci_database)) as connection:
            connection.executescript(file.read_text(encoding="utf-8"))
    except (OSError, sqlite3.Error) as problem:
        raise UsageError(f"{file.name} cannot be run on {ci_database}: {problem}.") from None
    return file.name
