"""How the console ends when it is told to from outside, or its terminal is closed: in order, and surely.

A signal's handler must not raise: it would do so in the middle of Textual's own locks. And what writes to a
terminal that is gone may wait for ever, so that after a while the process ends without being asked again.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sync.errors import EXIT_STOPPED

PATIENCE_SECONDS = 5.0
"""For ending in order."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ended_by_signals(
    end: Callable[[], None], *, at_last: Callable[[], None] = lambda: None, patience: float = PATIENCE_SECONDS
) -> Iterator[None]:
    """While the block runs, SIGINT, SIGTERM and a closed terminal call `end`, once and in the main thread.

    Where the block has not ended `patience` seconds later, `at_last` is called in a thread, and the process
    ends with the code for what was stopped.
    """
    is_over = threading.Event()

    def escape() -> None:
        if not is_over.wait(patience):
            try:
                at_last()
            finally:
                os._exit(EXIT_STOPPED)

    def handle(number: int, _: object) -> None:
        for one in _SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        if number == signal.SIGHUP:
            _let_go_of_the_terminal()
        threading.Thread(target=escape, name="escape", daemon=True).start()
        end()

    earlier = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        is_over.set()
        for number, handler in earlier.items():
            signal.signal(number, handler)


def _let_go_of_the_terminal() -> None:
    """What is still written goes nowhere, instead of failing or waiting."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
