"""Plays every scenario of a partial, stale, wrong or hostile view and prints the table.

`python -m tests.scenarios`; exit code 0 when every number in the table is zero.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.scenarios import partial_views, wrong_views
from tests.scenarios.partial_lab import (
    Line,
)
from tests.scenarios.scenario import SCENARIOS, play

PLAYED = (partial_views, wrong_views)
"""The modules whose scenarios are played."""


def table(lines: list[Line]) -> str:
    width = max(len(line.scenario) for line in lines)
    shown = [f"{'scenario':{width}}  deletions proposed  deletions sent  invented  lost  seen as"]
    for line in lines:
        shown.append(
            f"{line.scenario:{width}}  {line.proposed:18}  {line.sent:14}  {len(line.invented):8}  "
            f"{len(line.lost):4}  {line.seen}"
        )
    return "\n".join(shown)


def main() -> int:
    """Play all, print the table; 0 when every number in it is zero."""
    lines = []
    with tempfile.TemporaryDirectory(prefix="abreast-partial-") as folder:
        for number, one in enumerate(SCENARIOS):
            lines.append(play(one, Path(folder) / str(number)))
            print(f"{number + 1}/{len(SCENARIOS)} {one.name}", file=sys.stderr, flush=True)
    print(table(lines))
    return int(any(line.proposed or line.sent or line.invented or line.lost for line in lines))


if __name__ == "__main__":
    sys.exit(main())
