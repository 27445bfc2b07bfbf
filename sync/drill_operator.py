"""`python -m sync.drill_operator`: the first operator of a drill, who rebuilds until the process is killed.

It stands for a machine that nobody here can look into: its lease says so, and its clock makes what it did a
few minutes old, so that it has not been heard of for long enough when the drill opens.
Reads what to work on from the first line of standard input, says each result on standard output, and ends
with whoever started it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sync.drill import environment_for
from sync.drill_script import Rehearsal
from sync.lease import Place
from sync.sandbox.process import Ready

AGO = timedelta(minutes=5)
"""How long before the drill opens it worked."""
MACHINE = "the other machine of the drill"


def main() -> int:
    """Rebuild everything there is, once."""
    ready, folder, operator = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    environment = environment_for(Ready(**json.loads(ready)), Path(folder))
    rehearsal = Rehearsal(
        environment,
        operator=operator,
        say=_say,
        clock=lambda: datetime.now(UTC) - AGO,
        place=Place(operator.rpartition("@")[2], MACHINE),
    )
    rehearsal.rebuild(rehearsal.assess())
    return 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - what the parent counts


def _end_with_the_parent() -> None:
    while sys.stdin.read(4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
