"""How a command that goes on by itself is told to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def until_told() -> Iterator[threading.Event]:
    """An event that ctrl+c, SIGTERM and a closed terminal set; whatever runs is ended in order.

    What is ignored already (`nohup`) stays so.
    """
    stop = threading.Event()

    def request(*_: object) -> None:
        stop.set()

    numbers = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    earlier = {number: signal.signal(number, request) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
