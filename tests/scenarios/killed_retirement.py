"""The child of test_retirement_killed: retires a project, or undoes it, and dies at a given moment.

A moment is before or after an entry of the ledger, a call that changes something, a file that has come and a
manifest of an archive. Reads its task as JSON on standard input; prints how many moments there were.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sync import archive_manifest
from sync.cloudstack import Retirer
from sync.download import _Download
from sync.ledger import Ledger
from sync.retirement import Stage, Step
from sync.sandbox.naive_sync import Client
from sync.sandbox.process import Control, Ready
from tests.retirements import Lab, clock_of

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Task:
    folder: str
    ready: dict[str, Any]
    project: str
    operator: str
    kill_at: int
    """The moment at which to die; 0 for never."""
    undoes: bool = False


@dataclass(frozen=True)
class Far:
    """The sandbox of the process that started this one."""

    ready: Ready
    control: Control


class Moments:
    """Counts, and kills the process at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.made = 0
        self._kill_at = kill_at

    def around(self, function: Callable[..., Answer]) -> Callable[..., Answer]:
        def wrapped(*arguments: Any, **named: Any) -> Answer:
            self._one()
            answer = function(*arguments, **named)
            self._one()
            return answer

        return wrapped

    def _one(self) -> None:
        self.made += 1
        if self.made == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    task = Task(**json.load(sys.stdin))
    ready = Ready(**task.ready)
    box = Far(ready, Control(f"http://127.0.0.1:{ready.port}", ready.token))
    hand = Client(endpoint=ready.url, key=ready.key, secret=ready.secret, token=ready.token)
    lab = Lab(Path(task.folder), box, hand, clock_of(box))
    moments = Moments(task.kill_at)
    Ledger.append = moments.around(Ledger.append)  # type: ignore[method-assign]
    Retirer.submit = moments.around(Retirer.submit)  # type: ignore[method-assign]
    archive_manifest.write = moments.around(archive_manifest.write)
    _Download._finish = moments.around(_Download._finish)  # type: ignore[method-assign]
    if not task.undoes:
        lab.through(Step.DELETE_DOMAIN, task.project, operator=task.operator)
    elif lab.retiring().of(task.project).stage is not Stage.UNDONE:
        lab.retiring(task.operator).steps.undo(task.project)
    print(moments.made)


if __name__ == "__main__":
    main()
